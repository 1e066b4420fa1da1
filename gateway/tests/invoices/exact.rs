//! Random bills become invoices; what stands in the XML is read again and counted again.

use crate::random::{Shape, bill};
use crate::reread::{Node, read};
use crate::support::{company, payment, person, request, seller};
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::BTreeMap;
use takst_gateway::invoices::{Billed, Kind, invoice};

fn cents(minor: i64) -> Decimal {
    Decimal::new(minor, 2)
}

fn round(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

// The arithmetic rules of EN 16931, without any tolerance but that of BR-CO-17.
pub fn count_again(root: &Node, bills: usize) {
    let is_credit = root.name == "CreditNote";
    let (line_name, quantity) =
        if is_credit { ("CreditNoteLine", "CreditedQuantity") } else { ("InvoiceLine", "InvoicedQuantity") };
    let lines = root.all(line_name);
    assert!(!lines.is_empty(), "BR-16");
    let total = root.at("LegalMonetaryTotal").unwrap();
    let sum = |nodes: &[&Node], path: &str| nodes.iter().map(|node| node.number(path)).sum::<Decimal>();
    let adjustments = root.all("AllowanceCharge");
    let of = |wanted: &str| -> Vec<&Node> {
        adjustments.iter().filter(|one| one.text_at("ChargeIndicator") == wanted).copied().collect()
    };
    let line_sum = sum(&lines, "LineExtensionAmount");
    assert_eq!(total.number("LineExtensionAmount"), line_sum, "BR-CO-10");
    assert_eq!(total.number_or_zero("AllowanceTotalAmount"), sum(&of("false"), "Amount"), "BR-CO-11");
    assert_eq!(total.number_or_zero("ChargeTotalAmount"), sum(&of("true"), "Amount"), "BR-CO-12");
    let net = line_sum - sum(&of("false"), "Amount") + sum(&of("true"), "Amount");
    assert_eq!(total.number("TaxExclusiveAmount"), net, "BR-CO-13");
    let tax_totals = root.all("TaxTotal");
    assert_eq!(tax_totals.len(), 1);
    let subtotals = tax_totals[0].all("TaxSubtotal");
    assert_eq!(tax_totals[0].number("TaxAmount"), sum(&subtotals, "TaxAmount"), "BR-CO-14");
    assert_eq!(total.number("TaxInclusiveAmount"), net + tax_totals[0].number("TaxAmount"), "BR-CO-15");
    let payable = total.number("TaxInclusiveAmount") - total.number_or_zero("PrepaidAmount");
    assert_eq!(total.number("PayableAmount"), payable, "BR-CO-16");
    assert!(total.at("PayableRoundingAmount").is_none());

    let mut taxed: BTreeMap<(String, String), Decimal> = BTreeMap::new();
    for line in &lines {
        let category = line.at("Item/ClassifiedTaxCategory").unwrap();
        let key = (category.text_at("ID").to_owned(), category.text_at("Percent").to_owned());
        *taxed.entry(key).or_default() += line.number("LineExtensionAmount");
        let price = line.number("Price/PriceAmount");
        assert!(price >= Decimal::ZERO, "BR-27");
        assert_eq!(
            round(price * line.number(quantity)),
            line.number("LineExtensionAmount"),
            "PEPPOL-EN16931-R120"
        );
    }
    for one in &adjustments {
        let category = one.at("TaxCategory").unwrap();
        let key = (category.text_at("ID").to_owned(), category.text_at("Percent").to_owned());
        let amount = one.number("Amount");
        assert!(amount > Decimal::ZERO);
        *taxed.entry(key).or_default() +=
            if one.text_at("ChargeIndicator") == "true" { amount } else { -amount };
    }
    assert_eq!(taxed.len(), subtotals.len(), "one breakdown for each category and rate");
    for subtotal in &subtotals {
        let category = subtotal.at("TaxCategory").unwrap();
        let (code, percent) = (category.text_at("ID"), category.text_at("Percent"));
        assert_eq!(
            subtotal.number("TaxableAmount"),
            taxed[&(code.to_owned(), percent.to_owned())],
            "BR-{code}-08"
        );
        let exact =
            subtotal.number("TaxableAmount") * category.number_or_zero("Percent") / Decimal::ONE_HUNDRED;
        let off = (subtotal.number("TaxAmount") - exact).abs();
        assert!(off <= Decimal::new(1, 2) * Decimal::from(bills), "BR-CO-17: {off} off with {bills} bills");
        assert_eq!(code == "S", !subtotal.number("TaxAmount").is_zero() || percent != "0" && code == "S");
        assert_eq!(category.at("TaxExemptionReason").is_some(), matches!(code, "E" | "O" | "AE"));
    }
}

#[test]
fn random_bills_come_out_to_the_last_cent() {
    let (seller, person, company, payment) = (seller(), person(), company(), payment());
    let (mut credits, mut adjusted, mut many) = (0, 0, 0);
    for seed in 0..3_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let shape = Shape { includes_vat: random.bool(), negative: random.u8(0..3) == 0 };
        let count = random.usize(1..9);
        let made: Vec<_> = (0..count).map(|number| bill(&mut random, number, shape)).collect();
        let numbers: Vec<String> = (0..count).map(|number| format!("T-{number:04}")).collect();
        let bills: Vec<Billed<'_>> =
            numbers.iter().zip(&made).map(|(number, (document, _))| Billed { number, document }).collect();
        let payer = if random.bool() { &person } else { &company };
        let made_of = request(&seller, payer, &bills, &payment);
        let invoice = invoice(&made_of).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let root = read(&invoice.to_xml());
        count_again(&root, count);
        let sum = |place: usize| made.iter().map(|(_, sums)| sums[place]).sum::<i64>();
        let sign = if sum(2) < 0 { -1 } else { 1 };
        assert_eq!(root.name == "CreditNote", sign < 0);
        assert_eq!(invoice.kind == Kind::CreditNote, sign < 0);
        let total = root.at("LegalMonetaryTotal").unwrap();
        assert_eq!(total.number("TaxExclusiveAmount"), cents(sum(0) * sign), "seed {seed}");
        assert_eq!(root.number("TaxTotal/TaxAmount"), cents(sum(1) * sign), "seed {seed}");
        assert_eq!(total.number("PayableAmount"), cents(sum(2) * sign), "seed {seed}");
        credits += usize::from(sign < 0);
        adjusted += usize::from(root.at("AllowanceCharge").is_some());
        many += usize::from(count > 1);
    }
    assert!(credits > 200 && adjusted > 1_000 && many > 2_000, "{credits} {adjusted} {many}");
}

#[test]
fn every_gross_total_is_hit_also_where_no_net_has_it() {
    let (seller, payer, payment) = (seller(), person(), payment());
    let mut no_net_has_it = 0;
    for gross in 1..2_000_i64 {
        let net = (gross * 200 + 125) / 250;
        let text = |minor: i64| format!("{}.{:02}", minor / 100, minor % 100);
        let document = serde_json::from_value(serde_json::json!({
            "id": "a", "kind": "bill", "revision": 1, "session": "s", "status": "final", "currency": "NOK",
            "prices_include_vat": true, "energy_kwh": "1", "from": "2026-10-01T00:00:00+02:00",
            "tariff": {"name": "x", "file": "x", "version": "sha256:0"}, "inputs": {"prices": "", "standing": ""}, "lines": [],
            "charges": [{"charge": "energy", "label": "Energy", "amount": text(gross), "vat_rate": "25"}],
            "vat": [{"rate": "25", "net": text(net), "vat": text(gross - net)}],
            "net": text(net), "vat_total": text(gross - net), "total": text(gross), "standing": {},
        }))
        .unwrap();
        let bills = [Billed { number: "T-0001", document: &document }];
        let root = read(&invoice(&request(&seller, &payer, &bills, &payment)).unwrap().to_xml());
        count_again(&root, 1);
        assert_eq!(root.number("LegalMonetaryTotal/PayableAmount"), cents(gross));
        // No net at all gives this gross with VAT rounded half up.
        no_net_has_it += usize::from(!(0..=gross).any(|net| net + (net * 25 + 50) / 100 == gross));
    }
    assert_eq!(no_net_has_it * 5 / 1_999, 1, "about a fifth: {no_net_has_it}");
}
