//! `takst table`.

mod draw;
mod json;

use super::failure::{Exit, Failure};
use super::layout::{columns, ends, fit, left, places, right, rule, wrap};
use super::out::{Look, Out};
use super::price::{book, pricing};
use super::receipt::{Sheet, basis, clock, long_date};
use super::whom::{Whom, date};
use super::{files, tariffs};
use crate::draw::drawable;
use clap::Args;
use json::{
    DiscountDoc, Document, PartDoc, SliceDoc, TariffDoc, TermDoc, TermSliceDoc, TermTierDoc, TierDoc,
    TimesDoc, known,
};
use rust_decimal::Decimal;
use std::path::PathBuf;
use takst_engine::calendar_time::{LocalTime, local_text};
use takst_engine::table::{Asked, DayDiscount, DayTable, Known, Slice, Term, TermSlice, day_table};
use takst_engine::tariff::{Limit, Rebate, Span, Tariff, Who};
use takst_engine::units::{Currency, Day, Instant};
use takst_engine::{Prepared, PriceError};

/// Show what a day costs before charging: the total price per kWh, tax and fees in, slice by slice
///
/// The day is drawn first where its price changes, with the cheapest hours marked and the hours in which fees by time run. Fees
/// that are not paid per kWh follow below: start fee, idle fee with its grace and hours, prices per time.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst table spot.tariff --date 2025-10-26 --prices spot-fi.json
  takst table spot.tariff --date 2025-10-26 --prices spot-fi.json --svg day.svg --cheapest 4
  takst table city.tariff --date 2025-03-10 --group members --plug DC --power 50")]
pub struct Table {
    /// The tariff file
    #[arg(value_name = "TARIFF")]
    tariff: PathBuf,
    /// The day, as in 2025-03-10
    #[arg(long, value_parser = date)]
    date: Day,
    #[command(flatten)]
    whom: Whom,
    /// Price feeds; may be given more than once
    #[arg(long, value_name = "FILE", num_args = 1..)]
    prices: Vec<PathBuf>,
    /// How many hours in a row are looked for as the cheapest
    #[arg(long, value_name = "HOURS", default_value = "3", value_parser = draw::hours)]
    cheapest: i64,
    /// Write the day as a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Table {
    /// Shows the day.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let prepared = tariffs::prepared(&self.tariff, out)?;
        let book = book(&self.prices, prepared.tariff())?;
        let pricing = pricing(&prepared, &book)?;
        let asked = self.asked(prepared.tariff())?;
        let table = day_table(&pricing, &asked, self.date).map_err(|error| refused(&error))?;
        let sheet = Sheet { width: out.width(), colour: out.colour(), exact: false };
        let work =
            Work { table: &table, prepared: &prepared, tariff: prepared.tariff(), sheet, options: self };
        if let Some(path) = &self.svg {
            files::write(path, &work.picture().file())?;
        }
        if out.json() {
            out.document(&work.document())?;
        } else {
            work.show(out)?;
        }
        Ok(Exit::Fine)
    }

    fn asked(&self, tariff: &Tariff) -> Result<Asked, Failure> {
        Ok(Asked { facts: self.whom.facts(tariff)?, power: self.whom.power() })
    }
}

// A fact that the tariff asks is an option that was left out.
fn refused(error: &PriceError) -> Failure {
    let PriceError::MissingFact { what, field } = error else { return Failure::Input(error.to_string()) };
    let option = match *field {
        "connector.plug" => "--plug AC or --plug DC",
        "connector.type" => "--connector TYPE",
        "connector.max_power_kw" => "--power KW",
        "charger" => "--charger ID",
        "site" => "--site ID",
        "contract" => "--contract direct, roaming or ad-hoc",
        _ => return Failure::Input(error.to_string()),
    };
    Failure::Usage(format!("the tariff asks for {what}: add {option}"))
}

struct Work<'a> {
    table: &'a DayTable,
    prepared: &'a Prepared,
    tariff: &'a Tariff,
    sheet: Sheet,
    options: &'a Table,
}

impl<'a> Work<'a> {
    fn time(&self, at: Instant) -> String {
        local_text(&self.tariff.zone, at)
    }

    fn group(&self) -> Option<&'a str> {
        let default = || self.tariff.default_group.and_then(|group| self.tariff.groups.get(group as usize));
        let given = self.options.whom.group();
        let known = given.and_then(|group| self.tariff.groups.iter().find(|known| *known == group));
        known.or_else(default).map(String::as_str)
    }

    fn document(&self) -> Document<'a> {
        let slices = |slices: &'a [Slice]| -> Vec<SliceDoc<'a>> {
            let parts = |slice: &'a Slice| {
                let parts = slice.parts.iter();
                parts.map(|(label, price)| PartDoc { label, price: known(*price) }).collect()
            };
            let slice = |slice: &'a Slice| SliceDoc {
                from: self.time(slice.from),
                to: self.time(slice.to),
                total: known(slice.total),
                parts: parts(slice),
            };
            slices.iter().map(slice).collect()
        };
        let term = |term: &'a Term| TermDoc {
            charge: term.kind,
            label: &term.label,
            after: term.after.as_deref(),
            limits: self.limits(term),
            slices: term.slices.iter().map(|slice| self.term_slice(slice)).collect(),
            tiers: term
                .tiers
                .iter()
                .map(|tier| TermTierDoc {
                    when: &tier.when,
                    slices: tier.slices.iter().map(|slice| self.term_slice(slice)).collect(),
                })
                .collect(),
        };
        let tiers = self.table.tiers.iter();
        Document {
            tariff: TariffDoc {
                name: &self.tariff.name,
                file: &self.tariff.file,
                version: self.prepared.version(),
            },
            date: takst_engine::calendar_time::day_text(self.options.date),
            zone: &self.tariff.zone.name,
            currency: &self.tariff.currency.code,
            unit: format!("{}/kWh", self.tariff.currency.code),
            group: self.group(),
            slices: slices(&self.table.slices),
            tiers: tiers.map(|tier| TierDoc { when: &tier.when, slices: slices(&tier.slices) }).collect(),
            terms: self.table.terms.iter().map(term).collect(),
            discounts: self.table.discounts.iter().map(|discount| self.discount_document(discount)).collect(),
        }
    }

    fn discount_document(&self, discount: &'a DayDiscount) -> DiscountDoc<'a> {
        let (share, amount, free_kwh) = match &discount.rebate {
            Rebate::Share(share) => (Some(share.normalize().to_string()), None, None),
            Rebate::Amount(amount) => (None, Some(amount.to_string()), None),
            Rebate::FreeEnergy(energy) => (None, None, Some(plain(*energy, 6))),
        };
        let times = discount.plug_in.iter();
        DiscountDoc {
            label: &discount.label,
            share,
            amount,
            free_kwh,
            of: &discount.of,
            plug_in: times
                .map(|(from, to)| TimesDoc { from: self.time(*from), to: self.time(*to) })
                .collect(),
            in_prices: discount.in_prices,
        }
    }

    // `Early bird, 0.50 EUR of Energy, plugged in 05:00 – 07:00`, and whether it is taken off.
    fn discount(&self, discount: &DayDiscount, out: &mut Out) -> Result<(), Failure> {
        let currency = &self.tariff.currency;
        let how_much = match &discount.rebate {
            Rebate::Share(share) => {
                let percent = share.checked_mul(Decimal::ONE_HUNDRED).unwrap_or(*share);
                format!("{} %", places(&percent.to_string(), 0, 6))
            }
            Rebate::Amount(amount) => {
                let basis = if self.tariff.includes_vat { None } else { basis(self.tariff) };
                let basis = basis.map(|basis| format!(" {basis}")).unwrap_or_default();
                format!(
                    "{} {}{basis}",
                    places(&amount.to_string(), currency.digits.into(), 12),
                    currency.code
                )
            }
            Rebate::FreeEnergy(energy) => format!("{} kWh", plain(*energy, 6)),
        };
        let of =
            if discount.of.is_empty() { String::new() } else { format!(" of {}", discount.of.join(", ")) };
        let times: Vec<String> = discount.plug_in.iter().map(|(from, to)| self.span(*from, *to)).collect();
        let times =
            if times.is_empty() { String::new() } else { format!(", plugged in {}", times.join(", ")) };
        let text = format!("{}, {how_much}{of}{times}", discount.label);
        let where_it_is = if discount.in_prices { "taken off above" } else { "not taken off above" };
        let width = self.sheet.width;
        if columns(&text) + columns(where_it_is) + 2 <= width {
            return out.line(&ends(&text, where_it_is, width));
        }
        for line in wrap(&text, width) {
            out.line(&fit(&line, width))?;
        }
        out.line(&right(where_it_is, width))
    }

    fn limits(&self, term: &Term) -> Vec<String> {
        let basis = if term.limits_taxed { "" } else { " without taxes" };
        let limits = term.limits.iter();
        limits.map(|limit| format!("{}{basis}", limit_text(limit, &self.tariff.currency))).collect()
    }

    fn term_slice(&self, slice: &TermSlice) -> TermSliceDoc {
        TermSliceDoc {
            from: self.time(slice.from),
            to: self.time(slice.to),
            price: known(slice.price),
            unit: slice.per,
            rule: self.prepared.place(slice.rule),
        }
    }

    fn show(&self, out: &mut Out) -> Result<(), Failure> {
        let width = self.sheet.width;
        let first = self.table.slices.first().map_or_else(String::new, |slice| self.time(slice.from));
        let title = ends(&self.tariff.name, &long_date(&first), width);
        let title = self.sheet.strong(&title);
        out.line(&title)?;
        let about = self.sheet.faint(&ends(&self.who(), &self.unit(), width));
        out.line(&about)?;
        out.line(&rule(width))?;
        self.chart(out)?;
        self.slices(&self.table.slices, out)?;
        for tier in &self.table.tiers {
            out.line("")?;
            let heading = self.sheet.strong(&tier.when);
            out.line(&heading)?;
            self.slices(&tier.slices, out)?;
        }
        if !self.table.terms.is_empty() || !self.table.discounts.is_empty() {
            out.line(&rule(width))?;
        }
        for term in &self.table.terms {
            self.term(term, out)?;
        }
        for discount in &self.table.discounts {
            self.discount(discount, out)?;
        }
        Ok(())
    }

    // The clock, and for whom.
    fn who(&self) -> String {
        let plug = self.options.whom.plug().map(str::to_owned);
        let power = self.options.whom.power().map(|power| format!("{} kW", plain(power, 6)));
        let group = self.group().map(|group| format!("group {group}"));
        let charger = self.options.whom.charger().map(|charger| format!("charger {charger}"));
        let who = [Some(self.tariff.zone.name.clone()), group, plug, power, charger];
        who.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    // What the prices are.
    fn unit(&self) -> String {
        let taxes = basis(self.tariff).map_or("", |_| ", all taxes in");
        let lowered = self.table.discounts.iter().any(|discount| discount.in_prices);
        let discounts = if lowered { ", discounts off" } else { "" };
        format!("{} per kWh{taxes}{discounts}", self.tariff.currency.code)
    }

    // `02:00 – 03:00`, with the offset on a day on which the clock changes.
    fn span(&self, from: Instant, to: Instant) -> String {
        let zone = &self.tariff.zone;
        let offset = |at: Instant| LocalTime::at(zone, at.0).offset_ms;
        let changes = self.table.slices.iter().any(|slice| offset(slice.from) != offset(from));
        let (start, end) = (self.time(from), self.time(to));
        let midnight = clock(&end) == "00:00";
        let until = if midnight { "24:00" } else { clock(&end) };
        if !changes {
            return format!("{} – {until}", clock(&start));
        }
        let short = |text: &str| text.get(19..).unwrap_or("").trim_end_matches(":00").to_owned();
        let (before, after) = (short(&start), short(&end));
        if before == after {
            format!("{} – {until} {after}", clock(&start))
        } else {
            format!("{}{before} – {until}{after}", clock(&start))
        }
    }

    fn slices(&self, slices: &[Slice], out: &mut Out) -> Result<(), Failure> {
        // All labels in order of appearance; a list may have other parts at other hours.
        let mut labels: Vec<&str> = Vec::new();
        for (label, _) in slices.iter().flat_map(|slice| &slice.parts) {
            if !labels.contains(&label.as_str()) {
                labels.push(label);
            }
        }
        let spans: Vec<String> = slices.iter().map(|slice| self.span(slice.from, slice.to)).collect();
        let span_width = spans.iter().map(|span| columns(span)).max().unwrap_or(0);
        let price_width = 10;
        let part_widths: Vec<usize> = labels.iter().map(|label| columns(label).clamp(8, 18) + 2).collect();
        let fixed = span_width + price_width;
        let parts_fit = labels.len() > 1 && fixed + part_widths.iter().sum::<usize>() <= self.sheet.width;
        let bar_room =
            self.sheet.width.saturating_sub(fixed + 2 + if parts_fit { part_widths.iter().sum() } else { 0 });
        let known = || slices.iter().filter_map(|slice| value(slice.total));
        let bounds = (known().min().unwrap_or_default(), known().max().unwrap_or_default());
        if parts_fit {
            let heads: String = labels
                .iter()
                .zip(&part_widths)
                .map(|(label, width)| right(&fit(label, width - 2), *width))
                .collect();
            let heads = format!("{}{}{heads}", left("", span_width), right("total", price_width));
            let heads = self.sheet.faint(&heads);
            out.line(&heads)?;
        }
        for (slice, span) in slices.iter().zip(&spans) {
            let total = right(&shown(slice.total), price_width);
            let total = match slice.total {
                Known::Price(_) => self.sheet.strong(&total),
                _ => out.paint(Look::Warn, &total),
            };
            let mut line = format!("{}{total}", left(span, span_width));
            if parts_fit {
                for (label, width) in labels.iter().zip(&part_widths) {
                    let part = slice.parts.iter().find(|(known, _)| known == label);
                    line.push_str(&right(&part.map_or_else(String::new, |(_, price)| shown(*price)), *width));
                }
            }
            if slices.len() > 1 && bar_room >= 8 {
                line.push_str("  ");
                let price = value(slice.total);
                let bar = price.map(|price| out.glyphs().bar(price, bounds, bar_room.min(24)));
                line.push_str(&self.sheet.faint(&bar.unwrap_or_default()));
            }
            out.line(line.trim_end())?;
        }
        Ok(())
    }

    fn term(&self, term: &Term, out: &mut Out) -> Result<(), Failure> {
        let currency = &self.tariff.currency.code;
        let digits = u32::from(self.tariff.currency.digits);
        let mut title = term.label.clone();
        if let Some(after) = &term.after {
            title.push_str(&format!(" after {after}"));
        }
        for limit in self.limits(term) {
            title.push_str(&format!(", {limit}"));
        }
        let price = |slice: &TermSlice| match slice.price {
            Known::Price(_) if slice.per.is_empty() => "free".to_owned(),
            Known::Price(price) => {
                format!("{currency} {}/{}", places(&price.to_plain(), digits, digits.max(4)), slice.per)
            }
            Known::Pending => "not known yet".to_owned(),
            Known::ByPower => format!("by mean power; add --power KW, per {}", slice.per),
        };
        self.term_price(&title, &term.slices, &price, out)?;
        for tier in &term.tiers {
            self.term_price(&format!("  {}", tier.when), &tier.slices, &price, out)?;
        }
        Ok(())
    }

    // A title and its price on one line where they fit, or a line for each stretch of the day.
    fn term_price(
        &self,
        title: &str,
        slices: &[TermSlice],
        price: &dyn Fn(&TermSlice) -> String,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let width = self.sheet.width;
        if let [only] = slices
            && columns(title) + columns(&price(only)) + 2 <= width
        {
            return out.line(&ends(title, &price(only), width));
        }
        let indent = " ".repeat(title.len() - title.trim_start().len());
        for line in wrap(title, width.saturating_sub(indent.len())) {
            out.line(&format!("{indent}{line}"))?;
        }
        if let [only] = slices {
            return out.line(&right(&price(only), width));
        }
        for slice in slices {
            let span = self.span(slice.from, slice.to);
            out.line(&ends(&format!("{indent}  {span}"), &price(slice), width))?;
        }
        Ok(())
    }
}

fn shown(price: Known) -> String {
    match price {
        Known::Price(price) => places(&price.to_plain(), 4, 4),
        Known::Pending => "pending".into(),
        Known::ByPower => "by power".into(),
    }
}

fn value(price: Known) -> Option<Decimal> {
    match price {
        Known::Price(price) => drawable(&price.to_plain()),
        Known::Pending | Known::ByPower => None,
    }
}

fn plain(value: i64, decimals: u32) -> String {
    takst_engine::exact::print_decimal(i128::from(value), decimals, true)
}

/// `at most 15.00 EUR/day`, `at least 2.00 EUR/session after 1 kWh`.
pub fn limit_text(limit: &Limit, currency: &Currency) -> String {
    let span = match limit.span {
        Span::Session => "session",
        Span::Day => "day",
        Span::Month => "month",
        Span::Bill => "bill",
    };
    let who = match limit.who {
        Who::Session => "",
        Who::Driver => " per driver",
        Who::Site => " per site",
    };
    let bound = if limit.floor { "at least" } else { "at most" };
    let amount = places(&limit.amount.to_string(), currency.digits.into(), 12);
    let after_energy = limit.after_energy.map(|energy| format!(" after {} kWh", plain(energy, 6)));
    let after_time = limit.after_time.map(|time| {
        // Thousandths of a minute are finer than any list says.
        let minutes = Decimal::from(time) / Decimal::from(60_000);
        format!(" after {} min", places(&minutes.to_string(), 0, 3))
    });
    let after = [after_energy, after_time].into_iter().flatten().collect::<String>();
    format!("{bound} {amount} {}/{span}{who}{after}", currency.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::whom::power;

    #[test]
    fn dates_and_powers_are_read_strictly() {
        assert!(date("2025-02-29").is_err());
        assert!(date("2025-2-03").is_err());
        assert!(date("soon").is_err() && date("-1-01-01").is_err());
        assert_eq!(date("2024-02-29"), Ok(19_782));
        assert_eq!(power("22"), Ok(22_000_000));
        assert!(power("0").is_err() && power("-1").is_err() && power("1e3").is_err());
    }
}
