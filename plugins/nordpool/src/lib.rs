//! Day-ahead prices from Nord Pool's data portal: one JSON file a day, area and currency. The gateway reads the file itself.

use takst_plugin_sdk::time::{self, Civil};
use takst_plugin_sdk::{Configuration, Error, Finding, Options, http, prices};

struct NordPool;

const ADDRESS: &str = "https://dataportal-api.nordpoolgroup.com/api/DayAheadPrices";

/// The clock of the exchange: its days begin at midnight of Central Europe, wherever the area lies.
const CLOCK: &str = "Europe/Brussels";

impl Configuration for NordPool {
    fn check(_settings: Options) -> Vec<Finding> {
        Vec::new()
    }
}

impl prices::Guest for NordPool {
    fn fetch(_settings: Options, wanted: prices::Wanted) -> Result<Vec<prices::Document>, Error> {
        let area = area(&wanted.area)?;
        let (days, most) = days(&wanted.day, &wanted.time_zone)?;
        let mut documents = Vec::new();
        for day in days {
            let url = url(&day, &area, &wanted.currency);
            let answer = http::Request::get(&url).send()?;
            match answer.status {
                200 if has_prices(&answer.body) => {
                    documents.push(prices::Document { body: answer.body, published: None, source: url });
                }
                // The day that has most of the hours is not published yet: so are the prices.
                200 | 204 | 404 if day == most => return Ok(Vec::new()),
                200 | 204 | 404 => {}
                401 | 403 => {
                    let detail = format!(
                        "Nord Pool shows {day} only after a login: without one the portal has about the last two months"
                    );
                    return Err(Error::refused("too-old", detail));
                }
                status => return Err(answer.error(format!("Nord Pool answered {status} for {day}"))),
            }
        }
        Ok(documents)
    }
}

// As the portal's addresses write it.
fn area(wanted: &str) -> Result<String, Error> {
    let name = wanted.trim().to_ascii_uppercase().replace('_', "-");
    let name = match name.as_str() {
        "DE-LU" | "DE" | "LU" => "GER",
        "GB" => "UK",
        other => other,
    };
    let fine = (2..=8).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric());
    if fine {
        return Ok(name.to_owned());
    }
    Err(Error::refused(
        "unknown-area",
        format!("`{wanted}` is no area of Nord Pool: they are written NO1, SE3, DK2, FI, NL, DE-LU"),
    ))
}

// The exchange's days that have a part of this day, in order, and the one with the most of it.
fn days(day: &str, zone: &str) -> Result<(Vec<String>, String), Error> {
    let (from, until) = time::day_bounds(day, zone)?;
    let exchange =
        |at: i64| Ok::<_, Error>(Civil::of(at + 1_000 * i64::from(time::offset(at, CLOCK)?)).date());
    let (first, most, last) = (exchange(from)?, exchange(from + (until - from) / 2)?, exchange(until - 1)?);
    let mut days = vec![first, most.clone(), last];
    days.dedup();
    Ok((days, most))
}

fn url(day: &str, area: &str, currency: &str) -> String {
    let currency = http::encode(&currency.to_ascii_uppercase());
    format!("{ADDRESS}?date={day}&market=DayAhead&deliveryArea={area}&currency={currency}")
}

// A file of a day that is not published has an empty list.
fn has_prices(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let entries = text
        .split_once("\"multiAreaEntries\"")
        .map(|(_, rest)| rest.trim_start_matches([' ', '\n', '\r', '\t', ':', '[']));
    entries.is_some_and(|entries| entries.starts_with('{'))
}

takst_plugin_sdk::plugin!(NordPool: prices);

#[cfg(test)]
mod tests;
