//! Who is let in, and what chargers are told to do.

use crate::desk_support::*;
use crate::store_support::*;
use serde_json::json;
use std::sync::Arc;
use takst_gateway::chargers::model::{Command, Reference};
use takst_gateway::desk::Order;
use takst_gateway::desk::rules::*;
use takst_gateway::link::{Admission, Knock, Welcome};
use takst_gateway::ocpp::Dialect;
use takst_gateway::store::*;

async fn rig(place: Place) -> Rig {
    Rig::new(place, Dialect::V16).await
}

fn knock(identity: &str) -> Knock {
    Knock {
        identity: identity.into(),
        from: "10.0.0.1:5000".parse().unwrap(),
        encrypted: false,
        certificate: None,
        basic: None,
        offers: vec!["ocpp1.6".into()],
        at: t(0),
    }
}

fn with(identity: &str, user: &str, password: &[u8]) -> Knock {
    Knock { basic: Some((user.into(), password.to_vec())), ..knock(identity) }
}

fn set(rig: &Rig, rules: ChargerRules) {
    rig.hand.chargers.lock().unwrap().insert(rules.id.clone(), Arc::new(rules));
}

async fn status(rig: &Rig, knock: Knock) -> u16 {
    match rig.knock(knock).await {
        Admission::Welcome(_) => 101,
        Admission::Refused { status, .. } => status,
    }
}

async fn welcome(rig: &Rig, knock: Knock) -> Welcome {
    match rig.knock(knock).await {
        Admission::Welcome(welcome) => welcome,
        Admission::Refused { status, why } => panic!("{status}: {why}"),
    }
}

both!(case_31_an_identity_is_found_however_it_is_written, place => {
    let rig = rig(place).await;
    let security = Security { profile: 1, user: None, passwords: vec!["secret".into()] };
    set(&rig, ChargerRules { security, ..charger("RDAM|123") });
    // The socket has decoded the path; the user name comes as the charger writes it.
    for user in ["RDAM|123", "RDAM%7C123", "rdam|123"] {
        assert_eq!(welcome(&rig, with("rdam|123", user, b"secret")).await.charger, "RDAM|123", "{user}");
    }
    assert_eq!(status(&rig, with("RDAM|123", "other", b"secret")).await, 401);
    assert_eq!(status(&rig, with("nobody", "nobody", b"secret")).await, 404);
    assert_eq!(status(&rig, with("/", "", b"")).await, 404);
});

both!(case_32_a_password_is_bytes_plain_or_hex, place => {
    let rig = rig(place).await;
    for (configured, right) in [
        ("secret", vec![b"secret".to_vec(), b"736563726574".to_vec()]),
        ("00ff80aa00ff80aa00ff", vec![b"00ff80aa00ff80aa00ff".to_vec(), vec![0, 255, 128, 170, 0, 255, 128, 170, 0, 255]]),
        ("00FF80AA00FF80AA00FF", vec![vec![0, 255, 128, 170, 0, 255, 128, 170, 0, 255]]),
    ] {
        let security = Security { profile: 1, user: None, passwords: vec![configured.into()] };
        set(&rig, ChargerRules { security, ..charger(CHARGER) });
        for password in right {
            assert_eq!(status(&rig, with(CHARGER, CHARGER, &password)).await, 101, "{configured} {password:?}");
        }
        for wrong in [&b""[..], b"secre", b"\xff\xfe"] {
            assert_eq!(status(&rig, with(CHARGER, CHARGER, wrong)).await, 401);
        }
        assert_eq!(status(&rig, knock(CHARGER)).await, 401);
    }
});

both!(case_33_another_user_name_and_a_new_password, place => {
    let rig = rig(place).await;
    let security = Security { profile: 1, user: Some("installer".into()), passwords: vec!["old".into()] };
    set(&rig, ChargerRules { security, ..charger(CHARGER) });
    assert_eq!(status(&rig, with(CHARGER, CHARGER, b"old")).await, 401);
    assert_eq!(status(&rig, with(CHARGER, "installer", b"old")).await, 101);
    let order = Order::SetConfiguration { key: "AuthorizationKey".into(), value: "new-password-16c".into() };
    rig.clerk.command(&org(), CHARGER, order, "anna").await.unwrap();
    // It may come back before it has taken the new one.
    assert_eq!(status(&rig, with(CHARGER, "installer", b"old")).await, 101);
    assert_eq!(status(&rig, with(CHARGER, "installer", b"new-password-16c")).await, 101);
    assert_eq!(status(&rig, with(CHARGER, "installer", b"old")).await, 401);
    let commands = rig.store.read().await.unwrap().commands(&org(), CHARGER, None, 10).await.unwrap();
    assert!(commands.iter().all(|command| !command.document.contains("new-password")), "{commands:?}");
});

both!(security_profiles_ask_for_what_they_are, place => {
    let rig = rig(place).await;
    let profile = |profile| ChargerRules {
        security: Security { profile, user: None, passwords: vec!["secret".into()] },
        ..charger(CHARGER)
    };
    let secure = |knock: Knock| Knock { encrypted: true, ..knock };
    set(&rig, profile(0));
    assert_eq!(status(&rig, knock(CHARGER)).await, 101);
    set(&rig, profile(2));
    assert_eq!(status(&rig, with(CHARGER, CHARGER, b"secret")).await, 403);
    assert_eq!(status(&rig, secure(with(CHARGER, CHARGER, b"secret"))).await, 101);
    set(&rig, profile(3));
    assert_eq!(status(&rig, secure(with(CHARGER, CHARGER, b"secret"))).await, 403);
    let certificate = |name: &str| Knock { certificate: Some(name.into()), ..secure(knock(CHARGER)) };
    assert_eq!(status(&rig, certificate("c1")).await, 101);
    assert_eq!(status(&rig, certificate("C2")).await, 403, "a neighbour's");
    set(&rig, ChargerRules { rejected: true, ..profile(0) });
    assert_eq!(status(&rig, knock(CHARGER)).await, 403);
});

both!(case_25_and_26_the_protocol_is_the_first_known_the_pinned_or_assumed, place => {
    let rig = rig(place).await;
    let offers = |offers: &[&str]| Knock { offers: offers.iter().map(|offer| (*offer).to_owned()).collect(), ..knock(CHARGER) };
    let both = welcome(&rig, offers(&["ocpp2.1.x", "OCPP1.6", "ocpp2.0.1"])).await;
    assert_eq!((both.dialect, both.subprotocol.as_deref()), (Dialect::V16, Some("OCPP1.6")));
    assert_eq!(status(&rig, offers(&[])).await, 400);
    assert_eq!(status(&rig, offers(&["ocpp9"])).await, 400);
    set(&rig, ChargerRules { pinned: Some(Dialect::V201), ..charger(CHARGER) });
    assert_eq!(welcome(&rig, offers(&["ocpp1.6", "ocpp2.0.1"])).await.dialect, Dialect::V201);
    assert_eq!(status(&rig, offers(&["ocpp1.6"])).await, 400);
    set(&rig, ChargerRules { assume_16: true, ..charger(CHARGER) });
    let assumed = welcome(&rig, offers(&[])).await;
    assert_eq!((assumed.dialect, assumed.subprotocol), (Dialect::V16, None));
});

both!(a_charger_that_nobody_named_is_refused_held_or_taken, place => {
    let rig = rig(place).await;
    assert_eq!(status(&rig, knock("new")).await, 404);
    *rig.hand.unknown.lock().unwrap() = Unknown::Hold(org());
    assert_eq!(status(&rig, knock("new")).await, 101);
    let registration = async |rig: &Rig| rig.store.read().await.unwrap().charger(&org(), "new").await.unwrap().unwrap().registration;
    assert_eq!(registration(&rig).await, Registration::Pending);
    *rig.hand.unknown.lock().unwrap() = Unknown::Accept(org());
    assert_eq!(status(&rig, knock("other")).await, 101);
    assert_eq!(registration(&rig).await, Registration::Pending, "somebody has to decide");
    // Names made up by the thousand fill nothing.
    *rig.hand.unknown.lock().unwrap() = Unknown::Hold(org());
    let mut statuses = Vec::new();
    for number in 0..1100 {
        statuses.push(status(&rig, knock(&format!("made-up-{number}"))).await);
    }
    assert!(statuses.contains(&503));
    assert!(rig.store.read().await.unwrap().chargers(&org(), None, 5000).await.unwrap().len() <= 1003);
    assert_eq!(status(&rig, knock(&"x".repeat(5000))).await, 404);
});

both!(a_stranger_is_the_same_in_either_case, place => {
    let rig = rig(place).await;
    *rig.hand.unknown.lock().unwrap() = Unknown::Hold(org());
    for identity in ["E5two", "e5TWO", "E5two"] {
        assert_eq!(welcome(&rig, knock(identity)).await.charger, "E5two", "{identity}");
    }
    let known = rig.store.read().await.unwrap().charger_called(&org(), "e5two").await.unwrap();
    assert_eq!(known.unwrap().id, "E5two");
});

both!(a_known_charger_that_booted_need_not_boot_again, place => {
    let mut rig = rig(place).await;
    assert!(!welcome(&rig, knock(CHARGER)).await.booted);
    rig.boot().await;
    assert!(welcome(&rig, knock(CHARGER)).await.booted);
});

both!(commands_are_sent_and_kept, place => {
    let mut rig = rig(place).await;
    rig.put_token(Token { parent: Some("FAMILY".into()), ..token("CARD") }).await;
    let id = rig.start(0, 0).await;
    let session = rig.session().await.id;
    let orders = [
        json!({"do": "remote-start", "evse": 2, "token": "card"}),
        json!({"do": "remote-stop", "session": session}),
        json!({"do": "unlock", "evse": 1}),
        json!({"do": "reset", "kind": "graceful"}),
        json!({"do": "change-availability", "evse": 1, "operative": false}),
        json!({"do": "trigger", "message": "Status"}),
        json!({"do": "get-configuration"}),
        json!({"do": "clear-cache"}),
        json!({"do": "reserve", "id": 5, "evse": 1, "token": "CARD", "until": t(60).0}),
        json!({"do": "cancel-reservation", "id": 5}),
        json!({"do": "send-local-list"}),
    ];
    for order in &orders {
        let order: Order = serde_json::from_value(order.clone()).unwrap();
        assert!(rig.clerk.command(&org(), CHARGER, order, "anna").await.unwrap().outcome.is_ok());
    }
    let told: Vec<Command> = rig.others.told.lock().unwrap().drain(..).map(|(_, command)| command).collect();
    assert_eq!(told.len(), orders.len());
    let Command::Start(start) = &told[0] else { panic!("{told:?}") };
    assert_eq!((start.token.id.as_str(), start.group.as_ref().unwrap().id.as_str()), ("CARD", "FAMILY"));
    assert_eq!(told[1], Command::Stop(Reference::Ours(id)));
    let Command::SendLocalList { version, full, entries } = &told[10] else { panic!("{told:?}") };
    assert_eq!((*version, *full, entries.len()), (1, true, 3));
    // All of them can be said in OCPP 1.6.
    for command in &told {
        Dialect::V16.write_command(command).unwrap();
    }
    let rows = rig.store.read().await.unwrap().commands(&org(), CHARGER, None, 50).await.unwrap();
    assert_eq!(rows.len(), orders.len());
    assert!(rows.iter().all(|row| row.status == CommandStatus::Answered && row.created_by == "anna"));
    let missing = rig.clerk.command(&org(), CHARGER, Order::RemoteStop { session: "nobody".into() }, "anna").await;
    assert!(missing.is_err());
});

both!(who_is_held_back_by_us_is_paused, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 0).await;
    rig.meter(id, 5, 500).await;
    let profile = |limit: &str| json!({"do": "set-charging-profile", "evse": 1, "profile": {
        "id": 1, "stack_level": 0, "purpose": "TxProfile", "kind": "Absolute", "recurrency": null, "valid_from": null, "valid_to": null,
        "transaction": null, "max_offline_s": null, "void_after_offline": null, "update_interval_s": null, "updated": null, "price_signature": null,
        "schedules": [{"id": 1, "limit_at_soc": null, "start": null, "duration_s": null, "unit": "A", "min_rate": null, "power_tolerance": null,
            "signature": null, "digest": null, "local_time": null, "random_delay_s": null, "sales_tariff": null, "absolute_prices": null, "price_levels": null,
            "periods": [{"start_s": 0, "limit": limit, "phases": null, "phase_to_use": null, "dynamic": null}]}]}});
    let order: Order = serde_json::from_value(profile("0")).unwrap();
    rig.clerk.command(&org(), CHARGER, order, "anna").await.unwrap();
    let facts = rig.facts().await;
    assert!(facts.iter().any(|fact| fact.document.contains("limits") && fact.session.is_some()), "{facts:#?}");
});

both!(a_master_pass_stops_and_does_not_charge, place => {
    let mut rig = rig(place).await;
    rig.put_token(Token { document: json!({"master_pass": true}).to_string(), ..token("MASTER") }).await;
    assert_eq!(rig.say("Authorize", json!({"idTag":"master"})).await["idTagInfo"]["status"], "Accepted");
    let id = rig.start(0, 0).await;
    rig.now = t(5);
    rig.say("StopTransaction", json!({"transactionId":id,"idTag":"MASTER","meterStop":10,"timestamp":ts(5)})).await;
    assert!(rig.session().await.flags.contains("which may stop it"));
    let answer = rig.say("StartTransaction", json!({"connectorId":1,"idTag":"MASTER","meterStart":0,"timestamp":ts(6)})).await;
    assert_eq!(answer["idTagInfo"]["status"], "Invalid");
});
