//! A charger on a WebSocket, as far as a test needs one.

#![allow(dead_code, reason = "not every test uses everything")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails panics")]

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async, connect_async_tls_with_config,
};

/// How long anything may take.
pub const SOON: Duration = Duration::from_secs(10);

pub struct Plug {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub response: Response<Option<Vec<u8>>>,
    next: u64,
}

/// The value of an `Authorization` header.
pub fn basic(user: &str, password: &[u8]) -> String {
    use base64::Engine as _;
    let bytes = [user.as_bytes(), b":", password].concat();
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

pub fn request(url: &str, protocols: &[&str], authorization: Option<&str>) -> Request<()> {
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    if !protocols.is_empty() {
        headers.insert("Sec-WebSocket-Protocol", HeaderValue::from_str(&protocols.join(", ")).unwrap());
    }
    if let Some(authorization) = authorization {
        headers.insert("Authorization", HeaderValue::from_str(authorization).unwrap());
    }
    request
}

impl Plug {
    pub async fn connect(
        address: SocketAddr,
        path: &str,
        protocols: &[&str],
        authorization: Option<&str>,
    ) -> Result<Self, Error> {
        let stream = MaybeTlsStream::Plain(TcpStream::connect(address).await?);
        let request = request(&format!("ws://{address}{path}"), protocols, authorization);
        let (socket, response) = timeout(SOON, client_async(request, stream)).await.expect("a handshake")?;
        Ok(Self { socket, response, next: 0 })
    }

    pub async fn connect_tls(
        url: &str,
        protocols: &[&str],
        authorization: Option<&str>,
        config: Arc<rustls::ClientConfig>,
    ) -> Result<Self, Error> {
        let request = request(url, protocols, authorization);
        let connector = Some(Connector::Rustls(config));
        let connected = connect_async_tls_with_config(request, None, false, connector);
        let (socket, response) = timeout(SOON, connected).await.expect("a handshake")?;
        Ok(Self { socket, response, next: 0 })
    }

    /// The status and text with which a connection is refused.
    pub async fn refused(
        address: SocketAddr,
        path: &str,
        protocols: &[&str],
        authorization: Option<&str>,
    ) -> Response<Option<Vec<u8>>> {
        match Self::connect(address, path, protocols, authorization).await {
            Err(Error::Http(response)) => *response,
            Err(error) => panic!("no HTTP answer: {error}"),
            Ok(_) => panic!("{path} was let in"),
        }
    }

    pub fn protocol(&self) -> Option<&str> {
        self.response.headers().get("Sec-WebSocket-Protocol").map(|name| name.to_str().unwrap())
    }

    pub async fn send(&mut self, text: impl Into<String>) {
        timeout(SOON, self.socket.send(Message::Text(text.into().into())))
            .await
            .expect("sent in time")
            .unwrap();
    }

    pub async fn try_send(&mut self, message: Message) -> Result<(), Error> {
        timeout(SOON, self.socket.send(message)).await.expect("sent in time")
    }

    /// The next message of any kind; pings are answered by the way and returned too.
    pub async fn message(&mut self) -> Option<Result<Message, Error>> {
        timeout(SOON, self.socket.next()).await.expect("a message within 10 s")
    }

    /// The next text.
    pub async fn text(&mut self) -> String {
        loop {
            match self.message().await {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no text but {other:?}"),
            }
        }
    }

    pub async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// Whether nothing comes for a while.
    pub async fn is_silent(&mut self, ms: u64) -> bool {
        loop {
            match timeout(Duration::from_millis(ms), self.socket.next()).await {
                Err(_) => return true,
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Ok(_) => return false,
            }
        }
    }

    /// How the connection ends: the close frame, or none when it is gone without one.
    pub async fn end(&mut self) -> Option<CloseFrame> {
        loop {
            match self.message().await {
                Some(Ok(Message::Close(frame))) => return frame,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Asks, and returns the answer's third place: the payload, or the code of a refusal.
    pub async fn call(&mut self, action: &str, payload: Value) -> Value {
        self.next += 1;
        let id = format!("m{}", self.next);
        self.send(json!([2, id, action, payload]).to_string()).await;
        let answer = self.json().await;
        assert_eq!(answer[1], json!(id), "{answer}");
        answer[2].clone()
    }

    /// Asks like [`Self::call`], while requests of the other side may come in between; they are answered with a status.
    pub async fn ask(&mut self, action: &str, payload: Value) -> Value {
        self.next += 1;
        let id = json!(format!("m{}", self.next));
        self.send(json!([2, id, action, payload]).to_string()).await;
        loop {
            let frame = self.json().await;
            if frame[0] == 2 {
                self.send(json!([3, frame[1], {"status": "Accepted"}]).to_string()).await;
            } else if frame[1] == id {
                return frame[2].clone();
            }
        }
    }

    /// The next text, however long it takes.
    pub async fn socket_text(&mut self) -> String {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no text but {other:?}"),
            }
        }
    }

    pub async fn boot(&mut self) {
        let payload = match self.protocol() {
            Some("ocpp2.0.1" | "ocpp2.1") => {
                json!({"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}})
            }
            _ => json!({"chargePointVendor": "V", "chargePointModel": "M"}),
        };
        let answer = self.call("BootNotification", payload).await;
        assert!(answer["currentTime"].is_string(), "{answer}");
    }

    /// Answers the request of ours that comes next; its action.
    pub async fn obey(&mut self, payload: Value) -> String {
        let call = self.json().await;
        assert_eq!(call[0], 2, "{call}");
        self.send(json!([3, call[1], payload]).to_string()).await;
        call[2].as_str().unwrap().to_owned()
    }
}

/// What a server answers to bytes, until it closes.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("an end within 10 s");
    String::from_utf8_lossy(&answer).into_owned()
}

/// An HTTP request without a body; the status and the body.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let answer =
        raw(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    (status, body)
}
