//! Why a request was not answered as wished, as `application/problem+json` (RFC 9457).

use crate::setup::Problems;
use crate::store::Error;
use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use takst_dsl::diagnostic::Severity;
use utoipa::ToSchema;

/// What is wrong, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What is wrong.
    pub title: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Seconds after which the same may go well.
    #[serde(skip)]
    #[schema(ignore)]
    pub retry_after: Option<u64>,
    /// Of a set-up or a tariff: all that is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Finding>,
    /// What `ETag` would be now.
    #[serde(skip)]
    pub tag: Option<String>,
}

/// One thing that is wrong or odd.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Finding {
    /// As in the manuals: `S030`, ...
    pub code: String,
    /// `error` or `warning`.
    pub severity: String,
    /// What is wrong.
    pub message: String,
    /// The file of the set-up, seen from its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Finding {
    /// All that is wrong with a set-up that stands in `folder`, errors first.
    #[must_use]
    pub fn all(problems: &Problems, folder: Option<&Path>) -> Vec<Self> {
        let folder = folder.map(crate::setup::plain);
        let seen = |file: &str| {
            let inside = folder.as_ref().and_then(|folder| Path::new(file).strip_prefix(folder).ok());
            inside.map_or_else(|| file.to_owned(), |inside| inside.display().to_string())
        };
        let finding = |found: &takst_dsl::diagnostic::Diagnostic| {
            let place = problems.place(found);
            Self {
                code: found.code.to_owned(),
                severity: match found.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                    Severity::Advice => "advice",
                }
                .to_owned(),
                message: found.message.clone(),
                file: place.map(|(file, ..)| seen(file)),
                line: place.map(|(_, line, _)| line),
                column: place.map(|(.., column)| column),
                help: found.help.clone(),
            }
        };
        let (errors, warnings): (Vec<_>, Vec<_>) =
            problems.diagnostics.iter().partition(|found| found.severity == Severity::Error);
        errors.into_iter().chain(warnings).map(finding).collect()
    }
}

impl Problem {
    /// A problem with a status of HTTP.
    pub fn new(status: StatusCode, title: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            title: title.into(),
            detail: None,
            retry_after: None,
            problems: Vec::new(),
            tag: None,
        }
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Goes well after so many seconds.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// With all that is wrong.
    #[must_use]
    pub fn because(mut self, problems: Vec<Finding>) -> Self {
        self.problems = problems;
        self
    }

    /// 404.
    pub fn missing(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what} `{id}`"))
    }

    /// 400.
    pub fn bad(title: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, title)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Missing { .. } => Self::new(StatusCode::NOT_FOUND, text),
            Error::Refused(_) | Error::Conflict(_) => Self::new(StatusCode::CONFLICT, text),
            Error::Closed | Error::Unavailable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, text).help("try again in a moment")
            }
            Error::Corrupt(_) | Error::Database(_) => {
                // What the database says is for the log, not for whoever asks.
                tracing::error!(error = text, "a request failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the gateway could not read its data")
                    .help("see the gateway's log")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (wait, tag) = (self.retry_after, self.tag.clone());
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self)).into_response();
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&format!("\"{tag}\"")).ok()) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        if let Some(wait) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, wait.into());
        }
        response
    }
}

/// A body of JSON; one that cannot be read is a problem in the API's own form.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
            Err(rejection) => Err(Problem::new(rejection.status(), in_words(&rejection.body_text()))
                .help("the body is a JSON document, sent with `Content-Type: application/json`; its fields stand in /api/openapi.json")),
        }
    }
}

/// Parameters of the address; those that cannot be read are a problem in the API's own form.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(rejection.status(), in_words(&rejection.body_text()))
                .help("the parameters stand in /api/openapi.json")),
        }
    }
}

/// A body of text; one that cannot be read is a problem in the API's own form.
#[derive(Debug)]
pub struct Text(pub String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match String::from_request(request, state).await {
            Ok(text) => Ok(Self(text)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
            Err(rejection) => Err(Problem::new(rejection.status(), "the body is no text in UTF-8")),
        }
    }
}

/// The names in an address; those that cannot be read are a problem in the API's own form.
#[derive(Debug)]
pub struct Named<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(names)) => Ok(Self(names)),
            Err(_) => Err(Problem::bad(format!("the address `{}` cannot be read", parts.uri.path()))
                .help("names in it are UTF-8, percent-encoded: `/` is %2F, `%` is %25")),
        }
    }
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than anything that belongs here")
        .help("2 MB at the most; a tariff has a limit of its own")
}

// What a reader of JSON and parameters says, for people who know nothing of it.
fn in_words(text: &str) -> String {
    const HEADS: [&str; 3] = [
        "Failed to deserialize query string: ",
        "Failed to deserialize the JSON body into the target type: ",
        "Failed to parse the request body as JSON: ",
    ];
    let text = HEADS.iter().find_map(|head| text.strip_prefix(head)).unwrap_or(text);
    let text = text
        .replace("invalid digit found in string", "this is no whole number")
        .replace("provided string was not `true` or `false`", "this is neither `true` nor `false`")
        .replace("invalid type: ", "this is not what belongs here: ");
    match text.strip_prefix("Expected request with") {
        Some(rest) => format!("this wants a request with{rest}"),
        None => text,
    }
}

/// For addresses that are not there.
pub(super) async fn no_such_address(uri: axum::http::Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no address `{}`", uri.path()))
        .help("all addresses stand in /api/openapi.json")
}

/// For addresses that are there, but not for this method. `Allow` names those that they are for.
pub(super) async fn no_such_method(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("`{}` cannot be asked with {method}", uri.path()))
        .help("the header `Allow` says what it can be asked with; all addresses stand in /api/openapi.json")
}
