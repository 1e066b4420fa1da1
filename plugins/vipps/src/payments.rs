//! What the gateway asks for: by ePayment, or on an agreement.
//!
//! **Once only.** Every change has the gateway's `Idempotency-Key`; payments and charges bear our reference besides, which Vipps takes once per sales unit.
//! A look-up asks for that reference, or for the key in the log of a payment. Vipps shows both at once, so a look-up is never wrong.

use crate::api::Api;
use crate::{Vipps, epayment, recurring};
use takst_plugin_sdk::payments::{ChargeRequest, Guest, Instrument, Operation, Payment, SaveRequest};
use takst_plugin_sdk::{Error, Money, Options, Settings};

impl Guest for Vipps {
    fn save(settings: Options, key: String, request: SaveRequest) -> Result<Instrument, Error> {
        recurring::save(&Api::new(Settings(&settings))?, &key, &request)
    }

    fn saved(settings: Options, reference: String) -> Result<Instrument, Error> {
        recurring::saved(&Api::new(Settings(&settings))?, &reference)
    }

    fn charge(settings: Options, key: String, request: ChargeRequest) -> Result<Payment, Error> {
        let api = Api::new(Settings(&settings))?;
        match &request.instrument {
            Some(agreement) => recurring::charge(&api, &key, agreement, &request),
            None => epayment::charge(&api, &key, &request),
        }
    }

    fn capture(settings: Options, key: String, reference: String, amount: Money) -> Result<Payment, Error> {
        change(&settings, &key, &reference, Operation::Capture, Some(&amount), "Takst")
    }

    fn refund(
        settings: Options,
        key: String,
        reference: String,
        amount: Money,
        reason: String,
    ) -> Result<Payment, Error> {
        change(&settings, &key, &reference, Operation::Refund, Some(&amount), &reason)
    }

    fn cancel(settings: Options, key: String, reference: String) -> Result<Payment, Error> {
        change(&settings, &key, &reference, Operation::Cancel, None, "")
    }

    fn status(settings: Options, reference: String) -> Result<Payment, Error> {
        let api = Api::new(Settings(&settings))?;
        match recurring::split(&reference) {
            Some(_) => recurring::status(&api, &reference),
            None => epayment::status(&api, &reference),
        }
    }

    fn lookup(
        settings: Options,
        key: String,
        operation: Operation,
        ours: String,
        theirs: Option<String>,
    ) -> Result<Option<Payment>, Error> {
        let api = Api::new(Settings(&settings))?;
        match (operation, theirs) {
            (Operation::Save, theirs) => recurring::lookup_save(&api, &ours, theirs.as_deref()),
            (_, Some(theirs)) if recurring::split(&theirs).is_some() => {
                recurring::lookup(&api, &key, operation, &ours, Some(&theirs))
            }
            (_, Some(theirs)) => epayment::lookup(&api, &key, operation, &theirs),
            // Which of the two it was is not known here.
            (_, None) => match epayment::lookup(&api, &key, operation, &ours)? {
                Some(payment) => Ok(Some(payment)),
                None => recurring::lookup(&api, &key, operation, &ours, None),
            },
        }
    }
}

fn change(
    settings: &Options,
    key: &str,
    reference: &str,
    operation: Operation,
    amount: Option<&Money>,
    why: &str,
) -> Result<Payment, Error> {
    let api = Api::new(Settings(settings))?;
    match recurring::split(reference) {
        Some(_) => recurring::change(&api, key, reference, operation, amount, why),
        None => epayment::change(&api, reference, operation, amount),
    }
}
