//! Advice on what the law says about prices for charging. It is no legal advice: it says where to look.

use super::range::{leaves, of_leaf};
use super::shape::at_least_kw;
use super::{Charged, Seen, advice};
use crate::ast::{Kind, Statement, Step, VatRate};
use crate::coverage::{Goal, Ways};
use crate::diagnostic::Diagnostic;
use crate::resolve::merge::{kind_words, ref_span};
use crate::resolve::report::Place;
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use takst_engine::tariff::{ChargeKind, Contract, Per, Test};
use takst_engine::units::MICRO;

/// Where Regulation (EU) 2023/1804 is in force: the Union, and the EEA states that have taken it over or will.
const UNION: &[&str] = &[
    "Europe/Amsterdam",
    "Europe/Athens",
    "Europe/Berlin",
    "Europe/Bratislava",
    "Europe/Brussels",
    "Europe/Bucharest",
    "Europe/Budapest",
    "Europe/Busingen",
    "Europe/Copenhagen",
    "Europe/Dublin",
    "Europe/Helsinki",
    "Europe/Lisbon",
    "Europe/Ljubljana",
    "Europe/Luxembourg",
    "Europe/Madrid",
    "Europe/Malta",
    "Europe/Mariehamn",
    "Europe/Oslo",
    "Europe/Paris",
    "Europe/Prague",
    "Europe/Riga",
    "Europe/Rome",
    "Europe/Sofia",
    "Europe/Stockholm",
    "Europe/Tallinn",
    "Europe/Vaduz",
    "Europe/Vienna",
    "Europe/Vilnius",
    "Europe/Warsaw",
    "Europe/Zagreb",
    "Asia/Nicosia",
    "Asia/Famagusta",
    "Atlantic/Azores",
    "Atlantic/Canary",
    "Atlantic/Madeira",
    "Atlantic/Reykjavik",
    "Africa/Ceuta",
    "Arctic/Longyearbyen",
];
/// Where there is VAT besides, on electricity for cars.
const OTHERS_WITH_VAT: &[&str] = &["Europe/London", "Europe/Zurich", "Europe/Belgrade", "Europe/Isle_of_Man"];
const GERMANY: &[&str] = &["Europe/Berlin", "Europe/Busingen"];
/// The power from which a price must be per kWh.
const FAST_KW: i64 = 50;

fn zone<'s>(seen: &'s Seen<'_>) -> &'s str {
    &seen.tariff.zone.name
}

/// L03: `VAT: none` where nearly everybody has to charge it.
pub(super) fn no_vat(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    if !UNION.contains(&zone(seen)) && !OTHERS_WITH_VAT.contains(&zone(seen)) {
        return;
    }
    for statement in seen.own() {
        let Statement::Vat(vat) = &statement.it else { continue };
        // What is paid out to others has its own rules.
        let credit = vat
            .on
            .as_ref()
            .is_some_and(|on| matches!(on.kind.it, Kind::FeedIn | Kind::SiteCredit | Kind::PayoutToSite));
        for line in vat.cases.lines.iter().filter(|line| !credit && line.it.what.it == VatRate::None) {
            let at = Place { source: 0, span: line.it.what.span };
            let message = format!("no VAT, and no reason why: there is VAT on charging in {}", zone(seen));
            out.push(advice("L03", at, message).help(
                "write the rate, or why there is none: `exempt \"small business\"` or `outside scope`",
            ));
        }
    }
}

/// Whether the list itself says that some of its chargers are fast: a condition or a test that speaks of direct current or of
/// 50 kW and more.
fn speaks_of_fast(seen: &Seen<'_>) -> bool {
    let is_fast = |kind: &str| ["ccs", "chademo", "nacs"].contains(&kind.to_ascii_lowercase().as_str());
    let asked = seen.tariff.tests.iter().any(|test| match test {
        Test::Dc => true,
        Test::Connector(kind) => is_fast(kind),
        Test::RatedAtLeast(power) => *power >= FAST_KW * MICRO,
        _ => false,
    });
    let steps = seen.own().flat_map(|statement| match &statement.it {
        Statement::Test(test) => test.steps.as_slice(),
        _ => &[],
    });
    let mut steps = steps.filter_map(|step| match &step.it {
        Step::Charge { on, rated, .. } => Some((on, rated)),
        _ => None,
    });
    asked
        || steps.any(|(on, rated)| {
            let by_power = rated.as_ref().map(|rated| at_least_kw(&rated.it, FAST_KW));
            by_power.unwrap_or_else(|| on.as_ref().is_some_and(|on| on.it == "DC" || is_fast(&on.it)))
        })
}

/// The leaves of a charge that cost something and can win for a driver without a contract at a fast charger.
fn fast_leaves(seen: &Seen<'_>, charge: &Charged<'_>) -> Vec<u32> {
    let costs = |leaf: &u32| {
        of_leaf(seen.tariff, *leaf)
            .is_some_and(|(range, per)| per.is_some() && range.high != Some(Decimal::ZERO))
    };
    let slow = |test: &Test, is: bool| match test {
        Test::Dc => !is,
        Test::RatedAtLeast(power) => *power <= FAST_KW * MICRO && !is,
        Test::Connector(kind) => {
            is && ["type1", "type2", "schuko"].contains(&kind.to_ascii_lowercase().as_str())
        }
        Test::Contract(Contract::AdHoc) => !is,
        Test::Contract(_) | Test::Issuer(_) => is,
        _ => false,
    };
    let can_win = |leaf: &u32| {
        let goals = [Goal { root: charge.root, leaves: BTreeSet::from([*leaf]) }];
        let mut found = false;
        Ways::new(seen.tariff, &goals).each(&mut |way| {
            let answers =
                way.facts.iter().filter_map(|(id, is)| Some((seen.tariff.tests.get(*id as usize)?, *is)));
            found = !answers.into_iter().any(|(test, is)| slow(test, is));
            found
        });
        found
    };
    leaves(seen.tariff, charge.root).into_iter().filter(costs).filter(can_win).collect()
}

/// Charges for being connected: what the Regulation calls an occupancy fee.
const fn is_occupancy(kind: ChargeKind) -> bool {
    matches!(kind, ChargeKind::IdleFee | ChargeKind::ParkingTime | ChargeKind::ConnectedTime)
}

/// L06: Regulation (EU) 2023/1804, Art. 5(4): from 50 kW on the ad hoc price is per kWh; only a price per minute against
/// occupancy may stand beside it.
pub(super) fn fast_charging_per_kwh(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    if !UNION.contains(&zone(seen)) || !speaks_of_fast(seen) {
        return;
    }
    for charge in seen.charges() {
        let Some(session) = charge.session else { continue };
        let beside = matches!(
            session.kind,
            ChargeKind::Energy | ChargeKind::FeedIn | ChargeKind::PayoutToSite | ChargeKind::ReservationFee
        );
        if beside || is_occupancy(session.kind) {
            continue;
        }
        let found = fast_leaves(seen, &charge);
        for case in seen.lines_of(&found) {
            let what = kind_words(charge.written.head.kind.it);
            let message = format!("a {what} for drivers without a contract at 50 kW and more");
            out.push(advice("L06", Place { source: 0, span: case.span }, message).help(
                "there the ad hoc price must be per kWh, and only a fee per minute against occupancy may stand beside it \
                 (Regulation (EU) 2023/1804, Art. 5(4)): charge it `via contract, roaming` alone, or make it `free` \
                 `with 50 kW or more`",
            ));
        }
    }
}

/// L07: the same: the fee against occupancy is a price per minute.
pub(super) fn occupancy_per_minute(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    if !UNION.contains(&zone(seen)) || !speaks_of_fast(seen) {
        return;
    }
    for charge in seen.charges() {
        if !charge.session.is_some_and(|session| is_occupancy(session.kind)) {
            continue;
        }
        let by_hour = |leaf: &u32| of_leaf(seen.tariff, *leaf).is_some_and(|(_, per)| per == Some(Per::Hour));
        let found: Vec<u32> = fast_leaves(seen, &charge).into_iter().filter(by_hour).collect();
        for case in seen.lines_of(&found) {
            let what = kind_words(charge.written.head.kind.it);
            let message =
                format!("this {what} is per hour, also for drivers without a contract at 50 kW and more");
            out.push(advice("L07", Place { source: 0, span: case.span }, message).help(
                "there a fee against occupancy must be a price per minute (Regulation (EU) 2023/1804, Art. 5(4))",
            ));
        }
    }
}

/// L08: in Germany energy is measured and paid by the kWh; who only counts time sells something that he has not measured.
pub(super) fn time_tariff_in_germany(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    if !GERMANY.contains(&zone(seen)) {
        return;
    }
    let charges = seen.charges();
    let costs = |charge: &Charged<'_>| {
        leaves(seen.tariff, charge.root).into_iter().any(|leaf| {
            of_leaf(seen.tariff, leaf)
                .is_some_and(|(range, per)| per.is_some() && range.high != Some(Decimal::ZERO))
        })
    };
    let of = |kind: ChargeKind| {
        charges.iter().filter(move |charge| charge.session.is_some_and(|session| session.kind == kind))
    };
    if of(ChargeKind::Energy).any(costs) {
        return;
    }
    let time = [ChargeKind::ChargingTime, ChargeKind::ConnectedTime];
    for charge in time.into_iter().flat_map(of).filter(|charge| charge.source == 0 && costs(charge)) {
        let head = &charge.written.head;
        let message = format!("only time costs here ({}), and no kWh", kind_words(head.kind.it));
        out.push(advice("L08", Place { source: 0, span: ref_span(head) }, message).help(
            "in Germany charging must be priced by the kWh (measuring law; price indication, PAngV § 14): add `energy: ...`; \
             a price of time may stand beside it",
        ));
    }
}
