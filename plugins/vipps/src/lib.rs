//! Payments through Vipps MobilePay: ePayment for what a driver pays now, Recurring for agreements that are charged month by month.
//!
//! Names at Vipps: an ePayment is our own reference, `A-0031-1`; an agreement is `agr_…`, a charge on it `agr_…/REFERENCE`.

mod api;
mod date;
mod epayment;
mod payments;
mod recurring;
mod webhook;

use takst_plugin_sdk::{Configuration, Finding, Options, Settings};

/// The plugin.
pub struct Vipps;

impl Configuration for Vipps {
    fn check(settings: Options) -> Vec<Finding> {
        let settings = Settings(&settings);
        let mut findings = settings.missing(&[
            ("merchant_serial_number", "the sales unit's number (MSN)"),
            ("client_id", "from the page with the API keys"),
        ]);
        let mut find = |setting: &str, text: String, error: bool| {
            findings.push(Finding { setting: setting.into(), text, error });
        };
        if let Some(msn) = settings.get("merchant_serial_number")
            && !((4..=6).contains(&msn.len()) && msn.bytes().all(|byte| byte.is_ascii_digit()))
        {
            find(
                "merchant_serial_number",
                format!("`{msn}` is no sales unit's number: it has 4 to 6 digits"),
                true,
            );
        }
        for (name, what) in [
            ("webhook_url", "webhooks cannot be checked, and payments are only seen when the gateway asks"),
            ("agreement_url", "no agreements can be made"),
        ] {
            match settings.get(name) {
                Some(url) if !url.starts_with("https://") => {
                    find(name, format!("`{url}` does not begin with https://"), true)
                }
                Some(_) => {}
                None => find(name, format!("is missing: {what}"), false),
            }
        }
        if settings.get("product_name").is_some_and(|name| name.chars().count() > recurring::NAME) {
            find("product_name", format!("has more than {} characters", recurring::NAME), true);
        }
        for (name, least, most) in
            [("due_days", 1, 365), ("retry_days", 0, 14), ("most_per_month", 1, 20_000)]
        {
            if let Some(text) = settings.get(name)
                && !text.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number))
            {
                find(name, format!("`{text}` is no whole number from {least} to {most}"), true);
            }
        }
        if settings.get("due_days") == Some("1")
            && settings.get_or("environment", "production") == "production"
        {
            find("due_days", "1 is for the test environment: Vipps wants at least 2 days".to_owned(), true);
        }
        findings
    }
}

takst_plugin_sdk::plugin!(Vipps: payments, calls);

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugin_sdk::testing::options;

    #[test]
    fn settings_that_cannot_work_are_found() {
        let fine = [
            ("merchant_serial_number", "123456"),
            ("client_id", "c"),
            ("webhook_url", "https://a.no/v"),
            ("agreement_url", "https://a.no/m"),
        ];
        assert_eq!(Vipps::check(options(&fine)), Vec::new());
        let without = Vipps::check(options(&fine[..2]));
        assert!(without.len() == 2 && without.iter().all(|finding| !finding.error), "{without:?}");
        for (name, value) in [
            ("merchant_serial_number", "12"),
            ("merchant_serial_number", "12a456"),
            ("webhook_url", "http://a.no/v"),
            ("retry_days", "15"),
            ("due_days", "0"),
            ("due_days", "1"),
            ("most_per_month", "many"),
            ("product_name", "a name that has more than forty-five characters"),
        ] {
            let mut settings: Vec<_> = fine.iter().filter(|(n, _)| *n != name).copied().collect();
            settings.push((name, value));
            let found = Vipps::check(options(&settings));
            assert!(
                found.iter().any(|finding| finding.error && finding.setting == name),
                "{name} = {value}: {found:?}"
            );
        }
    }
}
