//! Filled by the tests of session.
