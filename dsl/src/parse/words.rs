//! The words of the language, as needed to pick a rule and to teach after a mistake.

use super::grammar::Rule;

/// What the indented lines below a statement say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// `key: value`.
    Settings,
    /// `PRICE clause*`.
    Prices,
    /// `25% clause*`.
    Vat,
    /// `2% clause*`.
    Tax,
    /// Lines of a test.
    Steps,
    /// There are none.
    Nothing,
    /// Nobody knows: the statement is unknown.
    Unknown,
}

/// A statement: its first words, its rule, what belongs to it, and its form.
pub struct Form {
    /// First words.
    pub words: &'static str,
    /// Rule of the line.
    pub rule: Rule,
    /// What stands below.
    pub body: Body,
    /// How it is written.
    pub form: &'static str,
}

const fn form(words: &'static str, rule: Rule, body: Body, form: &'static str) -> Form {
    Form { words, rule, body, form }
}

/// Every statement. Where one is the beginning of another, the longer one stands first.
pub const STATEMENTS: &[Form] = &[
    form("tariff", Rule::tariff_line, Body::Settings, "tariff \"Name of the list\""),
    form("VAT", Rule::vat_line, Body::Vat, "VAT: 25%"),
    form("tax", Rule::tax_line, Body::Tax, "tax \"City\" on top of State: 2%"),
    form("groups", Rule::groups_line, Body::Nothing, "groups: members, everyone else guests"),
    form("chargers", Rule::chargers_line, Body::Nothing, "chargers garage: \"SN-1\", \"SN-2\""),
    form("sites", Rule::sites_line, Body::Nothing, "sites harbour: \"otakaari-5\""),
    form("period", Rule::period_line, Body::Nothing, "period daytime: Mon-Fri 08:00-20:00"),
    form("feed", Rule::feed_line, Body::Nothing, "feed eur-nok: NOK/EUR, holds until next"),
    form("price", Rule::price_line, Body::Prices, "price margin: 0.05 EUR/kWh"),
    form("value", Rule::value_line, Body::Prices, "value grace: 30 min"),
    form("set", Rule::set_line, Body::Prices, "set margin: 0.05 EUR/kWh"),
    form("total", Rule::total_line, Body::Nothing, "total: at most 50.00 EUR/session"),
    form("coupon applies to", Rule::scope_line, Body::Nothing, "coupon applies to: energy, start fee"),
    form("coupon", Rule::coupon_line, Body::Nothing, "coupon \"SUMMER\": 20% of energy until 2025-08-31"),
    form("discount", Rule::discount_line, Body::Nothing, "discount for members: 10% of energy"),
    form("remove", Rule::remove_line, Body::Nothing, "remove idle fee"),
    form("test", Rule::test_line, Body::Steps, "test \"what it shows\""),
    form("energy", Rule::charge_line, Body::Prices, "energy: 0.50 EUR/kWh"),
    form("charging time", Rule::charge_line, Body::Prices, "charging time: 0.05 EUR/min"),
    form("connected time", Rule::charge_line, Body::Prices, "connected time: 0.05 EUR/min"),
    form("parking time", Rule::charge_line, Body::Prices, "parking time: 0.05 EUR/min"),
    form("idle fee", Rule::charge_line, Body::Prices, "idle fee after 30 min: 0.10 EUR/min"),
    form("start fee", Rule::charge_line, Body::Prices, "start fee: 0.50 EUR/session"),
    form("flat fee", Rule::charge_line, Body::Prices, "flat fee: 5.00 EUR/session"),
    form("reservation fee", Rule::charge_line, Body::Prices, "reservation fee: 1.00 EUR/session"),
    form("feed-in", Rule::charge_line, Body::Prices, "feed-in: 0.10 EUR/kWh"),
    form("payment fee", Rule::charge_line, Body::Prices, "payment fee: 0.40 EUR/bill"),
    form("monthly fee", Rule::charge_line, Body::Prices, "monthly fee: 5.00 EUR/charger/month"),
    form("one-off fee", Rule::charge_line, Body::Prices, "one-off fee: 248.00 EUR/charger"),
    form("power fee", Rule::charge_line, Body::Prices, "power fee from highest hour: 50.00 NOK/kW"),
    form("site credit", Rule::charge_line, Body::Prices, "site credit: 0.10 NOK/kWh"),
    form("payout to site", Rule::charge_line, Body::Prices, "payout to site: 0.10 NOK/kWh"),
];

/// `change` is a statement before a statement.
pub const CHANGE: &str = "change";

/// A setting: its key, the rule of its value, and its form.
pub const SETTINGS: &[(&str, Rule, &str)] = &[
    ("currency", Rule::currency_value, "currency: EUR"),
    ("time zone", Rule::zone_value, "time zone: Europe/Oslo"),
    ("spot area", Rule::area_value, "spot area: NO1"),
    ("prices", Rule::basis_value, "prices: excluding VAT` or `prices: including VAT"),
    ("valid from", Rule::moment_value, "valid from: 2025-01-01"),
    ("valid until", Rule::moment_value, "valid until: 2025-12-31"),
    ("based on", Rule::text_value, "based on: \"other.tariff\""),
    (
        "running sessions",
        Rule::running_value,
        "running sessions: keep prices` or `running sessions: change prices",
    ),
    ("bills", Rule::bills_value, "bills: every session` or `bills: every month"),
    ("hold", Rule::money_value, "hold: 50.00 EUR"),
    ("public holidays", Rule::area_value, "public holidays: NO` or `public holidays: DE-BY"),
    (
        "receipt lines",
        Rule::lines_value,
        "receipt lines: every hour`, `receipt lines: every 15 min` or `receipt lines: every price change",
    ),
    ("source", Rule::text_value, "source: \"where it comes from\""),
    ("description", Rule::text_value, "description: \"text for drivers\""),
    ("website", Rule::text_value, "website: \"https://example.org\""),
];

/// The setting that a key means in other price lists.
pub fn setting(key: &str) -> Option<&'static str> {
    let key: String = key.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    Some(match key.as_str() {
        "timezone" | "zone" | "tz" => "time zone",
        "area" | "pricearea" | "biddingzone" | "bidzone" | "spotzone" | "spotarea" => "spot area",
        "holidays" | "holiday" | "region" | "publicholiday" => "public holidays",
        "valid" | "from" | "start" | "startdate" | "validsince" | "validfrom" => "valid from",
        "until" | "end" | "ends" | "enddate" | "expires" | "validto" | "validtill" | "validuntil" => {
            "valid until"
        }
        "base" | "basedon" | "extends" | "parent" => "based on",
        "price" | "pricesare" | "priceinclude" | "pricesinclude" => "prices",
        "billing" | "invoices" => "bills",
        _ => return None,
    })
}

/// A line of a test: its first words and its form.
pub const STEPS: &[(&str, &str)] = &[
    ("driver in", "driver in members"),
    ("via", "via ad-hoc` or `via roaming \"eMSP-X\""),
    ("paid with", "paid with \"Visa\""),
    ("at charger", "at charger \"SN-1\""),
    ("at site", "at site \"otakaari-5\""),
    ("spot", "spot 0.80 NOK/kWh from 17:00"),
    ("feed in", "feed in 5 kWh until 19:00"),
    ("feed", "feed eur-nok 11.80 NOK/EUR"),
    ("cost price", "cost price 1.20 NOK/kWh"),
    ("coupon", "coupon 20%"),
    ("charge", "charge 10 kWh on AC with 22 kW from 2025-03-10 17:00 to 18:00"),
    ("idle", "idle until 21:00"),
    ("wait", "wait until 21:00"),
    ("pause", "pause until 21:00"),
    ("drawing", "drawing 11 kW from 17:30"),
    ("occupied", "occupied 50% from 17:30"),
    ("reserved", "reserved from 2025-03-10 17:00 to 18:00"),
    ("used", "used 40 kWh this month"),
    ("invoice", "invoice 2025-03 for 2 chargers"),
    ("expect", "expect total 15.74 EUR"),
];

/// A condition: its first word and its form.
pub const CLAUSES: &[(&str, &str)] = &[
    ("for", "for members, guests"),
    ("on", "on AC"),
    ("at", "at harbour"),
    ("with", "with 50 kW or more"),
    ("via", "via roaming \"eMSP-X\", ad-hoc"),
    ("paid", "paid with \"Visa\""),
    ("during", "during Mon-Fri 08:00-20:00"),
    ("from", "from 2025-04-01"),
    ("until", "until 2025-03-31"),
    ("up", "up to 20 kWh of energy"),
    ("beyond", "beyond 60 min of connected time"),
    ("whole", "whole month from 200 kWh per driver"),
    ("below", "below 11 kW"),
    ("while", "while site 50% occupied or more"),
    ("in", "in steps of 15 min"),
    ("when", "when expired"),
    ("not", "not with coupon"),
    ("once", "once per driver"),
    ("otherwise", "otherwise"),
];

/// What may follow a price, as far as it says which condition it is.
pub const AFTER_PRICE: &[&str] = &[
    "for",
    "on",
    "at",
    "with",
    "via",
    "paid with",
    "during",
    "from",
    "until",
    "up to",
    "beyond",
    "whole month from",
    "below",
    "11 kW or more",
    "while site",
    "in steps of",
    "when expired",
    "otherwise",
];

/// What may follow a rebate.
pub const AFTER_REBATE: &[&str] = &[
    "for",
    "on",
    "at",
    "with",
    "via",
    "paid with",
    "during",
    "from",
    "until",
    "not with coupon",
    "once per driver",
];

/// What may stand between a charge and its colon: first word and form.
pub const LIMITS: &[(&str, &str)] = &[
    ("after", "after 30 min"),
    ("at", "at most 15.00 EUR/day"),
    ("in", "in steps of 15 min"),
    ("steps", "steps only without parking time"),
    ("paid", "paid by site"),
    ("first", "first 5000 kWh per month"),
    ("from", "from mean of 3 highest daily peaks"),
];

/// A unit word as people also write it, and as the language does.
pub fn unit(word: &str) -> Option<&'static str> {
    Some(match word.to_lowercase().as_str() {
        "wh" => "Wh",
        "kwh" | "kwhs" | "kw/h" | "kw·h" => "kWh",
        "mwh" => "MWh",
        "kw" | "kilowatt" | "kilowatts" => "kW",
        "a" | "amp" | "amps" | "ampere" | "amperes" => "A",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" | "minutter" | "minuten" => "min",
        "h" | "hr" | "hrs" | "hour" | "hours" | "time" | "timer" => "h",
        "day" | "days" => "day",
        "session" | "sessions" => "session",
        "bill" | "bills" | "invoice" => "bill",
        "charger" | "chargers" => "charger",
        "month" | "months" => "month",
        _ => return None,
    })
}

/// A weekday or month as people also write it, and as the language does.
pub fn calendar(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let word = word.strip_suffix('.').unwrap_or(&word);
    let stem = word.strip_suffix('s').filter(|stem| stem.ends_with("day")).unwrap_or(word);
    Some(match stem {
        "mon" | "monday" => "Mon",
        "tue" | "tues" | "tuesday" => "Tue",
        "wed" | "wednesday" => "Wed",
        "thu" | "thur" | "thurs" | "thursday" => "Thu",
        "fri" | "friday" => "Fri",
        "sat" | "saturday" => "Sat",
        "sun" | "sunday" => "Sun",
        "jan" | "january" => "Jan",
        "feb" | "february" => "Feb",
        "mar" | "march" => "Mar",
        "apr" | "april" => "Apr",
        "may" => "May",
        "jun" | "june" => "Jun",
        "jul" | "july" => "Jul",
        "aug" | "august" => "Aug",
        "sep" | "sept" | "september" => "Sep",
        "oct" | "october" => "Oct",
        "nov" | "november" => "Nov",
        "dec" | "december" => "Dec",
        _ => return None,
    })
}

/// The known word that `word` was probably meant to be.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = word.to_lowercase();
    let allowed = match lower.chars().count() {
        0..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase()), k))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// `` `a`, `b` or `c` ``.
pub fn list<'k>(words: impl IntoIterator<Item = &'k str>) -> String {
    let words: Vec<String> = words.into_iter().map(|w| format!("`{w}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => String::new(),
    }
}

/// Whether `code` starts with these words, and where they end. Space between words is free.
pub fn starts_with(code: &str, words: &str) -> Option<usize> {
    let mut at = 0;
    for (nth, word) in words.split(' ').enumerate() {
        let rest = code.get(at..)?;
        let trimmed = rest.trim_start_matches([' ', '\t']);
        if nth > 0 && trimmed.len() == rest.len() {
            return None;
        }
        let after = trimmed.strip_prefix(word)?;
        at = code.len() - after.len();
    }
    let mut next = code.get(at..)?.chars();
    let joined = |c: char| c.is_alphanumeric() || c == '_';
    match next.next() {
        Some(c) if joined(c) => None,
        Some('-') if next.next().is_some_and(joined) => None,
        _ => Some(at),
    }
}
