//! Why a session costs what it costs: for every slice the figures that its formula used, and what the car was doing when.

use crate::bill::{Bill, assemble};
use crate::error::PriceError;
use crate::evaluate::{Around, Base, Edges, Fixed, Given, Point, Pricing, walk};
use crate::exact::Num;
use crate::price::{blank, follow};
use crate::running::{Buffers, Line};
use crate::session::{Session, State};
use crate::standing::Standing;
use crate::tariff::{Formula, Mean, Outcome, RuleId};
use crate::units::Instant;

/// What pricing met on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub slices: Vec<(Line, Point, Vec<Base>)>,
    pub states: Vec<(i64, State)>,
}

/// A bill and what it came from.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The bill.
    pub bill: Bill,
    /// In the order in which slices ended; only those whose price is a formula.
    pub slices: Vec<Slice>,
    /// What the car was doing, without gaps.
    pub states: Vec<StateSpan>,
    /// The lines that decided how the slices are taxed, each once. A line without a rate is one of them too.
    pub tax_rules: Vec<RuleId>,
}

/// The figures behind a slice's unit price.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The charge (index into the tariff's charges).
    pub charge: u16,
    /// Start.
    pub from: Instant,
    /// End.
    pub to: Instant,
    /// What the formula used, each once; what a named price itself used follows it, one deeper.
    pub figures: Vec<Figure>,
}

/// A figure that a formula used.
#[derive(Clone, Debug)]
pub struct Figure {
    /// 0 for what stands in the price itself.
    pub depth: u8,
    /// A named price, a feed, or `energy price`, `average-power`, `cost price`.
    pub name: String,
    /// In the tariff's currency and VAT basis; none when it is not known yet.
    pub value: Option<Num>,
    /// The line that decided it, for a named price.
    pub rule: Option<RuleId>,
}

/// What the car was doing for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateSpan {
    /// What.
    pub state: State,
    /// Start.
    pub from: Instant,
    /// End.
    pub to: Instant,
}

/// The bill of a session with what it came from. The bill is the one that [`crate::price()`] gives.
///
/// # Errors
/// As [`crate::price()`].
pub fn explain(
    pricing: &Pricing<'_>,
    session: &Session,
    standing: &Standing,
) -> Result<Explained, PriceError> {
    let mut buffers = Buffers::default();
    let mut run = blank(session, standing, &mut buffers);
    run.trace = Some(Box::default());
    follow(&mut run, pricing, session)?;
    run.close(pricing)?;
    let trace = run.trace.take().unwrap_or_default();
    let mut slices = Vec::new();
    let mut tax_rules = Vec::new();
    for (line, point, bases) in &trace.slices {
        let Some(charge) = line.source.charge() else { continue };
        tax_rules.extend(taxed_by(pricing, &run.fixed, charge, point, bases)?);
        let leaf = pricing.p.tariff.leaves.get(line.leaf as usize);
        let Some(Outcome::Price(price)) = leaf.map(|leaf| &leaf.outcome) else { continue };
        let average_power = run.average_so_far()?;
        let (tax, rule) = (line.tax, line.rule);
        let around = Around { pricing, fixed: &run.fixed, point, bases, average_power, tax, rule };
        let mut found = Vec::new();
        figures(&around, &price.formula, 0, &mut found)?;
        if !found.is_empty() {
            slices.push(Slice { charge, from: Instant(line.from), to: Instant(line.to), figures: found });
        }
    }
    let end = run.now.t;
    let states = spans(run.plugged_in, end, &trace.states);
    let bill = assemble(
        pricing,
        &mut run,
        &mut buffers,
        session.unplugged.is_some(),
        !pricing.p.tariff.bills_monthly,
    )?;
    tax_rules.sort_unstable();
    tax_rules.dedup();
    Ok(Explained { bill, slices, states, tax_rules })
}

/// The lines that decide how a charge is taxed at a point: those of all taxes, or the one that says that there is none.
fn taxed_by(
    pricing: &Pricing<'_>,
    fixed: &Fixed,
    charge: u16,
    point: &Point,
    bases: &[Base],
) -> Result<Vec<RuleId>, PriceError> {
    let tariff = &pricing.p.tariff;
    let Some(charge) = tariff.charges.get(usize::from(charge)) else { return Ok(Vec::new()) };
    let root = fixed.specialise(pricing.p, charge.tax)?;
    let leaf = walk(pricing.p, fixed, root, point, bases, &mut Edges::new())?;
    let Some(leaf) = leaf.and_then(|leaf| tariff.leaves.get(leaf as usize)) else { return Ok(Vec::new()) };
    let class = match leaf.outcome {
        Outcome::Tax(class) => tariff.tax_classes.get(class as usize),
        _ => None,
    };
    let taxes = class.into_iter().flat_map(|class| &class.taxes).map(|tax| tax.rule);
    Ok(std::iter::once(leaf.rule).chain(taxes).collect())
}

fn spans(start: i64, end: i64, changes: &[(i64, State)]) -> Vec<StateSpan> {
    let mut spans: Vec<StateSpan> = Vec::new();
    let mut push = |state, from: i64, to: i64| match spans.last_mut() {
        _ if from >= to => {}
        Some(last) if last.state == state => last.to = Instant(to),
        _ => spans.push(StateSpan { state, from: Instant(from), to: Instant(to) }),
    };
    let mut now = (start, State::Waiting);
    for change in changes {
        push(now.1, now.0, change.0);
        now = *change;
    }
    push(now.1, now.0, end);
    spans
}

/// Everything with a name that a formula uses, with its value at the point.
pub(crate) fn figures(
    around: &Around<'_>,
    formula: &Formula,
    depth: u8,
    out: &mut Vec<Figure>,
) -> Result<(), PriceError> {
    let tariff = &around.pricing.p.tariff;
    let name = match formula {
        Formula::Const(_) => return Ok(()),
        Formula::Add(a, b)
        | Formula::Sub(a, b)
        | Formula::Mul(a, b)
        | Formula::Div(a, b)
        | Formula::Higher(a, b)
        | Formula::Lower(a, b) => {
            figures(around, a, depth, out)?;
            return figures(around, b, depth, out);
        }
        Formula::Round(a, _) | Formula::PlusVat(a) | Formula::LessVat(a) => {
            return figures(around, a, depth, out);
        }
        Formula::EnergyPrice => "energy price".to_owned(),
        Formula::AveragePower => "average-power".to_owned(),
        Formula::CostPrice => "cost price".to_owned(),
        Formula::Feed { feed, mean } => {
            let feed = tariff.feeds.get(*feed as usize).map_or("", |feed| feed.name.as_str());
            match mean {
                Mean::Now => feed.to_owned(),
                Mean::Hour => format!("hourly {feed}"),
                Mean::Month => format!("month mean of {feed}"),
            }
        }
        Formula::Value(value) => {
            tariff.values.get(*value as usize).map_or_else(String::new, |value| value.name.clone())
        }
    };
    // Each name once: a price that is used in many others does not make the list explode.
    if out.iter().any(|known| known.name == name) {
        return Ok(());
    }
    let value = match around.formula(formula, &mut Edges::new(), 0)? {
        Given::Number(value) => Some(value),
        Given::Pending => None,
    };
    let Formula::Value(index) = formula else {
        out.push(Figure { depth, name, value, rule: None });
        return Ok(());
    };
    let root = tariff.values.get(*index as usize).map_or(0, |value| value.root);
    let root = around.fixed.specialise(around.pricing.p, root)?;
    let leaf = walk(around.pricing.p, around.fixed, root, around.point, around.bases, &mut Edges::new())?;
    let leaf = leaf.and_then(|leaf| tariff.leaves.get(leaf as usize));
    out.push(Figure { depth, name, value, rule: leaf.map(|leaf| leaf.rule) });
    match leaf.map(|leaf| &leaf.outcome) {
        Some(Outcome::Price(price)) if depth < 8 => figures(around, &price.formula, depth + 1, out),
        _ => Ok(()),
    }
}
