//! Discounts, coupons and limits of the total.

use super::windows::{date_near, window};
use super::{chance, one};
use crate::oracle::model::{Charge, ChargeRef, Condition, Gives, Kind, Limit, Rebate, Span, Tariff};
use crate::oracle::number::{Dec, MICRO};
use crate::oracle::session::{Session, Standing};
use fastrand::Rng;

/// Adds rebates to a tariff that has its charges.
pub fn add(rng: &mut Rng, tariff: &mut Tariff, standing: &mut Standing, session: &Session) {
    if chance(rng, 22) {
        let discount = discount(rng, tariff, session, None);
        tariff.discounts.extend(discount);
        if chance(rng, 30) {
            let discount = self::discount(rng, tariff, session, Some("Loyalty".into()));
            tariff.discounts.extend(discount);
        }
    }
    if chance(rng, 22) {
        coupon(rng, tariff, standing, session, "SUMMER");
        if chance(rng, 35) {
            coupon(rng, tariff, standing, session, "TEN");
        }
    }
    if chance(rng, 18) {
        let amount = Dec::new(rng.i128(2..500) * 10, 2);
        let floor = chance(rng, 40);
        let after_energy = (floor && chance(rng, 60)).then_some(MICRO);
        let span = one(rng, &[Span::Session, Span::Session, Span::Day, Span::Month]);
        let per_driver = span != Span::Session && chance(rng, 60);
        tariff.total.push(Limit { floor, amount, span, per_driver, after_energy });
        if floor && chance(rng, 40) {
            let amount = Dec::new(amount.units + 1000, 2);
            tariff.total.push(Limit {
                floor: false,
                amount,
                span: Span::Session,
                per_driver: false,
                after_energy: None,
            });
        }
    }
}

/// Charges that may be lowered.
fn charges(tariff: &Tariff) -> Vec<ChargeRef> {
    let not_lowered = |c: &&Charge| matches!(c.kind, Kind::PaymentFee | Kind::FeedIn | Kind::PayoutToSite);
    let all = tariff.charges.iter().filter(|c| !not_lowered(c));
    all.map(Charge::reference).collect()
}

fn some(rng: &mut Rng, all: &[ChargeRef]) -> Vec<ChargeRef> {
    let mut picked = vec![one(rng, all)];
    if chance(rng, 35) {
        let more = one(rng, all);
        if !picked.contains(&more) {
            picked.push(more);
        }
    }
    picked
}

fn discount(rng: &mut Rng, tariff: &Tariff, session: &Session, name: Option<String>) -> Option<Rebate> {
    let charges = charges(tariff);
    if charges.is_empty() {
        return None;
    }
    let percent = chance(rng, 60);
    let gives = if percent {
        Gives::Percent(Dec::of(one(rng, &["10", "15", "33.3", "100"])))
    } else {
        Gives::Money(Dec::new(rng.i128(1..40) * 25, 2))
    };
    let mut when = vec![];
    if !tariff.groups.is_empty() && chance(rng, 60) {
        when.push(Condition::For(vec![one(rng, &tariff.groups)]));
    }
    if chance(rng, 25) {
        when.push(Condition::During(vec![window(rng, tariff, session)]));
    }
    let of = (percent || chance(rng, 50)).then(|| some(rng, &charges));
    Some(Rebate { name, gives, of, when, not_with_coupon: chance(rng, 30), times_per_driver: None })
}

fn coupon(rng: &mut Rng, tariff: &mut Tariff, standing: &mut Standing, session: &Session, code: &str) {
    let charges = charges(tariff);
    let energy: Vec<&_> = tariff.charges.iter().filter(|c| c.kind == Kind::Energy).collect();
    if energy.is_empty() {
        return;
    }
    let plain = energy.len() == 1 && energy[0].after.is_none();
    if tariff.coupons.is_empty() && chance(rng, 25) {
        tariff.coupon_scope = Some(some(rng, &charges));
    }
    let gives = match rng.u32(0..3) {
        0 => Gives::Percent(Dec::of(one(rng, &["20", "50", "12.5"]))),
        1 if plain && tariff.coupon_scope.is_none() => Gives::FreeEnergy(MICRO / 2 * rng.i128(1..30)),
        _ => Gives::Money(Dec::new(rng.i128(1..40) * 25, 2)),
    };
    let of = (matches!(gives, Gives::Percent(_)) && chance(rng, 50)).then(|| some(rng, &charges));
    let mut when = vec![];
    if chance(rng, 30) {
        let date = date_near(rng, tariff, session);
        when.push(Condition::Until(date, None));
    }
    let times_per_driver = chance(rng, 50).then(|| rng.u32(1..4));
    if let Some(most) = times_per_driver {
        let redeemed = rng.u32(0..=most);
        if redeemed > 0 {
            standing.coupons.push((code.into(), redeemed));
        }
    }
    tariff.coupons.push(Rebate {
        name: Some(code.into()),
        gives,
        of,
        when,
        not_with_coupon: false,
        times_per_driver,
    });
}

/// The session with the coupons that its driver enters.
pub fn coupons_of(rng: &mut Rng, tariff: &Tariff, session: Session) -> Session {
    let codes = tariff.coupons.iter().filter_map(|c| c.name.clone());
    let mut coupons: Vec<String> = codes.filter(|_| chance(rng, 75)).collect();
    if !coupons.is_empty() && chance(rng, 8) {
        let again = one(rng, &coupons);
        coupons.push(again);
    }
    rng.shuffle(&mut coupons);
    Session { coupons, ..session }
}
