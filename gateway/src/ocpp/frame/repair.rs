//! Mends JSON that some chargers break always in the same way: `"transactionId":,` and its like.

/// `text` with the faults mended that leave no doubt about what was meant: a value left out (`:,` `:}`) is null, a comma before
/// a closing bracket goes, `NaN` and `Infinity` are null, control characters inside texts are blanks. None when there was
/// nothing of the kind. Other faults stay.
#[must_use]
pub fn repair(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len().saturating_add(16));
    let mut changed = false;
    let mut rest = text;
    // The last thing written that is no blank, outside of texts.
    let mut last = '[';
    // Where the last comma stands: it may have to go.
    let mut comma = None;
    while let Some(next) = rest.chars().next() {
        if next == '"' {
            let (literal, after, cleaned) = literal(rest);
            changed |= cleaned.is_some();
            mended.push_str(cleaned.as_deref().unwrap_or(literal));
            rest = after;
            last = '"';
            continue;
        }
        let words = ["NaN", "-Infinity", "Infinity", "undefined"];
        if let Some(after) = words.iter().find_map(|word| rest.strip_prefix(word)) {
            mended.push_str("null");
            changed = true;
            rest = after;
            last = 'l';
            continue;
        }
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
        match next {
            ',' | '}' if last == ':' => {
                mended.push_str("null");
                changed = true;
            }
            ']' | '}' if last == ',' => {
                if let Some(comma) = comma {
                    mended.truncate(comma);
                    changed = true;
                }
            }
            _ => {}
        }
        if next == ',' {
            comma = Some(mended.len());
        }
        mended.push(next);
        if !next.is_whitespace() {
            last = next;
        }
    }
    changed.then_some(mended)
}

// A text from its quote on, what follows it, and the same without control characters if it has any.
fn literal(text: &str) -> (&str, &str, Option<String>) {
    let mut escaped = true;
    let mut dirty = false;
    let mut end = text.len();
    for (place, next) in text.char_indices() {
        dirty |= next.is_ascii_control();
        match next {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => {
                end = place + 1;
                break;
            }
            _ => escaped = false,
        }
    }
    let (literal, after) = text.split_at_checked(end).unwrap_or((text, ""));
    let cleaned =
        dirty.then(|| literal.chars().map(|c| if c.is_ascii_control() { ' ' } else { c }).collect());
    (literal, after, cleaned)
}
