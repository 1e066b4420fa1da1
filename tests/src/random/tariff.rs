//! Tariffs from all of the language: complete (every list ends in a line for the rest) and near the session.

use super::windows::{date_near, window, windows};
use super::{chance, one, rebates};
use crate::oracle::calendar::local;
use crate::oracle::model::{
    After, AfterAmount, Allowance, Case, Charge, ChargeRef, Condition, Counted, Expr, FeedDecl, Kind, Limit,
    Measure, Per, Place, Price, Rate, Span, Tariff, VatRate, Via, Who,
};
use crate::oracle::number::{Dec, MICRO};
use crate::oracle::session::{Period, Session, Standing};
use crate::oracle::slices;
use chrono::Days;
use chrono_tz::Tz;
use fastrand::Rng;

const MIN: i128 = 60_000;

/// Which conditions a list may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    /// All of them, at the start of every slice.
    Always,
    /// Facts and the calendar, at plug-in.
    AtPlugIn,
    /// Dates, places and groups.
    Tax,
}

struct Generator<'a> {
    rng: &'a mut Rng,
    session: &'a Session,
    tariff: Tariff,
    standing: Standing,
    /// Imported energy at each reading: thresholds that are reached exactly there.
    marks: Vec<i128>,
    energy: i128,
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
        vat: vec![],
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
        rng,
        session,
        tariff,
        standing: Standing::default(),
    };
    it.names();
    it.taxes();
    it.charges();
    rebates::add(it.rng, &mut it.tariff, &mut it.standing, session);
    it.taxes_of_charges();
    it.opening_energy();
    (it.tariff, it.standing)
}

impl Generator<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        chance(self.rng, percent)
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        one(self.rng, of)
    }

    fn names(&mut self) {
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
    }

    fn feed(&mut self, name: &str, unit: &str, includes_vat: Option<bool>, holds: bool) {
        self.tariff.feeds.push(FeedDecl { name: name.into(), unit: unit.into(), includes_vat, holds });
    }

    fn rate_of_tax(&mut self) -> VatRate {
        match self.rng.u32(0..12) {
            0 => VatRate::Exempt,
            1 => VatRate::OutsideScope,
            _ => VatRate::Percent(Dec::of(self.one(&["25", "24", "25.5", "21", "6", "19", "8.1"]))),
        }
    }

    fn tax_list(&mut self) -> Vec<Case<VatRate>> {
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

    fn taxes(&mut self) {
        if self.chance(85) {
            self.tariff.vat = self.tax_list();
        } else {
            self.tariff.includes_vat = false;
        }
    }

    fn taxes_of_charges(&mut self) {
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

    fn charges(&mut self) {
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
        if self.chance(20) || self.tariff.charges.is_empty() {
            self.charge(Kind::PaymentFee, None);
        }
        if self.chance(20) {
            self.rng.shuffle(&mut self.tariff.charges);
        }
    }

    fn values(&mut self) {
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

    fn grace(&mut self) -> Allowance {
        Allowance::Time(MIN * self.one(&[1, 5, 10, 15, 30, 30, 60, 120]))
    }

    fn named_prices(&mut self) {
        for name in ["grid-rent", "levy", "margin"] {
            if self.chance(30) {
                let cases = self.list(Kind::Energy, 2);
                self.tariff.prices.push((name.into(), cases));
            }
        }
    }

    fn charge(&mut self, kind: Kind, label: Option<String>) {
        let cases = self.list(kind, 4);
        let mut charge = Charge { kind, label, after: None, limits: vec![], step: None, cases };
        charge.after = self.after(kind);
        if kind.is_time() && self.chance(12) {
            charge.step = Some(MIN * self.one(&[1, 5, 7, 15, 60]));
        }
        if kind == Kind::Energy && self.chance(10) {
            charge.step = Some(MICRO / 2 * self.one(&[1, 2, 10]));
        }
        if (kind.is_time() || kind == Kind::Energy) && self.chance(28) {
            self.limits(&mut charge);
        }
        self.tariff.charges.push(charge);
    }

    fn after(&mut self, kind: Kind) -> Option<After> {
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

    fn limits(&mut self, charge: &mut Charge) {
        let day = local(self.tariff.zone, self.session.plugged_in).date;
        for span in [Span::Day, Span::Month, Span::Session] {
            if !self.chance(40) {
                continue;
            }
            let floor = span == Span::Session && self.chance(30);
            let amount = Dec::new(self.rng.i128(5..400) * 5, 2);
            let per_driver = span != Span::Session && self.chance(40);
            let after_energy = (floor && self.chance(60)).then_some(MICRO);
            charge.limits.push(Limit { floor, amount, span, per_driver, after_energy });
            if per_driver && self.chance(60) {
                let used = Dec::new(self.rng.i128(0..=amount.units), 2);
                self.standing.money.push((Who::Driver, charge.label(), Period::of(span, day), used));
            }
        }
    }

    fn list(&mut self, kind: Kind, most: u32) -> Vec<Case<Price>> {
        let judged = match kind {
            Kind::StartFee | Kind::PaymentFee => Judged::AtPlugIn,
            _ => Judged::Always,
        };
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

    fn price(&mut self, kind: Kind) -> Price {
        if self.chance(9) {
            return Price::Free;
        }
        let has = |name: &str| self.tariff.prices.iter().any(|(n, _)| n == name);
        if kind.is_time() && has("hourly-value") && self.rng.u32(0..10) < 4 {
            return Price::Is(Expr::Named("hourly-value".into()));
        }
        Price::Is(match kind {
            Kind::Energy | Kind::FeedIn if self.rng.u32(0..10) < 5 => self.formula(),
            _ if kind.is_time() && self.chance(10) => {
                let per = self.one(&[Per::Min, Per::Hour]);
                let (a, b) = (self.rate_per(per), self.rate_per(per));
                Expr::Rounded(
                    Box::new(Expr::Add(Box::new(a), Box::new(Expr::PercentOf(Dec::of("33"), Box::new(b))))),
                    Rate { number: Dec::of("0.01"), per, includes_vat: None },
                )
            }
            _ => self.plain(kind),
        })
    }

    fn plain(&mut self, kind: Kind) -> Expr {
        let per = match kind {
            Kind::Energy | Kind::FeedIn => Per::Kwh,
            Kind::StartFee => Per::Session,
            Kind::PaymentFee => Per::Bill,
            _ => self.one(&[Per::Min, Per::Hour]),
        };
        self.rate_per(per)
    }

    fn rate_per(&mut self, per: Per) -> Expr {
        let number = match per {
            Per::Kwh if self.chance(3) => Dec::new(-self.rng.i128(1..20), 2),
            Per::Kwh => match self.rng.u32(0..3) {
                0 => Dec::new(self.rng.i128(1..90), 2),
                1 => Dec::new(self.rng.i128(1..900), 3),
                _ => Dec::new(self.rng.i128(1..9000), 4),
            },
            Per::Min => Dec::new(self.rng.i128(1..60), 2),
            Per::Hour => Dec::new(self.rng.i128(10..700), 2),
            Per::Session | Per::Bill => Dec::new(self.rng.i128(5..300), 2),
        };
        let own = Expr::Rate(Rate { number, per, includes_vat: None });
        if self.tariff.vat.is_empty() || !self.chance(6) {
            return own;
        }
        // Written in the other basis and converted.
        let includes_vat = Some(!self.tariff.includes_vat);
        let other = Box::new(Expr::Rate(Rate { number, per, includes_vat }));
        if self.tariff.includes_vat { Expr::PlusVat(other) } else { Expr::LessVat(other) }
    }

    fn kwh(&mut self) -> Expr {
        self.rate_per(Per::Kwh)
    }

    /// Named prices that are money per kWh.
    fn kwh_prices(&self) -> Vec<String> {
        let names = self.tariff.prices.iter().map(|(name, _)| name.clone());
        names.filter(|name| name != "hourly-value").collect()
    }

    /// Anything that is money per kWh.
    fn source(&mut self) -> Expr {
        let named: Vec<Expr> = self.kwh_prices().into_iter().map(Expr::Named).collect();
        let money = format!("{}/kWh", self.tariff.currency);
        let own: Vec<String> =
            self.tariff.feeds.iter().filter(|f| f.unit == money).map(|f| f.name.clone()).collect();
        let rate = self.tariff.feeds.iter().find(|f| f.holds).map(|f| f.name.clone());
        match self.rng.u32(0..10) {
            0..2 if !named.is_empty() => self.one(&named),
            2 if !own.is_empty() => Expr::Feed(self.one(&own)),
            3 | 4 if rate.is_some() => Expr::Mul(
                Box::new(Expr::Feed("exchange".into())),
                Box::new(Expr::Feed(rate.unwrap_or_default())),
            ),
            5 => Expr::Hourly("spot".into()),
            _ => Expr::Feed("spot".into()),
        }
    }

    fn formula(&mut self) -> Expr {
        let a = Box::new(self.source());
        let b = Box::new(self.kwh());
        match self.rng.u32(0..14) {
            0 => *a,
            1..4 => Expr::Add(a, b),
            4 => {
                let c = Box::new(self.source());
                if a == c { Expr::Add(a, b) } else { Expr::Add(Box::new(Expr::Add(a, c)), b) }
            }
            5 => {
                let factor = Box::new(Expr::Number(Dec::of(self.one(&["1.05", "2", "0.875"]))));
                Expr::Add(Box::new(Expr::Mul(factor, a)), b)
            }
            6 => Expr::Div(
                Box::new(Expr::Add(a, b)),
                Box::new(Expr::Number(Dec::of(self.one(&["3", "7", "1.2"])))),
            ),
            7 => Expr::PercentOf(Dec::of(self.one(&["90", "105", "33.3"])), Box::new(Expr::Sub(a, b))),
            8 => Expr::Higher(a, b),
            9 => Expr::Lower(Box::new(Expr::Add(a, b)), Box::new(self.kwh())),
            10 => Expr::AtLeast(Box::new(Expr::Sub(a, b)), Box::new(self.floor())),
            11 => {
                let cap = Box::new(self.kwh());
                Expr::AtMost(Box::new(Expr::AtLeast(a, Box::new(self.floor()))), cap)
            }
            12 => Expr::Rounded(Box::new(Expr::Add(a, b)), self.grid()),
            _ => {
                // A plain sum of names: the receipt shows its parts.
                let all = self.kwh_prices();
                let spot = Expr::Feed("spot".into());
                let sum = all
                    .into_iter()
                    .fold(spot, |sum, name| Expr::Add(Box::new(sum), Box::new(Expr::Named(name))));
                if self.chance(40) { Expr::Rounded(Box::new(sum), self.grid()) } else { sum }
            }
        }
    }

    fn floor(&mut self) -> Expr {
        let number = if self.chance(40) { Dec::of("0.00") } else { Dec::new(self.rng.i128(1..30), 2) };
        Expr::Rate(Rate { number, per: Per::Kwh, includes_vat: None })
    }

    fn grid(&mut self) -> Rate {
        let number = Dec::of(self.one(&["0.0001", "0.01", "0.05"]));
        Rate { number, per: Per::Kwh, includes_vat: None }
    }

    fn conditions(&mut self, judged: Judged) -> Vec<Condition> {
        let mut all = vec![self.condition(judged)];
        if self.chance(35) {
            let more = self.condition(judged);
            // Two of one kind would often exclude each other.
            if std::mem::discriminant(&more) != std::mem::discriminant(&all[0]) {
                all.push(more);
            }
        }
        all
    }

    fn condition(&mut self, judged: Judged) -> Condition {
        if judged == Judged::Tax {
            let mut all = vec![Condition::Until(date_near(self.rng, &self.tariff, self.session), None)];
            all.extend(self.tariff.places.iter().map(|p| Condition::At(vec![p.name.clone()])));
            all.extend(self.tariff.groups.iter().map(|g| Condition::For(vec![g.clone()])));
            return self.one(&all);
        }
        let pick = self.rng.u32(0..if judged == Judged::Always { 100 } else { 52 });
        match pick {
            0..6 if !self.tariff.groups.is_empty() => {
                let mut names = self.tariff.groups.clone();
                if self.chance(30) {
                    names.extend(self.tariff.default_group.clone());
                }
                Condition::For(vec![self.one(&names)])
            }
            6..10 => Condition::On(vec![self.one(&["AC", "DC", "CCS", "Type2", "CHAdeMO"]).into()]),
            10..14 if !self.tariff.places.is_empty() => {
                let names: Vec<String> = self.tariff.places.iter().map(|p| p.name.clone()).collect();
                Condition::At(vec![self.one(&names)])
            }
            14..18 => Condition::Rated(MICRO * self.one(&[11, 22, 50, 150]), self.rng.bool()),
            18..22 => {
                let ways =
                    [Via::AdHoc, Via::Contract, Via::Roaming(None), Via::Roaming(Some("eMSP-X".into()))];
                let mut all = vec![self.one(&ways)];
                if self.chance(30) {
                    let more = self.one(&ways);
                    if !all.contains(&more) {
                        all.push(more);
                    }
                }
                Condition::Via(all)
            }
            22..25 => Condition::PaidWith(vec![self.one(&["Visa", "Mastercard"]).into()]),
            25..32 => {
                let date = date_near(self.rng, &self.tariff, self.session);
                let time = self.chance(20).then(|| self.one(&[6 * 60 + 30, 12 * 60, 18 * 60]));
                if self.rng.bool() { Condition::From(date, time) } else { Condition::Until(date, time) }
            }
            52..82 => self.so_far(),
            82..91 if !self.session.power.is_empty() => {
                let power = self.session.power[self.rng.usize(0..self.session.power.len())].1;
                let power =
                    if power > 0 && self.chance(40) { power } else { MICRO * self.one(&[3, 7, 11, 22]) };
                Condition::Drawn(power, self.rng.bool())
            }
            91..100 if !self.session.occupancy.is_empty() => {
                Condition::Occupied(self.one(&[25, 50, 75, 100]), self.rng.bool())
            }
            _ if self.chance(75) => Condition::During(vec![window(self.rng, &self.tariff, self.session)]),
            _ => Condition::During(windows(self.rng, &self.tariff, self.session)),
        }
    }

    fn energy_threshold(&mut self) -> i128 {
        if !self.marks.is_empty() && self.chance(40) {
            return one(self.rng, &self.marks);
        }
        let nice = MICRO / 2 * self.rng.i128(1..60);
        if self.energy > 2 * MICRO && self.chance(60) { nice % self.energy + MICRO / 2 } else { nice }
    }

    fn so_far(&mut self) -> Condition {
        use Counted::{Charging, Connected, Energy, Idle, Parking};
        let beyond = self.rng.bool();
        if self.chance(60) {
            let (span, who) = self.one(&[
                (Span::Session, Who::Session),
                (Span::Session, Who::Session),
                (Span::Session, Who::Session),
                (Span::Day, Who::Session),
                (Span::Day, Who::Driver),
                (Span::Month, Who::Driver),
                (Span::Month, Who::Site),
                (Span::Day, Who::Site),
            ]);
            let measure = Measure { counted: Energy, span, who, in_a_row: false };
            return Condition::SoFar { beyond, measure, amount: self.energy_threshold() };
        }
        let counted = self.one(&[Connected, Connected, Charging, Parking, Idle]);
        let span = if self.chance(85) { Span::Session } else { Span::Day };
        let measure = Measure { counted, span, who: Who::Session, in_a_row: false };
        let length = i128::from(self.session.end() - self.session.plugged_in) / MIN;
        let amount = MIN
            * if length > 5 && self.chance(60) {
                self.rng.i128(1..length)
            } else {
                self.one(&[10, 30, 60, 180])
            };
        Condition::SoFar { beyond, measure, amount }
    }

    /// What driver and site had used, where a condition asks for it.
    fn opening_energy(&mut self) {
        let day = local(self.tariff.zone, self.session.plugged_in).date;
        let mut asked: Vec<(Measure, i128)> = vec![];
        for condition in crate::oracle::calendar::all_conditions(&self.tariff) {
            if let Condition::SoFar { measure, amount, .. } = condition
                && measure.counted == Counted::Energy
                && measure.who != Who::Session
            {
                asked.push((*measure, *amount));
            }
        }
        for (measure, amount) in asked {
            let period = Period::of(measure.span, day);
            let known = self.standing.energy.iter().any(|(who, p, _)| (*who, *p) == (measure.who, period));
            if known || self.chance(30) {
                continue;
            }
            // Now and then the threshold is reached exactly at a reading.
            let mark = self.marks.first().copied().unwrap_or(0);
            let used = match self.rng.u32(0..4) {
                0 if amount > mark => amount - mark,
                1 => amount,
                _ => self.rng.i128(0..=amount * 5 / 4),
            };
            if used > 0 {
                self.standing.energy.push((measure.who, period, used));
            }
        }
    }
}
