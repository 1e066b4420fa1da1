//! E-mail: receipts of bills, and invoices that go this way, through the operator's own mail server. Absent: the words of receipts (`receipts`), and when
//! something is sent (`outbox`).
//!
//! **At least once.** SMTP has no way to ask what became of a message. Until its content is handed over it is certain that it was not taken; from then until the
//! server has answered, nobody knows. Such a message goes out again, under the same `Message-ID`, by which mailboxes know that they have it: a receipt that comes
//! twice does less harm than one that never comes. Everything else is answered, and certain.

mod letters;
mod send;

use crate::house::House;
use crate::outbox::provider::{
    Answer, ChargeRequest, Fault, MailRequest, MessageRequest, Money, Operation, Outcome, PaymentProvider,
    ProviderInstrument, ProviderPayment, SaveRequest,
};
use crate::outbox::{Request, Wanted, new};
use crate::store::{Bill, Error, OrgId, Store, Tx};
use lettre::message::Mailbox;
use std::sync::Arc;
use takst_engine::units::Instant;
use takst_plugins::secrets::Secret;

/// In place of a plugin: the mail server.
pub const MAIL: &str = "@mail";

/// How the line to the server is kept secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// It goes over to TLS before anything is said.
    Starttls,
    /// TLS from the beginning.
    Tls,
    /// Not at all.
    None,
}

/// A mail server, and who mail is from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the line is kept secret.
    pub security: Security,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// Who mail is from.
    pub from: Mailbox,
    /// Where answers go.
    pub reply_to: Option<Mailbox>,
    /// Certificates (PEM) of further authorities.
    pub roots: Option<Vec<u8>>,
    /// Drivers get receipts.
    pub receipts: bool,
}

/// Writes down that a driver gets the receipt of a bill, in the unit of work that issues it; nothing where no e-mail address is known.
///
/// # Errors
/// When the database fails.
pub async fn receipt(tx: &mut Tx, org: &OrgId, bill: &Bill, driver: &str, now: Instant) -> Result<(), Error> {
    let person = tx.person(org, driver).await?;
    if person.is_none_or(|person| person.email.is_none()) {
        return Ok(());
    }
    let kind = crate::outbox::provider::MailKind::Receipt;
    let request = MailRequest { kind, about: bill.id.clone(), driver: driver.to_owned() };
    write_down(tx, org, (format!("receipt:{}", bill.id), &bill.id), request, now).await
}

/// Writes an e-mail down that is to be sent, once for each `source`.
///
/// # Errors
/// When the database fails.
pub async fn write_down(
    tx: &mut Tx,
    org: &OrgId,
    (source, subject): (String, &str),
    request: MailRequest,
    now: Instant,
) -> Result<(), Error> {
    // A queue of its own: nothing waits for an e-mail.
    let wanted = Wanted {
        debtor: source.clone(),
        source,
        plugin: MAIL.to_owned(),
        subject: subject.to_owned(),
        theirs: None,
        by: "billing".to_owned(),
    };
    tx.add_intent(org, &new(wanted, &Request::Mail(request), now)).await.map(drop)
}

/// Sends e-mail, and nothing else that the outbox asks for.
pub struct Mailer {
    store: Store,
    house: Arc<House>,
    org: OrgId,
}

impl Mailer {
    /// Of this set-up.
    #[must_use]
    pub fn new(store: Store, house: Arc<House>, org: OrgId) -> Self {
        Self { store, house, org }
    }
}

fn not_mail<T>() -> Result<T, Fault> {
    Err(Fault::new(Outcome::Refused, "no-payments", "a mail server takes no payments"))
}

impl PaymentProvider for Mailer {
    fn mail<'a>(&'a self, key: &'a str, mail: &'a MailRequest) -> Answer<'a, String> {
        Box::pin(async move {
            let gone = "there is no mail server in the set-up: add `[mail]`, or give this up";
            let server = self.house.mail().ok_or_else(|| Fault::new(Outcome::NotDone, "no-server", gone))?;
            let letter = letters::letter(&self.store, &self.house, &self.org, mail).await?;
            send::send(&server, key, &letter).await
        })
    }

    fn save<'a>(&'a self, _: &'a str, _: &'a SaveRequest) -> Answer<'a, ProviderInstrument> {
        Box::pin(async { not_mail() })
    }
    fn saved<'a>(&'a self, _: &'a str) -> Answer<'a, ProviderInstrument> {
        Box::pin(async { not_mail() })
    }
    fn charge<'a>(&'a self, _: &'a str, _: &'a ChargeRequest) -> Answer<'a, ProviderPayment> {
        Box::pin(async { not_mail() })
    }
    fn capture<'a>(&'a self, _: &'a str, _: &'a str, _: &'a Money) -> Answer<'a, ProviderPayment> {
        Box::pin(async { not_mail() })
    }
    fn refund<'a>(&'a self, _: &'a str, _: &'a str, _: &'a Money, _: &'a str) -> Answer<'a, ProviderPayment> {
        Box::pin(async { not_mail() })
    }
    fn cancel<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, ProviderPayment> {
        Box::pin(async { not_mail() })
    }
    fn status<'a>(&'a self, _: &'a str) -> Answer<'a, ProviderPayment> {
        Box::pin(async { not_mail() })
    }
    fn lookup<'a>(
        &'a self,
        _: &'a str,
        _: Operation,
        _: &'a str,
        _: Option<&'a str>,
    ) -> Answer<'a, Option<ProviderPayment>> {
        Box::pin(async { not_mail() })
    }
    fn send<'a>(&'a self, _: &'a str, _: &'a MessageRequest) -> Answer<'a, String> {
        Box::pin(async { not_mail() })
    }
}
