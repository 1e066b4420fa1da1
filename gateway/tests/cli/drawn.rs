//! Days and sessions as pictures and as charts in the terminal, and what a change of prices does to many sessions.

use crate::run::{Ran, takst};
use serde_json::{Value, json};

const SPOT: &str = "tariff \"Spot & <co>\"\n  currency: EUR\n  time zone: Europe/Oslo\n  prices: excluding VAT\n\nVAT: 25%\n\nenergy: spot\n\nidle fee after 30 min:\n  0.10 EUR/min during 08:00-20:00\n  free otherwise\n";

/// A folder with the tariff and a feed of prices by the hour from an instant of UTC on.
fn folder(tariff: &str, first: i64, prices: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |hour: usize| {
        let at = takst_engine::units::Instant(first + i64::try_from(hour).unwrap() * 3_600_000);
        takst_engine::calendar_time::utc_text(at)
    };
    let steps: Vec<Value> = prices
        .iter()
        .enumerate()
        .map(|(hour, price)| json!({"from": at(hour), "to": at(hour + 1), "price": price}))
        .collect();
    let feed = json!({"feed": "spot", "unit": "EUR/kWh", "prices": steps});
    std::fs::write(folder.path().join("spot.json"), feed.to_string()).unwrap();
    std::fs::write(folder.path().join("a.tariff"), tariff).unwrap();
    folder
}

fn run(folder: &tempfile::TempDir, arguments: &str) -> Ran {
    let mut command = crate::run::command(&arguments.split_whitespace().collect::<Vec<_>>());
    command.current_dir(folder.path());
    let ran = crate::run::finish(command, b"");
    assert_eq!(ran.code, 0, "{arguments}: {}", ran.err);
    ran
}

fn picture(folder: &tempfile::TempDir, name: &str) -> String {
    let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
    // It is sound XML, and holds nothing from elsewhere.
    let mut reader = quick_xml::Reader::from_str(&text);
    let mut open = 0;
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}\n{text}")) {
            quick_xml::events::Event::Start(_) => open += 1,
            quick_xml::events::Event::End(_) => open -= 1,
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, 0);
    assert_eq!(text.matches("://").count(), 1, "nothing but the name of SVG");
    assert!(!text.contains("<script"));
    text
}

/// Widths of the bars, hundredths of a pixel.
fn widths(picture: &str, class: &str) -> Vec<i64> {
    let bars = picture.split("<rect ").filter(|rect| rect.starts_with(&format!("class=\"{class}\"")));
    let width = |rect: &str| {
        let text = rect.split(" width=\"").nth(1).unwrap().split('"').next().unwrap();
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        whole.parse::<i64>().unwrap() * 100 + format!("{part:0<2}").parse::<i64>().unwrap()
    };
    bars.map(width).collect()
}

#[test]
fn days_of_23_and_25_hours_have_so_many_bars() {
    let flat: Vec<String> = (0..25).map(|hour| format!("0.{:02}", hour + 10)).collect();
    let flat: Vec<&str> = flat.iter().map(String::as_str).collect();
    for (date, first, hours, words) in [
        ("2026-03-29", 1_774_738_800_000, 23, "the clock is put on 1 h"),
        ("2026-10-25", 1_792_879_200_000, 25, "the clock is put back 1 h"),
        ("2026-06-01", 1_780_264_800_000, 24, "cheapest 3 h: 00:00 – 03:00, 0.1375 on average"),
    ] {
        let folder = folder(SPOT, first, &flat[..hours]);
        run(&folder, &format!("table a.tariff --date {date} --prices spot.json --svg day.svg"));
        let drawn = picture(&folder, "day.svg");
        let bars = widths(&drawn, "energy");
        assert_eq!(bars.len(), hours, "{date}");
        assert!(bars.iter().all(|width| (width - bars[0]).abs() <= 1), "hours are equally wide: {bars:?}");
        assert!(drawn.contains(words), "{date}: {drawn}");
        assert!(drawn.contains("Spot &amp; &lt;co&gt;"));
        // The idle fee costs something on twelve hours of the day, whatever its length.
        let fee: i64 = widths(&drawn, "fee").iter().sum();
        let whole: i64 = bars.iter().map(|width| width + 100).sum();
        assert!((fee * i64::try_from(hours).unwrap() - whole * 12).abs() < whole / 4, "{fee} of {whole}");
    }
}

#[test]
fn prices_below_zero_hang_below_the_line_and_unknown_ones_are_seen() {
    let mut prices = vec!["0.20"; 24];
    prices[12..15].copy_from_slice(&["-0.05", "-0.10", "-0.02"]);
    let folder = folder(SPOT, 1_780_264_800_000, &prices[..20]);
    let ran = run(&folder, "table a.tariff --date 2026-06-01 --prices spot.json --cheapest 2 --svg day.svg");
    let drawn = picture(&folder, "day.svg");
    assert_eq!((widths(&drawn, "credit").len(), widths(&drawn, "unknown").len()), (3, 4));
    assert!(drawn.contains("cheapest 2 h: 12:00 – 14:00, -0.0938 on average"), "{}", ran.out);
    crate::run::snapshot("table-below-zero", &ran.out);
    // JSON is what it was.
    let json = run(&folder, "table a.tariff --date 2026-06-01 --prices spot.json --format json").json();
    assert_eq!(json["slices"][0]["price"], "0.25");
    let fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields.len(), 7, "{fields:?}");
    let wrong = takst(&["table", "city.tariff", "--date", "2025-03-10", "--plug", "AC", "--cheapest", "0"]);
    assert_eq!((wrong.code, wrong.err.contains("hours up to 24")), (2, true), "{}", wrong.err);
    let wrong =
        takst(&["table", "city.tariff", "--date", "2025-03-10", "--plug", "AC", "--svg", "nowhere/day.svg"]);
    assert_eq!((wrong.code, wrong.err.contains("cannot be written")), (3, true), "{}", wrong.err);
}

#[test]
fn now_is_drawn_on_the_day_that_is_today() {
    let folder = folder(SPOT, 1_780_264_800_000, &["0.20"]);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let today = takst_engine::calendar_time::day_text(i32::try_from(since.as_secs() / 86_400).unwrap());
    let zoned = SPOT.replace("Europe/Oslo", "Etc/UTC");
    std::fs::write(folder.path().join("a.tariff"), zoned).unwrap();
    run(&folder, &format!("table a.tariff --date {today} --prices spot.json --svg day.svg"));
    assert!(picture(&folder, "day.svg").contains(">now "));
    run(&folder, "table a.tariff --date 2026-06-01 --prices spot.json --svg day.svg");
    assert!(!picture(&folder, "day.svg").contains(">now "));
}

#[test]
fn a_session_is_drawn_with_what_the_car_did_and_what_it_cost() {
    let prices: Vec<String> = (0..24).map(|hour| format!("0.{:02}", hour + 10)).collect();
    let prices: Vec<&str> = prices.iter().map(String::as_str).collect();
    let folder = folder(&format!("{SPOT}\nstart fee: 1.00 EUR/session\n"), 1_780_264_800_000, &prices);
    let session = json!({
        "id": "1", "plugged_in": "2026-06-01T09:30:00+02:00", "unplugged": "2026-06-01T16:00:00+02:00",
        "readings": [
            {"at": "2026-06-01T09:30:00+02:00", "import_kwh": "0"}, {"at": "2026-06-01T10:00:00+02:00", "import_kwh": "0"},
            {"at": "2026-06-01T13:00:00+02:00", "import_kwh": "30"},
        ],
        "states": [
            {"from": "2026-06-01T09:30:00+02:00", "state": "waiting"}, {"from": "2026-06-01T10:00:00+02:00", "state": "charging"},
            {"from": "2026-06-01T13:00:00+02:00", "state": "paused"}, {"from": "2026-06-01T13:30:00+02:00", "state": "idle"},
        ],
    });
    std::fs::write(folder.path().join("s.json"), session.to_string()).unwrap();
    let ran = run(&folder, "explain a.tariff --session s.json --prices spot.json --svg s.svg");
    crate::run::snapshot("explain-drawn", &ran.out);
    let drawn = picture(&folder, "s.svg");
    for part in [
        "waiting 30 min",
        "charging 3 h",
        "paused 30 min",
        "idle 2 h 30 min",
        "6.30 EUR",
        "12.00 EUR",
        "circle class=\"once\"",
        "a.tariff:8",
        "a.tariff:11",
    ] {
        assert!(drawn.contains(part), "{part}\n{drawn}");
    }
}

#[test]
fn a_histogram_counts_every_session_once() {
    let folder = folder(&SPOT.replace("energy: spot", "energy: 0.40 EUR/kWh"), 1_780_264_800_000, &["0"]);
    let new = SPOT
        .replace("energy: spot", "energy:\n  0.45 EUR/kWh up to 20 kWh of energy\n  0.30 EUR/kWh otherwise");
    std::fs::write(folder.path().join("b.tariff"), new).unwrap();
    let line = |kwh: u32| {
        json!({
            "id": format!("s{kwh}"), "plugged_in": "2026-06-01T10:00:00Z", "unplugged": "2026-06-01T14:00:00Z",
            "readings": [{"at": "2026-06-01T10:00:00Z", "import_kwh": "0"}, {"at": "2026-06-01T14:00:00Z", "import_kwh": kwh.to_string()}],
        })
        .to_string()
    };
    let lines: Vec<String> = (0..80).map(line).collect();
    std::fs::write(folder.path().join("s.jsonl"), lines.join("\n")).unwrap();
    let ran = run(&folder, "diff a.tariff b.tariff --sessions s.jsonl --top 2");
    crate::run::snapshot("diff-histogram", &ran.out);
    let json = run(&folder, "diff a.tariff b.tariff --sessions s.jsonl --top 2 --format json").json();
    let rows = json["histogram"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["sessions"].as_u64().unwrap()).sum::<u64>(), 80);
    // 0.05 dearer for each of the first 20 kWh, 0.10 cheaper for each beyond: the same at 0 and at 30.
    assert_eq!(json["changed"], json!({"cheaper": 49, "dearer": 29, "unchanged": 2}));
    assert!(rows.contains(&json!({"from": "0.00", "to": "0.00", "sessions": 2})), "{rows:?}");
    assert_eq!(
        (json["cheaper"].as_array().unwrap().len(), &json["dearer"][0]["session"]),
        (2, &json!("s20"))
    );
    let none = run(&folder, "diff a.tariff a.tariff --sessions s.jsonl");
    assert!(!none.out.contains("Sessions by change"), "{}", none.out);
    // The same sessions in a list, in a response, and each over several lines.
    let pretty: Vec<String> = lines.iter().map(|line| line.replace(",", ",\n  ")).collect();
    for text in [
        format!("[{}]", lines.join(",")),
        format!("{{\"data\": [\n{}\n], \"status_code\": 1000}}", pretty.join(",\n")),
        pretty.join("\n"),
    ] {
        std::fs::write(folder.path().join("s.json"), text).unwrap();
        let same = run(&folder, "diff a.tariff b.tariff --sessions s.json --top 2 --format json");
        assert_eq!((same.code, same.json()["total"].clone()), (0, json["total"].clone()), "{}", same.err);
    }
}

#[test]
fn a_comparison_of_nothing_says_why_and_is_none() {
    let folder = folder(SPOT, 1_780_264_800_000, &["0"]);
    let session = |id: &str, end: &str| {
        let ends = if end.is_empty() { String::new() } else { format!(r#""unplugged":"{end}","#) };
        format!(
            r#"{{"id":"{id}","plugged_in":"2026-06-01T10:00:00Z",{ends}"readings":[{{"at":"2026-06-01T10:00:00Z","import_kwh":"0"}},{{"at":"2026-06-01T11:00:00Z","import_kwh":"5"}}]}}"#
        )
    };
    let done = session("a", "2026-06-01T14:00:00Z");
    let write = |text: &str| std::fs::write(folder.path().join("s.json"), text).unwrap();
    let fixed = SPOT.replace("energy: spot", "energy: 0.40 EUR/kWh");
    std::fs::write(folder.path().join("fixed.tariff"), fixed).unwrap();
    let compare = |list: &str, more: &[&str]| {
        let arguments = ["diff", list, list, "--sessions", "s.json"];
        let mut command = crate::run::command(&[&arguments, more].concat());
        command.current_dir(folder.path());
        crate::run::finish(command, b"")
    };
    for (text, says) in [
        ("", "there is no session in it"),
        ("[]", "there is no session in it"),
        ("{\"data\": []}", "there is no session in it"),
        ("id;kwh\na;5\nb;6\n", "this is no JSON"),
        (&done, "1 session could not be priced for want of prices: give the prices"),
        (&session("a", ""), "still running"),
    ] {
        write(text);
        let ran = compare(if says.contains("want of prices") { "a.tariff" } else { "fixed.tariff" }, &[]);
        assert_eq!(ran.code, 1, "{text}: {}", ran.err);
        assert_eq!(ran.err.matches("s.json").count(), 1, "{text}: {}", ran.err);
        assert!(ran.err.contains(says), "{text}: {}", ran.err);
    }
    // One message for a document that is no session, however many lines it has.
    write(&format!("[\n{done},\n{{\n\"id\":\n\"b\"\n}}]"));
    let ran = compare("fixed.tariff", &[]);
    assert_eq!((ran.code, ran.err.matches("s.json, number 2").count()), (1, 1), "{}", ran.err);
    write("{\n\"month\":\n\"2026-06\",\n\"bills\":\n[]\n}\n");
    let ran = compare("fixed.tariff", &[]);
    assert_eq!(
        (ran.code, ran.err.lines().filter(|line| line.contains("s.json")).count()),
        (1, 1),
        "{}",
        ran.err
    );
    assert_eq!(compare("fixed.tariff", &["--format", "json"]).json()["sessions"], 0);
}
