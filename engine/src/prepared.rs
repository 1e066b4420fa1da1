//! A tariff made ready for evaluation: everything that follows from it alone, worked out once.

mod schedule;

pub(crate) use schedule::Schedule;

use crate::calendar::answers;
use crate::calendar_time::INSTANTS;
use crate::exact::{Counted, Num};
use crate::tariff::{
    CALENDAR, Charge, ChargeKind, Formula, IR_VERSION, Leaf, Measure, MonthWhat, Node, NodeId, Outcome, Per,
    Price, Span, Tariff, TaxClass, Who,
};
use sha2::{Digest, Sha256};

/// A compiled tariff that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PrepareError {
    /// Made by another version of the program.
    #[error("the compiled tariff has format {found}, and this program reads {IR_VERSION}; compile it again")]
    Format {
        /// What it says.
        found: u32,
    },
    /// Named prices that build on each other too often to be worked out.
    #[error("price `{price}` builds on other prices too many times over; write it with fewer of them")]
    TooDeep {
        /// Its name.
        price: String,
    },
    /// Not what a compiler writes.
    #[error("the compiled tariff is damaged: {0}")]
    Damaged(String),
}

/// How many named prices one price may come to, all counted each time they are used.
const MOST_EVALUATIONS: u64 = 10_000;
/// How far named prices may stand on one another.
const MOST_DEPTH: u64 = 100;

/// A tariff with its look-up tables and its version.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) tariff: Tariff,
    pub(crate) day_classes: Vec<u16>,
    pub(crate) leaves: Vec<FastLeaf>,
    pub(crate) part_labels: Vec<String>,
    pub(crate) energy_charges: Vec<u32>,
    pub(crate) tax_factors: Vec<TaxFactor>,
    // By node; only of those at which the diagram of a charge may begin once the facts are known.
    schedules: Vec<Option<Schedule>>,
    pub(crate) start_fees: Vec<u16>,
    pub(crate) payment_fees: Vec<u16>,
    pub(crate) has_steps: bool,
    pub(crate) has_limits: bool,
    pub(crate) has_payouts: bool,
    // Some list asks for drawn power.
    pub(crate) uses_power: bool,
    // By feed.
    pub(crate) uses_feed: Vec<bool>,
    // Some counter has a span of its own, or goes on over several sessions.
    pub(crate) uses_bases: bool,
    pub(crate) counts_over_sessions: bool,
    version: String,
}

/// What evaluation wants to know of a leaf.
#[derive(Clone, Debug)]
pub(crate) struct FastLeaf {
    pub constant: Option<Num>,
    pub per_unit: Option<i64>,
    pub rule: u32,
    pub free: bool,
    pub counted: Counted,
    pub uses_average: bool,
    // The price is final and has no parts as soon as the line is found.
    pub plain: bool,
    // Of a tax's diagram: the first class with the same taxes.
    pub tax: Option<u32>,
    // Indexes into `part_labels`, one per part of the price.
    pub parts: Vec<u32>,
}

/// Taxes of a class as one number.
#[derive(Clone, Debug)]
pub(crate) struct TaxFactor {
    // 1 + all taxes, e.g. 1.24.
    pub factor: Num,
    // First class with the same taxes: amounts are added up per that one.
    pub same_as: u32,
}

impl Prepared {
    /// Checks the data and builds the tables.
    ///
    /// # Errors
    /// When the format is another one or indexes point nowhere.
    pub fn new(tariff: Tariff) -> Result<Self, PrepareError> {
        if tariff.format != IR_VERSION {
            return Err(PrepareError::Format { found: tariff.format });
        }
        validate(&tariff)?;
        let day_classes = classify_days(&tariff)?;
        let mut part_labels: Vec<String> = Vec::new();
        let mut leaves: Vec<FastLeaf> =
            tariff.leaves.iter().map(|leaf| fast_leaf(leaf, &mut part_labels)).collect();
        let energy_charges: Vec<u32> = (0_u32..)
            .zip(&tariff.charges)
            .filter(|(_, charge)| charge.kind == ChargeKind::Energy)
            .map(|(index, _)| index)
            .collect();
        let tax_factors = tax_factors(&tariff.tax_classes)?;
        let is = |kind: ChargeKind| move |(_, charge): &(u16, &Charge)| charge.kind == kind;
        let charges = || (0_u16..).zip(&tariff.charges);
        let start_fees = charges().filter(is(ChargeKind::StartFee)).map(|(index, _)| index).collect();
        let payment_fees = charges().filter(is(ChargeKind::PaymentFee)).map(|(index, _)| index).collect();
        let has_steps = tariff.charges.iter().any(|charge| charge.step.is_some())
            || tariff.leaves.iter().any(|leaf| step_of(leaf).is_some());
        let has_limits = tariff.charges.iter().any(|charge| !charge.limits.is_empty());
        let schedules = schedules(&tariff);
        let has_payouts = charges().any(|charge| is(ChargeKind::PayoutToSite)(&charge));
        mark_averages(&tariff, &mut leaves);
        for (leaf, fast) in tariff.leaves.iter().zip(&mut leaves) {
            if let Outcome::Tax(class) = leaf.outcome {
                fast.tax = tax_factors.get(class as usize).map(|factor| factor.same_as);
            }
        }
        let used = crate::feeds::used(&tariff);
        let uses_feed = (0..).zip(&tariff.feeds).map(|(index, _)| used.contains_key(&index)).collect();
        let uses_power = tariff.measures.contains(&Measure::Power);
        let spans = |measure: &Measure| match measure {
            Measure::Energy { span, who } | Measure::Time { span, who, .. } => Some((*span, *who)),
            Measure::Power | Measure::Current | Measure::Occupancy => None,
        };
        let mut counters = tariff.measures.iter().filter_map(spans);
        let uses_bases = counters.clone().any(|(span, who)| span != Span::Session || who != Who::Session);
        let counts_over_sessions = counters.any(|(_, who)| who != Who::Session);
        let version = version(&tariff);
        Ok(Self {
            tariff,
            day_classes,
            leaves,
            part_labels,
            energy_charges,
            tax_factors,
            schedules,
            start_fees,
            payment_fees,
            has_steps,
            has_limits,
            has_payouts,
            uses_power,
            uses_feed,
            uses_bases,
            counts_over_sessions,
            version,
        })
    }

    /// The tax class at the end of a diagram that asks nothing (the first class with the same taxes).
    #[inline]
    pub(crate) fn always_taxed(&self, root: NodeId) -> Option<u32> {
        let Some(Node::Leaf(leaf)) = self.tariff.nodes.get(root as usize) else { return None };
        self.leaves.get(*leaf as usize)?.tax
    }

    /// The schedule that begins at a node; none where more than the clock is asked.
    pub(crate) fn schedule(&self, root: NodeId) -> Option<&Schedule> {
        self.schedules.get(root as usize)?.as_ref()
    }

    /// The compiled tariff.
    #[must_use]
    pub fn tariff(&self) -> &Tariff {
        &self.tariff
    }

    /// `sha256:...` over the canonical JSON of the compiled tariff, which holds the source texts, the resolved holidays
    /// and the zone's changes.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `file:line` of a rule.
    #[must_use]
    pub fn place(&self, rule: u32) -> String {
        let rule = self.tariff.rules.get(rule as usize);
        let source = rule.and_then(|rule| self.tariff.sources.get(rule.source as usize));
        match (rule, source) {
            (Some(rule), Some(source)) => format!("{}:{}", source.file, rule.line),
            _ => self.tariff.file.clone(),
        }
    }

    /// The source line of a rule, trimmed; empty when there is none.
    #[must_use]
    pub fn rule_text(&self, rule: u32) -> &str {
        let rule = self.tariff.rules.get(rule as usize);
        rule.and_then(|rule| {
            self.tariff
                .sources
                .get(rule.source as usize)?
                .text
                .lines()
                .nth(rule.line.checked_sub(1)? as usize)
        })
        .map_or("", str::trim)
    }
}

/// The version of a tariff: see [`Prepared::version`].
#[must_use]
pub fn version(tariff: &Tariff) -> String {
    let json = serde_json::to_vec(tariff).unwrap_or_default();
    hash_text(&json)
}

/// `sha256:` and the hash in hex.
#[must_use]
pub fn hash_text(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

// Of every node that no other node but questions about facts stands before.
fn schedules(tariff: &Tariff) -> Vec<Option<Schedule>> {
    let mut schedules = vec![None; tariff.nodes.len()];
    let mut seen = vec![false; tariff.nodes.len()];
    let mut todo: Vec<NodeId> = tariff.charges.iter().map(|charge| charge.root).collect();
    while let Some(node) = todo.pop() {
        match seen.get_mut(node as usize) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        if let Some(Node::Fact { yes, no, .. }) = tariff.nodes.get(node as usize) {
            todo.extend([*yes, *no]);
        } else if let Some(place) = schedules.get_mut(node as usize) {
            *place = Schedule::of(tariff, node);
        }
    }
    schedules
}

fn classify_days(tariff: &Tariff) -> Result<Vec<u16>, PrepareError> {
    let days = &tariff.days;
    let count = usize::try_from(CALENDAR.end - CALENDAR.start).unwrap_or_default();
    if days.tests.is_empty() {
        return Ok(vec![0; count]);
    }
    let damaged = || PrepareError::Damaged("its days do not fit its classes".into());
    let answers = answers(&days.tests, usize::from(u16::MAX)).ok_or_else(damaged)?;
    let mut class_of_set = Vec::with_capacity(answers.sets.len());
    for set in &answers.sets {
        let class = days.classes.binary_search(set).ok().and_then(|class| u16::try_from(class).ok());
        class_of_set.push(class.ok_or_else(damaged)?);
    }
    let class_of = |set: &u32| class_of_set.get(*set as usize).copied().ok_or_else(damaged);
    answers.of_day.iter().map(class_of).collect()
}

/// The billing step of a line's price.
pub(crate) fn step_of(leaf: &Leaf) -> Option<i64> {
    match &leaf.outcome {
        Outcome::Price(price) => price.step,
        _ => None,
    }
}

fn fast_leaf(leaf: &Leaf, labels: &mut Vec<String>) -> FastLeaf {
    let none = FastLeaf {
        constant: Some(Num::ZERO),
        per_unit: Some(0),
        rule: leaf.rule,
        free: true,
        counted: Counted::Pieces,
        uses_average: false,
        plain: true,
        tax: None,
        parts: Vec::new(),
    };
    match &leaf.outcome {
        Outcome::Price(Price { per, formula, parts, step: _ }) => {
            let constant = match formula {
                Formula::Const(value) => Some(Num::from_decimal(*value)),
                _ => None,
            };
            let counted = match per {
                Per::Kwh => Counted::Energy,
                Per::Hour => Counted::Hours,
                Per::Minute => Counted::Minutes,
                _ => Counted::Pieces,
            };
            let mut label_index = |label: &str| {
                let known = labels.iter().position(|known| known == label);
                let index = known.unwrap_or_else(|| {
                    labels.push(label.to_owned());
                    labels.len() - 1
                });
                u32::try_from(index).unwrap_or(u32::MAX)
            };
            FastLeaf {
                constant,
                per_unit: constant.and_then(|constant| constant.per_unit(counted)),
                rule: leaf.rule,
                free: false,
                counted,
                uses_average: false,
                plain: constant.is_some() && parts.is_empty(),
                tax: None,
                parts: parts.iter().map(|part| label_index(&part.label)).collect(),
            }
        }
        Outcome::Free | Outcome::Quantity(_) | Outcome::Tax(_) | Outcome::Applies | Outcome::DoesNotApply => {
            none
        }
    }
}

// A price that depends on the session's mean power, also through named prices and the energy price, is settled at the end.
fn mark_averages(tariff: &Tariff, leaves: &mut [FastLeaf]) {
    let under = |root: NodeId, values: &[bool], energy: bool| {
        let mut found = false;
        each_leaf(tariff, root, &mut vec![false; tariff.nodes.len()], &mut |leaf| {
            if let Some(Outcome::Price(price)) = tariff.leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
                found |= asks_average(&price.formula, values, energy);
            }
        });
        found
    };
    let mut values = vec![false; tariff.values.len()];
    let mut energy = false;
    // Once for named prices by themselves, once more for what the energy price adds.
    for _ in 0..2 {
        for (index, value) in tariff.values.iter().enumerate() {
            let asks = under(value.root, &values, energy);
            if let Some(known) = values.get_mut(index) {
                *known = asks;
            }
        }
        let mut charges = tariff.charges.iter().filter(|charge| charge.kind == ChargeKind::Energy);
        energy = charges.any(|charge| under(charge.root, &values, false));
    }
    for (leaf, fast) in tariff.leaves.iter().zip(leaves) {
        if let Outcome::Price(price) = &leaf.outcome {
            fast.uses_average = asks_average(&price.formula, &values, energy);
        }
    }
}

fn asks_average(formula: &Formula, values: &[bool], energy: bool) -> bool {
    mentions(formula, &|part| match part {
        Formula::AveragePower => true,
        Formula::EnergyPrice => energy,
        Formula::Value(value) => values.get(*value as usize).copied().unwrap_or_default(),
        _ => false,
    })
}

fn each_leaf(tariff: &Tariff, node: NodeId, seen: &mut [bool], each: &mut dyn FnMut(u32)) {
    match seen.get_mut(node as usize) {
        Some(seen) if !*seen => *seen = true,
        _ => return,
    }
    match tariff.nodes.get(node as usize) {
        None | Some(Node::Hole) => {}
        Some(Node::Leaf(leaf)) => each(*leaf),
        Some(Node::Fact { yes, no, .. }) => {
            each_leaf(tariff, *yes, seen, each);
            each_leaf(tariff, *no, seen, each);
        }
        Some(Node::Measure { children, .. } | Node::Days(children) | Node::Minutes { children, .. }) => {
            for child in children {
                each_leaf(tariff, *child, seen, each);
            }
        }
    }
}

/// Gives every part of a formula to `each`, the whole first; named values are not followed.
pub(crate) fn each_part(formula: &Formula, each: &mut dyn FnMut(&Formula)) {
    each(formula);
    match formula {
        Formula::Const(_)
        | Formula::Value(_)
        | Formula::Feed { .. }
        | Formula::EnergyPrice
        | Formula::AveragePower
        | Formula::CostPrice => {}
        Formula::Add(a, b)
        | Formula::Sub(a, b)
        | Formula::Mul(a, b)
        | Formula::Div(a, b)
        | Formula::Higher(a, b)
        | Formula::Lower(a, b) => {
            each_part(a, each);
            each_part(b, each);
        }
        Formula::Round(a, _) | Formula::PlusVat(a) | Formula::LessVat(a) => each_part(a, each),
    }
}

/// Whether any part of a formula (not of the named values it refers to) satisfies `is`.
pub(crate) fn mentions(formula: &Formula, is: &dyn Fn(&Formula) -> bool) -> bool {
    let mut found = false;
    each_part(formula, &mut |part| found |= is(part));
    found
}

fn tax_factors(classes: &[TaxClass]) -> Result<Vec<TaxFactor>, PrepareError> {
    let alike = |a: &TaxClass, b: &TaxClass| {
        a.reason == b.reason
            && a.taxes.len() == b.taxes.len()
            && a.taxes
                .iter()
                .zip(&b.taxes)
                .all(|(a, b)| a.label == b.label && a.rate == b.rate && a.on_top_of == b.on_top_of)
    };
    let mut factors = Vec::with_capacity(classes.len());
    for (index, class) in classes.iter().enumerate() {
        let mut shares: Vec<Num> = Vec::new();
        let mut factor = Num::ONE;
        let too_large = |_| PrepareError::Damaged("a tax rate is too large".into());
        for tax in &class.taxes {
            let rate = tax.rate.normalize();
            let mut share = Num::new(rate.mantissa(), rate.scale() + 2);
            let mut base = Num::ONE;
            for earlier in &tax.on_top_of {
                let earlier = shares.get(*earlier as usize).copied();
                let earlier =
                    earlier.ok_or_else(|| PrepareError::Damaged("a tax stands on a later one".into()))?;
                base = base.add(earlier).map_err(too_large)?;
            }
            share = share.mul(base).map_err(too_large)?;
            factor = factor.add(share).map_err(too_large)?;
            shares.push(share);
        }
        if factor.is_zero() || factor.is_negative() {
            return Err(PrepareError::Damaged("a tax rate of -100 % or less".into()));
        }
        let same = classes.iter().position(|other| alike(other, class)).unwrap_or(index);
        factors.push(TaxFactor { factor, same_as: u32::try_from(same).unwrap_or(u32::MAX) });
    }
    Ok(factors)
}

fn validate(tariff: &Tariff) -> Result<(), PrepareError> {
    let damaged = |what: &str| Err(PrepareError::Damaged(what.to_owned()));
    let nodes = tariff.nodes.len();
    let known = |id: NodeId, parent: usize| (id as usize) < parent;
    for (index, node) in tariff.nodes.iter().enumerate() {
        let fine = match node {
            Node::Hole => true,
            Node::Leaf(leaf) => (*leaf as usize) < tariff.leaves.len(),
            Node::Fact { test, yes, no } => {
                (*test as usize) < tariff.tests.len() && known(*yes, index) && known(*no, index)
            }
            Node::Measure { measure, edges, children } => {
                (*measure as usize) < tariff.measures.len()
                    && children.len() == edges.len() + 1
                    && edges.is_sorted()
                    && children.iter().all(|child| known(*child, index))
            }
            Node::Days(children) => {
                children.len() == tariff.days.classes.len().max(1)
                    && children.iter().all(|child| known(*child, index))
            }
            Node::Minutes { edges, children } => {
                children.len() == edges.len()
                    && edges.first() == Some(&0)
                    && edges.is_sorted()
                    && children.iter().all(|child| known(*child, index))
            }
        };
        if !fine {
            return damaged(&format!("node {index} points nowhere"));
        }
    }
    let roots = tariff.values.iter().map(|value| value.root);
    let roots = roots.chain(tariff.charges.iter().flat_map(|charge| [charge.root, charge.tax]));
    let roots = roots.chain(tariff.discounts.iter().map(|discount| discount.root));
    let roots = roots.chain(tariff.coupons.iter().map(|coupon| coupon.root));
    let mut roots = roots.chain(tariff.month.iter().flat_map(|charge| {
        let root = match charge.what {
            MonthWhat::Monthly(root) | MonthWhat::OneOff(root) => root,
            MonthWhat::Power { root, .. } | MonthWhat::SiteCredit { root, .. } => root,
        };
        [root, charge.tax]
    }));
    if !roots.all(|root| known(root, nodes)) || !known(tariff.default_tax, nodes) {
        return damaged("a diagram has no root");
    }
    for (index, value) in tariff.values.iter().enumerate() {
        // Values refer to earlier ones only, so evaluation ends.
        if !value_order(tariff, value.root, index) {
            return damaged(&format!("value `{}` refers to a later one", value.name));
        }
    }
    // Lists of a tariff are counted in 16 bits.
    let most = 60_000;
    let long = tariff.charges.len() > most
        || tariff.discounts.len() > most
        || tariff.coupons.len() > most
        || tariff.total_limits.len() > most
        || tariff.charges.iter().any(|charge| charge.limits.len() > most);
    if tariff.feeds.is_empty() || long {
        return damaged("no feed table, or too many charges, rebates or limits");
    }
    let mut steps = tariff.charges.iter().filter_map(|charge| charge.step);
    if steps.any(|step| step <= 0) || tariff.leaves.iter().filter_map(step_of).any(|step| step <= 0) {
        return damaged("a billing step has no length");
    }
    if tariff.currency.digits > 6 || tariff.valid_from.is_some_and(|from| !INSTANTS.contains(&from.0)) {
        return damaged("its currency has too many digits, or it begins outside the calendar");
    }
    if let Some(until) = tariff.valid_until
        && (until.0 <= tariff.valid_from.map_or(INSTANTS.start, |from| from.0) || until.0 > INSTANTS.end)
    {
        return damaged("it ends before it begins, or outside the calendar");
    }
    named_prices_stay_small(tariff)?;
    let indexes = tariff.coupon_scope.iter().chain(tariff.coupons.iter().flat_map(|coupon| &coupon.charges));
    let mut indexes = indexes.chain(tariff.discounts.iter().flat_map(|discount| &discount.charges));
    if !indexes.all(|charge| (*charge as usize) < tariff.charges.len()) {
        return damaged("a rebate names no charge");
    }
    if tariff.line_step_min.is_some_and(|step| step == 0 || step > 1440) {
        return damaged("its receipt lines have no length");
    }
    if !tariff.zone.changes.is_sorted_by_key(|(from, _)| *from) {
        return damaged("the zone's changes are not in order");
    }
    Ok(())
}

// Named prices that use others many times over would take for ever: `p2: p1 + p1`, `p3: p2 + p2`, and so on.
fn named_prices_stay_small(tariff: &Tariff) -> Result<(), PrepareError> {
    let mut sizes: Vec<(u64, u64)> = Vec::with_capacity(tariff.values.len());
    for value in &tariff.values {
        let (mut size, mut depth) = (1_u64, 1_u64);
        each_leaf(tariff, value.root, &mut vec![false; tariff.nodes.len()], &mut |leaf| {
            if let Some(Outcome::Price(price)) = tariff.leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
                let mut here = 0_u64;
                count_values(&price.formula, &mut |used| {
                    let (size_below, depth_below) = sizes.get(used as usize).copied().unwrap_or((1, 1));
                    here = here.saturating_add(size_below);
                    depth = depth.max(depth_below + 1);
                });
                size = size.max(here.saturating_add(1));
            }
        });
        if size > MOST_EVALUATIONS || depth > MOST_DEPTH {
            return Err(PrepareError::TooDeep { price: value.name.clone() });
        }
        sizes.push((size, depth));
    }
    Ok(())
}

fn count_values(formula: &Formula, each: &mut dyn FnMut(u32)) {
    each_part(formula, &mut |part| {
        if let Formula::Value(value) = part {
            each(*value);
        }
    });
}

fn value_order(tariff: &Tariff, root: NodeId, below: usize) -> bool {
    let mut fine = true;
    each_leaf(tariff, root, &mut vec![false; tariff.nodes.len()], &mut |leaf| {
        if let Some(Outcome::Price(price)) = tariff.leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
            fine &= !mentions(&price.formula, &|part| match part {
                Formula::Value(value) => *value as usize >= below,
                Formula::Feed { feed, .. } => *feed as usize >= tariff.feeds.len(),
                _ => false,
            });
        }
    });
    fine
}
