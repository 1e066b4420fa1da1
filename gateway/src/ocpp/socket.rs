//! A charger at the door: the HTTP request that becomes a WebSocket, or is refused in words that help its installer.

use super::station::{self, Guest, Settings, Socket};
use crate::clock::now;
use crate::hub::{Count, Hub, Line, Tape};
use crate::link::{Admission, Desk, Knock, Link, Welcome};
use crate::ocpp::frame::MAX_BYTES;
use crate::serve::Stop;
use crate::serve::limits::{Attempts, Seat};
use crate::store::new_id;
use axum::body::Body;
use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant as Moment, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// The longest identity; the standards have 48 characters at most.
const LONGEST_IDENTITY: usize = 128;
/// Subprotocols that are looked at.
const MOST_OFFERS: usize = 20;
/// How long the desk may think about one charger.
const ADMISSION: Duration = Duration::from_secs(20);

/// Whoever is at the other end of a connection.
#[derive(Clone)]
pub(crate) struct Peer {
    pub address: SocketAddr,
    pub encrypted: bool,
    pub certificate: Option<Arc<str>>,
    pub seat: Arc<Seat>,
}

/// What lets chargers in.
pub(crate) struct Door<D> {
    pub desk: Arc<D>,
    pub hub: Hub,
    pub tape: Tape,
    pub settings: Arc<Settings>,
    pub attempts: Attempts,
    /// Chargers that are looked at at the same time: passwords are slow on purpose.
    pub turns: Semaphore,
    pub turn: Duration,
    pub stop: Stop,
}

/// A request that is refused.
struct Refused {
    status: StatusCode,
    why: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refused {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into(), headers: Vec::new() }
    }

    fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    // Whoever comes back later does not do so together with all the others.
    fn later(status: StatusCode, why: &str, at_least: u64) -> Self {
        let spread = RandomState::new().hash_one(()) % at_least.max(1);
        Self::new(status, why).with(RETRY_AFTER, at_least + spread)
    }

    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.why + "\n"));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.extend(self.headers);
        response
    }
}

/// The part of a path behind `/ocpp/`, whatever the number of slashes; none when the path is another one.
pub(crate) fn identity_part(path: &str) -> Option<String> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    parts.next().filter(|first| *first == "ocpp")?;
    Some(parts.collect::<Vec<_>>().join("/"))
}

fn identity(part: &str) -> Result<String, Refused> {
    let refused = |why: &str| Err(Refused::new(StatusCode::BAD_REQUEST, why));
    let Ok(identity) = percent_decode_str(part).decode_utf8() else {
        return refused("the charger's identity is not UTF-8");
    };
    let identity = identity.trim();
    if identity.is_empty() {
        return refused("the address of a charger ends in its identity: /ocpp/{charger}");
    }
    if identity.chars().count() > LONGEST_IDENTITY {
        return refused("the charger's identity is longer than 128 characters");
    }
    if identity.chars().any(char::is_control) {
        return refused("the charger's identity has control characters in it");
    }
    Ok(identity.to_owned())
}

// User and password. Some leave out the padding.
fn basic(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let value = headers.get(AUTHORIZATION)?.as_bytes().trim_ascii();
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let decoded = TOLERANT.decode(encoded.trim_ascii()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = decoded.split_at_checked(colon)?;
    let password = password.get(1..).unwrap_or_default();
    Some((String::from_utf8_lossy(user).into_owned(), password.to_vec()))
}

fn offers(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|name| !name.is_empty());
    names.take(MOST_OFFERS).map(str::to_owned).collect()
}

fn says(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|said| said.trim().eq_ignore_ascii_case(word))
}

// The key of a WebSocket handshake. What is missing from it is refused with the name of the header: chargers differ, but a
// handshake that another server would not take is not taken here either.
fn handshake(request: &Request<Body>) -> Result<&HeaderValue, Refused> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket begins with GET"));
    }
    let upgrade = |why: &str| {
        Refused::new(StatusCode::UPGRADE_REQUIRED, why)
            .with(UPGRADE, HeaderValue::from_static("websocket"))
            .with(CONNECTION, HeaderValue::from_static("Upgrade"))
            .with(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
    };
    if !says(headers, UPGRADE, "websocket") {
        return Err(upgrade(
            "chargers connect here by WebSocket: the header `Upgrade: websocket` is missing",
        ));
    }
    if !says(headers, CONNECTION, "upgrade") {
        return Err(upgrade(
            "the header `Connection: Upgrade` is missing; a proxy in between may have removed it",
        ));
    }
    if !says(headers, SEC_WEBSOCKET_VERSION, "13") {
        return Err(upgrade("the header `Sec-WebSocket-Version: 13` is missing"));
    }
    headers.get(SEC_WEBSOCKET_KEY).ok_or_else(|| upgrade("the header `Sec-WebSocket-Key` is missing"))
}

/// Answers the request of a charger whose address ends in `part`.
pub(crate) async fn knock<D: Desk>(
    door: &Arc<Door<D>>,
    part: &str,
    peer: &Peer,
    mut request: Request<Body>,
) -> Response<Body> {
    match door.open(part, peer, &mut request).await {
        Ok(response) => response,
        Err(refused) => {
            tracing::info!(
                from = %peer.address.ip(),
                identity = part.chars().take(LONGEST_IDENTITY).collect::<String>(),
                status = refused.status.as_u16(),
                why = refused.why,
                "turned away"
            );
            refused.into_response()
        }
    }
}

impl<D: Desk> Door<D> {
    async fn open(
        self: &Arc<Self>,
        part: &str,
        peer: &Peer,
        request: &mut Request<Body>,
    ) -> Result<Response<Body>, Refused> {
        let identity = identity(part)?;
        let accept = derive_accept_key(handshake(request)?.as_bytes());
        let welcome = self.admit(identity, peer, request.headers()).await?;
        peer.seat.admit();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(Ok(name)) = welcome.subprotocol.as_deref().map(HeaderValue::from_str) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
        }
        let upgrade = hyper::upgrade::on(request);
        let seat = Arc::clone(&peer.seat);
        let door = Arc::clone(self);
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => {
                    let config = WebSocketConfig::default()
                        // Held for as long as the connection; a longer message takes what it needs.
                        .read_buffer_size(1 << 10)
                        .write_buffer_size(0)
                        .max_write_buffer_size(2 * MAX_BYTES)
                        .max_message_size(Some(MAX_BYTES))
                        .max_frame_size(Some(MAX_BYTES));
                    let stream = TokioIo::new(upgraded);
                    let socket = Socket::from_raw_socket(stream, Role::Server, Some(config)).await;
                    let guest = door.guest(welcome);
                    drop(door);
                    station::attend(socket, guest).await;
                }
                Err(error) => tracing::debug!(%error, "a charger left during the handshake"),
            }
            drop(seat);
        });
        Ok(response)
    }

    async fn admit(&self, identity: String, peer: &Peer, headers: &HeaderMap) -> Result<Welcome, Refused> {
        let unavailable = |why: &str| {
            self.hub.count(Count::Overload);
            Refused::later(StatusCode::SERVICE_UNAVAILABLE, why, 15)
        };
        if self.stop.is_stopping() {
            return Err(unavailable("the gateway restarts; try again in a while"));
        }
        let from = peer.address.ip();
        if let Err(seconds) = self.attempts.may_try(from, &identity, Moment::now()) {
            self.hub.count(Count::LockedOut);
            let why = "too many failed attempts; check the charger's identity and password";
            return Err(Refused::later(StatusCode::TOO_MANY_REQUESTS, why, seconds));
        }
        let busy = "too many chargers connect at once; try again in a while";
        let Ok(Ok(turn)) = timeout(self.turn, self.turns.acquire()).await else {
            return Err(unavailable(busy));
        };
        let knock = Knock {
            identity: identity.clone(),
            from: peer.address,
            encrypted: peer.encrypted,
            certificate: peer.certificate.as_deref().map(str::to_owned),
            basic: basic(headers),
            offers: offers(headers),
            at: now(),
        };
        let Ok(admission) = timeout(ADMISSION, Box::pin(self.desk.admit(knock))).await else {
            return Err(unavailable(busy));
        };
        drop(turn);
        match admission {
            Admission::Welcome(welcome) => {
                let (org, charger) = (welcome.org.as_str(), &welcome.charger);
                if let Err(seconds) = self.attempts.comes(org, charger, Moment::now()) {
                    self.hub.count(Count::Overload);
                    let why = "this charger connects again and again; is its line bad, or is there another one of the same id?";
                    return Err(Refused::later(StatusCode::TOO_MANY_REQUESTS, why, seconds));
                }
                self.hub.count(Count::Welcomed);
                Ok(welcome)
            }
            Admission::Refused { status, why } => Err(self.refuse(status, why, peer, &identity)),
        }
    }

    fn refuse(&self, status: u16, why: String, peer: &Peer, identity: &str) -> Refused {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
        if status.is_server_error() {
            self.hub.count(Count::Overload);
            return Refused::later(status, &why, 15);
        }
        self.hub.count(Count::TurnedAway);
        self.attempts.failed(peer.address.ip(), identity, Moment::now());
        let refused = Refused::new(status, why);
        if status == StatusCode::UNAUTHORIZED {
            return refused.with(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"takst\", charset=\"UTF-8\""),
            );
        }
        refused
    }

    fn guest(&self, welcome: Welcome) -> Guest<D> {
        let link = Link {
            org: welcome.org.clone(),
            charger: welcome.charger.clone(),
            connection: new_id(),
            dialect: welcome.dialect,
            since: now(),
        };
        Guest {
            desk: Arc::clone(&self.desk),
            hub: self.hub.clone(),
            tape: self.tape.clone(),
            line: Arc::new(Line::new(link)),
            welcome,
            settings: Arc::clone(&self.settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_do_not_count_and_identities_are_decoded() {
        let decoded = |path: &str| identity_part(path).and_then(|part| identity(&part).ok());
        for path in ["/ocpp/CP-1", "//ocpp///CP-1", "/ocpp/CP-1/", "/ocpp/%43P-1", "/ocpp/CP-1%20"] {
            assert_eq!(decoded(path).as_deref(), Some("CP-1"), "{path}");
        }
        assert_eq!(decoded("/ocpp/RDAM%7C123").as_deref(), Some("RDAM|123"));
        assert_eq!(decoded("/ocpp/site/5").as_deref(), Some("site/5"));
        assert_eq!(decoded("/ocpp/%C3%A6").as_deref(), Some("æ"));
        for path in
            ["/", "/ocpp", "/ocpp//", "/ocpp/%00", "/ocpp/a%0Ab", "/ocpp/%FF", "/CP-1", "/x/ocpp/CP-1"]
        {
            assert_eq!(decoded(path), None, "{path}");
        }
        assert_eq!(decoded(&format!("/ocpp/{}", "a".repeat(129))), None);
    }

    #[test]
    fn a_password_is_bytes() {
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            basic(&headers)
        };
        let cp1 = |password: &[u8]| Some(("CP1".to_owned(), password.to_vec()));
        assert_eq!(of(b"Basic Q1AxOnBhc3M6d29yZA=="), cp1(b"pass:word"));
        assert_eq!(of(b"basic Q1AxOnBhc3M6d29yZA"), cp1(b"pass:word"));
        assert_eq!(of(b"Basic Q1AxOv/+AA=="), cp1(&[0xff, 0xfe, 0]));
        assert_eq!(of(b"Basic Q1AxOg=="), cp1(b""));
        for wrong in [&b"Basic"[..], b"Basic Q1Ax", b"Bearer Q1AxOg==", b"Basic \xff\xff", b""] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
