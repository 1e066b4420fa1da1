//! What comes of a change of the set-up, in the words of the API.

use crate::api::{self, Finding, Problem};
use crate::house::{ChangeError, Changed, House};
use crate::setup::EditError;
use axum::http::StatusCode;

/// What was changed.
pub(super) fn answer(house: &House, changed: Changed) -> api::Changed {
    let Changed { taken, is_new, warnings, tag } = changed;
    api::Changed {
        changes: taken.changes.iter().map(ToString::to_string).collect(),
        tariffs: taken.tariffs,
        warnings: Finding::all(&warnings, house.folder().as_deref()),
        is_new,
        tag,
    }
}

/// Why it was not.
pub(super) fn problem(house: &House, why: ChangeError) -> Problem {
    let text = why.to_string();
    let problem = |status| Problem::new(status, text);
    let findings = |problems| Finding::all(&problems, house.folder().as_deref());
    match why {
        ChangeError::NoFiles => problem(StatusCode::CONFLICT)
            .help("start `takst serve --config takst.toml` with files of your own to change them"),
        ChangeError::Broken(problems) => problem(StatusCode::CONFLICT)
            .help("mend the files first: the set-up in force is an older one")
            .because(findings(problems)),
        ChangeError::Stale(tag) => Problem {
            tag: Some(tag),
            ..problem(StatusCode::PRECONDITION_FAILED)
                .help("read it again, and make the change in what it is now")
        },
        ChangeError::Edit(why) => edit(&why),
        ChangeError::InUse(..) => problem(StatusCode::CONFLICT)
            .help("take the assignment out first (DELETE /api/v1/setup/tariff/ID), or what is based on it"),
        ChangeError::Refused(problems) => {
            problem(StatusCode::UNPROCESSABLE_ENTITY).help("nothing was changed").because(findings(problems))
        }
        ChangeError::Write(_) => problem(StatusCode::INTERNAL_SERVER_ERROR).help("nothing was changed"),
        ChangeError::Store(error) => error.into(),
    }
}

/// What is wrong with an edit.
pub(super) fn edit(why: &EditError) -> Problem {
    let status = match why {
        EditError::NoSection(_) | EditError::NoThing(..) => StatusCode::NOT_FOUND,
        EditError::Unreadable(_) => StatusCode::CONFLICT,
        EditError::OtherThing(..) | EditError::Outside(_) | EditError::Value(..) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    let problem = Problem::new(status, why.to_string());
    match why.help() {
        Some(help) => problem.help(help),
        None => problem,
    }
}
