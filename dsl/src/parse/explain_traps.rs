//! Mistakes that come from knowing the language half: what is right elsewhere and not here.

use super::explain::{Explain, Place, Word, short};
use super::grammar::Rule;
use super::words::{AFTER_REBATE, CLAUSES};
use crate::diagnostic::Diagnostic;

impl Explain<'_> {
    /// What is best said before the line is judged word by word.
    pub fn half_known(&self, word: Word<'_>, at: usize, place: Place) -> Option<Diagnostic> {
        if matches!(place, Place::Step | Place::Setting(_)) {
            return None;
        }
        self.sum_after_all(at)
            .or_else(|| self.named_line(place))
            .or_else(|| self.feed_in(place))
            .or_else(|| self.per_unit(word))
            .or_else(|| self.rebate_so_far(word, place))
    }

    /// `grid plus VAT + margin`: what is about everything to its left cannot be added to without brackets.
    pub fn sum_after_all(&self, at: usize) -> Option<Diagnostic> {
        let (what, end, operator) = self.added_to_vat(at).or_else(|| self.added_to_rounded(at))?;
        let start = self.colon_from(0).filter(|colon| *colon < end).map_or(0, |colon| colon + 1);
        let all = self.code.get(start..end)?.trim();
        let from = end - all.len();
        let found = self.about(
            "E050",
            operator,
            format!("`{what}` is about everything to its left, and ends the formula"),
        );
        let brackets = format!("({}) {} ...", short(all), operator.text);
        let found = found.help(format!("put brackets around what it is about, as in `{brackets}`"));
        // With one term to its left there is one way to mean it.
        let one = !all.contains(['+', '*', '×', '(']) && !all.contains(" - ") && !all.contains(" of ");
        Some(if one { found.fix(self.span(from, end), format!("({all})")) } else { found })
    }

    /// `plus VAT +` or `less VAT -` up to `at`: which it is, where it ends, and the operator.
    fn added_to_vat(&self, at: usize) -> Option<(&'static str, usize, Word<'_>)> {
        self.code
            .match_indices("VAT")
            .find_map(|(vat, word)| {
                let before = self.code.get(..vat)?.trim_end();
                let way = ["plus VAT", "less VAT"]
                    .into_iter()
                    .find(|way| way.get(..4).is_some_and(|way| before.ends_with(&format!(" {way}"))))?;
                let end = vat + word.len();
                Some((way, end, self.operator(end)?))
            })
            .filter(|(.., operator)| operator.from <= at)
    }

    /// `rounded to 0.01 EUR/kWh +` at `at`.
    fn added_to_rounded(&self, at: usize) -> Option<(&'static str, usize, Word<'_>)> {
        let end = self.code.get(..at)?.trim_end().len();
        let rounded = self.code.get(..end)?.contains(" rounded to ");
        let operator = self.operator(end).filter(|operator| rounded && operator.from == at)?;
        Some(("rounded to", end, operator))
    }

    /// The operator that stands next after `end`.
    fn operator(&self, end: usize) -> Option<Word<'_>> {
        let rest = self.code.get(end..)?;
        let from = end + (rest.len() - rest.trim_start().len());
        let sign = rest.trim_start().chars().next().filter(|sign| "+-–−*×/".contains(*sign))?;
        Some(self.slice(from, from + sign.len_utf8()))
    }

    /// `for everyone else`, `for all others`, `all others` behind a price.
    pub fn everyone_else(&self, word: Word<'_>) -> Option<Diagnostic> {
        let says_all = |text: &str| {
            matches!(text, "all" | "the" | "everyone" | "everybody" | "other" | "others" | "else" | "rest")
        };
        if !says_all(word.text) {
            return None;
        }
        let mut from = word.from;
        loop {
            let before = self.word_before(from);
            if before.text == "for" || says_all(before.text) {
                from = before.from;
            } else {
                break;
            }
        }
        let mut to = word.to;
        loop {
            let rest = self.code.get(to..)?;
            let next = self.word(to + (rest.len() - rest.trim_start().len()));
            if !says_all(next.text) {
                break;
            }
            to = next.to;
        }
        if from == word.from && to == word.to && word.text == "else" {
            return None;
        }
        let all = self.slice(from, to);
        let found = self.about("E023", all, format!("`{}` is said as `otherwise`", short(all.text)));
        let found = found.help("the last line ends in `otherwise`; a group is named in `groups:`");
        Some(if self.code.len() == to { found.fix(self.span(from, to), "otherwise") } else { found })
    }

    /// `night 0.30 EUR/kWh`, `members: 0.30 EUR/kWh`: a line of prices that does not start with its price.
    pub fn named_line(&self, place: Place) -> Option<Diagnostic> {
        let first = self.word(0);
        let named = first.text.starts_with(char::is_alphabetic);
        if !matches!(place, Place::Price) || !named || CLAUSES.iter().any(|(word, _)| *word == first.text) {
            return None;
        }
        let next = |at: usize| {
            let rest = self.code.get(at..)?;
            Some(self.word(at + (rest.len() - rest.trim_start().len())))
        };
        let second = next(first.to)?;
        let money = |word: Word<'_>| {
            let money = word.text.split('/').next().unwrap_or_default();
            money.len() == 3 && money.chars().all(|c| c.is_ascii_uppercase()) || money.ends_with("re")
        };
        let price =
            second.text.starts_with(|c: char| c.is_ascii_digit()) && next(second.to).is_some_and(money);
        (price || second.text == ":").then(|| {
            let found = self.about("E050", first, format!("`{}` cannot stand before a price", short(first.text)));
            found.help(
                "a line starts with its price; whom it is for and when stand behind, as in `0.25 EUR/kWh  for members during 22:00-06:00`",
            )
        })
    }

    /// `5 EUR once`, `10 kWh` of a coupon.
    pub fn half_a_rebate(&self, place: Place) -> Option<Diagnostic> {
        let Place::Statement(form) = place else { return None };
        if !matches!(form.rule, Rule::coupon_line | Rule::discount_line) {
            return None;
        }
        let last = self.word_before(self.code.len());
        let by = match last.text {
            "once" | "times" => format!("{} per driver", last.text),
            "kWh" => "kWh free".to_owned(),
            _ => return None,
        };
        let found = self.about("E047", last, format!("something is missing after `{}`", last.text));
        Some(self.mended(found, last, &by))
    }

    /// `15 EUR per session`.
    pub fn per_unit(&self, word: Word<'_>) -> Option<Diagnostic> {
        let per = self.word_before(word.from);
        let money = self.word_before(per.from);
        let unit = super::words::unit(word.text).filter(|_| per.text == "per")?;
        if !(money.text.len() == 3 && money.text.chars().all(|c| c.is_ascii_uppercase())) {
            return None;
        }
        let all = self.slice(money.from, word.to);
        let found = self.about("E050", all, format!("`{}` is written with a slash", short(all.text)));
        Some(self.mended(found, all, &format!("{}/{unit}", money.text)))
    }

    /// `10% up to 20 kWh` of a discount.
    pub fn rebate_so_far(&self, word: Word<'_>, place: Place) -> Option<Diagnostic> {
        let Place::Statement(form) = place else { return None };
        let rebate = matches!(form.rule, Rule::coupon_line | Rule::discount_line);
        if !rebate || !matches!(word.text, "up" | "beyond" | "below" | "whole" | "while" | "when") {
            return None;
        }
        let found = self.about("E023", word, format!("`{}` cannot stand at a coupon or discount", word.text));
        Some(found.help(format!(
            "they are judged at plug-in, by {}; give the price itself two lines, as in `up to 20 kWh of energy`",
            super::words::list(AFTER_REBATE.iter().copied())
        )))
    }

    /// `feed in: 0.10 EUR/kWh` at the margin.
    pub fn feed_in(&self, place: Place) -> Option<Diagnostic> {
        let end = super::words::starts_with(self.code, "feed in")?;
        let charge = self.code.get(end..)?.trim_start().starts_with([':', '"']);
        let Place::Statement(_) = place else { return None };
        charge.then(|| {
            let found = self.error("E020", 0, end, "the charge for energy given back has a hyphen");
            found.help("write `feed-in`").fix(self.span(0, end), "feed-in")
        })
    }

    /// `at "SN-1"`: ids of chargers and sites get a name first.
    pub fn charger_id(&self, word: Word<'_>, place: Place) -> Option<Diagnostic> {
        if self.word_before(word.from).text != "at" || matches!(place, Place::Step) {
            return None;
        }
        let id = short(word.text);
        let found = self.about("E045", word, format!("`at` takes the name of a place, not the id {id}"));
        Some(found.help(format!(
            "give the charger a name on a line at the margin, `chargers garage: {id}`, and write `at garage`; for a site `sites`"
        )))
    }
}
