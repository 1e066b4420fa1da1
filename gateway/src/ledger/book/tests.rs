//! Entries of a published bill, figure by figure, and of any.

use super::*;
use proptest::prelude::*;
use takst_engine::document::{ChargeDoc, Inputs, TariffRef, VatDoc};

fn document(total: &str, net: &str, vat: &[(&str, &str)]) -> Document {
    Document {
        id: "b1".into(),
        kind: "bill",
        revision: 1,
        corrects: None,
        session: "210".into(),
        month: None,
        site: Some("otakaari-5".into()),
        charger: None,
        driver: Some("d-17".into()),
        payer: None,
        status: "final",
        currency: "EUR".into(),
        prices_include_vat: true,
        energy_kwh: "5.911".into(),
        exported_kwh: None,
        from: String::new(),
        to: None,
        tariff: TariffRef { name: String::new(), file: String::new(), version: String::new() },
        tariff_changes: Vec::new(),
        inputs: Inputs::default(),
        lines: Vec::new(),
        charges: Vec::new(),
        vat: vat
            .iter()
            .map(|(rate, vat)| VatDoc {
                label: None,
                rate: (*rate).into(),
                net: "0.00".into(),
                vat: (*vat).into(),
            })
            .collect(),
        net: net.into(),
        vat_total: "0.00".into(),
        total: total.into(),
        pending: Vec::new(),
        payouts: Vec::new(),
        payout_lines: Vec::new(),
        notes: Vec::new(),
        standing: takst_engine::Standing::default(),
    }
}

fn row(kind: BillKind) -> Bill {
    Bill {
        id: "b1".into(),
        session: Some("210".into()),
        seller: "koti".into(),
        series: "KOTI-".into(),
        number: 96,
        kind,
        revision: 1,
        corrects: None,
        issued_at: Instant(5),
        status: "final".into(),
        currency: "EUR".into(),
        total: 0,
        hashes: "{}".into(),
        document: "{}".into(),
    }
}

fn lines(posting: &Posting) -> Vec<String> {
    let text = |line: &Line| format!("{} {} {}", line.account.kind.as_str(), line.account.owner, line.amount);
    posting.lines().iter().map(text).collect()
}

#[test]
fn a_bill_a_credit_note_and_the_propertys_share() {
    let mut bill_of = document("3.45", "2.78", &[("24", "0.67")]);
    let share = ChargeDoc {
        charge: "payout to site",
        label: "Share".into(),
        since: None,
        session: None,
        driver: None,
        date: None,
        amount: "1.10".into(),
        after_rebates: None,
        vat_rate: "24".into(),
        vat_reason: None,
        parts: Vec::new(),
    };
    bill_of.payouts.push(share);
    let posting = bill(&row(BillKind::Bill), &bill_of).unwrap();
    assert_eq!(
        lines(&posting),
        [
            "receivable driver:d-17 345",
            "revenue  -278",
            "vat VAT 24 -67",
            "payable otakaari-5 -110",
            "site-share otakaari-5 110",
        ]
    );
    let credit = bill(&row(BillKind::Refund), &document("-3.45", "-2.78", &[("24", "-0.67")])).unwrap();
    assert_eq!(lines(&credit), ["receivable driver:d-17 -345", "refunds  278", "vat VAT 24 67"]);
    let company = Document { payer: Some("acme".into()), ..document("0.00", "0.00", &[]) };
    assert_eq!(debtor(&company, "b1"), "payer:acme");
    let nobody = Document { driver: None, ..document("0.00", "0.00", &[]) };
    assert_eq!(debtor(&nobody, "b1"), "session:210");
}

#[test]
fn what_does_not_add_up_is_not_booked() {
    let wrong = bill(&row(BillKind::Bill), &document("3.46", "2.78", &[("24", "0.67")])).unwrap_err();
    assert_eq!(wrong.to_string(), "the entry `bill:b1` does not balance: 1 minor units of EUR are left");
    let unreadable = bill(&row(BillKind::Bill), &document("3,46", "2.78", &[])).unwrap_err();
    assert_eq!(unreadable.to_string(), "`bill:b1` cannot be booked: its total `3,46` is no amount");
}

fn payment() -> Payment {
    Payment {
        id: "p1".into(),
        bill: "b1".into(),
        session: None,
        seller: "koti".into(),
        debtor: "driver:d-17".into(),
        plugin: "stripe".into(),
        currency: "EUR".into(),
        amount: 345,
        status: crate::store::PaymentStatus::Waiting,
        captured: 0,
        refunded: 0,
        theirs: None,
        next: None,
        failure: None,
        created_at: Instant(0),
        updated_at: Instant(0),
    }
}

#[test]
fn money_in_money_out_and_to_the_bank() {
    let about = Settled {
        seller: "koti".into(),
        currency: "EUR".into(),
        reference: "po_1".into(),
        at: Instant(0),
        by: "anna".into(),
    };
    assert_eq!(
        lines(&captured(&payment(), 345, 345, Instant(0)).unwrap()),
        ["receivable driver:d-17 -345", "clearing stripe 345"]
    );
    assert_eq!(
        lines(&paid_back(&payment(), 45, 45, Instant(0)).unwrap()),
        ["receivable driver:d-17 45", "clearing stripe -45"]
    );
    let settled = settlement(&about, "stripe", 300, 9).unwrap();
    assert_eq!(lines(&settled), ["clearing stripe -300", "fees stripe 9", "bank  291"]);
    assert_eq!(lines(&payout(&about, "otakaari-5", 110).unwrap()), ["payable otakaari-5 110", "bank  -110"]);
    let (entry, rows) = settled.rows(Instant(1));
    let back = reversal(&entry, &rows, "twice on the statement", "anna", Instant(2)).unwrap();
    assert_eq!(lines(&back), ["clearing stripe 300", "fees stripe -9", "bank  -291"]);
}

proptest! {
    // Taxes of any number of rates, of bills and credits of any size.
    #[test]
    fn a_document_that_adds_up_is_booked_and_balances(net in -1_000_000_i64..1_000_000, vat in prop::collection::vec(-10_000_i64..10_000, 0..5), share in -5_000_i64..5_000) {
        let text = |minor: i64| takst_engine::document::money(minor, 2);
        let taxes: Vec<(String, String)> = vat.iter().enumerate().map(|(n, vat)| (n.to_string(), text(*vat))).collect();
        let taxes: Vec<(&str, &str)> = taxes.iter().map(|(rate, vat)| (rate.as_str(), vat.as_str())).collect();
        let total = net + vat.iter().sum::<i64>();
        let mut document = document(&text(total), &text(net), &taxes);
        document.payouts.push(ChargeDoc {
            charge: "payout to site", label: String::new(), since: None, session: None, driver: None, date: None, amount: text(share),
            after_rebates: None, vat_rate: "0".into(), vat_reason: None, parts: Vec::new(),
        });
        let posting = bill(&row(BillKind::Bill), &document).unwrap();
        prop_assert_eq!(posting.lines().iter().map(|line| line.amount).sum::<i64>(), 0);
        let owed = posting.lines().iter().find(|line| line.account.kind == AccountKind::Receivable);
        prop_assert_eq!(owed.map_or(0, |line| line.amount), total);
    }
}
