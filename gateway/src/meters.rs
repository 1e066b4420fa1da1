//! Values of metering points, and what a site's electricity cost a kWh. Absent: any format of files, which is a plugin's business, and any
//! value that nobody brought.
//!
//! ```text
//! schedule of the set-up ──▶ fetch ──┐ (what should be there and is not)
//! a file, or an answer of the other system ──▶ plugin (`meter-export`) ──▶ checked ──▶ kept; what it covers stays as history
//!                        costs of the month, by the API ──▶ kept ──┐           │
//!                                                                 ├──▶ cost price of the month, as a feed ──▶ billing
//!                                                                 └── every value of the month is there
//! sessions ──▶ hourly values of charging ──▶ plugin ──▶ a file
//!                                        └──▶ send, on the schedule ──▶ outbox ──▶ plugin ──▶ the other system
//! ```

mod charging;
mod check;
mod costs;
mod drawn;
mod fetch;
mod hours;
mod keep;
mod send;
mod when;

pub use charging::{Charging, STEPS_MS};
pub use check::MOST_VALUES;
pub use costs::{CostState, Known, check_costs};
pub use drawn::fits;
pub use fetch::MeterFetcher;
pub use keep::{Kept, SeriesKept};
pub use send::MeterSender;

use crate::billing::Billing;
use crate::house::House;
use crate::live::Live;
use crate::plugins::{Metering, Plugins};
use crate::store::{
    self, Lane, MeterDirection, MeterQuality, MeterReceipt, MeterValue, OrgId, PlantCost, Store, new_id,
};
use std::sync::Arc;
use takst_engine::month::{Cost, YearMonth};
use takst_engine::units::Instant;
use takst_plugins::Failed;
use takst_plugins::model::meters::{Direction, File, Quality, Series, Span, Value};

/// Why something with meter values was not done.
#[derive(Debug, thiserror::Error)]
pub enum MeterError {
    /// No plugin can be asked.
    #[error("{0}")]
    NoPlugin(String),
    /// What the plugin says, or why it was stopped.
    #[error("the plugin `{plugin}`: {failed}")]
    Plugin {
        /// Its name here.
        plugin: String,
        /// What came of the call.
        failed: Failed,
    },
    /// What was brought or asked for cannot be right; what, and where.
    #[error("{0}")]
    Wrong(String),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Who brings something, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct By {
    /// An API key or another key of a person.
    pub who: String,
    /// Now.
    pub now: Instant,
}

/// The costs of a site in a month, as somebody says them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// ISO 4217; the currency of the site's tariffs without it.
    pub currency: Option<String>,
    /// What it cost.
    pub costs: Vec<Cost>,
    /// Why, in words: for the history.
    pub reason: String,
}

/// Which months are looked at again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// All of the last 13.
    All,
    /// Those to which sessions may still come, and those without a cost price.
    Late,
    /// Those without a cost price.
    Waiting,
}

/// Meter values of one organisation. Copies share everything.
#[derive(Clone)]
pub struct Meters {
    /// The storage.
    pub store: Store,
    /// The set-up.
    pub house: Arc<House>,
    /// Who reads and writes files.
    pub plugins: Arc<Plugins>,
    /// Who makes bills.
    pub billing: Billing,
    /// Who follows running sessions.
    pub live: Live,
}

impl Meters {
    fn org(&self) -> &OrgId {
        self.house.org()
    }

    fn plugin(&self, name: Option<&str>) -> Result<Metering<'_>, MeterError> {
        self.plugins.meters(name).map_err(MeterError::NoPlugin)
    }

    /// Has a plugin read a file, and keeps its values.
    ///
    /// # Errors
    /// When it cannot be read, says something that cannot be, or the storage fails; then nothing was kept.
    pub async fn read(&self, plugin: Option<&str>, file: File, by: &By) -> Result<Kept, MeterError> {
        let plugin = self.plugin(plugin)?;
        let name = file.name.clone();
        let series = plugin.read(file).await.map_err(failed(&plugin))?;
        self.keep(&plugin, series, &name, by).await
    }

    /// Has a plugin fetch values from the other system, and keeps them.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn fetch(&self, plugin: Option<&str>, span: Span, by: &By) -> Result<Kept, MeterError> {
        let plugin = self.plugin(plugin)?;
        let (point, direction) = (span.point.clone(), span.direction);
        let (from, until) = (span.from, span.until);
        let series = plugin.fetch(span).await.map_err(failed(&plugin))?;
        if let Some(other) = series.iter().find(|one| one.point != point || one.direction != direction) {
            return Err(MeterError::Wrong(format!(
                "the plugin `{}` was asked for the point {point} and brought values of {}; nothing was kept",
                plugin.name, other.point
            )));
        }
        let beyond = |value: &Value| value.from < from || value.until > until;
        if series.iter().any(|one| one.values.iter().any(beyond)) {
            return Err(MeterError::Wrong(format!(
                "the plugin `{}` brought values of another time than it was asked for; nothing was kept",
                plugin.name
            )));
        }
        self.keep(&plugin, series, "fetch", by).await
    }

    /// Has a plugin write values that are known into a file of this form.
    ///
    /// # Errors
    /// When there are none, the plugin does not write them, or the storage fails.
    pub async fn write(
        &self,
        plugin: Option<&str>,
        form: &str,
        point: (&str, MeterDirection),
        span: (Instant, Instant),
    ) -> Result<File, MeterError> {
        let rows = self.store.read().await?.meter_values(self.org(), point, span, false).await?;
        if rows.is_empty() {
            return Err(MeterError::Wrong(format!("there are no values of {} in that time", point.0)));
        }
        let direction = match point.1 {
            MeterDirection::Consumption => Direction::Consumption,
            MeterDirection::Production => Direction::Production,
        };
        let series =
            Series { point: point.0.to_owned(), direction, values: rows.into_iter().map(as_value).collect() };
        let plugin = self.plugin(plugin)?;
        plugin.write(form.to_owned(), vec![series]).await.map_err(failed(&plugin))
    }

    /// Has a plugin write the hourly values of charging into a file of this form, under the number of a metering point.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_charging(
        &self,
        plugin: Option<&str>,
        form: &str,
        point: &str,
        charging: &Charging,
    ) -> Result<File, MeterError> {
        let plugin = self.plugin(plugin)?;
        if let Some(wrong) = plugin.check_point(point).await.map_err(failed(&plugin))? {
            return Err(MeterError::Wrong(wrong));
        }
        let series =
            Series { point: point.to_owned(), direction: Direction::Consumption, values: charging.values() };
        plugin.write(form.to_owned(), vec![series]).await.map_err(failed(&plugin))
    }

    /// The energy that cars took at a site, in equal steps of time.
    ///
    /// # Errors
    /// When the time is no time for values, or the storage fails.
    pub async fn charging(
        &self,
        site: &str,
        span: (Instant, Instant),
        step_ms: i64,
        now: Instant,
    ) -> Result<Charging, MeterError> {
        charging::of(&self.store, self.org(), (site, &|_| true), span, step_ms, now).await
    }

    /// The same of what came through one metering point of the site.
    ///
    /// # Errors
    /// As [`Self::charging`].
    pub async fn charging_behind(
        &self,
        (site, point): (&str, &str),
        span: (Instant, Instant),
        step_ms: i64,
        now: Instant,
    ) -> Result<Charging, MeterError> {
        let counts = |session: &store::Session| {
            self.house.is_behind(site, point, (&session.charger, session.evse, session.connector))
        };
        charging::of(&self.store, self.org(), (site, &counts), span, step_ms, now).await
    }

    /// Writes down what a site's electricity cost in a month, in place of what was said before. When all values of the month are there,
    /// the month has its cost price then.
    ///
    /// # Errors
    /// When there is no such site, the costs cannot be right, or the storage fails.
    pub async fn set_costs(
        &self,
        site: &str,
        month: YearMonth,
        said: Said,
        by: &By,
    ) -> Result<CostState, MeterError> {
        let plant = self.house.plants().remove(site);
        let plant = plant.ok_or_else(|| no_site(site))?;
        let currency = match said.currency {
            Some(currency) => currency,
            None => match <[String; 1]>::try_from(self.house.currencies_at(site)) {
                Ok([one]) => one,
                Err(none) if none.is_empty() => self.house.currency(),
                Err(several) => {
                    let several = several.join(" and ");
                    return Err(MeterError::Wrong(format!(
                        "the tariffs of the site `{site}` are in {several}: say the `currency` of the costs"
                    )));
                }
            },
        };
        check_costs(&currency, &said.costs).map_err(MeterError::Wrong)?;
        let document = costs::document(&said.costs);
        let month_costs = costs::MonthCosts::new(site, month, &plant);
        let (of_site, of_month) = (site, month);
        let (org, site, month) = (self.org().clone(), site.to_owned(), month.to_string());
        let (who, reason, now) = (by.who.clone(), said.reason, by.now);
        let lane = Lane::org(&org);
        let unit = async move |tx: &mut store::Tx| {
            let before = tx.plant_costs(&org, &site, &month).await?;
            // What is said again changes nothing.
            let same =
                before.last().is_some_and(|last| last.currency == currency && last.document == document);
            if !same {
                let cost = PlantCost {
                    site: site.clone(),
                    month: month.clone(),
                    revision: before.last().map_or(1, |last| last.revision + 1),
                    currency: currency.clone(),
                    document: document.clone(),
                    entered_at: now,
                    entered_by: who.clone(),
                    reason: reason.clone(),
                };
                tx.add_plant_cost(&org, &cost).await?;
            }
            costs::settle(tx, &org, &month_costs, now).await
        };
        let state = self.store.write(lane, unit).await?;
        if state.is_exceeded() {
            self.note_hours(of_site, of_month, by.now).await?;
        }
        self.tell(state.is_news(), by.now).await?;
        Ok(state)
    }

    /// How it stands with the cost price of a site in a month, with all that was said about its costs.
    ///
    /// # Errors
    /// When there is no such site, or the storage fails.
    pub async fn costs(
        &self,
        site: &str,
        month: YearMonth,
        now: Instant,
    ) -> Result<(CostState, Vec<PlantCost>), MeterError> {
        let plant = self.house.plants().remove(site);
        let plant = plant.ok_or_else(|| no_site(site))?;
        let month_costs = costs::MonthCosts::new(site, month, &plant);
        let mut reader = self.store.read().await?;
        let state = costs::state(&mut reader, self.org(), &month_costs, now).await?;
        let said = reader.plant_costs(self.org(), site, &month.to_string()).await?;
        Ok((state, said))
    }

    /// Works the cost prices of months of which the costs are entered out again: the set-up may name other metering points now, a month may be
    /// over, sessions may have come later. Whether one is another one.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn settle_all(&self, which: Look, now: Instant) -> Result<bool, store::Error> {
        let plants = self.house.plants();
        let mut news = false;
        let since = costs::month_before(now, costs::MONTHS_LOOKED_AT);
        let all_since = match which {
            Look::All => Some(since.clone()),
            Look::Late => Some(costs::month_before(now, costs::MONTHS_LATE)),
            Look::Waiting => None,
        };
        let months = self.store.read().await?.plant_cost_months(self.org(), &since).await?;
        for (site, text) in months {
            let (Some(plant), Ok(month)) = (plants.get(&site), YearMonth::parse(&text)) else { continue };
            let is_late = all_since.as_ref().is_some_and(|since| text >= *since);
            if !is_late && self.store.read().await?.plant_month(self.org(), &site, &text).await?.is_some() {
                continue;
            }
            let (org, of) = (self.org().clone(), costs::MonthCosts::new(&site, month, plant));
            let lane = Lane::org(&org);
            let unit = async move |tx: &mut store::Tx| costs::settle(tx, &org, &of, now).await;
            match self.store.write(lane, unit).await {
                Ok(state) => {
                    news |= state.is_news();
                    if state.is_exceeded() {
                        self.note_hours(&site, month, now).await?;
                    }
                }
                // What is wrong at one site is no reason to leave the others.
                Err(error @ (store::Error::Refused(_) | store::Error::Corrupt(_))) => {
                    tracing::warn!(site, %month, %error, "the cost price could not be worked out");
                }
                Err(error) => return Err(error),
            }
        }
        self.tell(news, now).await?;
        Ok(news)
    }

    async fn keep(
        &self,
        plugin: &Metering<'_>,
        series: Vec<Series>,
        source: &str,
        by: &By,
    ) -> Result<Kept, MeterError> {
        let clean = check::clean(series, by.now).map_err(|why| {
            MeterError::Wrong(format!(
                "the plugin `{}` brought values that cannot be right: {why}",
                plugin.name
            ))
        })?;
        let receipt = MeterReceipt {
            id: new_id(),
            received_at: by.now,
            received_by: by.who.clone(),
            plugin: plugin.name.clone(),
            version: plugin.version.clone(),
            source: source.chars().take(200).collect(),
        };
        let (org, plants) = (self.org().clone(), self.house.plants());
        let lane = Lane::org(&org);
        let unit = async move |tx: &mut store::Tx| keep::keep(tx, &org, &receipt, &clean, &plants).await;
        let kept = self.store.write(lane, unit).await.map_err(|error| match error {
            store::Error::Refused(why) => MeterError::Wrong(why),
            error => MeterError::Store(error),
        })?;
        for (site, month, _) in kept.costs.iter().filter(|(.., state)| state.is_exceeded()) {
            if let Ok(month) = YearMonth::parse(month) {
                self.note_hours(site, month, by.now).await?;
            }
        }
        self.tell(kept.costs.iter().any(|(.., state)| state.is_news()), by.now).await?;
        Ok(kept)
    }

    // There are other cost prices now.
    async fn tell(&self, news: bool, now: Instant) -> Result<(), store::Error> {
        if news {
            self.live.prices_changed(self.org(), now).await?;
            self.billing.wake();
        }
        Ok(())
    }
}

fn no_site(site: &str) -> MeterError {
    MeterError::Store(store::Error::Missing { what: "site", id: site.to_owned() })
}

fn failed(plugin: &Metering<'_>) -> impl Fn(Failed) -> MeterError {
    let plugin = plugin.name.clone();
    move |failed| MeterError::Plugin { plugin: plugin.clone(), failed }
}

fn as_value(row: MeterValue) -> Value {
    let quality = match row.quality {
        MeterQuality::Measured => Quality::Measured,
        MeterQuality::Estimated => Quality::Estimated,
    };
    Value { from: row.from_at.0, until: row.until_at.0, kwh: row.kwh, quality }
}
