//! Advice on a list that is right: what a careful colleague would ask about. One rule, one function; `LINTS.md` has a page for
//! each. A rule is silent where it does not know.

mod law;
mod market;
mod off;
mod prices;
mod range;
mod shape;
mod tests_in_file;
mod validity;

use crate::ast::{At, File, Statement};
use crate::compile::Compiled;
use crate::diagnostic::{Diagnostic, Severity};
use crate::resolve::merge::Item;
use crate::resolve::report::Place;
use takst_engine::tariff::Tariff;
use takst_engine::units::Day;
use takst_engine::{Prepared, PriceBook};

/// Codes and titles of all rules.
pub const CODES: &[(&str, &str)] = &[
    ("L01", "a price below zero"),
    ("L02", "a grace that is longer than the hours that cost"),
    ("L03", "no VAT where there is one"),
    ("L04", "a test that expects nothing"),
    ("L05", "no tests"),
    ("L06", "fast charging that is not paid per kWh"),
    ("L07", "an occupancy fee that is not per minute"),
    ("L08", "a pure time tariff in Germany"),
    ("L09", "a cap that is never reached"),
    ("L10", "a line that changes nothing"),
    ("L11", "hours that end a minute early"),
    ("L12", "a price of unusual size"),
    ("L13", "a minimum for nothing"),
    ("L14", "a coupon without end"),
    ("L15", "a charge that is always free"),
    ("L16", "a comment that switches off nothing"),
    ("L17", "a line that begins when its list has ended"),
];

/// What rules look at.
struct Seen<'a> {
    compiled: &'a Compiled,
    /// The statements in force.
    items: &'a [Item<'a>],
    /// The list itself; what it is based on has advice of its own.
    file: &'a File,
    tariff: &'a Tariff,
}

impl Seen<'_> {
    /// The statements of the file itself, changes as what they say.
    fn own(&self) -> impl Iterator<Item = &At<Statement>> {
        self.file.statements.iter().map(|statement| match &statement.it {
            Statement::Change(inner) => &**inner,
            _ => statement,
        })
    }
}

/// A rule: what it has to say about a list.
type Rule = fn(&Seen<'_>, &mut Vec<Diagnostic>);

/// All rules but the last, which looks at what the others found.
const RULES: &[Rule] = &[
    prices::below_zero,
    shape::grace_beyond_the_paid_hours,
    law::no_vat,
    tests_in_file::expects_nothing,
    tests_in_file::no_tests,
    law::fast_charging_per_kwh,
    law::occupancy_per_minute,
    law::time_tariff_in_germany,
    prices::cap_never_reached,
    shape::line_without_effect,
    shape::a_minute_early,
    prices::unusual_size,
    shape::minimum_for_nothing,
    shape::coupon_without_end,
    prices::always_free,
    validity::line_after_the_end,
];

/// Prices of a market, for advice on lines that follow one.
#[derive(Clone, Debug)]
pub struct Market<'a> {
    /// The list.
    pub prepared: &'a Prepared,
    /// The prices.
    pub book: &'a PriceBook,
    /// The local days to look at.
    pub days: std::ops::Range<Day>,
}

/// Advice on a list, in the order of its text. None for a list with errors, or one that cannot price by itself: those have
/// other worries.
#[must_use]
pub fn lint(compiled: &Compiled) -> Vec<Diagnostic> {
    lint_with(compiled, None)
}

/// The same, with prices of a market where there are some.
#[must_use]
pub fn lint_with(compiled: &Compiled, market: Option<&Market<'_>>) -> Vec<Diagnostic> {
    let (Some(tariff), Some(file), Some(source)) =
        (&compiled.tariff, compiled.files.first(), compiled.sources.first())
    else {
        return Vec::new();
    };
    let items = crate::resolve::merge::merge(&compiled.files, &mut Vec::new());
    let seen = Seen { compiled, items: &items, file, tariff };
    let mut found = Vec::new();
    for rule in RULES {
        rule(&seen, &mut found);
    }
    if let Some(market) = market {
        market::below_zero(&seen, market, &mut found);
    }
    // The same line may be wrong in several ways, but not in the same way twice.
    let mut known = std::collections::BTreeSet::new();
    found.retain(|one| {
        let label = one.labels.first();
        label.is_some_and(|it| it.source == 0) && known.insert((one.code, label.map(|it| it.span)))
    });
    off::switched_off(&source.text, &mut found);
    found.sort_by_key(|one| (one.span(), one.code));
    found
}

/// Advice at a place.
fn advice(code: &'static str, at: Place, message: impl Into<String>) -> Diagnostic {
    Diagnostic { severity: Severity::Advice, ..Diagnostic::error(code, at.source, at.span, message) }
}

/// A charge in force: how it is written, and what became of it.
struct Charged<'a> {
    source: u32,
    written: &'a crate::ast::Charge,
    /// None for charges of the month.
    session: Option<&'a takst_engine::tariff::Charge>,
    root: takst_engine::tariff::NodeId,
}

impl<'a> Seen<'a> {
    /// All charges in force.
    fn charges(&self) -> Vec<Charged<'a>> {
        use takst_engine::tariff::MonthWhat;
        let mut of_session = self.tariff.charges.iter();
        let mut of_month = self.tariff.month.iter();
        let mut out = Vec::new();
        for item in self.items {
            let crate::resolve::merge::Body::Charge(written, _) = item.body else { continue };
            let (session, root) = if crate::resolve::names::per_session(written.head.kind.it) {
                let Some(charge) = of_session.next() else { continue };
                (Some(charge), charge.root)
            } else {
                let Some(charge) = of_month.next() else { continue };
                let root = match charge.what {
                    MonthWhat::Monthly(root) | MonthWhat::OneOff(root) => root,
                    MonthWhat::Power { root, .. } | MonthWhat::SiteCredit { root, .. } => root,
                };
                (None, root)
            };
            out.push(Charged { source: item.at.source, written, session, root });
        }
        out
    }

    /// The price lines of the file from which one of these leaves comes.
    fn lines_of(&self, leaves: &[u32]) -> impl Iterator<Item = &'a crate::compile::CaseInfo> {
        let compiled: &'a Compiled = self.compiled;
        let leaves = leaves.to_vec();
        compiled
            .cases
            .iter()
            .filter(move |case| case.source == 0 && case.leaves.iter().any(|leaf| leaves.contains(leaf)))
    }
}
