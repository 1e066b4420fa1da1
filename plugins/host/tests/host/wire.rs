//! Requests over a real network, to a server of ours with TLS.

use crate::server::{self, Server};
use crate::support::{act, actor_code, host_with, installation, refused, said, stopped};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use takst_plugins::grant::Grant;
use takst_plugins::http::wire::{Resolver, Wire};
use takst_plugins::model::Outcome;
use takst_plugins::{Kind, Plugin};

/// Answers in turn, the last one for ever.
#[derive(Default)]
struct Names {
    answers: Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>,
    asked: AtomicU32,
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut all = self.answers.lock().unwrap();
        let answer = match all.get_mut(name) {
            Some(turns) if turns.len() > 1 => Ok(turns.remove(0)),
            Some(turns) => Ok(turns[0].clone()),
            None => Err(std::io::Error::new(std::io::ErrorKind::NotFound, "no such name")),
        };
        Box::pin(async { answer })
    }
}

struct Net {
    server: Server,
    names: Arc<Names>,
    plugin: Plugin,
}

const HOSTS: [&str; 6] =
    ["shop.test", "inside.test", "mixed.test", "rebind.test", "nowhere.test", "127.0.0.1"];

// All hosts are asked for and granted at the server's port, all methods and paths; only 127.0.0.1 is granted as an address, and only
// where it says so.
async fn net(plain: bool, limits: &str) -> Net {
    let server = server::start(plain).await;
    let port = server.address.port();
    let names = Arc::new(Names::default());
    let addresses = |all: &[&[&str]]| -> Vec<Vec<IpAddr>> {
        all.iter().map(|turn| turn.iter().map(|text| text.parse().unwrap()).collect()).collect()
    };
    *names.answers.lock().unwrap() = BTreeMap::from([
        ("shop.test".to_owned(), addresses(&[&["127.0.0.1"]])),
        ("inside.test".to_owned(), addresses(&[&["127.0.0.1"]])),
        ("mixed.test".to_owned(), addresses(&[&["127.0.0.1", "169.254.169.254"]])),
        ("rebind.test".to_owned(), addresses(&[&["127.0.0.1"], &["10.0.0.7"]])),
    ]);
    let rules: String = HOSTS
        .iter()
        .map(|host| {
            format!("[[http]]\nhost = \"{host}\"\nport = {port}\nmethods = [\"GET\"]\npaths = [\"/\"]\n")
        })
        .collect();
    let resolver: Arc<dyn Resolver> = Arc::<Names>::clone(&names);
    let host = host_with(Arc::new(Wire::new(resolver)));
    let code = actor_code(&host, &format!("{rules}[limits]\nwall = \"3 s\"\n{limits}"));
    let mut installation = installation(&code.manifest);
    let root = server.root.replace('\n', "\\n");
    let grants: String = HOSTS
        .iter()
        .map(|host| {
            let addresses = if *host == "inside.test" { "" } else { "addresses = [\"127.0.0.1/32\"]\n" };
            format!(
                "[[http]]\nhost = \"{host}\"\nport = {port}\nplain = {plain}\nroot = \"{root}\"\n{addresses}"
            )
        })
        .collect();
    let grants = format!("{grants}[limits]\n{limits}");
    installation.grant = Grant::read("grant.toml", &grants).unwrap_or_else(|error| panic!("{error}"));
    Net { server, names, plugin: host.plugin(&code, installation) }
}

impl Net {
    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.server.address.port())
    }

    fn connections(&self) -> u32 {
        self.server.connections.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_request_goes_out_and_its_answer_comes_back() {
    let net = net(false, "").await;
    let text = said(act(&net.plugin, "http", &net.url("shop.test", "/x?a=b#c"), "").await);
    assert_eq!(text, "200\ncontent-length: 2\nx-mixed: Case\n\nhi");
    let head = net.server.heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("GET /x?a=b HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: shop.test:{}\r\n", net.server.address.port())), "{head}");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let net = net(false, "").await;
    let text = said(act(&net.plugin, "http", &net.url("shop.test", "/redirect"), "").await);
    assert!(text.starts_with("302\nlocation: https://169.254.169.254/latest/"), "{text}");
    assert_eq!(net.connections(), 1);
    // The guest that follows it by itself gets nowhere.
    let (code, _) = refused(act(&net.plugin, "http", "https://169.254.169.254/latest/", "").await);
    assert_eq!(code, "Failure::Denied");
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed() {
    let net = net(false, "").await;
    for (host, words) in [
        ("inside.test", "an address of this machine"),
        ("mixed.test", "169.254.169.254, a link-local address"),
    ] {
        let done = act(&net.plugin, "http", &net.url(host, "/"), "").await;
        assert_eq!(done.usage.sent, 0);
        let (code, detail) = refused(done);
        assert_eq!(code, "Failure::Denied");
        assert!(detail.contains(words) && detail.contains("addresses = [\""), "{detail}");
    }
    assert_eq!(net.connections(), 0);
}

#[tokio::test]
async fn a_name_is_resolved_once_a_request() {
    let net = net(false, "").await;
    // The certificate is for another name: the connection was made to the address that was looked at, and nothing was sent.
    let (code, detail) = refused(act(&net.plugin, "http", &net.url("rebind.test", "/"), "").await);
    assert_eq!((code.as_str(), net.connections()), ("Failure::NoConnection", 1), "{detail}");
    assert!(detail.contains("TLS"), "{detail}");
    assert_eq!(net.names.asked.load(Ordering::SeqCst), 1);
    // The next time the name leads inside.
    let (code, detail) = refused(act(&net.plugin, "http", &net.url("rebind.test", "/"), "").await);
    assert_eq!(code, "Failure::Denied");
    assert!(detail.contains("10.0.0.7"), "{detail}");
    assert_eq!((net.names.asked.load(Ordering::SeqCst), net.connections()), (2, 1));
    assert!(net.server.heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_name_a_server_or_its_certificate_nothing_is_sent() {
    let mut net = net(false, "").await;
    let (code, detail) = refused(act(&net.plugin, "http", &net.url("nowhere.test", "/"), "").await);
    assert_eq!(code, "Failure::NoConnection");
    assert!(detail.contains("nowhere.test was not resolved"), "{detail}");
    // The address by itself is granted; its certificate is for a name.
    assert_eq!(
        refused(act(&net.plugin, "http", &net.url("127.0.0.1", "/"), "").await).0,
        "Failure::NoConnection"
    );
    // A server without TLS is not spoken to without it.
    let plain = server::start(true).await;
    net.server.address = plain.address;
    let (code, _) = refused(act(&net.plugin, "http", &net.url("shop.test", "/"), "").await);
    assert_eq!(code, "Failure::Denied", "another port");
    assert!(net.server.heads.lock().unwrap().is_empty() && plain.heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn answers_that_do_not_come_are_lost() {
    let net = net(false, "").await;
    for path in ["/close", "/half", "/garbage"] {
        let done = act(&net.plugin, "http", &net.url("shop.test", path), "").await;
        assert_eq!(done.usage.sent, 1);
        assert_eq!(refused(done).0, "Failure::Lost", "{path}");
    }
}

#[tokio::test]
async fn answers_that_do_not_end_are_cut() {
    let net = net(false, "").await;
    for path in ["/endless", "/headers"] {
        let began = Instant::now();
        let done = act(&net.plugin, "http", &net.url("shop.test", path), "").await;
        assert_eq!(done.usage.sent, 1);
        let (code, detail) = refused(done);
        assert!(matches!(code.as_str(), "Failure::TooLarge" | "Failure::Lost"), "{path}: {code} {detail}");
        assert!(began.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn a_server_that_hangs_or_drips_is_left() {
    let net = net(false, "").await;
    for path in ["/hang", "/slow"] {
        let done = act(&net.plugin, "http", &net.url("shop.test", path), "").await;
        assert_eq!(stopped(&done, Kind::Time).outcome, Outcome::Unknown, "{path}");
        assert!(done.usage.wall_us < 6_000_000, "{:?}", done.usage);
    }
}

#[tokio::test]
async fn without_tls_only_where_that_is_granted() {
    let net = net(true, "").await;
    let plain = |host: &str| net.url(host, "/").replace("https://", "http://");
    said(act(&net.plugin, "http", &plain("shop.test"), "").await);
    said(act(&net.plugin, "http", &plain("127.0.0.1"), "").await);
    assert_eq!(refused(act(&net.plugin, "http", &plain("inside.test"), "").await).0, "Failure::Denied");
    let net = self::net(false, "").await;
    let (code, detail) = refused(
        act(&net.plugin, "http", &net.url("shop.test", "/").replace("https://", "http://"), "").await,
    );
    assert_eq!(code, "Failure::Denied");
    assert!(detail.contains("plain = true"), "{detail}");
}
