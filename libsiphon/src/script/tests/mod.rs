//! Scripts against a node of pretence: each line of what scripts mean here is shown by a test.

mod fixture;
mod loading;
mod registering;
mod seed;
mod verdicts;
