//! What people decide about bills stays decided, and what nobody has decided about is not lost: late reports, other lists, refunds, alerts
//! with more bills than a list has.

use crate::billing_support::*;
use crate::store_support::*;
use std::sync::Arc;
use takst_engine::units::Instant;
use takst_gateway::billing::{Billing as Bills, Options, Outcome};
use takst_gateway::store::*;

const NOW: &str = "2023-09-30T08:00:00Z";

async fn open(place: &Place, options: Options) -> (Store, Arc<House>, Bills) {
    let store = place.open().await;
    store.write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "City", at(0)).await).await.unwrap();
    let house: Arc<House> = Arc::default();
    let bills = billing(&store, &house, options);
    (store, house, bills)
}

async fn total(store: &Store, id: &str) -> i64 {
    bills_of(store, id).await.iter().map(|bill| bill.total).sum()
}

// A charger reports an hour more; the session is to be looked at again.
async fn longer(store: &Store, id: &str, hours: i64) {
    let text = plain("d-1", "5", "2023-09-25T10:00:00Z", hours);
    let session = takst_engine::session::Session::from_json(&text).unwrap();
    let (row, parts) = rows(&session, &text, "x", id, true);
    let session = id.to_owned();
    let lane = Lane::charger(&org(), "5");
    store
        .write(lane, async move |tx| tx.put_readings(&org(), &session, &parts.readings).await)
        .await
        .unwrap();
    change(store, id, |stored| {
        (stored.unplugged, stored.stopped_at, stored.billing) = (row.unplugged, row.stopped_at, Billing::Due);
    })
    .await;
}

async fn open_incidents(store: &Store) -> Vec<Incident> {
    store.read().await.unwrap().open_incidents(&org()).await.unwrap()
}

async fn a_named_list_stays(place: Place) {
    let options = Options { correct_automatically: true, ..Options::default() };
    let (store, house, bills) = open(&place, options).await;
    let now = time(NOW);
    let list = |cents: i64| house.add(made(&format!("energy: {cents} cent/kWh")));
    let (first, earlier, promised, even_earlier) = (list(30), list(40), list(20), list(50));
    add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 5), &first, "a", true).await;
    bills.bill_due(&org(), now).await.unwrap();
    // It began earlier than was known, under another list.
    let begins = async |version: &str| {
        change(&store, "a", |stored| {
            stored.tariff_version = Some(version.to_owned());
            stored.billing = Billing::Due;
        })
        .await;
        bills.bill_due(&org(), now).await.unwrap().remove(0).1
    };
    assert!(matches!(begins(&earlier).await, Outcome::Corrected(_)));
    assert_eq!(total(&store, "a").await, 400);
    bills.reprice(&org(), "a", Some(promised.clone()), decision("promised"), now).await.unwrap();
    assert_eq!(total(&store, "a").await, 200);
    // Later looks, whatever they are for, keep to it: also a beginning that is told of even later.
    assert_eq!(begins(&earlier).await, Outcome::Unchanged);
    assert_eq!(begins(&even_earlier).await, Outcome::Unchanged);
    assert!(bills.difference(&org(), "a").await.unwrap().correction.is_none());
    longer(&store, "a", 6).await;
    assert!(matches!(bills.bill_due(&org(), now).await.unwrap().remove(0).1, Outcome::Corrected(_)));
    assert_eq!(total(&store, "a").await, 240);
    // Until he names another one; be it the first.
    bills.reprice(&org(), "a", Some(first), decision("a mistake"), now).await.unwrap();
    assert_eq!(total(&store, "a").await, 360);
    assert_eq!(begins(&even_earlier).await, Outcome::Unchanged);
    // A look without a name decides about no list.
    add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 5), &promised, "b", true).await;
    bills.bill_due(&org(), now).await.unwrap();
    change(&store, "b", |stored| stored.tariff_version = Some(earlier.clone())).await;
    bills.reprice(&org(), "b", None, decision("a look"), now).await.unwrap();
    assert_eq!(total(&store, "b").await, 400);
    change(&store, "b", |stored| {
        (stored.tariff_version, stored.billing) = (Some(even_earlier.clone()), Billing::Due);
    })
    .await;
    bills.bill_due(&org(), now).await.unwrap();
    assert_eq!(total(&store, "b").await, 500);
}
both!(a_named_list_stays);

async fn a_bill_that_cannot_be_worked_out_again_is_decided_about(place: Place) {
    let (store, house, bills) = open(&place, Options::default()).await;
    let now = time(NOW);
    let version = house.add(made("energy: 30 cent/kWh"));
    add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 5), &version, "a", true).await;
    bills.bill_due(&org(), now).await.unwrap();
    // The set-up has forgotten its list.
    let other: Arc<House> = Arc::default();
    let bills = billing(&store, &other, Options::default());
    longer(&store, "a", 6).await;
    let done = bills.bill_due(&org(), now).await.unwrap();
    let [(_, Outcome::Undecided(why))] = done.as_slice() else { panic!("{done:?}") };
    assert!(why.contains(&version), "{why}");
    let session = session_of(&store, "a").await;
    assert_eq!((session.billing, session.hold), (Billing::Billed, false));
    assert_eq!(open_incidents(&store).await[0].kind, "bill.differs");
    assert!(bills.difference(&org(), "a").await.unwrap().trouble.is_some());
    bills.dismiss(&org(), "a", decision("the driver agreed"), now).await.unwrap();
    assert_eq!(open_incidents(&store).await, []);
    // Or another list is named.
    let cheaper = other.add(made("energy: 20 cent/kWh"));
    bills.reprice(&org(), "a", Some(cheaper), decision("his list is lost"), now).await.unwrap();
    assert_eq!(total(&store, "a").await, 240);
    // One that was held by an earlier program comes free.
    longer(&store, "a", 7).await;
    let bills = billing(&store, &Arc::default(), Options::default());
    let unit = async move |tx: &mut Tx| tx.set_hold(&org(), "a", true, ("a list", "gateway"), at(0)).await;
    store.write(Lane::charger(&org(), "5"), unit).await.unwrap();
    bills.release(&org(), "a", decision("go"), now).await.unwrap();
    let done = bills.bill_due(&org(), now).await.unwrap();
    assert!(matches!(done.as_slice(), [(_, Outcome::Undecided(_))]), "{done:?}");
    assert!(!session_of(&store, "a").await.hold);
}
both!(a_bill_that_cannot_be_worked_out_again_is_decided_about);

async fn a_refund_answers_no_other_question(place: Place) {
    let (store, house, bills) = open(&place, Options::default()).await;
    let now = time(NOW);
    let version = house.add(made("energy: 30 cent/kWh\n\nstart fee: 1 EUR/session"));
    let all = [("due", Billing::Due), ("open", Billing::Open), ("billed", Billing::Billed)];
    for (id, _) in all {
        add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 5), &version, id, true).await;
    }
    bills.bill_due(&org(), now).await.unwrap();
    for (id, stands) in all {
        if stands != Billing::Billed {
            longer(&store, id, 6).await;
            change(&store, id, |session| session.billing = stands).await;
        }
        // Before anybody has looked at the late report.
        let fee = Some(vec!["Start fee".to_owned()]);
        bills.refund(&org(), id, fee, decision("a fault"), now).await.unwrap();
        assert_eq!(session_of(&store, id).await.billing, stands, "{id}");
    }
    let done = bills.bill_due(&org(), now).await.unwrap();
    assert!(matches!(done.as_slice(), [(id, Outcome::Undecided(_))] if id == "due"), "{done:?}");
    let open = open_incidents(&store).await;
    assert_eq!((open.len(), open[0].kind.as_str(), open[0].subject.as_str()), (1, "bill.differs", "due"));
}
both!(a_refund_answers_no_other_question);

// A price of a day with more bills than an alert lists is another one: all of them are found.
async fn an_alert_with_more_bills_than_a_list_has(place: Place) {
    const SESSIONS: usize = 8;
    let now = time("2023-09-26T08:00:00Z");
    for (automatic, listed) in [(false, 3), (true, 3), (false, 4), (true, 4), (true, 9)] {
        let place = place.another().await;
        let options = Options { correct_automatically: automatic, most_listed: listed };
        let (store, house, bills) = open(&place, options).await;
        let version = house.add(made("energy: spot + 5 cent/kWh"));
        take(&store, feed(Some("2023-09-24T11:00:00Z"), "2023-09-25T00:00:00Z", &["100"; 24]), now).await;
        for number in 0..SESSIONS {
            let from = takst_engine::calendar_time::utc_text(Instant(
                time("2023-09-25T06:00:00Z").0 + number as i64 * 3_600_000,
            ));
            add(&store, &plain("d-1", "5", &from, 1), &version, &format!("s{number}"), true).await;
        }
        bills.bill_due(&org(), now).await.unwrap();
        take(&store, feed(Some("2023-09-25T11:00:00Z"), "2023-09-25T00:00:00Z", &["200"; 24]), now).await;
        let incident = open_incidents(&store).await.remove(0).id;
        let first = bills.affected_by(&org(), &incident, now).await.unwrap();
        let corrected = async || {
            let mut count = 0;
            for number in 0..SESSIONS {
                count += usize::from(bills_of(&store, &format!("s{number}")).await.len() == 2);
            }
            count
        };
        if !automatic {
            assert_eq!(first.len(), listed);
            let mut done = 0;
            while !open_incidents(&store).await.is_empty() {
                assert_eq!(corrected().await, done, "{listed} in a list");
                let failed = bills.correct_affected(&org(), &incident, decision("x"), now).await.unwrap();
                assert_eq!(failed, []);
                done = (done + listed).min(SESSIONS);
            }
        }
        assert_eq!((corrected().await, open_incidents(&store).await), (SESSIONS, Vec::new()), "{listed}");
    }
}
both!(an_alert_with_more_bills_than_a_list_has);
