//! Lists whose holes, dead lines and sizes are known.

use super::*;
use takst_dsl::calendar::{DayClasses, day};
use takst_dsl::cases::{Builder, Diagram, FactIs, Want};
use takst_dsl::holidays::{YEARS, public_holidays};
use takst_engine::tariff::{CALENDAR, Contract, Place, Test};

fn facts(any: &[Test]) -> Cond {
    Cond::AnyFact(any.iter().map(|test| FactIs { test: test.clone(), is: true }).collect())
}

fn group(it: u32) -> Cond {
    facts(&[Test::Group(it)])
}

fn during(parts: Vec<WindowPart>) -> Cond {
    let holidays = public_holidays("NO", YEARS).unwrap();
    Cond::When(window(&at(w(parts)), &|_| None, &holidays).unwrap())
}

fn build(lines: &[Vec<Cond>], groups: usize, default: Option<u32>, from: &str) -> (Diagram, usize) {
    let lines: Vec<Line> =
        (0..).zip(lines).map(|(leaf, conds)| Line { conds: conds.clone(), leaf }).collect();
    let holidays = public_holidays("NO", YEARS).unwrap();
    let classes = DayClasses::new(calendars(&lines), Some(day(date(from))), &holidays).unwrap();
    let mut builder = Builder::new(groups, default, classes);
    let diagram = builder.diagram(&lines, Want::Complete).unwrap();
    (diagram, builder.finish().2.len())
}

fn hole(lines: &[Vec<Cond>], groups: &[&str], default: Option<u32>) -> String {
    let groups: Vec<String> = groups.iter().map(|it| (*it).to_owned()).collect();
    let (diagram, _) = build(lines, groups.len(), default, "2025-01-01");
    let places = ["inner-city".to_owned()];
    diagram.hole.map_or_else(|| "none".to_owned(), |it| it.describe(&groups, &places))
}

#[test]
fn holes_are_named_in_plain_words() {
    use WindowPart::{Hours, PublicHolidays, Weekdays};
    let hotel = ["company-cars", "employees", "guests"];
    // Guests pay Monday to Saturday, and on Sunday until 20:00.
    let mut lines = vec![
        vec![group(0)],
        vec![group(1)],
        vec![group(2), during(vec![Weekdays(0, 5)])],
        vec![group(2), during(vec![Weekdays(6, 6), Hours(0, 1200)])],
    ];
    assert_eq!(hole(&lines, &hotel, Some(2)), "for `guests` on Sunday 20:00-24:00");
    assert_eq!(hole(&lines, &hotel, None), "for drivers in no group");
    lines.push(vec![during(vec![Hours(1200, 1440)])]);
    assert_eq!(hole(&lines, &hotel, Some(2)), "none");
    assert_eq!(hole(&[vec![group(0)]], &hotel, Some(2)), "for `guests`");
    assert_eq!(hole(&[vec![group(2)]], &hotel, Some(2)), "for `company-cars`");
    assert_eq!(hole(&[vec![group(0)], vec![group(2)]], &hotel, Some(2)), "for `employees`");
    assert_eq!(hole(&[], &hotel, Some(2)), "in every case");

    let dc = |is| Cond::AnyFact(vec![FactIs { test: Test::Dc, is }]);
    let rated = |kw: i64, is| Cond::AnyFact(vec![FactIs { test: Test::RatedAtLeast(kw * 1_000_000), is }]);
    assert_eq!(hole(&[vec![dc(false)]], &[], None), "on DC");
    assert_eq!(hole(&[vec![rated(50, true)]], &[], None), "with less than 50 kW");
    assert_eq!(
        hole(&[vec![rated(50, true)], vec![rated(22, false)]], &[], None),
        "with 22 kW or more but less than 50 kW"
    );
    assert_eq!(hole(&[vec![rated(50, false)], vec![rated(22, true)]], &[], None), "none");
    let via = |it| facts(&[Test::Contract(it)]);
    assert_eq!(hole(&[vec![via(Contract::Direct)], vec![via(Contract::AdHoc)]], &[], None), "via roaming");
    let three = [vec![via(Contract::Direct)], vec![via(Contract::AdHoc)], vec![via(Contract::Roaming)]];
    assert_eq!(hole(&three, &[], None), "none");
    let issuer =
        facts(&[Test::Contract(Contract::AdHoc), Test::Contract(Contract::Direct), Test::Issuer("A".into())]);
    assert_eq!(hole(&[vec![issuer]], &[], None), "via roaming of an issuer other than `A`");
    assert_eq!(hole(&[vec![facts(&[Test::Place(0)])]], &[], None), "outside `inner-city`");
    assert_eq!(
        hole(&[vec![facts(&[Test::Connector("ccs".into())])]], &[], None),
        "on a connector other than `ccs`"
    );

    let energy = |from, below| Cond::Measure { measure: ENERGY, from, below };
    assert_eq!(hole(&[vec![energy(None, Some(20_000_000))]], &[], None), "beyond 20 kWh of energy");
    assert_eq!(hole(&[vec![energy(Some(20_500_000), None)]], &[], None), "up to 20.5 kWh of energy");
    let idle = Cond::Measure { measure: IDLE, from: None, below: Some(1_800_000) };
    assert_eq!(hole(&[vec![idle]], &[], None), "beyond 30 min of idle time per day per driver");

    // The holiday is the exception, and the day is named.
    let except = |x: Window, y: Window| {
        let holidays = public_holidays("NO", YEARS).unwrap();
        Cond::When(window(&at(self::except(x, y)), &|_| None, &holidays).unwrap())
    };
    let work = except(w(vec![Weekdays(0, 4)]), w(vec![PublicHolidays]));
    let weekend = during(vec![Weekdays(5, 6)]);
    assert_eq!(hole(&[vec![work], vec![weekend]], &[], None), "on public holiday Wednesday 2025-01-01");
    let weekdays = during(vec![Weekdays(0, 4)]);
    assert_eq!(hole(std::slice::from_ref(&vec![weekdays]), &[], None), "on Saturday and Sunday");
    let day = during(vec![Hours(360, 1320)]);
    assert_eq!(hole(&[vec![day]], &[], None), "between 00:00 and 06:00");
    let old = Cond::When(Calendar::until(date("2025-06-30"), None));
    assert_eq!(hole(&[vec![old]], &[], None), "on Tuesday 2025-07-01");
}

#[test]
fn dead_lines_name_what_hides_them() {
    use WindowPart::{Dates, Hours, Weekdays};
    let dead = |lines: &[Vec<Cond>], from: &str| -> Vec<(usize, Vec<usize>)> {
        let (diagram, _) = build(lines, 2, Some(1), from);
        diagram.dead.into_iter().map(|it| (it.line, it.hidden_by)).collect()
    };
    let otherwise = Vec::new();
    // 30 March 2025 is a Sunday.
    let sunday = vec![during(vec![Weekdays(6, 6)])];
    let date_of = |it: &str| Dates(date(it), date(it));
    let koop = vec![during(vec![date_of("2025-03-30")])];
    assert_eq!(dead(&[sunday.clone(), koop.clone(), otherwise.clone()], "2025-01-01"), [(1, vec![0])]);
    assert_eq!(dead(&[koop.clone(), sunday, otherwise.clone()], "2025-01-01"), []);
    // It is over before the tariff begins.
    assert_eq!(dead(&[koop, otherwise.clone()], "2025-03-31"), [(0, vec![])]);
    // Three together, one of which is needed twice.
    let am = vec![during(vec![Hours(0, 720)])];
    let pm = vec![during(vec![Hours(700, 1440)])];
    let vip = vec![group(0)];
    let lines = [vip.clone(), am, pm, vec![group(1)], otherwise.clone()];
    assert_eq!(dead(&lines, "2025-01-01"), [(3, vec![1, 2]), (4, vec![1, 2])]);
    assert_eq!(dead(&[vip.clone(), vec![group(1)], otherwise.clone()], "2025-01-01"), [(2, vec![0, 1])]);
    let twice = [vip, vec![group(0), during(vec![Hours(0, 720)])], otherwise];
    assert_eq!(dead(&twice, "2025-01-01"), [(1, vec![0])]);
    let both = vec![facts(&[Test::Connector("a".into())]), facts(&[Test::Connector("b".into())])];
    assert_eq!(dead(&[both, vec![]], "2025-01-01"), [(0, vec![])]);
}

#[test]
fn sixty_narrow_lines_stay_small() {
    let holidays = public_holidays("NO", YEARS).unwrap();
    let mut most = 0;
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let mut lines = Vec::new();
        for _ in 0..60 {
            let mut conds = vec![group(dice.roll(4) as u32)];
            if dice.one_in(2) {
                conds.push(Cond::AnyFact(vec![FactIs { test: Test::Dc, is: dice.one_in(2) }]));
            }
            if dice.one_in(3) {
                let from = dice.roll(5) as i64 * 10_000_000;
                conds.push(Cond::Measure {
                    measure: ENERGY,
                    from: Some(from),
                    below: Some(from + 15_000_000),
                });
            }
            let x = w(vec![random_days(&mut dice), random_hours(&mut dice)]);
            if let Ok(when) = window(&at(x), &|_| None, &holidays) {
                conds.push(Cond::When(when));
            }
            lines.push(conds);
        }
        lines.push(vec![]);
        let (_, nodes) = build(&lines, 5, Some(4), "2098-01-01");
        most = most.max(nodes);
    }
    assert!(most < 5_000, "{most} nodes");
}

#[test]
fn many_groups_stay_small() {
    use WindowPart::{Hours, Weekdays};
    // Each of 40 groups has five lines of its own; windows repeat, the order is by group or by window.
    let windows = [
        during(vec![Weekdays(0, 4), Hours(360, 600)]),
        during(vec![Weekdays(0, 4), Hours(900, 1140)]),
        during(vec![Weekdays(5, 6)]),
        during(vec![Hours(1320, 360)]),
    ];
    let (mut by_group, mut by_window) = (Vec::new(), Vec::new());
    for it in 0..40 {
        by_group.extend(windows.iter().map(|when| vec![group(it), when.clone()]));
        by_group.push(vec![group(it)]);
    }
    for when in &windows {
        by_window.extend((0..40).map(|it| vec![group(it), when.clone()]));
    }
    by_window.extend((0..39).map(|it| vec![group(it)]));
    by_window.push(vec![]);
    for lines in [by_group, by_window] {
        let (diagram, nodes) = build(&lines, 40, Some(39), "2025-01-01");
        assert!(diagram.hole.is_none() && diagram.dead.is_empty());
        assert!(nodes < 2_000, "{nodes} nodes");
    }
}

#[test]
fn places_without_a_common_charger_exclude_each_other() {
    use WindowPart::Hours;
    // Forty towns, each with its own hours: as many cases as towns, not as sets of towns.
    let places: Vec<Place> = (0..40)
        .map(|it| Place { name: format!("town-{it}"), chargers: vec![format!("SN-{it}")], sites: vec![] })
        .collect();
    let town = |it: u16, when: Cond| vec![facts(&[Test::Place(u32::from(it))]), when];
    let mut lines: Vec<Vec<Cond>> =
        (0..40).map(|it| town(it, during(vec![Hours(300 + 10 * it, 900 + 10 * it)]))).collect();
    lines.push(vec![]);
    let lines: Vec<Line> = (0..).zip(lines).map(|(leaf, conds)| Line { conds, leaf }).collect();
    let classes = DayClasses::new(calendars(&lines), None, &[]).unwrap();
    let mut apart = Builder::new(0, None, classes.clone()).with_places(&places);
    let diagram = apart.diagram(&lines, Want::Complete).unwrap();
    assert!(diagram.hole.is_none() && diagram.dead.is_empty());
    let nodes = apart.finish().2.len();
    assert!(nodes < 200, "{nodes} nodes");
    assert!(Builder::new(0, None, classes).diagram(&lines, Want::Complete).is_err());
}

#[test]
fn a_list_of_thousands_of_chargers_needs_no_deep_stack() {
    let mut lines: Vec<Vec<Cond>> = (0..4_000).map(|it| vec![facts(&[Test::Place(it)])]).collect();
    lines.push(vec![]);
    let (diagram, nodes) = build(&lines, 0, None, "2025-01-01");
    assert!(diagram.dead.is_empty() && nodes > 8_000);
}

#[test]
fn too_many_crossing_conditions_are_refused_in_time() {
    use WindowPart::Hours;
    // Forty groups whose windows all overlap differently: every set of groups has an answer of its own.
    let lines: Vec<Line> = (0..40_u16)
        .map(|it| Line {
            conds: vec![group(u32::from(it)), during(vec![Hours(it * 10, 1000 + it * 10 - it % 7)])],
            leaf: u32::from(it),
        })
        .collect();
    let classes = DayClasses::new(calendars(&lines), None, &[]).unwrap();
    let mut builder = Builder::new(41, Some(40), classes);
    assert!(builder.diagram(&lines, Want::Complete).is_err());
    // Dates by the thousand make too many kinds of days.
    let dates: Vec<Calendar> =
        (0..5_000).map(|it| Calendar::from(date_of(CALENDAR.start + 1 + it * 7), None)).collect();
    assert!(DayClasses::new(&dates, None, &[]).is_err());
    assert!(DayClasses::new(&dates[..2_000], None, &[]).is_ok());
}
