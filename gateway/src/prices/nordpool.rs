//! A day of Nord Pool's data portal (`DayAheadPrices`): one feed per area.

use super::{Figure, MOST_STEPS, Moment, none_in_it, too_many};
use serde::Deserialize;
use std::collections::BTreeMap;
use takst_engine::input::{self, InputError};
use takst_engine::prices::{FeedFile, PriceStep};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Day {
    market: Option<String>,
    updated_at: Option<Moment>,
    multi_area_entries: Vec<Entry>,
    currency: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    delivery_start: Moment,
    delivery_end: Moment,
    // null: no price for that area yet.
    entry_per_area: BTreeMap<String, Option<Figure>>,
}

/// One feed per area of the file. Prices are per MWh and without VAT.
///
/// # Errors
/// What is not of that shape; another market than the day-ahead one; a file without prices.
pub fn read(text: &str) -> Result<Vec<FeedFile>, InputError> {
    let Day { market, updated_at, multi_area_entries, currency } = input::from_json(text)?;
    if let Some(market) = market.filter(|market| market != "DayAhead") {
        let message = format!("Nord Pool prices of market `{market}`, not of the day-ahead market");
        return Err(InputError::new(message).help("take DayAheadPrices of the data portal"));
    }
    let mut areas: BTreeMap<String, Vec<PriceStep>> = BTreeMap::new();
    let mut steps = 0;
    for Entry { delivery_start: Moment(from), delivery_end: Moment(to), entry_per_area } in multi_area_entries
    {
        for (area, price) in entry_per_area {
            let Some(Figure(price)) = price else { continue };
            steps += 1;
            if steps > MOST_STEPS {
                return Err(too_many());
            }
            areas.entry(area).or_default().push(PriceStep { from, to, price });
        }
    }
    if areas.is_empty() {
        return Err(none_in_it("Nord Pool"));
    }
    let feed = |(area, prices): (String, Vec<PriceStep>)| FeedFile {
        feed: "spot".into(),
        area: Some(name(area)),
        unit: format!("{currency}/MWh"),
        vat_included: false,
        source: Some("nordpool".into()),
        published: updated_at.map(|Moment(at)| at),
        prices,
    };
    Ok(areas.into_iter().map(feed).collect())
}

// The zone of Germany and Luxembourg has a name of its own there.
fn name(area: String) -> String {
    if area == "GER" { "DE-LU".into() } else { area }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Two hours of 2024-09-22, of which the real file has 24; the second one without a price for NO3.
    const DAY: &str = r#"{"deliveryDateCET":"2024-09-22","version":3,"updatedAt":"2024-09-23T07:24:06.5919533Z",
        "deliveryAreas":["DK1","NO3"],"market":"DayAhead","multiAreaEntries":[
        {"deliveryStart":"2024-09-22T12:00:00Z","deliveryEnd":"2024-09-22T13:00:00Z","entryPerArea":{"DK1":0.12,"NO3":179.55}},
        {"deliveryStart":"2024-09-22T13:00:00Z","deliveryEnd":"2024-09-22T14:00:00Z","entryPerArea":{"DK1":-1.2e1,"NO3":null}}],
        "currency":"NOK","exchangeRate":11.68922,"areaStates":[{"state":"Final","areas":["DK1","NO3"]}]}"#;

    #[test]
    fn every_area_is_a_feed() {
        let feeds = read(DAY).unwrap();
        let about: Vec<_> =
            feeds.iter().map(|feed| (feed.area.as_deref(), feed.unit.as_str(), feed.prices.len())).collect();
        assert_eq!(about, [(Some("DK1"), "NOK/MWh", 2), (Some("NO3"), "NOK/MWh", 1)]);
        let dk1: Vec<String> = feeds[0].prices.iter().map(|step| step.price.to_string()).collect();
        assert_eq!(dk1, ["0.12", "-12"]);
        assert_eq!(feeds[0].prices[0].from, input::instant("2024-09-22T14:00:00+02:00").unwrap());
        assert_eq!(feeds[0].published, Some(input::instant("2024-09-23T07:24:06.591Z").unwrap()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let broken = DAY.replace("179.55", "\"179,55\"");
        let error = read(&broken).unwrap_err().to_string();
        assert!(
            error.contains("multiAreaEntries[0].entryPerArea.NO3") && error.contains("179,55"),
            "{error}"
        );
        let other = read(&DAY.replace("DayAhead", "Intraday")).unwrap_err().to_string();
        assert!(other.contains("`Intraday`"), "{other}");
        let empty = read(r#"{"multiAreaEntries": [], "currency": "EUR"}"#).unwrap_err().to_string();
        assert!(empty.contains("no prices"), "{empty}");
    }
}
