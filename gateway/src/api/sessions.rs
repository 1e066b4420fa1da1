//! Sessions with their bills.

use super::access::Wish;
use super::paging::{Limit, Listed, Page, unknown};
use super::{Api, Body, Caller, Named, Params, Problem, words};
use crate::billing::changes;
use crate::store::{Billing, PaymentFilter, Reader, Session, SessionFilter, SessionStatus, SignedValue};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Sessions in one answer at the most.
const MOST: i64 = 200;

/// Which sessions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Of this charger, letters in either case.
    pub charger: Option<String>,
    /// At this site.
    pub site: Option<String>,
    /// Of this driver.
    pub driver: Option<String>,
    /// Begun with this token.
    pub token: Option<String>,
    /// `running`, `ended`, `ended-inferred`, `orphan`.
    pub status: Option<String>,
    /// Held back from automatic billing.
    pub hold: Option<bool>,
    /// Plugged in at this time or later (RFC 3339).
    pub from: Option<String>,
    /// Plugged in before this time.
    pub until: Option<String>,
    /// Sessions in the answer, up to 200.
    pub limit: Option<i64>,
    /// Behind the session with this id: what the header `Takst-Next` of the last answer says.
    pub after: Option<String>,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionDoc {
    /// Its id.
    pub id: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The charger.
    pub charger: String,
    /// EVSE number; connector number in OCPP 1.6.
    pub evse: i64,
    /// The token that began it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The driver's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The charger's transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// RFC 3339.
    pub plugged_in: String,
    /// When the charger's transaction began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// RFC 3339; none while the car is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unplugged: Option<String>,
    /// Energy taken so far.
    pub energy_kwh: String,
    /// `running`, `ended`, `ended-inferred`, `orphan`.
    #[schema(value_type = String)]
    pub status: SessionStatus,
    /// `open`, `due`, `pending`, `billed`, `never`.
    #[schema(value_type = String)]
    pub billing: Billing,
    /// What is odd about it, each with its reason.
    #[schema(value_type = Vec<Object>)]
    pub flags: Value,
    /// Held back from automatic billing, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// What it costs so far, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// The tariff and its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tariff: Option<TariffDoc>,
    /// The tariffs that came into force while it ran and that ask running sessions to go over, in order of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub price_changes: Vec<PriceChangeDoc>,
    /// What is known of the bill while a price is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub preview: Option<Value>,
    /// Its bills, the newest last.
    #[schema(value_type = Vec<Object>)]
    pub bills: Vec<Value>,
    /// The payments of its bills, the newest first. A bill without one is open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<super::payments::PaymentDoc>,
}

/// Money.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cost {
    /// ISO 4217.
    pub currency: String,
    /// All taxes in.
    pub total: String,
}

/// A tariff.
#[derive(Debug, Serialize, ToSchema)]
pub struct TariffDoc {
    /// Its name.
    pub name: String,
    /// SHA-256 of the compiled tariff.
    pub version: String,
}

/// A tariff that came into force while a session ran.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceChangeDoc {
    /// RFC 3339: from then on its prices count.
    pub from: String,
    /// Its name.
    pub name: String,
    /// SHA-256 of the compiled tariff.
    pub version: String,
    /// Why the session keeps its prices all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// The newest sessions first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(Wanted),
    responses((status = 200, body = Vec<SessionDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Listed<SessionDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let time = |text: &Option<String>| match text {
        Some(text) => words::read_time(text).map(Some).map_err(Problem::bad),
        None => Ok(None),
    };
    let status = match wanted.status.as_deref() {
        None => None,
        Some(word) => Some(serde_json::from_value(Value::String(word.to_owned())).map_err(|_| {
            Problem::bad(format!("`{word}` is no status")).help("running, ended, ended-inferred or orphan")
        })?),
    };
    let filter = SessionFilter {
        charger: api.charger_id(&caller.org, wanted.charger.as_deref()).await?,
        site: wanted.site.clone(),
        driver: wanted.driver.clone(),
        token: wanted.token.clone(),
        status,
        hold: wanted.hold,
        from: time(&wanted.from)?,
        until: time(&wanted.until)?,
        ..SessionFilter::default()
    };
    let limit = Limit::of(wanted.limit, 50, MOST)?;
    let mut reader = api.store.read().await?;
    let after = match &wanted.after {
        Some(after) => {
            let last = reader.session(&caller.org, after).await?.ok_or_else(|| unknown(after))?;
            Some(last.cursor())
        }
        None => None,
    };
    let mut rows = reader.sessions(&caller.org, &filter, after.as_ref(), limit.rows()).await?;
    let next = limit.cut(&mut rows, |row| row.id.clone());
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        documents.push(document(&api, &mut reader, &caller, row).await?);
    }
    Ok(Listed { rows: documents, next })
}

/// One session.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = SessionDoc), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<SessionDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let mut reader = api.store.read().await?;
    let row = reader.session(&caller.org, &id).await?.ok_or_else(|| Problem::missing("session", &id))?;
    Ok(Json(document(&api, &mut reader, &caller, row).await?))
}

pub(super) async fn document(
    api: &Api,
    reader: &mut Reader,
    caller: &Caller,
    row: Session,
) -> Result<SessionDoc, Problem> {
    let org = &caller.org;
    let bills = reader.session_bills(org, &row.id).await?;
    let of_session = PaymentFilter { session: Some(row.id.clone()), ..PaymentFilter::default() };
    let payments =
        if bills.is_empty() { Vec::new() } else { reader.payments(org, &of_session, None, 100).await? };
    let preview = match row.billing {
        Billing::Pending => reader.preview(org, &row.id).await?,
        _ => None,
    };
    let site = row.site.clone();
    let text = |at| api.text(org, site.as_deref(), at);
    let cost = match row.status {
        SessionStatus::Running => api.house.cost(org, &row.id),
        _ => None,
    };
    let price_changes = changes(&row).into_iter().map(|change| PriceChangeDoc {
        from: change.from().map_or_else(|| change.from.clone(), text),
        name: change.name,
        version: change.version,
        kept: change.kept,
    });
    Ok(SessionDoc {
        price_changes: price_changes.collect(),
        plugged_in: text(row.plugged_in),
        started: row.started_at.map(text),
        stopped: row.stopped_at.map(text),
        unplugged: row.unplugged.map(text),
        energy_kwh: words::energy(row.energy.unwrap_or_default()),
        flags: serde_json::from_str(&row.flags).unwrap_or_default(),
        held: row.hold.then(|| row.hold_reason.clone().unwrap_or_default()),
        cost: cost.map(|(total, currency, digits)| Cost { currency, total: words::money(total, digits) }),
        tariff: row.tariff_name.zip(row.tariff_version).map(|(name, version)| TariffDoc { name, version }),
        preview: preview.and_then(|preview| serde_json::from_str(&preview.document).ok()),
        bills: bills.iter().filter_map(|bill| serde_json::from_str(&bill.document).ok()).collect(),
        payments: payments.into_iter().map(|payment| super::payments::document(api, org, payment)).collect(),
        id: row.id,
        site: row.site,
        charger: row.charger,
        evse: row.evse,
        token: row.token,
        driver: row.driver,
        transaction: row.transaction_ref,
        status: row.status,
        billing: row.billing,
    })
}

/// A signed meter value.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedDoc {
    /// Its number among the signed values of the session.
    pub seq: i64,
    /// When it was measured, by the charger's clock.
    pub at: String,
    /// When it was received.
    pub received: String,
    /// How it is signed, as the charger says it: `OCMF`, ...; `unknown` where it says nothing.
    pub format: String,
    /// Why it was measured, as the charger says it: `Transaction.Begin`, `Transaction.End`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The key to check it with, where the charger sent it. Whether it is the meter's own says the authority for such meters, not the
    /// charger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The signed text, letter by letter as the charger sent it.
    pub value: String,
}

/// The signed meter values of a session, in the order in which they came: what a transparency software checks a bill with.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/signed-values", tag = "sessions", params(("id" = String, Path), Page),
    responses((status = 200, body = Vec<SignedDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn signed(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Params(page): Params<Page>,
) -> Result<Listed<SignedDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let limit = Limit::of(page.limit, 100, MOST)?;
    let mut reader = api.store.read().await?;
    let session = reader.session(&caller.org, &id).await?.ok_or_else(|| Problem::missing("session", &id))?;
    let rows = reader.signed_values(&caller.org, &id).await?;
    let text = |at| api.text(&caller.org, session.site.as_deref(), at);
    let document = |row: SignedValue| SignedDoc {
        seq: row.seq,
        at: text(row.at),
        received: text(row.received_at),
        format: row.format,
        context: row.context,
        public_key: row.public_key,
        value: row.body,
    };
    Ok(limit.piece(rows, page.after.as_deref(), |row| row.seq.to_string())?.map(document))
}

/// Why somebody decides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// For the audit log and whoever asks later.
    pub reason: String,
}

impl Decision {
    /// Whether it says why.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let reason = self.reason.trim();
        if reason.chars().filter(|letter| letter.is_alphanumeric()).count() < 3
            || reason.chars().count() > 500
        {
            return Err(Problem::bad("`reason` says in words why, in at most 500 characters"));
        }
        Ok(())
    }
}

/// Lets a held session go to billing.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/release", tag = "sessions", params(("id" = String, Path)),
    request_body = Decision, responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn release(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(decision): Body<Decision>,
) -> Result<axum::http::StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    decidable(&api, &caller, &id, &decision).await?;
    api.house.decide(&caller.org, &id, true, &decision.reason, &caller.who).await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

// Whether there is something to decide, and a reason in words.
async fn decidable(api: &Api, caller: &Caller, id: &str, decision: &Decision) -> Result<(), Problem> {
    decision.check()?;
    let session = api.store.read().await?.session(&caller.org, id).await?;
    let session = session.ok_or_else(|| Problem::missing("session", id))?;
    if session.billing == Billing::Billed {
        return Err(Problem::new(axum::http::StatusCode::CONFLICT, "this session is billed already")
            .help("what went out is changed by a correction only: see /api/v1/sessions/{id}/correction"));
    }
    Ok(())
}

/// Decides that a session is never billed.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/never", tag = "sessions", params(("id" = String, Path)),
    request_body = Decision, responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn never(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(decision): Body<Decision>,
) -> Result<axum::http::StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    decidable(&api, &caller, &id, &decision).await?;
    api.house.decide(&caller.org, &id, false, &decision.reason, &caller.who).await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}
