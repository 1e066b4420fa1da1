//! Sessions become bills: once, with the right figures, numbers without holes, and nothing that went out ever changes.

use crate::billing_support::*;
use crate::store_support::*;
use std::sync::Arc;
use takst_engine::Standing;
use takst_engine::units::Instant;
use takst_gateway::billing::{Options, Outcome, REFUNDED, Verdict, from_json};
use takst_gateway::store::*;

async fn open(place: &Place) -> (Store, Arc<House>) {
    let store = place.open().await;
    store.write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "City", at(0)).await).await.unwrap();
    (store, Arc::default())
}

// The receipt that KotiCharge published: 344.71 cents of energy, 3.45 EUR with VAT.
async fn the_published_receipt(place: Place) {
    let (store, house) = open(&place).await;
    let bills = billing(&store, &house, Options::default());
    let version = house.add(shipped("koticharge/spot.tariff"));
    add(&store, &example("sessions/koticharge-210.json"), &version, "s210", true).await;
    let now = time("2023-09-25T16:00:00+03:00");

    // Its prices have not come: a preview that says what it waits for, and no number.
    let done = bills.bill_due(&org(), now).await.unwrap();
    let [(session, Outcome::Pending(waits))] = done.as_slice() else { panic!("{done:?}") };
    assert_eq!(session, "s210");
    let until = time("2023-09-25T15:56:59+03:00");
    assert_eq!(waits, &[WaitingFor { feed: "spot".into(), area: "FI".into(), until }]);
    assert_eq!(session_of(&store, "s210").await.billing, Billing::Pending);
    let preview = store.read().await.unwrap().preview(&org(), "s210").await.unwrap().unwrap();
    assert!(preview.document.contains(r#""status":"pending""#));
    assert_eq!(bills.bill_due(&org(), now).await.unwrap(), []);
    assert_eq!(events(&store, "bill.pending").await.len(), 1);

    // They come.
    let received = take(&store, example("prices/fi-2023-09-25.json"), now).await;
    assert_eq!(received.woken, 1);
    let done = bills.bill_due(&org(), now).await.unwrap();
    let [(_, Outcome::Billed(bill))] = done.as_slice() else { panic!("{done:?}") };
    assert_eq!((bill.number, bill.revision, bill.total, bill.currency.as_str()), (1, 1, 345, "EUR"));
    let (head, document) = from_json(&bill.document).unwrap();
    assert_eq!((head.number.as_str(), head.seller.as_str()), ("KOTI-0001", "koti"));
    assert_eq!(head.issued, "2023-09-25T16:00:00+03:00");
    assert_eq!(
        (document.net.as_str(), document.vat_total.as_str(), document.total.as_str()),
        ("2.78", "0.67", "3.45")
    );
    let parts: Vec<_> =
        document.charges[0].parts.iter().map(|part| (part.label.as_str(), part.amount.as_str())).collect();
    assert_eq!(parts, [("spot", "0.06"), ("transmission", "2.30"), ("service", "1.09")]);
    let exact: rust_decimal::Decimal =
        document.lines.iter().map(|line| line.amount.parse::<rust_decimal::Decimal>().unwrap()).sum();
    assert_eq!((exact * rust_decimal::Decimal::from(100)).round_dp(2).to_string(), "344.71");
    assert_eq!(
        (document.site.as_deref(), document.charger.as_deref(), document.driver.as_deref()),
        (Some("otakaari-5"), Some("5"), Some("d-17"))
    );
    assert_eq!((&document.id, document.session.as_str()), (&bill.id, "s210"));
    assert_eq!(session_of(&store, "s210").await.billing, Billing::Billed);
    assert!(store.read().await.unwrap().preview(&org(), "s210").await.unwrap().is_none());
    assert_eq!(events(&store, "bill.issued").await.len(), 1);
    assert_eq!(bills.verify(&org(), &bill.id).await.unwrap(), Verdict::Same);

    // Done twice, nothing happens twice; also when the desk writes the row again.
    assert_eq!(bills.bill_due(&org(), now).await.unwrap(), []);
    change(&store, "s210", |session| session.billing = Billing::Due).await;
    let done = bills.bill_due(&org(), now).await.unwrap();
    assert_eq!(done, [("s210".to_owned(), Outcome::Unchanged)]);
    assert_eq!(bills_of(&store, "s210").await.len(), 1);
}
both!(the_published_receipt);

// A feed says something else afterwards: an alert with the bills, a correction when somebody decides, money back by a credit note.
async fn a_feed_is_corrected(place: Place) {
    let (store, house) = open(&place).await;
    let bills = billing(&store, &house, Options::default());
    let version = house.add(made("energy: spot + 5 cent/kWh rounded to 0.01 cent/kWh"));
    let (first, later) = (time("2023-09-25T08:00:00Z"), time("2023-09-26T08:00:00Z"));
    take(&store, feed(Some("2023-09-24T11:00:00Z"), "2023-09-25T00:00:00Z", &["100"; 24]), first).await;
    add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 3), &version, "a", true).await;
    add(&store, &plain("d-2", "6", "2023-09-25T15:00:00Z", 3), &version, "b", true).await;
    bills.bill_due(&org(), first).await.unwrap();
    // 6 kWh at 12.40 + 5 cent.
    assert_eq!((bills_of(&store, "a").await[0].total, bills_of(&store, "b").await[0].total), (104, 104));

    // The hours from 10 to 12 were wrong.
    let received =
        take(&store, feed(Some("2023-09-26T07:00:00Z"), "2023-09-25T10:00:00Z", &["50", "50"]), later).await;
    assert_eq!(received.series[0].changed, [(time("2023-09-25T10:00:00Z"), time("2023-09-25T12:00:00Z"))]);
    let open = store.read().await.unwrap().open_incidents(&org()).await.unwrap();
    let [incident] = open.as_slice() else { panic!("{open:?}") };
    assert_eq!(incident.kind, "feed.changed");
    let affected = bills.affected_by(&org(), &incident.id, later).await.unwrap();
    let list: Vec<_> = affected
        .iter()
        .map(|bill| (bill.session.as_str(), bill.number.as_str(), bill.difference.as_str()))
        .collect();
    // 4 kWh at 6.20 cent less: 79.6 cent instead of 104.4.
    assert_eq!(list, [("a", "KOTI-0001", "-0.24")]);
    // What went out stays right by what was known then.
    let old = bills_of(&store, "a").await.remove(0);
    assert_eq!(bills.verify(&org(), &old.id).await.unwrap(), Verdict::Same);

    let failed = bills
        .correct_affected(&org(), &incident.id, decision("the exchange published wrong prices"), later)
        .await
        .unwrap();
    assert_eq!(failed, []);
    let all = bills_of(&store, "a").await;
    let [first_bill, correction] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(first_bill, &old);
    assert_eq!(
        (correction.kind, correction.number, correction.revision, correction.total),
        (BillKind::Correction, 3, 2, -24)
    );
    assert_eq!(correction.corrects.as_deref(), Some(old.id.as_str()));
    assert_eq!(bills.verify(&org(), &correction.id).await.unwrap(), Verdict::Same);
    assert_eq!(store.read().await.unwrap().open_incidents(&org()).await.unwrap(), []);
    let log = store.read().await.unwrap().audit_log(&org(), Some("a"), None, 10).await.unwrap();
    assert_eq!((log[0].who.as_str(), log[0].what.as_str()), ("anna", "bill.correct"));

    // The charger was at fault: all of it back.
    let refund = bills.refund(&org(), "a", None, decision("the charger was broken"), later).await.unwrap();
    assert_eq!((refund.kind, refund.revision, refund.number, refund.total), (BillKind::Refund, 3, 4, -80));
    assert_eq!(bills.verify(&org(), &refund.id).await.unwrap(), Verdict::Same);
    let again = bills.refund(&org(), "a", None, decision("again"), later).await.unwrap_err();
    assert!(again.to_string().contains("was given back already; nothing is left"), "{again}");
    // A correction now would charge it again.
    let error = bills.reprice(&org(), "a", None, decision("x"), later).await.unwrap_err();
    assert!(error.to_string().contains(REFUNDED), "{error}");
    let bill_b = bills_of(&store, "b").await.remove(0);
    let part =
        bills.refund(&org(), "b", Some(vec!["energi".into()]), decision("x"), later).await.unwrap_err();
    assert!(part.to_string().contains("did you mean `energy`"), "{part}");
    assert_eq!(bills.verify(&org(), &bill_b.id).await.unwrap(), Verdict::Same);
}
both!(a_feed_is_corrected);

async fn corrections_by_themselves_and_another_tariff(place: Place) {
    let (store, house) = open(&place).await;
    let bills = billing(&store, &house, Options { correct_automatically: true, ..Options::default() });
    let version = house.add(made("energy: 10 cent/kWh\n\nstart fee: 1 EUR/session"));
    let other = house.add(made("energy: 12 cent/kWh"));
    let now = time("2023-09-26T08:00:00Z");
    add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 3), &version, "a", true).await;
    bills.bill_due(&org(), now).await.unwrap();
    assert_eq!(bills_of(&store, "a").await[0].total, 160);

    // A late report makes the session longer.
    let longer = Reading {
        seq: 7,
        at: time("2023-09-25T13:30:00Z"),
        received_at: now,
        imported: takst_engine::units::Energy(7_000_000),
        exported: None,
        segment: 0,
        context: None,
    };
    store
        .write(Lane::charger(&org(), "5"), async move |tx| {
            tx.put_readings(&org(), "a", std::slice::from_ref(&longer)).await
        })
        .await
        .unwrap();
    change(&store, "a", |session| {
        session.unplugged = Some(Instant(session.unplugged.unwrap().0 + 1_800_000));
        session.billing = Billing::Due;
    })
    .await;
    let done = bills.bill_due(&org(), now).await.unwrap();
    let [(_, Outcome::Corrected(correction))] = done.as_slice() else { panic!("{done:?}") };
    assert_eq!((correction.total, correction.number), (10, 2));
    let first = bills_of(&store, "a").await.remove(0);
    assert_eq!(bills.verify(&org(), &first.id).await.unwrap(), Verdict::SessionChanged);
    assert_eq!(bills.verify(&org(), &correction.id).await.unwrap(), Verdict::Same);

    // The operator decides that another list counts.
    let outcome =
        bills.reprice(&org(), "a", Some(other), decision("promised on the phone"), now).await.unwrap();
    let Outcome::Corrected(second) = outcome else { panic!("{outcome:?}") };
    // 7 kWh at 12 cent instead of 1.70.
    assert_eq!((second.total, second.revision), (84 - 170, 3));
    assert_eq!(bills.verify(&org(), &second.id).await.unwrap(), Verdict::Same);
    let outcome = bills.reprice(&org(), "a", None, decision("again"), now).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
    let sum: i64 = bills_of(&store, "a").await.iter().map(|bill| bill.total).sum();
    assert_eq!(sum, 84);
}
both!(corrections_by_themselves_and_another_tariff);

// The first 5 kWh of the driver's month are free: counters pass from bill to bill, and a correction moves them too.
async fn counters_pass_from_bill_to_bill(place: Place) {
    let (store, house) = open(&place).await;
    let bills = billing(&store, &house, Options::default());
    let version = house.add(made(COUNTED));
    let now = time("2023-09-30T08:00:00Z");
    // 4 kWh each; the second in two halves. Taken in another order than they were written.
    for (id, from) in
        [("c", "2023-09-27T10:00:00Z"), ("a", "2023-09-25T10:00:00Z"), ("b", "2023-09-26T10:00:00Z")]
    {
        add(&store, &plain("d-1", "5", from, 2), &version, id, true).await;
    }
    add(&store, &plain("d-2", "6", "2023-09-26T10:00:00Z", 2), &version, "other", true).await;
    bills.bill_due(&org(), now).await.unwrap();
    let mut totals = Vec::new();
    for id in ["a", "b", "c", "other"] {
        let bill = bills_of(&store, id).await.remove(0);
        totals.push(bill.total);
        assert_eq!(bills.verify(&org(), &bill.id).await.unwrap(), Verdict::Same, "{id}");
    }
    assert_eq!(totals, [0, 30, 40, 0]);
    let standing = |store: &Store| {
        let store = store.clone();
        async move {
            let row =
                store.read().await.unwrap().standing(&org(), "driver:koti:EUR:d-1").await.unwrap().unwrap();
            (
                row.posting,
                Standing::from_json(&row.document).unwrap().get("driver energy 2023-09").to_string(),
            )
        }
    };
    assert_eq!(standing(&store).await, (3, "12".to_owned()));

    // `b` took one kWh more than was reported: the counter moves by one, whatever came after it.
    let late = Reading {
        seq: 5,
        at: time("2023-09-26T12:15:00Z"),
        received_at: now,
        imported: takst_engine::units::Energy(5_000_000),
        exported: None,
        segment: 0,
        context: None,
    };
    store
        .write(Lane::charger(&org(), "5"), async move |tx| {
            tx.put_readings(&org(), "b", std::slice::from_ref(&late)).await
        })
        .await
        .unwrap();
    change(&store, "b", |session| {
        session.unplugged = Some(time("2023-09-26T12:15:00Z"));
        session.billing = Billing::Due;
    })
    .await;
    let done = bills.bill_due(&org(), now).await.unwrap();
    assert!(matches!(done[0].1, Outcome::Undecided(_)), "{done:?}");
    assert_eq!(bills_of(&store, "b").await.len(), 1);
    assert_eq!(store.read().await.unwrap().open_incidents(&org()).await.unwrap()[0].kind, "bill.differs");
    // What would change is shown, and nothing is issued by looking.
    let difference = bills.difference(&org(), "b").await.unwrap();
    let total = difference.correction.as_ref().map(|document| document.total.as_str());
    assert_eq!((difference.billed.as_str(), total), ("0.30", Some("0.10")));
    assert!(difference.waits.is_some() && difference.trouble.is_none() && !difference.refunded);
    assert_eq!(bills_of(&store, "b").await.len(), 1);
    // Left as it is, nobody is waited for; it differs all the same, and nothing is left that asks again.
    bills.dismiss(&org(), "b", decision("the driver agreed"), now).await.unwrap();
    assert_eq!(store.read().await.unwrap().open_incidents(&org()).await.unwrap(), []);
    let twice = bills.dismiss(&org(), "b", decision("the driver agreed"), now).await;
    assert!(matches!(twice, Err(Error::Refused(_))), "{twice:?}");
    assert!(store.read().await.unwrap().preview(&org(), "b").await.unwrap().is_none());
    assert!(bills.difference(&org(), "b").await.unwrap().correction.is_some());
    assert!(matches!(bills.difference(&org(), "nobody").await, Err(Error::Missing { .. })));
    let audit = store.read().await.unwrap().audit_log(&org(), Some("b"), None, 10).await.unwrap();
    assert_eq!((audit[0].what.as_str(), audit[0].who.as_str()), ("bill.dismiss", "anna"));
    let outcome = bills.reprice(&org(), "b", None, decision("as measured"), now).await.unwrap();
    let Outcome::Corrected(correction) = outcome else { panic!("{outcome:?}") };
    assert_eq!(correction.total, 10);
    assert_eq!(standing(&store).await, (4, "13".to_owned()));
    assert_eq!(bills.verify(&org(), &correction.id).await.unwrap(), Verdict::Same);
    assert_eq!(store.read().await.unwrap().open_incidents(&org()).await.unwrap(), []);
}
both!(counters_pass_from_bill_to_bill);

async fn what_cannot_be_priced_is_held(place: Place) {
    let (store, house) = open(&place).await;
    let bills = billing(&store, &house, Options::default());
    let by_plug = house.add(made("energy:\n  10 cent/kWh  on AC\n  30 cent/kWh  on DC"));
    let now = time("2023-09-30T08:00:00Z");
    add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 1), &by_plug, "plug", true).await;
    add(&store, &plain("d-1", "5", "2023-09-25T12:00:00Z", 1), "sha256:gone", "tariff", true).await;
    add(&store, &plain("d-1", "5", "2023-09-25T14:00:00Z", 1), &by_plug, "seller", true).await;
    change(&store, "seller", |session| session.seller = None).await;
    add(&store, &plain("d-1", "5", "2023-09-25T16:00:00Z", 1), &by_plug, "held", true).await;
    store
        .write(Lane::charger(&org(), "5"), async move |tx| {
            tx.set_hold(&org(), "held", true, ("the register fell", "gateway"), at(0)).await
        })
        .await
        .unwrap();
    let done = bills.bill_due(&org(), now).await.unwrap();
    let reasons: Vec<_> = done
        .iter()
        .map(|(id, outcome)| match outcome {
            Outcome::Held(reason) => (id.as_str(), reason.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(reasons.len(), 3);
    assert!(reasons[0].1.contains("add `plug`"), "{reasons:?}");
    assert!(reasons[1].1.contains("sha256:gone"), "{reasons:?}");
    assert!(reasons[2].1.contains("seller"), "{reasons:?}");
    let held = session_of(&store, "plug").await;
    assert!(held.hold && held.billing == Billing::Due && held.hold_by.as_deref() == Some("gateway"));
    assert_eq!(events(&store, "session.suspect").await.len(), 3);
    assert_eq!(bills.bill_due(&org(), now).await.unwrap(), []);

    // Somebody looks: one is mended and let go, one gets no bill.
    change(&store, "plug", |session| {
        session.document = r#"{"facts":{"connector":{"plug":"DC"}}}"#.to_owned();
    })
    .await;
    bills.release(&org(), "plug", decision("the plug was added"), now).await.unwrap();
    bills.never(&org(), "held", decision("a test by the installer"), now).await.unwrap();
    let done = bills.bill_due(&org(), now).await.unwrap();
    let [(_, Outcome::Billed(bill))] = done.as_slice() else { panic!("{done:?}") };
    assert_eq!((bill.total, bill.number), (60, 1));
    assert_eq!(session_of(&store, "held").await.billing, Billing::Never);
    assert!(bills.never(&org(), "plug", decision("x"), now).await.is_err());
    let log = store.read().await.unwrap().audit_log(&org(), None, None, 10).await.unwrap();
    let what: Vec<_> = log.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(what, ["session.never", "session.release"]);
    // Nobody else's sessions.
    let other = OrgId::new("another");
    assert_eq!(bills.bill_due(&other, now).await.unwrap(), []);
    assert!(bills.release(&other, "tariff", decision("x"), now).await.is_err());
}
both!(what_cannot_be_priced_is_held);

// Several programs bill at once and are stopped at any moment: each session has one bill, and numbers have no holes.
async fn one_bill_each_without_holes_under_concurrency_and_crashes(place: Place) {
    const SESSIONS: usize = 60;
    let (store, house) = open(&place).await;
    let version = house.add(made(COUNTED));
    for number in 0..SESSIONS {
        let from = takst_engine::calendar_time::utc_text(Instant(
            time("2023-09-02T10:00:00Z").0 + number as i64 * 3_600_000,
        ));
        let (driver, charger) = (format!("d-{}", number % 3), format!("c-{}", number % 7));
        add(&store, &plain(&driver, &charger, &from, 1), &version, &format!("s{number:02}"), true).await;
    }
    let now = time("2023-09-30T08:00:00Z");
    // SQLite belongs to one program, PostgreSQL can have several.
    let mut stores = vec![store.clone()];
    if !place.is_sqlite() {
        stores.push(place.open().await);
    }
    let mut round = 0_u64;
    loop {
        round += 1;
        let mut tasks = Vec::new();
        for store in stores.iter().chain(&stores) {
            let bills = billing(store, &house, Options::default());
            tasks.push(tokio::spawn(async move { bills.bill_due(&org(), now).await }));
        }
        if round <= 12 {
            tokio::time::sleep(std::time::Duration::from_millis(round * 3)).await;
            tasks.iter().for_each(|task| task.abort());
        }
        for task in tasks {
            if let Ok(done) = task.await {
                done.unwrap();
            }
        }
        if store.read().await.unwrap().due_sessions(&org(), 1).await.unwrap().is_empty() {
            break;
        }
        assert!(round < 100, "sessions stay due");
    }
    let mut reader = store.read().await.unwrap();
    let all = reader.bills(&org(), &BillFilter::default(), None, 1000).await.unwrap();
    let mut numbers: Vec<i64> = all.iter().map(|bill| bill.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=SESSIONS as i64).collect::<Vec<_>>());
    let mut sessions: Vec<_> = all.iter().filter_map(|bill| bill.session.clone()).collect();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), SESSIONS);
    // 40 kWh for each driver, of which 5 are free.
    assert_eq!(all.iter().map(|bill| bill.total).sum::<i64>(), 3 * 350);
    for driver in 0..3 {
        let row = reader.standing(&org(), &format!("driver:koti:EUR:d-{driver}")).await.unwrap().unwrap();
        assert_eq!((row.posting, row.document.as_str()), (20, r#"{"driver energy 2023-09":"40"}"#));
    }
    drop(reader);
    let bills = billing(&store, &house, Options::default());
    for bill in &all {
        assert_eq!(bills.verify(&org(), &bill.id).await.unwrap(), Verdict::Same);
    }
    assert_eq!(events(&store, "bill.issued").await.len(), SESSIONS);
}
both!(one_bill_each_without_holes_under_concurrency_and_crashes);

const COUNTED: &str = "energy:\n  free         up to 5 kWh per month per driver\n  10 cent/kWh  otherwise";

// The program that is killed: bills until nothing is due. Does nothing unless a parent asks for it.
#[test]
fn child() {
    let Ok(url) = std::env::var("TAKST_TEST_BILL") else { return };
    run(async {
        let store = Store::open(&url).await.unwrap();
        let house: Arc<House> = Arc::default();
        house.add(made(COUNTED));
        let bills = billing(&store, &house, Options::default());
        bills.bill_due(&org(), time("2023-09-30T08:00:00Z")).await.unwrap();
        store.close().await;
    });
}

// `kill -9` while it bills, again and again: in the end each session has one bill, without holes, and the counters are right.
async fn killed_at_any_moment(place: Place) {
    const SESSIONS: usize = 80;
    let (store, house) = open(&place).await;
    let version = house.add(made(COUNTED));
    for number in 0..SESSIONS {
        let from = Instant(time("2023-09-02T10:00:00Z").0 + number as i64 * 3_600_000);
        let text = plain("d-1", "5", &takst_engine::calendar_time::utc_text(from), 1);
        add(&store, &text, &version, &format!("s{number:02}"), true).await;
    }
    store.close().await;
    let mut kills = 0;
    for round in 0..100_u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["bills::child", "--exact", "--test-threads", "1"])
            .env("TAKST_TEST_BILL", &place.url)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // It takes a moment to start; from then on every millisecond is another place.
        for _ in 0..(30 + round * 7 % 90) {
            std::thread::sleep(std::time::Duration::from_millis(1));
            if child.try_wait().unwrap().is_some() {
                break;
            }
        }
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let store = place.open().await;
        // A database server may still be committing what the killed process sent: both figures must be of one moment.
        let (left, count) = loop {
            let mut reader = store.read().await.unwrap();
            let before = reader.last_bill_number(&org(), "koti", "KOTI-").await.unwrap();
            let left = reader.due_sessions(&org(), 1000).await.unwrap().len();
            if reader.last_bill_number(&org(), "koti", "KOTI-").await.unwrap() == before {
                break (left, before);
            }
        };
        assert_eq!(usize::try_from(count).unwrap() + left, SESSIONS, "round {round}");
        store.close().await;
        if left == 0 {
            break;
        }
    }
    assert!(kills > 0, "it was never killed at work");
    let store = place.open().await;
    billing(&store, &house, Options::default()).bill_due(&org(), time("2023-09-30T08:00:00Z")).await.unwrap();
    let mut reader = store.read().await.unwrap();
    let all = reader.bills(&org(), &BillFilter::default(), None, 1000).await.unwrap();
    let mut numbers: Vec<i64> = all.iter().map(|bill| bill.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=SESSIONS as i64).collect::<Vec<_>>());
    assert_eq!(all.iter().map(|bill| bill.total).sum::<i64>(), (SESSIONS as i64 * 2 - 5) * 10);
    let row = reader.standing(&org(), "driver:koti:EUR:d-1").await.unwrap().unwrap();
    assert_eq!(row.posting, SESSIONS as i64);
    drop(reader);
    let bills = billing(&store, &house, Options::default());
    for bill in &all {
        assert_eq!(bills.verify(&org(), &bill.id).await.unwrap(), Verdict::Same);
    }
}
both!(killed_at_any_moment);
