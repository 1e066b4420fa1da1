//! The whole gateway in one process: storage, set-up, chargers, sessions, prices, bills, pages. Here they are put together;
//! what each does stands in its own room.

mod rooms;

use crate::api::{self, Access, Api, Caller, Role};
use crate::billing::{self, Billing};
use crate::campaigns::Campaigns;
use crate::clock::now;
use crate::desk::{Clerk, People};
use crate::feeds::{Books, Expected, Folder, check_late};
use crate::house::{House, SetupError, Source, Taken};
use crate::hub::Hub;
use crate::ledger::Checker;
use crate::live::{self, Live};
use crate::meters::{Look, MeterFetcher, MeterSender, Meters};
use crate::monitor::Monitor;
use crate::outbox::{self, Outbox, Providers};
use crate::pay;
use crate::pki::Signer;
use crate::plugins::{self, Door, Fetcher, Paying, Plugins, Workshop};
use crate::reminding::Reminding;
use crate::serve::{self, Serve, ServeError, Stop, Task, traces};
use crate::store::{Error, OpenError, OrgId, Retention, Store};
use crate::teach::Teacher;
use crate::texts::{Of as TextsOf, Texts};
use crate::web;
use rooms::{Chargers, Reception};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use takst_engine::units::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};
use takst_plugins::Setup;
use takst_plugins::http::transport::Transport;
use takst_plugins::manifest::Capability;

// Events are for those who look on; what a bill or an incident needs is kept with it.
const EVENTS_KEPT_MS: i64 = 90 * DAY_MS;
const COMMANDS_KEPT_MS: i64 = 365 * DAY_MS;
// Heartbeats, and states of connectors without a session.
const LOOSE_FACTS_KEPT_MS: i64 = 90 * DAY_MS;

const RENEWALS_LOOKED_AT_EVERY: Duration = Duration::from_secs(600);
/// Between two looks at which older versions of plugins are still needed.
const VERSIONS_LOOKED_AT_EVERY: Duration = Duration::from_secs(1_800);

/// Between two looks at which metering points sites have.
const PLANTS_LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// Between two looks at whether months without a cost price can have one: their month is over by then, or wrong sessions are held back.
const WAITING_MONTHS_LOOKED_AT_EVERY_MS: i64 = 5 * MINUTE_MS;
/// Between two looks at whether the sessions of the last months still took no more than their meters saw.
const LATE_SESSIONS_LOOKED_AT_EVERY_MS: i64 = HOUR_MS;

/// What a gateway is given in place of its own; nothing, mostly.
#[derive(Default)]
pub struct Given {
    /// Payment providers in place of the plugins of the set-up.
    pub providers: Option<Arc<dyn Providers>>,
    /// How requests of plugins go out.
    pub transport: Option<Arc<dyn Transport>>,
    /// How often sources of prices are asked.
    pub pace: plugins::Options,
    /// How the outbox waits and tries.
    pub outbox: outbox::Options,
}

/// What a gateway is made from.
#[derive(Debug)]
pub struct Plan {
    /// Where its data is kept.
    pub data: PathBuf,
    /// `postgres://...`; without it an SQLite file under `data`.
    pub database: Option<String>,
    /// The set-up.
    pub source: Source,
    /// How it listens.
    pub options: serve::Options,
    /// Whoever has no key may do everything: the demo on this machine.
    pub open: bool,
    /// How running sessions are watched.
    pub live: live::Options,
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Plugins cannot be run on this machine.
    #[error(transparent)]
    Plugins(#[from] takst_plugins::host::HostError),
    /// The set-up cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// It cannot listen.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// A gateway at work.
pub struct Gateway {
    /// Its server.
    pub server: serve::Running,
    /// Its storage.
    pub store: Store,
    /// Its set-up.
    pub house: Arc<House>,
    /// What came of the set-up at the start.
    pub taken: Taken,
}

impl Plan {
    /// Starts the gateway.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(self) -> Result<Gateway, StartError> {
        self.start_with(Given::default()).await
    }

    /// Starts the gateway with some of its parts given.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_with(self, given: Given) -> Result<Gateway, StartError> {
        let Given { providers, transport, pace, outbox } = given;
        let store = serve::open_store(&self.data, self.database.as_deref()).await?;
        let of_plugins = self.data.join("plugins");
        let mut host = Setup { cache: Some(of_plugins.join("cache")), ..Setup::default() };
        host.transport = transport.unwrap_or(host.transport);
        let workshop = Arc::new(Workshop::with(host)?);
        let judge: Arc<dyn crate::setup::Judge> = workshop.clone();
        let (house, taken) = House::open(self.source, store.clone(), Some(judge), now()).await?;
        let plugins = Plugins::new(workshop, Arc::clone(&house), store.clone());
        let plugins = Arc::new(plugins.keep_in(of_plugins.join("versions")));
        let org = house.org().clone();
        let hub = Hub::new();
        let books = Books::default();
        let chargers = Arc::new(Chargers { hub: hub.clone(), house: Arc::clone(&house) });
        let live = Live::new(store.clone(), house.clone(), books.clone(), chargers, self.live);
        let billing = Billing::new(store.clone(), house.clone(), house.clone(), billing::Options::default());
        let providers = providers.unwrap_or_else(|| Arc::new(Paying::new(Arc::clone(&plugins), org.clone())));
        let outbox = Outbox::new(store.clone(), providers, outbox);
        // Whatever was being asked when the last program ended: nobody knows what became of it.
        outbox.take_up(&org, now()).await?;
        let people = People {
            rules: house.clone(),
            costs: Arc::new(live.clone()),
            sink: Arc::new(live.clone()),
            prices: Arc::new(books.clone()),
            wire: Arc::new(hub.clone()),
        };
        let clerk = Clerk::new(store.clone(), "gateway", people);
        // The authority that chargers' certificates are checked against, where its key is here; or the one beside the data.
        let client_ca = self.options.tls.as_ref().and_then(|tls| tls.client_ca.as_deref());
        let beside = client_ca.and_then(Path::parent).map(Path::to_path_buf);
        clerk.sign_with(Signer::new(beside.into_iter().chain([self.data.join("pki")]).collect()));
        clerk.take_up(now()).await?;
        live.take_up(now()).await?;

        let access = if self.open {
            Access::open(Caller { org: org.clone(), role: Role::Owner, who: "demo".to_owned() })
        } else {
            Access::by_key()
        };
        let access = access.at_most(house.api_requests());
        let mut options = self.options;
        house.bound(&mut options);
        let meters = Meters {
            store: store.clone(),
            house: Arc::clone(&house),
            plugins: Arc::clone(&plugins),
            billing: billing.clone(),
            live: live.clone(),
        };
        let reception = Reception {
            meters: meters.clone(),
            house: Arc::clone(&house),
            clerk: Arc::clone(&clerk),
            billing: billing.clone(),
            live: live.clone(),
            store: store.clone(),
            hub: hub.clone(),
            outbox: outbox.clone(),
            plugins: Arc::clone(&plugins),
        };
        let api = Api { store: store.clone(), access: Arc::new(access), house: Arc::new(reception) };
        let texts = Texts::new(TextsOf {
            plugins: Arc::clone(&plugins),
            outbox: outbox.clone(),
            store: store.clone(),
            house: Arc::clone(&house),
            clerk: Arc::clone(&clerk),
            live: live.clone(),
        });
        let door = Door::new(Arc::clone(&plugins), outbox.clone(), store.clone(), org.clone());
        let door = door.with_texts(texts);
        let router = api::router(api.clone()).merge(web::router(api.clone()));
        let router = router.merge(pay::router(api)).merge(door.router());
        let router = router
            .layer(axum::middleware::map_response(web::guarded))
            .layer(axum::middleware::from_fn(traces::traced));
        let mut tasks = tasks(&store, &house, &clerk, &live, &billing, &hub);
        tasks.push(settling(meters.clone()));
        let sender = MeterSender::new(meters.clone(), outbox.clone());
        tasks.push(metering(MeterFetcher::new(meters, pace), sender, pace));
        tasks.push(draining(Arc::clone(&plugins), store.clone(), org.clone()));
        let reminding = Reminding::new(store.clone(), Arc::clone(&house), Arc::clone(&plugins));
        tasks.push(when_released("reminders", &store, &org, move |stop| reminding.run(stop)));
        let fetcher = Fetcher::new(plugins, Arc::clone(&house), store.clone(), pace);
        let (live, billing) = (live.clone(), billing.clone());
        tasks.push(fetching(fetcher, pace, org.clone(), live, billing));
        tasks.push(when_released("outbox", &store, &org, move |stop| outbox.run(stop)));
        let checker = Checker::new(store.clone(), org.clone());
        tasks.push(Task::new("ledger", move |stop| checker.run(stop)));
        let campaigns = Campaigns::new(store.clone(), org.clone(), Arc::clone(&clerk), house.clone());
        tasks.push(Task::new("campaigns", move |stop| campaigns.run(stop)));
        let teacher = Teacher::new(store.clone(), org.clone(), Arc::clone(&clerk), house.clone());
        tasks.push(Task::new("teacher", move |stop| teacher.run(stop)));
        let (renewer, owner) = (Arc::clone(&clerk), org.clone());
        tasks.push(Task::new("certificates", move |mut stop: Stop| async move {
            loop {
                if ends_within(&mut stop, RENEWALS_LOOKED_AT_EVERY).await {
                    return;
                }
                if let Err(error) = renewer.renew_certificates(&owner, now()).await {
                    tracing::warn!(%error, "chargers could not be asked to renew their certificates; the next try is soon");
                }
            }
        }));
        let monitor = Monitor::new(store.clone(), org, house.clone(), Arc::new(hub.clone()));
        tasks.push(Task::new("monitor", move |stop| monitor.run(stop)));
        let reload = reload(&house, &hub);
        let server =
            Serve { options, store: store.clone(), hub, desk: clerk, router, tasks, reload: Some(reload) };
        Ok(Gateway { server: server.start().await?, store, house, taken })
    }
}

// Lets go of versions of plugins that nobody is bound to, and of incidents of plugins that are not there any more.
fn draining(plugins: Arc<Plugins>, store: Store, org: OrgId) -> Task {
    Task::new("plugin versions", move |mut stop: Stop| async move {
        loop {
            let bound = async { store.read().await?.bound_code(&org).await };
            match bound.await {
                Ok(bound) => plugins.drain(&bound.into_iter().collect()),
                Err(error) => tracing::warn!(%error, "older versions of plugins could not be looked at"),
            }
            let taking =
                plugins.able(Capability::Webhook).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
            if let Err(error) = plugins::settle_others(&store, &org, &taking, now()).await {
                tracing::warn!(%error, "incidents of plugins could not be looked at");
            }
            if ends_within(&mut stop, VERSIONS_LOOKED_AT_EVERY).await {
                return;
            }
        }
    })
}

// Works cost prices out again when sites have other metering points, when a month is over, and when sessions came later.
fn settling(meters: Meters) -> Task {
    Task::new("cost prices", move |mut stop: Stop| async move {
        let mut before = None;
        let (mut waiting_at, mut late_at) = (Instant(0), Instant(0));
        loop {
            let (plants, at) = (meters.house.plants(), now());
            let look = if before.as_ref() != Some(&plants) {
                Some(Look::All)
            } else if at.0.saturating_sub(late_at.0) >= LATE_SESSIONS_LOOKED_AT_EVERY_MS {
                Some(Look::Late)
            } else if at.0.saturating_sub(waiting_at.0) >= WAITING_MONTHS_LOOKED_AT_EVERY_MS {
                Some(Look::Waiting)
            } else {
                None
            };
            if let Some(look) = look {
                match meters.settle_all(look, at).await {
                    Ok(_) => {
                        (before, waiting_at) = (Some(plants), at);
                        if look != Look::Waiting {
                            late_at = at;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cost prices could not be looked at; the next try is soon");
                    }
                }
            }
            if ends_within(&mut stop, PLANTS_LOOKED_AT_EVERY).await {
                return;
            }
        }
    })
}

// Has meter values fetched that should be there and are not, and sent what others wait for.
fn metering(mut fetcher: MeterFetcher, mut sender: MeterSender, pace: plugins::Options) -> Task {
    Task::new("meter values", move |mut stop: Stop| async move {
        loop {
            let looked = tokio::select! {
                looked = fetcher.look(now()) => looked,
                // A call that runs goes on to its end; what it brings is asked for again.
                () = stop.stopped() => return,
            };
            if let Err(error) = looked {
                tracing::warn!(%error, "meter values could not be fetched; the next try is soon");
            }
            if let Err(error) = sender.look(now()).await {
                tracing::warn!(%error, "meter values could not be sent; the next try is soon");
            }
            if ends_within(&mut stop, pace.every).await {
                return;
            }
        }
    })
}

// Has prices fetched, and tells those who wait for them.
fn fetching(mut fetcher: Fetcher, pace: plugins::Options, org: OrgId, live: Live, billing: Billing) -> Task {
    Task::new("price fetcher", move |mut stop: Stop| async move {
        loop {
            let looked = tokio::select! {
                looked = fetcher.look(now()) => looked,
                // A call that runs goes on to its end; what it brings is asked for again.
                () = stop.stopped() => return,
            };
            let told = match looked {
                Ok(true) => {
                    billing.wake();
                    live.prices_changed(&org, now()).await.map(drop)
                }
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = told {
                tracing::warn!(%error, "prices could not be fetched; the next try is soon");
            }
            if ends_within(&mut stop, pace.every).await {
                return;
            }
        }
    })
}

fn reload(house: &Arc<House>, hub: &Hub) -> serve::Reload {
    let (house, hub) = (Arc::clone(house), hub.clone());
    Box::new(move || {
        let (house, hub) = (Arc::clone(&house), hub.clone());
        Box::pin(async move {
            let line = told(house.reload(now()).await);
            send_away(&house, &hub);
            line
        })
    })
}

// Chargers that the set-up has no place for any more have to go.
fn send_away(house: &House, hub: &Hub) {
    for link in hub.links() {
        if link.org == *house.org() && !house.keeps(&link.charger) {
            hub.close(&link.org, &link.charger, "this charger is not set up here any more");
        }
    }
}

// A line for the log about a reload.
fn told(reloaded: Result<Option<Taken>, SetupError>) -> Result<String, String> {
    match reloaded {
        Ok(None) => Ok("the set-up has not changed".to_owned()),
        Ok(Some(taken)) => {
            for change in &taken.changes {
                tracing::info!(%change, "the set-up");
            }
            Ok(format!(
                "the set-up has changed: {} differences, {} new tariff versions",
                taken.changes.len(),
                taken.tariffs.len()
            ))
        }
        Err(error) => Err(error.to_string()),
    }
}

// What asks others for something, or issues what cannot be taken back: not before a person says so after a backup was restored.
fn when_released<F, Done>(name: &'static str, store: &Store, org: &OrgId, run: F) -> Task
where
    F: FnOnce(Stop) -> Done + Send + 'static,
    Done: Future<Output = ()> + Send + 'static,
{
    let (store, org) = (store.clone(), org.clone());
    Task::new(name, move |mut stop: Stop| async move {
        if outbox::released(&store, &org, &mut stop).await {
            run(stop).await;
        }
    })
}

fn tasks(
    store: &Store,
    house: &Arc<House>,
    clerk: &Arc<Clerk>,
    live: &Live,
    billing: &Billing,
    hub: &Hub,
) -> Vec<Task> {
    let hub = hub.clone();
    let desk = Arc::clone(clerk);
    let (watched, bills) = (live.clone(), billing.clone());
    let (house, store, live, billing) = (Arc::clone(house), store.clone(), live.clone(), billing.clone());
    let set_up = Arc::clone(&house);
    let (kept, old) = (Arc::clone(&house), store.clone());
    vec![
        Task::new("desk", move |mut stop: Stop| async move { desk.run(stop.stopped()).await }),
        Task::new("live", move |mut stop: Stop| async move { watched.run(stop.stopped()).await }),
        when_released("billing", &store, &house.org().clone(), move |mut stop: Stop| async move {
            bills.run(stop.stopped()).await;
        }),
        Task::new("set-up", move |mut stop: Stop| async move {
            // What is wrong is told once, not at every look.
            let mut wrong = None;
            loop {
                if set_up.has_changed() {
                    match told(set_up.reload(now()).await) {
                        Ok(line) => {
                            wrong = None;
                            send_away(&set_up, &hub);
                            tracing::info!("{line}");
                        }
                        Err(why) if wrong.as_ref() == Some(&why) => {}
                        Err(why) => {
                            tracing::error!("the set-up stays as it was: {why}");
                            wrong = Some(why);
                        }
                    }
                }
                if ends_within(&mut stop, Duration::from_secs(2)).await {
                    return;
                }
            }
        }),
        Task::new("retention", move |mut stop: Stop| async move {
            loop {
                let before = |ms: i64| Some(Instant(now().0.saturating_sub(ms)));
                let retention = Retention {
                    frames: before(kept.keep_frames_ms()),
                    events: before(EVENTS_KEPT_MS),
                    commands: before(COMMANDS_KEPT_MS),
                    loose_facts: before(LOOSE_FACTS_KEPT_MS),
                    plugin_events: before(EVENTS_KEPT_MS),
                };
                match old.sweep(kept.org(), &retention, 500).await {
                    Ok(swept) => tracing::debug!(?swept, "what had served its time was let go"),
                    Err(error) => {
                        tracing::warn!(%error, "old rows could not be let go; the next try is soon");
                    }
                }
                if ends_within(&mut stop, Duration::from_secs(600)).await {
                    return;
                }
            }
        }),
        Task::new("feeds", move |mut stop: Stop| async move {
            let mut folders = Vec::new();
            loop {
                if let Err(error) = look_at_feeds(&store, &house, &live, &billing, &mut folders).await {
                    tracing::warn!(%error, "price feeds could not be looked at");
                }
                if ends_within(&mut stop, Duration::from_secs(5)).await {
                    return;
                }
            }
        }),
    ]
}

// Waits a while; whether the server stops meanwhile.
async fn ends_within(stop: &mut Stop, pause: Duration) -> bool {
    tokio::time::timeout(pause, stop.stopped()).await.is_ok()
}

// Takes what has come into the folders of the set-up, and tells of what is late.
async fn look_at_feeds(
    store: &Store,
    house: &Arc<House>,
    live: &Live,
    billing: &Billing,
    folders: &mut Vec<(PathBuf, Folder)>,
) -> Result<(), Error> {
    let org = house.org();
    let wanted = house.feed_folders();
    folders.retain(|(path, _)| wanted.iter().any(|(wanted, _)| wanted == path));
    for (path, currency) in wanted {
        if !folders.iter().any(|(known, _)| *known == path) {
            let folder =
                Folder::new(path.clone(), currency).asking(house.currencies_asked(), house.feeds_held());
            folders.push((path, folder));
        }
    }
    let mut news = false;
    for (_, folder) in folders.iter_mut() {
        for taken in folder.look(store, org, now()).await? {
            match taken.result {
                Ok(received) => news |= received.is_news(),
                Err(error) => tracing::error!(file = taken.file, %error, "a price file was not taken"),
            }
        }
    }
    if news {
        live.prices_changed(org, now()).await?;
        billing.wake();
    }
    // What is only just coming is not late.
    if !folders.iter().any(|(_, folder)| folder.is_waiting()) {
        let expected: Vec<Expected> = house.expected_feeds();
        check_late(store, org, &expected, now()).await?;
    }
    Ok(())
}
