//! A set-up with plugins, over either database, with times that the test says.

use crate::store_support::*;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use takst_engine::input::instant;
use takst_engine::units::Instant;
use takst_gateway::house::{House, Source};
use takst_gateway::plugins::{Fetcher, Options, Plugins, Workshop};
use takst_gateway::setup::Judge;
use takst_gateway::store::{Event, Incident, OrgId, Store};

/// One host for all tests: what was compiled in an earlier run need not be compiled again.
pub fn workshop() -> Arc<Workshop> {
    static WORKSHOP: OnceLock<Arc<Workshop>> = OnceLock::new();
    Arc::clone(WORKSHOP.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gateway-plugin-cache");
        Arc::new(Workshop::new(Some(cache)).unwrap())
    }))
}

pub fn time(text: &str) -> Instant {
    instant(text).unwrap()
}

pub fn main() -> OrgId {
    OrgId::new("main")
}

pub struct Scene {
    pub folder: PathBuf,
    pub store: Store,
    pub house: Arc<House>,
    pub plugins: Arc<Plugins>,
    pub fetcher: Fetcher,
    pub place: Place,
}

impl Scene {
    /// With these files of the set-up.
    pub async fn open(place: Place, files: &[(&str, &str)]) -> Self {
        let folder = place.dir.path().join("setup");
        write(&folder, files);
        let store = place.open().await;
        let judge: Arc<dyn Judge> = workshop();
        let opened = House::open(
            Source::Path(folder.clone()),
            store.clone(),
            Some(judge),
            time("2026-06-01T00:00:00Z"),
        )
        .await;
        let (house, _) = opened.unwrap_or_else(|error| panic!("{error}"));
        let plugins = Arc::new(Plugins::new(workshop(), Arc::clone(&house), store.clone()));
        let fetcher =
            Fetcher::new(Arc::clone(&plugins), Arc::clone(&house), store.clone(), Options::default());
        Self { folder, store, house, plugins, fetcher, place }
    }

    /// Looks once; whether there are new prices.
    pub async fn look(&mut self, now: &str) -> bool {
        self.fetcher.look(time(now)).await.unwrap()
    }

    /// The prices of an area, as many as there are between two times, and the first.
    pub async fn prices(&self, area: &str, from: &str, until: &str) -> (usize, Option<String>) {
        let mut reader = self.store.read().await.unwrap();
        let points = reader.prices(&main(), ("spot", area), time(from), time(until)).await.unwrap();
        (points.len(), points.first().map(|point| format!("{} {}", point.price, point.unit)))
    }

    /// Open incidents: kind and subject.
    pub async fn incidents(&self) -> Vec<(String, String)> {
        let open = self.store.read().await.unwrap().open_incidents(&main()).await.unwrap();
        let mut all: Vec<_> =
            open.into_iter().map(|Incident { kind, subject, .. }| (kind, subject)).collect();
        all.sort();
        all
    }

    pub async fn events(&self, kind: &str) -> Vec<Event> {
        let all = self.store.read().await.unwrap().events_after(&main(), 0, 10_000).await.unwrap();
        all.into_iter().filter(|event| event.kind == kind).collect()
    }
}

pub fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

pub fn pair(kind: &str, subject: &str) -> (String, String) {
    (kind.to_owned(), subject.to_owned())
}
