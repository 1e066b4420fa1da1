//! A day of hvakosterstrommen.no: prices per kWh without VAT, in NOK and EUR side by side.

use super::{Figure, MOST_STEPS, Moment, none_in_it, too_many};
use serde::Deserialize;
use std::path::Path;
use takst_engine::input::{self, InputError};
use takst_engine::prices::{FeedFile, PriceStep};

#[derive(Deserialize)]
struct Step {
    #[serde(rename = "NOK_per_kWh")]
    nok: Option<Figure>,
    #[serde(rename = "EUR_per_kWh")]
    eur: Option<Figure>,
    time_start: Moment,
    time_end: Moment,
}

/// The feed of the file, in EUR when that is asked, in NOK otherwise.
///
/// The document does not name its area, but the address it is fetched from ends in it, as in `03-10_NO1.json`: a file that
/// kept that name is of that area, any other serves every area.
///
/// # Errors
/// What is not of that shape; a step without a price in the currency; a file without prices.
pub fn read(text: &str, path: &Path, currency: &str) -> Result<Vec<FeedFile>, InputError> {
    let steps: Vec<Step> = input::from_json(text)?;
    let euro = currency == "EUR";
    let (unit, field) = if euro { ("EUR/kWh", "EUR_per_kWh") } else { ("NOK/kWh", "NOK_per_kWh") };
    if steps.is_empty() {
        return Err(none_in_it("hvakosterstrommen.no"));
    }
    if steps.len() > MOST_STEPS {
        return Err(too_many());
    }
    let price = |(index, step): (usize, Step)| {
        let Some(Figure(price)) = (if euro { step.eur } else { step.nok }) else {
            let error = InputError::new(format!("`[{index}]` has no `{field}`"));
            return Err(error.help("take the file as hvakosterstrommen.no gives it"));
        };
        Ok(PriceStep { from: step.time_start.0, to: step.time_end.0, price })
    };
    let prices = steps.into_iter().enumerate().map(price).collect::<Result<_, _>>()?;
    Ok(vec![FeedFile {
        feed: "spot".into(),
        area: area(path),
        unit: unit.into(),
        vat_included: false,
        source: Some("hvakosterstrommen".into()),
        published: None,
        prices,
    }])
}

fn area(path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_str()?.to_ascii_uppercase();
    let mut words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.find(|word| ["NO1", "NO2", "NO3", "NO4", "NO5"].contains(word)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: &str = r#"[
        {"NOK_per_kWh":1e-05,"EUR_per_kWh":0.0,"EXR":11.3018,"time_start":"2025-10-26T02:45:00+02:00","time_end":"2025-10-26T02:00:00+01:00"},
        {"NOK_per_kWh":-0.01047,"EUR_per_kWh":-0.00089,"EXR":11.3018,"time_start":"2025-10-26T02:00:00+01:00","time_end":"2025-10-26T02:15:00+01:00"}]"#;

    #[test]
    fn small_prices_and_the_repeated_hour_are_kept() {
        let feeds = read(DAY, Path::new("prices/10-26_NO1.json"), "NOK").unwrap();
        let [feed] = feeds.as_slice() else { panic!("{feeds:?}") };
        assert_eq!(
            (feed.area.as_deref(), feed.unit.as_str(), feed.vat_included),
            (Some("NO1"), "NOK/kWh", false)
        );
        let prices: Vec<String> = feed.prices.iter().map(|step| step.price.to_string()).collect();
        assert_eq!(prices, ["0.00001", "-0.01047"]);
        assert_eq!(feed.prices[0].to, feed.prices[1].from);
        let euro = read(DAY, Path::new("today.json"), "EUR").unwrap();
        assert_eq!((euro[0].area.as_deref(), euro[0].unit.as_str()), (None, "EUR/kWh"));
        assert_eq!(euro[0].prices[1].price.to_string(), "-0.00089");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let at = |text: &str| read(text, Path::new("x.json"), "NOK").unwrap_err().to_string();
        assert!(at("[]").contains("no prices"));
        assert!(at(&DAY.replace("-0.01047", "\"dear\"")).contains("[1].NOK_per_kWh"));
        assert!(at(&DAY.replace("\"NOK_per_kWh\":1e-05,", "")).contains("`[0]` has no `NOK_per_kWh`"));
        assert!(
            at(&DAY.replace("2025-10-26T02:00:00+01:00\",\"time_end", "26.10.2025\",\"time_end"))
                .contains("time_start")
        );
        assert!(at("[{\"price\": 1}]").contains("time_start"));
    }
}
