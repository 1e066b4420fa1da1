//! What invoices need of the set-up, and automatic reminders.

use super::super::merge::{Item, Raw};
use super::super::model::{Invoices, PaysBy, Seller};
use super::super::read::shown;
use super::super::report::{More as _, Report};
use super::references::iban;
use crate::invoices::kid::{Method, check_digit};
use crate::invoices::{Address, Party};
use crate::invoicing::seller_is_fit;

pub(super) fn check(raw: &Raw, report: &mut Report) {
    for item in &raw.sellers.items {
        numbers(item, report);
        reminders(raw, item, report);
        if let Some(invoices) = &item.it.invoices {
            one(item, invoices, report);
        }
    }
    let any = raw.sellers.items.iter().any(|item| item.it.invoices.is_some());
    for item in raw.drivers.items.iter().filter(|item| item.it.pays_by == PaysBy::Invoice && !any) {
        report
            .warning("S076", item.at(&["pays_by"]), "this driver pays by invoice, and no seller sends any")
            .advise("add `invoices = { account = \"...\" }` to the seller; until then his bills are charged as others are");
    }
    for item in &raw.plugins.items {
        if item.it.id.starts_with('@') {
            report
                .error("S019", item.at(&["id"]), "names that begin with `@` are the gateway's own")
                .advise("give the plugin another id");
        }
    }
}

fn numbers(item: &Item<Seller>, report: &mut Report) {
    let Seller { due_days, remind_after_days, invoices, .. } = &item.it;
    super::numbers::bounds(Some(*due_days), 1, 365, item.at(&["due_days"]), report);
    super::numbers::bounds(*remind_after_days, 1, 60, item.at(&["remind_after_days"]), report);
    let length = invoices.as_ref().map(|invoices| invoices.kid_length);
    super::numbers::bounds(length, 4, 25, item.at(&["invoices", "kid_length"]), report);
}

// Whoever is reminded by himself must be able to pay behind the link.
fn reminders(raw: &Raw, item: &Item<Seller>, report: &mut Report) {
    let Seller { remind_after_days: Some(_), payments, .. } = &item.it else { return };
    let mut wrong = |message: &str, help: &str| {
        report.error("S077", item.at(&["remind_after_days"]), message.to_owned()).advise(help.to_owned());
    };
    let address = raw.organisation.as_ref().and_then(|organisation| organisation.it.web_address.as_ref());
    if address.is_none() {
        wrong(
            "drivers are to be reminded with a link, and nothing says how they reach this gateway",
            "add `web_address = \"https://...\"` to [organisation]",
        );
    }
    if payments.is_none() {
        wrong(
            "drivers are to be reminded, and nothing can be paid through this seller",
            "add `payments = \"...\"`, the id of a `[[plugin]]` that takes payments",
        );
    }
}

fn one(item: &Item<Seller>, invoices: &Invoices, report: &mut Report) {
    let Invoices { channel, account, bic: _, kid, kid_length: _, in_foretaksregisteret: _, payer_endpoint } =
        invoices;
    let at = item.at(&["invoices", "account"]);
    iban(account, at, report);
    let seller = party(&item.it);
    let digits: String = account.chars().filter(char::is_ascii_digit).collect();
    let plain = account.chars().all(|c| c.is_ascii_digit() || c == '.' || c.is_whitespace());
    let is_norwegian = seller.address.country == "NO" && plain;
    let right = || digits.get(..10).and_then(|first| check_digit(first, Method::Mod11));
    if is_norwegian && (digits.len() != 11 || right() != digits.chars().last()) {
        report
            .error("S034", at, format!("\"{}\" is no Norwegian account number", shown(account)))
            .advise("it has eleven digits, the last one a check digit; compare it with the bank's letter");
    }
    if kid.is_some() && item.it.address.country.as_deref().is_some_and(|code| code != "NO") {
        report
            .warning("S076", item.at(&["invoices", "kid"]), "a KID is for payments in Norway")
            .advise("leave `kid` out: payers then write the number of the bill");
    }
    if let Some(endpoint) = payer_endpoint {
        let parts = endpoint.split_once(':').filter(|(scheme, id)| {
            scheme.len() == 4 && scheme.bytes().all(|digit| digit.is_ascii_digit()) && !id.trim().is_empty()
        });
        if parts.is_none() {
            report
                .error(
                    "S076",
                    item.at(&["invoices", "payer_endpoint"]),
                    format!("\"{}\" is no electronic address", shown(endpoint)),
                )
                .advise("write scheme and number, as in \"0192:974760673\" for a Norwegian organisation");
        }
    }
    if channel.is_none() {
        return;
    }
    if payer_endpoint.is_none() {
        report
            .error("S076", item.at(&["invoices"]), "an e-invoice names the electronic address of its payer, and a person has none")
            .advise("add `payer_endpoint`, the address of the operator who brings it to him, as in \"0192:974760673\"");
    }
    if let Err(why) = seller_is_fit(&seller) {
        report
            .error("S076", item.at(&["invoices", "channel"]), format!("this seller can send no e-invoices: {why}"))
            .advise("an e-invoice says who its seller is: put it into `[[seller]]`, or leave `channel` out and print the invoices");
    }
}

fn party(seller: &Seller) -> Party {
    let address = &seller.address;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Party {
        name: seller.name.clone(),
        company_number: seller.company_number.clone(),
        vat_number: seller.vat_number.clone(),
        address: Address {
            street: text(&address.street),
            more: Vec::new(),
            city: text(&address.city),
            postcode: text(&address.postcode),
            country: text(&address.country),
        },
        ..Party::default()
    }
}
