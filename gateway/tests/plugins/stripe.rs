//! A gateway that is paid through the shipped Stripe plugin, against localstripe.

use crate::shop::*;
use crate::store_support::*;
use serde_json::{Value, json};

async fn open(place: &Place) -> Shop {
    Shop::open(place, &files("stripe", STRIPE), quick()).await
}

async fn a_saved_card_is_charged_at_the_end_and_money_goes_back(place: Place) {
    let shop = open(&place).await;
    shop.save_card("d-1", "4242424242424242").await;
    shop.charge("O-1", "CARD-1").await;
    let bill = shop.bill("O-1").await;
    assert_eq!(bill["total"], "20.00", "{bill}");
    let payment = shop.payment("d-1", "paid").await;
    assert_eq!((&payment["captured"], &payment["refunded"]), (&json!("20.00"), &json!("0.00")));
    let [theirs] = <[Value; 1]>::try_from(stripe_payments(&payment).await).unwrap();
    assert_eq!((&theirs["amount"], &theirs["currency"]), (&json!(2_000), &json!("nok")));
    assert_eq!((&theirs["id"], &theirs["status"]), (&payment["reference"], &json!("succeeded")));

    // An answer that is lost is looked up; the money is given back once.
    shop.detour.meet("/v1/refunds", Trouble::Lost);
    let session = bill["session"].as_str().unwrap();
    let path = format!("/api/v1/sessions/{session}/refund");
    let nothing = shop.ask("POST", &path, json!({ "reason": "" })).await;
    assert_eq!(nothing.status, 400, "{nothing:?}");
    let credit = shop.post(&path, json!({ "reason": "the charger was broken" })).await;
    assert_eq!(credit["total"], "-20.00", "{credit}");
    let again = shop.ask("POST", &path, json!({ "reason": "the charger was broken" })).await;
    assert_eq!(again.status, 409, "{again:?}");
    let of_driver = "/api/v1/payments?debtor=driver:d-1";
    shop.until(of_driver, |all| all[0]["refunded"] == "20.00").await;
    let refunds = format!("/v1/refunds?payment_intent={}&limit=100", theirs["id"].as_str().unwrap());
    let refunds = at_peer(stripe(), "GET", &refunds, &[("authorization", "Bearer sk_test_takst")], "").await;
    assert_eq!(refunds["data"].as_array().unwrap().len(), 1, "{refunds}");
    assert_eq!(refunds["data"][0]["amount"], 2_000);

    let checked = shop.post("/api/v1/ledger/check", json!({})).await;
    assert_eq!(checked["faults"], json!([]), "{checked}");
    let on = shop.get("/api/v1/ledger/accounts?account=receivable").await;
    assert!(on.as_array().unwrap().iter().all(|account| account["balance"] == "0.00"), "{on}");
    let plugins = shop.get("/api/v1/plugins").await;
    assert_eq!((&plugins[0]["id"], &plugins[0]["state"]), (&json!("stripe"), &json!("ready")), "{plugins}");
    shop.stop().await;
}
both!(a_saved_card_is_charged_at_the_end_and_money_goes_back);

async fn whatever_the_network_does_a_card_is_charged_once(place: Place) {
    let shop = open(&place).await;
    shop.save_card("d-1", "4242424242424242").await;
    // Nothing was sent, and then the answer is lost.
    shop.detour.meet("/v1/payment_intents", Trouble::NoConnection);
    shop.detour.meet("/v1/payment_intents", Trouble::Lost);
    shop.charge("O-1", "CARD-1").await;
    let payment = shop.payment("d-1", "paid").await;
    assert_eq!(stripe_payments(&payment).await.len(), 1);
    let rows = shop.get("/api/v1/outbox").await;
    let charge = rows.as_array().unwrap().iter().find(|row| row["kind"] == "charge").unwrap().clone();
    assert_eq!((&charge["state"], &charge["attempts"]), (&json!("done"), &json!(2)), "{charge}");
    assert_eq!((&charge["version"], &charge["subject"]), (&json!("1.0.0"), &payment["id"]));
    // Nine more characters are the host's; Vipps takes fifty.
    let key = charge["idempotency_key"].as_str().unwrap();
    assert!(key.len() <= 41 && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{key}");
    assert_eq!(shop.detour.count("POST /v1/payment_intents"), 1, "the lost one; it was found by a look-up");
    shop.stop().await;
}
both!(whatever_the_network_does_a_card_is_charged_once);

async fn a_declined_card_and_one_whose_bank_wants_its_customer(place: Place) {
    let shop = open(&place).await;
    shop.save_card("d-1", "4000000000000341").await;
    shop.charge("O-1", "CARD-1").await;
    let failed = shop.payment("d-1", "failed").await;
    assert!(failed["failure"].as_str().unwrap().contains("declined"), "{failed}");
    assert_eq!(failed["captured"], "0.00");

    shop.save_card("d-2", "4000002500003155").await;
    shop.charge("O-2", "CARD-2").await;
    let asked = shop.payment("d-2", "action-needed").await;
    let next = asked["next"].as_str().unwrap();
    let page = next.strip_prefix("https://charge.example.com/plugins/").unwrap();
    // The page is the plugin's, at its address here.
    let shown = shop.outside("GET", page, &[("cookie", &format!("takst={}", shop.key))], "").await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert!(shown.body.contains("20.00 NOK") && shown.body.contains("pk_test_takst"), "{shown:?}");
    assert_eq!(shown.header("content-type"), ["text/html; charset=utf-8"]);
    let [theirs, ours] = shown.header("content-security-policy")[..] else { panic!("{shown:?}") };
    assert!(theirs.contains("script-src 'self' https://js.stripe.com"), "{theirs}");
    assert!(ours.starts_with("connect-src https://api.stripe.com; form-action 'none'"), "{ours}");
    assert_eq!(shown.header("cross-origin-opener-policy"), ["unsafe-none"]);
    assert_eq!(shown.header("set-cookie"), [""; 0]);
    let script = shop.outside("GET", "stripe/pay.js", &[], "").await;
    assert_eq!((script.status, script.header("content-type")[0]), (200, "text/javascript; charset=utf-8"));
    let other = page.replace("check=", "check=0");
    assert_eq!(shop.outside("GET", &other, &[], "").await.status, 404);
    // The driver says yes to his bank, and the money is taken.
    says_yes(&asked).await;
    assert_eq!(shop.payment("d-2", "paid").await["captured"], "20.00");
    // The operator's own pages are apart from those of plugins.
    let own = http(shop.address, "GET", "/login", &[], b"").await;
    assert_eq!(own.header("cross-origin-opener-policy"), ["same-origin"]);
    shop.stop().await;
}
both!(a_declined_card_and_one_whose_bank_wants_its_customer);
