//! Plugins at work: which are set up, how they stand, and what they are called for. Absent: what a plugin may do (`takst-plugins`), and what
//! its answers are worth (feeds, outbox).
//!
//! ```text
//! set-up ──▶ Workshop (loads code, asks a plugin about its settings) ──▶ Plugins (those in force, how they stand)
//!                                                                          ├─ Fetcher: plan (what to ask for when) ──▶ feeds::intake
//!                                                                          ├─ Paying: payment providers ◀── outbox
//!                                              /plugins/NAME/... ──▶ Door ─┴─▶ hints ──▶ outbox
//! ```

mod door;
mod fetch;
mod kept;
mod number;
mod plan;
mod providers;
mod room;
pub mod shipped;
mod space;
mod standing;
mod workshop;

pub use door::Door;
pub use fetch::{Fetcher, Options};
pub(crate) use plan::local as local_time;
pub use plan::{Came, Next, Source, Terms, Times, Tried, Which, days, late_at, next, today_and_tomorrow};
pub use providers::Paying;
pub use room::{Metering, Plugins, Standing, State, Trouble, Used};
pub use space::Space;
pub use standing::settle_others;
pub use workshop::Workshop;
