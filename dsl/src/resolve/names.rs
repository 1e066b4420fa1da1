//! Which name means what, once the lists of a chain are merged.

use super::currency;
use super::merge::{Body, Item, kind_words};
use super::report::{Place, error, nearest};
use crate::ast::{self, Kind, Name};
use crate::calendar::Windows;
use crate::diagnostic::Diagnostic;
use crate::units::Dim;
use std::collections::{HashMap, HashSet};
use takst_engine::tariff;

/// Kinds of names that can stay unused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Sort {
    Group,
    Place,
    Period,
    /// Prices, feeds and values share their names.
    Named,
}

/// What a word in a formula can mean.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    Price,
    Value,
    /// Index into `feeds`.
    Feed(u32),
}

/// A period that was worked out.
#[derive(Clone, Debug)]
pub(crate) struct KnownPeriod {
    pub windows: Windows,
    /// It says nothing about days or hours, only months.
    pub months_only: bool,
}

/// A charge in force.
#[derive(Clone, Debug)]
pub(crate) struct KnownCharge {
    pub kind: Kind,
    pub label: String,
    /// Whether the list itself gives it a label.
    pub labelled: bool,
    /// Index into [`tariff::Tariff::charges`]; none for charges of the month.
    pub session: Option<u32>,
}

/// All names of a list.
#[derive(Default)]
pub(crate) struct Names<'a> {
    pub groups: Vec<String>,
    pub default_group: Option<u32>,
    group_ids: HashMap<&'a str, u32>,
    pub places: Vec<tariff::Place>,
    place_ids: HashMap<&'a str, u32>,
    pub period_items: Vec<(&'a ast::Period, Place)>,
    /// None: wrong, and reported.
    pub periods: HashMap<&'a str, Option<KnownPeriod>>,
    pub feeds: Vec<tariff::Feed>,
    /// None: wrong, and reported.
    pub feed_dims: Vec<Option<Dim>>,
    pub named: HashMap<&'a str, (Named, Place)>,
    pub charges: Vec<KnownCharge>,
    pub taxes: Vec<&'a str>,
    used: HashSet<(Sort, String)>,
}

/// An index as the compiled form wants it; lists are far shorter than 2^32.
pub(crate) fn id(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Whether a kind is priced per session (and not once a month).
pub(crate) fn per_session(kind: Kind) -> bool {
    !matches!(kind, Kind::MonthlyFee | Kind::OneOffFee | Kind::PowerFee | Kind::SiteCredit)
}

/// Reads all names. `currency`: the list's, when known.
pub(crate) fn names<'a>(
    items: &'a [Item<'a>],
    currency: Option<&str>,
    spot_area: Option<&str>,
    out: &mut Vec<Diagnostic>,
) -> Names<'a> {
    let mut names = Names::default();
    let code = currency.unwrap_or(UNKNOWN_CURRENCY);
    names.feed(
        "spot",
        None,
        Some(Dim::money(code).over(&kwh())),
        tariff::Feed {
            name: "spot".into(),
            area: spot_area.map(str::to_owned),
            unit: format!("{code}/kWh"),
            money_per_kwh: true,
            includes_vat: None,
            holds: false,
        },
    );
    for item in items {
        names.item(item, out);
    }
    names
}

/// Stands for the currency while it is not known.
pub(crate) const UNKNOWN_CURRENCY: &str = "?";

fn kwh() -> Dim {
    Dim { kwh: 1, ..Dim::default() }
}

impl<'a> Names<'a> {
    fn feed(&mut self, name: &'a str, at: Option<Place>, dim: Option<Dim>, feed: tariff::Feed) {
        let index = id(self.feeds.len());
        let at = at.unwrap_or(Place { source: 0, span: ast::Span::default() });
        self.named.insert(name, (Named::Feed(index), at));
        self.feeds.push(feed);
        self.feed_dims.push(dim);
    }

    fn item(&mut self, item: &'a Item<'a>, out: &mut Vec<Diagnostic>) {
        let at = |name: &Name| Place { source: item.at.source, span: name.span };
        match item.body {
            Body::Groups(groups) => {
                for name in groups.names.iter().chain(&groups.default) {
                    if name.it == "everyone" {
                        let found = error("E107", at(name), "`everyone` is every driver, not a group");
                        out.push(found.help(
                            "a price for everybody needs no group; to name the drivers who are in no group, end the list with `everyone else guests`",
                        ));
                    }
                    let index = id(self.groups.len());
                    if self.group_ids.insert(&name.it, index).is_some() {
                        out.push(error("E107", at(name), format!("the group `{}` stands twice", name.it)));
                        continue;
                    }
                    self.groups.push(name.it.clone());
                    // `everyone` is reported above; the list is judged as it was meant.
                    let meant = name.it == "everyone" && groups.default.is_none();
                    if meant || groups.default.as_ref().is_some_and(|default| default.span == name.span) {
                        self.default_group = Some(index);
                    }
                }
            }
            Body::Place(place) => {
                let index = *self.place_ids.entry(&place.name.it).or_insert_with(|| {
                    let (chargers, sites) = (Vec::new(), Vec::new());
                    self.places.push(tariff::Place { name: place.name.it.clone(), chargers, sites });
                    id(self.places.len() - 1)
                });
                if let Some(known) = self.places.get_mut(usize::try_from(index).unwrap_or(usize::MAX)) {
                    let list = if place.sites { &mut known.sites } else { &mut known.chargers };
                    list.extend(place.ids.iter().map(|id| id.it.clone()));
                }
            }
            Body::Period(period) => self.period_items.push((period, item.head)),
            Body::Feed(feed) => self.declared_feed(feed, item, out),
            Body::Price(price) => {
                if price.name.it == "spot" {
                    out.push(spot_is_taken(at(&price.name)));
                } else {
                    self.named.insert(&price.name.it, (Named::Price, item.head));
                }
            }
            Body::Value(value) => {
                if value.name.it == "spot" {
                    out.push(spot_is_taken(at(&value.name)));
                } else {
                    self.named.insert(&value.name.it, (Named::Value, item.head));
                }
            }
            Body::Charge(charge, label) => {
                let kind = charge.head.kind.it;
                let session = per_session(kind)
                    .then(|| id(self.charges.iter().filter(|charge| charge.session.is_some()).count()));
                let printed = label.map_or_else(|| capital(kind_words(kind)), |label| label.it.clone());
                self.charges.push(KnownCharge { kind, label: printed, labelled: label.is_some(), session });
            }
            Body::Tax(tax) => self.taxes.push(&tax.name.it),
            Body::Vat(_) | Body::Total(_) | Body::CouponScope(_) | Body::Coupon(_) | Body::Discount(_) => {}
        }
    }

    fn declared_feed(&mut self, feed: &'a ast::Feed, item: &Item<'a>, out: &mut Vec<Diagnostic>) {
        let at = |span| Place { source: item.at.source, span };
        if feed.name.it == "spot" {
            out.push(
                spot_is_taken(at(feed.name.span)).help("`spot` needs no declaration; leave this line out"),
            );
            return;
        }
        let (money, per) = &feed.unit.it;
        let unit_at = at(feed.unit.span);
        let (is_money, per_money) = (currency::currency(money).is_some(), currency::currency(per).is_some());
        let per_kwh = per == "kWh";
        let known = is_money && (per_kwh || per_money);
        if !is_money {
            out.push(no_currency(unit_at, money));
        } else if !per_kwh && !per_money {
            out.push(error("E211", unit_at, format!("a feed cannot be in `{money}/{per}`")).help(format!(
                "feeds are in money per kWh, as in `{money}/kWh`, or in money per money, as in `NOK/EUR`"
            )));
        } else if feed.includes_vat.is_some() && !per_kwh {
            out.push(
                error("E203", unit_at, "an exchange rate has no VAT")
                    .help("leave out what is said about VAT"),
            );
        }
        let below = if per_kwh { kwh() } else { Dim::money(per) };
        let dim = known.then(|| Dim::money(money).over(&below));
        self.feed(
            &feed.name.it,
            Some(item.head),
            dim,
            tariff::Feed {
                name: feed.name.it.clone(),
                area: None,
                unit: format!("{money}/{per}"),
                money_per_kwh: per_kwh,
                includes_vat: feed.includes_vat,
                holds: feed.holds,
            },
        );
    }

    /// Remembers that a name is used.
    pub(crate) fn uses(&mut self, sort: Sort, name: &str) {
        if !self.used.contains(&(sort, name.to_owned())) {
            self.used.insert((sort, name.to_owned()));
        }
    }

    pub(crate) fn group(&mut self, name: &str) -> Option<u32> {
        self.uses(Sort::Group, name);
        self.group_ids.get(name).copied()
    }

    pub(crate) fn place(&mut self, name: &str) -> Option<u32> {
        self.uses(Sort::Place, name);
        self.place_ids.get(name).copied()
    }

    /// Names that may stand in a formula, in order of the alphabet.
    pub(crate) fn formula_words(&self) -> Vec<&'a str> {
        let named = self.named.iter();
        let mut words: Vec<&str> =
            named.filter(|(_, (named, _))| !matches!(named, Named::Value)).map(|(name, _)| *name).collect();
        words.sort_unstable();
        words
    }

    /// Names of quantities, in order of the alphabet.
    pub(crate) fn value_words(&self) -> Vec<&'a str> {
        let named = self.named.iter();
        let mut words: Vec<&str> =
            named.filter(|(_, (named, _))| matches!(named, Named::Value)).map(|(name, _)| *name).collect();
        words.sort_unstable();
        words
    }

    /// The charges that a reference means: all of the kind, or the labelled one.
    pub(crate) fn meant<'n>(
        &'n self,
        head: &'n ast::ChargeRef,
    ) -> impl Iterator<Item = (usize, &'n KnownCharge)> {
        let same = |known: &KnownCharge| match &head.label {
            None => true,
            Some(label) => known.label == label.it,
        };
        self.charges.iter().enumerate().filter(move |(_, known)| known.kind == head.kind.it && same(known))
    }

    /// Warnings for names of the leaf that nothing uses.
    pub(crate) fn unused(&self, items: &[Item<'_>], out: &mut Vec<Diagnostic>) {
        for item in items.iter().filter(|item| item.at.source == 0) {
            let at = |name: &Name| Place { source: 0, span: name.span };
            let mut check = |sort, name: &Name, words: &str| {
                if !self.used.contains(&(sort, name.it.clone())) {
                    out.push(super::report::warning(
                        "W101",
                        at(name),
                        format!("the {words} `{}` is never used", name.it),
                    ));
                }
            };
            match item.body {
                Body::Groups(groups) => {
                    groups.names.iter().for_each(|name| check(Sort::Group, name, "group"));
                }
                Body::Place(place) => check(Sort::Place, &place.name, "place"),
                Body::Period(period) => check(Sort::Period, &period.name, "period"),
                Body::Feed(feed) => check(Sort::Named, &feed.name, "feed"),
                Body::Price(price) => check(Sort::Named, &price.name, "price"),
                Body::Value(value) => check(Sort::Named, &value.name, "value"),
                _ => {}
            }
        }
    }
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn spot_is_taken(at: Place) -> Diagnostic {
    error("E107", at, "`spot` is the spot price; it needs another name")
}

/// Says that there is no such currency.
pub(crate) fn no_currency(at: Place, code: &str) -> Diagnostic {
    let diagnostic = error("E109", at, format!("there is no currency `{code}`"));
    match nearest(code, currency::codes()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("write the ISO code of a currency in use, as in `EUR`"),
    }
}
