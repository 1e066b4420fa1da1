//! From the rules that the grammar would take to the words that stand for them.

use super::tokens::{MONEY, NTH, grammar_words};
use crate::parse::{self, Rule};

/// A kind of word that is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Want {
    /// A word of the language, with how it is used.
    Word(&'static str, &'static str),
    /// Groups, places, plans or values, by the word before.
    Name,
    /// A price or feed; a value where one is declared.
    Price,
    /// The name of a period.
    Period,
    /// A plug or connector type.
    Plug,
    /// A charge.
    Charge,
    /// A money word, with what it is divided by.
    Money,
    /// A unit behind a number.
    Unit,
    /// What a price is divided by.
    Per,
    /// A text between quotes.
    Text,
    /// A time zone.
    Zone,
    /// A price area or region.
    Area,
}

/// What a rule stands for; nothing for signs, numbers and dates, which nobody needs to be told.
pub(super) fn wants(rule: Rule) -> Vec<Want> {
    let plain = |words: &[&'static str]| words.iter().map(|word| Want::Word(word, "")).collect::<Vec<_>>();
    let listed = |list: &[(&'static str, &'static str)]| -> Vec<Want> {
        list.iter().map(|(word, form)| Want::Word(word, form)).collect()
    };
    match rule {
        Rule::clause => conditions(parse::AFTER_PRICE),
        Rule::rebate_clause => conditions(parse::AFTER_REBATE),
        Rule::step => listed(parse::STEPS),
        Rule::limit => {
            let mut limits = plain(&["after", "at most", "at least", "in steps of"]);
            limits.extend(plain(&["paid by site", "first", "from highest hour", "from mean of"]));
            limits
        }
        Rule::case | Rule::price => with(formula(), &["free"]),
        Rule::expr | Rule::sum | Rule::product | Rule::factor => formula(),
        Rule::postfix => plain(&["at least", "at most", "rounded to", "plus VAT", "less VAT"]),
        Rule::mul_op => plain(&["of"]),
        Rule::vat_case | Rule::vat_rate => plain(&["none", "exempt", "outside scope"]),
        Rule::kind | Rule::charge_ref | Rule::charge_refs => vec![Want::Charge],
        Rule::removed => {
            let mut all = plain(&["price", "coupon", "discount", "total"]);
            all.push(Want::Charge);
            all
        }
        Rule::expected => {
            let mut all = plain(&["total", "net", "VAT", "coupon", "discount"]);
            all.push(Want::Charge);
            all
        }
        Rule::name | Rule::group => vec![Want::Name],
        Rule::group_list => with(vec![Want::Name], &["everyone else"]),
        Rule::everyone_else => plain(&["everyone else"]),
        Rule::price_name => vec![Want::Price],
        Rule::plug => vec![Want::Plug],
        Rule::window | Rule::windows | Rule::window_part => {
            let mut all = plain(&["public holidays", "every day"]);
            all.extend(plain(&parse::WEEKDAYS));
            all.extend(plain(&parse::MONTHS));
            all.extend(plain(NTH));
            all.push(Want::Period);
            all
        }
        Rule::window_name => vec![Want::Period],
        Rule::public_holidays => plain(&["public holidays"]),
        Rule::every_day => plain(&["every day"]),
        Rule::weekday | Rule::weekdays => plain(&parse::WEEKDAYS),
        Rule::month_name | Rule::months => plain(&parse::MONTHS),
        Rule::nth | Rule::nth_weekday => plain(NTH),
        Rule::measure => plain(&["energy", "connected time", "charging time", "parking time", "idle time"]),
        Rule::every => plain(&["per day", "per month"]),
        Rule::who => plain(&["per driver", "per site"]),
        Rule::or_more => plain(&["or more"]),
        Rule::in_a_row => plain(&["in a row"]),
        Rule::way | Rule::ways => plain(&["ad-hoc", "contract", "roaming"]),
        Rule::vat_basis => plain(&["including VAT", "excluding VAT"]),
        Rule::money | Rule::iso | Rule::money_word => vec![Want::Money],
        Rule::unit => vec![Want::Unit],
        Rule::rate_per | Rule::feed_per => vec![Want::Per],
        Rule::string | Rule::strings | Rule::tax_name => vec![Want::Text],
        Rule::zone => vec![Want::Zone],
        Rule::area => vec![Want::Area],
        Rule::running_value => plain(&["keep prices", "change prices"]),
        Rule::keep_prices => plain(&["keep prices"]),
        Rule::change_prices => plain(&["change prices"]),
        Rule::quarter => plain(&["15 min"]),
        Rule::at_most | Rule::bound => plain(&["at most", "at least"]),
        Rule::at_least => plain(&["at least"]),
        Rule::by_each_list => plain(&["set by each list"]),
        Rule::so_far => plain(&["up to", "beyond"]),
        Rule::beyond => plain(&["beyond"]),
        Rule::not_with_coupon => plain(&["not with coupon"]),
        Rule::outside_scope => plain(&["outside scope"]),
        Rule::exempt => plain(&["exempt"]),
        Rule::free => plain(&["free"]),
        Rule::otherwise => plain(&["otherwise"]),
        Rule::except => plain(&["except"]),
        Rule::plan => plain(&["with plan"]),
        Rule::higher_of => plain(&["higher of"]),
        Rule::lower_of => plain(&["lower of"]),
        Rule::feed_option => plain(&["holds until next", "including VAT", "excluding VAT"]),
        Rule::from_moment => plain(&["from"]),
        Rule::this_month => plain(&["this month"]),
        Rule::highest_hour => plain(&["highest hour"]),
        Rule::daily_peaks => plain(&["daily peaks"]),
        Rule::on_top_of => plain(&["on top of"]),
        other => word(other),
    }
}

/// A rule that is one word.
fn word(rule: Rule) -> Vec<Want> {
    let name = format!("{rule:?}");
    grammar_words().get(name.as_str()).map(|word| Want::Word(word, "")).into_iter().collect()
}

fn conditions(words: &[&'static str]) -> Vec<Want> {
    let form = |word: &str| {
        let first = word.split(' ').next().unwrap_or_default();
        parse::CLAUSES.iter().find(|(known, _)| *known == first).map_or("", |(_, form)| *form)
    };
    let words = words.iter().filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    words.map(|word| Want::Word(word, form(word))).collect()
}

fn formula() -> Vec<Want> {
    let words =
        ["higher of", "lower of", "hourly", "month mean of", "energy price", "cost price", "average-power"];
    let mut all = vec![Want::Price];
    all.extend(words.map(|word| Want::Word(word, "")));
    all
}

fn with(mut all: Vec<Want>, words: &[&'static str]) -> Vec<Want> {
    all.extend(words.iter().map(|word| Want::Word(word, "")));
    all
}

/// The money words of a currency: its code, and what its hundredth is called.
pub(super) fn money_words(code: &str) -> Vec<&str> {
    let fits =
        |word: &str| crate::resolve::currency::hundredth(word).is_some_and(|codes| codes.contains(&code));
    let mut words = vec![code];
    words.extend(MONEY.iter().copied().filter(|word| fits(word)).take(1));
    words
}
