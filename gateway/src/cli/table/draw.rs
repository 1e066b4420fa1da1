//! A day's prices as a picture, and as a chart in the terminal.

use super::{Known, Work, plain, shown, value};
use crate::cli::chart::DayChart;
use crate::cli::failure::Failure;
use crate::cli::layout::places;
use crate::cli::out::Out;
use crate::cli::receipt::long_date;
use crate::clock::now;
use crate::draw::Step;
use crate::draw::cheapest::{Cheapest, cheapest};
use crate::draw::day::{Band, Day};
use rust_decimal::Decimal;
use takst_engine::table::{Slice, Term, TermSlice};
use takst_engine::units::{HOUR_MS, Instant};

/// Hours of the command line, in milliseconds.
pub(super) fn hours(text: &str) -> Result<i64, String> {
    let hours = takst_engine::input::decimal(text)?;
    let minutes = hours.checked_mul(Decimal::from(60)).unwrap_or_default();
    let whole = minutes.is_integer() && minutes > Decimal::ZERO && minutes <= Decimal::from(24 * 60);
    let minutes = whole.then(|| minutes.normalize().to_string().parse::<i64>().ok()).flatten();
    minutes.map(|minutes| minutes * HOUR_MS / 60).ok_or_else(|| "hours up to 24, as in 3 or 2.5".into())
}

impl Work<'_> {
    fn steps(&self) -> Vec<Step> {
        let tip = |slice: &Slice| {
            let parts = slice.parts.iter().filter(|_| slice.parts.len() > 1);
            let parts: String = parts.map(|(label, price)| format!("; {label} {}", shown(*price))).collect();
            format!("{}: {}{parts}", self.span(slice.from, slice.to), shown(slice.total))
        };
        let step = |slice: &Slice| Step {
            from: slice.from,
            to: slice.to,
            price: value(slice.total),
            tip: tip(slice),
        };
        self.table.slices.iter().map(step).collect()
    }

    // Fees that count time and cost something at some hours.
    fn bands(&self) -> Vec<Band> {
        let costs = |slice: &TermSlice| !matches!(slice.price, Known::Price(price) if price.is_zero());
        let by_time =
            |term: &&Term| term.slices.iter().any(|slice| ["min", "h"].contains(&slice.per) && costs(slice));
        let stretch = |slice: &TermSlice| {
            let price = match slice.price {
                Known::Price(price) => format!("{}/{}", places(&price.to_plain(), 2, 4), slice.per),
                Known::Pending => "not known yet".to_owned(),
                Known::ByPower => "by mean power".to_owned(),
            };
            (slice.from, slice.to, price)
        };
        let band = |term: &Term| {
            let after = term.after.as_ref().map(|after| format!(" after {after}")).unwrap_or_default();
            Band {
                label: format!("{}{after}", term.label),
                stretches: term.slices.iter().filter(|slice| costs(slice)).map(stretch).collect(),
            }
        };
        self.table.terms.iter().filter(by_time).map(band).collect()
    }

    fn cheapest(&self, steps: &[Step]) -> Option<Cheapest> {
        cheapest(steps, self.options.cheapest)
    }

    fn day(&self) -> (Instant, Instant) {
        let slices = &self.table.slices;
        let (first, last) = (slices.first(), slices.last());
        (first.map_or(Instant(0), |slice| slice.from), last.map_or(Instant(1), |slice| slice.to))
    }

    /// The day as a picture.
    pub(super) fn picture(&self) -> Day<'_> {
        let prices = self.steps();
        let (from, to) = self.day();
        Day {
            title: &self.tariff.name,
            date: long_date(&self.time(from)),
            whom: self.who(),
            unit: self.unit(),
            zone: &self.tariff.zone,
            from,
            to,
            bands: self.bands(),
            now: Some(now()).filter(|now| (from..to).contains(now)),
            cheapest: self.cheapest(&prices),
            prices,
        }
    }

    /// Shows the day as a chart, where its price changes.
    pub(super) fn chart(&self, out: &mut Out) -> Result<(), Failure> {
        let prices = self.steps();
        let cheapest = self.cheapest(&prices);
        // A band that costs all day says nothing that the list does not.
        let mut bands = self.bands();
        let (from, to) = self.day();
        bands.retain(|band| {
            band.stretches.iter().map(|(start, end, _)| end.0 - start.0).sum::<i64>() < to.0 - from.0
        });
        let chart =
            DayChart { zone: &self.tariff.zone, day: (from, to), prices: &prices, bands: &bands, cheapest };
        let lines = chart.draw(out.glyphs(), self.sheet.width);
        if lines.is_empty() {
            return Ok(());
        }
        for line in lines {
            let text = if line.faint { self.sheet.faint(&line.text) } else { line.text };
            out.line(&text)?;
        }
        if let Some(cheapest) = cheapest {
            let hours = plain((cheapest.to.0 - cheapest.from.0) / 36, 5);
            let mean = places(&cheapest.mean.to_string(), 4, 4);
            let span = self.span(cheapest.from, cheapest.to);
            out.line(&format!("cheapest {hours} h: {span}, {mean} on average"))?;
        }
        out.line("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_strictly() {
        assert_eq!(hours("3"), Ok(3 * HOUR_MS));
        assert_eq!(hours("2.5"), Ok(HOUR_MS * 5 / 2));
        assert!(
            hours("0").is_err() && hours("25").is_err() && hours("-1").is_err() && hours("0.001").is_err()
        );
        assert!(hours("soon").is_err() && hours("99999999999999999999999999999").is_err());
    }
}
