//! Between sockets and the desk: a charger knocks, is let in, reports and is answered.

use crate::chargers::model::{Answer, Report};
use crate::ocpp::{Dialect, Habits};
use crate::store::OrgId;
use std::net::SocketAddr;
use takst_engine::units::Instant;

/// A charger at the door: what is known before its connection is accepted.
#[derive(Clone, Debug)]
pub struct Knock {
    /// Its identity: the rest of the path, percent-decoded, without superfluous slashes.
    pub identity: String,
    /// From where.
    pub from: SocketAddr,
    /// Over TLS.
    pub encrypted: bool,
    /// The common name of its client certificate, which our own authority signed.
    pub certificate: Option<String>,
    /// User and password of HTTP Basic authentication. A password is bytes.
    pub basic: Option<(String, Vec<u8>)>,
    /// The subprotocols it offers, in its order.
    pub offers: Vec<String>,
    /// When.
    pub at: Instant,
}

/// Whether a charger is let in.
#[derive(Clone, Debug)]
pub enum Admission {
    /// Yes.
    Welcome(Welcome),
    /// No; the HTTP status and why, for the log and the charger's installer.
    Refused {
        /// 401, 403, 404, 503.
        status: u16,
        /// Why.
        why: String,
    },
}

/// How to speak with a charger that is let in.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// Whose charger it is.
    pub org: OrgId,
    /// The charger's id as the set-up writes it.
    pub charger: String,
    /// The protocol to be spoken, and the subprotocol to be named in the answer (none when the charger offered none).
    pub dialect: Dialect,
    /// See `dialect`.
    pub subprotocol: Option<String>,
    /// What is particular about its firmware.
    pub habits: Habits,
    /// Seconds between pings; none where the charger does not stand them.
    pub ping_s: Option<u64>,
    /// It has booted before: a reconnect without a boot is legal, commands may go out after a short while.
    pub booted: bool,
    /// How many raw frames are kept.
    pub frames_kept: i64,
}

/// What a charger says that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Make<'a> {
    /// Its maker; empty when it does not say.
    pub vendor: &'a str,
    /// Its model; empty when it does not say.
    pub model: &'a str,
}

impl<'a> Make<'a> {
    /// Of what a boot said.
    #[must_use]
    pub fn of(vendor: Option<&'a str>, model: Option<&'a str>) -> Self {
        Self { vendor: vendor.unwrap_or_default(), model: model.unwrap_or_default() }
    }
}

/// How a charger is to be understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ways {
    /// What is particular about its firmware.
    pub habits: Habits,
    /// Seconds between pings; none where the charger does not stand them.
    pub ping_s: Option<u64>,
}

/// A connection of a charger.
#[derive(Clone, Debug)]
pub struct Link {
    /// Whose charger.
    pub org: OrgId,
    /// Which one.
    pub charger: String,
    /// An id of this connection alone.
    pub connection: String,
    /// What is spoken.
    pub dialect: Dialect,
    /// Since when.
    pub since: Instant,
}

/// A report as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// What it says.
    pub report: Report,
    /// The action of the frame.
    pub action: String,
    /// When it arrived.
    pub at: Instant,
    /// What was wrong with it, for people.
    pub deviations: Vec<String>,
}

/// What becomes of a report.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and nearly all are answers")]
pub enum Reply {
    /// The answer; what it promises is on the disk.
    Answer(Answer),
    /// The charger is not allowed to say this yet (2.x, before it is accepted).
    NotYet,
    /// It could not be kept. Nothing is answered to a transaction message: the charger will say it again.
    Failed,
}

/// Whoever answers chargers. Reports of one charger come one after the other.
pub trait Desk: Send + Sync + 'static {
    /// Whether a charger is let in, and how it is spoken with.
    fn admit(&self, knock: Knock) -> impl Future<Output = Admission> + Send;

    /// How a charger of this make is understood; asked when it boots, for all that it says from then on. None: as before.
    fn ways(&self, _link: &Link, _make: &Make<'_>) -> Option<Ways> {
        None
    }

    /// A connection came up; it is in the hub already.
    fn connected(&self, link: &Link) -> impl Future<Output = ()> + Send;

    /// Answers a report.
    fn report(&self, link: &Link, received: Received) -> impl Future<Output = Reply> + Send;

    /// A connection ended. An older one's end says nothing about a newer one.
    fn disconnected(&self, link: &Link) -> impl Future<Output = ()> + Send;
}
