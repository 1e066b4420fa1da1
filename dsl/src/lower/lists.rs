//! Lists of cases: their lines, the proof that they are complete, and the diagrams that come out.

use super::Lowering;
use super::context::For;
use crate::ast::{At, Cases, Clause};
use crate::calendar::{Calendar, DayClasses};
use crate::cases::{Builder, Cond, Line, Want};
use crate::compile::CaseInfo;
use crate::resolve::merge::Item;
use crate::resolve::names::id;
use crate::resolve::report::{Labels, Place, error};
use takst_engine::tariff::{Days, Measure, Node, NodeId, Outcome, Test};

/// What a list of cases is about.
pub(super) struct Subject {
    /// As in `no energy price for ...`.
    pub what: String,
    pub used_for: For,
    /// The words that open it.
    pub head: Place,
    /// All its lines, to the next statement.
    pub region: Place,
    /// A line that would answer everything.
    pub example: String,
    /// Whether its own diagram goes into the tariff; VAT and taxes may be joined to one.
    pub keep: bool,
}

/// A list that was read.
pub(super) struct CaseList {
    what: String,
    head: Place,
    example: String,
    /// Whether `free` may be such a line.
    may_be_free: bool,
    pub lines: Vec<Line>,
    pub places: Vec<Place>,
    /// Wrong already, or not to be judged: no further messages.
    quiet: bool,
    keep: bool,
    /// What happens where no line answers.
    want: Want,
}

/// All diagrams of a tariff.
pub(super) struct Diagrams {
    /// By list.
    pub roots: Vec<NodeId>,
    pub tests: Vec<Test>,
    pub measures: Vec<Measure>,
    pub nodes: Vec<Node>,
    pub days: Days,
}

impl Lowering<'_> {
    /// From the start of a statement to the next one.
    pub(super) fn region(&self, item: &Item<'_>) -> Place {
        let mut region = item.at;
        let starts = usize::try_from(item.at.source).ok().and_then(|source| self.starts.get(source));
        let next = starts
            .and_then(|starts| starts.get(starts.partition_point(|start| *start <= item.at.span.start)));
        region.span.end = next.copied().unwrap_or(u32::MAX).max(region.span.end);
        region
    }

    /// Reads a list; returns its index. `outcome` says what a line says, or `None` when that is wrong (and reported).
    pub(super) fn cases<T>(
        &mut self,
        subject: Subject,
        cases: &Cases<T>,
        mut outcome: impl FnMut(&mut Self, &At<T>, Place) -> Option<Outcome>,
    ) -> u32 {
        self.uses.clear();
        let source = subject.head.source;
        let may_be_free = matches!(subject.used_for, For::Charge(_) | For::Price);
        let mut list = CaseList {
            what: subject.what,
            head: subject.head,
            example: self.otherwise(subject.example, cases, source, may_be_free),
            may_be_free,
            lines: Vec::new(),
            places: Vec::new(),
            quiet: self.is_unread(subject.region),
            keep: subject.keep,
            want: Want::Complete,
        };
        let last = cases.lines.len().saturating_sub(1);
        for (number, line) in cases.lines.iter().enumerate() {
            let at = Place { source, span: line.span };
            let what_at = Place { source, span: line.it.what.span };
            let mut said = outcome(self, &line.it.what, what_at);
            self.price_step(&line.it.clauses, source, subject.used_for, &mut said);
            let conds = self.clauses(&line.it.clauses, source);
            list.quiet |= conds.is_none();
            let otherwise = line.it.clauses.iter().find(|clause| clause.it == Clause::Otherwise);
            if let Some(otherwise) = otherwise {
                let at = Place { source, span: otherwise.span };
                let conditions = line.it.clauses.iter().filter(|it| !matches!(it.it, Clause::Steps(_)));
                if conditions.count() > 1 {
                    list.quiet = true;
                    self.out.push(
                        error(
                            "E306",
                            at,
                            "`otherwise` means in all other cases; it cannot have conditions beside it",
                        )
                        .help("leave out `otherwise`, or the other conditions"),
                    );
                } else if number < last {
                    list.quiet = true;
                    self.out.push(
                        error("E303", at, "`otherwise` must be the last line: nothing below it can win")
                            .help("the first line that fits wins; move this one to the end"),
                    );
                }
            }
            let leaf = if list.keep { self.leaf(at, said.unwrap_or(Outcome::Free)) } else { 0 };
            self.cases.push(CaseInfo {
                of: list.what.clone(),
                source,
                span: line.span,
                leaves: if list.keep { vec![leaf] } else { Vec::new() },
            });
            list.lines.push(Line { conds: conds.unwrap_or_default(), leaf });
            list.places.push(at);
        }
        self.check_uses(subject.used_for);
        self.push_list(list)
    }

    /// What a last line for all other cases might say: for prices, what the last line says.
    fn otherwise<T>(&self, example: String, cases: &Cases<T>, source: u32, price: bool) -> String {
        let last = cases.lines.last().filter(|_| price);
        let said = last.map(|line| self.text(Place { source, span: line.it.what.span }));
        said.filter(|said| said.chars().count() <= 30).unwrap_or(example)
    }

    fn push_list(&mut self, list: CaseList) -> u32 {
        self.lists.push(list);
        id(self.lists.len() - 1)
    }

    /// A list that was put together from checked ones; nothing about it is reported.
    pub(super) fn joined(&mut self, what: &str, head: Place, lines: Vec<Line>) -> u32 {
        self.push_list(CaseList {
            what: what.to_owned(),
            head,
            example: String::new(),
            may_be_free: false,
            places: lines.iter().map(|_| head).collect(),
            lines,
            quiet: true,
            keep: true,
            want: Want::Complete,
        })
    }

    /// A list of conditions: when they hold, `Applies`, else `DoesNotApply`.
    pub(super) fn applies(&mut self, what: &str, head: Place, clauses: &[&At<Clause>]) -> u32 {
        self.uses.clear();
        let mut conds = Vec::new();
        let mut quiet = self.is_unread(head);
        for clause in clauses {
            match self.clauses(std::slice::from_ref(*clause), head.source) {
                Some(more) => conds.extend(more),
                None => quiet = true,
            }
            if clause.it == Clause::Otherwise {
                let at = Place { source: head.source, span: clause.span };
                self.out.push(error("E305", at, "`otherwise` cannot stand here: there is one line only"));
            }
        }
        self.check_uses(For::Rebate);
        let yes = self.leaf(head, Outcome::Applies);
        let no = self.leaf(head, Outcome::DoesNotApply);
        self.push_list(CaseList {
            what: what.to_owned(),
            head,
            example: String::new(),
            may_be_free: false,
            lines: vec![Line { conds, leaf: yes }],
            places: vec![head],
            quiet,
            keep: true,
            want: Want::Otherwise(no),
        })
    }

    /// Builds all diagrams and reports what they prove; `None` when they cannot be built.
    pub(super) fn diagrams(&mut self) -> Option<Diagrams> {
        let lists = std::mem::take(&mut self.lists);
        let calendars: Vec<&Calendar> = lists
            .iter()
            .flat_map(|list| &list.lines)
            .flat_map(|line| &line.conds)
            .filter_map(|cond| match cond {
                Cond::When(calendar) => Some(calendar),
                Cond::AnyFact(_) | Cond::Measure { .. } | Cond::Never => None,
            })
            .collect();
        let valid_from = self.settings.valid_from.map(|(day, _)| day);
        let Ok(days) = DayClasses::new(calendars, valid_from, &self.holidays) else {
            let at = self.settings.head?;
            self.out.push(
                error(
                    "E304",
                    at,
                    "too many crossing conditions: the list tells too many kinds of days apart",
                )
                .help("use fewer different windows and dates"),
            );
            return None;
        };
        let groups = self.names.groups.clone();
        let place_names: Vec<String> = self.names.places.iter().map(|place| place.name.clone()).collect();
        let places = &self.names.places;
        let default_group = self.names.default_group;
        let new_builder = || Builder::new(groups.len(), default_group, days.clone()).with_places(places);
        // Lists that are only checked have nodes of their own, which are thrown away.
        let mut checked = new_builder();
        let mut kept = new_builder();
        let mut roots = Vec::new();
        let mut whole = true;
        for list in &lists {
            let builder = if list.keep { &mut kept } else { &mut checked };
            let Ok(diagram) = builder.diagram(&list.lines, list.want) else {
                whole = false;
                roots.push(0);
                self.out.push(
                    error(
                        "E304",
                        list.head,
                        format!("too many crossing conditions in `{}`", self.text(list.head)),
                    )
                    .help("name common parts with `price`, or use fewer different conditions"),
                );
                continue;
            };
            roots.push(diagram.root);
            if list.quiet {
                continue;
            }
            if let Some(hole) = &diagram.hole {
                let message = format!("no {} {}", list.what, hole.describe(&groups, &place_names));
                let free =
                    if list.may_be_free && list.example != "free" { ", or `free  otherwise`" } else { "" };
                let help = format!("add a last line such as `{}  otherwise`{free}", list.example);
                self.out.push(error("E301", list.head, message).help(help));
            }
            for dead in &diagram.dead {
                self.dead(list, dead.line, &dead.hidden_by);
            }
        }
        if !whole {
            return None;
        }
        let (tests, measures, nodes) = kept.finish();
        Some(Diagrams { roots, tests, measures, nodes, days: days.days })
    }

    fn dead(&mut self, list: &CaseList, line: usize, hidden_by: &[usize]) {
        let Some(at) = list.places.get(line).copied() else { return };
        let found = error("E302", at, "this line can never win");
        let hiding: Vec<Place> = hidden_by.iter().filter_map(|by| list.places.get(*by)).copied().collect();
        let found = match hiding.as_slice() {
            [] => found
                .says("its conditions never hold together")
                .help("take the line away, or mend its conditions"),
            [by] => found.says("never reached").also(*by, "this line answers first"),
            // A dozen lines that only hide it together would bury the message.
            several => several.iter().take(4).fold(found.says("never reached"), |found, by| {
                found.also(*by, "this line answers a part of its cases first")
            }),
        };
        self.out.push(match (hiding.is_empty(), found) {
            (true, found) => found,
            (false, found) => {
                found.help("the first line that fits wins: put the narrower line first, or take it away")
            }
        });
    }
}
