//! Scripts against a node of pretence: each line of what scripts mean here is shown by a test.

mod awaiting;
mod callbacks;
mod calls;
mod cost;
mod describing;
mod fixture;
mod lanes;
mod loading;
mod media;
mod namespaces;
mod registering;
mod reloading;
mod seed;
mod stepped;
mod surface;
mod verdicts;
