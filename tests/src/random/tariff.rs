//! Tariffs from all of the language: complete (every list ends in a line for the rest) and near the session.

use super::windows::{date_near, windows};
use super::{chance, one, rebates};
use crate::oracle::calendar::local;
use crate::oracle::model::{
    After, AfterAmount, Allowance, Case, Charge, ChargeRef, Condition, Expr, FeedDecl, Kind, Limit, Per,
    Place, Price, Span, Tariff, TaxDecl, VatRate,
};
use crate::oracle::number::{Dec, MICRO};
use crate::oracle::session::{Session, Standing};
use crate::oracle::slices;
use chrono::Days;
use chrono_tz::Tz;
use fastrand::Rng;

/// Milliseconds of a minute.
pub(super) const MIN: i128 = 60_000;

/// Which conditions a list may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// All of them, at the start of every slice.
    Always,
    /// Facts and the calendar, at plug-in.
    AtPlugIn,
    /// Dates, places and groups.
    Tax,
    /// Facts, the calendar, and whether the reservation ran out.
    Reservation,
}

/// A tariff in the making.
pub(super) struct Generator<'a> {
    pub rng: &'a mut Rng,
    pub session: &'a Session,
    pub tariff: Tariff,
    pub standing: Standing,
    /// Imported energy at each reading: thresholds that are reached exactly there.
    pub marks: Vec<i128>,
    pub energy: i128,
    pub reserved_per: Per,
}

/// A tariff for a charger in `zone`, with what the driver and the site had used before.
pub fn tariff(rng: &mut Rng, session: &Session, zone: Tz) -> (Tariff, Standing) {
    let (currency, area) = match zone {
        Tz::Europe__Oslo => ("NOK", Some("NO1")),
        Tz::Europe__Helsinki => ("EUR", Some("FI")),
        Tz::Europe__Amsterdam => ("EUR", Some("NL")),
        _ => ("BRL", None),
    };
    let tariff = Tariff {
        style: if chance(rng, 20) { 0 } else { rng.u64(1..u64::MAX) },
        name: "Random".into(),
        currency: currency.into(),
        zone,
        area: area.map(Into::into),
        includes_vat: rng.bool(),
        receipt_step: chance(rng, 15).then(|| one(rng, &[60, 15])),
        valid_from: chance(rng, 10).then(|| {
            let day = local(zone, session.plugged_in).date;
            if chance(rng, 90) { day - Days::new(rng.u64(0..200)) } else { day + Days::new(1) }
        }),
        valid_until: None,
        based: chance(rng, 20).then(|| rng.u64(..)),
        vat: vec![],
        taxes: vec![],
        vat_on: vec![],
        groups: vec![],
        default_group: None,
        places: vec![],
        periods: vec![],
        feeds: vec![],
        prices: vec![],
        values: vec![],
        charges: vec![],
        total: vec![],
        discounts: vec![],
        coupon_scope: None,
        coupons: vec![],
    };
    let first = session.readings.first().map_or(0, |r| r.import);
    let marks =
        session.readings.iter().filter(|r| r.segment == 0).map(|r| r.import - first).filter(|m| *m > 0);
    let mut it = Generator {
        marks: marks.collect(),
        energy: slices::energy(session),
        reserved_per: Per::Session,
        rng,
        session,
        tariff,
        standing: Standing::default(),
    };
    it.names();
    it.taxes();
    it.charges();
    rebates::add(it.rng, &mut it.tariff, &mut it.standing, session);
    if chance(it.rng, 10) {
        // Many of them end in the middle of the session, whose prices stay.
        let day = local(zone, session.plugged_in).date;
        let last = if chance(it.rng, 90) { day + Days::new(it.rng.u64(0..4)) } else { day - Days::new(1) };
        it.tariff.valid_until =
            Some(last).filter(|last| it.tariff.valid_from.is_none_or(|from| from <= *last));
    }
    it.taxes_of_charges();
    it.opening_counters();
    it.opening_of_limits();
    (it.tariff, it.standing)
}

impl Generator<'_> {
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        chance(self.rng, percent)
    }

    pub(super) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        one(self.rng, of)
    }

    pub(super) fn names(&mut self) {
        if self.chance(40) {
            self.tariff.groups = vec!["VIP".into(), "members".into()];
            self.tariff.default_group = self.chance(70).then(|| "standard".into());
        }
        if self.chance(30) {
            let ids = if self.chance(50) { vec!["SN-1".into()] } else { vec!["SN-2".into(), "SN-3".into()] };
            self.tariff.places.push(Place { name: "inner-city".into(), sites: false, ids });
        }
        if self.chance(20) {
            let ids = vec![self.one(&["harbour", "otakaari-5", "nowhere"]).into()];
            self.tariff.places.push(Place { name: "waterside".into(), sites: true, ids });
        }
        for name in ["daytime", "quiet"] {
            if self.chance(30) {
                let list = windows(self.rng, &self.tariff, self.session);
                self.tariff.periods.push((name.into(), list));
            }
        }
        if self.tariff.currency != "EUR" && self.chance(15) {
            let currency = self.tariff.currency.clone();
            let name = format!("eur-{}", currency.to_lowercase());
            self.feed(&name, &format!("{currency}/EUR"), None, true);
            let basis = self.one(&[None, Some(false), Some(true)]);
            self.feed("exchange", "EUR/kWh", basis, false);
        }
        if self.chance(10) {
            let basis = self.one(&[None, Some(false), Some(true)]);
            let unit = format!("{}/kWh", self.tariff.currency);
            self.feed("green", &unit, basis, false);
        }
        if self.chance(12) {
            let basis = self.one(&[None, Some(false), Some(true)]);
            let unit = format!("{}/kWh", self.tariff.currency);
            self.feed("index", &unit, basis, true);
        }
    }

    pub(super) fn feed(&mut self, name: &str, unit: &str, includes_vat: Option<bool>, holds: bool) {
        self.tariff.feeds.push(FeedDecl { name: name.into(), unit: unit.into(), includes_vat, holds });
    }

    pub(super) fn rate_of_tax(&mut self) -> VatRate {
        match self.rng.u32(0..12) {
            0 => VatRate::Exempt,
            1 => VatRate::OutsideScope,
            _ => VatRate::Percent(Dec::of(self.one(&["25", "24", "25.5", "21", "6", "19", "8.1"]))),
        }
    }

    pub(super) fn tax_list(&mut self) -> Vec<Case<VatRate>> {
        let mut cases = vec![];
        if self.chance(40) {
            let date = date_near(self.rng, &self.tariff, self.session);
            let what = self.rate_of_tax();
            cases.push(Case { what, when: vec![Condition::Until(date, None)] });
            if self.chance(50) {
                let what = self.rate_of_tax();
                cases.push(Case { what, when: vec![Condition::From(date + Days::new(1), None)] });
                return cases;
            }
        } else if self.chance(25) {
            let what = self.rate_of_tax();
            let when = self.conditions(Judged::Tax);
            cases.push(Case { what, when });
        }
        let what = self.rate_of_tax();
        cases.push(Case { what, when: vec![] });
        cases
    }

    pub(super) fn taxes(&mut self) {
        if self.chance(85) {
            self.tariff.vat = self.tax_list();
        }
        if self.chance(12) {
            self.other_taxes();
        }
        if self.tariff.vat.is_empty() && self.tariff.taxes.is_empty() {
            self.tariff.includes_vat = false;
        }
    }

    pub(super) fn other_taxes(&mut self) {
        for name in ["State", "City"] {
            let rate = |it: &mut Self| Dec::of(it.one(&["6", "2", "1.5", "8.875", "0.3"]));
            let mut on_top_of = vec![];
            if !self.tariff.vat.is_empty() && self.chance(30) {
                on_top_of.push("VAT".to_owned());
            }
            if !self.tariff.taxes.is_empty() && self.chance(60) {
                on_top_of.push("State".to_owned());
            }
            let mut cases = vec![];
            if self.chance(30) {
                let what = rate(self);
                let when = self.conditions(Judged::Tax);
                cases.push(Case { what, when });
            }
            cases.push(Case { what: rate(self), when: vec![] });
            self.tariff.taxes.push(TaxDecl { name: name.into(), on_top_of, cases });
            if self.chance(40) {
                return;
            }
        }
    }

    pub(super) fn taxes_of_charges(&mut self) {
        if self.tariff.vat.is_empty() || !self.chance(20) {
            return;
        }
        let charges: Vec<ChargeRef> = self.tariff.charges.iter().map(Charge::reference).collect();
        if charges.is_empty() {
            return;
        }
        let feed_in = charges.iter().find(|c| c.kind == Kind::FeedIn).cloned();
        let cases = self.tax_list();
        match feed_in {
            Some(feed_in) if self.chance(60) => {
                self.tariff.vat_on.push((feed_in, vec![Case { what: VatRate::OutsideScope, when: vec![] }]));
            }
            _ => {
                let of = self.one(&charges);
                self.tariff.vat_on.push((of, cases));
            }
        }
    }

    pub(super) fn charges(&mut self) {
        self.values();
        let energy_prices = if self.chance(15) { self.rng.usize(2..4) } else { usize::from(self.chance(92)) };
        self.named_prices();
        for i in 0..energy_prices {
            let label = if energy_prices > 1 {
                Some(["Electricity", "Grid", "Battery wear"][i].to_owned())
            } else {
                self.chance(15).then(|| "Charging".to_owned())
            };
            self.charge(Kind::Energy, label);
        }
        if energy_prices > 0 && self.chance(15) {
            let worth = Expr::Mul(
                Box::new(Expr::PercentOf(
                    Dec::of(self.one(&["50", "12.5", "100"])),
                    Box::new(Expr::EnergyPrice),
                )),
                Box::new(Expr::AveragePower),
            );
            let cases = vec![Case { what: Price::Is(worth), when: vec![] }];
            self.tariff.prices.push(("hourly-value".into(), cases));
        }
        if self.chance(30) {
            self.charge(Kind::StartFee, None);
        }
        if self.chance(15) {
            self.charge(Kind::FlatFee, None);
        }
        for (kind, percent) in [
            (Kind::IdleFee, 45),
            (Kind::ChargingTime, 15),
            (Kind::ConnectedTime, 15),
            (Kind::ParkingTime, 18),
        ] {
            if self.chance(percent) {
                if self.chance(10) {
                    self.charge(kind, Some("Fee one".into()));
                    self.charge(kind, Some("Fee two".into()));
                } else {
                    let label = self.chance(20).then(|| "Connection fee".to_owned());
                    self.charge(kind, label);
                }
            }
        }
        if self.session.has_export && self.chance(70) {
            self.charge(Kind::FeedIn, None);
        }
        if self.session.reservation.is_some() && self.chance(70) {
            self.charge(Kind::ReservationFee, None);
        }
        if self.chance(12) {
            self.charge(Kind::PayoutToSite, None);
            if self.chance(25) {
                self.charge(Kind::PayoutToSite, Some("Grid".into()));
            }
        }
        if self.chance(20) || self.tariff.charges.iter().all(|c| c.kind == Kind::PayoutToSite) {
            self.charge(Kind::PaymentFee, None);
        }
        if self.chance(20) {
            self.rng.shuffle(&mut self.tariff.charges);
        }
    }

    pub(super) fn values(&mut self) {
        if !self.chance(25) {
            return;
        }
        let mut cases = vec![];
        for _ in 0..self.rng.u32(0..3) {
            let what = self.grace();
            let when = self.conditions(Judged::AtPlugIn);
            cases.push(Case { what, when });
        }
        let what = self.grace();
        cases.push(Case { what, when: vec![] });
        self.tariff.values.push(("grace".into(), cases));
    }

    pub(super) fn grace(&mut self) -> Allowance {
        Allowance::Time(MIN * self.one(&[1, 5, 10, 15, 30, 30, 60, 120]))
    }

    pub(super) fn named_prices(&mut self) {
        for name in ["grid-rent", "levy", "margin"] {
            if self.chance(30) {
                let cases = self.list(Kind::Energy, 2);
                self.tariff.prices.push((name.into(), cases));
            }
        }
    }

    pub(super) fn charge(&mut self, kind: Kind, label: Option<String>) {
        let cases = self.list(kind, 4);
        let mut charge = Charge {
            kind,
            label,
            after: None,
            limits: vec![],
            step: None,
            steps_without_parking: false,
            cases,
        };
        charge.after = self.after(kind);
        if kind.is_time() && self.chance(12) {
            charge.step = Some(MIN * self.one(&[1, 5, 7, 15, 60]));
        }
        if kind == Kind::Energy && self.chance(10) {
            charge.step = Some(MICRO / 2 * self.one(&[1, 2, 10]));
        }
        if charge.step.is_none() && self.chance(12) {
            self.price_steps(&mut charge);
        }
        charge.steps_without_parking = kind == Kind::ChargingTime && self.chance(40);
        let limited =
            kind.is_time() || matches!(kind, Kind::Energy | Kind::ReservationFee | Kind::PayoutToSite);
        if limited && self.chance(28) {
            self.limits(&mut charge);
        }
        self.tariff.charges.push(charge);
    }

    /// Steps behind the prices of a charge.
    fn price_steps(&mut self, charge: &mut Charge) {
        let energy = matches!(charge.kind, Kind::Energy | Kind::FeedIn);
        let reserved = charge.kind == Kind::ReservationFee && self.reserved_per != Per::Session;
        if !energy && !charge.kind.is_time() && !reserved {
            return;
        }
        for case in charge.cases.iter_mut().filter(|case| case.what != Price::Free) {
            let step = if energy {
                Allowance::Energy(one(self.rng, &[1_000, 25_000, MICRO / 2, MICRO]))
            } else {
                Allowance::Time(one(self.rng, &[1_000, 100_000, 5 * MIN, 15 * MIN, 60 * MIN]))
            };
            if chance(self.rng, 80) {
                case.when.push(Condition::Steps(step));
            }
        }
    }

    pub(super) fn after(&mut self, kind: Kind) -> Option<After> {
        let fixed = |amount| Some(After { amount: AfterAmount::Fixed(amount), in_a_row: false });
        match kind {
            Kind::StartFee if self.chance(50) => {
                let energy = if self.chance(30) && self.energy > 0 { self.energy } else { MICRO };
                fixed(Allowance::Energy(energy))
            }
            Kind::Energy if self.chance(6) => fixed(Allowance::Energy(self.energy_threshold())),
            _ if kind.is_time() && self.chance(45) => {
                let in_a_row = matches!(kind, Kind::IdleFee | Kind::ParkingTime) && self.chance(35);
                let amount = if !self.tariff.values.is_empty() && self.chance(40) {
                    AfterAmount::Named("grace".into())
                } else {
                    AfterAmount::Fixed(Allowance::Time(MIN * self.one(&[1, 5, 10, 15, 30, 60, 240])))
                };
                Some(After { amount, in_a_row })
            }
            _ => None,
        }
    }

    pub(super) fn limits(&mut self, charge: &mut Charge) {
        for span in [Span::Day, Span::Month, Span::Session] {
            if !self.chance(40) {
                continue;
            }
            let floor = self.chance(30);
            let amount = Dec::new(self.rng.i128(5..400) * 5, 2);
            let per_driver = span != Span::Session && self.chance(40);
            let after_energy = (floor && self.chance(60)).then_some(MICRO);
            charge.limits.push(Limit { floor, amount, span, per_driver, after_energy });
        }
    }

    pub(super) fn list(&mut self, kind: Kind, most: u32) -> Vec<Case<Price>> {
        let judged = match kind {
            Kind::StartFee | Kind::PaymentFee => Judged::AtPlugIn,
            Kind::ReservationFee => Judged::Reservation,
            _ => Judged::Always,
        };
        // A reservation is paid once or by its time.
        self.reserved_per = self.one(&[Per::Session, Per::Session, Per::Min, Per::Hour]);
        let lines = if self.chance(35) { 0 } else { self.rng.u32(1..=most) };
        let mut cases = vec![];
        for _ in 0..lines {
            let what = self.price(kind);
            let when = self.conditions(judged);
            cases.push(Case { what, when });
        }
        let what = self.price(kind);
        cases.push(Case { what, when: vec![] });
        // A list may not be free all over.
        if cases.iter().all(|case| case.what == Price::Free) {
            cases[0].what = Price::Is(self.plain(kind));
        }
        cases
    }
}
