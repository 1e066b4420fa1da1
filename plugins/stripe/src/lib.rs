//! Payments through Stripe: cards are saved once (SetupIntent) and charged without the driver (PaymentIntent, off session), or typed in on a page that this plugin
//! serves. Card numbers never come near the gateway: the page is Stripe's own form.
//!
//! Names at Stripe: an instrument is `seti_…` (or `pm_…` for cards that were saved elsewhere), a payment `pi_…`. Everything carries our reference and the outbox's
//! key in its metadata, so that a look-up can tell whether a thing was done.

mod amount;
mod api;
mod page;
mod payments;
mod state;
mod webhook;

use takst_plugin_sdk::{Configuration, Finding, Options, Settings};

/// The plugin.
pub struct Stripe;

impl Configuration for Stripe {
    fn check(settings: Options) -> Vec<Finding> {
        let settings = Settings(&settings);
        let mut findings = Vec::new();
        let mut find = |setting: &str, text: &str, error: bool| {
            findings.push(Finding { setting: setting.into(), text: text.into(), error });
        };
        match settings.get("publishable_key") {
            Some(key) if key.starts_with("sk_") || key.starts_with("rk_") => find(
                "publishable_key",
                "is a secret key, and would be shown to everybody: the publishable one begins with pk_",
                true,
            ),
            Some(key) if !key.starts_with("pk_") => {
                find("publishable_key", "is no publishable key: it begins with pk_live_ or pk_test_", true);
            }
            Some(_) => {}
            None => find("publishable_key", "is missing: nobody can save a card or pay on the page", false),
        }
        match settings.get("page") {
            Some(page) if !page.starts_with("https://") => {
                find("page", "must begin with https://: Stripe takes no cards on other pages", false);
            }
            Some(_) => {}
            None => find("page", "is missing: nobody can save a card or pay on the page", false),
        }
        if settings.get("tolerance").is_some_and(|text| text.parse::<u32>().is_err()) {
            find("tolerance", "is no whole number of seconds: write 300", true);
        }
        findings
    }
}

takst_plugin_sdk::plugin!(Stripe: payments, calls);
