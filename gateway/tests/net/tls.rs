//! TLS and certificates of our own authority: security profiles 2 and 3, new certificates and revoked ones without a restart.

use crate::net_support::*;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use takst_engine::units::Instant;
use takst_gateway::pki::{Authority, Kind, PkiError};
use takst_gateway::tls::Files;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn now() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Instant(since.as_millis().try_into().unwrap())
}

/// An authority with a server's certificate.
struct Pki {
    dir: tempfile::TempDir,
    authority: Authority,
    server: (PathBuf, PathBuf),
}

fn pki() -> Pki {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::init(&dir.path().join("pki"), "Test authority", now()).unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = authority.server(&names, 30, now()).unwrap();
    Pki { dir, authority, server: (made.certificate, made.key.unwrap()) }
}

impl Pki {
    fn files(&self, clients: bool) -> Files {
        Files {
            certificate: self.server.0.clone(),
            key: self.server.1.clone(),
            client_ca: clients.then(|| self.authority.certificate_path()),
        }
    }

    // A client that trusts the authority, with a certificate of its own or without.
    fn client(&self, own: Option<(&str, &[u8])>) -> Arc<rustls::ClientConfig> {
        client(self.authority.certificate(), own)
    }

    fn charger(&self, id: &str) -> (String, Vec<u8>) {
        let made = self.authority.charger(id, 30, now()).unwrap();
        (made.chain, std::fs::read(made.key.unwrap()).unwrap())
    }
}

pub fn client(authority: &str, own: Option<(&str, &[u8])>) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match own {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key).unwrap()).unwrap()
        }
    })
}

async fn secure(pki: &Pki, clients: bool) -> Bench {
    bench_with(|options| {
        options.listen_tls = std::mem::take(&mut options.listen);
        options.tls = Some(pki.files(clients));
        options.tls_check = Duration::from_millis(100);
    })
    .await
}

fn url(bench: &Bench, charger: &str) -> String {
    format!("wss://localhost:{}/ocpp/{charger}", bench.address.port())
}

#[test]
fn profile_2_is_tls_with_a_password() {
    run(async {
        let pki = pki();
        let bench = secure(&pki, false).await;
        bench.allow("CP1", |rule| (rule.password, rule.encrypted) = (Some(b"secret".to_vec()), true));
        let password = basic("CP1", b"secret");
        let url = url(&bench, "CP1");
        let mut plug =
            Plug::connect_tls(&url, &["ocpp2.0.1"], Some(&password), pki.client(None)).await.unwrap();
        plug.boot().await;
        assert!(plug.call("Heartbeat", json!({})).await["currentTime"].is_string());
        assert!(bench.desk.knocks.lock().unwrap()[0].encrypted);
        // One that does not know our authority does not talk to us; one that speaks no TLS gets no answer; others are served.
        let stranger = Authority::init(&pki.dir.path().join("other"), "Another", now()).unwrap();
        assert!(
            Plug::connect_tls(&url, &["ocpp2.0.1"], None, client(stranger.certificate(), None))
                .await
                .is_err()
        );
        let answer = raw(bench.address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
        until("both are counted", || bench.count("takst_tls_failed_total") >= 2).await;
        assert!(plug.call("Heartbeat", json!({})).await["currentTime"].is_string());
    });
}

#[test]
fn profile_3_is_a_certificate_of_our_own_authority() {
    run(async {
        let pki = pki();
        let bench = secure(&pki, true).await;
        for charger in ["CP1", "CP2"] {
            bench.allow(charger, |rule| rule.certificate = Some(charger.to_owned()));
        }
        let (chain, key) = pki.charger("CP1");
        let one = pki.client(Some((&chain, &key)));
        let mut plug =
            Plug::connect_tls(&url(&bench, "CP1"), &["ocpp1.6"], None, Arc::clone(&one)).await.unwrap();
        plug.boot().await;
        assert_eq!(bench.desk.knocks.lock().unwrap()[0].certificate.as_deref(), Some("CP1"));
        // Another one's name does not fit the certificate; without one nothing does.
        for (charger, client) in [("CP2", one), ("CP1", pki.client(None))] {
            let refused = Plug::connect_tls(&url(&bench, charger), &["ocpp1.6"], None, client).await;
            assert!(refused.err().unwrap().to_string().contains("403"), "{charger}");
        }
        // A certificate of another authority with the same names is worth nothing, and neither is the server's own.
        let forger = Authority::init(&pki.dir.path().join("forger"), "Test authority", now()).unwrap();
        let forged = forger.charger("CP1", 30, now()).unwrap();
        let forged_key = std::fs::read(forged.key.unwrap()).unwrap();
        let server = (std::fs::read_to_string(&pki.server.0).unwrap(), std::fs::read(&pki.server.1).unwrap());
        for (chain, key) in [(&forged.chain, &forged_key), (&server.0, &server.1)] {
            let client = pki.client(Some((chain, key)));
            assert!(Plug::connect_tls(&url(&bench, "CP1"), &["ocpp1.6"], None, client).await.is_err());
        }
        assert!(plug.call("Heartbeat", json!({})).await["currentTime"].is_string());
    });
}

#[test]
fn a_revoked_certificate_is_refused_without_a_restart() {
    run(async {
        let pki = pki();
        let bench = secure(&pki, true).await;
        bench.allow("CP1", |_| {});
        let (chain, key) = pki.charger("CP1");
        let first = pki.client(Some((&chain, &key)));
        let url = url(&bench, "CP1");
        Plug::connect_tls(&url, &["ocpp1.6"], None, Arc::clone(&first)).await.unwrap();
        assert_eq!(pki.authority.revoke("CP1", now()).unwrap().len(), 1);
        bench.running.as_ref().unwrap().reload().await;
        // The same client, which would go on with its earlier handshake if it could.
        assert!(Plug::connect_tls(&url, &["ocpp1.6"], None, first).await.is_err());
        let (chain, key) = pki.charger("CP1");
        Plug::connect_tls(&url, &["ocpp1.6"], None, pki.client(Some((&chain, &key)))).await.unwrap();
        assert_eq!(pki.authority.revoke("CP1", now()).unwrap().len(), 1, "the first one was revoked before");
    });
}

#[test]
fn a_new_server_certificate_is_used_without_a_restart_and_a_bad_one_is_not() {
    run(async {
        let pki = pki();
        let bench = secure(&pki, false).await;
        bench.allow("CP1", |_| {});
        let mut plug =
            Plug::connect_tls(&url(&bench, "CP1"), &["ocpp1.6"], None, pki.client(None)).await.unwrap();
        let shown = async || {
            let stream = tokio::net::TcpStream::connect(bench.address).await.unwrap();
            let connector = tokio_rustls::TlsConnector::from(pki.client(None));
            let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
            stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
        };
        let before = shown().await;
        std::fs::write(&pki.server.0, "no certificate").unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(shown().await, before, "what was read before stays in use");
        pki.authority.server(&["localhost".to_owned()], 30, now()).unwrap();
        let mut changed = false;
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            changed |= shown().await != before;
        }
        assert!(changed, "the new one is shown");
        plug.boot().await;
    });
}

#[test]
fn the_request_of_a_charger_is_signed_for_its_own_name_only() {
    let pki = pki();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["CP2".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "CP2");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let request = params.serialize_request(&key).unwrap().pem().unwrap();
    let made = pki.authority.sign(&request, "CP1", 30, now()).unwrap();
    assert_eq!(made.key, None, "its key stays its own");
    let der = CertificateDer::from_pem_slice(made.chain.as_bytes()).unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
    let name = parsed.subject().iter_common_name().next().unwrap().as_str().unwrap();
    assert_eq!(name, "CP1");
    assert!(!parsed.is_ca());
    assert!(parsed.subject_alternative_name().unwrap().is_none());
    assert!(parsed.extended_key_usage().unwrap().unwrap().value.client_auth);
    assert!(!parsed.extended_key_usage().unwrap().unwrap().value.server_auth);
    // What is no request, or is not signed by its own key.
    let mut broken = request.clone().into_bytes();
    let place = request.len() / 2;
    broken[place] = if broken[place] == b'A' { b'B' } else { b'A' };
    for bad in ["", "hello", &String::from_utf8(broken).unwrap()] {
        assert!(matches!(pki.authority.sign(bad, "CP1", 30, now()), Err(PkiError::Input(_))), "{bad}");
    }
    assert_eq!(pki.authority.list().unwrap().len(), 2);
    // It works where it matters.
    run(async {
        let bench = secure(&pki, true).await;
        bench.allow("CP1", |rule| rule.certificate = Some("CP1".to_owned()));
        let client = pki.client(Some((&made.chain, key.serialize_pem().as_bytes())));
        Plug::connect_tls(&url(&bench, "CP1"), &["ocpp2.0.1"], None, client).await.unwrap();
    });
}

#[test]
fn keys_are_private_and_an_authority_is_not_overwritten() {
    let pki = pki();
    let home = pki.authority.certificate_path().parent().unwrap().to_owned();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&home), 0o700);
        assert_eq!(mode(&home.join("ca.key")), 0o600);
        assert_eq!(mode(&pki.server.1), 0o600);
    }
    let before = std::fs::read(home.join("ca.key")).unwrap();
    let again = Authority::init(&home, "again", now());
    assert!(matches!(&again, Err(PkiError::Input(why)) if why.contains("already")));
    assert_eq!(std::fs::read(home.join("ca.key")).unwrap(), before);
    let list = pki.authority.list().unwrap();
    assert_eq!((list.len(), list[0].kind, list[0].name.as_str()), (1, Kind::Server, "localhost"));
    let nobody = pki.authority.revoke("CP9", now());
    assert!(matches!(&nobody, Err(PkiError::Input(why)) if why.contains("takst pki list")));
    let none = Authority::open(&pki.dir.path().join("none"));
    assert!(matches!(&none, Err(PkiError::Input(why)) if why.contains("takst pki init")));
    for bad in ["", &"x".repeat(65), "a\nb"] {
        assert!(pki.authority.charger(bad, 1, now()).is_err(), "{bad}");
    }
}

#[test]
fn tls_that_goes_no_further_is_not_waited_for() {
    run(async {
        let pki = pki();
        let bench = bench_with(|options| {
            options.listen_tls = std::mem::take(&mut options.listen);
            options.tls = Some(pki.files(false));
            options.limits.head = Duration::from_millis(400);
        })
        .await;
        // The head of a record, and no more.
        let mut stream = tokio::net::TcpStream::connect(bench.address).await.unwrap();
        stream.write_all(&[0x16, 0x03, 0x01, 0x02]).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(3), stream.read_to_end(&mut answer)).await.unwrap();
        until("its place is free", || bench.running.as_ref().unwrap().connections() == 0).await;
    });
}
