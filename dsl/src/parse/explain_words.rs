//! Numbers, money, units, dates and times as people also write them.

use super::build_expr::{MONTHS, WEEKDAYS};
use super::explain::{Explain, Word, short};
use super::grammar::Rule;
use super::words;
use crate::diagnostic::Diagnostic;
use chrono::NaiveDate;

/// Signs and words for money: as written, and the currency where there is only one.
const MONEY: &[(&str, Option<&str>)] = &[
    ("€", Some("EUR")),
    ("£", Some("GBP")),
    ("R$", Some("BRL")),
    ("$", None),
    ("¥", None),
    ("₹", Some("INR")),
    ("zł", Some("PLN")),
    ("Kč", Some("CZK")),
    ("kroner", None),
    ("kronor", None),
    ("kr.", None),
    ("kr", None),
    ("euros", Some("EUR")),
    ("euro", Some("EUR")),
    ("dollars", None),
    ("dollar", None),
    ("pounds", Some("GBP")),
    ("pound", Some("GBP")),
    ("reais", Some("BRL")),
];

const NUMBERS: [&str; 21] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];

type Expects<'e> = &'e dyn Fn(Rule) -> bool;

impl Explain<'_> {
    /// `word` is right in meaning and wrong in form.
    pub fn written_otherwise(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        self.number(word, expects)
            .or_else(|| self.money(word, expects))
            .or_else(|| self.percent(word, expects))
            .or_else(|| self.date(word, expects))
            .or_else(|| self.time(word, expects))
            .or_else(|| self.unit(word, expects))
            .or_else(|| self.calendar(word, expects))
    }

    fn number(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        let text = word.text;
        let len = text
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '\'' | '_'))
            .unwrap_or(text.len());
        let number = self.slice(word.from, word.from + len);
        let digits = number.text.trim_end_matches([',', '.']);
        let plain = digits.chars().all(|c| c.is_ascii_digit());
        let starts = text.starts_with(|c: char| c.is_ascii_digit());
        if starts && !plain && digits.contains([',', '\'', '_']) {
            return Some(self.comma(self.slice(word.from, word.from + digits.len())));
        }
        if starts
            && digits.matches('.').count() > 1
            && number.text.len() == text.len()
            && !looks_like_date(digits)
        {
            let found = self.about("E028", number, format!("`{}` is not a number", short(number.text)));
            return Some(found.help("a number has digits and at most one point, as in `1000.50`"));
        }
        if let Some(fraction) = text.strip_prefix('.')
            && fraction.starts_with(|c: char| c.is_ascii_digit())
        {
            let found =
                self.about("E028", number, format!("`{}` has no digit before its point", short(number.text)));
            return Some(self.mended(found, number, &format!("0{}", number.text)));
        }
        let before = self.word_before(word.from);
        if text == "." && before.to == word.from && before.text.ends_with(|c: char| c.is_ascii_digit()) {
            return Some(self.mended(
                self.about("E028", word, "there is no digit after the point"),
                word,
                "",
            ));
        }
        // `1 000.50 EUR`: the grammar may have gone on to the currency.
        let thousands = self.word_before(before.from);
        let three =
            |text: &str| text.split('.').next().is_some_and(|whole| whole.len() == 3) && is_number(text);
        let one_to_three =
            |text: &str| (1..=3).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit());
        if !starts && three(before.text) && one_to_three(thousands.text) && expects(Rule::unit) {
            let both = self.slice(thousands.from, before.to);
            let found = self.about("E028", both, format!("a number has no spaces inside: `{}`", both.text));
            return Some(self.mended(found, both, &format!("{}{}", thousands.text, before.text)));
        }
        let spaced = before.text.chars().all(|c| c.is_ascii_digit())
            && before.text.len() <= 3
            && !before.text.is_empty();
        if starts
            && spaced
            && expects(Rule::money)
            && digits.split('.').next().is_some_and(|whole| whole.len() == 3)
        {
            let both = self.slice(before.from, word.from + digits.len());
            let found = self.about("E028", both, format!("a number has no spaces inside: `{}`", both.text));
            return Some(self.mended(found, both, &format!("{}{digits}", before.text)));
        }
        let numeric = [Rule::number, Rule::quantity, Rule::count, Rule::percent, Rule::rate]
            .iter()
            .any(|rule| expects(*rule));
        let value = NUMBERS.iter().position(|known| text.eq_ignore_ascii_case(known))?;
        numeric.then(|| {
            let found = self.about("E028", word, format!("numbers are written in digits, not as `{text}`"));
            self.mended(found, word, &value.to_string())
        })
    }

    /// `0,55`, `1.000,50`, `1,000.50`, `1_000`.
    fn comma(&self, number: Word<'_>) -> Diagnostic {
        let text = number.text;
        let found = self.about(
            "E025",
            number,
            format!("numbers are written with a point, not like `{}`", short(text)),
        );
        let last = text.rfind([',', '.']).unwrap_or(0);
        let (whole, fraction) = (text.get(..last).unwrap_or(""), text.get(last + 1..).unwrap_or(""));
        let joined = |text: &str| text.replace([',', '.', '\'', '_'], "");
        if !text.contains([',', '.']) {
            return self.mended(found, number, &joined(text));
        }
        let separators = text.matches([',', '.']).count();
        let one_kind = !(text.contains(',') && text.contains('.'));
        if separators > 1 && one_kind {
            return self.mended(found, number, &joined(text));
        }
        let point = format!("{}.{fraction}", joined(whole));
        if separators == 1 && fraction.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0')
        {
            return found.help(format!("write `{}` or `{point}`", joined(text)));
        }
        self.mended(found, number, &point)
    }

    /// What the tariff's prices are written in, for examples.
    fn currency_or_example(&self) -> &str {
        self.currency.unwrap_or("EUR")
    }

    /// A number without its currency.
    pub fn no_currency(&self, number: Word<'_>) -> Option<Diagnostic> {
        let text = number.text;
        if text.is_empty() || !text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '–' | '−'))
        {
            return None;
        }
        let found = self.about("E026", number, format!("the currency of `{text}` is missing"));
        let found = found.help(format!("write `{text} {}`", self.currency_or_example()));
        Some(match self.currency {
            Some(currency) => found.fix(self.span(number.to, number.to), format!(" {currency}")),
            None => found,
        })
    }

    fn money(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        let before = self.word_before(word.from);
        let after_number = !before.text.is_empty() && is_number(before.text);
        // `0.50/kWh`, `0.50 / kWh`
        let slash = self.code.get(..word.from)?.trim_end().strip_suffix('/').map(str::trim_end);
        if let Some(left) = slash
            && words::unit(word.text.split('/').next().unwrap_or("")).is_some()
        {
            let number = self.word_before(left.len());
            if is_number(number.text) {
                let example = format!("{} {}/{}", number.text, self.currency_or_example(), word.text);
                let found = self.error(
                    "E026",
                    number.from,
                    word.to,
                    format!("the currency of `{}` is missing", number.text),
                );
                let found = found.help(format!("write `{example}`"));
                return Some(match self.currency {
                    Some(currency) => found.fix(self.span(number.to, number.to), format!(" {currency}")),
                    None => found,
                });
            }
        }
        let sign = MONEY.iter().find(|(sign, _)| {
            let rest = word.text.strip_prefix(sign);
            rest.is_some_and(|rest| {
                !rest.starts_with(char::is_alphabetic) || !sign.ends_with(char::is_alphabetic)
            })
        });
        if let Some((sign, currency)) = sign.filter(|_| expects(Rule::money) || !expects(Rule::unit)) {
            return Some(self.sign(word, sign, currency.or(self.currency), after_number));
        }
        let len = word.text.find(|c: char| !c.is_alphabetic()).unwrap_or(word.text.len());
        let letters = self.slice(word.from, word.from + len);
        if expects(Rule::money) || expects(Rule::iso) {
            let in_setting = expects(Rule::iso);
            if letters.text.len() == 3
                && letters.text.is_ascii()
                && (after_number || in_setting)
                && words::unit(letters.text).is_none()
            {
                let upper = letters.text.to_uppercase();
                if upper != letters.text && upper != "VAT" {
                    let found = self.about(
                        "E026",
                        letters,
                        format!("currencies are written in capitals, not as `{}`", letters.text),
                    );
                    return Some(self.mended(found, letters, &upper));
                }
            }
            if after_number
                && matches!(letters.text, "cents" | "Cent" | "Cents" | "øres" | "Øre" | "Öre" | "Centavos")
            {
                let right = if letters.text.to_lowercase().starts_with("centavo") {
                    "centavos"
                } else if letters.text.to_lowercase().starts_with('c') {
                    "cent"
                } else {
                    "øre"
                };
                let found = self.about("E026", letters, format!("there is no currency `{}`", letters.text));
                return Some(self.mended(found, letters, right));
            }
        }
        // `EUR 0.50/kWh`
        let iso =
            |text: &str| text.len() == 3 && text.chars().all(|c| c.is_ascii_uppercase()) && text != "VAT";
        let end = word.text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.text.len());
        let number = if end > 0 { self.slice(word.from, word.from + end) } else { before };
        let code = self.word_before(number.from);
        if iso(code.text) && is_number(number.text) {
            let both = self.slice(code.from, number.to);
            let found =
                self.about("E026", both, format!("the currency stands behind the number: `{}`", both.text));
            return Some(self.mended(found, both, &format!("{} {}", number.text, code.text)));
        }
        // A number where only money fits.
        let only_money = expects(Rule::money) && !expects(Rule::clause) && !expects(Rule::EOI);
        if only_money && after_number && !word.text.starts_with(char::is_alphanumeric) && word.text != "%" {
            return self.no_currency(before);
        }
        None
    }

    /// `€0.50`, `0.50 €`, `5 kr`.
    fn sign(&self, word: Word<'_>, sign: &str, currency: Option<&str>, after_number: bool) -> Diagnostic {
        let end = word.from + sign.len();
        let what = self.slice(word.from, end);
        let found =
            self.about("E026", what, format!("currencies are written as three capitals, not as `{sign}`"));
        let example =
            currency.unwrap_or(if sign.starts_with("kr") { "NOK` or `SEK` or `DKK" } else { "EUR" });
        let rest = self.code.get(end..).unwrap_or("");
        let gap = rest.len() - rest.trim_start().len();
        let digits = rest.trim_start();
        let digits = digits
            .get(..digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len()))
            .unwrap_or("");
        if after_number {
            let joined = self
                .code
                .get(..word.from)
                .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
            let found = found.help(format!("write `{example}`"));
            return match currency {
                Some(currency) => found
                    .fix(self.span(word.from, end), format!("{}{currency}", if joined { " " } else { "" })),
                None => found,
            };
        }
        if digits.is_empty() {
            let found = found.help(format!("write `{example}`"));
            return match currency {
                Some(currency) if word.text == sign => found.fix(self.span(word.from, end), currency),
                _ => found,
            };
        }
        let found = found.help(format!("write `{digits} {}`", currency.unwrap_or("EUR")));
        match currency {
            Some(currency) if digits.chars().next_back().is_some_and(|c| c.is_ascii_digit()) => {
                found.fix(self.span(word.from, end + gap + digits.len()), format!("{digits} {currency}"))
            }
            _ => found,
        }
    }

    /// A number at the end of what was written, without what must follow it.
    pub fn half_a_number(&self, number: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        if !is_number(number.text) {
            return None;
        }
        if expects(Rule::money) {
            return self.no_currency(number);
        }
        if expects(Rule::percent_sign) {
            let found = self.about("E028", number, format!("`%` is missing after `{}`", number.text));
            return Some(
                found.help(format!("write `{}%`", number.text)).fix(self.span(number.to, number.to), "%"),
            );
        }
        expects(Rule::unit).then(|| {
            let found = self.about("E027", number, format!("the unit of `{}` is missing", number.text));
            found.help(format!("write it like `{} kWh` or `{} min`", number.text, number.text))
        })
    }

    fn percent(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        let before = self.word_before(word.from);
        let lower = word.text.to_lowercase();
        if expects(Rule::percent_sign) && matches!(lower.as_str(), "percent" | "pct" | "prosent" | "prozent")
        {
            let found =
                self.about("E028", word, format!("shares are written with `%`, not as `{}`", word.text));
            return Some(self.mended(found, word, "%"));
        }
        if before.text.ends_with('%') && matches!(lower.as_str(), "off" | "discount" | "rabatt") {
            let found = self.about("E050", word, format!("`{}` is not needed after a share", word.text));
            return Some(found.help("write what it is a share of, as in `10% of energy`"));
        }
        if word.text.starts_with([':', ',', ')']) {
            return None;
        }
        let only_percent = expects(Rule::percent_sign) && !expects(Rule::money);
        if only_percent && is_number(before.text) {
            let found = self.about("E028", before, format!("`%` is missing after `{}`", before.text));
            return Some(
                found.help(format!("write `{}%`", before.text)).fix(self.span(before.to, before.to), "%"),
            );
        }
        None
    }

    fn unit(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        let part = word.text.split('/').next().unwrap_or("").trim_end_matches('.');
        let here = self.slice(word.from, word.from + part.len());
        let before = self.word_before(word.from);
        let after_slash = self.code.get(..word.from).is_some_and(|code| code.trim_end().ends_with('/'));
        let expected = [Rule::unit, Rule::rate_per, Rule::feed_per, Rule::quantity, Rule::w_min]
            .iter()
            .any(|rule| expects(*rule));
        let fits = after_slash || (expected && is_number(before.text));
        if !fits {
            return None;
        }
        if let Some(right) = words::unit(part).filter(|right| *right != part) {
            let found = self.about("E027", here, format!("there is no unit `{part}`"));
            return Some(self.mended(found, here, right));
        }
        (expected && part.starts_with(char::is_alphabetic) && words::unit(part).is_none()).then(|| {
            let found = self.about("E027", here, format!("there is no unit `{}`", short(part)));
            found.help("units are `kWh`, `MWh`, `min`, `h`, `day`, `kW`, `A`, `session`, `bill`, `charger` and `month`")
        })
    }

    fn date(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        let expected = [
            Rule::date,
            Rule::dates,
            Rule::window,
            Rule::windows,
            Rule::window_part,
            Rule::moment,
            Rule::from_moment,
            Rule::year_month,
        ];
        if !expected.iter().any(|rule| expects(*rule)) || !word.text.starts_with(|c: char| c.is_ascii_digit())
        {
            return None;
        }
        let before = self.word_before(word.from).text;
        if matches!(before, "from" | "until") && self.is_quantity(word.from) {
            let found = self.about("E050", word, format!("`{before}` is for dates"));
            let rest = self.code.get(word.from..).unwrap_or("");
            let unit = rest.split_whitespace().nth(1).and_then(words::unit);
            if matches!(unit, Some("kW" | "A")) {
                return Some(found.help(
                    "write `below 11 kW` or `11 kW or more`; lines are read from the top, so `below 5 kW` above `below 10 kW` leaves it 5 to 10",
                ));
            }
            return Some(found.help("write `up to 20 kWh of energy` or `beyond 20 kWh of energy`"));
        }
        let text = word.text.trim_end_matches('.');
        let here = self.slice(word.from, word.from + text.len());
        let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
        if !parts
            .iter()
            .all(|part| !part.is_empty() && part.len() <= 4 && part.chars().all(|c| c.is_ascii_digit()))
        {
            return None;
        }
        let found = || {
            self.about(
                "E031",
                here,
                format!("dates are written as year-month-day, not like `{}`", short(text)),
            )
        };
        let number = |part: &str| part.parse::<u32>().unwrap_or(0);
        let iso = |year: &str, month: &str, day: &str| {
            NaiveDate::from_ymd_opt(year.parse().unwrap_or(0), number(month), number(day))
                .map(|date| date.to_string())
        };
        match parts.as_slice() {
            [year, month, day] if year.len() == 4 => Some(match iso(year, month, day) {
                Some(right) => self.mended(found(), here, &right),
                None => found().help("write it like `2025-03-30`"),
            }),
            // Points: the day comes first everywhere. Slashes: some put the month first.
            [day, month, year] if year.len() == 4 && text.contains('.') => {
                Some(match iso(year, month, day) {
                    Some(right) => self.mended(found(), here, &right),
                    None => found().help("write it like `2025-03-30`"),
                })
            }
            [_, _, _] => Some(found().help("write it like `2025-03-30`")),
            [year, _] if year.len() == 4 && !expects(Rule::year_month) => {
                Some(found().help("write the day too, like `2025-03-30`"))
            }
            [year] if year.len() == 4 && expects(Rule::date) => {
                Some(found().help("write the whole date, like `2025-03-30`"))
            }
            _ => None,
        }
    }

    fn time(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        let window = [Rule::window, Rule::windows, Rule::window_part, Rule::hours, Rule::month_name]
            .iter()
            .any(|rule| expects(*rule));
        let moment = [Rule::time, Rule::moment, Rule::from_moment].iter().any(|rule| expects(*rule));
        if !word.text.starts_with(|c: char| c.is_ascii_digit()) || (!window && !moment) {
            return self.clock_to_clock(word, expects).or_else(|| self.clock_in_date(word, expects));
        }
        let dash = ['-', '–', '—', '−'];
        let times: Option<Vec<String>> = word.text.split(dash).map(clock).collect();
        let bare = !word.text.contains([':', '.', 'h', 'm']);
        let found = self.about(
            "E033",
            word,
            format!("times are written like `08:00`, not like `{}`", short(word.text)),
        );
        match times {
            Some(times) if times.len() == 1 && bare && window => None,
            Some(times) if times.len() == 1 && window && !moment => Some(match times.first() {
                Some(time) => found.help(format!("write from when to when, as in `{time}-20:00`")),
                None => found,
            }),
            Some(times) if times.len() <= 2 => {
                let right = times.join("-");
                if right == word.text { None } else { Some(self.mended(found, word, &right)) }
            }
            _ => Some(found.help("write it like `08:00`, from `00:00` to `24:00`"))
                .filter(|_| word.text.contains(':')),
        }
    }

    /// `08:00 to 20:00`.
    fn clock_to_clock(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        if !expects(Rule::dash) || !matches!(word.text, "to" | "until" | "till" | "and") {
            return None;
        }
        let before = self.word_before(word.from);
        let rest = self.code.get(word.to..)?;
        let after = self.word(word.to + (rest.len() - rest.trim_start().len()));
        let right = format!("{}-{}", clock(before.text)?, clock(after.text)?);
        let whole = self.slice(before.from, after.to);
        let found = self.about(
            "E033",
            whole,
            format!("hours are written with a dash, not like `{}`", short(whole.text)),
        );
        Some(self.mended(found, whole, &right))
    }

    /// `from 08:00` where a date belongs.
    fn clock_in_date(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        let before = self.word_before(word.from).text;
        let clock_like = word.text.split('-').next().and_then(clock).filter(|_| word.text.contains(':'));
        let condition = expects(Rule::date) || expects(Rule::name) || expects(Rule::plug);
        if clock_like.is_none() || !condition || !matches!(before, "from" | "until" | "at" | "on") {
            return None;
        }
        let found = self.about("E033", word, format!("`{before}` is not for hours of the day"));
        Some(found.help("write `during 08:00-20:00`"))
    }

    fn calendar(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        let dash = ['-', '–', '—', '−'];
        let parts: Vec<&str> = word.text.split(dash).collect();
        let known: Vec<Option<&str>> = parts.iter().map(|part| words::calendar(part)).collect();
        let before = self.word_before(word.from).text;
        if matches!(before, "on" | "from" | "until" | "at") && known.iter().all(Option::is_some) {
            let right: Vec<&str> = known.into_iter().flatten().collect();
            let both = self.slice(self.word_before(word.from).from, word.to);
            let found = self.about("E035", both, format!("`{before}` is not for weekdays and months"));
            let right = format!("during {}", right.join("-"));
            let rest = self.code.get(word.to..).unwrap_or("").trim_start();
            return Some(if rest.starts_with("to ") {
                found.help(format!("write `{right}-...`"))
            } else {
                self.mended(found, both, &right)
            });
        }
        if let Some(found) = self.day_to_day(word, expects) {
            return Some(found);
        }
        let window = [
            Rule::window,
            Rule::windows,
            Rule::window_part,
            Rule::window_name,
            Rule::weekday,
            Rule::month_name,
            Rule::dash,
        ]
        .iter()
        .any(|rule| expects(*rule));
        if !window {
            return None;
        }
        if matches!(word.text, "fifth" | "first" | "second" | "third" | "fourth" | "last") {
            let found = self.about("E035", word, format!("`{}` does not fit here", word.text));
            return Some(
                found.help("write `first`, `second`, `third`, `fourth` or `last`, as in `last Fri of month`"),
            );
        }
        let touching = self
            .code
            .get(..word.from)
            .is_some_and(|code| code.ends_with(|c: char| !c.is_whitespace() && c != ','));
        let joined = if touching { self.slice(self.word_before(word.from).from, word.to) } else { word };
        if let (true, Some(first)) = (word.text.starts_with(dash), joined.text.split(dash).next())
            && words::calendar(first).is_some()
        {
            return self.days(joined);
        }
        if expects(Rule::window_name)
            && !expects(Rule::window_part)
            && self.code.starts_with("period")
            && known.iter().all(Option::is_some)
        {
            let found =
                self.about("E045", word, format!("`{}` is a weekday or month and no name", short(word.text)));
            return Some(found.help("choose another name"));
        }
        if known.iter().any(Option::is_some) || expects(Rule::weekday) || expects(Rule::month_name) {
            return self.days(if joined.text.contains(dash) { joined } else { word });
        }
        None
    }

    /// `Mon to Fri`.
    fn day_to_day(&self, word: Word<'_>, expects: Expects<'_>) -> Option<Diagnostic> {
        if !expects(Rule::dash) || !matches!(word.text, "to" | "until" | "till" | "through") {
            return None;
        }
        let before = self.word_before(word.from);
        let rest = self.code.get(word.to..)?;
        let after = self.word(word.to + (rest.len() - rest.trim_start().len()));
        let right = format!("{}-{}", words::calendar(before.text)?, words::calendar(after.text)?);
        let whole = self.slice(before.from, after.to);
        let message = format!("days and months are written with a dash, not like `{}`", short(whole.text));
        Some(self.mended(self.about("E035", whole, message), whole, &right))
    }

    /// `monday-fri`: every part with its right word.
    fn days(&self, word: Word<'_>) -> Option<Diagnostic> {
        let parts: Vec<&str> = word.text.split(['-', '–', '—', '−']).collect();
        let right: Option<Vec<&str>> = parts.iter().map(|part| words::calendar(part)).collect();
        let found =
            |bad: &str| self.about("E035", word, format!("there is no weekday or month `{}`", short(bad)));
        match right {
            Some(right) if right.join("-") != word.text => {
                Some(self.mended(found(word.text), word, &right.join("-")))
            }
            Some(_) => None,
            None => {
                let bad = parts.iter().find(|part| words::calendar(part).is_none())?;
                if !bad.starts_with(char::is_alphabetic) {
                    return None;
                }
                let all = WEEKDAYS.iter().chain(&MONTHS).copied();
                let near = words::nearest(bad, all.clone());
                Some(match near {
                    Some(near) => found(bad).help(format!("did you mean `{near}`?")),
                    None => found(bad).help(format!("write {}", words::list(all))),
                })
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '–', '−']);
    digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn looks_like_date(text: &str) -> bool {
    text.split('.').count() == 3 && text.rsplit('.').next().is_some_and(|year| year.len() == 4)
}

/// `8`, `8:00`, `8.00`, `8h`, `8am`, `8:30pm` as `HH:MM`.
fn clock(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let (body, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(body), _) => (body, Some(0)),
        (_, Some(body)) => (body, Some(12)),
        _ => (lower.strip_suffix('h').unwrap_or(&lower), None),
    };
    let mut parts = body.split([':', '.', 'h']);
    let hour = parts.next().filter(|h| (1..=2).contains(&h.len()))?.parse::<u32>().ok()?;
    let minute = match parts.next() {
        Some(minute) if minute.len() == 2 => minute.parse::<u32>().ok()?,
        Some(_) => return None,
        None => 0,
    };
    let zero_seconds = parts.next().is_none_or(|seconds| seconds == "00");
    let hour = match half {
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        Some(_) => return None,
        None => hour,
    };
    let fits = (hour < 24 && minute < 60) || (hour == 24 && minute == 0);
    (fits && zero_seconds && parts.next().is_none()).then(|| format!("{hour:02}:{minute:02}"))
}
