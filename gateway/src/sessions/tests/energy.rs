//! Registers of export, energy of intervals, and registers of one instant.

use super::*;

// Registers in Wh: of energy to the car and from it.
fn both_ways(minute: i64, import: i64, export: Option<i64>) -> Reading {
    Reading { export: export.map(|wh| Energy(wh * 1000)), ..reading(minute, import, Context::Periodic) }
}

fn fed(minute: i64, import: i64, export: Option<i64>) -> Kept {
    let mut report = report(TransactionPhase::Updated, minute);
    report.readings = vec![both_ways(minute, import, export)];
    kept(report)
}

fn ended(minute: i64, import: i64, export: Option<i64>) -> Kept {
    let mut report = report(TransactionPhase::Ended, minute);
    report.readings = vec![Reading { context: Context::End, ..both_ways(minute, import, export) }];
    kept(report)
}

fn interval(minute: i64, wh: i64, context: Context) -> Kept {
    let mut report = report(TransactionPhase::Updated, minute);
    let import_interval = Some(Energy(wh * 1000));
    report.readings = vec![Reading { import_interval, ..Reading::empty(time(minute), context) }];
    kept(report)
}

fn bare_start(minute: i64) -> Kept {
    let mut report = report(TransactionPhase::Started, minute);
    report.token = Some(Token::plain("CARD"));
    kept(report)
}

fn bare_stop(minute: i64) -> Kept {
    kept(report(TransactionPhase::Ended, minute))
}

fn energy(desk: &Desk) -> Option<i64> {
    desk.tracked.as_ref().unwrap().summary(&begin()).energy.map(|energy| energy.0 / 1000)
}

fn held(desk: &Desk) -> bool {
    desk.tracked.as_ref().unwrap().summary(&begin()).hold.is_some()
}

// What the rows come to: energy to the car and from it, in Wh.
fn flowed(desk: &Desk) -> (i64, i64) {
    let rows: Vec<_> = desk.readings.values().collect();
    let pairs = rows.windows(2).filter(|pair| pair[0].segment == pair[1].segment);
    pairs.fold((0, 0), |(import, export), pair| {
        let fed = |row: &store::Reading| row.exported.map(|energy| energy.0);
        let first = fed(pair[0]).or(fed(pair[1])).unwrap_or(0);
        let more = fed(pair[1]).unwrap_or(first) - first;
        assert!(more >= 0, "{pair:?}");
        (import + (pair[1].imported.0 - pair[0].imported.0) / 1000, export + more / 1000)
    })
}

// Whatever the order in which the facts come, the session is the same.
fn heard_anyhow(facts: &[Kept]) -> Desk {
    let desk = heard(&begin(), facts);
    for turn in 1..facts.len() {
        let mut turned = facts.to_vec();
        turned.rotate_left(turn);
        assert_eq!(heard(&begin(), &turned).session(&begin()), desk.session(&begin()), "{turn}");
    }
    let mut back = facts.to_vec();
    back.reverse();
    assert_eq!(heard(&begin(), &back).session(&begin()), desk.session(&begin()));
    sound(&desk, &begin());
    desk
}

#[test]
fn case_08_export_that_cannot_be_is_told_and_is_no_energy() {
    // From zero, beyond any battery, in another unit, and what fell: each beside 2 kWh that the car took.
    for (from, to, flag) in [
        (0, 9_000_000, "false-zero"),
        (1_000, 20_000_000, "register-jump"),
        (5_000, 5_100_000, "wrong-unit"),
        (5_000, 4_000, "register-fell"),
    ] {
        let between =
            [started(0, 1000), fed(0, 1000, Some(from)), fed(10, 2000, Some(to)), stopped(20, 3000)];
        let desk = heard_anyhow(&between);
        assert_eq!((energy(&desk), flowed(&desk)), (Some(2000), (2000, 0)), "{from} {to}");
        assert_eq!((desk.flags(&begin()), held(&desk)), (vec![flag], true), "{from} {to}");
        let at_the_end = [started(0, 1000), fed(0, 1000, Some(from)), ended(20, 3000, Some(to))];
        let desk = heard_anyhow(&at_the_end);
        assert_eq!((energy(&desk), flowed(&desk)), (Some(2000), (2000, 0)), "{from} {to}");
        assert_eq!(desk.flags(&begin()), [flag], "{from} {to}");
    }
    // More than the connector can carry, but a battery could: it counts as with energy to the car, and is looked at.
    let desk = heard_anyhow(&[
        started(0, 1000),
        fed(0, 1000, Some(1000)),
        fed(10, 2000, Some(101_000)),
        stopped(20, 3000),
    ]);
    assert_eq!(
        (flowed(&desk), desk.flags(&begin()), held(&desk)),
        ((2000, 100_000), vec!["register-jump"], true)
    );
}

#[test]
fn case_10_a_slip_of_the_export_costs_nothing() {
    for slip in [0, 99_999_999] {
        let facts = [
            started(0, 1000),
            fed(0, 1000, Some(700_000)),
            fed(10, 1500, Some(slip)),
            fed(20, 1500, Some(701_000)),
            stopped(30, 2000),
        ];
        let desk = heard_anyhow(&facts);
        assert_eq!((energy(&desk), flowed(&desk), held(&desk)), (Some(1000), (1000, 1000), true), "{slip}");
    }
}

#[test]
fn export_that_can_be_counts() {
    let facts =
        [started(0, 1000), fed(5, 1500, Some(900_000)), fed(15, 1500, Some(902_000)), stopped(20, 2000)];
    let desk = heard_anyhow(&facts);
    assert_eq!((energy(&desk), flowed(&desk)), (Some(1000), (1000, 2000)));
    assert!(desk.flags(&begin()).is_empty(), "{:?}", desk.flags(&begin()));
}

#[test]
fn intervals_do_not_count_beside_registers() {
    // A register each minute, and every quarter of an hour what flowed in it: a moment before, at and after a register.
    for shift in [-1, 0, 1] {
        let mut facts = vec![started(0, 1000)];
        for minute in 1..60 {
            let aligned = (minute - shift) % 15 == 0;
            facts.extend(aligned.then(|| interval(minute, 1500, Context::Clock)));
            facts.push(measured(minute, 1000 + minute * 100));
        }
        facts.push(stopped(60, 7000));
        let desk = heard_anyhow(&facts);
        assert_eq!((energy(&desk), flowed(&desk)), (Some(6000), (6000, 0)), "{shift}");
        assert!(desk.flags(&begin()).is_empty(), "{:?}", desk.flags(&begin()));
    }
    // An interval that comes first is given up when the first register comes.
    let facts =
        [started(0, 1000), interval(15, 1500, Context::Clock), measured(16, 2_400), stopped(60, 7000)];
    let desk = heard_anyhow(&facts);
    assert_eq!((energy(&desk), flowed(&desk), desk.rebuilds), (Some(6000), (6000, 0), 1));
    assert!(desk.flags(&begin()).is_empty(), "{:?}", desk.flags(&begin()));
    // After the last register, before a stop without one.
    let facts =
        [started(0, 1000), measured(50, 6000), interval(55, 1500, Context::Clock), ended(60, 7000, None)];
    assert_eq!(energy(&heard_anyhow(&facts)), Some(6000));
}

#[test]
fn intervals_alone_count_from_the_first_one_on() {
    let mut facts = vec![bare_start(0), shows(0, Availability::Charging)];
    facts.extend((1..=6).map(|turn| interval(turn * 10, 500, Context::Periodic)));
    facts.push(bare_stop(60));
    let desk = heard_anyhow(&facts);
    assert_eq!((energy(&desk), flowed(&desk)), (Some(3000), (3000, 0)));
    assert!(desk.flags(&begin()).is_empty(), "{:?}", desk.flags(&begin()));
    assert_eq!(desk.readings[&0].at, at(0), "what the first one tells of flowed since the start");
    // Those by the clock tell of the same energy once more.
    facts.insert(3, interval(15, 750, Context::Clock));
    facts.insert(2, interval(5, 9_000, Context::Clock));
    assert_eq!(energy(&heard_anyhow(&facts)), Some(3000));
    // What is dated before or at the start is nothing of the session's.
    facts.insert(1, interval(0, 7_000, Context::Periodic));
    assert_eq!(energy(&heard_anyhow(&facts)), Some(3000));
}

#[test]
fn intervals_between_the_registers_of_start_and_stop_tell_when_it_flowed() {
    let mut facts = vec![started(0, 1000)];
    facts
        .extend([(15, 3000), (30, 2500), (45, 100)].map(|(minute, wh)| interval(minute, wh, Context::Clock)));
    facts.push(stopped(60, 7000));
    let desk = heard_anyhow(&facts);
    let rows: Vec<i64> = desk.readings.values().map(|row| row.imported.0 / 1000).collect();
    assert_eq!((energy(&desk), rows), (Some(6000), vec![1000, 4000, 6500, 6600, 7000]));
    assert!(desk.flags(&begin()).is_empty(), "{:?}", desk.flags(&begin()));
    // They come to more than the registers: the registers count.
    facts.pop();
    facts.push(stopped(60, 6000));
    let desk = heard_anyhow(&facts);
    assert_eq!((energy(&desk), flowed(&desk)), (Some(5000), (5000, 0)));
    assert!(desk.flags(&begin()).is_empty(), "{:?}", desk.flags(&begin()));
    // A stop below the start is what it is.
    facts.pop();
    facts.push(stopped(60, 900));
    let desk = heard_anyhow(&facts);
    assert_eq!((energy(&desk), desk.flags(&begin())), (None, vec!["stop-below-start"]));
}

#[test]
fn start_and_stop_in_one_instant_each_have_their_register() {
    for wh in [1000, 1050] {
        let desk = heard_anyhow(&[started(0, 1000), stopped(0, wh)]);
        assert_eq!((energy(&desk), held(&desk), desk.readings.len()), (Some(wh - 1000), false, 2), "{wh}");
    }
    // A stop that tells its register twice does not tell that of the start.
    let mut twice = report(TransactionPhase::Ended, 0);
    twice.meter_stop = Some(Energy(1_000_000));
    twice.readings = vec![reading(0, 1000, Context::End)];
    let desk = heard_anyhow(&[bare_start(0), kept(twice)]);
    assert_eq!((energy(&desk), desk.flags(&begin())), (None, vec!["no-energy"]));
}

// Intervals and registers, in whatever mixture.
fn mixed() -> impl Strategy<Value = Vec<Kept>> {
    let step = (1_i64..20, 0_i64..3000, 0_u8..4, prop::option::of(0_i64..2_000));
    (any::<bool>(), any::<bool>(), 0_u8..16, prop::collection::vec(step, 1..8)).prop_map(
        |(begins, ends, kinds, steps)| {
            let (mut minute, mut import, mut export) = (0, 1000, 500_000);
            let mut facts = vec![if begins { started(0, import) } else { bare_start(0) }];
            for (pause, wh, kind, more) in steps {
                minute += pause;
                import += wh;
                export += more.unwrap_or(0);
                facts.push(match kind {
                    _ if kinds & (1 << kind) == 0 => interval(minute, wh, Context::Clock),
                    0 => interval(minute, wh, Context::Periodic),
                    1 => interval(minute, wh, Context::Trigger),
                    _ => fed(minute, import, more.map(|_| export)),
                });
            }
            facts.push(if ends { stopped(minute + 1, import) } else { bare_stop(minute + 1) });
            facts
        },
    )
}

proptest! {
    #[test]
    fn intervals_and_export_in_any_order_give_the_same_session(
        (facts, order) in mixed().prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle())),
    ) {
        let one = heard(&begin(), &facts);
        let other = heard(&begin(), &order);
        prop_assert_eq!(one.session(&begin()), other.session(&begin()));
        let exported = |desk: &Desk| desk.readings.values().map(|row| row.exported).collect::<Vec<_>>();
        prop_assert_eq!(exported(&one), exported(&other));
        flowed(&one);
        sound(&one, &begin());
    }
}

#[test]
fn what_is_counted_is_in_the_rows_also_when_two_registers_have_one_instant() {
    // The register falls, and in the same minute it shows something that cannot be.
    let slip = [
        started(0, 5_000),
        measured(10, 100),
        measured(10, 9_000_000),
        measured(20, 1_100),
        stopped(30, 2_100),
    ];
    let desk = heard_anyhow(&slip);
    assert_eq!((energy(&desk), flowed(&desk).0), (Some(2_000), 2_000));
    // It falls in the minute in which it was read, and goes on from there.
    let fell =
        [started(0, 5_000), measured(10, 6_000), measured(10, 6_500), measured(20, 7_000), fed(20, 50, None)];
    let rest = [measured(30, 1_050), stopped(40, 2_050)];
    let desk = heard_anyhow(&[&fell[..], &rest[..]].concat());
    assert_eq!(energy(&desk), Some(flowed(&desk).0));
}
