//! The energy that cars took at a site, by the hour or quarter-hour.

use super::access::Wish;
use super::meters::{download, span};
use super::{Api, Caller, Named, Params, Problem, words};
use crate::clock::now;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use takst_engine::units::{Instant, MINUTE_MS};
use utoipa::{IntoParams, ToSchema};

/// Which hours of charging, and how.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HowCharged {
    /// From this time on (RFC 3339), on the edge of an hour; a month before `until` without it.
    pub from: Option<String>,
    /// Before this time; now without it.
    pub until: Option<String>,
    /// 60 or 15; 60 without it.
    pub minutes: Option<i64>,
    /// A form that the plugin writes, as in `min-side`; JSON of our own without it.
    pub form: Option<String>,
    /// The plugin that writes it; the only one for meter values without it.
    pub plugin: Option<String>,
    /// The number under which the values are written; the site's own metering point without it.
    pub point: Option<String>,
}

/// The energy of a step of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepDoc {
    /// Start.
    pub from: String,
    /// End.
    pub until: String,
    /// A plain decimal.
    pub kwh: String,
}

/// What cars took at a site.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChargingDoc {
    /// The site.
    pub site: String,
    /// Steps without a gap; 0 where no car charged.
    pub values: Vec<StepDoc>,
    /// Sessions that have told no end yet: their steps can still grow.
    pub open_sessions: usize,
    /// Sessions that are not in it because their data is damaged.
    pub left_out: Vec<String>,
}

/// The energy that cars took at a site by hour or quarter-hour, as JSON or as a file in a form of the plugin. The steps of a session add up
/// to what its bill counts.
#[utoipa::path(get, path = "/api/v1/sites/{site}/charging-values", tag = "meters", params(("site" = String, Path), HowCharged),
    responses((status = 200, body = ChargingDoc, description = "or the file, with `form`"), (status = "4XX", body = Problem)))]
pub(super) async fn charging(
    State(api): State<Api>,
    caller: Caller,
    Named(site): Named<String>,
    Params(how): Params<HowCharged>,
) -> Result<Response, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let meters = api.meters(&caller.org)?;
    let plant = meters.house.plants().remove(&site).ok_or_else(|| Problem::missing("site", &site))?;
    let step_ms = match how.minutes.unwrap_or(60) {
        minutes @ (15 | 60) => minutes * MINUTE_MS,
        other => return Err(Problem::bad(format!("`minutes` is 15 or 60, not {other}"))),
    };
    let step = |at: Instant| Instant(at.0.div_euclid(step_ms) * step_ms);
    let (mut from, mut until) = span(how.from.as_ref(), how.until.as_ref())?;
    if how.until.is_none() {
        until = step(until);
    }
    if how.from.is_none() {
        from = step(from);
    }
    let found = meters.charging(&site, (from, until), step_ms, now()).await?;
    let Some(form) = &how.form else {
        let time = |at| words::time(Some(plant.zone), at);
        let values =
            found.steps().map(|(from, until, kwh)| StepDoc { from: time(from), until: time(until), kwh });
        let document = ChargingDoc {
            site,
            values: values.collect(),
            open_sessions: found.open,
            left_out: found.left_out.iter().map(|(session, why)| format!("{session}: {why}")).collect(),
        };
        return Ok(Json(document).into_response());
    };
    if let Some((session, why)) = found.left_out.first() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("session {session} cannot be counted: {why}"),
        ));
    }
    let point = match (how.point, plant.points.as_slice()) {
        (Some(point), _) => point,
        (None, [point]) => point.clone(),
        (None, []) => return Err(Problem::bad("the site has no metering point; say which `point` to write")),
        (None, several) => {
            return Err(Problem::bad(format!("say which `point` to write: {}", several.join(", "))));
        }
    };
    Ok(download(meters.write_charging(how.plugin.as_deref(), form, &point, &found).await?))
}
