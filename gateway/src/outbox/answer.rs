//! What a provider says of a payment, written down: the ledger, the payment, the intent, and what follows from it.

use super::account::{self, Account, BY};
use super::apply::{Unit, payment_event};
use super::intent::{self, Request, Wanted};
use super::machine::{Event, Told};
use super::owed::is_open;
use super::provider::{Fault, Money, Outcome, ProviderPayment};
use super::returns::{self, Returns};
use super::said::{self, Asked, Meaning, meaning};
use crate::ledger;
use crate::store::{Error, Intent, IntentKind, IntentState, Payment, PaymentStatus, Tx};

impl Unit {
    /// Writes down how a payment stands at its provider.
    pub(super) async fn payment(
        &self,
        tx: &mut Tx,
        mut row: Intent,
        said: &ProviderPayment,
    ) -> Result<Intent, Error> {
        let payment = tx.lock_payment(&self.org, &row.subject).await?;
        let mut about = tx.intents_about(&self.org, &row.subject).await?;
        let mut returns = Returns::of(&payment, &about)?;
        let (target, capture) = match Request::of(&row)? {
            Request::Refund(mut refund) => {
                if refund.target.is_none() {
                    // The other side has it, though this database never asked for it (it was restored): so much it was as came back.
                    let came = said.refunded.minor.saturating_sub(returns.by_provider);
                    let amount = refund.amount.minor;
                    refund.amount.minor = if came > 0 { amount.min(came) } else { amount };
                    refund.target = Some(returns.by_provider.saturating_add(refund.amount.minor));
                    (row.request, row.called) = (Request::Refund(refund.clone()).text(), true);
                    about.retain(|other| other.id != row.id);
                    about.push(row.clone());
                    returns = Returns::of(&payment, &about)?;
                }
                (refund.target.unwrap_or(i64::MAX), false)
            }
            Request::Charge(charge) => (0, charge.capture),
            _ => (0, false),
        };
        let is_over = row.finished_at.is_some();
        let asked = Asked { kind: row.kind, is_over, payment: &payment, returns: &returns, target, capture };
        let Meaning { mut told, captured, refunded, take_now, can_be } = meaning(&asked, said);
        let reference = Some(said.reference.clone()).filter(|text| !text.is_empty());
        let theirs = reference.or_else(|| payment.theirs.clone());
        if !can_be {
            // Nothing of it is believed but a name, where there was none.
            let theirs = payment.theirs.clone().or(theirs);
            self.put(tx, &payment, Payment { theirs: theirs.clone(), ..payment.clone() }).await?;
            return Ok(self.step(tx, Intent { theirs, ..row }, &Event::Told(told)).await?.0);
        }
        self.book(tx, &payment, captured, (refunded, said.refunded.minor)).await?;
        self.settled(tx, &mut row, (&returns, &about), (refunded, told == Told::Done)).await?;
        let status = said::status(said.status);
        // A person has given it up, and there it goes on.
        let is_left_over = row.kind == IntentKind::Charge
            && row.state == IntentState::GivenUp
            && is_open(status)
            && payment.captured.saturating_add(captured) == 0;
        if is_left_over {
            told = Told::Going;
        }
        let after = Payment {
            status: if is_left_over { PaymentStatus::GivenUp } else { status },
            captured: payment.captured.saturating_add(captured),
            refunded: payment.refunded.saturating_add(refunded),
            theirs: theirs.clone(),
            next: said.next.clone().filter(|_| !is_left_over),
            failure: match is_left_over {
                true => payment.failure.clone(),
                false => said.failure.as_ref().map(|fault| fault.detail.clone()),
            },
            ..payment.clone()
        };
        self.put(tx, &payment, after.clone()).await?;
        if take_now && !is_left_over {
            self.take(tx, &row, &after).await?;
        }
        let refused = match (&told, row.kind, row.state) {
            (Told::Refused(code, text), IntentKind::Refund | IntentKind::Capture, state)
                if !matches!(state, IntentState::Done | IntentState::Failed | IntentState::GivenUp) =>
            {
                Some(Fault::new(Outcome::Refused, code, text.clone()))
            }
            _ => None,
        };
        let row = Intent { theirs, ..row };
        let (row, _) = self.step(tx, row, &Event::Told(told)).await?;
        if let Some(fault) = refused {
            self.raise(tx, &row, &fault.code, &fault.detail).await?;
        }
        let waits = row.kind == IntentKind::Charge
            && row.state == IntentState::Following
            && status == PaymentStatus::ActionNeeded
            && self.is_abandoned(&row);
        if is_left_over || waits {
            let word = match (is_left_over, status) {
                (true, PaymentStatus::Authorized) => "given-up-authorized",
                (true, _) => "given-up",
                (false, _) => "unfinished",
            };
            account::let_go(tx, &self.org, (&after, &about), word, self.now).await?;
        }
        Ok(row)
    }

    /// The other side has waited for the payer alone for too long.
    pub(super) fn is_abandoned(&self, row: &Intent) -> bool {
        self.now.0.saturating_sub(row.since.0) >= self.rules.abandon_ms
    }

    // What came back beside all that is on its way is what was to be given back of refunds that failed or were given up. `row` is what this was heard of.
    async fn settled(
        &self,
        tx: &mut Tx,
        row: &mut Intent,
        (returns, about): (&Returns, &[Intent]),
        (refunded, is_done): (i64, bool),
    ) -> Result<(), Error> {
        let asked = returns.to_come().saturating_sub(returns.undone);
        let mut came = refunded.saturating_sub(asked).max(0);
        let undone = matches!(row.state, IntentState::Failed | IntentState::GivenUp);
        let mut others = about.to_vec();
        if let Request::Refund(refund) = Request::of(row)?
            && undone
            && is_done
        {
            // It was done after all: first of all that is what came.
            came = came.saturating_sub(refund.amount.minor.saturating_sub(refund.settled).max(0));
            others.retain(|other| other.id != row.id);
        }
        for other in returns::settled_by(&others, came)? {
            if other.id == row.id {
                row.request.clone_from(&other.request);
            }
            tx.update_intent(&self.org, &other).await?;
        }
        Ok(())
    }

    // Takes what is set aside, unless nothing is owed any more: then it is cancelled.
    async fn take(&self, tx: &mut Tx, charge: &Intent, payment: &Payment) -> Result<(), Error> {
        let account = Account::locked(tx, &self.org, payment.into()).await?;
        if account.is_some_and(|account| account.left() <= 0) {
            return Ok(());
        }
        let amount = Money { minor: payment.amount, currency: payment.currency.clone() };
        let wanted = Wanted {
            source: format!("capture:{}", payment.id),
            debtor: payment.debtor.clone(),
            plugin: payment.plugin.clone(),
            subject: payment.id.clone(),
            theirs: payment.theirs.clone(),
            by: BY.to_owned(),
        };
        // In the place of its charge: a refund that waits for the charge waits for this too.
        let capture = intent::new(wanted, &Request::Capture(amount), self.now);
        tx.add_intent(&self.org, &Intent { place: charge.place, ..capture }).await.map(drop)
    }

    // Money that moved, once: the entry's source is what it comes to altogether, as the provider counts it.
    async fn book(
        &self,
        tx: &mut Tx,
        payment: &Payment,
        captured: i64,
        (refunded, refunded_in_all): (i64, i64),
    ) -> Result<(), Error> {
        let corrupt = |error: ledger::NotBalanced| Error::Corrupt(error.to_string());
        if captured > 0 {
            let in_all = payment.captured.saturating_add(captured);
            let posting = ledger::captured(payment, captured, in_all, self.now).map_err(corrupt)?;
            ledger::post(tx, &self.org, &posting, self.now).await?;
        }
        if refunded > 0 {
            let posting = ledger::paid_back(payment, refunded, refunded_in_all, self.now).map_err(corrupt)?;
            ledger::post(tx, &self.org, &posting, self.now).await?;
        }
        Ok(())
    }

    /// How a payment stands, and an event when that is news.
    pub(super) async fn put(&self, tx: &mut Tx, before: &Payment, after: Payment) -> Result<(), Error> {
        if *before == after {
            return Ok(());
        }
        let after = Payment { updated_at: self.now, ..after };
        tx.update_payment(&self.org, &after).await?;
        let mut kinds = Vec::new();
        if before.status != after.status {
            kinds.push(format!("payment.{}", after.status.as_str()));
        }
        if before.refunded != after.refunded {
            kinds.push("payment.refunded".to_owned());
        }
        for kind in kinds {
            tx.log_event(&self.org, payment_event(&after, &kind, self.now));
        }
        Ok(())
    }
}
