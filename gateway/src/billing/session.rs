//! A stored session as the engine's, and that as text: what the hash of a bill is taken of.

use serde::Serialize;
use takst_engine::calendar_time::utc_text;
use takst_engine::session::{Connector, OccupancyFrom, Plug, PowerFrom, Reading, Session, State, StateFrom};
use takst_engine::tariff::Contract;
use takst_engine::units::{Energy, Instant};

/// The session as a document of the form that `takst price --session` reads. The same session always gives the same text.
#[must_use]
pub fn session_text(session: &Session) -> String {
    // Texts and lists alone: nothing in it can fail to be written.
    serde_json::to_string(&Text::of(session)).unwrap_or_default()
}

#[derive(Serialize)]
struct Text<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charger: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evse: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: &'a Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<ConnectorText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_brand: &'a Option<String>,
    plugged_in: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unplugged: Option<String>,
    readings: Vec<ReadingText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    states: Vec<StateText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    power: Vec<PowerText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    occupancy: Vec<OccupancyText>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    coupons: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<ReservationText>,
}

#[derive(Serialize)]
struct ConnectorText<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plug: Option<&'static str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_power_kw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phases: Option<u8>,
}

#[derive(Serialize)]
struct TokenText<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: &'a Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: &'a Option<String>,
}

#[derive(Serialize)]
struct ReadingText {
    at: String,
    import_kwh: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    export_kwh: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<u32>,
}

#[derive(Serialize)]
struct StateText {
    from: String,
    state: &'static str,
}

#[derive(Serialize)]
struct PowerText {
    from: String,
    kw: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<String>,
}

#[derive(Serialize)]
struct OccupancyText {
    from: String,
    occupied: u32,
    of: u32,
}

#[derive(Serialize)]
struct ReservationText {
    from: String,
    until: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    expired: bool,
}

// Every field of the engine's session is named here: a new one cannot be forgotten.
impl<'a> Text<'a> {
    fn of(session: &'a Session) -> Self {
        let Session { id, facts, plugged_in, unplugged, readings, states, power, occupancy } = session;
        let takst_engine::session::Facts {
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
        Self {
            id,
            site,
            charger,
            evse,
            driver,
            groups,
            connector: connector.as_ref().map(connector_text),
            token: token.as_ref().map(|token| TokenText {
                uid: &token.uid,
                kind: &token.kind,
                issuer: &token.issuer,
            }),
            contract: contract.map(contract_word),
            payment_brand,
            plugged_in: utc_text(*plugged_in),
            unplugged: unplugged.map(utc_text),
            readings: readings.iter().map(reading_text).collect(),
            states: states.iter().map(state_text).collect(),
            power: power.iter().map(power_text).collect(),
            occupancy: occupancy.iter().map(occupancy_text).collect(),
            coupons,
            reservation: reservation.map(|reservation| ReservationText {
                from: utc_text(reservation.from),
                until: utc_text(reservation.until),
                expired: reservation.expired,
            }),
        }
    }
}

fn micro(value: i64) -> String {
    Energy(value).kwh().to_string()
}

fn connector_text(connector: &Connector) -> ConnectorText<'_> {
    let Connector { id, plug, kind, max_power, phases } = connector;
    let plug = plug.map(|plug| match plug {
        Plug::Ac => "AC",
        Plug::Dc => "DC",
    });
    ConnectorText { id, plug, kind, max_power_kw: max_power.map(micro), phases: *phases }
}

const fn contract_word(contract: Contract) -> &'static str {
    match contract {
        Contract::Direct => "direct",
        Contract::Roaming => "roaming",
        Contract::AdHoc => "ad-hoc",
    }
}

fn reading_text(reading: &Reading) -> ReadingText {
    let Reading { at, import, export, segment } = *reading;
    ReadingText {
        at: utc_text(at),
        import_kwh: micro(import.0),
        export_kwh: (export.0 != 0).then(|| micro(export.0)),
        segment: (segment != 0).then_some(segment),
    }
}

/// The word for a state.
#[must_use]
pub const fn state_word(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Charging => "charging",
        State::Idle => "idle",
        State::Paused => "paused",
        State::Feeding => "feeding",
    }
}

fn state_text(state: &StateFrom) -> StateText {
    StateText { from: utc_text(state.from), state: state_word(state.state) }
}

fn power_text(power: &PowerFrom) -> PowerText {
    let PowerFrom { from, power, current } = *power;
    PowerText { from: utc_text(from), kw: micro(power), a: current.map(micro) }
}

fn occupancy_text(occupancy: &OccupancyFrom) -> OccupancyText {
    let OccupancyFrom { from, occupied, of } = *occupancy;
    OccupancyText { from: utc_text(from), occupied, of }
}

/// From when until when prices of the session are asked for: a reservation is charged before plugging in.
#[must_use]
pub fn span(session: &Session) -> (Instant, Instant) {
    let reserved = session.facts.reservation.map_or(session.plugged_in, |reservation| reservation.from);
    let last = [
        session.unplugged,
        session.readings.last().map(|reading| reading.at),
        session.states.last().map(|state| state.from),
    ];
    let until = last.into_iter().flatten().max().unwrap_or(session.plugged_in).max(session.plugged_in);
    (session.plugged_in.min(reserved), until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_all_of_the_session() {
        let text = r#"{"id":"s","site":"a","charger":"1","evse":"2","driver":"d","groups":["VIP"],"connector":{"id":"1","plug":"DC","type":"CCS","max_power_kw":"150.5","phases":3},"token":{"uid":"04","type":"rfid","issuer":"SEED"},"contract":"ad-hoc","payment_brand":"Visa","plugged_in":"2025-03-10T16:00:00.250Z","unplugged":"2025-03-10T18:00:00Z","readings":[{"at":"2025-03-10T16:00:00.250Z","import_kwh":"0.000001"},{"at":"2025-03-10T17:00:00Z","import_kwh":"7","export_kwh":"1.5","segment":2}],"states":[{"from":"2025-03-10T16:00:00.250Z","state":"charging"}],"power":[{"from":"2025-03-10T16:00:00.250Z","kw":"7.2","a":"31.5"}],"occupancy":[{"from":"2025-03-10T16:00:00.250Z","occupied":3,"of":8}],"coupons":["SUMMER"],"reservation":{"from":"2025-03-10T15:00:00Z","until":"2025-03-10T16:00:00.250Z","expired":true}}"#;
        let session = Session::from_json(text).unwrap();
        assert_eq!(session_text(&session), text);
        assert_eq!(Session::from_json(&session_text(&session)).unwrap(), session);
        let time = |text: &str| takst_engine::input::instant(text).unwrap();
        assert_eq!(span(&session), (time("2025-03-10T15:00:00Z"), time("2025-03-10T18:00:00Z")));
        let bare = r#"{"id":"s","plugged_in":"2025-03-10T16:00:00Z","readings":[]}"#;
        assert_eq!(session_text(&Session::from_json(bare).unwrap()), bare);
    }
}
