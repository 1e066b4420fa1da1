//! A bill as a receipt for a terminal: what was taken, at which price, what it comes to.

pub(crate) mod dates;
pub(crate) mod fold;

use super::layout::{columns, ends, fit, left, places, right, rule, scale, wrap};
use super::out::{Look, paint};
use rust_decimal::{Decimal, RoundingStrategy};
use takst_engine::document::{ChargeDoc, Document, LineDoc, PendingDoc};
use takst_engine::session::Plug;
use takst_engine::tariff::Tariff;
use takst_engine::{Pricing, Standing};

use dates::hours;
pub use dates::{Dates, clock, date_minute, lasted, long_date, long_month, session_times, span, with_dates};
use fold::{Folded, Row, fold};

/// The paper: how wide, and whether there is colour.
#[derive(Clone, Copy, Debug)]
pub struct Sheet {
    /// Columns.
    pub width: usize,
    /// Whether looks show.
    pub colour: bool,
    /// For the driver, to check with a pencil: quantities have as many digits as their amounts were made of, and what is nothing is left out.
    pub exact: bool,
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
        self.head(document, plug, tariff) + &self.body(document, u32::from(tariff.currency.digits))
    }

    /// What stands below the head: charges with their lines, taxes, total.
    pub fn body(self, document: &Document, digits: u32) -> String {
        let dates = Dates::of(document);
        let mut text = String::new();
        let mut detailed = false;
        let shown: Vec<&ChargeDoc> =
            document.charges.iter().filter(|charge| costs(document, charge)).collect();
        // Where nothing costs anything, that is what there is to say.
        let shown = if shown.is_empty() { document.charges.iter().collect() } else { shown };
        for charge in shown {
            let lines = self.charge(charge, document, digits, &dates);
            // A charge with lines of its own stands apart from its neighbours.
            let now = lines.lines().count() > 1;
            if (now || detailed) && !text.is_empty() {
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
        text.push_str(&self.payouts(document));
        if !document.notes.is_empty() {
            text.push('\n');
        }
        for note in &document.notes {
            for line in wrap(&with_dates(note), self.width) {
                text.push_str(&format!("{line}\n"));
            }
        }
        text
    }

    /// Title, session and times.
    pub fn head(self, document: &Document, plug: Option<Plug>, tariff: &Tariff) -> String {
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
        let energy =
            if document.month.is_some() && document.energy_kwh == "0" { String::new() } else { energy };
        let basis = basis(tariff).map(|basis| format!(", {basis}")).unwrap_or_default();
        let amounts = format!("amounts in {}{basis}", document.currency);
        [
            self.strong(&title),
            ends(&what, &place, self.width),
            ends(&when, &energy, self.width),
            self.faint(&ends(&tariff.zone.name, &amounts, self.width)),
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
        let label = with_since(label, charge);
        let mut text = self.sum(&label, &charge.amount, true);
        let lines: Vec<&LineDoc> = document.lines.iter().filter(|line| belongs(line, charge)).collect();
        let costly: Vec<&LineDoc> = lines.iter().copied().filter(|line| !costs_nothing(line)).collect();
        let lines = if costly.is_empty() { lines } else { costly };
        let lines = if self.exact { without_nothing(lines) } else { lines };
        let plain = |line: &&LineDoc| {
            line.quantity.is_none() || line.unit == Some("session") || line.unit == Some("bill")
        };
        if !(lines.len() == 1 && lines.iter().all(plain)) {
            text.push_str(&self.lines(&lines, charge, document, digits, dates));
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
        document: &Document,
        digits: u32,
        dates: &Dates,
    ) -> String {
        let (rows, folded) = fold(lines);
        let most = |value: &dyn Fn(&LineDoc) -> Option<(String, u32)>, least: u32| {
            let scales =
                rows.iter().filter_map(|row| value(&row.line)).map(|(text, most)| scale(&text, most));
            scales.max().unwrap_or(0).max(least)
        };
        let price_places = most(&|line| Some((line.unit_price.clone()?, 6)), 2);
        let quantity_places = match self.exact {
            true => exact_places(&rows, digits),
            false => most(&|line| Some((line.quantity.clone()?, quantity_places(line.unit))), 0),
        };
        let mut text = String::new();
        let mut heading = dates.first().to_owned();
        for row in &rows {
            let line = &row.line;
            let whole = document.month.is_some()
                && line.from == document.from
                && document.to.as_ref() == Some(&line.to);
            let when = match folded {
                _ if whole => long_month(&line.from),
                Some(Folded::Month) => long_month(&line.from),
                Some(Folded::Day) => long_date(&line.from),
                Some(Folded::Hour) | None => span(&line.from, &line.to),
            };
            let at = dates.heading(&line.from);
            let dated =
                whole || matches!(folded, Some(Folded::Day | Folded::Month)) || line.quantity.is_none();
            if at != heading && !dated {
                text.push_str(&format!("  {}\n", self.faint(&at)));
                heading = at;
            }
            let amount = places(&line.amount, digits + 2, digits + 2);
            let what = match (&line.quantity, &line.unit_price) {
                (Some(quantity), Some(price)) => {
                    let quantity = places(quantity, quantity_places, quantity_places);
                    let price = places(price, price_places, price_places);
                    let price = if row.mean { format!("ø {price}") } else { price };
                    let unit = line.unit.unwrap_or("");
                    let quantity = format!("{quantity} {unit}");
                    if self.width < ROOMY {
                        let when = when.replace(" – ", "–");
                        format!("  {}{} × {}/{unit}", left(&when, 13), right(&quantity, 11), right(&price, 8))
                    } else {
                        let (price, currency) = (right(&price, 10), &document.currency);
                        format!("  {}{} × {price} {currency}/{unit}", left(&when, 16), right(&quantity, 13))
                    }
                }
                _ => format!(
                    "  {}",
                    line.label.strip_prefix(&charge.label).unwrap_or(&line.label).trim_start_matches(", ")
                ),
            };
            text.push_str(&format!("{}\n", join(&what, &amount, self.width - self.sums())));
        }
        if let Some(folded) = folded {
            let count = super::layout::count(lines.len(), "line");
            let by = match folded {
                Folded::Hour => "hour",
                Folded::Day => "day",
                Folded::Month => "month",
            };
            let note = format!("  {count} summed by {by}, ø is the mean price; all of them: --format json");
            text.push_str(&format!("{}\n", self.faint(&fit(&note, self.width))));
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
            let when = if from == dates.first() && to == from {
                format!("{} – {until}", clock(&slice.from))
            } else {
                format!("{from}, {} – {until}", clock(&slice.from))
            };
            let what = "no price yet";
            let one = format!("{}, {when}", slice.label);
            // Times are never cut: where both do not fit, they have a line of their own.
            let lines = if columns(&one) + 2 + columns(what) <= self.width {
                vec![ends(&one, what, self.width)]
            } else {
                vec![fit(&slice.label, self.width), ends(&format!("  {when}"), what, self.width)]
            };
            for line in lines {
                text.push_str(&format!("{}\n", paint(self.colour, Look::Warn, &line)));
            }
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

    /// What is booked for the site.
    pub fn payouts(self, document: &Document) -> String {
        if document.payouts.is_empty() {
            return String::new();
        }
        let mut text = format!("\n{}\n", self.faint("For the site, not part of the total"));
        for payout in &document.payouts {
            text.push_str(&self.sum(&payout.label, &payout.amount, false));
        }
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

/// What amounts in the tariff's sense contain; none where nothing is taxed.
pub fn basis(tariff: &Tariff) -> Option<&'static str> {
    let mut taxes = tariff.tax_classes.iter().flat_map(|class| &class.taxes).peekable();
    taxes.peek()?;
    let vat = taxes.any(|tax| tax.label == "VAT");
    Some(match (tariff.includes_vat, vat) {
        (true, true) => "with VAT",
        (true, false) => "with taxes",
        (false, true) => "without VAT",
        (false, false) => "without taxes",
    })
}

fn zero(number: &str) -> bool {
    number.parse().is_ok_and(|number: rust_decimal::Decimal| number.is_zero())
}

// Time without a price is no news to who pays. Energy was taken at any price, and all of it stands on the receipt.
fn costs_nothing(line: &LineDoc) -> bool {
    let free = line.unit_price.as_deref().is_some_and(zero) && zero(&line.amount);
    free && !matches!(line.charge, "energy" | "feed-in")
}

pub(crate) fn costs(document: &Document, charge: &ChargeDoc) -> bool {
    let mut lines = document.lines.iter().filter(|line| belongs(line, charge)).peekable();
    !zero(&charge.amount) || lines.peek().is_none() || !lines.all(costs_nothing)
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
        (None, None) => format!("{word} for the site"),
    }
}

/// The label of a charge, with the time since when its prices count where another list has taken over.
pub fn with_since(label: String, charge: &ChargeDoc) -> String {
    match &charge.since {
        Some(since) => format!("{label}, since {}", date_minute(since)),
        None => label,
    }
}

/// Whether a line is part of the printed charge.
pub fn belongs(line: &LineDoc, charge: &ChargeDoc) -> bool {
    let labelled = match line.label.strip_prefix(&charge.label) {
        Some(rest) => rest.is_empty() || rest.starts_with(", "),
        None => false,
    };
    line.charge == charge.charge && labelled && line.vat_rate == charge.vat_rate && line.since == charge.since
}

/// The lines without those of no quantity, no amount and no time worth telling, unless there are no others.
pub(crate) fn without_nothing(lines: Vec<&LineDoc>) -> Vec<&LineDoc> {
    const WORTH_TELLING_MS: i64 = 1_000;
    let brief = |line: &LineDoc| {
        let times =
            takst_engine::input::instant(&line.from).ok().zip(takst_engine::input::instant(&line.to).ok());
        times.is_some_and(|(from, to)| to.0.saturating_sub(from.0) < WORTH_TELLING_MS)
    };
    let is_nothing =
        |line: &LineDoc| line.quantity.as_deref().is_some_and(zero) && zero(&line.amount) && brief(line);
    let told: Vec<&LineDoc> = lines.iter().copied().filter(|line| !is_nothing(line)).collect();
    if told.is_empty() { lines } else { told }
}

/// Places of the quantities of a charge, such that each times its price is the amount that is printed beside it; no more than a
/// meter has.
pub(crate) fn exact_places(rows: &[Row], digits: u32) -> u32 {
    const MOST: u32 = 6;
    let usual = rows
        .iter()
        .filter_map(|row| Some(scale(row.line.quantity.as_ref()?, quantity_places(row.line.unit))));
    let usual = usual.max().unwrap_or(0);
    let figures = rows.iter().filter(|row| !row.mean).filter_map(|row| {
        let number = |text: &str| text.parse::<Decimal>().ok();
        let line = &row.line;
        Some((number(line.quantity.as_ref()?)?, number(line.unit_price.as_ref()?)?, number(&line.amount)?))
    });
    let round = |value: Decimal, places: u32| {
        value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
    };
    let is_it = |quantity: Decimal, price: Decimal, amount: Decimal| {
        quantity.checked_mul(price).is_some_and(|made| round(made, digits + 2) == round(amount, digits + 2))
    };
    // An amount that is made of more than this quantity and price is not made plain by more digits.
    let figures: Vec<_> =
        figures.filter(|(quantity, price, amount)| is_it(*quantity, *price, *amount)).collect();
    let plain = |places: &u32| {
        figures.iter().all(|(quantity, price, amount)| is_it(round(*quantity, *places), *price, *amount))
    };
    (usual..=MOST).find(plain).unwrap_or(usual)
}

/// Places worth showing of a quantity.
pub fn quantity_places(unit: Option<&str>) -> u32 {
    match unit {
        Some("min") => 2,
        Some("kWh" | "h") => 3,
        _ => 0,
    }
}
