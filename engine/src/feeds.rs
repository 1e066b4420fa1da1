//! Which price feeds can decide about an amount. A list may declare more than it uses: `spot` needs no declaration.

use crate::tariff::{Formula, Mean, Outcome, Tariff};
use std::collections::BTreeMap;

/// The feeds that some price of the tariff asks for, as indexes into [`Tariff::feeds`], with whether the mean of a whole month
/// is asked for.
#[must_use]
pub fn used(tariff: &Tariff) -> BTreeMap<u32, bool> {
    let mut used = BTreeMap::new();
    for leaf in &tariff.leaves {
        let Outcome::Price(price) = &leaf.outcome else { continue };
        note(&price.formula, &mut used);
        price.parts.iter().for_each(|part| note(&part.formula, &mut used));
    }
    used
}

fn note(formula: &Formula, used: &mut BTreeMap<u32, bool>) {
    match formula {
        Formula::Feed { feed, mean } => *used.entry(*feed).or_default() |= *mean == Mean::Month,
        Formula::Const(_)
        | Formula::Value(_)
        | Formula::EnergyPrice
        | Formula::AveragePower
        | Formula::CostPrice => {}
        Formula::Add(a, b)
        | Formula::Sub(a, b)
        | Formula::Mul(a, b)
        | Formula::Div(a, b)
        | Formula::Higher(a, b)
        | Formula::Lower(a, b) => {
            note(a, used);
            note(b, used);
        }
        Formula::Round(a, _) | Formula::PlusVat(a) | Formula::LessVat(a) => note(a, used),
    }
}
