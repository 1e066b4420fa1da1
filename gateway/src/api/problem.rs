//! Why a request was not answered as wished, as `application/problem+json` (RFC 9457).

use crate::store::Error;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
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
}

impl Problem {
    /// A problem with a status of HTTP.
    pub fn new(status: StatusCode, title: impl Into<String>) -> Self {
        Self { status: status.as_u16(), title: title.into(), detail: None }
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
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
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self)).into_response()
    }
}

/// For addresses that are not there.
pub(super) async fn no_such_address(uri: axum::http::Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no address `{}`", uri.path()))
        .help("all addresses stand in /api/openapi.json")
}
