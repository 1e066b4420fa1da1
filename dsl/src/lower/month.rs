//! Charges that only a whole month can tell.

use super::Lowering;
use crate::ast::{self, Kind};
use crate::resolve::merge::Item;
use crate::resolve::names::KnownCharge;
use takst_engine::tariff::{MonthCharge, MonthWhat, NodeId};

impl Lowering<'_> {
    /// A charge of the month; its node ids are list indexes still.
    pub(super) fn month_charge(
        &mut self,
        item: &Item<'_>,
        charge: &ast::Charge,
        known: &KnownCharge,
        tax: u32,
    ) -> MonthCharge {
        let limits = self.limits(item, &charge.limits, known.kind);
        let root = self.prices(item, &charge.cases, known);
        let what = match known.kind {
            Kind::OneOffFee => MonthWhat::OneOff(root),
            Kind::PowerFee => {
                let (hours, on_different_days) = limits.peaks.unwrap_or((1, false));
                MonthWhat::Power { hours, on_different_days, root }
            }
            Kind::SiteCredit => MonthWhat::SiteCredit { first: limits.first, root },
            _ => MonthWhat::Monthly(root),
        };
        MonthCharge {
            label: known.label.clone(),
            rule: self.rule(item.at),
            tax,
            paid_by_site: limits.paid_by_site,
            what,
            limits: limits.bounds,
        }
    }
}

/// The list of its prices.
pub(super) fn list_of(what: &mut MonthWhat) -> &mut NodeId {
    match what {
        MonthWhat::Monthly(root)
        | MonthWhat::OneOff(root)
        | MonthWhat::Power { root, .. }
        | MonthWhat::SiteCredit { root, .. } => root,
    }
}
