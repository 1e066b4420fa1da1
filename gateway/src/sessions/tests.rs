#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::redundant_clone,
    reason = "counts of a few rows"
)]

use super::*;
use crate::chargers::model::{
    Availability, ChargingState, ConnectorStatus, Context, Phased, Place, Reading, Reference, Report,
    StopReason, Token, TransactionPhase, TransactionReport, Trigger,
};
use crate::chargers::time::StationTime;
use crate::store::{self, SessionStatus};
use proptest::prelude::*;
use std::collections::BTreeMap;
use takst_engine::units::{Energy, Instant};

mod energy;
mod leaving;

const MINUTE: i64 = 60_000;

fn at(minute: i64) -> Instant {
    Instant(1_700_000_000_000 + minute * MINUTE)
}

fn time(minute: i64) -> StationTime {
    StationTime { at: at(minute), sent: Some(format!("minute {minute}")), flaw: None }
}

fn begin() -> Begin {
    Begin { max_power: 22_000_000, after_stop: true, ..Begin::default() }
}

fn report(phase: TransactionPhase, minute: i64) -> TransactionReport {
    let mut report = TransactionReport::new(phase, time(minute));
    report.reference = Some(Reference::Theirs("tx".to_owned()));
    report
}

fn kept(report: TransactionReport) -> Kept {
    Kept { report: Some(Report::Transaction(Box::new(report))), ..Kept::default() }
}

fn started(minute: i64, wh: i64) -> Kept {
    let mut report = report(TransactionPhase::Started, minute);
    report.place = Place::evse(1);
    report.token = Some(Token::plain("CARD"));
    report.meter_start = Some(Energy(wh * 1000));
    kept(report)
}

fn measured(minute: i64, wh: i64) -> Kept {
    let mut report = report(TransactionPhase::Updated, minute);
    report.readings = vec![reading(minute, wh, Context::Periodic)];
    kept(report)
}

fn reading(minute: i64, wh: i64, context: Context) -> Reading {
    Reading { import: Some(Energy(wh * 1000)), ..Reading::empty(time(minute), context) }
}

fn stopped(minute: i64, wh: i64) -> Kept {
    let mut report = report(TransactionPhase::Ended, minute);
    report.meter_stop = Some(Energy(wh * 1000));
    kept(report)
}

fn shows(minute: i64, status: Availability) -> Kept {
    let status =
        ConnectorStatus { place: Place::evse(1), status: Some(status), at: time(minute), fault: None };
    Kept { report: Some(Report::Status(status)), ..Kept::default() }
}

fn said(said: Said) -> Kept {
    Kept { said: Some(said), ..Kept::default() }
}

// What the desk does with facts, in the order in which they arrive.
#[derive(Default)]
struct Desk {
    facts: Vec<(Instant, Kept)>,
    tracked: Option<Tracked>,
    readings: BTreeMap<i64, store::Reading>,
    states: BTreeMap<i64, store::StateChange>,
    power: BTreeMap<i64, store::PowerChange>,
    rebuilds: usize,
}

impl Desk {
    fn hear(&mut self, begin: &Begin, kept: &Kept) {
        if self.facts.iter().any(|(_, known)| known == kept) {
            return;
        }
        let received = at(10_000 + i64::try_from(self.facts.len()).unwrap());
        self.facts.push((received, kept.clone()));
        let mut next = self.tracked.clone().unwrap_or_default();
        let rows = match next.take(begin, received, kept) {
            Ok(rows) => rows,
            Err(OutOfOrder) => {
                let facts = self.facts.iter().map(|(received, kept)| (*received, kept));
                let Some(built) = build(begin, facts) else { return };
                (self.readings, self.states, self.power) = Default::default();
                self.rebuilds += 1;
                next = built.tracked;
                built.rows
            }
        };
        self.readings.extend(rows.readings.into_iter().map(|row| (row.seq, row)));
        self.states.extend(rows.states.into_iter().map(|row| (row.seq, row)));
        self.power.extend(rows.power.into_iter().map(|row| (row.seq, row)));
        self.tracked = Some(next);
    }

    // All of it but the times of receipt.
    #[allow(clippy::type_complexity, reason = "a tuple to compare")]
    fn session(
        &self,
        begin: &Begin,
    ) -> (Summary, Vec<(i64, i64, i64, i64)>, Vec<(i64, i64, String)>, Vec<(i64, i64, i64)>) {
        let tracked = self.tracked.as_ref().unwrap();
        let counts = (self.readings.len(), self.states.len(), self.power.len());
        let (readings, states, power) = tracked.rows();
        assert_eq!(counts, (readings as usize, states as usize, power as usize));
        (
            tracked.summary(begin),
            self.readings.values().map(|row| (row.seq, row.at.0, row.imported.0, row.segment)).collect(),
            self.states.values().map(|row| (row.seq, row.from_at.0, row.state.clone())).collect(),
            self.power.values().map(|row| (row.seq, row.from_at.0, row.power)).collect(),
        )
    }

    fn flags(&self, begin: &Begin) -> Vec<&'static str> {
        self.tracked
            .as_ref()
            .unwrap()
            .summary(begin)
            .flags
            .iter()
            .map(|suspect| suspect.flag.as_str())
            .collect()
    }

    fn states(&self) -> Vec<(i64, &str)> {
        self.states.values().map(|row| ((row.from_at.0 - at(0).0) / MINUTE, row.state.as_str())).collect()
    }
}

fn heard(begin: &Begin, facts: &[Kept]) -> Desk {
    let mut desk = Desk::default();
    facts.iter().for_each(|kept| desk.hear(begin, kept));
    desk
}

// Every row can be priced: in order, inside the session, never falling within a segment.
fn sound(desk: &Desk, begin: &Begin) {
    let summary = desk.tracked.as_ref().unwrap().summary(begin);
    let readings: Vec<_> = desk.readings.values().collect();
    for pair in readings.windows(2) {
        assert!(pair[0].at <= pair[1].at && pair[0].segment <= pair[1].segment, "{pair:?}");
        if pair[0].segment == pair[1].segment {
            assert!(pair[0].imported <= pair[1].imported && pair[0].at < pair[1].at, "{pair:?}");
        }
    }
    for pair in desk.states.values().collect::<Vec<_>>().windows(2) {
        assert!(pair[0].from_at < pair[1].from_at, "{pair:?}");
    }
    if let Some(row) = desk.states.values().next() {
        assert_eq!(row.from_at, summary.plugged_in);
    }
    if let Some(unplugged) = summary.unplugged {
        assert!(unplugged >= summary.plugged_in);
        assert!(
            readings.iter().all(|row| row.at <= unplugged && row.at >= summary.plugged_in),
            "{summary:?} {readings:?}"
        );
    }
}

#[test]
fn a_session_in_order_is_never_built_anew() {
    let facts = [
        started(10, 100),
        shows(10, Availability::Charging),
        measured(20, 1100),
        measured(30, 2100),
        shows(31, Availability::SuspendedEv),
        measured(40, 2100),
        stopped(50, 2200),
        shows(51, Availability::Finishing),
        shows(60, Availability::Available),
    ];
    let begin = Begin { plugged: Some(at(8)), ..begin() };
    let desk = heard(&begin, &facts);
    sound(&desk, &begin);
    assert_eq!(desk.rebuilds, 0);
    let summary = desk.tracked.as_ref().unwrap().summary(&begin);
    assert_eq!((summary.plugged_in, summary.started_at), (at(8), Some(at(10))));
    assert_eq!((summary.stopped_at, summary.unplugged), (Some(at(50)), Some(at(60))));
    assert_eq!((summary.energy, summary.status), (Some(Energy(2_100_000)), SessionStatus::Ended));
    assert_eq!((summary.charging_started, summary.charging_ended), (Some(at(10)), Some(at(31))));
    assert_eq!(desk.states(), [(8, "waiting"), (10, "charging"), (31, "idle")]);
    assert!(summary.flags.is_empty(), "{:?}", summary.flags);
    assert_eq!(desk.tracked.as_ref().unwrap().next(&begin), Next::Ready);
}

#[test]
fn pauses_are_told_from_idling() {
    let mut held = report(TransactionPhase::Updated, 20);
    held.readings = vec![Reading {
        power: Some(Phased::default()),
        power_offered: Some(Phased::default()),
        ..Reading::empty(time(20), Context::Periodic)
    }];
    let powered = |minute: i64, watt: i64| {
        let mut report = report(TransactionPhase::Updated, minute);
        report.readings = vec![Reading {
            power: Some(Phased { total: watt * 1000, ..Phased::default() }),
            ..Reading::empty(time(minute), Context::Periodic)
        }];
        kept(report)
    };
    let facts = [
        started(0, 0),
        powered(1, 11_000),
        // Nothing for three minutes and more is idling, for less it is not.
        powered(5, 0),
        powered(7, 0),
        powered(9, 0),
        powered(12, 7_000),
        shows(14, Availability::SuspendedEvse),
        shows(16, Availability::Charging),
        // We hold it back ourselves: the charger only sees that the car takes nothing.
        said(Said::Limited(at(17), true)),
        shows(17, Availability::SuspendedEv),
        said(Said::Limited(at(18), false)),
        shows(19, Availability::Charging),
        kept(held),
        powered(24, 0),
    ];
    let desk = heard(&begin(), &facts);
    assert_eq!(
        desk.states(),
        [
            (0, "charging"),
            (9, "idle"),
            (12, "charging"),
            (14, "paused"),
            (16, "charging"),
            (17, "paused"),
            (18, "idle"),
            (19, "charging"),
            (24, "paused"),
        ]
    );
}

#[test]
fn registers_alone_tell_when_nothing_is_taken_for_long() {
    let facts =
        [started(0, 0), measured(10, 1000), measured(20, 1000), measured(30, 1000), measured(40, 2000)];
    assert_eq!(heard(&begin(), &facts).states(), [(0, "charging"), (30, "idle"), (40, "charging")]);
}

#[test]
fn case_08_a_first_register_of_zero_is_no_energy() {
    let facts = [started(0, 0), measured(10, 909_948), measured(20, 910_948), stopped(30, 911_948)];
    let desk = heard(&begin(), &facts);
    let summary = desk.tracked.as_ref().unwrap().summary(&begin());
    assert_eq!((summary.energy, desk.flags(&begin())), (Some(Energy(2_000_000)), vec!["false-zero"]));
    assert!(summary.hold.is_some());
    sound(&desk, &begin());
}

#[test]
fn case_09_a_stop_below_the_start_is_no_energy_at_all() {
    let desk = heard(&begin(), &[started(0, 5000), stopped(30, 4000)]);
    let summary = desk.tracked.as_ref().unwrap().summary(&begin());
    assert_eq!((summary.energy, desk.flags(&begin())), (None, vec!["stop-below-start"]));
}

#[test]
fn case_10_a_register_that_falls_begins_a_segment() {
    let facts =
        [started(0, 5000), measured(10, 6000), measured(20, 100), measured(30, 1100), stopped(40, 2100)];
    let desk = heard(&begin(), &facts);
    let summary = desk.tracked.as_ref().unwrap().summary(&begin());
    assert_eq!((summary.energy, desk.flags(&begin())), (Some(Energy(3_000_000)), vec!["register-fell"]));
    sound(&desk, &begin());
}

#[test]
fn case_10_a_single_slip_costs_no_energy() {
    for slip in [0, 99_999_999] {
        let facts =
            [started(0, 5000), measured(10, 6000), measured(20, slip), measured(30, 7000), stopped(40, 8000)];
        let desk = heard(&begin(), &facts);
        let summary = desk.tracked.as_ref().unwrap().summary(&begin());
        assert_eq!(summary.energy, Some(Energy(3_000_000)), "{slip}");
        assert!(summary.hold.is_some());
        sound(&desk, &begin());
    }
}

#[test]
fn case_11_start_and_stop_of_the_session_among_lifetime_values() {
    let facts = [
        started(0, 0),
        measured(10, 9_099_480),
        measured(20, 9_100_480),
        measured(30, 9_101_480),
        stopped(35, 3_500),
    ];
    let desk = heard(&begin(), &facts);
    let summary = desk.tracked.as_ref().unwrap().summary(&begin());
    assert_eq!((summary.energy, summary.hold.clone()), (Some(Energy(3_500_000)), None));
    assert_eq!(desk.flags(&begin()), ["register-mixed"]);
    sound(&desk, &begin());
    // The other way round.
    let facts = [
        started(0, 9_099_480),
        measured(10, 0),
        measured(20, 1000),
        measured(30, 3000),
        stopped(35, 9_102_980),
    ];
    let desk = heard(&begin(), &facts);
    assert_eq!(desk.tracked.as_ref().unwrap().summary(&begin()).energy, Some(Energy(3_500_000)));
    assert_eq!(desk.flags(&begin()), ["register-mixed"]);
    sound(&desk, &begin());
}

#[test]
fn case_12_a_wrong_unit_is_told() {
    let facts = [started(0, 5000), measured(10, 6_000_000), measured(20, 7_000_000), measured(30, 8_000_000)];
    let desk = heard(&begin(), &facts);
    assert!(desk.flags(&begin()).contains(&"wrong-unit"));
    assert_eq!(desk.tracked.as_ref().unwrap().summary(&begin()).energy, Some(Energy(0)));
}

#[test]
fn case_14_values_without_energy_change_no_total() {
    let mut other = report(TransactionPhase::Updated, 15);
    other.readings = vec![Reading { soc: Some(44_000_000), ..Reading::empty(time(15), Context::Clock) }];
    let desk = heard(&begin(), &[started(0, 5000), measured(10, 6000), kept(other)]);
    let summary = desk.tracked.as_ref().unwrap().summary(&begin());
    assert_eq!((summary.energy, summary.last_reading_at), (Some(Energy(1_000_000)), Some(at(10))));
}

#[test]
fn case_17_only_a_register_of_the_stop_corrects_the_end() {
    let mut closing = report(TransactionPhase::Updated, 31);
    closing.readings = vec![reading(31, 7500, Context::Periodic), reading(31, 7200, Context::End)];
    let facts = [started(0, 5000), stopped(30, 7000), kept(closing)];
    let desk = heard(&begin(), &facts);
    let summary = desk.tracked.as_ref().unwrap().summary(&begin());
    assert_eq!((summary.energy, summary.stopped_at), (Some(Energy(2_200_000)), Some(at(30))));
    assert_eq!(summary.last_reading_at, Some(at(30)));
    sound(&desk, &begin());
}

#[test]
fn case_44_what_must_have_ended_ends_and_a_late_stop_overrides() {
    let facts = [started(0, 0), measured(10, 1000), shows(20, Availability::Available)];
    let mut desk = heard(&begin(), &facts);
    let tracked = desk.tracked.clone().unwrap();
    let Next::At(when, Act::Over(end, why)) = tracked.next(&begin()) else {
        panic!("{:?}", tracked.next(&begin()))
    };
    assert_eq!((end, why), (at(20), OverWhy::Free));
    assert!(when > at(10_000));
    desk.hear(&begin(), &said(Said::Over(end, why)));
    let summary = desk.tracked.as_ref().unwrap().summary(&begin());
    assert_eq!((summary.status, summary.unplugged), (SessionStatus::EndedInferred, Some(at(20))));
    assert_eq!(desk.flags(&begin()), ["ended-inferred"]);
    desk.hear(&begin(), &stopped(15, 1500));
    let summary = desk.tracked.as_ref().unwrap().summary(&begin());
    assert_eq!((summary.stopped_at, summary.energy), (Some(at(15)), Some(Energy(1_500_000))));
    assert_eq!(
        (summary.status, summary.unplugged, desk.flags(&begin()).is_empty()),
        (SessionStatus::Ended, Some(at(20)), true)
    );
    sound(&desk, &begin());
}

#[test]
fn a_boot_ends_nothing_that_goes_on() {
    let mut desk = heard(&begin(), &[started(0, 0), measured(10, 1000), said(Said::Booted(at(15)))]);
    assert!(matches!(
        desk.tracked.as_ref().unwrap().next(&begin()),
        Next::At(_, Act::Over(_, OverWhy::Boot))
    ));
    desk.hear(&begin(), &measured(20, 2000));
    assert!(matches!(
        desk.tracked.as_ref().unwrap().next(&begin()),
        Next::At(_, Act::Over(_, OverWhy::Silent))
    ));
}

#[test]
fn after_a_stop_the_car_may_stay() {
    let gone = |facts: &[Kept]| heard(&begin(), facts).tracked.unwrap().next(&begin());
    assert!(matches!(gone(&[started(0, 0), stopped(5, 100)]), Next::At(_, Act::Gone)));
    let facts = [started(0, 0), stopped(5, 100), shows(6, Availability::Finishing)];
    assert!(matches!(gone(&facts), Next::At(_, Act::GiveUp)));
    let mut left = report(TransactionPhase::Ended, 5);
    left.stop_reason = Some(StopReason::EvDisconnected);
    assert_eq!(gone(&[started(0, 0), kept(left)]), Next::Ready);
    // Nothing can be charged after the stop: nobody waits.
    let begin = Begin { after_stop: false, ..begin() };
    assert_eq!(heard(&begin, &[started(0, 0), stopped(5, 100)]).tracked.unwrap().next(&begin), Next::Ready);
}

#[test]
fn a_boot_after_the_stop_does_not_tell_when_the_car_left() {
    let next = |desk: &Desk| desk.tracked.as_ref().unwrap().next(&begin());
    let unplugged = |desk: &Desk| desk.tracked.as_ref().unwrap().summary(&begin()).unplugged;
    let rebooted = [started(0, 0), measured(20, 1000), said(Said::Booted(at(60))), stopped(30, 2000)];
    // The queue that is sent after the boot has a stamped word on it.
    let mut desk = heard(&begin(), &rebooted);
    assert!(matches!(next(&desk), Next::At(_, Act::Gone)));
    desk.hear(&begin(), &shows(35, Availability::Available));
    assert_eq!((unplugged(&desk), next(&desk)), (Some(at(35)), Next::Ready));
    // It has none: the stop is the last that is known. That the connector is free now says nothing of then.
    for later in [said(Said::Gone(at(30))), shows(61, Availability::Available)] {
        let mut desk = heard(&begin(), &rebooted);
        desk.hear(&begin(), &later);
        assert_eq!((unplugged(&desk), next(&desk)), (Some(at(30)), Next::Ready));
    }
    // The car was seen after the stop, and is gone after the boot.
    let finishing = shows(31, Availability::Finishing);
    let seen = [&rebooted[..], std::slice::from_ref(&finishing)].concat();
    let mut desk = heard(&begin(), &seen);
    assert!(matches!(next(&desk), Next::At(_, Act::Left(then)) if then == at(60)));
    desk.hear(&begin(), &said(Said::Unseen(at(60))));
    assert_eq!((unplugged(&desk), next(&desk)), (Some(at(60)), Next::Ready));
    // It says so itself after the boot.
    let mut desk = heard(&begin(), &seen);
    desk.hear(&begin(), &shows(61, Availability::Available));
    assert_eq!((unplugged(&desk), desk.flags(&begin())), (Some(at(60)), vec!["left-unseen"]));
    // It is still there after the boot.
    let mut desk = heard(&begin(), &seen);
    desk.hear(&begin(), &shows(61, Availability::Finishing));
    assert!(matches!(next(&desk), Next::At(_, Act::GiveUp)));
    desk.hear(&begin(), &shows(90, Availability::Available));
    assert_eq!((unplugged(&desk), next(&desk)), (Some(at(90)), Next::Ready));
    sound(&desk, &begin());
}

fn numbered(seq: i64, phase: TransactionPhase, minute: i64, wh: i64, state: Option<ChargingState>) -> Kept {
    let mut report = report(phase, minute);
    report.seq = Some(seq);
    report.charging_state = state;
    report.trigger = (seq == 0).then_some(Trigger::CablePluggedIn);
    if seq == 0 {
        report.place = Place::connector(1, 1);
        report.token = Some(Token::plain("CARD"));
    }
    let context = match phase {
        TransactionPhase::Started => Context::Begin,
        TransactionPhase::Updated => Context::Periodic,
        TransactionPhase::Ended => Context::End,
    };
    let mut reading = reading(minute, wh, context);
    reading.power = (seq % 3 == 1).then(|| Phased { total: seq * 1_000_000, ..Phased::default() });
    report.readings = vec![reading];
    kept(report)
}

// Times, registers and states as chargers give them, true and false.
fn session() -> impl Strategy<Value = Vec<Kept>> {
    let step =
        (0_i64..30, prop_oneof![8 => 0_i64..5000, 1 => -3000_i64..0, 1 => 1_000_000_i64..2_000_000], 0_u8..6);
    (0_i64..3000, prop::collection::vec(step, 1..12), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(wh, steps, begins, ends, numbers)| {
            let (mut facts, mut minute, mut wh) = (Vec::new(), 100, wh);
            let mut seq = 0;
            let number = |kept: Kept| {
                let Kept { report: Some(Report::Transaction(mut report)), .. } = kept else { panic!() };
                if !numbers {
                    report.seq = None;
                }
                self::kept(*report)
            };
            if begins {
                facts.push(number(numbered(
                    0,
                    TransactionPhase::Started,
                    minute,
                    wh,
                    Some(ChargingState::EvConnected),
                )));
            }
            for (pause, more, what) in steps {
                minute += pause;
                wh = (wh + more).max(0);
                let state = match what {
                    0 => Some(ChargingState::Charging),
                    1 => Some(ChargingState::SuspendedEv),
                    2 => Some(ChargingState::SuspendedEvse),
                    _ => None,
                };
                seq += if what == 5 { 2 } else { 1 };
                facts.push(number(numbered(seq, TransactionPhase::Updated, minute, wh, state)));
                if what == 4 {
                    let status = [Availability::Charging, Availability::Available, Availability::Occupied];
                    facts.push(shows(minute, status[usize::try_from(seq).unwrap() % 3].clone()));
                }
            }
            if ends {
                facts.push(number(numbered(seq + 1, TransactionPhase::Ended, minute + 5, wh + 100, None)));
                if seq % 2 == 0 {
                    facts.push(said(Said::Away(at(minute + 6), at(minute + 8))));
                }
                facts.push(shows(minute + 9, Availability::Available));
            }
            facts
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn case_45_any_order_of_arrival_and_any_repetition_give_the_same_session(
        (facts, order) in session().prop_flat_map(|facts| {
            let twice: Vec<Kept> = facts.iter().chain(&facts).cloned().collect();
            (Just(facts), Just(twice).prop_shuffle())
        }),
        plugged in prop::option::of(90_i64..130),
    ) {
        let begin = Begin { plugged: plugged.map(at), ..begin() };
        let one = heard(&begin, &facts);
        // What a connector shows before anything is known of a transaction is in `Begin`.
        let first = order.iter().position(|kept| point::transaction(kept).is_some()).unwrap();
        let mut order = order;
        order.swap(0, first);
        let other = heard(&begin, &order);
        prop_assert_eq!(one.session(&begin), other.session(&begin));
        sound(&one, &begin);
        // What is kept is enough to go on.
        let kept = serde_json::to_string(one.tracked.as_ref().unwrap()).unwrap();
        let read: Option<Tracked> = serde_json::from_str(&kept).unwrap();
        prop_assert_eq!(&one.tracked, &read);
    }
}

#[test]
fn what_flowed_before_a_word_says_nothing_against_it() {
    // No power is measured; the register is read every five minutes.
    let mut facts =
        vec![started(0, 0), measured(5, 917), measured(10, 1_833), shows(12, Availability::SuspendedEv)];
    facts.extend([measured(15, 2_200), measured(20, 2_200), measured(25, 2_200), stopped(40, 2_200)]);
    let desk = heard(&begin(), &facts);
    assert_eq!(desk.states().last(), Some(&(12, "idle")), "{:?}", desk.states());
    // But what flows on after it does.
    let mut facts = vec![started(0, 0), measured(10, 1_833), shows(12, Availability::SuspendedEv)];
    facts.extend([measured(15, 2_200), measured(20, 3_100)]);
    let desk = heard(&begin(), &facts);
    assert_eq!(desk.states().last(), Some(&(20, "charging")), "{:?}", desk.states());
}

#[test]
fn a_charger_that_says_so_charges_again_after_a_standstill() {
    let mut facts = vec![started(0, 0), measured(10, 2_000), measured(20, 2_000), measured(40, 2_000)];
    facts.extend([shows(41, Availability::Charging), measured(50, 3_000), stopped(51, 3_100)]);
    let desk = heard(&begin(), &facts);
    let states = desk.states();
    assert!(states.contains(&(41, "charging")), "{states:?}");
}

#[test]
fn case_09_energy_that_nobody_knows_is_not_billed() {
    let bad = report(TransactionPhase::Started, 0);
    let none = kept(TransactionReport { meter_start: None, ..bad });
    let desk = heard(&begin(), &[none, stopped(30, 10_000)]);
    assert!(desk.flags(&begin()).contains(&"no-energy"), "{:?}", desk.flags(&begin()));
    // A late first register loses what was before it: that is told.
    let none = kept(report(TransactionPhase::Started, 0));
    let desk =
        heard(&begin(), &[none, shows(0, Availability::Charging), measured(10, 2_000), stopped(30, 10_000)]);
    assert_eq!(desk.flags(&begin()), ["late-reading"]);
}
