//! Facts taken apart into points: things known of one instant, with an order that does not depend on when they arrived.

use crate::chargers::model::{
    Availability, ChargingState, ConnectorStatus, Context, Phased, Reading, Report, StopReason,
    TransactionPhase, TransactionReport, Trigger,
};
use crate::chargers::time::StationTime;
use serde::{Deserialize, Serialize};
use takst_engine::units::{Energy, Instant};

/// What is kept of a fact: the document of a row of `station_fact`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// What the charger reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// What the gateway found out itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// The action of the frame.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// What was wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<String>,
    /// The token of a stop belongs to the group of the one that began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same_group: bool,
}

/// What the gateway found out about a session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The charger booted.
    Booted(Instant),
    /// The next transaction of the EVSE began.
    Next(Instant),
    /// After the stop there was no sign of a car.
    Gone(Instant),
    /// The car was not unplugged for longer than anybody waits, and its charger goes on to say that it is there.
    GaveUp(Instant),
    /// Nobody saw the car leave: it was there until then.
    Unseen(Instant),
    /// A person ended the stay after the stop.
    Left(Instant),
    /// The charger could not be heard between these times (of its clock).
    Away(Instant, Instant),
    /// It must have ended.
    Over(Instant, OverWhy),
    /// We hold the car back from now on, or no longer.
    Limited(Instant, bool),
    /// Since when we say whether the car is held back, and from when on it is or is no longer.
    Limits(Instant, Vec<(Instant, bool)>),
}

/// Why a session must have ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverWhy {
    /// Its connector was free.
    Free,
    /// The charger booted and did not go on with it.
    Boot,
    /// The next one began.
    Next,
    /// Nothing was heard of it any more.
    Silent,
    /// A person ended it.
    Person,
}

impl OverWhy {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Free => "the connector became free and no stop came",
            Self::Boot => "the charger booted and did not go on with it",
            Self::Next => "the next session of the EVSE began and no stop came",
            Self::Silent => "nothing was heard of it any more",
            Self::Person => "a person ended it",
        }
    }
}

/// What a connector shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(super) enum Shows {
    Free,
    Preparing,
    Charging,
    SuspendedEv,
    SuspendedEvse,
    Finishing,
    Occupied,
    Faulted,
}

/// Whose register it is: the order in which those of one instant count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(super) enum Sort {
    /// Of the start.
    Begin,
    /// In between.
    Between,
    /// Of the stop.
    End,
}

/// What is known. The order of the variants is that in which things of one instant are taken.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(super) enum What {
    Plugged,
    Started {
        real: bool,
        assumed_charging: bool,
    },
    Token(String),
    Place {
        evse: i64,
        connector: Option<i64>,
    },
    Flawed {
        bound: bool,
    },
    Limited(bool),
    Limits(Vec<(Instant, bool)>),
    Offered(bool),
    Register {
        sort: Sort,
        import: Option<i64>,
        export: Option<i64>,
        interval: Option<i64>,
        context: Option<String>,
    },
    Power {
        to: i64,
        from: i64,
    },
    Current(i64),
    Shows(Shows),
    Car(Car),
    Alive,
    StopToken {
        id: String,
        same_group: bool,
    },
    Stopped {
        left: bool,
        fault: bool,
        guessed: bool,
    },
    Booted,
    Unplugged,
    Gone,
    Over(OverWhy),
    Next,
    GaveUp,
    Left,
    Unseen,
    Away {
        to: Instant,
    },
}

/// What the car does, in the words of 2.x.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(super) enum Car {
    Connected,
    Charging,
    SuspendedEv,
    SuspendedEvse,
    Away,
}

/// Something known of an instant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Point {
    pub at: Instant,
    // The charger's number of the report; the same for all that have none.
    pub seq: i64,
    pub what: What,
    // Not part of the order: the same report may come twice.
    pub received: Instant,
}

impl Point {
    pub fn key(&self) -> (Instant, i64, &What) {
        (self.at, self.seq, &self.what)
    }
}

/// What is counted behind the numbered reports of the same instant.
const UNNUMBERED: i64 = i64::MAX;

/// Takes a fact apart. `floor` is the time before which nothing of it can have happened; the second value is whether it says so. The current
/// is told only where somebody asks for it.
pub(super) fn points(
    received: Instant,
    kept: &Kept,
    floor: Option<Instant>,
    current: bool,
) -> (Vec<Point>, bool) {
    let mut list = List { points: Vec::new(), received, seq: UNNUMBERED, floor: None, current };
    let mut back = false;
    match &kept.report {
        Some(Report::Transaction(report)) => {
            back = floor.is_some_and(|floor| report.at.at < floor);
            // A clock that is right may still report old readings; one that went back cannot be believed in anything.
            list.floor = floor.filter(|_| back);
            list.seq = report.seq.unwrap_or(0);
            list.transaction(report, kept.same_group);
        }
        Some(Report::Meter(report)) => {
            list.seq = 0;
            for reading in &report.readings {
                list.reading(reading);
            }
        }
        Some(Report::Status(status)) => list.status(status),
        Some(Report::Unplugged(unplugged)) => list.add(&unplugged.at, What::Unplugged),
        _ => {}
    }
    match &kept.said {
        Some(Said::Limits(at, plan)) => list.push(*at, What::Limits(plan.clone())),
        Some(Said::Booted(at)) => list.push(*at, What::Booted),
        Some(Said::Next(at)) => list.push(*at, What::Next),
        Some(Said::Gone(at)) => list.push(*at, What::Gone),
        Some(Said::GaveUp(at)) => list.push(*at, What::GaveUp),
        Some(Said::Unseen(at)) => list.push(*at, What::Unseen),
        Some(Said::Left(at)) => list.push(*at, What::Left),
        Some(Said::Away(from, to)) => list.push(*from, What::Away { to: *to }),
        Some(Said::Over(at, why)) => list.push(*at, What::Over(*why)),
        Some(Said::Limited(at, limited)) => list.push(*at, What::Limited(*limited)),
        None => {}
    }
    let mut points = list.points;
    points.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
    (points, back)
}

/// The points of a report that says it is earlier than what came ahead of it: not before that.
pub(super) fn lifted(mut points: Vec<Point>, floor: Option<Instant>) -> Vec<Point> {
    for point in &mut points {
        point.at = floor.map_or(point.at, |floor| point.at.max(floor));
    }
    points
}

/// The report on a transaction in a fact.
pub(super) fn transaction(kept: &Kept) -> Option<&TransactionReport> {
    match &kept.report {
        Some(Report::Transaction(report)) => Some(report),
        _ => None,
    }
}

struct List {
    points: Vec<Point>,
    received: Instant,
    seq: i64,
    floor: Option<Instant>,
    current: bool,
}

impl List {
    fn push(&mut self, at: Instant, what: What) {
        let at = self.floor.map_or(at, |floor| at.max(floor));
        self.points.push(Point { at, seq: self.seq, what, received: self.received });
    }

    fn add(&mut self, at: &StationTime, what: What) {
        self.push(at.at, what);
    }

    fn transaction(&mut self, report: &TransactionReport, same_group: bool) {
        let at = &report.at;
        let substituted = at.flaw.is_some_and(crate::chargers::time::TimeFlaw::substituted);
        if substituted {
            self.add(at, What::Flawed { bound: report.phase != TransactionPhase::Updated });
        }
        if let Some(evse) = report.place.evse.filter(|evse| *evse > 0) {
            self.add(at, What::Place { evse, connector: report.place.connector });
        }
        let ended = report.phase == TransactionPhase::Ended;
        if let Some(token) = &report.token {
            let stops = ended || report.trigger == Some(Trigger::StopAuthorized);
            self.add(
                at,
                if stops {
                    What::StopToken { id: token.id.clone(), same_group }
                } else {
                    What::Token(token.id.clone())
                },
            );
        }
        match report.phase {
            TransactionPhase::Started => {
                let assumed_charging = report.charging_state.is_none();
                self.add(at, What::Started { real: true, assumed_charging });
            }
            TransactionPhase::Updated => self.add(at, What::Alive),
            TransactionPhase::Ended => {}
        }
        if report.trigger == Some(Trigger::CablePluggedIn) && !ended {
            self.add(at, What::Plugged);
        }
        if let Some(import) = report.meter_start {
            self.register(at.at, Sort::Begin, (Some(import), None, None), None);
        }
        if let Some(import) = report.meter_stop {
            self.register(at.at, Sort::End, (Some(import), None, None), None);
        }
        for reading in &report.readings {
            self.reading(reading);
        }
        let car = match &report.charging_state {
            Some(ChargingState::Charging) => Some(Car::Charging),
            Some(ChargingState::EvConnected) => Some(Car::Connected),
            Some(ChargingState::SuspendedEv) => Some(Car::SuspendedEv),
            Some(ChargingState::SuspendedEvse) => Some(Car::SuspendedEvse),
            Some(ChargingState::Idle) => Some(Car::Away),
            Some(ChargingState::Other(_)) | None => None,
        };
        if let Some(car) = car.filter(|_| !ended) {
            self.add(at, What::Car(car));
        }
        if ended {
            let left = report.stop_reason == Some(StopReason::EvDisconnected)
                || matches!(report.trigger, Some(Trigger::EvCommunicationLost | Trigger::EvDeparted))
                || car == Some(Car::Away);
            let guessed = report.reference.is_none();
            self.add(at, What::Stopped { left, fault: is_fault(report.stop_reason.as_ref()), guessed });
        }
    }

    fn reading(&mut self, reading: &Reading) {
        let at = &reading.at;
        if at.flaw.is_some_and(crate::chargers::time::TimeFlaw::substituted) {
            self.add(at, What::Flawed { bound: false });
        }
        let energy = (reading.import, reading.export, reading.import_interval);
        if energy != (None, None, None) {
            let sort = match reading.context {
                Context::Begin => Sort::Begin,
                Context::End => Sort::End,
                _ => Sort::Between,
            };
            self.register(at.at, sort, energy, Some(reading.context.as_str().to_owned()));
        }
        let total = |phased: Option<Phased>| phased.map(|phased| phased.total);
        if reading.power.is_some() || reading.power_export.is_some() {
            let (to, from) = (total(reading.power).unwrap_or(0), total(reading.power_export).unwrap_or(0));
            self.add(at, What::Power { to: to.max(0), from: from.max(0) });
        }
        if let Some(current) = total(reading.current).filter(|_| self.current) {
            self.add(at, What::Current(current.max(0)));
        }
        let offered = [total(reading.power_offered), total(reading.current_offered)];
        if offered.iter().any(Option::is_some) {
            self.add(at, What::Offered(offered.iter().flatten().all(|offer| *offer > 0)));
        }
    }

    fn register(
        &mut self,
        at: Instant,
        sort: Sort,
        (import, export, interval): (Option<Energy>, Option<Energy>, Option<Energy>),
        context: Option<String>,
    ) {
        let [import, export, interval] =
            [import, export, interval].map(|energy| energy.map(|energy| energy.0));
        self.push(at, What::Register { sort, import, export, interval, context });
    }

    fn status(&mut self, status: &ConnectorStatus) {
        let shows = match &status.status {
            Some(Availability::Available | Availability::Reserved) => Shows::Free,
            Some(Availability::Preparing) => Shows::Preparing,
            Some(Availability::Charging) => Shows::Charging,
            Some(Availability::SuspendedEv) => Shows::SuspendedEv,
            Some(Availability::SuspendedEvse) => Shows::SuspendedEvse,
            Some(Availability::Finishing) => Shows::Finishing,
            Some(Availability::Occupied) => Shows::Occupied,
            Some(Availability::Faulted) => Shows::Faulted,
            Some(Availability::Unavailable | Availability::Other(_)) | None => return,
        };
        self.add(&status.at, What::Shows(shows));
    }
}

// Stops that the driver has nothing to do with: what follows is not his idling.
fn is_fault(reason: Option<&StopReason>) -> bool {
    matches!(
        reason,
        Some(
            StopReason::EmergencyStop
                | StopReason::GroundFault
                | StopReason::HardReset
                | StopReason::ImmediateReset
                | StopReason::OvercurrentFault
                | StopReason::PowerLoss
                | StopReason::PowerQuality
                | StopReason::Reboot
                | StopReason::SoftReset
        )
    )
}
