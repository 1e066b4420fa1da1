//! How the rooms of the gateway reach one another.

use crate::api::{Later, Problem};
use crate::billing::{Billing, Decision};
use crate::chargers::model::{Command, Message};
use crate::clock::now;
use crate::desk::rules::{Cost, CostSource, Prices, SessionSink};
use crate::desk::{Clerk, Order};
use crate::feeds::{Books, Offered, receive};
use crate::house::House;
use crate::hub::Hub;
use crate::live::Live;
use crate::ocpp::Dialect;
use crate::sessions::Touched;
use crate::store::{Bill, OrgId, Store};
use axum::http::StatusCode;
use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use takst_engine::PriceBook;

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
}

impl crate::api::House for Reception {
    fn zone(&self, org: &OrgId, site: &str) -> Option<Tz> {
        (org == self.house.org()).then(|| self.house.zone(site))?
    }

    fn order<'a>(
        &'a self,
        org: &'a OrgId,
        charger: &'a str,
        order: Value,
        by: &'a str,
    ) -> Later<'a, Result<Value, Problem>> {
        Box::pin(async move {
            let order: Order = serde_json::from_value(order).map_err(|error| {
                Problem::bad(format!("this is no command: {error}"))
                    .help("see POST /api/v1/chargers/{id}/commands in /api/openapi.json")
            })?;
            let done = self.clerk.command(org, charger, order, by).await;
            let done = done.map_err(|why| Problem::new(StatusCode::CONFLICT, why.to_string()))?;
            match done.outcome {
                Ok(outcome) => Ok(serde_json::json!({ "id": done.id, "outcome": outcome })),
                Err(unsent) => Err(Problem::new(StatusCode::BAD_GATEWAY, unsent.to_string())),
            }
        })
    }

    fn prices<'a>(
        &'a self,
        org: &'a OrgId,
        feed: &'a str,
        area: Option<&'a str>,
        document: &'a str,
    ) -> Later<'a, Result<u64, Problem>> {
        Box::pin(async move {
            let name = match area {
                Some(area) => format!("{feed}-{area}"),
                None => feed.to_owned(),
            };
            let offered =
                Offered { text: document.to_owned(), name, currency: self.house.currency(), published: None };
            let received = receive(&self.store, org, offered, now()).await;
            let received = received.map_err(|error| Problem::bad(error.to_string()))?;
            if received.is_news() {
                self.live.prices_changed(org, now()).await?;
                self.billing.wake();
            }
            Ok(received.series.iter().map(|series| series.kept).sum())
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

    fn receipt(&self, bill: &Bill, page: bool) -> Result<String, Problem> {
        let made = if page { crate::receipts::html(bill) } else { crate::receipts::text(bill) };
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
}
