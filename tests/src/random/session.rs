//! Sessions: short and long, on days of clock changes, with gaps and new meters, with and without states.

use super::{chance, one};
use crate::oracle::calendar::clock_changes;
use crate::oracle::number::MICRO;
use crate::oracle::session::{Hidden, Reading, Session, State};
use chrono::{NaiveDate, TimeZone};
use chrono_tz::Tz;
use fastrand::Rng;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A stretch in one state.
struct Phase {
    from: i64,
    to: i64,
    state: State,
    /// Millionths of a kW.
    power: i128,
}

/// A session and the zone of its charger; its times may be printed in another one.
pub fn session(rng: &mut Rng) -> (Session, Tz) {
    let zone =
        one(rng, &[Tz::Europe__Oslo, Tz::Europe__Helsinki, Tz::Europe__Amsterdam, Tz::America__Sao_Paulo]);
    // Brazil gave up summer time in 2019.
    let years = if zone == Tz::America__Sao_Paulo { 2010..2019 } else { 2019..2026 };
    let grain = one(rng, &[15 * MINUTE, 15 * MINUTE, MINUTE, MINUTE, 1000, 1]);
    let length = match rng.u32(0..100) {
        0..8 => rng.i64(1..120_000),
        8..64 => rng.i64(10 * MINUTE..5 * HOUR),
        64..88 => rng.i64(5 * HOUR..20 * HOUR),
        88..98 => rng.i64(20 * HOUR..3 * DAY),
        _ => rng.i64(3 * DAY..15 * DAY),
    };
    let grain = if length < grain * 3 { 1 } else { grain };
    let year = rng.i32(years);
    let midnight = |month, day| {
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        Tz::UTC.from_utc_datetime(&date.and_hms_opt(0, 0, 0).unwrap()).timestamp_millis()
    };
    let wanted = match rng.u32(0..100) {
        0..40 => {
            let changes = clock_changes(zone, midnight(1, 2), midnight(12, 30));
            if changes.is_empty() { midnight(7, 1) } else { one(rng, &changes) - rng.i64(0..length + 1) }
        }
        // Near public holidays.
        40..45 => midnight(1, 1) - rng.i64(0..length + 1),
        45..50 => midnight(12, 27) - rng.i64(0..3 * DAY),
        50..55 => midnight(3, 22) + rng.i64(0..80 * DAY),
        55..65 => midnight(rng.u32(1..13), 1) - rng.i64(0..length + 1),
        _ => midnight(1, 1) + rng.i64(0..364 * DAY),
    };
    let from = wanted.div_euclid(grain) * grain;
    let to = from + (length / grain).max(1) * grain;
    let phases = phases(rng, from, to, grain);
    let has_export = phases.iter().any(|p| p.state == State::Feeding);
    let readings = readings(rng, &phases, has_export);
    let dc = chance(rng, 30);
    let states = if chance(rng, 50) { states(rng, &phases) } else { vec![] };
    let contract = one(rng, &["direct", "roaming", "ad-hoc"]);
    let mut groups = vec![];
    for group in ["VIP", "members", "blue"] {
        if chance(rng, 30) {
            groups.push(group.to_owned());
        }
    }
    let mut session = Session {
        zone: if chance(rng, 15) { Tz::UTC } else { zone },
        site: one(rng, &["harbour", "otakaari-5"]).into(),
        charger: one(rng, &["SN-1", "SN-2", "SN-3"]).into(),
        driver: "d-17".into(),
        groups,
        dc,
        connector: one(rng, if dc { &["CCS", "CHAdeMO"] } else { &["Type2", "type2", "Schuko"] }).into(),
        rated: MICRO * one(rng, if dc { &[50, 150, 300] } else { &[11, 22, 43] }),
        contract: contract.into(),
        issuer: one(rng, &["eMSP-X", "eMSP-Y"]).into(),
        brand: chance(rng, 50).then(|| one(rng, &["Visa", "Mastercard"]).into()),
        plugged_in: from,
        unplugged: (!chance(rng, 5)).then_some(to),
        power: if chance(rng, 45) { power(rng, &phases) } else { vec![] },
        occupancy: if chance(rng, 35) { occupancy(rng, from, to, grain) } else { vec![] },
        amps_per_kw: chance(rng, 40).then(|| one(rng, &[1_450_000, 4_348_000, 2_500_000])),
        reservation: chance(rng, 20).then(|| reservation(rng, from)),
        hidden: chance(rng, 6).then(|| {
            use Hidden::{Charger, Contract, Occupancy, Plug, Rated, Site, Type};
            one(rng, &[Charger, Contract, Occupancy, Plug, Rated, Site, Type])
        }),
        readings,
        has_export,
        states,
        coupons: vec![],
    };
    if session.unplugged.is_none() {
        // A running session is known up to some moment.
        let end = rng.i64(from..=to);
        session.readings.retain(|r| r.at <= end);
        session.states.retain(|s| s.0 <= end);
        session.power.retain(|p| p.0 <= end);
        session.occupancy.retain(|o| o.0 <= end);
    }
    (session, zone)
}

/// From, until and whether it ran out: until plug-in, or some time before.
fn reservation(rng: &mut Rng, plugged_in: i64) -> (i64, i64, bool) {
    let expired = chance(rng, 30);
    let until = if expired { plugged_in - rng.i64(0..30) * 10 * MINUTE } else { plugged_in };
    let length = one(rng, &[0, 1, 1000, 15 * MINUTE, 45 * MINUTE, 90 * MINUTE, 5 * HOUR, 30 * HOUR]);
    (until - rng.i64(length / 2..=length), until, expired)
}

fn phases(rng: &mut Rng, from: i64, to: i64, grain: i64) -> Vec<Phase> {
    let count = rng.usize(1..6);
    let mut edges = vec![from, to];
    for _ in 1..count {
        edges.push(from + rng.i64(0..=(to - from) / grain) * grain);
    }
    edges.sort_unstable();
    edges.dedup();
    let mut state = one(rng, &[State::Waiting, State::Charging, State::Charging, State::Paused]);
    let mut charged = false;
    let mut phases = vec![];
    for pair in edges.windows(2) {
        let most = one(rng, &[110, 220, 1500]);
        let power = match state {
            State::Charging => MICRO / 10 * rng.i128(1..most),
            State::Feeding => MICRO / 10 * rng.i128(1..70),
            _ => 0,
        };
        phases.push(Phase { from: pair[0], to: pair[1], state, power });
        charged |= state == State::Charging;
        state = match (state, charged) {
            (State::Charging, _) => {
                one(rng, &[State::Idle, State::Idle, State::Idle, State::Paused, State::Feeding])
            }
            (_, false) => one(rng, &[State::Charging, State::Charging, State::Waiting, State::Feeding]),
            (_, true) => one(rng, &[State::Charging, State::Charging, State::Idle, State::Paused]),
        };
    }
    phases
}

/// States of a session; some do not quite fit the registers.
fn states(rng: &mut Rng, phases: &[Phase]) -> Vec<(i64, State)> {
    let shift = if chance(rng, 20) { rng.i64(0..90_000) } else { 0 };
    let end = phases.last().map_or(0, |p| p.to);
    let mut all: Vec<(i64, State)> = phases.iter().map(|p| (p.from + shift, p.state)).collect();
    all[0].0 = phases[0].from;
    all.retain(|s| s.0 < end);
    all
}

fn readings(rng: &mut Rng, phases: &[Phase], has_export: bool) -> Vec<Reading> {
    let (from, to) = (phases[0].from, phases[phases.len() - 1].to);
    let resolution = one(rng, &[1, 1000, 10_000, 100_000, 500_000]);
    let mut times = vec![];
    for phase in phases {
        if chance(rng, 85) {
            times.push(phase.from);
        }
        if chance(rng, 85) {
            times.push(phase.to);
        }
    }
    let most = if chance(rng, 10) { 40 } else { 8 };
    match rng.u32(0..3) {
        0 => {
            let step = one(rng, &[MINUTE, 15 * MINUTE, HOUR, 97_531]);
            let first = from.div_euclid(step) * step + step;
            times.extend((0..most).map(|i| first + i * step));
        }
        1 => times.extend((0..rng.i64(0..most)).map(|_| rng.i64(from..=to))),
        _ => {}
    }
    times.retain(|at| (from..=to).contains(at));
    if times.is_empty() {
        times.extend([from, to]);
    }
    times.sort_unstable();
    times.dedup();
    let start = one(rng, &[0, 0, 1_234_567_890, 999 * MICRO]);
    let mut readings: Vec<Reading> = times
        .iter()
        .map(|&at| {
            let flow = |state| -> i128 {
                let all = phases.iter().filter(|p| p.state == state && p.from < at);
                let sum: i128 = all.map(|p| p.power * i128::from(at.min(p.to) - p.from) / 3_600_000).sum();
                sum / resolution * resolution
            };
            let export = if has_export { 77 * MICRO + flow(State::Feeding) } else { 0 };
            Reading { at, import: start + flow(State::Charging), export, segment: 0 }
        })
        .collect();
    // A new meter begins somewhere else.
    if readings.len() > 3 && chance(rng, 10) {
        let at = rng.usize(1..readings.len());
        let base = readings[at].import - rng.i128(0..5) * MICRO / 8;
        for reading in &mut readings[at..] {
            reading.segment = 1;
            reading.import = (reading.import - base).max(0);
        }
    }
    readings
}

fn power(rng: &mut Rng, phases: &[Phase]) -> Vec<(i64, i128)> {
    let mut all: Vec<(i64, i128)> = vec![];
    for phase in phases {
        let kw = phase.power / 100_000 * 100_000;
        all.push((phase.from, kw));
        if phase.to - phase.from > 10 && chance(rng, 40) {
            all.push((rng.i64(phase.from + 1..phase.to), kw / 2));
        }
    }
    all
}

fn occupancy(rng: &mut Rng, from: i64, to: i64, grain: i64) -> Vec<(i64, u32, u32)> {
    let of = rng.u32(1..9);
    let mut all = vec![(from, rng.u32(0..=of), of)];
    for _ in 0..rng.u32(0..5) {
        all.push((from + rng.i64(0..=(to - from) / grain) * grain, rng.u32(0..=of), of));
    }
    all.sort_by_key(|o| o.0);
    all.dedup_by_key(|o| o.0);
    all.retain(|o| o.0 < to || o.0 == from);
    all
}
