//! A price server on this machine, with TLS by a root of its own. What it answers is said by the test.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta};
use chrono_tz::{Europe::Oslo, Tz};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What is answered: status, a further header, body.
pub type Answer = (u16, Option<String>, String);
type Script = dyn Fn(&str, usize) -> Answer + Send + Sync;

pub struct Server {
    pub address: SocketAddr,
    /// The root's certificate, PEM.
    pub root: String,
    /// Paths that were asked for.
    pub asked: Arc<Mutex<Vec<String>>>,
}

/// A server whose answers follow from the path and how often it was asked for before.
pub async fn start(script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Server {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (script, kept): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&asked));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, acceptor.clone(), Arc::clone(&script), Arc::clone(&kept)));
        }
    });
    Server { address, root: issuer.pem(), asked }
}

async fn answer(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut stream = acceptor.accept(stream).await.ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1)?.to_owned();
    let before = {
        let mut asked = asked.lock().unwrap();
        let before = asked.iter().filter(|known| **known == path).count();
        asked.push(path.clone());
        before
    };
    let (status, header, body) = script(&path, before);
    let header = header.map(|header| format!("{header}\r\n")).unwrap_or_default();
    let length = body.len();
    let text =
        format!("HTTP/1.1 {status} X\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

impl Server {
    /// A grant for a plugin whose setting `address` leads here.
    pub fn grant(&self) -> String {
        format!(
            "[[http]]\nhost = \"{{{{setting:address}}}}\"\naddresses = [\"127.0.0.1\"]\nroot = \"\"\"\n{}\"\"\"\n",
            self.root
        )
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// A day as hvakosterstrommen.no has it, all hours at one price.
pub fn day(date: NaiveDate, price: &str) -> String {
    let midnight = |date: NaiveDate| -> DateTime<Tz> {
        date.and_hms_opt(0, 0, 0).unwrap().and_local_timezone(Oslo).unwrap()
    };
    let (mut at, end) = (midnight(date), midnight(date.succ_opt().unwrap()));
    let mut hours = Vec::new();
    while at < end {
        let next = at + TimeDelta::hours(1);
        let text = |at: DateTime<Tz>| at.to_rfc3339_opts(SecondsFormat::Secs, false);
        hours.push(format!(
            "{{\"NOK_per_kWh\":{price},\"EUR_per_kWh\":0.1,\"EXR\":11.3,\"time_start\":\"{}\",\"time_end\":\"{}\"}}",
            text(at),
            text(next)
        ));
        at = next;
    }
    format!("[{}]", hours.join(","))
}

/// The day that a path asks for: `/api/v1/prices/2026/06-10_NO1.json`.
pub fn asked_day(path: &str) -> NaiveDate {
    let rest = path.strip_prefix("/api/v1/prices/").unwrap_or_else(|| panic!("{path}"));
    let (date, _) = rest.split_once('_').unwrap();
    date.replace('/', "-").parse().unwrap()
}
