//! `takst month`.

use super::failure::{Exit, Failure};
use super::layout::{places, wrap};
use super::out::Out;
use super::price::{book, pricing};
use super::receipt::{Sheet, basis, long_month, with_dates};
use super::{files, tariffs};
use clap::Args;
use std::path::PathBuf;
use takst_engine::document::Document;
use takst_engine::month::{MonthInput, month};

/// Settle a month of a site: statements of its drivers and payers, and the payout
///
/// The input names the site, the month (2025-03), its chargers, and the bills, sessions, meter values and costs of the month.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst month house.tariff --input 2025-03.json --format json")]
pub struct Month {
    /// The tariff file
    #[arg(value_name = "TARIFF")]
    tariff: PathBuf,
    /// The month's JSON document; `-` is standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Price feeds; may be given more than once
    #[arg(long, value_name = "FILE", num_args = 1..)]
    prices: Vec<PathBuf>,
}

impl Month {
    /// Settles the month.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let prepared = tariffs::prepared(&self.tariff, out)?;
        let book = book(&self.prices, prepared.tariff())?;
        let pricing = pricing(&prepared, &book)?;
        let refused =
            |error: &dyn std::fmt::Display| Failure::Input(format!("{}: {error}", files::shown(&self.input)));
        let input = MonthInput::from_json(&files::text(&self.input)?).map_err(|error| refused(&error))?;
        let settled = month(&pricing, &input).map_err(|error| refused(&error))?;
        if out.json() {
            out.document(&settled)?;
            return Ok(Exit::Fine);
        }
        let sheet = Sheet { width: out.width(), colour: out.colour(), exact: false };
        let (statements, shared) = said_once(settled.statements, settled.site_notes);
        for (index, document) in statements.iter().enumerate() {
            if index > 0 {
                out.put("\n\n")?;
            }
            out.put(&sheet.receipt(document, None, &pricing))?;
        }
        let totals = &settled.totals;
        let currency = &prepared.tariff().currency.code;
        let payout =
            totals.payout.as_ref().map(|payout| format!(", payout {currency} {payout}")).unwrap_or_default();
        let total = match basis(prepared.tariff()) {
            None => format!("total {currency} {}", totals.total),
            Some(basis) => {
                let taxes = if basis.ends_with("VAT") { "VAT" } else { "taxes" };
                format!("net {}, {taxes} {}, total {currency} {}", totals.net, totals.vat_total, totals.total)
            }
        };
        let text = format!(
            "{}, {}: {} kWh, {total}{payout}",
            settled.site,
            long_month(&settled.month),
            places(&totals.energy_kwh, 0, 3)
        );
        out.put("\n\n")?;
        for line in wrap(&text, out.width()) {
            let line = sheet.strong(&line);
            out.line(&line)?;
        }
        for note in shared {
            for line in wrap(&with_dates(&note), out.width()) {
                out.line(&line)?;
            }
        }
        Ok(Exit::Fine)
    }
}

// What is about the site is said once, with the site's totals, and not on every statement.
fn said_once(mut statements: Vec<Document>, site_notes: Vec<String>) -> (Vec<Document>, Vec<String>) {
    for document in &mut statements {
        document.notes.retain(|note| !site_notes.contains(note));
    }
    (statements, site_notes)
}
