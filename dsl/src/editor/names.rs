//! Every place of a file at which something with a name is declared or used.

use crate::ast::{
    At, Case, Cases, Charge, ChargeRef, Clause, Expect, Expr, File, Kind, Limit, Name, PriceOrFree, Rebate,
    RebateAmount, Remove, Span, Statement, Step, Window, WindowPart,
};
use crate::resolve::merge::{kind_words, ref_span};

/// What kind of thing a name is a name of. Names of different sorts may be alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Sort {
    /// A group of drivers.
    Group,
    /// A set of chargers or sites.
    Place,
    /// A window of time.
    Period,
    /// A price, a feed or a value: they share their names.
    Named,
    /// A tax beside VAT.
    Tax,
    /// A coupon's code.
    Coupon,
    /// A charge: its kind, and its label behind it where it has one, as in `idle fee "Parking"`.
    Charge,
}

/// A place at which a name stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mention {
    /// Of what.
    pub sort: Sort,
    /// Which.
    pub name: String,
    /// Where the name stands; for texts between quotes without the quotes.
    pub span: Span,
    /// It is declared here, or given anew by `change` or `set`.
    pub declares: bool,
}

impl Mention {
    /// Whether this is about the same thing. A charge without a label may mean one that has a label.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        if self.sort != other.sort {
            return false;
        }
        let unlabelled = |one: &str, labelled: &str| {
            labelled.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with(" \""))
        };
        self.name == other.name
            || (self.sort == Sort::Charge
                && (unlabelled(&self.name, &other.name) || unlabelled(&other.name, &self.name)))
    }
}

/// The mention in which a byte stands, or at whose end it stands.
#[must_use]
pub fn mention_at(mentions: &[Mention], byte: usize) -> Option<&Mention> {
    let byte = u32::try_from(byte).ok()?;
    mentions.iter().find(|it| it.span.start <= byte && byte <= it.span.end)
}

/// All of a file's, in the order of the text.
#[must_use]
pub fn mentions(file: &File) -> Vec<Mention> {
    let mut walk = Walk { found: Vec::new() };
    for statement in &file.statements {
        walk.statement(&statement.it);
    }
    walk.found.sort_by_key(|it| (it.span.start, it.span.end));
    walk.found
}

struct Walk {
    found: Vec<Mention>,
}

/// A quoted text without its quotes: the tree keeps places with them.
fn inner(name: &Name) -> Span {
    let quoted = usize::try_from(name.span.end - name.span.start.min(name.span.end))
        .is_ok_and(|length| length == name.it.len() + 2);
    if quoted { Span { start: name.span.start + 1, end: name.span.end - 1 } } else { name.span }
}

impl Walk {
    fn add(&mut self, sort: Sort, name: &str, span: Span, declares: bool) {
        self.found.push(Mention { sort, name: name.to_owned(), span, declares });
    }

    fn name(&mut self, sort: Sort, name: &Name, declares: bool) {
        self.add(sort, &name.it, inner(name), declares);
    }

    fn charge_ref(&mut self, head: &ChargeRef, declares: bool) {
        let kind = kind_words(head.kind.it);
        let name = match &head.label {
            Some(label) => format!("{kind} \"{}\"", label.it),
            None => kind.to_owned(),
        };
        self.add(Sort::Charge, &name, ref_span(head), declares);
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Tariff(_) | Statement::Total(_) => {}
            Statement::Vat(vat) => {
                vat.on.iter().for_each(|on| self.charge_ref(on, false));
                self.cases(&vat.cases, |_, _| {});
            }
            Statement::Tax(tax) => {
                self.name(Sort::Tax, &tax.name, true);
                let bases = tax.on_top_of.iter().filter(|base| base.it != "VAT");
                bases.for_each(|base| self.name(Sort::Tax, base, false));
                self.cases(&tax.cases, |_, _| {});
            }
            Statement::Groups(groups) => {
                groups
                    .names
                    .iter()
                    .chain(&groups.default)
                    .for_each(|name| self.name(Sort::Group, name, true));
            }
            Statement::Place(place) => self.name(Sort::Place, &place.name, true),
            Statement::Period(period) => {
                self.name(Sort::Period, &period.name, true);
                period.windows.iter().for_each(|window| self.window(window));
            }
            Statement::Feed(feed) => self.name(Sort::Named, &feed.name, true),
            Statement::Price(price) | Statement::Value(price) | Statement::Set(price) => {
                self.name(Sort::Named, &price.name, true);
                price.cases.iter().for_each(|cases| self.prices(cases));
            }
            Statement::Charge(charge) => self.charge(charge),
            Statement::CouponScope(refs) => refs.iter().for_each(|one| self.charge_ref(one, false)),
            Statement::Coupon(rebate) => {
                rebate.name.iter().for_each(|code| self.name(Sort::Coupon, code, true));
                self.rebate(rebate);
            }
            Statement::Discount(rebate) => self.rebate(rebate),
            Statement::Change(inner) => self.statement(&inner.it),
            Statement::Remove(remove) => match remove {
                Remove::Charge(head) => self.charge_ref(head, false),
                Remove::Price(name) => self.name(Sort::Named, name, false),
                Remove::Coupon(code) => self.name(Sort::Coupon, code, false),
                Remove::Discount(_) | Remove::Total => {}
            },
            Statement::Test(test) => test.steps.iter().for_each(|step| self.step(&step.it)),
        }
    }

    fn charge(&mut self, charge: &Charge) {
        self.charge_ref(&charge.head, true);
        for limit in &charge.limits {
            if let Limit::AfterNamed { name, .. } = &limit.it {
                self.name(Sort::Named, name, false);
            }
        }
        self.prices(&charge.cases);
    }

    fn prices(&mut self, cases: &Cases<PriceOrFree>) {
        self.cases(cases, |walk, what| {
            if let PriceOrFree::Price(expr) = &what.it {
                walk.expr(expr, what.span);
            }
        });
    }

    fn cases<T>(&mut self, cases: &Cases<T>, mut what: impl FnMut(&mut Self, &At<T>)) {
        for At { it: Case { what: said, clauses }, .. } in &cases.lines {
            what(self, said);
            clauses.iter().for_each(|clause| self.clause(&clause.it));
        }
    }

    fn rebate(&mut self, rebate: &Rebate) {
        match &rebate.amount.it {
            RebateAmount::Percent(_, of) | RebateAmount::Money(_, of) => {
                of.iter().for_each(|one| self.charge_ref(one, false));
            }
            RebateAmount::FreeEnergy(_) => {}
        }
        rebate.clauses.iter().for_each(|clause| self.clause(&clause.it));
    }

    fn clause(&mut self, clause: &Clause) {
        match clause {
            Clause::For(groups) => groups.iter().for_each(|name| self.name(Sort::Group, name, false)),
            Clause::At(places) => places.iter().for_each(|name| self.name(Sort::Place, name, false)),
            Clause::During(windows) => windows.iter().for_each(|window| self.window(window)),
            _ => {}
        }
    }

    fn window(&mut self, window: &At<Window>) {
        for part in &window.it.parts {
            if let WindowPart::Period(name) = &part.it {
                self.add(Sort::Period, name, part.span, false);
            }
        }
        window.it.except.iter().for_each(|except| self.window(except));
    }

    fn expr(&mut self, expr: &Expr, span: Span) {
        match expr {
            Expr::Name(name) => self.add(Sort::Named, name, span, false),
            Expr::Hourly(name) | Expr::MonthMean(name) => self.name(Sort::Named, name, false),
            Expr::EnergyPrice => self.add(Sort::Charge, kind_words(Kind::Energy), span, false),
            Expr::Binary { left, right, .. } => {
                self.expr(&left.it, left.span);
                self.expr(&right.it, right.span);
            }
            Expr::HigherOf(a, b) | Expr::LowerOf(a, b) | Expr::AtLeast(a, b) | Expr::AtMost(a, b) => {
                self.expr(&a.it, a.span);
                self.expr(&b.it, b.span);
            }
            Expr::Parens(inner)
            | Expr::Negative(inner)
            | Expr::PlusVat(inner)
            | Expr::LessVat(inner)
            | Expr::RoundedTo(inner, _) => self.expr(&inner.it, inner.span),
            Expr::Rate(_)
            | Expr::Number(_)
            | Expr::Quantity(_)
            | Expr::Percent(_)
            | Expr::AveragePower
            | Expr::CostPrice => {}
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::DriverIn(groups) => groups.iter().for_each(|name| self.name(Sort::Group, name, false)),
            Step::Feed { name, .. } => self.name(Sort::Named, name, false),
            Step::Coupon(code) => self.name(Sort::Coupon, code, false),
            Step::Expect(Expect::Charge(head, _)) => self.charge_ref(head, false),
            _ => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::parse::parse;

    const TEXT: &str = "tariff \"Ø\"
  currency: EUR
groups: VIP, everyone else guests
chargers garage: \"G-1\"
period night: 22:00-06:00
value grace: 30 min
price margin: 0.05 EUR/kWh
energy \"Strøm\": spot + margin  for VIP at garage during night
idle fee after grace: 0.10 EUR/min
coupon \"TEN\": 10% of energy
test \"x\"
  driver in VIP
  coupon \"TEN\"
  expect energy \"Strøm\" 1.00 EUR
";

    #[test]
    fn every_name_is_found_where_it_stands() {
        let file = parse(TEXT, 0).file;
        let found = mentions(&file);
        let text = |it: &Mention| TEXT[it.span.start as usize..it.span.end as usize].to_owned();
        for it in &found {
            assert_eq!(text(it), it.name, "{it:?}");
        }
        let of =
            |sort| found.iter().filter(move |it| it.sort == sort).map(|it| (it.name.as_str(), it.declares));
        let named: Vec<_> = of(Sort::Named).collect();
        assert_eq!(
            named,
            [("grace", true), ("margin", true), ("spot", false), ("margin", false), ("grace", false)]
        );
        let groups: Vec<_> = of(Sort::Group).collect();
        assert_eq!(groups, [("VIP", true), ("guests", true), ("VIP", false), ("VIP", false)]);
        assert_eq!(of(Sort::Place).collect::<Vec<_>>(), [("garage", true), ("garage", false)]);
        assert_eq!(of(Sort::Period).collect::<Vec<_>>(), [("night", true), ("night", false)]);
        assert_eq!(of(Sort::Coupon).collect::<Vec<_>>(), [("TEN", true), ("TEN", false)]);
    }

    #[test]
    fn a_charge_is_known_by_its_kind_where_that_is_enough() {
        let found = mentions(&parse(TEXT, 0).file);
        let energy: Vec<_> = found.iter().filter(|it| it.sort == Sort::Charge).collect();
        let names: Vec<_> = energy.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["energy \"Strøm\"", "idle fee", "energy", "energy \"Strøm\""]);
        assert!(energy[2].is(energy[0]) && energy[0].is(energy[2]));
        assert!(!energy[1].is(energy[0]));
        let at = TEXT.find("VIP at").unwrap();
        assert_eq!(mention_at(&found, at + 1).unwrap().name, "VIP");
        assert_eq!(mention_at(&found, 0), None);
    }
}
