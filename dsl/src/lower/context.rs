//! What a list of cases may depend on, by what it is for.

use super::Lowering;
use crate::ast::Kind;
use crate::resolve::merge::kind_words;
use crate::resolve::report::{Place, error};

/// Something that a list depends on beyond groups, places and dates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Use {
    /// Plug, connector, rated power, contract, card.
    Fact,
    /// `during` with days or hours.
    Window,
    /// `during` with months only.
    Months,
    /// `up to ...`, `beyond ...`.
    SoFar,
    /// Drawn current, occupancy.
    Now,
    /// Drawn power.
    Power,
    /// `whole month from ...`.
    WholeMonth,
    /// `when expired`.
    Expired,
    /// `with plan ...`.
    Plan,
    /// `energy price` in a formula.
    EnergyPrice,
    /// `average-power` in a formula.
    AveragePower,
    /// `in steps of ...` behind a price.
    Steps,
    /// `not with coupon`, `once per driver`.
    RebateOnly,
}

/// What a list of cases is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum For {
    /// A charge.
    Charge(Kind),
    /// `price NAME`: judged where it is used.
    Price,
    /// `value NAME`.
    Value,
    /// VAT or a tax.
    Tax,
    /// A coupon or discount.
    Rebate,
}

impl For {
    /// Why a list for this cannot depend on `what`; `None` when it can.
    fn refuses(self, what: Use) -> Option<String> {
        use Kind::*;
        let no = |why: &str| Some(why.to_owned());
        match (self, what) {
            (Self::Price, Use::RebateOnly) => no("this is for coupons and discounts"),
            (Self::Price, Use::Steps) => no("write it behind the price of a charge"),
            (Self::Price, _) => None,
            (Self::Rebate, Use::RebateOnly) => None,
            (_, Use::RebateOnly) => no("this is for coupons and discounts"),
            (_, Use::Expired) if self != Self::Charge(ReservationFee) => no("only a reservation expires"),
            (_, Use::Expired) => None,
            (_, Use::Plan) if !matches!(self, Self::Charge(MonthlyFee | OneOffFee)) => {
                no("plans belong to monthly and one-off fees")
            }
            (_, Use::Plan) => None,
            (
                Self::Charge(
                    Energy | ChargingTime | ConnectedTime | ParkingTime | IdleFee | FeedIn | ReservationFee,
                ),
                Use::Steps,
            ) => None,
            (_, Use::Steps) => no("only energy and times are billed in steps"),
            (Self::Tax, Use::Window | Use::Months) => {
                no("VAT and taxes go by whole days: write `from` and `until`")
            }
            (Self::Tax, _) => no("VAT and taxes depend on dates, places and groups only"),
            (Self::Value | Self::Rebate, Use::Fact | Use::Window | Use::Months) => None,
            (Self::Value, _) => no("a value is judged once, at plug-in"),
            (Self::Rebate, _) => no("coupons and discounts are judged once, at plug-in"),
            (Self::Charge(Energy), Use::EnergyPrice) => no("the energy price cannot depend on itself"),
            (
                Self::Charge(
                    Energy | ChargingTime | ConnectedTime | ParkingTime | IdleFee | FeedIn | PayoutToSite
                    | FlatFee,
                ),
                _,
            ) => None,
            (Self::Charge(StartFee | PaymentFee | ReservationFee), Use::Fact | Use::Window | Use::Months) => {
                None
            }
            (Self::Charge(StartFee), Use::AveragePower | Use::EnergyPrice) => None,
            (Self::Charge(kind @ (StartFee | PaymentFee)), _) => {
                Some(format!("the {} is judged once, at plug-in", kind_words(kind)))
            }
            (Self::Charge(ReservationFee), _) => no("a reservation is over before charging begins"),
            (Self::Charge(PowerFee), Use::Power | Use::Months) => None,
            (Self::Charge(MonthlyFee | OneOffFee), Use::Months) => None,
            (Self::Charge(SiteCredit), Use::Window | Use::Months) => None,
            (Self::Charge(kind @ (MonthlyFee | OneOffFee | PowerFee | SiteCredit)), _) => {
                Some(format!("the {} is worked out for a whole month, not for one session", kind_words(kind)))
            }
        }
    }
}

impl Lowering<'_> {
    /// Remembers that the list in hand depends on something.
    pub(super) fn depends(&mut self, what: Use, at: Place) {
        self.uses.entry(what).or_insert(at);
    }

    /// Reports what a list for `what` cannot depend on.
    pub(super) fn check_uses(&mut self, what: For) {
        let refused: Vec<_> = self
            .uses
            .iter()
            .filter_map(|(using, at)| what.refuses(*using).map(|why| (*using, *at, why)))
            .collect();
        // One place can break several rules; one of them is enough.
        let mut last = None;
        for (using, at, why) in refused {
            if last.replace(at) == Some(at) {
                continue;
            }
            let code = if matches!(using, Use::EnergyPrice | Use::AveragePower) { "E213" } else { "E305" };
            let message = format!("`{}` cannot stand here: {why}", self.text(at));
            self.out.push(error(code, at, message));
        }
    }
}
