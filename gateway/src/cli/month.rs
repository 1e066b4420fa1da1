//! `takst month`.

use super::failure::{Exit, Failure};
use super::out::Out;
use super::price::{book, pricing};
use super::receipt::Sheet;
use super::{files, tariffs};
use clap::Args;
use std::path::PathBuf;
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
        let book = book(&self.prices)?;
        let pricing = pricing(&prepared, &book)?;
        let refused =
            |error: &dyn std::fmt::Display| Failure::Input(format!("{}: {error}", files::shown(&self.input)));
        let input = MonthInput::from_json(&files::text(&self.input)?).map_err(|error| refused(&error))?;
        let settled = month(&pricing, &input).map_err(|error| refused(&error))?;
        if out.json() {
            out.document(&settled)?;
            return Ok(Exit::Fine);
        }
        let sheet = Sheet { width: out.width(), colour: out.colour() };
        for (index, document) in settled.statements.iter().enumerate() {
            if index > 0 {
                out.put("\n\n")?;
            }
            out.put(&sheet.receipt(document, None, &pricing))?;
        }
        let totals = &settled.totals;
        let currency = &prepared.tariff().currency.code;
        let payout =
            totals.payout.as_ref().map(|payout| format!(", payout {currency} {payout}")).unwrap_or_default();
        let text = format!(
            "{}, {}: {} kWh, net {}, VAT {}, total {currency} {}{payout}",
            settled.site, settled.month, totals.energy_kwh, totals.net, totals.vat_total, totals.total
        );
        out.put("\n\n")?;
        for line in super::layout::wrap(&text, out.width()) {
            let line = sheet.strong(&line);
            out.line(&line)?;
        }
        Ok(Exit::Fine)
    }
}
