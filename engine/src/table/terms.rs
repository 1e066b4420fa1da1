//! What is not paid per kWh: fees and prices of time with their steps, and limits.

use super::words::{beyond_word, per_text, quantity_text, threshold_text};
use super::{Answered, Known, Term, TermSlice, TermTier, Work};
use crate::document::kind_text;
use crate::error::PriceError;
use crate::evaluate::Edges;
use crate::exact::Num;
use crate::tariff::{Charge, ChargeKind, Limit, MonthWhat, NodeId, Per};
use crate::units::Instant;
use rust_decimal::Decimal;

impl Work<'_> {
    pub(super) fn terms(&mut self) -> Result<Vec<Term>, PriceError> {
        let shown = |kind| !matches!(kind, ChargeKind::Energy | ChargeKind::PayoutToSite);
        let mut terms = Vec::new();
        for (index, charge) in self.charges(shown) {
            if charge.paid_by_site {
                continue;
            }
            let after = match &charge.after {
                None => None,
                Some(after) => {
                    let amount = self.after_amount(&after.amount, &charge.label)?;
                    (amount > 0).then(|| quantity_text(after.measure, amount))
                }
            };
            let (slices, tiers) = self
                .tiered(|work| work.term_slices(index, charge), |below, beyond| same_prices(below, beyond))?;
            let tier = |(measure, threshold, slices)| TermTier {
                when: format!("{} {}", beyond_word(measure), threshold_text(measure, threshold)),
                slices,
            };
            let tiers = tiers.into_iter().map(tier).collect();
            let kind = kind_text(charge.kind);
            terms.push(Term {
                kind,
                label: charge.label.clone(),
                after,
                limits: self.limits(&charge.limits, charge.tax)?,
                limits_taxed: true,
                slices,
                tiers,
            });
        }
        // Prices of energy stand in the slices; what bounds them stands here.
        let mut bounded = Vec::new();
        for (_, charge) in self.charges(|kind| kind == ChargeKind::Energy) {
            let limits = self.limits(&charge.limits, charge.tax)?;
            bounded.extend(only_limits(kind_text(charge.kind), &charge.label, limits, true));
        }
        terms.splice(0..0, bounded);
        let point = self.point(self.start);
        for charge in &self.pricing.p.tariff.month {
            let (kind, root) = match charge.what {
                MonthWhat::Monthly(root) => ("monthly fee", root),
                MonthWhat::OneOff(root) => ("one-off fee", root),
                MonthWhat::Power { .. } | MonthWhat::SiteCredit { .. } => continue,
            };
            if charge.paid_by_site {
                continue;
            }
            let found = self.answer(&charge.label, root, charge.tax, &point, &mut Edges::new())?;
            let per = match (&charge.what, found.per) {
                (_, None) => "",
                (MonthWhat::Monthly(_), Some(Per::Charger)) => "charger/month",
                (_, Some(per)) => per_text(per),
            };
            let (from, to) = (Instant(self.start), Instant(self.end));
            let slices = vec![TermSlice { from, to, price: found.price, per, rule: found.rule }];
            terms.push(Term {
                kind,
                label: charge.label.clone(),
                after: None,
                limits: self.limits(&charge.limits, charge.tax)?,
                limits_taxed: true,
                slices,
                tiers: Vec::new(),
            });
        }
        let total = &self.pricing.p.tariff.total_limits;
        let (limits, taxed) = match self.common_tax()? {
            Some(tax) => (self.limits(total, tax)?, true),
            None => (total.clone(), self.pricing.p.tariff.includes_vat),
        };
        terms.extend(only_limits("limit", "Total", limits, taxed));
        Ok(terms)
    }

    fn term_slices(&mut self, index: usize, charge: &Charge) -> Result<Vec<TermSlice>, PriceError> {
        let credit = charge.kind == ChargeKind::FeedIn;
        let mut slices: Vec<TermSlice> = Vec::new();
        let mut t = self.start;
        while t < self.end {
            let point = self.point(t);
            let mut edges = Edges::new();
            edges.time = point.local.instant_of(1440);
            let found = self.answer(&charge.label, charge.root, charge.tax, &point, &mut edges)?;
            let to = edges.time.min(self.end).min(point.local.offset_until).max(t + 1);
            self.note_thresholds(&edges);
            let mut cuts = vec![None; self.discounts.len()];
            let price = match self.discounted(index, found.price, found.rule, &mut cuts)? {
                Known::Price(price) if credit => {
                    Known::Price(price.negated().map_err(|_| self.overflow(found.rule))?)
                }
                price => price,
            };
            let per = per_of(&found);
            match slices.last_mut() {
                Some(last) if last.price == price && last.rule == found.rule && last.per == per => {
                    last.to = Instant(to);
                }
                _ => {
                    let (from, to) = (Instant(t), Instant(to));
                    slices.push(TermSlice { from, to, price, per, rule: found.rule });
                }
            }
            t = to;
        }
        Ok(slices)
    }

    // Limits as a driver meets them that day: with taxes, like the prices.
    fn limits(&self, limits: &[Limit], tax_root: NodeId) -> Result<Vec<Limit>, PriceError> {
        if limits.is_empty() {
            return Ok(Vec::new());
        }
        let tax = self.tax_class(tax_root, &self.point(self.start), &mut Edges::new())?;
        let taxed = |limit: &Limit| {
            let amount = self.taxed(Num::from_decimal(limit.amount), tax, limit.rule)?;
            let amount =
                Decimal::from_str_exact(&amount.to_plain()).map_err(|_| self.overflow(limit.rule))?;
            Ok(Limit { amount, ..limit.clone() })
        };
        limits.iter().map(taxed).collect()
    }

    // The tax that all charges of a bill have in common that day; none when they differ.
    fn common_tax(&self) -> Result<Option<NodeId>, PriceError> {
        let mut common: Option<(NodeId, Num)> = None;
        for (_, charge) in self.charges(|kind| kind != ChargeKind::PayoutToSite) {
            let class = self.tax_class(charge.tax, &self.point(self.start), &mut Edges::new())?;
            let factor = self.pricing.p.tax_factors.get(class as usize).map_or(Num::ONE, |tax| tax.factor);
            match common {
                Some((_, known)) if known != factor => return Ok(None),
                _ => common = Some((charge.tax, factor)),
            }
        }
        Ok(common.map(|(root, _)| root))
    }
}

/// The unit of a price; empty where it is free.
pub(super) fn per_of(found: &Answered) -> &'static str {
    found.per.map_or("", per_text)
}

fn only_limits(kind: &'static str, label: &str, limits: Vec<Limit>, limits_taxed: bool) -> Option<Term> {
    let label = label.to_owned();
    (!limits.is_empty()).then_some(Term {
        kind,
        label,
        after: None,
        limits,
        limits_taxed,
        slices: Vec::new(),
        tiers: Vec::new(),
    })
}

// Whichever line says so.
fn same_prices(one: &[TermSlice], other: &[TermSlice]) -> bool {
    let price = |slice: &TermSlice| (slice.from, slice.to, slice.price, slice.per);
    one.iter().map(price).eq(other.iter().map(price))
}
