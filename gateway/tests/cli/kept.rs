//! What a running gateway lets go of by itself, and what it never does.

use crate::serve::{SET_UP, serve};
use crate::store_support::{fact, run, session};
use std::time::{Duration, Instant as Clock};
use takst_engine::units::Instant;
use takst_gateway::serve::open_store;
use takst_gateway::store::*;

const DAY_MS: i64 = 86_400_000;

fn days_ago(days: i64) -> Instant {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Instant(i64::try_from(now.as_millis()).unwrap() - days * DAY_MS)
}

#[test]
fn what_has_served_its_time_goes_by_itself_and_what_bills_are_made_of_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data) = (dir.path().join("takst.toml"), dir.path().join("data"));
    std::fs::write(&config, format!("{SET_UP}\n[settings]\nkeep_frames_for = \"5 days\"\n")).unwrap();
    let home = OrgId::new("home");
    let owner = home.clone();
    let unit = async move |tx: &mut Tx| {
        for (name, days) in [("old", 6), ("new", 4), ("ancient", 400)] {
            let frame = Frame {
                seq: 0,
                at: days_ago(days),
                direction: Direction::In,
                connection: None,
                body: name.to_owned(),
            };
            tx.append_frames(&owner, "CP1", &[frame], 1000).await?;
            tx.log_event(
                &owner,
                NewEvent {
                    at: days_ago(days),
                    kind: "bill.issued".to_owned(),
                    subject: name.to_owned(),
                    document: "{}".to_owned(),
                },
            );
            let loose = Fact { received_at: days_ago(days), ..fact(name) };
            tx.append_fact(&owner, "CP1", &loose).await?;
            let of_session = Fact {
                session: Some("s".to_owned()),
                received_at: days_ago(days),
                ..fact(&format!("{name} of a session"))
            };
            tx.append_fact(&owner, "CP1", &of_session).await?;
        }
        let ended = Session {
            id: "s".to_owned(),
            status: SessionStatus::Ended,
            billing: Billing::Billed,
            plugged_in: days_ago(400),
            unplugged: Some(days_ago(400)),
            ..session("CP1")
        };
        tx.add_session(&owner, &ended).await
    };
    run(async {
        let store = open_store(&data, None).await.unwrap();
        store.write(Lane::org(&home), unit).await.unwrap();
        store.close().await;
    });

    let _served = serve(&config, &data, &[]);
    let path = data.join("takst.db").display().to_string();
    run(async {
        let store = Store::open_reader(&path).await.unwrap();
        let begin = Clock::now();
        loop {
            let mut reader = store.read().await.unwrap();
            let frames = reader.frames(&home, "CP1", &FrameSearch::default(), 10).await.unwrap();
            let facts = reader.facts(&home, "CP1", None, 100).await.unwrap();
            let events = reader.events_after(&home, 0, 1000).await.unwrap();
            let told: Vec<_> = events.iter().filter(|event| event.kind == "bill.issued").collect();
            let bodies: Vec<_> = frames.iter().map(|frame| frame.body.as_str()).collect();
            let loose: Vec<_> = facts
                .iter()
                .filter(|fact| fact.session.is_none())
                .filter_map(|fact| fact.dedupe.as_deref())
                .collect();
            if bodies == ["new"] && loose == ["old", "new"] && told.len() == 2 {
                assert_eq!(reader.session_facts(&home, "s", None, 10).await.unwrap().len(), 3);
                assert!(reader.session(&home, "s").await.unwrap().is_some());
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "{bodies:?} {loose:?} {told:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}
