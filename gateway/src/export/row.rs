//! A session as a row of a table.

use crate::api::words::{energy, money, time};
use crate::billing::printed_number;
use crate::store::{BillHead, Session};
use chrono_tz::Tz;
use serde_json::Value;
use takst_dsl::resolve::currency;
use takst_engine::units::{Energy, Instant};

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// What stands in it.
    pub kind: Kind,
}

/// What stands in a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Whole,
    /// An instant.
    Time,
    /// kWh with six decimals.
    Energy,
    /// Money in the currency beside it.
    Money,
}

/// What stands in a row; nothing where it is not known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell {
    /// See `Kind::Text`.
    Text(Option<String>),
    /// See `Kind::Whole`.
    Whole(Option<i64>),
    /// See `Kind::Time`.
    Time(Option<Instant>),
    /// See `Kind::Energy`.
    Energy(Option<Energy>),
    /// Minor units, and how many digits these are.
    Money(Option<(i64, u8)>),
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

/// The columns. New ones are added at the end.
pub const COLUMNS: [Column; 22] = [
    column("id", Kind::Text),
    column("site", Kind::Text),
    column("charger", Kind::Text),
    column("evse", Kind::Whole),
    column("connector", Kind::Whole),
    column("driver", Kind::Text),
    column("token", Kind::Text),
    column("contract", Kind::Text),
    column("plugged_in", Kind::Time),
    column("started", Kind::Time),
    column("stopped", Kind::Time),
    column("unplugged", Kind::Time),
    column("energy_kwh", Kind::Energy),
    column("status", Kind::Text),
    column("flags", Kind::Text),
    column("tariff", Kind::Text),
    column("tariff_version", Kind::Text),
    column("billing", Kind::Text),
    column("bill", Kind::Text),
    column("corrections", Kind::Text),
    column("currency", Kind::Text),
    column("total", Kind::Money),
];

/// The row of a session: what stands under each of [`COLUMNS`]. `total` is what its bills and corrections come to together; without
/// a bill there is none.
#[must_use]
pub fn cells(session: &Session, bills: &[BillHead]) -> [Cell; 22] {
    let text = |text: &Option<String>| Cell::Text(text.clone());
    let number = |bill: &BillHead| printed_number(&bill.series, bill.number);
    let corrections: Vec<String> = bills.iter().skip(1).map(number).collect();
    let code = bills.first().map(|bill| bill.currency.clone());
    let digits = code.as_deref().and_then(currency::currency).map_or(2, |currency| currency.digits);
    let sum = bills.iter().try_fold(0_i64, |sum, bill| sum.checked_add(bill.total));
    [
        Cell::Text(Some(session.id.clone())),
        text(&session.site),
        Cell::Text(Some(session.charger.clone())),
        Cell::Whole(Some(session.evse)),
        Cell::Whole(session.connector),
        text(&session.driver),
        text(&session.token),
        text(&session.contract),
        Cell::Time(Some(session.plugged_in)),
        Cell::Time(session.started_at),
        Cell::Time(session.stopped_at),
        Cell::Time(session.unplugged),
        Cell::Energy(session.energy),
        Cell::Text(Some(session.status.as_str().to_owned())),
        Cell::Text(flags(&session.flags)),
        text(&session.tariff_name),
        text(&session.tariff_version),
        Cell::Text(Some(session.billing.as_str().to_owned())),
        Cell::Text(bills.first().map(number)),
        Cell::Text((!corrections.is_empty()).then(|| corrections.join(" "))),
        Cell::Text(code),
        Cell::Money(sum.filter(|_| !bills.is_empty()).map(|sum| (sum, digits))),
    ]
}

/// The names of the flags, without their reasons.
fn flags(document: &str) -> Option<String> {
    let flags: Value = serde_json::from_str(document).ok()?;
    let names: Vec<&str> = flags.as_array()?.iter().filter_map(|flag| flag.get("flag")?.as_str()).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

impl Cell {
    /// As text, a time on the clock of `zone`; nothing is empty.
    #[must_use]
    pub fn text(&self, zone: Tz) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Whole(number) => number.map(|number| number.to_string()),
            Self::Time(at) => at.map(|at| time(Some(zone), at)),
            Self::Energy(kwh) => kwh.map(energy),
            Self::Money(sum) => sum.map(|(sum, digits)| money(sum, digits)),
        }
        .unwrap_or_default()
    }
}
