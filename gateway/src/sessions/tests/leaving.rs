//! When the car left: outages, late stops, clocks that are wrong; limits that end; more reports than are followed.

use super::*;

// Each fact with the minute in which it is heard, in any order.
fn told(facts: &[(i64, Kept)]) -> Summary {
    let given = |facts: &[(i64, Kept)]| {
        let built = build(&begin(), facts.iter().map(|(minute, kept)| (at(*minute), kept))).unwrap();
        built.tracked.summary(&begin())
    };
    let mut turned = facts.to_vec();
    turned.reverse();
    assert_eq!(given(facts), given(&turned));
    let mut tracked = Tracked::default();
    let in_order = facts.iter().all(|(minute, kept)| tracked.take(&begin(), at(*minute), kept).is_ok());
    assert!(!in_order || tracked.summary(&begin()) == given(facts));
    given(facts)
}

fn left(facts: &[(i64, Kept)]) -> (Option<i64>, Vec<&'static str>) {
    let summary = told(facts);
    let minute = summary.unplugged.map(|unplugged| (unplugged.0 - at(0).0) / MINUTE);
    (minute, summary.flags.iter().map(|suspect| suspect.flag.as_str()).collect())
}

fn free(minute: i64) -> Kept {
    shows(minute, Availability::Available)
}

#[test]
fn a_stop_that_had_to_wait_tells_when_the_car_was_last_there() {
    let start = (0, started(0, 0));
    // Told together hours later: the free connector is what the charger sees then.
    assert_eq!(left(&[start.clone(), (600, stopped(60, 100)), (600, free(600))]), (Some(60), vec![]));
    assert_eq!(left(&[start.clone(), (601, free(600)), (603, stopped(60, 100))]), (Some(60), vec![]));
    // The car was shown once more before the connection was lost.
    let seen = (61, shows(61, Availability::Finishing));
    assert_eq!(
        left(&[start.clone(), seen.clone(), (600, stopped(60, 100)), (600, free(600))]),
        (Some(61), vec!["left-unseen"])
    );
    // It is still there when all is told.
    let there = (600, shows(600, Availability::Finishing));
    assert_eq!(left(&[start.clone(), there, (600, stopped(60, 100)), (603, free(603))]), (Some(603), vec![]));
    // Told at once, and only the stop late: that was seen.
    assert_eq!(left(&[start.clone(), (70, free(70)), (600, stopped(60, 100))]), (Some(70), vec![]));
    // All of it late, with its time.
    assert_eq!(left(&[start, (600, stopped(60, 100)), (600, free(90))]), (Some(90), vec![]));
}

#[test]
fn a_clock_that_is_wrong_is_no_outage() {
    for skew in [-20, 20] {
        let facts = [
            (skew, started(0, 0)),
            (60 + skew, stopped(60, 100)),
            (61 + skew, shows(61, Availability::Finishing)),
            (90 + skew, free(90)),
        ];
        assert_eq!(left(&facts), (Some(90), vec![]), "{skew}");
    }
}

#[test]
fn an_outage_hides_when_the_next_car_came() {
    let start = [(0, started(0, 0)), (60, stopped(60, 100)), (60, shows(60, Availability::Finishing))];
    let with = |more: &[(i64, Kept)]| left(&[&start, more].concat());
    let away = (600, said(Said::Away(at(100), at(600))));
    assert_eq!(with(&[away.clone(), (601, said(Said::Next(at(400))))]), (Some(100), vec!["left-unseen"]));
    assert_eq!(
        with(&[away.clone(), (601, shows(601, Availability::Charging))]),
        (Some(100), vec!["left-unseen"])
    );
    // Long after it was heard again, what it says is what it sees.
    assert_eq!(with(&[away.clone(), (700, free(700))]), (Some(700), vec![]));
    // It was told late, and then came another outage.
    let late = (600, shows(300, Availability::SuspendedEv));
    assert_eq!(with(&[away.clone(), late, (600, free(600))]), (Some(300), vec!["left-unseen"]));
    let again = (900, said(Said::Away(at(800), at(900))));
    assert_eq!(with(&[away, again, (900, free(900))]), (Some(800), vec!["left-unseen"]));
    // A free connector that is told afterwards, with its time, takes back what was taken to be so.
    let gave_up = (5000, said(Said::GaveUp(at(4000))));
    assert_eq!(with(std::slice::from_ref(&gave_up)), (Some(4000), vec!["never-left"]));
    assert_eq!(with(&[gave_up, (5001, free(200))]), (Some(200), vec![]));
    // Nothing was heard before the stop, and all of it after.
    let whole =
        [(0, started(0, 0)), (30, said(Said::Away(at(10), at(30)))), (60, stopped(60, 100)), (62, free(62))];
    assert_eq!(left(&whole), (Some(62), vec![]));
}

#[test]
fn a_limit_holds_as_long_as_it_was_ordered() {
    let plan = vec![(at(5), true), (at(20), false)];
    let facts = [
        started(0, 0),
        measured(3, 500),
        said(Said::Limits(at(5), plan.clone())),
        shows(6, Availability::SuspendedEv),
        shows(25, Availability::Charging),
        measured(30, 1500),
        shows(60, Availability::SuspendedEv),
        stopped(90, 1600),
    ];
    let desk = heard(&begin(), &facts);
    assert_eq!(desk.states(), [(0, "charging"), (6, "paused"), (20, "idle"), (25, "charging"), (60, "idle")]);
    sound(&desk, &begin());
    // Another order takes its place.
    let facts = [
        started(0, 0),
        said(Said::Limits(at(5), plan)),
        said(Said::Limits(at(10), vec![(at(10), true)])),
        shows(11, Availability::SuspendedEv),
        shows(60, Availability::Finishing),
    ];
    assert_eq!(heard(&begin(), &facts).states(), [(0, "charging"), (11, "paused")]);
}

#[test]
fn what_begins_and_ends_a_session_is_followed_whatever_lies_between() {
    let begin = begin();
    let mut builder = Builder::new(&begin, 3);
    builder.add(at(0), &started(0, 0));
    for minute in 1..10 {
        builder.add(at(minute), &measured(minute, minute * 100));
    }
    builder.add(at(50), &stopped(50, 5000));
    builder.add(at(51), &free(51));
    let built = builder.finish().unwrap();
    let summary = built.tracked.summary(&begin);
    assert_eq!((summary.stopped_at, summary.unplugged), (Some(at(50)), Some(at(51))));
    assert_eq!((summary.energy, built.rows.readings.len()), (Some(Energy(5_000_000)), 5));
    assert_eq!((summary.flags[0].flag, summary.hold.is_some()), (Flag::TooManyReports, true));
}
