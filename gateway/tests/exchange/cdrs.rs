//! CDRs as sessions.

use crate::{cdr, cdr_json, taken};
use takst_engine::session::{Plug, State};
use takst_gateway::exchange::ocpi::session;

#[test]
fn periods_become_readings_and_states() {
    let session = cdr(
        "2025-01-15T12:00:00Z",
        &[
            ("2025-01-15T10:00:00Z", "ENERGY 5 TIME 0.5"),
            ("2025-01-15T10:30:00Z", "ENERGY 1 TIME 0.25 PARKING_TIME 0.75 MAX_POWER 11"),
            ("2025-01-15T11:30:00Z", "PARKING_TIME 0.5"),
        ],
    );
    let states: Vec<(i64, State)> = session.states.iter().map(|state| (state.from.0, state.state)).collect();
    let at = |minutes: i64| session.plugged_in.0 + minutes * 60_000;
    assert_eq!(
        states,
        [(at(0), State::Charging), (at(30), State::Charging), (at(45), State::Idle), (at(90), State::Idle)]
    );
    let last = session.readings.last().unwrap();
    assert_eq!(
        (last.at, last.import.0, session.unplugged),
        (takst_engine::units::Instant(at(120)), 6_000_000, Some(last.at))
    );
}

#[test]
fn zeros_of_both_times_say_nothing() {
    let session =
        cdr("2025-01-15T11:00:00Z", &[("2025-01-15T10:00:00Z", "ENERGY 5 TIME 0.0 PARKING_TIME 0.0")]);
    assert_eq!(session.states.iter().map(|state| state.state).collect::<Vec<_>>(), [State::Charging]);
    // A meter that ran ahead.
    let session = cdr("2025-01-15T11:00:00Z", &[("2025-01-15T10:00:00Z", "PARKING_TIME 1 TIME -0.0056")]);
    assert_eq!(session.states.iter().map(|state| state.state).collect::<Vec<_>>(), [State::Idle]);
}

#[test]
fn facts_of_all_versions_are_taken() {
    let json = cdr_json("2025-01-15T12:00:00Z", &[("2025-01-15T10:00:00Z", "ENERGY 5 TIME 2")]);
    let new = json.replace(
        r#""id""#,
        r#""cdr_location":{"id":"L","evse_uid":"E","evse_id":"NL*T*E","connector_id":"1","connector_standard":"IEC_62196_T2_COMBO",
        "connector_power_type":"DC"},"cdr_token":{"uid":"U","type":"RFID","contract_id":"C","party_id":"MSP"},"id""#,
    );
    let session = taken(&new);
    let connector = session.facts.connector.as_ref().unwrap();
    assert_eq!((session.facts.site.as_deref(), connector.plug), (Some("L"), Some(Plug::Dc)));
    assert_eq!(session.facts.driver.as_deref(), Some("C"));
    let old = json.replace("end_date_time", "stop_date_time").replace(
        r#""id""#,
        r#""auth_id":"A","location":{"id":"L","evses":[{"uid":"E","connectors":[{"id":"1","standard":"CHADEMO","power_type":"DC"}]}]},"id""#,
    );
    let session = taken(&old);
    assert_eq!((session.facts.charger.as_deref(), session.facts.driver.as_deref()), (Some("E"), Some("A")));
    // In a response.
    assert_eq!(taken(&format!(r#"{{"data":[{old}],"status_code":1000}}"#)), session);
}

#[test]
fn what_is_no_cdr_is_left_to_others_and_what_is_wrong_is_said() {
    for other in ["", "{}", "[]", "5", r#"{"id":"1","readings":[]}"#, r#"{"kwh":5}"#] {
        assert!(session(other).is_none(), "{other}");
    }
    for (text, says) in [
        (r#"{"charging_periods":[]}"#, "`start_date_time` is missing"),
        (
            r#"{"id":"1","start_date_time":"2025-01-01T00:00:00Z","charging_periods":[]}"#,
            "no charging periods",
        ),
        (r#"{"start":"2025-01-01T02:00:00Z","end":"2025-01-01T01:00:00Z","kwh":1}"#, "ends before"),
        (r#"{"start":"2025-01-01T00:00:00Z","end":"2025-01-01T01:00:00Z","kwh":50,"power":11}"#, "too short"),
        (r#"{"start":"2025-01-01T00:00:00Z","kwh":1}"#, "`end` is missing"),
    ] {
        let problem = session(text).unwrap().unwrap_err();
        assert!(problem.to_string().contains(says), "{problem}");
    }
}
