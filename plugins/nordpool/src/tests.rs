#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use super::*;
use prices::Guest;
use takst_plugin_sdk::testing;

fn wanted(area: &str, currency: &str, day: &str, zone: &str) -> prices::Wanted {
    prices::Wanted {
        feed: "spot".into(),
        area: area.into(),
        currency: currency.into(),
        day: day.into(),
        time_zone: zone.into(),
    }
}

const DAY: &str =
    r#"{"deliveryDateCET": "2026-06-03", "multiAreaEntries": [ {"entryPerArea": {"FI": 1.5}} ]}"#;

// What the portal has, by its date.
fn fetch(
    has: &'static [(&'static str, u16, &'static str)],
    wanted: prices::Wanted,
) -> Result<Vec<prices::Document>, Error> {
    testing::reset();
    testing::manifest(include_str!("../plugin.toml"), &[]);
    testing::http(move |request| {
        let of = has.iter().find(|(day, ..)| request.url.contains(&format!("date={day}&")));
        let (_, status, body) = of.unwrap_or(&("", 204, ""));
        Ok(testing::answer(*status, *body))
    });
    testing::call(|| NordPool::fetch(Vec::new(), wanted))
}

#[test]
fn a_day_has_its_address() {
    let asked = wanted("no1", "NOK", "2026-03-29", "Europe/Oslo");
    let documents = fetch(&[("2026-03-29", 200, DAY)], asked).unwrap();
    assert_eq!(documents.len(), 1);
    assert_eq!(
        documents[0].source,
        "https://dataportal-api.nordpoolgroup.com/api/DayAheadPrices?date=2026-03-29&market=DayAhead&deliveryArea=NO1&currency=NOK"
    );
    let _ = fetch(&[], wanted("DE-LU", "EUR", "2026-03-29", "Europe/Berlin"));
    assert!(testing::sent()[0].url.contains("deliveryArea=GER"));
    assert_eq!(
        fetch(&[], wanted("N O", "NOK", "2026-03-29", "Europe/Oslo")).unwrap_err().code,
        "unknown-area"
    );
}

#[test]
fn a_day_east_of_central_europe_has_hours_of_two_days_of_the_exchange() {
    let asked = || wanted("FI", "EUR", "2026-06-03", "Europe/Helsinki");
    let both = fetch(&[("2026-06-02", 200, DAY), ("2026-06-03", 200, DAY)], asked()).unwrap();
    assert_eq!(both.len(), 2);
    assert!(both[0].source.contains("date=2026-06-02") && both[1].source.contains("date=2026-06-03"));
    assert_eq!(
        fetch(&[("2026-06-02", 200, DAY)], asked()),
        Ok(Vec::new()),
        "the day itself is not there yet"
    );
    assert_eq!(
        fetch(&[("2026-06-03", 200, DAY)], asked()).unwrap().len(),
        1,
        "its first hour was had before"
    );
    assert_eq!(
        days("2026-06-03", "Europe/Lisbon").unwrap(),
        (vec!["2026-06-03".into(), "2026-06-04".into()], "2026-06-03".into())
    );
    assert_eq!(days("2026-10-25", "Europe/Oslo").unwrap().0, ["2026-10-25"]);
}

#[test]
fn what_is_not_there_yet_is_no_error() {
    let asked = || wanted("NO1", "NOK", "2026-06-03", "Europe/Oslo");
    assert_eq!(fetch(&[], asked()), Ok(Vec::new()));
    assert_eq!(fetch(&[("2026-06-03", 200, r#"{"multiAreaEntries": []}"#)], asked()), Ok(Vec::new()));
}

#[test]
fn errors_say_whether_asking_again_helps() {
    use takst_plugin_sdk::Outcome::{NotDone, Refused};
    let asked = || wanted("NO1", "NOK", "2026-06-03", "Europe/Oslo");
    let error = fetch(&[("2026-06-03", 401, "")], asked()).unwrap_err();
    assert_eq!((error.code.as_str(), error.outcome), ("too-old", Refused));
    let error = fetch(&[("2026-06-03", 429, "")], asked()).unwrap_err();
    assert_eq!((error.code.as_str(), error.outcome), ("too-many-requests", NotDone));
}

#[test]
fn a_real_file_has_prices() {
    let beside = || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("TAKST_SHARED").map_or_else(beside, std::path::PathBuf::from);
    let Ok(real) = std::fs::read(shared.join("data/prices/nordpool/dataportal_dayaheadprices_NOK.json"))
    else {
        assert!(std::env::var_os("TAKST_SHARED").is_none(), "there is no {}", shared.display());
        eprintln!("left out: no real prices here; name their folder with TAKST_SHARED");
        return;
    };
    assert!(has_prices(&real));
}
