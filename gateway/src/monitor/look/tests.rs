use super::*;

const NOW: Instant = Instant(1_800_000_000_000);

fn ago(minutes: i64) -> Instant {
    Instant(NOW.0 - minutes * MINUTE_MS)
}

fn limits() -> Limits {
    Limits {
        offline_after_ms: 3 * MINUTE_MS,
        no_meter_values_after_ms: 15 * MINUTE_MS,
        preparing_after_ms: 15 * MINUTE_MS,
        clock_skew_ms: MINUTE_MS,
    }
}

fn connector(evse: i64, status: &str, since: Instant) -> Connector {
    Connector { evse, connector: 0, status: status.to_owned(), since, error: None }
}

/// Charges on this EVSE; the last meter value came so many minutes ago.
fn session(evse: i64, minutes: i64) -> Running {
    Running {
        id: format!("s{evse}"),
        evse,
        started: true,
        charged: true,
        resting: false,
        read: true,
        fed_at: ago(minutes),
    }
}

fn fine() -> Seen<'static> {
    Seen { charger: "C1", heard: true, ..Seen::default() }
}

/// Kind and subject of what is found.
fn found(seen: &Seen<'_>) -> Vec<(Kind, String)> {
    look(seen, &limits(), NOW).into_iter().map(|finding| (finding.kind, finding.subject)).collect()
}

#[track_caller]
fn finds(what: &str, seen: &Seen<'_>, expected: &[(Kind, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(kind, subject)| (*kind, (*subject).to_owned())).collect();
    assert_eq!(found(seen), expected, "{what}");
}

#[test]
fn a_charger_that_is_fine_has_nothing() {
    let sessions = [session(1, 1)];
    finds("idle", &fine(), &[]);
    finds("charging", &Seen { sessions: &sessions, ..fine() }, &[]);
}

#[test]
fn offline() {
    let away = |minutes| Seen { away_since: Some(ago(minutes)), ..fine() };
    finds("for two minutes", &away(2), &[]);
    finds("for three", &away(3), &[(Kind::Offline, "C1")]);
    finds("never installed", &Seen { heard: false, ..away(60) }, &[]);
    finds(
        "still, after we were restarted",
        &Seen { open: &[Kind::Offline], ..away(0) },
        &[(Kind::Offline, "C1")],
    );
    finds("back", &Seen { open: &[Kind::Offline], ..fine() }, &[]);
    finds("a clock that stands before it went", &away(-5), &[]);
}

#[test]
fn faulted() {
    let one = [connector(1, "Available", ago(9)), connector(2, "Faulted", ago(0))];
    finds("one connector", &Seen { connectors: &one, ..fine() }, &[(Kind::Faulted, "C1/2")]);
    let two =
        [connector(1, "Faulted", ago(1)), Connector { connector: 2, ..connector(2, "Faulted", ago(1)) }];
    let both = [(Kind::Faulted, "C1/1"), (Kind::Faulted, "C1/2/2")];
    finds("two connectors", &Seen { connectors: &two, ..fine() }, &both);
    let all =
        [connector(0, "Faulted", ago(1)), connector(1, "Faulted", ago(1)), connector(2, "Faulted", ago(1))];
    finds("the whole charger is told once", &Seen { connectors: &all, ..fine() }, &[(Kind::Faulted, "C1")]);
    let away = Seen { connectors: &one, away_since: Some(ago(1)), ..fine() };
    finds("it stays so while the charger is away", &away, &[(Kind::Faulted, "C1/2")]);
}

#[test]
fn a_fault_says_what_it_is() {
    let say = |error: &str| {
        let connectors = [Connector { error: Some(error.to_owned()), ..connector(1, "Faulted", ago(0)) }];
        look(&Seen { connectors: &connectors, ..fine() }, &limits(), NOW)[0].text.clone()
    };
    assert_eq!(
        say(r#"{"code":"GroundFailure","info":"RCD","vendor_code":""}"#),
        "EVSE 1: reports a fault: GroundFailure, RCD"
    );
    assert_eq!(say(r#"{"code":"NoError"}"#), "EVSE 1: reports a fault");
    assert_eq!(say("not JSON"), "EVSE 1: reports a fault");
    assert!(say(&format!(r#"{{"info":"{}"}}"#, "x".repeat(10_000))).len() < 200);
}

#[test]
fn stuck_preparing() {
    let stuck = [(Kind::StuckPreparing, "C1/1")];
    let preparing = |minutes| [connector(1, "Preparing", ago(minutes))];
    let occupied = |minutes| [connector(1, "Occupied", ago(minutes))];
    finds("for 14 minutes", &Seen { connectors: &preparing(14), ..fine() }, &[]);
    finds("for 15", &Seen { connectors: &preparing(15), ..fine() }, &stuck);
    finds("the same in 2.x", &Seen { connectors: &occupied(15), ..fine() }, &stuck);
    let charging = [session(1, 1)];
    finds(
        "it charges, and says Preparing",
        &Seen { connectors: &preparing(99), sessions: &charging, ..fine() },
        &[],
    );
    finds("it charges in 2.x", &Seen { connectors: &occupied(99), sessions: &charging, ..fine() }, &[]);
    let elsewhere = [session(2, 1)];
    finds(
        "another EVSE charges",
        &Seen { connectors: &preparing(15), sessions: &elsewhere, ..fine() },
        &stuck,
    );
    let begun = [Running { charged: false, ..session(1, 1) }];
    finds(
        "a transaction without energy",
        &Seen { connectors: &preparing(15), sessions: &begun, ..fine() },
        &stuck,
    );
    let plugged = [Running { started: false, charged: false, ..session(1, 1) }];
    finds("nobody has begun", &Seen { connectors: &occupied(15), sessions: &plugged, ..fine() }, &stuck);
    finds("away", &Seen { connectors: &preparing(99), away_since: Some(ago(1)), ..fine() }, &[]);
}

#[test]
fn no_meter_values() {
    let none = [(Kind::NoMeterValues, "C1/1")];
    let with = |session: Running| [session];
    finds("for 14 minutes", &Seen { sessions: &with(session(1, 14)), ..fine() }, &[]);
    finds("for 15", &Seen { sessions: &with(session(1, 15)), ..fine() }, &none);
    let idle = with(Running { resting: true, ..session(1, 99) });
    finds("the car is full", &Seen { sessions: &idle, ..fine() }, &[]);
    let waiting = with(Running { started: false, ..session(1, 99) });
    finds("no transaction yet", &Seen { sessions: &waiting, ..fine() }, &[]);
    let away = Seen { sessions: &with(session(1, 99)), away_since: Some(ago(1)), ..fine() };
    finds("away", &away, &[]);
    let twice = [session(1, 20), Running { id: "s0".to_owned(), ..session(1, 30) }];
    finds("two sessions of an EVSE are one trouble", &Seen { sessions: &twice, ..fine() }, &none);
}

#[test]
fn clock_skew() {
    let wrong = [(Kind::ClockSkew, "C1")];
    let skew = |seconds: i64| Seen { skew_ms: Some(seconds * 1_000), ..fine() };
    finds("59 s", &skew(59), &[]);
    finds("a minute ahead", &skew(60), &wrong);
    finds("a minute behind", &skew(-60), &wrong);
    finds("as far as it goes", &Seen { skew_ms: Some(i64::MIN), ..fine() }, &wrong);
    let open = |seconds| Seen { open: &[Kind::ClockSkew], ..skew(seconds) };
    finds("once told, not over at 31 s", &open(31), &wrong);
    finds("but at 29 s", &open(29), &[]);
}

#[test]
fn boot_loop() {
    let looping = [(Kind::BootLoop, "C1")];
    let boots = |minutes: &[i64]| minutes.iter().map(|minutes| ago(*minutes)).collect::<Vec<_>>();
    let four = boots(&[4, 3, 2, 1]);
    finds("four boots", &Seen { boots: &four, ..fine() }, &[]);
    let five = boots(&[5, 4, 3, 2, 1]);
    finds("five within ten minutes", &Seen { boots: &five, ..fine() }, &looping);
    let slow = boots(&[40, 30, 20, 10, 1]);
    finds("five within an hour", &Seen { boots: &slow, ..fine() }, &[]);
    let over = boots(&[15, 14, 13, 12, 10]);
    finds("ten minutes after the last one", &Seen { boots: &over, ..fine() }, &[]);
}

#[test]
fn all_at_once_is_told_in_full() {
    let connectors = [connector(1, "Faulted", ago(1)), connector(2, "Preparing", ago(20))];
    let sessions = [session(3, 20)];
    let boots = [ago(5), ago(4), ago(3), ago(2), ago(1)];
    let seen = Seen {
        connectors: &connectors,
        sessions: &sessions,
        boots: &boots,
        skew_ms: Some(3_600_000),
        ..fine()
    };
    let kinds: Vec<Kind> = look(&seen, &limits(), NOW).into_iter().map(|finding| finding.kind).collect();
    let expected =
        [Kind::Faulted, Kind::StuckPreparing, Kind::NoMeterValues, Kind::ClockSkew, Kind::BootLoop];
    assert_eq!(kinds, expected);
    assert!(Kind::ALL.into_iter().all(|kind| Kind::of(kind.as_str()) == Some(kind)));
}
