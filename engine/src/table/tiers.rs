//! Prices beyond thresholds: each in a tier of its own, where it is another one than below.

use super::Work;
use crate::error::PriceError;
use crate::evaluate::Edges;
use crate::tariff::Measure;

/// Most tiers of one table or term; more thresholds than that are no price list any more.
const MOST_TIERS: usize = 24;

/// A threshold and what holds from it on.
type Tiered<T> = Vec<(Measure, i64, T)>;

impl Work<'_> {
    /// What `read` gives at the start, and beyond each threshold that it meets: by measure in the order in which they
    /// are met, then by amount.
    pub(super) fn tiered<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, PriceError>,
        same: impl Fn(&T, &T) -> bool,
    ) -> Result<(T, Tiered<T>), PriceError> {
        self.thresholds.clear();
        self.at = None;
        let base = read(self)?;
        let mut tiers: Tiered<T> = Vec::new();
        let mut next = 0;
        while let Some((measure, threshold)) =
            self.thresholds.get(next).copied().filter(|_| next < MOST_TIERS)
        {
            next += 1;
            self.at = Some((measure, threshold));
            let beyond = read(self)?;
            tiers.push((measure, threshold, beyond));
        }
        self.at = None;
        let mut order: Vec<Measure> = Vec::new();
        for (measure, ..) in &tiers {
            if !order.contains(measure) {
                order.push(*measure);
            }
        }
        tiers.sort_by_key(|(measure, threshold, _)| {
            (order.iter().position(|known| known == measure), *threshold)
        });
        // A tier that changes nothing beside the one below it is none.
        let mut kept: Tiered<T> = Vec::new();
        for (measure, threshold, beyond) in tiers {
            let below =
                kept.last().filter(|(known, ..)| *known == measure).map_or(&base, |(.., below)| below);
            if !same(below, &beyond) {
                kept.push((measure, threshold, beyond));
            }
        }
        Ok((base, kept))
    }

    pub(super) fn note_thresholds(&mut self, edges: &Edges) {
        for (index, threshold) in &edges.measures {
            let Some(measure) = self.pricing.p.tariff.measures.get(*index as usize).copied() else {
                continue;
            };
            self.note_threshold(measure, *threshold);
        }
    }

    pub(super) fn note_threshold(&mut self, measure: Measure, threshold: i64) {
        let known_power = measure == Measure::Power && self.asked.power.is_some();
        let entry = (measure, threshold);
        if (1..i64::MAX).contains(&threshold) && !known_power && !self.thresholds.contains(&entry) {
            self.thresholds.push(entry);
        }
    }
}
