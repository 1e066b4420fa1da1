//! Advice on amounts.

use super::range::{leaves, of_leaf};
use super::{Seen, advice};
use crate::ast::{Kind, Limit};
use crate::diagnostic::Diagnostic;
use crate::resolve::merge::{kind_words, ref_span};
use crate::resolve::report::Place;
use rust_decimal::Decimal;
use takst_engine::tariff::{ChargeKind, Per, Span};

/// L01: a price that can be below zero whatever the market says. Credits are meant to be.
pub(super) fn below_zero(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    for charge in seen.charges() {
        let credit =
            matches!(charge.written.head.kind.it, Kind::FeedIn | Kind::SiteCredit | Kind::PayoutToSite);
        if credit {
            continue;
        }
        let low = |leaf: &u32| of_leaf(seen.tariff, *leaf).and_then(|(range, _)| range.low);
        let below: Vec<u32> = leaves(seen.tariff, charge.root)
            .into_iter()
            .filter(|leaf| low(leaf).is_some_and(|low| low < Decimal::ZERO))
            .collect();
        for case in seen.lines_of(&below) {
            let at = Place { source: 0, span: case.span };
            let amount = case.leaves.iter().find_map(low).unwrap_or_default();
            let code = &seen.tariff.currency.code;
            let message =
                format!("this price can be below zero ({amount} {code}): the driver is paid for it");
            out.push(
                advice("L01", at, message)
                    .help("write `at least` behind it with the lowest price that is meant"),
            );
        }
    }
}

/// L09: `at most` on a charge that cannot come to so much.
pub(super) fn cap_never_reached(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    for charge in seen.charges().iter().filter(|charge| charge.source == 0) {
        let Some(session) = charge.session else { continue };
        let highs: Option<Vec<(Decimal, Option<Per>)>> = leaves(seen.tariff, charge.root)
            .into_iter()
            .map(|leaf| {
                let (range, per) = of_leaf(seen.tariff, leaf)?;
                Some((range.high?, per))
            })
            .collect();
        let Some(highs) = highs else { continue };
        let most = |span: Span| {
            let one = |(price, per): &(Decimal, Option<Per>)| {
                let times = match (per, span) {
                    (None, _) => Decimal::ZERO,
                    (Some(Per::Session), Span::Session) | (Some(Per::Bill), Span::Bill) => Decimal::ONE,
                    // A day with 25 hours is the longest.
                    (Some(Per::Hour), Span::Day) => Decimal::from(25),
                    (Some(Per::Minute), Span::Day) => Decimal::from(25 * 60),
                    _ if *price <= Decimal::ZERO => Decimal::ZERO,
                    _ => return None,
                };
                price.checked_mul(times)
            };
            highs.iter().map(one).collect::<Option<Vec<_>>>()?.into_iter().reduce(Decimal::max)
        };
        let written = charge.written.limits.iter().filter_map(|limit| match &limit.it {
            Limit::Bound { floor, .. } => Some((*floor, limit.span)),
            _ => None,
        });
        for ((floor, span), limit) in written.zip(&session.limits) {
            let Some(most) = most(limit.span).filter(|most| !floor && *most < limit.amount) else { continue };
            let code = &seen.tariff.currency.code;
            let message =
                format!("this cap is never reached: the charge comes to {} {code} at most", most.normalize());
            let help = "lower the cap, or take it away";
            out.push(advice("L09", Place { source: 0, span }, message).help(help));
        }
    }
}

/// What nobody charges for a kWh, by currency; others are not judged.
const DEAREST: &[(&str, i64)] = &[
    ("EUR", 3),
    ("USD", 3),
    ("GBP", 3),
    ("CHF", 3),
    ("NOK", 30),
    ("SEK", 30),
    ("DKK", 25),
    ("PLN", 13),
    ("CZK", 75),
    ("BRL", 18),
    ("ISK", 450),
    ("HUF", 1200),
    ("RON", 15),
];

/// L12: a price per kWh that looks like the wrong unit.
pub(super) fn unusual_size(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    let code = &seen.tariff.currency.code;
    let Some((_, most)) = DEAREST.iter().find(|(known, _)| known == code) else { return };
    let most = Decimal::from(*most);
    for charge in seen.charges() {
        let dear: Vec<u32> = leaves(seen.tariff, charge.root)
            .into_iter()
            .filter(|leaf| {
                of_leaf(seen.tariff, *leaf).is_some_and(|(range, per)| {
                    per == Some(Per::Kwh) && range.low.is_some_and(|low| low > most)
                })
            })
            .collect();
        for case in seen.lines_of(&dear) {
            let at = Place { source: 0, span: case.span };
            let message = format!("more than {most} {code} for a kWh is unusual");
            let hundredth = crate::editor::hundredth_of(code);
            let help = match hundredth {
                Some(word) => format!("is it in hundredths? Then write `{word}/kWh`"),
                None => "look at the decimal point".to_owned(),
            };
            out.push(advice("L12", at, message).help(help));
        }
    }
}

/// L15: a charge none of whose lines costs anything.
pub(super) fn always_free(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    let charges = seen.charges();
    // A list that gives everything away means it.
    let costs = |charge: &super::Charged<'_>| {
        leaves(seen.tariff, charge.root).into_iter().any(|leaf| {
            of_leaf(seen.tariff, leaf).is_none_or(|(range, _)| {
                range.high != Some(Decimal::ZERO) || range.low != Some(Decimal::ZERO)
            })
        })
    };
    if !charges.iter().any(|charge| charge.written.head.kind.it != Kind::PayoutToSite && costs(charge)) {
        return;
    }
    for charge in charges.iter().filter(|charge| charge.source == 0 && !costs(charge)) {
        // Free energy is said, so that everybody can read it.
        if charge.session.is_some_and(|session| session.kind == ChargeKind::Energy) {
            continue;
        }
        let head = &charge.written.head;
        let message = format!("the {} is always free", kind_words(head.kind.it));
        let help = "take it away: what a list does not name costs nothing";
        out.push(advice("L15", Place { source: 0, span: ref_span(head) }, message).help(help));
    }
}
