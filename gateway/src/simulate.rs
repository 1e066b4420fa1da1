//! Chargers that are played: a model of a charger and its cars, and a real WebSocket client around it. Absent from the model:
//! sockets and clocks; what time it is, it is told.

mod bay;
mod car;
mod charger;
mod event;
mod fleet;
mod orders;
mod outbox;
mod plan;
mod player;
mod record;
mod scenario;
mod stats;
mod words;

pub use charger::Charger;
pub use event::{Event, Observer};
pub use fleet::{Fleet, Member};
pub use plan::{Cars, Plan, Span, Trouble, TroubleKind};
pub use player::{Address, AddressError};
pub use record::Recorder;
pub use scenario::{Expect, Scenario, ScenarioError, read_duration};
pub use stats::{Latency, Messages, Ordered, Report, Stats};
