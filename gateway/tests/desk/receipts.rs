//! The receipt of a bill says what the bill says: as text, as a page, as JSON.

use crate::billing_support::*;
use crate::store_support::*;
use std::sync::Arc;
use takst_gateway::billing::Options;
use takst_gateway::receipts::{self, About};
use takst_gateway::store::*;

// Set TAKST_SHOW to a folder to look at the pages.
fn show(name: &str, page: &str) {
    if let Ok(folder) = std::env::var("TAKST_SHOW") {
        std::fs::write(std::path::Path::new(&folder).join(name), page).unwrap();
    }
}

async fn receipts_say_what_the_bill_says(place: Place) {
    let store = place.open().await;
    let house: Arc<House> = Arc::default();
    let bills = billing(&store, &house, Options::default());
    let prepared = shipped("koticharge/spot.tariff");
    let version = house.add(Arc::clone(&prepared));
    let now = time("2023-09-25T16:00:00+03:00");
    take(&store, example("prices/fi-2023-09-25.json"), now).await;
    add(&store, &example("sessions/koticharge-210.json"), &version, "s210", true).await;
    bills.bill_due(&org(), now).await.unwrap();
    let bill = bills_of(&store, "s210").await.remove(0);
    let about = About { tariff: Some(&prepared), site: Some("Otakaari 5"), ..About::default() };

    let text = receipts::text_about(&bill, about).unwrap();
    let wanted = "\
KotiCharge Oy                    Company number 1234567-8, VAT number FI12345678
Otakaari 5, 02150 Espoo                             asiakaspalvelu@example.com

Receipt KOTI-0001                                       Issued 2023-09-25 16:00
Session s210                                              charger 5, Otakaari 5
Mon 25 Sep 2023, 09:09 – 15:56                          48.446 kWh in 6 h 47 min
KotiCharge: spot-hinta                                  amounts in EUR, with VAT
────────────────────────────────────────────────────────────────────────────────
Energy                                                                      3.45
  09:09 – 10:00       5.911 kWh ×     0.0723 EUR/kWh          0.4274
";
    for line in wanted.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let has = |text: &str| text.split_whitespace().collect::<Vec<_>>() == words;
        assert!(text.lines().any(has), "{line}\n\n{text}");
    }
    assert!(text.contains("EUR 3.45") && !text.contains("For the site"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");

    let page = receipts::html_about(&bill, about).unwrap();
    show("210.html", &page);
    for part in [
        "<title>Receipt KOTI-0001</title>",
        "KotiCharge Oy",
        "09:09 – 10:00",
        "5.911 kWh",
        "0.4274",
        "of which transmission",
        "2.30",
        "VAT 24 % on 2.78",
        "0.67",
        "3.45 EUR",
        "spot.tariff:22",
        "energy: spot + transmission + service rounded to 0.01 cent/kWh",
    ] {
        assert!(page.contains(part), "{part}\n\n{page}");
    }
    // Every line names its rule, and every rule is there.
    assert_eq!(page.matches("href=\"#rule-1\"").count(), 7);
    assert_eq!(page.matches("id=\"rule-").count(), 1);
    // Nothing is fetched from elsewhere.
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));

    let json = receipts::json_about(&bill, about).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["receipt"]["number"], "KOTI-0001");
    assert_eq!(json["receipt"]["total"], "3.45");
    assert_eq!(json["receipt"]["lines"].as_array().unwrap().len(), 7);
    assert_eq!(json["receipt"]["issued_by"]["vat_number"], "FI12345678");
    assert!(json["receipt"].get("standing").is_none());

    let refund = bills.refund(&org(), "s210", None, decision("the charger was broken"), now).await.unwrap();
    let page = receipts::html_about(&refund, about).unwrap();
    show("refund.html", &page);
    assert!(page.contains("Credit note") && page.contains("Paid back to you") && page.contains("-3.45"));
    assert!(page.contains("the charger was broken"));
    assert!(receipts::text(&refund).unwrap().contains("\nCredit note KOTI-0002"));

    // A long bill with several charges, a discount and free time; words of the tariff cannot become markup.
    let rich = house.add(made(
        "energy: spot + 8 cent/kWh\n\nstart fee \"Start <b>&\": 0.50 EUR/session\n\nidle fee after 15 min: 0.10 EUR/min\n\ndiscount \"Autumn\": 10%",
    ));
    let hours: Vec<String> = (0..48).map(|hour| format!("{}.25", 20 + hour)).collect();
    let hours: Vec<&str> = hours.iter().map(String::as_str).collect();
    take(&store, feed(Some("2023-09-25T11:00:00Z"), "2023-09-26T00:00:00Z", &hours), now).await;
    let mut session: serde_json::Value =
        serde_json::from_str(&plain("d-1", "7", "2023-09-26T16:20:00Z", 9)).unwrap();
    session["states"] = serde_json::json!([
        { "from": "2023-09-26T16:20:00Z", "state": "charging" }, { "from": "2023-09-27T01:20:00Z", "state": "idle" },
    ]);
    session["unplugged"] = "2023-09-27T03:00:00Z".into();
    add(&store, &session.to_string(), &rich, "rich", true).await;
    bills.bill_due(&org(), time("2023-09-27T03:00:00Z")).await.unwrap();
    let bill = bills_of(&store, "rich").await.remove(0);
    let page = receipts::html(&bill).unwrap();
    let tariff = takst_gateway::billing::Tariffs::prepared(&*house, &rich);
    let about = About { tariff: tariff.as_deref(), ..about };
    show("rich.html", &receipts::html_about(&bill, about).unwrap());
    assert!(page.contains("Start &lt;b&gt;&amp;") && !page.contains("<b>"), "{page}");
    assert!(page.contains("Autumn") && page.contains("Wed 27 Sep 2023"), "{page}");
    let error = receipts::text(&Bill { document: "{}".to_owned(), ..bill }).unwrap_err();
    assert!(error.to_string().contains("has no `number`"), "{error}");
}
both!(receipts_say_what_the_bill_says);

async fn quantities_lead_to_the_amounts_beside_them(place: Place) {
    let store = place.open().await;
    let house: Arc<House> = Arc::default();
    let bills = billing(&store, &house, Options::default());
    let prepared = made("energy: 3.20 EUR/kWh");
    let version = house.add(Arc::clone(&prepared));
    let session = r#"{"id":"x","charger":"5","plugged_in":"2023-09-25T10:00:00Z","unplugged":"2023-09-25T10:00:59Z","readings":[
        {"at":"2023-09-25T10:00:00Z","import_kwh":"0"},{"at":"2023-09-25T10:00:59Z","import_kwh":"0.026437"}]}"#;
    add(&store, session, &version, "short", true).await;
    bills.bill_due(&org(), time("2023-09-25T12:00:00Z")).await.unwrap();
    let bill = bills_of(&store, "short").await.remove(0);
    let about = About { tariff: Some(&prepared), ..About::default() };
    let (text, page) =
        (receipts::text_about(&bill, about).unwrap(), receipts::html_about(&bill, about).unwrap());
    // 0.0264 times 3.20 would be 0.0845.
    for part in ["0.02644 kWh", "0.0846", "59 s"] {
        assert!(text.contains(part), "{part}: {text}");
        assert!(page.contains(part), "{part}: {page}");
    }
}
both!(quantities_lead_to_the_amounts_beside_them);
