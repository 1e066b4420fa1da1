//! Prices for a session that is only tried out: from the files that were given, or an example day that stands for every day.

use crate::prices;
use rust_decimal::Decimal;
use std::path::PathBuf;
use takst_engine::PriceBook;
use takst_engine::calendar::{civil, date};
use takst_engine::calendar_time::{LocalTime, start_of_day};
use takst_engine::prices::{FeedFile, PriceStep};
use takst_engine::tariff::{Feed, Tariff};
use takst_engine::units::{Day, HOUR_MS, Instant};

/// EUR/MWh by the hour of the day: a cheap night, a sunny noon below zero, a dear evening. Made up.
const EXAMPLE: [i64; 24] =
    [38, 34, 31, 30, 31, 36, 52, 78, 92, 74, 48, 22, 4, -6, -9, 2, 28, 66, 98, 112, 96, 74, 58, 46];

/// So many hundredths of a currency for a euro, roughly: only the example day needs it.
const PER_EURO: [(&str, i64); 12] = [
    ("BRL", 600),
    ("CHF", 94),
    ("CZK", 2460),
    ("DKK", 746),
    ("EUR", 100),
    ("GBP", 85),
    ("HUF", 39_000),
    ("ISK", 14_500),
    ("NOK", 1170),
    ("PLN", 430),
    ("SEK", 1110),
    ("USD", 110),
];

fn per_euro(currency: &str) -> Decimal {
    let known = PER_EURO.iter().find(|(code, _)| *code == currency);
    Decimal::new(known.map_or(100, |(_, rate)| *rate), 2)
}

/// Price files that were given, as their texts.
#[derive(Debug, Default)]
pub(super) struct Given(Vec<(PathBuf, String)>);

impl Given {
    pub(super) fn new(files: Vec<(PathBuf, String)>) -> Self {
        Self(files)
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The book of the files, with prices in the currency in which the tariff wants them.
    ///
    /// # Errors
    /// Says which file is no price feed.
    fn book(&self, tariff: &Tariff) -> Result<PriceBook, String> {
        let spot = tariff.feeds.iter().find(|feed| feed.name == "spot").map(|feed| feed.unit.as_str());
        let currency = spot.and_then(|unit| unit.split('/').next()).unwrap_or(&tariff.currency.code);
        let mut book = PriceBook::default();
        for (path, text) in &self.0 {
            let refused = |error| format!("{}: {error}", path.display());
            for feed in prices::read(text, path, currency).map_err(refused)? {
                book.add(feed).map_err(refused)?;
            }
        }
        Ok(book)
    }

    /// The first instant that has a price.
    pub(super) fn begins(&self) -> Option<Instant> {
        let feeds = self.0.iter().filter_map(|(path, text)| prices::read(text, path, "EUR").ok()).flatten();
        feeds.flat_map(|feed| feed.prices).map(|step| step.from).min()
    }
}

/// What a session from the one day to the other is priced with, and what of it is the example day.
///
/// # Errors
/// As the price files.
pub(super) fn book(
    given: &Given,
    tariff: &Tariff,
    (first, last): (Day, Day),
) -> Result<(PriceBook, Vec<String>), String> {
    if !given.is_none() {
        return Ok((given.book(tariff)?, Vec::new()));
    }
    let mut book = PriceBook::default();
    let mut made_up = Vec::new();
    for index in takst_engine::feeds::used(tariff).into_keys() {
        let Some(feed) = usize::try_from(index).ok().and_then(|index| tariff.feeds.get(index)) else {
            continue;
        };
        // A mean of the month needs all of it.
        let (year, month, _) = civil(first);
        let from = date(year, month, 1).unwrap_or(first);
        book.add(example(tariff, feed, from, last.saturating_add(32))).map_err(|error| error.to_string())?;
        made_up.push(feed.name.clone());
    }
    Ok((book, made_up))
}

fn example(tariff: &Tariff, feed: &Feed, first: Day, last: Day) -> FeedFile {
    let zone = &tariff.zone;
    let (money, of) = feed.unit.split_once('/').unwrap_or((&feed.unit, ""));
    let (mut at, end) = (start_of_day(zone, first), start_of_day(zone, last));
    let mut steps = Vec::new();
    while at < end {
        let hour = usize::from(LocalTime::at(zone, at).minute / 60);
        let price = if feed.money_per_kwh {
            let euros = Decimal::new(EXAMPLE.get(hour).copied().unwrap_or_default(), 3);
            (euros * per_euro(money)).round_dp(5)
        } else {
            (per_euro(money) / per_euro(of)).round_dp(6)
        };
        steps.push(PriceStep { from: Instant(at), to: Instant(at + HOUR_MS), price });
        at += HOUR_MS;
    }
    FeedFile {
        feed: feed.name.clone(),
        area: feed.area.clone(),
        unit: feed.unit.clone(),
        vat_included: false,
        source: None,
        published: None,
        prices: steps,
    }
}
