//! Advice on the tests of a list.

use super::{Seen, advice};
use crate::ast::{Span, Statement, Step};
use crate::diagnostic::Diagnostic;
use crate::resolve::report::Place;

/// L04: a test that only runs.
pub(super) fn expects_nothing(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    for statement in seen.own() {
        let Statement::Test(test) = &statement.it else { continue };
        if !test.steps.iter().any(|step| matches!(step.it, Step::Expect(_))) {
            let at = Place { source: 0, span: test.name.span };
            let help = "say what must come out, as in `expect total 4.50 EUR`";
            let help = help.replace("EUR", &seen.tariff.currency.code);
            out.push(advice("L04", at, "this test expects nothing: it cannot fail").help(help));
        }
    }
}

/// L05: a list without a test.
pub(super) fn no_tests(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    let mut heading = Span::default();
    for statement in seen.own() {
        match &statement.it {
            Statement::Test(_) => return,
            Statement::Tariff(head) => heading = head.name.span,
            _ => {}
        }
    }
    let at = Place { source: 0, span: heading };
    out.push(advice("L05", at, "the list has no tests").help(
        "write one for each thing that somebody might ask about; `takst test --coverage` proposes some",
    ));
}
