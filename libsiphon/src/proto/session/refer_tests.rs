//! Filled by the tests of refer.
