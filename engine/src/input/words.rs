//! What is wrong with a JSON document, in the words of the person who wrote it and not of the program that reads it.

use super::nearest;

/// The parser's message in plain words, and what to do. `empty`: there is nothing in the document at all.
pub(super) fn of(message: &str, empty: bool) -> (String, Option<String>) {
    if empty {
        return ("there is nothing in it".into(), None);
    }
    named(message).or_else(|| found_and_expected(message)).unwrap_or_else(|| not_json(message))
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Fields and words that are not known, missing or there twice.
fn named(message: &str) -> Option<(String, Option<String>)> {
    let (what, rest) = message.split_once('`')?;
    let (word, rest) = rest.split_once('`')?;
    let known = quoted(rest);
    let help = || match nearest(word, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("known here: {}", known.join(", "))),
    };
    match what {
        "unknown field " => Some((format!("unknown field `{word}`"), help())),
        "unknown variant " => Some((format!("`{word}` is not known here"), help())),
        "missing field " => Some((format!("`{word}` is missing"), None)),
        "duplicate field " => Some((format!("`{word}` stands twice"), Some("a field stands once".into()))),
        _ => None,
    }
}

/// A value of another kind than the field has.
fn found_and_expected(message: &str) -> Option<(String, Option<String>)> {
    let rest = ["invalid type: ", "invalid value: ", "invalid length "]
        .into_iter()
        .find_map(|start| message.strip_prefix(start))?;
    // What was found may be a text with anything in it.
    let (found, expected) = rest.rsplit_once(", expected ")?;
    Some((format!("found {}, expected {}", found_words(found, message), expected_words(expected)), None))
}

fn found_words(found: &str, message: &str) -> String {
    if message.starts_with("invalid length ") {
        return "a list".into();
    }
    for number in ["integer `", "floating point `"] {
        if let Some(number) = found.strip_prefix(number) {
            return format!("the number {}", number.trim_end_matches('`'));
        }
    }
    if let Some(text) = found.strip_prefix("string ") {
        return format!("the text {}", super::short(text));
    }
    match found {
        "null" | "unit value" => "null".into(),
        "map" => "an object `{ ... }`".into(),
        "sequence" => "a list `[ ... ]`".into(),
        other => other.trim_start_matches("boolean ").replace('`', ""),
    }
}

fn expected_words(expected: &str) -> String {
    match expected {
        "a string" | "str" | "string" => "a text between quotes".into(),
        "a sequence" => "a list `[ ... ]`".into(),
        "a map" => "an object `{ ... }`".into(),
        "a boolean" => "true or false".into(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on".into(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".into(),
        shape if shape.starts_with("struct ") || shape.starts_with("internally tagged enum ") => {
            "an object `{ ... }`".into()
        }
        other => other.to_owned(),
    }
}

/// Text that is no JSON.
fn not_json(message: &str) -> (String, Option<String>) {
    let (what, help) = match message {
        cut if cut.starts_with("EOF while") => (
            "the document ends too early".to_owned(),
            "it may be cut off: every `{`, `[` and quote needs its other end",
        ),
        "expected value" | "expected ident" => {
            ("no JSON value starts here".to_owned(), "texts stand between double quotes")
        }
        "key must be a string" => {
            ("the name of a field is missing".to_owned(), "names stand between double quotes, as in \"id\"")
        }
        "trailing comma" => ("nothing follows this comma".to_owned(), "delete it"),
        "trailing characters" => {
            ("something follows the end of the document".to_owned(), "a file holds one document")
        }
        "expected `:`" => ("a colon is missing here".to_owned(), "write `\"name\": value`"),
        "expected `,` or `}`" => {
            ("a comma or `}` is missing here".to_owned(), "fields are separated by commas")
        }
        "expected `,` or `]`" => {
            ("a comma or `]` is missing here".to_owned(), "values are separated by commas")
        }
        control if control.starts_with("control character") => {
            ("a text runs over the end of its line".to_owned(), "a quote is missing, or write `\\n`")
        }
        "invalid escape" => {
            ("this letter means nothing after `\\`".to_owned(), "write `\\\\` for the sign itself")
        }
        "invalid number" | "number out of range" => {
            ("this is no JSON number".to_owned(), "digits, with a point before decimals")
        }
        "recursion limit exceeded" => ("it is nested too deep".to_owned(), "this is not such a document"),
        other => return (other.to_owned(), None),
    };
    (what, Some(help.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use crate::Session;

    #[test]
    fn a_document_is_refused_in_plain_words() {
        let time = "2025-03-10T17:00:00+01:00";
        let cases = [
            ("", "line 1, column 0: there is nothing in it"),
            ("{\"id\":", "ends too early (it may be cut off"),
            ("[]", "found a list, expected an object `{ ... }`"),
            ("\"a\"", "found the text \"a\", expected an object"),
            ("{\"id\": nul}", "no JSON value starts here"),
            ("{id: 1}", "the name of a field is missing (names stand between double quotes"),
            ("{\"id\": \"1\",}", "nothing follows this comma (delete it)"),
            ("{\"id\": \"1\" \"site\": \"2\"}", "a comma or `}` is missing here"),
            ("{\"id\" \"1\"}", "a colon is missing here"),
            ("{\"id\": \"a\nb\"}", "a text runs over the end of its line"),
            ("{\"id\": 1}", "`id` (line 1, column 8): found the number 1, expected a text between quotes"),
            ("{\"id\": null}", "found null, expected a text between quotes"),
            ("{\"id\": \"1\", \"id\": \"2\"}", "`id` stands twice"),
            ("{\"groups\": \"a\"}", "found the text \"a\", expected a list"),
            ("{\"contract\": \"ad_hoc\"}", "`ad_hoc` is not known here (did you mean `ad-hoc`?)"),
            ("{\"contract\": \"x\"}", "`x` is not known here (known here: direct, roaming, ad-hoc)"),
            ("{\"id\": \"1\"}", "`plugged_in` is missing"),
            (
                "{\"id\": \"1\", \"plugged_in\": \"TIME\", \"unplugged\": \"2025-03-10T15:59:00Z\", \"readings\": []}",
                "`unplugged` (2025-03-10T15:59:00Z) lies before `plugged_in` (2025-03-10T16:00:00Z)",
            ),
            ("{\"readings\": [{\"at\": \"TIME\"}]}", "`import_kwh` is missing"),
            (
                "{\"readings\": [{\"at\": \"TIME\", \"import_kwh\": 1.5}]}",
                "found the number 1.5, expected a plain decimal",
            ),
            (
                "{\"readings\": [{\"at\": \"TIME\", \"segment\": -1}]}",
                "found the number -1, expected a whole number from 0 on",
            ),
        ];
        for (text, expected) in cases {
            let error = Session::from_json(&text.replace("TIME", time)).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}\n{error}");
            for word in ["EOF", "ident", "variant", "struct", "sequence", "parsing"] {
                assert!(!error.contains(word), "{text}\n{error}");
            }
        }
    }
}
