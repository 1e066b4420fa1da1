//! A case that no line answers, read off the finished diagram, and its words.

use super::facts::World;
use super::table::Table;
use crate::calendar::{DAY_MINUTES, DayClasses};
use takst_engine::calendar::{civil, weekday};
use takst_engine::tariff::{Contract, Measure, Node, NodeId, Span, Test, Time, Who};
use takst_engine::units::{Day, Energy, MINUTE_MS};

/// A case: what is not said does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Witness {
    /// Answers to tests.
    pub facts: Vec<(Test, bool)>,
    /// Measures from (included) and below (excluded).
    pub measures: Vec<(Measure, Option<i64>, Option<i64>)>,
    /// A local day.
    pub day: Option<Day>,
    /// Minutes of the day, from and to (excluded).
    pub minutes: Option<(u16, u16)>,
    /// All days of these weekdays are like that day (bit 0 = Monday); 0 when it takes more to tell.
    pub weekdays: u8,
    /// The day is a public holiday, and the tariff asks for that.
    pub holiday: bool,
}

/// The first hole of a diagram; the one for the fewest groups where groups matter.
pub(super) fn read(table: &Table, root: NodeId, classes: &DayClasses, world: &World) -> Option<Witness> {
    let mut found = Witness::default();
    let mut at = root;
    if !table.reaches_hole(root) {
        return None;
    }
    loop {
        at = match table.node(at)? {
            Node::Hole => break,
            Node::Leaf(_) => return None,
            Node::Fact { test, yes, no } => {
                let is = !table.reaches_hole(*no);
                found.facts.push((table.test(*test)?.clone(), is));
                if is { *yes } else { *no }
            }
            Node::Measure { measure, edges, children } => {
                let place = children.iter().position(|child| table.reaches_hole(*child))?;
                let from = place.checked_sub(1).and_then(|place| edges.get(place)).copied();
                found.measures.push((*table.measure(*measure)?, from, edges.get(place).copied()));
                *children.get(place)?
            }
            Node::Days(children) => found.choose_day(table, children, classes)?,
            Node::Minutes { edges, children } => {
                let place = children.iter().position(|child| table.reaches_hole(*child))?;
                let to = edges.get(place + 1).copied().unwrap_or(DAY_MINUTES);
                found.minutes = Some((*edges.get(place)?, to));
                *children.get(place)?
            }
        }
    }
    found.name_a_group(world.groups, world.default_group);
    found.name_a_contract();
    Some(found)
}

impl Witness {
    /// A whole weekday if there is one, else the first day.
    fn choose_day(&mut self, table: &Table, children: &[NodeId], classes: &DayClasses) -> Option<NodeId> {
        let of_class = || classes.examples.iter().zip(children);
        let example = |on: usize, only: bool| {
            let holes = of_class().filter(move |(_, child)| !only || table.reaches_hole(**child));
            holes.filter_map(move |(days, child)| Some((days.get(on).copied().flatten()?, *child)))
        };
        let on_whole = (0..7).find(|on| {
            example(*on, false).next().is_some()
                && example(*on, false).all(|(_, child)| table.reaches_hole(child))
        });
        let (day, child) = match on_whole {
            Some(on) => example(on, true).min()?,
            None => (0..7).flat_map(|on| example(on, true)).min()?,
        };
        self.day = Some(day);
        self.holiday = classes.is_holiday(day);
        let minutes = holes_of(table, child).next()?;
        let alike = |on: &usize| {
            example(*on, false).next().is_some()
                && example(*on, false)
                    .all(|(_, child)| holes_of(table, child).any(|it| it.0 <= minutes.0 && minutes.1 <= it.1))
        };
        let weekdays = (0..7_usize).filter(alike).fold(0_u8, |mask, on| mask | 1 << on);
        if weekdays >> weekday(day) & 1 == 1 {
            self.weekdays = weekdays;
        }
        Some(child)
    }

    /// Says in which group the driver is, when only groups are known in which he is not.
    fn name_a_group(&mut self, groups: usize, default_group: Option<u32>) {
        let known: Vec<(u32, bool)> = self
            .facts
            .iter()
            .filter_map(|(test, is)| if let Test::Group(group) = test { Some((*group, *is)) } else { None })
            .collect();
        if known.is_empty() || known.iter().any(|(_, is)| *is) {
            return;
        }
        let Some(default) = default_group else { return };
        let unknown = |group: &u32| !known.iter().any(|(it, _)| it == group);
        let every = 0..u32::try_from(groups).unwrap_or(u32::MAX);
        let group = Some(default).into_iter().chain(every).find(unknown);
        self.facts.extend(group.map(|group| (Test::Group(group), true)));
    }

    /// The same for the contract, which every session has.
    fn name_a_contract(&mut self) {
        let known: Vec<(Contract, bool)> = self
            .facts
            .iter()
            .filter_map(|(test, is)| if let Test::Contract(it) = test { Some((*it, *is)) } else { None })
            .collect();
        if known.is_empty() || known.iter().any(|(_, is)| *is) {
            return;
        }
        let unknown = |it: &Contract| !known.iter().any(|(known, _)| known == it);
        let contract = [Contract::Direct, Contract::AdHoc, Contract::Roaming].into_iter().find(unknown);
        self.facts.extend(contract.map(|it| (Test::Contract(it), true)));
    }

    /// The case in plain words, as in "for `guests` on Sunday 20:00-24:00".
    #[must_use]
    pub fn describe(&self, groups: &[String], places: &[String]) -> String {
        let mut words = Vec::new();
        self.say_group(groups, &mut words);
        self.say_place(places, &mut words);
        self.say_charger(&mut words);
        self.say_customer(&mut words);
        self.say_month(&mut words);
        words.extend(self.measures.iter().map(|(measure, from, below)| measured(*measure, *from, *below)));
        self.say_time(&mut words);
        if words.is_empty() { "in every case".to_owned() } else { words.join(" ") }
    }

    /// What `pick` picks from the tests that hold and from those that do not.
    fn split<'a, T>(&'a self, pick: impl Fn(&'a Test) -> Option<T>) -> (Vec<T>, Vec<T>) {
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for (test, is) in &self.facts {
            if let Some(it) = pick(test) {
                if *is { yes.push(it) } else { no.push(it) }
            }
        }
        (yes, no)
    }

    fn say_group(&self, groups: &[String], words: &mut Vec<String>) {
        let (yes, no) = self.split(|test| if let Test::Group(it) = test { Some(*it) } else { None });
        let name =
            |id: &u32| quoted(usize::try_from(*id).ok().and_then(|id| groups.get(id)), "another group");
        if !yes.is_empty() {
            words.push(format!("for {}", listed(yes.iter().map(name), "and")));
        } else if !no.is_empty() {
            words.push("for drivers in no group".to_owned());
        }
    }

    fn say_place(&self, places: &[String], words: &mut Vec<String>) {
        let (yes, no) = self.split(|test| if let Test::Place(it) = test { Some(*it) } else { None });
        let name =
            |id: &u32| quoted(usize::try_from(*id).ok().and_then(|id| places.get(id)), "another place");
        if !yes.is_empty() {
            words.push(format!("at {}", listed(yes.iter().map(name), "and")));
        } else if !no.is_empty() {
            words.push(format!("outside {}", listed(no.iter().map(name), "and")));
        }
    }

    fn say_charger(&self, words: &mut Vec<String>) {
        for (test, is) in &self.facts {
            if *test == Test::Dc {
                words.push(if *is { "on DC" } else { "on AC" }.to_owned());
            }
        }
        let (yes, no) = self.split(|test| if let Test::Connector(it) = test { Some(it) } else { None });
        words.extend(one_of("on", "a connector other than", &yes, &no));
        let (yes, no) = self.split(|test| if let Test::RatedAtLeast(it) = test { Some(*it) } else { None });
        if let Some(range) = bounds(yes, no, "kW") {
            words.push(format!("with {range}"));
        }
    }

    fn say_customer(&self, words: &mut Vec<String>) {
        let (yes, _) = self.split(|test| if let Test::Contract(it) = test { Some(*it) } else { None });
        words.extend(yes.first().map(|it| {
            match it {
                Contract::Direct => "via contract",
                Contract::Roaming => "via roaming",
                Contract::AdHoc => "via ad-hoc",
            }
            .to_owned()
        }));
        let (yes, no) = self.split(|test| if let Test::Issuer(it) = test { Some(it) } else { None });
        words.extend(one_of("of", "an issuer other than", &yes, &no));
        let (yes, no) = self.split(|test| if let Test::PaymentBrand(it) = test { Some(it) } else { None });
        words.extend(one_of("paid with", "a card other than", &yes, &no));
        for (test, is) in &self.facts {
            if *test == Test::ReservationExpired {
                words.push(if *is { "when expired" } else { "when not expired" }.to_owned());
            }
        }
        let (yes, no) = self.split(|test| if let Test::Plan(it) = test { Some(it) } else { None });
        words.extend(
            one_of("with plan", "a plan other than", &yes, &no).map(|it| it.replace("plan a plan", "a plan")),
        );
    }

    fn say_month(&self, words: &mut Vec<String>) {
        for (asked, per) in [(Who::Session, ""), (Who::Driver, " per driver"), (Who::Site, " per site")] {
            let (yes, no) = self.split(|test| match test {
                Test::WholeMonthAtLeast { who, energy } if *who == asked => Some(*energy),
                _ => None,
            });
            if let Some(range) = bounds(yes, no, "kWh") {
                words.push(format!("in a month with {range}{per}"));
            }
        }
    }

    fn say_time(&self, words: &mut Vec<String>) {
        let day = self.day.map(|day| match self.weekdays {
            0 => {
                let (year, month, of_month) = civil(day);
                let holiday = if self.holiday { "public holiday " } else { "" };
                format!("on {holiday}{} {year:04}-{month:02}-{of_month:02}", weekday_name(weekday(day)))
            }
            mask => weekday_names(mask),
        });
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        match (day, self.minutes) {
            (Some(day), Some((from, to))) => words.push(format!("{day} {}-{}", clock(from), clock(to))),
            (Some(day), None) => words.push(day),
            (None, Some((from, to))) => words.push(format!("between {} and {}", clock(from), clock(to))),
            (None, None) => {}
        }
    }
}

/// The minutes of a day that end in a hole.
fn holes_of(table: &Table, node: NodeId) -> impl Iterator<Item = (u16, u16)> {
    let pieces: Vec<(u16, u16)> = match table.node(node) {
        Some(Node::Hole) => vec![(0, DAY_MINUTES)],
        Some(Node::Minutes { edges, children }) => {
            let ends = edges.iter().skip(1).copied().chain([DAY_MINUTES]);
            let pieces = edges.iter().copied().zip(ends).zip(children);
            pieces.filter(|(_, child)| table.reaches_hole(**child)).map(|(it, _)| it).collect()
        }
        _ => Vec::new(),
    };
    pieces.into_iter()
}

fn quoted(name: Option<&String>, unknown: &str) -> String {
    name.map_or_else(|| unknown.to_owned(), |name| format!("`{name}`"))
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: impl Iterator<Item = String>, and: &str) -> String {
    let mut names: Vec<String> = names.collect();
    match names.pop() {
        None => String::new(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} {and} {last}", names.join(", ")),
    }
}

fn one_of(word: &str, other: &str, yes: &[&String], no: &[&String]) -> Option<String> {
    let name = |it: &&String| format!("`{it}`");
    if !yes.is_empty() {
        return Some(format!("{word} {}", listed(yes.iter().map(name), "and")));
    }
    (!no.is_empty()).then(|| format!("{word} {other} {}", listed(no.iter().map(name), "and")))
}

/// Thresholds reached and not reached, in millionths of a unit.
fn bounds(reached: Vec<i64>, not: Vec<i64>, unit: &str) -> Option<String> {
    range(reached.into_iter().max(), not.into_iter().min(), unit)
}

fn range(from: Option<i64>, below: Option<i64>, unit: &str) -> Option<String> {
    let text = |it: i64| format!("{} {unit}", millionths(it));
    match (from, below) {
        (Some(from), Some(below)) => Some(format!("{} or more but less than {}", text(from), text(below))),
        (Some(from), None) => Some(format!("{} or more", text(from))),
        (None, Some(below)) => Some(format!("less than {}", text(below))),
        (None, None) => None,
    }
}

fn millionths(it: i64) -> String {
    Energy(it).kwh().to_string()
}

fn measured(measure: Measure, from: Option<i64>, below: Option<i64>) -> String {
    let so_far = |text: &dyn Fn(i64) -> String, of: &str| match (from, below) {
        (Some(from), Some(below)) => format!("between {} and {}{of}", text(from), text(below)),
        (Some(from), None) => format!("beyond {}{of}", text(from)),
        (None, below) => format!("up to {}{of}", below.map(text).unwrap_or_default()),
    };
    match measure {
        Measure::Energy { span, who } => {
            let of = if span == Span::Session { " of energy" } else { "" };
            so_far(&|it| format!("{} kWh", millionths(it)), &format!("{of}{}", counted(span, who)))
        }
        Measure::Time { time, span, who } => {
            let of = match time {
                Time::Connected => "connected time",
                Time::Charging => "charging time",
                Time::Parking | Time::ParkingInARow => "parking time",
                Time::Idle | Time::IdleInARow => "idle time",
            };
            let row = if matches!(time, Time::IdleInARow | Time::ParkingInARow) { " in a row" } else { "" };
            let text = |it: i64| match it % MINUTE_MS {
                0 => format!("{} min", it / MINUTE_MS),
                _ => format!("{it} ms"),
            };
            so_far(&text, &format!(" of {of}{row}{}", counted(span, who)))
        }
        Measure::Power => format!("while drawing {}", range(from, below, "kW").unwrap_or_default()),
        Measure::Current => format!("while drawing {}", range(from, below, "A").unwrap_or_default()),
        Measure::Occupancy => {
            let percent = |it: i64| format!("{}%", millionths(it.saturating_mul(100)));
            match (from, below) {
                (Some(from), Some(below)) => {
                    format!("while site {} to less than {} occupied", percent(from), percent(below))
                }
                (Some(from), None) => format!("while site {} occupied or more", percent(from)),
                (None, below) => {
                    format!("while site less than {} occupied", below.map(percent).unwrap_or_default())
                }
            }
        }
    }
}

fn counted(span: Span, who: Who) -> String {
    let span = match span {
        Span::Session => "",
        Span::Day => " per day",
        Span::Month => " per month",
        Span::Bill => " per bill",
    };
    let who = match who {
        Who::Session => "",
        Who::Driver => " per driver",
        Who::Site => " per site",
    };
    format!("{span}{who}")
}

fn weekday_name(at: u8) -> &'static str {
    const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    NAMES.get(usize::from(at)).copied().unwrap_or("day")
}

/// `on Sunday`, `on Saturday and Sunday`, `from Monday to Friday`.
fn weekday_names(mask: u8) -> String {
    let days: Vec<u8> = (0..7).filter(|at| mask >> at & 1 == 1).collect();
    match days.as_slice() {
        [first, .., last] if days.len() > 2 && usize::from(last - first) + 1 == days.len() => {
            format!("from {} to {}", weekday_name(*first), weekday_name(*last))
        }
        _ => format!("on {}", listed(days.iter().map(|at| weekday_name(*at).to_owned()), "and")),
    }
}
