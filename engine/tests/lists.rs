//! A session that goes over to another list while it runs: amounts by hand, one change against the two halves, and that a change to
//! a list that says the same changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a panic is a failed test; the lists are small"
)]

mod build;

use build::{List, assert_adds_up, constant, dec, instant, minor};
use takst_engine::document::{Document, Inputs};
use takst_engine::lists::{Lists, RunningLists, Unfit, fits, price_lists, same_terms};
use takst_engine::tariff::*;
use takst_engine::units::{Energy, Instant};
use takst_engine::{Begin, Prepared, PriceBook, Pricing, Session, Standing, price};

// From ten to two o'clock, charging to noon: 10 kWh an hour, then idle.
const SESSION: &str = r#"{"id":"s","driver":"d","plugged_in":"2025-03-10T10:00:00Z","unplugged":"2025-03-10T14:00:00Z",
    "readings":[{"at":"2025-03-10T10:00:00Z","import_kwh":"100"},{"at":"2025-03-10T12:00:00Z","import_kwh":"120"},
                {"at":"2025-03-10T14:00:00Z","import_kwh":"120"}],
    "states":[{"from":"2025-03-10T10:00:00Z","state":"charging"},{"from":"2025-03-10T12:00:00Z","state":"idle"}]}"#;

fn energy(price: &str) -> List {
    let mut list = List::new("EUR", true);
    list.energy(constant(price));
    list.0.name = format!("List at {price}");
    list
}

fn with(list: List, what: impl FnOnce(&mut List)) -> List {
    let mut list = list;
    what(&mut list);
    list
}

fn per(list: &mut List, kind: ChargeKind, label: &str, per: Per, price: &str) {
    let root = list.price(per, constant(price));
    list.charge(kind, label, root);
}

fn limit(list: &mut List, charge: usize, floor: bool, span: Span, who: Who, amount: &str) {
    let limit =
        Limit { floor, amount: dec(amount), span, who, after_energy: None, after_time: None, rule: 0 };
    list.0.charges[charge].limits.push(limit);
}

fn total_limit(list: &mut List, floor: bool, amount: &str) {
    let (span, who) = (Span::Session, Who::Session);
    let limit =
        Limit { floor, amount: dec(amount), span, who, after_energy: None, after_time: None, rule: 0 };
    list.0.total_limits.push(limit);
}

fn idle_after(list: &mut List, minutes: i64, price: &str) {
    let root = list.price(Per::Minute, constant(price));
    let measure = Measure::Time { time: Time::Idle, span: Span::Session, who: Who::Session };
    list.charge(ChargeKind::IdleFee, "Idle fee", root).after =
        Some(After { measure, amount: AfterAmount::Fixed(minutes * 60_000) });
}

fn priced(lists: &[(&str, &List)], session: &str, standing: &Standing) -> Document {
    let prepared: Vec<Prepared> = lists.iter().map(|(_, list)| List(list.0.clone()).ready()).collect();
    let book = PriceBook::default();
    let pricings: Vec<Pricing<'_>> =
        prepared.iter().map(|prepared| Pricing::new(prepared, &book).unwrap()).collect();
    let mut all = Lists::new(&pricings[0]);
    for ((from, _), pricing) in lists.iter().zip(&pricings).skip(1) {
        all = all.then(instant(from), pricing);
    }
    let session = Session::from_json(session).unwrap();
    let bill = price_lists(&all, &session, standing).unwrap();
    let document = bill.document(&all, &session, Inputs::default());
    assert_adds_up(&document);
    assert_eq!(document.total, takst_engine::document::money(bill.total(), 2));
    document
}

fn alone(list: &List, session: &str) -> Document {
    let prepared = List(list.0.clone()).ready();
    let book = PriceBook::default();
    let pricing = Pricing::new(&prepared, &book).unwrap();
    let session = Session::from_json(session).unwrap();
    price(&pricing, &session, &Standing::default()).unwrap().document(&pricing, &session, Inputs::default())
}

fn rows(document: &Document) -> Vec<String> {
    let row = |row: &takst_engine::document::ChargeDoc| {
        let since = row.since.as_ref().map(|since| format!(" since {}", &since[11..16])).unwrap_or_default();
        format!("{} {}{since}", row.label, row.amount)
    };
    document.charges.iter().map(row).collect()
}

fn changed(first: &List, next: &List) -> Document {
    priced(&[("", first), ("2025-03-10T11:00:00Z", next)], SESSION, &Standing::default())
}

// A session of which nothing was heard yet but that it tells its states.
fn begun(lists: &Lists<'_>, session: &Session) -> RunningLists {
    let begin = Begin { plugged_in: session.plugged_in, explicit_states: true, explicit_power: false };
    RunningLists::begin(lists, &session.facts, &begin, &Standing::default()).unwrap()
}

#[test]
fn energy_before_and_after() {
    // 10 kWh at 0.30, then 10 kWh at 0.50.
    let document = changed(&energy("0.30"), &energy("0.50"));
    assert_eq!(rows(&document), ["Energy 3.00", "Energy 5.00 since 12:00"]);
    assert_eq!((document.total.as_str(), document.net.as_str(), document.vat.len()), ("8.00", "6.40", 1));
    assert_eq!(document.tariff.name, "List at 0.30");
    let change = &document.tariff_changes[0];
    assert_eq!((change.name.as_str(), change.from.as_str()), ("List at 0.50", "2025-03-10T12:00:00+01:00"));
    assert_ne!(change.version, document.tariff.version);
    let lines: Vec<(&str, &str, Option<&str>)> = (document.lines.iter())
        .map(|line| (&line.from[11..16], &line.to[11..16], line.quantity.as_deref()))
        .collect();
    assert_eq!(lines, [("11:00", "12:00", Some("10")), ("12:00", "13:00", Some("10"))]);
    assert_eq!(document.lines[1].since.as_deref(), Some("2025-03-10T12:00:00+01:00"));
}

#[test]
fn several_changes_and_one_that_comes_when_it_is_over() {
    let [first, second, third, late] = ["0.30", "0.50", "0.70", "9"].map(energy);
    let lists = [
        ("", &first),
        ("2025-03-10T10:30:00Z", &second),
        ("2025-03-10T11:30:00Z", &third),
        ("2025-03-10T14:00:00Z", &late),
    ];
    let document = priced(&lists, SESSION, &Standing::default());
    // 5 kWh, 10 kWh and 5 kWh.
    assert_eq!(rows(&document), ["Energy 1.50", "Energy 5.00 since 11:30", "Energy 3.50 since 12:30"]);
    assert_eq!(document.tariff_changes.len(), 2);
    let one = priced(&[("", &first), ("2025-03-10T14:00:00Z", &late)], SESSION, &Standing::default());
    assert_eq!(one, alone(&first, SESSION));
    // One that came before plug-in is all there is of by-the-unit prices.
    let early = priced(&[("", &first), ("2025-03-10T10:00:00Z", &second)], SESSION, &Standing::default());
    assert_eq!(rows(&early), ["Energy 10.00 since 11:00"]);
}

#[test]
fn a_grace_counts_on_over_the_change() {
    // Idle from noon. The change comes 20 minutes later; both lists give 30 free minutes: 90 at 0.10.
    let first = with(energy("0.30"), |list| idle_after(list, 30, "1.00"));
    let next = with(energy("0.30"), |list| idle_after(list, 30, "0.10"));
    let lists = [("", &first), ("2025-03-10T12:20:00Z", &next)];
    let document = priced(&lists, SESSION, &Standing::default());
    assert_eq!(rows(&document), ["Energy 6.00", "Idle fee 9.00 since 13:20"]);
    // Ten minutes under the first list, then 80 under the next.
    let lists = [("", &first), ("2025-03-10T12:40:00Z", &next)];
    let document = priced(&lists, SESSION, &Standing::default());
    assert_eq!(rows(&document), ["Energy 6.00", "Idle fee 10.00", "Idle fee 8.00 since 13:40"]);
}

#[test]
fn what_is_charged_once_is_that_of_plug_in() {
    let once = |start: &str, flat: &str, price: &str, fee: &str| {
        with(energy(price), |list| {
            per(list, ChargeKind::StartFee, "Start fee", Per::Session, start);
            per(list, ChargeKind::FlatFee, "Flat fee", Per::Session, flat);
            list.payment_fee(fee);
        })
    };
    let (first, next) = (once("1.00", "2.00", "0.30", "0.05"), once("100", "200", "0.50", "300"));
    let document = changed(&first, &next);
    assert_eq!(
        rows(&document),
        ["Energy 3.00", "Start fee 1.00", "Flat fee 2.00", "Payment fee 0.05", "Energy 5.00 since 12:00"]
    );
    // A list that had none is not given one.
    let document = changed(&energy("0.30"), &next);
    assert_eq!(rows(&document), ["Energy 3.00", "Energy 5.00 since 12:00"]);
}

#[test]
fn a_start_fee_that_waits_for_energy_stays_that_of_plug_in() {
    let waiting = |price: &str, fee: &str| {
        with(energy(price), |list| {
            per(list, ChargeKind::StartFee, "Start fee", Per::Session, fee);
            let measure = Measure::Energy { span: Span::Session, who: Who::Session };
            list.0.charges[1].after = Some(After { measure, amount: AfterAmount::Fixed(15_000_000) });
        })
    };
    // 15 kWh are reached half an hour after the change.
    let document = changed(&waiting("0.30", "1.00"), &waiting("0.50", "7.00"));
    assert_eq!(rows(&document), ["Energy 3.00", "Start fee 1.00", "Energy 5.00 since 12:00"]);
}

#[test]
fn a_cap_counts_what_was_charged_before() {
    let cap = |list: &mut List, amount: &str| limit(list, 0, false, Span::Session, Who::Session, amount);
    // 3.00 stand; 4.00 are the most: 1.00 more.
    let document = changed(&energy("0.30"), &with(energy("0.50"), |list| cap(list, "4.00")));
    assert_eq!(rows(&document), ["Energy 3.00", "Energy 1.00 since 12:00"]);
    // Nothing that was charged is taken back.
    let document = changed(&energy("0.30"), &with(energy("0.50"), |list| cap(list, "2.00")));
    assert_eq!(rows(&document), ["Energy 3.00", "Energy 0.00 since 12:00"]);
    // The first list's cap binds the first list.
    let document = changed(&with(energy("0.30"), |list| cap(list, "2.50")), &energy("0.50"));
    assert_eq!(rows(&document), ["Energy 2.50", "Energy 5.00 since 12:00"]);
    // On the total.
    let document = changed(&energy("0.30"), &with(energy("0.50"), |list| total_limit(list, false, "4.00")));
    assert_eq!(document.total, "4.00");
    let document = changed(&energy("0.30"), &with(energy("0.50"), |list| total_limit(list, false, "2.00")));
    assert_eq!(document.total, "3.00");
}

#[test]
fn a_floor_is_that_of_plug_in_and_holds_once() {
    let floor = |list: &mut List, amount: &str| limit(list, 0, true, Span::Session, Who::Session, amount);
    let document = changed(
        &with(energy("0.30"), |list| floor(list, "9.00")),
        &with(energy("0.50"), |list| floor(list, "50")),
    );
    assert_eq!((document.total.as_str(), rows(&document)[1].as_str()), ("9.00", "Energy 5.00 since 12:00"));
    let document = changed(
        &with(energy("0.30"), |list| total_limit(list, true, "9.00")),
        &with(energy("0.50"), |list| total_limit(list, true, "50")),
    );
    assert_eq!(document.total, "9.00");
    let document = changed(&energy("0.30"), &with(energy("0.50"), |list| total_limit(list, true, "50")));
    assert_eq!(document.total, "8.00");
    let document = changed(&with(energy("0.30"), |list| total_limit(list, true, "7.00")), &energy("0.50"));
    assert_eq!(document.total, "8.00");
}

#[test]
fn caps_over_several_sessions_move_their_counter_once() {
    let cap = |list: &mut List, amount: &str| limit(list, 0, false, Span::Month, Who::Driver, amount);
    let (first, next) =
        (with(energy("0.30"), |list| cap(list, "20")), with(energy("0.50"), |list| cap(list, "20")));
    let standing = Standing::from_json(r#"{"driver limit Energy 2025-03": "13"}"#).unwrap();
    let lists = [("", &first), ("2025-03-10T11:00:00Z", &next)];
    let document = priced(&lists, SESSION, &standing);
    // 13 + 3 leave 4 of 20.
    assert_eq!(rows(&document), ["Energy 3.00", "Energy 4.00 since 12:00"]);
    assert_eq!(document.standing.get("driver limit Energy 2025-03"), dec("20"));
    // A list without the limit counts nothing by itself; the next one counts what it charged.
    let free = energy("0.30");
    let lists = [("", &free), ("2025-03-10T11:00:00Z", &next)];
    let document = priced(&lists, SESSION, &standing);
    assert_eq!(rows(&document), ["Energy 3.00", "Energy 4.00 since 12:00"]);
    // So it does where it charges nothing itself.
    let nothing = with(energy("0"), |list| cap(list, "20"));
    let document = priced(&[("", &free), ("2025-03-10T11:00:00Z", &nothing)], SESSION, &standing);
    assert_eq!(document.total, "3.00");
    assert_eq!(document.standing.get("driver limit Energy 2025-03"), dec("16"));
}

#[test]
fn steps_are_filled_up_once_at_the_end() {
    let steps = |price: &str| {
        with(List::new("EUR", true), |list| {
            per(list, ChargeKind::ConnectedTime, "Time", Per::Hour, price);
            list.0.charges[0].step = Some(90 * 60_000);
        })
    };
    // Four hours are two and two thirds steps: filled up to 4.5 hours, the half at the last price.
    let document = changed(&steps("1.00"), &steps("2.00"));
    assert_eq!(rows(&document), ["Time 1.00", "Time 7.00 since 12:00"]);
    // Charging ends under the first list: its step is filled up there.
    let charging = |price: &str| {
        with(List::new("EUR", true), |list| {
            per(list, ChargeKind::ChargingTime, "Time", Per::Hour, price);
            list.0.charges[0].step = Some(90 * 60_000);
        })
    };
    let (first, next) = (charging("1.00"), charging("2.00"));
    let lists = [("", &first), ("2025-03-10T13:00:00Z", &next)];
    assert_eq!(rows(&priced(&lists, SESSION, &Standing::default())), ["Time 3.00"]);
}

#[test]
fn rebates_are_given_once() {
    let rebated = |price: &str, rebate: Rebate| {
        with(energy(price), |list| {
            let root = list.leaf(Outcome::Applies);
            let label = "Welcome".to_owned();
            list.0.discounts.push(Discount {
                label,
                rule: 0,
                root,
                not_with_coupon: false,
                rebate,
                charges: vec![0],
            });
        })
    };
    let share = |price, share| rebated(price, Rebate::Share(dec(share)));
    let amount = |price, amount| rebated(price, Rebate::Amount(dec(amount)));
    let free = |price, kwh: i64| rebated(price, Rebate::FreeEnergy(kwh * 1_000_000));
    // Each list its own share: 3.00 - 0.30 + 5.00 - 1.00.
    assert_eq!(changed(&share("0.30", "0.1"), &share("0.50", "0.2")).total, "6.70");
    // 4.00 in all: 3.00 of it are used up before the change.
    assert_eq!(changed(&amount("0.30", "4.00"), &amount("0.50", "4.00")).total, "4.00");
    assert_eq!(changed(&amount("0.30", "2.00"), &amount("0.50", "2.00")).total, "6.00");
    // The first 12 kWh of the session: 10 before the change, 2 after it.
    assert_eq!(changed(&free("0.30", 12), &free("0.50", 12)).total, "4.00");
    assert_eq!(changed(&energy("0.30"), &free("0.50", 12)).total, "7.00");
}

#[test]
fn a_charge_is_rounded_once_over_the_session() {
    // 3.333 kWh twice at 0.0015 EUR: 0.0049995 are 0.00 and, together, 0.009999 are 0.01.
    let text = SESSION.replace("\"120\"", "\"106.666\"");
    let (first, next) = (energy("0.0015"), with(energy("0.0015"), |list| list.0.name = "Next".into()));
    let lists = [("", &first), ("2025-03-10T11:00:00Z", &next)];
    let document = priced(&lists, &text, &Standing::default());
    assert_eq!(rows(&document), ["Energy 0.00", "Energy 0.01 since 12:00"]);
    assert_eq!(document.total, alone(&first, &text).total);
}

#[test]
fn rates_of_vat_stand_apart_and_equal_ones_together() {
    let reduced = with(energy("0.50"), |list| list.0.tax_classes[0].taxes[0].rate = dec("10"));
    let document = changed(&energy("0.30"), &reduced);
    let vat: Vec<(&str, &str)> =
        document.vat.iter().map(|tax| (tax.rate.as_str(), tax.vat.as_str())).collect();
    // 3.00 with 25 % and 5.00 with 10 % in it.
    assert_eq!(vat, [("25", "0.60"), ("10", "0.45")]);
    assert_eq!((document.net.as_str(), document.total.as_str()), ("6.95", "8.00"));
}

#[test]
fn lists_that_one_bill_cannot_say_do_not_fit() {
    let first = energy("0.30").0;
    assert_eq!(fits(&first, &energy("0.50").0), Ok(()));
    let kroner = List::new("NOK", true).0;
    assert_eq!(fits(&first, &kroner), Err(Unfit::Currency { first: "EUR".into(), next: "NOK".into() }));
    assert_eq!(fits(&first, &List::new("EUR", false).0), Err(Unfit::Vat { next: false }));
    let mut elsewhere = energy("0.50").0;
    elsewhere.zone.name = "Europe/Helsinki".into();
    elsewhere.zone.first_offset_s += 3_600;
    let unfit = fits(&first, &elsewhere).unwrap_err();
    assert_eq!(
        unfit.to_string(),
        "its time zone is Europe/Helsinki, and that of the list of plug-in Europe/Oslo"
    );
    let vat = fits(&first, &List::new("EUR", false).0).unwrap_err().to_string();
    assert_eq!(vat, "its prices are excluding VAT, and those of the list of plug-in including");
}

#[test]
fn a_list_with_other_remarks_has_the_same_terms() {
    let list = energy("0.30").0;
    let with = |change: fn(&mut Tariff)| {
        let mut other = list.clone();
        change(&mut other);
        assert_ne!(takst_engine::prepared::version(&list), takst_engine::prepared::version(&other));
        same_terms(&list, &other)
    };
    assert!(with(|list| list.notes.push(("website".to_owned(), "https://example.com".to_owned()))));
    assert!(with(|list| list.file = "other.tariff".to_owned()));
    assert!(with(|list| list.valid_from = Some(instant("2025-01-01T00:00:00Z"))));
    assert!(with(|list| list.running_sessions_change = true));
    assert!(with(|list| list
        .sources
        .push(Source { file: "base.tariff".into(), text: "# A remark.".into() })));
    assert!(with(|list| list.rules[0].line += 1));
    assert!(!with(|list| list.name.push('!')));
    assert!(!with(|list| list.includes_vat = false));
    assert!(!with(|list| list.rules.push(Rule { source: 0, line: 9 })));
    let dearer = energy("0.31").0;
    assert!(!same_terms(&list, &Tariff { name: list.name.clone(), ..dearer }));
}

#[test]
fn a_later_list_is_asked_whether_it_is_in_force_when_it_takes_over() {
    let mut next = energy("0.50");
    next.0.valid_from = Some(instant("2025-03-10T11:00:00Z"));
    assert_eq!(changed(&energy("0.30"), &next).total, "8.00");
}

#[test]
fn the_running_cost_goes_over_at_the_change() {
    let prepared = [energy("0.30").ready(), energy("0.50").ready()];
    let book = PriceBook::default();
    let pricings = prepared.each_ref().map(|prepared| Pricing::new(prepared, &book).unwrap());
    let lists = Lists::new(&pricings[0]).then(instant("2025-03-10T11:00:00Z"), &pricings[1]);
    let session = Session::from_json(SESSION).unwrap();
    let mut running = begun(&lists, &session);
    for state in &session.states {
        running.state(&lists, *state).unwrap();
    }
    let mut at = |time: &str, kwh: i64| {
        let reading = takst_engine::session::Reading {
            at: instant(time),
            import: Energy(kwh * 1_000_000),
            export: Energy(0),
            segment: 0,
        };
        running.readings(&lists, &[reading]).unwrap();
        running.so_far(&lists).unwrap().total
    };
    assert_eq!(at("2025-03-10T10:00:00Z", 100), 0);
    assert_eq!(at("2025-03-10T10:30:00Z", 105), 150);
    // The change lies between these two.
    assert_eq!(at("2025-03-10T11:30:00Z", 115), 300 + 250);
    assert_eq!(at("2025-03-10T12:00:00Z", 120), 300 + 500);
    // What is foreseen counts the change too.
    let mut early = begun(&lists, &session);
    early.readings(&lists, &session.readings[..1]).unwrap();
    let ahead = early.ahead(&lists, instant("2025-03-10T12:00:00Z"), Energy(20_000_000)).unwrap();
    assert_eq!((ahead.total, ahead.energy), (800, Energy(20_000_000)));
    assert_eq!(running.now(), Instant(instant("2025-03-10T12:00:00Z").0));
}

#[test]
fn the_running_cost_knows_limits_on_the_total() {
    // 5.00 by the first list; of the next 5.00 a total of 7.00 leaves 2.00.
    let capped = with(energy("0.50"), |list| total_limit(list, false, "7.00"));
    assert_eq!(changed(&energy("0.50"), &capped).total, "7.00");
    let prepared = [energy("0.50").ready(), capped.ready()];
    let book = PriceBook::default();
    let pricings = prepared.each_ref().map(|prepared| Pricing::new(prepared, &book).unwrap());
    let lists = Lists::new(&pricings[0]).then(instant("2025-03-10T11:00:00Z"), &pricings[1]);
    let session = Session::from_json(SESSION).unwrap();
    let mut running = begun(&lists, &session);
    for state in &session.states {
        running.state(&lists, *state).unwrap();
    }
    for reading in &session.readings {
        running.readings(&lists, std::slice::from_ref(reading)).unwrap();
    }
    assert_eq!(running.so_far(&lists).unwrap().total, 700);
}

#[test]
fn the_time_before_the_change_costs_what_the_first_list_says() {
    // A bit of everything, cut at every five minutes.
    let first = with(energy("0.2973"), |list| {
        idle_after(list, 10, "0.07");
        per(list, ChargeKind::ConnectedTime, "Time", Per::Hour, "0.33");
    });
    let next = with(energy("0.4411"), |list| {
        idle_after(list, 25, "0.11");
        per(list, ChargeKind::ConnectedTime, "Time", Per::Hour, "0.77");
    });
    for minute in (5..240).step_by(5) {
        let at = takst_engine::calendar_time::utc_text(Instant(
            instant("2025-03-10T10:00:00Z").0 + minute * 60_000,
        ));
        let document = priced(&[("", &first), (&at, &next)], SESSION, &Standing::default());
        // The same session, ended at the change.
        // Registers lie on the straight line, rounded half up to a millionth.
        let kwh = 100_000_000 + (minute.min(120) * 2_000_000 + 6) / 12;
        let cut = cut_at(&at, kwh, minute);
        let before = alone(&first, &cut);
        let of_first: i64 =
            document.charges.iter().filter(|row| row.since.is_none()).map(|row| minor(&row.amount)).sum();
        assert_eq!(of_first, minor(&before.total), "{minute} minutes");
        let energy: i64 = (document.lines.iter().filter(|line| line.charge == "energy"))
            .map(|line| dec(line.quantity.as_ref().unwrap()).checked_mul(dec("1000000")).unwrap())
            .map(|micro| i64::try_from(micro.normalize().mantissa()).unwrap())
            .sum();
        assert_eq!(energy, 20_000_000, "{minute} minutes");
    }
}

fn cut_at(at: &str, micro_kwh: i64, minute: i64) -> String {
    let kwh = Energy(micro_kwh).kwh();
    let idle = if minute > 120 { r#",{"from":"2025-03-10T12:00:00Z","state":"idle"}"# } else { "" };
    format!(
        r#"{{"id":"s","driver":"d","plugged_in":"2025-03-10T10:00:00Z","unplugged":"{at}",
        "readings":[{{"at":"2025-03-10T10:00:00Z","import_kwh":"100"}},{{"at":"{}","import_kwh":"{kwh}"}}],
        "states":[{{"from":"2025-03-10T10:00:00Z","state":"charging"}}{idle}]}}"#,
        if minute > 120 { "2025-03-10T12:00:00Z" } else { at }
    )
}
