//! `statement = month(tariff, sessions, meters, prices, bills)`: what only the whole month can tell.
//!
//! Every driver gets one statement of his sessions with one payment fee, or his payer does. Fees per charger and month,
//! power fees from the peaks, site credits, retroactive tiers and the plant's real cost are worked out here; what the
//! property gets back is a payout. What is shared is shared by largest remainder, so all statements together come to the
//! whole, and each has VAT once per rate on its total.
//!
//! A session counts in the month to which it is posted, also where it began in the one before.

mod books;
mod charges;
mod cost;
mod error;
mod input;
mod meters;
mod sessions;
mod statement;

pub use cost::{Plant, cost_has_vat, uses_cost_price};
pub use error::MonthError;
pub use input::{Charger, Cost, Meter, MeterValue, MonthInput, MonthStanding, YearMonth};
pub(crate) use statement::{content_id, minor};

use crate::calendar_time::start_of_day;
use crate::document::Document;
use crate::evaluate::Pricing;
use crate::tariff::Zone;
use books::Books;
use meters::Stretch;
use serde::Serialize;
use sessions::entries;
use statement::{Paper, Taxes};

/// A settled month.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MonthStatements {
    /// The site.
    pub site: String,
    /// As in `2023-10`.
    pub month: String,
    /// Statements of drivers, payers and the site, then the payout, then reports.
    pub statements: Vec<Document>,
    /// What all documents of kind `statement` come to.
    pub totals: Totals,
    /// Notes that are about the whole site and stand on each of the statements that share a charge, so that a summary can say
    /// them once.
    #[serde(skip)]
    pub site_notes: Vec<String>,
    /// Closing counters.
    pub standing: MonthStanding,
}

/// Sums over documents.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Totals {
    /// Of all sessions, also those that are on no statement.
    pub energy_kwh: String,
    /// Without taxes.
    pub net: String,
    /// All taxes.
    pub vat_total: String,
    /// With taxes.
    pub total: String,
    /// What the property gets back, taxes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout: Option<String>,
}

/// Settles a month.
///
/// # Errors
/// See [`MonthError`]: what is missing or contradictory is named; nothing is guessed.
pub fn month(pricing: &Pricing<'_>, input: &MonthInput) -> Result<MonthStatements, MonthError> {
    let p = pricing.p;
    let zone = &p.tariff.zone;
    let (first, next) = input.month.days();
    let stretch = Stretch { zone, from: start_of_day(zone, first), to: start_of_day(zone, next) };
    let digits = p.tariff.currency.digits;
    let paper = Paper { pricing, input, stretch, taxes: Taxes::of(p), digits };
    let plant = plant(&paper)?;
    let priced = match &plant {
        Some(plant) => pricing.clone().with_cost_price(plant.per_kwh),
        None => pricing.clone(),
    };
    let mut paper = Paper { pricing: &priced, ..paper };
    let (entries, standing) = entries(&mut paper, &priced, plant.is_some())?;
    let mut books = Books::new(paper);
    for entry in &entries {
        books.post(entry)?;
    }
    if let Some(plant) = &plant {
        books.share_cost(plant, &entries)?;
    }
    books.month_charges(plant.as_ref(), &entries)?;
    books.payment_fees()?;
    let payout = books.payout(&entries)?;
    books.finish(standing, payout, &entries)
}

/// What a kWh cost the plant in a month on the clock of `zone`: the costs, with or without their VAT, over the energy that came from
/// the grid through all metering points. `digits` are those of the costs' currency. It is what [`month`] passes on as `cost price`.
///
/// # Errors
/// When values of the month are missing or contradict each other, or an amount is too large.
pub fn plant_cost(
    zone: &Zone,
    month: YearMonth,
    (costs, digits, with_vat): (&[Cost], u8, bool),
    meters: &[Meter],
) -> Result<Plant, MonthError> {
    let (first, next) = month.days();
    let stretch = Stretch { zone, from: start_of_day(zone, first), to: start_of_day(zone, next) };
    let energy = stretch.total(meters, "the `cost price`")?;
    Plant::of(digits, with_vat, costs, energy)
}

// The plant's cost, where the tariff passes it on.
fn plant(paper: &Paper<'_>) -> Result<Option<Plant>, MonthError> {
    let (input, tariff) = (paper.input, &paper.pricing.p.tariff);
    if input.costs.is_empty() {
        return Ok(None);
    }
    if !uses_cost_price(tariff) {
        let what = "there are `costs`, and no price of the tariff asks for the `cost price`";
        return Err(MonthError::input(what, "leave them out, or write `energy: cost price`"));
    }
    let energy = paper.stretch.total(&input.meters, "the `cost price`")?;
    Plant::new(paper, &input.costs, energy).map(Some)
}
