//! The API under `/api/v1`: what the gateway knows, for programs and pages. Described by `/api/openapi.json`.
//!
//! Every request speaks for one organisation: the one its key belongs to. Times go out as RFC 3339 with the offset of the
//! site, money, energy and power as strings with plain decimals.

pub mod access;
mod bills;
mod campaigns;
mod charged;
mod chargers;
mod corrections;
mod costs;
mod events;
mod incidents;
mod invoices;
mod keys;
mod ledger;
mod meters;
mod openapi;
pub mod orders;
mod outbox;
mod paging;
mod payments;
mod plugins;
mod prices;
mod problem;
mod reminders;
mod sessions;
mod setup;
mod signed_in;
mod tariffs;
pub mod words;

pub use access::{Access, Caller, Role};
pub(crate) use ledger::money;
pub use prices::{Taken, Unused};
use problem::Named;
pub use problem::{Body, Finding, Params, Problem, Text};
pub use setup::{Changed, Wanted};
pub(crate) use signed_in::LASTS;

use crate::desk::Order;
use crate::setup::Thing;
use crate::store::{Charger, OrgId, Store};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use chrono_tz::Tz;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use takst_engine::units::Instant;

/// A future on the heap, for traits that are used through a pointer.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the API asks of the rest of the gateway.
pub trait House: Send + Sync + 'static {
    /// The clock of a site; none when it is not known.
    fn zone(&self, org: &OrgId, site: &str) -> Option<Tz>;

    /// The site of a charger; none when it is not known.
    fn site(&self, org: &OrgId, charger: &str) -> Option<String>;

    /// What people call a site.
    fn site_name(&self, org: &OrgId, site: &str) -> Option<String>;

    /// What the car of a running session does: `charging`, `idle`, ...
    fn doing(&self, org: &OrgId, session: &str) -> Option<&'static str>;

    /// Carries out a command that a person gave; what came of it.
    fn order<'a>(
        &'a self,
        org: &'a OrgId,
        charger: &'a str,
        order: Order,
        by: &'a str,
    ) -> Later<'a, Result<orders::DoneDoc, Problem>>;

    /// It was decided about a charger: it is asked to say again who it is, so that it hears of it; or sent away.
    fn registered(&self, org: &OrgId, charger: &str, accepted: bool);

    /// Takes in a price document as a person or program sends it: of this feed, and where an area is stated of this area.
    fn prices<'a>(
        &'a self,
        org: &'a OrgId,
        feed: &'a str,
        area: Option<&'a str>,
        document: &'a str,
    ) -> Later<'a, Result<Taken, Problem>>;

    /// Lets a held session go to billing (`release`), or decides that it is never billed.
    fn decide<'a>(
        &'a self,
        org: &'a OrgId,
        session: &'a str,
        release: bool,
        reason: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<(), Problem>>;

    /// What a correction of a session's bill would change.
    fn difference<'a>(
        &'a self,
        org: &'a OrgId,
        session: &'a str,
    ) -> Later<'a, Result<crate::billing::Difference, Problem>>;

    /// Corrects the bills that an alert about changed prices lists (`true`; sessions that could not be corrected, with why), or leaves
    /// them as they are. The alert is over then.
    fn decide_alert<'a>(
        &'a self,
        org: &'a OrgId,
        incident: &'a str,
        correct: bool,
        reason: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<Vec<(String, String)>, Problem>>;

    /// Orders the correction of a session's bill (`true`; the document of the correction is given back), or leaves the bill as it is.
    fn settle<'a>(
        &'a self,
        org: &'a OrgId,
        session: &'a str,
        correct: bool,
        reason: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<Option<String>, Problem>>;

    /// Gives the money of a session's bill back, or that of some of its charges; the document of the credit note.
    fn refund<'a>(
        &'a self,
        org: &'a OrgId,
        session: &'a str,
        charges: Option<Vec<String>>,
        reason: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<String, Problem>>;

    /// The receipt of a bill.
    fn receipt(&self, bill: &crate::store::Bill, form: crate::receipts::Form) -> Result<String, Problem>;

    /// What a running session costs so far, in minor units and the currency's code and digits.
    fn cost(&self, org: &OrgId, session: &str) -> Option<(i64, String, u8)>;

    /// The set-up in force, as JSON, without personal data and without secrets.
    fn setup(&self, org: &OrgId) -> serde_json::Value;

    /// A word that changes with a section of the set-up.
    fn setup_tag(&self, org: &OrgId, section: &str) -> Result<String, Problem>;

    /// The things of a section of the set-up, or the one thing that stands there.
    fn setup_section(&self, org: &OrgId, section: &str) -> Result<serde_json::Value, Problem>;

    /// One thing of the set-up.
    fn setup_thing(&self, org: &OrgId, thing: &Thing) -> Result<serde_json::Value, Problem>;

    /// Changes the set-up, its files too, or nothing.
    fn change_setup<'a>(
        &'a self,
        org: &'a OrgId,
        wanted: Wanted,
        by: &'a str,
    ) -> Later<'a, Result<Changed, Problem>>;

    /// Whether the list of a version is over, so that no session begins by it any more.
    fn is_over(&self, org: &OrgId, version: &str, at: Instant) -> bool;

    /// The tariff files in the folder of the set-up.
    fn tariff_files(&self, org: &OrgId) -> Vec<String>;

    /// The text of a tariff file there; none when there is no such file.
    fn tariff_file(&self, org: &OrgId, name: &str) -> Result<Option<String>, Problem>;

    /// Takes a tariff file away that nothing uses; whether there was one.
    fn remove_tariff<'a>(
        &'a self,
        org: &'a OrgId,
        name: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<bool, Problem>>;

    /// What is asked of payment providers.
    fn outbox(&self) -> Option<crate::outbox::Outbox> {
        None
    }

    /// The plugins that are set up, and how they stand.
    fn plugins(&self, _org: &OrgId) -> Vec<crate::plugins::Standing> {
        Vec::new()
    }

    /// Meter values; none where nobody keeps any.
    fn meters(&self, _org: &OrgId) -> Option<crate::meters::Meters> {
        None
    }

    /// The plugins that can be paid through, by their names here, each with what it is; those that a bill of this seller can be paid through
    /// when one is stated. A plugin pays into one account: that of another seller is none of them.
    fn paying(&self, _org: &OrgId, _seller: Option<&str>) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The plugins that send messages, by their names here.
    fn messengers(&self, _org: &OrgId) -> Vec<String> {
        Vec::new()
    }

    /// The address under which drivers reach the gateway.
    fn web_address(&self, _org: &OrgId) -> Option<String> {
        None
    }

    /// The plugin that a seller is paid through.
    fn paid_through(&self, _org: &OrgId, _seller: &str) -> Option<String> {
        None
    }

    /// The sites of a seller; none when there is no such seller.
    fn sites_of(&self, _org: &OrgId, _seller: &str) -> Option<Vec<String>> {
        None
    }

    /// Erases who a driver is.
    fn erase_person<'a>(
        &'a self,
        org: &'a OrgId,
        driver: &'a str,
        by: &'a str,
    ) -> Later<'a, Result<(), Problem>>;
}

/// What every request is answered from.
#[derive(Clone)]
pub struct Api {
    /// The storage.
    pub store: Store,
    /// Who may ask.
    pub access: Arc<Access>,
    /// The rest of the gateway.
    pub house: Arc<dyn House>,
}

impl Api {
    // The charger of that name: letters in either case name the same one.
    async fn charger(&self, org: &OrgId, name: &str) -> Result<Charger, Problem> {
        let found = self.store.read().await?.charger_called(org, name).await?;
        found.ok_or_else(|| Problem::missing("charger", name))
    }

    // The same for a filter, to which a charger that is not there is no mistake.
    async fn charger_id(&self, org: &OrgId, name: Option<&str>) -> Result<Option<String>, Problem> {
        let Some(name) = name else { return Ok(None) };
        let found = self.store.read().await?.charger_called(org, name).await?;
        Ok(Some(found.map_or_else(|| name.to_owned(), |charger| charger.id)))
    }

    // An instant on the clock of a site, or in UTC.
    fn text(&self, org: &OrgId, site: Option<&str>, at: Instant) -> String {
        words::time(site.and_then(|site| self.house.zone(org, site)), at)
    }
}

/// All addresses of the API.
pub fn router(api: Api) -> Router {
    // One more than a tariff may have: it says itself what is too much.
    let list_limit = DefaultBodyLimit::max(takst_dsl::parse::MAX_FILE + 1);
    let v1 = Router::new()
        .route("/sessions", get(sessions::list))
        .route("/sessions/{id}", get(sessions::one))
        .route("/sessions/{id}/signed-values", get(sessions::signed))
        .route("/sessions/{id}/release", post(sessions::release))
        .route("/sessions/{id}/never", post(sessions::never))
        .route("/sessions/{id}/correction", get(corrections::show).post(corrections::order))
        .route("/sessions/{id}/correction/dismiss", post(corrections::dismiss))
        .route("/sessions/{id}/refund", post(corrections::refund))
        .route("/bills", get(bills::list))
        .route("/bills/{id}", get(bills::one))
        .route("/bills/{id}/receipt", get(bills::receipt))
        .route("/chargers", get(chargers::list))
        .route("/chargers/{id}", get(chargers::one))
        .route("/chargers/{id}/frames", get(chargers::frames))
        .route("/chargers/{id}/commands", get(chargers::commands).post(orders::give))
        .route("/chargers/{id}/accept", post(orders::accept))
        .route("/chargers/{id}/reject", post(orders::reject))
        .route("/campaigns", get(campaigns::list).post(campaigns::begin))
        .route("/campaigns/{id}", get(campaigns::one))
        .route("/campaigns/{id}/resume", post(campaigns::resume))
        .route("/campaigns/{id}/stop", post(campaigns::stop))
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::one))
        .route("/incidents/{id}/correct", post(corrections::correct_all))
        .route("/incidents/{id}/dismiss", post(corrections::dismiss_all))
        .route("/prices/{feed}", get(prices::list).post(prices::put))
        .route(
            "/meter-values",
            get(meters::receipts).post(meters::put).layer(DefaultBodyLimit::max(meters::MOST_BYTES)),
        )
        .route("/meter-values/fetch", post(meters::fetch))
        .route("/meter-points", get(meters::points))
        .route("/meter-points/{point}/values", get(meters::values))
        .route("/meter-points/{point}/file", get(meters::file))
        .route("/sites/{site}/charging-values", get(charged::charging))
        .route("/sites/{site}/costs/{month}", get(costs::costs).put(costs::set_costs))
        .route("/events", get(events::stream))
        .route("/setup", get(setup::whole))
        .route("/setup/{section}", get(setup::section).put(setup::put_single).patch(setup::patch_single))
        .route(
            "/setup/{section}/{id}",
            get(setup::thing).put(setup::put).patch(setup::patch).delete(setup::remove),
        )
        .route("/drivers/{id}/personal-data", delete(setup::erase))
        .route("/tariffs", get(tariffs::list))
        .route(
            "/tariffs/{*name}",
            get(tariffs::one).put(tariffs::put).delete(tariffs::remove).layer(list_limit),
        )
        .route("/bills/{id}/payments", get(payments::of_bill).post(payments::pay))
        .route("/payments", get(payments::list))
        .route("/payments/{id}", get(payments::one))
        .route("/payments/{id}/cancel", post(payments::cancel))
        .route("/payments/{id}/returned", post(invoices::returned))
        .route("/payments/{id}/charged-back", post(payments::charged_back))
        .route("/drivers/{id}/instruments", get(payments::instruments).post(payments::save))
        .route("/invoices", get(invoices::list))
        .route("/invoices/{id}", get(invoices::one))
        .route("/invoices/{id}/document", get(invoices::document))
        .route("/invoices/{id}/page", get(invoices::page))
        .route("/invoices/{id}/printed", post(invoices::printed))
        .route("/invoices/{id}/send", post(invoices::send))
        .route("/bills/{id}/received", post(invoices::received))
        .route("/reminders", get(reminders::list).post(reminders::create))
        .route("/reminders/{id}/cancel", post(reminders::cancel))
        .route("/outbox", get(outbox::list))
        .route("/outbox/{id}", get(outbox::one))
        .route("/outbox/{id}/retry", post(outbox::retry))
        .route("/outbox/{id}/give-up", post(outbox::give_up))
        .route("/outbox-plugins", get(outbox::plugins))
        .route("/outbox-resume", post(outbox::resume))
        .route("/plugins", get(plugins::list))
        .route("/ledger/accounts", get(ledger::accounts))
        .route("/ledger/entries", get(ledger::entries).post(ledger::add))
        .route("/ledger/entries/{id}/reverse", post(ledger::take_back))
        .route("/ledger/check", post(ledger::check))
        .route("/keys", get(keys::list).post(keys::make))
        .route("/keys/{id}", delete(keys::revoke))
        .route("/audit", get(keys::audit))
        .method_not_allowed_fallback(problem::no_such_method)
        .fallback(problem::no_such_address);
    Router::new().nest("/api/v1", v1).route("/api/openapi.json", get(openapi::document)).with_state(api)
}
