//! Bills invented from a seed, with their taxes worked out here.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use takst_engine::document::Document;

/// What of the random bills an invoice can hold together.
#[derive(Clone, Copy)]
pub struct Shape {
    pub includes_vat: bool,
    /// The rows may come to less than nothing.
    pub negative: bool,
}

// Rate in thousandths of a percent, and why there is none.
const RATES: &[(i64, Option<&str>)] = &[
    (25_000, None),
    (25_000, None),
    (15_000, None),
    (25_500, None),
    (21_000, None),
    (6_000, None),
    (0, None),
    (0, Some("small business")),
    (0, Some("outside scope")),
];

const CHARGES: &[(&str, &str, Option<&str>)] = &[
    ("energy", "Energy", Some("kWh")),
    ("charging time", "Charging", Some("min")),
    ("parking time", "Parking", Some("h")),
    ("idle fee", "Idle <fee> & more", Some("min")),
    ("start fee", "Start", Some("session")),
    ("feed-in", "Fed back", Some("kWh")),
    ("discount", "Members", None),
    ("coupon", "Coupon SUMMER", None),
    ("limit", "Total at least 10 NOK/session", None),
    ("payment fee", "Payment fee", Some("bill")),
];

fn money(minor: i64) -> String {
    format!("{}{}.{:02}", if minor < 0 { "-" } else { "" }, minor.abs() / 100, minor.abs() % 100)
}

// a / b rounded half away from zero.
fn round_div(a: i128, b: i128) -> i64 {
    let (sign, a) = if a < 0 { (-1, -a) } else { (1, a) };
    i64::try_from(sign * ((2 * a + b) / (2 * b))).unwrap()
}

fn percent(thousandths: i64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// One bill, with its net, VAT and total in minor units.
pub fn bill(random: &mut fastrand::Rng, number: usize, shape: Shape) -> (Document, [i64; 3]) {
    let mut charges = Vec::new();
    let mut lines = Vec::new();
    let mut bases: BTreeMap<(i64, Option<&str>), i64> = BTreeMap::new();
    for _ in 0..random.usize(1..7) {
        let (charge, label, unit) = CHARGES[random.usize(0..CHARGES.len())];
        let (rate, reason) = RATES[random.usize(0..RATES.len())];
        let most = [9, 500, 50_000, 3_000_000][random.usize(0..4)];
        let mut amount = random.i64(0..=most);
        let gives_back =
            matches!(charge, "discount" | "coupon" | "feed-in") || (shape.negative && random.u8(0..4) == 0);
        if gives_back {
            amount = -amount;
        }
        *bases.entry((rate, reason)).or_default() += amount;
        let mut row =
            json!({"charge": charge, "label": label, "amount": money(amount), "vat_rate": percent(rate)});
        if let Some(reason) = reason {
            row["vat_reason"] = json!(reason);
        }
        charges.push(row);
        if let Some(unit) = unit {
            let slices = random.usize(1..4);
            for slice in 0..slices {
                let quantity = random.i64(0..90_000_000);
                lines.push(json!({
                    "charge": charge, "label": label, "vat_rate": percent(rate), "rule": "x.tariff:3",
                    "from": format!("2026-10-{:02}T0{slice}:00:00+02:00", number % 28 + 1),
                    "to": format!("2026-10-{:02}T0{slice}:30:00+02:00", number % 28 + 1),
                    "quantity": format!("{}.{:06}", quantity / 1_000_000, quantity % 1_000_000), "unit": unit,
                    "unit_price": format!("0.{:04}", random.i64(0..10_000)), "amount": "0.000000000000",
                }));
            }
        }
    }
    let (mut net_sum, mut vat_sum, mut vat) = (0, 0, Vec::new());
    for ((rate, reason), base) in bases {
        let (net, tax) = if shape.includes_vat {
            let net = round_div(i128::from(base) * 100_000, i128::from(100_000 + rate));
            (net, base - net)
        } else {
            (base, round_div(i128::from(base) * i128::from(rate), 100_000))
        };
        if reason.is_none() && rate > 0 {
            vat.push(json!({"rate": percent(rate), "net": money(net), "vat": money(tax)}));
        }
        net_sum += net;
        vat_sum += tax;
    }
    let document: Value = json!({
        "id": format!("id{number}"), "kind": "bill", "revision": 1, "session": format!("s-{number}"), "status": "final",
        "currency": "NOK", "prices_include_vat": shape.includes_vat, "energy_kwh": "0",
        "from": format!("2026-10-{:02}T00:00:00+02:00", number % 28 + 1),
        "to": format!("2026-10-{:02}T06:00:00+02:00", number % 28 + 1),
        "tariff": {"name": "x", "file": "x.tariff", "version": "sha256:0"}, "inputs": {"prices": "", "standing": ""},
        "lines": lines, "charges": charges, "vat": vat, "net": money(net_sum), "vat_total": money(vat_sum),
        "total": money(net_sum + vat_sum), "standing": {},
    });
    (serde_json::from_value(document).unwrap(), [net_sum, vat_sum, net_sum + vat_sum])
}
