use super::super::look::{Connector, Limits, look};
use super::*;
use takst_engine::units::MINUTE_MS;

const NOW: Instant = Instant(1_800_000_000_000);

fn ago(minutes: i64) -> Instant {
    Instant(NOW.0 - minutes * MINUTE_MS)
}

fn rules() -> Thresholds {
    Thresholds {
        limits: Limits {
            offline_after_ms: 3 * MINUTE_MS,
            no_meter_values_after_ms: 15 * MINUTE_MS,
            preparing_after_ms: 15 * MINUTE_MS,
            clock_skew_ms: MINUTE_MS,
        },
        automatic_restart: true,
        restart_after_ms: 5 * MINUTE_MS,
        restart_longest_wait_ms: 30 * MINUTE_MS,
        restarts_per_day: 4,
    }
}

fn connector(evse: i64, status: &str, since: Instant) -> Connector {
    Connector { evse, connector: 0, status: status.to_owned(), since, error: None }
}

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

fn finding(kind: Kind, since: Instant) -> Finding {
    Finding {
        kind,
        subject: "C1/1".to_owned(),
        evse: Some(1),
        session: None,
        since,
        text: String::new(),
        curable: true,
    }
}

#[test]
fn when_and_how() {
    use Decision::{Leave, Restart, Wait};
    use How::{Hard, Soft};
    // What, since (minutes ago), restarts (minutes ago), decision.
    let table: &[(&str, i64, &[i64], Decision)] = &[
        ("too early", 4, &[], Wait(ago(-1))),
        ("time", 5, &[], Restart(Soft, 1)),
        ("the second one waits twice as long", 14, &[9], Wait(ago(-1))),
        ("and is hard", 15, &[10], Restart(Hard, 2)),
        ("the third one waits four times as long", 40, &[30, 19], Wait(ago(-1))),
        ("time for it", 40, &[31, 20], Restart(Hard, 3)),
        ("the longest wait is 30 min, not 40", 100, &[90, 60, 30], Restart(Hard, 4)),
        ("four a day are enough", 300, &[290, 200, 100, 60], Wait(ago(290 - 24 * 60))),
        ("a day later there is one more", 1_500, &[1_440, 200, 100, 60], Restart(Hard, 4)),
        ("restarts of an earlier trouble count for the wait", 9, &[9], Wait(ago(-1))),
        ("but the first one for a new trouble is soft", 6, &[31, 20], Restart(Soft, 3)),
    ];
    for (what, since, tried, expected) in table {
        let finding = finding(Kind::Faulted, ago(*since));
        let trouble = Trouble { since: finding.since, finding: &finding };
        let tried: Vec<Instant> = tried.iter().map(|minutes| ago(*minutes)).collect();
        assert_eq!(decide(&trouble, &tried, &rules(), NOW), *expected, "{what}");
    }
    let old = finding(Kind::Faulted, ago(99));
    let trouble = Trouble { since: old.since, finding: &old };
    let off = Thresholds { automatic_restart: false, ..rules() };
    let none = Thresholds { restarts_per_day: 0, ..rules() };
    assert_eq!([decide(&trouble, &[], &off, NOW), decide(&trouble, &[], &none, NOW)], [Leave, Leave]);
}

#[test]
fn numbers_that_are_too_large_wait_and_do_not_overflow() {
    let finding = finding(Kind::Faulted, ago(0));
    let trouble = Trouble { since: finding.since, finding: &finding };
    let endless = i64::MAX / 2;
    let rules = Thresholds {
        restart_after_ms: endless,
        restart_longest_wait_ms: i64::MAX,
        restarts_per_day: u32::MAX,
        ..rules()
    };
    let tried: Vec<Instant> = (0..200).map(|_| ago(1)).collect();
    assert_eq!(decide(&trouble, &tried, &rules, NOW), Decision::Wait(Instant(i64::MAX)));
}

#[test]
fn a_session_without_meter_values_is_never_cut_off_hard() {
    let finding = finding(Kind::NoMeterValues, ago(40));
    let trouble = Trouble { since: finding.since, finding: &finding };
    assert_eq!(decide(&trouble, &[ago(20)], &rules(), NOW), Decision::Restart(How::Soft, 2));
}

/// The kind that a restart is to cure.
fn cured(seen: &Seen<'_>) -> Option<(Kind, Instant)> {
    let findings = look(seen, &rules().limits, NOW);
    trouble(seen, &findings).map(|trouble| (trouble.finding.kind, trouble.since))
}

#[test]
fn what_is_restarted_and_what_is_left_alone() {
    let seen = Seen { charger: "C1", heard: true, ..Seen::default() };
    let faulted = [connector(1, "Faulted", ago(9))];
    let trouble = Some((Kind::Faulted, ago(9)));
    assert_eq!(cured(&seen), None, "nothing is wrong");
    let fault = Seen { connectors: &faulted, ..seen };
    assert_eq!(cured(&fault), trouble, "a fault");
    assert_eq!(cured(&Seen { away_since: Some(ago(9)), ..fault }), None, "away: nobody hears it");
    assert_eq!(
        cured(&Seen { boots: &[ago(2)], ..fault }),
        Some((Kind::Faulted, ago(2))),
        "a boot was a chance"
    );
    assert_eq!(cured(&Seen { sessions: &[session(2, 1)], ..fault }), None, "another EVSE charges well");
    let full = [Running { resting: true, ..session(2, 60) }];
    assert_eq!(cured(&Seen { sessions: &full, ..fault }), None, "a car that is full is left alone too");
    assert_eq!(
        cured(&Seen { sessions: &[session(1, 1)], ..fault }),
        trouble,
        "the session of the faulted EVSE"
    );
    assert_eq!(
        cured(&Seen { sessions: &[session(2, 20)], ..fault }),
        Some((Kind::NoMeterValues, ago(20))),
        "both are wrong"
    );
    let whole = [connector(0, "Faulted", ago(9))];
    let charger = Seen { connectors: &whole, sessions: &[session(2, 1)], ..seen };
    assert_eq!(cured(&charger), trouble, "the whole charger is faulted: no session runs well");

    let preparing = [connector(1, "Preparing", ago(20))];
    let stuck = Seen { connectors: &preparing, ..seen };
    assert_eq!(cured(&stuck), None, "the driver has not begun");
    let begun = [Running { charged: false, ..session(1, 1) }];
    assert_eq!(cured(&Seen { sessions: &begun, ..stuck }), Some((Kind::StuckPreparing, ago(20))), "he has");

    let never = [Running { read: false, ..session(1, 20) }];
    assert_eq!(cured(&Seen { sessions: &never, ..seen }), None, "a charger that never sends meter values");
    let wrong = Seen { skew_ms: Some(9_999_999), ..seen };
    assert_eq!(cured(&wrong), None, "a clock is not cured by a restart");
}
