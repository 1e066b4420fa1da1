//! What fuzzers and property tests do with arbitrary bytes: feed them to everything that reads input, and expect answers.

use std::sync::LazyLock;
use takst_dsl::{SourceFile, compile};
use takst_engine::{Prepared, PriceBook, Pricing, Session, Standing, price};

/// Any bytes as a tariff file: compiled, laid out, and, where it compiles, used.
pub fn tariff_text(bytes: &[u8]) {
    let Ok(text) = takst_dsl::parse::decode(bytes) else { return };
    let main = SourceFile { name: "fuzz.tariff".into(), text: text.into() };
    let compiled = compile(main, &mut |name| Err(format!("there is no `{name}`")));
    if let Ok(formatted) = takst_dsl::format::format(text) {
        assert_eq!(
            takst_dsl::format::format(&formatted).ok().as_ref(),
            Some(&formatted),
            "the layout is not stable"
        );
    }
    let Some(tariff) = compiled.tariff else { return };
    let prepared = Prepared::new(tariff).expect("what compiles can be prepared");
    if let Some(file) = compiled.files.first() {
        let results = takst_dsl::scenario::run(file, &prepared);
        assert!(results.len() <= file.statements.len(), "a test is run once");
    }
    price_with(&prepared, SESSION.as_bytes());
}

/// Any bytes as a session document, priced with a tariff that asks much.
pub fn session_json(bytes: &[u8]) {
    price_with(&TARIFF, bytes);
}

fn price_with(prepared: &Prepared, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(session) = Session::from_json(text) else { return };
    let book = PriceBook::default();
    let Ok(pricing) = Pricing::new(prepared, &book) else { return };
    if let Ok(bill) = price(&pricing, &session, &Standing::default()) {
        let inputs = takst_engine::document::inputs(&pricing, bytes, &Standing::default());
        let document = bill.document(&pricing, &session, inputs);
        assert!(serde_json::to_string(&document).is_ok(), "a document can always be written");
    }
}

/// A session that uses most fields.
pub const SESSION: &str = r#"{
  "id": "210", "site": "otakaari-5", "charger": "5", "evse": "1", "driver": "d-17", "groups": ["VIP"],
  "connector": {"id": "1", "plug": "AC", "type": "Type2", "max_power_kw": "22", "phases": 3},
  "token": {"uid": "04A2", "type": "rfid", "issuer": "SEED"}, "contract": "direct", "payment_brand": "Visa",
  "plugged_in": "2023-10-28T21:09:44+03:00", "unplugged": "2023-10-29T05:56:59+02:00",
  "readings": [{"at": "2023-10-28T21:09:44+03:00", "import_kwh": "10", "export_kwh": "0"},
               {"at": "2023-10-29T02:00:00+03:00", "import_kwh": "25.911", "export_kwh": "0.5"},
               {"at": "2023-10-29T04:00:00+02:00", "import_kwh": "0.5", "export_kwh": "0", "segment": 1}],
  "states": [{"from": "2023-10-28T21:09:44+03:00", "state": "charging"}, {"from": "2023-10-29T03:30:00+03:00", "state": "idle"}],
  "power": [{"from": "2023-10-28T21:09:44+03:00", "kw": "7.2"}],
  "occupancy": [{"from": "2023-10-28T21:09:44+03:00", "occupied": 3, "of": 8}],
  "coupons": ["SUMMER"]
}"#;

static TARIFF: LazyLock<Prepared> = LazyLock::new(|| {
    let main = SourceFile { name: "much.tariff".into(), text: MUCH.into() };
    let compiled = compile(main, &mut |name| Err(format!("there is no `{name}`")));
    Prepared::new(compiled.tariff.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics)))
        .expect("it was compiled")
});

/// A tariff that asks much of a session.
pub const MUCH: &str = r#"tariff "Much"
  currency: EUR
  time zone: Europe/Helsinki
  prices: including VAT

VAT:
  24% until 2023-10-28
  25.5% from 2023-10-29

groups: VIP, everyone else standard

energy at most 20.00 EUR/day, in steps of 1 kWh:
  0.10 EUR/kWh for VIP up to 10 kWh of energy
  0.20 EUR/kWh for VIP during 22:00-06:00 11 kW or more
  0.30 EUR/kWh while site 50% occupied or more
  0.40 EUR/kWh otherwise

feed-in: 0.05 EUR/kWh

start fee after 1 kWh:
  1.00 EUR/session on DC
  0.50 EUR/session otherwise

idle fee after 30 min in a row: 50% of energy price * average-power

connected time in steps of 15 min:
  0.20 EUR/h beyond 60 min of connected time
  free otherwise

coupon "SUMMER": 20% of energy

total: at most 100.00 EUR/session

payment fee: 0.40 EUR/bill
"#;
