//! What a person reads: receipts and statements that stay short and say what matters.
//!
//! `UPDATE=1 cargo test -p takst-gateway` writes the snapshots anew.

use crate::run::{Ran, snapshot, takst};
use serde_json::json;
use std::path::Path;

// Files of one test, and runs of the program among them.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            std::fs::write(folder.0.path().join(name), text).unwrap();
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

const HEAD: &str = "tariff \"Test\"\n  currency: NOK\n  time zone: Europe/Oslo\n  spot area: NO1\n  prices: excluding VAT\n\n";

fn tariff(text: &str) -> String {
    format!("{HEAD}{text}")
}

// Charging all the time.
fn session(from: &str, end: &str, kwh: u32) -> String {
    json!({
        "id": "long", "connector": {"plug": "AC"}, "plugged_in": from, "unplugged": end,
        "readings": [{"at": from, "import_kwh": "0"}, {"at": end, "import_kwh": kwh.to_string()}],
    })
    .to_string()
}

#[test]
fn a_list_that_cannot_price_by_itself_is_skipped_by_test() {
    let base = tariff("VAT: 25%\nprice kwh: set by each list\nenergy: kwh\n");
    let town = "tariff \"Town\"\n  based on: \"base.tariff\"\n\nset kwh: 2.00 NOK/kWh\n\ntest \"ten\"\n  charge 10 kWh from 2025-03-10 10:00 to 11:00\n  expect energy 20.00 NOK\n";
    let folder = Folder::new(&[("base.tariff", &base), ("town.tariff", town)]);
    let both = folder.run("test base.tariff town.tariff");
    assert_eq!((both.code, both.err.as_str()), (0, ""), "{}", both.out);
    snapshot("test-abstract", &both.out);
    let alone = folder.run("test base.tariff --format json");
    let json = alone.json();
    assert_eq!(
        (alone.code, &json["failed"], &json["skipped"][0]["file"]),
        (0, &0.into(), &"base.tariff".into())
    );
}

#[test]
fn a_table_shows_limits_with_taxes() {
    let lists = tariff(
        "VAT:\n  25% until 2025-06-30\n  12% from 2025-07-01\n\nenergy at most 100.00 NOK/day: 2.00 NOK/kWh\nidle fee at most 200.00 NOK/session: 0.50 NOK/min\ntotal: at most 500.00 NOK/session, at least 20.00 NOK/session after 1 kWh\n",
    );
    let mixed = format!("{lists}VAT on idle fee: outside scope\n");
    let folder = Folder::new(&[("a.tariff", &lists), ("mixed.tariff", &mixed)]);
    let limits = |file: &str, date: &str| {
        let json = folder.run(&format!("table {file} --date {date} --format json")).json();
        let terms = json["terms"].as_array().unwrap().clone();
        let texts = terms.iter().flat_map(|term| term["limits"].as_array().unwrap().clone());
        texts.map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        limits("a.tariff", "2025-03-10"),
        [
            "at most 125.00 NOK/day",
            "at most 250.00 NOK/session",
            "at most 625.00 NOK/session",
            "at least 25.00 NOK/session after 1 kWh"
        ]
    );
    assert_eq!(limits("a.tariff", "2025-07-01")[0], "at most 112.00 NOK/day");
    let mixed = limits("mixed.tariff", "2025-03-10");
    assert_eq!(mixed[1..3], ["at most 200.00 NOK/session", "at most 500.00 NOK/session without taxes"]);
    snapshot("table-limits", &folder.run("table a.tariff --date 2025-03-10").out);
}

#[test]
fn a_month_of_charging_fits_on_a_page() {
    let list =
        tariff("VAT: 25%\n\nenergy: spot + 0.10 NOK/kWh\nidle fee at most 5.00 NOK/session: 1.00 NOK/min\n");
    // From the first local midnight of March, which is 23:00 of the day before in UTC.
    let instant = |hour: u32| {
        let since_february = 23 + hour;
        let (day, hour) = (since_february / 24, since_february % 24);
        let date = if day == 0 { "2025-02-28".to_owned() } else { format!("2025-03-{day:02}") };
        format!("{date}T{hour:02}:00:00Z")
    };
    let steps: Vec<_> = (0..720)
        .map(|hour| json!({"from": instant(hour), "to": instant(hour + 1), "price": format!("0.{:02}", hour % 24)}))
        .collect();
    let feed = json!({"feed": "spot", "area": "NO1", "unit": "NOK/kWh", "prices": steps}).to_string();
    let long = session("2025-03-01T00:00:00+01:00", "2025-03-31T01:00:00+02:00", 720);
    let folder = Folder::new(&[("a.tariff", &list), ("long.json", &long), ("spot.json", &feed)]);
    let ran = folder.run("price a.tariff --session long.json --prices spot.json");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    snapshot("price-long", &ran.out);
    let json = folder.run("price a.tariff --session long.json --prices spot.json --format json").json();
    assert_eq!(json["lines"].as_array().unwrap().len(), 720);
    assert!(ran.out.contains(json["total"].as_str().unwrap()));
}

#[test]
fn time_that_costs_nothing_is_no_line_of_a_receipt() {
    let list = tariff(
        "VAT: none\n\nenergy:\n  free up to 5 kWh of energy\n  2.00 NOK/kWh beyond 5 kWh of energy\n\nparking time:\n  1.00 NOK/min during 08:00-20:00\n  free otherwise\n\nidle fee: free\n",
    );
    let list = list.replace("  prices: excluding VAT\n", "");
    let half = json!({
        "id": "half", "plugged_in": "2025-03-10T18:00:00+01:00", "unplugged": "2025-03-10T22:00:00+01:00",
        "readings": [{"at": "2025-03-10T18:00:00+01:00", "import_kwh": "0"}, {"at": "2025-03-10T19:00:00+01:00", "import_kwh": "10"}],
    });
    let free = "tariff \"Free\"\n  currency: NOK\n  time zone: Europe/Oslo\n\nVAT: none\n\nenergy: free\nidle fee: free\n";
    let folder = Folder::new(&[("a.tariff", &list), ("half.json", &half.to_string()), ("free.tariff", free)]);
    let ran = folder.run("price a.tariff --session half.json");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    snapshot("price-free-lines", &ran.out);
    let json = folder.run("price a.tariff --session half.json --format json").json();
    let zero = json["lines"].as_array().unwrap().iter().filter(|line| line["unit_price"] == "0").count();
    assert_eq!(zero, 3, "energy, parking and idle time without a price stay in the document");
    snapshot("price-all-free", &folder.run("price free.tariff --session half.json").out);
}

#[test]
fn what_concerns_a_site_is_said_once_in_a_month() {
    let list = tariff(
        "VAT: 25%\n\nenergy: 1.00 NOK/kWh\npayout to site: 0.50 NOK/kWh\nmonthly fee paid by site: 100.00 NOK/charger/month\npower fee \"Effekt\" from highest hour: 50.00 NOK/kW/month\n",
    );
    let hour = |day: u32, hour: u32| format!("2025-02-{day:02}T{hour:02}:00:00+01:00");
    let values: Vec<_> = (0..28 * 24)
        .map(|at| {
            let (day, of_day) = (at / 24 + 1, at % 24);
            let to = if of_day == 23 && day == 28 {
                "2025-03-01T00:00:00+01:00".to_owned()
            } else {
                hour((at + 1) / 24 + 1, (at + 1) % 24)
            };
            let kwh = if (day, of_day) == (1, 10) { "12" } else { "3" };
            json!({"from": hour(day, of_day), "to": to, "import_kwh": kwh})
        })
        .collect();
    let session = |id: &str, driver: &str, day: u32| {
        json!({
            "id": id, "driver": driver, "charger": "1", "plugged_in": hour(day, 10), "unplugged": hour(day, 12),
            "readings": [{"at": hour(day, 10), "import_kwh": "0"}, {"at": hour(day, 12), "import_kwh": "6"}],
        })
    };
    let input = json!({
        "site": "hus", "month": "2025-02", "chargers": [{"id": "1"}],
        "sessions": [session("a", "d-1", 1), session("b", "d-2", 2)],
        "meters": [{"metering_point": "707057500000000000", "values": values}],
    });
    let folder = Folder::new(&[("a.tariff", &list), ("month.json", &input.to_string())]);
    let ran = folder.run("month a.tariff --input month.json");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.err);
    assert_eq!(ran.out.matches("mean 12 kW").count(), 1);
    snapshot("month-power-fee", &ran.out);
    let json = folder.run("month a.tariff --input month.json --format json").json();
    let said = json["statements"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["notes"].to_string().contains("mean 12 kW"));
    assert_eq!(said.count(), 2, "each driver's own document says it too");
}

#[test]
fn price_files_are_taken_as_they_come() {
    let prices = ["18.8", "27.81", "28.8", "29.8", "-0.5", "3.1", "4"];
    let hour = |at: usize| format!("2025-09-25T{:02}:00:00Z", 5 + at);
    let points: String = prices
        .iter()
        .enumerate()
        .map(|(at, price)| {
            format!("<Point><position>{}</position><price.amount>{price}</price.amount></Point>", at + 1)
        })
        .collect();
    let entsoe = format!(
        "<?xml version=\"1.0\"?>\n<Publication_MarketDocument xmlns=\"urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3\"><type>A44</type><TimeSeries><in_Domain.mRID>10YFI-1--------U</in_Domain.mRID><out_Domain.mRID>10YFI-1--------U</out_Domain.mRID><currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name><curveType>A03</curveType><Period><timeInterval><start>2025-09-25T05:00Z</start><end>2025-09-25T12:00Z</end></timeInterval><resolution>PT60M</resolution>{points}</Period></TimeSeries></Publication_MarketDocument>"
    );
    let entries: Vec<String> = (0..7)
        .map(|at| {
            let (from, to, price) = (hour(at), hour(at + 1), prices[at]);
            format!("{{\"deliveryStart\":\"{from}\",\"deliveryEnd\":\"{to}\",\"entryPerArea\":{{\"EE\":99,\"FI\":{price}}}}}")
        })
        .collect();
    let nordpool = format!("{{\"multiAreaEntries\":[{}],\"currency\":\"EUR\"}}", entries.join(","));
    let kwh = ["0.0188", "2.781e-2", "0.0288", "0.0298", "-5e-04", "0.0031", "0.004"];
    let steps: Vec<String> = (0..7)
        .map(|at| {
            let (from, to, price) = (hour(at), hour(at + 1), kwh[at]);
            format!("{{\"NOK_per_kWh\":9.9,\"EUR_per_kWh\":{price},\"EXR\":11.6,\"time_start\":\"{from}\",\"time_end\":\"{to}\"}}")
        })
        .collect();
    let day = format!("[{}]", steps.join(","));
    let folder = Folder::new(&[("entsoe.xml", &entsoe), ("nordpool.json", &nordpool), ("day.json", &day)]);
    let bill = |file: &str| {
        let file = folder.path().join(file).display().to_string();
        let ran =
            takst(&["price", "spot.tariff", "--session", "day.json", "--prices", &file, "--format", "json"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{file}");
        ran.json()
    };
    let own = takst(&[
        "price",
        "spot.tariff",
        "--session",
        "day.json",
        "--prices",
        "spot.json",
        "--format",
        "json",
    ])
    .json();
    assert_eq!(own["status"], "final");
    for file in ["entsoe.xml", "nordpool.json", "day.json"] {
        let other = bill(file);
        assert_eq!((&other["lines"], &other["total"]), (&own["lines"], &own["total"]), "{file}");
    }
    let broken = Folder::new(&[("entsoe.xml", &entsoe.replace("29.8", "29,8"))]);
    let file = broken.path().join("entsoe.xml").display().to_string();
    let ran = takst(&["price", "spot.tariff", "--session", "day.json", "--prices", &file]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("entsoe.xml: line 2: `price.amount`: `29,8`"), "{}", ran.err);
}
