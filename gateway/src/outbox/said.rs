//! What an answer of a provider means for an intent and for the ledger: pure. The amounts it names are the truth; those that
//! nobody asked for are booked too, where they can be, and a person is told.

use super::machine::Told;
use super::provider::{Fault, ProviderPayment, Status};
use super::returns::Returns;
use crate::store::{IntentKind, Payment, PaymentStatus};

/// What an answer means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meaning {
    /// For the intent.
    pub told: Told,
    /// Money taken since the last answer, to be booked.
    pub captured: i64,
    /// Money given back since the last answer, to be booked.
    pub refunded: i64,
    /// The money is set aside, and is to be taken now.
    pub take_now: bool,
    /// What it says of the payment can be. Otherwise all of it stays as it is booked.
    pub can_be: bool,
}

/// What is compared with an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked<'a> {
    /// What was asked for.
    pub kind: IntentKind,
    /// It is over: of what was told before nobody hears again.
    pub is_over: bool,
    /// The payment as it is booked.
    pub payment: &'a Payment,
    /// What of it is to come back, and came back, as it is booked.
    pub returns: &'a Returns,
    /// Of a refund: what is given back in all once it is done.
    pub target: i64,
    /// Of a charge: the money is to be taken, and not only set aside.
    pub capture: bool,
}

/// The status of a payment in the database.
#[must_use]
pub fn status(status: Status) -> PaymentStatus {
    match status {
        Status::Pending => PaymentStatus::Pending,
        Status::ActionNeeded => PaymentStatus::ActionNeeded,
        Status::Authorized => PaymentStatus::Authorized,
        Status::Paid => PaymentStatus::Paid,
        Status::Failed => PaymentStatus::Failed,
        Status::Cancelled => PaymentStatus::Cancelled,
        Status::Expired => PaymentStatus::Expired,
    }
}

/// What an answer means.
#[must_use]
pub fn meaning(asked: &Asked<'_>, said: &ProviderPayment) -> Meaning {
    match amounts(asked, said) {
        Err((code, text)) => {
            let told = Told::Odd(code.to_owned(), text);
            Meaning { told, captured: 0, refunded: 0, take_now: false, can_be: false }
        }
        Ok((captured, refunded)) => {
            let told = match odd(asked, said) {
                Some((code, text)) => Told::Odd(code.to_owned(), text),
                None => told(asked, said),
            };
            let take_now = asked.kind == IntentKind::Charge
                && asked.capture
                && said.status == Status::Authorized
                && told == Told::Done;
            Meaning { told, captured, refunded, take_now, can_be: true }
        }
    }
}

type Odd = (&'static str, String);

// What has moved since the last answer; or why that cannot be booked.
fn amounts(asked: &Asked<'_>, said: &ProviderPayment) -> Result<(i64, i64), Odd> {
    let payment = asked.payment;
    let mut moved = [0, 0];
    let booked = asked.returns.by_provider;
    let amounts = [("captured", &said.captured, payment.captured), ("refunded", &said.refunded, booked)];
    for (moved, (word, now, booked)) in moved.iter_mut().zip(amounts) {
        if now.currency != payment.currency {
            let text = format!("{word} is in {}, and the payment is in {}", now.currency, payment.currency);
            return Err(("other-currency", text));
        }
        *moved = now.minor.checked_sub(booked).filter(|more| *more >= 0).ok_or_else(|| {
            ("amount-fell", format!("{word} is {} now, and {booked} minor units are booked", now.minor))
        })?;
    }
    let [captured, refunded] = moved;
    Ok((captured, refunded))
}

// What must not be, though it can be booked. The base is what is booked: of that a person was told before.
fn odd(asked: &Asked<'_>, said: &ProviderPayment) -> Option<Odd> {
    let Asked { payment, returns, .. } = asked;
    let (captured, refunded) = (said.captured.minor, said.refunded.minor);
    let amount = payment.amount;
    let none = matches!(said.status, Status::Failed | Status::Cancelled | Status::Expired);
    // A refund or a cancellation says nothing new about what was taken before, and neither does what is over.
    let takes = matches!(asked.kind, IntentKind::Charge | IntentKind::Capture);
    let about_taking = captured != payment.captured || (takes && !asked.is_over);
    // What comes back now and no refund was to bring.
    let unasked = refunded.saturating_sub(returns.by_provider).saturating_sub(returns.to_come()).max(0);
    // Of what was taken beyond what was asked for, that comes back or came back.
    let excess = captured.saturating_sub(amount).max(0);
    let excess_left = excess.saturating_sub(returns.apart);
    if excess_left > unasked && about_taking {
        return Some((
            "captured-too-much",
            format!("{captured} minor units were taken, {amount} were asked for"),
        ));
    }
    if said.status == Status::Paid && captured < amount && about_taking {
        return Some((
            "captured-too-little",
            format!("{captured} minor units were taken, {amount} were asked for"),
        ));
    }
    let is_news = !asked.is_over
        || captured != payment.captured
        || refunded != returns.by_provider
        || status(said.status) != payment.status;
    if none && captured > refunded && is_news {
        return Some((
            "failed-but-captured",
            format!("it is said to have failed, and {captured} minor units were taken"),
        ));
    }
    if unasked > excess_left.max(0) {
        let more = unasked.saturating_sub(excess_left.max(0));
        return Some((
            "refunded-unasked",
            format!("{refunded} minor units were given back, and nobody here asked for {more} of them"),
        ));
    }
    None
}

fn told(asked: &Asked<'_>, said: &ProviderPayment) -> Told {
    let refused = |usual: &str| {
        let fault = said.failure.clone();
        let Fault { code, detail, .. } =
            fault.unwrap_or_else(|| Fault::new(super::provider::Outcome::Refused, usual, usual));
        Told::Refused(code, detail)
    };
    match (asked.kind, said.status) {
        (IntentKind::Refund, _) if said.refunded.minor >= asked.target => Told::Done,
        (IntentKind::Refund, _) if said.failure.is_some() => refused("refund-failed"),
        (IntentKind::Refund, _) => Told::Going,
        (IntentKind::Cancel, Status::Cancelled | Status::Expired | Status::Failed) => Told::Done,
        (IntentKind::Cancel, Status::Paid) => {
            Told::Refused("too-late".to_owned(), "the money was taken before".to_owned())
        }
        (IntentKind::Cancel, _) => Told::Going,
        (IntentKind::Charge, Status::Authorized) | (_, Status::Paid) => Told::Done,
        (_, Status::Failed) => refused("failed"),
        (_, Status::Cancelled) => refused("cancelled"),
        (_, Status::Expired) => refused("expired"),
        (_, Status::Pending | Status::ActionNeeded | Status::Authorized) => Told::Going,
    }
}

#[cfg(test)]
mod tests {
    use super::super::provider::{Money, Outcome};
    use super::super::returns::OnItsWay;
    use super::*;
    use takst_engine::units::Instant;

    fn payment(captured: i64, refunded: i64) -> Payment {
        Payment {
            id: "p1".into(),
            bill: "b1".into(),
            session: None,
            seller: "koti".into(),
            debtor: "driver:d-17".into(),
            plugin: "fake".into(),
            currency: "EUR".into(),
            amount: 345,
            status: PaymentStatus::Pending,
            captured,
            refunded,
            theirs: None,
            next: None,
            failure: None,
            created_at: Instant(0),
            updated_at: Instant(0),
        }
    }

    fn says(status: Status, captured: i64, refunded: i64) -> ProviderPayment {
        let money = |minor| Money { minor, currency: "EUR".into() };
        ProviderPayment {
            reference: "pi_1".into(),
            status,
            captured: money(captured),
            refunded: money(refunded),
            next: None,
            failure: None,
        }
    }

    // A refund of 100 is on its way.
    fn of(kind: IntentKind, payment: &Payment, said: &ProviderPayment) -> (String, i64, i64, bool) {
        let returns = Returns {
            open: vec![OnItsWay { intent: "r1".into(), called: true, amount: 100 }],
            by_provider: payment.refunded,
            ..Returns::default()
        };
        said_of((kind, false), payment, &returns, said)
    }

    fn said_of(
        (kind, is_over): (IntentKind, bool),
        payment: &Payment,
        returns: &Returns,
        said: &ProviderPayment,
    ) -> (String, i64, i64, bool) {
        let asked = Asked { kind, is_over, payment, returns, target: 100, capture: true };
        let Meaning { told, captured, refunded, take_now, can_be: _ } = meaning(&asked, said);
        let word = match told {
            Told::Going => "going".to_owned(),
            Told::Done => "done".to_owned(),
            Told::Refused(code, _) | Told::Odd(code, _) => code,
        };
        (word, captured, refunded, take_now)
    }

    #[test]
    fn of_a_charge() {
        for (said, wanted) in [
            (says(Status::Pending, 0, 0), ("going", 0, 0, false)),
            (says(Status::ActionNeeded, 0, 0), ("going", 0, 0, false)),
            (says(Status::Authorized, 0, 0), ("done", 0, 0, true)),
            (says(Status::Paid, 345, 0), ("done", 345, 0, false)),
            (says(Status::Failed, 0, 0), ("failed", 0, 0, false)),
            (says(Status::Expired, 0, 0), ("expired", 0, 0, false)),
            (says(Status::Paid, 300, 0), ("captured-too-little", 300, 0, false)),
            (says(Status::Paid, 690, 0), ("captured-too-much", 690, 0, false)),
            (says(Status::Failed, 345, 0), ("failed-but-captured", 345, 0, false)),
            (says(Status::Paid, 345, 101), ("refunded-unasked", 345, 101, false)),
        ] {
            let (word, captured, refunded, take_now) = of(IntentKind::Charge, &payment(0, 0), &said);
            assert_eq!((word.as_str(), captured, refunded, take_now), wanted, "{said:?}");
        }
        // Said again, nothing moves again.
        assert_eq!(
            of(IntentKind::Charge, &payment(345, 0), &says(Status::Paid, 345, 0)),
            ("done".into(), 0, 0, false)
        );
    }

    #[test]
    fn what_cannot_be_booked_is_not() {
        let other = ProviderPayment {
            captured: Money { minor: 345, currency: "NOK".into() },
            ..says(Status::Paid, 345, 0)
        };
        assert_eq!(of(IntentKind::Charge, &payment(0, 0), &other), ("other-currency".into(), 0, 0, false));
        let fell = says(Status::Paid, 344, 0);
        assert_eq!(of(IntentKind::Charge, &payment(345, 0), &fell), ("amount-fell".into(), 0, 0, false));
    }

    #[test]
    fn of_a_refund_and_a_cancellation() {
        let paid = payment(345, 0);
        let word = |kind, said: &ProviderPayment| of(kind, &paid, said).0;
        assert_eq!(word(IntentKind::Refund, &says(Status::Paid, 345, 99)), "going");
        assert_eq!(word(IntentKind::Refund, &says(Status::Paid, 345, 100)), "done");
        let failed = ProviderPayment {
            failure: Some(Fault::new(Outcome::Refused, "card-closed", "the card is closed")),
            ..says(Status::Paid, 345, 0)
        };
        assert_eq!(word(IntentKind::Refund, &failed), "card-closed");
        assert_eq!(word(IntentKind::Cancel, &says(Status::Paid, 345, 0)), "too-late");
        let open = payment(0, 0);
        assert_eq!(of(IntentKind::Cancel, &open, &says(Status::Cancelled, 0, 0)).0, "done");
        assert_eq!(of(IntentKind::Capture, &open, &says(Status::Authorized, 0, 0)).0, "going");
        assert_eq!(of(IntentKind::Capture, &open, &says(Status::Paid, 345, 0)).0, "done");
    }

    #[test]
    fn what_was_told_before_is_no_news() {
        let charge = (IntentKind::Charge, true);
        let word = |about, payment: &Payment, returns: &Returns, said: &ProviderPayment| {
            said_of(about, payment, returns, said).0
        };
        // 50 came back unasked, and it was accepted.
        let accepted = Returns { by_provider: 50, apart: 50, ..Returns::default() };
        let paid = Payment { status: PaymentStatus::Paid, ..payment(345, 50) };
        assert_eq!(word(charge, &paid, &accepted, &says(Status::Paid, 345, 50)), "done");
        assert_eq!(word(charge, &paid, &accepted, &says(Status::Paid, 345, 51)), "refunded-unasked");
        // A refund that was asked for since is no part of that.
        let asked = OnItsWay { intent: "r1".into(), called: true, amount: 100 };
        let since = Returns { open: vec![asked], ..accepted };
        let refund = (IntentKind::Refund, false);
        assert_eq!(word(refund, &paid, &since, &says(Status::Paid, 345, 150)), "done");
        assert_eq!(word(refund, &paid, &since, &says(Status::Paid, 345, 151)), "refunded-unasked");
        // Neither is one that failed, and that a person makes good there.
        let failed = Returns { undone: 100, ..accepted };
        assert_eq!(word(charge, &paid, &failed, &says(Status::Paid, 345, 150)), "done");

        // Too much was taken, and it is put right there: that is what was to be done.
        let much = Payment { status: PaymentStatus::Paid, ..payment(400, 0) };
        let none = Returns::default();
        let open = (IntentKind::Charge, false);
        assert_eq!(word(open, &much, &none, &says(Status::Paid, 400, 0)), "captured-too-much");
        assert_eq!(word(open, &much, &none, &says(Status::Paid, 400, 54)), "captured-too-much");
        assert_eq!(word(open, &much, &none, &says(Status::Paid, 400, 55)), "done");
        assert_eq!(word(open, &much, &none, &says(Status::Paid, 400, 56)), "refunded-unasked");
        let right = Returns { by_provider: 55, apart: 55, ..Returns::default() };
        assert_eq!(
            word(open, &Payment { refunded: 55, ..much.clone() }, &right, &says(Status::Paid, 400, 55)),
            "done"
        );
        // A cancellation came too late for it, and is over.
        assert_eq!(word((IntentKind::Cancel, false), &much, &none, &says(Status::Paid, 400, 0)), "too-late");
        // Or accepted as it is.
        assert_eq!(word(charge, &much, &none, &says(Status::Paid, 400, 0)), "done");
    }

    #[test]
    fn what_was_booked_by_hand_is_not_the_providers() {
        // 300 went in a dispute, which the provider does not count as given back.
        let returns = Returns { by_provider: 0, apart: 300, ..Returns::default() };
        let paid = Payment { status: PaymentStatus::Paid, ..payment(345, 300) };
        let over = (IntentKind::Charge, true);
        assert_eq!(said_of(over, &paid, &returns, &says(Status::Paid, 345, 0)), ("done".into(), 0, 0, false));
    }
}
