//! Brings prices: asks the sources of the set-up for the days that are missing, and hands what they bring to the feeds.

use super::plan::{Came, Next, Source, Terms, Times, Tried, Which, days, late_at, next, today_and_tomorrow};
use super::room::Plugins;
use crate::feeds::{Asked, FeedError, Offered, receive_asked, tell};
use crate::house::{Fetched, House};
use crate::store::{self, Alert, Lane, Store};
use chrono::NaiveDate;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use takst_engine::units::{Instant, MINUTE_MS};
use takst_plugins::Failed;
use takst_plugins::model::Outcome;
use takst_plugins::model::prices::{Document, Wanted};

/// After so long a feed is looked at again, even if nothing is to be asked for: prices may have come another way, or have been taken back.
const LONGEST_QUIET: i64 = MINUTE_MS;
/// Questions of one feed at one look: both days from both sources.
const MOST_AT_ONCE: usize = 4;
/// Of the address in the log of events.
const LONGEST_NAME: usize = 300;

/// How often is looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// The pause between two looks.
    pub every: Duration,
    /// Stands in for the sources' own pauses while prices are not there: for tests.
    pub retry: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self { every: Duration::from_secs(5), retry: None }
    }
}

/// What is remembered of a feed.
#[derive(Default)]
struct Memory {
    // As the set-up was; with another one everything is tried anew.
    of: Option<Fetched>,
    tries: BTreeMap<(NaiveDate, Which), Tried>,
    quiet_until: Option<Instant>,
    // What was last told, so that it is not told at every look.
    late: Option<(Instant, Instant)>,
    failing: BTreeMap<Which, bool>,
}

/// Asks for what is missing.
pub struct Fetcher {
    plugins: Arc<Plugins>,
    house: Arc<House>,
    store: Store,
    options: Options,
    feeds: BTreeMap<(String, String), Memory>,
    // Those that were asked at the last look.
    sources: Option<BTreeSet<String>>,
}

impl Fetcher {
    /// Of the feeds of this set-up.
    #[must_use]
    pub fn new(plugins: Arc<Plugins>, house: Arc<House>, store: Store, options: Options) -> Self {
        Self { plugins, house, store, options, feeds: BTreeMap::new(), sources: None }
    }

    /// Looks once at all feeds; whether there are new prices.
    ///
    /// # Errors
    /// When the storage fails. What a source does wrong is told as an incident.
    pub async fn look(&mut self, now: Instant) -> Result<bool, store::Error> {
        let wanted = self.house.fetched_feeds();
        let key = |feed: &Fetched| (feed.feed.clone(), feed.area.clone());
        self.feeds.retain(|known, _| wanted.iter().any(|feed| key(feed) == *known));
        for feed in &wanted {
            let memory = self.feeds.entry(key(feed)).or_default();
            if memory.of.as_ref() != Some(feed) {
                *memory = Memory { of: Some(feed.clone()), ..Memory::default() };
            }
        }
        let worker =
            Worker { plugins: &self.plugins, house: &self.house, store: &self.store, options: self.options };
        let sources: BTreeSet<String> = wanted
            .iter()
            .flat_map(|feed| {
                let plugins = std::iter::once(&feed.plugin).chain(&feed.second);
                plugins.map(|plugin| subject(plugin, feed))
            })
            .collect();
        if self.sources.as_ref() != Some(&sources) {
            worker.settle_others(&sources, now).await?;
            self.sources = Some(sources);
        }
        // A source that lets wait keeps no other one waiting.
        let looks = self.feeds.values_mut().map(|memory| worker.feed(memory, now));
        let looked = futures_util::future::join_all(looks).await;
        let mut news = false;
        for one in looked {
            news |= one?;
        }
        Ok(news)
    }
}

struct Worker<'a> {
    plugins: &'a Plugins,
    house: &'a Arc<House>,
    store: &'a Store,
    options: Options,
}

impl Worker<'_> {
    async fn feed(&self, memory: &mut Memory, now: Instant) -> Result<bool, store::Error> {
        let Some(feed) = memory.of.clone() else { return Ok(false) };
        if memory.quiet_until.is_some_and(|until| now < until) {
            return Ok(false);
        }
        let terms = self.terms(&feed);
        let both = today_and_tomorrow(feed.zone, now);
        memory.tries.retain(|(day, _), _| both.contains(day));
        let mut news = false;
        for _ in 0..MOST_AT_ONCE {
            let mut known = Vec::new();
            for day in both {
                if self.is_known(&feed, day).await? {
                    known.push(day);
                }
            }
            match next(now, &terms, |day| known.contains(&day), &memory.tries) {
                Next::Wait(until) => {
                    memory.quiet_until = Some(until.min(Instant(now.0.saturating_add(LONGEST_QUIET))));
                    break;
                }
                Next::Fetch(which, day) => news |= self.ask(&feed, &terms, memory, (which, day), now).await?,
            }
        }
        if !feed.has_alert {
            self.tell_late(&feed, &terms, memory, both, now).await?;
        }
        Ok(news)
    }

    // Plugins that are gone or broken are found out when they are called.
    fn terms(&self, feed: &Fetched) -> Terms {
        let files = self.house.plugins();
        let source = |plugin: &String| {
            let schedule = files.get(plugin).and_then(|file| file.manifest.schedule.as_ref());
            let mut times = Times::of(schedule, feed.zone);
            if let Some(retry) = self.options.retry {
                times.retry_ms = i64::try_from(retry.as_millis()).unwrap_or(times.retry_ms);
            }
            Source { plugin: plugin.clone(), times }
        };
        Terms { zone: feed.zone, first: source(&feed.plugin), second: feed.second.as_ref().map(source) }
    }

    async fn is_known(&self, feed: &Fetched, day: NaiveDate) -> Result<bool, store::Error> {
        let (from, until) = days(feed.zone, day);
        let mut reader = self.store.read().await?;
        let series = (feed.feed.as_str(), feed.area.as_str());
        Ok(reader.prices_known_until(self.house.org(), series, from).await? >= until)
    }

    // Asks a source for a day, and remembers what came of it.
    async fn ask(
        &self,
        feed: &Fetched,
        terms: &Terms,
        memory: &mut Memory,
        (which, day): (Which, NaiveDate),
        now: Instant,
    ) -> Result<bool, store::Error> {
        let source = match (which, &terms.second) {
            (Which::Second, Some(second)) => second,
            _ => &terms.first,
        };
        let wanted = Wanted {
            feed: feed.feed.clone(),
            area: feed.area.clone(),
            currency: feed.currency.clone(),
            day: day.to_string(),
            time_zone: feed.zone.name().to_owned(),
        };
        let answer = match self.plugins.fetch(&source.plugin, wanted).await {
            Ok(done) => done.result.map_err(|failed| wrong(&failed)),
            Err(why) => Err(Wrong { text: why, refused: true, wish_ms: None }),
        };
        let mut news = false;
        let mut failed = None;
        match answer {
            Ok(documents) => {
                for document in documents {
                    match self.take(feed, document, now).await? {
                        Ok(is_news) => news |= is_news,
                        Err(text) => failed = Some(Wrong { text, refused: false, wish_ms: None }),
                    }
                }
            }
            Err(wrong) => failed = Some(wrong),
        }
        let before = memory.tries.get(&(day, which)).map(|tried| tried.came);
        let text = failed.as_ref().map(|wrong| wrong.text.clone());
        let came = match failed {
            None => Came::Nothing,
            Some(Wrong { refused, wish_ms, .. }) => {
                let failures = match before {
                    Some(Came::Failed { failures, .. }) => failures.saturating_add(1),
                    _ => 1,
                };
                Came::Failed { failures, refused, wish_ms }
            }
        };
        memory.tries.insert((day, which), Tried { at: now, came });
        let failing = text.is_some();
        if memory.failing.insert(which, failing) != Some(failing) {
            self.tell_failing(feed, &source.plugin, text, now).await?;
        }
        Ok(news)
    }

    // What is wrong with a document is for people; what is wrong with the storage is not the source's fault.
    async fn take(
        &self,
        feed: &Fetched,
        document: Document,
        now: Instant,
    ) -> Result<Result<bool, String>, store::Error> {
        let Document { body, published, source } = document;
        let name: String = source.chars().take(LONGEST_NAME).collect();
        let Ok(text) = String::from_utf8(body) else {
            return Ok(Err(format!("it brought a file that is not UTF-8 text ({name})")));
        };
        // Nobody publishes in the future: such prices could never be replaced.
        let published = published.map(|at| Instant(at.min(now.0)));
        let offered = Offered { text, name: name.clone(), currency: feed.currency.clone(), published };
        let asked = Asked {
            only: Some((feed.feed.clone(), Some(feed.area.clone()))),
            currencies: Some(self.house.currencies_asked()),
            holds: Some(self.house.feeds_held()),
        };
        match receive_asked(self.store, self.house.org(), offered, asked, now).await {
            Ok(received) => Ok(Ok(received.is_news())),
            Err(FeedError::Store(error)) if !matches!(error, store::Error::Refused(_)) => Err(error),
            Err(error) => Ok(Err(format!("it brought a file that was not taken ({name}): {error}"))),
        }
    }

    async fn tell_late(
        &self,
        feed: &Fetched,
        terms: &Terms,
        memory: &mut Memory,
        both: [NaiveDate; 2],
        now: Instant,
    ) -> Result<(), store::Error> {
        let [first, _] = both;
        let (today, _) = days(feed.zone, first);
        let due = both.into_iter().filter(|day| now >= late_at(terms, *day));
        let needed = due.map(|day| days(feed.zone, day).1).max().unwrap_or(today);
        let series = (feed.feed.as_str(), feed.area.as_str());
        let known = self.store.read().await?.prices_known_until(self.house.org(), series, today).await?;
        // What is late is another day tomorrow.
        if memory.late.replace((known, needed)) != Some((known, needed)) {
            tell(self.store, self.house.org(), series, (known, needed), now).await?;
        }
        Ok(())
    }

    // A source that is asked no more can neither fail nor work: what is open about it is over.
    async fn settle_others(&self, sources: &BTreeSet<String>, now: Instant) -> Result<(), store::Error> {
        let org = self.house.org().clone();
        let open = self.store.read().await?.open_incidents(&org).await?;
        let over: Vec<String> = open
            .into_iter()
            .filter(|incident| incident.kind == FAILING && !sources.contains(&incident.subject))
            .map(|incident| incident.subject)
            .collect();
        if over.is_empty() {
            return Ok(());
        }
        let lane = Lane::org(&org);
        let unit = async move |tx: &mut store::Tx| {
            for subject in &over {
                let alert = Alert { subject, kind: FAILING, severity: "warning" };
                let document = json!({ "source": subject, "reason": "it is asked no more" });
                tx.settle(&org, alert, &document, now).await?;
            }
            Ok(())
        };
        self.store.write(lane, unit).await
    }

    // An incident for a source that fails, and its end when it works.
    async fn tell_failing(
        &self,
        feed: &Fetched,
        plugin: &str,
        wrong: Option<String>,
        now: Instant,
    ) -> Result<(), store::Error> {
        let org = self.house.org().clone();
        let subject = subject(plugin, feed);
        if let Some(wrong) = &wrong {
            tracing::warn!(plugin, feed = feed.feed, area = feed.area, wrong, "prices could not be fetched");
        }
        let document = json!({ "plugin": plugin, "feed": feed.feed, "area": feed.area, "wrong": wrong });
        let lane = Lane::org(&org);
        let unit = async move |tx: &mut store::Tx| {
            let alert = Alert { subject: &subject, kind: FAILING, severity: "warning" };
            match &wrong {
                Some(_) => tx.raise(&org, alert, &document, now).await,
                None => tx.settle(&org, alert, &document, now).await,
            }
            .map(drop)
        };
        self.store.write(lane, unit).await
    }
}

// What an incident about a source is about.
fn subject(plugin: &str, feed: &Fetched) -> String {
    format!("{plugin}: {} {}", feed.feed, feed.area)
}

/// The kind of incident of a plugin that does not do what it is there for.
const FAILING: &str = "plugin.failing";

struct Wrong {
    text: String,
    refused: bool,
    wish_ms: Option<i64>,
}

fn wrong(failed: &Failed) -> Wrong {
    let wish_ms = match failed {
        Failed::Said(error) => error.retry_after.map(|seconds| i64::from(seconds) * 1_000),
        Failed::Stopped(_) => None,
    };
    Wrong { text: failed.to_string(), refused: failed.outcome() == Outcome::Refused, wish_ms }
}
