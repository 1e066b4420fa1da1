//! A run: chargers under load, and a gateway that is killed and started again.

use crate::check::{self, Issued};
use crate::gateway::{Gateway, SITES, end_of};
use crate::ledger::Ledger;
use crate::store_support::Place;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};
use takst_gateway::simulate::{Address, Fleet, Observer, Scenario};
use takst_gateway::store::Store;

/// The chargers. Sessions of some seconds with twenty meter values a second; answers get lost, and so does the network.
const SCENARIO: &str = "
title = 'load for crashes'
duration = '1s'
[charger]
power_kw = 350
ac = false
meter_every = '50ms'
reconnect_after = '0ms..60ms'
answer_within = '10s'
repeated_percent = 3
[cars]
free_for = '0s..300ms'
energy_kwh = '0.05..0.3'
power_kw = '100..350'
stays = '0s..300ms'
tokens = ['DEMO']
[[trouble]]
kind = 'offline'
every = '5s..20s'
lasts = '200ms..2s'
[[trouble]]
kind = 'reboot'
every = '10s..40s'
lasts = '200ms..1s'
";

/// What is run. The same seed has the same cars, troubles and moments of death; how far the gateway has come by then is the
/// machine's business.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub seed: u64,
    pub rounds: u64,
    pub chargers: u32,
    /// A gateway lives at most so long.
    pub longest_ms: u64,
}

impl Run {
    pub async fn play(self, place: Place) {
        let kind = if place.is_sqlite() { "SQLite" } else { "PostgreSQL" };
        println!("{self:?} on {kind}");
        let gateway = Gateway::at(&place);
        let ledger = Arc::new(Ledger::default());
        let fleet = self.fleet(&gateway, &ledger).await;
        let mut rng = fastrand::Rng::with_seed(self.seed);
        let mut starts = Vec::new();
        let mut in_start = 0_u64;
        let mut issued = Issued::default();
        let mut idle = 0_u64;
        for round in 1..=self.rounds {
            let before = ledger.book().acknowledged;
            let mut served = gateway.start();
            // One of eight dies while it starts.
            if rng.u8(0..8) == 0 {
                in_start += 1;
                tokio::time::sleep(Duration::from_millis(rng.u64(0..200))).await;
            } else {
                let life = Duration::from_millis(rng.u64(0..self.longest_ms));
                starts.push(gateway.ready(&mut served).await);
                tokio::time::sleep(life).await;
            }
            // Now and then: beside the program, just before it dies.
            if round % (self.rounds / 10).max(10) == 0 && !starts.is_empty() {
                gateway.ready(&mut served).await;
                self.look(&place, &ledger, &mut issued, round).await;
            }
            served.child.kill().unwrap();
            served.child.wait().unwrap();
            idle += u64::from(ledger.book().acknowledged == before);
        }
        let served = {
            let mut served = gateway.start();
            starts.push(gateway.ready(&mut served).await);
            served
        };
        // A gateway that was never reached would pass any test.
        assert!(idle * 2 < self.rounds, "nothing was acknowledged in {idle} of {} rounds", self.rounds);
        assert_eq!(
            fleet.finish(Duration::from_secs(120)).await,
            0,
            "messages were not acknowledged at the end"
        );
        let store = Store::open_reader(&url(&place)).await.unwrap();
        check::settled(&store).await;
        issued.look(&store).await;
        let sums = check::all(&store, &ledger.book(), &issued).await;
        store.close().await;
        // A last start in peace changes nothing.
        gateway.stop(served).await;
        let mut served = gateway.start();
        starts.push(gateway.ready(&mut served).await);
        let store = Store::open_reader(&url(&place)).await.unwrap();
        issued.look(&store).await;
        assert_eq!(check::all(&store, &ledger.book(), &issued).await, sums);
        store.close().await;
        gateway.stop(served).await;
        let log = std::fs::read_to_string(gateway.log()).unwrap_or_default();
        assert!(!log.contains("panicked"), "{}", end_of(&gateway.log()));
        starts.sort();
        println!(
            "{kind}, seed {}: {} kills ({in_start} of them during the start), {} acknowledged messages of {} chargers, {sums}; \
             start-up to /readyz: median {:.0?}, worst {:.0?}",
            self.seed,
            self.rounds,
            ledger.book().acknowledged,
            self.chargers,
            starts[starts.len() / 2],
            starts[starts.len() - 1],
        );
    }

    async fn fleet(&self, gateway: &Gateway, ledger: &Arc<Ledger>) -> Fleet {
        let mut members = Vec::new();
        for site in SITES {
            let chargers = self.chargers.div_ceil(2);
            let scenario = Scenario::read(&format!("chargers = {chargers}\n{SCENARIO}")).unwrap();
            members.extend(scenario.members(site, None));
        }
        let address = Address::read(&format!("ws://{}/ocpp", gateway.address)).unwrap();
        let observer: Arc<dyn Observer> = Arc::<Ledger>::clone(ledger);
        Fleet::start(&address, members, self.seed, None, observer, None).await.unwrap()
    }

    // What is acknowledged by now is there by now.
    async fn look(&self, place: &Place, ledger: &Ledger, issued: &mut Issued, round: u64) {
        let begin = Clock::now();
        let store = Store::open_reader(&url(place)).await.unwrap();
        issued.look(&store).await;
        let acknowledged = check::acknowledged(&ledger.book());
        check::all_there(&store, &acknowledged).await;
        store.close().await;
        println!(
            "round {round}: {} acknowledged messages are there, {} bills ({:.1?})",
            acknowledged.values().map(std::collections::BTreeSet::len).sum::<usize>(),
            issued.bills.len(),
            begin.elapsed()
        );
    }
}

/// The address of the database that the gateway writes.
pub fn url(place: &Place) -> String {
    // As `takst serve --data` names it.
    if place.is_sqlite() {
        place.dir.path().join("data/takst.db").display().to_string()
    } else {
        place.url.clone()
    }
}
