//! `payments`: money from drivers, and back.

use super::capability;
use crate::model::Money;
use crate::model::payments::{ChargeRequest, Instrument, Operation, Payment, SaveRequest};

capability! {
    /// A plugin as a provider of payments. `key` is the same for every attempt at one thing: the provider does it once.
    Payments "payments" {
        /// Begins to save a card or an agreement.
        once fn save "save" (request: SaveRequest) -> Instrument;
        /// How it stands with a saved instrument.
        ask fn saved "saved" (reference: String) -> Instrument;
        /// Asks for money.
        once fn charge "charge" (request: ChargeRequest) -> Payment;
        /// Takes what was set aside.
        once fn capture "capture" (reference: String, amount: Money) -> Payment;
        /// Gives money back.
        once fn refund "refund" (reference: String, amount: Money, reason: String) -> Payment;
        /// Gives a payment up before anything was taken.
        once fn cancel "cancel" (reference: String) -> Payment;
        /// How it stands with a payment.
        ask fn status "status" (reference: String) -> Payment;
        /// Whether the provider did what was asked under this key; `ours` is our own reference, `theirs` the payment's where one was known.
        ask fn lookup "lookup" (key: String, operation: Operation, ours: String, theirs: Option<String>) -> Option<Payment>;
    }
}
