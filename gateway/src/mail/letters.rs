//! What an e-mail says, and to whom it goes: both are looked up when it is sent.

use crate::billing::from_json;
use crate::house::House;
use crate::invoicing::{self, letter as invoice_letter};
use crate::outbox::provider::{Fault, MailKind, MailRequest, Outcome};
use crate::receipts::Form;
use crate::store::{Bill, Error, OrgId, Store};
use lettre::Address;

/// An e-mail that is to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Letter {
    /// Where it goes to.
    pub to: Address,
    pub subject: String,
    /// The same as text and as a page.
    pub text: String,
    pub page: String,
}

// Nothing was sent, and it can be asked for again.
fn later(why: &dyn std::fmt::Display) -> Fault {
    Fault::new(Outcome::NotDone, "storage", why.to_string())
}

fn never(code: &str, why: &str) -> Fault {
    Fault::new(Outcome::Refused, code, why)
}

/// The e-mail of a request.
///
/// # Errors
/// When there is nobody to send it to, or what it says cannot be read.
pub(super) async fn letter(
    store: &Store,
    house: &House,
    org: &OrgId,
    mail: &MailRequest,
) -> Result<Letter, Fault> {
    let mut reader = store.read().await.map_err(|error| later(&error))?;
    let person = reader.person(org, &mail.driver).await.map_err(|error| later(&error))?;
    let to = person.and_then(|person| person.email);
    let to = to.ok_or_else(|| never("no-email", "the driver's e-mail address is not known any more"))?;
    let to = to.trim().parse::<Address>().ok().filter(|to| to.to_string().is_ascii());
    let to = to.ok_or_else(|| never("wrong-email", "the driver's e-mail address is none"))?;
    match mail.kind {
        MailKind::Receipt => {
            let bill = reader.bill(org, &mail.about).await.map_err(|error| later(&error))?;
            let bill = bill.ok_or_else(|| never("no-bill", "there is no such bill"))?;
            let (head, _) = from_json(&bill.document).map_err(|why| later(&Error::Corrupt(why)))?;
            let what = if bill.total < 0 { "Credit note" } else { "Receipt" };
            let subject = format!("{what} {}, {}", head.number, head.issued_by.name);
            let (text, page) = (receipt(house, &bill, Form::Text)?, receipt(house, &bill, Form::Page)?);
            Ok(Letter { to, subject, text, page })
        }
        MailKind::Invoice => {
            let found = invoice_letter(&mut reader, org, &mail.about).await.map_err(|why| later(&why))?;
            let receipt = receipt(house, &found.bill, Form::Text)?;
            let language = found.language.clone();
            let page = invoicing::page(&found, &language, &receipt).into_string();
            let (title, text) = invoicing::plain(&found, &language, &receipt);
            let (head, _) = from_json(&found.bill.document).map_err(|why| later(&Error::Corrupt(why)))?;
            let subject = format!("{title}, {}", head.issued_by.name);
            Ok(Letter { to, subject, text, page })
        }
    }
}

fn receipt(house: &House, bill: &Bill, form: Form) -> Result<String, Fault> {
    house.receipt(bill, form).map_err(|why| later(&why))
}
