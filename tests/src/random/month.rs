//! Months: a list with charges of the month, chargers, meters, and the sessions of a few drivers in order of posting.

use super::{chance, one};
use crate::oracle::calendar::{instants, local};
use crate::oracle::model::{
    Case, Charge, Condition, Counted, Expr, Kind, Limit, Measure, Per, Price, Rate, Span, Tariff, TaxDecl,
    VatRate, Who,
};
use crate::oracle::month::{Charger, Fee, FeeCase, Month, What};
use crate::oracle::number::{Dec, MICRO};
use crate::oracle::session::{Reading, Session};
use chrono::{Days, Months, NaiveDate};
use chrono_tz::Tz;
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DRIVERS: [&str; 3] = ["ann", "bo", "cy"];

/// The month of a seed.
#[must_use]
pub fn month(seed: u64) -> Month {
    let rng = &mut Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x006D_6F6E_7468);
    let zone = one(rng, &[Tz::Europe__Oslo, Tz::Europe__Helsinki, Tz::America__Sao_Paulo]);
    let year = if zone == Tz::America__Sao_Paulo { rng.i32(2014..2019) } else { rng.i32(2021..2026) };
    let first = NaiveDate::from_ymd_opt(year, one(rng, &[2, 3, 3, 6, 10, 10, 11]), 1).unwrap();
    let tariff = tariff(rng, zone, first);
    let mut groups = BTreeMap::new();
    for driver in DRIVERS {
        if chance(rng, 40) {
            groups.insert(driver.to_owned(), vec!["members".to_owned()]);
        }
    }
    let mut payers = BTreeMap::new();
    if chance(rng, 40) {
        payers.insert("bo".to_owned(), "acme".to_owned());
        if chance(rng, 50) {
            payers.insert("cy".to_owned(), "acme".to_owned());
        }
    }
    let chargers = (0..rng.usize(0..4)).map(|n| charger(rng, n, first)).collect();
    let fees = fees(rng);
    let mut month = Month { tariff, fees, first, chargers, groups, payers, sessions: vec![], hours: vec![] };
    let (start, end) = month.stretch();
    let hours = usize::try_from((end - start) / 3_600_000).unwrap();
    let usual = one(rng, &[0, MICRO, 3 * MICRO / 2]);
    month.hours =
        (0..hours).map(|_| if chance(rng, 5) { rng.i128(0..12_000) * 1000 } else { usual }).collect();
    for _ in 0..rng.usize(1..7) {
        let session = session(rng, &month, (start, end));
        month.sessions.push(session);
    }
    month
}

fn rate(number: Dec, per: Per) -> Price {
    Price::Is(Expr::Rate(Rate { number, per, includes_vat: None }))
}

fn always<T>(what: T) -> Case<T> {
    Case { what, when: vec![] }
}

fn cents(rng: &mut Rng, most: i128) -> Dec {
    Dec::new(rng.i128(1..most), 3)
}

fn tariff(rng: &mut Rng, zone: Tz, first: NaiveDate) -> Tariff {
    let percent = |rng: &mut Rng| VatRate::Percent(Dec::of(one(rng, &["25", "24", "25.5", "6"])));
    let mut vat = vec![];
    if chance(rng, 30) {
        let change = first + Days::new(rng.u64(0..28));
        vat.push(Case { what: percent(rng), when: vec![Condition::Until(change, None)] });
    }
    vat.push(always(percent(rng)));
    let mut taxes = vec![];
    if chance(rng, 20) {
        let on_top_of = if chance(rng, 50) { vec!["VAT".to_owned()] } else { vec![] };
        taxes.push(TaxDecl { name: "City".into(), on_top_of, cases: vec![always(Dec::of("1.5"))] });
    }
    let threshold = MICRO * rng.i128(5..120);
    let so_far = Measure { counted: Counted::Energy, span: Span::Month, who: Who::Driver, in_a_row: false };
    let condition = match rng.u32(0..4) {
        0 => Some(Condition::SoFar { beyond: false, measure: so_far, amount: threshold }),
        1 => Some(Condition::WholeMonth(Who::Driver, threshold)),
        2 => Some(Condition::For(vec!["members".into()])),
        _ => None,
    };
    let whole_month = matches!(condition, Some(Condition::WholeMonth(..)));
    let list = |rng: &mut Rng, most| -> Vec<Case<Price>> {
        let mut cases = vec![];
        if let Some(condition) = &condition {
            cases.push(Case { what: rate(cents(rng, most), Per::Kwh), when: vec![condition.clone()] });
        }
        cases.push(always(rate(cents(rng, most), Per::Kwh)));
        cases
    };
    let charge = |kind, cases| Charge {
        kind,
        label: None,
        after: None,
        limits: vec![],
        step: None,
        steps_without_parking: false,
        cases,
    };
    let mut energy = charge(Kind::Energy, list(rng, 900));
    let limit = |rng: &mut Rng, floor| Limit {
        floor,
        amount: Dec::new(rng.i128(1..60) * 100, 2),
        span: Span::Month,
        per_driver: true,
        after_energy: None,
    };
    let mut total = vec![];
    // What a bill has counted under a limit stays when the whole month changes the price.
    if !whole_month {
        if chance(rng, 40) {
            let floor = rng.bool();
            energy.limits.push(limit(rng, floor));
        }
        if chance(rng, 30) {
            let floor = rng.bool();
            total.push(limit(rng, floor));
        }
    }
    let mut charges = vec![energy];
    if chance(rng, 40) {
        charges.push(charge(Kind::StartFee, vec![always(rate(cents(rng, 900), Per::Session))]));
    }
    if chance(rng, 50) {
        let cases = list(rng, 600);
        charges.push(charge(Kind::PayoutToSite, cases));
    }
    if chance(rng, 50) {
        let mut cases = vec![always(rate(Dec::of("0.40"), Per::Bill))];
        if chance(rng, 50) {
            let when = vec![Condition::For(vec!["members".into()])];
            cases.insert(0, Case { what: rate(Dec::of("0.15"), Per::Bill), when });
        }
        charges.push(charge(Kind::PaymentFee, cases));
    }
    rng.shuffle(&mut charges);
    Tariff {
        style: 0,
        name: "Month".into(),
        currency: "EUR".into(),
        zone,
        area: None,
        includes_vat: rng.bool(),
        receipt_step: None,
        valid_from: None,
        valid_until: None,
        based: None,
        vat,
        taxes,
        vat_on: vec![],
        groups: vec!["members".into()],
        default_group: None,
        places: vec![],
        periods: vec![],
        feeds: vec![],
        prices: vec![],
        values: vec![],
        charges,
        total,
        discounts: vec![],
        coupon_scope: None,
        coupons: vec![],
    }
}

fn charger(rng: &mut Rng, number: usize, first: NaiveDate) -> Charger {
    let near = first - Days::new(20) + Days::new(rng.u64(0..80));
    Charger {
        id: format!("c-{number}"),
        plan: chance(rng, 60).then(|| one(rng, &["rented", "owned"]).into()),
        installed: chance(rng, 60).then_some(near),
        driver: chance(rng, 70).then(|| one(rng, &DRIVERS).into()),
    }
}

fn fees(rng: &mut Rng) -> Vec<Fee> {
    let all = [
        What::PerCharger,
        What::PerDriver,
        What::OneOff,
        What::Power(one(rng, &[1, 2, 3]), rng.bool(), rng.bool()),
        What::Credit(chance(rng, 50).then(|| MICRO * rng.i128(1..900))),
    ];
    let mut fees = vec![];
    for (number, what) in all.into_iter().enumerate() {
        if !chance(rng, 45) {
            continue;
        }
        let money = |rng: &mut Rng| Dec::new(rng.i128(1..3000), 2);
        let case = |price| FeeCase { price, group: None, plan: None, below: None };
        let mut cases = vec![case(money(rng))];
        if chance(rng, 60) {
            let first = case(money(rng));
            match what {
                What::PerCharger | What::OneOff if chance(rng, 60) => {
                    cases.insert(0, FeeCase { plan: Some("rented".into()), ..first });
                }
                What::PerCharger | What::PerDriver | What::OneOff => {
                    cases.insert(0, FeeCase { group: Some("members".into()), ..first });
                }
                What::Power(..) => {
                    cases.insert(0, FeeCase { below: Some(MICRO * rng.i128(1..12)), ..first });
                }
                What::Credit(_) => {}
            }
        }
        let limited = !matches!(what, What::Credit(_)) && chance(rng, 25);
        let at_most = limited.then(|| money(rng));
        fees.push(Fee { what, label: format!("Fee {number}"), by_site: chance(rng, 30), at_most, cases });
    }
    fees
}

fn session(rng: &mut Rng, month: &Month, (start, end): (i64, i64)) -> Session {
    let driver = one(rng, &DRIVERS);
    let length = rng.i64(1..10 * 3_600_000);
    let from = rng.i64(start..end - length - 1);
    let kwh = MICRO / 1000 * rng.i128(0..80_000);
    let middle = from + length / 2;
    let read = |at, import| Reading { at, import, export: 0, segment: 0 };
    Session {
        zone: month.tariff.zone,
        site: "s".into(),
        charger: "c-0".into(),
        driver: driver.into(),
        groups: month.groups.get(driver).cloned().unwrap_or_default(),
        dc: false,
        connector: "Type2".into(),
        rated: 22 * MICRO,
        contract: "direct".into(),
        issuer: "X".into(),
        brand: None,
        plugged_in: from,
        unplugged: Some(from + length),
        readings: vec![read(from, 0), read(middle, kwh / 3), read(from + length, kwh)],
        has_export: false,
        states: vec![],
        power: vec![],
        occupancy: vec![],
        amps_per_kw: None,
        reservation: None,
        hidden: None,
        coupons: vec![],
    }
}

impl Month {
    /// The sessions as documents.
    #[must_use]
    pub fn sessions_json(&self) -> Vec<Value> {
        let document = |(number, session): (usize, &Session)| {
            let mut it: Value = serde_json::from_str(&session.to_json()).unwrap();
            it["id"] = json!(format!("s-{number}"));
            it
        };
        self.sessions.iter().enumerate().map(document).collect()
    }

    /// The month's input, with these bills.
    #[must_use]
    pub fn input_json(&self, bills: &[Value]) -> String {
        let (start, _) = self.stretch();
        let time = |hour: usize| {
            let at = start + i64::try_from(hour).unwrap() * 3_600_000;
            crate::oracle::session::time(at, self.tariff.zone)
        };
        let values: Vec<Value> = (self.hours.iter().enumerate())
            .map(|(hour, energy)| {
                let kwh = crate::oracle::number::print_micro(*energy);
                json!({"from": time(hour), "to": time(hour + 1), "import_kwh": kwh})
            })
            .collect();
        let chargers: Vec<Value> = (self.chargers.iter())
            .map(|charger| {
                let mut it = json!({"id": charger.id});
                if let Some(plan) = &charger.plan {
                    it["plan"] = json!(plan);
                }
                if let Some(day) = charger.installed {
                    it["installed"] = json!(day.to_string());
                }
                if let Some(driver) = &charger.driver {
                    it["driver"] = json!(driver);
                    it["groups"] = json!(self.groups.get(driver).cloned().unwrap_or_default());
                }
                it
            })
            .collect();
        json!({
            "site": "s", "month": self.first.format("%Y-%m").to_string(), "chargers": chargers, "payers": self.payers,
            "sessions": self.sessions_json(), "bills": bills,
            "meters": [{"metering_point": "m", "values": values}],
        })
        .to_string()
    }

    /// Whether the hours of the month are whole clock hours from its first instant to its last.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let (start, end) = self.stretch();
        let next = self.first + Months::new(1);
        (end - start) % 3_600_000 == 0
            && local(self.tariff.zone, end).date == next
            && !instants(self.tariff.zone, next, 0).is_empty()
    }
}
