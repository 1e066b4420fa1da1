//! The bill on the page: every amount knows the lines of the tariff that made it.

use super::editor::file_name;
use crate::cli::layout::places;
use crate::cli::receipt::{Dates, basis, belongs, quantity_places, span};
use maud::{Markup, html};
use std::collections::BTreeSet;
use takst_engine::Pricing;
use takst_engine::document::{ChargeDoc, Document, LineDoc};
use takst_engine::explain::Explained;
use takst_engine::tariff::{RuleId, Tariff};

/// Lines of a charge that are shown without being asked for.
const SHOWN_LINES: usize = 6;

/// The lines of the edited file behind an amount.
type Lines = BTreeSet<u32>;

pub(super) struct Page<'a> {
    pub(super) pricing: &'a Pricing<'a>,
    pub(super) explained: &'a Explained,
    pub(super) document: &'a Document,
}

impl Page<'_> {
    fn tariff(&self) -> &Tariff {
        self.pricing.prepared().tariff()
    }

    // The number of a line, if it is one of the edited file.
    fn own(&self, rule: RuleId) -> Option<u32> {
        let rule = self.tariff().rules.get(usize::try_from(rule).ok()?)?;
        (rule.source == 0).then_some(rule.line)
    }

    fn own_place(&self, place: &str) -> Option<u32> {
        let (file, line) = place.rsplit_once(':')?;
        (file == self.tariff().file).then(|| line.parse().ok()).flatten()
    }

    fn lines_of<'l>(&self, lines: impl IntoIterator<Item = &'l LineDoc>) -> Lines {
        lines.into_iter().filter_map(|line| self.own_place(&line.rule)).collect()
    }

    fn of_charge(&self, charge: &ChargeDoc) -> Vec<&LineDoc> {
        let all = self.document.lines.iter().chain(&self.document.payout_lines);
        all.filter(|line| belongs(line, charge)).collect()
    }

    // The named price behind a part of a charge, or else the charge's own lines.
    fn of_part(&self, charge: &ChargeDoc, part: &str) -> Lines {
        let figures = self.explained.slices.iter().filter(|slice| {
            let known = self.tariff().charges.get(usize::from(slice.charge));
            known.is_some_and(|known| known.label == charge.label)
        });
        let named = figures.flat_map(|slice| &slice.figures).filter(|figure| figure.name == part);
        let named: Lines = named.filter_map(|figure| self.own(figure.rule?)).collect();
        if named.is_empty() { self.lines_of(self.of_charge(charge)) } else { named }
    }

    fn of_tax(&self, label: Option<&str>, rate: &str) -> Lines {
        let taxes = self.tariff().tax_classes.iter().flat_map(|class| &class.taxes);
        taxes
            .filter(|tax| tax.label == label.unwrap_or("VAT") && tax.rate.normalize().to_string() == rate)
            .filter_map(|tax| self.own(tax.rule))
            .collect()
    }

    /// All of it.
    pub(super) fn draw(&self) -> Markup {
        let document = self.document;
        let (currency, taxes) = (&document.currency, basis(self.tariff()));
        let all = self.lines_of(&document.lines);
        let vat = document
            .vat
            .iter()
            .flat_map(|tax| self.of_tax(tax.label.as_deref(), &tax.rate))
            .collect::<Lines>();
        let everything: Lines = all.union(&vat).copied().collect();
        html! {
            @if document.status == "pending" {
                p.note { "Some prices are not known yet: this is no more than a preview." }
            }
            table.bill {
                caption { "Amounts in " (currency) @if let Some(taxes) = taxes { ", " (taxes) } }
                @for charge in &document.charges { (self.charge(charge)) }
                @for pending in &document.pending {
                    tbody { tr.pending { th scope="row" { (pending.label) } td { (span(&pending.from, &pending.to)) } td.sum { "no price yet" } } }
                }
                @if document.charges.is_empty() && document.pending.is_empty() {
                    tbody { tr { th scope="row" { "Nothing to pay" } td {} td.sum { "0" } } }
                }
                tbody.totals {
                    @if !document.vat.is_empty() {
                        tr { th scope="row" { "Net" } td {} td.sum { (amount(&document.net, "net", &all)) } }
                    }
                    @for tax in &document.vat {
                        @let name = tax.label.as_deref().unwrap_or("VAT");
                        tr {
                            th scope="row" { (name) " " (tax.rate) " %" }
                            td { "on " (tax.net) }
                            td.sum { (amount(&tax.vat, name, &self.of_tax(tax.label.as_deref(), &tax.rate))) }
                        }
                    }
                    tr.total {
                        th scope="row" { "Total" }
                        td {}
                        td.sum {
                            @if document.status == "pending" { "not known yet" } @else { (amount(&format!("{} {currency}", document.total), "total", &everything)) }
                        }
                    }
                }
                @for payout in &document.payouts {
                    tbody {
                        tr {
                            th scope="row" { (payout.label) }
                            td { "for the site, not part of the total" }
                            td.sum { (amount(&payout.amount, &payout.label, &self.lines_of(self.of_charge(payout)))) }
                        }
                    }
                }
            }
            @for note in &document.notes { p.note { (note) } }
        }
    }

    fn charge(&self, charge: &ChargeDoc) -> Markup {
        let lines = self.of_charge(charge);
        let dates = Dates::of(self.document);
        let shown = lines.len() <= SHOWN_LINES;
        let lit = self.lines_of(lines.iter().copied());
        html! {
            tbody {
                tr.charge {
                    th scope="row" {
                        (charge.label)
                        @if let Some(reason) = &charge.vat_reason { small { " (no VAT: " (reason) ")" } }
                    }
                    td.rule { (self.said(&lines)) }
                    td.sum { (amount(&charge.amount, &charge.label, &lit)) }
                }
                @if shown {
                    @for line in &lines { (self.line(line, &dates)) }
                } @else {
                    tr.line { td colspan="3" {
                        details {
                            summary { (lines.len()) " lines" }
                            table { @for line in &lines { (self.line(line, &dates)) } }
                        }
                    } }
                }
                @for part in &charge.parts {
                    tr.part {
                        td { "of which " (part.label) }
                        td {}
                        td.sum { (amount(&part.amount, &part.label, &self.of_part(charge, &part.label))) }
                    }
                }
            }
        }
    }

    fn line(&self, line: &LineDoc, dates: &Dates) -> Markup {
        let when = match dates.heading(&line.from) {
            day if day == dates.first() => span(&line.from, &line.to),
            day => format!("{day}, {}", span(&line.from, &line.to)),
        };
        let made = match (&line.quantity, &line.unit_price, line.unit) {
            (Some(quantity), Some(price), Some(unit)) => {
                let quantity = places(quantity, 0, quantity_places(line.unit).max(2));
                format!("{quantity} {unit} × {}", places(price, 2, 6))
            }
            _ => line.label.clone(),
        };
        let lit = self.lines_of([line]);
        html! {
            tr.line {
                td { (when) }
                td { (made) }
                td.sum { (amount(&places(&line.amount, 2, 4), &format!("{}, {when}", line.label), &lit)) }
            }
        }
    }

    // Which lines of the tariff, in words; those of a list that it is based on are quoted.
    fn said(&self, lines: &[&LineDoc]) -> String {
        let places: BTreeSet<(bool, u32, &str)> = lines
            .iter()
            .map(|line| match self.own_place(&line.rule) {
                Some(number) => (false, number, ""),
                None => (true, 0, line.rule.as_str()),
            })
            .collect();
        let own: Vec<String> =
            places.iter().filter(|(other, ..)| !other).map(|(_, number, _)| number.to_string()).collect();
        let others = places
            .iter()
            .filter(|(other, _, place)| *other && !place.is_empty())
            .map(|(_, _, place)| file_name(place).to_owned());
        let own = match own.as_slice() {
            [] => None,
            [one] => Some(format!("line {one}")),
            many => Some(format!("lines {}", many.join(", "))),
        };
        own.into_iter().chain(others).collect::<Vec<_>>().join(", ")
    }
}

// An amount that lights up its lines when it is pointed at or has the focus.
fn amount(text: &str, of: &str, lines: &Lines) -> Markup {
    if lines.is_empty() {
        return html! { span.amount { (text) } };
    }
    let numbers: Vec<String> = lines.iter().map(u32::to_string).collect();
    let said = if numbers.len() == 1 { "line" } else { "lines" };
    let label = format!("{of}: {text}, made by {said} {} of the tariff", numbers.join(", "));
    html! { button.amount type="button" data-lines=(numbers.join(" ")) aria-label=(label) { (text) } }
}
