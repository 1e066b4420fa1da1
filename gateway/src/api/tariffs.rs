//! Tariff files: the versions that are known, and texts that are sent in.

use super::access::Wish;
use super::setup::{Changed, Tagged, make};
use super::{Api, Caller, Problem};
use crate::clock::now;
use crate::setup::{Bundle, Edit};
use crate::store::TariffVersion;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Serialize;
use std::collections::HashMap;
use takst_engine::calendar_time::utc_text;
use takst_engine::units::Instant;
use utoipa::ToSchema;

/// A version of a tariff file.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionDoc {
    /// The file, seen from the folder of the set-up.
    pub file: String,
    /// SHA-256 of the compiled tariff; bills name it.
    pub version: String,
    /// From when it counts where the file is assigned; none: from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_force_from: Option<String>,
    /// Whether it is the one of its file that counts now.
    pub counts_now: bool,
    /// When it was taken in.
    pub added: String,
    /// Who put it there: a key, or `files`.
    pub added_by: String,
}

/// A version of a tariff file with its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct TariffText {
    /// Which one.
    #[serde(flatten)]
    pub version: VersionDoc,
    /// Its text.
    pub text: String,
    /// The lists that it is based on, the nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub based_on: Vec<ListText>,
}

/// A list that another one is based on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListText {
    /// The file, seen from the one that is based on it.
    pub file: String,
    /// Its text.
    pub text: String,
}

// The versions as they go out, each with its row.
fn documents(rows: Vec<TariffVersion>, now: Instant) -> Vec<(VersionDoc, TariffVersion)> {
    // As `Catalogue::at`: of those in force the one that was taken in last.
    let mut current: HashMap<String, (Instant, Instant, String)> = HashMap::new();
    for row in rows.iter().filter(|row| row.in_force_from <= now) {
        let this = (row.added_at, row.in_force_from, row.version.clone());
        let known = current.entry(row.name.clone()).or_insert_with(|| this.clone());
        if *known < this {
            *known = this;
        }
    }
    let document = |row: TariffVersion| {
        let this = (row.added_at, row.in_force_from, row.version.clone());
        let from = (row.in_force_from > crate::setup::BEGINNING).then(|| utc_text(row.in_force_from));
        let document = VersionDoc {
            file: row.name.clone(),
            version: row.version.clone(),
            in_force_from: from,
            counts_now: current.get(&row.name) == Some(&this),
            added: utc_text(row.added_at),
            added_by: row.added_by.clone(),
        };
        (document, row)
    };
    rows.into_iter().map(document).collect()
}

/// All versions of all tariff files that were ever assigned, by file and time.
#[utoipa::path(get, path = "/api/v1/tariffs", tag = "tariffs",
    responses((status = 200, body = Vec<VersionDoc>), (status = "4XX", body = Problem)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Vec<VersionDoc>>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let rows = api.store.read().await?.tariffs(&caller.org).await?;
    Ok(Json(documents(rows, now()).into_iter().map(|(document, _)| document).collect()))
}

/// One version with its texts. By the name of a file: the version that counts now.
#[utoipa::path(get, path = "/api/v1/tariffs/{name}", tag = "tariffs",
    params(("name" = String, Path, description = "A version (`sha256:...`), or a tariff file")),
    responses((status = 200, body = TariffText), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<TariffText>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let rows = api.store.read().await?.tariffs(&caller.org).await?;
    let wanted =
        |document: &VersionDoc| document.version == name || document.file == name && document.counts_now;
    let found = documents(rows, now()).into_iter().rev().find(|(document, _)| wanted(document));
    let (version, row) = found.ok_or_else(|| {
        Problem::missing("tariff", &name).help("GET /api/v1/tariffs lists what was ever assigned")
    })?;
    let bundle = Bundle::from_json(&row.bundle).map_err(crate::store::Error::Corrupt)?;
    let list = |list: crate::setup::BasedOn| ListText { file: list.file, text: list.text };
    Ok(Json(TariffText {
        version,
        text: bundle.text,
        based_on: bundle.based_on.into_iter().map(list).collect(),
    }))
}

/// Puts a tariff file into the folder of the set-up, new or not. It is checked; where it is assigned already its new text counts at
/// once, or from when the list or its assignment says.
#[utoipa::path(put, path = "/api/v1/tariffs/{name}", tag = "tariffs",
    params(("name" = String, Path, description = "The file, seen from the folder of the set-up: `home.tariff`, `tariffs/home.tariff`"),
        ("If-Match" = Option<String>, Header)),
    request_body(content = String, content_type = "text/plain", description = "The tariff"),
    responses((status = 200, body = Changed), (status = 201, body = Changed), (status = 409, body = Problem),
        (status = 412, body = Problem),
        (status = 422, body = Problem, description = "the tariff has errors: see `problems`"), (status = "4XX", body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Tagged<Changed> {
    caller.wants(Wish::Decide)?;
    make(&api, &caller, &headers, Edit::List(name, body)).await
}
