//! Conditions to what the decision diagrams test.

use super::Lowering;
use super::context::Use;
use crate::ast::{self, At, Clause, Every, MeasureWord, Name, Unit, Via, Window, WindowPart};
use crate::calendar::{Calendar, Windows, Wrong, window};
use crate::cases::{Cond, FactIs};
use crate::resolve::head::outside;
use crate::resolve::names::{KnownPeriod, Sort};
use crate::resolve::report::{Place, error};
use crate::resolve::zone;
use crate::units::{self, Counted};
use chrono::{NaiveDate, NaiveTime};
use std::collections::HashMap;
use takst_engine::tariff::{Contract, Measure, Span, Test, Time, Who};

/// The compiled word for whose counter.
pub(super) fn who(who: ast::Who) -> Who {
    match who {
        ast::Who::Driver => Who::Driver,
        ast::Who::Site => Who::Site,
    }
}

fn yes(tests: impl IntoIterator<Item = Test>) -> Cond {
    Cond::AnyFact(tests.into_iter().map(|test| FactIs { test, is: true }).collect())
}

impl<'a> Lowering<'a> {
    /// All conditions of a line; `None` when one of them is wrong, and reported.
    pub(super) fn clauses(&mut self, clauses: &[At<Clause>], source: u32) -> Option<Vec<Cond>> {
        let mut conds = Vec::new();
        let mut wrong = false;
        for clause in clauses {
            let at = Place { source, span: clause.span };
            match self.clause(&clause.it, at) {
                Some(more) => conds.extend(more),
                None => wrong = true,
            }
        }
        (!wrong).then_some(conds)
    }

    fn clause(&mut self, clause: &Clause, at: Place) -> Option<Vec<Cond>> {
        let one = |cond| Some(vec![cond]);
        match clause {
            Clause::For(names) => self.groups(names, at.source),
            Clause::On(plugs) => {
                self.depends(Use::Fact, at);
                if plugs.iter().filter(|plug| self.mistaken_plug(plug, at.source)).count() > 0 {
                    return None;
                }
                plugs.iter().for_each(|plug| self.unknown_plug(plug, at.source));
                let facts = plugs.iter().map(|plug| match plug.it.to_uppercase().as_str() {
                    "AC" => FactIs { test: Test::Dc, is: false },
                    "DC" => FactIs { test: Test::Dc, is: true },
                    _ => FactIs { test: Test::Connector(plug.it.to_lowercase()), is: true },
                });
                one(Cond::AnyFact(facts.collect()))
            }
            Clause::At(names) => self.places(names, at.source),
            Clause::Rated { power, or_more } => {
                self.depends(Use::Fact, at);
                let (_, power) = self.counted(power, at.source, &[Counted::Power])?;
                one(Cond::AnyFact(vec![FactIs { test: Test::RatedAtLeast(power), is: *or_more }]))
            }
            Clause::Via(ways) => {
                self.depends(Use::Fact, at);
                Some(via(ways))
            }
            Clause::PaidWith(brands) => {
                self.depends(Use::Fact, at);
                one(yes(brands.iter().map(|brand| Test::PaymentBrand(brand.it.clone()))))
            }
            Clause::During(windows) => {
                let known = self.windows(windows, at.source)?;
                self.depends(if known.months_only { Use::Months } else { Use::Window }, at);
                one(Cond::When(known.windows.calendar()))
            }
            Clause::From(date, time) => self.date(date, time.as_ref(), at.source, Calendar::from),
            Clause::Until(date, time) => self.date(date, time.as_ref(), at.source, Calendar::until),
            Clause::SoFar { quantity, .. } if matches!(quantity.it.unit, Unit::Kw | Unit::Ampere) => {
                let power = self.text(Place { source: at.source, span: quantity.span });
                let message = format!("`{power}` is drawn, not used up");
                let found = error("E210", Place { source: at.source, span: quantity.span }, message);
                self.out.push(found.help(format!("write `below {power}` or `{power} or more`")));
                None
            }
            Clause::SoFar { beyond, quantity, of, per, who } => {
                self.depends(Use::SoFar, at);
                let (measure, amount) = self.so_far(quantity, of.as_ref(), per.as_ref(), who.as_ref(), at)?;
                let (from, below) = if *beyond { (Some(amount), None) } else { (None, Some(amount)) };
                one(Cond::Measure { measure, from, below })
            }
            Clause::WholeMonth { quantity, who: whose } => {
                self.depends(Use::WholeMonth, at);
                let (_, energy) = self.counted(quantity, at.source, &[Counted::Energy])?;
                one(yes([Test::WholeMonthAtLeast { who: who(whose.it), energy }]))
            }
            Clause::Drawn { quantity, or_more } => {
                let power = quantity.it.unit != Unit::Ampere;
                self.depends(if power { Use::Power } else { Use::Now }, at);
                let (counted, amount) =
                    self.counted(quantity, at.source, &[Counted::Power, Counted::Current])?;
                let measure = if counted == Counted::Power { Measure::Power } else { Measure::Current };
                one(threshold(measure, amount, *or_more))
            }
            Clause::Occupied { percent, or_more } => {
                self.depends(Use::Now, at);
                let share = units::mul(percent.it, rust_decimal::Decimal::new(1, 2));
                let share = share
                    .and_then(takst_engine::units::micro)
                    .filter(|share| (1..=1_000_000).contains(share));
                let Some(share) = share else {
                    let at = Place { source: at.source, span: percent.span };
                    self.out.push(
                        error("E210", at, "this share is out of range")
                            .help("write more than 0% and at most 100%"),
                    );
                    return None;
                };
                one(threshold(Measure::Occupancy, share, *or_more))
            }
            Clause::Steps(_) => {
                self.depends(Use::Steps, at);
                Some(Vec::new())
            }
            Clause::WhenExpired => {
                self.depends(Use::Expired, at);
                one(yes([Test::ReservationExpired]))
            }
            Clause::Plan(name) => {
                self.depends(Use::Plan, at);
                one(yes([Test::Plan(name.it.clone())]))
            }
            // Read by rebates themselves; elsewhere refused as out of place.
            Clause::NotWithCoupon | Clause::TimesPerDriver(_) => {
                self.depends(Use::RebateOnly, at);
                Some(Vec::new())
            }
            Clause::Otherwise => Some(Vec::new()),
        }
    }

    /// Reports a word after `on` that is the name of something else: as a connector type it would never fit.
    fn mistaken_plug(&mut self, plug: &Name, source: u32) -> bool {
        let word = plug.it.as_str();
        let (what, instead) = match word.to_lowercase().as_str() {
            "weekend" | "weekends" => ("a time", "during Sat-Sun".to_owned()),
            "weekday" | "weekdays" | "workday" | "workdays" => ("a time", "during Mon-Fri".to_owned()),
            "holiday" | "holidays" => ("a time", "during public holidays".to_owned()),
            _ if self.names.periods.contains_key(word) => ("a period", format!("during {word}")),
            _ if self.names.places.iter().any(|place| place.name == word) => {
                ("a place", format!("at {word}"))
            }
            _ if self.names.groups.iter().any(|group| group == word) => ("a group", format!("for {word}")),
            _ => return false,
        };
        let message = format!("`{word}` is {what}; `on` is for plugs, as in `on AC` and `on CCS`");
        let found = error("E305", Place { source, span: plug.span }, message);
        self.out.push(found.help(format!("write `{instead}`")));
        true
    }

    fn groups(&mut self, names: &[Name], source: u32) -> Option<Vec<Cond>> {
        let mut tests = Vec::new();
        for name in names {
            match self.names.group(&name.it) {
                Some(group) => tests.push(Test::Group(group)),
                None => self.unknown_group(name, source),
            }
        }
        (tests.len() == names.len()).then(|| vec![yes(tests)])
    }

    /// Reports a group that is not declared.
    pub(super) fn unknown_group(&mut self, name: &Name, source: u32) {
        let at = Place { source, span: name.span };
        let diagnostic = error("E101", at, format!("there is no group `{}`", name.it));
        if matches!(name.it.as_str(), "everyone" | "everybody" | "all" | "others" | "anyone") {
            let help = "a price for everybody has no `for`; as the last line it may end in `otherwise`";
            self.out.push(diagnostic.help(help));
            return;
        }
        self.unknown(diagnostic, "groups", &name.it, name.span, |names| {
            names.groups.iter().map(String::as_str).collect()
        });
    }

    fn places(&mut self, names: &[Name], source: u32) -> Option<Vec<Cond>> {
        let mut tests = Vec::new();
        for name in names {
            if let Some(place) = self.names.place(&name.it) {
                tests.push(Test::Place(place));
                continue;
            }
            let at = Place { source, span: name.span };
            let diagnostic = error("E104", at, format!("there is no place `{}`", name.it));
            if let Some(during) = self.time_word(&name.it) {
                let help = format!("`at` is for places; for a time write `during {during}`");
                self.out.push(diagnostic.help(help));
                continue;
            }
            self.unknown(diagnostic, "places", &name.it, name.span, |names| {
                names.places.iter().map(|place| place.name.as_str()).collect()
            });
        }
        (tests.len() == names.len()).then(|| vec![yes(tests)])
    }

    fn date(
        &mut self,
        date: &At<NaiveDate>,
        time: Option<&At<NaiveTime>>,
        source: u32,
        calendar: fn(NaiveDate, Option<NaiveTime>) -> Calendar,
    ) -> Option<Vec<Cond>> {
        if zone::day(date.it).is_none() {
            self.out.push(outside(Place { source, span: date.span }));
            return None;
        }
        Some(vec![Cond::When(calendar(date.it, time.map(|time| time.it)))])
    }

    fn so_far(
        &mut self,
        quantity: &At<ast::Quantity>,
        of: Option<&At<MeasureWord>>,
        per: Option<&At<Every>>,
        whose: Option<&At<ast::Who>>,
        at: Place,
    ) -> Option<(Measure, i64)> {
        let wanted: &[Counted] = match of.map(|of| of.it) {
            None => &[Counted::Energy, Counted::Time],
            Some(MeasureWord::Energy) => &[Counted::Energy],
            Some(_) => &[Counted::Time],
        };
        let (counted, amount) = self.counted(quantity, at.source, wanted)?;
        let span = match per.map(|per| per.it) {
            None => Span::Session,
            Some(Every::Day) => Span::Day,
            Some(Every::Month) => Span::Month,
        };
        let who = whose.map_or(Who::Session, |whose| who(whose.it));
        if span == Span::Session
            && let Some(whose) = whose
        {
            let at = Place { source: at.source, span: whose.span };
            self.out.push(
                error("E305", at, "a counter over several sessions needs to start again some time")
                    .help("write `per day` or `per month` before it"),
            );
            return None;
        }
        let time = match of.map(|of| of.it) {
            None if counted == Counted::Time => {
                let text = self.text(Place { source: at.source, span: quantity.span });
                self.out.push(
                    error("E210", at, "minutes of what?")
                        .help(format!("write which time counts, as in `{text} of connected time`")),
                );
                return None;
            }
            None | Some(MeasureWord::Energy) => return Some((Measure::Energy { span, who }, amount)),
            Some(MeasureWord::ConnectedTime) => Time::Connected,
            Some(MeasureWord::ChargingTime) => Time::Charging,
            Some(MeasureWord::ParkingTime) => Time::Parking,
            Some(MeasureWord::IdleTime) => Time::Idle,
        };
        Some((Measure::Time { time, span, who }, amount))
    }

    /// The minutes of any of these windows.
    pub(super) fn windows(&mut self, windows: &[At<Window>], source: u32) -> Option<KnownPeriod> {
        self.days_or_hours(windows, source);
        let mut all = Vec::new();
        let mut months_only = true;
        let mut wrong = false;
        for written in windows {
            let mut names = Vec::new();
            months_only &= self.only_months(&written.it, &mut names);
            for (name, span) in names {
                self.names.uses(Sort::Period, name);
                match self.names.periods.get(name) {
                    Some(Some(period)) => months_only &= period.months_only,
                    // Wrong itself, and reported there.
                    Some(None) => wrong = true,
                    None => {
                        wrong = true;
                        let at = Place { source, span };
                        let diagnostic = error("E103", at, format!("there is no period `{name}`"));
                        self.unknown(diagnostic, "periods", name, span, |names| {
                            names.period_items.iter().map(|(period, _)| period.name.it.as_str()).collect()
                        });
                    }
                }
            }
            if wrong {
                continue;
            }
            let periods = &self.names.periods;
            let find = |name: &str| periods.get(name)?.as_ref().map(|period| period.windows.clone());
            match window(written, &find, &self.holidays) {
                Ok(windows) => all.push(windows),
                Err(problem) => {
                    wrong = true;
                    let code = if problem.wrong == Wrong::TooComplex { "E304" } else { "E307" };
                    let found = error(code, Place { source, span: problem.span }, problem.message);
                    self.out.push(match problem.help {
                        Some(help) => found.help(help),
                        None => found,
                    });
                }
            }
        }
        (!wrong).then(|| KnownPeriod { windows: Windows::union(all), months_only })
    }

    /// Whether a window says nothing but months; `names`: the periods in it.
    fn only_months<'w>(&self, window: &'w Window, names: &mut Vec<(&'w str, ast::Span)>) -> bool {
        let mut only = true;
        let mut next = Some(window);
        while let Some(window) = next {
            for part in &window.parts {
                match &part.it {
                    WindowPart::Months(..) | WindowPart::EveryDay => {}
                    WindowPart::Period(name) => names.push((name, part.span)),
                    _ => only = false,
                }
            }
            next = window.except.as_ref().map(|except| &except.it);
        }
        only
    }

    /// Works out all periods, each after the ones it names.
    pub(super) fn periods(&mut self) {
        let items = self.names.period_items.clone();
        let index: HashMap<&str, usize> =
            items.iter().enumerate().map(|(index, (period, _))| (period.name.it.as_str(), index)).collect();
        let edges: Vec<Vec<usize>> = items
            .iter()
            .map(|(period, _)| {
                let mut names = Vec::new();
                for window in &period.windows {
                    self.only_months(&window.it, &mut names);
                }
                names.iter().filter_map(|(name, _)| index.get(name).copied()).collect()
            })
            .collect();
        for (period, _) in &items {
            // Known, though not worked out yet.
            self.names.periods.insert(&period.name.it, None);
        }
        let named: Vec<(&str, Place)> =
            items.iter().map(|(period, at)| (period.name.it.as_str(), *at)).collect();
        for number in self.order(&edges, &named) {
            if let Some((period, at)) = items.get(number) {
                let known = self.windows(&period.windows, at.source);
                self.names.periods.insert(&period.name.it, known);
            }
        }
    }

    /// Indexes such that each stands after those it points to. What is part of a ring is left out, and reported.
    pub(super) fn order(&mut self, edges: &[Vec<usize>], named: &[(&'a str, Place)]) -> Vec<usize> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
            Ring,
        }
        let mut marks = vec![Mark::New; edges.len()];
        let mut order = Vec::new();
        let mark = |marks: &[Mark], at: usize| marks.get(at).copied().unwrap_or(Mark::Done);
        let set = |marks: &mut Vec<Mark>, at: usize, mark: Mark| {
            if let Some(slot) = marks.get_mut(at) {
                *slot = mark;
            }
        };
        for start in 0..edges.len() {
            if mark(&marks, start) != Mark::New {
                continue;
            }
            set(&mut marks, start, Mark::Open);
            // An explicit stack: a chain of names may be as long as the file.
            let mut path = vec![(start, 0)];
            while let Some((at, next)) = path.last_mut() {
                let at = *at;
                let Some(to) = edges.get(at).and_then(|to| to.get(*next)).copied() else {
                    path.pop();
                    if mark(&marks, at) == Mark::Open {
                        set(&mut marks, at, Mark::Done);
                        order.push(at);
                    }
                    continue;
                };
                *next += 1;
                match mark(&marks, to) {
                    Mark::New => {
                        set(&mut marks, to, Mark::Open);
                        path.push((to, 0));
                    }
                    Mark::Open => {
                        let from = path.iter().position(|(on, _)| *on == to).unwrap_or(0);
                        let ring: Vec<usize> = path.iter().skip(from).map(|(on, _)| *on).collect();
                        self.ring(&ring, named);
                        for on in ring {
                            set(&mut marks, on, Mark::Ring);
                        }
                    }
                    Mark::Done | Mark::Ring => {}
                }
            }
        }
        order
    }

    fn ring(&mut self, ring: &[usize], named: &[(&'a str, Place)]) {
        let known: Vec<&(&str, Place)> = ring.iter().filter_map(|index| named.get(*index)).collect();
        let Some((first, at)) = known.first() else { return };
        let shown =
            known.iter().take(20).map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" needs ");
        self.out.push(
            error("E113", *at, format!("this can never be worked out: {shown} needs `{first}`"))
                .help("let one of them stand on its own"),
        );
    }
}

fn threshold(measure: Measure, amount: i64, or_more: bool) -> Cond {
    let (from, below) = if or_more { (Some(amount), None) } else { (None, Some(amount)) };
    Cond::Measure { measure, from, below }
}

/// `via a, b`: any of the ways. A roaming issuer is two facts at once, so the list becomes (ways or roaming) and (ways or issuers).
fn via(ways: &[At<Via>]) -> Vec<Cond> {
    let mut plain = Vec::new();
    let mut issuers = Vec::new();
    for way in ways {
        match &way.it {
            Via::AdHoc => plain.push(Test::Contract(Contract::AdHoc)),
            Via::Contract => plain.push(Test::Contract(Contract::Direct)),
            Via::Roaming(None) => plain.push(Test::Contract(Contract::Roaming)),
            Via::Roaming(Some(issuer)) => issuers.push(Test::Issuer(issuer.clone())),
        }
    }
    let roaming = Test::Contract(Contract::Roaming);
    if issuers.is_empty() || plain.contains(&roaming) {
        return vec![yes(plain)];
    }
    vec![yes(plain.iter().cloned().chain([roaming])), yes(plain.into_iter().chain(issuers))]
}
