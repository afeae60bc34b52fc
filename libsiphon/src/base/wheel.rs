//! (timer wheel: filled in by its step)
