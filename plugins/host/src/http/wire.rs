//! Requests over the network: resolve the name, look at every address, connect to one of exactly those, TLS with the name, one request.
//!
//! There are no redirects, no proxies, no cookies, and no second look-up of the name between the check and the connection.

use super::address;
use super::failed;
use super::tls::Configs;
use super::transport::{Outgoing, Transport};
use crate::model::http::{Failure, Response, SendError};
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use url::{Host, Url};

// A name or a connection that takes longer is not going to be there.
const CONNECT: Duration = Duration::from_secs(5);
// Headers of an answer.
const HEADERS: usize = 64 * 1024;
const HEADER_COUNT: usize = 128;

/// Names to addresses.
pub trait Resolver: Send + Sync {
    /// All addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>>;
}

/// The machine's own resolver.
#[derive(Clone, Copy, Default, Debug)]
pub struct System;

impl Resolver for System {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
        })
    }
}

/// The network.
pub struct Wire {
    resolver: Arc<dyn Resolver>,
    configs: Configs,
}

impl Default for Wire {
    fn default() -> Self {
        Self::new(Arc::new(System))
    }
}

impl Wire {
    /// With a resolver.
    #[must_use]
    pub fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, configs: Configs::default() }
    }

    // The addresses to connect to: all of them open, or granted.
    async fn addresses(&self, request: &Outgoing) -> Result<Vec<SocketAddr>, SendError> {
        let port = request.url.port_or_known_default().unwrap_or(443);
        let nowhere = |what: String| failed(Failure::NoConnection, what);
        let (name, found) = match request.url.host() {
            Some(Host::Ipv4(address)) => (address.to_string(), vec![IpAddr::V4(address)]),
            Some(Host::Ipv6(address)) => (address.to_string(), vec![IpAddr::V6(address)]),
            Some(Host::Domain(name)) => {
                let found = tokio::time::timeout(CONNECT, self.resolver.resolve(name))
                    .await
                    .map_err(|_| {
                        nowhere(format!("the name {name} was not resolved within {} s", CONNECT.as_secs()))
                    })?
                    .map_err(|error| nowhere(format!("the name {name} was not resolved: {error}")))?;
                (name.to_owned(), found)
            }
            None => return Err(failed(Failure::Denied, "the address has no host")),
        };
        if found.is_empty() {
            return Err(nowhere(format!("the name {name} has no address")));
        }
        // One bad address is enough: a name that points inside and outside is a trick or a mistake.
        for one in &found {
            let granted = request.reach.addresses.iter().any(|range| range.has(*one));
            if let Some(what) = address::closed(*one).filter(|_| !granted) {
                return Err(failed(
                    Failure::Denied,
                    format!("{name} is at {one}, {what}; for its host in the grant: addresses = [\"{one}\"]"),
                ));
            }
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    async fn deliver(&self, request: Outgoing) -> Result<Response, SendError> {
        let addresses = self.addresses(&request).await?;
        let stream = connect(&addresses).await?;
        if request.url.scheme() == "http" {
            return exchange(stream, request).await;
        }
        let config = self
            .configs
            .get(request.reach.root.as_ref())
            .map_err(|error| failed(Failure::NoConnection, error))?;
        let name = server_name(&request.url)?;
        let handshake = tokio_rustls::TlsConnector::from(config).connect(name, stream);
        let stream = tokio::time::timeout(CONNECT, handshake)
            .await
            .map_err(|_| failed(Failure::NoConnection, format!("no TLS within {} s", CONNECT.as_secs())))?
            .map_err(|error| failed(Failure::NoConnection, format!("TLS: {error}")))?;
        exchange(stream, request).await
    }
}

impl Transport for Wire {
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(self.deliver(request))
    }
}

fn server_name(url: &Url) -> Result<ServerName<'static>, SendError> {
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).ok(),
        Some(Host::Ipv4(address)) => Some(ServerName::from(IpAddr::V4(address))),
        Some(Host::Ipv6(address)) => Some(ServerName::from(IpAddr::V6(address))),
        None => None,
    };
    name.ok_or_else(|| failed(Failure::NoConnection, "no certificate can be for this host name"))
}

// Connects to the first that answers. The addresses are those that were checked: nothing is resolved here.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, SendError> {
    let mut last = String::new();
    for address in addresses {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small requests: waiting for more helps nobody. Without it they are only slower.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = format!("{address}: {error}"),
            Err(_) => last = format!("{address}: no connection within {} s", CONNECT.as_secs()),
        }
    }
    Err(failed(Failure::NoConnection, last))
}

// From the first byte of the request on, the other side may have acted on it.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Outgoing,
) -> Result<Response, SendError> {
    let most = request.most;
    let outgoing = head(&request).body(Full::new(Bytes::from(request.body)));
    let outgoing =
        outgoing.map_err(|error| failed(Failure::Denied, format!("the request is not valid: {error}")))?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEADERS)
        .max_headers(HEADER_COUNT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(Failure::NoConnection, format!("no HTTP connection: {error}")))?;
    // Ends with this function, whatever the other side does.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let lost = |error: hyper::Error| failed(Failure::Lost, format!("the answer was lost: {error}"));
    let answer = sender.send_request(outgoing).await.map_err(lost)?;
    let (parts, mut body) = answer.into_parts();
    let mut left = most;
    let mut take = |bytes: usize| {
        left = left.checked_sub(u64::try_from(bytes).unwrap_or(u64::MAX))?;
        Some(())
    };
    let too_large = || {
        failed(
            Failure::TooLarge,
            format!("the answer has more than the {most} bytes that are left to this call"),
        )
    };
    let mut headers = Vec::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        take(name.as_str().len().saturating_add(value.len())).ok_or_else(too_large)?;
        headers.push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(lost)?.into_data() {
            take(data.len()).ok_or_else(too_large)?;
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Response { status: parts.status.as_u16(), headers, body: bytes })
}

fn head(request: &Outgoing) -> hyper::http::request::Builder {
    let url = &request.url;
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut head = hyper::Request::builder().method(request.method.as_str()).uri(target).header("host", host);
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
        head = head.header("user-agent", concat!("takst/", env!("CARGO_PKG_VERSION")));
    }
    for (name, value) in &request.headers {
        head = head.header(name, value);
    }
    head
}
