//! The price of this moment in a few words, for displays and short messages: all that runs while charging, and what standing costs.
//!
//! A text that leaves something out would be a wrong price, so there is either the whole or nothing.

use crate::chargers::time;
use rust_decimal::Decimal;
use serde::Deserialize;
use takst_engine::units::Instant;

/// Decimals of a price at the most; amounts of less are no money.
const MOST_PLACES: u32 = 4;

/// What a driver is told of the price, taxes as the list shows them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ToldPrice {
    // What runs while the car charges: with words for people, and without.
    charging: Vec<(String, String)>,
    // What is paid for standing.
    standing: Vec<String>,
}

impl ToldPrice {
    /// What the table of the day says of this moment. `digits`: of the currency. None: some of it is not known yet.
    pub fn of(shown: &str, digits: u8, at: Instant) -> Option<Self> {
        let shown: Shown = serde_json::from_str(shown).ok()?;
        let list = List { currency: &shown.currency, digits: u32::from(digits), at };
        let kwh = std::iter::once((None, &shown.slices));
        let tiers = shown.tiers.iter().map(|tier| (Some(tier.when.as_str()), &tier.slices));
        let energy = list.prices(kwh.chain(tiers), Some("kWh"), "")?;
        let mut told = Self { charging: Vec::new(), standing: Vec::new() };
        told.charging.extend(energy.map(|text| (text.clone(), text)));
        for term in &shown.terms {
            let (word, standing) = match &*term.charge {
                "connected time" => ("", false),
                "charging time" => (" charging", false),
                "start fee" => (" start", false),
                "flat fee" => (" flat", false),
                "payment fee" => (" payment", false),
                "idle fee" => ("idle", true),
                "parking time" => ("parking", true),
                _ => continue,
            };
            let after = term.after.as_ref().map(|after| format!("after {after}"));
            let text = |word: &str| {
                let first = std::iter::once((after.as_deref(), &term.slices));
                let tiers = term.tiers.iter().map(|tier| (Some(tier.when.as_str()), &tier.slices));
                list.prices(first.chain(tiers), None, word)
            };
            let Some(figure) = text("")? else { continue };
            match standing {
                true => told.standing.push(format!("{word} {figure}")),
                false => told.charging.push((text(word)?.unwrap_or_default(), figure)),
            }
        }
        if told.charging.is_empty() {
            let free = format!("{} {}/kWh", list.amount(Decimal::ZERO), shown.currency);
            told.charging.push((free.clone(), free));
        }
        Some(told)
    }

    /// For a display: `0.30 EUR/kWh + 0.50 EUR start, idle 0.10 EUR/min after 10 min`.
    pub fn text(&self) -> String {
        let charging: Vec<&str> = self.charging.iter().map(|(text, _)| text.as_str()).collect();
        let mut parts = vec![charging.join(" + ")];
        parts.extend(self.standing.iter().cloned());
        parts.join(", ")
    }

    /// For a sentence in any language: `0.30 EUR/kWh + 0.50 EUR`.
    pub fn figure(&self) -> String {
        let charging: Vec<&str> = self.charging.iter().map(|(_, figure)| figure.as_str()).collect();
        charging.join(" + ")
    }
}

#[derive(Deserialize)]
struct Shown {
    currency: String,
    slices: Vec<Slice>,
    #[serde(default)]
    tiers: Vec<Tier>,
    #[serde(default)]
    terms: Vec<Term>,
}

#[derive(Deserialize)]
struct Slice {
    from: String,
    to: String,
    #[serde(default)]
    per: String,
    // None: it is not known yet, or not to us.
    price: Option<Decimal>,
}

#[derive(Deserialize)]
struct Tier {
    when: String,
    slices: Vec<Slice>,
}

#[derive(Deserialize)]
struct Term {
    charge: String,
    after: Option<String>,
    #[serde(default)]
    slices: Vec<Slice>,
    #[serde(default)]
    tiers: Vec<Tier>,
}

struct List<'a> {
    currency: &'a str,
    digits: u32,
    at: Instant,
}

impl List<'_> {
    // The prices of one charge from threshold to threshold: `0.30 EUR/kWh (0.40 EUR/kWh from 20 kWh)`. The outer one is none where a
    // price is not known, the inner one where it is free.
    fn prices<'s>(
        &self,
        steps: impl Iterator<Item = (Option<&'s str>, &'s Vec<Slice>)>,
        unit: Option<&str>,
        word: &str,
    ) -> Option<Option<String>> {
        let mut told: Vec<String> = Vec::new();
        let mut free = true;
        let mut before = None;
        for (when, slices) in steps {
            // Only a limit, or a price of other times.
            let Some(slice) = slices.iter().find(|slice| self.is_now(slice)) else {
                match unit {
                    Some(_) => return None,
                    None => continue,
                }
            };
            let price = slice.price?;
            let per = unit.unwrap_or(&slice.per);
            if before == Some((price, per)) || free && price.is_zero() && (when.is_some() || unit.is_none()) {
                continue;
            }
            free &= price.is_zero();
            before = Some((price, per));
            let per = match per {
                // Once, whatever is done.
                "session" | "bill" | "" => String::new(),
                per => format!("/{per}"),
            };
            let when = when.map(shortened).unwrap_or_default();
            told.push(format!("{} {}{per}{word}{when}", self.amount(price), self.currency));
        }
        if free {
            return Some(None);
        }
        let mut told = told.into_iter();
        let first = told.next()?;
        let rest: Vec<String> = told.collect();
        Some(Some(if rest.is_empty() { first } else { format!("{first} ({})", rest.join(", ")) }))
    }

    fn is_now(&self, slice: &Slice) -> bool {
        let time = |text: &str| time::read(text, 0).map(|(at, _)| at);
        time(&slice.from) <= Some(self.at) && time(&slice.to).is_some_and(|to| self.at < to)
    }

    // With the decimals of the currency at the least.
    fn amount(&self, price: Decimal) -> Decimal {
        let mut amount = price.round_dp(MOST_PLACES).normalize();
        if amount.scale() < self.digits {
            amount.rescale(self.digits);
        }
        amount
    }
}

// ` after 60 min` of `after 60 min of connected time`: what it is counted in is what it is a price of.
fn shortened(when: &str) -> String {
    const OF: [&str; 5] =
        [" of energy", " of connected time", " of charging time", " of parking time", " of idle time"];
    let mut when = format!(" {when}");
    for of in OF {
        when = when.replace(of, "");
    }
    when
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(slices: &Value, tiers: &Value, terms: &Value, digits: u8) -> Option<(String, String)> {
        let shown = json!({ "currency": "EUR", "slices": slices, "tiers": tiers, "terms": terms });
        let told = ToldPrice::of(&shown.to_string(), digits, Instant(1_767_225_600_000))?;
        Some((told.text(), told.figure()))
    }

    fn day(price: &str) -> Value {
        json!([
            { "from": "2025-12-31T00:00:00Z", "to": "2026-01-01T00:00:00Z", "price": "9" },
            { "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "price": price },
        ])
    }

    fn per(price: &str, per: &str) -> Value {
        json!([{ "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "per": per, "price": price }])
    }

    #[test]
    fn all_that_runs_is_told_and_the_decimals_are_those_of_the_currency() {
        let none = json!([]);
        let both = |text: &str| Some((text.to_owned(), text.to_owned()));
        assert_eq!(told(&day("0.3"), &none, &none, 2), both("0.30 EUR/kWh"));
        assert_eq!(told(&day("0.12345"), &none, &none, 2), both("0.1234 EUR/kWh"));
        assert_eq!(told(&day("31"), &none, &none, 0), both("31 EUR/kWh"));
        assert_eq!(told(&day("0"), &none, &none, 2), both("0.00 EUR/kWh"));
        let connected = json!([{ "charge": "connected time", "label": "x", "after": null, "slices": per("0.25", "min") }]);
        assert_eq!(told(&day("0"), &none, &connected, 2), both("0.25 EUR/min"));
        let fees = json!([
            { "charge": "start fee", "label": "x", "after": "1 kWh", "slices": per("0.5", "session") },
            { "charge": "idle fee", "label": "x", "after": "10 min", "slices": per("0.1", "min") },
            { "charge": "monthly fee", "label": "x", "after": null, "slices": per("9", "month") },
            { "charge": "limit", "label": "Total", "after": null, "slices": [] },
        ]);
        let (text, figure) = told(&day("0.2"), &none, &fees, 2).unwrap();
        assert_eq!(text, "0.20 EUR/kWh + 0.50 EUR start after 1 kWh, idle 0.10 EUR/min after 10 min");
        assert_eq!(figure, "0.20 EUR/kWh + 0.50 EUR after 1 kWh");
    }

    #[test]
    fn thresholds_are_told_and_what_is_not_known_is_not_left_out() {
        let none = json!([]);
        let tiers = json!([{ "when": "from 20 kWh of energy", "slices": day("0.4") }]);
        let (text, _) = told(&day("0.3"), &tiers, &none, 2).unwrap();
        assert_eq!(text, "0.30 EUR/kWh (0.40 EUR/kWh from 20 kWh)");
        let steps = json!([{ "charge": "connected time", "label": "x", "after": null, "slices": per("0", ""),
            "tiers": [{ "when": "after 60 min of connected time", "slices": per("0.1", "min") }] }]);
        let (text, _) = told(&day("0.3"), &none, &steps, 2).unwrap();
        assert_eq!(text, "0.30 EUR/kWh + 0.10 EUR/min after 60 min");
        let unknown =
            json!([{ "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "pending": true }]);
        assert_eq!(told(&unknown, &none, &none, 2), None);
        let terms = json!([{ "charge": "idle fee", "label": "x", "after": null, "slices": unknown }]);
        assert_eq!(told(&day("0.3"), &none, &terms, 2), None);
    }
}
