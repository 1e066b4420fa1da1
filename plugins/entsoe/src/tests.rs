#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use super::*;
use prices::Guest;
use takst_plugin_sdk::testing;

fn wanted(area: &str, day: &str, zone: &str) -> prices::Wanted {
    prices::Wanted {
        feed: "spot".into(),
        area: area.into(),
        currency: "EUR".into(),
        day: day.into(),
        time_zone: zone.into(),
    }
}

fn gateway() {
    testing::reset();
    testing::manifest(include_str!("../plugin.toml"), &[]);
    testing::secret("token", "t0ken");
}

fn fetch(status: u16, body: &str, wanted: prices::Wanted) -> Result<Vec<prices::Document>, Error> {
    gateway();
    let body = body.to_owned();
    testing::http(move |_| Ok(testing::answer(status, body.clone())));
    testing::call(|| Entsoe::fetch(Vec::new(), wanted))
}

fn publication(periods: &[(&str, &str)]) -> String {
    let periods: String = periods
        .iter()
        .map(|(start, end)| format!("<TimeSeries><Period><timeInterval><start>{start}</start><end>{end}</end></timeInterval></Period></TimeSeries>"))
        .collect();
    format!(
        "<Publication_MarketDocument><type>A44</type><period.timeInterval><start>2020-01-01T00:00Z</start></period.timeInterval>{periods}</Publication_MarketDocument>"
    )
}

fn acknowledgement(text: &str) -> String {
    format!(
        "<Acknowledgement_MarketDocument><mRID>x</mRID><Reason><code>999</code><text>{text}</text></Reason></Acknowledgement_MarketDocument>"
    )
}

const NOTHING: &str = "No matching data found for Data item ENERGY_PRICES";

#[test]
fn every_code_has_its_check_character() {
    for (name, eic) in areas::AREAS {
        assert!(areas::is_code(eic), "{name} {eic}");
        assert_eq!(areas::code(name).unwrap(), *eic);
    }
    assert!(
        !areas::is_code("10YNO-1--------3") && !areas::is_code("10YNO-2--------2") && !areas::is_code("")
    );
    assert_eq!(areas::code("de_lu").unwrap(), "10Y1001A1001A82H");
    assert_eq!(areas::code("10YGB----------A").unwrap(), "10YGB----------A");
    let error = areas::code("XX1").unwrap_err();
    assert_eq!(error.code, "unknown-area");
    assert!(error.detail.contains("`XX1`") && error.detail.contains("NO1"), "{}", error.detail);
}

#[test]
fn the_day_is_asked_for_on_the_clock_of_the_area() {
    let day = publication(&[("2026-03-28T23:00Z", "2026-03-29T22:00Z")]);
    let documents = fetch(200, &day, wanted("NO1", "2026-03-29", "Europe/Oslo")).unwrap();
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0].body, day.as_bytes());
    let url = &testing::sent()[0].url;
    assert_eq!(
        url,
        "https://web-api.tp.entsoe.eu/api?securityToken={{secret:token}}&documentType=A44&contract_MarketAgreement.type=A01&in_Domain=10YNO-1--------2\
         &out_Domain=10YNO-1--------2&periodStart=202603282300&periodEnd=202603292200"
    );
    assert!(
        !documents[0].source.contains("token") && documents[0].source.contains("periodStart=202603282300")
    );
    let _ = fetch(200, &day, wanted("FI", "2026-10-25", "Europe/Helsinki"));
    assert!(testing::sent()[0].url.ends_with("periodStart=202610242100&periodEnd=202610252200"), "25 hours");
}

#[test]
fn what_is_not_there_yet_is_no_error() {
    for status in [200, 400] {
        assert_eq!(
            fetch(status, &acknowledgement(NOTHING), wanted("NO1", "2026-03-29", "Europe/Oslo")),
            Ok(Vec::new())
        );
    }
    // The first hour of a Finnish day is published a day earlier than the rest: not yet that day's prices.
    let before = ("2026-06-01T22:00Z", "2026-06-02T22:00Z");
    let after = ("2026-06-02T22:00Z", "2026-06-03T22:00Z");
    let asked = || wanted("FI", "2026-06-03", "Europe/Helsinki");
    assert_eq!(fetch(200, &publication(&[before]), asked()), Ok(Vec::new()));
    assert_eq!(fetch(200, &publication(&[before, after]), asked()).unwrap().len(), 1);
    // The last hour of a Portuguese day comes a day later: the others count.
    let asked = wanted("PT", "2026-06-03", "Europe/Lisbon");
    assert_eq!(fetch(200, &publication(&[after]), asked).unwrap().len(), 1);
}

#[test]
fn errors_say_whether_asking_again_helps() {
    use takst_plugin_sdk::Outcome::{NotDone, Refused, Unknown};
    let asked = || wanted("NO1", "2026-03-29", "Europe/Oslo");
    let of = |status, body: &str| fetch(status, body, asked()).unwrap_err();
    let error = of(401, "Unauthorized");
    assert_eq!((error.code.as_str(), error.outcome), ("not-allowed", NotDone));
    assert!(error.detail.contains("secret `token`"));
    let error = of(429, "");
    assert_eq!(
        (error.code.as_str(), error.outcome, error.retry_after),
        ("too-many-requests", NotDone, Some(600))
    );
    let error = of(400, &acknowledgement("The amount of requested data exceeds the allowed limit"));
    assert_eq!(error.outcome, Refused);
    assert!(error.detail.contains("exceeds the allowed limit"), "{}", error.detail);
    assert_eq!(of(503, "").outcome, Unknown);
    assert_eq!(of(500, "").outcome, Unknown);
    assert_eq!(fetch(200, "", wanted("NO1", "2026-02-30", "Europe/Oslo")).unwrap_err().code, "no-date");
    assert_eq!(fetch(200, "", wanted("NO1", "2026-02-20", "Norge")).unwrap_err().code, "unknown-time-zone");
}

#[test]
fn a_real_file_has_its_days_in_it() {
    let beside = || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("TAKST_SHARED").map_or_else(beside, std::path::PathBuf::from);
    let Ok(real) =
        std::fs::read_to_string(shared.join("data/prices/entsoe/A44_FI_PT15M_A03_2025-10-12_13.xml"))
    else {
        assert!(std::env::var_os("TAKST_SHARED").is_none(), "there is no {}", shared.display());
        eprintln!("left out: no real prices here; name their folder with TAKST_SHARED");
        return;
    };
    for (day, there) in [("2025-10-12", true), ("2025-10-13", true), ("2025-10-14", false)] {
        let documents = fetch(200, &real, wanted("FI", day, "Europe/Helsinki")).unwrap();
        assert_eq!(documents.len() == 1, there, "{day}");
    }
}
