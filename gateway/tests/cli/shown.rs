//! What stands beside the figures: hints, sections and lines that fit, whatever the names and prices are.
//!
//! `UPDATE=1 cargo test -p takst-gateway` writes the snapshots anew.

use crate::run::{Ran, snapshot};
use serde_json::{Value, json};
use std::path::Path;

const HEAD: &str =
    "tariff \"Test\"\n  currency: EUR\n  time zone: Europe/Vienna\n  prices: excluding VAT\n\nVAT: 20%\n\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &str) -> Ran {
        let mut command = crate::run::command(&arguments.split_whitespace().collect::<Vec<_>>());
        command.current_dir(self.path());
        crate::run::finish(command, b"")
    }
}

// An hour of charging from 10:00 in UTC on that day of March.
fn session(day: u32, kwh: u32) -> String {
    let (from, to) = (format!("2025-03-{day:02}T10:00:00Z"), format!("2025-03-{day:02}T11:00:00Z"));
    json!({
        "id": format!("s{day}"), "plugged_in": from, "unplugged": to,
        "readings": [{"at": from, "import_kwh": "0"}, {"at": to, "import_kwh": kwh.to_string()}],
    })
    .to_string()
}

fn sessions() -> String {
    (10..13).map(|day| session(day, 20)).map(|line| line + "\n").collect()
}

const MONTHLY: &str = "energy:\n  0.50 EUR/kWh up to 30 kWh per month per driver\n  0.25 EUR/kWh otherwise\n";

#[test]
fn sessions_that_start_at_zero_say_so() {
    let monthly = format!("{HEAD}{MONTHLY}");
    let plain = format!("{HEAD}energy: 0.50 EUR/kWh up to 30 kWh\nenergy \"B\": 0.10 EUR/kWh\n");
    let plain = plain.replace(
        "energy: 0.50 EUR/kWh up to 30 kWh\n",
        "energy:\n  0.50 EUR/kWh up to 30 kWh\n  free otherwise\n",
    );
    let cap = format!("{HEAD}energy at most 5.00 EUR/month per driver: 0.50 EUR/kWh\n");
    let coupon = format!("{HEAD}energy: 0.50 EUR/kWh\ncoupon \"A\": 1.00 EUR, once per driver\n");
    let folder = Folder::new(&[
        ("monthly.tariff", &monthly),
        ("plain.tariff", &plain),
        ("cap.tariff", &cap),
        ("coupon.tariff", &coupon),
        ("s.jsonl", &sessions()),
        ("zero.json", "{}"),
    ]);
    for file in ["monthly", "cap", "coupon"] {
        let ran = folder.run(&format!("price {file}.tariff --session s.jsonl"));
        assert_eq!((ran.code, ran.err.matches("note: ").count()), (0, 1), "{file}: {}", ran.err);
        assert!(ran.err.contains("starts at zero") && ran.err.contains("--standing"), "{}", ran.err);
    }
    for quiet in [
        "price plain.tariff --session s.jsonl",
        "price monthly.tariff --session s.jsonl --format json",
        "price monthly.tariff --session s.jsonl --standing zero.json",
        "diff monthly.tariff plain.tariff --sessions s.jsonl --standing zero.json",
        "diff plain.tariff plain.tariff --sessions s.jsonl",
    ] {
        let ran = folder.run(quiet);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{quiet}");
    }
    assert!(folder.run("diff plain.tariff monthly.tariff --sessions s.jsonl").err.contains("note: "));
}

#[test]
fn diff_carries_counters_as_price_does() {
    let monthly = format!("{HEAD}{MONTHLY}");
    let dearer = monthly.replace("0.25", "0.40");
    let folder = Folder::new(&[
        ("old.tariff", &monthly),
        ("new.tariff", &dearer),
        ("s.jsonl", &sessions()),
        ("zero.json", "{}"),
        ("ten.json", "{\"driver energy 2025-03\": \"10\"}"),
    ]);
    let total = |arguments: &str| -> Value {
        folder.run(&format!("diff old.tariff new.tariff --sessions s.jsonl --format json{arguments}")).json()
            ["total"]
            .clone()
    };
    // Net of 60 kWh: each session alone 20 at 0.50; together 30 at 0.50 and 30 at 0.25 or 0.40.
    assert_eq!((&total("")["old"], &total("")["new"]), (&"36.00".into(), &"36.00".into()));
    let carried = total(" --standing zero.json");
    assert_eq!((&carried["old"], &carried["new"]), (&"27.00".into(), &"32.40".into()));
    let later = total(" --standing ten.json");
    assert_eq!((&later["old"], &later["new"]), (&"24.00".into(), &"31.20".into()));
    // The same as `price` comes to.
    let priced = folder.run("price old.tariff --session s.jsonl --standing ten.json --format json");
    let cents: u64 = priced
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["total"].as_str().unwrap().replace('.', ""))
        .map(|cents| cents.parse::<u64>().unwrap())
        .sum();
    assert_eq!(cents, 2400);
    let wrong = folder.run("diff old.tariff new.tariff --sessions s.jsonl --standing s.jsonl");
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("s.jsonl: "), "{}", wrong.err);
}

#[test]
fn a_receipt_holds_any_price_and_any_name() {
    let label = "A charge with a name that a lawyer wrote, and which goes on for longer than any line";
    let list = format!(
        "{HEAD}energy \"{label}\": spot\nenergy: 12345678901.25 EUR/kWh\npayout to site: 0.10 EUR/kWh\n"
    );
    let list = list.replace("tariff \"Test\"", &format!("tariff \"{}\"", "Long ".repeat(30)));
    let night = session(10, 3).replace("2025-03-10T11", "2025-03-11T11");
    let folder = Folder::new(&[("a.tariff", &list), ("s.json", &night)]);
    let receipt = folder.run("price a.tariff --session s.json");
    assert_eq!((receipt.code, receipt.err.as_str()), (0, ""));
    snapshot("price-any-name", &receipt.out);
    assert!(receipt.out.contains("× 12345678901.25 EUR/kWh"), "{}", receipt.out);
    // When there is no price is never cut.
    assert!(
        receipt.out.contains("Mon 10 Mar 2025, 11:00 – Tue 11 Mar 2025, 12:00")
            && receipt.out.contains("no price yet"),
        "{}",
        receipt.out
    );
    for text in [&receipt.out, &folder.run("ir a.tariff").out] {
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    let explained = folder.run("explain a.tariff --session s.json");
    assert!(explained.out.contains("For the site, not part of the total"), "{}", explained.out);
    assert!(explained.out.contains("Payout to site"), "{}", explained.out);
    let preview = folder.run("price a.tariff --session s.json --format json").json();
    assert_eq!((&preview["kind"], &preview["status"]), (&"preview".into(), &"pending".into()));
    assert_eq!(preview["pending"][0]["label"], label);
}

#[test]
fn a_table_shows_every_step_and_what_discounts_leave() {
    let list = format!(
        "{HEAD}groups: members, everyone else guests\n\n\
        price margin: 0.05 EUR/kWh\n\n\
        value grace:\n  0 min on DC\n  30 min otherwise\n\n\
        energy:\n  0.30 EUR/kWh + margin beyond 20 kWh of energy\n  0.25 EUR/kWh + margin beyond 5 kWh of energy\n  0.20 EUR/kWh + margin otherwise\n\n\
        energy \"Battery wear\": 0.02 EUR/kWh + margin\n\n\
        connected time:\n  free up to 3 h of connected time\n  0.10 EUR/min up to 5 h of connected time during 08:00-20:00\n  0.20 EUR/min otherwise\n\n\
        idle fee after grace: 0.10 EUR/min\n\n\
        discount \"Members' tenth\" for members: 10%\n\
        discount \"Early bird\" during 05:00-07:00: 5% of energy\n\
        discount \"Fiver\": 5.00 EUR\n"
    );
    let folder = Folder::new(&[("a.tariff", &list)]);
    let member = folder.run("table a.tariff --date 2025-03-10 --plug DC --group members");
    assert_eq!((member.code, member.err.as_str()), (0, ""));
    snapshot("table-steps", &member.out);
    assert!(!member.out.contains("after 0 min"), "{}", member.out);
    let json = |group: &str| {
        folder
            .run(&format!("table a.tariff --date 2025-03-10 --plug AC --group {group} --format json"))
            .json()
    };
    let (guest, member) = (json("guests"), json("members"));
    let tiers = |json: &Value| {
        json["tiers"].as_array().unwrap().iter().map(|tier| tier["when"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(tiers(&guest), ["from 5 kWh of energy", "from 20 kWh of energy"]);
    // (0.20 + 0.05 + 0.02 + 0.05) * 1.2, and a tenth less.
    assert_eq!(
        (&guest["slices"][0]["price"], &member["slices"][0]["price"]),
        (&"0.384".into(), &"0.3456".into())
    );
    let connected = &guest["terms"][0];
    assert_eq!(connected["tiers"][0]["when"], "after 180 min of connected time");
    let prices: Vec<&Value> =
        connected["tiers"][0]["slices"].as_array().unwrap().iter().map(|it| &it["price"]).collect();
    assert_eq!(prices, [&Value::from("0.24"), &"0.12".into(), &"0.24".into()]);
    let discounts = member["discounts"].as_array().unwrap();
    let in_prices: Vec<&Value> = discounts.iter().map(|discount| &discount["in_prices"]).collect();
    assert_eq!(in_prices, [&Value::from(true), &false.into(), &false.into()]);
    assert_eq!(discounts[1]["plug_in"][0]["from"], "2025-03-10T05:00:00+01:00");
    // What the table says is what a session pays.
    let charged = session(10, 4)
        .replace("\"id\"", "\"groups\": [\"members\"], \"connector\": {\"plug\": \"AC\"}, \"id\"");
    std::fs::write(folder.path().join("s.json"), charged).unwrap();
    let list = list.replace("discount \"Fiver\": 5.00 EUR\n", "");
    std::fs::write(folder.path().join("b.tariff"), list).unwrap();
    let bill = folder.run("price b.tariff --session s.json --format json").json();
    // 4 kWh at 0.3456.
    assert_eq!(bill["total"], "1.38");
}
