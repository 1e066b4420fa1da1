//! Price documents come in once, in every known format; what is late or broken is told, and nothing is written over.

use crate::billing_support::*;
use crate::store_support::*;
use std::path::Path;
use takst_dsl::resolve::zone;
use takst_engine::units::Instant;
use takst_gateway::feeds::{Asked, Expected, Folder, Offered, check_late, receive, receive_asked};
use takst_gateway::store::*;

const ENTSOE: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"><mRID>x</mRID>
<type>A44</type><createdDateTime>2025-10-12T16:38:43Z</createdDateTime>
<period.timeInterval><start>2025-10-12T22:00Z</start><end>2025-10-13T22:00Z</end></period.timeInterval>
<TimeSeries><in_Domain.mRID codingScheme="A01">10YFI-1--------U</in_Domain.mRID>
<out_Domain.mRID>10YFI-1--------U</out_Domain.mRID><currency_Unit.name>EUR</currency_Unit.name>
<price_Measure_Unit.name>MWH</price_Measure_Unit.name><curveType>A03</curveType><Period><timeInterval>
<start>2025-10-12T22:00Z</start><end>2025-10-13T22:00Z</end></timeInterval><resolution>PT15M</resolution>
<Point><position>1</position><price.amount>2.67</price.amount></Point><Point><position>3</position><price.amount>-1.5</price.amount></Point>
<Point><position>90</position><price.amount>40</price.amount></Point></Period></TimeSeries></Publication_MarketDocument>"#;

const NORD_POOL: &str = r#"{"deliveryDateCET":"2025-10-13","version":3,"updatedAt":"2025-10-12T11:24:06Z","market":"DayAhead",
    "multiAreaEntries":[{"deliveryStart":"2025-10-12T22:00:00Z","deliveryEnd":"2025-10-12T22:15:00Z","entryPerArea":{"FI":7.5,"NO1":9.25}},
    {"deliveryStart":"2025-10-12T22:15:00Z","deliveryEnd":"2025-10-12T22:30:00Z","entryPerArea":{"FI":8,"NO1":null}}],"currency":"EUR"}"#;

const HVAKOSTER: &str = r#"[{"NOK_per_kWh":1e-05,"EUR_per_kWh":0.0,"EXR":11.3,"time_start":"2025-10-26T02:45:00+02:00","time_end":"2025-10-26T02:00:00+01:00"},
    {"NOK_per_kWh":-0.01047,"EUR_per_kWh":-0.00089,"EXR":11.3,"time_start":"2025-10-26T02:00:00+01:00","time_end":"2025-10-26T02:15:00+01:00"}]"#;

async fn prices(store: &Store, area: &str, from: &str, until: &str) -> Vec<(Instant, Instant, String)> {
    let mut reader = store.read().await.unwrap();
    let points = reader.prices(&org(), ("spot", area), time(from), time(until)).await.unwrap();
    points.into_iter().map(|point| (point.from_at, point.to_at, point.price)).collect()
}

async fn every_format_is_taken_once(place: Place) {
    let store = place.open().await;
    let now = time("2025-10-12T17:00:00Z");
    let received = take(&store, ENTSOE.to_owned(), now).await;
    assert_eq!((received.series[0].area.as_str(), received.series[0].kept), ("FI", 96));
    let day = prices(&store, "FI", "2025-10-12T22:00:00Z", "2025-10-13T22:00:00Z").await;
    let values: Vec<&str> = day.iter().map(|(.., price)| price.as_str()).collect();
    assert_eq!(
        (&values[..4], values[88], &values[94..]),
        (&["2.67", "2.67", "-1.5", "-1.5"][..], "-1.5", &["40", "40"][..])
    );
    assert!(day.array_windows::<2>().all(|[a, b]| a.1 == b.0 && a.1.0 - a.0.0 == 900_000));
    assert_eq!(events(&store, "feed.received").await.len(), 1);
    // The same again is no news, and no event.
    assert!(!take(&store, ENTSOE.to_owned(), Instant(now.0 + 1000)).await.is_news());
    assert_eq!(events(&store, "feed.received").await.len(), 1);

    // Published earlier, arrived later: kept, but what stands is the later one.
    let received = take(&store, NORD_POOL.to_owned(), Instant(now.0 + 2000)).await;
    let about: Vec<_> = received
        .series
        .iter()
        .map(|series| (series.area.as_str(), series.kept, series.changed.len()))
        .collect();
    assert_eq!(about, [("FI", 2, 0), ("NO1", 1, 0)]);
    assert_eq!(prices(&store, "FI", "2025-10-12T22:00:00Z", "2025-10-12T22:30:00Z").await[0].2, "2.67");

    let offered = |text: &str, name: &str, currency: &str| Offered {
        text: text.into(),
        name: name.into(),
        currency: currency.into(),
        published: Some(now),
    };
    let refused =
        receive(&store, &org(), offered(&NORD_POOL.replace("\"EUR\"", "\"NOK\""), "x.json", "NOK"), now)
            .await
            .unwrap_err();
    assert!(refused.to_string().contains("keep one currency"), "{refused}");
    assert_eq!(prices(&store, "NO1", "2025-10-12T22:00:00Z", "2025-10-12T23:00:00Z").await.len(), 1);
    let received = receive(&store, &org(), offered(HVAKOSTER, "10-26_NO3.json", "NOK"), now).await.unwrap();
    assert_eq!((received.series[0].area.as_str(), received.series[0].kept), ("NO3", 2));
    assert_eq!(prices(&store, "NO3", "2025-10-26T00:00:00Z", "2025-10-26T02:00:00Z").await[0].2, "0.00001");
    for wrong in [
        "",
        "<x/>",
        "{}",
        "[1]",
        "{\"feed\":\"spot\",\"unit\":\"EUR/MWh\",\"prices\":[{\"from\":\"2025-10-13T00:00:00Z\",\"to\":\"2025-10-12T00:00:00Z\",\"price\":\"1\"}]}",
    ] {
        assert!(receive(&store, &org(), offered(wrong, "x.json", "EUR"), now).await.is_err(), "{wrong}");
    }
    // Nobody else's prices.
    let other = OrgId::new("another");
    assert_eq!(store.read().await.unwrap().feeds(&other).await.unwrap(), []);
}
both!(every_format_is_taken_once);

// A document that contradicts an earlier one of the same publication time does not write over it.
async fn nothing_is_written_over(place: Place) {
    let store = place.open().await;
    let published = Some("2023-09-24T11:00:00Z");
    let (first, second) = (time("2023-09-24T12:00:00Z"), time("2023-09-24T13:00:00Z"));
    take(&store, feed(published, "2023-09-25T00:00:00Z", &["1", "2", "3"]), first).await;
    let received = take(&store, feed(published, "2023-09-25T00:00:00Z", &["1", "5", "3"]), second).await;
    assert_eq!(received.series[0].changed, [(time("2023-09-25T01:00:00Z"), time("2023-09-25T02:00:00Z"))]);
    let mut reader = store.read().await.unwrap();
    let all = reader
        .published_prices(&org(), ("spot", "FI"), time("2023-09-25T01:00:00Z"), time("2023-09-25T02:00:00Z"))
        .await
        .unwrap();
    let said: Vec<_> = all.iter().map(|point| (point.published, point.price.as_str())).collect();
    assert_eq!(said, [(time("2023-09-24T11:00:00Z"), "2"), (second, "5")]);
    drop(reader);
    // Read again after a restart, in any order: nothing is new.
    for prices in [["1", "2", "3"], ["1", "5", "3"]] {
        let again =
            take(&store, feed(published, "2023-09-25T00:00:00Z", &prices), Instant(second.0 + 60_000)).await;
        assert!(!again.is_news(), "{again:?}");
    }
    // The rest of a day, published with its first part.
    let more = take(&store, feed(published, "2023-09-25T03:00:00Z", &["4"]), second).await;
    assert_eq!((more.series[0].kept, more.series[0].changed.len()), (1, 0));
    assert_eq!(prices(&store, "FI", "2023-09-25T00:00:00Z", "2023-09-25T04:00:00Z").await.len(), 4);
}
both!(nothing_is_written_over);

async fn a_folder_is_looked_at(place: Place) {
    let store = place.open().await;
    let folder = place.dir.path().join("prices");
    std::fs::create_dir(&folder).unwrap();
    let now = time("2023-09-24T12:00:00Z");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let mut looked = Folder::new(&folder, "EUR");
    write("day.json", &feed(None, "2023-09-25T00:00:00Z", &["1", "2"]));
    write("broken.json", "{\"feed\": \"spot\", \"unti\"");
    write("readme.txt", "not a feed");
    // What may still be written is left for the next look.
    assert_eq!(looked.look(&store, &org(), now).await.unwrap().len(), 0);
    let taken = looked.look(&store, &org(), now).await.unwrap();
    let names: Vec<_> = taken.iter().map(|taken| (taken.file.as_str(), taken.result.is_ok())).collect();
    assert_eq!(names, [("broken.json", false), ("day.json", true)]);
    let open = store.read().await.unwrap().open_incidents(&org()).await.unwrap();
    assert_eq!(
        (open.len(), open[0].kind.as_str(), open[0].subject.as_str()),
        (1, "feed.broken", "broken.json")
    );
    assert_eq!(looked.look(&store, &org(), now).await.unwrap().len(), 0);
    // A restart reads all of it again, and says nothing new.
    let mut again = Folder::new(&folder, "EUR");
    again.look(&store, &org(), now).await.unwrap();
    for taken in again.look(&store, &org(), now).await.unwrap() {
        assert!(taken.result.is_err() || !taken.result.unwrap().is_news(), "{}", taken.file);
    }
    // Mended.
    write("broken.json", &feed(None, "2023-09-25T02:00:00Z", &["3"]));
    looked.look(&store, &org(), now).await.unwrap();
    let taken = looked.look(&store, &org(), now).await.unwrap();
    assert!(taken[0].result.is_ok());
    assert_eq!(store.read().await.unwrap().open_incidents(&org()).await.unwrap(), []);
    assert_eq!(prices(&store, "FI", "2023-09-25T00:00:00Z", "2023-09-26T00:00:00Z").await.len(), 3);
    // A folder that is not there is not the end.
    assert_eq!(Folder::new(Path::new("/nowhere"), "EUR").look(&store, &org(), now).await.unwrap().len(), 0);
}
both!(a_folder_is_looked_at);

async fn what_is_late_is_told_once(place: Place) {
    let store = place.open().await;
    let zone = zone::table(chrono_tz::Europe::Helsinki);
    let expected = [Expected {
        feed: "spot".into(),
        area: "FI".into(),
        by_minute: 14 * 60 + 30,
        zone,
        alert_after_ms: 0,
    }];
    let today = vec!["1"; 24];
    take(&store, feed(None, "2023-09-23T21:00:00Z", &today), time("2023-09-23T12:00:00Z")).await;
    // At 14:29 today is enough, at 14:30 tomorrow is wanted.
    let check = async |now: &str| check_late(&store, &org(), &expected, time(now)).await.unwrap();
    assert_eq!(check("2023-09-24T14:29:00+03:00").await, 0);
    assert_eq!(check("2023-09-24T14:30:00+03:00").await, 1);
    assert_eq!(check("2023-09-24T14:31:00+03:00").await, 1);
    let late = events(&store, "feed.late").await;
    assert_eq!((late.len(), late[0].subject.as_str()), (1, "spot FI"));
    assert!(late[0].document.contains(r#""needed_until":"2023-09-25T21:00:00Z""#), "{}", late[0].document);
    // Half a day is not the day.
    take(&store, feed(None, "2023-09-24T21:00:00Z", &today[..12]), time("2023-09-24T12:00:00Z")).await;
    assert_eq!(check("2023-09-24T15:00:00+03:00").await, 1);
    take(&store, feed(None, "2023-09-25T09:00:00Z", &today[..12]), time("2023-09-24T13:00:00Z")).await;
    assert_eq!(check("2023-09-24T16:00:00+03:00").await, 0);
    assert_eq!(store.read().await.unwrap().open_incidents(&org()).await.unwrap(), []);
    assert_eq!(
        (events(&store, "feed.late").await.len(), events(&store, "incident.closed").await.len()),
        (1, 1)
    );
}
both!(what_is_late_is_told_once);

// Nobody is told before `alert_after` has passed, and what is told follows the days.
async fn what_may_be_late_is_waited_for(place: Place) {
    let store = place.open().await;
    let zone = zone::table(chrono_tz::Europe::Helsinki);
    let alert_after_ms = 20 * 3_600_000;
    let by_minute = 3 * 60 + 20;
    let expected = [Expected { feed: "spot".into(), area: "FI".into(), by_minute, zone, alert_after_ms }];
    let day = vec!["1"; 24];
    take(&store, feed(None, "2023-09-23T21:00:00Z", &day), time("2023-09-23T12:00:00Z")).await;
    let check = async |now: &str| check_late(&store, &org(), &expected, time(now)).await.unwrap();
    let about = async || -> String {
        let open = store.read().await.unwrap().open_incidents(&org()).await.unwrap();
        open.iter().map(|incident| incident.document.clone()).collect()
    };
    // The prices of the 25th are due at 03:20, and may come until 23:20.
    assert_eq!(check("2023-09-24T03:24:00+03:00").await, 0);
    assert_eq!(check("2023-09-24T23:19:00+03:00").await, 0);
    assert_eq!(about().await, "");
    assert_eq!(check("2023-09-24T23:20:00+03:00").await, 1);
    assert!(about().await.contains(r#""needed_until":"2023-09-25T21:00:00Z""#), "{}", about().await);
    // A day later it is about one more day, and about none of them twice.
    assert_eq!(check("2023-09-25T23:20:00+03:00").await, 1);
    assert!(about().await.contains(r#""needed_until":"2023-09-26T21:00:00Z""#), "{}", about().await);
    assert_eq!(events(&store, "feed.late").await.len(), 1);
    take(
        &store,
        feed(None, "2023-09-24T21:00:00Z", &[day.clone(), day].concat()),
        time("2023-09-25T21:00:00Z"),
    )
    .await;
    assert_eq!(check("2023-09-25T23:21:00+03:00").await, 0);
    assert_eq!(about().await, "");
}
both!(what_may_be_late_is_waited_for);

// A slip must not stand in the way of the right prices: nothing of it is kept.
async fn a_slip_is_refused_before_anything_is_kept(place: Place) {
    let store = place.open().await;
    let now = time("2023-09-24T12:00:00Z");
    let day = feed(None, "2023-09-25T00:00:00Z", &["1", "2"]);
    let next = feed(None, "2023-09-26T00:00:00Z", &["3", "4"]);
    let in_sek = |text: &str| text.replace("EUR/MWh", "SEK/MWh");
    let send = async |text: &str, asked: Asked| {
        let offered =
            Offered { text: text.to_owned(), name: "x.json".into(), currency: "EUR".into(), published: None };
        receive_asked(&store, &org(), offered, asked, now).await.map_err(|error| error.to_string())
    };
    let known = async || prices(&store, "FI", "2023-09-25T00:00:00Z", "2023-09-27T00:00:00Z").await.len();
    let tariffs = |codes: &[&str]| {
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        let currencies: takst_gateway::feeds::Currencies =
            std::sync::Arc::new(
                move |feed, area| {
                    if (feed, area) == ("spot", "FI") { codes.clone() } else { Vec::new() }
                },
            );
        Asked { currencies: Some(currencies), ..Asked::default() }
    };
    // The first document is not in the currency that tariffs ask for.
    let refused = send(&in_sek(&day), tariffs(&["EUR"])).await.unwrap_err();
    assert!(refused.contains("SEK/MWh") && refused.contains("EUR"), "{refused}");
    assert_eq!(known().await, 0);
    send(&day, tariffs(&["EUR"])).await.unwrap();
    // Other hours than those that are known.
    let refused = send(&in_sek(&next), Asked::default()).await.unwrap_err();
    assert!(refused.contains("keep one currency"), "{refused}");
    assert_eq!(known().await, 2);
    // Published in the future it would win for ever; a clock may be a little off.
    let at = |published: &str| feed(Some(published), "2023-09-26T00:00:00Z", &["999", "999"]);
    let refused = send(&at("2040-01-01T00:00:00Z"), Asked::default()).await.unwrap_err();
    assert!(refused.contains("2040-01-01T00:00:00Z") && refused.contains("future"), "{refused}");
    assert_eq!(known().await, 2);
    send(&next, Asked::default()).await.unwrap();
    send(&at("2023-09-24T12:05:00Z"), Asked::default()).await.unwrap();
    assert_eq!(known().await, 4);
    // A country that goes over to another currency: tariffs ask for it, and the hours are new ones.
    let later = in_sek(&feed(None, "2023-09-28T00:00:00Z", &["5"]));
    send(&later, tariffs(&["EUR", "SEK"])).await.unwrap();
}
both!(a_slip_is_refused_before_anything_is_kept);

// What the address says and what the document says are the same.
async fn a_document_is_what_it_is_sent_as(place: Place) {
    let store = place.open().await;
    let now = time("2025-10-12T17:00:00Z");
    let send = async |text: &str, feed: &str, area: Option<&str>| {
        let only = Some((feed.to_owned(), area.map(str::to_owned)));
        let offered =
            Offered { text: text.to_owned(), name: "x.json".into(), currency: "EUR".into(), published: None };
        let asked = Asked { only, ..Asked::default() };
        receive_asked(&store, &org(), offered, asked, now).await.map_err(|error| error.to_string())
    };
    let own = feed(None, "2025-10-13T00:00:00Z", &["1", "2"]);
    for (text, feed, area, why) in [
        (own.as_str(), "nope", None, "`spot FI`"),
        (own.as_str(), "spot", Some("SE3"), "`spot SE3` was asked for"),
        (NORD_POOL, "spot", Some("FI"), "`spot NO1`"),
    ] {
        let refused = send(text, feed, area).await.unwrap_err();
        assert!(refused.contains(why), "{feed} {area:?}: {refused}");
    }
    assert_eq!(store.read().await.unwrap().feeds(&org()).await.unwrap(), []);
    send(NORD_POOL, "spot", None).await.unwrap();
    send(&own, "spot", Some("FI")).await.unwrap();
    // A document without an area is of the one in the address.
    let bare = own.replace(r#""area":"FI","#, "").replace("2025-10-13", "2025-10-14");
    assert_ne!(bare, own);
    send(&bare, "spot", Some("FI")).await.unwrap();
    assert_eq!(prices(&store, "FI", "2025-10-14T00:00:00Z", "2025-10-15T00:00:00Z").await.len(), 2);
}
both!(a_document_is_what_it_is_sent_as);
