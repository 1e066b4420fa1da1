//! Cuts a session wherever any price could change.

use super::calendar;
use super::conditions::{Moment, World};
use super::model::{Condition, Counted, Expr, Kind, Measure, Price, Span, Tariff};
use super::number::MICRO;
use super::session::{Session, State};
use std::collections::{BTreeMap, BTreeSet};

/// A stretch of the session in which nothing changes that a condition or a price asks for.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Its start: what conditions see.
    pub start: Moment,
    /// Milliseconds since 1970.
    pub end: i64,
    /// What the car is doing.
    pub state: State,
    /// Import, millionths of a kWh.
    pub import: i128,
    /// Export, millionths of a kWh.
    pub export: i128,
}

impl Slice {
    /// Milliseconds.
    #[must_use]
    pub fn length(&self) -> i128 {
        i128::from(self.end - self.start.ms)
    }
}

/// Both registers since plug-in, over all meters: straight lines between these points.
#[derive(Debug)]
struct Meter {
    points: Vec<(i64, i128, i128)>,
}

impl Meter {
    fn new(session: &Session) -> Self {
        let mut points: Vec<(i64, i128, i128)> = vec![];
        for (i, reading) in session.readings.iter().enumerate() {
            let mut sum = (0, 0);
            if i > 0 {
                let before = session.readings[i - 1];
                sum = (points[i - 1].1, points[i - 1].2);
                if before.segment == reading.segment {
                    sum = (sum.0 + reading.import - before.import, sum.1 + reading.export - before.export);
                }
            }
            points.push((reading.at, sum.0, sum.1));
        }
        Self { points }
    }

    /// Registers at `ms`, half-up to a millionth.
    fn at(&self, ms: i64) -> (i128, i128) {
        let Some(next) = self.points.iter().position(|p| p.0 > ms) else {
            return self.points.last().map_or((0, 0), |p| (p.1, p.2));
        };
        if next == 0 {
            return (0, 0);
        }
        let (a, b) = (self.points[next - 1], self.points[next]);
        let part = |from: i128, to: i128| {
            let (n, d) = ((to - from) * i128::from(ms - a.0), i128::from(b.0 - a.0));
            from + (2 * n + d).div_euclid(2 * d)
        };
        (part(a.1, b.1), part(a.2, b.2))
    }

    /// First whole millisecond at which the unrounded import register has reached `register`.
    fn reaches(&self, register: i128) -> Option<i64> {
        let next = self.points.iter().position(|p| p.1 >= register)?;
        let b = self.points[next];
        if next == 0 {
            return Some(b.0);
        }
        let a = self.points[next - 1];
        let (n, d) = ((register - a.1) * i128::from(b.0 - a.0), b.1 - a.1);
        Some(a.0 + i64::try_from((n + d - 1).div_euclid(d)).unwrap())
    }

    fn total(&self) -> i128 {
        self.points.last().map_or(0, |p| p.1)
    }
}

/// Imported energy of the whole session, millionths of a kWh.
#[must_use]
pub fn energy(session: &Session) -> i128 {
    Meter::new(session).total()
}

/// What has flowed until `ms`, in or out, unrounded and in millionths of a kWh: where on the registers an instant lies.
#[must_use]
pub fn flowed(session: &Session, ms: i64, export: bool) -> super::number::Q {
    let meter = Meter::new(session);
    let of = |point: &(i64, i128, i128)| if export { point.2 } else { point.1 };
    let next = meter.points.iter().position(|p| p.0 > ms);
    let (before, after) = match next {
        None => return super::number::whole(meter.points.last().map_or(0, of)),
        Some(0) => return super::number::zero(),
        Some(next) => (&meter.points[next - 1], &meter.points[next]),
    };
    let part = (of(after) - of(before)) * i128::from(ms - before.0);
    super::number::whole(of(before)) + super::number::fraction(part, i128::from(after.0 - before.0))
}

/// The state from `ms` on.
#[must_use]
pub fn state(session: &Session, ms: i64) -> State {
    if !session.states.is_empty() {
        let Some(now) = session.states.iter().rposition(|s| s.0 <= ms) else { return State::Waiting };
        let (from, state) = session.states[now];
        // Idle is only a car that has charged.
        let charged = session.states[..now].iter().any(|s| s.1 == State::Charging)
            || super::number::nearest(&flowed(session, from, false)) > 0.into();
        return if state == State::Idle && !charged { State::Waiting } else { state };
    }
    let mut charged = false;
    for pair in session.readings.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let same = a.segment == b.segment;
        let charging = same && b.import > a.import;
        if a.at <= ms && ms < b.at {
            return match (charging, same && b.export > a.export, charged) {
                (true, _, _) => State::Charging,
                (_, true, _) => State::Feeding,
                (_, _, true) => State::Idle,
                _ => State::Waiting,
            };
        }
        charged |= charging && b.at <= ms;
    }
    if charged { State::Idle } else { State::Waiting }
}

/// Every counter that a condition or an allowance asks for, with the values that matter.
fn thresholds(world: &World<'_>) -> BTreeMap<Measure, BTreeSet<i128>> {
    let mut all: BTreeMap<Measure, BTreeSet<i128>> = BTreeMap::new();
    for condition in calendar::all_conditions(world.tariff) {
        if let Condition::SoFar { measure, amount, .. } = condition {
            all.entry(*measure).or_default().insert(*amount);
        }
    }
    for charge in &world.tariff.charges {
        if let (Some(after), true) = (&charge.after, charge.kind != Kind::StartFee) {
            let (measure, amount) = world.allowance(charge.kind, after);
            all.entry(measure).or_default().insert(amount);
        }
    }
    all
}

fn fixed_edges(world: &World<'_>, from: i64, to: i64) -> BTreeSet<i64> {
    const HOUR: i64 = 3_600_000;
    let session = world.session;
    let mut edges = calendar::edges(world.tariff, from, to);
    edges.extend([from, to]);
    edges.extend(&world.cuts);
    edges.extend(session.readings.iter().map(|r| r.at));
    edges.extend(session.states.iter().map(|s| s.0));
    edges.extend(session.power.iter().map(|p| p.0));
    edges.extend(session.occupancy.iter().map(|o| o.0));
    for feed in world.feeds.values() {
        edges.extend(feed.edges());
    }
    if uses_hourly(world.tariff) {
        let mut hour = from.div_euclid(HOUR) * HOUR;
        while hour <= to {
            edges.insert(hour);
            hour += HOUR;
        }
    }
    edges.retain(|at| (from..=to).contains(at));
    edges
}

fn uses_hourly(tariff: &Tariff) -> bool {
    fn hourly(expr: &Expr) -> bool {
        match expr {
            Expr::Hourly(_) => true,
            Expr::Rate(_)
            | Expr::Number(_)
            | Expr::Named(_)
            | Expr::Feed(_)
            | Expr::MonthMean(_)
            | Expr::CostPrice
            | Expr::EnergyPrice
            | Expr::AveragePower => false,
            Expr::Add(a, b)
            | Expr::Sub(a, b)
            | Expr::Mul(a, b)
            | Expr::Div(a, b)
            | Expr::Higher(a, b)
            | Expr::Lower(a, b)
            | Expr::AtLeast(a, b)
            | Expr::AtMost(a, b) => hourly(a) || hourly(b),
            Expr::PercentOf(_, x) | Expr::Rounded(x, _) | Expr::PlusVat(x) | Expr::LessVat(x) => hourly(x),
        }
    }
    let prices = tariff.prices.iter().flat_map(|(_, cases)| cases);
    let mut all = prices.chain(tariff.charges.iter().flat_map(|c| &c.cases));
    all.any(|case| matches!(&case.what, Price::Is(expr) if hourly(expr)))
}

/// Whether time in a state is counted.
#[must_use]
pub fn counts_time(counted: Counted, state: State) -> bool {
    match counted {
        Counted::Energy => false,
        Counted::Connected => true,
        Counted::Charging => state == State::Charging,
        Counted::Parking => matches!(state, State::Waiting | State::Idle | State::Paused),
        Counted::Idle => state == State::Idle,
    }
}

/// The slices of a session, in order.
///
/// A slice may last no time at all: when two thresholds of energy fall into one millisecond, or when the last one falls
/// into the last millisecond and leaves a rest.
#[must_use]
pub fn cut(world: &World<'_>) -> Vec<Slice> {
    let session = world.session;
    let (from, to) = (session.plugged_in, session.end());
    let thresholds = thresholds(world);
    let edges = fixed_edges(world, from, to);
    let meter = Meter::new(session);
    let mut now = world.plug_in(thresholds.keys().copied());
    // What the counters began with in their day or month.
    let mut opened = now.counts.clone();
    let (mut import, mut export) = meter.at(from);
    let mut slices = vec![];
    while now.ms < to || import < meter.total() {
        let state = state(session, now.ms);
        let mut end = edges.range(now.ms + 1..).next().copied().unwrap_or(to);
        let mut register = None;
        // Times count in whole milliseconds and stop exactly at their thresholds.
        for (measure, values) in &thresholds {
            if counts_time(measure.counted, state) {
                let so_far = now.counts[measure];
                for missing in values.iter().map(|v| v - so_far).filter(|missing| *missing > 0) {
                    end = end.min(i64::try_from(i128::from(now.ms) + missing).unwrap());
                }
            }
        }
        // An energy threshold has an exact register; its instant is the first millisecond that has reached it. At an edge
        // just before, the rounded register may be there already: it counts as not reached until then.
        let mut seen = now.clone();
        for (measure, values) in thresholds.iter().filter(|(m, _)| m.counted == Counted::Energy) {
            let so_far = now.counts[measure];
            for missing in
                values.iter().filter(|v| **v > opened[measure]).map(|v| v - so_far).filter(|m| *m >= 0)
            {
                let target = import + missing;
                let Some(at) = meter.reaches(target) else { continue };
                if missing == 0 {
                    if at <= now.ms {
                        continue;
                    }
                    seen.counts.insert(*measure, so_far - 1);
                }
                let at = at.max(now.ms);
                if at < end || at == end && register.is_none_or(|r| target < r) {
                    end = at;
                    register = Some(target);
                }
            }
        }
        let (linear, exported) = meter.at(end);
        let imported = register.unwrap_or(linear);
        let mut counts = now.counts.clone();
        for (measure, count) in &mut counts {
            if measure.counted == Counted::Energy {
                *count += imported - import;
            } else if counts_time(measure.counted, state) {
                *count += i128::from(end - now.ms);
            }
            if measure.in_a_row && state == State::Charging {
                *count = 0;
            }
        }
        let mut next = world.moment(end, counts);
        for span in [Span::Day, Span::Month] {
            let date = next.local.date;
            if super::session::Period::of(span, date) != super::session::Period::of(span, now.local.date) {
                for (measure, count) in next.counts.iter_mut().filter(|(m, _)| m.span == span) {
                    *count = world.opening(*measure, date);
                    opened.insert(*measure, *count);
                }
            }
        }
        now = next;
        slices.push(Slice { start: seen, end, state, import: imported - import, export: exported - export });
        (import, export) = (imported, exported);
    }
    slices
}

/// kW over the time in state charging, 12 decimals; zero where there was none.
#[must_use]
pub fn average_power(slices: &[Slice]) -> super::number::Q {
    let energy: i128 = slices.iter().map(|s| s.import).sum();
    let time: i128 = slices.iter().filter(|s| s.state == State::Charging).map(Slice::length).sum();
    if time == 0 {
        return super::number::zero();
    }
    super::number::round(&super::number::fraction(energy * 3_600_000, MICRO * time), 12)
}
