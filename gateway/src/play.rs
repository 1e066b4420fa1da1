//! The page on which a tariff is tried out: its text, a session that can be dragged, and the bill. Everything is worked out here by
//! what `takst price` uses; nothing is kept but the file, and that only where it was asked for.

mod bill;
mod editor;
mod feeds;
mod form;
mod look;
mod page;

use axum::extract::{DefaultBodyLimit, Form, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{Router, extract::rejection::FormRejection};
use form::Fields;
use look::Look;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use takst_dsl::compile::{SourceFile, compile};
use takst_dsl::parse;
use takst_engine::units::Day;
use tokio::sync::Semaphore;

/// What is there when no file is named.
pub const EXAMPLE: &str = include_str!("play/example.tariff");

/// Bytes of a request: the text three times over, as forms send what is not ASCII, and the fields.
const MOST_BODY: usize = 1 << 20;
// Looks at the same time.
const SEATS: usize = 4;

/// A file that is tried out.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Where it is.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
    /// Whether it may be written.
    pub write: bool,
}

/// What the page is about.
#[derive(Debug)]
pub struct Room {
    draft: Option<Draft>,
    // What was last read from the file or written to it.
    known: Mutex<String>,
    prices: feeds::Given,
    date: Option<Day>,
    // Lists outside the file's folder that it was based on when the program began.
    bases: BTreeSet<String>,
    seats: Semaphore,
}

impl Room {
    /// A room for the file, or for the example. `prices` are price files by path, as their texts.
    #[must_use]
    pub fn new(draft: Option<Draft>, prices: Vec<(PathBuf, String)>, date: Option<Day>) -> Self {
        let known = draft.as_ref().map_or(EXAMPLE, |draft| draft.text.as_str()).to_owned();
        let mut bases = BTreeSet::new();
        if let Some(draft) = &draft {
            let main = SourceFile { name: page::shown(&draft.path), text: known.clone() };
            compile(main, &mut |wanted| {
                bases.insert(wanted.to_owned());
                read_base(&draft.path, wanted)
            });
        }
        Self {
            draft,
            known: Mutex::new(known),
            prices: feeds::Given::new(prices),
            date,
            bases,
            seats: Semaphore::new(SEATS),
        }
    }

    fn name(&self) -> &str {
        self.draft.as_ref().map_or("example.tariff", |draft| {
            draft.path.file_name().and_then(|name| name.to_str()).unwrap_or("tariff")
        })
    }

    // The text with line ends as pages have them.
    fn text(&self) -> String {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).replace("\r\n", "\n")
    }

    fn writes(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| draft.write)
    }

    // What is typed into a page must not read files all over the machine: only lists in the file's own folder, and those that the file
    // named before anything was typed.
    fn base(&self, wanted: &str) -> Result<SourceFile, String> {
        let Some(draft) = &self.draft else {
            return Err("the example has no folder; name a file to take lists from its folder".into());
        };
        let beside = !wanted.contains(['/', '\\']) && wanted.to_lowercase().ends_with(".tariff");
        if !beside && !self.bases.contains(wanted) {
            return Err("here, only lists `.tariff` in the folder of the file can be taken".into());
        }
        read_base(&draft.path, wanted)
    }

    /// Writes the text to the file.
    ///
    /// # Errors
    /// Why it was not written, in words.
    fn save(&self, text: &str) -> Result<String, String> {
        let draft = self.draft.as_ref().filter(|draft| draft.write);
        let draft = draft.ok_or("nothing is written: start `takst play FILE --write` for that")?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = std::fs::read_to_string(&draft.path)
            .map_err(|error| format!("the file cannot be read: {error}"))?;
        let plain = found.strip_prefix('\u{feff}').unwrap_or(&found);
        if plain != *known {
            return Err("not saved: the file has changed since it was read here; copy your text and load the page anew".into());
        }
        let text = if known.contains("\r\n") { text.replace('\n', "\r\n") } else { text.to_owned() };
        replace(&draft.path, &text).map_err(|error| format!("not saved: {error}"))?;
        *known = text;
        Ok(format!("saved {}", self.name()))
    }

    // Reads the file again, when somebody else has changed it.
    fn read_again(&self) {
        if let Some(draft) = &self.draft
            && let Ok(bytes) = std::fs::read(&draft.path)
            && let Ok(text) = parse::decode(&bytes)
        {
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = text.to_owned();
        }
    }
}

fn read_base(file: &Path, wanted: &str) -> Result<SourceFile, String> {
    let place = file.parent().unwrap_or_else(|| Path::new("")).join(wanted);
    crate::cli::tariffs::base(&place)
}

// In one step: there is never half a file.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.as_file().set_permissions(std::fs::metadata(path)?.permissions())?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The page and what it asks for.
pub fn router(room: Arc<Room>) -> Router {
    Router::new()
        .route("/", get(first).post(whole))
        .route("/look", post(parts))
        .route("/play.css", get(style))
        .route(
            "/play.js",
            get(async || ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("play/page.js"))),
        )
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(from_fn(guard))
        .with_state(room)
}

async fn style() -> impl IntoResponse {
    const STYLE: &str = include_str!("play/page.css");
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], format!("{}{STYLE}", crate::draw::STYLE))
}

// Only who asks for this machine by its own name or number gets an answer: a page of somebody else whose name was made to lead here
// (DNS rebinding) cannot. And nothing is changed for pages from elsewhere.
async fn guard(request: Request, next: Next) -> Response {
    let refused = |text: &str| {
        (StatusCode::FORBIDDEN, Html(page::words("Not from there", text).into_string())).into_response()
    };
    let mut response = if !known_host(request.headers()) {
        refused("This page answers to localhost and to numbers, as in http://127.0.0.1:8181/.")
    } else if *request.method() != Method::GET && !same_origin(request.headers()) {
        refused("This page takes only what was sent from itself.")
    } else {
        next.run(request).await
    };
    const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    set(REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(CACHE_CONTROL, "no-store");
    response
}

fn known_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
    })
}

fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(&HeaderName::from_static("sec-fetch-site"));
    let origin = text(&ORIGIN);
    let own = text(&HOST).map(|host| format!("http://{host}"));
    site.is_none_or(|site| matches!(site, "same-origin" | "none"))
        && origin.is_none_or(|origin| own.as_deref() == Some(origin))
}

async fn first(State(room): State<Arc<Room>>) -> Response {
    room.read_again();
    act(room, Fields::new(), false).await
}

async fn whole(State(room): State<Arc<Room>>, fields: Result<Form<Fields>, FormRejection>) -> Response {
    match fields {
        Ok(Form(fields)) => act(room, fields, false).await,
        Err(wrong) => refused(&wrong),
    }
}

async fn parts(State(room): State<Arc<Room>>, fields: Result<Form<Fields>, FormRejection>) -> Response {
    match fields {
        Ok(Form(fields)) => act(room, fields, true).await,
        Err(wrong) => refused(&wrong),
    }
}

fn refused(wrong: &FormRejection) -> Response {
    let text = match wrong.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            format!("too large: the text may have {} KiB here", look::MOST_TEXT >> 10)
        }
        _ => wrong.body_text(),
    };
    (wrong.status(), text).into_response()
}

// Compiling and pricing keep a core busy: they have threads of their own, and not too many.
async fn act(room: Arc<Room>, mut fields: Fields, script: bool) -> Response {
    let seat = room.seats.acquire().await;
    let own = Arc::clone(&room);
    let worked = tokio::task::spawn_blocking(move || {
        let said = own.asked(&mut fields);
        let changed = said.is_ok() && fields.get("do").is_some_and(|what| what == "layout");
        let look = own.look(&fields);
        respond(&own, look, said.unwrap_or_else(|wrong| wrong), changed, script)
    });
    let response = worked.await;
    drop(seat);
    response.unwrap_or_else(|_| {
        (StatusCode::INTERNAL_SERVER_ERROR, "this text cannot be worked out").into_response()
    })
}

fn respond(room: &Room, look: Look, said: String, changed: bool, script: bool) -> Response {
    if !script {
        return Html(page::page(room, &look, &said).into_string()).into_response();
    }
    let text = changed.then(|| look.text.clone());
    let mut answer = look::answer(look, page::questions);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("said".into(), said.into());
        if let Some(text) = text {
            answer.insert("text".into(), text.into());
        }
    }
    Json(answer).into_response()
}

impl Room {
    // What a button asked for, beside looking.
    fn asked(&self, fields: &mut Fields) -> Result<String, String> {
        let text = fields.get("text").map(|text| text.replace("\r\n", "\n")).unwrap_or_else(|| self.text());
        match fields.get("do").map(String::as_str) {
            Some("save") => self.save(&text),
            Some("layout") => match takst_dsl::format::format(&text) {
                Ok(neat) => {
                    let said = if neat == text { "it is laid out already" } else { "laid out" };
                    fields.insert("text".into(), neat);
                    Ok(said.into())
                }
                Err(error) => Err(error.to_string()),
            },
            _ => Ok(String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_this_machine_by_its_own_name_is_answered() {
        for good in ["localhost", "localhost:8181", "127.0.0.1:8181", "[::1]:8181", "192.168.1.7"] {
            assert!(known_host(&headers(&[("host", good)])), "{good}");
        }
        for bad in ["example.org", "localhost.example.org", "127.0.0.1.nip.io", "", "a b"] {
            assert!(!known_host(&headers(&[("host", bad)])), "{bad}");
        }
        assert!(
            !known_host(&headers(&[]))
                && !known_host(&headers(&[("host", "localhost"), ("host", "localhost")]))
        );
    }

    #[test]
    fn pages_from_elsewhere_change_nothing() {
        let own = ("host", "localhost:1");
        assert!(same_origin(&headers(&[own])));
        assert!(same_origin(&headers(&[
            own,
            ("origin", "http://localhost:1"),
            ("sec-fetch-site", "same-origin")
        ])));
        for bad in [
            ("origin", "http://localhost:2"),
            ("origin", "null"),
            ("origin", "http://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert!(!same_origin(&headers(&[own, bad])), "{bad:?}");
        }
    }

    #[test]
    fn the_example_is_right_tested_and_neat() {
        let main = SourceFile { name: "example.tariff".into(), text: EXAMPLE.into() };
        let compiled = compile(main, &mut |_| Err("none".into()));
        assert_eq!(compiled.diagnostics, []);
        let prepared = takst_engine::Prepared::new(compiled.tariff.unwrap()).unwrap();
        let results = takst_dsl::scenario::run(&compiled.files[0], &prepared);
        assert!(!results.is_empty() && results.iter().all(|result| result.failures.is_empty()));
        assert_eq!(takst_dsl::format::format(EXAMPLE).unwrap(), EXAMPLE);
    }
}
