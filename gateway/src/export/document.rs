//! The document of a session, as `takst price --session` reads it.

use crate::api::words::{energy, time};
use chrono_tz::Tz;
use serde::Serialize;
use takst_engine::session::{self as engine, Plug, State};
use takst_engine::tariff::Contract;
use takst_engine::units::{Energy, Instant};

#[derive(Serialize)]
struct Document<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charger: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evse: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<Connector<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Token<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<Contract>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_brand: Option<&'a str>,
    plugged_in: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unplugged: Option<String>,
    readings: Vec<Reading>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    states: Vec<StateFrom>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    power: Vec<PowerFrom>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    occupancy: Vec<OccupancyFrom>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    coupons: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<Reservation>,
}

#[derive(Serialize)]
struct Connector<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plug: Option<&'static str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_power_kw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phases: Option<u8>,
}

#[derive(Serialize)]
struct Token<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
}

#[derive(Serialize)]
struct Reading {
    at: String,
    import_kwh: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    export_kwh: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<u32>,
}

#[derive(Serialize)]
struct StateFrom {
    from: String,
    state: &'static str,
}

#[derive(Serialize)]
struct PowerFrom {
    from: String,
    kw: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<String>,
}

#[derive(Serialize)]
struct OccupancyFrom {
    from: String,
    occupied: u32,
    of: u32,
}

#[derive(Serialize)]
struct Reservation {
    from: String,
    until: String,
    expired: bool,
}

/// The document of a session, its times on the clock of `zone`. Reading it gives the same session.
pub fn session_json(session: &engine::Session, zone: Tz) -> impl Serialize + '_ {
    let engine::Session { id, facts, plugged_in, unplugged, readings, states, power, occupancy } = session;
    let engine::Facts {
        site,
        charger,
        evse,
        driver,
        groups,
        connector,
        token,
        contract,
        payment_brand,
        coupons,
        reservation,
    } = facts;
    let text = |at: Instant| time(Some(zone), at);
    Document {
        id,
        site: site.as_deref(),
        charger: charger.as_deref(),
        evse: evse.as_deref(),
        driver: driver.as_deref(),
        groups,
        connector: connector.as_ref().map(of_connector),
        token: token.as_ref().map(of_token),
        contract: *contract,
        payment_brand: payment_brand.as_deref(),
        plugged_in: text(*plugged_in),
        unplugged: unplugged.map(text),
        readings: readings.iter().map(|reading| of_reading(reading, zone)).collect(),
        states: states
            .iter()
            .map(|state| StateFrom { from: text(state.from), state: word(state.state) })
            .collect(),
        power: power
            .iter()
            .map(|power| PowerFrom {
                from: text(power.from),
                kw: micro(power.power),
                a: power.current.map(micro),
            })
            .collect(),
        occupancy: occupancy
            .iter()
            .map(|share| OccupancyFrom { from: text(share.from), occupied: share.occupied, of: share.of })
            .collect(),
        coupons,
        reservation: reservation.map(|reservation| Reservation {
            from: text(reservation.from),
            until: text(reservation.until),
            expired: reservation.expired,
        }),
    }
}

fn of_connector(connector: &engine::Connector) -> Connector<'_> {
    let engine::Connector { id, plug, kind, max_power, phases } = connector;
    let plug = plug.map(|plug| match plug {
        Plug::Ac => "AC",
        Plug::Dc => "DC",
    });
    Connector {
        id: id.as_deref(),
        plug,
        kind: kind.as_deref(),
        max_power_kw: max_power.map(micro),
        phases: *phases,
    }
}

fn of_token(token: &engine::Token) -> Token<'_> {
    let engine::Token { uid, kind, issuer } = token;
    Token { uid: uid.as_deref(), kind: kind.as_deref(), issuer: issuer.as_deref() }
}

fn of_reading(reading: &engine::Reading, zone: Tz) -> Reading {
    let engine::Reading { at, import, export, segment } = *reading;
    Reading {
        at: time(Some(zone), at),
        import_kwh: energy(import),
        export_kwh: (export != Energy(0)).then(|| energy(export)),
        segment: (segment != 0).then_some(segment),
    }
}

/// Millionths as a plain decimal.
fn micro(value: i64) -> String {
    energy(Energy(value))
}

const fn word(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Charging => "charging",
        State::Idle => "idle",
        State::Paused => "paused",
        State::Feeding => "feeding",
    }
}
