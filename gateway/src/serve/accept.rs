//! Connections: accepted, counted, encrypted, and served as HTTP/1.1. A request of a charger goes to the door, others to the pages.

use super::Encrypted;
use super::limits::{Limits, Seat, Seats};
use super::tasks::Stop;
use crate::hub::{Count, Hub};
use crate::link::Desk;
use crate::ocpp::socket::{self, Door, Peer};
use crate::tls::{self, Tls};
use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use futures_util::StreamExt as _;
use futures_util::stream;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant as Moment, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// The head of a request must fit.
const BUFFER: usize = 32 << 10;
/// Those for whom there is no place, and who are told so.
const TURNED_DOWN: usize = 64;

/// What serves the connections of all listeners.
pub(super) struct House<D> {
    pub door: Arc<Door<D>>,
    pub pages: Router,
    pub seats: Arc<Seats>,
    pub limits: Limits,
    pub hub: Hub,
    pub stop: Stop,
    pub turned_down: Arc<Semaphore>,
}

impl<D: Desk> House<D> {
    pub fn new(
        door: Arc<Door<D>>,
        pages: Router,
        seats: Arc<Seats>,
        limits: Limits,
        hub: Hub,
        stop: Stop,
    ) -> Self {
        Self { door, pages, seats, limits, hub, stop, turned_down: Arc::new(Semaphore::new(TURNED_DOWN)) }
    }

    /// Accepts connections until the server stops.
    pub async fn listen(self: Arc<Self>, listener: TcpListener, tls: Option<Arc<Tls>>) {
        let mut stop = self.stop.clone();
        let mut pace = Pace::new(self.limits.accepts);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.stopped() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // The client left already, or there are no more open files: in a moment there may be.
                    if error.kind() != io::ErrorKind::ConnectionAborted {
                        tracing::warn!(%error, "no connection could be accepted");
                        sleep(Duration::from_millis(100)).await;
                    }
                    continue;
                }
            };
            self.hub.count(Count::Accepted);
            let Some(seat) = self.seats.enter(address.ip(), Moment::now()) else {
                self.hub.count(Count::Crowded);
                if tls.is_none() {
                    self.turn_down(stream);
                }
                continue;
            };
            let house = Arc::clone(&self);
            let tls = tls.as_ref().map(|tls| tls.config());
            tokio::spawn(async move {
                settle(&stream);
                match tls {
                    None => house.serve(stream, address, seat, None).await,
                    Some(config) => house.encrypt(stream, address, seat, TlsAcceptor::from(config)).await,
                }
            });
            pace.keep().await;
        }
    }

    async fn encrypt(&self, stream: TcpStream, address: SocketAddr, seat: Arc<Seat>, acceptor: TlsAcceptor) {
        match timeout(self.limits.head, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let (_, session) = stream.get_ref();
                let certificate =
                    session.peer_certificates().and_then(<[_]>::first).and_then(tls::common_name);
                let encryption = Encryption { certificate: certificate.map(Arc::from) };
                self.serve(stream, address, seat, Some(encryption)).await;
            }
            Ok(Err(error)) => {
                self.hub.count(Count::TlsFailed);
                tracing::info!(from = %address.ip(), %error, "no encrypted connection");
            }
            Err(_) => self.hub.count(Count::TlsFailed),
        }
    }

    async fn serve<S>(&self, stream: S, address: SocketAddr, seat: Arc<Seat>, encryption: Option<Encryption>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let encrypted = encryption.is_some();
        let certificate = encryption.and_then(|encryption| encryption.certificate);
        let peer = Peer { address, encrypted, certificate, seat };
        let service = service_fn(|request: Request<Incoming>| async {
            Ok::<_, Infallible>(self.answer(peer.clone(), request.map(Body::new)).await)
        });
        let connection =
            builder(self.limits.head).serve_connection(TokioIo::new(stream), service).with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let mut stop = self.stop.clone();
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.stopped() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(from = %address.ip(), %error, "an HTTP connection ended");
        }
    }

    async fn answer(&self, mut peer: Peer, request: Request<Body>) -> Response<Body> {
        if self.limits.proxies.contains(&peer.address.ip().to_canonical()) {
            behind_proxy(&mut peer, request.headers(), &self.limits.proxies);
        }
        if let Some(part) = socket::identity_part(request.uri().path()) {
            return Box::pin(socket::knock(&self.door, &part, &peer, request)).await;
        }
        let offers = request.headers().get(SEC_WEBSOCKET_PROTOCOL);
        if offers.is_some_and(|offers| offers.as_bytes().starts_with(b"ocpp")) {
            let text =
                "chargers connect to /ocpp/{charger}: the address in this one's settings must end in /ocpp\n";
            return plain(StatusCode::NOT_FOUND, text);
        }
        let limit = self.limits.body;
        let mut request = request.map(|body| if body.is_end_stream() { body } else { timed(body, limit) });
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer.address));
        request.extensions_mut().insert(Encrypted(peer.encrypted));
        match self.pages.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    // Tells one for whom there is no place, if that costs little.
    fn turn_down(&self, stream: TcpStream) {
        let Ok(permit) = Arc::clone(&self.turned_down).try_acquire_owned() else { return };
        tokio::spawn(async move {
            const PATIENCE: Duration = Duration::from_secs(2);
            let service = service_fn(async |_: Request<Incoming>| {
                let mut response =
                    plain(StatusCode::SERVICE_UNAVAILABLE, "too many connections; try again in a while\n");
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("30"));
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                Ok::<_, Infallible>(response)
            });
            // Heard or not, it is over.
            let _ =
                timeout(PATIENCE, builder(PATIENCE).serve_connection(TokioIo::new(stream), service)).await;
            drop(permit);
        });
    }
}

struct Encryption {
    certificate: Option<Arc<str>>,
}

fn builder(head: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(BUFFER);
    builder
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

// A peer that is gone without a word is noticed by the operating system.
fn settle(stream: &TcpStream) {
    const SILENT: Duration = Duration::from_secs(60);
    let socket = SockRef::from(stream);
    let keepalive =
        TcpKeepalive::new().with_time(SILENT).with_interval(Duration::from_secs(15)).with_retries(4);
    let set = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    #[cfg(target_os = "linux")]
    let set = set.and_then(|()| socket.set_tcp_user_timeout(Some(SILENT)));
    if let Err(error) = set {
        tracing::debug!(%error, "a socket does not take its options");
    }
}

// The body of a request that must have come within a time: its end is an error, not a shorter body.
fn timed(body: Body, limit: Duration) -> Body {
    let deadline = Moment::now() + limit;
    let chunks = stream::unfold(body.into_data_stream(), move |mut body| async move {
        let chunk = match tokio::time::timeout_at(deadline, body.next()).await {
            Ok(chunk) => chunk?.map_err(io::Error::other),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the body of the request took too long")),
        };
        Some((chunk, body))
    });
    Body::from_stream(chunks)
}

// The client as a trusted proxy names it: the last address that is not a trusted proxy itself.
fn behind_proxy(peer: &mut Peer, headers: &HeaderMap, proxies: &[IpAddr]) {
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let named: Vec<IpAddr> =
        lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
    if let Some(client) = named.into_iter().rev().find(|address| !proxies.contains(&address.to_canonical())) {
        peer.address = SocketAddr::new(client, peer.address.port());
    }
    let protocol = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    peer.encrypted |=
        protocol.is_some_and(|name| name.eq_ignore_ascii_case("https") || name.eq_ignore_ascii_case("wss"));
}

/// So many per second on average, with a second's worth at once.
struct Pace {
    span: Duration,
    next: Moment,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        Self { span: Duration::from_secs(1) / per_second.max(1), next: Moment::now() }
    }

    async fn keep(&mut self) {
        const BURST: Duration = Duration::from_secs(1);
        let now = Moment::now();
        self.next = self.next.max(now) + self.span;
        if self.next > now + BURST {
            sleep_until(self.next - BURST).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_names_the_client_and_a_client_cannot_name_another() {
        let proxy: IpAddr = "192.0.2.9".parse().unwrap();
        let seats = Seats::new(Limits { proxies: vec![proxy], ..Limits::default() });
        let seat = seats.enter(proxy, Moment::now()).unwrap();
        let mut peer = Peer { address: SocketAddr::new(proxy, 5), encrypted: false, certificate: None, seat };
        let mut headers = HeaderMap::new();
        // The client said it was 10.0.0.1; the proxy added where it really came from.
        headers.insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1, 198.51.100.7, 192.0.2.9"));
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        behind_proxy(&mut peer, &headers, &[proxy]);
        assert_eq!(peer.address.to_string(), "198.51.100.7:5");
        assert!(peer.encrypted);
    }
}
