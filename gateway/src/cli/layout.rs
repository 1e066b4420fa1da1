//! Laying text out in columns, by display width.

use rust_decimal::{Decimal, RoundingStrategy};
use unicode_width::UnicodeWidthStr as _;

/// `1 error`, `2 errors`.
pub fn count(how_many: usize, what: &str) -> String {
    if how_many == 1 { format!("1 {what}") } else { format!("{} {what}s", grouped(how_many)) }
}

/// Digits in groups of three: `1,000,000`.
pub fn grouped(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Columns a text takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The text, shortened with `…` where it takes more than `width` columns; control characters become spaces.
pub fn fit(text: &str, width: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if columns(&clean) <= width {
        return clean;
    }
    let mut short = String::new();
    for character in clean.chars() {
        short.push(character);
        if columns(&short) + 1 > width {
            short.pop();
            break;
        }
    }
    short.push('…');
    short
}

/// The text and spaces up to `width` columns.
pub fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// Spaces and the text, `width` columns together.
pub fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(columns(text))))
}

/// One text at each end of a line; the left one is shortened where both do not fit.
pub fn ends(start: &str, end: &str, width: usize) -> String {
    if end.is_empty() {
        return fit(start, width);
    }
    let end = fit(end, width.saturating_sub(2));
    let room = width.saturating_sub(columns(&end) + 2);
    let start = fit(start, room);
    format!("{}  {end}", left(&start, room))
}

/// A line across.
pub fn rule(width: usize) -> String {
    "─".repeat(width)
}

/// The text in lines of at most `width` columns, broken between words; a longer word has a line of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A decimal text rounded half away from zero to at most `most` places and written with at least `least`. What is no
/// decimal stays as it is.
pub fn places(text: &str, least: u32, most: u32) -> String {
    let Ok(value) = text.parse::<Decimal>() else { return text.to_owned() };
    let value = value.round_dp_with_strategy(most, RoundingStrategy::MidpointAwayFromZero).normalize();
    let digits = usize::try_from(value.scale().max(least)).unwrap_or(0);
    format!("{value:.digits$}")
}

/// Decimal places that a text of decimals uses after rounding to `most`.
pub fn scale(text: &str, most: u32) -> u32 {
    let value = text.parse::<Decimal>().unwrap_or_default();
    value.round_dp_with_strategy(most, RoundingStrategy::MidpointAwayFromZero).normalize().scale()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_fitted_by_columns() {
        assert_eq!(fit("Strømstøtte", 11), "Strømstøtte");
        assert_eq!(fit("Strømstøtte", 6), "Strøm…");
        assert_eq!(columns(&fit("充電料金表", 5)), 5);
        assert_eq!(ends("a", "b", 6), "a    b");
        assert_eq!(columns(&ends("a long title that does not fit", "end", 20)), 20);
        assert_eq!(fit("two\nlines", 20), "two lines");
    }

    #[test]
    fn numbers_are_rounded_half_away_from_zero_and_grouped() {
        assert_eq!(places("0.0723000", 2, 6), "0.0723");
        assert_eq!(places("-0.0000005", 2, 6), "-0.000001");
        assert_eq!(places("5", 2, 6), "5.00");
        assert_eq!(places("1.005", 2, 2), "1.01");
        assert_eq!(places("-0.001", 2, 2), "0.00");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(count(1, "file"), "1 file");
    }
}
