//! A session followed point by point.

mod built;
mod follow;
mod leaving;
mod outside;

pub use built::{Builder, Built, build};

use super::flags::{Flag, Flags, Suspect};
use super::meter::{Meter, Source};
use super::point::{self, Kept, OverWhy, Point, What};
use super::states::States;
use super::{Doing, Waits, is_default};
use crate::chargers::model::TransactionPhase;
use crate::store::{SessionRows, SessionStatus};
use serde::{Deserialize, Serialize};
use takst_engine::calendar_time::utc_text;
use takst_engine::running::LONGEST_SESSION_DAYS;
use takst_engine::units::{DAY_MS, Energy, Instant, MINUTE_MS};

/// Most gaps between numbered reports that are told apart.
const MOST_GAPS: usize = 64;

/// A register read so shortly before the start is that of the start.
const NEAR_MS: i64 = MINUTE_MS;

/// What is known of a session beside its reports; it stays the same as long as the driver does.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Begin {
    /// The connector showed a car before the start, since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugged: Option<Instant>,
    /// What the connector showed then stays until it says otherwise (2.x `Occupied`).
    #[serde(default)]
    pub occupied: bool,
    /// What the connector can give, millionths of a kW.
    pub max_power: i64,
    /// Something may be charged after the transaction has stopped: then the session goes on until the car is unplugged.
    pub after_stop: bool,
    /// The tariff asks for the current that is drawn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub current: bool,
    /// How long is waited for what.
    #[serde(default)]
    pub waits: Waits,
    /// What is suspect about its beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<(Flag, String)>,
}

/// A report that tells of something earlier than what is known: the session has to be worked out anew from all its facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the report is older than what is known of the session")]
pub struct OutOfOrder;

/// Rows to write.
pub type Rows = SessionRows;

/// What a session looks like from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// EVSE, when the charger said it.
    pub evse: Option<i64>,
    /// Connector of the EVSE, when the charger said it.
    pub connector: Option<i64>,
    /// The token that began it.
    pub token: Option<String>,
    /// When the car was plugged in.
    pub plugged_in: Instant,
    /// When the transaction began.
    pub started_at: Option<Instant>,
    /// When energy first flowed.
    pub charging_started: Option<Instant>,
    /// When it last stopped flowing.
    pub charging_ended: Option<Instant>,
    /// When the transaction ended.
    pub stopped_at: Option<Instant>,
    /// When the car was unplugged; none while it goes on.
    pub unplugged: Option<Instant>,
    /// How far it has come.
    pub status: SessionStatus,
    /// Energy taken.
    pub energy: Option<Energy>,
    /// When the register was last read.
    pub last_reading_at: Option<Instant>,
    /// What the car does.
    pub doing: Option<Doing>,
    /// What is suspect.
    pub flags: Vec<Suspect>,
    /// Why it is held back.
    pub hold: Option<String>,
}

/// What is to be done with a session although nothing comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// The car is gone: no sign of it since the stop.
    Gone,
    /// Nobody unplugs any more.
    GiveUp,
    /// The car left while the charger was down or could not be heard; it was seen until then.
    Left(Instant),
    /// The session must have ended, then and for this reason.
    Over(Instant, OverWhy),
    /// Whatever is missing will not come.
    Settle,
}

/// When something is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// At or after this time of the gateway's clock.
    At(Instant, Act),
    /// Nothing more is to come.
    Ready,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Start {
    at: Instant,
    real: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Stop {
    at: Instant,
    received: Instant,
    // A connector showed the car since.
    car_there: bool,
    // When it last did so after the stop, and when that was heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<(Instant, Instant)>,
    // The charger booted since, then, and when that was heard; nothing was seen of the car after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    booted: Option<(Instant, Instant)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Over {
    at: Instant,
    why: OverWhy,
    received: Instant,
    // Decided; otherwise only likely.
    sure: bool,
}

/// How a session stands: all that is needed to go on with it.
#[serde_with::apply(_ => #[serde(default, skip_serializing_if = "is_default")])]
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tracked {
    last: Option<Point>,
    // The time of the newest numbered report, and its number.
    floor: Option<Instant>,
    seq: Option<i64>,
    gaps: Vec<(i64, i64)>,
    plugged: Option<Instant>,
    start: Option<Start>,
    stop: Option<Stop>,
    unplugged: Option<Instant>,
    over: Option<Over>,
    // The charger could not be heard between these times, and has shown no car since.
    away: Option<(Instant, Instant)>,
    settled: bool,
    occupied: bool,
    token: Option<String>,
    evse: Option<i64>,
    connector: Option<i64>,
    meter: Meter,
    // A register from before the start: it stands for that of the start when that does not come.
    early: Option<(Instant, Option<i64>, Option<i64>)>,
    states: States,
    power_rows: i64,
    power: Option<(Instant, i64)>,
    amps: Option<i64>,
    flags: Flags,
    heard: Option<Instant>,
}

// What tells the energy, of reports in their order: only those between start and stop say it.
fn source(points: &[Point], started: Option<Instant>, stopped: Option<Instant>) -> Source {
    let is_start = |point: &&Point| matches!(point.what, What::Started { .. });
    let is_stop = |point: &&Point| matches!(point.what, What::Stopped { .. });
    let from = started.or_else(|| Some(points.iter().find(is_start)?.at));
    let to = stopped.or_else(|| Some(points.iter().find(is_stop)?.at));
    let inside =
        |point: &&Point| from.is_some_and(|from| from <= point.at) && to.is_none_or(|to| point.at <= to);
    points.iter().filter(inside).filter_map(|point| Source::of(&point.what)).max().unwrap_or_default()
}

fn is_end(kept: &Kept) -> bool {
    point::transaction(kept).is_some_and(|report| report.phase == TransactionPhase::Ended)
}

// A session whose start never came begins with the first thing that is known of its transaction.
fn synthetic(points: &[Point]) -> Option<Point> {
    let of_transaction = points.iter().filter(|point| {
        matches!(point.what, What::Register { .. } | What::Power { .. } | What::Alive | What::Stopped { .. })
    });
    let first = of_transaction.min_by(|one, other| one.key().cmp(&other.key()))?;
    let what = What::Started { real: false, assumed_charging: true };
    // Before everything else of that instant.
    Some(Point { at: first.at, seq: i64::MIN, what, received: first.received })
}

// What a connector showed before the start counts with it when it lies behind: clocks of chargers are read at different moments.
fn plugged(at: Instant, started: Option<Instant>) -> Point {
    let at = started.map_or(at, |started| at.min(started));
    Point { at, seq: i64::MIN, what: What::Plugged, received: at }
}

impl Rows {
    // Of rows with one number the last one counts.
    fn compacted(self) -> Self {
        fn newest<T>(rows: Vec<T>, seq: impl Fn(&T) -> i64) -> Vec<T> {
            let mut kept: Vec<T> = Vec::with_capacity(rows.len());
            for row in rows {
                while kept.last().is_some_and(|last| seq(last) >= seq(&row)) {
                    kept.pop();
                }
                kept.push(row);
            }
            kept
        }
        Self {
            readings: newest(self.readings, |row| row.seq),
            states: newest(self.states, |row| row.seq),
            power: newest(self.power, |row| row.seq),
        }
    }
}
