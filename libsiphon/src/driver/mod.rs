//! (filled in by its step)
