//! What the grammar would take at the end of a line's beginning: for completion.

use super::grammar::Rule;
use super::words::{self, Body, CHANGE, Form, SETTINGS};
use super::{run, setting_key, statement_of};

/// A character that no rule takes, so that the grammar says what it would have taken instead.
const NEVER: char = '\u{1}';

/// What may follow.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Wanted {
    /// The first words of a statement; after `change` only those that can be changed.
    Statement {
        /// `change` stands before.
        changed: bool,
    },
    /// The key of a setting.
    Key,
    /// What these rules take, in a line of this statement or setting.
    Rules {
        /// Of the grammar.
        rules: Vec<Rule>,
        /// The first words of the statement, or the setting's key.
        of: &'static str,
    },
    /// Nothing that is known: the line is wrong already, or belongs to nothing.
    Nothing,
}

/// What may follow `before`, the beginning of a line without its indent. `head`: for an indented line the line at the margin
/// to which it belongs.
pub(crate) fn wanted(head: Option<&str>, before: &str) -> Wanted {
    match head {
        None => at_margin(before),
        Some(head) => {
            let (code, _) = unchanged(head);
            statement_of(code).map_or(Wanted::Nothing, |form| below(form, before))
        }
    }
}

/// The first words of the statement that a line at the margin opens.
pub(crate) fn statement_words(code: &str) -> Option<&'static str> {
    statement_of(unchanged(code).0).map(|form| form.words)
}

fn unchanged(code: &str) -> (&str, bool) {
    match words::starts_with(code, CHANGE) {
        Some(end) => (code.get(end..).unwrap_or("").trim_start_matches([' ', '\t']), true),
        None => (code, false),
    }
}

fn at_margin(before: &str) -> Wanted {
    let (code, changed) = unchanged(before);
    match statement_of(code) {
        Some(form) => ask(form.rule, code, form.words),
        None => Wanted::Statement { changed },
    }
}

fn below(form: &'static Form, before: &str) -> Wanted {
    let rule = match form.body {
        Body::Settings => return setting(before),
        Body::Prices => Rule::case_line,
        Body::Vat => Rule::vat_case_line,
        Body::Tax => Rule::tax_case_line,
        Body::Steps => Rule::step_line,
        Body::Nothing | Body::Unknown => return Wanted::Nothing,
    };
    ask(rule, before, form.words)
}

fn setting(before: &str) -> Wanted {
    let Some((key, colon)) = setting_key(before) else { return Wanted::Key };
    match SETTINGS.iter().find(|(known, ..)| *known == key) {
        Some((key, rule, _)) => ask(*rule, before.get(colon + 1..).unwrap_or("").trim_start(), key),
        None => Wanted::Nothing,
    }
}

fn ask(rule: Rule, before: &str, of: &'static str) -> Wanted {
    let Err(stop) = run(rule, &format!("{before}{NEVER}")) else { return Wanted::Nothing };
    // Only what it wants at the end counts: before that the line is wrong.
    if stop.at < before.trim_end().len() {
        return Wanted::Nothing;
    }
    Wanted::Rules { rules: stop.expected, of }
}
