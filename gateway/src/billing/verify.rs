//! A bill is worked out again from what is stored, and compared byte for byte.

use super::Billing;
use super::again::{Given, Moved};
use super::issued::{Head, from_json, to_json};
use super::work::{Hashes, Subject, Trouble};
use crate::store::{self, Bill, BillKind, OrgId, Reader};
use takst_engine::Standing;
use takst_engine::correction::{correct, refund};
use takst_engine::document::Document;
use takst_engine::prepared::hash_text;

/// What comes of working a bill out again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every byte is the same.
    Same,
    /// The session says something else than when the bill was made, so its own bill cannot be made of it any more. The
    /// facts that were received tell what it said then; a correction tells what changed.
    SessionChanged,
    /// What it was made from is not there any more. What.
    Missing(String),
    /// It comes out differently. This is what comes out.
    Different(String),
}

impl Billing {
    /// Works a bill out again, from the stored session, prices, counters and tariff, and compares.
    ///
    /// # Errors
    /// When there is no such bill, or the storage fails.
    pub async fn verify(&self, org: &OrgId, bill: &str) -> Result<Verdict, store::Error> {
        let mut reader = self.inner.store.read().await?;
        let missing = || store::Error::Missing { what: "bill", id: bill.to_owned() };
        let bill = reader.bill(org, bill).await?.ok_or_else(missing)?;
        match self.again(&mut reader, org, &bill).await {
            Ok(Some(text)) if text == bill.document => Ok(Verdict::Same),
            Ok(Some(text)) => Ok(Verdict::Different(text)),
            Ok(None) => Ok(Verdict::SessionChanged),
            Err(Trouble::Hold(what)) => Ok(Verdict::Missing(what)),
            Err(Trouble::Store(error)) => Err(error),
        }
    }

    // The document of a bill; none when the session is another one than then.
    async fn again(&self, reader: &mut Reader, org: &OrgId, bill: &Bill) -> Result<Option<String>, Trouble> {
        let gone = |what: &str| Trouble::Hold(what.to_owned());
        let session = bill.session.as_deref().ok_or_else(|| gone("the bill is of no session"))?;
        let bills = reader.session_bills(org, session).await?;
        let before = bills.into_iter().filter(|other| other.revision < bill.revision);
        let given = Given::read(before.collect())?;
        let hashes: Hashes = serde_json::from_str(&bill.hashes).map_err(|error| gone(&error.to_string()))?;
        let document = match (&hashes.refund, bill.kind) {
            (Some(terms), BillKind::Refund) => {
                let (_, first) = given.first().ok_or_else(|| gone("its first bill"))?;
                let names =
                    terms.charges.as_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
                refund(first, given.earlier(), names.as_deref(), &terms.reason)
                    .map_err(|error| gone(&error.to_string()))?
            }
            _ => {
                let stored = reader.session(org, session).await?.ok_or_else(|| gone("its session"))?;
                let setup = &self.inner.setup;
                let subject = Subject::read(reader, org, setup, stored, Some(hashes.followed())).await?;
                if hash_text(subject.text.as_bytes()) != hashes.session {
                    return Ok(None);
                }
                let opened = opened(reader, org, &subject, &given, bill).await?;
                let opening = subject.opening(&opened);
                let worked = subject.price(reader, org, &opening, Some(&hashes.publications)).await?;
                match given.first() {
                    None => worked.document,
                    Some((_, first)) => correct(first, given.earlier(), &worked.document)
                        .map_err(|error| gone(&error.to_string()))?,
                }
            }
        };
        let ready = self.inner.setup.ready(&hashes.tariff).ok_or_else(|| gone("its tariff"))?;
        // Who the seller was then stands on the bill alone.
        let issued_by = from_json(&bill.document).map_err(Trouble::Hold)?.0.issued_by;
        let head =
            Head::new((&bill.series, bill.number), (&bill.seller, issued_by), bill.issued_at, ready.zone());
        let revision = u32::try_from(bill.revision).unwrap_or(u32::MAX);
        let document = Document { corrects: bill.corrects.clone(), revision, ..document };
        to_json(&head, &bill.id, &document).map(Some).map_err(Trouble::Hold)
    }
}

// What the counters stood at: as the first bill that moved them found them, be it this one.
async fn opened(
    reader: &mut Reader,
    org: &OrgId,
    subject: &Subject,
    given: &Given,
    bill: &Bill,
) -> Result<Vec<Standing>, Trouble> {
    let before = Moved::by(reader, org, &given.bills).await?;
    let own = Moved::by(reader, org, std::slice::from_ref(bill)).await?;
    let opening = |name: &str| before.opening(name).or(own.opening(name)).cloned().unwrap_or_default();
    Ok(subject.scopes.iter().map(|(_, name)| opening(name)).collect())
}
