//! Coupons and discounts.

use super::Lowering;
use crate::ast::{self, At, ChargeRef, Clause, Kind, RebateAmount};
use crate::resolve::merge::{Body, Item, kind_words, ref_span};
use crate::resolve::report::{Place, error};
use crate::units::{self, Counted};
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use takst_engine::tariff::{Coupon, Discount, Rebate};

/// Charges that no rebate lowers: they come after it, are no part of the driver's bill, or are credits.
fn untouched(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::PaymentFee => Some("the payment fee is added after all rebates"),
        Kind::MonthlyFee | Kind::OneOffFee | Kind::PowerFee | Kind::SiteCredit => {
            Some("rebates lower the charges of a session, not those of the month")
        }
        Kind::PayoutToSite => Some("a payout to the site is not on the driver's bill"),
        Kind::FeedIn => Some("feed-in is a credit"),
        _ => None,
    }
}

/// What the clauses beside a rebate's conditions say.
#[derive(Default)]
struct Terms<'c> {
    not_with_coupon: bool,
    times: Option<u32>,
    conditions: Vec<&'c At<Clause>>,
}

impl Lowering<'_> {
    /// Discounts, coupons and the scope of coupons, in the order of the file; node ids are list indexes still.
    pub(super) fn rebates(&mut self) -> (Vec<Discount>, Vec<Coupon>, Vec<u32>) {
        let items = self.items;
        let mut scope = None;
        for item in items {
            if let Body::CouponScope(refs) = item.body {
                scope = Some(self.lowered(refs, item.at.source));
            }
        }
        let scope = scope.unwrap_or_else(|| self.energy_charges());
        let (mut discounts, mut coupons) = (Vec::new(), Vec::new());
        for item in items {
            match item.body {
                Body::Discount(rebate) => {
                    let all = self.all_charges();
                    let (terms, root, lowered) = self.rebate(item, rebate, "discount", &all);
                    if let Some((rebate_value, charges)) = lowered {
                        discounts.push(Discount {
                            label: rebate
                                .name
                                .as_ref()
                                .map_or_else(|| "Discount".to_owned(), |name| name.it.clone()),
                            rule: self.rule(item.at),
                            root,
                            not_with_coupon: terms.not_with_coupon,
                            rebate: rebate_value,
                            charges,
                        });
                    }
                }
                Body::Coupon(rebate) => {
                    let (terms, root, lowered) = self.rebate(item, rebate, "coupon", &scope);
                    if let Some((rebate_value, charges)) = lowered {
                        coupons.push(Coupon {
                            code: rebate.name.as_ref().map_or_else(String::new, |name| name.it.clone()),
                            rule: self.rule(item.at),
                            root,
                            rebate: rebate_value,
                            charges,
                            times_per_driver: terms.times,
                        });
                    }
                }
                _ => {}
            }
        }
        (discounts, coupons, scope)
    }

    fn rebate<'c>(
        &mut self,
        item: &Item<'_>,
        rebate: &'c ast::Rebate,
        what: &str,
        scope: &[u32],
    ) -> (Terms<'c>, u32, Option<(Rebate, Vec<u32>)>) {
        let terms = self.terms(rebate, what, item.at.source);
        let mut head = item.head;
        if self.is_unread(self.region(item)) {
            head = self.region(item);
        }
        let root = self.applies(what, head, &terms.conditions);
        let lowered = self.worth(rebate, item.at.source, scope);
        (terms, root, lowered)
    }

    fn terms<'c>(&mut self, rebate: &'c ast::Rebate, what: &str, source: u32) -> Terms<'c> {
        let mut terms = Terms::default();
        for clause in &rebate.clauses {
            let at = Place { source, span: clause.span };
            match &clause.it {
                Clause::NotWithCoupon if what == "discount" => terms.not_with_coupon = true,
                Clause::NotWithCoupon => {
                    self.out.push(error(
                        "E305",
                        at,
                        "a coupon is a coupon; `not with coupon` is for discounts",
                    ));
                }
                Clause::TimesPerDriver(times) if what == "coupon" => {
                    if times.it == 0 || terms.times.is_some() {
                        self.out.push(error(
                            "E411",
                            at,
                            "say once how often a driver may use the coupon: at least once",
                        ));
                    }
                    terms.times = Some(times.it);
                }
                Clause::TimesPerDriver(_) => {
                    self.out.push(error(
                        "E305",
                        at,
                        "only coupons are counted; a discount holds for every session",
                    ));
                }
                _ => terms.conditions.push(clause),
            }
        }
        terms
    }

    fn worth(&mut self, rebate: &ast::Rebate, source: u32, scope: &[u32]) -> Option<(Rebate, Vec<u32>)> {
        match &rebate.amount.it {
            RebateAmount::Percent(percent, of) => {
                let share = units::mul(percent.it, Decimal::new(1, 2)).filter(|share| units::fits(*share));
                let share = share.filter(|share| *share > Decimal::ZERO && *share <= Decimal::ONE);
                if share.is_none() {
                    let at = Place { source, span: percent.span };
                    let text = self.text(at);
                    let found = error("E411", at, format!("`{text}` is no share"));
                    self.out.push(match text.strip_prefix(['-', '–', '−']) {
                        Some(share) => found
                            .help(format!("write `{share}`: it lowers without a minus"))
                            .fix(at.span, share),
                        None => found.help("write more than 0% and at most 100%"),
                    });
                }
                let charges = self.of(of, source, scope)?;
                Some((Rebate::Share(share?), charges))
            }
            RebateAmount::Money(rate, of) => {
                let amount = self.amount(rate, source);
                let charges = self.of(of, source, scope)?;
                let amount = amount?;
                if amount.is_zero() {
                    let at = Place { source, span: rate.span };
                    self.out.push(error("E411", at, "this rebate is worth nothing"));
                    return None;
                }
                Some((Rebate::Amount(amount), charges))
            }
            RebateAmount::FreeEnergy(quantity) => {
                let (_, energy) = self.counted(quantity, source, &[Counted::Energy])?;
                let charges = self.energy_charges();
                if charges.is_empty() && self.unread.is_empty() {
                    let at = Place { source, span: quantity.span };
                    self.out.push(error("E106", at, "the list has no `energy` charge that could be free"));
                    return None;
                }
                Some((Rebate::FreeEnergy(energy), charges))
            }
        }
    }

    fn of(&mut self, of: &[ChargeRef], source: u32, scope: &[u32]) -> Option<Vec<u32>> {
        if of.is_empty() {
            return Some(scope.to_vec());
        }
        let charges = self.lowered(of, source);
        (!charges.is_empty()).then_some(charges)
    }

    /// The charges that references mean, ascending. Wrong ones are reported.
    fn lowered(&mut self, refs: &[ChargeRef], source: u32) -> Vec<u32> {
        let mut charges = BTreeSet::new();
        for head in refs {
            let kind = head.kind.it;
            let at = Place { source, span: ref_span(head) };
            if let Some(why) = untouched(kind) {
                let message = format!("a rebate cannot lower the {}: {why}", kind_words(kind));
                self.out.push(error("E410", at, message));
                continue;
            }
            let meant: Vec<u32> = self.names.meant(head).filter_map(|(_, charge)| charge.session).collect();
            if meant.is_empty() {
                self.no_charge(head, source);
            }
            charges.extend(meant);
        }
        charges.into_iter().collect()
    }

    fn energy_charges(&self) -> Vec<u32> {
        self.names
            .charges
            .iter()
            .filter(|charge| charge.kind == Kind::Energy)
            .filter_map(|charge| charge.session)
            .collect()
    }

    fn all_charges(&self) -> Vec<u32> {
        self.names
            .charges
            .iter()
            .filter(|charge| untouched(charge.kind).is_none())
            .filter_map(|charge| charge.session)
            .collect()
    }
}
