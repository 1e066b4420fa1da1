//! Played chargers at the real door: what they say is as the gateway wants it, and they do what they are told.

use crate::net_support::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use takst_gateway::chargers::model::{
    Command, Details, Place, Reference, Report, ResetKind, StartOrder, StopReason, Token, TransactionPhase,
    TransactionReport, TriggeredMessage,
};
use takst_gateway::ocpp::Dialect;
use takst_gateway::simulate::{Address, Fleet, Report as Counted, Scenario, Stats};

/// A fleet against a bench that knows its chargers.
struct Play {
    bench: Bench,
    fleet: Fleet,
    stats: Arc<Stats>,
}

impl Play {
    async fn start(text: &str) -> Self {
        let bench = bench().await;
        let scenario = Scenario::read(text).unwrap();
        let members = scenario.members("SIM-", None);
        for member in &members {
            bench.allow(&member.id, |rule| rule.booted = true);
        }
        let address = Address::read(&format!("ws://{}/ocpp/", bench.address)).unwrap();
        let stats = Arc::new(Stats::new(u64::from(scenario.chargers)));
        let observer = Arc::<Stats>::clone(&stats);
        let fleet = Fleet::start(&address, members, 11, None, observer, None).await.unwrap();
        Self { bench, fleet, stats }
    }

    async fn finish(mut self) -> (Bench, Counted) {
        let played = self.stats.stop_the_clock();
        let left = self.fleet.finish(Duration::from_secs(30)).await;
        self.bench.stop().await;
        (self.bench, self.stats.report(played, left))
    }
}

fn transactions(bench: &Bench, charger: &str) -> Vec<TransactionReport> {
    let of = bench.desk.of(charger).into_iter();
    of.filter_map(|heard| match heard.received.report {
        Report::Transaction(report) => Some(*report),
        _ => None,
    })
    .collect()
}

#[test]
#[ignore = "on a busy machine a message was once counted twice; it is not known why"]
fn what_chargers_say_is_as_the_standards_have_it_whatever_goes_wrong() {
    run(async {
        let play = Play::start(
            "title = 'test'\nchargers = 6\nduration = '1s'
             [charger]\nconnectors = 2\npower_kw = 150\nac = false\nmeter_every = '300ms'\nreconnect_after = '10ms..100ms'
             [cars]\nfree_for = '100ms..500ms'\nenergy_kwh = '0.02..0.05'\npower_kw = '100..150'\nstays = '0s..500ms'
             [[trouble]]\nkind = 'offline'\nevery = '1s..4s'\nlasts = '200ms..1s'
             [[trouble]]\nkind = 'fault'\nevery = '3s..6s'\nlasts = '300ms'
             [[trouble]]\nkind = 'reboot'\nevery = '4s..8s'\nlasts = '300ms'",
        )
        .await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let (bench, report) = play.finish().await;
        assert_eq!((report.refused(), report.lost, report.unacknowledged), (0, 0, 0), "{report:?}");
        assert!(report.wrong.is_empty() && report.sessions_ended >= 12, "{report:?}");
        assert!(
            ["offline", "fault", "reboot"].iter().all(|what| report.troubles.contains_key(what)),
            "{report:?}"
        );
        let heard = bench.desk.heard.lock().unwrap().clone();
        for heard in &heard {
            let (charger, received) = (&heard.charger, &heard.received);
            assert!(
                received.deviations.is_empty(),
                "{charger} {}: {:?}",
                received.action,
                received.deviations
            );
        }
        // Every transaction of every charger is told from its beginning to its end.
        for place in 1..=6 {
            let charger = format!("SIM-{place:05}");
            let all = transactions(&bench, &charger);
            let (began, ended): (Vec<_>, Vec<_>) = all
                .iter()
                .filter(|report| report.phase != TransactionPhase::Updated)
                .partition(|report| report.phase == TransactionPhase::Started);
            // What was told twice is the same both times; two connectors can begin or end in the same instant.
            let began: BTreeSet<_> =
                began.iter().map(|report| (format!("{:?}", report.place), &report.at.sent)).collect();
            let ended: BTreeSet<_> =
                ended.iter().map(|report| (&report.reference_sent, &report.at.sent)).collect();
            assert!(began.len() >= 2 && began.len() == ended.len(), "{charger}: {began:?} {ended:?}");
            assert!(all.iter().all(|report| report.at.flaw.is_none()));
        }
    });
}

#[test]
fn chargers_do_what_they_are_told() {
    run(async {
        let play =
            Play::start("title = 'test'\nchargers = 3\nduration = '1s'\n[charger]\nmeter_every = '200ms'")
                .await;
        let bench = &play.bench;
        for (place, dialect) in (1..).zip(Dialect::ALL) {
            let charger = format!("SIM-{place:05}");
            until("it has booted", || {
                bench.desk.actions(&charger).iter().any(|action| action == "BootNotification")
            })
            .await;
            let tell = async |command: Command| bench.command(&charger, command, 5_000).await.unwrap();
            let start = Command::Start(Box::new(StartOrder {
                place: Place::evse(1),
                token: Token::plain("APP"),
                request: 5,
                group: None,
                profile: None,
            }));
            assert!(tell(start.clone()).await.status.is_good(), "{dialect}");
            let begun = || transactions(bench, &charger).first().cloned();
            until("its session has begun", || begun().is_some()).await;
            assert_eq!(begun().unwrap().token.unwrap().id, "APP");
            assert!(!tell(start).await.status.is_good(), "{dialect}: it is taken");
            until("it measures", || {
                transactions(bench, &charger).iter().any(|report| !report.readings.is_empty())
            })
            .await;
            // The desk of the test numbers from 1, and only the first charger speaks 1.6.
            let reference = begun().unwrap().reference.unwrap_or(Reference::Ours(1));
            assert!(tell(Command::Stop(reference)).await.status.is_good(), "{dialect}");
            let ended = || {
                let all = transactions(bench, &charger);
                all.into_iter().find(|report| report.phase == TransactionPhase::Ended)
            };
            until("its session has ended", || ended().is_some()).await;
            assert_eq!(ended().unwrap().stop_reason, Some(StopReason::Remote), "{dialect}");
            let trigger = Command::Trigger {
                message: TriggeredMessage::Heartbeat,
                place: Place::default(),
                extended: false,
            };
            assert!(tell(trigger).await.status.is_good());
            until("it is there", || bench.desk.actions(&charger).iter().any(|action| action == "Heartbeat"))
                .await;
            if dialect == Dialect::V16 {
                let asked = tell(Command::GetConfiguration(vec!["HeartbeatInterval".to_owned()])).await;
                let Details::Configuration(known, unknown) = asked.details else { panic!("{asked:?}") };
                assert_eq!((known[0].value.as_deref(), unknown.len()), (Some("300"), 0));
            }
            let reset = Command::Reset { kind: ResetKind::Hard, place: Place::default() };
            assert!(tell(reset).await.status.is_good());
            let boots =
                || bench.desk.actions(&charger).iter().filter(|action| *action == "BootNotification").count();
            until("it has booted again", || boots() == 2).await;
        }
        let (bench, report) = play.finish().await;
        assert_eq!((report.refused(), report.unacknowledged, report.sessions_ended), (0, 0, 3), "{report:?}");
        assert!(report.wrong.is_empty(), "{report:?}");
        assert!(report.ordered.values().all(|ordered| ordered.all >= 1));
        let heard = bench.desk.heard.lock().unwrap().clone();
        assert!(heard.iter().all(|heard| heard.received.deviations.is_empty()));
    });
}
