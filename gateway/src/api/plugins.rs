//! The plugins that are set up: what they are, and how they stand.

use super::access::Wish;
use super::{Api, Caller, Problem};
use crate::plugins::Standing;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// A plugin that is set up.
#[derive(Debug, Serialize, ToSchema)]
pub struct SetUpPluginDoc {
    /// Its name here.
    pub id: String,
    /// Which plugin it is.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The version of the interface that it was written for.
    pub interface: String,
    /// For people.
    pub description: String,
    /// `price-source`, `payment-provider`, ...
    pub capabilities: Vec<String>,
    /// `ready`; `failing`: its last call failed; `broken`: it cannot be loaded.
    pub state: String,
    /// Whether it is one of those in the program.
    pub shipped: bool,
    /// Calls since its settings were last changed.
    pub calls: u64,
    /// Of them, those that it answered with an error.
    pub errors: u64,
    /// Of them, those that were stopped.
    pub stopped: u64,
    /// The last thing that went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<PluginErrorDoc>,
    /// What its last call used of its limits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<PluginUsageDoc>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct PluginErrorDoc {
    /// When (RFC 3339).
    pub at: String,
    /// A short word that stays the same.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// How much of a limit was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct PluginUsageDoc {
    /// `memory`, `fuel`, `cpu`, `wall`, `input`, `output`, `requests`, `answers`, `log`, `kv`, `writes`.
    pub limit: String,
    /// For people.
    pub used: String,
    /// For people.
    pub allowed: String,
    /// The share in percent.
    pub percent: u64,
}

/// All plugins in order of their names.
#[utoipa::path(get, path = "/api/v1/plugins", tag = "plugins",
    responses((status = 200, body = Vec<SetUpPluginDoc>), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<Vec<SetUpPluginDoc>>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let document = |standing: Standing| {
        let Standing { file, state, trouble, metrics, used } = standing;
        SetUpPluginDoc {
            id: file.name.clone(),
            plugin: file.manifest.id.clone(),
            version: file.manifest.version.to_string(),
            interface: file.manifest.interface.to_string(),
            description: file.manifest.description.clone(),
            capabilities: file.manifest.capabilities.iter().map(ToString::to_string).collect(),
            state: state.as_str().to_owned(),
            shipped: file.is_shipped(),
            calls: metrics.calls,
            errors: metrics.errors,
            stopped: metrics.stopped,
            last_error: trouble.map(|trouble| PluginErrorDoc {
                at: api.text(&caller.org, None, trouble.at),
                code: trouble.code,
                detail: trouble.detail,
            }),
            usage: (used.into_iter())
                .map(|used| PluginUsageDoc {
                    limit: used.limit.to_owned(),
                    used: used.used,
                    allowed: used.allowed,
                    percent: used.percent,
                })
                .collect(),
        }
    };
    Ok(Json(api.house.plugins(&caller.org).into_iter().map(document).collect()))
}
