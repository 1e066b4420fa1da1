//! What happens, as it happens: server-sent events. `Last-Event-ID` goes on where a connection broke off.

use super::access::Wish;
use super::{Api, Caller, Params, Problem, words};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};
use takst_engine::calendar_time::utc_text;
use utoipa::IntoParams;

/// Where to begin.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// After the event with this number; without it only new ones come.
    pub after: Option<i64>,
}

/// Events of other programs on the same database are seen at the next look.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Events as they happen. `event` is the kind, `id` the number, `data` JSON.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(Wanted),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = "4XX", body = Problem)))]
pub(super) async fn stream(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Params(wanted): Params<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let after = match wanted.after.or(last) {
        Some(after) => after,
        None => api.store.read().await?.last_event(&caller.org).await?,
    };
    let (changes, asked) = (api.store.changes(), Instant::now());
    let begin = (changes, api, caller, asked, after, VecDeque::new());
    let events = unfold(begin, async |(mut changes, api, caller, mut asked, mut after, mut waiting)| {
        loop {
            if let Some(event) = waiting.pop_front() {
                return Some((Ok(event), (changes, api, caller, asked, after, waiting)));
            }
            changes.borrow_and_update();
            // Whose key was revoked meanwhile is told no more, and is refused when he comes again.
            if asked.elapsed() >= LOOK_AGAIN {
                if !api.access.stands(&api.store, &caller).await.ok()? {
                    return None;
                }
                asked = Instant::now();
            }
            let found = match api.store.read().await {
                Ok(mut reader) => reader.events_after(&caller.org, after, 100).await,
                Err(error) => Err(error),
            };
            // When the database does not answer the connection ends; whoever listens comes again with the last number.
            for row in found.ok()? {
                after = row.seq;
                let about = words::document(&row.document);
                let data =
                    serde_json::json!({ "at": utc_text(row.at), "subject": row.subject, "about": about });
                waiting.push_back(
                    Event::default().id(row.seq.to_string()).event(row.kind).data(data.to_string()),
                );
            }
            if waiting.is_empty() {
                // An end of waiting is no reason to stop: it is time to look again.
                let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
            }
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
