//! What price files say at an instant.

use super::calendar::{instants, local};
use super::model::{FeedDecl, Tariff};
use super::number::{Q, round, whole};
use super::session::PriceFile;
use chrono::{Datelike, Months};
use chrono_tz::Tz;

/// A price that nobody has published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missing;

/// A feed as the tariff declares it, with the files that carry it.
#[derive(Debug)]
pub struct Feed<'a> {
    /// Its declaration.
    pub declared: FeedDecl,
    files: Vec<&'a PriceFile>,
}

/// A feed's value with its VAT basis.
#[derive(Clone, PartialEq, Debug)]
pub struct Quote {
    /// In the declared unit.
    pub value: Q,
    /// Whether VAT is in; `None` for what is not a price of energy.
    pub includes_vat: Option<bool>,
}

/// The declaration of a feed; `spot` needs none.
#[must_use]
pub fn declaration(tariff: &Tariff, name: &str) -> FeedDecl {
    if name == "spot" {
        let unit = format!("{}/kWh", tariff.currency);
        return FeedDecl { name: "spot".into(), unit, includes_vat: Some(false), holds: false };
    }
    tariff.feeds.iter().find(|f| f.name == name).expect("a known feed").clone()
}

impl<'a> Feed<'a> {
    /// The feed `name` of the tariff in these files.
    #[must_use]
    pub fn new(tariff: &Tariff, name: &str, all: &'a [PriceFile]) -> Self {
        let declared = declaration(tariff, name);
        let mut files: Vec<&PriceFile> = all.iter().filter(|f| f.feed == name).collect();
        files.sort_by_key(|f| f.published);
        Self { declared, files }
    }

    /// Every instant at which its value can change.
    pub fn edges(&self) -> impl Iterator<Item = i64> {
        self.files.iter().flat_map(|f| f.steps.iter().flat_map(|s| [s.0, s.1]))
    }

    /// Its value at `ms`: of the files that have one the one published last. One that holds goes on until the next begins.
    pub fn at(&self, ms: i64) -> Result<Quote, Missing> {
        let mut best: Option<(i64, Quote)> = None;
        for file in &self.files {
            for (from, to, price) in &file.steps {
                let covers = *from <= ms && (ms < *to || self.declared.holds);
                let newer = best.as_ref().is_none_or(|(began, _)| !self.declared.holds || began <= from);
                if covers && newer {
                    best = Some((*from, self.quote(file, price.value())));
                }
            }
        }
        best.map(|(_, quote)| quote).ok_or(Missing)
    }

    fn quote(&self, file: &PriceFile, price: Q) -> Quote {
        let energy = self.declared.unit.ends_with("/kWh");
        let value = if file.unit.ends_with("/MWh") { price / whole(1000) } else { price };
        let includes_vat = energy.then(|| self.declared.includes_vat.unwrap_or(file.vat_included));
        Quote { value, includes_vat }
    }

    /// Its mean over the clock hour of `ms`, weighted by time, rounded at 12 decimals.
    pub fn hourly(&self, ms: i64) -> Result<Quote, Missing> {
        const HOUR: i64 = 3_600_000;
        let start = ms.div_euclid(HOUR) * HOUR;
        self.mean(start, start + HOUR)
    }

    /// Its mean over the local month of `ms`.
    pub fn monthly(&self, zone: Tz, ms: i64) -> Result<Quote, Missing> {
        let first = local(zone, ms).date.with_day(1).expect("every month has a first");
        let midnight = |date| instants(zone, date, 0)[0];
        self.mean(midnight(first), midnight(first + Months::new(1)))
    }

    fn mean(&self, start: i64, end: i64) -> Result<Quote, Missing> {
        let mut edges: Vec<i64> = self.edges().filter(|e| (start..end).contains(e)).collect();
        edges.extend([start, end]);
        edges.sort_unstable();
        edges.dedup();
        let mut sum = whole(0);
        let mut includes_vat = None;
        for piece in edges.windows(2) {
            let quote = self.at(piece[0])?;
            sum += quote.value * whole(i128::from(piece[1] - piece[0]));
            includes_vat = quote.includes_vat;
        }
        Ok(Quote { value: round(&(sum / whole(i128::from(end - start))), 12), includes_vat })
    }
}
