//! The engine's whole-number arithmetic against plain fractions of any size: right, or refused as too large, never wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use proptest::prelude::*;
use serde_json::json;
use std::cmp::Ordering;
use takst_dsl::{SourceFile, compile};
use takst_engine::exact::{Counted, Exact, Num, Overflow, PRODUCT_PLACES, QUOTIENT_PLACES, print_decimal};
use takst_engine::{Prepared, PriceBook, PriceError, Pricing, Session, Standing, price};

type Q = BigRational;

fn q(numerator: i128, denominator: i128) -> Q {
    Q::new(numerator.into(), denominator.into())
}

fn power(places: u32) -> Q {
    Q::from_integer(BigInt::from(10).pow(places))
}

/// Whole units of the last of so many places, halves away from zero.
fn units(value: &Q, places: u32) -> BigInt {
    let twice = (value.abs() * power(places) * q(2, 1) + q(1, 1)).floor().to_integer();
    let half_up: BigInt = twice / 2;
    if value.is_negative() { -half_up } else { half_up }
}

fn rounded(value: &Q, places: u32) -> Q {
    Q::from_integer(units(value, places)) / power(places)
}

fn below(value: &Q, places: u32) -> bool {
    value.abs() < power(places)
}

/// What a printed decimal is worth.
fn read(text: &str) -> Q {
    let (left, right) = text.split_once('.').unwrap_or((text, ""));
    let digits: BigInt = format!("{left}{right}").parse().unwrap();
    Q::from_integer(digits) / power(u32::try_from(right.len()).unwrap())
}

fn value(num: Num) -> Q {
    read(&num.to_plain())
}

/// Everyday numbers, and those at the edges of 64 and 128 bits and of powers of ten.
fn mantissas() -> impl Strategy<Value = i128> {
    let edges = prop_oneof![
        Just(i128::from(i64::MAX)),
        Just(i128::from(u64::MAX)),
        Just(i128::MAX),
        Just(i128::MAX / 10),
        Just(i128::MAX / 432),
        (0_u32..39).prop_map(|places| 10_i128.pow(places)),
        (0_u32..127).prop_map(|bits| 1_i128 << bits),
    ];
    let near = (edges, -3_i128..=3, any::<bool>()).prop_map(|(edge, by, negative)| {
        let near = edge.saturating_add(by);
        if negative { near.saturating_neg() } else { near }
    });
    prop_oneof![
        3 => -1_000_000_i128..1_000_000,
        2 => -1_000_000_000_000_000_i128..1_000_000_000_000_000,
        1 => any::<i64>().prop_map(i128::from),
        1 => any::<i128>(),
        2 => near,
    ]
}

fn nums() -> impl Strategy<Value = Num> {
    (mantissas(), 0..=PRODUCT_PLACES).prop_map(|(mantissa, places)| Num::new(mantissa, places))
}

fn quantities() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => -10_000_000_i64..10_000_000,
        2 => any::<i32>().prop_map(i64::from),
        1 => any::<i64>(),
        1 => Just(i64::MAX),
        1 => Just(i64::MIN + 1),
    ]
}

fn counted() -> impl Strategy<Value = Counted> {
    prop_oneof![Just(Counted::Energy), Just(Counted::Hours), Just(Counted::Minutes), Just(Counted::Pieces)]
}

fn per(counted: Counted) -> i128 {
    match counted {
        Counted::Energy => 1_000_000,
        Counted::Hours => 3_600_000,
        Counted::Minutes => 60_000,
        Counted::Pieces => 1,
    }
}

/// An amount as the engine has it, and what it is.
type Amount = (Exact, Q);

/// Amounts that can be counted, as sums of one to three products.
fn amounts() -> impl Strategy<Value = Option<Amount>> {
    let product = (nums(), quantities(), counted()).prop_map(|(price, quantity, counted)| {
        let worth = value(price) * q(i128::from(quantity), per(counted));
        (Exact::product(price, quantity, counted).ok(), worth)
    });
    proptest::collection::vec(product, 1..4).prop_map(|products| {
        let (mut sum, mut worth) = (Exact::ZERO, Q::zero());
        for (amount, exact) in products {
            sum = sum.add(amount?).ok()?;
            worth += exact;
        }
        Some((sum, worth))
    })
}

fn holds<T>(found: Result<T, Overflow>, small: bool, check: impl FnOnce(T)) {
    match found {
        Ok(found) => check(found),
        Err(Overflow) => assert!(!small, "too large, and it is small"),
    }
}

/// All that can be asked about an amount.
fn is_worth(amount: Exact, worth: &Q) {
    for places in 0..=QUOTIENT_PLACES {
        holds(amount.rounded(places), below(worth, 16), |found| {
            assert_eq!(BigInt::from(found), units(worth, places), "{worth} to {places} places");
        });
    }
    for digits in 0..=4 {
        holds(amount.to_minor(digits), below(worth, 14), |found| {
            assert_eq!(BigInt::from(found), units(worth, u32::from(digits)));
        });
        holds(amount.floor_minor(digits), below(worth, 14), |(floor, _)| {
            let exact = (worth * power(u32::from(digits))).floor().to_integer();
            assert_eq!(BigInt::from(floor), exact);
        });
    }
    assert_eq!(amount.is_zero(), worth.is_zero());
    assert_eq!(amount.cmp(&Exact::ZERO), worth.cmp(&Q::zero()));
    if amount.rounded(12).is_ok() {
        assert_eq!(read(&amount.print12()), rounded(worth, 12));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers_are_added_and_compared(a in nums(), b in nums()) {
        let (left, right) = (value(a), value(b));
        let small = below(&left, 9) && below(&right, 9);
        holds(a.add(b), small, |sum| assert_eq!(value(sum), &left + &right));
        holds(a.sub(b), small, |difference| assert_eq!(value(difference), &left - &right));
        holds(a.compare(b), small, |order| assert_eq!(order, left.cmp(&right)));
        holds(a.negated(), small, |negated| assert_eq!(value(negated), -left.clone()));
        prop_assert_eq!(a.is_zero(), left.is_zero());
        prop_assert_eq!(a.is_negative(), left.is_negative());
        if a.compare(b).is_ok() {
            prop_assert_eq!(a == b, left == right);
        }
    }

    #[test]
    fn numbers_are_multiplied_and_divided(a in nums(), b in nums()) {
        let (left, right) = (value(a), value(b));
        let product = &left * &right;
        holds(a.mul(b), below(&product, 9), |found| assert_eq!(value(found), rounded(&product, PRODUCT_PLACES)));
        match a.div(b) {
            None => prop_assert!(right.is_zero()),
            Some(found) => {
                let quotient = &left / &right;
                // A divisor of more places may be refused.
                let small = below(&quotient, 20) && b.to_plain().split_once('.').is_none_or(|(_, d)| d.len() <= 26);
                holds(found, small, |found| assert_eq!(value(found), rounded(&quotient, QUOTIENT_PLACES)));
            }
        }
    }

    #[test]
    fn numbers_are_rounded_to_a_grid(a in nums(), step in nums()) {
        let (exact, grid) = (value(a), value(step));
        match a.round_to(step) {
            Ok(found) => prop_assert_eq!(value(found), Q::from_integer(units(&(&exact / &grid), 0)) * grid),
            Err(Overflow) => {
                let small = below(&exact, 8) && below(&grid, 8);
                prop_assert!(!small || !grid.is_positive(), "too large, and it is small");
            }
        }
    }

    #[test]
    fn whole_numbers_are_multiplied_and_divided(a in nums(), whole in quantities()) {
        let (exact, times) = (value(a), q(i128::from(whole), 1));
        let product = &exact * &times;
        let small = below(&exact, 4) && below(&times, 5);
        holds(a.of_whole(whole), small, |found| assert_eq!(BigInt::from(found), units(&product, 0)));
        match a.divides_whole(whole) {
            Ok(found) => prop_assert_eq!(BigInt::from(found), units(&(&times / &exact), 0)),
            Err(Overflow) => {
                let small = below(&times, 9) && exact > q(1, 1_000_000);
                prop_assert!(!small, "too large, and it is small");
            }
        }
    }

    #[test]
    fn a_price_times_a_quantity_is_exact(price in nums(), quantity in quantities(), counted in counted()) {
        let worth = value(price) * q(i128::from(quantity), per(counted));
        let found = Exact::product(price, quantity, counted);
        holds(found, below(&worth, 16) && below(&value(price), 9), |amount| is_worth(amount, &worth));
        if let Some(per_unit) = price.per_unit(counted) {
            // The short cut through whole numbers is the same amount.
            let short = Exact::whole(per_unit, quantity);
            is_worth(short, &worth);
            if let Ok(amount) = found {
                prop_assert_eq!(short, amount);
            }
        }
    }

    #[test]
    fn amounts_are_added_and_compared(a in amounts(), b in amounts()) {
        let (Some((a, left)), Some((b, right))) = (a, b) else { return Ok(()) };
        let small = below(&left, 16) && below(&right, 16);
        holds(a.add(b), small, |sum| is_worth(sum, &(&left + &right)));
        holds(a.sub(b), small, |difference| is_worth(difference, &(&left - &right)));
        holds(a.negated(), small, |negated| is_worth(negated, &-left.clone()));
        prop_assert_eq!(a.cmp(&b), left.cmp(&right));
        prop_assert_eq!(a == b, left == right);
    }

    #[test]
    fn what_is_left_below_a_minor_unit_orders_as_it_is(a in amounts(), b in amounts(), digits in 0_u8..=4) {
        let (Some((a, left)), Some((b, right))) = (a, b) else { return Ok(()) };
        let (Ok((_, a)), Ok((_, b))) = (a.floor_minor(digits), b.floor_minor(digits)) else { return Ok(()) };
        let rest = |worth: &Q| {
            let minor = worth * power(u32::from(digits));
            &minor - minor.floor()
        };
        prop_assert_eq!(a.cmp(&b), rest(&left).cmp(&rest(&right)));
    }

    #[test]
    fn shares_are_rounded_down_far_behind_what_is_printed(
        a in amounts(),
        part in amounts(),
        whole in amounts(),
    ) {
        let (Some((a, worth)), Some((part, p)), Some((whole, w))) = (a, part, whole) else { return Ok(()) };
        let Some(found) = a.share(part, whole) else {
            prop_assert!(w.is_zero());
            return Ok(());
        };
        let exact = &worth * &p / &w;
        let small = [&worth, &p, &w, &exact].iter().all(|one| below(one, 15));
        if let Ok(found) = found {
            // Off by less than one tiny unit.
            let tiny = q(1, 1) / power(33);
            let (low, high) = (&exact - &tiny, &exact + &tiny);
            for places in [2, 12] {
                match found.rounded(places).map(BigInt::from) {
                    Ok(found) => {
                        prop_assert!(units(&low, places) <= found && found <= units(&high, places));
                    }
                    Err(Overflow) => prop_assert!(!small, "too large, and it is small"),
                }
            }
        } else {
            prop_assert!(!small, "too large, and it is small");
        }
    }

    #[test]
    fn decimals_are_printed_as_they_are(number in any::<i128>(), places in 0_u32..=30) {
        let exact = Q::from_integer(number.into()) / power(places);
        let text = print_decimal(number, places, false);
        prop_assert_eq!(text.split_once('.').map_or(0, |(_, right)| right.len()), places as usize);
        prop_assert_eq!(read(&text.replace('-', "")), exact.abs());
        prop_assert_eq!(text.starts_with('-'), number < 0);
        prop_assert_eq!(read(&print_decimal(number, places, true).replace('-', "")), exact.abs());
    }
}

/// A list of constant prices, as text, and a session; all figures as they are written.
#[derive(Clone, Debug)]
struct Simple {
    includes_vat: bool,
    vat: u32,
    // Mantissa and places, per kWh, hour, minute and session.
    prices: [(i64, u32); 4],
    // Milliseconds since the reading before, millionths of a kWh.
    steps: Vec<(i64, i64)>,
}

fn simple() -> impl Strategy<Value = Simple> {
    let price = prop_oneof![
        6 => (0_i64..100_000, 2_u32..6),
        2 => (0_i64..1_000_000_000_000, Just(12_u32)),
        1 => (1_i64..1_000_000_000_000_000, 0_u32..12),
    ];
    let step = (1_i64..20_000_000, prop_oneof![Just(0_i64), 0..60_000_000_i64, 0..900_000_000_000_i64]);
    let prices = proptest::array::uniform4(price);
    (any::<bool>(), 0_u32..2_800, prices, proptest::collection::vec(step, 1..8))
        .prop_map(|(includes_vat, vat, prices, steps)| Simple { includes_vat, vat, prices, steps })
}

impl Simple {
    fn text(&self) -> String {
        let [energy, hour, minute, start] =
            self.prices.map(|(mantissa, places)| print_decimal(mantissa.into(), places, false));
        format!(
            "tariff \"Simple\"\n  currency: EUR\n  time zone: Europe/Oslo\n  prices: {} VAT\n\nVAT: {}%\n\n\
             energy: {energy} EUR/kWh\ncharging time: {hour} EUR/h\nconnected time: {minute} EUR/min\n\
             start fee: {start} EUR/session\n",
            if self.includes_vat { "including" } else { "excluding" },
            print_decimal(self.vat.into(), 2, false),
        )
    }

    fn session(&self) -> String {
        let text = |at: i64| takst_engine::calendar_time::utc_text(takst_engine::units::Instant(at));
        let (mut at, mut register) = (1_741_600_000_000, 0_i64);
        let kwh = |register: i64| print_decimal(register.into(), 6, false);
        let mut readings = vec![json!({"at": text(at), "import_kwh": "0"})];
        let from = text(at);
        for (later, more) in &self.steps {
            (at, register) = (at + later, register + more);
            readings.push(json!({"at": text(at), "import_kwh": kwh(register)}));
        }
        json!({"id": "1", "plugged_in": from, "unplugged": text(at), "readings": readings}).to_string()
    }

    /// Net, VAT and total in cents, worked out with fractions from the figures above.
    fn by_fractions(&self) -> [BigInt; 3] {
        let [energy, hour, minute, start] =
            self.prices.map(|(mantissa, places)| q(mantissa.into(), 10_i128.pow(places)));
        let sum = |of: &dyn Fn(&(i64, i64)) -> i64| q(self.steps.iter().map(|s| i128::from(of(s))).sum(), 1);
        let charges = [
            energy * sum(&|(_, kwh)| *kwh) / q(1_000_000, 1),
            hour * sum(&|(ms, kwh)| if *kwh > 0 { *ms } else { 0 }) / q(3_600_000, 1),
            minute * sum(&|(ms, _)| *ms) / q(60_000, 1),
            start,
        ];
        let printed: BigInt = charges.iter().map(|charge| units(charge, 2)).sum();
        let rate = q(self.vat.into(), 10_000);
        let cents = Q::from_integer(printed.clone());
        if self.includes_vat {
            let net = units(&(cents / (q(1, 1) + rate)), 0);
            [net.clone(), &printed - net, printed]
        } else {
            let vat = units(&(cents * rate), 0);
            [printed.clone(), vat.clone(), printed + vat]
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn simple_bills_are_what_fractions_say(simple in simple()) {
        let main = SourceFile { name: "simple.tariff".into(), text: simple.text() };
        let compiled = compile(main, &mut |name| Err(format!("there is no `{name}`")));
        let tariff = compiled.tariff.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
        let prepared = Prepared::new(tariff).unwrap();
        let book = PriceBook::default();
        let pricing = Pricing::new(&prepared, &book).unwrap();
        let session = Session::from_json(&simple.session()).unwrap();
        let exact = simple.by_fractions();
        match price(&pricing, &session, &Standing::default()) {
            Ok(bill) => {
                let found = [bill.net, bill.tax_total, bill.total].map(BigInt::from);
                prop_assert_eq!(found, exact, "{}\n{}", simple.text(), simple.session());
            }
            Err(PriceError::Overflow { .. }) => {
                prop_assert!(exact[2].abs() > BigInt::from(10_i64.pow(16)), "too large, and it is {}", exact[2]);
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}

#[test]
fn halves_go_away_from_zero_at_every_size() {
    for (mantissa, places, cents) in [(125, 3, 13), (-125, 3, -13), (124_999_999_999, 12, 12), (135, 3, 14)] {
        let amount = Exact::from_num(Num::new(mantissa, places)).unwrap();
        assert_eq!(amount.to_minor(2).unwrap(), cents);
    }
    // A half by more places than are counted in whole small units.
    let half = Exact::from_num(Num::new(125 * 10_i128.pow(20), 23)).unwrap();
    let more = Exact::from_num(Num::new(1, 28)).unwrap();
    assert_eq!(half.to_minor(2).unwrap(), 13);
    assert_eq!(half.sub(more).unwrap().to_minor(2).unwrap(), 12);
    assert_eq!(half.sub(more).unwrap().cmp(&half), Ordering::Less);
    assert_eq!(units(&q(5, 2), 0).to_i64(), Some(3));
}
