//! Filled by the tests of glare.
