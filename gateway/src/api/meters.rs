//! Values of metering points: files in and out, and what is known.

use super::access::Wish;
use super::costs::{CostPriceDoc, cost_price};
use super::paging::{Limit, Listed};
use super::{Api, Body, Caller, Named, Params, Problem, words};
use crate::clock::now;
use crate::meters::{By, Kept, MeterError, Meters, SeriesKept};
use crate::store::{MeterDirection, MeterQuality, MeterValue, OrgId};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use takst_engine::units::{DAY_MS, Instant};
use takst_plugins::model::Outcome;
use takst_plugins::model::meters::{Direction, File, Span};
use utoipa::{IntoParams, ToSchema};

/// Largest file that is taken; what a plugin takes of it is in its limits (`input`).
pub(super) const MOST_BYTES: usize = 16 << 20;
/// Most gaps that are listed for one series.
const MOST_GAPS: usize = 100;

/// Which way energy goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WayDoc {
    /// From the grid.
    #[default]
    Consumption,
    /// To the grid.
    Production,
}

impl WayDoc {
    const fn stored(self) -> MeterDirection {
        match self {
            Self::Consumption => MeterDirection::Consumption,
            Self::Production => MeterDirection::Production,
        }
    }

    const fn of(direction: MeterDirection) -> Self {
        match direction {
            MeterDirection::Consumption => Self::Consumption,
            MeterDirection::Production => Self::Production,
        }
    }
}

/// How a file is to be read.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HowRead {
    /// The plugin that reads it; the only one for meter values without it.
    pub plugin: Option<String>,
    /// The file's name: some forms have the metering point in it.
    pub name: Option<String>,
}

/// A span of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpanDoc {
    /// Start.
    pub from: String,
    /// End.
    pub until: String,
}

/// What came of one metering point.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesDoc {
    /// Its number.
    pub point: String,
    /// Which way.
    pub direction: WayDoc,
    /// From the first value on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// To the end of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Intervals that had no value before.
    pub new: usize,
    /// Intervals whose value took the place of another one, which is kept as history.
    pub replaced: usize,
    /// Intervals that stood there already.
    pub same: usize,
    /// Where no value is known between them; 100 at the most.
    pub gaps: Vec<SpanDoc>,
}

/// What came of a file or an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeptDoc {
    /// What its values are kept under; none when it said nothing new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// One for each metering point and direction.
    pub series: Vec<SeriesDoc>,
    /// Cost prices that ask for these values.
    pub cost_prices: Vec<CostPriceDoc>,
}

/// The bytes of a file.
#[derive(Debug)]
pub(super) struct Upload(Bytes, Option<String>);

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes, kind)),
            Err(_) => Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the file is too large, or did not come whole",
            )
            .help(format!("{} MiB at the most; split it by time", MOST_BYTES >> 20))),
        }
    }
}

impl From<MeterError> for Problem {
    fn from(error: MeterError) -> Self {
        let text = error.to_string();
        match error {
            MeterError::NoPlugin(_) => Self::new(StatusCode::CONFLICT, text),
            MeterError::Wrong(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, text),
            MeterError::Plugin { failed, .. } => match failed.outcome() {
                Outcome::Refused => Self::new(StatusCode::UNPROCESSABLE_ENTITY, text),
                Outcome::NotDone | Outcome::Unknown => Self::new(StatusCode::BAD_GATEWAY, text),
            },
            MeterError::Store(error) => error.into(),
        }
    }
}

impl Api {
    pub(super) fn meters(&self, org: &OrgId) -> Result<Meters, Problem> {
        let none = || Problem::new(StatusCode::NOT_FOUND, "this organisation has no set-up here");
        self.house.meters(org).ok_or_else(none)
    }

    fn kept(&self, kept: Kept) -> KeptDoc {
        let Kept { receipt, series, costs } = kept;
        let series = series.into_iter().map(|one| {
            let SeriesKept { point, direction, span, new, replaced, same, gaps } = one;
            let time = |at| words::time(None, at);
            SeriesDoc {
                point,
                direction: WayDoc::of(direction),
                from: span.map(|span| time(span.0)),
                until: span.map(|span| time(span.1)),
                new,
                replaced,
                same,
                gaps: gaps
                    .into_iter()
                    .take(MOST_GAPS)
                    .map(|(from, until)| SpanDoc { from: time(from), until: time(until) })
                    .collect(),
            }
        });
        let cost_prices = costs.into_iter().map(|(site, month, state)| cost_price(&site, &month, state));
        KeptDoc { receipt, series: series.collect(), cost_prices: cost_prices.collect() }
    }
}

/// Takes in a file with values of metering points, in any form that the plugin reads. The body is the file as it is. All of it is kept, or nothing.
#[utoipa::path(post, path = "/api/v1/meter-values", tag = "meters", params(HowRead),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = KeptDoc), (status = 422, body = Problem, description = "it cannot be read, or says what cannot be; the line is named"),
        (status = "4XX", body = Problem), (status = 502, body = Problem, description = "the plugin failed")))]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Params(how): Params<HowRead>,
    Upload(body, kind): Upload,
) -> Result<Json<KeptDoc>, Problem> {
    caller.wants(Wish::Decide)?;
    let file = File {
        name: how.name.unwrap_or_else(|| "upload".to_owned()),
        media_type: kind.unwrap_or_else(|| "application/octet-stream".to_owned()),
        body: body.to_vec(),
    };
    let by = By { who: caller.who.clone(), now: now() };
    let kept = api.meters(&caller.org)?.read(how.plugin.as_deref(), file, &by).await?;
    Ok(Json(api.kept(kept)))
}

/// Values that are to be asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToFetch {
    /// The plugin that is asked; the only one for meter values without it.
    pub plugin: Option<String>,
    /// The metering point's number.
    pub point: String,
    /// Which way.
    #[serde(default)]
    pub direction: WayDoc,
    /// From this time on (RFC 3339).
    pub from: String,
    /// Before this time.
    pub until: String,
}

/// Has a plugin ask the other system for values, and keeps them. A plugin that only knows files says so.
#[utoipa::path(post, path = "/api/v1/meter-values/fetch", tag = "meters", request_body = ToFetch,
    responses((status = 200, body = KeptDoc), (status = 422, body = Problem, description = "the plugin does not do that, or refuses"),
        (status = "4XX", body = Problem), (status = 502, body = Problem, description = "the plugin or the other system failed")))]
pub(super) async fn fetch(
    State(api): State<Api>,
    caller: Caller,
    Body(wanted): Body<ToFetch>,
) -> Result<Json<KeptDoc>, Problem> {
    caller.wants(Wish::Decide)?;
    let (from, until) = span(Some(&wanted.from), Some(&wanted.until))?;
    let direction = match wanted.direction {
        WayDoc::Consumption => Direction::Consumption,
        WayDoc::Production => Direction::Production,
    };
    let span = Span { point: wanted.point, direction, from: from.0, until: until.0 };
    let by = By { who: caller.who.clone(), now: now() };
    let kept = api.meters(&caller.org)?.fetch(wanted.plugin.as_deref(), span, &by).await?;
    Ok(Json(api.kept(kept)))
}

pub(super) fn span(from: Option<&String>, until: Option<&String>) -> Result<(Instant, Instant), Problem> {
    let time = |text: Option<&String>, other: i64| match text {
        Some(text) => words::read_time(text).map_err(Problem::bad),
        None => Ok(Instant(other)),
    };
    let until = time(until, now().0)?;
    let from = time(from, until.0.saturating_sub(31 * DAY_MS))?;
    if until <= from {
        return Err(Problem::bad("`until` comes after `from`"));
    }
    Ok((from, until))
}

/// What is known of a metering point.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointDoc {
    /// Its number.
    pub point: String,
    /// Which way.
    pub direction: WayDoc,
    /// Sites whose electricity comes through it.
    pub sites: Vec<String>,
    /// The first instant with a value.
    pub from: String,
    /// The end of the last value.
    pub until: String,
    /// Values that count.
    pub values: i64,
}

/// The metering points there are values of.
#[utoipa::path(get, path = "/api/v1/meter-points", tag = "meters",
    responses((status = 200, body = Vec<PointDoc>), (status = "4XX", body = Problem)))]
pub(super) async fn points(State(api): State<Api>, caller: Caller) -> Result<Json<Vec<PointDoc>>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let plants = api.meters(&caller.org)?.house.plants();
    let rows = api.store.read().await?.meter_points(&caller.org).await?;
    let document = |row: crate::store::MeterPoint| PointDoc {
        sites: plants
            .iter()
            .filter(|(_, plant)| plant.points.contains(&row.point))
            .map(|(site, _)| site.clone())
            .collect(),
        direction: WayDoc::of(row.direction),
        from: words::time(None, row.from),
        until: words::time(None, row.until),
        values: row.values,
        point: row.point,
    };
    Ok(Json(rows.into_iter().map(document).collect()))
}

/// Which values.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichValues {
    /// `consumption` or `production`; consumption without it.
    pub direction: Option<WayDoc>,
    /// From this time on (RFC 3339); a month before `until` without it.
    pub from: Option<String>,
    /// Before this time; now without it.
    pub until: Option<String>,
    /// Also values that do not count any more.
    pub history: Option<bool>,
    /// Values in the answer, up to 5000.
    pub limit: Option<i64>,
    /// What the header `Takst-Next` of the last answer says.
    pub after: Option<String>,
}

/// The energy of an interval.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValueDoc {
    /// Start.
    pub from: String,
    /// End.
    pub until: String,
    /// A plain decimal.
    pub kwh: String,
    /// `measured` or `estimated`.
    pub quality: String,
    /// What brought it.
    pub receipt: String,
    /// What replaced it; then it does not count any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
}

/// The values of a metering point. Where nothing is known there is no value.
#[utoipa::path(get, path = "/api/v1/meter-points/{point}/values", tag = "meters", params(("point" = String, Path), WhichValues),
    responses((status = 200, body = Vec<ValueDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn values(
    State(api): State<Api>,
    caller: Caller,
    Named(point): Named<String>,
    Params(wanted): Params<WhichValues>,
) -> Result<Listed<ValueDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let span = span(wanted.from.as_ref(), wanted.until.as_ref())?;
    let of = (point.as_str(), wanted.direction.unwrap_or_default().stored());
    let mut reader = api.store.read().await?;
    let rows = reader.meter_values(&caller.org, of, span, wanted.history.unwrap_or_default()).await?;
    let document = |row: MeterValue| ValueDoc {
        from: words::time(None, row.from_at),
        until: words::time(None, row.until_at),
        kwh: row.kwh,
        quality: match row.quality {
            MeterQuality::Measured => "measured".to_owned(),
            MeterQuality::Estimated => "estimated".to_owned(),
        },
        receipt: row.receipt,
        replaced_by: row.replaced_by,
    };
    let limit = Limit::of(wanted.limit, 1_000, 5_000)?;
    let key = |row: &MeterValue| format!("{}~{}", words::time(None, row.from_at), row.receipt);
    Ok(limit.piece(rows, wanted.after.as_deref(), key)?.map(document))
}

/// A file or an answer that brought values.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceiptDoc {
    /// Its id, as it stands with its values.
    pub id: String,
    /// When it arrived.
    pub received_at: String,
    /// Who brought it.
    pub received_by: String,
    /// The plugin that read it, and its version.
    pub plugin: String,
    /// The plugin's version.
    pub version: String,
    /// The file's name, or `fetch`.
    pub source: String,
}

/// The last 1,000 files and answers that brought values, newest first.
#[utoipa::path(get, path = "/api/v1/meter-values", tag = "meters",
    responses((status = 200, body = Vec<ReceiptDoc>), (status = "4XX", body = Problem)))]
pub(super) async fn receipts(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<Vec<ReceiptDoc>>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let rows = api.store.read().await?.meter_receipts(&caller.org, 1_000).await?;
    let document = |row: crate::store::MeterReceipt| ReceiptDoc {
        id: row.id,
        received_at: words::time(None, row.received_at),
        received_by: row.received_by,
        plugin: row.plugin,
        version: row.version,
        source: row.source,
    };
    Ok(Json(rows.into_iter().map(document).collect()))
}

/// Which values go into a file, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HowWritten {
    /// The plugin that writes it; the only one for meter values without it.
    pub plugin: Option<String>,
    /// A form that the plugin writes, as in `min-side`.
    pub form: String,
    /// `consumption` or `production`; consumption without it.
    pub direction: Option<WayDoc>,
    /// From this time on (RFC 3339); a month before `until` without it.
    pub from: Option<String>,
    /// Before this time; now without it.
    pub until: Option<String>,
}

/// The values of a metering point that count, as a file in a form of the plugin.
#[utoipa::path(get, path = "/api/v1/meter-points/{point}/file", tag = "meters", params(("point" = String, Path), HowWritten),
    responses((status = 200, body = String, content_type = "application/octet-stream", description = "the file"),
        (status = 422, body = Problem, description = "there are no values, or the plugin does not write them so"), (status = "4XX", body = Problem)))]
pub(super) async fn file(
    State(api): State<Api>,
    caller: Caller,
    Named(point): Named<String>,
    Params(how): Params<HowWritten>,
) -> Result<Response, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let span = span(how.from.as_ref(), how.until.as_ref())?;
    let of = (point.as_str(), how.direction.unwrap_or_default().stored());
    let meters = api.meters(&caller.org)?;
    Ok(download(meters.write(how.plugin.as_deref(), &how.form, of, span).await?))
}

// A plugin's words in a header: only what belongs there.
pub(super) fn download(file: File) -> Response {
    let plain = |text: &str| -> String {
        text.chars().filter(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter)).collect()
    };
    let mut headers = HeaderMap::new();
    let disposition = format!("attachment; filename=\"{}\"", plain(&file.name));
    if let Ok(value) = disposition.parse() {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    // Never a page: whatever it says of itself, it is a file to be kept.
    let kind = match file.media_type.as_str() {
        kind @ ("text/csv" | "application/json" | "application/xml" | "text/xml") => kind.to_owned(),
        _ => "application/octet-stream".to_owned(),
    };
    if let Ok(value) = kind.parse() {
        headers.insert(CONTENT_TYPE, value);
    }
    (StatusCode::OK, headers, file.body).into_response()
}
