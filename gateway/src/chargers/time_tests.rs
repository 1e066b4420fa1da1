use super::*;

const NOON: Instant = Instant(1_767_268_800_000); // 2026-01-01T12:00:00Z

fn take(text: &str) -> StationTime {
    StationTime::take(text, NOON, &TimeRules::default())
}

#[test]
fn case_19_every_spelling_of_one_instant() {
    for text in [
        "2026-01-01T11:58:00Z",
        "2026-01-01T11:58:00.000Z",
        "2026-01-01T11:58:00.0000001Z",
        "2026-01-01T11:58Z",
        "2026-01-01 11:58:00z",
        "2026-01-01T13:58:00+02:00",
        "2026-01-01T13:58:00+0200",
        "2026-01-01T13:58:00+02",
        "2026-01-01T06:28:00,000-05:30",
        " 2026-01-01T11:58:00.Z ",
    ] {
        let time = take(text);
        assert_eq!((time.at.0, time.flaw), (NOON.0 - 120_000, None), "{text}");
        assert_eq!(time.sent.as_deref(), Some(text));
    }
}

#[test]
fn case_19_seven_decimals_keep_their_milliseconds() {
    assert_eq!(take("2026-01-01T11:59:59.1234567Z").at.0, NOON.0 - 1_000 + 123);
}

#[test]
fn case_19_no_zone_takes_the_chargers_offset() {
    let plain = take("2026-01-01T11:58:00");
    assert_eq!((plain.at.0, plain.flaw), (NOON.0 - 120_000, Some(TimeFlaw::NoZone)));
    let rules = TimeRules { offset_min: 120, ..TimeRules::default() };
    let local = StationTime::take("2026-01-01T13:58:00.5", NOON, &rules);
    assert_eq!((local.at.0, local.flaw), (NOON.0 - 119_500, Some(TimeFlaw::NoZone)));
}

#[test]
fn case_19_1970_and_the_future_are_replaced_and_flagged() {
    for (text, flaw) in [
        ("1970-01-01T00:00:12Z", TimeFlaw::TooOld),
        ("2000-01-01T00:00:12Z", TimeFlaw::TooOld),
        ("2026-01-01T12:10:01Z", TimeFlaw::Future),
        ("2099-01-01T00:00:00Z", TimeFlaw::Future),
        ("", TimeFlaw::Unreadable),
        ("yesterday", TimeFlaw::Unreadable),
        ("2026-02-30T00:00:00Z", TimeFlaw::Unreadable),
        ("2026-01-01T25:00:00Z", TimeFlaw::Unreadable),
        ("2026-01-01T10:00:00+99:00", TimeFlaw::Unreadable),
    ] {
        let time = take(text);
        assert_eq!((time.at, time.flaw), (NOON, Some(flaw)), "{text}");
        assert!(flaw.substituted());
    }
    assert_eq!(take("2026-01-01T12:10:00Z").flaw, None);
}

#[test]
fn case_07_a_session_replayed_after_months_keeps_its_own_time() {
    let time = take("2025-06-30T22:00:00Z");
    assert_eq!((time.flaw, write(time.at)), (None, "2025-06-30T22:00:00.000Z".to_owned()));
}

#[test]
fn case_20_times_go_out_in_utc_with_milliseconds() {
    assert_eq!(write(NOON), "2026-01-01T12:00:00.000Z");
    assert_eq!(write(Instant(i64::MAX)), "9999-12-31T23:59:59.999Z");
    assert_eq!(write(Instant(i64::MIN)), "1970-01-01T00:00:00.000Z");
}
