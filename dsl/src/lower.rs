//! From a merged list to the engine's tariff.

mod charges;
mod clauses;
mod context;
mod expr;
mod limits;
mod lists;
mod month;
mod rates;
mod rebates;
mod scan;
mod tax;
mod traps;
mod values;

use crate::ast::{File, Span};
use crate::compile::{CaseInfo, SourceFile};
use crate::diagnostic::{Diagnostic, LineIndex, Severity};
use crate::resolve::head::Settings;
use crate::resolve::merge::{Body, Item};
use crate::resolve::names::{Names, id, names};
use crate::resolve::report::{MOST_HINTS, Place, error, suggest, warning};
use crate::resolve::zone;
use context::Use;
use lists::CaseList;
use std::collections::{BTreeMap, HashMap};
use takst_engine::tariff::{IR_VERSION, Leaf, Outcome, Rule, RuleId, Source, Tariff, TaxClass, Value};
use takst_engine::units::Day;
use tax::Taxes;
use values::KnownValue;

/// Codes of this stage.
pub const CODES: &[(&str, &str)] = &[
    ("E301", "a case that no line answers"),
    ("E302", "a line that can never win"),
    ("E303", "`otherwise` is not the last line"),
    ("E304", "too many crossing conditions"),
    ("E305", "a condition that cannot stand here"),
    ("E306", "`otherwise` with other conditions"),
    ("E307", "a window that is not possible"),
    ("E408", "a price that the list must set"),
    ("E409", "a limit that cannot stand here"),
    ("E410", "a charge that a rebate cannot lower"),
    ("E411", "a rebate that is not possible"),
    ("E413", "a tax rate that is not possible"),
    ("E414", "too many charges or rebates"),
    ("W301", "days and hours with a comma between"),
    ("W302", "an unknown connector type"),
    ("W409", "limits that contradict each other"),
];

/// Most charges of a list.
const MOST_CHARGES: usize = 500;
/// Most coupons and discounts of a list.
const MOST_REBATES: usize = 10_000;

/// What comes out of [`lower`].
pub(crate) struct Lowered {
    /// None when something is wrong or the list is abstract.
    pub tariff: Option<Tariff>,
    /// Some price of the leaf is `set by each list`.
    pub abstract_list: bool,
    /// Every price line.
    pub cases: Vec<CaseInfo>,
    /// What each price, feed and value counts, in words.
    pub units: BTreeMap<String, String>,
}

/// The work in hand.
struct Lowering<'a> {
    sources: &'a [SourceFile],
    lines: Vec<LineIndex<'a>>,
    settings: &'a Settings<'a>,
    items: &'a [Item<'a>],
    names: Names<'a>,
    /// Places that the parser could not read: what stands there is not judged again.
    unread: &'a [Place],
    /// Where the statements of each source start, ascending.
    starts: Vec<Vec<u32>>,
    files: &'a [File],
    holidays: Vec<Day>,
    out: Vec<Diagnostic>,
    abstract_list: bool,
    rules: Vec<Rule>,
    rule_ids: HashMap<(u32, u32), RuleId>,
    leaves: Vec<Leaf>,
    tax_classes: Vec<TaxClass>,
    /// All lists of cases. Until [`Self::diagrams`] a node id is an index into this.
    lists: Vec<CaseList>,
    values: Vec<Value>,
    known_values: HashMap<&'a str, KnownValue>,
    /// What the list in hand depends on, with the first place that says so.
    uses: BTreeMap<Use, Place>,
    cases: Vec<CaseInfo>,
    /// The formula in hand is worked out per minute and not per hour.
    per_minute: bool,
}

/// Checks a merged list and turns it into the compiled form.
pub(crate) fn lower<'a>(
    sources: &'a [SourceFile],
    files: &'a [File],
    settings: &'a Settings<'a>,
    items: &'a [Item<'a>],
    unread: &'a [Place],
    out: &mut Vec<Diagnostic>,
) -> Lowered {
    let code = settings.currency.as_ref().map(|currency| currency.code.as_str());
    let names = names(items, code, settings.spot_area.as_deref(), out);
    let mut lowering = Lowering {
        sources,
        lines: sources.iter().map(|source| LineIndex::new(&source.text)).collect(),
        settings,
        items,
        names,
        unread,
        starts: files.iter().map(|file| file.statements.iter().map(|one| one.span.start).collect()).collect(),
        files,
        holidays: Vec::new(),
        out: Vec::new(),
        abstract_list: false,
        rules: Vec::new(),
        rule_ids: HashMap::new(),
        leaves: Vec::new(),
        tax_classes: Vec::new(),
        lists: Vec::new(),
        values: Vec::new(),
        known_values: HashMap::new(),
        uses: BTreeMap::new(),
        cases: Vec::new(),
        per_minute: false,
    };
    let tariff = lowering.tariff();
    let wrong = out.iter().chain(&lowering.out).any(|diagnostic| diagnostic.severity == Severity::Error);
    if !wrong && unread.is_empty() {
        lowering.names.unused(items, &mut lowering.out);
    }
    out.append(&mut lowering.out);
    let abstract_list = lowering.abstract_list;
    let units = lowering.units();
    let cases = lowering.cases;
    let tariff = tariff.filter(|_| !wrong && unread.is_empty() && !abstract_list);
    Lowered { tariff, abstract_list, cases, units }
}

impl<'a> Lowering<'a> {
    /// Rebates name the charges they lower one by one: both are bounded, so that their product is.
    fn too_many(&mut self) -> bool {
        let is_rebate = |item: &&Item<'_>| matches!(item.body, Body::Coupon(_) | Body::Discount(_));
        let rebates = self.items.iter().filter(is_rebate).count();
        for (count, most, what) in
            [(self.names.charges.len(), MOST_CHARGES, "charges"), (rebates, MOST_REBATES, "rebates")]
        {
            if count > most
                && let Some(head) = self.settings.head
            {
                self.out.push(error(
                    "E414",
                    head,
                    format!("a list has at most {most} {what}, this one has {count}"),
                ));
                return true;
            }
        }
        false
    }

    fn tariff(&mut self) -> Option<Tariff> {
        if self.too_many() {
            return None;
        }
        self.public_holidays();
        self.periods();
        self.all_values();
        let hold = self.hold();
        let Taxes { of_charges: taxes, default: mut default_tax } = self.taxes();
        let mut charges = Vec::new();
        let mut month = Vec::new();
        let mut total_limits = Vec::new();
        let mut number = 0;
        for item in self.items {
            match item.body {
                Body::Charge(charge, _) => {
                    let tax = taxes.get(number).copied().unwrap_or(0);
                    if let Some(known) = self.names.charges.get(number).cloned() {
                        match known.session {
                            Some(_) => charges.push(self.charge(item, charge, &known, tax)),
                            None => month.push(self.month_charge(item, charge, &known, tax)),
                        }
                    }
                    number += 1;
                }
                Body::Total(limits) => total_limits = self.total_limits(item, limits),
                _ => {}
            }
        }
        let (discounts, coupons, coupon_scope) = self.rebates();
        self.names_in_tests();
        if let Some(head) = self.settings.head
            && number == 0
            && self.unread.is_empty()
            && !self.abstract_list
        {
            self.out.push(warning("W102", head, "the list has no charges: everything is free"));
        }
        let diagrams = self.diagrams();
        let wrong = self.out.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        let diagrams = diagrams.filter(|_| !wrong)?;
        let root = |list: &mut u32| {
            let index = usize::try_from(*list).unwrap_or(usize::MAX);
            *list = diagrams.roots.get(index).copied().unwrap_or(0);
        };
        root(&mut default_tax);
        let mut values = std::mem::take(&mut self.values);
        values.iter_mut().for_each(|value| root(&mut value.root));
        for charge in &mut charges {
            root(&mut charge.root);
            root(&mut charge.tax);
        }
        for charge in &mut month {
            root(&mut charge.tax);
            root(month::list_of(&mut charge.what));
        }
        let (mut discounts, mut coupons) = (discounts, coupons);
        discounts.iter_mut().for_each(|discount| root(&mut discount.root));
        coupons.iter_mut().for_each(|coupon| root(&mut coupon.root));
        Some(Tariff {
            format: IR_VERSION,
            name: self.settings.name.clone(),
            file: file_name(&self.sources.first()?.name).to_owned(),
            notes: self.settings.notes.clone(),
            currency: self.settings.currency.clone()?,
            zone: zone::table(self.settings.zone?),
            includes_vat: self.settings.includes_vat.unwrap_or(false),
            valid_from: self.settings.valid_from.map(|(_, at)| at),
            valid_until: self.settings.valid_until,
            running_sessions_change: self.settings.running_sessions_change,
            bills_monthly: self.settings.bills_monthly,
            hold,
            line_step_min: self.settings.line_step_min,
            groups: std::mem::take(&mut self.names.groups),
            default_group: self.names.default_group,
            places: std::mem::take(&mut self.names.places),
            tests: diagrams.tests,
            measures: diagrams.measures,
            days: diagrams.days,
            feeds: self.names.feeds.clone(),
            nodes: diagrams.nodes,
            leaves: std::mem::take(&mut self.leaves),
            values,
            charges,
            total_limits,
            discounts,
            coupons,
            coupon_scope,
            tax_classes: std::mem::take(&mut self.tax_classes),
            default_tax,
            month,
            rules: std::mem::take(&mut self.rules),
            sources: self
                .sources
                .iter()
                .map(|source| Source { file: file_name(&source.name).to_owned(), text: source.text.clone() })
                .collect(),
        })
    }

    /// Reports an unknown name with the nearest known one. After many messages nobody needs more hints.
    fn unknown<'s>(
        &'s mut self,
        found: Diagnostic,
        what: &str,
        word: &str,
        span: Span,
        known: impl FnOnce(&'s Names<'a>) -> Vec<&'s str>,
    ) {
        if self.out.len() < MOST_HINTS {
            self.out.push(suggest(found, what, word, span, known(&self.names)));
        } else {
            self.out.push(found);
        }
    }

    /// Whether the parser failed on something inside this stretch.
    fn is_unread(&self, at: Place) -> bool {
        self.unread.iter().any(|bad| {
            bad.source == at.source && bad.span.start < at.span.end && at.span.start <= bad.span.end
        })
    }

    /// The text of a place, short enough for a message.
    fn text(&self, at: Place) -> String {
        let source = usize::try_from(at.source).ok().and_then(|index| self.sources.get(index));
        let range = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let text = source
            .and_then(|source| source.text.get(range(at.span.start)..range(at.span.end)))
            .unwrap_or_default();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.chars().count() <= 60 {
            words
        } else {
            words.chars().take(57).chain("...".chars()).collect()
        }
    }

    /// The rule of the line on which a place starts.
    fn rule(&mut self, at: Place) -> RuleId {
        let index = usize::try_from(at.source).unwrap_or(usize::MAX);
        let line = self.lines.get(index).map_or(1, |lines| id(lines.line_column(at.span.start).0));
        *self.rule_ids.entry((at.source, line)).or_insert_with(|| {
            self.rules.push(Rule { source: at.source, line });
            id(self.rules.len() - 1)
        })
    }

    fn leaf(&mut self, at: Place, outcome: Outcome) -> u32 {
        let rule = self.rule(at);
        self.leaves.push(Leaf { rule, outcome });
        id(self.leaves.len() - 1)
    }
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
