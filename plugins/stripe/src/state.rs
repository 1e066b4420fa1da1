//! Stripe's intents as payments and instruments.

use crate::amount::from_stripe;
use crate::api::{Expandable, PaymentIntent, PaymentMethod, SetupIntent, declined};
use crate::page;
use takst_plugin_sdk::payments::{Instrument, Payment, PaymentState};
use takst_plugin_sdk::{Error, Options, Settings};

/// Names in an intent's metadata.
pub const KEY: &str = "takst_key";
pub const REFERENCE: &str = "takst_reference";
pub const PAYER: &str = "takst_payer";
pub const RETURN_TO: &str = "takst_return_to";
pub const FLOW: &str = "takst_flow";
/// The values of [`FLOW`]: with a saved card and without the payer, or by the payer on the page.
pub const SAVED: &str = "saved";
pub const PAGE: &str = "page";

/// How a payment stands.
pub fn payment(settings: Settings<'_>, intent: &PaymentIntent) -> Payment {
    let failure = intent.last_payment_error.as_ref().map(declined);
    let wants_payer = failure.as_ref().is_some_and(|error| error.code == "authentication-required");
    let on_page = intent.metadata.get(FLOW).is_some_and(|flow| flow == PAGE);
    let state = match intent.status.as_str() {
        "succeeded" => PaymentState::Paid,
        "requires_capture" => PaymentState::Authorized,
        "canceled" => PaymentState::Cancelled,
        "processing" => PaymentState::Pending,
        "requires_action" => PaymentState::ActionNeeded,
        "requires_payment_method" | "requires_confirmation" if on_page || wants_payer => {
            PaymentState::ActionNeeded
        }
        // A saved card was declined. Nobody has the page, so nobody will pay it any more.
        "requires_payment_method" => PaymentState::Failed,
        _ => PaymentState::Pending,
    };
    let next = (state == PaymentState::ActionNeeded)
        .then(|| {
            let bank =
                intent.next_action.as_ref().and_then(|action| action.redirect_to_url.as_ref()?.url.clone());
            bank.or_else(|| page::address(settings, &intent.id))
        })
        .flatten();
    let refunded = match &intent.latest_charge {
        Some(Expandable::Object(charge)) => charge.amount_refunded,
        _ => 0,
    };
    let taken = matches!(state, PaymentState::Paid).then_some(intent.amount_received).unwrap_or_default();
    let mut more = ours(&intent.metadata);
    more.extend(intent.cancellation_reason.iter().map(|reason| ("reason".to_owned(), reason.clone())));
    Payment {
        reference: intent.id.clone(),
        state,
        captured: from_stripe(taken, &intent.currency),
        refunded: from_stripe(if taken == 0 { 0 } else { refunded }, &intent.currency),
        next,
        failure: failure.filter(|_| matches!(state, PaymentState::Failed | PaymentState::ActionNeeded)),
        more,
    }
}

/// How a saved card stands.
pub fn instrument(settings: Settings<'_>, intent: &SetupIntent) -> Instrument {
    let card = match &intent.payment_method {
        Some(Expandable::Object(method)) => Some(method),
        _ => None,
    };
    let gone = || {
        Error::refused(
            "card-removed",
            "the card was taken away from the customer at Stripe; it has to be saved again",
        )
    };
    let (ready, next, failure) =
        match intent.status.as_str() {
            "succeeded" => match card {
                Some(method) if method.customer.is_none() => (false, None, Some(gone())),
                _ => (true, None, None),
            },
            "canceled" => {
                let said = intent.last_setup_error.as_ref().map(declined);
                (
                    false,
                    None,
                    Some(said.unwrap_or_else(|| {
                        Error::refused("given-up", "saving the card was given up at Stripe")
                    })),
                )
            }
            "processing" => (false, None, None),
            _ => (false, page::address(settings, &intent.id), intent.last_setup_error.as_ref().map(declined)),
        };
    let mut more = ours(&intent.metadata);
    more.extend(card.and_then(expiry));
    Instrument {
        reference: intent.id.clone(),
        ready,
        label: card.map(label).unwrap_or_default(),
        next,
        failure,
        more,
    }
}

/// A card that was not saved through us.
pub fn foreign(method: &PaymentMethod) -> Instrument {
    let ready = method.customer.is_some();
    let failure = (!ready).then(|| Error::refused("card-removed", "no customer at Stripe has this card"));
    Instrument {
        reference: method.id.clone(),
        ready,
        label: label(method),
        next: None,
        failure,
        more: expiry(method).into_iter().collect(),
    }
}

/// Our reference, for whoever logs it.
pub fn ours(metadata: &std::collections::BTreeMap<String, String>) -> Options {
    metadata.get(REFERENCE).map(|text| ("reference".to_owned(), text.clone())).into_iter().collect()
}

/// "Visa 4242".
fn label(method: &PaymentMethod) -> String {
    let Some(card) = &method.card else { return String::new() };
    let brand = match card.brand.as_str() {
        "amex" => "American Express".to_owned(),
        "mastercard" => "Mastercard".to_owned(),
        "diners" => "Diners Club".to_owned(),
        "jcb" => "JCB".to_owned(),
        "unionpay" => "UnionPay".to_owned(),
        other => {
            let mut letters = other.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
    };
    format!("{brand} {}", card.last4).trim().to_owned()
}

fn expiry(method: &PaymentMethod) -> Option<(String, String)> {
    let card = method.card.as_ref().filter(|card| card.exp_year > 0)?;
    Some(("expires".to_owned(), format!("{:04}-{:02}", card.exp_year, card.exp_month)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use takst_plugin_sdk::testing;

    fn stands(fields: serde_json::Value) -> Payment {
        testing::reset();
        testing::secret("webhook_secret", "whsec_test");
        let mut intent = json!({
            "id": "pi_1", "status": "succeeded", "amount": 1000, "amount_received": 0, "currency": "nok",
            "metadata": { REFERENCE: "bill-0001", FLOW: SAVED },
        });
        intent.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let intent: PaymentIntent = serde_json::from_value(intent).unwrap();
        payment(Settings(&testing::options(&[("page", "https://g.example.com/p/stripe/")])), &intent)
    }

    #[test]
    fn each_state_of_an_intent_is_a_state_of_a_payment() {
        for (fields, state) in [
            (json!({ "status": "succeeded", "amount_received": 1000 }), PaymentState::Paid),
            (json!({ "status": "requires_capture" }), PaymentState::Authorized),
            (json!({ "status": "processing" }), PaymentState::Pending),
            (json!({ "status": "something_new" }), PaymentState::Pending),
            (json!({ "status": "canceled" }), PaymentState::Cancelled),
            (json!({ "status": "requires_action" }), PaymentState::ActionNeeded),
            (
                json!({ "status": "requires_payment_method", "last_payment_error": { "code": "card_declined" } }),
                PaymentState::Failed,
            ),
            (
                json!({ "status": "requires_payment_method", "metadata": { FLOW: PAGE } }),
                PaymentState::ActionNeeded,
            ),
            (
                json!({ "status": "requires_payment_method", "last_payment_error": { "code": "authentication_required" } }),
                PaymentState::ActionNeeded,
            ),
        ] {
            assert_eq!(stands(fields.clone()).state, state, "{fields}");
        }
    }

    #[test]
    fn captured_and_refunded_are_what_stripe_says() {
        let paid = stands(json!({
            "status": "succeeded", "amount_received": 800, "latest_charge": { "amount_refunded": 300 },
        }));
        assert_eq!(
            (paid.captured.minor, paid.refunded.minor, paid.captured.currency.as_str()),
            (800, 300, "NOK")
        );
        // Giving up an authorization counts as a refund at Stripe; no money came, so none went back.
        let given_up = stands(json!({ "status": "canceled", "latest_charge": { "amount_refunded": 1000 } }));
        assert_eq!((given_up.captured.minor, given_up.refunded.minor), (0, 0));
    }

    #[test]
    fn the_payer_goes_to_the_bank_or_to_our_page() {
        let bank = stands(json!({
            "status": "requires_action", "next_action": { "type": "redirect_to_url", "redirect_to_url": { "url": "https://bank" } },
        }));
        assert_eq!(bank.next.as_deref(), Some("https://bank"));
        let page =
            stands(json!({ "status": "requires_action", "next_action": { "type": "use_stripe_sdk" } }));
        let next = page.next.unwrap();
        assert!(next.starts_with("https://g.example.com/p/stripe/pay?id=pi_1&check="), "{next}");
    }
}
