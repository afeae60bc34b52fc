//! The one integration test executable: a module per behaviour.
