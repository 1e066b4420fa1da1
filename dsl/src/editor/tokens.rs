//! Words of a text by what they are, for colours. Works on any text: a line that cannot be read has its words all the same.

use super::names::{Mention, Sort, mentions};
use crate::ast::{File, Span};
use crate::parse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The kinds of tokens; [`Token::kind`] is an index into this.
pub const TOKEN_TYPES: &[&str] = &[
    "comment",
    "string",
    "number",
    "keyword",
    "type",
    "operator",
    "variable",
    "enumMember",
    "namespace",
    "property",
];
/// The ways in which a token can be special; bit 0 of [`Token::modifiers`] is the first.
pub const MODIFIERS: &[&str] = &["declaration", "defaultLibrary"];

const COMMENT: u32 = 0;
const STRING: u32 = 1;
const NUMBER: u32 = 2;
const KEYWORD: u32 = 3;
const TYPE: u32 = 4;
const OPERATOR: u32 = 5;
const VARIABLE: u32 = 6;
const ENUM_MEMBER: u32 = 7;
const NAMESPACE: u32 = 8;
const PROPERTY: u32 = 9;

/// A word or sign. None spans lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    /// Where.
    pub span: Span,
    /// Index into [`TOKEN_TYPES`].
    pub kind: u32,
    /// Bits of [`MODIFIERS`].
    pub modifiers: u32,
}

/// The words that the grammar knows, with the rule of each, as in `w_for` and `for`; in the order of the grammar.
#[must_use]
pub(crate) fn grammar_words() -> &'static BTreeMap<&'static str, &'static str> {
    static WORDS: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
        let lines = include_str!("../grammar.pest").lines();
        let word = |line: &'static str| {
            let (rule, says) = line.split_once(" = ")?;
            Some((rule, says.split('"').nth(1)?))
        };
        lines.filter(|line| line.starts_with("w_")).filter_map(word).collect()
    });
    &WORDS
}

/// The unit words, money words and plugs that have a meaning of their own.
pub(crate) const UNITS: &[&str] =
    &["kWh", "MWh", "kW", "A", "min", "h", "day", "session", "bill", "charger", "month"];
/// Hundredths of currencies.
pub(crate) const MONEY: &[&str] = &["øre", "öre", "ore", "centavos", "centavo", "cent", "ct"];
/// What `nth` days of a month are called.
pub(crate) const NTH: &[&str] = &["first", "second", "third", "fourth", "last"];

/// All words of the language that are no names: statements, settings, conditions, units, days, months. Sorted; a hyphen may
/// be inside, a space never is.
#[must_use]
pub fn keywords() -> &'static BTreeSet<&'static str> {
    static ALL: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
        let listed = UNITS.iter().chain(MONEY).chain(NTH).copied();
        let calendar = parse::WEEKDAYS.iter().chain(parse::MONTHS.iter()).copied();
        let settings = parse::setting_keys().flat_map(|key| key.split(' '));
        grammar_words().values().copied().chain(listed).chain(calendar).chain(settings).collect()
    });
    &ALL
}

/// The tokens of a text, in order. `file`: its tree, as far as it could be read.
#[must_use]
pub fn tokens(text: &str, file: &File) -> Vec<Token> {
    let names: BTreeMap<u32, Mention> = mentions(file)
        .into_iter()
        .filter(|it| it.sort != Sort::Charge)
        .map(|it| (it.span.start, it))
        .collect();
    let mut out = Vec::new();
    for (start, content) in parse::lines(text) {
        let line = parse::read_line(content, start);
        let words = Words { code: line.code, base: line.start, names: &names };
        words.scan(!line.at_margin, &mut out);
        if let Some((comment, at)) = line.comment {
            out.push(token(at, 0, comment.len(), COMMENT, 0));
        }
    }
    out
}

fn token(base: u32, from: usize, to: usize, kind: u32, modifiers: u32) -> Token {
    Token { span: parse::span_of(base, from, to), kind, modifiers }
}

struct Words<'t> {
    code: &'t str,
    base: u32,
    names: &'t BTreeMap<u32, Mention>,
}

impl Words<'_> {
    fn scan(&self, indented: bool, out: &mut Vec<Token>) {
        let key = if indented { self.key() } else { 0 };
        if key > 0 {
            out.push(token(self.base, 0, key, PROPERTY, 0));
        }
        let mut at = key;
        while let Some(c) = self.code.get(at..).and_then(|rest| rest.chars().next()) {
            let rest = self.code.get(at..).unwrap_or("");
            let (len, kind) = match c {
                '"' => (
                    rest.get(1..).and_then(|inner| inner.find('"')).map_or(rest.len(), |end| end + 2),
                    STRING,
                ),
                _ if c.is_ascii_digit() => (number_len(rest), NUMBER),
                _ if c.is_alphabetic() => {
                    let len = word_len(rest);
                    self.word(at, len, out);
                    at += len;
                    continue;
                }
                '+' | '-' | '–' | '−' | '*' | '×' | '/' | '%' => (c.len_utf8(), OPERATOR),
                _ => {
                    at += c.len_utf8();
                    continue;
                }
            };
            let named = self.names.get(&parse::span_of(self.base, at + 1, at + 1).start);
            let declares = named.is_some_and(|it| kind == STRING && it.declares);
            out.push(token(self.base, at, at + len, kind, u32::from(declares)));
            at += len;
        }
    }

    /// How long the key of a setting is.
    fn key(&self) -> usize {
        let known = |written: &str| {
            let key = written.split_whitespace().collect::<Vec<_>>().join(" ");
            parse::setting_keys().any(|setting| setting == key)
        };
        self.code.find(':').filter(|colon| self.code.get(..*colon).is_some_and(known)).unwrap_or(0)
    }

    fn word(&self, at: usize, len: usize, out: &mut Vec<Token>) {
        let word = self.code.get(at..at + len).unwrap_or("");
        let start = parse::span_of(self.base, at, at).start;
        let (kind, modifiers) = match self.names.get(&start) {
            Some(it) => {
                let kind = match it.sort {
                    Sort::Group | Sort::Period => ENUM_MEMBER,
                    Sort::Place => NAMESPACE,
                    Sort::Named | Sort::Tax | Sort::Coupon | Sort::Charge => VARIABLE,
                };
                (kind, u32::from(it.declares) | u32::from(it.name == "spot") << 1)
            }
            None if UNITS.contains(&word) && self.is_unit(at) || MONEY.contains(&word) => (TYPE, 0),
            None if crate::resolve::currency::currency(word).is_some() => (TYPE, 0),
            None if keywords().contains(word) => (KEYWORD, 0),
            // A name of something outside: a plug, a plan, a time zone.
            None => return,
        };
        out.push(token(self.base, at, at + len, kind, modifiers));
    }

    /// Whether what stands before makes this a unit: a number or a slash.
    fn is_unit(&self, at: usize) -> bool {
        let before = self.code.get(..at).unwrap_or("").trim_end();
        before.ends_with(|c: char| c.is_ascii_digit() || c == '/')
    }
}

/// A number, date or time.
fn number_len(rest: &str) -> usize {
    let mut len = 0;
    for (at, c) in rest.char_indices() {
        let next = rest.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
        let joins = matches!(c, '.' | ':' | '-') && next.is_some_and(|next| next.is_ascii_digit());
        // `22:00-06:00` is two times, `2025-03-10` is one date.
        let is_range = c == '-' && rest.get(..at).is_some_and(|before| before.contains(':'));
        if !(c.is_ascii_digit() || joins) || is_range {
            break;
        }
        len = at + c.len_utf8();
    }
    len
}

fn word_len(rest: &str) -> usize {
    let mut len = 0;
    for (at, c) in rest.char_indices() {
        let next = rest.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
        let hyphen = c == '-' && next.is_some_and(char::is_alphanumeric);
        // `Mon-Fri` is two days; `spot-margin` is one name.
        let first = rest.get(..at).unwrap_or("");
        let of_days = hyphen && (parse::WEEKDAYS.contains(&first) || parse::MONTHS.contains(&first));
        if !(c.is_alphanumeric() || c == '_' || hyphen) || of_days {
            break;
        }
        len = at + c.len_utf8();
    }
    len
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(String, &'static str, u32)> {
        let parsed = crate::parse::parse(text, 0);
        let found = tokens(text, &parsed.file);
        let ends = found.iter().map(|it| it.span.end);
        assert!(found.iter().skip(1).zip(ends).all(|(next, end)| end <= next.span.start), "they overlap");
        let one = |it: &Token| {
            let text = &text[it.span.start as usize..it.span.end as usize];
            (text.to_owned(), TOKEN_TYPES[it.kind as usize], it.modifiers)
        };
        found.iter().map(one).collect()
    }

    #[test]
    fn words_are_told_apart() {
        let text = "price margin: 0.05 EUR/kWh\nenergy: spot + margin  during Mon-Fri 08:00-20:00 # 🚗\n";
        let expected = [
            ("price", "keyword", 0),
            ("margin", "variable", 1),
            ("0.05", "number", 0),
            ("EUR", "type", 0),
            ("/", "operator", 0),
            ("kWh", "type", 0),
            ("energy", "keyword", 0),
            ("spot", "variable", 2),
            ("+", "operator", 0),
            ("margin", "variable", 0),
            ("during", "keyword", 0),
            ("Mon", "keyword", 0),
            ("-", "operator", 0),
            ("Fri", "keyword", 0),
            ("08:00", "number", 0),
            ("-", "operator", 0),
            ("20:00", "number", 0),
            ("# 🚗", "comment", 0),
        ];
        assert_eq!(shown(text), expected.map(|(word, kind, more)| (word.to_owned(), kind, more)));
    }

    #[test]
    fn settings_groups_and_texts() {
        let text = "tariff \"A # b\"\n  time zone: Europe/Oslo\ngroups: VIP\ncoupon \"TEN\": 10%\n";
        let found = shown(text);
        let expected = [
            ("tariff", "keyword", 0),
            ("\"A # b\"", "string", 0),
            ("time zone", "property", 0),
            ("/", "operator", 0),
            ("groups", "keyword", 0),
            ("VIP", "enumMember", 1),
            ("coupon", "keyword", 0),
            ("\"TEN\"", "string", 1),
            ("10", "number", 0),
            ("%", "operator", 0),
        ];
        assert_eq!(found, expected.map(|(word, kind, more)| (word.to_owned(), kind, more)));
    }

    #[test]
    fn a_line_that_cannot_be_read_has_tokens_too() {
        let found = shown("energy: 0,50 EUR per kWh \"x\n");
        let words: Vec<&str> = found.iter().map(|(word, ..)| word.as_str()).collect();
        assert_eq!(words, ["energy", "0", "50", "EUR", "per", "kWh", "\"x"]);
        assert!(shown("\u{feff}\u{0}ø🚗\r\r\n\t\"").len() <= 3);
    }

    #[test]
    fn the_words_are_those_of_the_grammar() {
        assert!(keywords().len() > 150, "{}", keywords().len());
        for word in
            ["tariff", "for", "feed-in", "ad-hoc", "Mon", "Dec", "kWh", "øre", "zone", "website", "VAT"]
        {
            assert!(keywords().contains(word), "{word}");
        }
        assert!(keywords().iter().all(|word| !word.contains([' ', '"'])));
    }
}
