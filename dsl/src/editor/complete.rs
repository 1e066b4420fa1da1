//! What may stand at the cursor: the grammar says which words, the list which names.

use super::expect::{Want, money_words, wants};
use super::names::{Sort, mentions};
use super::position::Document;
use crate::ast::{Clause, File, Span, Statement, Step, Via};
use crate::compile::Compiled;
use crate::holidays;
use crate::parse::{self, Wanted};
use crate::resolve::currency;
use crate::resolve::merge::kind_words;
use std::collections::BTreeMap;

/// What kind of thing is offered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ItemKind {
    /// A word of the language.
    Keyword,
    /// A statement, with the form of its line.
    Statement,
    /// A setting.
    Setting,
    /// A group.
    Group,
    /// A place.
    Place,
    /// A period.
    Period,
    /// A price, feed or value.
    Price,
    /// A charge.
    Charge,
    /// A unit or money word.
    Unit,
    /// A value that a setting may have, or an id.
    Value,
    /// A file.
    File,
}

/// Something that may stand at the cursor.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// How it is shown, and what is written.
    pub label: String,
    /// How it is used, or what it says; may be empty.
    pub detail: String,
    /// What it takes the place of: what is written of it already.
    pub replace: Span,
}

/// What may stand at a byte of the text. `files`: names of lists that this one could be based on.
#[must_use]
pub fn complete(document: &Document, byte: usize, compiled: &Compiled, files: &[String]) -> Vec<Item> {
    let line = document.line_of(byte);
    let start = document.start_of(line);
    let content = document.line(line).trim_start_matches('\u{feff}');
    let shift = start + document.line(line).len() - content.len();
    let upto = content.get(..byte.saturating_sub(shift)).unwrap_or(content);
    let read = parse::read_line(upto, shift);
    if read.comment.is_some() {
        return Vec::new();
    }
    let indented = upto.starts_with([' ', '\t']);
    let code = upto.trim_start_matches([' ', '\t']);
    let from = shift + upto.len() - code.len();
    let head = if indented { head_above(document, line) } else { None };
    if indented && head.is_none() {
        return Vec::new();
    }
    let known = Known::of(compiled);
    let quotes = code.matches('"').count();
    let mut found = Items { known: &known, out: Vec::new(), from: 0, to: byte };
    if quotes % 2 == 1 {
        let open = code.rfind('"').unwrap_or(0);
        found.from = from + open + 1;
        found.text(code.get(..open).unwrap_or(""), head.as_deref(), files);
        return found.finish();
    }
    // `Europe/Oslo` is one word, `EUR/kWh` two.
    let zones = head.as_deref().and_then(parse::statement_words) == Some("tariff");
    let word = code.len() - word_before(code, zones).len();
    let before = code.get(..word).unwrap_or("");
    found.from = from + word;
    match parse::wanted(head.as_deref(), before) {
        Wanted::Statement { changed } => found.statements(before, changed, from),
        Wanted::Key => found.settings(before, from),
        Wanted::Rules { rules, of } => {
            for want in rules.into_iter().flat_map(wants) {
                found.want(want, before, of, head.is_some());
            }
        }
        Wanted::Nothing => {}
    }
    found.finish()
}

/// The line at the margin to which an indented line belongs, without its comment.
fn head_above(document: &Document, line: usize) -> Option<String> {
    (0..line).rev().find_map(|above| {
        let content = document.line(above).trim_start_matches('\u{feff}');
        let read = parse::read_line(content, 0);
        (read.at_margin && !read.code.is_empty()).then(|| read.code.to_owned())
    })
}

/// The word, or what there is of it, at the end.
fn word_before(code: &str, zones: bool) -> &str {
    let joined = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_') || (zones && c == '/');
    let start = code.char_indices().rev().take_while(|(_, c)| joined(*c)).last();
    let word = start.and_then(|(at, _)| code.get(at..)).unwrap_or("");
    // `0.30` is no beginning of a name, and the day after `Mon-` is a word of its own.
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return "";
    }
    match word.rsplit_once('-') {
        Some((first, rest)) if parse::WEEKDAYS.contains(&first) || parse::MONTHS.contains(&first) => rest,
        _ => word.trim_start_matches('-'),
    }
}

/// The names of a list and of those it is based on.
struct Known {
    /// With what is declared: `price`, `feed`, `value`.
    named: BTreeMap<String, &'static str>,
    groups: Vec<String>,
    places: Vec<String>,
    periods: Vec<String>,
    plans: Vec<String>,
    /// Kind and labels.
    charges: BTreeMap<&'static str, Vec<String>>,
    coupons: Vec<String>,
    chargers: Vec<String>,
    sites: Vec<String>,
    brands: Vec<String>,
    issuers: Vec<String>,
    currency: String,
}

impl Known {
    fn of(compiled: &Compiled) -> Self {
        let mut known = Self {
            named: BTreeMap::from([("spot".to_owned(), "feed")]),
            groups: Vec::new(),
            places: Vec::new(),
            periods: Vec::new(),
            plans: Vec::new(),
            charges: BTreeMap::new(),
            coupons: Vec::new(),
            chargers: Vec::new(),
            sites: Vec::new(),
            brands: Vec::new(),
            issuers: Vec::new(),
            currency: "EUR".to_owned(),
        };
        // The root's currency counts, and the leaf's names come first.
        for file in &compiled.files {
            for mention in mentions(file).into_iter().filter(|it| it.declares) {
                match mention.sort {
                    Sort::Group => known.groups.push(mention.name),
                    Sort::Place => known.places.push(mention.name),
                    Sort::Period => known.periods.push(mention.name),
                    Sort::Coupon => known.coupons.push(mention.name),
                    Sort::Named | Sort::Tax | Sort::Charge => {}
                }
            }
            file.statements.iter().for_each(|statement| known.statement(&statement.it));
            known.setting(file);
        }
        let lists = [
            &mut known.groups,
            &mut known.places,
            &mut known.periods,
            &mut known.plans,
            &mut known.coupons,
            &mut known.chargers,
            &mut known.sites,
            &mut known.brands,
            &mut known.issuers,
        ];
        for list in lists {
            let mut seen = std::collections::BTreeSet::new();
            list.retain(|name| seen.insert(name.clone()));
        }
        known
    }

    fn setting(&mut self, file: &File) {
        let settings = file.statements.iter().filter_map(|statement| match &statement.it {
            Statement::Tariff(head) => Some(&head.settings),
            _ => None,
        });
        for setting in settings.flatten() {
            if let crate::ast::Setting::Currency(code) = &setting.it
                && currency::currency(&code.it).is_some()
            {
                self.currency.clone_from(&code.it);
            }
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Price(price) => self.declare(&price.name.it, "price"),
            Statement::Value(value) => self.declare(&value.name.it, "value"),
            Statement::Feed(feed) => self.declare(&feed.name.it, "feed"),
            Statement::Place(place) => {
                let ids = if place.sites { &mut self.sites } else { &mut self.chargers };
                ids.extend(place.ids.iter().map(|id| id.it.clone()));
            }
            Statement::Charge(charge) => {
                let labels = self.charges.entry(kind_words(charge.head.kind.it)).or_default();
                labels.extend(charge.head.label.iter().map(|label| label.it.clone()));
                self.clauses(charge.cases.lines.iter().flat_map(|line| &line.it.clauses));
            }
            Statement::Change(inner) => self.statement(&inner.it),
            Statement::Test(test) => {
                for step in &test.steps {
                    if let Step::Invoice { plan: Some(plan), .. } = &step.it {
                        self.plans.push(plan.it.clone());
                    }
                }
            }
            _ => {}
        }
    }

    fn declare(&mut self, name: &str, what: &'static str) {
        self.named.entry(name.to_owned()).or_insert(what);
    }

    fn clauses<'c>(&mut self, clauses: impl Iterator<Item = &'c crate::ast::At<Clause>>) {
        for clause in clauses {
            match &clause.it {
                Clause::Plan(plan) => self.plans.push(plan.it.clone()),
                Clause::PaidWith(brands) => self.brands.extend(brands.iter().map(|it| it.it.clone())),
                Clause::Via(ways) => self.issuers.extend(ways.iter().filter_map(|way| match &way.it {
                    Via::Roaming(issuer) => issuer.clone(),
                    _ => None,
                })),
                _ => {}
            }
        }
    }
}

struct Items<'k> {
    known: &'k Known,
    out: Vec<Item>,
    from: usize,
    to: usize,
}

/// Plugs and connector types that chargers have.
const PLUGS: &[&str] = &["AC", "DC", "CCS", "Type2", "CHAdeMO", "Type1", "Schuko", "NACS"];
/// Price areas of the power exchanges.
const AREAS: &[&str] = &[
    "NO1", "NO2", "NO3", "NO4", "NO5", "SE1", "SE2", "SE3", "SE4", "DK1", "DK2", "FI", "EE", "LV", "LT",
    "DE-LU", "AT", "NL", "BE", "FR", "PL", "CH", "CZ", "SK", "HU", "SI", "HR", "RO", "BG", "GR", "ES", "PT",
    "IE", "GB",
];

impl Items<'_> {
    fn add(&mut self, kind: ItemKind, label: &str, detail: &str) {
        self.at(self.from, kind, label, detail);
    }

    fn at(&mut self, from: usize, kind: ItemKind, label: &str, detail: &str) {
        let number = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        let replace = Span { start: number(from), end: number(self.to.max(from)) };
        self.out.push(Item { kind, label: label.to_owned(), detail: detail.to_owned(), replace });
    }

    fn each<'s>(&mut self, kind: ItemKind, labels: impl IntoIterator<Item = &'s String>) {
        labels.into_iter().for_each(|label| self.add(kind, label, ""));
    }

    fn finish(mut self) -> Vec<Item> {
        let mut seen = std::collections::BTreeSet::new();
        self.out.retain(|item| seen.insert((item.label.clone(), item.kind)));
        self.out
    }

    /// Statements that go on as the line begins; they take the place of all of it.
    fn statements(&mut self, before: &str, changed: bool, margin: usize) {
        let typed = match changed {
            true => before.trim_start().strip_prefix("change").unwrap_or("").trim_start(),
            false => before,
        };
        let from = margin + before.len() - typed.len();
        let never_changed = ["tariff", "set", "remove", "test"];
        for form in parse::STATEMENTS {
            if begins(form.words, typed) && !(changed && never_changed.contains(&form.words)) {
                self.at(from, ItemKind::Statement, form.words, form.form);
            }
        }
        if !changed && begins("change", typed) {
            self.at(from, ItemKind::Statement, "change", "change energy: 0.50 EUR/kWh");
        }
    }

    fn settings(&mut self, before: &str, margin: usize) {
        for (key, _, form) in parse::SETTINGS {
            if begins(key, before) {
                self.at(margin, ItemKind::Setting, key, &form.replace('`', ""));
            }
        }
    }

    fn want(&mut self, want: Want, before: &str, of: &str, below: bool) {
        let known = self.known;
        let last = before.split(|c: char| c.is_whitespace() || c == ',').rfind(|word| !word.is_empty());
        let says =
            |words: &[&str]| words.iter().any(|word| last_keyword(before).is_some_and(|it| it == *word));
        match want {
            Want::Word(word, form) => self.add(ItemKind::Keyword, word, &form.replace('`', "")),
            // At the margin before the colon a name is declared, and nobody knows it yet.
            Want::Name if says(&["for", "in"]) => self.each(ItemKind::Group, &known.groups),
            Want::Name if says(&["at"]) => self.each(ItemKind::Place, &known.places),
            Want::Name if says(&["plan"]) => self.each(ItemKind::Value, &known.plans),
            Want::Name if says(&["after"]) => self.named(|what| what == "value"),
            Want::Name => {}
            Want::Price => match of {
                "set" if !below && !before.contains(':') => self.named(|what| what != "feed"),
                "remove" => self.named(|_| true),
                "test" => self.named(|what| what == "feed"),
                "price" | "value" | "feed" if !below && !before.contains(':') => {
                    if last != Some(of) || !known.named.is_empty() {
                        self.named(|what| what == of);
                    }
                }
                "value" => {}
                _ => self.named(|what| what != "value"),
            },
            Want::Period => self.each(ItemKind::Period, &known.periods),
            Want::Plug => PLUGS.iter().for_each(|plug| self.add(ItemKind::Value, plug, "")),
            Want::Charge => self.charges(of),
            Want::Money => self.money(of),
            Want::Unit => {
                let units: &[&str] = match of {
                    "energy" | "feed-in" | "site credit" | "payout to site" => &["kWh", "kW", "min", "h"],
                    "test" => &["kWh", "kW", "A"],
                    _ => &["min", "h", "kWh", "kW", "A"],
                };
                units.iter().for_each(|unit| self.add(ItemKind::Unit, unit, ""));
            }
            Want::Per => {
                self.add(ItemKind::Unit, "kWh", "");
                per(of).iter().for_each(|unit| self.add(ItemKind::Unit, unit, ""));
                if of == "feed" {
                    self.add(ItemKind::Unit, &known.currency, "");
                }
            }
            Want::Text => {}
            Want::Zone => {
                chrono_tz::TZ_VARIANTS.iter().for_each(|zone| self.add(ItemKind::Value, zone.name(), ""));
            }
            Want::Area if of == "public holidays" => {
                holidays::regions().iter().for_each(|(code, name)| self.add(ItemKind::Value, code, name));
            }
            Want::Area => AREAS.iter().for_each(|area| self.add(ItemKind::Value, area, "")),
        }
    }

    fn named(&mut self, which: impl Fn(&str) -> bool) {
        let known = self.known;
        for (name, what) in known.named.iter().filter(|(_, what)| which(what)) {
            self.add(ItemKind::Price, name, what);
        }
    }

    /// Charges of the list, with their labels where a test may name them.
    fn charges(&mut self, of: &str) {
        let known = self.known;
        for (kind, labels) in &known.charges {
            self.add(ItemKind::Charge, kind, "");
            if matches!(of, "test" | "remove" | "coupon" | "coupon applies to" | "discount" | "VAT") {
                for label in labels {
                    self.add(ItemKind::Charge, &format!("{kind} \"{label}\""), "");
                }
            }
        }
        if known.charges.is_empty() {
            self.add(ItemKind::Charge, "energy", "");
        }
    }

    fn money(&mut self, of: &str) {
        if of == "currency" || of == "feed" {
            let known = self.known;
            self.add(ItemKind::Unit, &known.currency, "");
            currency::codes().for_each(|code| self.add(ItemKind::Unit, code, ""));
            return;
        }
        let known = self.known;
        for word in money_words(&known.currency) {
            for unit in per(of) {
                self.add(ItemKind::Unit, &format!("{word}/{unit}"), "");
            }
            self.add(ItemKind::Unit, word, "");
        }
    }

    /// Inside quotes: by the words before them.
    fn text(&mut self, before: &str, head: Option<&str>, files: &[String]) {
        let known = self.known;
        let before = before.trim_end();
        let statement = head.and_then(parse::statement_words);
        let ends = |words: &str| before.ends_with(words);
        if statement == Some("tariff") {
            if before.starts_with("based on") {
                self.each(ItemKind::File, files);
            }
        } else if ends("at charger") {
            self.each(ItemKind::Value, &known.chargers);
        } else if ends("at site") {
            self.each(ItemKind::Value, &known.sites);
        } else if ends("paid with") || before.contains("paid with ") {
            self.each(ItemKind::Value, &known.brands);
            ["Visa", "Mastercard", "American Express"]
                .iter()
                .for_each(|it| self.add(ItemKind::Value, it, ""));
        } else if ends("roaming") || before.contains("roaming ") {
            self.each(ItemKind::Value, &known.issuers);
        } else if ends("coupon") && (statement == Some("test") || before.starts_with("remove")) {
            self.each(ItemKind::Value, &known.coupons);
        } else if let Some((_, labels)) = known.charges.iter().find(|(kind, _)| ends(kind)) {
            self.each(ItemKind::Value, labels);
        }
    }
}

/// Whether what is typed is the beginning of these words, or a beginning may still become it.
fn begins(words: &str, typed: &str) -> bool {
    let typed = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    typed.is_empty() || words.starts_with(&format!("{typed} "))
}

/// The last word that opens a condition: names behind a comma belong to it too.
fn last_keyword(before: &str) -> Option<&str> {
    let mut words = before.split(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | '(' | ')'));
    words.rfind(|word| ["for", "in", "at", "plan", "after", "on", "during", "via", "with"].contains(word))
}

/// What prices of a charge are divided by.
fn per(of: &str) -> &'static [&'static str] {
    match of {
        "energy" | "feed-in" | "site credit" | "payout to site" => &["kWh"],
        "charging time" | "connected time" | "parking time" | "idle fee" => &["min", "h"],
        "start fee" => &["session"],
        "reservation fee" => &["session", "min", "h"],
        "payment fee" => &["bill"],
        "monthly fee" => &["charger/month", "month"],
        "one-off fee" => &["charger"],
        "power fee" => &["kW", "month"],
        "total" => &["session", "month"],
        "test" | "hold" => &[],
        _ => &["kWh", "min", "h", "session"],
    }
}
