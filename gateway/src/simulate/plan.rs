//! How a charger behaves in a simulation, apart from chance.

use fastrand::Rng;
use std::sync::Arc;

/// From a least to a greatest value, both allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The least.
    pub from: i64,
    /// The greatest.
    pub to: i64,
}

/// How a charger behaves. Durations are in milliseconds, energy is in Wh, power in W.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// How many connectors it has.
    pub connectors: u32,
    /// What a connector can give.
    pub power: i64,
    /// What each connector can give, the first first, where they differ.
    pub powers: Vec<i64>,
    /// Three phases of alternating current; direct current otherwise.
    pub ac: bool,
    /// Who made it.
    pub vendor: String,
    /// The name of its model.
    pub model: String,
    /// Between two meter values of a session.
    pub meter_every: i64,
    /// Between two heartbeats, whatever the gateway asks for.
    pub heartbeat_every: Option<i64>,
    /// The cars that come; none stay away.
    pub cars: Option<Cars>,
    /// What goes wrong.
    pub troubles: Vec<Trouble>,
    /// Of a thousand answers to transaction messages, how many are taken for lost: the message is sent again.
    pub repeated_permille: i64,
    /// How long it waits before it connects again; each failure doubles it.
    pub reconnect_after: Span,
    /// How long it waits for an answer.
    pub answer_within: i64,
    /// How often it sends a transaction message that is refused or not answered; 0 is for ever.
    pub attempts: u32,
}

/// The cars that come to a connector, one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cars {
    /// How long the connector stays free before the next one.
    pub free_for: Span,
    /// What a car takes.
    pub energy: Span,
    /// What a car can take at once.
    pub power: Span,
    /// How long a car stays after it is full.
    pub stays: Span,
    /// What drivers identify themselves with.
    pub tokens: Arc<[Arc<str>]>,
}

/// Something that goes wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// What.
    pub kind: TroubleKind,
    /// Once, so long after the start.
    pub at: Option<i64>,
    /// Again and again, so long after the last time.
    pub every: Option<Span>,
    /// How long it lasts.
    pub lasts: Span,
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TroubleKind {
    /// The network is gone. Cars go on charging, and what they did is told later.
    Offline,
    /// The power is gone; sessions end.
    Reboot,
    /// A connector reports a fault and ends its session.
    Fault,
    /// It neither reads nor writes; the connection stays.
    Silent,
    /// Its clock is wrong by so many milliseconds.
    Clock(i64),
}

impl Span {
    /// This value only.
    #[must_use]
    pub const fn exactly(value: i64) -> Self {
        Self { from: value, to: value }
    }

    /// One of the values, each as likely.
    pub fn pick(&self, rng: &mut Rng) -> i64 {
        if self.to > self.from { rng.i64(self.from..=self.to) } else { self.from }
    }
}

impl Plan {
    /// What a connector can give.
    #[must_use]
    pub fn power_of(&self, connector: u32) -> i64 {
        let place = usize::try_from(connector.saturating_sub(1)).unwrap_or(usize::MAX);
        self.powers.get(place).copied().unwrap_or(self.power)
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            connectors: 1,
            power: 22_000,
            powers: Vec::new(),
            ac: true,
            vendor: "Takst".to_owned(),
            model: "Simulated".to_owned(),
            meter_every: 60_000,
            heartbeat_every: None,
            cars: None,
            troubles: Vec::new(),
            repeated_permille: 0,
            reconnect_after: Span { from: 500, to: 2_000 },
            answer_within: 30_000,
            attempts: 0,
        }
    }
}
