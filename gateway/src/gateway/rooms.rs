//! How the rooms of the gateway reach one another.

mod set_up;

use crate::api::orders::{DoneDoc, OutcomeDoc};
use crate::api::words::without_nulls;
use crate::api::{self, Later, Problem};
use crate::billing::{Billing, Decision, Outcome, Sellers};
use crate::chargers::model::{Command, Details, Message, TriggeredMessage};
use crate::clock::now;
use crate::desk::rules::{Cost, CostSource, Prices, Rules as _, SessionSink};
use crate::desk::{Clerk, NoCommand, Order};
use crate::feeds::{Asked, Books, Offered, SeriesReceived, receive_asked};
use crate::house::{House, Wanted};
use crate::hub::{Hub, Unsent};
use crate::live::Live;
use crate::meters::Meters;
use crate::ocpp::Dialect;
use crate::outbox::Outbox;
use crate::plugins::{Plugins, Standing};
use crate::receipts::Form;
use crate::sessions::Touched;
use crate::setup::Thing;
use crate::store::{Bill, OrgId, Store};
use axum::http::StatusCode;
use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use takst_engine::PriceBook;
use takst_plugins::manifest::Capability;

/// How long a command about costs may take.
const SHOWN_WITHIN: Duration = Duration::from_secs(20);

/// Live prices on their way to chargers.
pub(super) struct Chargers {
    pub hub: Hub,
    pub house: Arc<House>,
}

impl crate::live::Chargers for Chargers {
    fn tell(&self, org: &OrgId, charger: &str, command: Command) {
        let (hub, org, charger) = (self.hub.clone(), org.clone(), charger.to_owned());
        tokio::spawn(async move {
            if let Err(why) = hub.command(&org, &charger, command, SHOWN_WITHIN).await {
                tracing::debug!(charger, %why, "a cost was not shown");
            }
        });
    }

    fn dialect(&self, org: &OrgId, charger: &str) -> Option<Dialect> {
        self.hub.link(org, charger).map(|link| link.dialect)
    }

    fn shows_cost(&self, _: &OrgId, charger: &str) -> bool {
        self.house.shows_cost(charger)
    }

    fn display_pause_ms(&self, _: &OrgId, charger: &str) -> i64 {
        self.house.display_pause_ms(charger)
    }
}

impl CostSource for Live {
    fn cost(&self, org: &OrgId, session: &str) -> Option<Cost> {
        let now = Live::cost(self, org, session)?;
        if now.pending {
            return None;
        }
        let message = Message::plain(format!("{} {}", now.amount(), now.currency));
        Some(Cost { total: now.amount(), message: Some(message), more: Vec::new() })
    }
}

impl SessionSink for Live {
    fn touched<'a>(&'a self, org: &'a OrgId, session: &'a str, touched: Touched) -> BoxFuture<'a, ()> {
        Box::pin(Live::touched(self, org, session, touched))
    }
}

impl Prices for Books {
    fn book(&self, org: &OrgId) -> Arc<PriceBook> {
        self.of(org)
    }
}

/// Answers what the API asks of the gateway.
pub(super) struct Reception {
    pub house: Arc<House>,
    pub clerk: Arc<Clerk>,
    pub billing: Billing,
    pub live: Live,
    pub store: Store,
    pub hub: Hub,
    pub outbox: Outbox,
    pub plugins: Arc<Plugins>,
    pub meters: Meters,
}

impl api::House for Reception {
    fn zone(&self, org: &OrgId, site: &str) -> Option<Tz> {
        (org == self.house.org()).then(|| self.house.zone(site))?
    }

    fn site(&self, org: &OrgId, charger: &str) -> Option<String> {
        (org == self.house.org()).then(|| self.house.site(charger))?
    }

    fn site_name(&self, org: &OrgId, site: &str) -> Option<String> {
        (org == self.house.org()).then(|| self.house.site_name(site))?
    }

    fn doing(&self, org: &OrgId, session: &str) -> Option<&'static str> {
        self.live.cost(org, session).map(|now| crate::billing::state_word(now.state))
    }

    fn order<'a>(
        &'a self,
        org: &'a OrgId,
        charger: &'a str,
        order: Order,
        by: &'a str,
    ) -> Later<'a, Result<DoneDoc, Problem>> {
        Box::pin(async move {
            // Letters in either case name the same charger.
            let known = self.house.charger(org, charger).map(|rules| rules.id.clone());
            let charger = known.as_deref().unwrap_or(charger);
            let done = self.clerk.command(org, charger, order, by).await.map_err(|why| {
                let status = match &why {
                    NoCommand::NoCharger(_) => StatusCode::NOT_FOUND,
                    NoCommand::NotAccepted => StatusCode::CONFLICT,
                    NoCommand::NoSession(_) | NoCommand::Token(..) | NoCommand::Evse(_) => {
                        StatusCode::UNPROCESSABLE_ENTITY
                    }
                    NoCommand::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
                };
                Problem::new(status, why.to_string())
            })?;
            let id = done.id;
            let outcome = done.outcome.map_err(|unsent| {
                let status = match unsent {
                    Unsent::NotConnected | Unsent::Overtaken => StatusCode::CONFLICT,
                    Unsent::Busy => StatusCode::SERVICE_UNAVAILABLE,
                    Unsent::Unsayable(_) => StatusCode::UNPROCESSABLE_ENTITY,
                    Unsent::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
                    Unsent::Gone { .. } => StatusCode::BAD_GATEWAY,
                };
                Problem::new(status, unsent.to_string())
            })?;
            let details = match outcome.details {
                Details::None => None,
                details => serde_json::to_value(details).ok().map(without_nulls),
            };
            let outcome = OutcomeDoc {
                status: outcome.status.as_str().to_owned(),
                info: outcome.info.and_then(|info| serde_json::to_value(info).ok()).map(without_nulls),
                details,
            };
            Ok(DoneDoc { id, outcome })
        })
    }

    fn registered(&self, org: &OrgId, charger: &str, accepted: bool) {
        if !accepted {
            self.hub.close(org, charger, "this charger may not connect");
            return;
        }
        let (clerk, org, charger) = (Arc::clone(&self.clerk), org.clone(), charger.to_owned());
        tokio::spawn(async move {
            let order = Order::Trigger { message: TriggeredMessage::Boot, evse: None, connector: None };
            if let Err(why) = clerk.command(&org, &charger, order, "gateway").await {
                tracing::debug!(charger, %why, "a charger was not asked to boot again");
            }
        });
    }

    fn prices<'a>(
        &'a self,
        org: &'a OrgId,
        feed: &'a str,
        area: Option<&'a str>,
        document: &'a str,
    ) -> Later<'a, Result<api::Taken, Problem>> {
        Box::pin(async move {
            let name = match area {
                Some(area) => format!("{feed}-{area}"),
                None => feed.to_owned(),
            };
            let offered =
                Offered { text: document.to_owned(), name, currency: self.house.currency(), published: None };
            let only = Some((feed.to_owned(), area.map(str::to_owned)));
            let asked = Asked {
                only,
                currencies: Some(self.house.currencies_asked()),
                holds: Some(self.house.feeds_held()),
            };
            let received = receive_asked(&self.store, org, offered, asked, now()).await;
            let received = received.map_err(|error| Problem::bad(error.to_string()))?;
            if received.is_news() {
                self.live.prices_changed(org, now()).await?;
                self.billing.wake();
            }
            let names = |series: &&SeriesReceived| !self.house.names_feed(&series.feed, &series.area);
            let unused = received.series.iter().filter(names);
            Ok(api::Taken {
                changed: received.series.iter().map(|series| series.kept).sum(),
                unused: unused.map(|series| api::Unused::of(&series.feed, &series.area)).collect(),
            })
        })
    }

    fn decide<'a>(
        &'a self,
        org: &'a OrgId,
        session: &'a str,
        release: bool,
        reason: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<(), Problem>> {
        Box::pin(async move {
            let decision = Decision { by: by.to_owned(), reason: reason.to_owned() };
            if release {
                self.billing.release(org, session, decision, now()).await?;
            } else {
                self.billing.never(org, session, decision, now()).await?;
            }
            self.billing.wake();
            Ok(())
        })
    }

    fn difference<'a>(
        &'a self,
        org: &'a OrgId,
        session: &'a str,
    ) -> Later<'a, Result<crate::billing::Difference, Problem>> {
        Box::pin(async move { Ok(self.billing.difference(org, session).await?) })
    }

    fn settle<'a>(
        &'a self,
        org: &'a OrgId,
        session: &'a str,
        correct: bool,
        reason: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<Option<String>, Problem>> {
        Box::pin(async move {
            let decision = Decision { by: by.to_owned(), reason: reason.to_owned() };
            if !correct {
                self.billing.dismiss(org, session, decision, now()).await?;
                return Ok(None);
            }
            match self.billing.reprice(org, session, None, decision, now()).await? {
                Outcome::Corrected(bill) => Ok(Some(bill.document)),
                _ => Ok(None),
            }
        })
    }

    fn refund<'a>(
        &'a self,
        org: &'a OrgId,
        session: &'a str,
        charges: Option<Vec<String>>,
        reason: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<String, Problem>> {
        Box::pin(async move {
            let decision = Decision { by: by.to_owned(), reason: reason.to_owned() };
            let credit = self.billing.refund(org, session, charges, decision, now()).await?;
            self.outbox.wake();
            Ok(credit.document)
        })
    }

    fn decide_alert<'a>(
        &'a self,
        org: &'a OrgId,
        incident: &'a str,
        correct: bool,
        reason: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<Vec<(String, String)>, Problem>> {
        Box::pin(async move {
            let decision = Decision { by: by.to_owned(), reason: reason.to_owned() };
            if correct {
                return Ok(self.billing.correct_affected(org, incident, decision, now()).await?);
            }
            self.billing.dismiss_affected(org, incident, decision, now()).await?;
            Ok(Vec::new())
        })
    }

    fn receipt(&self, bill: &Bill, form: Form) -> Result<String, Problem> {
        let made = self.house.receipt(bill, form);
        made.map_err(|why| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()))
    }

    fn cost(&self, org: &OrgId, session: &str) -> Option<(i64, String, u8)> {
        let now = self.live.cost(org, session)?;
        Some((now.total, now.currency, now.digits))
    }

    fn setup(&self, org: &OrgId) -> Value {
        match org == self.house.org() {
            true => serde_json::from_str(&self.house.document()).unwrap_or_default(),
            false => Value::Null,
        }
    }

    fn setup_tag(&self, org: &OrgId, section: &str) -> Result<String, Problem> {
        self.ours(org).map(|house| house.tag(section))
    }

    fn setup_section(&self, org: &OrgId, section: &str) -> Result<Value, Problem> {
        let mut things = self.ours(org)?.section(section).map_err(|why| set_up::edit(&why))?;
        Ok(match things.first_mut() {
            Some((id, value)) if id.is_empty() => value.take(),
            _ => things.into_iter().map(|(_, value)| value).collect(),
        })
    }

    fn setup_thing(&self, org: &OrgId, thing: &Thing) -> Result<Value, Problem> {
        self.ours(org)?.thing(thing).map_err(|why| set_up::edit(&why))
    }

    fn change_setup<'a>(
        &'a self,
        org: &'a OrgId,
        wanted: api::Wanted,
        by: &'a str,
    ) -> Later<'a, Result<api::Changed, Problem>> {
        Box::pin(async move {
            let house = self.ours(org)?;
            let wanted = Wanted { edit: wanted.edit, only_if: wanted.only_if, by: by.to_owned() };
            let changed = house.change(wanted, now()).await.map_err(|why| set_up::problem(house, why))?;
            // What could not be billed for want of a tariff or a seller may be so now.
            self.billing.wake();
            super::send_away(house, &self.hub);
            Ok(set_up::answer(house, changed))
        })
    }

    fn is_over(&self, org: &OrgId, version: &str, at: takst_engine::units::Instant) -> bool {
        self.ours(org).is_ok_and(|house| house.is_over(version, at))
    }

    fn tariff_files(&self, org: &OrgId) -> Vec<String> {
        self.ours(org).map(|house| house.lists()).unwrap_or_default()
    }

    fn tariff_file(&self, org: &OrgId, name: &str) -> Result<Option<String>, Problem> {
        self.ours(org)?.list_text(name).map_err(|why| set_up::edit(&why))
    }

    fn remove_tariff<'a>(
        &'a self,
        org: &'a OrgId,
        name: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<bool, Problem>> {
        Box::pin(async move {
            let house = self.ours(org)?;
            house.remove_list(name, by, now()).await.map_err(|why| set_up::problem(house, why))
        })
    }

    fn outbox(&self) -> Option<Outbox> {
        Some(self.outbox.clone())
    }

    fn plugins(&self, org: &OrgId) -> Vec<Standing> {
        if org == self.house.org() { self.plugins.standing() } else { Vec::new() }
    }

    fn meters(&self, org: &OrgId) -> Option<Meters> {
        (org == self.house.org()).then(|| self.meters.clone())
    }

    fn paying(&self, org: &OrgId, seller: Option<&str>) -> Vec<(String, String)> {
        let mut able = match org == self.house.org() {
            true => self.plugins.able(Capability::PaymentProvider),
            false => Vec::new(),
        };
        if let Some(seller) = seller {
            able.retain(|(name, _)| self.house.takes_through(seller, name));
        }
        able
    }

    fn messengers(&self, org: &OrgId) -> Vec<String> {
        let able = (org == self.house.org()).then(|| self.plugins.able(Capability::Notifier));
        able.into_iter().flatten().map(|(name, _)| name).collect()
    }

    fn web_address(&self, org: &OrgId) -> Option<String> {
        (org == self.house.org()).then(|| self.house.web_address())?
    }

    fn paid_through(&self, org: &OrgId, seller: &str) -> Option<String> {
        Sellers::seller(&*self.house, org, seller)?.payments
    }

    fn sites_of(&self, org: &OrgId, seller: &str) -> Option<Vec<String>> {
        (org == self.house.org()).then(|| self.house.sites_of(seller))?
    }

    fn erase_person<'a>(
        &'a self,
        org: &'a OrgId,
        driver: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<(), Problem>> {
        Box::pin(async move {
            let house = self.ours(org)?;
            let erased = house.erase(driver, by, now()).await.map_err(|why| set_up::problem(house, why))?;
            erased.map(|_| ()).ok_or_else(|| Problem::missing("driver", driver))
        })
    }
}

impl Reception {
    fn ours(&self, org: &OrgId) -> Result<&Arc<House>, Problem> {
        let none = || Problem::new(StatusCode::NOT_FOUND, "this organisation has no set-up here");
        (org == self.house.org()).then_some(&self.house).ok_or_else(none)
    }
}
