//! Words that are not in a list of known ones: statements, settings, charges, limits, conditions, lines of a test.

use super::explain::{Explain, Place, Word, short};
use super::grammar::Rule;
use super::words::{
    self, AFTER_PRICE, AFTER_REBATE, CLAUSES, Form, LIMITS, SETTINGS, STATEMENTS, STEPS, list, nearest,
};
use crate::diagnostic::Diagnostic;

impl Explain<'_> {
    /// No statement starts so.
    pub fn unknown_statement(&self, changed: bool) -> Diagnostic {
        let first = self.word(0);
        let first_words = self
            .code
            .find([':', '"'])
            .map_or(first.text, |end| self.code.get(..end).unwrap_or("").trim_end());
        if SETTINGS.iter().any(|(key, ..)| *key == first_words) {
            let found = self.error(
                "E020",
                0,
                first_words.len(),
                format!("`{first_words}` is a setting and no statement"),
            );
            return found.help("indent it below the line `tariff \"...\"`");
        }
        if changed && matches!(first.text, "tariff" | "set" | "remove" | "test" | "change") {
            let found = self.about("E020", first, format!("`change` cannot stand before `{}`", first.text));
            return found.help("`change` stands before the charge, price or VAT that is replaced, as in `change energy: ...`");
        }
        if let Some((form, end)) = nearest_statement(self.code) {
            let written = self.slice(0, end);
            let found = self.about("E020", written, format!("there is no statement `{}`", written.text));
            return found.help(format!("did you mean `{}`?", form.words)).fix(self.span(0, end), form.words);
        }
        let longer: Vec<&Form> = STATEMENTS
            .iter()
            .filter(|form| form.words.strip_prefix(first.text).is_some_and(|rest| rest.starts_with(' ')))
            .collect();
        if let ([form], Some(_)) = (longer.as_slice(), self.colon_from(0)) {
            let found = self.about("E020", first, format!("there is no statement `{}`", first.text));
            return found
                .help(format!("did you mean `{}`?", form.words))
                .fix(self.span(0, first.to), form.words);
        }
        if let Some(found) = self.test_or_case_at_margin(first) {
            return found;
        }
        self.about("E020", first, format!("there is no statement `{}`", short(first.text)))
            .help(format!("a line at the margin starts with {}", list(STATEMENTS.iter().map(|f| f.words))))
    }

    pub fn test_or_case_at_margin(&self, first: Word<'_>) -> Option<Diagnostic> {
        let price = first.text.starts_with(|c: char| c.is_ascii_digit() || "-+(.€$£".contains(c));
        let clause = CLAUSES.iter().any(|(word, _)| *word == first.text)
            || matches!(first.text, "free" | "else" | "default");
        let step = STEPS.iter().find(|(words, _)| words::starts_with(self.code, words).is_some());
        let (what, help) = if price || clause {
            (
                "a price",
                "put it below the statement it belongs to, such as `energy:`, and two spaces before it",
            )
        } else if step.is_some() {
            ("a line of a test", "put it below a line `test \"...\"`, and two spaces before it")
        } else {
            return None;
        };
        Some(
            self.about("E020", first, format!("`{}` starts {what}, not a statement", short(first.text)))
                .help(help),
        )
    }

    /// No setting has this key, or it has no colon.
    pub fn unknown_setting(&self) -> Diagnostic {
        let keys = || SETTINGS.iter().map(|(key, ..)| *key);
        let end = match self.code.find(':') {
            Some(end) => end,
            None => match keys().filter_map(|key| words::starts_with(self.code, key)).max() {
                Some(end) => {
                    let found = self.error(
                        "E024",
                        end,
                        end,
                        format!("a colon is missing after `{}`", self.slice(0, end).text),
                    );
                    return found.help("a setting is `key: value`").fix(self.span(end, end), ":");
                }
                None => self.word(0).to,
            },
        };
        let key = self.code.get(..end).unwrap_or("").trim_end();
        let found = self.error("E021", 0, key.len(), format!("there is no setting `{}`", short(key)));
        match words::setting(key).or_else(|| nearest(key, keys())) {
            Some(known) => found.help(format!("did you mean `{known}`?")).fix(self.span(0, key.len()), known),
            None => match words::starts_with(self.code, "VAT")
                .or_else(|| words::starts_with(self.code, "groups"))
            {
                Some(_) => found.help(format!("`{key}` is a statement of its own and starts at the margin")),
                None => found.help(format!("settings are {}", list(keys()))),
            },
        }
    }

    /// `prices: incl. VAT`.
    pub fn basis(&self, word: Word<'_>, place: Place) -> Option<Diagnostic> {
        let Place::Setting(Some((_, Rule::basis_value, form))) = place else { return None };
        let value = self.slice(word.from, self.code.len());
        let found = self.about("E050", value, format!("`{}` does not fit here", short(value.text)));
        let lower = value.text.to_lowercase();
        Some(match lower.get(..2) {
            Some("in" | "gr") => self.mended(found, value, "including VAT"),
            Some("ex" | "ne") => self.mended(found, value, "excluding VAT"),
            _ => found.help(format!("write `{form}`")),
        })
    }

    /// `idle` where a charge is named.
    pub fn half_a_charge(&self, word: Word<'_>, expects: &dyn Fn(Rule) -> bool) -> Option<Diagnostic> {
        if ![Rule::w_fee, Rule::w_time, Rule::w_credit].iter().any(|rule| expects(*rule)) {
            return None;
        }
        let mut kinds =
            STATEMENTS.iter().filter(|form| form.rule == Rule::charge_line).map(|form| form.words);
        let whole =
            kinds.find(|kind| kind.strip_prefix(word.text).is_some_and(|rest| rest.starts_with(' ')))?;
        let found = self.about("E037", word, format!("`{}` is only half a name", word.text));
        let help = found.help(format!("write `{whole}`"));
        Some(help.fix(self.span(word.from, word.to), whole))
    }

    /// `energi` or `idle` where a charge is named.
    pub fn charge(&self, word: Word<'_>, expects: &dyn Fn(Rule) -> bool, place: Place) -> Option<Diagnostic> {
        let kinds = || STATEMENTS.iter().filter(|form| form.rule == Rule::charge_line).map(|form| form.words);
        if let Some(found) = self.half_a_charge(self.word_before(word.from), expects) {
            return Some(found);
        }
        let named = [Rule::charge_ref, Rule::charge_refs, Rule::kind, Rule::removed]
            .iter()
            .any(|rule| expects(*rule));
        if !named || matches!(place, Place::Step) || word.text.starts_with([':', ',']) {
            return None;
        }
        let rest = self.code.get(word.from..)?;
        let two = rest.find([':', ',', '"']).map_or(rest, |end| rest.get(..end).unwrap_or(rest)).trim_end();
        let found = self.about("E037", word, format!("there is no charge `{}`", short(word.text)));
        let near = nearest(two, kinds()).map(|near| (near, word.from + two.len()));
        Some(match near.or_else(|| nearest(word.text, kinds()).map(|near| (near, word.to))) {
            Some((near, to)) => {
                found.help(format!("did you mean `{near}`?")).fix(self.span(word.from, to), near)
            }
            None => found.help(format!("charges are {}", list(kinds()))),
        })
    }

    pub fn clause(&self, word: Word<'_>, expects: &dyn Fn(Rule) -> bool, place: Place) -> Option<Diagnostic> {
        let rebate = expects(Rule::rebate_clause);
        if !expects(Rule::clause) && !rebate {
            return None;
        }
        let known = || {
            CLAUSES.iter().map(|(word, _)| *word).filter(|word| rebate || !matches!(*word, "not" | "once"))
        };
        let all = || list(if rebate { AFTER_REBATE } else { AFTER_PRICE }.iter().copied());
        if word.text == "not" && !rebate {
            let found = self.about("E023", word, "there is no condition `not`");
            return Some(
                found
                    .help("lines are read from the top: give the exception a line of its own above this one"),
            );
        }
        if word.text == ":" || CLAUSES.iter().any(|(word_, _)| *word_ == word.text) {
            return None;
        }
        if word.text == "," {
            if self
                .code
                .get(word.to..)
                .is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()))
            {
                let found = self.about("E023", word, "one line has one price");
                return Some(
                    found.help(
                        "make the second one a charge of its own, as in `connected time: 0.05 EUR/min`",
                    ),
                );
            }
            let found = self.about("E023", word, "conditions stand side by side, without a comma");
            return Some(self.mended(found, word, ""));
        }
        if word.text.starts_with('"') {
            let found = self.about("E023", word, format!("`{}` is not a condition", short(word.text)));
            return Some(found.help("a label stands before the colon; notes start with `#`"));
        }
        let function = match self.word_before(word.from).text {
            "max" | "maximum" => Some("higher of spot and 0.10 EUR/kWh"),
            "min" | "minimum" => Some("lower of spot and 0.10 EUR/kWh"),
            _ => None,
        };
        if let Some(form) = function.filter(|_| word.text.starts_with('(')) {
            let found = self.about("E050", word, "there are no functions with brackets");
            return Some(found.help(format!("write it like `{form}`")));
        }
        if let Some(found) = self.everyone_else(word) {
            return Some(found);
        }
        if !word.text.starts_with(char::is_alphanumeric) {
            let found = self.about("E050", word, format!("`{}` is not an operator", short(word.text)));
            return Some(found.help("operators are `+`, `-`, `*`, `/` and `of`; the rest is said in words"));
        }
        let found = self.about("E023", word, format!("there is no condition `{}`", short(word.text)));
        let lower = word.text.to_lowercase();
        let day = words::calendar(word.text.split('-').next().unwrap_or("")).is_some()
            || word.text.contains(':')
            || lower == "public";
        if day {
            let what = if lower == "public" { "public holidays" } else { word.text };
            let found = found.help(format!("write `during {}`", short(what)));
            return Some(found.fix(self.span(word.from, word.from), "during "));
        }
        Some(match lower.as_str() {
            "unless" | "except" => found.help(format!(
                "lines are read from the top: give the exception a line of its own above this one; after a price may follow {}",
                all()
            )),
            "else" | "default" | "others" | "rest" | "always" => {
                let fixed = found.help("the last line ends in `otherwise`");
                if self.code.len() == word.to { fixed.fix(self.span(word.from, word.to), "otherwise") } else { fixed }
            }
            "and" if words::starts_with(self.code, "max of").is_some() || self.code.contains(" max of ") => {
                found.help("write `higher of spot and 0.10 EUR/kWh`")
            }
            "and" if words::starts_with(self.code, "min of").is_some() || self.code.contains(" min of ") => {
                found.help("write `lower of spot and 0.10 EUR/kWh`")
            }
            "and" | "or" | "&" if self.ends_in_window(word.from) => {
                let end = self.word_before(word.from).to;
                found
                    .help("a comma means or, as in `Mon-Fri, Sun`; side by side means and, as in `Mon-Fri 08:00-20:00`")
                    .fix(self.span(end, word.to), ",")
            }
            "and" | "&" | "&&" => {
                let next = self.code.get(word.to..).unwrap_or("");
                let gap = next.len() - next.trim_start().len();
                found.help("conditions stand side by side; delete it").fix(self.span(word.from, word.to + gap), "")
            }
            "or" | "||" => found.help("put a comma between names, as in `for members, guests`, or write a second line"),
            "only" => found.help("delete it: a price is only for those whom its line names").fix(self.span(word.from, word.to), ""),
            "if" | "when" | "where" => found.help(format!("after a price may follow {}", all())),
            "per" => found.help("write a slash, as in `0.40 EUR/kWh`"),
            "excl" | "excl." | "ex" | "ex." | "without" | "net" => found.help("write `excluding VAT`"),
            "incl" | "incl." | "inc" | "inc." | "inkl" | "inkl." | "gross" => found.help("write `including VAT`"),
            "after" if self.is_quantity(word.to) => found.help(
                "for a price from then on write `beyond 20 kWh of energy` or `beyond 60 min of connected time`; an allowance stands before the colon, as in `idle fee after 30 min: 0.10 EUR/min`",
            ),
            "first" if self.is_quantity(word.to) => {
                found.help("write `up to`, as in `up to 20 kWh of energy`").fix(self.span(word.from, word.to), "up to")
            }
            "between" | "before" | "after" | "since" | "daily" | "weekdays" | "weekends" => {
                found.help("write `during 08:00-20:00` for hours and days, `from 2025-04-01` and `until 2025-03-31` for dates")
            }
            "over" | "above" | "more" => found.help("write `beyond 20 kWh of energy`, `11 kW or more` or `with 50 kW or more`"),
            "under" | "less" => found.help("write `up to 20 kWh of energy`, `below 11 kW` or `with less than 50 kW`"),
            "max" | "maximum" | "min" | "minimum" => found.help(
                "a formula is limited by `at most 0.50 EUR/kWh` or `at least 0 EUR/kWh`; the limits of a charge stand before the colon, as in `idle fee at most 20.00 EUR/session:`",
            ),
            "ac" | "dc" | "ccs" | "type2" | "chademo" => {
                found.help(format!("write `on {}`", word.text)).fix(self.span(word.from, word.from), "on ")
            }
            "in" | "by" | "using" => found.help(format!("after a price may follow {}", all())),
            _ => match (nearest(word.text, known()), place) {
                (Some(near), _) => found.help(format!("did you mean `{near}`?")).fix(self.span(word.from, word.to), near),
                (None, Place::Vat | Place::Tax) => found.help("after a rate may follow `from 2025-04-01`, `until 2025-03-31` or `at harbour`"),
                (None, Place::Statement(form)) if form.rule == Rule::discount_line && self.colon_from(word.to).is_some() => {
                    found.help(format!("for a group write `for {}`; there may stand {}", short(word.text), all()))
                }
                (None, _) if expects(Rule::comma) => {
                    found.help(format!("names are separated by commas; after a price may follow {}", all()))
                }
                (None, _) => found.help(format!("after a price may follow {}", all())),
            },
        })
    }

    /// Whether days or hours stand before `at`.
    fn ends_in_window(&self, at: usize) -> bool {
        let before = self.word_before(at).text;
        before == "holidays"
            || before.contains(':')
            || before.split('-').all(|part| words::calendar(part).is_some())
    }

    /// Whether a number and a unit follow, as in `30 min`.
    pub fn is_quantity(&self, at: usize) -> bool {
        let next = |at: usize| {
            let rest = self.code.get(at..).unwrap_or("");
            self.word(at + (rest.len() - rest.trim_start().len()))
        };
        let number = next(at);
        let unit = next(number.to);
        number.text.starts_with(|c: char| c.is_ascii_digit()) && words::unit(unit.text).is_some()
    }

    pub fn limit(&self, word: Word<'_>, expects: &dyn Fn(Rule) -> bool, place: Place) -> Option<Diagnostic> {
        let Place::Statement(form) = place else { return None };
        if form.rule != Rule::charge_line || !expects(Rule::limit) {
            return None;
        }
        if CLAUSES.iter().any(|(known, _)| *known == word.text && !matches!(*known, "at" | "from" | "paid")) {
            let found = self.about(
                "E036",
                word,
                format!("conditions stand after the price, not before the colon: `{}`", word.text),
            );
            let clause =
                CLAUSES.iter().find(|(known, _)| *known == word.text).map_or("for members", |(_, form)| form);
            return Some(found.help(format!("write it like `{}  {clause}`", form.form)));
        }
        if let Some(right) = match word.text.to_lowercase().as_str() {
            "max" | "maximum" | "max." | "cap" => Some("at most"),
            "min" | "minimum" | "min." | "floor" => Some("at least"),
            _ => None,
        } {
            let found = self.about("E036", word, format!("a limit does not start with `{}`", word.text));
            return Some(self.mended(found, word, right));
        }
        let found = self.about(
            "E036",
            word,
            format!("`{}` cannot stand between a charge and its colon", short(word.text)),
        );
        Some(match nearest(word.text, LIMITS.iter().map(|(word, _)| *word)) {
            Some(near) => {
                found.help(format!("did you mean `{near}`?")).fix(self.span(word.from, word.to), near)
            }
            None => found.help(format!(
                "there may stand a label in quotes, and {}",
                list(LIMITS.iter().map(|(_, form)| *form))
            )),
        })
    }

    pub fn step(&self, word: Word<'_>, expects: &dyn Fn(Rule) -> bool, place: Place) -> Option<Diagnostic> {
        if !matches!(place, Place::Step) {
            return None;
        }
        if word.text == ":" {
            return Some(self.mended(self.about("E050", word, "a line of a test has no colon"), word, ""));
        }
        if matches!(word.text.to_lowercase().as_str(), "ac" | "dc" | "ccs" | "type2" | "chademo")
            && expects(Rule::w_on)
        {
            let found = self.about("E050", word, format!("`on` is missing before `{}`", word.text));
            return Some(
                found.help(format!("write `on {}`", word.text)).fix(self.span(word.from, word.from), "on "),
            );
        }
        if expects(Rule::expected)
            || words::starts_with(self.code, "expect") == Some(self.word_before(word.from).to)
        {
            let kinds =
                STATEMENTS.iter().filter(|form| form.rule == Rule::charge_line).map(|form| form.words);
            let known =
                || ["total", "net", "VAT", "coupon", "discount", "pending"].into_iter().chain(kinds.clone());
            let found = self.about("E022", word, format!("nothing is known as `{}`", short(word.text)));
            return Some(match nearest(word.text, known()) {
                Some(near) if near != word.text => {
                    found.help(format!("did you mean `{near}`?")).fix(self.span(word.from, word.to), near)
                }
                _ => found.help(format!("after `expect` may stand {}", list(known()))),
            });
        }
        if STEPS.iter().any(|(words, _)| words::starts_with(self.code, words).is_some()) {
            return None;
        }
        let first = self.word(0);
        let found =
            self.about("E022", first, format!("no line of a test starts with `{}`", short(first.text)));
        Some(match nearest(first.text, STEPS.iter().map(|(words, _)| *words)) {
            Some(near) => {
                found.help(format!("did you mean `{near}`?")).fix(self.span(first.from, first.to), near)
            }
            None => match STEPS.iter().find(|(words, _)| words.split(' ').next() == Some(first.text)) {
                Some((_, form)) => found.help(format!("write it like `{form}`")),
                None => found.help(format!(
                    "a line of a test starts with {}",
                    list(STEPS.iter().map(|(words, _)| *words))
                )),
            },
        })
    }
}

/// The statement that a line was probably meant to be, and where its written words end.
pub fn nearest_statement(code: &str) -> Option<(&'static Form, usize)> {
    let head = code.find([':', '"']).map_or(code, |end| code.get(..end).unwrap_or(code));
    let ends = head
        .char_indices()
        .filter(|(at, c)| c.is_whitespace() && *at > 0)
        .map(|(at, _)| at)
        .chain([head.len()]);
    let mut best: Option<(usize, &'static Form, usize)> = None;
    for end in ends.take(3) {
        let written = head.get(..end).unwrap_or("").trim_end();
        if written.is_empty() || written.len() > 40 {
            continue;
        }
        let Some(known) = nearest(written, STATEMENTS.iter().map(|f| f.words)) else { continue };
        let distance = strsim::damerau_levenshtein(&written.to_lowercase(), &known.to_lowercase());
        // The closest; of equally close ones the longest, `idle fee` before `idle`.
        let closer =
            best.is_none_or(|(d, form, _)| distance < d || (distance == d && known.len() > form.words.len()));
        if let Some(form) = STATEMENTS.iter().find(|form| form.words == known).filter(|_| closer) {
            best = Some((distance, form, written.len()));
        }
    }
    best.map(|(_, form, end)| (form, end))
}
