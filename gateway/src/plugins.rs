//! Plugins at work: which are set up, how they stand, and what they are called for. Absent: what a plugin may do (`takst-plugins`), and what
//! its answers are worth (feeds, outbox).

pub mod shipped;
mod space;
mod workshop;

pub use space::Space;
pub use workshop::Workshop;
