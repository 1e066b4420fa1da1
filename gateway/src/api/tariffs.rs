//! Tariff files: the versions that are known, and texts that are sent in.

use super::access::Wish;
use super::paging::{Limit, Listed, Page};
use super::setup::{Changed, Tagged, make};
use super::{Api, Caller, Named, Params, Problem, Text};
use crate::clock::now;
use crate::setup::{Bundle, Edit};
use crate::store::TariffVersion;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
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
    /// SHA-256 of the compiled tariff; bills name it. None: the file is assigned nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// From when it counts where the file is assigned; none: from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_force_from: Option<String>,
    /// Whether it is the one of its file that counts now.
    pub counts_now: bool,
    /// When it was taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<String>,
    /// Who put it there: a key, or `files`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added_by: Option<String>,
}

impl VersionDoc {
    // A file that is assigned nowhere.
    fn loose(file: String) -> Self {
        Self { file, version: None, in_force_from: None, counts_now: false, added: None, added_by: None }
    }
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
fn documents(
    rows: Vec<TariffVersion>,
    now: Instant,
    is_over: impl Fn(&str) -> bool,
) -> Vec<(VersionDoc, TariffVersion)> {
    // As `Catalogue::at`: of those that have begun the one that was taken in last, unless its list is over.
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
            version: Some(row.version.clone()),
            in_force_from: from,
            counts_now: current.get(&row.name) == Some(&this) && !is_over(&row.version),
            added: Some(utc_text(row.added_at)),
            added_by: Some(row.added_by.clone()),
        };
        (document, row)
    };
    rows.into_iter().map(document).collect()
}

/// All versions of all tariff files that were ever assigned, by file and time; then the files that are assigned nowhere.
#[utoipa::path(get, path = "/api/v1/tariffs", tag = "tariffs", params(Page),
    responses((status = 200, body = Vec<VersionDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Result<Listed<VersionDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let rows = api.store.read().await?.tariffs(&caller.org).await?;
    let now = now();
    let is_over = |version: &str| api.house.is_over(&caller.org, version, now);
    let mut rows: Vec<VersionDoc> =
        documents(rows, now, is_over).into_iter().map(|(document, _)| document).collect();
    let mut loose = api.house.tariff_files(&caller.org);
    loose.retain(|file| rows.iter().all(|row| row.file != *file));
    rows.extend(loose.into_iter().map(VersionDoc::loose));
    let limit = Limit::of(page.limit, 200, 1_000)?;
    limit.piece(rows, page.after.as_deref(), |row| {
        let times = [row.version.as_ref(), row.added.as_ref(), row.in_force_from.as_ref()];
        let name: String =
            percent_encoding::utf8_percent_encode(&row.file, percent_encoding::NON_ALPHANUMERIC).collect();
        times.into_iter().flatten().fold(name, |id, time| id + "~" + time)
    })
}

/// One version with its texts. By the name of a file: the version that counts now.
#[utoipa::path(get, path = "/api/v1/tariffs/{name}", tag = "tariffs",
    params(("name" = String, Path, description = "A version (`sha256:...`), or a tariff file")),
    responses((status = 200, body = TariffText), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Json<TariffText>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let rows = api.store.read().await?.tariffs(&caller.org).await?;
    let wanted = |document: &VersionDoc| {
        document.version.as_ref() == Some(&name) || document.file == name && document.counts_now
    };
    let now = now();
    let is_over = |version: &str| api.house.is_over(&caller.org, version, now);
    let found = documents(rows, now, is_over).into_iter().rev().find(|(document, _)| wanted(document));
    let Some((version, row)) = found else {
        let missing = || Problem::missing("tariff", &name).help("GET /api/v1/tariffs lists what there is");
        let text = if name.ends_with(".tariff") { api.house.tariff_file(&caller.org, &name)? } else { None };
        let (version, text) = (VersionDoc::loose(name.clone()), text.ok_or_else(missing)?);
        return Ok(Json(TariffText { version, text, based_on: Vec::new() }));
    };
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
    Named(name): Named<String>,
    headers: HeaderMap,
    Text(body): Text,
) -> Tagged<Changed> {
    caller.wants(Wish::Decide)?;
    make(&api, &caller, &headers, Edit::List(name, body)).await
}

/// Takes a tariff file away that nothing uses. Versions that were in force stay known, for bills are made of them.
#[utoipa::path(delete, path = "/api/v1/tariffs/{name}", tag = "tariffs",
    params(("name" = String, Path, description = "The file, seen from the folder of the set-up")),
    responses((status = 204), (status = 409, body = Problem, description = "something uses it"), (status = "4XX", body = Problem)))]
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    match api.house.remove_tariff(&caller.org, &name, &caller.who).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::missing("tariff file", &name).help("GET /api/v1/tariffs lists what there is")),
    }
}
