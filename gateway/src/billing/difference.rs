//! A bill that would be another one now: what a correction would change in it, for whoever has to decide.

use super::Billing;
use super::affected::priced;
use super::again::Given;
use super::work::{Subject, Trouble};
use crate::store::{self, OrgId};
use takst_engine::correction::{CorrectionError, correct};
use takst_engine::document::Document;
use takst_engine::exact::print_decimal;
use takst_engine::units::Instant;

/// What the bills of a session say, and what they would say now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The first bill.
    pub bill: String,
    /// ISO 4217.
    pub currency: String,
    /// What all bills of the session come to together.
    pub billed: String,
    /// The correction that would be issued; none where the bills are right as they are.
    pub correction: Option<Document>,
    /// Money was given back: a correction would charge it again, so none can be ordered.
    pub refunded: bool,
    /// Why it cannot be worked out, where it cannot.
    pub trouble: Option<String>,
    /// Since when somebody is waited for, and why; none where nobody is.
    pub waits: Option<(Instant, String)>,
}

impl Billing {
    /// What a correction of a session's bill would change now. Nothing is written.
    ///
    /// # Errors
    /// When there is no such session, it has no bill, or the storage fails.
    pub async fn difference(&self, org: &OrgId, session: &str) -> Result<Difference, store::Error> {
        let mut reader = self.inner.store.read().await?;
        let missing = || store::Error::Missing { what: "session", id: session.to_owned() };
        let stored = reader.session(org, session).await?.ok_or_else(missing)?;
        let given = Given::read(reader.session_bills(org, session).await?)?;
        let Some((first, document)) = given.first() else {
            return Err(store::Error::refused("the session has no bill yet"));
        };
        let open = reader.open_incidents(org).await?;
        let waits = open.into_iter().find(|open| open.kind == "bill.differs" && open.subject == session);
        let waits = waits.map(|open| {
            let about: serde_json::Value = serde_json::from_str(&open.document).unwrap_or_default();
            let reason = about.get("reason").and_then(serde_json::Value::as_str).unwrap_or_default();
            (open.opened_at, reason.to_owned())
        });
        let digits = document.total.split_once('.').map_or(0, |(_, cents)| cents.len());
        let total = given.bills.iter().map(|bill| i128::from(bill.total)).sum();
        let mut difference = Difference {
            bill: first.id.clone(),
            currency: first.currency.clone(),
            billed: print_decimal(total, u32::try_from(digits).unwrap_or_default(), false),
            correction: None,
            refunded: given.is_refunded(),
            trouble: None,
            waits,
        };
        let followed = given.followed(&stored);
        let subject = Subject::read(&mut reader, org, &self.inner.setup, stored, followed).await;
        let worked = match subject {
            Ok(subject) => priced(&mut reader, org, &given, &subject).await,
            Err(trouble) => Err(trouble),
        };
        match worked {
            Ok(worked) if !worked.bill.is_final() => {
                difference.trouble = Some("a price is missing".to_owned());
            }
            Ok(worked) => match correct(document, given.earlier(), &worked.document) {
                Ok(correction) => difference.correction = Some(correction),
                Err(CorrectionError::Nothing) => {}
                Err(error) => difference.trouble = Some(error.to_string()),
            },
            Err(Trouble::Hold(reason)) => difference.trouble = Some(reason),
            Err(Trouble::Store(error)) => return Err(error),
        }
        Ok(difference)
    }
}
