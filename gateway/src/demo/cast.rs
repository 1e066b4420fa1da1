//! Who plays: the chargers of the set-up, and the cars that come to them.

use crate::ocpp::Dialect;
use crate::simulate::{Cars, Member, Plan, Span, Trouble, TroubleKind};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Passwords of chargers that have one; the set-up keeps only what it can be checked with.
const PASSWORDS: [(&str, &str); 1] = [("HT-4", "fjord-demo-2026")];
/// A car that takes a quarter of an hour to charge takes 90 seconds at ten times the speed: the first bill is not far.
const CHARGES_FOR: Span = Span { from: 4 * 60_000, to: 20 * 60_000 };
/// What a charger that says nothing about it can give, in W.
const USUAL_POWER: i64 = 22_000;

/// The part of the set-up's document that counts here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Document {
    charger: Vec<Charger>,
    token: Vec<Token>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Charger {
    id: String,
    connector: Vec<Connector>,
    security: Security,
}

#[derive(Deserialize)]
struct Connector {
    #[serde(default = "one")]
    evse: u32,
    #[serde(default)]
    max_power_kw: Option<Decimal>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Security {
    subprotocol: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Token {
    uid: String,
    master_pass: bool,
}

const fn one() -> u32 {
    1
}

/// The chargers of a set-up (its document as JSON), with cars and troubles, at the speed that its powers already have.
pub(super) fn members(document: &str, speed: u32) -> Vec<Member> {
    let document: Document = serde_json::from_str(document).unwrap_or_default();
    let tokens: Vec<Arc<str>> = document
        .token
        .iter()
        .filter(|token| !token.master_pass)
        .map(|token| token.uid.as_str().into())
        .collect();
    let turn = Dialect::ALL.into_iter().cycle();
    let each = document.charger.iter().zip(turn).enumerate();
    each.map(|(place, (charger, next))| {
        let pinned = charger.security.subprotocol.as_deref().and_then(Dialect::of_subprotocol);
        // One of the drivers charges here now and then, beside the visitors.
        let regular = tokens.get(place % tokens.len().max(1)).cloned();
        Member {
            id: charger.id.clone(),
            dialect: pinned.unwrap_or(next),
            plan: Arc::new(plan(charger, regular, speed)),
            after: Duration::from_millis(150).saturating_mul(u32::try_from(place).unwrap_or(0)),
            password: PASSWORDS
                .iter()
                .find(|(id, _)| *id == charger.id)
                .map(|(_, password)| (*password).to_owned()),
        }
    })
    .collect()
}

fn plan(charger: &Charger, regular: Option<Arc<str>>, speed: u32) -> Plan {
    let count = charger.connector.iter().map(|connector| connector.evse).max().unwrap_or(1).clamp(1, 20);
    // The first connector of every EVSE plays.
    let of = |evse: u32| charger.connector.iter().find(|connector| connector.evse == evse);
    let watts = |evse: u32| {
        let kw = of(evse).and_then(|connector| connector.max_power_kw);
        kw.and_then(|kw| (kw * Decimal::ONE_THOUSAND).to_i64()).unwrap_or(USUAL_POWER).max(1)
    };
    let powers: Vec<i64> = (1..=count).map(watts).collect();
    let least = powers.iter().copied().min().unwrap_or(USUAL_POWER);
    let dc = of(1)
        .and_then(|connector| connector.kind.as_deref())
        .is_some_and(|kind| kind == "CCS" || kind == "CHAdeMO");
    let real = |span: Span| Span {
        from: span.from / i64::from(speed.max(1)),
        to: span.to / i64::from(speed.max(1)),
    };
    let charges_for = real(CHARGES_FOR);
    let energy = |ms: i64| (least.saturating_mul(ms) / 3_600_000).max(10);
    let demo: Arc<str> = "DEMO".into();
    let mut tokens = vec![Arc::clone(&demo), Arc::clone(&demo), demo];
    tokens.extend(regular);
    let minutes = |from: i64, to: i64| Span { from: from * 60_000, to: to * 60_000 };
    let trouble = |kind, every, lasts| Trouble { kind, at: None, every: Some(every), lasts };
    Plan {
        connectors: count,
        power: least,
        powers,
        ac: !dc,
        vendor: if dc { "Example AB" } else { "Demo Oy" }.to_owned(),
        model: if dc { "Halo Fast" } else { "Wall" }.to_owned(),
        meter_every: 5_000,
        cars: Some(Cars {
            free_for: Span { from: 5_000, to: 60_000 },
            energy: Span { from: energy(charges_for.from), to: energy(charges_for.to) },
            power: Span { from: least / 2, to: least },
            stays: real(minutes(1, 10)),
            tokens: tokens.into(),
        }),
        troubles: vec![
            trouble(TroubleKind::Offline, minutes(5, 20), Span { from: 15_000, to: 60_000 }),
            trouble(TroubleKind::Fault, minutes(8, 30), Span { from: 20_000, to: 60_000 }),
            trouble(TroubleKind::Reboot, minutes(15, 60), Span { from: 5_000, to: 20_000 }),
        ],
        repeated_permille: 5,
        ..Plan::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_charger_of_the_set_up_plays_with_its_own_power() {
        let document = r#"{"charger": [
            {"id": "A", "connector": [{"evse": 1, "max_power_kw": "220"}, {"evse": 2, "max_power_kw": "37", "type": "Type2"}]},
            {"id": "HT-4", "connector": [{"max_power_kw": "1500", "type": "CCS"}], "security": {"subprotocol": "ocpp2.1"}},
            {"id": "C"}],
            "token": [{"uid": "X"}, {"uid": "BOSS", "master_pass": true}]}"#;
        let members = members(document, 10);
        let seen: Vec<_> = members.iter().map(|member| (member.id.as_str(), member.dialect)).collect();
        assert_eq!(seen, [("A", Dialect::V16), ("HT-4", Dialect::V21), ("C", Dialect::V21)]);
        let (first, second) = (&members[0], &members[1]);
        assert_eq!(
            (first.plan.power_of(1), first.plan.power_of(2), first.plan.connectors),
            (220_000, 37_000, 2)
        );
        assert_eq!((second.plan.ac, second.password.as_deref()), (false, Some("fjord-demo-2026")));
        let cars = first.plan.cars.as_ref().unwrap();
        assert!(cars.power.to <= 37_000 && cars.tokens.iter().all(|token| **token != *"BOSS"));
        assert!(members_of_nothing().is_empty());
    }

    fn members_of_nothing() -> Vec<Member> {
        members("no JSON", 1)
    }
}
