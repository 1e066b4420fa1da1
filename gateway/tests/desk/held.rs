//! Prices that are asked for at another time than they are of: values that hold until the next one, means with a hole, areas that are late,
//! costs that a month tells; and prices that come at the moment in which somebody begins to wait for them.

use crate::billing_support::*;
use crate::live::Told;
use crate::store_support::*;
use serde_json::json;
use sqlx::{Connection as _, Row as _};
use std::sync::Arc;
use std::time::Duration;
use takst_dsl::{SourceFile, compile};
use takst_engine::Prepared;
use takst_engine::calendar_time::utc_text;
use takst_engine::units::{DAY_MS, Instant};
use takst_gateway::billing::{Billing as Bills, Options, Outcome};
use takst_gateway::chargers::model::{Command, Reference};
use takst_gateway::feeds::{Asked, Books, Holds, Offered, Received, receive_asked};
use takst_gateway::live::{Live, Options as LiveOptions};
use takst_gateway::store::*;

const RATE: &str = "feed rate: EUR/kWh, holds until next\n\nenergy: rate";

async fn open(place: &Place) -> (Store, Arc<House>, Bills) {
    let store = place.open().await;
    store.write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "City", at(0)).await).await.unwrap();
    let house: Arc<House> = Arc::default();
    let bills = billing(&store, &house, Options::default());
    (store, house, bills)
}

// A document with steps of a feed; they come at `now`, and `rate` is held by a list.
async fn give(store: &Store, (feed, area): (&str, &str), steps: &[(&str, i64, &str)], now: &str) -> Received {
    let step = |(from, hours, price): &(&str, i64, &str)| json!({ "from": from, "to": utc_text(Instant(time(from).0 + hours * 3_600_000)), "price": price });
    let mut document = json!({
        "feed": feed, "unit": "EUR/kWh", "published": now, "prices": steps.iter().map(step).collect::<Vec<_>>(),
    });
    if !area.is_empty() {
        document["area"] = area.into();
    }
    let offered = Offered {
        text: document.to_string(),
        name: "x.json".into(),
        currency: "EUR".into(),
        published: None,
    };
    let holds: Holds = Arc::new(|feed| feed == "rate");
    let asked = Asked { holds: Some(holds), ..Asked::default() };
    receive_asked(store, &org(), offered, asked, time(now)).await.unwrap()
}

async fn billed(bills: &Bills, now: &str) -> Vec<(String, Option<i64>)> {
    let done = bills.bill_due(&org(), time(now)).await.unwrap();
    let total = |outcome: &Outcome| match outcome {
        Outcome::Billed(bill) => Some(bill.total),
        Outcome::Pending(_) => None,
        other => panic!("{other:?}"),
    };
    done.iter().map(|(id, outcome)| (id.clone(), total(outcome))).collect()
}

async fn alerts(store: &Store) -> Vec<Incident> {
    let open = store.read().await.unwrap().open_incidents(&org()).await.unwrap();
    open.into_iter().filter(|incident| incident.kind == "feed.changed").collect()
}

// The bank says at four o'clock what counted since midnight: sessions of the day have been billed with the value before.
async fn a_value_that_comes_late_is_an_alert(place: Place) {
    let (store, house, bills) = open(&place).await;
    let version = house.add(made(RATE));
    let of = ("rate", "");
    give(&store, of, &[("2023-09-22T00:00:00Z", 24, "0.10")], "2023-09-22T14:00:00Z").await;
    add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 2), &version, "a", true).await;
    add(&store, &plain("d-1", "5", "2023-09-24T10:00:00Z", 2), &version, "before", true).await;
    // 4 kWh at 12.4 cent.
    let done = billed(&bills, "2023-09-25T12:10:00Z").await;
    assert_eq!(done, [("before".to_owned(), Some(50)), ("a".to_owned(), Some(50))]);
    let monday = [("2023-09-25T00:00:00Z", 24, "0.20")];
    let received = give(&store, of, &monday, "2023-09-25T14:00:00Z").await;
    let day = (time("2023-09-25T00:00:00Z"), time("2023-09-26T00:00:00Z"));
    assert_eq!(received.series[0].changed, [day]);
    let [alert] = <[_; 1]>::try_from(alerts(&store).await).unwrap();
    let affected = bills.affected_by(&org(), &alert.id, time("2023-09-25T14:01:00Z")).await.unwrap();
    let list: Vec<_> =
        affected.iter().map(|bill| (bill.session.as_str(), bill.difference.as_str())).collect();
    assert_eq!(list, [("a", "0.49")]);
    bills.correct_affected(&org(), &alert.id, decision("x"), time("2023-09-25T14:02:00Z")).await.unwrap();
    assert_eq!(alerts(&store).await, []);
    // The same value as before, the value of tomorrow, and the first value of all change nothing of what is known.
    let now = "2023-09-26T10:00:00Z";
    give(&store, of, &[("2023-09-26T00:00:00Z", 24, "0.20")], now).await;
    give(&store, of, &[("2023-09-27T00:00:00Z", 24, "0.30")], now).await;
    give(&store, ("rate", "FI"), &[("2023-09-26T00:00:00Z", 24, "0.30")], now).await;
    // Nor does a late hour of a feed that does not hold: what had no price was not billed.
    give(&store, ("spot", "FI"), &[("2023-09-26T00:00:00Z", 1, "0.30")], now).await;
    give(&store, ("spot", "FI"), &[("2023-09-26T02:00:00Z", 1, "0.40")], now).await;
    assert_eq!(alerts(&store).await, []);
    // A value between two that are known is one, with a revised one of tomorrow beside it.
    let both = [("2023-09-26T06:00:00Z", 6, "0.25"), ("2023-09-27T00:00:00Z", 24, "0.35")];
    let received = give(&store, of, &both, "2023-09-26T11:00:00Z").await;
    let tomorrow = (time("2023-09-27T00:00:00Z"), time("2023-09-28T00:00:00Z"));
    let morning = (time("2023-09-26T06:00:00Z"), time("2023-09-26T12:00:00Z"));
    assert_eq!(received.series[0].changed, [morning, tomorrow]);
}
both!(a_value_that_comes_late_is_an_alert);

// A value of January that counted until April is revised: every bill that was made with it is found, and no other.
async fn a_revised_value_is_looked_up_as_long_as_it_held(place: Place) {
    let (store, house, bills) = open(&place).await;
    let version = house.add(made(RATE));
    let of = ("rate", "");
    give(&store, of, &[("2023-01-01T00:00:00Z", 24, "0.10")], "2023-01-01T00:00:00Z").await;
    give(&store, of, &[("2023-04-01T00:00:00Z", 24, "0.10")], "2023-04-01T00:00:00Z").await;
    for (id, from) in [
        ("january", "2023-01-20T10:00:00Z"),
        ("february", "2023-02-20T10:00:00Z"),
        ("march", "2023-03-31T10:00:00Z"),
        ("april", "2023-04-02T10:00:00Z"),
    ] {
        add(&store, &plain("d-1", "5", from, 2), &version, id, true).await;
    }
    assert_eq!(billed(&bills, "2023-04-03T00:00:00Z").await.len(), 4);
    give(&store, of, &[("2023-01-01T00:00:00Z", 24, "0.20")], "2023-04-05T00:00:00Z").await;
    let found = async |now: &str| {
        let alert = alerts(&store).await.pop().unwrap();
        let affected = bills.affected_by(&org(), &alert.id, time(now)).await.unwrap();
        let found = affected.into_iter().map(|bill| bill.session).collect::<Vec<_>>();
        bills.correct_affected(&org(), &alert.id, decision("x"), time(now)).await.unwrap();
        found
    };
    assert_eq!(found("2023-04-05T00:01:00Z").await, ["march", "february", "january"]);
    // The last one counts until today.
    add(&store, &plain("d-1", "5", "2023-08-02T10:00:00Z", 2), &version, "august", true).await;
    billed(&bills, "2023-08-03T00:00:00Z").await;
    give(&store, of, &[("2023-04-01T00:00:00Z", 24, "0.15")], "2023-08-05T00:00:00Z").await;
    assert_eq!(found("2023-08-05T00:01:00Z").await, ["august", "april"]);
}
both!(a_revised_value_is_looked_up_as_long_as_it_held);

fn live(store: &Store, house: &Arc<House>) -> (Live, Arc<Told>) {
    let told: Arc<Told> = Arc::default();
    let live =
        Live::new(store.clone(), house.clone(), Books::default(), told.clone(), LiveOptions::default());
    (live, told)
}

// What the display shows and what the bill will say, of a value that was last said long ago.
async fn a_running_session_knows_a_value_of_long_ago(place: Place) {
    let (store, house, bills) = open(&place).await;
    let start = time("2023-09-25T10:00:00Z");
    for (id, days) in [("recent", 10), ("old", 100), ("older", 399), ("too-old", 401)] {
        let from = Instant(start.0 - days * DAY_MS - 3_600_000);
        give(&store, (id, ""), &[(&utc_text(from), 1, "0.10")], "2023-09-01T00:00:00Z").await;
        let version = house.add(made(&format!("feed {id}: EUR/kWh, holds until next\n\nenergy: {id}")));
        add(&store, &plain("d-1", id, "2023-09-25T10:00:00Z", 2), &version, id, false).await;
    }
    let (live, _) = live(&store, &house);
    let now = time("2023-09-25T12:00:00Z");
    live.take_up(now).await.unwrap();
    for id in ["recent", "old", "older", "too-old"] {
        let shown = live.cost(&org(), id).unwrap();
        change(&store, id, |session| {
            (session.unplugged, session.status) = (Some(now), SessionStatus::Ended);
            session.billing = Billing::Due;
        })
        .await;
        let done = billed(&bills, "2023-09-25T12:10:00Z").await;
        let wanted = (id != "too-old").then_some(50);
        assert_eq!(done, [(id.to_owned(), wanted)]);
        assert_eq!((!shown.pending).then_some(shown.total), wanted, "{id}");
    }
}
both!(a_running_session_knows_a_value_of_long_ago);

// Whoever pays by a plant's cost price can charge without a contract, and what is known of his cost is held against the ceiling.
async fn a_price_of_the_month_stops_nobody(place: Place) {
    let (store, house, _) = open(&place).await;
    let dear = house.add(made("energy: cost price\n\nstart fee: 6.00 EUR/session"));
    let fair = house.add(made("energy: cost price\n\nstart fee: 1.00 EUR/session"));
    let (live, told) = live(&store, &house);
    for (id, version, stops) in [("fair", &fair, 0), ("dear", &dear, 1)] {
        add(&store, &plain("d-1", id, "2023-09-25T10:00:00Z", 2), version, id, false).await;
        change(&store, id, |session| session.ceiling_minor = Some(500)).await;
        let again = takst_gateway::sessions::Touched { rebuilt: true, ..Default::default() };
        live.touch(&org(), id, again, time("2023-09-25T12:00:00Z")).await;
        let stop = Command::Stop(Reference::Ours(7));
        assert_eq!(told.take().into_iter().filter(|command| *command == stop).count(), stops, "{id}");
        assert!(live.cost(&org(), id).unwrap().pending);
    }
}
both!(a_price_of_the_month_stops_nobody);

// A list that does not say in which area its spot price is.
fn anywhere() -> Arc<Prepared> {
    let text = "tariff \"Test\"\n  currency: EUR\n  time zone: Europe/Helsinki\n  prices: including VAT\n\nVAT: 24%\n\nenergy: spot\n";
    let compiled =
        compile(SourceFile { name: "t.tariff".into(), text: text.into() }, &mut |_| Err("no".into()));
    Arc::new(Prepared::new(compiled.tariff.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))).unwrap())
}

async fn the_price_of_another_area_is_not_taken(place: Place) {
    let now = "2023-09-25T20:00:00Z";
    let (sunday, monday) = (("2023-09-24T00:00:00Z", 24, "0.10"), ("2023-09-25T00:00:00Z", 24, "0.20"));
    let long_ago = ("2023-05-24T00:00:00Z", 24, "0.10");
    let named = made("energy: spot");
    // What is known of each area when a session of Monday is billed, and what comes of it.
    for (list, known, wanted) in [
        // The only one there is.
        (anywhere(), vec![("FI", sunday), ("FI", monday)], Some(99)),
        (anywhere(), vec![("", sunday), ("", monday)], Some(99)),
        // One of two is late: nobody knows which one is meant. One that was given up long ago is none.
        (anywhere(), vec![("FI", sunday), ("SE3", sunday), ("FI", monday)], None),
        (anywhere(), vec![("SE3", long_ago), ("FI", monday)], Some(99)),
        (anywhere(), vec![("FI", monday), ("SE3", monday)], None),
        (anywhere(), vec![("", monday), ("SE3", monday)], Some(99)),
        (anywhere(), vec![("", sunday), ("SE3", monday)], None),
        // The area that is named is late; what names no area serves it only where it has none of its own.
        (named.clone(), vec![("FI", sunday), ("", monday)], None),
        (named.clone(), vec![("FI", long_ago), ("", monday)], Some(99)),
        (named.clone(), vec![("", sunday), ("FI", monday)], Some(99)),
        (named, vec![("SE3", sunday), ("", monday)], Some(99)),
    ] {
        let place = place.another().await;
        let (store, house, bills) = open(&place).await;
        let version = house.add(list);
        for (area, step) in &known {
            give(&store, ("spot", area), &[*step], now).await;
        }
        add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 2), &version, "a", true).await;
        assert_eq!(billed(&bills, now).await, [("a".to_owned(), wanted)], "{known:?}");
        if known == [("FI", sunday), ("", monday)] {
            // When it comes, it is the one that counts.
            let received = give(&store, ("spot", "FI"), &[("2023-09-25T00:00:00Z", 24, "0.30")], now).await;
            assert_eq!(received.woken, 1);
            assert_eq!(billed(&bills, now).await, [("a".to_owned(), Some(149))]);
        }
        for bill in bills_of(&store, "a").await {
            let verdict = bills.verify(&org(), &bill.id).await.unwrap();
            assert_eq!(verdict, takst_gateway::billing::Verdict::Same, "{known:?}");
        }
    }
}
both!(the_price_of_another_area_is_not_taken);

// A mean of the month with two holes: what fills the last one wakes whoever waits, though it does not end with the month.
async fn a_hole_in_a_month_is_filled(place: Place) {
    let (store, house, bills) = open(&place).await;
    let version = house.add(made("energy: month mean of spot"));
    let now = "2023-10-02T10:00:00Z";
    let of = ("spot", "FI");
    let month: [(&str, i64, &str); 3] = [
        ("2023-08-31T21:00:00Z", 9 * 24, "0.10"),
        ("2023-09-10T21:00:00Z", 9 * 24, "0.10"),
        ("2023-09-20T21:00:00Z", 11 * 24, "0.10"),
    ];
    give(&store, of, &month, now).await;
    add(&store, &plain("d-1", "5", "2023-09-05T10:00:00Z", 2), &version, "a", true).await;
    assert_eq!(billed(&bills, now).await, [("a".to_owned(), None)]);
    let waits = async || {
        let waits = store.read().await.unwrap().preview_waits(&org(), "a").await.unwrap();
        waits.into_iter().map(|wait| utc_text(wait.until)).collect::<Vec<_>>()
    };
    assert_eq!(waits().await, ["2023-09-20T21:00:00Z"]);
    let fill = async |from: &str| give(&store, of, &[(from, 24, "0.10")], now).await.woken;
    assert_eq!(fill("2023-09-19T21:00:00Z").await, 1);
    assert_eq!(billed(&bills, now).await, [("a".to_owned(), None)]);
    assert_eq!(waits().await, ["2023-09-10T21:00:00Z"]);
    assert_eq!(fill("2023-09-09T21:00:00Z").await, 1);
    assert_eq!(billed(&bills, now).await, [("a".to_owned(), Some(50))]);
}
both!(a_hole_in_a_month_is_filled);

// What takes one statement each would take a lane away from the chargers for minutes.
async fn a_year_of_prices_is_a_few_statements(place: Place) {
    let (store, house, bills) = open(&place).await;
    let now = "2023-12-31T20:00:00Z";
    let start = time("2023-01-01T00:00:00Z").0;
    let quarter = |nth: i64| utc_text(Instant(start + nth * 900_000));
    let year = |from: i64, until: i64, price: &str| {
        let step = |nth| json!({ "from": quarter(nth), "to": quarter(nth + 1), "price": price });
        let prices: Vec<_> = (from..until).map(step).collect();
        json!({ "feed": "spot", "area": "FI", "unit": "EUR/kWh", "prices": prices }).to_string()
    };
    let statements = async |text: String| {
        let before = store.tally().statements;
        let received = take(&store, text, time(now)).await;
        (received, store.tally().statements - before)
    };
    const STEPS: i64 = 365 * 96;
    let (received, count) = statements(year(0, STEPS - 96, "0.10")).await;
    assert_eq!(received.series[0].kept, u64::try_from(STEPS - 96).unwrap());
    assert!(count < 300, "{count} statements");
    let version = house.add(made("energy: spot"));
    for number in 0..60 {
        let (charger, id) = (format!("c-{number}"), format!("s{number:02}"));
        add(&store, &plain("d-1", &charger, "2023-12-31T10:00:00Z", 1), &version, &id, true).await;
    }
    assert_eq!(billed(&bills, now).await.len(), 60);
    let (received, count) = statements(year(STEPS - 96, STEPS, "0.10")).await;
    assert_eq!(received.woken, 60);
    assert!(count < 20, "{count} statements");
    assert!(billed(&bills, now).await.iter().all(|(_, total)| *total == Some(25)));
}
both!(a_year_of_prices_is_a_few_statements);

// Billing has found no price and is about to say that it waits; the price is written and is about to be seen. Neither knows of the other.
#[test]
fn a_price_that_comes_while_somebody_begins_to_wait() {
    run(async {
        let place = Place::postgres().await;
        let (store, house, bills) = open(&place).await;
        let version = house.add(made("energy: spot"));
        let now = "2023-09-25T20:00:00Z";
        // Another session waits already; somebody holds its row, and with it the document that is to wake it.
        add(&store, &plain("d-1", "c-1", "2023-09-25T10:00:00Z", 2), &version, "held", true).await;
        assert_eq!(billed(&bills, now).await, [("held".to_owned(), None)]);
        add(&store, &plain("d-1", "c-2", "2023-09-25T10:00:00Z", 2), &version, "new", true).await;
        let mut other = sqlx::PgConnection::connect(&place.url).await.unwrap();
        let mut holding = other.begin().await.unwrap();
        sqlx::query("SELECT id FROM session WHERE id = 'held' FOR UPDATE")
            .execute(&mut *holding)
            .await
            .unwrap();
        let comes = {
            // With a writer of its own, as another program.
            let store = place.open().await;
            tokio::spawn(async move {
                give(&store, ("spot", "FI"), &[("2023-09-25T00:00:00Z", 24, "0.20")], now).await
            })
        };
        let mut watcher = sqlx::PgConnection::connect(&place.url).await.unwrap();
        loop {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
            let row = sqlx::query(waiting).fetch_one(&mut watcher).await.unwrap();
            if row.get::<i64, _>(0) > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let begins = {
            let bills = bills.clone();
            tokio::spawn(async move { bills.bill_session(&org(), "new", time(now)).await })
        };
        tokio::time::sleep(Duration::from_millis(300)).await;
        holding.commit().await.unwrap();
        comes.await.unwrap();
        begins.await.unwrap().unwrap();
        bills.bill_due(&org(), time(now)).await.unwrap();
        for id in ["held", "new"] {
            let total: Vec<i64> = bills_of(&store, id).await.iter().map(|bill| bill.total).collect();
            assert_eq!(total, [99], "{id} waits for a price that is there");
        }
    });
}
