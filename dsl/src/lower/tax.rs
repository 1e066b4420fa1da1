//! VAT and other taxes: every charge gets one diagram of tax classes.

use super::Lowering;
use super::context::For;
use super::lists::Subject;
use crate::ast::{self, VatRate};
use crate::cases::Line;
use crate::resolve::merge::{Body, Item, kind_words, ref_span};
use crate::resolve::names::id;
use crate::resolve::report::{Labels, Place, error};
use rust_decimal::Decimal;
use std::collections::HashMap;
use takst_engine::tariff::{Outcome, Tax, TaxClass};

/// More combinations of VAT and tax lines than this are refused.
const MOST_CLASSES: usize = 10_000;

/// What one line says about one tax.
#[derive(Clone)]
struct Said {
    at: Place,
    label: String,
    /// Percent; none: not taxed.
    rate: Option<Decimal>,
    reason: Option<String>,
    /// Taxes in its base, by label.
    base: Vec<String>,
}

/// A checked list of VAT or tax lines.
struct TaxList {
    /// Index into the lists.
    list: u32,
    said: Vec<Said>,
    /// Its first entry in the infos about cases.
    info: usize,
}

/// Lists of tax classes, as indexes.
pub(super) struct Taxes {
    /// For every known charge, in order.
    pub of_charges: Vec<u32>,
    /// For amounts that belong to no charge.
    pub default: u32,
}

impl Lowering<'_> {
    /// The lists of tax classes: of every charge, and of all that belongs to none.
    pub(super) fn taxes(&mut self) -> Taxes {
        let items = self.items;
        let taxes = self.tax_lists();
        let mut lists: Vec<TaxList> = Vec::new();
        let mut default = None;
        // By charge: how exactly it is meant (1 kind, 2 label), and by which list.
        let mut own: HashMap<usize, (u8, usize)> = HashMap::new();
        let mut first_rate = taxes.first().and_then(|list| list.said.first()).map(|said| said.at);
        for item in items {
            let Body::Vat(vat) = item.body else { continue };
            let list = self.vat_list(item, vat, taxes.is_empty());
            let taxed = list.said.iter().find(|said| said.rate.is_some()).map(|said| said.at);
            first_rate = first_rate.or(taxed);
            match &vat.on {
                None => default = Some(lists.len()),
                Some(on) => {
                    let exact = if on.label.is_some() { 2 } else { 1 };
                    let meant: Vec<usize> = self.names.meant(on).map(|(index, _)| index).collect();
                    if meant.is_empty() {
                        self.no_charge(on, item.at.source);
                    }
                    for charge in meant {
                        let entry = own.entry(charge).or_insert((exact, lists.len()));
                        if exact >= entry.0 {
                            *entry = (exact, lists.len());
                        }
                    }
                }
            }
            lists.push(list);
        }
        self.check_basis(first_rate);
        let count = self.names.charges.len();
        let chosen: Vec<Option<usize>> =
            (0..count).map(|index| own.get(&index).map(|(_, list)| *list).or(default)).collect();
        if taxes.is_empty() {
            self.check_vat(&chosen, lists.is_empty());
        }
        let mut joined: HashMap<Option<usize>, u32> = HashMap::new();
        let mut all = Vec::new();
        for choice in chosen.into_iter().chain([default]) {
            let vat = choice.and_then(|index| lists.get(index));
            let list = match (vat, taxes.as_slice()) {
                (Some(vat), []) => vat.list,
                (None, []) => match joined.get(&None) {
                    Some(list) => *list,
                    None => {
                        // Of charges this is reported; what belongs to none is not taxed.
                        let list = self.untaxed();
                        joined.insert(None, list);
                        list
                    }
                },
                _ => match joined.get(&choice) {
                    Some(list) => *list,
                    None => {
                        let list = self.join(vat.into_iter().chain(&taxes));
                        joined.insert(choice, list);
                        list
                    }
                },
            };
            all.push(list);
        }
        let default = all.pop().unwrap_or_default();
        Taxes { of_charges: all, default }
    }

    fn untaxed(&mut self) -> u32 {
        let head = self.settings.head.unwrap_or(Place { source: 0, span: ast::Span::default() });
        let class = self.class(&[]);
        let leaf = self.leaf(head, Outcome::Tax(class));
        self.joined("taxes", head, vec![Line { conds: Vec::new(), leaf }])
    }

    fn vat_list(&mut self, item: &Item<'_>, vat: &ast::Vat, keep: bool) -> TaxList {
        let on = vat.on.as_ref().map_or_else(String::new, |on| format!(" on {}", kind_words(on.kind.it)));
        let subject = Subject {
            what: format!("VAT{on}"),
            used_for: For::Tax,
            head: item.head,
            region: self.region(item),
            example: "25%".into(),
            keep,
        };
        let info = self.cases.len();
        let mut said = Vec::new();
        let list = self.cases(subject, &vat.cases, |lowering, what, at| {
            let (rate, reason) = match &what.it {
                VatRate::Percent(rate) => (Some(lowering.percent(*rate, at)), None),
                VatRate::None => (None, None),
                VatRate::Exempt(reason) => (None, Some(reason.clone())),
                VatRate::OutsideScope => (None, Some("outside scope".to_owned())),
            };
            let one = Said { at, label: "VAT".into(), rate, reason, base: Vec::new() };
            let class = keep.then(|| lowering.class(std::slice::from_ref(&one)));
            said.push(one);
            class.map(Outcome::Tax)
        });
        TaxList { list, said, info }
    }

    fn tax_lists(&mut self) -> Vec<TaxList> {
        let items = self.items;
        let mut known = vec!["VAT".to_owned()];
        let mut out = Vec::new();
        for item in items {
            let Body::Tax(tax) = item.body else { continue };
            for base in &tax.on_top_of {
                if !known.contains(&base.it) {
                    let at = Place { source: item.at.source, span: base.span };
                    let later = self.names.taxes.contains(&base.it.as_str());
                    if later {
                        self.out.push(error(
                            "E112",
                            at,
                            format!("the tax `{}` must stand before this one", base.it),
                        ));
                    } else {
                        let found = error("E112", at, format!("there is no tax `{}`", base.it));
                        self.unknown(found, "taxes before this one", &base.it, base.span, |_| {
                            known.iter().map(String::as_str).collect()
                        });
                    }
                }
            }
            let subject = Subject {
                what: format!("tax \"{}\"", tax.name.it),
                used_for: For::Tax,
                head: item.head,
                region: self.region(item),
                example: "0%".into(),
                keep: false,
            };
            let info = self.cases.len();
            let mut said = Vec::new();
            let list = self.cases(subject, &tax.cases, |lowering, rate, at| {
                let rate = Some(lowering.percent(rate.it, at));
                let base = tax.on_top_of.iter().map(|base| base.it.clone()).collect();
                said.push(Said { at, label: tax.name.it.clone(), rate, reason: None, base });
                None
            });
            out.push(TaxList { list, said, info });
            known.push(tax.name.it.clone());
        }
        out
    }

    fn percent(&mut self, rate: Decimal, at: Place) -> Decimal {
        if rate.is_sign_negative() || rate > Decimal::ONE_HUNDRED || rate.normalize().scale() > 6 {
            let text = self.text(at);
            self.out.push(
                error("E413", at, format!("`{text}` is no tax rate"))
                    .help("rates are from 0% to 100%, with at most six decimals"),
            );
        }
        rate
    }

    /// Adds a way of being taxed: what the lines of all lists say together.
    fn class(&mut self, said: &[Said]) -> u32 {
        let mut taxes: Vec<Tax> = Vec::new();
        let mut reason = None;
        for one in said {
            let Some(rate) = one.rate else {
                reason = one.reason.clone();
                continue;
            };
            // INVARIANT: a base that is not taxed here adds nothing to the base.
            let on_top_of =
                (0..).zip(&taxes).filter(|(_, tax)| one.base.contains(&tax.label)).map(|(index, _)| index);
            let on_top_of = on_top_of.collect();
            let rule = self.rule(one.at);
            taxes.push(Tax { label: one.label.clone(), rate, on_top_of, rule });
        }
        let reason = if taxes.is_empty() { reason } else { None };
        self.tax_classes.push(TaxClass { taxes, reason });
        id(self.tax_classes.len() - 1)
    }

    /// One list of all combinations: the first line that fits in each list wins, so combinations stand in their order.
    fn join<'l>(&mut self, of: impl Iterator<Item = &'l TaxList>) -> u32 {
        let of: Vec<&TaxList> = of.collect();
        let head = self.settings.head.unwrap_or(Place { source: 0, span: ast::Span::default() });
        let size = of
            .iter()
            .try_fold(1_usize, |size, list| size.checked_mul(list.said.len()).filter(|n| *n <= MOST_CLASSES));
        if size.is_none() {
            self.out.push(
                error(
                    "E304",
                    head,
                    "too many crossing conditions: VAT and taxes have too many lines together",
                )
                .help("use fewer lines"),
            );
            return 0;
        }
        let mut rows: Vec<(Vec<crate::cases::Cond>, Vec<Said>, Vec<usize>)> = vec![Default::default()];
        for list in &of {
            let lines: Vec<Line> = usize::try_from(list.list)
                .ok()
                .and_then(|index| self.lists.get(index))
                .map(|known| known.lines.clone())
                .unwrap_or_default();
            let mut next = Vec::new();
            for (conds, said, infos) in &rows {
                for (number, (line, one)) in lines.iter().zip(&list.said).enumerate() {
                    let conds = conds.iter().chain(&line.conds).cloned().collect();
                    let said = said.iter().cloned().chain([one.clone()]).collect();
                    let infos = infos.iter().copied().chain([list.info + number]).collect();
                    next.push((conds, said, infos));
                }
            }
            rows = next;
        }
        let mut lines = Vec::new();
        for (conds, said, infos) in rows {
            let class = self.class(&said);
            let at = said.first().map_or(head, |one| one.at);
            let leaf = self.leaf(at, Outcome::Tax(class));
            for info in infos {
                if let Some(info) = self.cases.get_mut(info) {
                    info.leaves.push(leaf);
                }
            }
            lines.push(Line { conds, leaf });
        }
        self.joined("taxes", head, lines)
    }

    fn check_basis(&mut self, first_rate: Option<Place>) {
        if let (None, Some(rate), Some(head)) = (self.settings.includes_vat, first_rate, self.settings.head) {
            self.out.push(
                error("E406", head, "the list does not say whether its prices include VAT")
                    .also(rate, "charged here")
                    .help(
                        "write below `tariff`, indented: `prices: including VAT` or `prices: excluding VAT`",
                    ),
            );
        }
    }

    fn check_vat(&mut self, chosen: &[Option<usize>], nothing_said: bool) {
        let Some(head) = self.settings.head else { return };
        if nothing_said {
            self.out.push(
                error("E405", head, "the list says nothing about VAT")
                    .help("write `VAT: 25%`, or `VAT: none` if there really is none"),
            );
            return;
        }
        let without: Vec<String> = (self.names.charges.iter().zip(chosen))
            .filter(|(_, list)| list.is_none())
            .map(|(charge, _)| format!("`{}`", charge.label))
            .collect();
        if !without.is_empty() {
            self.out.push(
                error("E405", head, format!("the list does not say the VAT of {}", without.join(", ")))
                    .help("write `VAT: ...` for all other charges, or `VAT: none` if there really is none"),
            );
        }
    }

    /// Reports a charge that the list does not have.
    pub(super) fn no_charge(&mut self, head: &ast::ChargeRef, source: u32) {
        let at = Place { source, span: ref_span(head) };
        let text = self.text(at);
        let found = error("E106", at, format!("the list has no charge `{text}`"));
        let words: Vec<String> = self
            .names
            .charges
            .iter()
            .take(100)
            .map(|charge| {
                let words = kind_words(charge.kind);
                if charge.labelled { format!("{words} \"{}\"", charge.label) } else { words.to_owned() }
            })
            .collect();
        self.unknown(found, "charges", &text, at.span, |_| words.iter().map(String::as_str).collect());
    }
}
