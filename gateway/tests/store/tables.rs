//! Organisations, chargers, facts, frames, incidents, commands, people, retention, on both databases.

use crate::store_support::*;
use takst_gateway::store::*;

async fn organisations_set_ups_tariffs_keys(place: Place) {
    let store = place.open().await;
    let city = org();
    let lane = Lane::org(&city);
    let tariff = TariffVersion {
        name: "day".to_owned(),
        version: "sha256:1".to_owned(),
        bundle: "{}".to_owned(),
        in_force_from: at(1000),
        added_at: at(0),
        added_by: "files".to_owned(),
    };
    let second = TariffVersion { version: "sha256:2".to_owned(), in_force_from: at(2000), ..tariff.clone() };
    let again = TariffVersion { in_force_from: at(3000), ..tariff.clone() };
    let replaced = TariffVersion { version: "sha256:3".to_owned(), added_at: at(1), ..second.clone() };
    let api_key = ApiKey {
        id: "k1".to_owned(),
        name: "The app".to_owned(),
        role: "read-only".to_owned(),
        hash: "$argon2id$...".to_owned(),
        created_at: at(0),
        created_by: "owner".to_owned(),
        last_used_at: None,
        revoked_at: None,
    };
    let entry = |subject: &str| AuditEntry {
        id: new_id(),
        at: at(0),
        who: "k1".to_owned(),
        what: "tariff.add".to_owned(),
        subject: subject.to_owned(),
        before_doc: None,
        after_doc: Some("{}".to_owned()),
    };
    let (first_entry, second_entry) = (entry("day"), entry("night"));
    {
        let (city, tariff, second, again, replaced, api_key) =
            (city.clone(), tariff.clone(), second.clone(), again.clone(), replaced.clone(), api_key.clone());
        let (first_entry, second_entry) = (first_entry.clone(), second_entry.clone());
        store
            .write(lane, async move |tx| {
                assert!(tx.add_org(&city, "The city", at(0)).await?);
                assert!(!tx.add_org(&city, "Another name", at(1)).await?);
                assert_eq!(tx.add_setup(&city, "h1", "{}", at(0), "files").await?, 1);
                assert_eq!(tx.add_setup(&city, "h2", "{\"a\":1}", at(1), "k1").await?, 2);
                for one in [&tariff, &second, &again, &replaced] {
                    assert!(tx.add_tariff(&city, one).await?);
                    assert!(!tx.add_tariff(&city, one).await?);
                }
                tx.add_api_key(&city, &api_key).await?;
                tx.api_key_used(&city, "k1", at(50)).await?;
                tx.audit(&city, &first_entry).await?;
                tx.audit(&city, &second_entry).await
            })
            .await
            .unwrap();
    }
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.orgs().await.unwrap(), [city.clone()]);
    assert_eq!(reader.org_name(&city).await.unwrap().as_deref(), Some("The city"));
    let setup = reader.current_setup(&city).await.unwrap().unwrap();
    assert_eq!((setup.seq, setup.hash.as_str(), setup.applied_by.as_str()), (2, "h2", "k1"));
    assert_eq!(reader.setups(&city, 2, 10).await.unwrap().len(), 1);
    assert_eq!(reader.tariff_at(&city, "day", at(999)).await.unwrap(), None);
    assert_eq!(reader.tariff_at(&city, "day", at(1000)).await.unwrap(), Some(tariff.clone()));
    assert_eq!(
        reader.tariff_at(&city, "day", at(2500)).await.unwrap(),
        Some(replaced),
        "of two from the same time the later added one"
    );
    assert_eq!(reader.tariff_at(&city, "day", at(9000)).await.unwrap(), Some(again));
    assert_eq!(reader.tariff(&city, "sha256:1").await.unwrap(), Some(tariff));
    assert_eq!(reader.tariffs(&city).await.unwrap().len(), 4);
    assert_eq!(
        reader.api_key(&city, "k1").await.unwrap(),
        Some(ApiKey { last_used_at: Some(at(50)), ..api_key })
    );
    assert_eq!(
        reader.audit_log(&city, None, None, 10).await.unwrap(),
        [second_entry.clone(), first_entry.clone()]
    );
    assert_eq!(
        reader.audit_log(&city, None, Some(&second_entry.id), 10).await.unwrap(),
        [first_entry.clone()]
    );
    assert_eq!(reader.audit_log(&city, Some("day"), None, 10).await.unwrap(), [first_entry]);
    drop(reader);
    let owner = city.clone();
    let missing = store
        .write(lane, async move |tx| {
            tx.revoke_api_key(&owner, "k1", at(60)).await?;
            tx.revoke_api_key(&owner, "k1", at(70)).await?;
            assert_eq!(tx.api_keys(&owner).await?[0].revoked_at, Some(at(60)));
            tx.revoke_api_key(&owner, "k2", at(60)).await
        })
        .await;
    assert_eq!(missing, Err(Error::Missing { what: "API key", id: "k2".to_owned() }));
    assert_eq!(
        store.read().await.unwrap().api_key(&city, "k1").await.unwrap().unwrap().revoked_at,
        None,
        "the unit was rolled back"
    );
}

both!(organisations_set_ups_tariffs_keys);

async fn chargers(place: Place) {
    let store = place.open().await;
    let city = org();
    let owner = city.clone();
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            let charger = tx.add_charger(&owner, "C1", Registration::Pending, at(0)).await?;
            assert_eq!(charger.registration, Registration::Pending);
            let charger = tx.add_charger(&owner, "C1", Registration::Accepted, at(1)).await?;
            assert_eq!(
                (charger.registration, charger.created_at),
                (Registration::Pending, at(0)),
                "what is there stays"
            );
            tx.set_registration(&owner, "C1", Registration::Accepted).await?;
            tx.charger_connected(&owner, "C1", ("node-1", "conn-1"), "ocpp1.6", at(10)).await?;
            tx.charger_connected(&owner, "C1", ("node-1", "conn-2"), "ocpp2.0.1", at(20)).await?;
            assert!(!tx.charger_disconnected(&owner, "C1", "conn-1").await?, "the end of the old connection");
            let boot = Boot {
                vendor: Some("GARO".to_owned()),
                model: Some("LS4".to_owned()),
                serial: None,
                firmware: Some("1.2".to_owned()),
                at: at(30),
            };
            tx.charger_booted(&owner, "C1", &boot).await?;
            tx.chargers_seen(
                &owner,
                &[("C1".to_owned(), at(40)), ("C1".to_owned(), at(35)), ("nobody".to_owned(), at(40))],
            )
            .await?;
            tx.set_skew(&owner, "C1", -1500).await?;
            tx.set_profile(&owner, "C1", "{\"unit\":\"kWh\"}").await?;
            tx.add_charger(&owner, "C2", Registration::Rejected, at(0)).await?;
            tx.add_charger(&owner, "C3", Registration::Accepted, at(0)).await.map(drop)
        })
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    let charger = reader.charger(&city, "C1").await.unwrap().unwrap();
    assert_eq!(
        charger,
        Charger {
            id: "C1".to_owned(),
            registration: Registration::Accepted,
            protocol: Some("ocpp2.0.1".to_owned()),
            vendor: Some("GARO".to_owned()),
            model: Some("LS4".to_owned()),
            serial: None,
            firmware: Some("1.2".to_owned()),
            last_boot: Some(at(30)),
            last_seen: Some(at(40)),
            skew_ms: Some(-1500),
            profile: Some("{\"unit\":\"kWh\"}".to_owned()),
            node: Some("node-1".to_owned()),
            connection: Some("conn-2".to_owned()),
            connected_at: Some(at(20)),
            created_at: at(0),
        }
    );
    let names = |chargers: Vec<Charger>| chargers.into_iter().map(|charger| charger.id).collect::<Vec<_>>();
    assert_eq!(names(reader.chargers(&city, None, 2).await.unwrap()), ["C1", "C2"]);
    assert_eq!(names(reader.chargers(&city, Some("C2"), 2).await.unwrap()), ["C3"]);
    assert_eq!(reader.charger_orgs("C1").await.unwrap(), [city.clone()]);
    assert_eq!(reader.charger_orgs("C9").await.unwrap(), []);
    drop(reader);
    let owner = city.clone();
    store
        .write(Lane::org(&city), async move |tx| {
            assert_eq!(tx.node_started(&owner, "node-1").await?, 1);
            assert_eq!(tx.charger(&owner, "C1").await?.unwrap().connection, None);
            let missing = tx.set_skew(&owner, "C9", 0).await;
            assert_eq!(missing, Err(Error::Missing { what: "charger", id: "C9".to_owned() }));
            Ok(())
        })
        .await
        .unwrap();
}

both!(chargers);

async fn connectors_variables_lists(place: Place) {
    let store = place.open().await;
    let city = org();
    let owner = city.clone();
    let state = |status: &str, since: i64| ConnectorState {
        evse: 1,
        connector: 2,
        status: status.to_owned(),
        error: None,
        since: at(since),
        received_at: at(since + 1),
    };
    let (early, late) = (state("available", 10), state("charging", 20));
    let variable = |name: &str, value: &str| StationVariable {
        component: "EVSE#1".to_owned(),
        variable: name.to_owned(),
        attribute: "Actual".to_owned(),
        value: Some(value.to_owned()),
        document: None,
        reported_at: at(0),
    };
    let many: Vec<_> = (0..150)
        .map(|number| variable(&format!("V{number:03}"), "x"))
        .chain([variable("V007", "y")])
        .collect();
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            assert!(tx.put_connector(&owner, "C1", &late).await?);
            assert!(!tx.put_connector(&owner, "C1", &early).await?, "an old state that comes late");
            assert_eq!(tx.connectors(&owner, "C1").await?, [late.clone()]);
            tx.put_variables(&owner, "C1", &many).await?;
            tx.put_variables(&owner, "C1", &many[..3]).await?;
            let found = tx.variables(&owner, "C1", None).await?;
            assert_eq!((found.len(), found[7].value.as_deref()), (150, Some("y")));
            assert_eq!(tx.variables(&owner, "C1", Some("EVSE#2")).await?, []);
            assert_eq!(tx.variables(&owner, "C1", Some("EVSE#1")).await?.len(), 150);
            let list = LocalList {
                version: 3,
                status: "sent".to_owned(),
                document: "[]".to_owned(),
                updated_at: at(0),
            };
            tx.put_local_list(&owner, "C1", &list).await?;
            let list = LocalList { version: 4, status: "accepted".to_owned(), ..list };
            tx.put_local_list(&owner, "C1", &list).await?;
            assert_eq!(tx.local_list(&owner, "C1").await?, Some(list));
            Ok(())
        })
        .await
        .unwrap();
}

both!(connectors_variables_lists);

async fn facts_are_kept_once(place: Place) {
    let store = place.open().await;
    let city = org();
    let first = Fact { answer: Some("{\"transactionId\":7}".to_owned()), ..fact("start|7") };
    let again = Fact { id: new_id(), received_at: at(99), answer: None, ..first.clone() };
    let loose = Fact { dedupe: None, ..fact("") };
    let owner = city.clone();
    let (one, two, three) = (first.clone(), again, loose.clone());
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            assert_eq!(tx.append_fact(&owner, "C1", &one).await?, Appended::New);
            assert_eq!(tx.append_fact(&owner, "C1", &two).await?, Appended::Known(Box::new(one.clone())));
            assert_eq!(
                tx.append_fact(&owner, "C2", &two).await?,
                Appended::New,
                "another charger's fact is another fact"
            );
            assert_eq!(tx.append_fact(&owner, "C1", &three).await?, Appended::New);
            let same = Fact { id: new_id(), ..three.clone() };
            assert_eq!(
                tx.append_fact(&owner, "C1", &same).await?,
                Appended::New,
                "nothing to tell them apart by"
            );
            assert_eq!(
                tx.append_fact(&owner, "C1", &same).await?,
                Appended::Known(Box::new(same.clone())),
                "but the id"
            );
            tx.settle_fact(&owner, "C1", &one.id, Some("s1"), None).await?;
            tx.settle_fact(&owner, "C1", &three.id, Some("s1"), Some("{}")).await
        })
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    let first = Fact { session: Some("s1".to_owned()), ..first };
    let loose = Fact { session: Some("s1".to_owned()), answer: Some("{}".to_owned()), ..loose };
    assert_eq!(reader.find_fact(&city, "C1", "start|7").await.unwrap(), Some(first.clone()));
    assert_eq!(reader.find_fact(&city, "C1", "start|8").await.unwrap(), None);
    let all = reader.facts(&city, "C1", None, 10).await.unwrap();
    assert_eq!((all.len(), &all[0], &all[1]), (3, &first, &loose), "in the order of receipt");
    assert_eq!(reader.facts(&city, "C1", Some(&loose.id), 10).await.unwrap(), all[2..]);
    assert_eq!(reader.session_facts(&city, "s1", None, 10).await.unwrap(), [first.clone(), loose.clone()]);
    assert_eq!(reader.session_facts(&city, "s1", Some(&first.id), 10).await.unwrap(), [loose]);
}

both!(facts_are_kept_once);

async fn frames_are_a_ring(place: Place) {
    let store = place.open().await;
    let city = org();
    let frame = |number: i64| Frame {
        seq: 0,
        at: at(number),
        direction: if number % 2 == 0 { Direction::In } else { Direction::Out },
        connection: Some("c".to_owned()),
        body: format!("[2,\"{number}\",\"Heartbeat\",{{\"x\":\"50%_\\\\\"}}]"),
    };
    let frames: Vec<_> = (1..=130).map(frame).collect();
    let owner = city.clone();
    let sent = frames.clone();
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            tx.append_frames(&owner, "C1", &sent[..70], 100).await?;
            tx.append_frames(&owner, "C1", &[], 100).await?;
            tx.append_frames(&owner, "C1", &sent[70..], 100).await?;
            tx.append_frames(&owner, "C2", &sent, 5).await
        })
        .await
        .unwrap();
    // Many chargers in a few statements, each with numbers of its own; over and over, and only a few more than asked for stay.
    for turn in 0..20 {
        let owner = city.clone();
        let sent = frames.clone();
        let unit = async move |tx: &mut Tx| {
            let names: Vec<String> = (0..90).map(|number| format!("M{number}")).collect();
            let each = names.iter().zip(1..).map(|(charger, many)| FramesOf {
                charger,
                frames: &sent[..1 + (turn + many) % 3],
                keep: 8,
            });
            tx.append_frames_of(&owner, &each.collect::<Vec<_>>()).await
        };
        store.write(Lane::org(&city), unit).await.unwrap();
    }
    for many in 1..=90 {
        let charger = format!("M{}", many - 1);
        let kept =
            store.read().await.unwrap().frames(&city, &charger, &FrameSearch::default(), 1000).await.unwrap();
        let all: usize = (0..20).map(|turn| 1 + (turn + many) % 3).sum();
        let numbers: Vec<_> = kept.iter().map(|frame| usize::try_from(frame.seq).unwrap()).collect();
        assert!((8..24).contains(&kept.len()), "{charger}: {numbers:?}");
        assert!(
            numbers.iter().copied().eq((0..kept.len()).map(|place| all - place)),
            "{charger}: {numbers:?}"
        );
    }
    let mut reader = store.read().await.unwrap();
    let kept = reader.frames(&city, "C1", &FrameSearch::default(), 1000).await.unwrap();
    // What is old goes in runs.
    assert!((100..100 + RUN).contains(&kept.len()), "the newest hundred and a few: {}", kept.len());
    assert_eq!((&kept[0], kept[99].at), (&Frame { seq: 130, ..frame(130) }, at(31)));
    let many = kept.len();
    assert_eq!(reader.frames(&city, "C2", &FrameSearch::default(), 1000).await.unwrap().len(), 5);
    let search =
        |contains: &str| FrameSearch { contains: Some(contains.to_owned()), ..FrameSearch::default() };
    for (text, count) in
        [("heartBEAT", many), ("\"77\"", 1), ("50%_\\\\", many), ("50%x", 0), ("5_%", 0), ("a'b", 0)]
    {
        assert_eq!(reader.frames(&city, "C1", &search(text), 1000).await.unwrap().len(), count, "{text}");
    }
    assert_eq!(reader.frames(&city, "C1", &search(&"x".repeat(100_000)), 10).await.unwrap(), []);
    let times = FrameSearch { from: Some(at(40)), until: Some(at(50)), ..FrameSearch::default() };
    assert_eq!(reader.frames(&city, "C1", &times, 1000).await.unwrap().len(), 10);
    let next = FrameSearch { before: Some(kept[9].seq), ..FrameSearch::default() };
    assert_eq!(reader.frames(&city, "C1", &next, 10).await.unwrap(), kept[10..20]);
}

both!(frames_are_a_ring);

async fn incidents_open_once(place: Place) {
    let store = place.open().await;
    let city = org();
    let incident = |opened: i64| Incident {
        id: new_id(),
        charger: Some("C1".to_owned()),
        subject: "C1".to_owned(),
        kind: "offline".to_owned(),
        severity: "error".to_owned(),
        opened_at: at(opened),
        closed_at: None,
        document: "{}".to_owned(),
    };
    let (first, second, third) = (incident(0), incident(5), incident(10));
    let owner = city.clone();
    let (one, two, three) = (first.clone(), second, third.clone());
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            assert_eq!(tx.open_incident(&owner, &one).await?, (one.clone(), true));
            assert_eq!(tx.open_incident(&owner, &two).await?, (one.clone(), false), "it is open already");
            assert_eq!(tx.add_incident_event(&owner, &one.id, at(0), "opened", "{}").await?, 1);
            assert_eq!(tx.add_incident_event(&owner, &one.id, at(6), "restart", "{}").await?, 2);
            assert_eq!(tx.open_incidents(&owner).await?, [one.clone()]);
            let closed = Incident { closed_at: Some(at(7)), ..one.clone() };
            assert_eq!(tx.close_incident(&owner, "C1", "offline", at(7)).await?, Some(closed));
            assert_eq!(tx.close_incident(&owner, "C1", "offline", at(8)).await?, None);
            assert_eq!(tx.open_incident(&owner, &three).await?, (three.clone(), true));
            Ok(())
        })
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    let first = Incident { closed_at: Some(at(7)), ..first };
    assert_eq!(reader.incident(&city, &first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(reader.incidents(&city, None, None, 10).await.unwrap(), [third.clone(), first.clone()]);
    assert_eq!(
        reader.incidents(&city, Some("C1"), Some((third.opened_at, &third.id)), 10).await.unwrap(),
        [first.clone()]
    );
    assert_eq!(reader.incidents(&city, Some("C2"), None, 10).await.unwrap(), []);
    let events = reader.incident_events(&city, &first.id).await.unwrap();
    assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["opened", "restart"]);
}

both!(incidents_open_once);

async fn commands_go_their_way(place: Place) {
    let store = place.open().await;
    let city = org();
    let command = |expires: Option<i64>| Command {
        id: new_id(),
        charger: "C1".to_owned(),
        kind: "reset".to_owned(),
        status: CommandStatus::Queued,
        document: "{}".to_owned(),
        outcome: None,
        message_id: None,
        created_at: at(0),
        created_by: "k1".to_owned(),
        expires_at: expires.map(at),
        sent_at: None,
        finished_at: None,
    };
    let (first, second, third) = (command(None), command(Some(10)), command(Some(100)));
    let owner = city.clone();
    let (one, two, three) = (first.clone(), second.clone(), third.clone());
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            for command in [&one, &two, &three] {
                tx.add_command(&owner, command).await?;
            }
            assert_eq!(tx.open_commands(&owner, "C1").await?, [one.clone(), two.clone(), three.clone()]);
            assert!(tx.command_sent(&owner, &one.id, "m1", at(1)).await?);
            assert!(!tx.command_sent(&owner, &one.id, "m2", at(2)).await?, "only one node may send it");
            assert_eq!(tx.expire_commands(&owner, at(50)).await?, 1);
            assert!(
                tx.finish_command(
                    &owner,
                    &one.id,
                    CommandStatus::Answered,
                    Some("{\"status\":\"Accepted\"}"),
                    at(3)
                )
                .await?
            );
            assert!(
                !tx.finish_command(&owner, &one.id, CommandStatus::Failed, None, at(4)).await?,
                "a late answer"
            );
            assert_eq!(tx.open_commands(&owner, "C1").await?, [three.clone()]);
            Ok(())
        })
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    let done = Command {
        status: CommandStatus::Answered,
        outcome: Some("{\"status\":\"Accepted\"}".to_owned()),
        message_id: Some("m1".to_owned()),
        sent_at: Some(at(1)),
        finished_at: Some(at(3)),
        ..first
    };
    assert_eq!(reader.command(&city, &done.id).await.unwrap(), Some(done.clone()));
    let late = Command { status: CommandStatus::Expired, finished_at: Some(at(50)), ..second };
    assert_eq!(
        reader.commands(&city, "C1", None, 10).await.unwrap(),
        [third.clone(), late.clone(), done.clone()]
    );
    assert_eq!(reader.commands(&city, "C1", Some(&third.id), 1).await.unwrap(), [late]);
}

both!(commands_go_their_way);

async fn people_and_tokens(place: Place) {
    let store = place.open().await;
    let city = org();
    let driver = Driver {
        id: "d-17".to_owned(),
        status: "active".to_owned(),
        groups_doc: "[]".to_owned(),
        document: "{}".to_owned(),
        created_at: at(0),
        updated_at: at(0),
    };
    let person = Person {
        driver: "d-17".to_owned(),
        name: Some("Aino".to_owned()),
        email: None,
        phone: Some("+358".to_owned()),
        document: "{}".to_owned(),
        updated_at: at(0),
    };
    let token = Token {
        uid: "04A2b3".to_owned(),
        kind: "rfid".to_owned(),
        parent: Some("P1".to_owned()),
        status: "accepted".to_owned(),
        expires_at: Some(at(1000)),
        driver: Some("d-17".to_owned()),
        contract: None,
        groups_doc: "[\"VIP\"]".to_owned(),
        document: "{}".to_owned(),
        updated_at: at(0),
    };
    let bill_owner = Session { driver: Some("d-17".to_owned()), ..session("C1") };
    let owner = city.clone();
    let (one, two, three, four) = (driver.clone(), person.clone(), token.clone(), bill_owner.clone());
    store
        .write(Lane::org(&city), async move |tx| {
            tx.put_driver(&owner, &one).await?;
            tx.put_driver(
                &owner,
                &Driver { status: "blocked".to_owned(), created_at: at(99), ..one.clone() },
            )
            .await?;
            tx.put_driver(&owner, &Driver { id: "d-18".to_owned(), ..one.clone() }).await?;
            tx.put_person(&owner, &two).await?;
            tx.put_token(&owner, &three).await?;
            tx.put_token(
                &owner,
                &Token { uid: "04a2B3".to_owned(), status: "blocked".to_owned(), ..three.clone() },
            )
            .await?;
            tx.put_token(&owner, &Token { uid: "ÅÄÖ".to_owned(), driver: None, ..three.clone() }).await?;
            tx.add_session(&owner, &four).await
        })
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    assert_eq!(
        reader.driver(&city, "d-17").await.unwrap(),
        Some(Driver { status: "blocked".to_owned(), ..driver })
    );
    assert_eq!(reader.drivers(&city, Some("d-17"), 10).await.unwrap().len(), 1);
    assert_eq!(reader.person(&city, "d-17").await.unwrap(), Some(person));
    let blocked = Token { status: "blocked".to_owned(), ..token };
    assert_eq!(
        reader.token(&city, "04A2B3").await.unwrap(),
        Some(blocked.clone()),
        "one token, in any case; the first spelling stays"
    );
    assert!(reader.token(&city, "åäö").await.unwrap().is_some());
    assert_eq!(reader.driver_tokens(&city, "d-17").await.unwrap(), [blocked]);
    assert_eq!(reader.tokens(&city, None, 10).await.unwrap().len(), 2);
    assert_eq!(reader.tokens(&city, Some("04A2B3"), 10).await.unwrap().len(), 1);
    drop(reader);
    let owner = city.clone();
    store
        .write(Lane::org(&city), async move |tx| {
            assert!(tx.erase_person(&owner, "d-17").await?);
            assert!(!tx.erase_person(&owner, "d-17").await?);
            assert!(tx.remove_token(&owner, "04a2b3").await?);
            assert!(!tx.remove_token(&owner, "04a2b3").await?);
            Ok(())
        })
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.person(&city, "d-17").await.unwrap(), None);
    assert_eq!(
        reader.session(&city, &bill_owner.id).await.unwrap(),
        Some(bill_owner),
        "sessions keep the key"
    );
}

both!(people_and_tokens);

async fn retention_lets_go_of_what_is_old_and_nothing_else(place: Place) {
    let store = place.open().await;
    let city = org();
    let other = OrgId::new("hotel");
    for owner in [&city, &other] {
        let org = owner.clone();
        store
            .write(Lane::org(owner), async move |tx| {
                for number in 0..50 {
                    let frame = Frame {
                        seq: 0,
                        at: at(number),
                        direction: Direction::In,
                        connection: None,
                        body: "x".to_owned(),
                    };
                    tx.append_frames(&org, "C1", &[frame], 1000).await?;
                    tx.log_event(&org, NewEvent { at: at(number), ..event("e", "s") });
                    let received_at = at(number);
                    tx.append_fact(
                        &org,
                        "C1",
                        &Fact {
                            received_at,
                            session: (number % 2 == 0).then(|| "s".to_owned()),
                            ..fact(&format!("{number}"))
                        },
                    )
                    .await?;
                    let command = Command {
                        id: format!("{number:02}"),
                        charger: "C1".to_owned(),
                        kind: "reset".to_owned(),
                        status: CommandStatus::Queued,
                        document: "{}".to_owned(),
                        outcome: None,
                        message_id: None,
                        created_at: at(0),
                        created_by: "k".to_owned(),
                        expires_at: None,
                        sent_at: None,
                        finished_at: (number % 5 != 0).then(|| at(number)),
                    };
                    tx.add_command(&org, &command).await?;
                    assert!(
                        tx.note_plugin_event(&org, "stripe", &format!("evt_{number}"), at(number)).await?
                    );
                    assert!(!tx.note_plugin_event(&org, "stripe", &format!("evt_{number}"), at(99)).await?);
                }
                Ok(())
            })
            .await
            .unwrap();
    }
    let nothing = store.sweep(&city, &Retention::default(), 7).await.unwrap();
    assert_eq!(nothing, Swept::default());
    let before = Some(at(20));
    let swept = store
        .sweep(
            &city,
            &Retention {
                frames: before,
                events: before,
                commands: before,
                loose_facts: before,
                plugin_events: before,
            },
            7,
        )
        .await
        .unwrap();
    assert_eq!(swept, Swept { frames: 20, events: 20, commands: 16, loose_facts: 10, plugin_events: 20 });
    let mut reader = store.read().await.unwrap();
    for (owner, frames, events, facts, commands) in [(&city, 30, 30, 40, 34), (&other, 50, 50, 50, 50)] {
        assert_eq!(reader.frames(owner, "C1", &FrameSearch::default(), 1000).await.unwrap().len(), frames);
        assert_eq!(reader.events_after(owner, 0, 1000).await.unwrap().len(), events);
        assert_eq!(reader.facts(owner, "C1", None, 1000).await.unwrap().len(), facts);
        assert_eq!(reader.commands(owner, "C1", None, 1000).await.unwrap().len(), commands);
        assert_eq!(reader.has_plugin_event(owner, "stripe", "evt_3").await.unwrap(), owner == &other);
        assert!(reader.has_plugin_event(owner, "stripe", "evt_20").await.unwrap());
        assert!(!reader.has_plugin_event(owner, "vipps", "evt_20").await.unwrap());
    }
}

both!(retention_lets_go_of_what_is_old_and_nothing_else);

async fn any_text_of_a_charger_can_be_kept(place: Place) {
    let store = place.open().await;
    let city = org();
    let long = "ø".repeat(700_000);
    for text in [
        "",
        "\0",
        "a\0b",
        "'; DROP TABLE session; --",
        "$1 \\ % _ \u{202e} \u{1f600}",
        "\u{fffd}",
        long.as_str(),
    ] {
        let (owner, text) = (city.clone(), text.to_owned());
        store
            .write(Lane::charger(&city, &text), async move |tx| {
                tx.add_charger(&owner, &text, Registration::Pending, at(0)).await?;
                assert!(tx.charger(&owner, &text).await?.is_some());
                let fact = Fact { document: text.clone(), kind: text.clone(), ..fact(&text) };
                assert_eq!(tx.append_fact(&owner, &text, &fact).await?, Appended::New);
                assert!(matches!(
                    tx.append_fact(&owner, &text, &Fact { id: new_id(), ..fact.clone() }).await?,
                    Appended::Known(_)
                ));
                let row = Session {
                    transaction_ref: Some(text.clone()),
                    driver: Some(text.clone()),
                    site: Some(text.clone()),
                    token: Some(text.clone()),
                    ..session(&text)
                };
                tx.add_session(&owner, &row).await?;
                assert_eq!(tx.session_by_transaction(&owner, &text, &text).await?.unwrap().id, row.id);
                let filter = SessionFilter {
                    charger: Some(text.clone()),
                    driver: Some(text.clone()),
                    site: Some(text.clone()),
                    ..Default::default()
                };
                assert_eq!(tx.sessions(&owner, &filter, None, 5).await?.len(), 1);
                let frame = Frame {
                    seq: 0,
                    at: at(0),
                    direction: Direction::In,
                    connection: None,
                    body: text.clone(),
                };
                tx.append_frames(&owner, &text, &[frame], 10).await?;
                let variable = StationVariable {
                    component: text.clone(),
                    variable: text.clone(),
                    attribute: text.clone(),
                    value: Some(text.clone()),
                    document: None,
                    reported_at: at(0),
                };
                tx.put_variables(&owner, &text, &[variable]).await?;
                let token = Token {
                    uid: text.clone(),
                    kind: String::new(),
                    parent: Some(text.clone()),
                    status: text.clone(),
                    expires_at: None,
                    driver: Some(text.clone()),
                    contract: None,
                    groups_doc: "[]".to_owned(),
                    document: "{}".to_owned(),
                    updated_at: at(0),
                };
                tx.put_token(&owner, &token).await?;
                assert!(tx.token(&owner, &text).await?.is_some());
                let incident = Incident {
                    id: new_id(),
                    charger: Some(text.clone()),
                    subject: text.clone(),
                    kind: "offline".to_owned(),
                    severity: "error".to_owned(),
                    opened_at: at(0),
                    closed_at: None,
                    document: text.clone(),
                };
                assert!(tx.open_incident(&owner, &incident).await?.1);
                assert!(tx.close_incident(&owner, &text, "offline", at(1)).await?.is_some());
                tx.log_event(&owner, event("e", &text));
                Ok(())
            })
            .await
            .unwrap();
    }
    assert_eq!(store.read().await.unwrap().last_event(&city).await.unwrap(), 7);
}

both!(any_text_of_a_charger_can_be_kept);
