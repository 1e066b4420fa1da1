//! The program as people and programs use it: real runs of the binary on files.
//!
//! What people see is kept in `snapshots`; `UPDATE=1 cargo test -p takst-gateway --test cli` writes them anew.

use crate::run::{command, finish, here, snapshot, takst, with_input};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

#[test]
fn check_says_everything_about_a_file() {
    let ran = takst(&["check", "bad.tariff"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    snapshot("check-bad", &ran.out);
    let json = takst(&["check", "--format", "json", "bad.tariff", "spot.tariff"]);
    assert_eq!(json.code, 1);
    let json = json.json();
    assert_eq!((&json["errors"], &json["files"], &json["warnings"]), (&3.into(), &2.into(), &0.into()));
    let comma = json["diagnostics"].as_array().unwrap().iter().find(|found| found["code"] == "E025").unwrap();
    let place = ["line", "column", "end_line", "end_column"].map(|field| comma[field].as_u64().unwrap());
    assert_eq!(place, [12, 3, 12, 7]);
    assert_eq!(
        (&comma["file"], &comma["severity"], &comma["fix"]["text"]),
        (&"bad.tariff".into(), &"error".into(), &"0.55".into())
    );
    assert!(comma["message"].is_string() && comma["help"].is_string() && comma["labels"].is_array());
}

#[test]
fn check_goes_on_and_counts_files() {
    let fine = takst(&["check", "spot.tariff", "hotel.tariff", "summer.tariff"]);
    assert_eq!((fine.code, fine.out.as_str()), (0, "3 files, no errors\n"));
    let mixed = takst(&["check", "missing.tariff", "bad.tariff", "spot.tariff"]);
    assert_eq!(mixed.code, 3);
    assert!(mixed.err.contains("`missing.tariff` does not exist"), "{}", mixed.err);
    assert!(mixed.out.contains("E025"), "{}", mixed.out);
}

#[test]
fn check_names_the_base_file() {
    let orphan = takst(&["check", "orphan.tariff"]);
    assert_eq!(orphan.code, 1);
    snapshot("check-orphan", &orphan.out);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lists")).unwrap();
    let base = std::fs::read_to_string(here().join("files/hotel.tariff")).unwrap();
    std::fs::write(folder.path().join("lists/hotel.tariff"), base.replace("0.45", "0,45")).unwrap();
    std::fs::copy(here().join("files/summer.tariff"), folder.path().join("lists/summer.tariff")).unwrap();
    let mut command = command(&["check", "lists/summer.tariff", "--format", "json"]);
    command.current_dir(folder.path());
    let json = finish(command, b"").json();
    assert_eq!(json["diagnostics"][0]["file"], "lists/hotel.tariff");
    assert_eq!(json["diagnostics"][0]["code"], "E025");
}

#[test]
fn what_cannot_be_read_is_said_clearly() {
    let folder = tempfile::tempdir().unwrap();
    let name = |file: &str| folder.path().join(file).display().to_string();
    std::fs::write(name("latin1.tariff"), b"tariff \"caf\xe9\"\n").unwrap();
    std::fs::write(name("large.tariff"), vec![b' '; 5 << 20]).unwrap();
    let latin1 = takst(&["check", &name("latin1.tariff")]);
    assert_eq!(latin1.code, 1);
    assert!(latin1.out.contains("E002") && latin1.out.contains("line 1, column 12"), "{}", latin1.out);
    let large = takst(&["check", &name("large.tariff")]);
    assert_eq!(large.code, 1);
    assert!(large.out.contains("E001"), "{}", large.out);
    let dir = takst(&["check", &folder.path().display().to_string()]);
    assert_eq!(dir.code, 3);
    assert!(dir.err.contains("is a folder"), "{}", dir.err);
    for arguments in [
        &["price", "spot.tariff", "--session", "nowhere.json"][..],
        &["table", "nowhere.tariff", "--date", "2025-03-10"],
    ] {
        let ran = takst(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (3, ""));
        assert!(ran.err.contains("does not exist"), "{}", ran.err);
    }
    let piped = with_input(&["check", "-"], b"tariff \"x\"\n  colour: blue\n");
    assert_eq!(piped.code, 1);
    assert!(piped.out.contains("stdin:2:3"), "{}", piped.out);
    for bytes in [&b""[..], b"\0\0\0", b"\xff\xfe\0t", "\u{feff}\r\r\n\t".as_bytes()] {
        for verb in ["check", "fmt", "test"] {
            let ran = with_input(&[verb, "-"], bytes);
            assert!(ran.code == 0 || ran.code == 1, "{verb} {bytes:?}: {ran:?}");
        }
    }
}

#[test]
fn wrong_use_ends_with_2() {
    for arguments in [
        &[][..],
        &["chekc", "a.tariff"],
        &["check"],
        &["price", "spot.tariff"],
        &["table", "city.tariff", "--date", "2025-02-30"],
        &["table", "city.tariff", "--date", "2025-03-10", "--power", "lots"],
        &["explain", "city.tariff", "--session", "many.jsonl"],
        &["check", "spot.tariff", "--format", "xml"],
    ] {
        let ran = takst(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.is_empty());
    }
}

#[test]
fn help_version_and_completions() {
    let version = takst(&["--version"]);
    assert_eq!((version.code, version.out.trim()), (0, concat!("takst ", env!("CARGO_PKG_VERSION"))));
    for verb in
        ["check", "fmt", "test", "play", "price", "explain", "table", "diff", "ir", "month", "completions"]
    {
        let ran = takst(&[verb, "--help"]);
        assert_eq!(ran.code, 0);
        let last = ran.out.trim_end().rsplit("Example").next().unwrap();
        assert!(last.contains(&format!("takst {verb} ")), "{verb}: {}", ran.out);
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = takst(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("takst"), "{shell}");
    }
}

#[test]
fn colour_only_when_asked_for() {
    let coloured = takst(&["check", "--color", "always", "bad.tariff"]);
    assert!(coloured.out.contains('\u{1b}'));
    let mut command = command(&["check", "bad.tariff"]);
    command.env("NO_COLOR", "1");
    assert!(!finish(command, b"").out.contains('\u{1b}'));
}

#[test]
fn fmt_changes_what_it_must_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.tariff");
    let name = file.display().to_string();
    let tidy = std::fs::read_to_string(here().join("files/spot.tariff")).unwrap();
    let untidy = tidy.replace("  currency:   EUR", "\tcurrency:EUR").replace("25.5%  from", "25.5% from");
    std::fs::write(&file, &untidy).unwrap();
    let check = takst(&["fmt", "--check", &name, "hotel.tariff"]);
    assert_eq!((check.code, check.out), (1, format!("{name}\n1 of 2 files would change\n")));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), untidy);
    let ran = takst(&["fmt", &name]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), tidy);
    assert_eq!(takst(&["fmt", "--check", &name]).out, "1 file, nothing to change\n");
    assert_eq!(with_input(&["fmt", "-"], untidy.as_bytes()).out, tidy);
    let leftovers = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(leftovers, 1, "a temporary file was left behind");

    std::fs::write(&file, "tariff \"x\"\n  colour: blue\n").unwrap();
    let refused = takst(&["fmt", &name]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("E021"), "{}", refused.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "tariff \"x\"\n  colour: blue\n");
    let piped = with_input(&["fmt", "-"], b"energi: 1\n");
    assert_eq!((piped.code, piped.out.as_str()), (1, ""));
}

#[cfg(unix)]
#[test]
fn fmt_keeps_links_and_rights() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("a.tariff"), folder.path().join("link.tariff"));
    let tidy = std::fs::read_to_string(here().join("files/spot.tariff")).unwrap();
    std::fs::write(&file, tidy.replace("  currency:   EUR", "\tcurrency:EUR")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert_eq!(takst(&["fmt", &link.display().to_string()]).code, 0);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), tidy);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn test_shows_what_was_expected_and_what_came() {
    let ran = takst(&["test", "--coverage", "city.tariff", "hotel.tariff"]);
    assert_eq!(ran.code, 1);
    snapshot("test-city", &ran.out);
    let json = takst(&["test", "--coverage", "--format", "json", "city.tariff"]).json();
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
    let failure = &json["tests"][1]["failures"][0];
    assert_eq!(
        (&failure["line"], &failure["expected"], &failure["got"]),
        (&32.into(), &"6.60 EUR".into(), &"6.50 EUR".into())
    );
    let unreached = json["coverage"][0]["unreached"].as_array().unwrap();
    assert_eq!(unreached.iter().map(|line| line["line"].as_u64().unwrap()).collect::<Vec<_>>(), [15, 21]);
    let cases = json["coverage"][0]["cases"].as_array().unwrap();
    assert_eq!(json["coverage"][0]["lines"], cases.len());
    assert!(cases.iter().any(|case| case["tests"] == 2), "{cases:?}");
    // What is proposed does what it says.
    let mut text = std::fs::read_to_string(here().join("files/city.tariff")).unwrap();
    for line in unreached {
        text = format!("{text}\n{}", line["suggestion"].as_str().unwrap());
    }
    let piped = with_input(&["test", "--coverage", "--format", "json", "-"], text.as_bytes()).json();
    assert_eq!((&piped["failed"], &piped["coverage"][0]["unreached"]), (&1.into(), &serde_json::json!([])));
    assert_eq!(takst(&["test", "hotel.tariff"]).code, 0);
}

#[test]
fn lint_gives_advice_and_ends_as_check_does() {
    let list = "tariff \"A\"\n  currency: EUR\n  time zone: Europe/Vienna\n  prices: including VAT\nVAT: 20%\nenergy: 45 EUR/kWh\n";
    let ran = with_input(&["lint", "-"], list.as_bytes());
    assert_eq!(ran.code, 0, "advice is no error");
    assert!(ran.out.contains("advice[L12]: more than 3 EUR for a kWh is unusual"), "{}", ran.out);
    assert!(ran.out.ends_with("2 pieces of advice on 1 file\n"), "{}", ran.out);
    assert_eq!(with_input(&["lint", "--strict", "-"], list.as_bytes()).code, 1);
    let json = with_input(&["lint", "--format", "json", "-"], list.as_bytes()).json();
    assert_eq!((&json["files"], &json["errors"], &json["advice"]), (&1.into(), &0.into(), &2.into()));
    let found = &json["diagnostics"][1];
    assert_eq!(
        (&found["code"], &found["severity"], &found["line"]),
        (&"L12".into(), &"advice".into(), &6.into())
    );
    let wrong = with_input(&["lint", "-"], list.replace("45", "4,5").as_bytes());
    assert_eq!(wrong.code, 1);
    assert!(wrong.out.contains("E025") && wrong.out.contains("1 error in 1 file"), "{}", wrong.out);
    assert_eq!(takst(&["lint", "missing.tariff"]).code, 3);
    let folder = tempfile::tempdir().unwrap();
    let prices = folder.path().join("spot.json");
    let step = |from: &str, to: &str, price: &str| {
        format!(
            r#"{{"from": "2025-05-11T{from}:00+02:00", "to": "2025-05-11T{to}:00+02:00", "price": "{price}"}}"#
        )
    };
    let steps =
        [step("00:00", "13:00", "0.01"), step("13:00", "14:00", "-0.0501"), step("14:00", "23:00", "-0.05")];
    let feed = format!(
        r#"{{"feed": "spot", "unit": "EUR/kWh", "vat_included": true, "prices": [{}]}}"#,
        steps.join(", ")
    );
    std::fs::write(&prices, feed).unwrap();
    let spot = list.replace("45 EUR/kWh", "spot + 0.05 EUR/kWh");
    let prices = prices.display().to_string();
    let ran = with_input(&["lint", "--prices", &prices, "-"], spot.as_bytes());
    assert!(ran.out.contains("below zero: -0.0001 EUR on 2025-05-11 at 13:00"), "{}{}", ran.out, ran.err);
    assert!(!with_input(&["lint", "-"], spot.as_bytes()).out.contains("L01"), "without prices nobody knows");
    let tested = "test \"ten\"\n  charge 10 kWh from 2025-03-10 12:00 to 13:00\n  expect energy 4.50 EUR\n";
    let fine = format!("{}{tested}", list.replace("45 EUR", "45 cent"));
    let fine = with_input(&["lint", "--strict", "-"], fine.as_bytes());
    assert_eq!((fine.code, fine.out.as_str()), (0, "1 file, no advice\n"), "{}", fine.err);
}

#[test]
fn a_receipt_shows_every_hour_and_adds_up() {
    let arguments = ["price", "spot.tariff", "--session", "day.json", "--prices", "spot.json"];
    let ran = takst(&arguments);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    snapshot("price-spot", &ran.out);
    let json = takst(&[&arguments[..], &["--format", "json"]].concat()).json();
    assert_eq!(
        (&json["kind"], &json["status"], &json["session"]),
        (&"bill".into(), &"final".into(), &"210".into())
    );
    let total = json["total"].as_str().unwrap();
    assert!(ran.out.contains(&format!("EUR {total}\n")), "the receipt shows another total than the document");
    assert_eq!(json["lines"][0]["from"], "2025-09-25T09:09:44+03:00");
}

#[cfg(target_os = "linux")]
#[test]
fn long_files_stay_in_small_memory() {
    let session = std::fs::read_to_string(here().join("files/day.json")).unwrap().replace('\n', " ");
    let mut child = command(&["price", "city.tariff", "--session", "-", "--lines", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let writer = std::thread::spawn(move || {
        for _ in 0..30_000 {
            writeln!(stdin, "{session}").unwrap();
        }
        // The process still waits for more here, so its peak can be read.
        std::thread::sleep(std::time::Duration::from_millis(300));
        std::fs::read_to_string(status).unwrap()
    });
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().count();
    let status = writer.join().unwrap();
    assert_eq!((lines, child.wait().unwrap().code()), (30_000, Some(0)));
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 64 * 1024, "{kib} KiB");
}

#[test]
fn receipts_of_other_kinds() {
    let pending = takst(&["price", "spot.tariff", "--session", "day.json", "--prices", "spot-short.json"]);
    assert_eq!(pending.code, 0);
    snapshot("price-pending", &pending.out);
    snapshot("price-clock-change", &takst(&["price", "hotel.tariff", "--session", "night.json"]).out);
    snapshot("price-running", &takst(&["price", "city.tariff", "--session", "running.json"]).out);
    snapshot("price-formula", &takst(&["price", "city.tariff", "--session", "day.json"]).out);
}

#[test]
fn many_sessions_come_out_in_order_and_a_bad_line_is_named() {
    let ran = takst(&["price", "city.tariff", "--session", "many.jsonl", "--format", "json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("many.jsonl:3:") && ran.err.contains("did you mean `charger`?"), "{}", ran.err);
    let documents: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<&str> = documents.iter().map(|d| d["session"].as_str().unwrap_or("-")).collect();
    assert_eq!(ids, ["s1", "s2", "-", "s3", "-", "s4", "s5", "s6", "s10"]);
    assert_eq!((&documents[2]["line"], &documents[4]["line"]), (&3.into(), &6.into()));
    let human = takst(&["price", "city.tariff", "--session", "many.jsonl"]);
    assert_eq!(human.code, 1);
    snapshot("price-many", &human.out);
    let text = std::fs::read(here().join("files/many.jsonl")).unwrap();
    let piped = with_input(&["price", "city.tariff", "--session", "-", "--lines", "--format", "json"], &text);
    assert_eq!(piped.out, ran.out);
}

#[test]
fn the_order_of_many_sessions_does_not_depend_on_the_number_of_workers() {
    let session = std::fs::read_to_string(here().join("files/day.json")).unwrap().replace('\n', " ");
    let input: String = (0..3000).map(|i| session.replace("\"210\"", &format!("\"n{i}\"")) + "\n").collect();
    let ran = with_input(
        &["price", "city.tariff", "--session", "-", "--lines", "--format", "json"],
        input.as_bytes(),
    );
    assert_eq!(ran.code, 0);
    for (index, line) in ran.out.lines().enumerate() {
        assert!(line.contains(&format!("\"session\":\"n{index}\"")), "line {index}: {line}");
    }
    assert_eq!(ran.out.lines().count(), 3000);
}

#[test]
fn counters_are_carried_from_session_to_session() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let tariff = file(
        "tiers.tariff",
        "tariff \"Tiers\"\n  currency: EUR\n  time zone: Europe/Berlin\n  prices: including VAT\n\nVAT: 19%\n\nenergy:\n  0.50 EUR/kWh  up to 15 kWh per month per driver\n  0.30 EUR/kWh  otherwise\n",
    );
    let standing = file("standing.json", "{}");
    let many = std::fs::read_to_string(here().join("files/many.jsonl")).unwrap();
    let lines: Vec<&str> = many.lines().take(2).collect();
    let sessions =
        file("two.jsonl", &lines.join("\n").replace("\"groups\"", "\"driver\": \"d\", \"groups\""));
    let ran = takst(&["price", &tariff, "--session", &sessions, "--standing", &standing, "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let totals: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    // 10 kWh; then 5 kWh that are left of the first tier and 15 kWh beyond it.
    assert_eq!((&totals[0]["total"], &totals[1]["total"]), (&"5.00".into(), &"7.00".into()));
    assert_eq!(totals[1]["standing"]["driver energy 2025-03"], "30");
    let alone = takst(&["price", &tariff, "--session", &sessions, "--format", "json"]);
    assert!(alone.out.lines().nth(1).unwrap().contains("\"total\":\"9.00\""), "{}", alone.out);
}

#[test]
fn a_tariff_with_errors_prices_nothing() {
    let human = takst(&["price", "bad.tariff", "--session", "day.json"]);
    assert_eq!((human.code, human.out.as_str()), (1, ""));
    assert!(human.err.contains("E025"));
    let json = takst(&["price", "bad.tariff", "--session", "day.json", "--format", "json"]);
    assert_eq!(json.code, 1);
    assert_eq!(json.json()["diagnostics"].as_array().unwrap().len(), 3);
    let session = with_input(&["price", "spot.tariff", "--session", "-"], br#"{"id": "x", "readngs": []}"#);
    assert_eq!(session.code, 1);
    assert!(session.err.contains("did you mean `readings`?"), "{}", session.err);
}

#[test]
fn explain_quotes_the_line_that_won() {
    let ran = takst(&["explain", "spot.tariff", "--session", "day.json", "--prices", "spot-short.json"]);
    assert_eq!(ran.code, 0);
    snapshot("explain-spot", &ran.out);
    snapshot("explain-formula", &takst(&["explain", "city.tariff", "--session", "day.json"]).out);
    snapshot("explain-clock-change", &takst(&["explain", "hotel.tariff", "--session", "night.json"]).out);
    let arguments = ["city.tariff", "--session", "day.json", "--format", "json"];
    let explained = takst(&[&["explain"], &arguments[..]].concat()).json();
    let states: Vec<&str> =
        explained["states"].as_array().unwrap().iter().map(|s| s["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["charging", "idle"]);
    let priced = takst(&[&["price"], &arguments[..]].concat()).json();
    assert_eq!((&priced["lines"], &priced["total"]), (&explained["lines"], &explained["total"]));
    let idle = explained["slices"].as_array().unwrap().iter().find(|s| s["charge"] == "idle fee").unwrap();
    assert!(idle["text"].as_str().unwrap().starts_with("50% of energy price"));
    let names: Vec<&str> =
        idle["figures"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["energy price", "average-power"]);
}

#[test]
fn table_tells_both_hours_of_the_clock_change_apart() {
    let arguments = ["table", "spot.tariff", "--date", "2025-10-26", "--prices", "spot-dst.json"];
    snapshot("table-autumn", &takst(&arguments).out);
    let json = takst(&[&arguments[..], &["--format", "json"]].concat()).json();
    let slices = json["slices"].as_array().unwrap();
    assert_eq!(slices.len(), 25);
    let starts: Vec<&str> = slices.iter().map(|slice| slice["from"].as_str().unwrap()).collect();
    assert!(starts.contains(&"2025-10-26T03:00:00+03:00") && starts.contains(&"2025-10-26T03:00:00+02:00"));
    // (0.040 + 0.005 + 0.035 + 0.0225) x 1.255
    assert_eq!(slices[0]["price"], "0.1286375");
    let spring = takst(&[
        "table",
        "spot.tariff",
        "--date",
        "2025-03-30",
        "--prices",
        "spot-spring.json",
        "--format",
        "json",
    ])
    .json();
    let spring = spring["slices"].as_array().unwrap();
    assert_eq!(spring.len(), 23);
    assert!(spring.iter().all(|slice| slice["pending"].is_null() && slice["price"].is_string()));
    let unknown = takst(&["table", "spot.tariff", "--date", "2025-03-30", "--format", "json"]).json();
    assert_eq!(
        (&unknown["slices"][0]["pending"], &unknown["slices"][0]["price"]),
        (&true.into(), &Value::Null)
    );
}

#[test]
fn table_lists_terms_and_names_the_option_that_is_missing() {
    let missing = takst(&["table", "city.tariff", "--date", "2025-03-10"]);
    assert_eq!((missing.code, missing.out.as_str()), (2, ""));
    assert!(missing.err.contains("--plug AC"), "{}", missing.err);
    snapshot("table-city", &takst(&["table", "city.tariff", "--date", "2025-03-10", "--plug", "AC"]).out);
    snapshot(
        "table-city-member",
        &takst(&[
            "table",
            "city.tariff",
            "--date",
            "2025-03-10",
            "--plug",
            "DC",
            "--power",
            "50",
            "--group",
            "members",
        ])
        .out,
    );
    let group = takst(&["table", "city.tariff", "--date", "2025-03-10", "--plug", "AC", "--group", "member"]);
    assert_eq!(group.code, 2);
    assert!(group.err.contains("did you mean `members`?"), "{}", group.err);
    let early = takst(&["table", "hotel.tariff", "--date", "2024-12-31"]);
    assert_eq!(early.code, 1);
    assert!(early.err.contains("2025-01-01"), "{}", early.err);
}

#[test]
fn table_shows_what_changes_with_use() {
    snapshot("table-tiers", &takst(&["table", "tiers.tariff", "--date", "2025-03-30"]).out);
    let json =
        takst(&["table", "tiers.tariff", "--date", "2025-03-30", "--power", "22", "--format", "json"]).json();
    // 22 kW are known to be drawn: only the threshold on energy is left.
    let tiers = json["tiers"].as_array().unwrap();
    assert_eq!((tiers.len(), &tiers[0]["when"]), (1, &"from 20 kWh of energy".into()));
    assert_eq!(
        (&json["slices"][0]["price"], &tiers[0]["slices"][0]["price"]),
        (&"3.75".into(), &"3.125".into())
    );
}

#[test]
fn diff_adds_up() {
    let arguments = ["diff", "city.tariff", "city-2026.tariff", "--sessions", "many.jsonl"];
    let ran = takst(&arguments);
    assert_eq!(ran.code, 1);
    snapshot("diff-city", &ran.out);
    let json = takst(&[&arguments[..], &["--format", "json"]].concat()).json();
    let cents = |value: &Value| value.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    assert_eq!(
        cents(&json["total"]["new"]) - cents(&json["total"]["old"]),
        cents(&json["total"]["difference"])
    );
    let groups = json["groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|group| cents(&group["new"])).sum::<i64>(), cents(&json["total"]["new"]));
    assert_eq!((&json["sessions"], &json["failed"], &json["previews"]), (&6.into(), &2.into(), &1.into()));
    assert_eq!(json["failures"][0]["line"], 3);
    let priced = takst(&["price", "city.tariff", "--session", "many.jsonl", "--format", "json"]);
    let bills = priced.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let total: i64 = bills.filter(|bill| bill["kind"] == "bill").map(|bill| cents(&bill["total"])).sum();
    assert_eq!(cents(&json["total"]["old"]), total);
}

#[test]
fn ir_prints_and_its_hash_is_that_of_bills() {
    let ran = takst(&["ir", "city.tariff"]);
    assert_eq!(ran.code, 0);
    let text: String =
        ran.out.lines().filter(|line| !line.starts_with("version")).map(|line| format!("{line}\n")).collect();
    snapshot("ir-city", &text);
    let json = takst(&["ir", "city.tariff", "--format", "json"]).json();
    let bill = takst(&["price", "city.tariff", "--session", "day.json", "--format", "json"]).json();
    assert_eq!(json["version"], bill["tariff"]["version"]);
    assert_eq!(json["tariff"]["name"], "City chargers");
    assert!(ran.out.contains(json["version"].as_str().unwrap()));
}

#[test]
fn a_month_is_settled() {
    let ran = takst(&["month", "hotel.tariff", "--input", "month.json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    snapshot("month-hotel", &ran.out);
    let json = takst(&["month", "hotel.tariff", "--input", "month.json", "--format", "json"]).json();
    assert_eq!((&json["month"], &json["totals"]["total"]), (&"2025-07".into(), &"19.13".into()));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let session = std::fs::read_to_string(here().join("files/day.json")).unwrap().replace('\n', " ");
    let input: String = (0..20_000).map(|_| format!("{session}\n")).collect();
    let mut child = command(&["price", "city.tariff", "--session", "-", "--lines", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes());
    });
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with('{'));
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let status = child.wait().unwrap();
    writer.join().unwrap();
    assert_eq!((status.code(), err.as_str()), (Some(0), ""));
}
