//! Months from bills that were given out before.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use serde_json::json;
use takst_dsl::{SourceFile, compile};
use takst_engine::document::inputs;
use takst_engine::month::{MonthInput, month};
use takst_engine::{Prepared, PriceBook, Pricing, Session, Standing, price};

const TARIFF: &str = r#"tariff "Members"
  currency:  EUR
  time zone: Europe/Oslo
  prices:    including VAT

VAT: 25%

groups: members, everyone else guests

energy: 0.40 EUR/kWh

monthly fee:
  3.00 EUR/charger/month  for members
  9.00 EUR/charger/month  for guests
"#;

#[test]
fn a_bill_does_not_make_its_driver_forget_his_group() {
    let main = SourceFile { name: "members.tariff".into(), text: TARIFF.into() };
    let compiled = compile(main, &mut |name| Err(format!("there is no `{name}`")));
    let prepared = Prepared::new(compiled.tariff.unwrap()).unwrap();
    let book = PriceBook::default();
    let pricing = Pricing::new(&prepared, &book).unwrap();
    let session = json!({
        "id": "1", "site": "s", "charger": "c", "driver": "d", "groups": ["members"],
        "plugged_in": "2025-03-10T17:00:00+01:00", "unplugged": "2025-03-10T18:00:00+01:00",
        "readings": [{"at": "2025-03-10T17:00:00+01:00", "import_kwh": "0"}, {"at": "2025-03-10T18:00:00+01:00", "import_kwh": "10"}],
    });
    let session = Session::from_json(&session.to_string()).unwrap();
    let bill = price(&pricing, &session, &Standing::default()).unwrap();
    let bill = bill.document(&pricing, &session, inputs(&pricing, b"", &Standing::default()));
    let input = json!({
        "site": "s", "month": "2025-03", "bills": [bill],
        "chargers": [{"id": "c", "driver": "d", "groups": ["members"]}],
    });
    let input = MonthInput::from_json(&input.to_string()).unwrap();
    let statements = month(&pricing, &input).unwrap().statements;
    let fee: Vec<&str> = statements
        .iter()
        .flat_map(|statement| &statement.charges)
        .filter(|row| row.charge == "monthly fee")
        .map(|row| row.amount.as_str())
        .collect();
    assert_eq!(fee, ["3.00"]);
}
