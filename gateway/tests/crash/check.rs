//! What must be true of a database, whatever the gateway has been through.

use crate::gateway::org;
use crate::ledger::{Acknowledged, Book, Transaction};
use futures_util::TryStreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant as Clock};
use takst_gateway::store::{Bill, BillFilter, BillKind, Billing, Session, SessionFilter, Store};

/// A Wh in millionths of a kWh.
const WH: i64 = 1_000;

/// Messages by charger and transaction. The register is not part of it: facts have it in their documents only, readings tell it.
pub type Messages = BTreeMap<(String, String), BTreeSet<Acknowledged>>;

/// What is in the database in all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sums {
    sessions: usize,
    messages: usize,
    bills: usize,
    energy_wh: i64,
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, messages, bills, energy_wh } = self;
        write!(f, "{messages} different ones, {sessions} sessions, {bills} bills, {energy_wh} Wh")
    }
}

/// Bills that were seen, word for word.
#[derive(Default)]
pub struct Issued {
    pub bills: BTreeMap<String, Bill>,
}

impl Issued {
    /// Looks at all bills: those seen before are there and the same, and no number is left out.
    pub async fn look(&mut self, store: &Store) {
        let all =
            store.read().await.unwrap().bills(&org(), &BillFilter::default(), None, i64::MAX).await.unwrap();
        let mut numbers: BTreeMap<(String, String), BTreeSet<i64>> = BTreeMap::new();
        for bill in &all {
            let series = (bill.seller.clone(), bill.series.clone());
            assert!(numbers.entry(series).or_default().insert(bill.number), "a number twice: {bill:?}");
        }
        for (series, numbers) in numbers {
            let last = i64::try_from(numbers.len()).unwrap();
            assert!(numbers.iter().copied().eq(1..=last), "{series:?}: the numbers have a hole: {numbers:?}");
        }
        let all: BTreeMap<String, Bill> = all.into_iter().map(|bill| (bill.id.clone(), bill)).collect();
        for (id, before) in &self.bills {
            assert_eq!(all.get(id), Some(before), "a bill has changed");
        }
        self.bills = all;
    }
}

/// What the chargers were acknowledged.
pub fn acknowledged(book: &Book) -> Messages {
    let mut all = Messages::new();
    for (charger, known) in &book.chargers {
        for (name, transaction) in &known.transactions {
            all.insert((charger.clone(), name.clone()), transaction.messages.clone());
        }
    }
    all
}

/// Every one of these messages is in the database, with its register.
pub async fn all_there(store: &Store, messages: &Messages) {
    let sessions = sessions(store).await;
    let kept = kept(store, &sessions).await;
    for (transaction, said) in messages {
        let kept = kept.get(transaction);
        for message in said {
            let there = kept.is_some_and(|kept| kept.contains(&plain(message)));
            assert!(there, "acknowledged and lost: {transaction:?} {message:?}");
        }
    }
}

// Without the register.
fn plain(message: &Acknowledged) -> Acknowledged {
    Acknowledged { register: 0, ..message.clone() }
}

async fn sessions(store: &Store) -> Vec<Session> {
    store.stream_sessions(&org(), SessionFilter::default()).try_collect().await.unwrap()
}

// The messages that the gateway has kept; none of them twice.
async fn kept(store: &Store, sessions: &[Session]) -> Messages {
    let name = |session: &Session| session.transaction_ref.clone().unwrap_or_default();
    let names: BTreeMap<&str, String> = sessions.iter().map(|one| (one.id.as_str(), name(one))).collect();
    let chargers: BTreeSet<&str> = sessions.iter().map(|one| one.charger.as_str()).collect();
    let mut all = Messages::new();
    let mut reader = store.read().await.unwrap();
    for charger in chargers {
        for fact in reader.facts(&org(), charger, None, i64::MAX).await.unwrap() {
            let kind = ["start", "meter", "stop", "event"].into_iter().find(|kind| *kind == fact.kind);
            let (Some(kind), Some(session)) = (kind, &fact.session) else { continue };
            let name = names.get(session.as_str()).cloned().unwrap_or_default();
            let dedupe = fact.dedupe.clone().unwrap_or_default();
            // A number with two contents has a key with `#`.
            assert!(!dedupe.contains('#'), "{charger}: {dedupe}");
            let seq = dedupe.strip_prefix("tx/").and_then(|rest| rest.rsplit('/').next()?.parse().ok());
            assert_eq!(seq.is_some(), kind == "event", "{charger}: {dedupe}");
            let message = Acknowledged { kind, seq, at: fact.station_at.unwrap().0, register: 0 };
            let twice = format!("{charger} {name}: kept twice: {message:?}");
            assert!(all.entry((charger.to_owned(), name)).or_default().insert(message), "{twice}");
        }
    }
    all
}

/// Waits until every session is billed.
pub async fn settled(store: &Store) {
    let begin = Clock::now();
    loop {
        let open: Vec<Session> =
            sessions(store).await.into_iter().filter(|session| session.billing != Billing::Billed).collect();
        if open.is_empty() {
            return;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(90),
            "{} without a bill, as {:#?}",
            open.len(),
            open[0]
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// At the end, when everything is acknowledged and billed: the database says what the chargers say, no more and no less.
pub async fn all(store: &Store, book: &Book, issued: &Issued) -> Sums {
    assert!(book.wrong.is_empty(), "{:?}", book.wrong);
    assert_eq!(book.lost, 0);
    let sessions = sessions(store).await;
    let kept = kept(store, &sessions).await;
    let told = acknowledged(book);
    let told: Messages =
        told.into_iter().map(|(name, said)| (name, said.iter().map(plain).collect())).collect();
    for (transaction, told) in &told {
        assert_eq!(kept.get(transaction), Some(told), "{transaction:?}");
    }
    assert_eq!(kept.len(), told.len(), "transactions that no charger has told");

    let begun: u64 = book.chargers.values().map(|charger| charger.begun).sum();
    assert_eq!(u64::try_from(told.len()).unwrap(), begun, "each transaction is one");
    assert_eq!(sessions.len(), told.len(), "each transaction is one session");
    let mut bills: BTreeMap<&str, Vec<&Bill>> = BTreeMap::new();
    for bill in issued.bills.values() {
        bills.entry(bill.session.as_deref().unwrap_or_default()).or_default().push(bill);
    }
    let mut energy_wh = 0;
    for session in &sessions {
        let name = session.transaction_ref.as_deref().unwrap_or_default();
        let transaction = &book.chargers[&session.charger].transactions[name];
        energy_wh +=
            one(store, session, transaction, bills.get(session.id.as_str()).map_or(&[], Vec::as_slice)).await;
    }
    for (name, charger) in &book.chargers {
        let told: i64 = charger.transactions.values().filter_map(Transaction::energy).sum();
        // Registers are told in whole Wh, and each session begins and ends between two.
        let slack = i64::try_from(charger.ended).unwrap();
        assert_eq!(charger.begun, charger.ended, "{name}");
        assert!(
            (told - charger.counted).abs() <= slack,
            "{name} counted {} and told {told}",
            charger.counted
        );
    }
    assert_eq!(issued.bills.len(), sessions.len(), "each session has one bill");
    Sums {
        sessions: sessions.len(),
        messages: told.values().map(BTreeSet::len).sum(),
        bills: issued.bills.len(),
        energy_wh,
    }
}

// A session is what its transaction was, and so is its bill.
async fn one(store: &Store, session: &Session, transaction: &Transaction, bills: &[&Bill]) -> i64 {
    let name = format!("{} {:?}", session.charger, session.transaction_ref);
    let energy = transaction.energy().unwrap();
    assert_eq!(session.energy.map(|energy| energy.0), Some(energy * WH), "{name}");
    assert!(!session.hold, "{name}: {:?} {}", session.hold_reason, session.flags);
    let parts = store.read().await.unwrap().session_parts(&org(), &session.id).await.unwrap();
    let readings: BTreeSet<(i64, i64)> =
        parts.readings.iter().map(|reading| (reading.at.0, reading.imported.0)).collect();
    assert_eq!(readings.len(), parts.readings.len(), "{name}: a reading twice");
    for message in &transaction.messages {
        let reading = (message.at, message.register * WH);
        assert!(readings.contains(&reading), "{name}: {message:?} is missing in {readings:?}");
    }
    let [bill] = bills else { panic!("{name}: {bills:?}") };
    assert_eq!(
        (bill.kind, bill.revision, bill.total),
        (BillKind::Bill, 1, energy),
        "{name}: a cent for a Wh"
    );
    energy
}
