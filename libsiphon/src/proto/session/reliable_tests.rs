//! Filled by the tests of reliable.
