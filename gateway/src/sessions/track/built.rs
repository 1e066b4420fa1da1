//! A session worked out anew from all its facts.

use super::super::flags::Flag;
use super::super::meter::Source;
use super::super::point::{self, Kept, Point};
use super::*;
use crate::chargers::model::Report;

/// A session worked out from all its facts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Built {
    /// How it stands.
    pub tracked: Tracked,
    /// All its rows.
    pub rows: Rows,
}

// A fact, as far as it is needed.
struct Taken {
    // Of a report on the transaction.
    told: Option<(Instant, TransactionPhase)>,
    points: Vec<Point>,
}

/// Works a session out from all its facts, in whatever order they are given: each is taken apart at once, and let go.
pub struct Builder<'b> {
    begin: &'b Begin,
    most: usize,
    measured: usize,
    left_out: usize,
    numbered: Vec<(i64, Taken)>,
    others: Vec<Taken>,
}

impl<'b> Builder<'b> {
    /// No facts yet. Of reports in between no more than `most` are taken; what begins, ends or changes the session always is.
    #[must_use]
    pub fn new(begin: &'b Begin, most: usize) -> Self {
        let (numbered, others) = (Vec::new(), Vec::new());
        Self { begin, most, measured: 0, left_out: 0, numbered, others }
    }

    /// Takes a fact with its time of receipt.
    pub fn add(&mut self, received: Instant, kept: &Kept) {
        let report = point::transaction(kept);
        let between = match &kept.report {
            Some(Report::Transaction(report)) => report.phase == TransactionPhase::Updated,
            Some(Report::Meter(_)) => true,
            _ => false,
        };
        if between {
            if self.measured >= self.most {
                self.left_out = self.left_out.saturating_add(1);
                return;
            }
            self.measured = self.measured.saturating_add(1);
        }
        let (points, _) = point::points(received, kept, None, self.begin.current);
        let told = report.map(|report| (report.at.at, report.phase));
        let taken = Taken { told, points };
        match report.and_then(|report| report.seq) {
            Some(seq) => self.numbered.push((seq, taken)),
            None => self.others.push(taken),
        }
    }

    /// The session. None when its facts tell of no transaction at all.
    #[must_use]
    pub fn finish(self) -> Option<Built> {
        let Self { begin, left_out, mut numbered, others, .. } = self;
        let order = |taken: &Taken| taken.told.map(|(at, phase)| (at, phase as u8));
        numbered.sort_by(|one, other| one.0.cmp(&other.0).then_with(|| order(&one.1).cmp(&order(&other.1))));
        let mut tracked = Tracked::default();
        if left_out > 0 {
            tracked.flags.raise(Flag::TooManyReports, || {
                format!("{left_out} reports in between are more than are followed, and are left out")
            });
        }
        // A stop cannot lie before the start.
        let told = numbered.iter().map(|(_, taken)| taken).chain(&others).filter_map(|taken| taken.told);
        let started = told.filter(|(_, phase)| *phase == TransactionPhase::Started).map(|(at, _)| at).min();
        let mut points = Vec::new();
        for (seq, taken) in numbered {
            let at = taken.told.map(|(at, _)| at);
            let back = tracked.floor.filter(|floor| at.is_some_and(|at| at < *floor));
            tracked.number(seq, at, back.is_some());
            points.extend(point::lifted(taken.points, back));
        }
        for taken in others {
            let ends = taken.told.filter(|(_, phase)| *phase == TransactionPhase::Ended);
            let back = started.filter(|started| ends.is_some_and(|(at, _)| at < *started));
            tracked.went_back(ends.map(|(at, _)| at), back.is_some());
            points.extend(point::lifted(taken.points, back));
        }
        if started.is_none() {
            points.push(synthetic(&points)?);
        }
        points.extend(begin.plugged.map(|at| plugged(at, started)));
        points.sort_by(|one, other| {
            one.key().cmp(&other.key()).then_with(|| one.received.cmp(&other.received))
        });
        points.dedup_by(|one, other| one.key() == other.key());
        let source = source(&points, None, None);
        let follow = |mut tracked: Tracked, source| {
            let mut rows = Rows::default();
            tracked.meter.tell_by(source);
            for point in &points {
                tracked.follow(begin, point.clone(), &mut rows);
            }
            Built { tracked, rows: rows.compacted() }
        };
        let built = follow(tracked.clone(), source);
        Some(if built.tracked.meter.is_unfit() { follow(tracked, Source::Registers) } else { built })
    }
}

/// Works a session out from all its facts, in whatever order they are given; each with its time of receipt. None when they tell of
/// no transaction at all.
#[must_use]
pub fn build<'k>(begin: &Begin, facts: impl IntoIterator<Item = (Instant, &'k Kept)>) -> Option<Built> {
    let mut builder = Builder::new(begin, usize::MAX);
    for (received, kept) in facts {
        builder.add(received, kept);
    }
    builder.finish()
}
