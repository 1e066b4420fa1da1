//! A bill, its corrections and what they come to.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a test may fail"
)]

mod build;

use build::*;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use takst_engine::Standing;
use takst_engine::correction::{CorrectionError, correct, refund};
use takst_engine::document::Document;
use takst_engine::month::MonthInput;
use takst_engine::tariff::*;

// Energy at 25 %, idle fee at 12 %.
fn list(energy: &str, idle: &str, includes_vat: bool) -> List {
    let mut list = List::new("NOK", includes_vat);
    let low = list.vat("12");
    list.energy(constant(energy));
    let minute = list.price(Per::Minute, constant(idle));
    list.charge(ChargeKind::IdleFee, "Blocking fee", minute).tax = low;
    let cost = list.price(Per::Kwh, constant("0.5"));
    list.charge(ChargeKind::PayoutToSite, "Payout", cost);
    list
}

fn idle_session(kwh: &str, idle: &str) -> String {
    let from = "2023-10-02T10:00:00+02:00";
    format!(
        r#"{{"id":"1","driver":"d","plugged_in":"{from}","unplugged":"2023-10-02T12:{idle}:00+02:00",
        "readings":[{{"at":"{from}","import_kwh":"0"}},{{"at":"2023-10-02T11:00:00+02:00","import_kwh":"{kwh}"}}]}}"#
    )
}

// Everything in a document that adds up, by name.
fn figures(documents: &[&Document]) -> BTreeMap<String, Decimal> {
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut count = |name: String, text: &str| *sums.entry(name).or_default() += dec(text);
    for document in documents {
        count("net".into(), &document.net);
        count("vat".into(), &document.vat_total);
        count("total".into(), &document.total);
        count("energy".into(), &document.energy_kwh);
        for charge in document.charges.iter().chain(&document.payouts) {
            count(format!("row {} {} {}", charge.charge, charge.label, charge.vat_rate), &charge.amount);
            let left = charge.after_rebates.as_ref().unwrap_or(&charge.amount);
            count(format!("left {} {} {}", charge.charge, charge.label, charge.vat_rate), left);
            for part in &charge.parts {
                count(format!("part {} {}", charge.label, part.label), &part.amount);
            }
        }
        for tax in &document.vat {
            count(format!("base {:?} {}", tax.label, tax.rate), &tax.net);
            count(format!("tax {:?} {}", tax.label, tax.rate), &tax.vat);
        }
        for line in document.lines.iter().chain(&document.payout_lines) {
            let price = line.unit_price.clone().unwrap_or_default();
            let name = format!("line {} {} {} {price}", line.label, line.from, line.to);
            count(format!("{name} amount"), &line.amount);
            count(name, line.quantity.as_deref().unwrap_or("0"));
        }
    }
    sums.retain(|_, sum| !sum.is_zero());
    sums
}

#[test]
fn a_correction_is_the_difference() {
    let old = bill(&list("2.00", "1.00", false), &idle_session("10", "10"), &Standing::default());
    let before = old.clone();
    // The idle fee was wrong.
    let new = bill(&list("2.00", "0.50", false), &idle_session("10", "10"), &Standing::default());
    let correction = correct(&old, &[], &new).unwrap();
    assert_eq!(old, before);
    assert_eq!((correction.kind, correction.revision), ("correction", 2));
    assert_eq!(correction.corrects.as_ref(), Some(&old.id));
    assert_ne!(correction.id, new.id);
    let rows: Vec<_> = correction
        .charges
        .iter()
        .map(|row| (row.label.as_str(), row.amount.as_str(), row.vat_rate.as_str()))
        .collect();
    assert_eq!(rows, [("Blocking fee", "-35.00", "12")]);
    assert_eq!((correction.net.as_str(), correction.total.as_str()), ("-35.00", "-39.20"));
    assert_eq!(correction.lines.len(), 2);
    assert_adds_up(&correction);
    assert_eq!(correct(&new, &[], &new).unwrap_err(), CorrectionError::Nothing);
    let text = serde_json::to_string(&correction).unwrap();
    assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), correction);
}

#[test]
fn only_the_same_session_can_be_corrected() {
    let list = list("2.00", "1.00", false);
    let old = bill(&list, &idle_session("10", "10"), &Standing::default());
    let other =
        bill(&list, &idle_session("10", "10").replace(r#""id":"1""#, r#""id":"2""#), &Standing::default());
    assert_eq!(
        correct(&old, &[], &other).unwrap_err().to_string(),
        "session is 1 in one document and 2 in the other; both must be about the same"
    );
    let preview = Document { kind: "preview", status: "running", ..old.clone() };
    assert!(matches!(correct(&preview, &[], &old), Err(CorrectionError::NotGivenOut { .. })));
    assert!(matches!(correct(&old, &[], &preview), Err(CorrectionError::NotGivenOut { .. })));
    assert!(matches!(correct(&old, &[other], &old), Err(CorrectionError::OfAnother { .. })));
}

#[test]
fn one_charge_is_refunded() {
    let old = bill(&list("2.00", "1.00", true), &idle_session("10", "10"), &Standing::default());
    let back = refund(&old, &[], Some(&["idle fee"]), "the charger did not let the car go").unwrap();
    assert_eq!((back.total.as_str(), back.charges.len()), ("-70.00", 1));
    // 70 / 1.12
    assert_eq!((back.net.as_str(), back.vat_total.as_str()), ("-62.50", "-7.50"));
    assert_eq!(back.notes, ["the charger did not let the car go"]);
    assert_eq!((back.energy_kwh.as_str(), back.payouts.len(), back.lines.len()), ("0", 0, 1));
    assert_eq!(back.lines[0].amount, "-70.000000000000");
    assert_adds_up(&back);
    // By its label it is the same; a second time there is nothing left.
    let named = refund(&old, &[], Some(&["Blocking fee"]), "x").unwrap();
    assert_eq!(named.charges, back.charges);
    let again = refund(&old, std::slice::from_ref(&back), Some(&["idle fee"]), "x").unwrap_err();
    assert_eq!(again.to_string(), "nothing is left of `idle fee` to give back");
    let unknown = refund(&old, &[], Some(&["idle fees"]), "x").unwrap_err();
    assert_eq!(unknown.to_string(), "the document has no charge `idle fees` (did you mean `idle fee`?)");
    // All the rest.
    let rest = refund(&old, std::slice::from_ref(&back), None, "x").unwrap();
    assert_eq!((rest.revision, rest.total.as_str()), (3, "-20.00"));
    let left = figures(&[&old, &back, &rest]);
    assert!(!left.contains_key("total") && !left.contains_key("net"));
    assert!(left.keys().all(|name| name == "energy" || name.contains("ayout")), "{left:?}");
    assert_eq!(refund(&old, &[back, rest], None, "x").unwrap_err(), CorrectionError::Nothing);
}

#[test]
fn a_discounted_charge_gives_back_what_was_paid() {
    let mut list = list("2.00", "1.00", false);
    let applies = list.leaf(Outcome::Applies);
    list.0.discounts.push(Discount {
        label: "Members".into(),
        rule: 0,
        root: applies,
        not_with_coupon: false,
        rebate: Rebate::Share(dec("0.1")),
        charges: vec![1],
    });
    let old = bill(&list, &idle_session("10", "10"), &Standing::default());
    assert_eq!(old.charges[1].after_rebates.as_deref(), Some("63.00"));
    let back = refund(&old, &[], Some(&["idle fee"]), "x").unwrap();
    assert_eq!((back.net.as_str(), back.total.as_str()), ("-63.00", "-70.56"));
    assert!(refund(&old, &[back], Some(&["idle fee"]), "x").is_err());
}

#[test]
fn a_limit_on_the_total_needs_pricing() {
    let mut list = list("2.00", "1.00", false);
    list.0.total_limits.push(Limit {
        floor: false,
        amount: dec("50"),
        span: Span::Session,
        who: Who::Session,
        after_energy: None,
        after_time: None,
        rule: 0,
    });
    let old = bill(&list, &idle_session("10", "10"), &Standing::default());
    let error = refund(&old, &[], Some(&["idle fee"]), "x").unwrap_err();
    assert!(error.to_string().starts_with("a limit on the total took part"), "{error}");
    assert_eq!(refund(&old, &[], None, "x").unwrap().net, "-50.00");
    // Priced again without the fee, the correction is right.
    list.0.charges.remove(1);
    let new = bill(&list, &idle_session("10", "10"), &Standing::default());
    assert_eq!(correct(&old, &[], &new).unwrap().net, "-30.00");
}

#[test]
fn two_taxes_on_one_base_shrink_alike() {
    let mut list = list("2.00", "1.00", false);
    let tax = |label: &str, rate: &str, on: &[u32]| Tax {
        label: label.into(),
        rate: dec(rate),
        on_top_of: on.to_vec(),
        rule: 0,
    };
    list.0.tax_classes =
        vec![TaxClass { taxes: vec![tax("State", "6", &[]), tax("City", "2", &[0])], reason: None }; 2];
    let old = bill(&list, &idle_session("10", "10"), &Standing::default());
    let back = refund(&old, &[], Some(&["idle fee"]), "x").unwrap();
    // 2 % of 95.40 was 1.91; of 21.20 it is 0.42.
    let taxes: Vec<_> = back.vat.iter().map(|tax| tax.vat.as_str()).collect();
    assert_eq!((back.net.as_str(), taxes), ("-70.00", vec!["-4.20", "-1.49"]));
    assert_adds_up(&back);
}

#[test]
fn a_statement_is_corrected_like_a_bill() {
    let prices = takst_engine::PriceBook::default();
    let input =
        |kwh: &str| format!(r#"{{"site":"s","month":"2023-10","sessions":[{}]}}"#, idle_session(kwh, "10"));
    assert!(MonthInput::from_json(&input("1")).is_ok());
    let old = settle(list("2.00", "1.00", false), &prices, &input("10")).unwrap().statements;
    let new = settle(list("2.00", "1.00", false), &prices, &input("11")).unwrap().statements;
    let correction = correct(&old[0], &[], &new[0]).unwrap();
    assert_eq!((correction.net.as_str(), correction.energy_kwh.as_str()), ("2.00", "1"));
    assert_eq!(correction.month.as_deref(), Some("2023-10"));
}

#[test]
fn damaged_documents_are_refused() {
    let old = bill(&list("2.00", "1.00", false), &idle_session("10", "10"), &Standing::default());
    for total in ["", ".", "1.", "x", "1.2345678", "--1.00"] {
        let bad = Document { total: total.into(), ..old.clone() };
        assert!(matches!(correct(&bad, &[], &old), Err(CorrectionError::Unreadable { .. })), "{total}");
    }
    let text = serde_json::to_string(&old).unwrap();
    assert!(serde_json::from_str::<Document>(&text.replace(r#""kind":"bill""#, r#""kind":"bil""#)).is_err());
    assert!(serde_json::from_str::<Document>(&text.replace(r#""net""#, r#""nett""#)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    // Old, corrections so far and the new correction together are the new bill, in every figure and line.
    #[test]
    fn everything_together_is_the_new_bill(
        versions in prop::collection::vec((0_i64..40_000, 0_i64..3_000, 0_u32..60, 0_i64..90_000_000), 2..5),
        includes_vat: bool,
    ) {
        let bills: Vec<Document> = versions.iter().map(|(energy, idle, minutes, kwh)| {
            let list = list(
                &Decimal::new(*energy, 4).to_string(),
                &Decimal::new(*idle, 4).to_string(),
                includes_vat,
            );
            let kwh = format!("{}.{:06}", kwh / 1_000_000, kwh % 1_000_000);
            bill(&list, &idle_session(&kwh, &format!("{minutes:02}")), &Standing::default())
        }).collect();
        let mut earlier: Vec<Document> = Vec::new();
        for new in &bills[1..] {
            match correct(&bills[0], &earlier, new) {
                Ok(correction) => {
                    assert_adds_up(&correction);
                    earlier.push(correction);
                }
                Err(error) => prop_assert_eq!(error, CorrectionError::Nothing),
            }
            let all: Vec<&Document> = std::iter::once(&bills[0]).chain(&earlier).collect();
            prop_assert_eq!(figures(&all), figures(&[new]));
        }
        // And a refund of a part leaves taxes as if it had never been charged.
        let last = bills.last().unwrap();
        if let Ok(back) = refund(&bills[0], &earlier, Some(&["idle fee"]), "x") {
            assert_adds_up(&back);
            let all: Vec<&Document> = std::iter::once(&bills[0]).chain(&earlier).chain([&back]).collect();
            let mut only_energy = last.clone();
            only_energy.charges.retain(|charge| charge.charge == "energy");
            only_energy.vat.retain(|tax| tax.rate == "25");
            let (together, expected) = (figures(&all), figures(&[&only_energy]));
            for name in ["row energy Energy 25", "base None 25", "tax None 25", "base None 12", "tax None 12"] {
                prop_assert_eq!(together.get(name), expected.get(name), "{}", name);
            }
        }
    }
}
