//! The bottom layer: time as a value, timer wheel, slabs with generations, seeded randomness, flows.

pub mod flow;
pub mod rng;
pub mod slab;
pub mod text;
pub mod time;
pub mod token;
pub mod wheel;
