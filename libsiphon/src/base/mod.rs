//! The bottom layer: time as a value, timer wheel, encoded state, slabs with generations, seeded randomness, flows.

pub mod codec;
pub mod flow;
pub mod rng;
pub mod slab;
pub mod table;
pub mod text;
pub mod time;
pub mod token;
pub mod wheel;
