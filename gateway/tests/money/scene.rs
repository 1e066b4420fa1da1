//! One bill of one driver at a provider, and all who have to do with it.

use crate::fake::{Fake, Installed, PLUGIN};
use crate::made::*;
use crate::store_support::*;
use std::sync::Arc;
use takst_engine::units::{DAY_MS, Instant};
use takst_gateway::outbox::machine::Rules;
use takst_gateway::outbox::provider::Status;
use takst_gateway::outbox::{Decision, Options, Outbox, Received, Terms};
use takst_gateway::store::*;

const RETURN: &str = "payment.return";

pub fn decision() -> Decision {
    Decision { by: "anna".into(), reason: "as I say".into() }
}

pub struct Scene {
    pub store: Store,
    pub org: OrgId,
    pub fake: Arc<Fake>,
    pub outbox: Outbox,
    pub now: Instant,
    pub bills: Vec<Bill>,
}

impl Scene {
    pub async fn of(store: &Store, org: &str) -> Self {
        let org = OrgId::new(org.to_owned());
        let owner = org.clone();
        store.write(Lane::org(&org), async move |tx| tx.add_org(&owner, "x", at(0)).await).await.unwrap();
        let fake = Arc::new(Fake::default());
        // With little patience: a person decides about what fails three times.
        let rules = Rules { failures: 3, ..options().rules };
        let outbox = Outbox::new(store.clone(), Installed::of(&fake), Options { rules, ..options() });
        Self { store: store.clone(), org, fake, outbox, now: at(0), bills: Vec::new() }
    }

    // The same where its backup was restored.
    pub fn of_restored(store: &Store, org: &OrgId, of: &Self) -> Self {
        let (fake, bills) = (Arc::clone(&of.fake), of.bills.clone());
        let outbox = outbox(store, &fake);
        Self { store: store.clone(), org: org.clone(), fake, outbox, now: of.now, bills }
    }

    pub async fn bill(&mut self, total: i64, has_card: bool) {
        let number = i64::try_from(self.bills.len()).unwrap() + 1;
        let terms = has_card.then(|| Terms { plugin: PLUGIN.into(), instrument: Some("card-d1".into()) });
        let bill = issue_for(&self.store, &self.org, ("s1", "d1"), (number, total), terms, self.now).await;
        self.bills.push(bill);
    }

    pub fn owed(&self) -> i64 {
        self.bills.iter().map(|bill| bill.total).sum()
    }

    pub async fn pay(&self) -> Result<Payment, Error> {
        self.outbox.pay(&self.org, &self.bills[0].id, PLUGIN, (None, "d1"), self.now).await
    }

    pub async fn received(&self, amount: Option<i64>, reference: &str) -> Result<Payment, Error> {
        let received =
            Received { amount, reference: reference.to_owned(), at: self.now, by: "anna".to_owned() };
        Ok(self.outbox.received(&self.org, &self.bills[0], received, self.now).await?.0)
    }

    pub async fn returned(
        &self,
        payment: &str,
        amount: Option<i64>,
        reference: &str,
    ) -> Result<Payment, Error> {
        let returned =
            Received { amount, reference: reference.to_owned(), at: self.now, by: "anna".to_owned() };
        Ok(self.outbox.returned(&self.org, payment, returned, self.now).await?.0)
    }

    pub async fn look(&mut self) {
        self.outbox.look(self.now).await.unwrap();
        self.now = Instant(self.now.0 + 1);
    }

    // Until nothing is left that is due soon: what waits for the payer is looked at for weeks.
    pub async fn work(&mut self) {
        for _ in 0..60 {
            self.look().await;
            match self.store.read().await.unwrap().next_intent(&self.org).await.unwrap() {
                Some(next) if next.0 < self.now.0 + 3_600_000 => {
                    self.now = Instant(next.0.max(self.now.0) + 1);
                }
                _ => return,
            }
        }
    }

    pub async fn hint(&self, theirs: &str) {
        self.outbox.hint(&self.org, PLUGIN, (theirs, None), self.now).await.unwrap();
    }

    // What happens to a payment at the provider, and whether it could.
    pub fn happens(&self, ours: &str, becomes: Status) -> bool {
        let mut truth = self.fake.truth();
        let Some(kept) = truth.payments.get_mut(ours) else { return false };
        let open = matches!(kept.status, Status::ActionNeeded | Status::Pending);
        let can = match becomes {
            Status::Paid => open || kept.status == Status::Expired,
            _ => open,
        };
        if can {
            kept.status = becomes;
            if becomes == Status::Paid {
                kept.captured = kept.amount;
                kept.takings += 1;
            }
        }
        can
    }

    // Payments with what is to be given back of each.
    pub async fn to_return(&self) -> Vec<(Payment, i64)> {
        let mut found = Vec::new();
        let open = self.store.read().await.unwrap().open_incidents(&self.org).await.unwrap();
        for incident in open.into_iter().filter(|incident| incident.kind == RETURN) {
            let document: serde_json::Value = serde_json::from_str(&incident.document).unwrap();
            let payment = self.store.read().await.unwrap().payment(&self.org, &incident.subject).await;
            found.push((payment.unwrap().unwrap(), document["amount_minor"].as_i64().unwrap()));
        }
        found
    }

    pub async fn payments(&self) -> Vec<Payment> {
        payments(&self.store, &self.org).await
    }

    pub async fn intents(&self) -> Vec<Intent> {
        intents(&self.store, &self.org).await
    }

    // The one row of the outbox that a person has to decide about.
    pub async fn dead(&self) -> Intent {
        let mut dead = self.intents().await;
        dead.retain(|row| row.state == IntentState::Dead);
        let [dead] = dead.try_into().unwrap();
        dead
    }

    pub async fn give_up(&self, intent: &str) {
        self.outbox.give_up(&self.org, intent, decision(), self.now).await.unwrap();
    }

    // What a person is told of, but for what is to be given back.
    pub async fn troubles(&self) -> Vec<String> {
        let open = self.store.read().await.unwrap().open_incidents(&self.org).await.unwrap();
        let of = |one: &Incident| {
            let document: serde_json::Value = serde_json::from_str(&one.document).unwrap();
            format!("{} {}", one.kind, document["code"].as_str().unwrap_or_default())
        };
        open.iter().filter(|one| one.kind != RETURN).map(of).collect()
    }

    // So many days go by, with all that is due in them.
    pub async fn days(&mut self, days: i64) {
        let end = Instant(self.now.0 + days * DAY_MS);
        for _ in 0..10_000 {
            self.look().await;
            match self.store.read().await.unwrap().next_intent(&self.org).await.unwrap() {
                Some(next) if next < end => self.now = Instant(next.0.max(self.now.0) + 1),
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("it does not end");
    }

    pub async fn one(&self, id: &str) -> Payment {
        self.store.read().await.unwrap().payment(&self.org, id).await.unwrap().unwrap()
    }
}
