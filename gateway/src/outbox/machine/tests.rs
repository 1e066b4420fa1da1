//! The table of states, line by line, and what must hold in any order of events.

use super::*;
use proptest::prelude::*;

const NOW: Instant = Instant(1_000_000);

fn state(phase: Phase) -> State {
    let attempt = i64::from(phase != Phase::Waiting);
    State { phase, attempt, failures: 0, known: false, next: Some(NOW), since: NOW, enough: false }
}

fn fault(outcome: Outcome) -> Fault {
    Fault::new(outcome, "some-code", "some words")
}

fn go(from: &State, event: &Event) -> (State, Vec<Action>) {
    step(from, event, NOW, 7, &Rules::default()).unwrap()
}

#[test]
fn it_is_written_down_before_it_is_asked() {
    let (next, actions) = go(&State::new(NOW), &Event::Due);
    assert_eq!((next.phase, next.attempt, actions), (Phase::Calling, 1, vec![Action::Call]));
    assert!(next.next > Some(NOW));
}

#[test]
fn a_fault_says_whether_it_was_done() {
    let calling = state(Phase::Calling);
    let failed = |outcome| Event::CallFailed { attempt: 1, fault: fault(outcome) };
    let (next, actions) = go(&calling, &failed(Outcome::Refused));
    assert_eq!((next.phase, next.next), (Phase::Failed, None));
    assert_eq!(actions[0], Action::Close);
    let (next, _) = go(&calling, &failed(Outcome::NotDone));
    assert_eq!((next.phase, next.failures), (Phase::Waiting, 1));
    let (next, _) = go(&calling, &failed(Outcome::Unknown));
    assert_eq!(next.phase, Phase::Unknown);
    assert_eq!(next.next, Some(Instant(NOW.0 + Rules::default().settle_ms)));
    let late = Fault { retry_after: Some(7_200), ..fault(Outcome::NotDone) };
    let (next, _) = go(&calling, &Event::CallFailed { attempt: 1, fault: late });
    assert_eq!(next.next, Some(Instant(NOW.0 + 7_200_000)));
}

#[test]
fn nobody_stops_waiting_for_a_call_that_may_still_be_going_on() {
    let usual = Rules::default();
    // Those that say nothing of it, and those that are soon over.
    for short in [0, 1, 10_000] {
        assert_eq!(usual.lasting(short), usual, "{short}");
    }
    for long in [15_000, 30_000, 100_000, 300_000] {
        let rules = usual.lasting(long);
        // Two calls, one after the other.
        assert!(rules.call_ms >= 2 * long, "{long}: {rules:?}");
        // One that began just before nobody waited any more is over when it is looked up.
        assert!(rules.settle_ms >= long, "{long}: {rules:?}");
        assert_eq!((rules.failures, rules.follow_ms), (usual.failures, usual.follow_ms));
        let (calling, _) = step(&State::new(NOW), &Event::Due, NOW, 7, &rules).unwrap();
        assert!(calling.next >= Some(Instant(NOW.0 + 3 * long)), "{long}: {calling:?}");
    }
    assert!(usual.lasting(i64::MAX).call_ms > 0);
}

#[test]
fn what_is_not_known_is_looked_up_and_never_asked() {
    let unknown = state(Phase::Unknown);
    assert_eq!(go(&unknown, &Event::Due), (unknown.clone(), vec![Action::LookUp]));
    assert_eq!(go(&unknown, &Event::Nothing { attempt: 1 }).0.phase, Phase::Waiting);
    assert_eq!(go(&unknown, &Event::Nothing { attempt: 0 }), (unknown.clone(), vec![]));
    for (told, phase) in [
        (Told::Done, Phase::Done),
        (Told::Going, Phase::Following),
        (Told::Refused("no".into(), "no".into()), Phase::Failed),
        (Told::Odd("odd".into(), "odd".into()), Phase::Dead),
    ] {
        assert_eq!(go(&unknown, &Event::Told(told)).0.phase, phase);
    }
    assert_eq!(go(&state(Phase::Calling), &Event::Restarted).0.phase, Phase::Unknown);
    assert_eq!(go(&state(Phase::Calling), &Event::Due).0.phase, Phase::Unknown);
}

#[test]
fn a_late_fault_of_an_earlier_attempt_says_nothing() {
    let second = State { attempt: 2, ..state(Phase::Calling) };
    for outcome in [Outcome::Refused, Outcome::NotDone, Outcome::Unknown] {
        let late = Event::CallFailed { attempt: 1, fault: fault(outcome) };
        assert_eq!(go(&second, &late), (second.clone(), vec![]));
    }
    assert_eq!(go(&second, &Event::Told(Told::Done)).0.phase, Phase::Done);
}

#[test]
fn a_person_ends_what_nothing_else_ends() {
    let dead = state(Phase::Dead);
    assert_eq!(go(&dead, &Event::Retry).0.phase, Phase::Unknown);
    assert_eq!(go(&State { known: true, ..dead }, &Event::Retry).0.phase, Phase::Following);
    assert_eq!(go(&State { attempt: 0, ..dead }, &Event::Retry).0.phase, Phase::Waiting);
    let given_up = go(&dead, &Event::GiveUp { reason: "paid in cash".into() });
    assert_eq!((given_up.0.phase, given_up.0.next), (Phase::GivenUp, Some(NOW)));
    // The truth comes out all the same.
    assert_eq!(go(&given_up.0, &Event::Told(Told::Done)).0.phase, Phase::Done);
    let refused = |phase, event: &Event| step(&state(phase), event, NOW, 0, &Rules::default()).unwrap_err();
    let give_up = Event::GiveUp { reason: "x".into() };
    assert_eq!(refused(Phase::Calling, &give_up), Refusal::OnItsWay);
    assert_eq!(refused(Phase::Unknown, &give_up), Refusal::OnItsWay);
    assert_eq!(refused(Phase::Done, &Event::Retry), Refusal::Over);
    assert_eq!(refused(Phase::Following, &give_up), Refusal::NotDead);
}

#[test]
fn what_rests_is_looked_at_when_somebody_hints() {
    for phase in [Phase::Dead, Phase::Done, Phase::Failed, Phase::GivenUp] {
        for (known, look) in [(true, Action::Look), (false, Action::LookUp)] {
            let rests = State { known, next: None, ..state(phase) };
            let (hinted, _) = go(&rests, &Event::Hint);
            assert_eq!(hinted.next, Some(NOW), "{phase:?}");
            assert_eq!(go(&hinted, &Event::Due), (hinted.clone(), vec![look]));
            // Whatever is heard of it but that it was done: it rests again.
            for heard in [
                Event::Nothing { attempt: 1 },
                Event::Nothing { attempt: 7 },
                Event::Told(Told::Going),
                Event::Told(Told::Odd("odd".into(), "odd".into())),
            ] {
                assert_eq!(go(&hinted, &heard).0.next, None, "{phase:?} {heard:?}");
            }
            assert_eq!(go(&hinted, &Event::Told(Told::Done)).0.phase, Phase::Done);
            // A look that fails is tried again, and not for ever.
            let failed = Event::LookFailed { attempt: 1, fault: fault(Outcome::Unknown) };
            let mut looked = hinted.clone();
            let mut looks = 0;
            while looked.next.is_some() {
                looked = go(&looked, &failed).0;
                looks += 1;
            }
            assert_eq!((looks, looked.phase), (Rules::default().failures, phase));
            // A second hint within the same moment is told from the first.
            assert_eq!(go(&hinted, &Event::Hint).0.next, Some(Instant(NOW.0 + 1)));
        }
        // Nobody was ever asked for it.
        let never = State { attempt: 0, next: None, ..state(phase) };
        assert_eq!(go(&never, &Event::Hint).0.next, None);
    }
}

#[test]
fn enough_failures_need_a_person() {
    let rules = Rules::default();
    for outcome in [Outcome::NotDone, Outcome::Unknown] {
        let mut now = NOW;
        let mut state = State::new(now);
        let mut raised = Vec::new();
        for _ in 0..200 {
            let Some(next) = state.next else { break };
            now = next;
            let attempt = state.attempt;
            let event = match state.phase {
                Phase::Calling => Event::CallFailed { attempt, fault: fault(outcome) },
                Phase::Unknown => Event::Nothing { attempt },
                _ => Event::Due,
            };
            let (next, actions) = step(&state, &event, now, 3, &rules).unwrap();
            raised.extend(actions.into_iter().filter(|action| matches!(action, Action::Raise(..))));
            state = next;
        }
        assert_eq!((state.phase, raised.len()), (Phase::Dead, 1), "{outcome:?}");
        assert_eq!(state.attempt, rules.failures);
        // A retry has all its tries again.
        let (state, _) = step(&state, &Event::Retry, now, 0, &rules).unwrap();
        assert_eq!(state.failures, 0);
    }
}

#[test]
fn what_is_followed_is_looked_at_less_and_less_and_not_for_ever() {
    let mut state = State { known: true, ..state(Phase::Following) };
    let mut looks = 0;
    while let Some(now) = state.next {
        let (due, actions) = step(&state, &Event::Due, now, 1, &Rules::default()).unwrap();
        assert_eq!(actions, [Action::Look]);
        state = step(&due, &Event::Told(Told::Going), now, 1, &Rules::default()).unwrap().0;
        looks += 1;
    }
    assert_eq!(state.phase, Phase::Dead);
    assert!((500..3_000).contains(&looks), "{looks}");
    let followed = State { known: true, next: Some(Instant(NOW.0 * 2)), ..self::state(Phase::Following) };
    assert_eq!(go(&followed, &Event::Hint).0.next, Some(NOW));
    let over = State { known: true, next: None, ..self::state(Phase::Done) };
    assert_eq!(go(&over, &Event::Hint).0.next, Some(NOW));
}

#[test]
fn where_that_they_have_it_is_enough_nobody_is_asked_when_they_say_no_more() {
    let rules = Rules::default();
    let following = State { known: true, enough: true, ..state(Phase::Following) };
    let late = Instant(NOW.0 + rules.follow_ms);
    let failed = Event::LookFailed { attempt: 1, fault: fault(Outcome::Unknown) };
    for event in [Event::Told(Told::Going), failed] {
        let early = step(&following, &event, Instant(late.0 - 1), 1, &rules).unwrap().0;
        assert_eq!(early.phase, Phase::Following, "{event:?}");
        let (over, actions) = step(&following, &event, late, 1, &rules).unwrap();
        assert_eq!((over.phase, over.next), (Phase::Done, None), "{event:?}");
        assert!(
            matches!(&actions[..], [Action::Close, Action::Note(code, _)] if code == NO_MORE),
            "{actions:?}"
        );
        let other = State { enough: false, ..following.clone() };
        assert_eq!(step(&other, &event, late, 1, &rules).unwrap().0.phase, Phase::Dead, "{event:?}");
    }
    // What nobody knows about is another matter.
    let unknown = State { failures: rules.failures, enough: true, ..state(Phase::Unknown) };
    let failed = Event::LookFailed { attempt: 1, fault: fault(Outcome::Unknown) };
    assert_eq!(step(&unknown, &failed, late, 1, &rules).unwrap().0.phase, Phase::Dead);
}

fn any_event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![Just(Outcome::Refused), Just(Outcome::NotDone), Just(Outcome::Unknown)];
    let told = prop_oneof![
        Just(Told::Going),
        Just(Told::Done),
        Just(Told::Refused("r".into(), "r".into())),
        Just(Told::Odd("o".into(), "o".into())),
    ];
    prop_oneof![
        4 => Just(Event::Due),
        2 => told.prop_map(Event::Told),
        2 => (0_i64..4, outcome.clone()).prop_map(|(attempt, outcome)| Event::CallFailed { attempt, fault: fault(outcome) }),
        2 => (0_i64..4, outcome).prop_map(|(attempt, outcome)| Event::LookFailed { attempt, fault: fault(outcome) }),
        2 => (0_i64..4).prop_map(|attempt| Event::Nothing { attempt }),
        1 => Just(Event::Restarted),
        1 => Just(Event::Hint),
        1 => Just(Event::Retry),
        1 => Just(Event::GiveUp { reason: "x".into() }),
    ]
}

proptest! {
    // Whatever comes in whatever order.
    #[test]
    fn nothing_is_asked_twice_without_a_look_up_or_a_certain_no(events in prop::collection::vec(any_event(), 1..60), dice: u64) {
        let rules = Rules { failures: 3, ..Rules::default() };
        let mut state = State::new(NOW);
        let mut now = NOW;
        // Whether a call may still be on its way, or have been done.
        let mut open = false;
        for event in events {
            now = Instant(now.0 + 1_000);
            let before = state.clone();
            let Ok((after, actions)) = step(&state, &event, now, dice, &rules) else { continue };
            match &event {
                Event::CallFailed { attempt, fault } if before.phase == Phase::Calling && *attempt == before.attempt => {
                    open = fault.outcome == Outcome::Unknown;
                }
                Event::Nothing { attempt } if before.phase == Phase::Unknown && *attempt == before.attempt => open = false,
                _ => {}
            }
            if actions.contains(&Action::Call) {
                prop_assert!(!open && before.phase == Phase::Waiting && after.phase == Phase::Calling);
                open = true;
            }
            prop_assert!(after.attempt == before.attempt + i64::from(actions.contains(&Action::Call)));
            // Whoever is neither over nor waiting for a person has a time at which something is done.
            if !after.is_over() && after.phase != Phase::Dead {
                prop_assert!(after.next.is_some(), "{event:?}: {before:?} -> {after:?}");
            }
            // What rests and is never heard of rests again: it is not asked after for ever.
            if after.is_over() || after.phase == Phase::Dead {
                let heard = matches!(event, Event::Nothing { .. } | Event::Told(_));
                prop_assert!(!heard || after.next.is_none());
            }
            // What is done stays done; what is over begins again never.
            if before.phase == Phase::Done { prop_assert_eq!(after.phase, Phase::Done); }
            if before.is_over() { prop_assert!(after.is_over()); }
            // Dead is told to a person, and taken back when it is left.
            if after.phase == Phase::Dead && before.phase != Phase::Dead {
                let raised = actions.iter().any(|action| matches!(action, Action::Raise(..)));
                prop_assert!(raised);
            }
            if before.phase == Phase::Dead && after.phase != Phase::Dead {
                prop_assert!(actions.contains(&Action::Settle));
            }
            state = after;
        }
    }
}
