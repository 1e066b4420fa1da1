//! Price files: hours and quarters, a change of step, odd edges, negative prices, later publications, gaps.

use super::{chance, one};
use crate::oracle::model::Tariff;
use crate::oracle::number::Dec;
use crate::oracle::session::{PriceFile, Session};
use fastrand::Rng;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Price files for every feed that the tariff names.
pub fn files(rng: &mut Rng, tariff: &Tariff, session: &Session) -> Vec<PriceFile> {
    let text = tariff.to_text();
    let named =
        |name: &str| text.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|word| word == name);
    let mut files = vec![];
    if named("spot") {
        let unit = one(rng, &["MWh", "MWh", "kWh"]);
        let file = PriceFile {
            feed: "spot".into(),
            area: tariff.area.clone(),
            unit: format!("{}/{unit}", tariff.currency),
            vat_included: false,
            published: session.plugged_in - 20 * HOUR,
            steps: steps(rng, session, unit == "MWh"),
        };
        if chance(rng, 10) {
            files.push(revised(rng, &file));
        }
        files.push(file);
    }
    for feed in &tariff.feeds {
        let exchange = feed.holds && feed.name != "index";
        files.push(PriceFile {
            feed: feed.name.clone(),
            area: None,
            unit: feed.unit.clone(),
            vat_included: feed.includes_vat.unwrap_or_else(|| rng.bool()),
            published: session.plugged_in - 20 * HOUR,
            steps: if feed.name == "index" {
                index(rng, session)
            } else if exchange {
                exchange_rates(rng, session)
            } else {
                steps(rng, session, false)
            },
        });
    }
    files
}

fn price(rng: &mut Rng, per_mwh: bool) -> Dec {
    let sign = if chance(rng, 15) { -1 } else { 1 };
    match (per_mwh, rng.u32(0..8)) {
        (_, 0) => Dec::new(0, 2),
        (true, _) => Dec::new(sign * rng.i128(0..30_000), 2),
        (false, 1) => Dec::new(sign * rng.i128(0..30), 2),
        (false, _) => Dec::new(sign * rng.i128(0..30_000), 5),
    }
}

fn steps(rng: &mut Rng, session: &Session, per_mwh: bool) -> Vec<(i64, i64, Dec)> {
    let odd = if chance(rng, 8) { rng.i64(1..HOUR) } else { 0 };
    let long = session.end() - session.plugged_in > 72 * HOUR;
    let (early, late) = match rng.u32(0..10) {
        _ if long => (HOUR, one(rng, &[HOUR, 6 * HOUR])),
        0..5 => (HOUR, HOUR),
        5..7 => (15 * MINUTE, 15 * MINUTE),
        7..9 => (HOUR, 15 * MINUTE),
        _ => (15 * MINUTE, HOUR),
    };
    let mut at = session.plugged_in.div_euclid(HOUR) * HOUR - 2 * HOUR - odd;
    let end = session.end() + 2 * HOUR;
    let change = rng.i64(session.plugged_in - HOUR..=session.end());
    let mut steps = vec![];
    while at < end {
        // The step changes at a full hour.
        let hour = (at + odd).rem_euclid(HOUR) == 0;
        let step = if at < change || !hour && late > early { early } else { late };
        steps.push((at, at + step, price(rng, per_mwh)));
        at += step;
    }
    if chance(rng, 4) {
        steps.remove(rng.usize(0..steps.len()));
    }
    steps
}

/// Another publication of a part of a file: later ones replace earlier ones.
fn revised(rng: &mut Rng, file: &PriceFile) -> PriceFile {
    let from = rng.usize(0..file.steps.len());
    let to = rng.usize(from..file.steps.len()) + 1;
    let mut steps = file.steps[from..to].to_vec();
    for step in &mut steps {
        step.2 = price(rng, file.unit.ends_with("MWh"));
    }
    let published = file.published + one(rng, &[-HOUR, HOUR]);
    PriceFile { steps, published, ..file.clone() }
}

/// A few values that hold, from the month before the session on; now and then a month has none at its beginning.
fn index(rng: &mut Rng, session: &Session) -> Vec<(i64, i64, Dec)> {
    let before = if chance(rng, 90) { 32 } else { 3 };
    let mut at = session.plugged_in - before * 24 * HOUR - rng.i64(0..24 * HOUR);
    let mut steps = vec![];
    while at < session.end() + 32 * 24 * HOUR {
        let next = at + rng.i64(24 * HOUR..15 * 24 * HOUR);
        steps.push((at, next, price(rng, false)));
        at = next;
    }
    steps
}

/// A rate a day, some days without one.
fn exchange_rates(rng: &mut Rng, session: &Session) -> Vec<(i64, i64, Dec)> {
    let mut at = session.plugged_in.div_euclid(24 * HOUR) * 24 * HOUR - 48 * HOUR;
    let mut steps = vec![];
    while at < session.end() {
        if steps.is_empty() || chance(rng, 70) {
            steps.push((at, at + one(rng, &[24 * HOUR, 10 * HOUR]), Dec::new(rng.i128(105_000..125_000), 4)));
        }
        at += 24 * HOUR;
    }
    steps
}
