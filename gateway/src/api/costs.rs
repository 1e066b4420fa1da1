//! What the electricity of a site cost in a month, and the cost price that follows.

use super::access::Wish;
use super::{Api, Body, Caller, Named, Problem, words};
use crate::clock::now;
use crate::meters::{By, CostState, Said};
use crate::store::PlantCost;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use takst_engine::month::{Cost, YearMonth};
use utoipa::ToSchema;

/// How it stands with the cost price of a site in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostPriceDoc {
    /// The site.
    pub site: String,
    /// As in `2026-10`.
    pub month: String,
    /// `known` or `waiting`.
    pub state: String,
    /// What is missing, where it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// A kWh without VAT: for tariffs whose prices exclude it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net: Option<String>,
    /// A kWh with the VAT of the costs: for tariffs whose prices include it, and for those without VAT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_vat: Option<String>,
    /// What the meters saw from the grid, kWh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_kwh: Option<String>,
    /// Bills that waited for it and are made now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub woken: Option<usize>,
}

pub(super) fn cost_price(site: &str, month: &str, state: CostState) -> CostPriceDoc {
    let mut document = CostPriceDoc {
        site: site.to_owned(),
        month: month.to_owned(),
        state: "waiting".to_owned(),
        waits_for: None,
        currency: None,
        net: None,
        with_vat: None,
        energy_kwh: None,
        woken: None,
    };
    match state {
        CostState::Waits { why, .. } => document.waits_for = Some(why),
        CostState::Known(known) => {
            "known".clone_into(&mut document.state);
            document.currency = Some(known.currency);
            document.net = Some(known.net);
            document.with_vat = Some(known.with_vat);
            document.energy_kwh = Some(known.energy_kwh);
            document.woken = known.is_news.then_some(known.woken);
        }
    }
    document
}

/// A cost of a site's electricity.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CostDoc {
    /// What for.
    pub label: String,
    /// Without VAT, a plain decimal; below zero what was given back.
    pub net: String,
    /// Percent, a plain decimal.
    pub vat_rate: String,
}

/// What the electricity of a site cost in a month.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CostsWanted {
    /// ISO 4217; the currency of the site's tariffs without it.
    pub currency: Option<String>,
    /// All costs of the month, as on the invoices of the grid company and the supplier.
    pub costs: Vec<CostDoc>,
    /// For the history.
    pub reason: String,
}

/// What somebody said about the costs of a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostsSaidDoc {
    /// 1, 2, ...: the last one counts.
    pub revision: i64,
    /// ISO 4217.
    pub currency: String,
    /// The costs.
    pub costs: Vec<CostDoc>,
    /// When.
    pub entered_at: String,
    /// By whom.
    pub entered_by: String,
    /// Why.
    pub reason: String,
}

/// The costs of a site in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostsDoc {
    /// How it stands with the cost price.
    pub cost_price: CostPriceDoc,
    /// Everything that was said, the first first.
    pub said: Vec<CostsSaidDoc>,
}

fn read_month(text: &str) -> Result<YearMonth, Problem> {
    YearMonth::parse(text).map_err(Problem::bad)
}

/// What the electricity of a site cost in a month, and the cost price that follows.
#[utoipa::path(get, path = "/api/v1/sites/{site}/costs/{month}", tag = "meters", params(("site" = String, Path), ("month" = String, Path, description = "as in `2026-10`")),
    responses((status = 200, body = CostsDoc), (status = "4XX", body = Problem)))]
pub(super) async fn costs(
    State(api): State<Api>,
    caller: Caller,
    Named((site, month)): Named<(String, String)>,
) -> Result<Json<CostsDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let (state, said) = api.meters(&caller.org)?.costs(&site, read_month(&month)?, now()).await?;
    let said = said.into_iter().map(|one: PlantCost| CostsSaidDoc {
        revision: one.revision,
        currency: one.currency,
        costs: serde_json::from_str(&one.document).unwrap_or_default(),
        entered_at: words::time(None, one.entered_at),
        entered_by: one.entered_by,
        reason: one.reason,
    });
    Ok(Json(CostsDoc { cost_price: cost_price(&site, &month, state), said: said.collect() }))
}

/// Enters what the electricity of a site cost in a month, in place of what was said before, which stays as history. With the values of all its
/// metering points the month has its cost price then, and bills that waited for it are made.
#[utoipa::path(put, path = "/api/v1/sites/{site}/costs/{month}", tag = "meters", params(("site" = String, Path), ("month" = String, Path, description = "as in `2026-10`")),
    request_body = CostsWanted, responses((status = 200, body = CostPriceDoc), (status = "4XX", body = Problem)))]
pub(super) async fn set_costs(
    State(api): State<Api>,
    caller: Caller,
    Named((site, month)): Named<(String, String)>,
    Body(wanted): Body<CostsWanted>,
) -> Result<Json<CostPriceDoc>, Problem> {
    caller.wants(Wish::Decide)?;
    words::reason(&wanted.reason).map_err(Problem::bad)?;
    let parsed = read_month(&month)?;
    let decimal = |label: &str, text: &str| {
        takst_engine::input::decimal(text).map_err(|why| Problem::bad(format!("`{label}`: {why}")))
    };
    let cost = |cost: CostDoc| {
        Ok(Cost {
            net: decimal(&cost.label, &cost.net)?,
            vat_rate: decimal(&cost.label, &cost.vat_rate)?,
            label: cost.label,
        })
    };
    let costs = wanted.costs.into_iter().map(cost).collect::<Result<Vec<_>, Problem>>()?;
    let said = Said { currency: wanted.currency, costs, reason: wanted.reason };
    let by = By { who: caller.who.clone(), now: now() };
    let state = api.meters(&caller.org)?.set_costs(&site, parsed, said, &by).await?;
    Ok(Json(cost_price(&site, &month, state)))
}
