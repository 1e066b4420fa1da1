//! The set-up: what it says, and changes of one thing at a time. `gateway/SETUP.md` is the manual of sections and keys.

use super::access::Wish;
use super::problem::Finding;
use super::{Api, Caller, Named, Problem, Text};
use crate::setup::{Edit, Thing};
use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A change of the set-up that somebody asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// What is to change.
    pub edit: Edit,
    /// Only if the set-up is still one of these.
    pub only_if: Option<Vec<String>>,
}

/// What came of a change.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Changed {
    /// A line for each thing that is different: `charger OT-5: name added`. Personal data is never in it.
    pub changes: Vec<String>,
    /// Tariff files with a new version.
    pub tariffs: Vec<String>,
    /// What is odd about the set-up now and was not before.
    pub warnings: Vec<Finding>,
    /// Whether the thing is new.
    #[serde(skip)]
    pub is_new: bool,
    /// The set-up as it is now.
    #[serde(skip)]
    pub tag: String,
}

/// An answer with its `ETag`.
pub(super) type Tagged<T> = Result<(StatusCode, [(axum::http::HeaderName, String); 1], Json<T>), Problem>;

fn tagged<T>(status: StatusCode, tag: &str, body: T) -> Tagged<T> {
    Ok((status, [(ETAG, format!("\"{tag}\""))], Json(body)))
}

/// The set-up in force, without personal data and without secrets.
#[utoipa::path(get, path = "/api/v1/setup", tag = "set-up",
    responses((status = 200, body = Object, headers(("ETag", description = "changes with the set-up"))),
        (status = "4XX", body = Problem)))]
pub(super) async fn whole(State(api): State<Api>, caller: Caller) -> Tagged<Value> {
    caller.wants(Wish::SeeSessions)?;
    let tag = api.house.setup_tag(&caller.org, "")?;
    tagged(StatusCode::OK, &tag, api.house.setup(&caller.org))
}

// Who drivers are is not for everybody who may see the rest.
fn may_see(caller: &Caller, section: &str) -> Result<(), Problem> {
    caller.wants(if section == "person" { Wish::SeePeople } else { Wish::SeeSessions })
}

/// The things of a section in the order of the files, or the one thing of `organisation`, `settings`, `limits` and `mail`. A password that
/// is a hash shows as `{"kept": "hash"}`; sent back it stays as it is. Assignments of tariffs have a `label` by which they are found.
#[utoipa::path(get, path = "/api/v1/setup/{section}", tag = "set-up",
    params(("section" = String, Path, description = "As in the files: `seller`, `site`, `charger`, `model`, `group`, `plan`, \
        `driver`, `token`, `person`, `tariff`, `feed`, `plugin`, `organisation`, `settings`, `limits`, `mail`")),
    responses((status = 200, body = Vec<Object>, headers(("ETag", description = "changes with the set-up"))),
        (status = "4XX", body = Problem)))]
pub(super) async fn section(
    State(api): State<Api>,
    caller: Caller,
    Named(section): Named<String>,
) -> Tagged<Value> {
    may_see(&caller, &section)?;
    // The tag is read first: a change between the two is then seen as one, and not overwritten.
    let tag = api.house.setup_tag(&caller.org, &section)?;
    tagged(StatusCode::OK, &tag, api.house.setup_section(&caller.org, &section)?)
}

/// One thing of the set-up.
#[utoipa::path(get, path = "/api/v1/setup/{section}/{id}", tag = "set-up",
    params(("section" = String, Path), ("id" = String, Path, description = "The thing's `id`; of a token its `uid`, of a person \
        the `driver`, of a feed name and area (`spot FI`), of a model vendor and model, of a tariff its `id` or `label`")),
    responses((status = 200, body = Object, headers(("ETag", description = "changes with the set-up"))),
        (status = "4XX", body = Problem)))]
pub(super) async fn thing(
    State(api): State<Api>,
    caller: Caller,
    Named((section, id)): Named<(String, String)>,
) -> Tagged<Value> {
    may_see(&caller, &section)?;
    let tag = api.house.setup_tag(&caller.org, &section)?;
    let found = api.house.setup_thing(&caller.org, &Thing { section, id })?;
    tagged(StatusCode::OK, &tag, found)
}

/// Sets a thing, all its keys: one that is there is replaced, and otherwise it is new. The set-up is checked as a whole, written to
/// its files and in force at once; when anything is wrong nothing is different.
#[utoipa::path(put, path = "/api/v1/setup/{section}/{id}", tag = "set-up",
    params(("section" = String, Path), ("id" = String, Path),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of an answer: refused when the set-up is another one by now")),
    request_body = Object,
    responses((status = 200, body = Changed), (status = 201, body = Changed),
        (status = 409, body = Problem, description = "the set-up has no files, or they have errors already"),
        (status = 412, body = Problem, description = "the set-up has been changed by somebody else"),
        (status = 422, body = Problem, description = "the set-up would have errors: see `problems`"),
        (status = "4XX", body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Named((section, id)): Named<(String, String)>,
    headers: HeaderMap,
    Text(body): Text,
) -> Tagged<Changed> {
    let thing = Thing { section, id };
    change(&api, &caller, &headers, |fields| Edit::Replace(thing, fields), Some(&body)).await
}

/// Sets some keys of a thing and leaves the others; one that is `null` is taken out (RFC 7396).
#[utoipa::path(patch, path = "/api/v1/setup/{section}/{id}", tag = "set-up",
    params(("section" = String, Path), ("id" = String, Path), ("If-Match" = Option<String>, Header)), request_body = Object,
    responses((status = 200, body = Changed), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    Named((section, id)): Named<(String, String)>,
    headers: HeaderMap,
    Text(body): Text,
) -> Tagged<Changed> {
    let thing = Thing { section, id };
    change(&api, &caller, &headers, |fields| Edit::Merge(thing, fields), Some(&body)).await
}

/// Takes a thing out. What others refer to stays: they come first.
#[utoipa::path(delete, path = "/api/v1/setup/{section}/{id}", tag = "set-up",
    params(("section" = String, Path), ("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = Changed), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    Named((section, id)): Named<(String, String)>,
    headers: HeaderMap,
) -> Tagged<Changed> {
    let thing = Thing { section, id };
    change(&api, &caller, &headers, |_| Edit::Remove(thing), None).await
}

/// Sets a section that stands once, all its keys: `organisation`, `settings`, `limits`.
#[utoipa::path(put, path = "/api/v1/setup/{section}", tag = "set-up",
    params(("section" = String, Path), ("If-Match" = Option<String>, Header)), request_body = Object,
    responses((status = 200, body = Changed), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub(super) async fn put_single(
    State(api): State<Api>,
    caller: Caller,
    Named(section): Named<String>,
    headers: HeaderMap,
    Text(body): Text,
) -> Tagged<Changed> {
    let thing = Thing { section, id: String::new() };
    change(&api, &caller, &headers, |fields| Edit::Replace(thing, fields), Some(&body)).await
}

/// Sets some keys of a section that stands once; one that is `null` is taken out.
#[utoipa::path(patch, path = "/api/v1/setup/{section}", tag = "set-up",
    params(("section" = String, Path), ("If-Match" = Option<String>, Header)), request_body = Object,
    responses((status = 200, body = Changed), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub(super) async fn patch_single(
    State(api): State<Api>,
    caller: Caller,
    Named(section): Named<String>,
    headers: HeaderMap,
    Text(body): Text,
) -> Tagged<Changed> {
    let thing = Thing { section, id: String::new() };
    change(&api, &caller, &headers, |fields| Edit::Merge(thing, fields), Some(&body)).await
}

async fn change(
    api: &Api,
    caller: &Caller,
    headers: &HeaderMap,
    edit: impl FnOnce(Map<String, Value>) -> Edit,
    body: Option<&str>,
) -> Tagged<Changed> {
    caller.wants(Wish::Decide)?;
    let fields = match body {
        Some(body) => serde_json::from_str(body).map_err(|error| {
            Problem::bad(format!("this is no JSON object: {error}"))
                .help("send the keys of the thing, as in {\"name\": \"Garage\"}")
        })?,
        None => Map::new(),
    };
    make(api, caller, headers, edit(fields)).await
}

pub(super) async fn make(api: &Api, caller: &Caller, headers: &HeaderMap, edit: Edit) -> Tagged<Changed> {
    let wanted = Wanted { edit, only_if: tags(headers)? };
    let changed = api.house.change_setup(&caller.org, wanted, &caller.who).await?;
    let status = if changed.is_new { StatusCode::CREATED } else { StatusCode::OK };
    tagged(status, &changed.tag.clone(), changed)
}

// What `If-Match` names; none: anything.
fn tags(headers: &HeaderMap) -> Result<Option<Vec<String>>, Problem> {
    let mut tags = Vec::new();
    for value in headers.get_all(IF_MATCH) {
        let text = value.to_str().map_err(|_| Problem::bad("`If-Match` is no text"))?;
        tags.extend(text.split(',').map(|tag| tag.trim().trim_matches('"').to_owned()));
    }
    Ok(Some(tags).filter(|tags| !tags.is_empty() && tags.iter().all(|tag| tag != "*")))
}

/// Erases who a driver is: his name, addresses and numbers, from the files and from the database. His key stays, and with it sessions
/// and bills, which the law keeps.
#[utoipa::path(delete, path = "/api/v1/drivers/{id}/personal-data", tag = "set-up", params(("id" = String, Path)),
    responses((status = 204, description = "nothing is known of him any more"), (status = "4XX", body = Problem)))]
pub(super) async fn erase(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    api.house.erase_person(&caller.org, &id, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}
