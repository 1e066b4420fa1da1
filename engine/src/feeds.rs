//! Which price feeds can decide about an amount. A list may declare more than it uses: `spot` needs no declaration.

use crate::prepared::each_part;
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
    each_part(formula, &mut |part| {
        if let Formula::Feed { feed, mean } = part {
            *used.entry(*feed).or_default() |= *mean == Mean::Month;
        }
    });
}
