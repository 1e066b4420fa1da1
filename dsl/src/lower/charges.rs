//! Charges per session.

use super::Lowering;
use super::context::For;
use super::expr::{Literal, Typed, is_per_minute};
use super::lists::Subject;
use super::values::per_of;
use crate::ast::{self, At, Clause, Kind, PriceOrFree};
use crate::resolve::merge::{Item, kind_words};
use crate::resolve::names::KnownCharge;
use crate::resolve::report::{Labels, Place, error};
use rust_decimal::Decimal;
use takst_engine::tariff::{Charge, ChargeKind, Outcome, Per, Price};

/// The units that a kind's prices can have; the first is the usual one.
pub(super) fn units_of(kind: Kind) -> &'static [Per] {
    match kind {
        Kind::Energy | Kind::FeedIn | Kind::PayoutToSite | Kind::SiteCredit => &[Per::Kwh],
        Kind::ChargingTime | Kind::ConnectedTime | Kind::ParkingTime | Kind::IdleFee => &[Per::Hour],
        Kind::StartFee | Kind::FlatFee => &[Per::Session],
        Kind::ReservationFee => &[Per::Session, Per::Hour],
        Kind::PaymentFee => &[Per::Bill],
        Kind::MonthlyFee => &[Per::Charger, Per::Month],
        Kind::OneOffFee => &[Per::Charger],
        Kind::PowerFee => &[Per::Kw, Per::Month],
    }
}

/// How a price of this unit is written.
fn written(per: Per, kind: Kind) -> &'static str {
    match per {
        Per::Kwh => "kWh",
        Per::Hour | Per::Minute => "min",
        Per::Session => "session",
        Per::Bill => "bill",
        Per::Charger if kind == Kind::MonthlyFee => "charger/month",
        Per::Charger => "charger",
        Per::Month => "month",
        Per::Kw => "kW",
        Per::One => "",
    }
}

fn engine_kind(kind: Kind) -> ChargeKind {
    match kind {
        // Charges of the month are lowered by their own module and never come here.
        Kind::Energy | Kind::MonthlyFee | Kind::OneOffFee | Kind::PowerFee | Kind::SiteCredit => {
            ChargeKind::Energy
        }
        Kind::ChargingTime => ChargeKind::ChargingTime,
        Kind::ConnectedTime => ChargeKind::ConnectedTime,
        Kind::ParkingTime => ChargeKind::ParkingTime,
        Kind::IdleFee => ChargeKind::IdleFee,
        Kind::StartFee => ChargeKind::StartFee,
        Kind::ReservationFee => ChargeKind::ReservationFee,
        Kind::FeedIn => ChargeKind::FeedIn,
        Kind::PaymentFee => ChargeKind::PaymentFee,
        Kind::PayoutToSite => ChargeKind::PayoutToSite,
        Kind::FlatFee => ChargeKind::FlatFee,
    }
}

impl Lowering<'_> {
    /// A charge of the session; its node ids are list indexes still.
    pub(super) fn charge(
        &mut self,
        item: &Item<'_>,
        charge: &ast::Charge,
        known: &KnownCharge,
        tax: u32,
    ) -> Charge {
        let limits = self.limits(item, &charge.limits, known.kind);
        let root = self.prices(item, &charge.cases, known);
        let clauses = charge.cases.lines.iter().flat_map(|line| &line.it.clauses);
        let mut stepped = clauses.filter(|clause| matches!(clause.it, Clause::Steps(_)));
        if let (Some(_), Some(clause)) = (limits.step, stepped.next()) {
            let at = Place { source: item.at.source, span: clause.span };
            let found = error("E409", at, "the steps of this charge are said already, before its colon");
            self.out.push(found.help("say them there for all prices, or behind each price"));
        }
        Charge {
            kind: engine_kind(known.kind),
            label: known.label.clone(),
            rule: self.rule(item.at),
            root,
            tax,
            paid_by_site: limits.paid_by_site || known.kind == Kind::PayoutToSite,
            after: limits.after,
            limits: limits.bounds,
            step: limits.step,
            steps_without_parking: limits.steps_without_parking,
        }
    }

    /// The list of a charge's prices.
    pub(super) fn prices(
        &mut self,
        item: &Item<'_>,
        cases: &ast::Cases<PriceOrFree>,
        known: &KnownCharge,
    ) -> u32 {
        let kind = known.kind;
        let usual = units_of(kind).first().copied().unwrap_or(Per::One);
        let words = kind_words(kind);
        let what = match (kind, known.labelled) {
            (Kind::Energy, false) => "energy price".to_owned(),
            (_, false) => words.to_owned(),
            (Kind::Energy, true) => format!("energy price \"{}\"", known.label),
            (_, true) => format!("{words} \"{}\"", known.label),
        };
        let subject = Subject {
            what,
            used_for: For::Charge(kind),
            head: item.head,
            region: self.region(item),
            example: format!("0.00 {}/{}", self.code(), written(usual, kind)),
            keep: true,
        };
        let label = known.label.clone();
        self.cases(subject, cases, |lowering, what, at| match &what.it {
            PriceOrFree::Free => Some(Outcome::Free),
            PriceOrFree::Price(expr) => {
                lowering.per_minute = units_of(kind).contains(&Per::Hour) && is_per_minute(expr);
                let typed = lowering.formula(expr, at);
                let per_minute = std::mem::take(&mut lowering.per_minute);
                lowering.charge_price(typed?, at, kind, &label, per_minute)
            }
        })
    }

    /// Checks that a formula's unit and VAT basis are those of the charge.
    fn charge_price(
        &mut self,
        typed: Typed,
        at: Place,
        kind: Kind,
        label: &str,
        per_minute: bool,
    ) -> Option<Outcome> {
        let allowed = units_of(kind);
        let found = per_of(&typed);
        let mwh = matches!(typed.literal, Some(Literal { mwh: true, .. }));
        let per = if typed.any {
            allowed.first().copied()
        } else {
            allowed.contains(&found).then_some(found).filter(|_| !mwh)
        };
        let Some(per) = per else {
            self.wrong_unit(&typed, at, kind);
            return None;
        };
        if typed.basis.with(self.basis()).is_none() {
            self.other_basis(at, typed.basis);
            return None;
        }
        let parts = typed.shown_parts(label);
        let per = if per_minute && per == Per::Hour { Per::Minute } else { per };
        Some(Outcome::Price(Price { per, formula: typed.formula, parts, step: None }))
    }

    /// Reads `in steps of ...` behind a price into what its line says.
    pub(super) fn price_step(
        &mut self,
        clauses: &[At<Clause>],
        source: u32,
        used_for: For,
        said: &mut Option<Outcome>,
    ) {
        let mut steps = clauses.iter().filter_map(|clause| match &clause.it {
            Clause::Steps(quantity) => Some((quantity, Place { source, span: clause.span })),
            _ => None,
        });
        let (Some((quantity, at)), second) = (steps.next(), steps.next()) else { return };
        if let Some((_, second)) = second {
            let message = format!("`{}` is said a second time", self.text(second));
            self.out.push(error("E409", second, message).also(at, "first here"));
            return;
        }
        // Where steps cannot stand at all is said with everything else that cannot.
        let For::Charge(kind) = used_for else { return };
        let wanted = super::limits::measures(kind);
        let once = match said {
            Some(Outcome::Price(price)) => matches!(price.per, Per::Session | Per::Bill),
            Some(_) => {
                let found = error("E409", at, "what is free is not rounded up");
                self.out.push(found.help("steps stand behind prices"));
                return;
            }
            None => return,
        };
        if once && kind == Kind::ReservationFee {
            let found = error("E409", at, "what is charged once has no steps");
            self.out.push(found.help("steps are for reservations that are paid by the minute or hour"));
            return;
        }
        let step = if once { None } else { self.counted(quantity, source, wanted).map(|(_, step)| step) };
        if let Some(Outcome::Price(price)) = said {
            price.step = step;
        }
    }

    fn wrong_unit(&mut self, typed: &Typed, at: Place, kind: Kind) {
        let code = self.code().to_owned();
        let words = kind_words(kind);
        let units: Vec<String> =
            units_of(kind).iter().map(|per| format!("{code}/{}", written(*per, kind))).collect();
        let text = self.text(at);
        let message =
            format!("`{text}` is {}, but `{words}` is priced in {}", typed.words(), units.join(" or "));
        let mut found = error("E202", at, message).says(typed.words());
        for (place, words) in &typed.factors {
            found = found.also(*place, words.clone());
        }
        let example = units.first().cloned().unwrap_or_default();
        let sum = text.strip_suffix(&format!(" {code}")).filter(|number| number.parse::<Decimal>().is_ok());
        let unit = example.split_once('/').map_or("", |(_, unit)| unit);
        self.out.push(match sum {
            // `1 EUR` of a start fee: only the unit is missing.
            Some(_) if units.len() == 1 => {
                let right = format!("{text}/{unit}");
                found.help(format!("write `{right}`")).fix(at.span, right)
            }
            Some(number) => found.help(format!("say per what, as in `{number} {example}`")),
            None if text.parse::<Decimal>().is_ok_and(|number| number.is_zero()) => {
                found.help("write `free`").fix(at.span, "free")
            }
            None => found.help(format!("write a price such as `0.50 {example}`")),
        });
    }
}
