//! Many lines as few: summed by hour, day or month, so that the receipt of a month stays a receipt.

use super::dates::day;
use rust_decimal::{Decimal, RoundingStrategy};
use takst_engine::document::LineDoc;

/// Most lines of one charge; a day of quarter-hours, also one of 25 hours, is below.
const MOST: usize = 100;

/// What lines are summed by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Folded {
    /// Clock hours.
    Hour,
    /// Local days.
    Day,
    /// Local months.
    Month,
}

/// A line as it is shown.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The line, or the sum of several.
    pub line: LineDoc,
    /// Whether its price is a mean.
    pub mean: bool,
}

/// The lines as they are, or summed by the shortest time that leaves few enough.
pub fn fold(lines: &[&LineDoc]) -> (Vec<Row>, Option<Folded>) {
    let plain = || lines.iter().map(|line| Row { line: (*line).clone(), mean: false }).collect();
    if lines.len() <= MOST {
        return (plain(), None);
    }
    for by in [Folded::Hour, Folded::Day, Folded::Month] {
        // What does not fit any number type is not summed; no bill has such amounts.
        let Some(rows) = folded(lines, by) else { break };
        if rows.len() <= MOST || by == Folded::Month {
            return (rows, Some(by));
        }
    }
    (plain(), None)
}

fn folded(lines: &[&LineDoc], by: Folded) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        match rows.last_mut() {
            Some(row) if same(&row.line, line, by) => add(row, line)?,
            _ => rows.push(Row { line: (*line).clone(), mean: false }),
        }
    }
    Some(rows)
}

fn same(first: &LineDoc, next: &LineDoc, by: Folded) -> bool {
    let counted = first.quantity.is_some() && next.quantity.is_some() && first.unit == next.unit;
    // The offset is in it: the repeated hour is another hour.
    let hour = |at: &str| (at.get(..13).map(str::to_owned), at.get(19..).map(str::to_owned));
    counted
        && match by {
            Folded::Hour => hour(&first.from) == hour(&next.from),
            Folded::Day => day(&first.from) == day(&next.from),
            Folded::Month => first.from.get(..7) == next.from.get(..7),
        }
}

fn add(row: &mut Row, more: &LineDoc) -> Option<()> {
    let number = |text: &Option<String>| text.as_ref()?.parse::<Decimal>().ok();
    let quantity = number(&row.line.quantity)?.checked_add(number(&more.quantity)?)?;
    let amount = row.line.amount.parse::<Decimal>().ok()?.checked_add(more.amount.parse().ok()?)?;
    if row.mean || row.line.unit_price != more.unit_price {
        row.mean = true;
        let mean = amount.checked_div(quantity).unwrap_or_default();
        let mean = mean.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero);
        row.line.unit_price = Some(mean.normalize().to_string());
    }
    row.line.quantity = Some(quantity.to_string());
    row.line.amount = amount.to_string();
    row.line.to.clone_from(&more.to);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(day: usize, hour: usize, quarter: usize, price: &str) -> LineDoc {
        let minute = quarter * 15;
        serde_json::from_value(serde_json::json!({
            "charge": "energy", "label": "Energy", "vat_rate": "25", "rule": "x:1", "unit": "kWh", "quantity": "2",
            "from": format!("2025-{:02}-{:02}T{hour:02}:{minute:02}:00+01:00", 1 + day / 28, 1 + day % 28),
            "to": format!("2025-{:02}-{:02}T{hour:02}:{:02}:59+01:00", 1 + day / 28, 1 + day % 28, minute + 14),
            "unit_price": price,
            "amount": (price.parse::<Decimal>().unwrap() * Decimal::TWO).to_string(),
        }))
        .unwrap()
    }

    #[test]
    fn the_shortest_time_that_leaves_few_lines_is_taken() {
        let lines = |days: usize| -> Vec<LineDoc> {
            let quarter =
                |i: usize| line(i / 96, i / 4 % 24, i % 4, if i.is_multiple_of(2) { "0.10" } else { "0.30" });
            (0..days * 96).map(quarter).collect()
        };
        for (days, by, count) in [
            (1, None, 96),
            (2, Some(Folded::Hour), 48),
            (30, Some(Folded::Day), 30),
            (300, Some(Folded::Month), 11),
        ] {
            let all = lines(days);
            let (rows, folded) = fold(&all.iter().collect::<Vec<_>>());
            assert_eq!((folded, rows.len()), (by, count), "{days} days");
            let sum = |of: &dyn Fn(&Row) -> String| {
                rows.iter().map(|row| of(row).parse::<Decimal>().unwrap()).sum::<Decimal>()
            };
            assert_eq!(sum(&|row| row.line.quantity.clone().unwrap()), Decimal::from(2 * 96 * days));
            assert_eq!(sum(&|row| row.line.amount.clone()) * Decimal::TEN, Decimal::from(4 * 96 * days));
        }
        let two = lines(2);
        let (rows, _) = fold(&two.iter().collect::<Vec<_>>());
        assert_eq!((rows[0].mean, rows[0].line.unit_price.as_deref()), (true, Some("0.2")));
        assert_eq!(rows[0].line.to, two[3].to);
    }

    #[test]
    fn adjustments_stay_lines_of_their_own() {
        let mut all: Vec<LineDoc> = (0..200).map(|i| line(i / 10, i % 10, 0, "0.10")).collect();
        let limit =
            LineDoc { quantity: None, unit: None, unit_price: None, amount: "-5".into(), ..all[0].clone() };
        all.push(limit.clone());
        let (rows, folded) = fold(&all.iter().collect::<Vec<_>>());
        assert_eq!((folded, rows.len()), (Some(Folded::Day), 21));
        assert_eq!((rows[0].mean, rows[0].line.unit_price.as_deref()), (false, Some("0.10")));
        assert_eq!(rows.last().map(|row| &row.line), Some(&limit));
    }
}
