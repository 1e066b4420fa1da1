//! Looking through a list before it is lowered: public holidays, and the names that tests use.

use super::Lowering;
use crate::ast::{At, Clause, Expect, Statement, Step, Window, WindowPart};
use crate::holidays::{public_holidays, region_of_zone, regions};
use crate::resolve::head::unknown_region;
use crate::resolve::merge::{Body, Item};
use crate::resolve::names::{Named, Sort};
use crate::resolve::report::{Place, error};
use takst_engine::tariff::CALENDAR;

/// Calendar years.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2099;

/// All windows of a statement.
fn windows<'a>(item: &Item<'a>) -> Vec<&'a At<Window>> {
    let mut found = Vec::new();
    let mut add = |clauses: &'a [At<Clause>]| {
        for clause in clauses {
            if let Clause::During(windows) = &clause.it {
                found.extend(windows);
            }
        }
    };
    match item.body {
        Body::Vat(vat) => vat.cases.lines.iter().for_each(|line| add(&line.it.clauses)),
        Body::Tax(tax) => tax.cases.lines.iter().for_each(|line| add(&line.it.clauses)),
        Body::Price(price) | Body::Value(price) => {
            price.cases.iter().flat_map(|cases| &cases.lines).for_each(|line| add(&line.it.clauses));
        }
        Body::Charge(charge, _) => charge.cases.lines.iter().for_each(|line| add(&line.it.clauses)),
        Body::Coupon(rebate) | Body::Discount(rebate) => add(&rebate.clauses),
        Body::Period(period) => found.extend(&period.windows),
        Body::Groups(_) | Body::Place(_) | Body::Feed(_) | Body::Total(_) | Body::CouponScope(_) => {}
    }
    found
}

/// Where a window says `public holidays`.
fn says_holidays(window: &At<Window>, source: u32) -> Option<Place> {
    let mut next = Some(window);
    while let Some(window) = next {
        let part = window.it.parts.iter().find(|part| part.it == WindowPart::PublicHolidays);
        if let Some(part) = part {
            return Some(Place { source, span: part.span });
        }
        next = window.it.except.as_deref();
    }
    None
}

impl Lowering<'_> {
    /// Finds out which days are public holidays, if the list asks for them.
    pub(super) fn public_holidays(&mut self) {
        let used = self.items.iter().find_map(|item| {
            windows(item).into_iter().find_map(|window| says_holidays(window, item.at.source))
        });
        let known = match &self.settings.public_holidays {
            Some((at, region)) => {
                let days = public_holidays(region, YEARS);
                if days.is_none() {
                    let near: Vec<&str> = regions().iter().map(|(code, _)| *code).collect();
                    let states: Vec<&str> =
                        near.iter().filter(|code| code.starts_with(&format!("{region}-"))).copied().collect();
                    self.out.push(if states.is_empty() {
                        unknown_region(*at, region, near)
                    } else {
                        error(
                            "E407",
                            *at,
                            format!(
                                "`{region}` has no public holidays of its own beside those of its states"
                            ),
                        )
                        .help(format!(
                            "write the state, as in `{}`; there are {}",
                            states.first().unwrap_or(&""),
                            states.join(", ")
                        ))
                    });
                }
                days
            }
            None => {
                let zone = self.settings.zone.map(|zone| zone.name());
                let days = zone.and_then(region_of_zone).and_then(|region| public_holidays(region, YEARS));
                if let (None, Some(at), Some(zone)) = (&days, used, zone) {
                    let example = if zone == "Europe/Berlin" { "DE-BY" } else { "NO" };
                    self.out.push(
                        error(
                            "E407",
                            at,
                            format!("whose public holidays? the time zone `{zone}` has no single answer"),
                        )
                        .help(format!("write below `tariff`, indented: `public holidays: {example}`")),
                    );
                }
                days
            }
        };
        if used.is_some() {
            // Without the days, any day will do: windows must not look empty because of an error reported already.
            self.holidays = known.unwrap_or_else(|| vec![CALENDAR.end - 1]);
        }
    }

    /// Checks the names that the leaf's tests use.
    pub(super) fn names_in_tests(&mut self) {
        let Some(file) = self.files.first() else { return };
        for statement in &file.statements {
            let Statement::Test(test) = &statement.it else { continue };
            self.once_in_test(&test.steps);
            for step in &test.steps {
                match &step.it {
                    Step::Charge { on: Some(plug), .. } => self.unknown_plug(plug, 0),
                    Step::DriverIn(names) => {
                        for name in names {
                            if self.names.group(&name.it).is_none() {
                                self.unknown_group(name, 0);
                            }
                        }
                    }
                    Step::Feed { name, .. } => {
                        self.names.uses(Sort::Named, &name.it);
                        if !matches!(self.names.named.get(name.it.as_str()), Some((Named::Feed(_), _))) {
                            let at = Place { source: 0, span: name.span };
                            let found = error("E102", at, format!("there is no feed `{}`", name.it));
                            self.unknown(found, "feeds", &name.it, name.span, |names| {
                                names.feeds.iter().map(|feed| feed.name.as_str()).collect()
                            });
                        }
                    }
                    Step::Expect(Expect::Charge(head, _)) if self.names.meant(head).next().is_none() => {
                        self.no_charge(head, 0);
                    }
                    _ => {}
                }
            }
        }
    }
}
