//! What of a payment is to come back, and came back, and which refund it belongs to: pure. Every unit that comes back is counted once: of the refund that is
//! on its way, else of those that failed or were given up (a person has settled them at the provider), else of nobody's.

use super::intent::{RefundRequest, Request};
use crate::store::{Error, Intent, IntentKind, IntentState, Payment};

/// A refund that is on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OnItsWay {
    /// Which.
    pub intent: String,
    /// It was asked for at least once.
    pub called: bool,
    /// What of it is still to come, in minor units.
    pub amount: i64,
}

/// What is to come back of a payment, and came back. Minor units.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Returns {
    /// The refunds that are on their way.
    pub open: Vec<OnItsWay>,
    /// What refunds left undone that failed or were given up.
    pub undone: i64,
    /// What came back by the provider, in all.
    pub by_provider: i64,
    /// What came back, or was charged back, and no refund was to bring.
    pub apart: i64,
}

impl Returns {
    /// Of a payment as it is booked, and all that was asked about it.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn of(payment: &Payment, intents: &[Intent]) -> Result<Self, Error> {
        let refunds = refunds(intents)?;
        let outside = refunds.iter().filter(|(_, refund)| refund.outside);
        let outside = outside.fold(0_i64, |sum, (_, refund)| sum.saturating_add(refund.amount.minor));
        let by_provider = payment.refunded.saturating_sub(outside);
        let mut returns = Self { by_provider, ..Self::default() };
        let mut came = 0_i64;
        for (intent, refund) in refunds.iter().filter(|(_, refund)| !refund.outside) {
            let amount = refund.amount.minor;
            came = came.saturating_add(match intent.state {
                IntentState::Done => amount,
                IntentState::Failed | IntentState::GivenUp => {
                    let settled = refund.settled.min(amount);
                    returns.undone = returns.undone.saturating_add(amount.saturating_sub(settled));
                    settled
                }
                _ => {
                    let rest = rest(refund, by_provider);
                    let (intent, called) = (intent.id.clone(), intent.called);
                    returns.open.push(OnItsWay { intent, called, amount: rest });
                    amount.saturating_sub(rest)
                }
            });
        }
        // What was charged back and came again has settled what it settled: it is to be given back as any other money.
        let again =
            refunds.iter().filter(|(_, refund)| refund.outside).map(|(_, refund)| refund.amount.minor);
        let again = again.fold(0_i64, |sum, amount| sum.saturating_add(amount.min(0).saturating_neg()));
        returns.apart = payment.refunded.saturating_add(again).saturating_sub(came).max(0);
        Ok(returns)
    }

    /// What refunds that are on their way will bring.
    #[must_use]
    pub fn coming(&self) -> i64 {
        self.open.iter().fold(0, |sum, back| sum.saturating_add(back.amount))
    }

    /// What may come back without being news: refunds that were asked for, and those that a person settles.
    #[must_use]
    pub fn to_come(&self) -> i64 {
        let asked = self.open.iter().filter(|back| back.called);
        asked.fold(self.undone, |sum, back| sum.saturating_add(back.amount))
    }
}

fn refunds(intents: &[Intent]) -> Result<Vec<(&Intent, RefundRequest)>, Error> {
    let mut refunds = Vec::new();
    for intent in intents.iter().filter(|intent| intent.kind == IntentKind::Refund) {
        if let Request::Refund(refund) = Request::of(intent)? {
            refunds.push((intent, refund));
        }
    }
    Ok(refunds)
}

// What of a refund is still to come, when so much came back by the provider in all.
fn rest(refund: &RefundRequest, by_provider: i64) -> i64 {
    let amount = refund.amount.minor;
    let rest = refund.target.map(|target| target.saturating_sub(by_provider).max(0));
    rest.unwrap_or(amount).min(amount)
}

/// A refund that has come to nothing, or was given up, with what of it came back before.
///
/// # Errors
/// When it cannot be read.
pub(super) fn ended(intent: Intent, by_provider: i64) -> Result<Intent, Error> {
    let Request::Refund(refund) = Request::of(&intent)? else { return Ok(intent) };
    let settled = refund.amount.minor.saturating_sub(rest(&refund, by_provider));
    let refund = RefundRequest { settled: refund.settled.max(settled), ..refund };
    Ok(Intent { request: Request::Refund(refund).text(), ..intent })
}

/// The refunds that failed or were given up and that `came` settles, which came back beside all that is on its way: the oldest first.
///
/// # Errors
/// When a row cannot be read.
pub(super) fn settled_by(intents: &[Intent], came: i64) -> Result<Vec<Intent>, Error> {
    let mut left = came;
    let mut settled = Vec::new();
    for (intent, refund) in refunds(intents)? {
        let is_undone = matches!(intent.state, IntentState::Failed | IntentState::GivenUp);
        let part = refund.amount.minor.saturating_sub(refund.settled).min(left).max(0);
        if !is_undone || refund.outside || part == 0 {
            continue;
        }
        left = left.saturating_sub(part);
        let refund = RefundRequest { settled: refund.settled.saturating_add(part), ..refund };
        settled.push(Intent { request: Request::Refund(refund).text(), ..intent.clone() });
    }
    Ok(settled)
}
