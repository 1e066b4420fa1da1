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
        assert!(session(other, "EUR").is_none(), "{other}");
    }
    for (text, says) in [
        (r#"{"charging_periods":[]}"#, "`start_date_time` is missing"),
        (
            r#"{"id":"1","start_date_time":"2025-01-01T00:00:00Z","charging_periods":[]}"#,
            "without `charging_periods`",
        ),
        (r#"{"start":"2025-01-01T02:00:00Z","end":"2025-01-01T01:00:00Z","kwh":1}"#, "ends before"),
        (r#"{"start":"2025-01-01T00:00:00Z","end":"2025-01-01T01:00:00Z","kwh":50,"power":11}"#, "too short"),
        (r#"{"start":"2025-01-01T00:00:00Z","kwh":1}"#, "`end` is missing"),
    ] {
        let problem = session(text, "EUR").unwrap().unwrap_err();
        assert!(problem.to_string().contains(says), "{problem}");
    }
}

#[test]
fn another_currency_is_refused_and_never_converted() {
    let json = cdr_json("2025-01-15T12:00:00Z", &[("2025-01-15T10:00:00Z", "ENERGY 5 TIME 2")]);
    let run = r#"{"id":"r","start":"2025-01-15T10:00:00Z","end":"2025-01-15T13:00:00Z","kwh":"22"}"#;
    for text in [json.as_str(), run] {
        let with = |currency: &str| text.replacen('{', &format!(r#"{{"currency":{currency},"#), 1);
        let problem = session(&with("\"SEK\""), "EUR").unwrap().unwrap_err();
        assert_eq!(problem.place, "currency");
        for part in ["in SEK", "in EUR", "not converted", "takst import ocpi"] {
            assert!(problem.message.contains(part), "{problem}");
        }
        // In a response the place says so.
        let inside = format!(r#"{{"data":[{}]}}"#, with("\"SEK\""));
        assert_eq!(session(&inside, "EUR").unwrap().unwrap_err().place, "data[0].currency");
        assert!(session(&with("\"SEK\""), "SEK").unwrap().is_ok());
        assert!(session(&with("\"eur\""), "EUR").unwrap().is_ok());
        assert!(session(&with("null"), "EUR").unwrap().is_ok());
        assert!(session(&with("\"\""), "EUR").unwrap().is_ok());
        assert!(session(&with("5"), "EUR").unwrap().is_err());
    }
}

#[test]
fn a_cdr_without_periods_and_several_of_them_are_told() {
    let bare = r#"{"id":"c","start_date_time":"2025-01-15T10:00:00Z","end_date_time":"2025-01-15T12:00:00Z","currency":"EUR",
        "cdr_token":{"uid":"U"},"total_cost":{"excl_vat":4},"total_energy":10,"total_time":2}"#;
    for text in [
        bare.to_owned(),
        bare.replacen('{', r#"{"charging_periods":null,"#, 1),
        bare.replacen('{', r#"{"charging_periods":[],"#, 1),
        // As 2.1.1 has it.
        bare.replace("end_date_time", "stop_date_time").replace("cdr_token", "auth_id"),
    ] {
        let problem = session(&text, "EUR").unwrap().unwrap_err();
        assert!(problem.message.contains("CDR without `charging_periods`"), "{problem}");
    }
    let several = format!("[{bare},{bare}]");
    let problem = session(&several, "EUR").unwrap().unwrap_err();
    assert!(problem.message.contains("2 sessions") && problem.message.contains(".jsonl"), "{problem}");
    // A session of OCPI has a sum of its energy, and may have no periods.
    let running = bare.replace("\"total_energy\"", "\"kwh\"");
    assert!(session(&running, "EUR").unwrap().is_ok());
}
