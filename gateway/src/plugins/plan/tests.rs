//! What to ask for when, with times around clock changes and failures.

use super::*;
use chrono_tz::Europe::{Brussels, Helsinki, Oslo};
use takst_engine::calendar_time::utc_text;
use takst_engine::input::instant;

fn time(text: &str) -> Instant {
    instant(text).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn source(plugin: &str, zone: Tz) -> Source {
    let (at, late) = (TimeOfDay(13 * 60 + 5), TimeOfDay(15 * 60));
    Source { plugin: plugin.to_owned(), times: Times { at, late, zone, retry_ms: 5 * MINUTE_MS } }
}

fn terms(zone: Tz, second: bool) -> Terms {
    Terms { zone, first: source("one", zone), second: second.then(|| source("two", zone)) }
}

type Tries = BTreeMap<(NaiveDate, Which), Tried>;

fn ask(terms: &Terms, now: &str, known: &[&str], tries: &Tries) -> Next {
    let known: Vec<NaiveDate> = known.iter().map(|text| day(text)).collect();
    next(time(now), terms, |day| known.contains(&day), tries)
}

#[track_caller]
fn waits(next: Next, until: &str) {
    match next {
        Next::Wait(at) => assert_eq!(utc_text(at), utc_text(time(until))),
        Next::Fetch(..) => panic!("{next:?}"),
    }
}

#[test]
fn today_is_looked_for_at_once_and_tomorrow_from_its_time_on() {
    let terms = terms(Oslo, false);
    let none = Tries::new();
    let now = "2026-06-10T08:00:00+02:00";
    assert_eq!(ask(&terms, now, &[], &none), Next::Fetch(Which::First, day("2026-06-10")));
    waits(ask(&terms, now, &["2026-06-10"], &none), "2026-06-10T13:05:00+02:00");
    let now = "2026-06-10T13:05:00+02:00";
    assert_eq!(ask(&terms, now, &["2026-06-10"], &none), Next::Fetch(Which::First, day("2026-06-11")));
    // All is there: the next thing is a new day.
    waits(ask(&terms, now, &["2026-06-10", "2026-06-11"], &none), "2026-06-11T00:00:00+02:00");
}

#[test]
fn a_day_begins_and_is_published_on_the_right_clocks_when_clocks_change() {
    // The night in which an hour is missing, and the one in which it is there twice.
    for (now, today, next_day, at) in [
        ("2026-03-28T12:00:00+01:00", "2026-03-28", "2026-03-29", "2026-03-28T13:05:00+01:00"),
        ("2026-03-29T12:00:00+02:00", "2026-03-29", "2026-03-30", "2026-03-29T13:05:00+02:00"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25", "2026-10-26", "2026-10-25T13:05:00+01:00"),
    ] {
        let terms = terms(Oslo, false);
        waits(ask(&terms, now, &[today], &Tries::new()), at);
        assert_eq!(ask(&terms, at, &[today], &Tries::new()), Next::Fetch(Which::First, day(next_day)));
    }
    let hours = |date: &str| {
        let (from, until) = days(Oslo, day(date));
        (until.0 - from.0) / HOUR_MS
    };
    assert_eq!([hours("2026-03-29"), hours("2026-10-25"), hours("2026-06-10")], [23, 25, 24]);
    // A time that the clock skips.
    let mut early = terms(Oslo, false);
    early.first.times.at = TimeOfDay(150);
    waits(
        ask(&early, "2026-03-29T01:00:00+01:00", &["2026-03-29"], &Tries::new()),
        "2026-03-29T03:30:00+02:00",
    );
}

#[test]
fn the_area_and_the_source_may_have_different_clocks() {
    let terms = Terms { zone: Helsinki, first: source("one", Brussels), second: None };
    let none = Tries::new();
    // Finland's tomorrow is published at 13:05 in Brussels, 14:05 in Helsinki.
    waits(ask(&terms, "2026-06-10T14:00:00+03:00", &["2026-06-10"], &none), "2026-06-10T14:05:00+03:00");
    // After midnight in Helsinki it is another day, though not in Brussels.
    let now = "2026-06-11T00:30:00+03:00";
    assert_eq!(ask(&terms, now, &[], &none), Next::Fetch(Which::First, day("2026-06-11")));
    waits(ask(&terms, now, &["2026-06-11"], &none), "2026-06-11T14:05:00+03:00");
}

#[test]
fn nothing_yet_is_asked_again_after_the_source_s_own_pause() {
    let terms = terms(Oslo, false);
    let tried = Tried { at: time("2026-06-10T13:05:00+02:00"), came: Came::Nothing };
    let tries = Tries::from([((day("2026-06-11"), Which::First), tried)]);
    waits(ask(&terms, "2026-06-10T13:06:00+02:00", &["2026-06-10"], &tries), "2026-06-10T13:10:00+02:00");
    let again = ask(&terms, "2026-06-10T13:10:00+02:00", &["2026-06-10"], &tries);
    assert_eq!(again, Next::Fetch(Which::First, day("2026-06-11")));
}

#[test]
fn failures_are_spaced_out_and_retry_after_is_heeded() {
    let terms = terms(Oslo, false);
    let after = |failures, refused, wish_ms| {
        let tried = Tried {
            at: time("2026-06-10T13:05:00+02:00"),
            came: Came::Failed { failures, refused, wish_ms },
        };
        let tries = Tries::from([((day("2026-06-11"), Which::First), tried)]);
        match ask(&terms, "2026-06-10T13:05:01+02:00", &["2026-06-10"], &tries) {
            Next::Wait(until) => (until.0 - tried.at.0) / 1_000,
            Next::Fetch(..) => 0,
        }
    };
    assert_eq!([1, 2, 3, 7].map(|failures| after(failures, false, None)), [30, 60, 120, 1_920]);
    assert_eq!([8, 50, u32::MAX].map(|failures| after(failures, false, None)), [3_600; 3]);
    assert_eq!(after(1, false, Some(90_000)), 90);
    assert_eq!(after(4, false, Some(90_000)), 240, "the longer of the two");
    assert_eq!(after(1, true, None), 3_600, "what would not help is tried seldom");
    assert_eq!(after(1, false, Some(i64::MAX)), 6 * 3_600, "and nobody is left alone for ever");
}

#[test]
fn the_second_source_stands_in_for_one_that_fails_or_is_late() {
    let terms = terms(Oslo, true);
    let (known, morrow) = (&["2026-06-10"][..], day("2026-06-11"));
    let at = |text: &str| time(&format!("2026-06-10T{text}:00+02:00"));
    let now = |text: &str| format!("2026-06-10T{text}:00+02:00");
    // It has nothing yet, and is not late: only it is asked.
    let nothing = Tried { at: at("14:58"), came: Came::Nothing };
    let tries = Tries::from([((morrow, Which::First), nothing)]);
    waits(ask(&terms, &now("14:59"), known, &tries), &now("15:00"));
    assert_eq!(ask(&terms, &now("15:00"), known, &tries), Next::Fetch(Which::Second, morrow));
    // Both are asked in turn from then on.
    let mut both = tries;
    both.insert((morrow, Which::Second), Tried { at: at("15:00"), came: Came::Nothing });
    assert_eq!(ask(&terms, &now("15:03"), known, &both), Next::Fetch(Which::First, morrow));
    // It fails: the second has its turn at once, long before three o'clock.
    let came = Came::Failed { failures: 1, refused: false, wish_ms: None };
    let failed = Tries::from([((morrow, Which::First), Tried { at: at("13:05"), came })]);
    assert_eq!(ask(&terms, &now("13:05"), known, &failed), Next::Fetch(Which::Second, morrow));
    // But not before it can have them itself.
    let mut later = terms;
    later.second.as_mut().unwrap().times.at = TimeOfDay(14 * 60);
    let failed = Tries::from([(
        (morrow, Which::First),
        Tried { at: at("13:05"), came: Came::Failed { failures: 9, refused: true, wish_ms: None } },
    )]);
    waits(ask(&later, &now("13:06"), known, &failed), &now("14:00"));
}

#[test]
fn a_manifest_s_schedule_is_read() {
    let schedule: Schedule = toml::from_str(
        "at = \"13:05\"\ntime-zone = \"Europe/Brussels\"\nretry = \"10 min\"\nlate = \"16:30\"",
    )
    .unwrap();
    let times = Times::of(Some(&schedule), Oslo);
    let wanted = Times { at: TimeOfDay(785), late: TimeOfDay(990), zone: Brussels, retry_ms: 600_000 };
    assert_eq!(times, wanted);
    assert_eq!(Times::of(None, Oslo).zone, Oslo);
}
