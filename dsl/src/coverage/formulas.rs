//! Formulas from the outside in.

use takst_engine::tariff::Formula;

/// Calls `visit` with the formula and everything inside it.
pub(crate) fn each(formula: &Formula, visit: &mut dyn FnMut(&Formula)) {
    visit(formula);
    match formula {
        Formula::Add(a, b)
        | Formula::Sub(a, b)
        | Formula::Mul(a, b)
        | Formula::Div(a, b)
        | Formula::Higher(a, b)
        | Formula::Lower(a, b) => {
            each(a, visit);
            each(b, visit);
        }
        Formula::Round(inner, _) | Formula::PlusVat(inner) | Formula::LessVat(inner) => each(inner, visit),
        Formula::Const(_)
        | Formula::Value(_)
        | Formula::Feed { .. }
        | Formula::EnergyPrice
        | Formula::AveragePower
        | Formula::CostPrice => {}
    }
}
