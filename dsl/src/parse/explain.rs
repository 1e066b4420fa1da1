//! Why a line cannot be read, and what to write instead: typical mistakes first, the line's form last.

use super::Stop;
use super::explain_lists::nearest_statement;
use super::grammar::Rule;
use super::lines::span;
use super::words::{self, CLAUSES, Form, STATEMENTS, STEPS};
use crate::ast::Span;
use crate::diagnostic::Diagnostic;

/// What the line was read as.
#[derive(Clone, Copy)]
pub enum Place {
    /// A line at the margin.
    Statement(&'static Form),
    /// `PRICE clause*`
    Price,
    /// `25% clause*`
    Vat,
    /// `2% clause*`
    Tax,
    /// A setting, where it is known.
    Setting(Option<&'static (&'static str, Rule, &'static str)>),
    /// A line of a test.
    Step,
}

/// A line that cannot be read.
pub struct Explain<'t> {
    /// For labels.
    pub source: u32,
    /// Byte offset of `code`.
    pub base: u32,
    /// What the grammar was given.
    pub code: &'t str,
    /// The tariff's currency, where it is known yet.
    pub currency: Option<&'t str>,
}

/// A stretch of the line.
#[derive(Clone, Copy)]
pub struct Word<'t> {
    pub text: &'t str,
    pub from: usize,
    pub to: usize,
}

impl<'t> Explain<'t> {
    pub fn span(&self, from: usize, to: usize) -> Span {
        span(self.base, from, to)
    }

    pub fn error(
        &self,
        code: &'static str,
        from: usize,
        to: usize,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(code, self.source, self.span(from, to), message)
    }

    /// An error about a word.
    pub fn about(&self, code: &'static str, word: Word<'_>, message: impl Into<String>) -> Diagnostic {
        self.error(code, word.from, word.to, message)
    }

    /// The same with its one replacement.
    pub fn mended(&self, found: Diagnostic, word: Word<'_>, by: &str) -> Diagnostic {
        let help = if by.is_empty() { "delete it".to_owned() } else { format!("write `{by}`") };
        found.help(help).fix(self.span(word.from, word.to), by)
    }

    pub fn slice(&self, from: usize, to: usize) -> Word<'t> {
        Word { text: self.code.get(from..to).unwrap_or(""), from, to }
    }

    /// From `at` up to a space, quote, bracket, or comma that ends a word; a whole text between quotes.
    pub fn word(&self, at: usize) -> Word<'t> {
        let rest = self.code.get(at..).unwrap_or("");
        if let Some(text) = rest.strip_prefix('"') {
            return self.slice(at, at + 1 + text.find('"').map_or(text.len(), |end| end + 1));
        }
        let mut to = rest.len();
        for (by, c) in rest.char_indices().skip(1) {
            let next_digit =
                || rest.get(by + c.len_utf8()..).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
            if c.is_whitespace() || matches!(c, '"' | '(' | ')') || (matches!(c, ',' | ':') && !next_digit())
            {
                to = by;
                break;
            }
        }
        if rest.starts_with(['(', ')', ',', ':']) {
            to = 1;
        }
        self.slice(at, at + to)
    }

    /// The word that ends before `at`, spaces between.
    pub fn word_before(&self, at: usize) -> Word<'t> {
        let before = self.code.get(..at).unwrap_or("").trim_end();
        let from = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| !c.is_whitespace() && !matches!(c, '"' | '(' | ')'))
            .last()
            .map_or(before.len(), |(by, _)| by);
        self.slice(from, before.len())
    }

    /// The grammar stopped.
    pub fn stopped(&self, stop: &Stop, place: Place) -> Diagnostic {
        let at = stop.at.min(self.code.len());
        let rest = self.code.get(at..).unwrap_or("");
        let at = at + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
        let expects = |rule: Rule| stop.expected.contains(&rule);
        if at >= self.code.len() {
            return self.ends_early(&expects, place);
        }
        let mut word = self.word(at);
        let before = self.code.get(..at).unwrap_or("");
        if expects(Rule::month_name) && before.ends_with(|c: char| c.is_ascii_digit()) {
            // `8am`: the 8 was taken for a day of a month.
            word = self.slice(self.word_before(at).from, word.to);
        }
        if let Place::Statement(form) = place
            && let Some((meant, end)) = nearest_statement(self.code)
            && meant.rule != form.rule
            && at < end
            && meant.words.contains(' ')
        {
            let written = self.slice(0, end);
            let found = self.about("E020", written, format!("there is no statement `{}`", written.text));
            return found
                .help(format!("did you mean `{}`?", meant.words))
                .fix(self.span(0, end), meant.words);
        }
        if let Some(found) = self.half_known(word, at, place) {
            return found;
        }
        if let Some(mut found) = self.written_otherwise(word, &expects) {
            if matches!(place, Place::Step) && found.code == "E035" {
                // Conditions ask for weekdays; a test has dates.
                found.fix = None;
                return found.help("say the date, as in `from 2025-03-10 17:00 to 18:00`");
            }
            if let (Place::Step, "E028", Some(help)) = (place, found.code, &mut found.help) {
                // A line with such a number tends to lack more than the number.
                *help = format!("{help}; the whole line is like `{}`", self.near_form(at, place));
            }
            return found;
        }
        if word.text == ")" {
            return self.mended(self.about("E049", word, "this bracket was not opened"), word, "");
        }
        self.at_margin_and_indented(place)
            .or_else(|| self.basis(word, place))
            .or_else(|| self.colon(word, &expects, place))
            .or_else(|| self.charge(word, &expects, place))
            .or_else(|| self.quotes(word, &expects, place))
            .or_else(|| self.name(word, &expects, place))
            .or_else(|| self.clause(word, &expects, place))
            .or_else(|| self.limit(word, &expects, place))
            .or_else(|| self.step(word, &expects, place))
            .unwrap_or_else(|| self.form(word, &expects, place))
    }

    fn ends_early(&self, expects: &dyn Fn(Rule) -> bool, place: Place) -> Diagnostic {
        let end = self.code.len();
        let last = self.word_before(end);
        if expects(Rule::closing) {
            let open = self.unclosed();
            let found = self.error("E049", open, open + 1, "this bracket is not closed");
            return found.help("put `)` where it ends");
        }
        if let Place::Setting(Some((key, _, form))) = place
            && self.code.ends_with(':')
        {
            return self
                .error("E047", 0, end, format!("`{key}` has no value"))
                .help(format!("write `{form}`"));
        }
        if let Some(found) = self.half_a_charge(last, expects) {
            return found;
        }
        if expects(Rule::colon) {
            let found = self.error("E024", end, end, "the colon is missing at the end of this line");
            return found
                .help(format!("write `:` and what it costs, as in `{}`", form_of(place)))
                .fix(self.span(end, end), ":");
        }
        if let Some(found) = self.half_a_number(last, expects).or_else(|| self.half_a_rebate(place)) {
            return found;
        }
        let (shown, from) = if last.text.is_empty() { (self.slice(0, end), 0) } else { (last, last.from) };
        let found =
            self.error("E047", from, end, format!("something is missing after `{}`", short(shown.text)));
        found.help(format!("write it like `{}`", self.near_form(end, place)))
    }

    /// Where the first bracket stands that is not closed.
    fn unclosed(&self) -> usize {
        let mut open = Vec::new();
        for (at, c) in self.code.char_indices() {
            match c {
                '(' => open.push(at),
                ')' => {
                    open.pop();
                }
                _ => {}
            }
        }
        open.last().copied().unwrap_or(0)
    }

    fn at_margin_and_indented(&self, place: Place) -> Option<Diagnostic> {
        if matches!(place, Place::Statement(_)) {
            return None;
        }
        let form = STATEMENTS.iter().find(|form| words::starts_with(self.code, form.words).is_some())?;
        let rest = self.code.get(words::starts_with(self.code, form.words)?..)?;
        let titled =
            matches!(form.rule, Rule::test_line | Rule::tariff_line) && rest.trim_start().starts_with('"');
        (titled || self.colon_from(0).is_some()).then(|| {
            let found = self.error(
                "E051",
                0,
                form.words.len(),
                format!("`{}` starts a statement, but is indented", form.words),
            );
            found.help("statements start at the margin, without spaces before them")
        })
    }

    /// The first colon from `at` on that is not inside a text or a time.
    pub fn colon_from(&self, at: usize) -> Option<usize> {
        let mut string = false;
        let rest = self.code.get(at..)?;
        for (by, c) in rest.char_indices() {
            let digit = |c: char| c.is_ascii_digit();
            let in_time = || {
                rest.get(..by).is_some_and(|r| r.ends_with(digit))
                    && rest.get(by + 1..).is_some_and(|r| r.starts_with(digit))
            };
            match c {
                '"' => string = !string,
                ':' if !string && !in_time() => return Some(at + by),
                _ => {}
            }
        }
        None
    }

    fn colon(&self, word: Word<'_>, expects: &dyn Fn(Rule) -> bool, place: Place) -> Option<Diagnostic> {
        let Place::Statement(form) = place else { return None };
        if word.text == ":"
            && !expects(Rule::colon)
            && matches!(form.rule, Rule::tariff_line | Rule::test_line | Rule::remove_line)
        {
            let found = self.about("E050", word, format!("`{}` has no colon", form.words));
            return Some(self.mended(found, word, ""));
        }
        if matches!(form.rule, Rule::coupon_line | Rule::discount_line) && self.colon_from(0).is_none() {
            let amount =
                self.words().find(|w| w.from > 0 && w.text.starts_with(|c: char| c.is_ascii_digit()))?;
            let end = self.code.get(..amount.from)?.trim_end().len();
            let found =
                self.error("E024", end, end, format!("a colon is missing before `{}`", short(amount.text)));
            return Some(found.help(format!("write it like `{}`", form.form)).fix(self.span(end, end), ":"));
        }
        if !expects(Rule::colon) || self.colon_from(word.from).is_some() {
            return None;
        }
        let starts_value =
            word.text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '(' | '"'))
                || matches!(
                    word.text,
                    "free" | "none" | "exempt" | "outside" | "spot" | "hourly" | "higher" | "lower" | "set"
                );
        let only_colon = matches!(
            form.rule,
            Rule::groups_line
                | Rule::period_line
                | Rule::chargers_line
                | Rule::sites_line
                | Rule::feed_line
                | Rule::scope_line
                | Rule::total_line
        );
        let named =
            matches!(form.rule, Rule::price_line | Rule::value_line | Rule::set_line | Rule::vat_line);
        if !starts_value && !only_colon && !named {
            return None;
        }
        let end = self.word_before(word.from).to.max(self.code.get(..word.from)?.trim_end().len());
        let found = self.error("E024", end, end, format!("a colon is missing before `{}`", short(word.text)));
        Some(found.help(format!("write it like `{}`", form.form)).fix(self.span(end, end), ":"))
    }

    /// The words of the line.
    fn words(&self) -> impl Iterator<Item = Word<'t>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = self.code.get(at..)?;
            let from = at + (rest.len() - rest.trim_start().len());
            let word = self.word(from);
            at = word.to;
            (!word.text.is_empty()).then_some(word)
        })
    }

    fn quotes(&self, word: Word<'_>, expects: &dyn Fn(Rule) -> bool, place: Place) -> Option<Diagnostic> {
        let names = [Rule::name, Rule::price_name, Rule::window_name, Rule::plug, Rule::group];
        if word.text.starts_with('"') && names.iter().any(|rule| expects(*rule)) && !expects(Rule::string) {
            let bare = word.text.trim_matches('"');
            if let Some(found) = self.charger_id(word, place) {
                return Some(found);
            }
            let found =
                self.about("E045", word, format!("names stand without quotes: `{}`", short(word.text)));
            let hyphens = bare.replace([' ', '_'], "-");
            return Some(if super::is_name(bare) {
                self.mended(found, word, bare)
            } else {
                found.help(format!("a name is one word of letters, digits and hyphens, as in `{hyphens}`"))
            });
        }
        if !expects(Rule::string) && !expects(Rule::strings) {
            return None;
        }
        let needed = match place {
            Place::Statement(form) => {
                matches!(
                    form.rule,
                    Rule::tariff_line | Rule::test_line | Rule::chargers_line | Rule::sites_line
                ) || matches!(form.rule, Rule::coupon_line | Rule::tax_line)
            }
            Place::Setting(Some((_, rule, _))) => *rule == Rule::text_value,
            Place::Step | Place::Price | Place::Vat => {
                let before = self.word_before(word.from).text;
                matches!(before, "with" | "charger" | "site" | "exempt" | "coupon") || before.ends_with(',')
            }
            _ => false,
        };
        if needed && word.text == ":" && !matches!(place, Place::Step) {
            let found = self.about("E046", word, "a text in quotes is missing before the colon");
            return Some(found.help(format!("write it like `{}`", form_of(place))));
        }
        if !needed || word.text == "of" || word.text.starts_with([':', '"', ',']) {
            return None;
        }
        let whole = matches!(place, Place::Setting(_))
            || matches!(place, Place::Statement(form) if matches!(form.rule, Rule::tariff_line | Rule::test_line));
        let text = if whole { self.slice(word.from, self.code.len()) } else { word };
        let bare = text.text.trim_end_matches(':').trim_end();
        let found = self.about("E046", text, format!("a text stands between quotes: `{}`", short(text.text)));
        Some(if bare.contains('"') || bare.is_empty() {
            found.help("write `\"like this\"`")
        } else {
            self.mended(found, text, &format!("\"{bare}\""))
        })
    }

    fn name(&self, word: Word<'_>, expects: &dyn Fn(Rule) -> bool, place: Place) -> Option<Diagnostic> {
        let expected_name =
            [Rule::name, Rule::price_name, Rule::window_name, Rule::group, Rule::group_list, Rule::plug]
                .iter()
                .any(|rule| expects(*rule));
        let formula = [Rule::expr, Rule::price, Rule::sum, Rule::product, Rule::factor, Rule::case]
            .iter()
            .any(|rule| expects(*rule));
        let first = word.text.chars().next()?;
        if (expected_name || formula) && first.is_alphabetic() && word.text.contains('_') {
            let hyphens = word.text.replace('_', "-");
            let found = self.about("E045", word, format!("`{}` is not a name", short(word.text)));
            return Some(
                found.help(format!("a name has letters, digits and hyphens, as in `{}`", short(&hyphens))),
            );
        }
        if let Place::Statement(form) = place
            && expects(Rule::colon)
            && matches!(
                form.rule,
                Rule::price_line
                    | Rule::value_line
                    | Rule::set_line
                    | Rule::period_line
                    | Rule::feed_line
                    | Rule::chargers_line
                    | Rule::sites_line
            )
        {
            let from = words::starts_with(self.code, form.words)?;
            let to = self.colon_from(from)?;
            let name = self.slice(from, to).text.trim();
            let from = to - self.slice(from, to).text.trim_start().len();
            let found =
                self.error("E045", from, from + name.len(), format!("a name is one word: `{}`", short(name)));
            let hyphens: Vec<&str> =
                name.split([' ', '\t', '_', '-', '.', '/']).filter(|part| !part.is_empty()).collect();
            return Some(
                found.help(format!("join the words with hyphens, as in `{}`", short(&hyphens.join("-")))),
            );
        }
        if expected_name && word.text == ":" {
            let found = self.about("E045", word, "a name is missing before the colon");
            return Some(found.help(format!("write it like `{}`", form_of(place))));
        }
        let before = self.word_before(word.from);
        if before.text.ends_with(',') && CLAUSES.iter().any(|(known, _)| *known == word.text) {
            let found = self.error(
                "E023",
                before.to - 1,
                before.to,
                "conditions stand side by side, without a comma",
            );
            return Some(found.help("delete it").fix(self.span(before.to - 1, before.to), ""));
        }
        if expected_name && !formula {
            let found = self.about("E045", word, format!("`{}` is not a name", short(word.text)));
            if first.is_ascii_digit() {
                return Some(found.help("a name starts with a letter"));
            }
            if first.is_alphabetic() {
                let found = self.about(
                    "E045",
                    word,
                    format!("`{}` is a word of the language and no name", short(word.text)),
                );
                return Some(found.help("choose another name"));
            }
        }
        if formula && word.text.eq_ignore_ascii_case("free") {
            return Some(self.mended(
                self.about("E050", word, format!("`{}` is written small", word.text)),
                word,
                "free",
            ));
        }
        if formula && words::unit(word.text) == Some(word.text) {
            let found = self.about("E045", word, format!("`{}` is a unit and no name", word.text));
            return Some(found.help("choose another name"));
        }
        let reserved = CLAUSES.iter().any(|(known, _)| *known == word.text);
        if formula && reserved {
            let found = self.about("E047", word, format!("a price is missing before `{}`", word.text));
            return Some(
                found.help("write the price first, then its conditions, as in `0.25 EUR/kWh  for members`"),
            );
        }
        None
    }

    /// The last resort: what stands there, and how such a line looks.
    fn form(&self, word: Word<'_>, expects: &dyn Fn(Rule) -> bool, place: Place) -> Diagnostic {
        let like = format!("write it like `{}`", self.near_form(word.from, place));
        if word.text == ":" || word.text == ")" || (word.text == "," && !expects(Rule::EOI)) {
            let before = self.word_before(word.from);
            if let Some(found) = self.half_a_number(before, expects) {
                return found;
            }
            return self
                .about("E047", word, format!("something is missing before `{}`", word.text))
                .help(like);
        }
        if word.text == "," && self.code.contains("everyone else") {
            let found = self.about("E050", word, "nothing can follow `everyone else`");
            return found.help("`everyone else` and its name stand last");
        }
        if expects(Rule::comma) && word.text.starts_with(|c: char| c.is_alphabetic() || c == '"') {
            let end = self.code.get(..word.from).unwrap_or("").trim_end().len();
            let found = self.error(
                "E050",
                word.from,
                word.to,
                format!("a comma is missing before `{}`", short(word.text)),
            );
            return found.help(like).fix(self.span(end, end), ",");
        }
        self.about("E050", word, format!("`{}` does not fit here", short(word.text))).help(like)
    }

    /// An example of what stands at `at`: the condition, or the whole line.
    pub fn near_form(&self, at: usize, place: Place) -> &'static str {
        let before = self.code.get(..at).unwrap_or("");
        let after_colon = matches!(place, Place::Price | Place::Vat | Place::Tax)
            || matches!(place, Place::Statement(form) if form.rule == Rule::charge_line && self.colon_from(0).is_some_and(|c| c < at));
        if after_colon && let Some(form) = last_clause(before) {
            return form;
        }
        if let Place::Step = place {
            return STEPS
                .iter()
                .find(|(words, _)| words::starts_with(self.code, words).is_some())
                .map_or("charge 10 kWh", |(_, f)| f);
        }
        form_of(place)
    }
}

/// The form of the condition or function in whose words `before` ends.
fn last_clause(before: &str) -> Option<&'static str> {
    let words: Vec<&str> = before.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    let at = words
        .iter()
        .rposition(|w| CLAUSES.iter().any(|(word, _)| word == w) || matches!(*w, "higher" | "lower"))?;
    let word = words.get(at)?;
    let first = match at.checked_sub(1).and_then(|before| words.get(before)) {
        Some(&("paid" | "not")) if *word == "with" => words.get(at - 1)?,
        Some(&"month") if *word == "from" => &"whole",
        _ => word,
    };
    match *first {
        "higher" => Some("higher of spot and 0.10 EUR/kWh"),
        "lower" => Some("lower of spot and 0.10 EUR/kWh"),
        first => CLAUSES.iter().find(|(word, _)| *word == first).map(|(_, form)| *form),
    }
}

fn form_of(place: Place) -> &'static str {
    match place {
        Place::Statement(form) => form.form,
        Place::Price => "0.25 EUR/kWh  for members",
        Place::Vat => "25%  from 2025-01-01",
        Place::Tax => "2%  from 2025-01-01",
        Place::Setting(Some((_, _, form))) => form,
        Place::Setting(None) => "currency: EUR",
        Place::Step => "charge 10 kWh on AC from 2025-03-10 17:00 to 18:00",
    }
}

/// At most 40 characters of what was written.
pub fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text.to_owned(),
    }
}
