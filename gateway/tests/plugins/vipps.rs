//! A gateway that is paid through the shipped Vipps plugin, against the peer of its tests.

use crate::shop::*;
use crate::store_support::*;
use serde_json::{Value, json};

// The driver, in the app.
async fn approves(reference: &str) {
    let headers = [
        ("authorization", "Bearer test"),
        ("ocp-apim-subscription-key", "test-subscription"),
        ("merchant-serial-number", "123456"),
        ("content-type", "application/json"),
    ];
    let body = json!({ "customer": { "phoneNumber": "4791234567" } }).to_string();
    at_peer(vipps(), "POST", &format!("/epayment/v1/test/payments/{reference}/approve"), &headers, &body)
        .await;
}

async fn theirs(reference: &str) -> Value {
    let headers = [("authorization", "Bearer test"), ("ocp-apim-subscription-key", "test-subscription")];
    at_peer(vipps(), "GET", &format!("/epayment/v1/payments/{reference}"), &headers, "").await
}

async fn a_bill_is_paid_in_the_app_and_given_back(place: Place) {
    let shop = Shop::open(&place, &files("vipps", VIPPS), quick()).await;
    shop.charge("O-1", "CARD-1").await;
    let bill = shop.bill("O-1").await;
    let path = format!("/api/v1/bills/{}/payments", bill["id"].as_str().unwrap());
    assert_eq!(shop.get(&path).await, json!([]), "without an agreement nothing is charged by itself");
    // Of the payment and of taking the money the answers are lost.
    shop.detour.meet("/epayment/v1/payments", Trouble::Lost);
    shop.detour.meet("/capture", Trouble::Lost);
    let asked = json!({ "return_to": "https://charge.example.com/pay/1" });
    let payment = shop.post(&path, asked.clone()).await;
    let id = payment["id"].as_str().unwrap();
    let twice = shop.ask("POST", &path, asked).await;
    assert_eq!(twice.status, 409, "{twice:?}");
    let payment = shop.payment("d-1", "action-needed").await;
    assert_eq!(payment["next"], format!("https://landing.vipps.no?token={id}"), "{payment}");
    approves(id).await;
    let payment = shop.payment("d-1", "paid").await;
    assert_eq!((&payment["captured"], &payment["reference"]), (&json!("20.00"), &json!(id)));
    assert_eq!(theirs(id).await["aggregate"]["capturedAmount"]["value"], 2_000);
    assert_eq!(shop.detour.count("POST /epayment/v1/payments"), 1);
    assert_eq!(shop.detour.count(&format!("POST /epayment/v1/payments/{id}/capture")), 1);

    let session = bill["session"].as_str().unwrap();
    let path = format!("/api/v1/sessions/{session}/refund");
    shop.post(&path, json!({ "reason": "the charger was broken" })).await;
    shop.until("/api/v1/payments", |all| all[0]["refunded"] == "20.00").await;
    assert_eq!(theirs(id).await["aggregate"]["refundedAmount"]["value"], 2_000);
    let checked = shop.post("/api/v1/ledger/check", json!({})).await;
    assert_eq!(checked["faults"], json!([]), "{checked}");
    shop.stop().await;
}
both!(a_bill_is_paid_in_the_app_and_given_back);

async fn a_driver_whose_number_is_known_is_asked_on_his_telephone(place: Place) {
    let mut all = files("vipps", &VIPPS.replace("environment = ", "flow = \"push\", environment = "));
    let people = "[[person]]\ndriver = \"d-1\"\nphone = \"+47 912 34 567\"\n\n[[person]]\ndriver = \"d-2\"\nphone = \"912 34 567\"\n";
    all.push(("people.toml".to_owned(), people.to_owned()));
    let shop = Shop::open(&place, &all, quick()).await;
    shop.charge("O-1", "CARD-1").await;
    let bill = shop.bill("O-1").await;
    let path = format!("/api/v1/bills/{}/payments", bill["id"].as_str().unwrap());
    // Nobody's browser has to come back.
    let payment = shop.post(&path, json!({})).await;
    let id = payment["id"].as_str().unwrap();
    let payment = shop.payment("d-1", "pending").await;
    assert_eq!(payment["next"], Value::Null, "{payment}");
    approves(id).await;
    assert_eq!(shop.payment("d-1", "paid").await["captured"], "20.00");
    // The number stands nowhere among what was asked.
    let asked = shop.get("/api/v1/outbox").await.to_string();
    assert!(!asked.contains("91234567") && !asked.contains("912 34"), "{asked}");

    // Of a number without its country nobody knows whose it is.
    shop.charge("O-2", "CARD-2").await;
    let bill = shop.bill("O-2").await;
    let path = format!("/api/v1/bills/{}/payments", bill["id"].as_str().unwrap());
    shop.post(&path, json!({})).await;
    let failed = shop.payment("d-2", "failed").await;
    assert!(failed["failure"].as_str().unwrap().contains("comes back to"), "{failed}");
    shop.stop().await;
}
both!(a_driver_whose_number_is_known_is_asked_on_his_telephone);

async fn a_driver_who_says_no_can_pay_again(place: Place) {
    let shop = Shop::open(&place, &files("vipps", VIPPS), quick()).await;
    shop.charge("O-1", "CARD-1").await;
    let bill = shop.bill("O-1").await;
    let path = format!("/api/v1/bills/{}/payments", bill["id"].as_str().unwrap());
    let asked = json!({ "return_to": "https://charge.example.com/pay/1" });
    let first = shop.post(&path, asked.clone()).await["id"].as_str().unwrap().to_owned();
    shop.payment("d-1", "action-needed").await;
    let said = json!({ "reference": first, "state": "ABORTED" }).to_string();
    at_peer(vipps(), "POST", "/_peer/payment", &[], &said).await;
    shop.payment("d-1", "failed").await;
    let second = shop.post(&path, asked).await["id"].as_str().unwrap().to_owned();
    shop.until(&path, |all| all[0]["status"] == "action-needed").await;
    approves(&second).await;
    let all = shop.until(&path, |all| all[0]["status"] == "paid").await;
    assert_eq!((all[0]["captured"].as_str(), all[1]["captured"].as_str()), (Some("20.00"), Some("0.00")));
    shop.stop().await;
}
both!(a_driver_who_says_no_can_pay_again);
