//! What payment plugins have to say in the same way.

use crate::Money;
use crate::payments::{Instrument, Payment, PaymentState};

impl Instrument {
    /// How far the saving of it has come, as a payment of nothing: what `lookup` answers for `save`. What the payer can still do counts before an
    /// earlier failure.
    #[must_use]
    pub fn progress(self) -> Payment {
        let state = match (self.ready, &self.next, &self.failure) {
            (true, ..) => PaymentState::Paid,
            (_, Some(_), _) => PaymentState::ActionNeeded,
            (_, None, Some(_)) => PaymentState::Failed,
            (_, None, None) => PaymentState::Pending,
        };
        // ISO 4217: "XXX" is no currency.
        let nothing = Money::new(0, "XXX");
        Payment {
            reference: self.reference,
            state,
            captured: nothing.clone(),
            refunded: nothing,
            next: self.next,
            failure: self.failure,
            more: self.more,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn a_saved_instrument_tells_how_far_it_is() {
        let state = |ready, next: Option<&str>, failure: bool| {
            let instrument = Instrument {
                reference: "i-1".into(),
                ready,
                label: String::new(),
                next: next.map(str::to_owned),
                failure: failure.then(|| Error::refused("declined", "no")),
                more: Vec::new(),
            };
            let payment = instrument.progress();
            assert_eq!((payment.reference.as_str(), payment.captured.minor), ("i-1", 0));
            payment.state
        };
        assert_eq!(state(true, None, false), PaymentState::Paid);
        assert_eq!(state(false, Some("https://x"), true), PaymentState::ActionNeeded);
        assert_eq!(state(false, None, true), PaymentState::Failed);
        assert_eq!(state(false, None, false), PaymentState::Pending);
    }
}
