//! Plays one charger on one WebSocket.

use super::bay::NEVER;
use super::charger::Charger;
use super::event::{Event, Observer};
use super::record::Recorder;
use crate::clock::now;
use crate::ocpp::frame::MAX_BYTES;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, WebSocketStream, client_async_tls_with_config, client_async_with_config};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// Within so many milliseconds the cars leave when the players are told to finish.
const LEAVING: i64 = 2_000;
/// The longest pause between two attempts to connect, in milliseconds.
const LONGEST_PAUSE: i64 = 30_000;
/// One address of this machine has about 28,000 ports, and a port is not free at once when its connection has ended.
const PER_ADDRESS: usize = 5_000;

/// Where chargers connect to; each adds its identity.
#[derive(Clone, Debug)]
pub struct Address {
    /// `ws://host:port/path`, without a slash at the end.
    base: String,
    host: String,
    port: u16,
    secure: bool,
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is none.
    #[error("`{0}` is no address of chargers; write ws://host:port/ocpp or wss://host:port/ocpp")]
    Malformed(String),
    /// Nobody has that name.
    #[error("the host `{host}` is not known: {why}")]
    Unknown {
        /// Which.
        host: String,
        /// As the system says.
        why: String,
    },
}

impl Address {
    /// Reads `ws://host:port/path` or `wss://...`. What follows a slash at the end does not matter.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(wrong()),
        };
        if uri.query().is_some() {
            return Err(wrong());
        }
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { base: text.trim_end_matches('/').to_owned(), host, port, secure })
    }

    /// Finds the machine, once for all chargers.
    pub(super) async fn resolve(&self) -> Result<SocketAddr, AddressError> {
        let unknown = |why: String| AddressError::Unknown { host: self.host.clone(), why };
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let mut found = found.map_err(|error| unknown(error.to_string()))?;
        found.next().ok_or_else(|| unknown("no address".to_owned()))
    }
}

/// What all players of a fleet share.
pub(super) struct Line {
    pub address: Address,
    pub to: SocketAddr,
    pub tls: Option<Connector>,
    pub observer: Arc<dyn Observer>,
    pub recorder: Option<Recorder>,
}

/// What players are to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub(super) enum Call {
    /// Play.
    Play,
    /// Come to an end, and say all that is to be said.
    Finish,
    /// Leave it.
    Quit,
}

/// One charger and its connection.
pub(super) struct Player {
    charger: Charger,
    password: Option<Box<str>>,
    line: Arc<Line>,
    place: usize,
    calls: watch::Receiver<Call>,
    /// When it ends its sessions.
    finish_at: Option<i64>,
    finishing: bool,
    /// When the request that waits for an answer went out.
    asked: Option<Moment>,
}

/// Why a conversation ended.
enum Over {
    /// The charger or the player wanted it.
    Wanted,
    /// The other side or the network.
    Broken,
}

impl Player {
    pub(super) fn new(
        charger: Charger,
        password: Option<String>,
        line: Arc<Line>,
        place: usize,
        calls: watch::Receiver<Call>,
    ) -> Self {
        let password = password.map(String::into_boxed_str);
        Self { charger, password, line, place, calls, finish_at: None, finishing: false, asked: None }
    }

    /// Plays until it is told to finish and everything is acknowledged, or to quit. How many transaction messages were not
    /// acknowledged.
    pub(super) async fn play(mut self, after: Duration) -> usize {
        self.pause(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)).await;
        let mut failures = 0_u32;
        while !self.is_over() {
            if self.charger.is_away() {
                self.pause(0).await;
                continue;
            }
            let began = Moment::now();
            let over = if self.line.address.secure {
                Box::pin(self.over_tls(began)).await
            } else {
                self.in_the_clear(began).await
            };
            match over {
                Ok(Over::Wanted) => failures = 0,
                Ok(Over::Broken) => {
                    failures = 0;
                    self.wait_to_reconnect(0).await;
                }
                Err(why) => {
                    self.line.observer.not_connected(self.charger.id(), &why);
                    self.wait_to_reconnect(failures).await;
                    failures = failures.saturating_add(1);
                }
            }
        }
        self.charger.unacknowledged()
    }

    fn is_over(&self) -> bool {
        let call = *self.calls.borrow();
        call == Call::Quit || (call == Call::Finish && self.charger.is_done() && self.finishing)
    }

    async fn wait_to_reconnect(&mut self, failures: u32) {
        let first = self.charger.reconnect_after();
        let wait = first.saturating_mul(1_i64 << failures.min(10)).min(LONGEST_PAUSE.max(first));
        self.pause(wait).await;
    }

    // Without a connection: at least for so long, and until the network is back.
    async fn pause(&mut self, ms: i64) {
        let until = now().0.saturating_add(ms);
        loop {
            self.advance();
            let t = now().0;
            if self.is_over() || (t >= until && !self.charger.is_away()) {
                return;
            }
            let mut due = self.due();
            if t < until {
                due = due.min(until);
            }
            tokio::select! {
                () = sleep(until_due(due, t)) => {}
                changed = self.calls.changed() => self.called(changed.is_ok()).await,
            }
        }
    }

    // What a call to finish or quit changes.
    async fn called(&mut self, there: bool) {
        if !there {
            // Nobody is left who could call.
            return pending().await;
        }
        if *self.calls.borrow_and_update() >= Call::Finish && self.finish_at.is_none() {
            // Cars do not leave in the same instant.
            let wait = self.charger.some_time(LEAVING);
            self.finish_at = Some(now().0.saturating_add(wait));
        }
    }

    fn due(&self) -> i64 {
        let due = self.charger.due().0;
        self.finish_at.filter(|_| !self.finishing).map_or(due, |at| due.min(at))
    }

    fn advance(&mut self) {
        let t = now();
        if !self.finishing && self.finish_at.is_some_and(|at| t.0 >= at) {
            self.finishing = true;
            self.charger.finish(t);
        }
        self.charger.step(t);
        for event in self.charger.take_events() {
            self.line.observer.event(self.charger.id(), self.charger.dialect(), event, None);
        }
    }

    async fn dial(&self) -> Result<TcpStream, String> {
        let error = |error: std::io::Error| error.to_string();
        let to = self.line.to;
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(error)?;
        if let IpAddr::V4(ip) = to.ip()
            && ip.is_loopback()
        {
            let last = u8::try_from(1 + self.place / PER_ADDRESS).unwrap_or(u8::MAX);
            if last > 1 {
                // Where a system has no such address, one is enough for as long as it lasts.
                let _ = socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)));
            }
        }
        let stream = socket.connect(to).await.map_err(error)?;
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    fn request(&self) -> Result<Request, String> {
        let id = self.charger.id();
        let uri = format!("{}/{}", self.line.address.base, utf8_percent_encode(id, NON_ALPHANUMERIC));
        let mut request = uri.into_client_request().map_err(|error| error.to_string())?;
        let headers = request.headers_mut();
        let protocol = self.charger.dialect().subprotocol();
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        if let Some(password) = &self.password {
            let basic = BASE64_STANDARD.encode(format!("{id}:{password}"));
            let value =
                HeaderValue::from_str(&format!("Basic {basic}")).map_err(|error| error.to_string())?;
            headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    async fn in_the_clear(&mut self, began: Moment) -> Result<Over, String> {
        let request = self.request()?;
        let connected = timeout(HANDSHAKE, async {
            let stream = self.dial().await?;
            client_async_with_config(request, stream, Some(config())).await.map_err(|error| reason(&error))
        });
        let (socket, _) = connected.await.map_err(|_| "the handshake took too long".to_owned())??;
        Ok(self.converse(socket, began).await)
    }

    async fn over_tls(&mut self, began: Moment) -> Result<Over, String> {
        let request = self.request()?;
        let connected = timeout(HANDSHAKE, async {
            let stream = self.dial().await?;
            client_async_tls_with_config(request, stream, Some(config()), self.line.tls.clone())
                .await
                .map_err(|error| reason(&error))
        });
        let (socket, _) = connected.await.map_err(|_| "the handshake took too long".to_owned())??;
        Ok(self.converse(socket, began).await)
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        mut socket: WebSocketStream<S>,
        began: Moment,
    ) -> Over {
        self.line.observer.connected(self.charger.id(), began.elapsed());
        self.charger.connected(now());
        let over = self.talk(&mut socket).await;
        let wanted = matches!(over, Over::Wanted);
        if wanted && self.is_over() {
            // Politely, but nobody waits for the other side.
            let _ = timeout(Duration::from_secs(1), socket.close(None)).await;
        }
        drop(socket);
        self.asked = None;
        self.charger.disconnected(now());
        self.advance();
        self.line.observer.disconnected(self.charger.id(), wanted);
        over
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(&mut self, socket: &mut WebSocketStream<S>) -> Over {
        loop {
            self.advance();
            if self.charger.is_away() || self.is_over() {
                return Over::Wanted;
            }
            while let Some(text) = self.charger.next_frame(now()) {
                if self.asked.is_none() && self.charger.waits_since().is_some() {
                    self.asked = Some(Moment::now());
                }
                if socket.send(Message::text(text)).await.is_err() {
                    return Over::Broken;
                }
            }
            let silent = self.charger.is_silent();
            let t = now().0;
            tokio::select! {
                frame = socket.next(), if !silent => match frame {
                    Some(Ok(Message::Text(text))) => self.heard(&text).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Over::Broken,
                    Some(Ok(_)) => {}
                },
                () = sleep(until_due(self.due(), t)) => {}
                changed = self.calls.changed() => self.called(changed.is_ok()).await,
            }
        }
    }

    async fn heard(&mut self, text: &str) {
        self.charger.received(now(), text);
        let took = self.asked.map(|asked| asked.elapsed());
        if self.charger.waits_since().is_none() {
            self.asked = None;
        }
        for event in self.charger.take_events() {
            let about_answer = matches!(event, Event::Answered { .. } | Event::Refused { .. });
            if let (
                Some(recorder),
                Event::Answered { action, message: Some(message), answer: Some(answer), sent },
            ) = (&self.line.recorder, &event)
            {
                let said = (message.as_str(), answer.as_str());
                recorder.record(self.charger.id(), self.charger.dialect(), action, said, *sent).await;
            }
            let took = took.filter(|_| about_answer);
            self.line.observer.event(self.charger.id(), self.charger.dialect(), event, took);
        }
    }
}

// An idle connection is to cost little.
fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(2 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_BYTES)
        .max_message_size(Some(MAX_BYTES))
        .max_frame_size(Some(MAX_BYTES))
}

fn reason(error: &Error) -> String {
    match error {
        Error::Http(response) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let words: String = body.trim().chars().take(200).collect();
            format!("refused with {}: {words}", response.status().as_u16())
        }
        other => other.to_string(),
    }
}

fn until_due(due: i64, t: i64) -> Duration {
    const LONGEST: i64 = 3_600_000;
    let wait = if due == NEVER.0 { LONGEST } else { due.saturating_sub(t).clamp(0, LONGEST) };
    Duration::from_millis(u64::try_from(wait).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_in_words() {
        let address = Address::read("ws://127.0.0.1:8080/ocpp/").unwrap();
        assert_eq!(
            (address.base.as_str(), address.port, address.secure),
            ("ws://127.0.0.1:8080/ocpp", 8080, false)
        );
        let address = Address::read("wss://[::1]/x").unwrap();
        assert_eq!((address.host.as_str(), address.port, address.secure), ("::1", 443, true));
        for wrong in ["", "127.0.0.1:8080", "http://a/ocpp", "ws://", "ws://a/ocpp?x=1", "ws://a b/"] {
            let error = Address::read(wrong).unwrap_err();
            assert!(error.to_string().contains("ws://host:port/ocpp"), "{wrong}: {error}");
        }
    }
}
