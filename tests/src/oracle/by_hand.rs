//! Bills worked out by hand, so that the oracle itself is held to something.

use super::bill::{Bill, bill};
use super::calendar::within;
use super::conditions::Taxed;
use super::model::*;
use super::number::{Dec, MICRO, Q, fraction, largest_remainder, minor_units, print, read, whole};
use super::session::{Period, PriceFile, Reading, Session, Standing, State};
use chrono::{NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;

const MIN: i128 = 60_000;

fn at(zone: Tz, text: &str) -> i64 {
    let shown = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    zone.from_local_datetime(&shown).earliest().unwrap().timestamp_millis()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn list(currency: &str, zone: Tz, vat: &[(&str, Vec<Condition>)]) -> Tariff {
    let vat = vat.iter().map(|(p, when)| Case { what: VatRate::Percent(Dec::of(p)), when: when.clone() });
    Tariff {
        style: 0,
        name: "By hand".into(),
        currency: currency.into(),
        zone,
        area: None,
        includes_vat: false,
        receipt_step: None,
        valid_from: None,
        valid_until: None,
        based: None,
        vat: vat.collect(),
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
    }
}

fn rate(number: &str, per: Per) -> Expr {
    Expr::Rate(Rate { number: Dec::of(number), per, includes_vat: None })
}

fn case(expr: Expr, when: &[Condition]) -> Case<Price> {
    Case { what: Price::Is(expr), when: when.to_vec() }
}

fn free(when: &[Condition]) -> Case<Price> {
    Case { what: Price::Free, when: when.to_vec() }
}

fn charge(kind: Kind, cases: Vec<Case<Price>>) -> Charge {
    Charge { kind, label: None, after: None, limits: vec![], step: None, steps_without_parking: false, cases }
}

fn after(charge: Charge, amount: Allowance) -> Charge {
    Charge { after: Some(After { amount: AfterAmount::Fixed(amount), in_a_row: false }), ..charge }
}

fn at_most(amount: &str, span: Span) -> Limit {
    Limit { floor: false, amount: Dec::of(amount), span, per_driver: false, after_energy: None }
}

fn hours(from: u32, to: u32) -> Part {
    Part::Hours(from * 60, to * 60)
}

fn during(parts: &[Part]) -> Condition {
    Condition::During(vec![Window { parts: parts.to_vec(), except: None }])
}

fn sum(exprs: Vec<Expr>) -> Expr {
    exprs.into_iter().reduce(|a, b| Expr::Add(Box::new(a), Box::new(b))).unwrap()
}

fn times(a: Expr, b: Expr) -> Expr {
    Expr::Mul(Box::new(a), Box::new(b))
}

fn name(name: &str) -> Expr {
    Expr::Named(name.into())
}

/// Charges `kwh` in equal power, then stays until `idle`.
fn session(zone: Tz, kwh: &str, from: &str, to: &str, idle: Option<&str>) -> Session {
    let register = minor_units(&Dec::of(kwh).value(), 6);
    let (from, to) = (at(zone, from), at(zone, to));
    let read = |at, import| Reading { at, import, export: 0, segment: 0 };
    Session {
        zone,
        site: "harbour".into(),
        charger: "SN-1".into(),
        driver: "d-1".into(),
        groups: vec![],
        dc: false,
        connector: "Type2".into(),
        rated: 22 * MICRO,
        contract: "direct".into(),
        issuer: "X".into(),
        brand: None,
        plugged_in: from,
        unplugged: Some(idle.map_or(to, |text| at(zone, text))),
        readings: vec![read(from, 1000 * MICRO), read(to, 1000 * MICRO + register)],
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

fn spot(zone: Tz, unit: &str, prices: &[(&str, &str, &str)]) -> PriceFile {
    let steps = prices.iter().map(|(from, to, price)| (at(zone, from), at(zone, to), Dec::of(price)));
    PriceFile {
        feed: "spot".into(),
        area: None,
        unit: unit.into(),
        vat_included: false,
        published: 0,
        steps: steps.collect(),
    }
}

fn priced(tariff: &Tariff, session: &Session, files: &[PriceFile]) -> Bill {
    bill(tariff, session, files, &Standing::default())
}

fn all_day(zone: Tz, day: &str, price: &str) -> Vec<PriceFile> {
    vec![spot(zone, "NOK/kWh", &[(&format!("{day} 00:00"), &format!("{day} 23:59"), price)])]
}

#[test]
fn housing_company_pays_cost_price() {
    let oslo = Tz::Europe__Oslo;
    let mut tariff = list("NOK", oslo, &[("25", vec![])]);
    tariff.groups = vec!["VIP".into()];
    tariff.default_group = Some("standard".into());
    let weekday = during(&[Part::Weekdays(0, 4), hours(6, 22)]);
    let per = Per::Kwh;
    tariff.prices = vec![
        ("grid-rent".into(), vec![case(rate("0.40", per), &[weekday]), case(rate("0.30", per), &[])]),
        (
            "electricity-tax".into(),
            vec![
                case(rate("0.10", per), &[Condition::Until(date("2025-03-31"), None)]),
                case(rate("0.15", per), &[Condition::From(date("2025-04-01"), None)]),
            ],
        ),
        (
            "cost".into(),
            vec![case(sum(vec![Expr::Feed("spot".into()), name("grid-rent"), name("electricity-tax")]), &[])],
        ),
    ];
    tariff.charges = vec![charge(
        Kind::Energy,
        vec![
            case(name("cost"), &[Condition::For(vec!["VIP".into()])]),
            case(sum(vec![name("cost"), rate("0.25", per)]), &[Condition::For(vec!["standard".into()])]),
        ],
    )];
    let files = all_day(oslo, "2025-01-15", "0.80");
    let mut noon = session(oslo, "10", "2025-01-15 12:00", "2025-01-15 13:00", None);
    let guest = priced(&tariff, &noon, &files);
    assert_eq!(guest.total, 1938);
    noon.groups = vec!["VIP".into()];
    let vip = priced(&tariff, &noon, &files);
    assert_eq!((vip.printed(0), vip.vat_total, vip.total), (1300, 325, 1625));
    let mut late = session(oslo, "20", "2025-01-15 21:00", "2025-01-15 23:00", None);
    late.groups = vec!["VIP".into()];
    let late = priced(&tariff, &late, &files);
    assert_eq!(late.printed(0), 2500);
    assert_eq!(late.lines.len(), 2);
}

#[test]
fn finnish_spot_and_the_change_of_vat() {
    let helsinki = Tz::Europe__Helsinki;
    let change = [
        ("24", vec![Condition::Until(date("2024-08-31"), None)]),
        ("25.5", vec![Condition::From(date("2024-09-01"), None)]),
    ];
    let mut tariff = list("EUR", helsinki, &change);
    let per = Per::Kwh;
    tariff.charges = vec![
        charge(
            Kind::Energy,
            vec![case(
                sum(vec![
                    Expr::Feed("spot".into()),
                    rate("0.0050", per),
                    rate("0.0350", per),
                    rate("0.0225", per),
                ]),
                &[],
            )],
        ),
        charge(Kind::PaymentFee, vec![case(rate("0.40", Per::Bill), &[])]),
    ];
    let hours = [
        ("2025-03-10 17:00", "2025-03-10 18:00", "50.00"),
        ("2025-03-10 18:00", "2025-03-10 19:00", "150.00"),
    ];
    let files = [spot(helsinki, "EUR/MWh", &hours)];
    let evening = session(helsinki, "20", "2025-03-10 17:00", "2025-03-10 19:00", None);
    let bill = priced(&tariff, &evening, &files);
    assert_eq!((bill.printed(0), bill.printed(1), bill.vat_total, bill.total), (325, 40, 93, 458));
    let night = [spot(helsinki, "EUR/kWh", &[("2024-08-31 00:00", "2024-09-02 00:00", "0.05")])];
    let last = session(helsinki, "16", "2024-08-31 22:00", "2024-08-31 23:00", None);
    let last = priced(&tariff, &last, &night);
    assert_eq!((last.vat_total, last.total), (53, 273));
    let first = session(helsinki, "16", "2024-09-01 00:00", "2024-09-01 01:00", None);
    let first = priced(&tariff, &first, &night);
    assert_eq!((first.vat_total, first.total), (56, 276));
    // Over midnight: each half has its own rate, the charge is rounded once and its rates share it.
    let both = session(helsinki, "16", "2024-08-31 23:00", "2024-09-01 01:00", None);
    let both = priced(&tariff, &both, &night);
    assert_eq!(both.charges.iter().map(|e| e.amount).collect::<Vec<_>>(), [90, 90, 40]);
    let hours = [("2025-03-10 17:00", "2025-03-10 18:00", "50.00")];
    let missing = priced(&tariff, &evening, &[spot(helsinki, "EUR/MWh", &hours)]);
    assert_eq!(missing.pending, [(0, at(helsinki, "2025-03-10 18:00"), at(helsinki, "2025-03-10 19:00"))]);
}

fn connection_fee() -> Tariff {
    let mut tariff = list("EUR", Tz::Europe__Amsterdam, &[("21", vec![])]);
    tariff.prices = vec![(
        "hourly-value".into(),
        vec![case(
            times(Expr::PercentOf(Dec::of("50"), Box::new(Expr::EnergyPrice)), Expr::AveragePower),
            &[],
        )],
    )];
    let idle = charge(
        Kind::IdleFee,
        vec![
            case(name("hourly-value"), &[Condition::On(vec!["DC".into()])]),
            case(name("hourly-value"), &[during(&[Part::Weekdays(0, 5), hours(8, 20)])]),
            free(&[]),
        ],
    );
    tariff.charges = vec![
        charge(Kind::Energy, vec![case(rate("0.65", Per::Kwh), &[])]),
        after(charge(Kind::StartFee, vec![case(rate("0.50", Per::Session), &[])]), Allowance::Energy(MICRO)),
        after(idle, Allowance::Time(30 * MIN)),
    ];
    tariff
}

#[test]
fn dutch_connection_fee() {
    let ams = Tz::Europe__Amsterdam;
    let tariff = connection_fee();
    let weekday = session(ams, "11", "2025-03-10 17:00", "2025-03-10 18:00", Some("2025-03-10 21:00"));
    let bill = priced(&tariff, &weekday, &[]);
    assert_eq!([bill.printed(0), bill.printed(1), bill.printed(2)], [715, 50, 536]);
    assert_eq!((bill.vat_total, bill.total), (273, 1574));
    let sunday = session(ams, "11", "2025-03-09 12:00", "2025-03-09 13:00", Some("2025-03-09 18:00"));
    assert_eq!(priced(&tariff, &sunday, &[]).printed(2), 0);
    let mut dc = session(ams, "50", "2025-03-09 10:00", "2025-03-09 11:00", Some("2025-03-09 12:00"));
    dc.dc = true;
    assert_eq!(priced(&tariff, &dc, &[]).printed(2), 813);
    let failed = session(ams, "0.8", "2025-03-10 09:00", "2025-03-10 09:10", None);
    let failed = priced(&tariff, &failed, &[]);
    assert_eq!((failed.printed(1), failed.total), (0, 63));
}

#[test]
fn dutch_cases_of_jansen_and_talsma() {
    let ams = Tz::Europe__Amsterdam;
    let tariff = connection_fee();
    // Jansen: idle 15:00-18:30 on a weekday, 6 kW: 3 h x 3 kW x 0.65.
    let jansen = session(ams, "12", "2025-03-10 13:00", "2025-03-10 15:00", Some("2025-03-10 18:30"));
    assert_eq!(priced(&tariff, &jansen, &[]).printed(2), 585);
    let mut gross = connection_fee();
    gross.includes_vat = true;
    gross.charges[0].cases = vec![case(rate("0.79", Per::Kwh), &[])];
    assert_eq!(priced(&gross, &jansen, &[]).printed(2), 711);
    // Talsma: DC, 40 kW, 2 h beyond the grace, 0.50 EUR/kWh.
    let mut dear = connection_fee();
    dear.charges[0].cases = vec![case(rate("0.50", Per::Kwh), &[])];
    let mut talsma = session(ams, "40", "2025-03-10 09:00", "2025-03-10 10:00", Some("2025-03-10 12:30"));
    talsma.dc = true;
    assert_eq!(priced(&dear, &talsma, &[]).printed(2), 2000);
}

#[test]
fn halves_of_a_cent_go_up() {
    let ams = Tz::Europe__Amsterdam;
    let mut tariff = list("EUR", ams, &[("21", vec![])]);
    tariff.charges = vec![charge(Kind::Energy, vec![case(rate("0.50", Per::Kwh), &[])])];
    tariff.charges[0].cases = vec![case(
        Expr::Rounded(
            Box::new(Expr::PlusVat(Box::new(rate("0.50", Per::Kwh)))),
            Rate { number: Dec::of("0.01"), per: Per::Kwh, includes_vat: None },
        ),
        &[],
    )];
    let one = session(ams, "1", "2025-03-10 09:00", "2025-03-10 10:00", None);
    // 0.50 x 1.21 = 0.605 -> 0.61
    assert_eq!(priced(&tariff, &one, &[]).printed(0), 61);
    assert_eq!(minor_units(&read("0.605").unwrap(), 2), 61);
    assert_eq!(minor_units(&read("-0.605").unwrap(), 2), -61);
    assert_eq!(minor_units(&read("0.7865").unwrap(), 2), 79);
}

#[test]
fn brazilian_idle_fee_and_coupon() {
    let sp = Tz::America__Sao_Paulo;
    let mut tariff = list("BRL", sp, &[]);
    tariff.charges = vec![
        charge(Kind::Energy, vec![case(rate("1.89", Per::Kwh), &[])]),
        after(charge(Kind::IdleFee, vec![case(rate("0.50", Per::Min), &[])]), Allowance::Time(10 * MIN)),
    ];
    tariff.coupons = vec![Rebate {
        name: Some("TWENTY".into()),
        gives: Gives::Percent(Dec::of("20")),
        of: None,
        when: vec![],
        not_with_coupon: false,
        times_per_driver: Some(1),
    }];
    let mut late = session(sp, "20", "2025-05-10 14:00", "2025-05-10 15:00", Some("2025-05-10 15:25"));
    late.coupons = vec!["TWENTY".into()];
    let bill = priced(&tariff, &late, &[]);
    assert_eq!((bill.left(0), bill.left(1), bill.total), (3024, 750, 3774));
    assert_eq!(bill.extras[0].amounts, [(Taxed { vat: VatRate::None, others: [None; 2] }, -756)]);
    let again = Standing { coupons: vec![("TWENTY".into(), 1)], ..Standing::default() };
    assert_eq!(super::bill::bill(&tariff, &late, &[], &again).total, 3780 + 750);
    let quick = session(sp, "20", "2025-05-10 14:00", "2025-05-10 15:00", Some("2025-05-10 15:10"));
    let quick = priced(&tariff, &quick, &[]);
    assert_eq!((quick.printed(1), quick.total), (0, 3780));
    // Five minutes beyond the grace: 2.50.
    let five = session(sp, "20", "2025-05-10 14:00", "2025-05-10 15:00", Some("2025-05-10 15:15"));
    assert_eq!(priced(&tariff, &five, &[]).printed(1), 250);
}

fn hotel() -> Tariff {
    let mut tariff = list("EUR", Tz::Europe__Vienna, &[("20", vec![])]);
    tariff.includes_vat = true;
    tariff.groups = vec!["company-cars".into(), "employees".into()];
    tariff.default_group = Some("guests".into());
    let window = |parts: &[Part]| vec![Window { parts: parts.to_vec(), except: None }];
    tariff.periods = vec![
        ("working-hours".into(), window(&[Part::Weekdays(0, 4), hours(7, 17)])),
        ("daytime".into(), window(&[hours(8, 22)])),
    ];
    let company = Condition::For(vec!["company-cars".into()]);
    let staff = Condition::For(vec!["employees".into()]);
    let mut idle = charge(
        Kind::IdleFee,
        vec![
            free(std::slice::from_ref(&company)),
            case(rate("0.10", Per::Min), &[during(&[Part::Named("daytime".into())])]),
            free(&[]),
        ],
    );
    idle.label = Some("Parking once full".into());
    idle.limits = vec![at_most("20.00", Span::Session)];
    tariff.charges = vec![
        charge(
            Kind::Energy,
            vec![
                free(&[company]),
                case(rate("0.25", Per::Kwh), &[staff, during(&[Part::Named("working-hours".into())])]),
                case(rate("0.45", Per::Kwh), &[]),
            ],
        ),
        idle,
    ];
    tariff
}

#[test]
fn hotel_guests_and_staff() {
    let vienna = Tz::Europe__Vienna;
    let tariff = hotel();
    let night = session(vienna, "30", "2025-07-01 18:00", "2025-07-01 21:00", Some("2025-07-02 09:00"));
    let bill = priced(&tariff, &night, &[]);
    assert_eq!([bill.printed(0), bill.printed(1)], [1350, 1200]);
    assert_eq!((bill.vat_total, bill.total), (425, 2550));
    let long = session(vienna, "30", "2025-07-01 18:00", "2025-07-01 21:00", Some("2025-07-02 22:00"));
    assert_eq!(priced(&tariff, &long, &[]).printed(1), 2000);
    let mut staff = session(vienna, "20", "2025-07-07 16:00", "2025-07-07 18:00", None);
    staff.groups = vec!["employees".into()];
    assert_eq!(priced(&tariff, &staff, &[]).printed(0), 700);
    let company = Session { groups: vec!["company-cars".into()], ..long };
    assert_eq!(priced(&tariff, &company, &[]).total, 0);
    // The summer list: no idle fee, 0.35 for everybody but company cars.
    let mut summer = hotel();
    summer.charges.truncate(1);
    summer.charges[0].cases.remove(1);
    summer.charges[0].cases[1] = case(rate("0.35", Per::Kwh), &[]);
    assert_eq!(priced(&summer, &night, &[]).total, 1050);
}

#[test]
fn finnish_receipt_of_transaction_210() {
    let helsinki = Tz::Europe__Helsinki;
    let mut tariff = list("EUR", helsinki, &[("24", vec![])]);
    tariff.includes_vat = true;
    tariff.charges = vec![charge(
        Kind::Energy,
        vec![case(
            Expr::Rounded(
                Box::new(sum(vec![
                    Expr::Feed("spot".into()),
                    rate("0.0475", Per::Kwh),
                    rate("0.0225", Per::Kwh),
                ])),
                Rate { number: Dec::of("0.0001"), per: Per::Kwh, includes_vat: None },
            ),
            &[],
        )],
    )];
    let hours = [
        ("5.911", "1.88", "0.0723", "42.73653"),
        ("7.166", "2.00", "0.0725", "51.95350"),
        ("7.148", "1.69", "0.0721", "51.53708"),
        ("7.173", "0.95", "0.0712", "51.07176"),
        ("7.133", "0.11", "0.0701", "50.00233"),
        ("7.142", "0.01", "0.0700", "49.99400"),
        ("6.773", "0.01", "0.0700", "47.41100"),
    ];
    let nine = at(helsinki, "2023-09-25 09:00");
    let hour = |i: usize| nine + 3_600_000 * i64::try_from(i).unwrap();
    let mut receipt = session(helsinki, "0", "2023-09-25 09:09", "2023-09-25 15:56", None);
    receipt.plugged_in += 44_000;
    receipt.unplugged = Some(receipt.unplugged.unwrap() + 59_000);
    let mut register = 0;
    receipt.readings = vec![Reading { at: receipt.plugged_in, import: 0, export: 0, segment: 0 }];
    for (i, (kwh, ..)) in hours.iter().enumerate() {
        register += minor_units(&Dec::of(kwh).value(), 6);
        let at = hour(i + 1).min(receipt.unplugged.unwrap());
        receipt.readings.push(Reading { at, import: register, export: 0, segment: 0 });
    }
    let mut file = spot(helsinki, "EUR/MWh", &[]);
    file.steps = hours.iter().enumerate().map(|(i, h)| (hour(i), hour(i + 1), Dec::of(h.1))).collect();
    let bill = priced(&tariff, &receipt, &[file]);
    for (line, (_, _, price, cents)) in bill.lines.iter().zip(hours) {
        assert_eq!(line.unit_price, read(price).unwrap());
        assert_eq!(&line.amount * whole(100), read(cents).unwrap());
    }
    assert_eq!(print(&(bill.exact(0) * whole(100)), 2), "344.71");
    assert_eq!((bill.total, bill.net, bill.vat_total), (345, 278, 67));
}

#[test]
fn windows_on_the_wall() {
    let mut tariff = hotel();
    tariff.periods.push(("quiet".into(), vec![Window { parts: vec![hours(22, 6)], except: None }]));
    tariff.periods.push(("weekend".into(), vec![Window { parts: vec![Part::Weekdays(5, 6)], except: None }]));
    let open = |parts: &[Part], except: Option<Window>, day: &str, minute: u32| {
        let window = Window { parts: parts.to_vec(), except: except.map(Box::new) };
        within(&tariff, &window, super::calendar::Local { date: date(day), minute })
    };
    // 2025-07-04 is a Friday. A night belongs to the day on which it starts.
    let night = [Part::Weekdays(4, 5), hours(22, 6)];
    assert!(open(&night, None, "2025-07-04", 22 * 60));
    assert!(open(&night, None, "2025-07-06", 5 * 60 + 59));
    assert!(!open(&night, None, "2025-07-06", 6 * 60));
    assert!(!open(&night, None, "2025-07-04", 60));
    assert!(!open(&night, None, "2025-07-06", 23 * 60));
    // Days take starting days away, hours take instants away.
    let saturday = Window { parts: vec![Part::Weekdays(5, 5)], except: None };
    assert!(open(&night, Some(saturday.clone()), "2025-07-05", 60));
    assert!(!open(&night, Some(saturday), "2025-07-06", 60));
    let early = Window { parts: vec![hours(0, 2)], except: None };
    assert!(!open(&night, Some(early.clone()), "2025-07-05", 60));
    assert!(open(&night, Some(early), "2025-07-05", 2 * 60));
    // Named, they mean what they mean written out: 2025-07-05 and 06 are the weekend.
    let (quiet, weekend) = (Part::Named("quiet".into()), Part::Named("weekend".into()));
    let off = || Some(Window { parts: vec![weekend.clone()], except: None });
    for weekend_nights in [
        [weekend.clone(), quiet.clone()],
        [Part::Weekdays(5, 6), quiet.clone()],
        [weekend.clone(), hours(22, 6)],
    ] {
        assert!(!open(&weekend_nights, None, "2025-07-05", 60));
        assert!(open(&weekend_nights, None, "2025-07-06", 60));
        assert!(open(&weekend_nights, None, "2025-07-07", 60));
        assert!(!open(&weekend_nights, None, "2025-07-07", 23 * 60));
    }
    assert!(open(std::slice::from_ref(&quiet), off(), "2025-07-05", 60));
    assert!(!open(std::slice::from_ref(&quiet), off(), "2025-07-06", 60));
    assert!(!open(std::slice::from_ref(&quiet), off(), "2025-07-07", 60));
    // Hours side by side: from four to six, though one night started the day before.
    assert!(open(&[quiet.clone(), hours(4, 8)], None, "2025-07-05", 5 * 60));
    assert!(!open(&[quiet, hours(4, 8)], None, "2025-07-05", 7 * 60));
    assert!(open(&[Part::NthWeekday(5, 3)], None, "2025-07-31", 0));
    assert!(!open(&[Part::NthWeekday(4, 3)], None, "2025-07-31", 0));
    assert!(open(&[Part::NthWeekday(1, 1)], None, "2025-07-01", 1439));
    assert!(open(&[Part::Yearly((12, 24), (1, 2))], None, "2025-01-02", 0));
    assert!(!open(&[Part::Yearly((12, 24), (1, 2))], None, "2025-01-03", 0));
    assert!(open(&[Part::Months(11, 2), Part::Weekdays(5, 0)], None, "2025-02-03", 0));
}

#[test]
fn the_hour_that_does_not_exist_and_the_one_that_comes_twice() {
    let oslo = Tz::Europe__Oslo;
    let mut tariff = list("NOK", oslo, &[]);
    tariff.charges = vec![charge(
        Kind::ConnectedTime,
        vec![case(rate("1.00", Per::Min), &[during(&[hours(2, 3)])]), free(&[])],
    )];
    let spring = session(oslo, "1", "2025-03-30 01:00", "2025-03-30 04:00", None);
    assert_eq!(priced(&tariff, &spring, &[]).total, 0);
    let autumn = session(oslo, "1", "2025-10-26 01:00", "2025-10-26 04:00", None);
    assert_eq!(priced(&tariff, &autumn, &[]).total, 12000);
    // Midnight that does not exist: the day starts at one.
    let sp = Tz::America__Sao_Paulo;
    let mut tariff = list("BRL", sp, &[]);
    tariff.charges = vec![charge(Kind::ConnectedTime, vec![case(rate("1.00", Per::Hour), &[])])];
    tariff.charges[0].limits = vec![at_most("1.50", Span::Day)];
    let night = session(sp, "1", "2018-11-03 22:00", "2018-11-04 02:00", None);
    // Two hours before midnight capped at 1.50, one hour after.
    assert_eq!(priced(&tariff, &night, &[]).total, 250);
    // Clocks go back at midnight: three hours belong to the first day.
    let night = session(sp, "1", "2018-02-17 22:00", "2018-02-18 01:00", None);
    assert_eq!(priced(&tariff, &night, &[]).total, 250);
}

#[test]
fn energy_thresholds_are_exact() {
    let oslo = Tz::Europe__Oslo;
    let mut tariff = list("NOK", oslo, &[]);
    let up_to = |beyond| Condition::SoFar {
        beyond,
        measure: Measure { counted: Counted::Energy, span: Span::Month, who: Who::Driver, in_a_row: false },
        amount: 10 * MICRO,
    };
    tariff.charges = vec![
        charge(Kind::Energy, vec![case(rate("1.00", Per::Kwh), &[up_to(false)]), free(&[])]),
        charge(Kind::ChargingTime, vec![free(&[up_to(false)]), case(rate("60.00", Per::Hour), &[])]),
    ];
    let july = Period::of(Span::Month, date("2025-07-05"));
    let standing = Standing { energy: vec![(Who::Driver, july, 3 * MICRO)], ..Standing::default() };
    // 7 of 9 kWh are left: reached after 7/9 of 1 h = 46 min 40 s, the rest costs 13.333 min.
    let one = session(oslo, "9", "2025-07-05 10:00", "2025-07-05 11:00", None);
    let bill = super::bill::bill(&tariff, &one, &[], &standing);
    assert_eq!(bill.exact(0), whole(7));
    assert_eq!(bill.exact(1), fraction(40, 3));
    // 7 of 13 kWh: the instant is rounded up to a whole millisecond, the register is not.
    let one = session(oslo, "13", "2025-07-05 10:00", "2025-07-05 11:00", None);
    let bill = super::bill::bill(&tariff, &one, &[], &standing);
    assert_eq!(bill.exact(0), whole(7));
    assert_eq!(bill.exact(1), fraction(3_600_000 - 1_938_462, 60_000));
    // A new month starts at zero.
    let over = session(oslo, "20", "2025-07-31 23:00", "2025-08-01 01:00", None);
    let bill = super::bill::bill(&tariff, &over, &[], &standing);
    assert_eq!(bill.exact(0), whole(17));
}

#[test]
fn only_idle_is_idle() {
    let oslo = Tz::Europe__Oslo;
    let mut tariff = list("NOK", oslo, &[]);
    let idle = || charge(Kind::IdleFee, vec![case(rate("1.00", Per::Min), &[])]);
    let mut in_a_row = after(idle(), Allowance::Time(10 * MIN));
    in_a_row.label = Some("In a row".into());
    in_a_row.after.as_mut().unwrap().in_a_row = true;
    tariff.charges = vec![
        after(idle(), Allowance::Time(10 * MIN)),
        in_a_row,
        charge(Kind::ParkingTime, vec![case(rate("1.00", Per::Min), &[])]),
    ];
    let mut it = session(oslo, "5", "2025-07-05 10:00", "2025-07-05 11:00", None);
    let minute = |m: i64| it.plugged_in + m * 60_000;
    it.states = vec![
        (minute(0), State::Waiting),
        (minute(5), State::Charging),
        (minute(15), State::Idle),
        (minute(23), State::Charging),
        (minute(30), State::Idle),
        (minute(36), State::Paused),
        (minute(40), State::Idle),
        (minute(46), State::Feeding),
    ];
    let bill = priced(&tariff, &it, &[]);
    // Idle 8 + 6 + 6 = 20 min; in a row 8, then 12; parking 5 + 8 + 6 + 4 + 6.
    assert_eq!([bill.exact(0), bill.exact(1), bill.exact(2)], [whole(10), whole(2), whole(29)]);
}

#[test]
fn steps_limits_and_shares() {
    let oslo = Tz::Europe__Oslo;
    let vat = [
        ("25", vec![Condition::Until(date("2025-07-05"), None)]),
        ("15", vec![Condition::From(date("2025-07-06"), None)]),
    ];
    let mut tariff = list("NOK", oslo, &vat);
    let mut parking = charge(Kind::ConnectedTime, vec![case(rate("3.00", Per::Hour), &[])]);
    parking.step = Some(45 * MIN);
    parking.limits = vec![at_most("2.50", Span::Day), at_most("5.00", Span::Session)];
    tariff.charges = vec![parking];
    tariff.total = vec![Limit {
        floor: true,
        amount: Dec::of("6.00"),
        span: Span::Session,
        per_driver: false,
        after_energy: Some(MICRO),
    }];
    // 50 min + 50 min = 100 -> 135 min: 2.50 before midnight, (50 + 35) min x 0.05 = 4.25 capped at 2.50 after.
    let it = session(oslo, "2", "2025-07-05 23:10", "2025-07-06 00:50", None);
    let bill = priced(&tariff, &it, &[]);
    assert_eq!(bill.exact(0), whole(5));
    assert_eq!(bill.extras[0].amounts.iter().map(|a| a.1).collect::<Vec<_>>(), [50, 50]);
    assert_eq!((bill.net, bill.vat_total), (600, 75 + 45));
    let little = session(oslo, "0.9", "2025-07-05 23:10", "2025-07-06 00:50", None);
    assert_eq!(priced(&tariff, &little, &[]).net, 500);
    let thirds: Vec<Q> = vec![fraction(1000, 3); 3];
    assert_eq!(largest_remainder(1000, &thirds), [334, 333, 333]);
    assert_eq!(largest_remainder(-67, &[fraction(-337, 10), fraction(-333, 10)]), [-34, -33]);
}
