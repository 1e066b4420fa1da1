//! The receipt as a page: one column, fit for paper and for a telephone.

use super::{Decided, Receipt, words};
use crate::cli::layout::{places, scale};
use crate::cli::receipt::dates::{Dates, date_minute, hours, long_date, long_month, session_times, span};
use crate::cli::receipt::fold::{Folded, fold};
use crate::cli::receipt::{belongs, costs, exact_places, with_since, without_nothing};
use crate::store::BillKind;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use takst_engine::document::{ChargeDoc, LineDoc};

const STYLE: &str = include_str!("receipt.css");

pub(super) fn page(receipt: &Receipt<'_>) -> Markup {
    let document = &receipt.document;
    let title = format!("{} {}", receipt.title(), receipt.head.number);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (head(receipt))
                    (about(receipt))
                    (charges(receipt))
                    (totals(receipt))
                    @let notes = receipt.notes();
                    @if !notes.is_empty() {
                        section.notes { @for note in notes { p { (note) } } }
                    }
                    (rules(receipt))
                    footer {
                        p {
                            (words::MADE_FROM) " " (words::TARIFF) " " code { (short(&document.tariff.version)) }
                            @for change in &document.tariff_changes { ", " code { (short(&change.version)) } }
                            ", " (words::SESSION) " " code { (short(&document.inputs.session)) }
                            ", " (words::PRICES) " " code { (short(&document.inputs.prices)) }
                            " · " code { (document.id) }
                        }
                    }
                }
            }
        }
    }
}

// The first figures of a hash.
fn short(hash: &str) -> &str {
    let figures = hash.strip_prefix("sha256:").unwrap_or(hash);
    figures.get(..12).unwrap_or(figures)
}

fn head(receipt: &Receipt<'_>) -> Markup {
    let (head, document) = (&receipt.head, &receipt.document);
    html! {
        header {
            div.seller {
                @if let Some(seller) = receipt.seller() {
                    strong { (seller.name) }
                    @for line in &seller.address { span { (line) } }
                    @for line in &seller.contact { span { (line) } }
                    @if let Some(number) = &seller.company_number { span { (words::COMPANY_NUMBER) " " (number) } }
                    @if let Some(number) = &seller.vat_number { span { (words::VAT_NUMBER) " " (number) } }
                } @else {
                    strong { (document.tariff.name) }
                }
            }
            div.title {
                h1 { (receipt.title()) }
                p { (words::NUMBER) " " strong { (head.number) } }
                p { (words::ISSUED) " " (date_minute(&head.issued)) }
                @if let Some(bill) = &document.corrects {
                    p.small { (words::CORRECTS) " " code { (bill) } }
                }
            }
        }
    }
}

fn about(receipt: &Receipt<'_>) -> Markup {
    let document = &receipt.document;
    let fact = |name: &str, value: &str| html! { div { dt { (name) } dd { (value) } } };
    html! {
        section.about {
            dl {
                (fact(words::TIME, &session_times(document)))
                @if let Some(to) = &document.to { (fact(words::DURATION, &hours(&document.from, to))) }
                (fact(words::CHARGED, &format!("{} kWh", places(&document.energy_kwh, 0, 3))))
                @if let Some(fed) = &document.exported_kwh { (fact(words::FED_IN, &format!("{} kWh", places(fed, 0, 3)))) }
                @if let Some(site) = receipt.site() { (fact(words::SITE, site)) }
                @if let Some(charger) = &document.charger { (fact(words::CHARGER, charger)) }
                @if let Some(driver) = &document.driver { (fact(words::DRIVER, driver)) }
                (fact(words::SESSION, &document.session))
                @for tariff in receipt.tariffs() { (fact(words::TARIFF, &tariff)) }
            }
            div.sum {
                span { (if receipt.kind == BillKind::Bill { words::TOTAL } else { receipt.title() }) }
                strong { (document.total) " " (document.currency) }
            }
        }
    }
}

fn charges(receipt: &Receipt<'_>) -> Markup {
    let document = &receipt.document;
    let dates = Dates::of(document);
    let all: Vec<&ChargeDoc> = document.charges.iter().collect();
    let costly: Vec<&ChargeDoc> = all.iter().copied().filter(|charge| costs(document, charge)).collect();
    let shown = if costly.is_empty() { all } else { costly };
    let basis = receipt.basis().map(|basis| format!(", {basis}")).unwrap_or_default();
    html! {
        table.lines {
            thead {
                tr {
                    th { (words::TIME) }
                    th.number { (words::QUANTITY) }
                    th.number { (words::PRICE) }
                    th.number { (words::AMOUNT) }
                    th.rule { (words::RULE) }
                }
            }
            @if shown.is_empty() {
                tbody { tr.charge { th colspan="3" { (words::NOTHING) } td.number { (document.total) } td {} } }
            }
            @for charge in shown { (one(receipt, charge, &dates)) }
            tfoot { tr { td colspan="5" { (words::AMOUNTS_IN) " " (document.currency) (basis) } } }
        }
    }
}

// A charge with its lines and parts.
fn one(receipt: &Receipt<'_>, charge: &ChargeDoc, dates: &Dates) -> Markup {
    let document = &receipt.document;
    let lines: Vec<&LineDoc> = document.lines.iter().filter(|line| belongs(line, charge)).collect();
    let (rows, folded) = fold(&without_nothing(lines));
    let digits = receipt.digits();
    let most = |value: &dyn Fn(&LineDoc) -> Option<(String, u32)>, least: u32| {
        let scales = rows.iter().filter_map(|row| value(&row.line)).map(|(text, most)| scale(&text, most));
        scales.max().unwrap_or(0).max(least)
    };
    let price_places = most(&|line| Some((line.unit_price.clone()?, 6)), 2);
    let quantity_places = exact_places(&rows, digits);
    let label = match charge.vat_reason.as_deref() {
        Some("outside scope") => format!("{} ({})", charge.label, words::OUTSIDE_VAT),
        Some(reason) => format!("{} ({}: {reason})", charge.label, words::NO_VAT),
        None if document.vat.len() > 1 => format!("{} ({} {} %)", charge.label, words::VAT, charge.vat_rate),
        None => charge.label.clone(),
    };
    let label = with_since(label, charge);
    let numbers = receipt.rules();
    let rule = |line: &LineDoc| {
        numbers.iter().position(|rule| *rule == Decided::of(line)).map_or(0, |place| place + 1)
    };
    let mut heading = dates.first().to_owned();
    html! {
        tbody {
            tr.charge { th colspan="3" { (label) } td.number { (charge.amount) } td {} }
            @for row in &rows {
                @let line = &row.line;
                @let when = match folded {
                    Some(Folded::Month) => long_month(&line.from),
                    Some(Folded::Day) => long_date(&line.from),
                    Some(Folded::Hour) | None => span(&line.from, &line.to),
                };
                @let day = dates.heading(&line.from);
                @if day != heading && folded.is_none_or(|by| by == Folded::Hour) && line.quantity.is_some() {
                    tr.day { td colspan="5" { (day) } }
                    @let () = heading = day;
                }
                tr {
                    @if let (Some(quantity), Some(price)) = (&line.quantity, &line.unit_price) {
                        @let unit = line.unit.unwrap_or("");
                        td { (when) }
                        td.number { (places(quantity, quantity_places, quantity_places)) " " (unit) }
                        td.number {
                            @if row.mean { "ø " }
                            (places(price, price_places, price_places))
                            span.unit { " /" (unit) }
                        }
                    } @else {
                        td colspan="3" {
                            (line.label.strip_prefix(&charge.label).unwrap_or(&line.label).trim_start_matches(", "))
                        }
                    }
                    td.number { (places(&line.amount, digits + 2, digits + 2)) }
                    td.rule { a href={ "#rule-" (rule(line)) } { (rule(line)) } }
                }
            }
            @for part in &charge.parts {
                tr.part { td colspan="3" { (words::OF_WHICH) " " (part.label) } td.number { (part.amount) } td {} }
            }
            @if folded.is_some() { tr.part { td colspan="5" { (words::MEAN) } } }
        }
    }
}

fn totals(receipt: &Receipt<'_>) -> Markup {
    let document = &receipt.document;
    let back = document.total.starts_with('-');
    html! {
        table.totals {
            @if !document.vat.is_empty() {
                tr { td { (words::NET) } td.number { (document.net) } }
            }
            @for tax in &document.vat {
                tr {
                    td { (tax.label.as_deref().unwrap_or(words::VAT)) " " (tax.rate) " % " (words::ON) " " (tax.net) }
                    td.number { (tax.vat) }
                }
            }
            tr.total {
                th { (if back { words::TO_YOU } else { words::TOTAL }) }
                td.number { (document.total.trim_start_matches('-')) " " (document.currency) }
            }
        }
    }
}

fn rules(receipt: &Receipt<'_>) -> Markup {
    let rules = receipt.rules();
    html! {
        @if !rules.is_empty() {
            section.rules {
                h2 { (words::RULES) }
                p.small { (words::RULES_NOTE) }
                ol {
                    @for (number, decided) in (1..).zip(rules) {
                        li id={ "rule-" (number) } {
                            span.place { (decided.name()) }
                            @if let Some(text) = receipt.rule(&decided) { code { (text) } }
                        }
                    }
                }
            }
        }
    }
}
