//! Advice that needs prices of a market.

use super::{Market, Seen, advice};
use crate::coverage::{Focus, Way, Ways, facts_of, goals_of};
use crate::diagnostic::Diagnostic;
use crate::resolve::report::Place;
use crate::scenario;
use takst_engine::Pricing;
use takst_engine::calendar_time::local_text;
use takst_engine::exact::Num;
use takst_engine::table::{Asked, Known, charge_day};
use takst_engine::tariff::ChargeKind;

/// L01: an hour at which the market made the price of a line fall below zero.
pub(super) fn below_zero(seen: &Seen<'_>, market: &Market<'_>, out: &mut Vec<Diagnostic>) {
    let Ok(pricing) = Pricing::new(market.prepared, market.book) else { return };
    for case in seen.compiled.cases.iter().filter(|case| case.source == 0) {
        let Some((charge, way)) = who(seen, &case.leaves) else { continue };
        let Some(said) =
            facts_of(seen.tariff, &way).and_then(|lines| scenario::said(&lines, market.prepared))
        else {
            continue;
        };
        let asked = Asked { facts: said.facts, power: None };
        let rules: Vec<u32> = case
            .leaves
            .iter()
            .filter_map(|leaf| seen.tariff.leaves.get(*leaf as usize))
            .map(|leaf| leaf.rule)
            .collect();
        let first = market.days.clone().find_map(|day| {
            let slices = charge_day(&pricing, &asked, day, charge, None).ok()?;
            slices.into_iter().filter(|slice| rules.contains(&slice.rule)).find_map(|slice| {
                match slice.price {
                    Known::Price(price) if price.compare(Num::ZERO).is_ok_and(|it| it.is_lt()) => {
                        Some((slice.from, price))
                    }
                    _ => None,
                }
            })
        });
        let Some((at, price)) = first else { continue };
        let text = local_text(&seen.tariff.zone, at);
        let (date, time) = (text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default());
        let code = &seen.tariff.currency.code;
        let message = format!(
            "this price was below zero: {} {code} on {date} at {time}, all taxes in",
            price.to_plain()
        );
        let help =
            "write `at least` behind it with the lowest price that is meant, as in `at least 0 EUR/kWh`";
        let help = help.replace("EUR", code);
        out.push(advice("L01", Place { source: 0, span: case.span }, message).help(help));
    }
}

/// The charge whose price the leaves are, and for whom they win.
fn who(seen: &Seen<'_>, leaves: &[u32]) -> Option<(usize, Way)> {
    for (focus, goals) in goals_of(seen.tariff, leaves) {
        let (Focus::Session(charge), [_]) = (focus, goals.as_slice()) else { continue };
        let kind = seen.tariff.charges.get(charge).map(|charge| charge.kind);
        if matches!(kind, None | Some(ChargeKind::FeedIn | ChargeKind::PayoutToSite)) {
            continue;
        }
        let mut found = None;
        Ways::new(seen.tariff, &goals).each(&mut |way| {
            found = facts_of(seen.tariff, way).map(|_| way.clone());
            found.is_some()
        });
        if let Some(way) = found {
            return Some((charge, way));
        }
    }
    None
}
