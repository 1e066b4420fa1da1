//! `based on`: lays the lists of a chain over each other, root first. Each change must be said with `change`, `set` or `remove`.

use super::report::{Labels, MOST_HINTS, Place, error, nearest};
use crate::ast::{
    self, Charge, ChargeRef, Feed, File, Groups, Kind, Limit, Name, Period, Price, Rebate, Statement, Tax,
    Vat,
};
use crate::ast::{At, Remove};
use crate::diagnostic::Diagnostic;
use std::collections::HashMap;

/// A statement that is in force.
#[derive(Clone, Debug)]
pub(crate) struct Item<'a> {
    /// The whole statement.
    pub at: Place,
    /// Its first words, for messages.
    pub head: Place,
    /// What it says.
    pub body: Body<'a>,
}

/// What a statement in force says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    Vat(&'a Vat),
    Tax(&'a Tax),
    Groups(&'a Groups),
    Place(&'a ast::Place),
    Period(&'a Period),
    Feed(&'a Feed),
    Price(&'a Price),
    Value(&'a Price),
    /// With the label in force: a changed charge keeps its label.
    Charge(&'a Charge, Option<&'a Name>),
    Total(&'a [At<Limit>]),
    CouponScope(&'a [ChargeRef]),
    Coupon(&'a Rebate),
    Discount(&'a Rebate),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    Vat(Option<(Kind, Option<String>)>),
    Tax(String),
    Groups,
    Place(bool, String),
    Period(String),
    Named(String),
    Charge(Kind, Option<String>),
    Total,
    CouponScope,
    Coupon(String),
    Discount(Option<String>),
}

/// A charge's kind in words.
pub(crate) fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Energy => "energy",
        Kind::ChargingTime => "charging time",
        Kind::ConnectedTime => "connected time",
        Kind::ParkingTime => "parking time",
        Kind::IdleFee => "idle fee",
        Kind::StartFee => "start fee",
        Kind::ReservationFee => "reservation fee",
        Kind::FeedIn => "feed-in",
        Kind::PaymentFee => "payment fee",
        Kind::MonthlyFee => "monthly fee",
        Kind::OneOffFee => "one-off fee",
        Kind::PowerFee => "power fee",
        Kind::SiteCredit => "site credit",
        Kind::PayoutToSite => "payout to site",
        Kind::FlatFee => "flat fee",
    }
}

fn text(name: Option<&Name>) -> Option<String> {
    name.map(|name| name.it.clone())
}

impl Key {
    fn words(&self) -> String {
        let label =
            |label: &Option<String>| label.as_ref().map_or_else(String::new, |label| format!(" \"{label}\""));
        match self {
            Self::Vat(None) => "VAT".into(),
            Self::Vat(Some((kind, name))) => format!("VAT on {}{}", kind_words(*kind), label(name)),
            Self::Tax(name) => format!("tax \"{name}\""),
            Self::Groups => "groups".into(),
            Self::Place(true, name) => format!("sites {name}"),
            Self::Place(false, name) => format!("chargers {name}"),
            Self::Period(name) => format!("period {name}"),
            Self::Named(name) => format!("price {name}"),
            Self::Charge(kind, name) => format!("{}{}", kind_words(*kind), label(name)),
            Self::Total => "total".into(),
            Self::CouponScope => "coupon applies to".into(),
            Self::Coupon(code) => format!("coupon \"{code}\""),
            Self::Discount(name) => format!("discount{}", label(name)),
        }
    }
}

/// The body, its key and where its own words stand; `None` for headings, tests and changes.
fn body<'a>(statement: &'a Statement, at: ast::Span) -> Option<(Body<'a>, Key, ast::Span)> {
    let join = |a: ast::Span, b: ast::Span| ast::Span { start: a.start, end: b.end };
    let first_line = |end: u32| ast::Span { start: at.start, end };
    Some(match statement {
        Statement::Vat(vat) => {
            let on = vat.on.as_ref().map(|on| (on.kind.it, text(on.label.as_ref())));
            let end = vat.on.as_ref().map_or(at.start.saturating_add(3).min(at.end), |on| ref_span(on).end);
            (Body::Vat(vat), Key::Vat(on), first_line(end))
        }
        Statement::Tax(tax) => (Body::Tax(tax), Key::Tax(tax.name.it.clone()), tax.name.span),
        Statement::Groups(groups) => {
            let names =
                groups.names.first().or(groups.default.as_ref()).map_or(at, |name| join(at, name.span));
            (Body::Groups(groups), Key::Groups, names)
        }
        Statement::Place(place) => {
            (Body::Place(place), Key::Place(place.sites, place.name.it.clone()), place.name.span)
        }
        Statement::Period(period) => {
            (Body::Period(period), Key::Period(period.name.it.clone()), period.name.span)
        }
        Statement::Feed(feed) => (Body::Feed(feed), Key::Named(feed.name.it.clone()), feed.name.span),
        Statement::Price(price) => (Body::Price(price), Key::Named(price.name.it.clone()), price.name.span),
        Statement::Value(price) => (Body::Value(price), Key::Named(price.name.it.clone()), price.name.span),
        Statement::Charge(charge) => {
            let label = charge.head.label.as_ref();
            let key = Key::Charge(charge.head.kind.it, text(label));
            (Body::Charge(charge, label), key, ref_span(&charge.head))
        }
        Statement::Total(limits) => {
            (Body::Total(limits), Key::Total, limits.first().map_or(at, |limit| first_line(limit.span.end)))
        }
        Statement::CouponScope(refs) => (
            Body::CouponScope(refs),
            Key::CouponScope,
            refs.first().map_or(at, |first| first_line(first.kind.span.start)),
        ),
        Statement::Coupon(rebate) => {
            let name = rebate.name.as_ref();
            (
                Body::Coupon(rebate),
                Key::Coupon(text(name).unwrap_or_default()),
                name.map_or(at, |name| name.span),
            )
        }
        Statement::Discount(rebate) => {
            let name = rebate.name.as_ref();
            let head =
                name.map_or_else(|| first_line(at.start.saturating_add(8).min(at.end)), |name| name.span);
            (Body::Discount(rebate), Key::Discount(text(name)), head)
        }
        Statement::Tariff(_)
        | Statement::Test(_)
        | Statement::Change(_)
        | Statement::Set(_)
        | Statement::Remove(_) => {
            return None;
        }
    })
}

/// Kind and label together.
pub(crate) fn ref_span(head: &ChargeRef) -> ast::Span {
    let end = head.label.as_ref().map_or(head.kind.span.end, |label| label.span.end);
    ast::Span { start: head.kind.span.start, end }
}

struct Merge<'a, 'b> {
    items: Vec<Option<(Key, Item<'a>)>>,
    at: HashMap<Key, usize>,
    /// Positions of charges by kind: their labels may be left out where there is one only.
    charges: HashMap<Kind, Vec<usize>>,
    source: u32,
    has_base: bool,
    out: &'b mut Vec<Diagnostic>,
}

/// The statements in force, in the order of the root list, then of the lists on top of it.
/// `files`: leaf first, then what it is based on.
pub(crate) fn merge<'a>(files: &'a [File], out: &mut Vec<Diagnostic>) -> Vec<Item<'a>> {
    let mut merge = Merge {
        items: Vec::new(),
        at: HashMap::new(),
        charges: HashMap::new(),
        source: 0,
        has_base: false,
        out,
    };
    for (index, file) in files.iter().enumerate().rev() {
        merge.source = u32::try_from(index).unwrap_or(u32::MAX);
        for statement in &file.statements {
            merge.statement(statement);
        }
        merge.has_base = true;
    }
    merge.items.into_iter().flatten().map(|(_, item)| item).collect()
}

impl<'a> Merge<'a, '_> {
    fn place(&self, span: ast::Span) -> Place {
        Place { source: self.source, span }
    }

    fn statement(&mut self, statement: &'a At<Statement>) {
        match &statement.it {
            Statement::Change(inner) => self.change(statement, inner),
            Statement::Set(price) => self.set(statement, price),
            Statement::Remove(remove) => self.remove(statement, remove),
            other => {
                if let Some((body, key, head)) = body(other, statement.span) {
                    self.add(statement, body, key, head);
                }
            }
        }
    }

    fn push(&mut self, key: Key, item: Item<'a>) {
        let index = self.items.len();
        if let Key::Charge(kind, _) = &key {
            self.charges.entry(*kind).or_default().push(index);
        }
        self.at.insert(key.clone(), index);
        self.items.push(Some((key, item)));
    }

    fn add(&mut self, statement: &'a At<Statement>, body: Body<'a>, key: Key, head: ast::Span) {
        let item = Item { at: self.place(statement.span), head: self.place(head), body };
        let Some((index, old)) = self.find(&key) else {
            self.push(key, item);
            return;
        };
        let words = key.words();
        if old.at.source == self.source {
            let message = match &key {
                Key::Charge(kind, _) => {
                    format!("`{words}` stands twice; two `{}` need different labels", kind_words(*kind))
                }
                Key::Named(name) => format!("`{name}` is declared twice"),
                _ => format!("`{words}` stands twice"),
            };
            let first = old.head;
            self.out.push(error("E107", item.head, message).also(first, "first here"));
        } else {
            let first = old.head;
            let word = match (&key, item.body) {
                (Key::Named(name), Body::Feed(_)) => format!("change feed {name}"),
                (Key::Named(name), Body::Value(_)) => format!("change value {name}"),
                _ => format!("change {words}"),
            };
            let start = ast::Span { start: statement.span.start, end: statement.span.start };
            self.out.push(
                error("E116", item.head, format!("the base list already has `{words}`"))
                    .also(first, "here")
                    .help(format!("write `{word}:` to replace it"))
                    .fix(start, "change "),
            );
            // As if it had been said: what follows is checked against what was meant.
            self.replace(index, item);
        }
    }

    fn replace(&mut self, index: usize, item: Item<'a>) {
        if let Some(Some((_, old))) = self.items.get_mut(index) {
            *old = item;
        }
    }

    fn find(&self, key: &Key) -> Option<(usize, &Item<'a>)> {
        let index = *self.at.get(key)?;
        let (_, item) = self.items.get(index)?.as_ref()?;
        Some((index, item))
    }

    /// Like `find`; a charge without label may also mean the only one of its kind that has a label.
    fn find_meant(&mut self, key: &Key, at: Place) -> Result<usize, ()> {
        if let Some((index, _)) = self.find(key) {
            return Ok(index);
        }
        if let Key::Charge(kind, None) = key {
            let labels: Vec<(usize, String)> = (self.charges.get(kind).into_iter().flatten())
                .filter_map(|index| {
                    let (key, _) = self.items.get(*index)?.as_ref()?;
                    Some((*index, key.words()))
                })
                .collect();
            match labels.as_slice() {
                [] => {}
                [(index, _)] => return Ok(*index),
                several => {
                    let list =
                        several.iter().map(|(_, words)| format!("`{words}`")).collect::<Vec<_>>().join(", ");
                    let message = format!("the base list has several charges `{}`", key.words());
                    self.out.push(error("E117", at, message).help(format!("say which: {list}")));
                    return Err(());
                }
            }
        }
        let words = key.words();
        if self.out.len() >= MOST_HINTS {
            self.out.push(error("E117", at, format!("the base list has no `{words}`")));
            return Err(());
        }
        let known: Vec<String> = self.items.iter().flatten().map(|(key, _)| key.words()).collect();
        let base = format!("the base list has no `{words}`");
        let diagnostic = error("E117", at, base);
        let near = nearest(&words, known.iter().map(String::as_str)).map(str::to_owned);
        let same = match key {
            Key::Named(_) => known.iter().filter(|word| word.starts_with("price ")).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        let list = same.iter().take(12).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        self.out.push(match (near, list.is_empty()) {
            (Some(near), _) => diagnostic.help(format!("did you mean `{near}`?")),
            (None, false) => diagnostic.help(format!("it has {list}")),
            (None, true) => diagnostic,
        });
        Err(())
    }

    /// Whether there is a base list to change; says so if not.
    fn needs_base(&mut self, at: Place, word: &str) -> bool {
        if !self.has_base {
            self.out.push(
                error(
                    "E118",
                    at,
                    format!("there is nothing to {word}: this list is not based on another one"),
                )
                .help("write `based on: \"FILE\"` below `tariff`, or state it without this word"),
            );
        }
        self.has_base
    }

    /// Whether the thing comes from a base list; says so if it stands in this file.
    fn stands_in_base(&mut self, index: usize, at: Place, word: &str) -> bool {
        let Some(Some((key, old))) = self.items.get(index) else { return false };
        if old.at.source != self.source {
            return true;
        }
        let message =
            format!("`{}` stands in this list; `{word}` is for what the base list has", key.words());
        let first = old.head;
        self.out.push(error("E118", at, message).also(first, "here"));
        false
    }

    fn change(&mut self, statement: &'a At<Statement>, inner: &'a At<Statement>) {
        let Some((body, key, head)) = body(&inner.it, inner.span) else {
            let at = self.place(statement.span);
            self.out.push(error(
                "E118",
                at,
                "this cannot be changed: only charges, prices, VAT and the like can",
            ));
            return;
        };
        let mut item = Item { at: self.place(statement.span), head: self.place(head), body };
        let known = self.needs_base(item.head, "change").then(|| self.find_meant(&key, item.head));
        let Some(Ok(index)) = known else {
            // Reported; take it as stated so that uses of it are known.
            if self.find(&key).is_none() {
                self.push(key, item);
            }
            return;
        };
        if !self.stands_in_base(index, item.head, "change") {
            return;
        }
        let old = self.items.get(index).and_then(Option::as_ref).map(|(_, old)| (old.body, old.head));
        match (&mut item.body, old) {
            (Body::Charge(_, label @ None), Some((Body::Charge(_, kept), _))) => *label = kept,
            (Body::Price(_), Some((Body::Price(_), _)))
            | (Body::Value(_), Some((Body::Value(_), _)))
            | (Body::Feed(_), Some((Body::Feed(_), _))) => {}
            (Body::Price(_) | Body::Value(_) | Body::Feed(_), Some((other, first))) => {
                let message = format!("in the base list this is a {}", named_words(other));
                self.out.push(error("E117", item.head, message).also(first, "here"));
            }
            _ => {}
        }
        self.replace(index, item);
    }

    fn set(&mut self, statement: &'a At<Statement>, price: &'a Price) {
        let at = self.place(statement.span);
        let head = self.place(price.name.span);
        let key = Key::Named(price.name.it.clone());
        let known = self.needs_base(head, "set").then(|| self.find_meant(&key, head));
        let Some(Ok(index)) = known else {
            if self.find(&key).is_none() {
                self.push(key, Item { at, head, body: Body::Price(price) });
            }
            return;
        };
        if !self.stands_in_base(index, head, "set") {
            return;
        }
        let body = match self.items.get(index).and_then(Option::as_ref).map(|(_, old)| (old.body, old.head)) {
            Some((Body::Price(_), _)) => Body::Price(price),
            Some((Body::Value(_), _)) => Body::Value(price),
            Some((other, first)) => {
                let message =
                    format!("`{}` is a {}; only prices can be set", price.name.it, named_words(other));
                self.out.push(error("E117", head, message).also(first, "here"));
                return;
            }
            None => return,
        };
        self.replace(index, Item { at, head, body });
    }

    fn remove(&mut self, statement: &'a At<Statement>, remove: &Remove) {
        let key = match remove {
            Remove::Charge(head) => Key::Charge(head.kind.it, text(head.label.as_ref())),
            Remove::Price(name) => Key::Named(name.it.clone()),
            Remove::Coupon(code) => Key::Coupon(code.it.clone()),
            Remove::Discount(label) => Key::Discount(text(label.as_ref())),
            Remove::Total => Key::Total,
        };
        let at = self.place(match remove {
            Remove::Charge(head) => ref_span(head),
            Remove::Price(name) | Remove::Coupon(name) | Remove::Discount(Some(name)) => name.span,
            Remove::Discount(None) | Remove::Total => statement.span,
        });
        if !self.needs_base(at, "remove") {
            return;
        }
        let Ok(index) = self.find_meant(&key, at) else { return };
        if self.stands_in_base(index, at, "remove")
            && let Some(gone) = self.items.get_mut(index)
            && let Some((key, _)) = gone.take()
        {
            self.at.remove(&key);
        }
    }
}

fn named_words(body: Body<'_>) -> &'static str {
    match body {
        Body::Price(_) => "price",
        Body::Value(_) => "value",
        Body::Feed(_) => "feed",
        _ => "statement",
    }
}
