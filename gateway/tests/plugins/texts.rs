//! Messages of drivers: they start and stop sessions, and are answered in their language.

use crate::plug::Plug;
use crate::reminders::{Messages, all_files, sms_gateway};
use crate::shop::*;
use crate::store_support::*;
use serde_json::{Value, json};
use std::time::Duration;

const DRIVER: &str = "+4791234567";

async fn comes(shop: &Shop, id: &str, from: &str, text: &str) -> Came {
    let body = json!({ "id": id, "from": from, "text": text }).to_string();
    shop.outside("POST", "sms/in", &[("X-Api-Key", "secret-of-sms")], &body).await
}

// The answer to the message that is just sent: to whom, and what.
async fn answer(messages: &Messages, nth: usize) -> (String, String) {
    for _ in 0..400 {
        if let Some(message) = messages.lock().unwrap().get(nth) {
            let text = |name: &str| message[name].as_str().unwrap().to_owned();
            return (text("to"), text("text"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no answer {nth}: {:?}", messages.lock().unwrap())
}

// A call of the gateway, which the charger takes.
async fn told(plug: &mut Plug, action: &str) -> Value {
    loop {
        let frame = plug.json().await;
        assert_eq!(frame[0], 2, "{frame}");
        plug.send(json!([3, frame[1], {"status": "Accepted"}]).to_string()).await;
        if frame[2] == action {
            return frame[3].clone();
        }
    }
}

async fn say(plug: &mut Plug, action: &str, payload: Value) -> Value {
    plug.send(json!([2, action, action, payload]).to_string()).await;
    loop {
        let frame = plug.json().await;
        if frame[0] == 3 {
            return frame[2].clone();
        }
        plug.send(json!([3, frame[1], {"status": "Accepted"}]).to_string()).await;
    }
}

async fn a_driver_starts_and_stops_by_message(place: Place) {
    let shop = Shop::open(&place, &all_files(), quick()).await;
    let messages = sms_gateway(&shop).await;
    assert_eq!(shop.outside("POST", "sms/in", &[("x-api-key", "other-secret")], "{}").await.status, 400);

    // Somebody else: he is told once, and nothing of him is kept.
    for id in ["s-1", "s-2"] {
        assert_eq!(comes(&shop, id, "+4790000000", "start charging O-1").await.status, 200);
    }
    let (to, text) = answer(&messages, 0).await;
    assert_eq!(
        (to.as_str(), text.starts_with("We do not know this telephone number")),
        ("+4790000000", true)
    );
    assert!(!shop.get("/api/v1/outbox").await.to_string().contains("90000000"));

    comes(&shop, "m-1", DRIVER, "Lade start O-99").await;
    assert_eq!(
        answer(&messages, 1).await,
        (DRIVER.into(), "Det finnes ingen lader O-99. ID-en står på laderen.".into())
    );
    comes(&shop, "m-2", DRIVER, "Laden start O-2").await;
    assert!(answer(&messages, 2).await.1.starts_with("O-2 is nu niet bereikbaar"));
    comes(&shop, "m-3", DRIVER, "start charging").await;
    assert!(answer(&messages, 3).await.1.starts_with("Which charger?"));
    comes(&shop, "m-4", DRIVER, "Terminar carregamento").await;
    assert_eq!(answer(&messages, 4).await.1, "Não está a carregar aí.");

    let mut plug = Plug::connect(shop.address, "/ocpp/O-1", &["ocpp1.6"], None).await.unwrap();
    plug.boot().await;
    // Letters in either case name the same charger.
    let twice = tokio::join!(
        comes(&shop, "m-5", DRIVER, "lade start o-1"),
        comes(&shop, "m-5", DRIVER, "lade start o-1")
    );
    assert_eq!((twice.0.status, twice.1.status), (200, 200));
    let start = told(&mut plug, "RemoteStartTransaction").await;
    assert_eq!((&start["idTag"], &start["connectorId"]), (&json!("CARD-1"), &json!(1)), "{start}");
    let now = chrono::DateTime::from_timestamp(now_s().cast_signed(), 0).unwrap().to_rfc3339();
    let begin = json!({"connectorId": 1, "idTag": "CARD-1", "meterStart": 0, "timestamp": now});
    let begun = say(&mut plug, "StartTransaction", begin).await;
    assert_eq!(begun["idTagInfo"]["status"], "Accepted", "{begun}");
    assert_eq!(answer(&messages, 5).await.1, "Ladingen starter på O-1. Pris nå: 100.00 NOK/kWh.");

    // The same message again, told by the other side once more.
    comes(&shop, "m-5", DRIVER, "lade start o-1").await;
    comes(&shop, "m-6", DRIVER, "lade start o-1").await;
    assert_eq!(answer(&messages, 6).await.1, "O-1 er i bruk.");

    comes(&shop, "m-7", DRIVER, "Lopeta lataus").await;
    let stop = told(&mut plug, "RemoteStopTransaction").await;
    assert_eq!(stop["transactionId"], begun["transactionId"], "{stop}");
    let text = answer(&messages, 7).await.1;
    assert!(text.starts_with("Lataus lopetetaan: O-1."), "{text}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(messages.lock().unwrap().len(), 8, "{:?}", messages.lock().unwrap());
    let keys: std::collections::BTreeSet<String> =
        messages.lock().unwrap().iter().map(|message| message["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys.len(), 8);
    shop.stop().await;
}
both!(a_driver_starts_and_stops_by_message);
