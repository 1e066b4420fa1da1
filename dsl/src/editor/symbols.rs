//! What a file consists of: its statements, by name.

use super::position::Document;
use crate::ast::{At, File, Span, Statement};
use crate::resolve::merge::ref_span;

/// What kind of statement it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SymbolKind {
    /// The heading.
    Heading,
    /// VAT and other taxes.
    Tax,
    /// Groups.
    Groups,
    /// Chargers or sites.
    Place,
    /// A period.
    Period,
    /// A feed.
    Feed,
    /// A price or value.
    Price,
    /// A charge, or limits of the total.
    Charge,
    /// A coupon or discount.
    Rebate,
    /// Something that is taken out of the base list.
    Removed,
    /// A test.
    Test,
}

/// A statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symbol {
    /// As in `energy`, `price margin`, `change idle fee`.
    pub name: String,
    /// What it says, where that is one line.
    pub detail: Option<String>,
    /// Which kind.
    pub kind: SymbolKind,
    /// The statement with the lines that belong to it.
    pub whole: Span,
    /// Its name.
    pub name_at: Span,
}

/// The statements of a file, in order.
#[must_use]
pub fn symbols(file: &File, document: &Document) -> Vec<Symbol> {
    let starts = file.statements.iter().map(|statement| statement.span.start);
    let ends = starts.skip(1).chain([u32::try_from(document.text().len()).unwrap_or(u32::MAX)]);
    file.statements.iter().zip(ends).map(|(statement, end)| symbol(statement, end, document)).collect()
}

fn symbol(statement: &At<Statement>, end: u32, document: &Document) -> Symbol {
    let first = statement.span;
    let line = document.slice(first);
    let (head, rest) = split(line);
    let whole = Span { start: first.start, end: trimmed(first, end, document) };
    let (kind, name_at) = about(&statement.it, first);
    let detail = rest.trim();
    Symbol {
        name: head.trim().to_owned(),
        detail: (!detail.is_empty()).then(|| detail.to_owned()),
        kind,
        whole,
        name_at: if whole.start <= name_at.start && name_at.end <= whole.end { name_at } else { first },
    }
}

/// A statement's line before and after its first colon outside of quotes.
fn split(line: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ':' if !quoted => return (line.get(..at).unwrap_or(line), line.get(at + 1..).unwrap_or("")),
            _ => {}
        }
    }
    (line, "")
}

/// Where the last line of a statement ends: comments at the margin and empty lines belong to what follows.
fn trimmed(first: Span, end: u32, document: &Document) -> u32 {
    let at = |byte: u32| usize::try_from(byte).unwrap_or(usize::MAX);
    let opening = document.line_of(at(first.start));
    let mut last = document.line_of(at(end.max(first.end)).saturating_sub(1).min(document.text().len()));
    let belongs = |line: usize| {
        let text = document.line(line);
        text.starts_with([' ', '\t']) && !text.trim().is_empty()
    };
    while last > opening && !belongs(last) {
        last -= 1;
    }
    let end =
        if last == opening { at(first.end) } else { document.start_of(last) + document.line(last).len() };
    u32::try_from(end).unwrap_or(u32::MAX).max(first.end)
}

fn about(statement: &Statement, first: Span) -> (SymbolKind, Span) {
    match statement {
        Statement::Tariff(head) => (SymbolKind::Heading, head.name.span),
        Statement::Vat(vat) => (SymbolKind::Tax, vat.on.as_ref().map_or(first, ref_span)),
        Statement::Tax(tax) => (SymbolKind::Tax, tax.name.span),
        Statement::Groups(_) => (SymbolKind::Groups, first),
        Statement::Place(place) => (SymbolKind::Place, place.name.span),
        Statement::Period(period) => (SymbolKind::Period, period.name.span),
        Statement::Feed(feed) => (SymbolKind::Feed, feed.name.span),
        Statement::Price(price) | Statement::Value(price) | Statement::Set(price) => {
            (SymbolKind::Price, price.name.span)
        }
        Statement::Charge(charge) => (SymbolKind::Charge, ref_span(&charge.head)),
        Statement::Total(_) => (SymbolKind::Charge, first),
        Statement::CouponScope(_) => (SymbolKind::Rebate, first),
        Statement::Coupon(rebate) | Statement::Discount(rebate) => {
            (SymbolKind::Rebate, rebate.name.as_ref().map_or(first, |name| name.span))
        }
        Statement::Change(inner) => about(&inner.it, first),
        Statement::Remove(_) => (SymbolKind::Removed, first),
        Statement::Test(test) => (SymbolKind::Test, test.name.span),
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[test]
    fn a_statement_ends_with_its_last_line() {
        let text = "tariff \"A: b\"\n  currency: EUR\n\n# about energy\nenergy:  # all\n  0.30 EUR/kWh during 08:00-20:00\n  free\n\nremove idle fee\n";
        let document = Document::new(text.to_owned());
        let found = symbols(&parse(text, 0).file, &document);
        let shown: Vec<(&str, Option<&str>, &str)> = found
            .iter()
            .map(|it| (it.name.as_str(), it.detail.as_deref(), document.slice(it.whole)))
            .collect();
        assert_eq!(
            shown,
            [
                ("tariff \"A: b\"", None, "tariff \"A: b\"\n  currency: EUR"),
                ("energy", None, "energy:  # all\n  0.30 EUR/kWh during 08:00-20:00\n  free"),
                ("remove idle fee", None, "remove idle fee"),
            ]
        );
        assert!(found.iter().all(|it| it.whole.start <= it.name_at.start && it.name_at.end <= it.whole.end));
    }
}
