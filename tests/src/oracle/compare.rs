//! Holds a bill document against the oracle's bill, to the last digit of everything printed.

use super::bill::{Bill, DIGITS, Line, Why, in_units};
use super::conditions::tax_fraction;
use super::model::{Per, Tariff};
use super::number::{Q, fraction, minor_units, power_of_ten, print, read, round, whole, zero};
use super::session::{Session, read_time, time};
use super::slices::flowed;
use serde_json::Value;
use std::collections::BTreeMap;

/// A priced line, in units that do not depend on how it is printed: kWh, hours, pieces.
#[derive(Clone, PartialEq, Debug)]
struct Row {
    from: i64,
    to: i64,
    /// Where the line begins and ends: an instant, or for energy the register, for a line may reach into a time in which
    /// nothing flows.
    begin: Q,
    end: Q,
    quantity: Q,
    price: Q,
    amount: Q,
    tax: Q,
    /// How many printed lines it is made of.
    lines: i128,
    /// Counted in time.
    time: bool,
}

/// Where an instant lies for a charge: see [`Row::begin`].
fn place(key: &Key, session: &Session, ms: i64) -> Q {
    match key.0.as_str() {
        // To the millionth, as it is billed: less than that between two instants is no difference.
        "energy" | "payout to site" => round(&flowed(session, ms, false), 0),
        "feed in" => round(&flowed(session, ms, true), 0),
        _ => whole(i128::from(ms)),
    }
}

/// Entries of a bill that are no charges.
const EXTRAS: [&str; 3] = ["discount", "coupon", "limit"];

/// Kind and label of a charge.
type Key = (String, String);

#[derive(Debug, Default)]
struct Lines {
    rows: BTreeMap<Key, Vec<Row>>,
    /// Exact sum with limits, and the number of printed lines in it.
    sums: BTreeMap<Key, (Q, i128)>,
}

/// What is different, `None` if nothing is.
#[must_use]
pub fn difference(tariff: &Tariff, session: &Session, ours: &Bill, theirs: &Value) -> Option<String> {
    compare(tariff, session, ours, theirs).err()
}

fn compare(tariff: &Tariff, session: &Session, ours: &Bill, theirs: &Value) -> Result<(), String> {
    let (slices, pending) = (our_pending(tariff, session, ours), their_pending(session, theirs)?);
    if slices != pending {
        let show = |all: &BTreeMap<Key, Vec<(Q, Q)>>| -> Vec<String> {
            let slices = all.iter().flat_map(|(key, list)| list.iter().map(move |(a, b)| (key, a, b)));
            slices
                .map(|(key, a, b)| format!("{} {:?} {} to {}", key.0, key.1, print(a, 3), print(b, 3)))
                .collect()
        };
        return Err(format!("pending:\n    ours   {:?}\n    theirs {:?}", show(&slices), show(&pending)));
    }
    let kind = if ours.running || !slices.is_empty() { "preview" } else { "bill" };
    if theirs["kind"] != kind {
        return Err(format!("kind: ours {kind}, theirs {}", theirs["kind"]));
    }
    if !slices.is_empty() {
        return Ok(());
    }
    let none = vec![];
    compare_lines(tariff, session, &ours.lines, list(theirs, "lines")?)?;
    let payout_lines = theirs.get("payout_lines").and_then(Value::as_array).unwrap_or(&none);
    compare_lines(tariff, session, &ours.payout_lines, payout_lines)?;
    compare_charges(tariff, ours, theirs)?;
    compare_payouts(tariff, ours, theirs.get("payouts").and_then(Value::as_array).unwrap_or(&none))?;
    compare_tax(ours, theirs)?;
    for (field, amount) in [("net", ours.net), ("vat_total", ours.vat_total), ("total", ours.total)] {
        let found = money(theirs, field)?;
        if found != amount {
            return Err(format!("{field}: ours {}, theirs {}", cents(amount), cents(found)));
        }
    }
    compare_counters(ours, theirs)
}

fn compare_counters(ours: &Bill, theirs: &Value) -> Result<(), String> {
    let found = theirs.get("standing").and_then(Value::as_object).ok_or("no `standing`")?;
    for (name, value) in found {
        let value = value.as_str().and_then(read).ok_or("a counter is no number")?;
        let ours = ours.closing.get(name).cloned().unwrap_or_default();
        if ours != value {
            return Err(format!("counter {name:?}: ours {}, theirs {}", print(&ours, 12), print(&value, 12)));
        }
    }
    match ours.closing.iter().find(|(name, value)| **value != zero() && !found.contains_key(*name)) {
        Some((name, value)) => Err(format!("counter not there: {name:?} is {} in ours", print(value, 12))),
        None => Ok(()),
    }
}

fn compare_payouts(tariff: &Tariff, ours: &Bill, theirs: &[Value]) -> Result<(), String> {
    let mut mine: BTreeMap<(Key, Q), i128> = BTreeMap::new();
    for entry in &ours.payouts {
        let charge = &tariff.charges[entry.charge];
        let key = key(charge.kind.word(), &charge.label());
        *mine.entry((key, tax_fraction(entry.vat))).or_default() += entry.amount;
    }
    let mut other: BTreeMap<(Key, Q), i128> = BTreeMap::new();
    for entry in theirs {
        let key = key(text(entry, "charge")?, text(entry, "label")?);
        *other.entry((key, tax(entry)?)).or_default() += money(entry, "amount")?;
    }
    mine.retain(|_, amount| *amount != 0);
    other.retain(|_, amount| *amount != 0);
    if mine == other { Ok(()) } else { Err(format!("payouts: ours {mine:?}, theirs {other:?}")) }
}

fn compare_lines(tariff: &Tariff, session: &Session, ours: &[Line], theirs: &[Value]) -> Result<(), String> {
    let (mut ours, mut theirs) = (our_lines(tariff, ours), their_lines(tariff, theirs)?);
    for (key, rows) in ours.rows.iter_mut().chain(theirs.rows.iter_mut()) {
        for row in rows {
            (row.begin, row.end) = (place(key, session, row.from), place(key, session, row.to));
        }
    }
    let keys = ours.sums.keys().chain(theirs.sums.keys());
    for key in keys {
        let nothing = vec![];
        let (mine, other) = (merged(ours.rows.get(key)), merged(theirs.rows.get(key)));
        let (mine, other) = (mine.unwrap_or_else(|| nothing.clone()), other.unwrap_or(nothing));
        for i in 0..mine.len().max(other.len()) {
            let pair = (mine.get(i), other.get(i));
            let same = matches!(pair, (Some(a), Some(b)) if same_row(a, b));
            if !same {
                let show = |row: Option<&Row>| row.map_or_else(|| "none".to_owned(), |r| show(r, tariff));
                return Err(format!(
                    "line {i} of {key:?}:\n    ours   {}\n    theirs {}",
                    show(pair.0),
                    show(pair.1)
                ));
            }
        }
        let none = (zero(), 0);
        let (a, b) = (ours.sums.get(key).unwrap_or(&none), theirs.sums.get(key).unwrap_or(&none));
        if !near(&a.0, &b.0, b.1) {
            return Err(format!(
                "exact sum of {key:?}: ours {}, theirs {}",
                print(&a.0, 15),
                print(&b.0, 15)
            ));
        }
    }
    Ok(())
}

/// Equal but for the rounding of so many lines to 12 places.
fn near(a: &Q, b: &Q, lines: i128) -> bool {
    let gap = if a > b { a - b } else { b - a };
    gap * whole(2) * power_of_ten(12) <= whole(lines)
}

fn same_row(a: &Row, b: &Row) -> bool {
    let gap = if a.quantity > b.quantity { &a.quantity - &b.quantity } else { &b.quantity - &a.quantity };
    // Energy has six places anyway; a third of an hour has no last digit and is printed to six.
    let same_quantity = gap * whole(2_000_000) <= whole(if a.time { b.lines } else { 0 });
    // Energy of a threshold's own millisecond may stand on either side of it; how much there is, is compared below.
    let instants = !a.time && (a.from - b.from).abs() <= 1 && (a.to - b.to).abs() <= 1;
    (instants || (&a.begin, &a.end) == (&b.begin, &b.end))
        && a.tax == b.tax
        && same_price(&a.price, &b.price)
        && same_quantity
        && near(&a.amount, &b.amount, b.lines)
}

/// Equal but for a product of so many factors that the engine rounds it to 28 places.
fn same_price(a: &Q, b: &Q) -> bool {
    let gap = if a > b { a - b } else { b - a };
    gap * power_of_ten(26) < whole(1)
}

fn show(row: &Row, tariff: &Tariff) -> String {
    format!(
        "{} to {}: {} x {} = {} at {}%",
        time(row.from, tariff.zone),
        time(row.to, tariff.zone),
        print(&row.quantity, 9),
        print(&row.price, 15),
        print(&row.amount, 15),
        print(&(&row.tax * whole(100)), 2)
    )
}

/// Neighbours with one price become one row: the other side may cut finer.
fn merged(rows: Option<&Vec<Row>>) -> Option<Vec<Row>> {
    let mut rows = rows?.clone();
    rows.sort_by_key(|r| (r.from, r.to));
    let mut all: Vec<Row> = vec![];
    for row in rows {
        // A slice of a millisecond before a threshold may carry no energy and so have no line.
        let next_to = |last: &Row| last.end == row.begin || !row.time && row.from - last.to == 1;
        match all.last_mut() {
            Some(last) if next_to(last) && last.price == row.price && last.tax == row.tax => {
                last.to = row.to;
                last.end = row.end;
                last.quantity += row.quantity;
                last.amount += row.amount;
                last.lines += row.lines;
            }
            _ => all.push(row),
        }
    }
    Some(all)
}

fn our_lines(tariff: &Tariff, all: &[Line]) -> Lines {
    let mut lines = Lines::default();
    for line in all {
        let charge = &tariff.charges[line.charge];
        let key = key(charge.kind.word(), &charge.label());
        let sum = lines.sums.entry(key.clone()).or_default();
        sum.0 += &line.amount;
        // A free fee of a session may have no line at all.
        let nothing = matches!(line.per, Per::Session | Per::Bill) && line.amount == zero();
        if line.why != Why::Limit && !nothing {
            lines.rows.entry(key).or_default().push(our_row(line));
        }
    }
    lines
}

fn our_row(line: &Line) -> Row {
    let (unit, price) = match line.per {
        Per::Min => (Per::Hour, &line.unit_price * whole(60)),
        per => (per, line.unit_price.clone()),
    };
    Row {
        from: line.from,
        to: line.to,
        begin: zero(),
        end: zero(),
        quantity: in_units(line.quantity, unit),
        price,
        amount: line.amount.clone(),
        tax: tax_fraction(line.vat),
        lines: 0,
        time: unit == Per::Hour,
    }
}

fn their_lines(tariff: &Tariff, all: &[Value]) -> Result<Lines, String> {
    let mut lines = Lines::default();
    for line in all {
        // What lowers or limits the whole bill is compared as printed, below.
        if EXTRAS.contains(&text(line, "charge")?) {
            continue;
        }
        let key = line_key(tariff, text(line, "charge")?, text(line, "label")?);
        let sum = lines.sums.entry(key.clone()).or_default();
        sum.0 += number(line, "amount")?;
        sum.1 += 1;
        if line.get("unit_price").is_some() {
            let row = their_row(line)?;
            let nothing = matches!(text(line, "unit")?, "session" | "bill") && row.amount == zero();
            if !nothing {
                lines.rows.entry(key).or_default().push(row);
            }
        }
    }
    Ok(lines)
}

fn their_row(line: &Value) -> Result<Row, String> {
    let (quantity, price) = (number(line, "quantity")?, number(line, "unit_price")?);
    let unit = text(line, "unit")?;
    let (quantity, price) = match unit {
        "min" => (quantity / whole(60), price * whole(60)),
        _ => (quantity, price),
    };
    Ok(Row {
        from: instant(line, "from")?,
        to: instant(line, "to")?,
        begin: zero(),
        end: zero(),
        quantity,
        price,
        amount: number(line, "amount")?,
        tax: tax(line)?,
        lines: 1,
        time: unit != "kWh",
    })
}

fn compare_charges(tariff: &Tariff, ours: &Bill, theirs: &Value) -> Result<(), String> {
    let mut mine: BTreeMap<(Key, Q), i128> = BTreeMap::new();
    for entry in &ours.charges {
        let charge = &tariff.charges[entry.charge];
        let key = key(charge.kind.word(), &charge.label());
        *mine.entry((key, tax_fraction(entry.vat))).or_default() += entry.amount;
    }
    for extra in &ours.extras {
        for (vat, amount) in &extra.amounts {
            *mine.entry(((extra.kind.into(), String::new()), tax_fraction(*vat))).or_default() += amount;
        }
    }
    let mut other: BTreeMap<(Key, Q), i128> = BTreeMap::new();
    for entry in list(theirs, "charges")? {
        let kind = text(entry, "charge")?;
        let key = match kind {
            extra if EXTRAS.contains(&extra) => (extra.to_owned(), String::new()),
            _ => key(kind, text(entry, "label")?),
        };
        let amount = money(entry, "amount")?;
        if let Some(parts) = entry.get("parts").and_then(Value::as_array).filter(|p| !p.is_empty()) {
            let amounts = parts.iter().map(|p| money(p, "amount")).collect::<Result<Vec<_>, _>>()?;
            if amounts.iter().sum::<i128>() != amount {
                return Err(format!("parts of {key:?} do not add up: {entry}"));
            }
        }
        *other.entry((key, tax(entry)?)).or_default() += amount;
    }
    mine.retain(|_, amount| *amount != 0);
    other.retain(|_, amount| *amount != 0);
    if mine != other {
        let show = |all: &BTreeMap<(Key, Q), i128>| -> Vec<String> {
            all.iter()
                .map(|(((kind, label), tax), amount)| {
                    format!("{kind} {label:?} at {}%: {}", print(&(tax * whole(100)), 2), cents(*amount))
                })
                .collect()
        };
        return Err(format!("charges:\n    ours   {:?}\n    theirs {:?}", show(&mine), show(&other)));
    }
    compare_parts(tariff, ours, theirs)
}

fn compare_parts(tariff: &Tariff, ours: &Bill, theirs: &Value) -> Result<(), String> {
    for (i, charge) in tariff.charges.iter().enumerate() {
        let Some(mut mine) = ours.parts(i) else { continue };
        let key = key(charge.kind.word(), &charge.label());
        let mut other = vec![];
        for entry in list(theirs, "charges")? {
            if self::key(text(entry, "charge")?, text(entry, "label")?) == key {
                for part in entry.get("parts").and_then(Value::as_array).into_iter().flatten() {
                    other.push((text(part, "label")?.to_owned(), money(part, "amount")?));
                }
            }
        }
        mine.retain(|(_, amount)| *amount != 0);
        other.retain(|(_, amount)| *amount != 0);
        mine.sort();
        other.sort();
        if mine != other {
            return Err(format!("parts of {key:?}: ours {mine:?}, theirs {other:?}"));
        }
    }
    Ok(())
}

fn compare_tax(ours: &Bill, theirs: &Value) -> Result<(), String> {
    let mut mine: BTreeMap<(String, Q), (i128, i128)> = BTreeMap::new();
    for (name, rate, net, vat) in &ours.vat {
        let row = mine.entry((name.clone().unwrap_or_default(), rate.clone())).or_default();
        *row = (row.0 + net, row.1 + vat);
    }
    let mut other: BTreeMap<(String, Q), (i128, i128)> = BTreeMap::new();
    for row in list(theirs, "vat")? {
        let rate = match row.get("rate") {
            None => zero(),
            Some(_) => number(row, "rate")? / whole(100),
        };
        let (net, vat) = (money(row, "net")?, money(row, "vat")?);
        let name = row.get("label").and_then(Value::as_str).unwrap_or_default().to_owned();
        let row = other.entry((name, rate)).or_default();
        *row = (row.0 + net, row.1 + vat);
    }
    // What is taxed at nothing may be left out of the table.
    let nothing = |rate: &(String, Q), row: &(i128, i128)| rate.1 == zero() || *row == (0, 0);
    mine.retain(|rate, row| !nothing(rate, row));
    other.retain(|rate, row| !nothing(rate, row));
    if mine == other { Ok(()) } else { Err(format!("vat: ours {mine:?}, theirs {other:?}")) }
}

fn our_pending(tariff: &Tariff, session: &Session, bill: &Bill) -> BTreeMap<Key, Vec<(Q, Q)>> {
    let mut all: BTreeMap<Key, Vec<(Q, Q)>> = BTreeMap::new();
    for (i, from, to) in &bill.pending {
        let charge = &tariff.charges[*i];
        let key = key(charge.kind.word(), &charge.label());
        let slice = (place(&key, session, *from), place(&key, session, *to));
        all.entry(key).or_default().push(slice);
    }
    joined(all)
}

fn their_pending(session: &Session, bill: &Value) -> Result<BTreeMap<Key, Vec<(Q, Q)>>, String> {
    let mut all: BTreeMap<Key, Vec<(Q, Q)>> = BTreeMap::new();
    for slice in bill.get("pending").and_then(Value::as_array).into_iter().flatten() {
        let key = key(text(slice, "charge")?, text(slice, "label")?);
        let slice =
            (place(&key, session, instant(slice, "from")?), place(&key, session, instant(slice, "to")?));
        all.entry(key).or_default().push(slice);
    }
    Ok(joined(all))
}

/// The union of each charge's intervals.
fn joined(all: BTreeMap<Key, Vec<(Q, Q)>>) -> BTreeMap<Key, Vec<(Q, Q)>> {
    let union = |mut slices: Vec<(Q, Q)>| {
        slices.sort();
        let mut all: Vec<(Q, Q)> = vec![];
        for (from, to) in slices {
            match all.last_mut() {
                Some(last) if from <= last.1 => last.1 = to.max(last.1.clone()),
                _ => all.push((from, to)),
            }
        }
        all
    };
    all.into_iter().map(|(key, slices)| (key, union(slices))).collect()
}

fn key(kind: &str, label: &str) -> Key {
    (kind.replace(['-', '_'], " "), label.to_owned())
}

/// Lines of steps and limits say so behind their charge's label.
fn line_key(tariff: &Tariff, kind: &str, label: &str) -> Key {
    let found = key(kind, label);
    let belongs = |own: &String| found.1 == *own || found.1.starts_with(&format!("{own}, "));
    let mut own = tariff
        .charges
        .iter()
        .filter(|c| key(c.kind.word(), "").0 == found.0)
        .map(super::model::Charge::label);
    let own = own.find(belongs);
    own.map_or(found.clone(), |label| (found.0, label))
}

fn cents(amount: i128) -> String {
    print(&fraction(amount, 100), DIGITS)
}

fn list<'a>(it: &'a Value, field: &str) -> Result<&'a Vec<Value>, String> {
    it.get(field).and_then(Value::as_array).ok_or_else(|| format!("no list `{field}`"))
}

fn text<'a>(it: &'a Value, field: &str) -> Result<&'a str, String> {
    it.get(field).and_then(Value::as_str).ok_or_else(|| format!("no text `{field}` in {it}"))
}

fn number(it: &Value, field: &str) -> Result<Q, String> {
    read(text(it, field)?).ok_or_else(|| format!("`{field}` is no plain decimal in {it}"))
}

fn money(it: &Value, field: &str) -> Result<i128, String> {
    let amount = number(it, field)?;
    let cents = minor_units(&amount, DIGITS);
    if fraction(cents, 100) == amount {
        Ok(cents)
    } else {
        Err(format!("`{field}` has too many digits in {it}"))
    }
}

fn instant(it: &Value, field: &str) -> Result<i64, String> {
    read_time(text(it, field)?).ok_or_else(|| format!("`{field}` is no time in {it}"))
}

/// The tax rate of a line or charge as a fraction; nothing stands for none.
fn tax(it: &Value) -> Result<Q, String> {
    match it.get("vat_rate") {
        None | Some(Value::Null) => Ok(zero()),
        Some(_) => Ok(number(it, "vat_rate")? / whole(100)),
    }
}
