//! Advice on the time in which a list is in force.

use super::shape::each_clause;
use super::{Seen, advice};
use crate::ast::Clause;
use crate::diagnostic::Diagnostic;
use crate::resolve::report::Place;
use crate::resolve::zone;
use chrono::Timelike as _;
use takst_engine::calendar_time::{LocalTime, day_text, start_of_day};
use takst_engine::units::MINUTE_MS;

/// L17: `from` a day on which the list is over. What is over when the list begins is an error: such a line can never win.
pub(super) fn line_after_the_end(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    let tariff = seen.tariff;
    let Some(until) = tariff.valid_until else { return };
    for statement in seen.own() {
        each_clause(&statement.it, &mut |clause| {
            let Clause::From(date, time) = &clause.it else { return };
            let Some(day) = zone::day(date.it) else { return };
            // A clock change between midnight and the time of day moves it by an hour: nobody ends a list there.
            let minutes = time.as_ref().map_or(0, |time| i64::from(time.it.hour() * 60 + time.it.minute()));
            if start_of_day(&tariff.zone, day) + minutes * MINUTE_MS < until.0 {
                return;
            }
            let last = day_text(LocalTime::at(&tariff.zone, until.0 - 1).day);
            let message = format!("the list ends on {last}, before this line begins");
            let help = "it counts for sessions only that run past the end of the list; take it away, or let the list end later";
            out.push(advice("L17", Place { source: 0, span: clause.span }, message).help(help));
        });
    }
}
