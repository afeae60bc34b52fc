//! Filled by the tests of timer.
