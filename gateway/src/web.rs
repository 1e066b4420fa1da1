//! The operator's page at `/`: rendered here, kept fresh by the event stream and one small script.

mod page;
mod parts;

use crate::api::access::{Wish, token};
use crate::api::{Api, Caller, LASTS, Problem};
use crate::clock::now;
use crate::serve::Encrypted;
use crate::store::{
    Bill, BillFilter, Charger, ConnectorState, Incident, Session, SessionFilter, SessionStatus,
};
use axum::extract::{Form, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use std::collections::HashSet;
use takst_engine::units::Instant;

/// Chargers on the page at the most; who has more looks at them by site in the API.
const MOST_CHARGERS: i64 = 500;

// Where chargers stand that nobody has named.
const NO_SITE: &str = "Nowhere yet";

/// What the page shows.
pub(crate) struct View {
    pub at: Instant,
    pub sites: Vec<SiteView>,
    pub running: Vec<Running>,
    pub incidents: Vec<Incident>,
    pub bills: Vec<Bill>,
    pub held: Vec<Held>,
}

/// A site with its chargers.
pub(crate) struct SiteView {
    pub name: String,
    pub chargers: Vec<(Charger, Vec<ConnectorState>)>,
}

/// A session that somebody has to decide about.
pub(crate) struct Held {
    pub session: Session,
    pub since: String,
    pub why: String,
    // It has a bill, which would be another one now.
    pub billed: bool,
}

/// A session under way with its cost so far, as text.
pub(crate) struct Running {
    pub session: Session,
    pub cost: Option<String>,
    // On the clock of the site.
    pub since: String,
    pub doing: &'static str,
}

/// The pages.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/now", get(fragment))
        .route("/login", get(login).post(enter))
        .route("/logout", post(leave))
        .route("/page.css", get(style))
        .route("/page.js", get(script))
        .with_state(api)
}

/// Headers that keep pages from being put to other uses; what is said of people is not kept on the way.
pub async fn guarded(mut response: Response) -> Response {
    // Styles of receipts stand in the page: they are documents by themselves.
    const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(axum::http::header::CONTENT_SECURITY_POLICY, POLICY);
    set(axum::http::header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(axum::http::header::X_FRAME_OPTIONS, "DENY");
    set(axum::http::header::REFERRER_POLICY, "no-referrer");
    // A page of a plugin that opens ours in another window has no hand in it.
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(CACHE_CONTROL, "no-store");
    response
}

async fn view(api: &Api, caller: &Caller) -> Result<View, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let org = &caller.org;
    let mut reader = api.store.read().await?;
    let mut sites: Vec<SiteView> = Vec::new();
    let mut connected = HashSet::new();
    for charger in reader.chargers(org, None, MOST_CHARGERS).await? {
        let connectors = reader.connectors(org, &charger.id).await?;
        if charger.connection.is_some() {
            connected.insert(charger.id.clone());
        }
        let site = api.house.site(org, &charger.id);
        let name =
            site.and_then(|site| api.house.site_name(org, &site)).unwrap_or_else(|| NO_SITE.to_owned());
        match sites.iter_mut().find(|site| site.name == name) {
            Some(site) => site.chargers.push((charger, connectors)),
            None => sites.push(SiteView { name, chargers: vec![(charger, connectors)] }),
        }
    }
    sites.sort_by(|one, other| one.name.cmp(&other.name));
    let of = |status| SessionFilter { status: Some(status), ..SessionFilter::default() };
    let running = reader.sessions(org, &of(SessionStatus::Running), None, 200).await?;
    let held = SessionFilter { hold: Some(true), ..SessionFilter::default() };
    let held = reader.sessions(org, &held, None, 20).await?;
    let incidents = reader.open_incidents(org).await?;
    let mut differing = Vec::new();
    for incident in incidents.iter().filter(|incident| incident.kind == "bill.differs").take(20) {
        if let Some(session) = reader.session(org, &incident.subject).await? {
            differing.push((session, parts::said(incident, "reason")));
        }
    }
    let bills = reader.bills(org, &BillFilter::default(), None, 12).await?;
    drop(reader);
    let cost = |session: &Session| {
        let (total, currency, digits) = api.house.cost(org, &session.id)?;
        Some(format!("{} {currency}", crate::api::words::money(total, digits)))
    };
    let since = |session: &Session| {
        let zone = session.site.as_deref().and_then(|site| api.house.zone(org, site));
        parts::minute(&crate::api::words::time(zone, session.plugged_in))
    };
    let running = running
        .into_iter()
        .map(|session| Running {
            cost: cost(&session),
            since: since(&session),
            doing: match api.house.doing(org, &session.id) {
                _ if !connected.contains(&session.charger) => "offline",
                Some(doing) => doing,
                None => "–",
            },
            session,
        })
        .collect();
    let mut held: Vec<Held> = held
        .into_iter()
        .map(|session| Held {
            since: since(&session),
            why: session.hold_reason.clone().unwrap_or_default(),
            billed: false,
            session,
        })
        .collect();
    held.extend(differing.into_iter().map(|(session, why)| Held {
        since: since(&session),
        why,
        billed: true,
        session,
    }));
    Ok(View { at: now(), sites, running, incidents, bills, held })
}

async fn home(State(api): State<Api>, caller: Result<Caller, Problem>) -> Response {
    let caller = match caller {
        Ok(caller) => caller,
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED.as_u16() => {
            return (StatusCode::SEE_OTHER, [(LOCATION, "/login")]).into_response();
        }
        Err(problem) => return problem.into_response(),
    };
    match view(&api, &caller).await {
        Ok(view) => fresh(page::home(&view).into_string()),
        Err(problem) => problem.into_response(),
    }
}

// The changing part of the page alone.
async fn fragment(State(api): State<Api>, caller: Caller) -> Result<Response, Problem> {
    Ok(fresh(parts::all(&view(&api, &caller).await?).into_string()))
}

fn fresh(page: String) -> Response {
    ([(CACHE_CONTROL, "no-store")], Html(page)).into_response()
}

async fn login() -> Response {
    fresh(page::login(None).into_string())
}

#[derive(Deserialize)]
struct Entry {
    key: String,
}

// The key comes in once: what the browser shows from then on is good here alone, for half a day, out of reach of scripts and of
// other sites' pages, and over TLS it goes over nothing else any more.
async fn enter(
    State(api): State<Api>,
    encrypted: Option<Extension<Encrypted>>,
    Form(entry): Form<Entry>,
) -> Response {
    match api.access.sign_in(&api.store, entry.key.trim()).await {
        Ok(token) => cookie(&token, LASTS.as_secs(), is(encrypted)),
        Err(problem) => {
            (StatusCode::UNAUTHORIZED, Html(page::login(Some(&problem.title)).into_string())).into_response()
        }
    }
}

async fn leave(
    State(api): State<Api>,
    encrypted: Option<Extension<Encrypted>>,
    headers: HeaderMap,
) -> Response {
    if let Some(token) = token(&headers) {
        api.access.sign_out(token);
    }
    cookie("", 0, is(encrypted))
}

fn is(encrypted: Option<Extension<Encrypted>>) -> bool {
    encrypted.is_some_and(|Extension(Encrypted(encrypted))| encrypted)
}

fn cookie(token: &str, seconds: u64, encrypted: bool) -> Response {
    let secure = if encrypted { "; Secure" } else { "" };
    let text = format!("takst={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("takst=; Max-Age=0"));
    let headers: [(HeaderName, HeaderValue); 2] =
        [(SET_COOKIE, value), (LOCATION, HeaderValue::from_static("/"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

async fn style() -> impl IntoResponse {
    ([("content-type", "text/css; charset=utf-8")], include_str!("web/page.css"))
}

async fn script() -> impl IntoResponse {
    ([("content-type", "text/javascript; charset=utf-8")], include_str!("web/page.js"))
}
