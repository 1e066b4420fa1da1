//! One random order of events about one bill: cards, payments by hand, money at the bank, credit notes and corrections, a provider in trouble, refunds that fail, what
//! people give up and put right by hand, disputes. A slow account of its own says after each what must have been kept: from what the provider, the bank and the
//! people did, never from what the gateway says.

use crate::fake::{Mode, PLUGIN};
use crate::made::*;
use crate::scene::{Scene, decision};
use std::collections::{BTreeMap, BTreeSet};
use takst_engine::units::Instant;
use takst_gateway::ledger::{BANK, Checker};
use takst_gateway::outbox::provider::Status;
use takst_gateway::outbox::{Outcome, Received};
use takst_gateway::store::*;

/// How a call goes wrong here.
const TROUBLES: [Mode; 5] = [Mode::NoConnection, Mode::LostAnswer, Mode::Hang, Mode::Busy, Mode::Refuse];

/// What must have been kept.
#[derive(Default, Debug)]
struct Slow {
    /// What people are to put right at the provider, by payment: refunds that came to nothing, what was taken beyond what was asked for.
    undone: BTreeMap<String, i64>,
    /// Of `undone`, taken beyond what was asked for, in all.
    excess: i64,
    /// What was charged back, by payment.
    gone: BTreeMap<String, i64>,
    /// Refunds that are counted in `undone`.
    counted: BTreeSet<String>,
    /// When all was quiet last: what had been taken, and what of it was neither given back nor is to be put right.
    taken: i64,
    kept: i64,
}

/// Who is at it.
struct Play {
    scene: Scene,
    slow: Slow,
    rng: fastrand::Rng,
    has_card: bool,
    told: Vec<String>,
    disputes: Vec<(String, String, i64)>,
}

/// One order.
pub async fn order(store: &Store, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let scene = Scene::of(store, &format!("o{seed}")).await;
    scene.fake.truth().refuses_cancels = rng.u8(0..3) == 0;
    let mode = [Mode::Fine, Mode::Reserve, Mode::Slow, Mode::Decline][rng.usize(0..4)];
    let (has_card, total) = (rng.bool(), rng.i64(100..10_000));
    if has_card {
        scene.fake.truth().script.push_back(mode);
    }
    let told = vec![format!("seed {seed}: bill {total}, card {has_card} {mode:?}")];
    let mut play = Play { scene, slow: Slow::default(), rng, has_card, told, disputes: Vec::new() };
    play.scene.bill(total, has_card).await;
    for step in 0..play.rng.usize(4..22) {
        let what = play.step(step, total).await;
        play.told.push(what);
    }
    play.end().await;
}

impl Play {
    fn some_payment(&mut self) -> Option<String> {
        let known: Vec<String> = self.scene.fake.truth().payments.keys().cloned().collect();
        (!known.is_empty()).then(|| known[self.rng.usize(0..known.len())].clone())
    }

    async fn step(&mut self, step: usize, total: i64) -> String {
        let one = self.some_payment();
        match (self.rng.u8(0..19), one) {
            (0 | 1, _) => format!("pay: {}", self.scene.pay().await.is_ok()),
            (2..=4, Some(ours)) => self.payer(&ours),
            (5, _) => {
                let amount = self.rng.bool().then(|| self.rng.i64(1..=total));
                let booked = self.scene.received(amount, &format!("line {step}")).await;
                format!("bank {amount:?}: {}", booked.is_ok())
            }
            (6 | 7, _) if self.scene.owed() > 0 => {
                let owed = self.scene.owed();
                let back = if self.rng.u8(0..4) == 0 { owed } else { self.rng.i64(1..=owed) };
                self.scene.bill(-back, self.has_card).await;
                format!("credit {back}")
            }
            (8, Some(ours)) => {
                let theirs = self.scene.fake.truth().payments[&ours].theirs.clone();
                self.scene.hint(&theirs).await;
                "hint".to_owned()
            }
            (9, Some(ours)) => {
                let done = self.scene.outbox.cancel(&self.scene.org, &ours, decision(), self.scene.now).await;
                format!("cancel: {}", done.is_ok())
            }
            (10, _) => {
                for (payment, amount) in self.scene.to_return().await {
                    let some = self.rng.i64(1..=amount);
                    if payment.plugin == BANK {
                        self.scene.returned(&payment.id, Some(some), &format!("back {step}")).await.unwrap();
                    }
                }
                "returned".to_owned()
            }
            (11 | 12, _) => {
                let modes: Vec<Mode> =
                    (0..self.rng.usize(1..7)).map(|_| TROUBLES[self.rng.usize(0..TROUBLES.len())]).collect();
                self.scene.fake.truth().script.extend(&modes);
                format!("trouble {modes:?}")
            }
            (13, _) => self.decide().await,
            (14, _) => {
                // More is owed again.
                self.quiet().await;
                let more = self.rng.i64(1..=total);
                self.scene.bill(more, self.has_card).await;
                format!("correction {more}")
            }
            (15, Some(ours)) => self.by_hand(&ours).await,
            (16, Some(ours)) => self.charged_back(&ours, step).await,
            (17, _) => {
                self.scene.work().await;
                "work".to_owned()
            }
            _ => {
                self.scene.look().await;
                "look".to_owned()
            }
        }
    }

    // The payer does something at the provider, or does not; now and then more is taken than was asked for.
    fn payer(&mut self, ours: &str) -> String {
        let becomes = [Status::Paid, Status::Paid, Status::Authorized, Status::Expired, Status::Failed];
        let becomes = becomes[self.rng.usize(0..becomes.len())];
        let happened = self.scene.happens(ours, becomes);
        let mut more = 0;
        if happened && becomes == Status::Paid && self.rng.u8(0..5) == 0 {
            more = self.rng.i64(1..200);
            self.scene.fake.truth().payments.get_mut(ours).unwrap().captured += more;
            *self.slow.undone.entry(ours.to_owned()).or_default() += more;
            self.slow.excess += more;
        }
        format!("{becomes:?}: {happened}, {more} too much")
    }

    // A person decides about a charge or a refund that is dead, or waits.
    async fn decide(&mut self) -> String {
        let mut rows = self.scene.intents().await;
        rows.retain(|row| {
            matches!(row.kind, IntentKind::Charge | IntentKind::Refund)
                && matches!(row.state, IntentState::Dead | IntentState::Waiting)
        });
        if rows.is_empty() {
            return "nothing to decide".to_owned();
        }
        let row = rows[self.rng.usize(0..rows.len())].clone();
        let (org, now) = (self.scene.org.clone(), self.scene.now);
        let gives_up = self.rng.bool();
        let decided = match gives_up {
            true => self.scene.outbox.give_up(&org, &row.id, decision(), now).await,
            false => self.scene.outbox.retry(&org, &row.id, decision(), now).await,
        };
        format!("{:?} {:?}, given up {gives_up}: {}", row.kind, row.state, decided.is_ok())
    }

    // Somebody gives money back on the provider's page: what is to be put right, or more.
    async fn by_hand(&mut self, ours: &str) -> String {
        self.quiet().await;
        let Some(amount) = self.some_of(ours) else { return "nothing to give back by hand".to_owned() };
        self.scene.fake.truth().payments.get_mut(ours).unwrap().refunded += amount;
        self.goes(ours, amount);
        let theirs = self.scene.fake.truth().payments[ours].theirs.clone();
        self.scene.hint(&theirs).await;
        self.quiet().await;
        format!("{amount} by hand")
    }

    // A payer's bank takes money back, and somebody books it; or what was booked comes again.
    async fn charged_back(&mut self, ours: &str, step: usize) -> String {
        self.quiet().await;
        let told = |amount, reference: &str, at| Received {
            amount: Some(amount),
            reference: reference.to_owned(),
            at,
            by: "anna".to_owned(),
        };
        let (org, now) = (self.scene.org.clone(), self.scene.now);
        if let Some((ours, reference, amount)) = self.disputes.pop() {
            let won = (Outcome::Won, told(amount, &reference, now));
            self.scene.outbox.charged_back(&org, &ours, won, now).await.unwrap();
            *self.slow.gone.get_mut(&ours).unwrap() -= amount;
            self.slow.kept += amount;
            self.quiet().await;
            return format!("{amount} came again");
        }
        let Some(amount) = self.some_of(ours) else { return "nothing to charge back".to_owned() };
        let reference = format!("du {step}");
        let lost = (Outcome::Lost, told(amount, &reference, now));
        self.scene.outbox.charged_back(&org, ours, lost, now).await.unwrap();
        *self.slow.gone.entry(ours.to_owned()).or_default() += amount;
        self.goes(ours, amount);
        self.disputes.push((ours.to_owned(), reference, amount));
        self.quiet().await;
        format!("{amount} charged back")
    }

    // Some of what is left of a payment.
    fn some_of(&mut self, ours: &str) -> Option<i64> {
        let kept = self.scene.fake.truth().payments[ours].clone();
        let left = kept.captured - kept.refunded - self.slow.gone.get(ours).copied().unwrap_or(0);
        let undone = self.slow.undone.get(ours).copied().unwrap_or(0);
        match (left, undone) {
            (..=0, _) => None,
            (_, 1..) if self.rng.bool() => Some(undone.min(left)),
            _ => Some(self.rng.i64(1..=left)),
        }
    }

    // What goes back by hand is what was to be put right first.
    fn goes(&mut self, ours: &str, amount: i64) {
        let undone = self.slow.undone.entry(ours.to_owned()).or_default();
        let right = amount.min(*undone);
        *undone -= right;
        self.slow.kept -= amount - right;
    }

    // Everybody does what is his until nothing is open but what waits for the payer; then it is counted.
    async fn quiet(&mut self) {
        self.scene.fake.truth().script.clear();
        for round in 0.. {
            assert!(round < 40, "it does not end: {:#?} {:#?}", self.told, self.scene.intents().await);
            let at_provider: Vec<String> =
                self.scene.fake.truth().payments.values().map(|kept| kept.theirs.clone()).collect();
            for theirs in at_provider {
                self.scene.hint(&theirs).await;
            }
            self.scene.work().await;
            let (org, now) = (self.scene.org.clone(), self.scene.now);
            let mut has_decided = false;
            for row in self.scene.intents().await {
                if row.state != IntentState::Dead {
                    continue;
                }
                has_decided = true;
                let money = matches!(row.kind, IntentKind::Charge | IntentKind::Refund);
                let decided = match money && (round > 10 || self.rng.bool()) {
                    true => self.scene.outbox.give_up(&org, &row.id, decision(), now).await,
                    false => self.scene.outbox.retry(&org, &row.id, decision(), now).await,
                };
                decided.unwrap();
            }
            // What moved at the provider by itself is accepted.
            let open = self.scene.store.read().await.unwrap().open_incidents(&org).await.unwrap();
            for one in open.iter().filter(|one| one.kind == "payment.held") {
                let _ = self.scene.outbox.give_up(&org, &one.subject, decision(), now).await;
            }
            for (nth, (payment, amount)) in self.scene.to_return().await.into_iter().enumerate() {
                if payment.plugin == BANK {
                    has_decided = true;
                    let line = format!("quiet {} {nth}", self.scene.now.0);
                    self.scene.returned(&payment.id, Some(amount), &line).await.unwrap();
                }
            }
            if !has_decided {
                break;
            }
        }
        self.count().await;
    }

    async fn count(&mut self) {
        let told = format!("{:#?} {:#?}", self.told, self.slow);
        let truth = self.scene.fake.truth().clone();
        let rows = self.scene.intents().await;
        assert_eq!(truth.faults, Vec::<String>::new(), "{told}");
        // Refunds that came to nothing: how much the provider was asked for, or what a person has read there.
        for row in rows.iter().filter(|row| row.kind == IntentKind::Refund) {
            let over = matches!(row.state, IntentState::Failed | IntentState::GivenUp);
            if !over || truth.done.contains_key(&row.idempotency) || !self.slow.counted.insert(row.id.clone())
            {
                continue;
            }
            let request: serde_json::Value = serde_json::from_str(&row.request).unwrap();
            let amount = match truth.refunds.get(&row.idempotency) {
                Some((_, amount)) => *amount,
                None => request["amount"]["minor"].as_i64().unwrap(),
            };
            *self.slow.undone.entry(row.subject.clone()).or_default() += amount;
        }
        let (mut taken, mut kept) = (-self.slow.excess, 0);
        for payment in self.scene.payments().await {
            let gone = self.slow.gone.get(&payment.id).copied().unwrap_or(0);
            let (captured, refunded) = match truth.payments.get(&payment.id) {
                Some(at_provider) => (at_provider.captured, at_provider.refunded + gone),
                None if payment.plugin == BANK => (payment.captured, payment.refunded),
                None => (0, 0),
            };
            assert_eq!(
                (payment.captured, payment.refunded),
                (captured, refunded),
                "{payment:?} {told} {rows:#?}"
            );
            taken += captured;
            kept += captured - refunded;
        }
        kept -= self.slow.undone.values().sum::<i64>();
        let owed = self.scene.owed();
        // Since all was quiet last, less and less was owed: of what came so much is kept as is owed now.
        let wanted = (self.slow.kept + taken - self.slow.taken).min(owed);
        assert_eq!(kept, wanted, "taken {taken}, owed {owed}: {told} {rows:#?}");
        (self.slow.taken, self.slow.kept) = (taken, kept);
    }

    // The end of all: what is open is not paid any more, what is to be put right is.
    async fn end(mut self) {
        self.quiet().await;
        for _ in 0..2 {
            let at_provider: Vec<String> = self.scene.fake.truth().payments.keys().cloned().collect();
            for ours in at_provider {
                self.scene.happens(&ours, Status::Expired);
            }
            self.quiet().await;
        }
        let undone: Vec<(String, i64)> = std::mem::take(&mut self.slow.undone).into_iter().collect();
        for (ours, amount) in undone.into_iter().filter(|(_, amount)| *amount > 0) {
            let theirs = {
                let mut truth = self.scene.fake.truth();
                let kept = truth.payments.get_mut(&ours).unwrap();
                kept.refunded += amount;
                kept.theirs.clone()
            };
            self.scene.hint(&theirs).await;
            self.scene.work().await;
        }
        self.quiet().await;
        let told = format!("{:#?}", self.told);
        let Self { scene, slow, .. } = self;
        assert_eq!(scene.to_return().await, [], "{told}");
        assert_eq!(scene.troubles().await, [""; 0], "{told}");
        let truth = scene.fake.truth().clone();
        for kept in truth.payments.values() {
            assert!(kept.takings <= 1, "{kept:?} {told}");
            let lingers = kept.status == Status::Authorized && !truth.refuses_cancels;
            assert!(!lingers, "set aside, neither taken nor let go: {kept:?} {told}");
        }
        for row in scene.intents().await {
            assert!(row.finished_at.is_some(), "{row:?} {told}");
        }
        let on = balances(&scene.store, &scene.org).await;
        let of = |kind, owner: &str| on.get(&(kind, owner.to_owned())).copied().unwrap_or(0);
        assert_eq!(of(AccountKind::Receivable, "driver:d1"), scene.owed() - slow.kept, "{told}");
        let gone: i64 = slow.gone.values().sum();
        let at_provider: i64 = truth.payments.values().map(|kept| kept.captured - kept.refunded).sum();
        assert_eq!(of(AccountKind::Clearing, PLUGIN), at_provider - gone, "{told}");
        assert_eq!(on.values().sum::<i64>(), 0, "{told}");
        let checked = Checker::new(scene.store.clone(), scene.org.clone()).check(Instant(0)).await.unwrap();
        assert_eq!(checked.faults, Vec::<String>::new(), "{told}");
    }
}
