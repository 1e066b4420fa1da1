//! The receipt of a bill: as text, as a page, as JSON. Absent: any figure that does not stand in the bill.

mod html;
mod text;
mod words;

use crate::billing::{Head, IssuedBy, from_json, minor};
use crate::cli::receipt::dates::{date_minute, with_dates};
use crate::store::{Bill, BillKind};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use takst_engine::Prepared;
use takst_engine::document::{Document, LineDoc};

/// A bill that is not as the gateway writes bills.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bill {bill} cannot be read: {message}")]
pub struct ReceiptError {
    /// Its id.
    pub bill: String,
    /// What is wrong.
    pub message: String,
}

/// How a receipt looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Plain text, 80 columns wide.
    Text,
    /// A page of its own, in HTML.
    Page,
    /// `{"receipt": bill, "rules": {"file:line": "text"}}`.
    Json,
}

/// What a receipt can say beside the bill. All of it may be missing.
#[derive(Clone, Copy, Default)]
pub struct About<'a> {
    /// The tariff that priced it, that of plug-in: the words of its rules.
    pub tariff: Option<&'a Prepared>,
    /// Those that took over while it ran, in the order in which the bill names them; none where one is not known any more.
    pub later: &'a [Option<Arc<Prepared>>],
    /// What the site is called.
    pub site: Option<&'a str>,
}

// A bill that has been read, and what goes with it.
struct Receipt<'a> {
    kind: BillKind,
    head: Head,
    document: Document,
    about: About<'a>,
}

impl<'a> Receipt<'a> {
    fn of(bill: &Bill, about: About<'a>) -> Result<Self, ReceiptError> {
        let wrong = |message: String| ReceiptError { bill: bill.id.clone(), message };
        let (head, document) = from_json(&bill.document).map_err(wrong)?;
        Ok(Self { kind: bill.kind, head, document, about })
    }

    fn title(&self) -> &'static str {
        match self.kind {
            BillKind::Bill => words::RECEIPT,
            BillKind::Refund => words::CREDIT_NOTE,
            BillKind::Correction if minor(&self.document.total).is_some_and(|total| total < 0) => {
                words::CREDIT_NOTE
            }
            BillKind::Correction => words::CORRECTION,
        }
    }

    // Digits of the currency.
    fn digits(&self) -> u32 {
        let places = self.document.total.split_once('.').map_or(0, |(_, places)| places.len());
        u32::try_from(places).unwrap_or(2)
    }

    // Whether amounts are with taxes; nothing where nothing is taxed.
    fn basis(&self) -> Option<&'static str> {
        let taxed = !self.document.vat.is_empty();
        taxed.then_some(if self.document.prices_include_vat { words::WITH_VAT } else { words::WITHOUT_VAT })
    }

    // Who issued it; none where the bill does not say.
    fn seller(&self) -> Option<&IssuedBy> {
        Some(&self.head.issued_by).filter(|seller| !seller.name.is_empty())
    }

    fn site(&self) -> Option<&str> {
        self.about.site.or(self.document.site.as_deref())
    }

    fn notes(&self) -> Vec<String> {
        self.document.notes.iter().map(|note| with_dates(note)).collect()
    }

    // The text of the line of the tariff that decided.
    fn rule(&self, decided: &Decided<'_>) -> Option<&str> {
        let (file, line) = decided.place.rsplit_once(':')?;
        let line = line.parse::<usize>().ok()?.checked_sub(1)?;
        let prepared = match decided.since {
            None => self.about.tariff?,
            Some(since) => {
                let nth = self.document.tariff_changes.iter().position(|change| change.from == since)?;
                self.about.later.get(nth)?.as_deref()?
            }
        };
        let source = prepared.tariff().sources.iter().find(|source| source.file == file)?;
        source.text.lines().nth(line).map(str::trim).filter(|text| !text.is_empty())
    }

    // The rules of all lines in the order in which they appear, each once.
    fn rules(&self) -> Vec<Decided<'_>> {
        let mut rules: Vec<Decided<'_>> = Vec::new();
        for decided in self.document.lines.iter().map(Decided::of) {
            if !rules.contains(&decided) {
                rules.push(decided);
            }
        }
        rules
    }

    // The tariffs that it was priced by: the title, and from when on it took over.
    fn tariffs(&self) -> Vec<String> {
        let first = std::iter::once(self.document.tariff.name.clone());
        let later = self.document.tariff_changes.iter();
        let later =
            later.map(|change| format!("{} {}: {}", words::SINCE, date_minute(&change.from), change.name));
        first.chain(later).collect()
    }
}

// A line of a tariff that decided about a line of a bill. Two versions of a file have the same places.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Decided<'a> {
    place: &'a str,
    since: Option<&'a str>,
}

impl<'a> Decided<'a> {
    fn of(line: &'a LineDoc) -> Self {
        Self { place: &line.rule, since: line.since.as_deref() }
    }

    fn name(&self) -> String {
        match self.since {
            None => self.place.to_owned(),
            Some(since) => format!("{} {} {}", self.place, words::SINCE, date_minute(since)),
        }
    }
}

// What of a bill leads to the words of its receipt.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Session {
    site: Option<String>,
    tariff: Version,
    tariff_changes: Vec<Version>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Version {
    version: Option<String>,
}

/// The site of a bill and the versions of its tariffs, that of plug-in first, as far as it says them.
#[must_use]
pub fn where_and_how(bill: &Bill) -> (Option<String>, Vec<Option<String>>) {
    let Session { site, tariff, tariff_changes } = serde_json::from_str(&bill.document).unwrap_or_default();
    let versions = std::iter::once(tariff).chain(tariff_changes);
    (site, versions.map(|version| version.version).collect())
}

/// The receipt as plain text, 80 columns wide.
///
/// # Errors
/// When the bill is not as the gateway writes bills.
pub fn text(bill: &Bill) -> Result<String, ReceiptError> {
    text_about(bill, About::default())
}

/// The same with what else is known.
///
/// # Errors
/// As [`text`].
pub fn text_about(bill: &Bill, about: About<'_>) -> Result<String, ReceiptError> {
    Ok(text::page(&Receipt::of(bill, about)?))
}

/// The receipt as a page of its own, fit to be printed.
///
/// # Errors
/// As [`text`].
pub fn html(bill: &Bill) -> Result<String, ReceiptError> {
    html_about(bill, About::default())
}

/// The same with what else is known.
///
/// # Errors
/// As [`text`].
pub fn html_about(bill: &Bill, about: About<'_>) -> Result<String, ReceiptError> {
    Ok(html::page(&Receipt::of(bill, about)?).into_string())
}

/// The receipt as JSON: `{"receipt": bill, "rules": {"file:line": "text"}}`; rules of a list that took over are named with the time
/// since when it counts. Counters over sessions, which
/// are not the driver's alone, are left out.
///
/// # Errors
/// As [`text`].
pub fn json_about(bill: &Bill, about: About<'_>) -> Result<String, ReceiptError> {
    let receipt = Receipt::of(bill, about)?;
    let wrong = |error: serde_json::Error| ReceiptError { bill: bill.id.clone(), message: error.to_string() };
    let mut document: BTreeMap<String, Value> = serde_json::from_str(&bill.document).map_err(wrong)?;
    document.remove("standing");
    let rules = receipt.rules().into_iter();
    let rules: BTreeMap<String, &str> =
        rules.filter_map(|decided| Some((decided.name(), receipt.rule(&decided)?))).collect();
    let mut whole = BTreeMap::from([("receipt", serde_json::to_value(document).map_err(wrong)?)]);
    if !rules.is_empty() {
        whole.insert("rules", serde_json::to_value(rules).map_err(wrong)?);
    }
    serde_json::to_string(&whole).map_err(wrong)
}
