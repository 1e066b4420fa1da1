//! Named prices and quantities.

use super::Lowering;
use super::context::{For, Use};
use super::expr::{Typed, names_in};
use super::lists::Subject;
use crate::ast::{self, Clause, Expr, PriceOrFree};
use crate::resolve::merge::{Body, Item};
use crate::resolve::names::id;
use crate::resolve::report::{Labels, Place, error};
use crate::units::{Basis, Counted, Dim};
use std::collections::{BTreeMap, HashMap};
use takst_engine::tariff::{Outcome, Per, Price, Value};

/// A named price or quantity that was worked out.
#[derive(Clone)]
pub(super) enum KnownValue {
    Price {
        /// Index into the tariff's values.
        index: u32,
        /// None: wrong or not set; reported.
        typed: Option<Typed>,
        /// What its lines depend on.
        uses: BTreeMap<Use, Place>,
    },
    Quantity {
        /// Index into the tariff's values.
        index: u32,
        /// None: wrong; reported.
        counted: Option<Counted>,
    },
}

impl<'a> Lowering<'a> {
    /// What each name that may stand in a formula counts, as in `EUR/kWh, excluding VAT`; names that are wrong are left out.
    pub(super) fn units(&self) -> BTreeMap<String, String> {
        let values = self.known_values.iter().filter_map(|(name, known)| {
            let unit = match known {
                KnownValue::Price { typed, .. } => {
                    let typed = typed.as_ref()?;
                    let basis = match typed.basis {
                        Basis::Any => "",
                        Basis::Net => ", excluding VAT",
                        Basis::Gross => ", including VAT",
                    };
                    let unit = if typed.dim.is_plain() { typed.dim.words() } else { typed.dim.written() };
                    format!("{unit}{basis}")
                }
                KnownValue::Quantity { counted, .. } => match counted.as_ref()? {
                    Counted::Energy => "an energy",
                    Counted::Time => "a time",
                    Counted::Power => "a power",
                    Counted::Current => "a current",
                }
                .to_owned(),
            };
            Some(((*name).to_owned(), unit))
        });
        let feeds = self.names.feeds.iter().map(|feed| {
            let basis = match feed.includes_vat {
                None => "",
                Some(false) => ", excluding VAT",
                Some(true) => ", including VAT",
            };
            (feed.name.clone(), format!("{}{basis}", feed.unit))
        });
        values.chain(feeds).collect()
    }

    /// Works out all named prices, each after the ones it names, and all quantities.
    pub(super) fn all_values(&mut self) {
        let mut prices: Vec<(&'a str, &'a ast::Price, &'a Item<'a>)> = Vec::new();
        let mut index = HashMap::new();
        let items: &'a [Item<'a>] = self.items;
        for item in items {
            match item.body {
                Body::Price(price) if price.name.it != "spot" => {
                    index.insert(price.name.it.as_str(), prices.len());
                    prices.push((&price.name.it, price, item));
                }
                _ => {}
            }
        }
        let edges: Vec<Vec<usize>> = prices
            .iter()
            .map(|(_, price, _)| {
                let mut names = Vec::new();
                for line in price.cases.iter().flat_map(|cases| &cases.lines) {
                    if let PriceOrFree::Price(expr) = &line.it.what.it {
                        names_in(expr, &mut names);
                    }
                }
                let mut to: Vec<usize> =
                    names.iter().filter_map(|(name, _)| index.get(name).copied()).collect();
                to.sort_unstable();
                to.dedup();
                to
            })
            .collect();
        let named: Vec<(&'a str, Place)> = prices.iter().map(|(name, _, item)| (*name, item.head)).collect();
        for number in self.order(&edges, &named) {
            if let Some((name, price, item)) = prices.get(number) {
                let known = self.named_price(price, item);
                self.known_values.insert(name, known);
            }
        }
        for item in items {
            if let Body::Value(value) = item.body
                && value.name.it != "spot"
            {
                let known = self.named_quantity(value, item);
                self.known_values.insert(&value.name.it, known);
            }
        }
    }

    fn push_value(&mut self, name: &str, root: u32) -> u32 {
        self.values.push(Value { name: name.to_owned(), root });
        id(self.values.len() - 1)
    }

    fn named_price(&mut self, price: &ast::Price, item: &Item<'_>) -> KnownValue {
        let name = &price.name.it;
        let Some(cases) = &price.cases else {
            self.unset(name, item);
            return KnownValue::Price { index: 0, typed: None, uses: BTreeMap::new() };
        };
        let subject = Subject {
            what: format!("price `{name}`"),
            used_for: For::Price,
            head: item.head,
            region: self.region(item),
            example: format!("0.00 {}/kWh", self.code()),
            keep: true,
        };
        let mut common: Option<(Typed, Place)> = None;
        let mut wrong = false;
        let list = self.cases(subject, cases, |lowering, what, at| {
            let PriceOrFree::Price(expr) = &what.it else { return Some(Outcome::Free) };
            let Some(typed) = lowering.formula(expr, at) else {
                wrong = true;
                return None;
            };
            let formula = typed.formula.clone();
            let per = per(&typed.dim);
            match &mut common {
                Some(first) => {
                    if let Some(basis) = lowering.same_kind(first, &typed, at) {
                        first.0.basis = basis;
                    } else {
                        wrong = true;
                        return None;
                    }
                }
                None => common = Some((typed, at)),
            }
            Some(Outcome::Price(Price { per, formula, parts: Vec::new(), step: None }))
        });
        let uses = self.uses.clone();
        let unconditional = cases.lines.len() == 1
            && cases.lines.iter().all(|line| line.it.clauses.iter().all(|c| c.it == Clause::Otherwise));
        let index = self.push_value(name, list);
        let typed = match common {
            _ if wrong => None,
            Some((typed, _)) => Some(Typed { is_sum: typed.is_sum && unconditional, ..typed }),
            // Free in every case, whatever the unit.
            None => {
                let zero = takst_engine::tariff::Formula::Const(rust_decimal::Decimal::ZERO);
                let free = Typed::new(zero, Dim::default());
                (!cases.lines.is_empty()).then_some(Typed { any: true, ..free })
            }
        };
        KnownValue::Price { index, typed, uses }
    }

    /// The common VAT basis of two lines of one price; says so when their units differ.
    fn same_kind(&mut self, first: &(Typed, Place), typed: &Typed, at: Place) -> Option<crate::units::Basis> {
        let (first, first_at) = first;
        if first.dim != typed.dim && !first.any && !typed.any {
            let (a, b) = (self.text(*first_at), self.text(at));
            let message = format!(
                "the lines of one price need one unit: `{a}` is {}, `{b}` is {}",
                first.words(),
                typed.words()
            );
            self.out.push(error("E201", at, message).says(typed.words()).also(*first_at, first.words()));
            return None;
        }
        let basis = first.basis.with(typed.basis);
        if basis.is_none() {
            self.out.push(
                error("E203", at, "the lines of one price must all exclude VAT, or all include it")
                    .says(typed.basis.words())
                    .also(*first_at, first.basis.words()),
            );
        }
        basis
    }

    /// `set by each list`, and this list does not.
    fn unset(&mut self, name: &str, item: &Item<'_>) {
        if item.at.source == 0 {
            self.abstract_list = true;
            return;
        }
        let at = self.settings.head.unwrap_or(item.head);
        self.out.push(
            error("E408", at, format!("the price `{name}` is not set"))
                .also(item.head, "must be set by each list")
                .help(format!("write `set {name}: 0.50 {}/kWh`", self.code())),
        );
    }

    fn named_quantity(&mut self, value: &ast::Price, item: &Item<'_>) -> KnownValue {
        let name = &value.name.it;
        let Some(cases) = &value.cases else {
            self.unset(name, item);
            return KnownValue::Quantity { index: 0, counted: None };
        };
        let subject = Subject {
            what: format!("value `{name}`"),
            used_for: For::Value,
            head: item.head,
            region: self.region(item),
            example: "30 min".into(),
            keep: true,
        };
        let mut common: Option<(Counted, Place)> = None;
        let mut wrong = false;
        let list = self.cases(subject, cases, |lowering, what, at| {
            let PriceOrFree::Price(Expr::Quantity(quantity)) = &what.it else {
                let text = lowering.text(at);
                wrong = true;
                lowering.out.push(
                    error("E210", at, format!("`{text}` is no quantity"))
                        .help("a value is an amount of time or energy, as in `30 min`"),
                );
                return None;
            };
            let quantity = ast::At { it: quantity.clone(), span: at.span };
            let found = lowering.counted_or_none(&quantity, at.source, &[Counted::Time, Counted::Energy]);
            let Some((counted, amount)) = found else {
                wrong = true;
                return None;
            };
            match common {
                Some((first, first_at)) if first != counted => {
                    wrong = true;
                    lowering.out.push(
                        error("E201", at, "the lines of one value must all be times, or all be energy")
                            .also(first_at, "first line"),
                    );
                }
                _ => common = Some((counted, at)),
            }
            Some(Outcome::Quantity(amount))
        });
        let index = self.push_value(name, list);
        KnownValue::Quantity { index, counted: common.map(|(counted, _)| counted).filter(|_| !wrong) }
    }

    /// The value that `after NAME` means: its index and kind.
    pub(super) fn quantity_named(&mut self, name: &ast::Name, source: u32) -> Option<(u32, Counted)> {
        let at = Place { source, span: name.span };
        self.name_used(&name.it);
        match self.known_values.get(name.it.as_str()) {
            Some(KnownValue::Quantity { index, counted }) => counted.map(|counted| (*index, counted)),
            _ => {
                match self.names.named.get(name.it.as_str()) {
                    Some((_, declared)) => self.out.push(
                        error("E105", at, format!("`{}` is no quantity", name.it))
                            .also(*declared, "declared here")
                            .help(format!("declare it as in `value {}: 30 min`", name.it)),
                    ),
                    None => {
                        let found = error("E105", at, format!("there is no value `{}`", name.it));
                        self.unknown(found, "values", &name.it, name.span, |names| names.value_words());
                    }
                }
                None
            }
        }
    }
}

/// What a price in base units is a price per.
fn per(dim: &Dim) -> Per {
    if dim.money.len() != 1 || dim.money.values().any(|exponent| *exponent != 1) {
        return Per::One;
    }
    let below = Dim { money: BTreeMap::new(), ..dim.clone() };
    let unit = |change: fn(&mut Dim)| {
        let mut dim = Dim::default();
        change(&mut dim);
        dim
    };
    let known = [
        (unit(|dim| dim.kwh = -1), Per::Kwh),
        (unit(|dim| dim.hour = -1), Per::Hour),
        (unit(|dim| dim.session = -1), Per::Session),
        (unit(|dim| dim.bill = -1), Per::Bill),
        (unit(|dim| dim.charger = -1), Per::Charger),
        (unit(|dim| (dim.charger, dim.month) = (-1, -1)), Per::Charger),
        (unit(|dim| dim.month = -1), Per::Month),
        (unit(|dim| (dim.kwh, dim.hour) = (-1, 1)), Per::Kw),
        (unit(|dim| (dim.kwh, dim.hour, dim.month) = (-1, 1, -1)), Per::Kw),
    ];
    known.into_iter().find(|(dim, _)| *dim == below).map_or(Per::One, |(_, per)| per)
}

/// What a price per is, if it is one of `Per`.
pub(super) fn per_of(typed: &Typed) -> Per {
    per(&typed.dim)
}
