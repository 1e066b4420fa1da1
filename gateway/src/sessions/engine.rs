//! A stored session as the engine prices it.

use super::Doing;
use crate::store::{Session, SessionParts};
use serde::Deserialize;
use takst_engine::session::{
    self as engine, Connector, Facts, OccupancyFrom, PowerFrom, Reading, Reservation, StateFrom, Token,
};
use takst_engine::tariff::Contract;
use takst_engine::units::{Energy, Instant, MINUTE_MS};

/// Power that is measured later than this after charging began does not tell how the session began.
const POWER_FROM_START_MS: i64 = MINUTE_MS;

#[derive(Deserialize, Default)]
struct Document {
    #[serde(default)]
    facts: Beside,
}

/// What a tariff may ask about a session that has no column of its own: member `facts` of the document.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
struct Beside {
    connector: Option<Connector>,
    token: Option<Token>,
    payment_brand: Option<String>,
    coupons: Vec<String>,
    reservation: Option<Reservation>,
}

/// What a tariff may ask about a session.
///
/// # Errors
/// When the document, the groups or the contract are not what the gateway writes.
pub fn facts(session: &Session) -> Result<Facts, String> {
    let damaged =
        |what: &str, error: &dyn std::fmt::Display| format!("session {}: {what}: {error}", session.id);
    let Document { facts: Beside { connector, token, payment_brand, coupons, reservation } } =
        serde_json::from_str(&session.document).map_err(|error| damaged("document", &error))?;
    let groups = serde_json::from_str(&session.groups_doc).map_err(|error| damaged("groups", &error))?;
    let contract = session.contract.as_deref().map(|word| {
        serde_json::from_value::<Contract>(serde_json::Value::from(word))
            .map_err(|error| damaged("contract", &error))
    });
    let token = match (&session.token, token) {
        (None, None) => None,
        (uid, token) => Some(Token { uid: uid.clone(), ..token.unwrap_or_default() }),
    };
    Ok(Facts {
        site: session.site.clone(),
        charger: Some(session.charger.clone()),
        evse: Some(session.evse.to_string()),
        driver: session.driver.clone(),
        groups,
        connector,
        token,
        contract: contract.transpose()?,
        payment_brand,
        coupons,
        reservation,
    })
}

/// A session with all that belongs to it, to be priced. What lies outside of it (a reading a moment before plugging in) is moved to its
/// edge.
///
/// Power is handed over when it is measured from the beginning of charging on; otherwise it follows from the registers. Nothing else tells
/// the current: until it is first measured, it is what that value says from the beginning of charging on, and 0 A before.
///
/// # Errors
/// As [`facts()`]; also when a number does not fit.
pub fn to_engine(session: &Session, parts: &SessionParts) -> Result<engine::Session, String> {
    let (from, to) = (session.plugged_in, session.unplugged.unwrap_or(Instant(i64::MAX)));
    let inside = |at: Instant| at.max(from).min(to);
    let mut readings = Vec::with_capacity(parts.readings.len());
    // A register of export that is read for the first time stood there before too: what it shows then is nobody's energy.
    let mut export: Option<(i64, Energy)> = None;
    for row in parts.readings.iter().rev() {
        let segment = u32::try_from(row.segment)
            .map_err(|_| format!("session {}: segment {}", session.id, row.segment))?;
        let later = export.filter(|(of, _)| *of == row.segment).map(|(_, register)| register);
        export = row.exported.or(later).map(|register| (row.segment, register));
        let (import, export) = (row.imported, row.exported.or(later).unwrap_or_default());
        readings.push(Reading { at: inside(row.at), import, export, segment });
    }
    readings.reverse();
    let states = parts.states.iter().filter(|row| row.from_at <= to).filter_map(|row| {
        Some(StateFrom { from: inside(row.from_at), state: Doing::read(&row.state)?.state() })
    });
    let occupancy = parts.occupancy.iter().filter(|row| row.from_at <= to).filter_map(|row| {
        let (occupied, of) = (u32::try_from(row.occupied).ok()?, u32::try_from(row.of_all).ok()?);
        Some(OccupancyFrom { from: inside(row.from_at), occupied, of })
    });
    Ok(engine::Session {
        id: session.id.clone(),
        facts: facts(session)?,
        plugged_in: from,
        unplugged: session.unplugged,
        readings,
        states: states.collect(),
        power: power(session, parts, inside),
        occupancy: occupancy.collect(),
    })
}

fn power(session: &Session, parts: &SessionParts, inside: impl Fn(Instant) -> Instant) -> Vec<PowerFrom> {
    let begins = session.charging_started.unwrap_or(session.plugged_in);
    let end = session.unplugged.unwrap_or(Instant(i64::MAX));
    let rows = parts.power.iter().filter(|row| row.from_at <= end);
    if let Some(first) = parts.power.iter().find_map(|row| row.amps) {
        let mut drawn: Vec<PowerFrom> = rows
            .map(|row| {
                let power = row.measured().unwrap_or_default();
                PowerFrom { from: inside(row.from_at), power, current: row.amps.or(Some(first)) }
            })
            .collect();
        if let Some(earliest) = drawn.first_mut() {
            earliest.from = earliest.from.min(inside(begins));
            if earliest.from > session.plugged_in {
                drawn.insert(0, PowerFrom { from: session.plugged_in, power: 0, current: Some(0) });
            }
        }
        return drawn;
    }
    let in_time = |first: Instant| first.0 <= begins.0.saturating_add(POWER_FROM_START_MS);
    if !parts.power.first().is_some_and(|first| in_time(first.from_at)) {
        return Vec::new();
    }
    rows.map(|row| PowerFrom { from: inside(row.from_at), power: row.power, current: None }).collect()
}
