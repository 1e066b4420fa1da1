//! What a plugin says of a message, without the telephone number that it went to.

use takst_plugins::model;
use takst_plugins::{Failed, Stop};

/// What a sender says of a message, without the number that it went to: it stays where people may not know whom it is about, and when the number has long been
/// erased. However it is written there: with its country or without, with spaces between.
pub(super) fn without_number(failed: Failed, number: &str) -> Failed {
    match failed {
        Failed::Said(error) => {
            let (code, detail) = (blanked(&error.code, number), blanked(&error.detail, number));
            Failed::Said(model::Error { code, detail, ..error })
        }
        Failed::Stopped(stop) => {
            let detail = blanked(&stop.detail, number);
            Failed::Stopped(Stop { detail, ..stop })
        }
    }
}

/// Fewer digits in a row say of nobody who he is.
const TELLING_DIGITS: usize = 5;

// A text without the runs of digits, with what people write between them, that are a part of the number or hold all of it.
fn blanked(text: &str, number: &str) -> String {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let number = digits(number);
    let number = number.trim_start_matches('0');
    let flush = |run: &mut String, out: &mut String| {
        let kept = run.trim_end_matches(|c: char| !c.is_ascii_digit());
        let (said, rest) = (digits(kept), run.get(kept.len()..).unwrap_or_default().to_owned());
        let said = said.trim_start_matches('0');
        let is_number = number.contains(said) || (number.len() >= TELLING_DIGITS && said.contains(number));
        out.push_str(if said.len() >= TELLING_DIGITS && is_number { "***" } else { kept });
        out.push_str(&rest);
        run.clear();
    };
    let (mut out, mut run) = (String::with_capacity(text.len()), String::new());
    for c in text.chars() {
        let within = matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}') && !run.is_empty();
        if c.is_ascii_digit() || c == '+' || within {
            run.push(c);
            continue;
        }
        flush(&mut run, &mut out);
        out.push(c);
    }
    flush(&mut run, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_not_shown_however_it_is_written() {
        for number in ["+4791234567", "912 34 567", "004791234567"] {
            for (said, shown) in [
                (
                    "`912 34 567` is no phone number with its country: +4791234567",
                    "`***` is no phone number with its country: ***",
                ),
                (r#"400: {"to":"4791234567","id":7}"#, r#"400: {"to":"***","id":7}"#),
                ("(+47) 912-34-567, not on net 24201", "(***, not on net 24201"),
                ("0047 91 23 45 67 is barred", "*** is barred"),
                ("err=91234567", "err=***"),
                ("the answer 503 after 12 s, id 88112233", "the answer 503 after 12 s, id 88112233"),
                ("no digits - at all +", "no digits - at all +"),
                ("", ""),
            ] {
                // Of a number without its country nobody can tell that one with it is the same, but by what it holds.
                assert_eq!(blanked(said, number), shown, "{number} in {said}");
            }
        }
    }

    #[test]
    fn in_what_was_said_and_in_why_it_was_stopped() {
        let said = |failed| match without_number(failed, "+4791234567") {
            Failed::Said(error) => format!("{} {}", error.code, error.detail),
            Failed::Stopped(stop) => stop.detail,
        };
        let (outcome, detail) = (model::Outcome::Refused, "to 4791234567".to_owned());
        let error = model::Error {
            code: "bad-91234567".to_owned(),
            outcome,
            detail: detail.clone(),
            retry_after: None,
        };
        assert_eq!(said(Failed::Said(error)), "bad-*** to ***");
        let stop = Stop { kind: takst_plugins::Kind::Trap, outcome, detail };
        assert_eq!(said(Failed::Stopped(stop)), "to ***");
    }
}
