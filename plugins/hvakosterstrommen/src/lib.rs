//! Day-ahead prices of Norway's price areas (NO1 to NO5), from hvakosterstrommen.no: one JSON file a day and area, without VAT, in NOK and EUR.
//! The gateway reads the file itself; this plugin knows where it stands.

use takst_plugin_sdk::{Configuration, Error, Finding, Options, Settings, http, prices};

struct HvaKosterStrommen;

const ADDRESS: &str = "https://www.hvakosterstrommen.no";

/// The price areas it has, as its addresses write them.
const AREAS: [&str; 5] = ["NO1", "NO2", "NO3", "NO4", "NO5"];

impl Configuration for HvaKosterStrommen {
    fn check(settings: Options) -> Vec<Finding> {
        match Settings(&settings).get("address") {
            Some(address) if !address.starts_with("http") => vec![Finding {
                setting: "address".into(),
                text: format!("`{address}` is no address: write it with https://"),
                error: true,
            }],
            _ => Vec::new(),
        }
    }
}

impl prices::Guest for HvaKosterStrommen {
    fn fetch(settings: Options, wanted: prices::Wanted) -> Result<Vec<prices::Document>, Error> {
        let url = url(&settings, &wanted)?;
        let answer = http::Request::get(&url).send()?;
        match answer.status {
            200 => Ok(vec![prices::Document { body: answer.body, published: None, source: url }]),
            // Tomorrow's file is not there before some 13:00.
            404 => Ok(Vec::new()),
            status => Err(answer.error(format!("{url} answered {status}"))),
        }
    }
}

/// `…/api/v1/prices/2026/03-29_NO1.json`.
fn url(settings: &Options, wanted: &prices::Wanted) -> Result<String, Error> {
    let area = AREAS.iter().find(|area| area.eq_ignore_ascii_case(&wanted.area)).ok_or_else(|| {
        Error::refused(
            "unknown-area",
            format!("there are no prices of `{}` here, only of {}", wanted.area, AREAS.join(", ")),
        )
    })?;
    let (year, day) = wanted
        .day
        .split_once('-')
        .ok_or_else(|| Error::refused("no-date", format!("`{}` is no date", wanted.day)))?;
    let address = Settings(settings).get_or("address", ADDRESS);
    Ok(format!("{}/api/v1/prices/{year}/{day}_{area}.json", address.trim_end_matches('/')))
}

takst_plugin_sdk::plugin!(HvaKosterStrommen: prices);

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(area: &str) -> prices::Wanted {
        prices::Wanted {
            feed: "spot".into(),
            area: area.into(),
            currency: "NOK".into(),
            day: "2026-03-29".into(),
            time_zone: "Europe/Oslo".into(),
        }
    }

    #[test]
    fn a_day_has_its_address() {
        assert_eq!(
            url(&Vec::new(), &wanted("no1")).unwrap(),
            "https://www.hvakosterstrommen.no/api/v1/prices/2026/03-29_NO1.json"
        );
    }

    #[test]
    fn an_area_that_it_does_not_have_is_refused() {
        let error = url(&Vec::new(), &wanted("FI")).unwrap_err();
        assert_eq!(error.code, "unknown-area");
        assert!(error.detail.contains("`FI`"), "{}", error.detail);
    }
}
