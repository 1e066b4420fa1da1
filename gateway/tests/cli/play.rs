//! `takst play`: the page in a real browser, and what it refuses.

use crate::browser::{Answer, Browser, http};
use crate::run::{command, takst};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

const YARD: &str = r#"tariff "Yard"
  currency:  EUR
  time zone: Europe/Vienna
  prices:    excluding VAT

VAT: 20%

groups: members, everyone else guests

price service: 0.05 EUR/kWh

energy:
  0.20 EUR/kWh + service  for members
  0.30 EUR/kWh + service  during 22:00-06:00
  0.40 EUR/kWh + service  otherwise

idle fee after 15 min: 0.10 EUR/min
"#;

struct Played {
    child: Child,
    address: SocketAddr,
}

impl Drop for Played {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn play(arguments: &[&str]) -> Played {
    let mut all = vec!["play", "--listen", "127.0.0.1:0", "--format", "json", "--date", "2025-03-10"];
    all.extend(arguments);
    let mut child = command(&all).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    Played { child, address: started["listen"].as_str().unwrap().parse().unwrap() }
}

impl Played {
    fn page(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn post(&self, path: &str, fields: &[(&str, &str)], head: &[&str]) -> Answer {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let head = [&["Content-Type: application/x-www-form-urlencoded"], head].concat();
        http(self.address, "POST", path, &head, body.join("&").as_bytes())
    }

    fn look(&self, fields: &[(&str, &str)]) -> Value {
        let answer = self.post("/look", fields, &[]);
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }
}

/// A tariff in a folder of its own.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("yard.tariff");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

/// What `takst price` makes of the tariff and the session that are on the page.
fn priced(folder: &Path, text: &str, session: &str) -> Value {
    let (tariff, file) = (folder.join("seen.tariff"), folder.join("seen.json"));
    std::fs::write(&tariff, text).unwrap();
    std::fs::write(&file, session).unwrap();
    let (tariff, file) = (tariff.display().to_string(), file.display().to_string());
    let ran = takst(&["price", &tariff, "--session", &file, "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.json()
}

const TOTAL: &str = "document.querySelector('.total .amount').textContent";

#[test]
fn the_bill_on_the_page_is_that_of_takst_price_whatever_is_dragged() {
    let (folder, path) = file(YARD);
    let (played, browser) = (play(&[&path]), Browser::start());
    browser.size(1280, 900, false);
    browser.open(&played.page());
    browser.wait("document.querySelector('#timeline svg') !== null");
    let same = || {
        // All looks are over when the page says nothing more for a while.
        let mut last = String::new();
        for _ in 0..50 {
            std::thread::sleep(std::time::Duration::from_millis(150));
            let now = browser.text("document.getElementById('session').textContent + document.getElementById('bill').textContent");
            if now == last {
                break;
            }
            last = now;
        }
        let session = browser.text("document.getElementById('session').textContent");
        let bill = priced(folder.path(), &browser.text("document.getElementById('text').value"), &session);
        assert_eq!(browser.text(TOTAL), format!("{} EUR", bill["total"].as_str().unwrap()));
        let charges: Vec<&str> = bill["charges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|charge| charge["amount"].as_str().unwrap())
            .collect();
        let shown = browser
            .eval("[...document.querySelectorAll('.charge .amount')].map(amount => amount.textContent)");
        assert_eq!(shown, json!(charges));
        serde_json::from_str::<Value>(&session).unwrap()
    };
    // 33 kWh from 16:30 to 19:30, unplugged at 21:00: 14.85 and 75 minutes of idle fee, and 20 %.
    let first = same();
    assert_eq!(browser.text(TOTAL), "26.82 EUR");
    assert_eq!(first["unplugged"], "2025-03-10T21:00:00+01:00");

    browser.drag("[data-handle=out] .knob", (40, 0));
    let later = same();
    assert!(later["unplugged"].as_str().unwrap() > "2025-03-10T21:30", "{later}");
    assert_eq!((&later["plugged_in"], &later["readings"][1]), (&first["plugged_in"], &first["readings"][1]));

    browser.drag("[data-handle=full] .knob", (-60, 0));
    let shorter = same();
    assert!(shorter["readings"][1]["at"].as_str().unwrap() < "2025-03-10T19:00", "{shorter}");
    assert_ne!(shorter["readings"][1]["import_kwh"], "33", "at the same power less is taken");

    browser.drag("[data-handle=kw] .knob", (0, 30));
    let weaker = same();
    let kwh =
        |session: &Value| session["readings"][1]["import_kwh"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(kwh(&weaker) < kwh(&shorter), "{weaker}");

    browser.drag("[data-handle=all]", (30, 0));
    let moved = same();
    assert!(moved["plugged_in"].as_str().unwrap() > "2025-03-10T16:30", "{moved}");
    assert_eq!(kwh(&moved), kwh(&weaker));

    // By keyboard: five minutes.
    let before = browser.text("document.querySelector('[data-handle=in]').getAttribute('aria-valuetext')");
    browser.eval("document.querySelector('[data-handle=in]').focus()");
    browser.keys("\u{e012}");
    same();
    let after = browser.text("document.querySelector('[data-handle=in]').getAttribute('aria-valuetext')");
    assert_ne!(before, after);
    assert_eq!(browser.eval("document.activeElement.dataset.handle"), "in", "the focus stays where it was");

    // What the tariff asks can be answered.
    browser.eval("(() => { const group = document.querySelector('[name=group]'); group.value = 'members'; group.dispatchEvent(new Event('input', {bubbles: true})); })()");
    let member = same();
    assert_eq!(member["groups"], json!(["members"]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn mistakes_are_underlined_while_typing_as_takst_check_says_them() {
    let (folder, path) = file(YARD);
    let (played, browser) = (play(&[&path]), Browser::start());
    browser.size(1280, 900, false);
    browser.open(&played.page());
    browser.wait("document.querySelector('#verdict').textContent === 'no errors'");
    browser.eval("(() => { const text = document.getElementById('text'); text.focus(); text.setSelectionRange(text.value.length, text.value.length); })()");
    browser.keys("\u{e007}start fee: 1,00 EUR/session\u{e007}");
    browser.wait("document.querySelector('#lines mark.error') !== null && document.querySelector('#verdict').className === 'error'");
    let text = browser.text("document.getElementById('text').value");
    let bad = folder.path().join("bad.tariff");
    std::fs::write(&bad, &text).unwrap();
    let checked = takst(&["check", "--format", "json", &bad.display().to_string()]).json();
    let said: Vec<&str> = checked["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["message"].as_str().unwrap())
        .collect();
    browser.wait(&format!("document.querySelectorAll('#messages li').length === {}", said.len()));
    assert_eq!(
        browser.eval("[...document.querySelectorAll('#messages strong')].map(said => said.textContent)"),
        json!(said)
    );
    let marked = browser.text("document.querySelector('#lines mark.error').textContent");
    let found = &checked["diagnostics"][0];
    let line = text.lines().nth(usize::try_from(found["line"].as_u64().unwrap()).unwrap() - 1).unwrap();
    assert!(line.contains(&marked), "{marked:?} in {line:?}");
    // The old picture stays, and is seen to be old.
    assert_eq!(browser.eval("document.getElementById('bill').classList.contains('stale')"), true);
    browser.picture("play-mistake");
    // Each message leads to its place, and what mends it is one click.
    while browser.eval("document.querySelector('.fix') !== null") == json!(true) {
        let before = browser.text("document.getElementById('text').value");
        browser.click(".fix");
        browser.wait(&format!("document.getElementById('text').value !== {}", json!(before)));
        std::thread::sleep(std::time::Duration::from_millis(600));
    }
    browser.wait("document.querySelector('#verdict').textContent === 'no errors'");
    assert_eq!(browser.eval("document.getElementById('bill').classList.contains('stale')"), false);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), YARD, "nothing is written without --write");
    assert_eq!(browser.eval("document.querySelector('[value=save]')"), Value::Null);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn an_amount_lights_up_the_line_that_made_it() {
    let (_folder, path) = file(YARD);
    let (played, browser) = (play(&[&path]), Browser::start());
    browser.size(1280, 900, false);
    browser.open(&played.page());
    browser.wait("document.querySelector('.charge .amount') !== null");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let lit = || {
        browser.text(
            "[...document.querySelectorAll('#lines .lit')].map(line => line.textContent.trim()).join('|')",
        )
    };
    browser.hover(".charge .amount");
    browser.wait("document.querySelector('#lines .lit') !== null");
    assert_eq!(lit(), "0.40 EUR/kWh + service  otherwise");
    browser.picture("play-lit");
    // A part is made by its own line, the tax by its own.
    browser.hover(".part .amount[aria-label^=service]");
    assert_eq!(lit(), "price service: 0.05 EUR/kWh");
    browser.hover("h1");
    assert_eq!(lit(), "");
    browser.eval("document.querySelector('.totals .amount[aria-label^=VAT]').focus()");
    assert_eq!(lit(), "VAT: 20%");
    assert!(browser.text("document.getElementById('quote').textContent").contains("6  VAT: 20%"));
    // Enter goes to the line.
    browser.eval("[...document.querySelectorAll('.charge .amount')].at(-1).focus()");
    browser.keys("\u{e007}");
    let chosen = "(() => { const text = document.getElementById('text'); return text.value.slice(text.selectionStart, text.selectionEnd); })()";
    assert_eq!(browser.text(chosen), "idle fee after 15 min: 0.10 EUR/min");
    // And the caret in a line shows its amounts.
    browser.wait("[...document.querySelectorAll('.charge .amount')].at(-1).classList.contains('from')");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_page_is_whole_on_a_telephone_and_in_the_dark() {
    let (played, browser) = (play(&[]), Browser::start());
    for (name, width, height, phone) in
        [("desk", 1280, 900, false), ("phone", 390, 844, true), ("small", 320, 640, true)]
    {
        for dark in [false, true] {
            browser.size(width, height, phone);
            browser.dark(dark);
            browser.open(&played.page());
            browser.wait("document.querySelector('.total .amount') !== null");
            // Drawn for the width that there is.
            browser.wait("Math.abs(document.querySelector('#timeline svg').viewBox.baseVal.width - document.getElementById('timeline').clientWidth) < 6");
            let over = "[...document.querySelectorAll('main *')].filter(e => !e.closest('svg, .editor, pre') && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 99))";
            assert_eq!(browser.eval(over), json!([]), "{name}: beyond the edge");
            assert_eq!(browser.eval("document.documentElement.scrollWidth <= innerWidth"), true, "{name}");
            let ground = browser.text("getComputedStyle(document.body).backgroundColor");
            assert_eq!(ground == "rgb(16, 22, 29)", dark, "{name}: {ground}");
            browser.picture(&format!("play-{name}-{}", if dark { "dark" } else { "light" }));
        }
    }
    // Everything that can be worked has a name for who cannot see it.
    let nameless = "[...document.querySelectorAll('button, input:not([type=hidden]), select, textarea, [role=slider]')].filter(e => !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim())).length";
    assert_eq!(browser.eval(nameless), 0);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_file_is_written_only_when_that_was_asked_for_and_nobody_else_changed_it() {
    let (_folder, path) = file(&YARD.replace('\n', "\r\n"));
    let played = play(&[&path, "--write"]);
    let changed = YARD.replace("0.10 EUR/min", "0.20 EUR/min");
    let saved = played.look(&[("text", &changed), ("do", "save")]);
    assert_eq!(saved["said"], "saved yard.tariff");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), changed.replace('\n', "\r\n"), "its line ends stay");
    std::fs::write(&path, "# somebody else's").unwrap();
    let refused = played.look(&[("text", YARD), ("do", "save")]);
    assert!(refused["said"].as_str().unwrap().contains("has changed since"), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# somebody else's");
    drop(played);
    let reading = play(&[&path]);
    let refused = reading.look(&[("text", YARD), ("do", "save")]);
    assert!(refused["said"].as_str().unwrap().contains("--write"), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# somebody else's");

    for (arguments, code, says) in [
        (&["play", &path, "--write", "--listen", "0.0.0.0:0"][..], 2, "this machine only"),
        (&["play", "--write"], 2, "FILE"),
        (&["play", "nowhere.tariff"], 3, "does not exist"),
        (&["play", "-"], 2, "name a file"),
        (&["play", "--prices", &path], 1, "no price feed"),
        (&["play", "--listen", "192.0.2.1:1"], 3, "cannot listen"),
    ] {
        let ran = takst(arguments);
        assert_eq!((ran.code, ran.err.contains(says)), (code, true), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn only_the_page_itself_is_answered() {
    let played = play(&[]);
    let first = http(played.address, "GET", "/", &[], b"");
    assert_eq!(first.status, 200);
    let policy = "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'";
    assert!(first.head.contains(policy), "{}", first.head);
    assert!(
        !first.body.contains("style=") && !first.body.contains("<style") && !first.body.contains("://"),
        "nothing from elsewhere"
    );
    for host in ["Host: evil.example", "Host: 127.0.0.1.evil.example:80"] {
        assert_eq!(http(played.address, "GET", "/", &[host], b"").status, 403, "{host}");
        assert_eq!(played.post("/look", &[("text", YARD)], &[host]).status, 403, "{host}");
    }
    for head in ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        assert_eq!(played.post("/look", &[("text", YARD)], &[head]).status, 403, "{head}");
    }
    let own = format!("Origin: http://{}", played.address);
    assert_eq!(played.post("/look", &[("text", YARD)], &[&own, "Sec-Fetch-Site: same-origin"]).status, 200);
}

#[test]
fn bad_input_gets_words() {
    let played = play(&[]);
    let wrong = |fields: &[(&str, &str)]| {
        let answer = played.look(&[&[("text", YARD)], fields].concat());
        answer["parts"]["wrong"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(wrong(&[]), "");
    for (fields, says) in [
        (&[("kwh", "lots")][..], "energy: a number from 0 to 10000"),
        (&[("kw", "-1")], "power: a number from 0 to 1000"),
        (&[("kw", "1e3")], "power: a number"),
        (&[("in", "tomorrow")], "plugged in: `tomorrow` is no date and time"),
        (&[("in", "2025-02-30T10:00")], "no date and time"),
        (&[("in", "2025-03-01T10:00")], "7 days"),
        (&[("out", "2025-03-10T10:00")], "before charging ends"),
        (&[("full", "2025-03-10T10:00")], "charging ends before"),
        (&[("out", "2025-04-10T10:00")], "7 days"),
        (
            &[("in", "1999-12-31T10:00"), ("full", "1999-12-31T11:00"), ("out", "1999-12-31T12:00")],
            "outside the years",
        ),
        (
            &[("in", "9999-12-31T10:00"), ("full", "9999-12-31T11:00"), ("out", "9999-12-31T12:00")],
            "outside the years",
        ),
    ] {
        assert!(wrong(fields).contains(says), "{fields:?}: {}", wrong(fields));
    }
    // What is dragged stops where it must.
    let far = |drag: &str| played.look(&[("text", YARD), ("drag", drag)])["fields"].clone();
    assert_eq!(far("in:0")["in"], far("in:-9223372036854775808")["in"]);
    for drag in [
        "in:99999999999999",
        "full:1",
        "out:1",
        "all:99999999999999",
        "kw:99999999",
        "kw:x",
        "in:x",
        "x:1",
        "in",
    ] {
        let answer = played.look(&[("text", YARD), ("drag", drag)]);
        assert_eq!(answer["parts"]["wrong"], "", "{drag}");
    }
    let large = "# long\n".repeat(50_000);
    let answer = played.look(&[("text", &large)]);
    assert!(answer["parts"]["verdict"].as_str().unwrap().contains("larger than 256 KiB"));
    let huge = "#".repeat(2 << 20);
    let refused = played.post("/look", &[("text", &huge)], &[]);
    assert!(refused.status == 413 && refused.body.contains("256 KiB"), "{}", refused.status);
    for text in ["", "\0", "tariff", "energy:\n", "test \"x\"\n", "\u{feff}tariff \"x\"", "🚗"] {
        assert_eq!(played.look(&[("text", text)])["how"], "error", "{text:?}");
    }
    // An open list is right, and cannot price.
    let open = YARD.replace("price service: 0.05 EUR/kWh", "price service: set by each list");
    let answer = played.look(&[("text", &open)]);
    assert_eq!((&answer["how"], &answer["parts"]["bill"]), (&json!("warning"), &Value::Null), "{answer}");
}

#[test]
fn lists_come_from_the_folder_of_the_file_only() {
    let (folder, path) = file(YARD);
    std::fs::write(folder.path().join("summer.tariff"), YARD.replace("Yard", "Summer")).unwrap();
    let secret = tempfile::tempdir().unwrap();
    let elsewhere = secret.path().join("secret.tariff").display().to_string();
    std::fs::write(&elsewhere, "tariff \"Secret\"\n  currency: SECRET\n").unwrap();
    let played = play(&[&path]);
    let based = |on: &str| format!("tariff \"New\"\n  based on: \"{on}\"\n");
    assert_eq!(played.look(&[("text", &based("summer.tariff"))])["how"], "fine");
    for on in [elsewhere.as_str(), "../secret.tariff", "/etc/passwd", "yard.txt"] {
        let answer = played.look(&[("text", &based(on))]).to_string();
        assert!(answer.contains("in the folder of the file") && !answer.contains("SECRET"), "{on}: {answer}");
    }
    assert!(
        play(&[])
            .look(&[("text", &based("summer.tariff"))])
            .to_string()
            .contains("name a file to take lists")
    );
    // What the file itself was based on stays open.
    let (_other, path) = file(&based(&elsewhere));
    assert!(play(&[&path]).look(&[]).to_string().contains("SECRET"));
}

#[test]
fn it_works_without_a_script_and_on_days_of_a_clock_change() {
    let played = play(&[]);
    let post = |fields: &[(&str, &str)]| {
        played.post("/", &[&[("text", YARD), ("do", "look")], fields].concat(), &[]).body
    };
    let page = post(&[("kwh", "10"), ("kw", "11"), ("was", "0 0 11 33")]);
    assert!(
        page.contains("name=\"kwh\" inputmode=\"decimal\" value=\"10\"")
            && page.contains("name=\"kw\" inputmode=\"decimal\" value=\"3.333\"")
    );
    assert!(page.contains("made by line 15 of the tariff"), "{page}");
    let neat = played
        .post("/", &[("text", &YARD.replace("  for members", "     for members")), ("do", "layout")], &[])
        .body;
    assert!(neat.contains("laid out"));
    // 02:30 comes twice on that day: the second one keeps its instant.
    let second = "1761442200000";
    let fields = [
        ("in", "2025-10-26T02:30"),
        ("in_at", second),
        ("full", "2025-10-26T04:00"),
        ("out", "2025-10-26T05:00"),
    ];
    let answer = played.look(&[&[("text", YARD)], &fields[..]].concat());
    assert!(answer["parts"]["session"].as_str().unwrap().contains("2025-10-26T02:30:00+01:00"), "{answer}");
    let (from, to) = (&answer["fields"]["axis_from"], &answer["fields"]["axis_to"]);
    let ms = |at: &Value| at.as_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(ms(to) - ms(from), 25 * 3_600_000);
    assert!(answer["parts"]["timeline"].as_str().unwrap().contains("the clock is put back 1 h"));
}

#[test]
fn spot_prices_come_from_files_or_the_example_day() {
    let (_folder, path) = file(
        "tariff \"Spot\"\n  currency: EUR\n  time zone: Europe/Helsinki\n  spot area: FI\n  prices: excluding VAT\n\nVAT: 24%\n\nenergy: spot\n",
    );
    let made_up = play(&[&path]).look(&[]);
    assert!(made_up["parts"]["notes"].as_str().unwrap().contains("example day"), "{made_up}");
    assert!(
        made_up["parts"]["timeline"].as_str().unwrap().contains("class=\"credit\""),
        "noon is below zero"
    );
    let mut child =
        command(&["play", &path, "--listen", "127.0.0.1:0", "--format", "json", "--prices", "spot.json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap();
    let played = Played { child, address: started["listen"].as_str().unwrap().parse().unwrap() };
    let real = played.look(&[]);
    assert_eq!(real["parts"]["notes"], "");
    // The day of the first price is the day of the session.
    assert!(real["fields"]["in"].as_str().unwrap().starts_with("2025-09-25"), "{}", real["fields"]);
}
