//! What happened to an intent, written down: its state, its payment, the ledger, events and incidents, in one commit.

use super::account::{self, Account, BY, Cause};
use super::call::{Errand, Heard};
use super::intent::{self, Request};
use super::machine::{Action, Event, NOT_FINISHED, Refusal, Rules, State, Told, step};
use super::owed::Owed;
use super::provider::{DeliveryState, Fault, InvoiceDelivery, MailKind, Pin, ProviderInstrument};
use super::returns::{self, Returns};
use crate::invoicing;
use crate::store::{
    Alert, Error, InstrumentStatus, Intent, IntentKind, IntentState, NewEvent, OrgId, Payment, PaymentStatus,
    Tx,
};
use serde_json::json;
use takst_engine::units::Instant;

/// One unit of work about one intent.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub org: OrgId,
    pub intent: String,
    pub now: Instant,
    pub dice: u64,
    pub rules: Rules,
}

/// What comes of a claim.
#[derive(Clone, Debug)]
pub(super) enum Claimed {
    /// Nothing is to be done now.
    Nothing,
    /// This errand is to be run.
    Errand(Errand, Box<Intent>),
}

impl Unit {
    /// Takes what is due on: writes down that it is being asked, before it is. `pin`: who is asked, if it was not asked before.
    pub async fn claim(&self, tx: &mut Tx, pin: &Pin) -> Result<Claimed, Error> {
        let mut row = tx.lock_intent(&self.org, &self.intent).await?;
        if row.next_at.is_none_or(|at| at > self.now) {
            return Ok(Claimed::Nothing);
        }
        if row.state == IntentState::Waiting {
            if !tx.is_first(&self.org, &row.id).await? {
                return Ok(Claimed::Nothing);
            }
            if !self.ready(tx, &mut row).await? {
                return Ok(Claimed::Nothing);
            }
            row.version = row.version.or_else(|| Some(pin.version.clone()));
            row.sha256 = row.sha256.or_else(|| Some(pin.sha256.clone()));
        }
        let (row, actions) = self.step(tx, row, &Event::Due).await?;
        let errand = actions.iter().find_map(|action| match action {
            Action::Call => Some(Errand::Call),
            // What its payment comes to is by now the doing of others, too: only its key tells of it.
            Action::Look if row.kind == IntentKind::Refund && row.finished_at.is_some() => {
                Some(Errand::LookUp)
            }
            Action::LookUp => Some(Errand::LookUp),
            Action::Look => Some(Errand::Look),
            _ => None,
        });
        Ok(errand.map_or(Claimed::Nothing, |errand| Claimed::Errand(errand, Box::new(row))))
    }

    // What must be settled before the first asking: how much there is to give back, and of which payment. Whether it is to
    // be asked for at all.
    async fn ready(&self, tx: &mut Tx, row: &mut Intent) -> Result<bool, Error> {
        // A message that waits was certainly not sent, also when it was asked for: weeks may have gone by since.
        if row.called && row.kind != IntentKind::Message {
            return Ok(true);
        }
        let nothing = match row.kind {
            IntentKind::Charge | IntentKind::Refund | IntentKind::Capture | IntentKind::Cancel => {
                self.payment_ready(tx, row).await?
            }
            IntentKind::Invoice | IntentKind::Recall => invoicing::ready(tx, &self.org, row).await?,
            IntentKind::Message => self.message_ready(tx, row).await?,
            IntentKind::Save | IntentKind::Mail | IntentKind::Values => None,
        };
        let Some(why) = nothing else { return Ok(true) };
        let over = State { phase: IntentState::Done, next: None, since: self.now, ..intent::state(row) };
        let over = intent::put(row.clone(), &over, self.now);
        let (code, detail) = (Some("not-needed".to_owned()), Some(why.to_owned()));
        let over = Intent { code, detail, called: row.called, ..over };
        tx.update_intent(&self.org, &over).await?;
        self.followed(tx, row.state, &over).await?;
        self.counted(tx, &over, false).await?;
        Ok(false)
    }

    // Why nobody is to be reminded any more; a message about something else is not looked at.
    async fn message_ready(&self, tx: &mut Tx, row: &Intent) -> Result<Option<&'static str>, Error> {
        let Some(reminder) = tx.reminder(&self.org, &row.subject).await? else { return Ok(None) };
        if reminder.cancelled_at.is_some() {
            return Ok(Some("the reminder was taken back before the message was sent"));
        }
        let mut bills = Vec::new();
        for id in reminder.bill_ids()? {
            bills.extend(tx.bill(&self.org, &id).await?);
        }
        let left = Owed::left_of(tx, &self.org, &bills).await?;
        Ok((left == 0).then_some("nothing was left to pay before the message was sent"))
    }

    // Why there is nothing to be asked about a payment; else how much is to be given back is settled.
    async fn payment_ready(&self, tx: &mut Tx, row: &mut Intent) -> Result<Option<&'static str>, Error> {
        let payment = tx.lock_payment(&self.org, &row.subject).await?;
        row.theirs.clone_from(&payment.theirs);
        let account = Account::locked(tx, &self.org, (&payment).into()).await?;
        let is_owed = account.as_ref().is_none_or(|account| account.left() > 0);
        Ok(match Request::of(row)? {
            Request::Charge(_) if !is_owed => {
                let (status, failure) = (PaymentStatus::Cancelled, Some(NOT_OWED.to_owned()));
                self.put(tx, &payment, Payment { status, failure, ..payment.clone() }).await?;
                Some(NOT_OWED)
            }
            Request::Charge(_) => None,
            Request::Capture(_) if !is_owed => Some(NOT_OWED),
            Request::Refund(mut refund) => {
                let returns = Returns::of(&payment, &tx.intents_about(&self.org, &payment.id).await?)?;
                let left = payment.captured.saturating_sub(payment.refunded).max(0);
                // More may be owed again than when it was written down.
                let beyond = account.map_or(i64::MAX, |account| account.beyond_for(&row.id));
                refund.amount.minor = refund.amount.minor.min(left).min(beyond);
                refund.target = Some(returns.by_provider.saturating_add(refund.amount.minor));
                let nothing = refund.amount.minor == 0;
                row.request = Request::Refund(refund).text();
                nothing.then_some("nothing of the payment is left to be given back")
            }
            Request::Cancel if payment.captured > 0 => Some("the money was taken before"),
            _ if payment.theirs.is_none() => Some("the payment never came to the provider"),
            _ => None,
        })
    }

    // What an invoice's way coming to an end leads to.
    async fn followed(&self, tx: &mut Tx, before: IntentState, row: &Intent) -> Result<(), Error> {
        let of_invoice = match row.kind {
            IntentKind::Invoice | IntentKind::Recall => true,
            IntentKind::Mail => {
                matches!(Request::of(row)?, Request::Mail(mail) if mail.kind == MailKind::Invoice)
            }
            _ => false,
        };
        if of_invoice && before != row.state {
            invoicing::moved(tx, &self.org, row, self.now).await?;
        }
        Ok(())
    }

    /// Writes down what was heard of an errand; with the attempt, and when something was due, as it was claimed.
    pub async fn heard(
        &self,
        tx: &mut Tx,
        (errand, attempt, due): (Errand, i64, Option<Instant>),
        heard: &Heard,
    ) -> Result<Intent, Error> {
        let row = tx.lock_intent(&self.org, &self.intent).await?;
        let before = row.state;
        // Somebody hinted while the look was on its way: what he means may not be in its answer.
        let hinted = row.next_at.filter(|_| errand != Errand::Call && row.next_at != due);
        let stood = if is_of_money(row.kind) { tx.payment(&self.org, &row.subject).await? } else { None };
        let mut row = self.hear(tx, row, (errand, attempt), heard).await?;
        if let Some(hinted) = hinted {
            row.next_at = Some(row.next_at.map_or(hinted, |next| next.min(hinted)));
            tx.update_intent(&self.org, &row).await?;
        }
        self.followed(tx, before, &row).await?;
        if let Some(stood) = stood {
            let stands = tx.lock_payment(&self.org, &stood.id).await?;
            if before != row.state || stands != stood {
                self.counted(tx, &row, stands.captured > stood.captured).await?;
            }
        }
        Ok(row)
    }

    // What the money that stands together comes to now that something about a payment has changed.
    async fn counted(&self, tx: &mut Tx, row: &Intent, has_taken: bool) -> Result<(), Error> {
        if !is_of_money(row.kind) {
            return Ok(());
        }
        let Some(payment) = tx.payment(&self.org, &row.subject).await? else { return Ok(()) };
        let cause = Cause { just: has_taken.then_some(&payment.id), ..Cause::default() };
        account::count(tx, &self.org, (&payment).into(), cause, self.now).await
    }

    async fn hear(
        &self,
        tx: &mut Tx,
        row: Intent,
        (errand, attempt): (Errand, i64),
        heard: &Heard,
    ) -> Result<Intent, Error> {
        match heard {
            Heard::Delivery(said) => {
                let doubt = match errand {
                    Errand::Call => None,
                    Errand::LookUp | Errand::Look => {
                        invoicing::of_another_attempt(tx, &self.org, &row, said).await?
                    }
                };
                match doubt {
                    Some(fault) => self.fault(tx, row, (errand, attempt), &fault).await,
                    None => self.delivery(tx, row, said).await,
                }
            }
            Heard::Payment(said) => self.payment(tx, row, said).await,
            Heard::Instrument(said) => self.instrument(tx, row, said).await,
            Heard::Message(name) => {
                let row = Intent { theirs: Some(name.clone()).filter(|name| !name.is_empty()), ..row };
                Ok(self.step(tx, row, &Event::Told(Told::Done)).await?.0)
            }
            Heard::Nothing => {
                // What it had taken on it no longer knows: only for an instrument without a name does that stay open.
                let event = match (errand, row.state) {
                    (Errand::Look, IntentState::Following) => Event::Told(Told::Going),
                    _ => Event::Nothing { attempt },
                };
                Ok(self.step(tx, row, &event).await?.0)
            }
            Heard::Fault(fault) => self.fault(tx, row, (errand, attempt), fault).await,
        }
    }

    async fn fault(
        &self,
        tx: &mut Tx,
        row: Intent,
        (errand, attempt): (Errand, i64),
        fault: &Fault,
    ) -> Result<Intent, Error> {
        let event = match errand {
            Errand::Call => Event::CallFailed { attempt, fault: fault.clone() },
            Errand::LookUp | Errand::Look => Event::LookFailed { attempt, fault: fault.clone() },
        };
        let (before, code) = (row.state, fault.code.clone());
        let (row, _) = self.step(tx, row, &event).await?;
        if before != IntentState::Failed && row.state == IntentState::Failed {
            self.refused(tx, &row, fault).await?;
        }
        metrics::counter!("takst_outbox_faults_total", "plugin" => row.plugin.clone(), "code" => code)
            .increment(1);
        Ok(row)
    }

    /// Writes down what else happened: a start, a hint.
    pub async fn happened(&self, tx: &mut Tx, event: &Event) -> Result<Intent, Error> {
        let row = tx.lock_intent(&self.org, &self.intent).await?;
        Ok(self.step(tx, row, event).await?.0)
    }

    /// Writes down what a person wants.
    pub async fn person(&self, tx: &mut Tx, event: &Event) -> Result<(Intent, Intent), Error> {
        let before = tx.lock_intent(&self.org, &self.intent).await?;
        // What moved at the other side after it was over is accepted as it is.
        if before.finished_at.is_some()
            && matches!(event, Event::GiveUp { .. })
            && self.settle(tx, &before).await?
        {
            return Ok((before.clone(), before));
        }
        let refused = |refusal: Refusal| Error::refused(refusal.to_string());
        step(&intent::state(&before), event, self.now, self.dice, &self.rules).map_err(refused)?;
        let (mut after, _) = self.step(tx, before.clone(), event).await?;
        // Who wants values tried again has looked whether they came: many systems cannot be asked. What comes twice is the same twice.
        if (event, after.kind, after.state) == (&Event::Retry, IntentKind::Values, IntentState::Unknown) {
            let waits = State { phase: IntentState::Waiting, ..intent::state(&after) };
            after = intent::put(after, &waits, self.now);
            tx.update_intent(&self.org, &after).await?;
        }
        // What of the rest was done, its own pages tell.
        let is_looked_at = is_of_money(after.kind) || after.kind == IntentKind::Save;
        if after.state == IntentState::GivenUp && after.next_at.is_some() && !is_looked_at {
            after.next_at = None;
            tx.update_intent(&self.org, &after).await?;
        }
        if after.state == IntentState::GivenUp && after.kind == IntentKind::Charge {
            let payment = tx.lock_payment(&self.org, &after.subject).await?;
            if payment.captured == 0 {
                let failure = after.detail.clone();
                self.put(
                    tx,
                    &payment,
                    Payment { status: PaymentStatus::GivenUp, failure, ..payment.clone() },
                )
                .await?;
            }
        }
        self.followed(tx, before.state, &after).await?;
        self.counted(tx, &after, false).await?;
        Ok((before, after))
    }

    /// The machine's step, with what it asks for done.
    pub(super) async fn step(
        &self,
        tx: &mut Tx,
        mut row: Intent,
        event: &Event,
    ) -> Result<(Intent, Vec<Action>), Error> {
        let stepped = step(&intent::state(&row), event, self.now, self.dice, &self.rules);
        let (state, actions) = stepped.map_err(|refusal| Error::refused(refusal.to_string()))?;
        // The trouble before is over; what this step says of its end stays.
        if state.phase == IntentState::Done && row.state != IntentState::Done {
            (row.code, row.detail) = (None, None);
        }
        for action in &actions {
            match action {
                Action::Note(code, text) | Action::Raise(code, text) => {
                    (row.code, row.detail) = (Some(code.clone()), Some(text.clone()));
                }
                _ => {}
            }
        }
        let was_open = row.finished_at.is_none();
        let mut row = intent::put(row, &state, self.now);
        let is_undone = matches!(row.state, IntentState::Failed | IntentState::GivenUp);
        if row.kind == IntentKind::Refund && was_open && is_undone {
            // What of it came back before is not undone.
            let payment = tx.lock_payment(&self.org, &row.subject).await?;
            let about = tx.intents_about(&self.org, &row.subject).await?;
            row = returns::ended(row, Returns::of(&payment, &about)?.by_provider)?;
        }
        tx.update_intent(&self.org, &row).await?;
        for action in &actions {
            match action {
                Action::Raise(code, text) => self.raise(tx, &row, code, text).await?,
                Action::Settle => {
                    self.settle(tx, &row).await?;
                }
                Action::Close if row.state == IntentState::Done => {
                    self.settle(tx, &row).await?;
                }
                _ => {}
            }
        }
        Ok((row, actions))
    }

    async fn instrument(&self, tx: &mut Tx, row: Intent, said: &ProviderInstrument) -> Result<Intent, Error> {
        let found = tx.instrument(&self.org, &row.subject).await?;
        let found = found.ok_or_else(|| Error::Missing { what: "instrument", id: row.subject.clone() })?;
        let theirs = Some(said.reference.clone()).filter(|text| !text.is_empty()).or(found.theirs);
        let (status, told) = match (&said.failure, said.ready) {
            // A card that was declined while another can still be tried is not the end.
            (Some(fault), _) if said.next.is_none() => {
                (InstrumentStatus::Failed, Told::Refused(fault.code.clone(), fault.detail.clone()))
            }
            (_, true) => (InstrumentStatus::Ready, Told::Done),
            // It failed or was given up here; when he finishes it there all the same, it is ready.
            (_, false) if row.finished_at.is_some() => (found.status, Told::Going),
            (_, false) if row.state == IntentState::Following && self.is_abandoned(&row) => {
                let words = "the payer did not finish it".to_owned();
                (InstrumentStatus::Failed, Told::Refused(NOT_FINISHED.to_owned(), words))
            }
            (_, false) => (InstrumentStatus::ActionNeeded, Told::Going),
        };
        let label = Some(said.label.clone()).filter(|text| !text.is_empty()).or(found.label);
        let failure = match (&said.failure, &told) {
            (Some(fault), _) => Some(fault.detail.clone()),
            (None, Told::Refused(_, words)) => Some(words.clone()),
            (None, _) if status == InstrumentStatus::Failed => found.failure.clone(),
            (None, _) => None,
        };
        let news = found.status != status;
        let after = crate::store::Instrument {
            status,
            theirs: theirs.clone(),
            label,
            next: said.next.clone(),
            failure,
            updated_at: self.now,
            ..found
        };
        tx.put_instrument(&self.org, &after).await?;
        if news {
            let document = json!({ "instrument": after.id, "debtor": after.debtor, "status": status });
            let kind = format!("instrument.{}", status.as_str());
            let event = NewEvent { at: self.now, kind, subject: after.id, document: document.to_string() };
            tx.log_event(&self.org, event);
        }
        Ok(self.step(tx, Intent { theirs, ..row }, &Event::Told(told)).await?.0)
    }

    async fn delivery(&self, tx: &mut Tx, row: Intent, said: &InvoiceDelivery) -> Result<Intent, Error> {
        let InvoiceDelivery { reference, state, code, detail } = said.clone();
        let told = match (row.kind, state) {
            (IntentKind::Recall, DeliveryState::Accepted | DeliveryState::Delivered) => {
                Told::Refused("not-taken-back".to_owned(), detail)
            }
            // Whatever the channel does not have, the payer does not have from it.
            (IntentKind::Recall, _) | (_, DeliveryState::Delivered) => Told::Done,
            (_, DeliveryState::Accepted) => Told::Going,
            (_, DeliveryState::Elsewhere | DeliveryState::Rejected) => Told::Refused(code, detail),
            (_, DeliveryState::Cancelled) => {
                let about = tx.intents_about(&self.org, &row.subject).await?;
                match about.iter().any(|other| other.kind == IntentKind::Recall) {
                    true => Told::Refused(invoicing::CANCELLED.to_owned(), detail),
                    false => Told::Odd(
                        "cancelled-unasked".to_owned(),
                        format!(
                            "the channel has taken the invoice back, and nobody here asked for it: {detail}"
                        ),
                    ),
                }
            }
        };
        let theirs = Some(reference).filter(|name| !name.is_empty()).or(row.theirs.clone());
        Ok(self.step(tx, Intent { theirs, ..row }, &Event::Told(told)).await?.0)
    }

    // The provider said no to the asking itself.
    async fn refused(&self, tx: &mut Tx, row: &Intent, fault: &Fault) -> Result<(), Error> {
        match row.kind {
            IntentKind::Charge => {
                let payment = tx.lock_payment(&self.org, &row.subject).await?;
                let failure = Some(fault.detail.clone());
                self.put(tx, &payment, Payment { status: PaymentStatus::Failed, failure, ..payment.clone() })
                    .await
            }
            IntentKind::Save => {
                let Some(found) = tx.instrument(&self.org, &row.subject).await? else { return Ok(()) };
                let (status, failure) = (InstrumentStatus::Failed, Some(fault.detail.clone()));
                let after = crate::store::Instrument { status, failure, updated_at: self.now, ..found };
                tx.put_instrument(&self.org, &after).await
            }
            // What nobody will take stays set aside for a while: the payer asks why.
            IntentKind::Cancel if row.created_by == BY => {
                let payment = tx.lock_payment(&self.org, &row.subject).await?;
                match payment.status {
                    PaymentStatus::Authorized => self.raise(tx, row, &fault.code, &fault.detail).await,
                    _ => Ok(()),
                }
            }
            // Money that is owed and does not move, values that somebody waits for: somebody must see to it.
            IntentKind::Capture | IntentKind::Refund | IntentKind::Values => {
                self.raise(tx, row, &fault.code, &fault.detail).await
            }
            IntentKind::Cancel
            | IntentKind::Message
            | IntentKind::Invoice
            | IntentKind::Recall
            | IntentKind::Mail => Ok(()),
        }
    }

    /// A person is to see to it.
    pub(super) async fn raise(&self, tx: &mut Tx, row: &Intent, code: &str, text: &str) -> Result<(), Error> {
        let document = json!({
            "intent": row.id, "kind": row.kind, "subject": row.subject, "debtor": row.debtor, "plugin": row.plugin,
            "state": row.state, "code": code, "reason": text,
        });
        tx.raise(&self.org, held(row), &document, self.now).await.map(drop)
    }

    // Whether there was an incident.
    async fn settle(&self, tx: &mut Tx, row: &Intent) -> Result<bool, Error> {
        tx.settle(&self.org, held(row), &json!({ "intent": row.id }), self.now).await
    }
}

// Whether it is about a payment.
fn is_of_money(kind: IntentKind) -> bool {
    matches!(kind, IntentKind::Charge | IntentKind::Capture | IntentKind::Refund | IntentKind::Cancel)
}

const NOT_OWED: &str = "nothing is owed any more";

/// What is told of a payment; `kind` as in `payment.paid`.
pub(super) fn payment_event(payment: &Payment, kind: &str, at: Instant) -> NewEvent {
    let document = json!({
        "payment": payment.id, "bill": payment.bill, "session": payment.session, "status": payment.status,
        "amount_minor": payment.amount, "captured_minor": payment.captured, "refunded_minor": payment.refunded,
        "currency": payment.currency, "failure": payment.failure,
    });
    let subject = payment.session.clone().unwrap_or_else(|| payment.bill.clone());
    NewEvent { at, kind: kind.to_owned(), subject, document: document.to_string() }
}

fn held(row: &Intent) -> Alert<'_> {
    let kind = match row.kind {
        IntentKind::Invoice | IntentKind::Recall => INVOICE_HELD,
        IntentKind::Mail => MAIL_HELD,
        IntentKind::Values => VALUES_HELD,
        _ => INCIDENT,
    };
    Alert { subject: &row.id, kind, severity: "error" }
}

/// The kind of incident that an intent needs a person with.
pub(super) const INCIDENT: &str = "payment.held";
/// The same of an invoice.
const INVOICE_HELD: &str = "invoice.held";
/// The same of meter values.
const VALUES_HELD: &str = "meters.held";
/// The same of an e-mail.
const MAIL_HELD: &str = "mail.held";
