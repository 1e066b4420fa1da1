//! What must hold between the things of a set-up.

mod chargers;
mod invoices;
mod numbers;
mod references;
mod tariffs;

pub(crate) use tariffs::{changes_from, tariffs};

use super::merge::{Many, Raw, Section};
use super::read::shown;
use super::report::{More as _, Place, Report};

/// Everything that can be said without the tariffs.
pub(crate) fn all(raw: &Raw, report: &mut Report) {
    references::check(raw, report);
    chargers::check(raw, report);
    numbers::check(raw, report);
    invoices::check(raw, report);
    tariffs::assignments(raw, report);
}

/// Reports an id that nothing has.
fn missing<T: Section>(id: &str, many: &Many<T>, at: Place, report: &mut Report) {
    if many.has(id) {
        return;
    }
    let near = report.nearest(id, many.ids()).map(|near| format!("did you mean `{near}`?"));
    let name = T::NAME;
    let none = || format!("add it: `[[{name}]]` with `{} = \"{}\"`", T::ID, shown(id));
    report.error("S030", at, format!("there is no {name} `{}`", shown(id))).advise(near.unwrap_or_else(none));
}
