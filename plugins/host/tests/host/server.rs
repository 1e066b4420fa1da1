//! A server of the tests on this machine, with TLS by a root of its own, that answers rightly and wrongly.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

pub struct Server {
    pub address: SocketAddr,
    /// The root's certificate, PEM.
    pub root: String,
    pub connections: Arc<AtomicU32>,
    /// Heads of requests as they came.
    pub heads: Arc<Mutex<Vec<String>>>,
}

/// For the name `shop.test`; without TLS if `plain`.
pub async fn start(plain: bool) -> Server {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["shop.test".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, heads) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (count, kept) = (Arc::clone(&connections), Arc::clone(&heads));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let (acceptor, kept) = (acceptor.clone(), Arc::clone(&kept));
            tokio::spawn(async move {
                if plain {
                    answer(stream, kept).await;
                } else if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, kept).await;
                }
            });
        }
    });
    Server { address, root: issuer.pem(), connections, heads }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    heads: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    heads.lock().unwrap().push(head.clone());
    let path = head.split(' ').nth(1)?.to_owned();
    let mut say = async |text: &str| {
        stream.write_all(text.as_bytes()).await.ok()?;
        stream.flush().await.ok()
    };
    match path.as_str() {
        "/redirect" => {
            say("HTTP/1.1 302 Found\r\nlocation: https://169.254.169.254/latest/\r\ncontent-length: 0\r\n\r\n").await?;
        }
        "/close" => {}
        "/hang" => tokio::time::sleep(Duration::from_secs(60)).await,
        "/half" => say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await?,
        "/garbage" => say("SSH-2.0-OpenSSH_9.9\r\n\r\n").await?,
        "/slow" => {
            say("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await?;
            loop {
                say("x").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        "/endless" => {
            say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
            let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
            loop {
                say(&chunk).await?;
            }
        }
        "/headers" => {
            say("HTTP/1.1 200 OK\r\n").await?;
            loop {
                say(&format!("x: {}\r\n", "y".repeat(1_000))).await?;
            }
        }
        _ => say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Mixed: Case\r\n\r\nhi").await?,
    }
    Some(())
}
