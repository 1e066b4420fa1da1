//! What is sent: the e-invoice of a bill, with who its payer is. Made when it is needed; the same bill always gives the same document, as long as the payer
//! is who he was and nothing more was paid.

use super::Terms;
use crate::billing::from_json;
use crate::invoices::{self, Address, Billed, Contact, Corrected, InvoiceError, Party, Payment};
use crate::store::{Bill, Error, Invoice, OrgId, PaymentFilter, Person, Reader};
use chrono::NaiveDate;
use serde_json::Value;

/// An invoice with everything that goes to its channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// As it is written down.
    pub invoice: Invoice,
    /// The bill that it is.
    pub bill: Bill,
    /// Who pays it.
    pub payer: Party,
    /// What a channel may know of the payer: `name`, `email`, `phone`, `address`, `birth-date`, `national-id`, as far as it is known here.
    pub known: Vec<(String, String)>,
    /// The language to write to him in, as in `nb`; English where it is not known.
    pub language: String,
    /// Where to pay, and what to write there.
    pub payment: Payment,
    /// What was paid of it so far, in minor units; 0 for a credit note.
    pub paid: i64,
    /// What it asks for: its amount without what was paid.
    pub left: i64,
    /// The e-invoice, or why there is none.
    pub document: Result<String, InvoiceError>,
}

/// Why there is nothing to send.
#[derive(Debug, thiserror::Error)]
pub enum NoLetter {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// There is no such invoice.
    #[error("there is no invoice `{0}`")]
    Missing(String),
}

/// An invoice with all that goes with it.
///
/// # Errors
/// When there is none, or the database fails.
pub async fn letter(reader: &mut Reader, org: &OrgId, id: &str) -> Result<Letter, NoLetter> {
    let invoice = reader.invoice(org, id).await?.ok_or_else(|| NoLetter::Missing(id.to_owned()))?;
    let missing = || Error::Missing { what: "bill", id: invoice.bill.clone() };
    let bill = reader.bill(org, &invoice.bill).await?.ok_or_else(missing)?;
    let corrected = match &invoice.corrects {
        Some(other) => reader.invoice(org, other).await?,
        None => None,
    };
    let key = invoice.debtor.split_once(':').map_or("", |(_, key)| key).to_owned();
    let person = match super::driver(&invoice.debtor) {
        Some(driver) => reader.person(org, driver).await?,
        None => None,
    };
    let paid = paid(reader, org, &invoice).await?;
    let left = invoice.amount.saturating_sub(paid);
    let terms = Terms::of(&invoice)?;
    let said = person.as_ref().and_then(|person| serde_json::from_str::<Value>(&person.document).ok());
    let language = said.as_ref().and_then(|said| said.get("language")?.as_str()).unwrap_or("en").to_owned();
    let (payer, known) = payer(person.as_ref(), &terms);
    let payment = Payment {
        account: terms.account.clone(),
        bic: terms.bic.clone(),
        reference: Some(invoice.reference.clone().unwrap_or_else(|| invoice.number.clone())),
    };
    let document = document(&invoice, &bill, corrected.as_ref(), (&payer, &key), (&terms, &payment), paid)?;
    Ok(Letter { invoice, bill, payer, known, language, payment, paid, left, document })
}

// What the payments of its own bill have brought: never more than it asks for.
async fn paid(reader: &mut Reader, org: &OrgId, invoice: &Invoice) -> Result<i64, Error> {
    let of_bill = PaymentFilter { bill: Some(invoice.bill.clone()), ..PaymentFilter::default() };
    let payments = reader.payments(org, &of_bill, None, 1_000).await?;
    let kept = payments.iter().map(|payment| payment.captured.saturating_sub(payment.refunded));
    Ok(kept.fold(0, i64::saturating_add).clamp(0, invoice.amount.max(0)))
}

fn day(text: &str) -> Option<NaiveDate> {
    text.parse().ok()
}

fn document(
    invoice: &Invoice,
    bill: &Bill,
    corrected: Option<&Invoice>,
    (payer, key): (&Party, &str),
    (terms, payment): (&Terms, &Payment),
    paid: i64,
) -> Result<Result<String, InvoiceError>, Error> {
    let (head, document) = from_json(&bill.document).map_err(Error::Corrupt)?;
    let seller = Party {
        in_foretaksregisteret: terms.in_foretaksregisteret,
        ..Party::of_issuer(&head.issued_by, &terms.country)
    };
    let corrupt = || Error::Corrupt(format!("the day of the invoice {}", invoice.id));
    let corrects: Vec<Corrected> = corrected
        .map(|one| Corrected { number: one.number.clone(), issued: day(&one.issued) })
        .into_iter()
        .collect();
    // What is paid asks for nothing: neither when nor where to pay.
    let asks = paid == 0 || paid < invoice.amount;
    let request = invoices::Request {
        number: &invoice.number,
        issued: day(&invoice.issued).ok_or_else(corrupt)?,
        due: invoice.due.as_deref().and_then(day).filter(|_| asks),
        seller: &seller,
        payer,
        bills: &[Billed { number: &invoice.number, document: &document }],
        buyer_reference: Some(key).filter(|key| !key.is_empty()),
        order: None,
        corrects: &corrects,
        payment: Some(payment).filter(|_| asks),
        settled: paid,
        note: None,
        reverse_charge: false,
        place: None,
    };
    Ok(invoices::invoice(&request).map(|made| made.to_xml()))
}

// Who pays, as far as it is known here, as the document has it and as channels ask for it.
fn payer(person: Option<&Person>, terms: &Terms) -> (Party, Vec<(String, String)>) {
    let Some(person) = person else {
        return (Party { endpoint: terms.endpoint(), ..Party::default() }, Vec::new());
    };
    let more: Value = serde_json::from_str(&person.document).unwrap_or_default();
    let text = |path: &[&str]| {
        let found = path.iter().try_fold(&more, |value, key| value.get(key));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    let address = Address {
        street: text(&["address", "street"]).unwrap_or_default(),
        more: Vec::new(),
        city: text(&["address", "city"]).unwrap_or_default(),
        postcode: text(&["address", "postcode"]).unwrap_or_default(),
        country: text(&["address", "country"]).unwrap_or_else(|| terms.country.clone()),
    };
    let town = [address.postcode.as_str(), address.city.as_str()].join(" ").trim().to_owned();
    let line = [address.street.as_str(), town.as_str()];
    let line = line.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    let known = [
        ("name", person.name.clone()),
        ("email", person.email.clone()),
        ("phone", person.phone.clone()),
        ("address", Some(line).filter(|line| !line.is_empty())),
        ("birth-date", text(&["birth_date"])),
        ("national-id", text(&["national_id"])),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let company_number = text(&["company_number"]);
    // A company has an address of its own, which follows from its number.
    let endpoint = if company_number.is_some() { None } else { terms.endpoint() };
    let party = Party {
        name: person.name.clone().unwrap_or_default(),
        company_number,
        vat_number: None,
        in_foretaksregisteret: false,
        address,
        endpoint,
        contact: Contact { name: None, phone: person.phone.clone(), email: person.email.clone() },
    };
    (party, known)
}
