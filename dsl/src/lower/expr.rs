//! Formulas: units and VAT basis checked, constants folded, the parts of a sum kept for the receipt.

use super::Lowering;
use super::context::Use;
use super::traps;
use super::values::KnownValue;
use crate::ast::{At, Expr, Kind, Name, Op, PerWord, Rate, Span, Unit};
use crate::resolve::names::Named;
use crate::resolve::report::{Labels, Place, error};
use crate::units::{self, Basis, Dim};
use rust_decimal::Decimal;
use takst_engine::tariff::{Formula, Mean, Part};

/// Syntax nested deeper than this is refused; the parser keeps files below it in all but hostile cases.
const MAX_DEPTH: u32 = 300;
/// Formulas nested deeper than this are refused: readers of the compiled form bound the depth of what they read.
const MAX_FORMULA: usize = 50;
/// More addends than this are not shown one by one.
const MAX_PARTS: usize = 32;

/// A checked formula.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub formula: Formula,
    pub dim: Dim,
    /// Zero in any unit (`free`).
    pub any: bool,
    pub basis: Basis,
    /// Addends with the name that each goes by.
    pub parts: Vec<(Option<String>, Formula)>,
    /// It adds or subtracts at the top.
    pub is_sum: bool,
    /// Names in it.
    pub mention: Mention,
    /// It is a rate as written.
    pub literal: Option<Literal>,
    /// It is `N%` as written.
    pub percent: bool,
    /// The operands of a product, for messages.
    pub factors: Vec<(Place, String)>,
}

/// The unit of a rate as written, where base units have another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Literal {
    pub minute: bool,
    pub mwh: bool,
}

/// How many different names a formula mentions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Mention {
    None,
    One(String),
    Many,
}

impl Mention {
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, mention) | (mention, Self::None) => mention,
            (Self::One(a), Self::One(b)) if a == b => Self::One(a),
            _ => Self::Many,
        }
    }

    fn label(&self) -> Option<String> {
        match self {
            Self::One(name) => Some(name.clone()),
            Self::None | Self::Many => None,
        }
    }
}

impl Typed {
    /// A formula of one part that mentions nothing and has no money basis.
    pub(super) fn new(formula: Formula, dim: Dim) -> Self {
        Self {
            parts: vec![(None, formula.clone())],
            formula,
            dim,
            any: false,
            basis: Basis::Any,
            is_sum: false,
            mention: Mention::None,
            literal: None,
            percent: false,
            factors: Vec::new(),
        }
    }

    fn named(formula: Formula, dim: Dim, basis: Basis, name: &str) -> Self {
        let parts = vec![(Some(name.to_owned()), formula.clone())];
        Self { parts, basis, mention: Mention::One(name.to_owned()), ..Self::new(formula, dim) }
    }

    /// The unit in words; a rate per minute stays one.
    pub(super) fn words(&self) -> String {
        let words = self.dim.words();
        match self.literal {
            Some(Literal { minute: true, .. }) => words.replace(" per hour", " per minute"),
            Some(Literal { mwh: true, .. }) => words.replace(" per kWh", " per MWh"),
            _ => words,
        }
    }

    /// The parts that a receipt shows: addends of one name together, those without under `label`; none for a single one.
    pub(super) fn shown_parts(&self, label: &str) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (name, formula) in &self.parts {
            let name = name.as_deref().unwrap_or(label);
            match parts.iter_mut().find(|part| part.label == name) {
                Some(part) => part.formula = add(part.formula.clone(), formula.clone()),
                None => parts.push(Part { label: name.to_owned(), formula: formula.clone() }),
            }
        }
        if parts.len() < 2 || parts.iter().any(|part| depth(&part.formula) > MAX_FORMULA) {
            Vec::new()
        } else {
            parts
        }
    }

    fn opaque(mut self) -> Self {
        self.parts = vec![(self.mention.label(), self.formula.clone())];
        self.is_sum = false;
        self.literal = None;
        self.percent = false;
        self
    }

    fn map_parts(mut self, map: impl Fn(Formula) -> Formula) -> Self {
        self.parts = self.parts.into_iter().map(|(name, formula)| (name, map(formula))).collect();
        self
    }
}

fn fold(
    left: Formula,
    right: Formula,
    exact: fn(Decimal, Decimal) -> Option<Decimal>,
    build: fn(Box<Formula>, Box<Formula>) -> Formula,
) -> Formula {
    if let (Formula::Const(a), Formula::Const(b)) = (&left, &right)
        && let Some(value) = exact(*a, *b)
    {
        return Formula::Const(value);
    }
    build(Box::new(left), Box::new(right))
}

fn add(left: Formula, right: Formula) -> Formula {
    fold(left, right, units::add, Formula::Add)
}

fn sub(left: Formula, right: Formula) -> Formula {
    fold(left, right, |a, b| units::add(a, -b), Formula::Sub)
}

fn negative(formula: Formula) -> Formula {
    match formula {
        Formula::Sub(zero, inner) if *zero == Formula::Const(Decimal::ZERO) => *inner,
        other => sub(Formula::Const(Decimal::ZERO), other),
    }
}

/// How deep a formula is nested.
fn depth(formula: &Formula) -> usize {
    match formula {
        Formula::Const(_)
        | Formula::Value(_)
        | Formula::Feed { .. }
        | Formula::EnergyPrice
        | Formula::AveragePower
        | Formula::CostPrice => 1,
        Formula::Add(a, b)
        | Formula::Sub(a, b)
        | Formula::Mul(a, b)
        | Formula::Div(a, b)
        | Formula::Higher(a, b)
        | Formula::Lower(a, b) => 1 + depth(a).max(depth(b)),
        Formula::Round(a, _) | Formula::PlusVat(a) | Formula::LessVat(a) => 1 + depth(a),
    }
}

impl Lowering<'_> {
    /// Checks a line's formula and lowers it; `None` when something in it is wrong, and reported.
    pub(super) fn formula(&mut self, expr: &Expr, at: Place) -> Option<Typed> {
        let typed = self.expr(expr, at, 0)?;
        if depth(&typed.formula) > MAX_FORMULA {
            self.too_deep(at);
            return None;
        }
        Some(typed)
    }

    fn too_deep(&mut self, at: Place) {
        self.out.push(
            error("E212", at, "this formula is too long")
                .help("give parts of it names of their own with `price NAME: ...`"),
        );
    }

    fn expr(&mut self, expr: &Expr, at: Place, depth: u32) -> Option<Typed> {
        if depth > MAX_DEPTH {
            self.too_deep(at);
            return None;
        }
        match expr {
            Expr::Rate(rate) => self.rate(rate, at),
            Expr::Number(number) => {
                let number = self.number(*number, at)?;
                Some(Typed::new(Formula::Const(number), Dim::default()))
            }
            Expr::Quantity(_) => {
                let text = self.text(at);
                self.out.push(
                    error("E202", at, format!("`{text}` is a quantity, but a price belongs here"))
                        .help("a quantity can be named with `value NAME: ...` and used in `after NAME`"),
                );
                None
            }
            Expr::Percent(percent) => {
                let number = self.number(*percent, at)?;
                let Some(share) = units::mul(number, Decimal::new(1, 2)) else {
                    // More digits than any percentage has; refused like every long number.
                    self.number(Decimal::MAX, at);
                    return None;
                };
                Some(Typed { percent: true, ..Typed::new(Formula::Const(share), Dim::default()) })
            }
            Expr::Name(name) => self.name(name, at),
            Expr::Hourly(name) => self.feed(name, at, Mean::Hour),
            Expr::MonthMean(name) => self.feed(name, at, Mean::Month),
            Expr::EnergyPrice => {
                self.depends(Use::EnergyPrice, at);
                if !self.names.charges.iter().any(|charge| charge.kind == Kind::Energy)
                    && self.unread.is_empty()
                {
                    self.out.push(error(
                        "E106",
                        at,
                        "there is no energy price: the list has no `energy` charge",
                    ));
                    return None;
                }
                Some(Typed::named(Formula::EnergyPrice, self.per_kwh(), self.basis(), "energy price"))
            }
            Expr::AveragePower => {
                self.depends(Use::AveragePower, at);
                Some(Typed::new(Formula::AveragePower, Dim::power()))
            }
            Expr::CostPrice => {
                Some(Typed::named(Formula::CostPrice, self.per_kwh(), self.basis(), "cost price"))
            }
            Expr::Parens(inner) => self.inner(inner, at, depth),
            Expr::Negative(inner) => self.negative(inner, at, depth),
            Expr::Binary { op, left, right } => {
                let (left, right) = (self.operand(left, at, depth), self.operand(right, at, depth));
                let ((left, left_at), (right, right_at)) = (left?, right?);
                self.binary(op, (left, left_at), (right, right_at))
            }
            Expr::HigherOf(left, right) => self.bounds(left, right, at, depth, false, true),
            Expr::LowerOf(left, right) => self.bounds(left, right, at, depth, false, false),
            Expr::AtLeast(left, right) => self.bounds(left, right, at, depth, true, true),
            Expr::AtMost(left, right) => self.bounds(left, right, at, depth, true, false),
            Expr::RoundedTo(inner, step) => self.rounded(inner, step, at, depth),
            Expr::PlusVat(inner) => self.vat(inner, at, depth, true),
            Expr::LessVat(inner) => self.vat(inner, at, depth, false),
        }
    }

    pub(super) fn per_kwh(&self) -> Dim {
        Dim::money(self.code()).over(&Dim { kwh: 1, ..Dim::default() })
    }

    fn inner(&mut self, inner: &At<Expr>, at: Place, depth: u32) -> Option<Typed> {
        self.expr(&inner.it, Place { source: at.source, span: inner.span }, depth + 1)
    }

    fn operand(&mut self, inner: &At<Expr>, at: Place, depth: u32) -> Option<(Typed, Place)> {
        let place = Place { source: at.source, span: inner.span };
        self.expr(&inner.it, place, depth + 1).map(|typed| (typed, place))
    }

    fn name(&mut self, name: &str, at: Place) -> Option<Typed> {
        self.name_used(name);
        match self.names.named.get(name).copied() {
            Some((Named::Feed(feed), _)) => self.feed_now(name, feed, Mean::Now),
            Some((Named::Price, _)) => self.known_price(name, at),
            Some((Named::Value, first)) => {
                self.out.push(
                    error("E102", at, format!("`{name}` is a quantity, not a price"))
                        .also(first, "declared here")
                        .help("a value can stand only in `after NAME`"),
                );
                None
            }
            None => {
                self.unknown_word(name, at, "price or feed");
                None
            }
        }
    }

    fn feed_now(&self, name: &str, feed: u32, mean: Mean) -> Option<Typed> {
        let index = usize::try_from(feed).unwrap_or(usize::MAX);
        let dim = self.names.feed_dims.get(index).cloned().flatten()?;
        // A feed of energy prices is converted to the list's basis; an exchange rate has none.
        let per_kwh = self.names.feeds.get(index).is_some_and(|feed| feed.money_per_kwh);
        let basis = if per_kwh { self.basis() } else { Basis::Any };
        Some(Typed::named(Formula::Feed { feed, mean }, dim, basis, name))
    }

    fn feed(&mut self, name: &Name, at: Place, mean: Mean) -> Option<Typed> {
        let word = Place { source: at.source, span: name.span };
        self.name_used(&name.it);
        match self.names.named.get(name.it.as_str()).copied() {
            Some((Named::Feed(feed), _)) => self.feed_now(&name.it, feed, mean),
            Some((_, first)) => {
                self.out.push(
                    error("E102", word, format!("`{}` is no feed; only a feed has a mean", name.it))
                        .also(first, "declared here"),
                );
                None
            }
            None => {
                self.unknown_word(&name.it, word, "feed");
                None
            }
        }
    }

    /// Reports a word of a formula that means nothing.
    fn unknown_word(&mut self, name: &str, at: Place, what: &str) {
        let known =
            |word: &str| matches!(self.names.named.get(word), Some((Named::Price | Named::Feed(_), _)));
        let glued = name.match_indices('-').find_map(|(dash, _)| {
            let (left, right) = (name.get(..dash)?, name.get(dash + 1..)?);
            (known(left) && known(right)).then_some((left, right))
        });
        if let Some((left, right)) = glued {
            self.name_used(left);
            self.name_used(right);
            self.out.push(
                error("E108", at, format!("`{name}` is read as one name"))
                    .help(format!("put spaces around the minus: `{left} - {right}`"))
                    .fix(at.span, format!("{left} - {right}")),
            );
            return;
        }
        let diagnostic = error("E102", at, format!("there is no {what} `{name}`"));
        if let Some((means, right)) = traps::formula_word(name).filter(|_| what != "feed") {
            self.out.push(diagnostic.help(format!("{means}: write `{right}`")).fix(at.span, right));
            return;
        }
        self.unknown(diagnostic, "prices and feeds", name, at.span, |names| names.formula_words());
    }

    /// A named price as it stands in a formula.
    fn known_price(&mut self, name: &str, at: Place) -> Option<Typed> {
        // Prices are worked out before the ones that use them; one that is missing is part of a ring.
        let Some(KnownValue::Price { index, typed, uses }) = self.known_values.get(name).cloned() else {
            return None;
        };
        for (using, _) in uses {
            self.depends(using, at);
        }
        let typed = typed?;
        let mut whole = Typed::named(Formula::Value(index), typed.dim, typed.basis, name);
        whole.any = typed.any;
        let named = typed.parts.iter().any(|(label, _)| label.is_some());
        // Bounded, so that a chain of prices does not pile up.
        let small = typed.parts.len() <= MAX_PARTS
            && typed.parts.iter().all(|(_, part)| depth(part) <= MAX_FORMULA / 2);
        if typed.is_sum && named && small {
            whole.parts = typed.parts;
        }
        Some(whole)
    }

    fn negative(&mut self, inner: &At<Expr>, at: Place, depth: u32) -> Option<Typed> {
        let mut typed = self.inner(inner, at, depth)?;
        typed.formula = negative(typed.formula);
        Some(typed.map_parts(negative))
    }

    fn binary(&mut self, op: &At<Op>, left: (Typed, Place), right: (Typed, Place)) -> Option<Typed> {
        match op.it {
            Op::Add | Op::Sub => self.sum(op, left, right),
            Op::Mul | Op::Of => {
                let ((left, left_at), (right, right_at)) = (left, right);
                let factors = vec![(left_at, left.words()), (right_at, right.words())];
                let dim = left.dim.times(&right.dim);
                let formula = fold(left.formula, right.formula, units::mul, Formula::Mul);
                let basis = if dim.has_money() {
                    left.basis.with(right.basis).unwrap_or(left.basis)
                } else {
                    Basis::Any
                };
                let (any, mention) = (left.any || right.any, left.mention.with(right.mention));
                Some(Typed { any, basis, mention, factors, ..Typed::new(formula, dim) }.opaque())
            }
            Op::Div => {
                let ((left, left_at), (right, right_at)) = (left, right);
                if right.any || matches!(&right.formula, Formula::Const(zero) if zero.is_zero()) {
                    self.out.push(error("E208", right_at, "nothing can be divided by zero"));
                    return None;
                }
                let factors = vec![(left_at, left.words()), (right_at, right.words())];
                let dim = left.dim.over(&right.dim);
                let formula = fold(left.formula, right.formula, units::div, Formula::Div);
                let basis = if dim.has_money() {
                    left.basis.with(right.basis).unwrap_or(left.basis)
                } else {
                    Basis::Any
                };
                let mention = left.mention.with(right.mention);
                Some(Typed { any: left.any, basis, mention, factors, ..Typed::new(formula, dim) }.opaque())
            }
        }
    }

    fn sum(&mut self, op: &At<Op>, left: (Typed, Place), right: (Typed, Place)) -> Option<Typed> {
        let subtract = op.it == Op::Sub;
        let (dim, basis) = self.agree(&left, &right, if subtract { "subtracted" } else { "added" })?;
        let ((left, _), (right, _)) = (left, right);
        let right_parts = right.parts.into_iter();
        let right_parts: Vec<_> = if subtract {
            right_parts.map(|(name, formula)| (name, negative(formula))).collect()
        } else {
            right_parts.collect()
        };
        let formula =
            if subtract { sub(left.formula, right.formula) } else { add(left.formula, right.formula) };
        let mut typed = Typed { basis, ..Typed::new(formula, dim) };
        typed.any = left.any && right.any;
        typed.is_sum = true;
        typed.mention = left.mention.with(right.mention);
        typed.parts = left.parts;
        typed.parts.extend(right_parts);
        Some(typed)
    }

    /// The common unit and basis of two operands; says what is wrong otherwise.
    fn agree(&mut self, left: &(Typed, Place), right: &(Typed, Place), verb: &str) -> Option<(Dim, Basis)> {
        let ((left, left_at), (right, right_at)) = (left, right);
        let dim = if left.any {
            right.dim.clone()
        } else if right.any || left.dim == right.dim {
            left.dim.clone()
        } else {
            for (this, this_at, other_at, other) in
                [(left, left_at, right_at, right), (right, right_at, left_at, left)]
            {
                if this.percent && other.dim.has_money() {
                    let (percent, other) = (self.text(*this_at), self.text(*other_at));
                    self.out.push(
                        error("E205", *this_at, format!("`{percent}` of what?"))
                            .help(format!("write what it is a share of, as in `{percent} of {other}`")),
                    );
                    return None;
                }
            }
            let (a, b) = (self.text(*left_at), self.text(*right_at));
            let money = Dim::money(self.code());
            let message = format!(
                "unlike units cannot be {verb}: `{a}` is {}, `{b}` is {}",
                left.words(),
                right.words()
            );
            let found = error("E201", *left_at, message).says(left.words()).also(*right_at, right.words());
            let zero = |text: &str| text.parse::<Decimal>().is_ok_and(|number| number.is_zero());
            let sum = [(left, &a), (right, &b)].into_iter().find(|(side, _)| side.dim == money);
            let code = self.code();
            let help = match sum {
                Some((_, sum)) => format!("say per what `{sum}` is, as in `0.10 {code}/kWh`"),
                None if zero(&a) || zero(&b) => format!("zero has a unit too, as in `0 {code}/kWh`"),
                None => "bring both to one unit, or make one of them a charge of its own".to_owned(),
            };
            self.out.push(found.help(help));
            return None;
        };
        let Some(basis) = left.basis.with(right.basis) else {
            let message = format!("prices excluding and including VAT cannot be {verb}");
            let (add, what) =
                if left.basis == Basis::Net { ("plus VAT", left_at) } else { ("plus VAT", right_at) };
            let net = self.text(*what);
            self.out.push(
                error("E203", *left_at, message)
                    .says(left.basis.words())
                    .also(*right_at, right.basis.words())
                    .help(format!("convert one of them, as in `({net} {add})`")),
            );
            return None;
        };
        Some((dim, basis))
    }

    fn bounds(
        &mut self,
        left: &At<Expr>,
        right: &At<Expr>,
        at: Place,
        depth: u32,
        postfix: bool,
        higher: bool,
    ) -> Option<Typed> {
        let (left, right) = (self.operand(left, at, depth), self.operand(right, at, depth));
        let (left, right) = (left?, right?);
        let (dim, basis) = self.agree(&left, &right, "compared")?;
        let ((left, _), (right, _)) = (left, right);
        let formula = if higher {
            fold(left.formula, right.formula, |a, b| Some(a.max(b)), Formula::Higher)
        } else {
            fold(left.formula, right.formula, |a, b| Some(a.min(b)), Formula::Lower)
        };
        let mention = left.mention.clone().with(right.mention);
        let typed = Typed { basis, mention, ..Typed::new(formula, dim) };
        if postfix {
            // The receipt shows the sum inside; what the bound changes goes to its first part.
            let mention = left.mention;
            let parts = if left.parts.len() > 1 {
                left.parts
            } else {
                vec![(mention.label(), typed.formula.clone())]
            };
            return Some(Typed { is_sum: false, parts, mention, ..typed });
        }
        Some(typed.opaque())
    }

    fn rounded(&mut self, inner: &At<Expr>, step: &At<Rate>, at: Place, depth: u32) -> Option<Typed> {
        let step_at = Place { source: at.source, span: step.span };
        let (inner, step) = (self.operand(inner, at, depth), self.rate(&step.it, step_at));
        let (inner, step) = (inner?, step?);
        let step = Typed { basis: Basis::Any, ..step };
        let Formula::Const(size) = step.formula else { return None };
        let (dim, basis) = self.agree(&inner, &(step, step_at), "rounded to each other")?;
        if size <= Decimal::ZERO {
            self.out.push(error("E211", step_at, "a price can be rounded to a step above zero only"));
            return None;
        }
        let (inner, _) = inner;
        let formula = Formula::Round(Box::new(inner.formula), size);
        let mention = inner.mention;
        let parts =
            if inner.parts.len() > 1 { inner.parts } else { vec![(mention.label(), formula.clone())] };
        Some(Typed { basis, mention, parts, is_sum: inner.is_sum, ..Typed::new(formula, dim) })
    }

    fn vat(&mut self, inner: &At<Expr>, at: Place, depth: u32, plus: bool) -> Option<Typed> {
        let inner_at = Place { source: at.source, span: inner.span };
        let typed = self.inner(inner, at, depth)?;
        let (from, to) = if plus { (Basis::Net, Basis::Gross) } else { (Basis::Gross, Basis::Net) };
        if !typed.dim.has_money() && !typed.any {
            let text = self.text(inner_at);
            let message = format!("`{text}` is {}: only money has VAT", typed.words());
            self.out.push(error("E203", inner_at, message));
            return None;
        }
        if typed.basis == to {
            let words = if plus { "plus VAT" } else { "less VAT" };
            let message = format!("this is {} already", to.words());
            self.out.push(error("E203", inner_at, message).help(format!("leave out `{words}`")));
            return None;
        }
        debug_assert!(typed.basis == from || typed.basis == Basis::Any);
        let build = if plus { Formula::PlusVat } else { Formula::LessVat };
        let typed = typed.map_parts(|formula| build(Box::new(formula)));
        let basis = if self.basis() == Basis::Any { Basis::Any } else { to };
        Some(Typed { formula: build(Box::new(typed.formula)), basis, literal: None, percent: false, ..typed })
    }
}

/// Whether every rate of a formula is per minute, so that it can be worked out per minute: a quotient is then rounded
/// in the unit in which it is written. Without recursion, like [`names_in`].
pub(super) fn is_per_minute(expr: &Expr) -> bool {
    let mut rates = 0_usize;
    let mut left = vec![expr];
    while let Some(expr) = left.pop() {
        match expr {
            Expr::Rate(rate) => match rate.per.as_slice() {
                [per] if per.it == PerWord::Unit(Unit::Min) => rates += 1,
                _ => return false,
            },
            Expr::Number(_) | Expr::Percent(_) => {}
            Expr::Binary { left: a, right: b, .. }
            | Expr::HigherOf(a, b)
            | Expr::LowerOf(a, b)
            | Expr::AtLeast(a, b)
            | Expr::AtMost(a, b) => left.extend([&a.it, &b.it]),
            Expr::RoundedTo(a, step) => {
                if !matches!(step.it.per.as_slice(), [per] if per.it == PerWord::Unit(Unit::Min)) {
                    return false;
                }
                left.push(&a.it);
            }
            Expr::Parens(a) | Expr::Negative(a) | Expr::PlusVat(a) | Expr::LessVat(a) => left.push(&a.it),
            Expr::Name(_)
            | Expr::Hourly(_)
            | Expr::MonthMean(_)
            | Expr::Quantity(_)
            | Expr::EnergyPrice
            | Expr::AveragePower
            | Expr::CostPrice => return false,
        }
    }
    rates > 0
}

/// The names in a formula, without recursion: it may be as deep as the parser allows.
pub(super) fn names_in<'e>(expr: &'e Expr, found: &mut Vec<(&'e str, Option<Span>)>) {
    let mut left = vec![expr];
    while let Some(expr) = left.pop() {
        match expr {
            Expr::Name(name) => found.push((name, None)),
            Expr::Hourly(name) | Expr::MonthMean(name) => found.push((&name.it, Some(name.span))),
            Expr::Binary { left: a, right: b, .. }
            | Expr::HigherOf(a, b)
            | Expr::LowerOf(a, b)
            | Expr::AtLeast(a, b)
            | Expr::AtMost(a, b) => left.extend([&a.it, &b.it]),
            Expr::Parens(a)
            | Expr::Negative(a)
            | Expr::RoundedTo(a, _)
            | Expr::PlusVat(a)
            | Expr::LessVat(a) => left.push(&a.it),
            Expr::Rate(_)
            | Expr::Number(_)
            | Expr::Quantity(_)
            | Expr::Percent(_)
            | Expr::EnergyPrice
            | Expr::AveragePower
            | Expr::CostPrice => {}
        }
    }
}
