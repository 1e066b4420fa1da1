//! Random lists: the diagram, its hole and its dead lines against reading from the top at every case there is.

use super::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use takst_dsl::calendar::{DayClasses, day};
use takst_dsl::cases::{Builder, FactIs, Want, Witness};
use takst_dsl::holidays::{YEARS, public_holidays};
use takst_engine::calendar::weekday;
use takst_engine::tariff::{CALENDAR, Contract, Node, NodeId, Place, Test};

/// Everything a condition can ask.
#[derive(Clone, Debug)]
struct Point {
    groups: u32,
    places: u32,
    dc: bool,
    connector: Option<&'static str>,
    rated: i64,
    contract: Contract,
    issuer: Option<&'static str>,
    brand: Option<&'static str>,
    expired: bool,
    plan: Option<&'static str>,
    month: i64,
    energy: i64,
    idle: i64,
    day: Day,
    minute: u16,
}

impl Point {
    fn test(&self, test: &Test, default: Option<u32>) -> bool {
        match test {
            Test::Group(it) => {
                self.groups >> it & 1 == 1 || (default == Some(*it) && self.groups & !(1 << it) == 0)
            }
            Test::Place(it) => self.places >> it & 1 == 1,
            Test::Dc => self.dc,
            Test::Connector(it) => self.connector == Some(it),
            Test::RatedAtLeast(it) => self.rated >= *it,
            Test::Contract(it) => self.contract == *it,
            Test::Issuer(it) => self.issuer == Some(it),
            Test::PaymentBrand(it) => self.brand == Some(it),
            Test::ReservationExpired => self.expired,
            Test::Plan(it) => self.plan == Some(it),
            Test::WholeMonthAtLeast { energy, .. } => self.month >= *energy,
        }
    }

    fn measure(&self, measure: Measure) -> i64 {
        if measure == ENERGY { self.energy } else { self.idle }
    }

    fn fits(&self, line: &Line, default: Option<u32>) -> bool {
        line.conds.iter().all(|cond| match cond {
            Cond::AnyFact(any) => any.iter().any(|it| {
                let roams =
                    !it.is || !matches!(it.test, Test::Issuer(_)) || self.contract == Contract::Roaming;
                roams && self.test(&it.test, default) == it.is
            }),
            Cond::Measure { measure, from, below } => {
                let now = self.measure(*measure);
                from.is_none_or(|it| it <= now) && below.is_none_or(|it| now < it)
            }
            Cond::When(calendar) => calendar.holds(self.day, self.minute),
            Cond::Never => false,
        })
    }
}

/// The leaf that the diagram gives.
fn walk(
    nodes: &[Node],
    tests: &[Test],
    measures: &[Measure],
    class: usize,
    root: NodeId,
    at: &Point,
    default: Option<u32>,
) -> Option<u32> {
    let mut id = root;
    loop {
        id = match &nodes[id as usize] {
            Node::Hole => return None,
            Node::Leaf(leaf) => return Some(*leaf),
            Node::Fact { test, yes, no } => {
                if at.test(&tests[*test as usize], default) {
                    *yes
                } else {
                    *no
                }
            }
            Node::Measure { measure, edges, children } => {
                let now = at.measure(measures[*measure as usize]);
                children[edges.partition_point(|edge| *edge <= now)]
            }
            Node::Days(children) => children[class],
            Node::Minutes { edges, children } => {
                children[edges.partition_point(|edge| *edge <= at.minute) - 1]
            }
        };
    }
}

struct Case {
    lines: Vec<Line>,
    groups: usize,
    default: Option<u32>,
    places: Vec<Place>,
    points: Vec<Point>,
}

/// A list over a few random axes, and one point for each case that it can tell apart.
fn random_case(dice: &mut Dice, holidays: &[Day], first: Day) -> Option<Case> {
    let uses: Vec<bool> = (0..11).map(|at| dice.one_in(if at == 10 { 2 } else { 4 })).collect();
    let groups = if uses[0] { 1 + dice.roll(3) as usize } else { 0 };
    let default = if groups > 0 && dice.one_in(2) { Some(dice.roll(groups as u64) as u32) } else { None };
    let edges = [0, 10, 20, 30].map(|it| it * 1_000_000_i64);
    let some = |dice: &mut Dice, which: usize| -> Option<FactIs> {
        let yes = |test| Some(FactIs { test, is: true });
        match which {
            0 if groups > 0 => yes(Test::Group(dice.roll(groups as u64) as u32)),
            1 => yes(Test::Place(dice.roll(3) as u32)),
            2 => Some(FactIs { test: Test::Dc, is: dice.one_in(2) }),
            3 => yes(Test::Connector((*dice.pick(&["ccs", "type2"])).into())),
            4 => Some(FactIs { test: Test::RatedAtLeast(*dice.pick(&edges)), is: dice.one_in(2) }),
            5 => yes(Test::Contract(*dice.pick(&[Contract::Direct, Contract::AdHoc, Contract::Roaming]))),
            6 => yes(Test::Issuer((*dice.pick(&["x", "y"])).into())),
            7 => yes(Test::PaymentBrand((*dice.pick(&["visa", "amex"])).into())),
            8 => yes(if dice.one_in(2) { Test::ReservationExpired } else { Test::Plan("monthly".into()) }),
            _ => None,
        }
    };
    let mut lines = Vec::new();
    let count = 1 + dice.roll(7);
    for leaf in 0..count {
        let mut conds = Vec::new();
        for (which, _) in uses.iter().enumerate().filter(|(_, used)| **used) {
            if !dice.one_in(2) {
                continue;
            }
            match which {
                9 => {
                    let (a, b) = (*dice.pick(&edges), *dice.pick(&edges));
                    conds.push(Cond::Measure {
                        measure: if dice.one_in(2) { ENERGY } else { IDLE },
                        from: (!dice.one_in(3)).then_some(a.min(b)),
                        below: (!dice.one_in(3)).then_some(a.max(b)),
                    });
                }
                10 => {
                    let x = random_window(dice, &[], true);
                    let windows = window(&at(x), &|_| None, holidays).ok();
                    let more = (0..dice.roll(2)).filter_map(|_| {
                        window(&at(random_window(dice, &[], false)), &|_| None, holidays).ok()
                    });
                    let more: Vec<Calendar> = more.collect();
                    conds.push(Cond::When(Calendar::union(windows.into_iter().chain(more))));
                    if dice.one_in(4) {
                        let on = date_of(CALENDAR.end - 1 - dice.roll(500) as i32);
                        let time = dice.one_in(2).then(|| chrono::NaiveTime::from_hms_opt(9, 0, 0).unwrap());
                        let when =
                            if dice.one_in(2) { Calendar::from(on, time) } else { Calendar::until(on, time) };
                        conds.push(Cond::When(when));
                    }
                }
                _ => {
                    let mut any: Vec<FactIs> = some(dice, which).into_iter().collect();
                    while dice.one_in(3) {
                        let other = if dice.one_in(2) { which } else { [2, 3, 5, 6][dice.roll(4) as usize] };
                        if uses[other] {
                            any.extend(some(dice, other));
                        }
                    }
                    conds.push(Cond::AnyFact(any));
                }
            }
        }
        if dice.one_in(4) {
            // The same kind of fact again, as in `at A at B`.
            let which = dice.roll(9) as usize;
            if uses[which] {
                conds.push(Cond::AnyFact(some(dice, which).into_iter().collect()));
            }
        }
        if dice.one_in(40) {
            conds.push(Cond::Never);
        }
        let leaf = if dice.one_in(5) { 0 } else { leaf as u32 };
        lines.push(Line { conds, leaf });
    }
    if dice.one_in(3) {
        lines.push(Line { conds: vec![], leaf: count as u32 });
    }
    let (places, together) = random_places(dice);
    let together = if uses[1] { together } else { vec![0] };
    let points = points(&lines, &uses, groups, &together, first)?;
    Some(Case { lines, groups, default, places, points })
}

/// Three places, and the sets of them that one charger can be in.
fn random_places(dice: &mut Dice) -> (Vec<Place>, Vec<u32>) {
    let place = |chargers: &[&str], sites: &[&str]| Place {
        name: "somewhere".into(),
        chargers: chargers.iter().map(|it| (*it).to_owned()).collect(),
        sites: sites.iter().map(|it| (*it).to_owned()).collect(),
    };
    let all = (0..8).collect();
    match dice.roll(5) {
        // Nothing is known.
        0 => (vec![], all),
        1 => (vec![place(&["a", "b"], &[]), place(&["c"], &[]), place(&["d"], &[])], vec![0, 1, 2, 4]),
        2 => (vec![place(&[], &["x"]), place(&[], &["y", "z"]), place(&[], &["z"])], vec![0, 1, 2, 4, 6]),
        3 => (vec![place(&["a"], &[]), place(&["b"], &[]), place(&["b", "a"], &[])], all),
        // A charger may stand at any site.
        _ => (vec![place(&["a"], &[]), place(&[], &["a"]), place(&["b"], &[])], all),
    }
}

fn points(lines: &[Line], uses: &[bool], groups: usize, together: &[u32], first: Day) -> Option<Vec<Point>> {
    let edges = [0, 10_000_000, 20_000_000, 30_000_000];
    let thresholds = |used: bool| if used { edges.to_vec() } else { vec![0] };
    let calendars: Vec<&Calendar> = lines
        .iter()
        .flat_map(|it| &it.conds)
        .filter_map(|it| if let Cond::When(it) = it { Some(it) } else { None })
        .collect();
    let mut minutes: BTreeSet<u16> = BTreeSet::from([0]);
    minutes.extend(calendars.iter().flat_map(|it| &it.rects).flat_map(|it| [it.from, it.to]));
    minutes.remove(&1440);
    let mut days: BTreeMap<Vec<bool>, Day> = BTreeMap::new();
    for on in first..CALENDAR.end {
        let signature = calendars.iter().flat_map(|it| &it.rects).map(|it| it.days.holds(on)).collect();
        days.entry(signature).or_insert(on);
    }
    let asked = |what: &dyn Fn(&Test) -> bool| {
        let tests = lines.iter().flat_map(|it| &it.conds).flat_map(|it| match it {
            Cond::AnyFact(any) => any.as_slice(),
            _ => &[],
        });
        tests.map(|it| &it.test).any(what)
    };
    let names = |used: bool, names: [&'static str; 2]| {
        if used { vec![None, Some(names[0]), Some(names[1])] } else { vec![None] }
    };
    let yes_no = |used: bool| if used { vec![false, true] } else { vec![false] };
    let contracts = if asked(&|it| matches!(it, Test::Contract(_) | Test::Issuer(_))) {
        vec![Contract::Direct, Contract::Roaming, Contract::AdHoc]
    } else {
        vec![Contract::Direct]
    };
    let mut all = vec![Point {
        groups: 0,
        places: 0,
        dc: false,
        connector: None,
        rated: 0,
        contract: Contract::Direct,
        issuer: None,
        brand: None,
        expired: false,
        plan: None,
        month: 0,
        energy: 0,
        idle: 0,
        day: 0,
        minute: 0,
    }];
    fn spread<T: Clone>(all: &mut Vec<Point>, values: &[T], set: impl Fn(&mut Point, T)) {
        if all.len() * values.len() > 12_000 {
            all.clear();
            return;
        }
        *all = all
            .iter()
            .flat_map(|it| {
                values.iter().map(|value| {
                    let mut it = it.clone();
                    set(&mut it, value.clone());
                    it
                })
            })
            .collect();
    }
    let masks = |bits: usize| (0..1_u32 << bits).collect::<Vec<u32>>();
    spread(&mut all, &masks(groups), |it, to| it.groups = to);
    spread(&mut all, together, |it, to| it.places = to);
    spread(&mut all, &yes_no(asked(&|it| *it == Test::Dc)), |it, to| it.dc = to);
    spread(&mut all, &names(asked(&|it| matches!(it, Test::Connector(_))), ["ccs", "type2"]), |it, to| {
        it.connector = to;
    });
    spread(&mut all, &thresholds(uses[4]), |it, to| it.rated = to);
    spread(&mut all, &contracts, |it, to| it.contract = to);
    spread(&mut all, &names(asked(&|it| matches!(it, Test::Issuer(_))), ["x", "y"]), |it, to| it.issuer = to);
    spread(&mut all, &names(uses[7], ["visa", "amex"]), |it, to| it.brand = to);
    spread(&mut all, &yes_no(uses[8]), |it, to| it.expired = to);
    spread(&mut all, &if uses[8] { vec![None, Some("monthly")] } else { vec![None] }, |it, to| it.plan = to);
    spread(&mut all, &thresholds(uses[9]), |it, to| it.energy = to);
    spread(&mut all, &thresholds(uses[9]), |it, to| it.idle = to);
    spread(&mut all, &days.into_values().collect::<Vec<_>>(), |it, to| it.day = to);
    spread(&mut all, &minutes.into_iter().collect::<Vec<_>>(), |it, to| it.minute = to);
    (!all.is_empty()).then_some(all)
}

fn matches_witness(at: &Point, witness: &Witness, default: Option<u32>) -> bool {
    witness.facts.iter().all(|(test, is)| at.test(test, default) == *is)
        && witness.measures.iter().all(|(measure, from, below)| {
            let now = at.measure(*measure);
            from.is_none_or(|it| it <= now) && below.is_none_or(|it| now < it)
        })
        && witness.minutes.is_none_or(|(from, to)| from <= at.minute && at.minute < to)
}

#[test]
fn diagrams_answer_like_the_list_read_from_the_top() {
    let holidays = public_holidays("NO", YEARS).unwrap();
    let mut dice = Dice(2025);
    let first = day(date("2098-09-01"));
    let (mut lists, mut holes, mut dead_lines, mut hidden_by_many, mut impossible) = (0, 0, 0, 0, 0);
    while lists < 3_500 {
        let Some(case) = random_case(&mut dice, &holidays, first) else { continue };
        lists += 1;
        let classes = DayClasses::new(calendars(&case.lines), Some(first), &holidays).unwrap();
        let days = classes.days.clone();
        let mut builder = Builder::new(case.groups, case.default, classes).with_places(&case.places);
        // A second list in the same table must not disturb the first.
        let otherwise = builder.diagram(&case.lines, Want::Otherwise(99)).unwrap();
        let diagram = builder.diagram(&case.lines, Want::Complete).unwrap();
        let (tests, measures, nodes) = builder.finish();
        check_table(&nodes, &days);

        let mut class_of_day: HashMap<Day, usize> = HashMap::new();
        let mut wins = vec![0; case.lines.len()];
        let mut hole = false;
        let mut fits: Vec<Vec<usize>> = vec![Vec::new(); case.lines.len()];
        for (number, at) in case.points.iter().enumerate() {
            let class = *class_of_day.entry(at.day).or_insert_with(|| class_of(&days, at.day));
            let fitting: Vec<usize> =
                (0..case.lines.len()).filter(|line| at.fits(&case.lines[*line], case.default)).collect();
            for line in &fitting {
                fits[*line].push(number);
            }
            let winner = fitting.first().copied();
            let leaf = winner.map(|line| case.lines[line].leaf);
            let find = |root| walk(&nodes, &tests, &measures, class, root, at, case.default);
            assert_eq!(find(diagram.root), leaf, "{:#?}\n{at:?}", case.lines);
            assert_eq!(find(otherwise.root), leaf.or(Some(99)), "{:#?}\n{at:?}", case.lines);
            match winner {
                Some(line) => wins[line] += 1,
                None => hole = true,
            }
        }

        assert_eq!(diagram.hole.is_some(), hole, "{:#?} {:?}", case.lines, diagram.hole);
        assert_eq!((otherwise.hole, &otherwise.dead), (None, &diagram.dead));
        if let Some(witness) = &diagram.hole {
            holes += 1;
            assert!(!witness.describe(&[], &[]).is_empty());
            check_witness(&case, witness, first);
        }

        let dead: Vec<usize> = diagram.dead.iter().map(|it| it.line).collect();
        let never: Vec<usize> = (0..case.lines.len()).filter(|line| wins[*line] == 0).collect();
        assert_eq!(dead, never, "{:#?}", case.lines);
        for it in &diagram.dead {
            dead_lines += 1;
            hidden_by_many += usize::from(it.hidden_by.len() > 1);
            impossible += usize::from(it.hidden_by.is_empty());
            let covers = |by: &[usize]| {
                fits[it.line].iter().all(|at| by.iter().any(|line| fits[*line].binary_search(at).is_ok()))
            };
            assert!(it.hidden_by.iter().all(|line| *line < it.line));
            assert!(covers(&it.hidden_by), "{it:?} {:#?}", case.lines);
            assert_eq!(it.hidden_by.is_empty(), fits[it.line].is_empty());
            for without in &it.hidden_by {
                let fewer: Vec<usize> = it.hidden_by.iter().copied().filter(|line| line != without).collect();
                assert!(!covers(&fewer) || fits[it.line].is_empty(), "{it:?} {:#?}", case.lines);
            }
        }
    }
    let figures =
        format!("{holes} holes, {dead_lines} dead, {hidden_by_many} by many, {impossible} impossible");
    assert!(holes > 500 && dead_lines > 500 && hidden_by_many > 20 && impossible > 100, "{figures}");
    assert!(holes < 3_000, "{figures}");
}

/// Every case that fits the witness is a hole, and there is one.
fn check_witness(case: &Case, witness: &Witness, first: Day) {
    let days: BTreeSet<Day> = match (witness.day, witness.weekdays) {
        (None, _) => case.points.iter().map(|it| it.day).collect(),
        (Some(day), 0) => [day].into(),
        (Some(_), mask) => {
            (first..CALENDAR.end).filter(|it| mask >> weekday(*it) & 1 == 1).step_by(3).collect()
        }
    };
    assert!(witness.day.is_none_or(|it| it >= first && days.contains(&it) || witness.weekdays != 0));
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut count = 0;
    for at in &case.points {
        if !matches_witness(at, witness, case.default) {
            continue;
        }
        let facts = format!("{:?}", Point { day: 0, ..at.clone() });
        if !seen.insert(facts) {
            continue;
        }
        for day in &days {
            count += 1;
            let at = Point { day: *day, ..at.clone() };
            let fits = case.lines.iter().any(|line| at.fits(line, case.default));
            assert!(!fits, "{witness:?} is no hole at {at:?}: {:#?}", case.lines);
        }
    }
    assert!(count > 0, "{witness:?} never happens: {:#?}", case.lines);
}

/// What the engine relies on.
fn check_table(nodes: &[Node], days: &Days) {
    for (id, node) in nodes.iter().enumerate() {
        let children: Vec<NodeId> = match node {
            Node::Hole | Node::Leaf(_) => vec![],
            Node::Fact { yes, no, .. } => vec![*yes, *no],
            Node::Measure { edges, children, .. } => {
                assert!(edges.is_sorted_by(|a, b| a < b) && edges.len() + 1 == children.len());
                children.clone()
            }
            Node::Days(children) => {
                assert_eq!(children.len(), days.classes.len());
                children.clone()
            }
            Node::Minutes { edges, children } => {
                assert!(edges.is_sorted_by(|a, b| a < b) && edges.len() == children.len());
                assert!(edges[0] == 0 && *edges.last().unwrap() < 1440);
                children.clone()
            }
        };
        assert!(children.iter().all(|child| (*child as usize) < id));
        assert!(children.is_empty() || children.iter().any(|child| *child != children[0]), "asks in vain");
        assert!(!nodes[..id].contains(node), "twice the same");
    }
}
