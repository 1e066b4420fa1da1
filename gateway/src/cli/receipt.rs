//! A bill as a receipt for a terminal: what was taken, at which price, what it comes to.

use super::layout::{columns, ends, fit, left, places, right, rule, scale, wrap};
use super::out::{Look, paint};
use takst_engine::document::{ChargeDoc, Document, LineDoc, PendingDoc};
use takst_engine::session::Plug;
use takst_engine::{Pricing, Standing};

/// The paper: how wide, and whether there is colour.
#[derive(Clone, Copy, Debug)]
pub struct Sheet {
    /// Columns.
    pub width: usize,
    /// Whether looks show.
    pub colour: bool,
}

// Below this width lines of a receipt are set more tightly.
const ROOMY: usize = 76;

impl Sheet {
    // Columns of the outer sums.
    fn sums(self) -> usize {
        if self.width < ROOMY { 9 } else { 12 }
    }

    /// Important.
    pub fn strong(self, text: &str) -> String {
        paint(self.colour, Look::Strong, text)
    }

    /// Less important.
    pub fn faint(self, text: &str) -> String {
        paint(self.colour, Look::Faint, text)
    }

    /// A bill as a receipt. All amounts are those of the document; only the lines are shown rounded, to two digits more
    /// than the currency has.
    pub fn receipt(self, document: &Document, plug: Option<Plug>, pricing: &Pricing<'_>) -> String {
        let tariff = pricing.prepared().tariff();
        let digits = u32::from(tariff.currency.digits);
        let dates = Dates::of(document);
        let mut text = self.head(document, plug, &tariff.zone.name);
        let mut detailed = false;
        for charge in &document.charges {
            let lines = self.charge(charge, document, digits, &dates);
            // A charge with lines of its own stands apart from its neighbours.
            let now = lines.lines().count() > 1;
            if (now || detailed) && !text.ends_with(&format!("{}\n", rule(self.width))) {
                text.push('\n');
            }
            detailed = now;
            text.push_str(&lines);
        }
        if document.charges.is_empty() && document.pending.is_empty() {
            text.push_str(&self.sum("Nothing to pay", &places("0", digits, digits), false));
        }
        text.push_str(&self.pending(&document.pending, &dates));
        text.push_str(&format!("{}\n", rule(self.width)));
        text.push_str(&self.totals(document));
        if !document.payouts.is_empty() {
            text.push_str(&format!("\n{}\n", self.faint("For the site, not part of the total")));
            for payout in &document.payouts {
                text.push_str(&self.sum(&payout.label, &payout.amount, false));
            }
        }
        for note in &document.notes {
            text.push('\n');
            for line in wrap(note, self.width) {
                text.push_str(&format!("{line}\n"));
            }
        }
        text
    }

    /// Title, session and times.
    pub fn head(self, document: &Document, plug: Option<Plug>, zone: &str) -> String {
        let state = match document.status {
            "running" => "PREVIEW, still running",
            "pending" => "PREVIEW, prices missing",
            _ => "",
        };
        let title = ends(&document.tariff.name, state, self.width);
        let plug = plug.map(|plug| match plug {
            Plug::Ac => "AC".to_owned(),
            Plug::Dc => "DC".to_owned(),
        });
        let charger = document.charger.as_ref().map(|charger| format!("charger {charger}"));
        let place =
            [charger, document.site.clone(), plug].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let (what, when) = match &document.month {
            Some(month) => (month_title(document), long_month(month)),
            None => (format!("Session {}", document.session), session_times(document)),
        };
        let lasted = document.to.as_deref().filter(|_| document.month.is_none());
        let lasted = lasted.map(|to| format!(" in {}", hours(&document.from, to))).unwrap_or_default();
        let fed = document.exported_kwh.as_ref().map(|kwh| format!(", {} kWh fed in", places(kwh, 0, 3)));
        let energy = format!("{} kWh{lasted}{}", places(&document.energy_kwh, 0, 3), fed.unwrap_or_default());
        let basis = if document.prices_include_vat { "with VAT" } else { "without VAT" };
        let amounts = format!("amounts in {}, {basis}", document.currency);
        [
            self.strong(&title),
            ends(&what, &place, self.width),
            ends(&when, &energy, self.width),
            self.faint(&ends(zone, &amounts, self.width)),
            rule(self.width),
        ]
        .map(|line| format!("{}\n", line.trim_end()))
        .concat()
    }

    fn sum(self, label: &str, amount: &str, strong: bool) -> String {
        let line = ends(label, &right(amount, self.sums()), self.width);
        format!("{}\n", if strong { self.strong(&line) } else { line })
    }

    fn charge(self, charge: &ChargeDoc, document: &Document, digits: u32, dates: &Dates) -> String {
        let label = match &charge.vat_reason {
            Some(reason) if reason == "outside scope" => {
                format!("{} (outside the scope of VAT)", charge.label)
            }
            Some(reason) => format!("{} (no VAT: {reason})", charge.label),
            None if document.vat.len() > 1 => format!("{} (VAT {} %)", charge.label, charge.vat_rate),
            None => charge.label.clone(),
        };
        let mut text = self.sum(&label, &charge.amount, true);
        let lines: Vec<&LineDoc> = document.lines.iter().filter(|line| belongs(line, charge)).collect();
        let plain = |line: &&LineDoc| {
            line.quantity.is_none() || line.unit == Some("session") || line.unit == Some("bill")
        };
        if !(lines.len() == 1 && lines.iter().all(plain)) {
            text.push_str(&self.lines(&lines, charge, digits, dates, &document.currency));
        }
        for part in &charge.parts {
            let line = ends(
                &format!("  of which {}", part.label),
                &right(&part.amount, self.sums()),
                self.width - self.sums(),
            );
            text.push_str(&format!("{}\n", self.faint(&line)));
        }
        text
    }

    fn lines(
        self,
        lines: &[&LineDoc],
        charge: &ChargeDoc,
        digits: u32,
        dates: &Dates,
        currency: &str,
    ) -> String {
        let most = |value: &dyn Fn(&LineDoc) -> Option<(String, u32)>, least: u32| {
            let scales = lines.iter().filter_map(|line| value(line)).map(|(text, most)| scale(&text, most));
            scales.max().unwrap_or(0).max(least)
        };
        let price_places = most(&|line| Some((line.unit_price.clone()?, 6)), 2);
        let quantity_places = most(&|line| Some((line.quantity.clone()?, quantity_places(line.unit))), 0);
        let mut text = String::new();
        let mut heading = dates.first.clone();
        for line in lines {
            let at = dates.heading(&line.from);
            if at != heading && line.quantity.is_some() {
                text.push_str(&format!("  {}\n", self.faint(&at)));
                heading = at;
            }
            let amount = places(&line.amount, digits + 2, digits + 2);
            let what = match (&line.quantity, &line.unit_price) {
                (Some(quantity), Some(price)) => {
                    let quantity = places(quantity, quantity_places, quantity_places);
                    let price = places(price, price_places, price_places);
                    let unit = line.unit.unwrap_or("");
                    let (quantity, when) = (format!("{quantity} {unit}"), span(&line.from, &line.to));
                    if self.width < ROOMY {
                        let when = when.replace(" – ", "–");
                        format!("  {}{} ×{}/{unit}", left(&when, 13), right(&quantity, 11), right(&price, 9))
                    } else {
                        let price = right(&price, 11);
                        format!("  {}{} ×{price} {currency}/{unit}", left(&when, 16), right(&quantity, 13))
                    }
                }
                _ => format!(
                    "  {}",
                    line.label.strip_prefix(&charge.label).unwrap_or(&line.label).trim_start_matches(", ")
                ),
            };
            text.push_str(&format!("{}\n", join(&what, &amount, self.width - self.sums())));
        }
        text
    }

    /// Slices without a price, those side by side as one.
    pub fn pending(self, pending: &[PendingDoc], dates: &Dates) -> String {
        let mut text = String::new();
        let mut merged: Vec<PendingDoc> = Vec::new();
        for slice in pending {
            match merged.iter_mut().find(|last| last.label == slice.label && last.to == slice.from) {
                Some(last) => last.to.clone_from(&slice.to),
                None => merged.push(slice.clone()),
            }
        }
        for slice in merged {
            let (from, to) = (dates.heading(&slice.from), dates.heading(&slice.to));
            let until =
                if from == to { clock(&slice.to).to_owned() } else { format!("{to}, {}", clock(&slice.to)) };
            let when = if from == dates.first && to == from {
                format!("{} – {until}", clock(&slice.from))
            } else {
                format!("{from}, {} – {until}", clock(&slice.from))
            };
            let line = ends(&format!("{}, {when}", slice.label), "no price yet", self.width);
            text.push_str(&format!("{}\n", paint(self.colour, Look::Warn, &line)));
        }
        text
    }

    /// Net, taxes and total.
    pub fn totals(self, document: &Document) -> String {
        let mut text = String::new();
        if document.status == "pending" {
            return self.sum("Total", "not known yet", true);
        }
        if !document.vat.is_empty() {
            text.push_str(&self.sum("Net", &document.net, false));
        }
        for tax in &document.vat {
            let name = tax.label.as_deref().unwrap_or("VAT");
            text.push_str(&self.sum(&format!("{name} {} % on {}", tax.rate, tax.net), &tax.vat, false));
        }
        let label = if document.status == "running" { "Total so far" } else { "Total" };
        text.push_str(&self.sum(label, &format!("{} {}", document.currency, document.total), true));
        text
    }

    /// Closing counters.
    pub fn standing(self, standing: &Standing) -> String {
        if standing.is_empty() {
            return String::new();
        }
        let mut text = format!("\n{}\n", self.faint("Counters after this session"));
        for (name, value) in standing.iter() {
            text.push_str(&format!("{}\n", ends(&format!("  {name}"), &value.to_string(), self.width)));
        }
        text
    }
}

// Where a line is too long the amount goes below it.
fn join(what: &str, amount: &str, width: usize) -> String {
    if columns(what) + columns(amount) + 2 <= width {
        return ends(what, amount, width);
    }
    format!("{}\n{}", fit(what, width), right(amount, width))
}

fn month_title(document: &Document) -> String {
    let word = match document.kind {
        "payout" => "Payout",
        "report" => "Report",
        _ => "Statement",
    };
    match (&document.driver, &document.payer) {
        (Some(driver), Some(payer)) => format!("{word} for {payer} (driver {driver})"),
        (Some(who), None) | (None, Some(who)) => format!("{word} for {who}"),
        (None, None) => word.to_owned(),
    }
}

fn session_times(document: &Document) -> String {
    let from = format!("{}, {}", long_date(&document.from), clock(&document.from));
    match &document.to {
        Some(to) if day(to) == day(&document.from) => format!("{from} – {}", clock(to)),
        Some(to) => format!("{from} – {}, {}", long_date(to), clock(to)),
        None => format!("{}, from {}", long_date(&document.from), clock(&document.from)),
    }
}

/// Whether a line is part of the printed charge.
pub fn belongs(line: &LineDoc, charge: &ChargeDoc) -> bool {
    let labelled = match line.label.strip_prefix(&charge.label) {
        Some(rest) => rest.is_empty() || rest.starts_with(", "),
        None => false,
    };
    line.charge == charge.charge && labelled && line.vat_rate == charge.vat_rate
}

/// Places worth showing of a quantity.
pub fn quantity_places(unit: Option<&str>) -> u32 {
    match unit {
        Some("min") => 2,
        Some("kWh" | "h") => 3,
        _ => 0,
    }
}

/// `12:00 – 13:00`, with seconds where the minutes are the same.
pub fn span(from: &str, to: &str) -> String {
    let (start, end) = (clock(from), clock(to));
    if from == to {
        return start.to_owned();
    }
    if offset(from) != offset(to) {
        return format!("{start} – {end}{}", offset(to).trim_end_matches(":00"));
    }
    if start == end && day(from) == day(to) {
        return format!("{}–{}", seconds(from), to.get(17..19).unwrap_or(""));
    }
    // Slices end at local midnight, never after it.
    let end = if end == "00:00" && day(from) != day(to) { "24:00" } else { end };
    format!("{start} – {end}")
}

// Days are only named where they differ; so is the offset when the clock changes on the way.
/// How the lines of a bill are dated.
pub struct Dates {
    first: String,
    offsets: bool,
}

impl Dates {
    /// For all lines of a bill.
    pub fn of(document: &Document) -> Self {
        let moments = || document.lines.iter().flat_map(|line| [&line.from, &line.to]);
        let offsets = moments().any(|at| offset(at) != offset(&document.from));
        let mut dates = Self { first: String::new(), offsets };
        dates.first = dates.heading(&document.from);
        dates
    }

    /// The heading of the first day.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The day, and the offset where it matters.
    pub fn heading(&self, at: &str) -> String {
        if self.offsets { format!("{} (UTC{})", long_date(at), offset(at)) } else { long_date(at) }
    }
}

fn day(at: &str) -> &str {
    at.get(..10).unwrap_or(at)
}

/// `09:09` of an RFC 3339 time.
pub fn clock(at: &str) -> &str {
    at.get(11..16).unwrap_or(at)
}

fn seconds(at: &str) -> &str {
    at.get(11..19).unwrap_or(at)
}

fn offset(at: &str) -> &str {
    match at.get(19..) {
        Some(rest) => rest.find(['+', '-', 'Z']).and_then(|from| rest.get(from..)).unwrap_or(rest),
        None => "",
    }
}

// Hours and minutes between two times, for people.
fn hours(from: &str, to: &str) -> String {
    match lasted(from, to).split_once(':') {
        Some(("0", minutes)) => format!("{} min", minutes.parse::<u32>().unwrap_or(0)),
        Some((hours, "00")) => format!("{hours} h"),
        Some((hours, minutes)) => format!("{hours} h {} min", minutes.trim_start_matches('0')),
        None => String::new(),
    }
}

/// `2025-03-10 17:00`.
pub fn date_minute(at: &str) -> String {
    format!("{} {}", day(at), clock(at))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month_name(number: u8) -> &'static str {
    usize::from(number).checked_sub(1).and_then(|index| MONTHS.get(index)).copied().unwrap_or("")
}

// `Mar 2025` of `2025-03`.
fn long_month(month: &str) -> String {
    match month.split_once('-').map(|(year, month)| (year, month.parse())) {
        Some((year, Ok(number))) => format!("{} {year}", month_name(number)),
        _ => month.to_owned(),
    }
}

/// `Mon 10 Mar 2025`.
pub fn long_date(at: &str) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let number = |range: std::ops::Range<usize>| at.get(range).and_then(|digits| digits.parse::<i32>().ok());
    let (Some(year), Some(month), Some(date)) = (number(0..4), number(5..7), number(8..10)) else {
        return day(at).to_owned();
    };
    let (Ok(month), Ok(date)) = (u8::try_from(month), u8::try_from(date)) else { return day(at).to_owned() };
    let days = takst_engine::calendar::day_number(year, month, date);
    // 1970-01-01 was a Thursday.
    let weekday =
        usize::try_from((days + 3).rem_euclid(7)).ok().and_then(|index| DAYS.get(index)).unwrap_or(&"");
    format!("{weekday} {date} {} {year}", month_name(month))
}

/// `6:47`, hours and minutes between two RFC 3339 times.
pub fn lasted(from: &str, to: &str) -> String {
    let (Ok(from), Ok(to)) = (takst_engine::input::instant(from), takst_engine::input::instant(to)) else {
        return String::new();
    };
    let minutes = (to.0 - from.0) / 60_000;
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(long_date("2023-09-25T09:09:44+03:00"), "Mon 25 Sep 2023");
        assert_eq!(clock("2023-09-25T09:09:44.500+03:00"), "09:09");
        assert_eq!(offset("2023-09-25T09:09:44.500+03:00"), "+03:00");
        assert_eq!(lasted("2025-10-26T01:00:00+02:00", "2025-10-26T03:00:00+01:00"), "3:00");
    }
}
