//! The comparison as JSON.

use super::histogram::Row;
use super::{Moved, Pair, Sums};
use serde::Serialize;
use std::collections::BTreeMap;
use takst_engine::Prepared;
use takst_engine::exact::print_decimal;

#[derive(Serialize)]
pub(super) struct Report<'a> {
    old: TariffDoc<'a>,
    new: TariffDoc<'a>,
    currency: &'a str,
    sessions: u64,
    previews: u64,
    failed: u64,
    energy_kwh: String,
    total: Change,
    groups: Vec<Named<'a>>,
    charges: Vec<Named<'a>>,
    changed: Changed,
    histogram: Vec<RowDoc>,
    cheaper: Vec<MovedDoc<'a>>,
    dearer: Vec<MovedDoc<'a>>,
    failures: Vec<FailureDoc<'a>>,
}

#[derive(Serialize)]
struct TariffDoc<'a> {
    name: &'a str,
    file: &'a str,
    version: &'a str,
    prices_include_vat: bool,
}

#[derive(Serialize)]
struct Change {
    old: String,
    new: String,
    difference: String,
}

#[derive(Serialize)]
struct Named<'a> {
    label: &'a str,
    sessions: u64,
    #[serde(flatten)]
    change: Change,
}

#[derive(Serialize)]
struct MovedDoc<'a> {
    line: u64,
    session: &'a str,
    #[serde(flatten)]
    change: Change,
}

// How many sessions.
#[derive(Serialize)]
struct Changed {
    cheaper: u64,
    dearer: u64,
    unchanged: u64,
}

// Sessions whose change lies from the one to the other, both included; an open end has no bound.
#[derive(Serialize)]
struct RowDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    sessions: u64,
}

#[derive(Serialize)]
struct FailureDoc<'a> {
    line: u64,
    error: &'a str,
}

fn change(old: i128, new: i128, digits: u8) -> Change {
    let text = |amount| print_decimal(amount, u32::from(digits), false);
    Change { old: text(old), new: text(new), difference: text(new - old) }
}

/// The comparison as programs read it.
pub(super) fn report<'a>(old: &'a Prepared, new: &'a Prepared, sums: &'a Sums) -> Report<'a> {
    let digits = old.tariff().currency.digits;
    let tariff = |prepared: &'a Prepared| TariffDoc {
        name: &prepared.tariff().name,
        file: &prepared.tariff().file,
        version: prepared.version(),
        prices_include_vat: prepared.tariff().includes_vat,
    };
    let named = |names: &'a BTreeMap<String, Pair>| {
        let named = names.iter();
        named
            .map(|(label, pair)| Named {
                label,
                sessions: pair.sessions,
                change: change(pair.old, pair.new, digits),
            })
            .collect()
    };
    let moved = |all: &'a [Moved]| {
        let all = all.iter();
        all.map(|moved| MovedDoc {
            line: moved.line,
            session: &moved.session,
            change: change(moved.old.into(), moved.new.into(), digits),
        })
        .collect()
    };
    let text = |amount| print_decimal(amount, u32::from(digits), false);
    let row = |row: Row| RowDoc { from: row.from.map(text), to: row.to.map(text), sessions: row.sessions };
    Report {
        old: tariff(old),
        new: tariff(new),
        currency: &old.tariff().currency.code,
        sessions: sums.whole.sessions,
        previews: sums.previews,
        failed: sums.failed,
        energy_kwh: print_decimal(sums.energy, 6, true),
        total: change(sums.whole.old, sums.whole.new, digits),
        groups: named(&sums.groups),
        charges: named(&sums.charges),
        changed: Changed {
            cheaper: sums.histogram.cheaper(),
            dearer: sums.histogram.dearer(),
            unchanged: sums.histogram.unchanged,
        },
        histogram: sums.histogram.rows().into_iter().map(row).collect(),
        cheaper: moved(&sums.cheaper),
        dearer: moved(&sums.dearer),
        failures: sums.failures.iter().map(|(line, error)| FailureDoc { line: *line, error }).collect(),
    }
}
