//! What stands between a charge's name and its colon.

use super::Lowering;
use super::clauses::who;
use crate::ast::{self, At, Kind, PerWord, Unit};
use crate::resolve::merge::{Item, kind_words};
use crate::resolve::report::{Labels, Place, error, warning};
use crate::units::{Counted, Dim};
use std::mem::{Discriminant, discriminant};
use takst_engine::tariff::{After, AfterAmount, Formula, Limit, Measure, Span, Time, Who};

/// The limits of a charge.
#[derive(Default)]
pub(super) struct Limits {
    pub after: Option<After>,
    pub bounds: Vec<Limit>,
    pub step: Option<i64>,
    pub steps_without_parking: bool,
    pub paid_by_site: bool,
    /// Millionths of a kWh.
    pub first: Option<i64>,
    pub peaks: Option<(u32, bool)>,
}

fn is_time(kind: Kind) -> bool {
    matches!(kind, Kind::ChargingTime | Kind::ConnectedTime | Kind::ParkingTime | Kind::IdleFee)
}

pub(super) fn measures(kind: Kind) -> &'static [Counted] {
    match kind {
        Kind::Energy | Kind::FeedIn => &[Counted::Energy],
        Kind::StartFee | Kind::PaymentFee => &[Counted::Energy, Counted::Time],
        _ => &[Counted::Time],
    }
}

fn measure(kind: Kind, counted: Counted, in_a_row: bool) -> Measure {
    if counted == Counted::Energy {
        return Measure::Energy { span: Span::Session, who: Who::Session };
    }
    let time = match (kind, in_a_row) {
        (Kind::ChargingTime, _) => Time::Charging,
        (Kind::ParkingTime, false) => Time::Parking,
        (Kind::ParkingTime, true) => Time::ParkingInARow,
        (Kind::IdleFee, false) => Time::Idle,
        (Kind::IdleFee, true) => Time::IdleInARow,
        _ => Time::Connected,
    };
    Measure::Time { time, span: Span::Session, who: Who::Session }
}

impl Lowering<'_> {
    /// Checks and lowers the limits of a charge. Wrong ones are reported and left out.
    pub(super) fn limits(&mut self, item: &Item<'_>, limits: &[At<ast::Limit>], kind: Kind) -> Limits {
        let mut out = Limits::default();
        let mut bound_at = Vec::new();
        let mut seen: Vec<(Discriminant<ast::Limit>, Place)> = Vec::new();
        for limit in limits {
            let at = Place { source: item.at.source, span: limit.span };
            let repeats = matches!(limit.it, ast::Limit::Bound { .. });
            // `after 30 min` and `after grace` are one kind of limit.
            let same = match &limit.it {
                ast::Limit::AfterNamed { in_a_row, .. } => discriminant(&ast::Limit::After {
                    quantity: At {
                        it: ast::Quantity { number: 0.into(), unit: Unit::Min },
                        span: limit.span,
                    },
                    in_a_row: *in_a_row,
                }),
                other => discriminant(other),
            };
            if let Some((_, first)) = seen.iter().find(|(known, _)| *known == same && !repeats) {
                let message = format!("`{}` is the second limit of its kind", self.text(at));
                self.out.push(error("E409", at, message).also(*first, "first here"));
                continue;
            }
            seen.push((same, at));
            let known = out.bounds.len();
            self.limit(&limit.it, at, kind, &mut out);
            if out.bounds.len() > known {
                bound_at.push(at);
            }
        }
        self.contradictions(&out.bounds, &bound_at);
        out
    }

    /// Warns of an `at least` above an `at most` over the same: one of the two is pointless.
    fn contradictions(&mut self, bounds: &[Limit], places: &[Place]) {
        // A charge has a handful of limits; the bound keeps hostile files cheap.
        let bounds: Vec<_> = bounds.iter().zip(places).take(50).collect();
        for (floor, at) in bounds.iter().filter(|(limit, _)| limit.floor) {
            let below = bounds.iter().find(|(cap, _)| {
                !cap.floor
                    && cap.amount < floor.amount
                    && cap.span == floor.span
                    && (cap.who == floor.who || cap.span == Span::Session)
            });
            if let Some((_, cap)) = below {
                let message = "this `at least` is above the `at most`: both cannot hold";
                self.out.push(warning("W409", **at, message).also(**cap, "at most this").help(
                    "the limits are applied in the order of the line, so the later one wins; take one away",
                ));
            }
        }
    }

    fn misplaced(&mut self, at: Place, kind: Kind, why: &str) {
        let message = format!("`{}` cannot stand at `{}`", self.text(at), kind_words(kind));
        self.out.push(error("E409", at, message).help(why));
    }

    fn limit(&mut self, limit: &ast::Limit, at: Place, kind: Kind, out: &mut Limits) {
        use ast::Limit as L;
        let can_wait = is_time(kind) || matches!(kind, Kind::Energy | Kind::StartFee | Kind::PaymentFee);
        match limit {
            L::After { .. } | L::AfterNamed { .. } if !can_wait => {
                self.misplaced(
                    at,
                    kind,
                    "only energy, times, idle fees, start fees and payment fees can begin after something",
                );
            }
            L::After { in_a_row: true, .. } | L::AfterNamed { in_a_row: true, .. }
                if !matches!(kind, Kind::IdleFee | Kind::ParkingTime) =>
            {
                self.misplaced(
                    at,
                    kind,
                    "`in a row` is for idle fees and parking time: it starts again when charging resumes",
                );
            }
            L::After { quantity, in_a_row } => {
                if let Some((counted, amount)) = self.counted(quantity, at.source, measures(kind)) {
                    let amount = AfterAmount::Fixed(amount);
                    out.after = Some(After { measure: measure(kind, counted, *in_a_row), amount });
                }
            }
            L::AfterNamed { name, in_a_row } => {
                let Some((value, counted)) = self.quantity_named(name, at.source) else { return };
                if !measures(kind).contains(&counted) {
                    let (is, wants) =
                        if counted == Counted::Energy { ("energy", "a time") } else { ("a time", "energy") };
                    let message =
                        format!("`{}` is {is}, but `{}` begins after {wants}", name.it, kind_words(kind));
                    self.out.push(error("E210", Place { source: at.source, span: name.span }, message));
                    return;
                }
                let amount = AfterAmount::Value(value);
                out.after = Some(After { measure: measure(kind, counted, *in_a_row), amount });
            }
            L::Bound { .. } if kind == Kind::FeedIn => {
                self.misplaced(at, kind, "a credit has no floor or cap; limit its price instead, as in `spot at most 0.20 EUR/kWh`");
            }
            L::Bound { .. } => out.bounds.extend(self.bound(limit, at, Some(kind))),
            L::Steps(quantity) => {
                if !is_time(kind) && !matches!(kind, Kind::Energy | Kind::FeedIn | Kind::ReservationFee) {
                    self.misplaced(at, kind, "only energy and times are billed in steps");
                } else if let Some((_, step)) = self.counted(quantity, at.source, measures(kind)) {
                    out.step = Some(step);
                }
            }
            L::StepsWithoutParking if kind == Kind::ChargingTime => out.steps_without_parking = true,
            L::StepsWithoutParking => {
                self.misplaced(
                    at,
                    kind,
                    "it is for charging time: its steps give way to those of parking time",
                );
            }
            L::PaidBySite => {
                if kind == Kind::PaymentFee || !crate::resolve::names::per_session(kind) {
                    out.paid_by_site = true;
                } else {
                    self.misplaced(at, kind, "payment fees and charges of the month can be paid by the site");
                }
            }
            L::First(quantity) => {
                if kind != Kind::SiteCredit {
                    self.misplaced(at, kind, "for other charges, write `up to ...` behind a price");
                } else if let Some((_, first)) = self.counted(quantity, at.source, &[Counted::Energy]) {
                    out.first = Some(first);
                }
            }
            L::Peaks { count, daily } => {
                let most = if *daily { 31 } else { 744 };
                if kind != Kind::PowerFee {
                    self.misplaced(at, kind, "only the power fee is taken from peaks");
                } else if !(1..=most).contains(&count.it) {
                    let at = Place { source: at.source, span: count.span };
                    self.out.push(error("E210", at, format!("a month has 1 to {most} of these")));
                } else {
                    out.peaks = Some((count.it, *daily));
                }
            }
        }
    }

    /// `total: ...`.
    pub(super) fn total_limits(&mut self, item: &Item<'_>, limits: &[At<ast::Limit>]) -> Vec<Limit> {
        let (mut out, mut bound_at) = (Vec::new(), Vec::new());
        for limit in limits {
            let at = Place { source: item.at.source, span: limit.span };
            if let ast::Limit::Bound { .. } = limit.it {
                if let Some(bound) = self.bound(&limit.it, at, None) {
                    out.push(bound);
                    bound_at.push(at);
                }
            } else {
                let message = format!("`{}` cannot stand at `total`", self.text(at));
                self.out.push(error("E409", at, message).help("the total can have `at most` and `at least`"));
            }
        }
        self.contradictions(&out, &bound_at);
        out
    }

    /// `at most 15.00 EUR/day per driver`. `kind`: none for the total.
    fn bound(&mut self, limit: &ast::Limit, at: Place, kind: Option<Kind>) -> Option<Limit> {
        let ast::Limit::Bound { floor, amount, who: whose, after } = limit else { return None };
        let amount_at = Place { source: at.source, span: amount.span };
        let month = kind.is_some_and(|kind| !crate::resolve::names::per_session(kind));
        let span = match amount.it.per.as_slice() {
            [per] => match per.it {
                PerWord::Unit(Unit::Session) if !month => Some(Span::Session),
                PerWord::Unit(Unit::Day) if !month => Some(Span::Day),
                PerWord::Unit(Unit::Month) => Some(Span::Month),
                PerWord::Unit(Unit::Bill) => Some(Span::Bill),
                _ => None,
            },
            _ => None,
        };
        // What the amount is per is the limit's span and no part of its value.
        let plain = ast::Rate { per: Vec::new(), ..amount.it.clone() };
        let value = self.rate(&plain, amount_at)?;
        let code = self.code().to_owned();
        let Some(span) = span else {
            let text = self.text(amount_at);
            let spans: &[&str] =
                if month { &["month", "bill"] } else { &["session", "day", "month", "bill"] };
            let list = spans.iter().map(|span| format!("`{code}/{span}`")).collect::<Vec<_>>().join(", ");
            self.out.push(
                error("E211", amount_at, format!("`{text}` does not say over what the limit counts"))
                    .help(format!("limits are in {list}")),
            );
            return None;
        };
        debug_assert!(value.dim == Dim::money(&code));
        if value.basis.with(self.basis()).is_none() {
            self.out.push(
                error(
                    "E204",
                    amount_at,
                    format!("this limit is {}, the list's prices are not", value.basis.words()),
                )
                .help("write limits as the list's prices are, with or without VAT"),
            );
            return None;
        }
        let Formula::Const(amount) = value.formula else { return None };
        if amount.is_sign_negative() {
            let text = self.text(amount_at);
            self.out.push(error("E211", amount_at, format!("`{text}` is less than nothing")));
            return None;
        }
        if let Some(whose) = whose
            && span == Span::Session
        {
            let at = Place { source: at.source, span: whose.span };
            self.out.push(
                error("E409", at, "a limit per session is that of one session")
                    .help("limits over several are per day, month or bill"),
            );
            return None;
        }
        let (mut after_energy, mut after_time) = (None, None);
        if let Some(quantity) = after {
            if month {
                let at = Place { source: at.source, span: quantity.span };
                self.out.push(error("E409", at, "a charge of the month has no sessions to wait for"));
                return None;
            }
            match self.counted(quantity, at.source, &[Counted::Energy, Counted::Time])? {
                (Counted::Energy, amount) => after_energy = Some(amount),
                (_, amount) => after_time = Some(amount),
            }
        }
        let who = whose.as_ref().map_or(Who::Session, |whose| who(whose.it));
        Some(Limit { floor: *floor, amount, span, who, after_energy, after_time, rule: self.rule(at) })
    }

    /// `hold: 50.00 EUR`.
    pub(super) fn hold(&mut self) -> Option<rust_decimal::Decimal> {
        let (source, rate) = self.settings.hold?;
        self.amount(rate, source)
    }
}
