//! Price feeds: what is known, and what is sent in.

use super::access::Wish;
use super::paging::{Limit, Listed};
use super::{Api, Caller, Named, Params, Problem, Text, words};
use crate::clock::now;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use takst_engine::calendar_time::utc_text;
use takst_engine::units::{DAY_MS, Instant};
use utoipa::{IntoParams, ToSchema};

/// Which prices.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Price area.
    pub area: Option<String>,
    /// From this time on (RFC 3339); a day ago without it.
    pub from: Option<String>,
    /// Before this time; two days ahead without it.
    pub until: Option<String>,
    /// Prices in the answer, up to 5000.
    pub limit: Option<i64>,
    /// Behind the price that begins then: what the header `Takst-Next` of the last answer says.
    pub after: Option<String>,
}

/// A price.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceDoc {
    /// Start.
    pub from: String,
    /// End.
    pub to: String,
    /// A plain decimal.
    pub price: String,
    /// As in `EUR/MWh`.
    pub unit: String,
}

/// The prices of a feed as they stand.
#[utoipa::path(get, path = "/api/v1/prices/{feed}", tag = "prices", params(("feed" = String, Path), Wanted),
    responses((status = 200, body = Vec<PriceDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(feed): Named<String>,
    Params(wanted): Params<Wanted>,
) -> Result<Listed<PriceDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let time = |text: &Option<String>, other: i64| match text {
        Some(text) => words::read_time(text).map_err(Problem::bad),
        None => Ok(Instant(other)),
    };
    let (from, until) = (time(&wanted.from, now().0 - DAY_MS)?, time(&wanted.until, now().0 + 2 * DAY_MS)?);
    let series = (feed.as_str(), wanted.area.as_deref().unwrap_or_default());
    let rows = api.store.read().await?.prices(&caller.org, series, from, until).await?;
    let document = |row: crate::store::PricePoint| PriceDoc {
        from: utc_text(row.from_at),
        to: utc_text(row.to_at),
        price: row.price,
        unit: row.unit,
    };
    let limit = Limit::of(wanted.limit, 1_000, 5_000)?;
    Ok(limit.piece(rows, wanted.after.as_deref(), |row| utc_text(row.from_at))?.map(document))
}

/// Whose prices a document brings.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Brought {
    /// The price area of all prices in it; without it, the areas that the document names.
    pub area: Option<String>,
}

/// What came of a document.
#[derive(Debug, Serialize, ToSchema)]
pub struct Taken {
    /// New prices, and such as say something else than before.
    pub changed: u64,
    /// What is in it that no tariff and no `[[feed]]` of the set-up names: it was kept, and nothing is priced with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<Unused>,
}

/// Prices that nobody asks for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unused {
    /// `spot`, ...
    pub feed: String,
    /// Price area.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
}

impl Unused {
    /// Of this feed and area; an empty one is none.
    #[must_use]
    pub fn of(feed: &str, area: &str) -> Self {
        Self { feed: feed.to_owned(), area: Some(area.to_owned()).filter(|area| !area.is_empty()) }
    }
}

/// Takes in a price document: ours, ENTSO-E's XML, Nord Pool's or hvakosterstrommen's JSON. All of its prices are of the feed in the address.
#[utoipa::path(post, path = "/api/v1/prices/{feed}", tag = "prices", params(("feed" = String, Path), Brought),
    request_body = String, responses((status = 200, body = Taken), (status = "4XX", body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Named(feed): Named<String>,
    Params(brought): Params<Brought>,
    Text(document): Text,
) -> Result<Json<Taken>, Problem> {
    caller.wants(Wish::Decide)?;
    Ok(Json(api.house.prices(&caller.org, &feed, brought.area.as_deref(), &document).await?))
}
