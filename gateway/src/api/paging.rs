//! One way of reading long lists, for all of them: `limit`, and `after` with the id of the last thing seen.
//!
//! Where there is more, the header `Takst-Next` says what to send as `after`; without it the list is at its end.

use super::Problem;
use axum::Json;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// Where a list goes on.
pub(super) const NEXT: HeaderName = HeaderName::from_static("takst-next");

/// Which piece of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many of the list.
    pub limit: Option<i64>,
    /// Behind the one with this id: what the header `Takst-Next` of the last answer says.
    pub after: Option<String>,
}

/// For addresses that take no parameters, so that one that is meant for something else is not passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// How much of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit(i64);

impl Limit {
    /// What was asked for, `usual` without it, `most` at the most.
    pub fn of(asked: Option<i64>, usual: i64, most: i64) -> Result<Self, Problem> {
        match asked.unwrap_or(usual) {
            limit if (1..=most).contains(&limit) => Ok(Self(limit)),
            _ => Err(Problem::bad(format!("`limit` is a whole number from 1 to {most}"))
                .help("a longer list is read in pieces: the header `Takst-Next` of an answer is the `after` of the next")),
        }
    }

    /// How many rows to read: one more tells whether there are more.
    pub const fn rows(self) -> i64 {
        self.0.saturating_add(1)
    }

    /// Cuts what was read down to the piece, and says where it goes on.
    pub fn cut<T>(self, rows: &mut Vec<T>, id: impl Fn(&T) -> String) -> Option<String> {
        let limit = usize::try_from(self.0).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        rows.last().filter(|_| more).map(id)
    }

    /// A piece of a list that is short enough to be read as a whole.
    pub fn piece<T>(
        self,
        rows: Vec<T>,
        after: Option<&str>,
        id: impl Fn(&T) -> String,
    ) -> Result<Listed<T>, Problem> {
        let mut rows = match after {
            None => rows,
            Some(after) => {
                let place = rows.iter().position(|row| id(row) == after).ok_or_else(|| unknown(after))?;
                rows.into_iter().skip(place + 1).collect()
            }
        };
        let next = self.cut(&mut rows, id);
        Ok(Listed { rows, next })
    }
}

/// `after` names nothing of the list.
pub(super) fn unknown(after: &str) -> Problem {
    Problem::bad(format!("`after` is `{after}`, and nothing of this list has that id"))
        .help("send what the header `Takst-Next` of the last answer says")
}

/// A piece of a list as an answer.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub rows: Vec<T>,
    pub next: Option<String>,
}

impl<T> Listed<T> {
    /// The same piece in another form.
    pub fn map<U>(self, form: impl FnMut(T) -> U) -> Listed<U> {
        Listed { rows: self.rows.into_iter().map(form).collect(), next: self.next }
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.rows).into_response();
        if let Some(next) = self.next.and_then(|next| HeaderValue::from_bytes(next.as_bytes()).ok()) {
            response.headers_mut().insert(NEXT, next);
        }
        response
    }
}
