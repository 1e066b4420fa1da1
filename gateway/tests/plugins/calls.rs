//! Calls from outside at the addresses of plugins: real signatures, hints, limits.

use crate::shop::*;
use crate::store_support::*;
use serde_json::{Value, json};

fn told(id: &str, payment: &Value) -> String {
    json!({ "id": id, "type": "payment_intent.succeeded", "data": { "object": { "id": payment["reference"], "status": "succeeded", "amount_received": 1 } } })
        .to_string()
}

async fn a_webhook_makes_the_gateway_look_and_is_not_believed(place: Place) {
    // Nothing is looked at by itself for ten minutes.
    let shop = Shop::open(&place, &files("stripe", STRIPE), slow()).await;
    shop.save_card("d-1", "4000002500003155").await;
    shop.charge("O-1", "CARD-1").await;
    let payment = shop.payment("d-1", "action-needed").await;
    let intent = payment["reference"].as_str().unwrap();
    let status = format!("GET /v1/payment_intents/{intent}");
    assert_eq!(shop.detour.count(&status), 0);

    // A wrong signature, an old one, one of another body, none: nothing is asked and nothing is kept.
    let body = told("evt_1", &payment);
    let old = stripe_signature(&body, now_s() - 301);
    let other = stripe_signature("{}", now_s());
    let zero = format!("t={},v1={}", now_s(), "0".repeat(64));
    for signature in [old.as_str(), &other, &zero, ""] {
        let headers: &[(&str, &str)] =
            if signature.is_empty() { &[] } else { &[("stripe-signature", signature)] };
        let refused = shop.outside("POST", "stripe/events", headers, &body).await;
        assert_eq!((refused.status, refused.body.as_str()), (400, "wrong-signature\n"), "{refused:?}");
    }
    assert_eq!(shop.detour.count(&status), 0);
    let plugins = shop.get("/api/v1/plugins").await;
    assert_eq!(plugins[0]["state"], "ready", "whoever sends rubbish does not make a plugin fail: {plugins}");

    // The driver has not said yes to his bank; somebody who has the secret says that he has.
    let signature = stripe_signature(&body, now_s());
    let heard = shop.outside("POST", "stripe/events", &[("stripe-signature", &signature)], &body).await;
    assert_eq!(heard.status, 200, "{heard:?}");
    shop.until("/api/v1/payments", |_| shop.detour.count(&status) == 1).await;
    assert_eq!(shop.payment("d-1", "action-needed").await["captured"], "0.00");

    // The same event again is dropped, though its signature is right.
    says_yes(&payment).await;
    let heard = shop.outside("POST", "stripe/events", &[("stripe-signature", &signature)], &body).await;
    assert_eq!(heard.status, 200, "{heard:?}");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(shop.detour.count(&status), 1);

    // Another one makes it look, and what the provider answers is booked.
    let body = told("evt_2", &payment);
    let signature = stripe_signature(&body, now_s());
    let heard = shop.outside("POST", "stripe/events", &[("stripe-signature", &signature)], &body).await;
    assert_eq!(heard.status, 200, "{heard:?}");
    assert_eq!(shop.payment("d-1", "paid").await["captured"], "20.00");
    shop.stop().await;
}
both!(a_webhook_makes_the_gateway_look_and_is_not_believed);

async fn a_dispute_is_told_and_booked_by_hand(place: Place) {
    let shop = Shop::open(&place, &files("stripe", STRIPE), slow()).await;
    shop.save_card("d-1", "4242424242424242").await;
    shop.charge("O-1", "CARD-1").await;
    let payment = shop.payment("d-1", "paid").await;
    let open = async || {
        let open = shop.get("/api/v1/incidents?open=true").await;
        let mut open = open.as_array().unwrap().clone();
        open.retain(|one| one["kind"] == "payment.disputed");
        open
    };
    let tell = async |event: &str, kind: &str, intent: &Value, status: &str| {
        let body = json!({ "id": event, "type": kind, "data": { "object": {
            "id": "du_1", "payment_intent": intent, "amount": 2_000, "currency": "nok", "reason": "fraudulent", "status": status,
        } } })
        .to_string();
        let signature = stripe_signature(&body, now_s());
        let heard = shop.outside("POST", "stripe/events", &[("stripe-signature", &signature)], &body).await;
        assert_eq!(heard.status, 200, "{heard:?}");
    };
    // Of another shop with the same account at Stripe.
    tell("evt_0", "charge.dispute.created", &json!("pi_other"), "needs_response").await;
    assert!(open().await.is_empty());
    tell("evt_1", "charge.dispute.created", &payment["reference"], "needs_response").await;
    tell("evt_2", "charge.dispute.closed", &payment["reference"], "lost").await;
    let told = open().await;
    assert_eq!(told.len(), 1, "{told:?}");
    let about = &told[0]["about"];
    assert_eq!(
        (&about["payment"], &about["amount_minor"], &about["reason"], &about["status"], &about["dispute"]),
        (&payment["id"], &json!(2_000), &json!("fraudulent"), &json!("lost"), &json!("du_1"))
    );
    let path = format!("/api/v1/payments/{}/charged-back", payment["id"].as_str().unwrap());
    let booked = shop.post(&path, json!({ "reference": "du_1", "amount": "20.00" })).await;
    assert_eq!(booked["refunded"], "20.00", "{booked}");
    assert!(open().await.is_empty());
    shop.stop().await;
}
both!(a_dispute_is_told_and_booked_by_hand);

async fn a_wrong_secret_is_told_of(place: Place) {
    let shop = Shop::open(&place, &files("stripe", STRIPE), slow()).await;
    let body =
        json!({ "id": "evt_1", "type": "payment_intent.succeeded", "data": { "object": { "id": "pi_1" } } });
    let body = body.to_string();
    let wrong = format!("t={},v1={}", now_s(), "0".repeat(64));
    let open = async || {
        let open = shop.get("/api/v1/incidents?open=true").await;
        open.as_array()
            .unwrap()
            .iter()
            .filter(|one| one["kind"] == "webhook.failing")
            .cloned()
            .collect::<Vec<_>>()
    };
    for _ in 0..19 {
        assert_eq!(
            shop.outside("POST", "stripe/events", &[("stripe-signature", &wrong)], &body).await.status,
            400
        );
    }
    // So many anybody can send.
    assert!(open().await.is_empty());
    shop.outside("POST", "stripe/events", &[("stripe-signature", &wrong)], &body).await;
    let told = open().await;
    assert!(told.len() == 1 && told[0].to_string().contains("its secret is wrong"), "{told:?}");
    let right = stripe_signature(&body, now_s());
    assert_eq!(
        shop.outside("POST", "stripe/events", &[("stripe-signature", &right)], &body).await.status,
        200
    );
    assert!(open().await.is_empty());
    shop.stop().await;
}
both!(a_wrong_secret_is_told_of);

async fn vipps_signs_and_the_gateway_looks(place: Place) {
    let shop = Shop::open(&place, &files("vipps", VIPPS), slow()).await;
    shop.charge("O-1", "CARD-1").await;
    let bill = shop.bill("O-1").await;
    let path = format!("/api/v1/bills/{}/payments", bill["id"].as_str().unwrap());
    shop.post(&path, json!({ "return_to": "https://charge.example.com/pay/1" })).await;
    let payment = shop.payment("d-1", "action-needed").await;
    let id = payment["id"].as_str().unwrap();
    let body = json!({ "msn": "123456", "reference": id, "pspReference": "psp-1", "name": "AUTHORIZED",
        "amount": { "currency": "NOK", "value": 2_000 }, "timestamp": "2023-08-14T12:48:46.260Z", "success": true });
    let body = body.to_string();
    let headers = vipps_headers(&body);
    let forged = vipps_headers("{}");
    let refused = shop.outside("POST", "vipps", &refs(&forged), &body).await;
    assert_eq!((refused.status, refused.body.as_str()), (400, "wrong-signature\n"), "{refused:?}");
    let approve = [
        ("authorization", "Bearer test"),
        ("ocp-apim-subscription-key", "test-subscription"),
        ("merchant-serial-number", "123456"),
        ("content-type", "application/json"),
    ];
    at_peer(vipps(), "POST", &format!("/epayment/v1/test/payments/{id}/approve"), &approve, "{}").await;
    let heard = shop.outside("POST", "vipps", &refs(&headers), &body).await;
    assert_eq!(heard.status, 200, "{heard:?}");
    // It is set aside, and taken at once.
    assert_eq!(shop.payment("d-1", "paid").await["captured"], "20.00");
    shop.stop().await;
}
both!(vipps_signs_and_the_gateway_looks);

// The example of developer.vippsmobilepay.com/docs/APIs/webhooks-api/request-authentication.
async fn the_documented_example_of_vipps_is_believed(place: Place) {
    let settings = VIPPS.replace(
        "https://charge.example.com/plugins/vipps",
        "https://webhook.site/e2cee29b-012e-4f1d-8ef4-e95fd74a7a63",
    );
    let mut files = files("vipps", &settings);
    let secret = "A0+AeKBRG2KRGvnNwJpQlb6IJFk48CKXCIcrLoHncVJKDILsQSxS6NWCccwWm6r6FhGKhiHTBsG2wo/xU6FY/A==";
    files
        .iter_mut()
        .filter(|(name, _)| name == "webhook_secret")
        .for_each(|(_, text)| *text = secret.to_owned());
    let shop = Shop::open(&place, &files, quick()).await;
    let body = r#"{"some-unique-content":"ee6e441b-cc4a-46f8-895d-a5af79bcc233/hello-world"}"#;
    let headers = [
        ("x-ms-date", "Thu, 30 Mar 2023 08:38:32 GMT"),
        ("x-ms-content-sha256", "lNlsp1XA03N34HrQsVzPgJKtC+r7l/RBF4V3JQUWMj4="),
        (
            "authorization",
            "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=agAiSyogQbDHpeucoNwYz+yAr5nJ+v+zasdkSbqzv+U=",
        ),
    ];
    assert_eq!(shop.outside("POST", "vipps", &headers, body).await.status, 200);
    assert_eq!(shop.outside("POST", "vipps/", &headers, body).await.status, 200);
    let other = body.replace("hello-world", "hello-World");
    assert_eq!(shop.outside("POST", "vipps", &headers, &other).await.status, 400);
    assert_eq!(shop.outside("POST", "vipps", &headers[..2], body).await.status, 400);
    shop.stop().await;
}
both!(the_documented_example_of_vipps_is_believed);

#[test]
fn what_nobody_takes_is_turned_away() {
    run(async {
        let place = Place::sqlite();
        let spot = "\n[[plugin]]\nid = \"hvakosterstrommen\"\n";
        let shop = Shop::open(&place, &files("stripe", &format!("{STRIPE}{spot}")), quick()).await;
        for (method, path, status) in [
            ("POST", "nobody/events", 404),
            // It is there, and takes no calls.
            ("POST", "hvakosterstrommen", 404),
            ("GET", "stripe/nothing", 404),
            ("DELETE", "stripe/events", 405),
            ("PUT", "stripe/events", 405),
        ] {
            let came = shop.outside(method, path, &[], "").await;
            assert_eq!(came.status, status, "{method} {path}: {came:?}");
        }
        let large = "x".repeat(256 * 1024 + 1);
        assert_eq!(shop.outside("POST", "stripe/events", &[], &large).await.status, 413);
        // The plugin itself takes a little less, with what stands around it.
        let large = "x".repeat(256 * 1024 - 10);
        assert_eq!(shop.outside("POST", "stripe/events", &[], &large).await.status, 413);

        // Whoever comes too often has to wait; chargers and others do not.
        let mut refused = None;
        for _ in 0..400 {
            let came = shop.outside("GET", "stripe/pay?id=pi_1&check=0", &[], "").await;
            if came.status == 429 {
                refused = Some(came);
                break;
            }
            assert_eq!(came.status, 404, "{came:?}");
        }
        let refused = refused.expect("a limit");
        assert_eq!(refused.header("retry-after"), ["1"], "{refused:?}");
        assert_eq!(shop.outside("POST", "nobody", &[], "").await.status, 404, "a limit of each plugin's own");
        // Nothing is counted, and so nothing is kept, for what is no plugin.
        for _ in 0..400 {
            assert_eq!(shop.outside("GET", "nobody/events", &[], "").await.status, 404);
        }
        shop.charge("O-1", "CARD-1").await;
        shop.stop().await;
    });
}
