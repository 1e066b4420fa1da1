//! A gateway that is paid through plugins, with providers that are other people's programs on this machine.

use crate::peer::{self, Peer};
use crate::plug::Plug;
use crate::scene::{main, write};
use crate::store_support::*;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use takst_gateway::api::Role;
use takst_gateway::api::access::new_key;
use takst_gateway::gateway::{Gateway, Given, Plan};
use takst_gateway::house::Source;
use takst_gateway::outbox::machine::Rules;
use takst_gateway::outbox::{Backoff, Limits, Options};
use takst_gateway::store::{Lane, Tx};
use takst_gateway::{live, serve};
use takst_plugins::grant::Range;
use takst_plugins::http::transport::{Outgoing, Transport};
use takst_plugins::http::wire::Wire;
use takst_plugins::model::http::{Failure, Response, SendError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Six chargers, four drivers with a card each, 100 NOK a kWh.
const SET_UP: &str = r#"
[[seller]]
id = "s"
name = "S"
bill_series = "A-"
payments = "PLUGIN"

[[site]]
id = "oslo"
name = "Oslo"
time_zone = "Europe/Oslo"
seller = "s"

[[tariff]]
file = "flat.tariff"
site = "oslo"
"#;

const TARIFF: &str = "tariff \"Flat\"\n  currency:  NOK\n  time zone: Europe/Oslo\n  prices:    including VAT\n\nVAT: 25%\n\nenergy: 100.00 NOK/kWh\n";

pub const STRIPE: &str = r#"
[[plugin]]
id = "stripe"
settings = { page = "https://charge.example.com/plugins/stripe", publishable_key = "pk_test_takst" }
secrets = { api_key = { file = "api_key" }, webhook_secret = { file = "webhook_secret" } }
"#;

pub const VIPPS: &str = r#"
[[plugin]]
id = "vipps"
settings = { environment = "test", merchant_serial_number = "123456", client_id = "test-client", webhook_url = "https://charge.example.com/plugins/vipps" }
secrets = { client_secret = { file = "client_secret" }, subscription_key = { file = "subscription_key" }, webhook_secret = { file = "webhook_secret" } }
"#;

pub const WEBHOOK_SECRET: &str = "whsec_takst_1234";

fn script(plugin: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(plugin).join("tests/peer.py")
}

pub fn stripe() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        peer::start(&script("stripe"), scratch, &["localstripe==1.15.10"], 20, &[])
    })
}

/// Without Vipps' own files, which are not in this repository: what is asked is held to them by the plugin's own tests.
pub fn vipps() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| {
        let packages = ["openapi-schema-validator==0.8.1", "PyYAML==6.0.3"];
        peer::start(&script("vipps"), Path::new(env!("CARGO_TARGET_TMPDIR")), &packages, 25, &[])
    })
}

/// What goes wrong with the next request to a path that ends so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// It is not sent.
    NoConnection,
    /// It is done, and the answer is lost.
    Lost,
    /// It is done, and the answer never comes.
    Silence,
}

/// Leads requests to the real hosts to programs on this machine, through the gateway's own wire.
#[derive(Default)]
pub struct Detour {
    wire: Wire,
    to: Mutex<BTreeMap<String, String>>,
    troubles: Mutex<Vec<(String, Trouble)>>,
    /// Methods and paths that were sent.
    pub sent: Mutex<Vec<String>>,
}

impl Detour {
    pub fn new(to: &[(&str, &str)]) -> Arc<Self> {
        let detour = Self::default();
        to.iter().for_each(|(from, to)| detour.lead(from, to));
        Arc::new(detour)
    }

    /// Leads requests to a host to this address.
    pub fn lead(&self, from: &str, to: &str) {
        self.to.lock().unwrap().insert(from.to_owned(), to.to_owned());
    }

    /// The next POST to a path that ends so meets this.
    pub fn meet(&self, path: &str, trouble: Trouble) {
        self.troubles.lock().unwrap().push((path.to_owned(), trouble));
    }

    pub fn count(&self, what: &str) -> usize {
        self.sent.lock().unwrap().iter().filter(|sent| *sent == what).count()
    }
}

fn failed(failure: Failure) -> SendError {
    SendError { failure, detail: "as the test wants it".to_owned() }
}

impl Transport for Detour {
    fn send(&self, mut request: Outgoing) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(async move {
            let host = request.url.host_str().unwrap_or_default().to_owned();
            let to = self.to.lock().unwrap().get(&host).cloned();
            let to = to.unwrap_or_else(|| panic!("{host} is not to be called"));
            let (address, port) = to.strip_prefix("http://").unwrap().split_once(':').unwrap();
            request.url.set_scheme("http").unwrap();
            request.url.set_host(Some(address)).unwrap();
            request.url.set_port(Some(port.parse().unwrap())).unwrap();
            request.reach.addresses = vec![Range::read(address).unwrap()];
            let (method, path) = (request.method.clone(), request.url.path().to_owned());
            let trouble = {
                let mut troubles = self.troubles.lock().unwrap();
                let meets =
                    |(ending, _): &(String, Trouble)| method == "POST" && path.ends_with(ending.as_str());
                troubles.iter().position(meets).map(|at| troubles.remove(at).1)
            };
            if trouble == Some(Trouble::NoConnection) {
                return Err(failed(Failure::NoConnection));
            }
            self.sent.lock().unwrap().push(format!("{method} {path}"));
            let answer = self.wire.send(request).await;
            match trouble {
                Some(Trouble::Lost) => Err(failed(Failure::Lost)),
                Some(Trouble::Silence) => std::future::pending().await,
                _ => answer,
            }
        })
    }
}

/// What came back.
#[derive(Debug)]
pub struct Came {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Came {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

pub async fn http(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Came {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // A request that is refused early is not read to its end.
    _ = stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).await;
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {text}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Came { status, head: head.to_owned(), body: body.to_owned() }
}

/// A request to a peer, as the driver's browser or app makes it, or the test itself.
pub async fn at_peer(peer: &Peer, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let address = peer.address.strip_prefix("http://").unwrap().parse().unwrap();
    let came = http(address, method, path, headers, body.as_bytes()).await;
    assert!(came.status < 300 || came.status == 402, "{method} {path}: {came:?}");
    serde_json::from_str(&came.body).unwrap_or_default()
}

/// Quick rules.
pub fn quick() -> Options {
    let backoff = Backoff { first_ms: 100, longest_ms: 1_000 };
    let rules = Rules { backoff, settle_ms: 300, failures: 100, ..Rules::default() };
    Options { rules, breaker: Limits { failures: u32::MAX, ..Limits::default() }, calls: 8 }
}

/// Rules under which nothing is looked at again for a while, unless somebody hints.
pub fn slow() -> Options {
    let backoff = Backoff { first_ms: 600_000, longest_ms: 600_000 };
    Options { rules: Rules { backoff, ..Rules::default() }, ..quick() }
}

/// The files of the set-up.
pub fn files(paid_through: &str, plugins: &str) -> Vec<(String, String)> {
    let mut text = SET_UP.replace("PLUGIN", paid_through) + plugins;
    for number in 1..=6 {
        text.push_str(&format!(
            "\n[[charger]]\nid = \"O-{number}\"\nsite = \"oslo\"\nsecurity = {{ profile = 0 }}\n\n\
             [[charger.connector]]\ntype = \"Type2\"\nmax_power_kw = 22\n"
        ));
    }
    for number in 1..=4 {
        text.push_str(&format!(
            "\n[[driver]]\nid = \"d-{number}\"\n\n[[token]]\nuid = \"CARD-{number}\"\ndriver = \"d-{number}\"\n"
        ));
    }
    [
        ("takst.toml", text.as_str()),
        ("flat.tariff", TARIFF),
        ("api_key", "sk_test_takst"),
        ("webhook_secret", WEBHOOK_SECRET),
        ("client_secret", "test-client-secret"),
        ("subscription_key", "test-subscription"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into()
}

pub fn put_down(folder: &Path, files: &[(String, String)]) {
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    write(folder, &files);
}

pub fn plan(data: &Path, database: Option<String>, folder: &Path, port: u16) -> Plan {
    let listen = vec![SocketAddr::from(([127, 0, 0, 1], port))];
    Plan {
        data: data.join("data"),
        database,
        source: Source::Path(folder.to_owned()),
        options: serve::Options { listen, ..serve::Options::default() },
        open: false,
        live: live::Options::default(),
    }
}

/// The detour to both providers.
pub fn detour() -> Arc<Detour> {
    let (stripe, vipps) = (&stripe().address, &vipps().address);
    Detour::new(&[("api.stripe.com", stripe), ("apitest.vipps.no", vipps)])
}

pub struct Shop {
    /// None: it is in another process.
    pub gateway: Option<Gateway>,
    pub address: SocketAddr,
    pub key: String,
    pub detour: Arc<Detour>,
}

impl Shop {
    /// With this set-up, which stands under the place.
    pub async fn open(place: &Place, files: &[(String, String)], outbox: Options) -> Self {
        put_down(&place.dir.path().join("setup"), files);
        Self::again(place, outbox).await
    }

    /// With the set-up that is there.
    pub async fn again(place: &Place, outbox: Options) -> Self {
        Self::through(place, outbox, detour()).await
    }

    /// The same with this detour.
    pub async fn through(place: &Place, outbox: Options, detour: Arc<Detour>) -> Self {
        let database = (!place.is_sqlite()).then(|| place.url.clone());
        let plan = plan(place.dir.path(), database, &place.dir.path().join("setup"), 0);
        let given = Given { transport: Some(detour.clone()), outbox, ..Given::default() };
        let gateway = plan.start_with(given).await.unwrap_or_else(|error| panic!("{error}"));
        let (row, key) = new_key("test", Role::Owner, "test").unwrap();
        let unit = async move |tx: &mut Tx| tx.add_api_key(&main(), &row).await;
        gateway.store.write(Lane::org(&main()), unit).await.unwrap();
        let address = gateway.server.addresses()[0];
        Self { gateway: Some(gateway), address, key, detour }
    }

    /// A gateway of another process.
    pub fn elsewhere(address: SocketAddr, key: String) -> Self {
        Self { gateway: None, address, key, detour: Detour::new(&[]) }
    }

    pub async fn ask(&self, method: &str, path: &str, body: Value) -> Came {
        let bearer = format!("Bearer {}", self.key);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http(self.address, method, path, &headers, body.as_bytes()).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let came = self.ask("GET", path, Value::Null).await;
        assert_eq!(came.status, 200, "{path}: {came:?}");
        came.json()
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let came = self.ask("POST", path, body).await;
        assert!((200..300).contains(&came.status), "{path}: {came:?}");
        came.json()
    }

    pub async fn until(&self, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.get(path).await;
            if so(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} is still {last:#}\n{:#}", self.get("/api/v1/outbox").await);
    }

    /// A car takes 0.2 kWh: 20.00 NOK.
    pub async fn charge(&self, charger: &str, card: &str) {
        let mut plug =
            Plug::connect(self.address, &format!("/ocpp/{charger}"), &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let time =
            |s: u64| chrono::DateTime::from_timestamp((now - 60 + s).cast_signed(), 0).unwrap().to_rfc3339();
        let start = json!({"connectorId": 1, "idTag": card, "meterStart": 0, "timestamp": time(0)});
        let started = say(&mut plug, "StartTransaction", start).await;
        assert_eq!(started["idTagInfo"]["status"], "Accepted", "{started}");
        let id = started["transactionId"].clone();
        let stop = json!({"transactionId": id, "idTag": card, "meterStop": 200, "timestamp": time(50)});
        say(&mut plug, "StopTransaction", stop).await;
        let free =
            json!({"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": time(55)});
        say(&mut plug, "StatusNotification", free).await;
    }

    /// The bill of the session at this charger.
    pub async fn bill(&self, charger: &str) -> Value {
        let at = |session: &Value| session["charger"] == charger;
        let sessions = self.until("/api/v1/sessions", |all| all.as_array().unwrap().iter().any(at)).await;
        let session = sessions.as_array().unwrap().iter().find(|session| at(session)).unwrap()["id"].clone();
        let of = |bill: &Value| bill["session"] == session;
        let bills = self.until("/api/v1/bills", |all| all.as_array().unwrap().iter().any(of)).await;
        bills.as_array().unwrap().iter().find(|bill| of(bill)).unwrap().clone()
    }

    /// The one payment of a driver, once it stands so.
    pub async fn payment(&self, driver: &str, status: &str) -> Value {
        let path = format!("/api/v1/payments?debtor=driver:{driver}");
        let all = self.until(&path, |all| all[0]["status"] == status).await;
        let [payment] = <[Value; 1]>::try_from(all.as_array().unwrap().clone()).unwrap();
        payment
    }

    /// Something at the address of a plugin.
    pub async fn outside(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Came {
        http(self.address, method, &format!("/plugins/{path}"), headers, body.as_bytes()).await
    }

    pub async fn stop(self) {
        if let Some(gateway) = self.gateway {
            gateway.server.stop().await;
        }
    }
}

pub async fn say(plug: &mut Plug, action: &str, payload: Value) -> Value {
    plug.send(json!([2, action, action, payload]).to_string()).await;
    loop {
        let frame = plug.json().await;
        if frame[0] == 2 {
            plug.send(json!([3, frame[1], {"status": "Accepted"}]).to_string()).await;
        } else {
            assert_eq!((&frame[0], &frame[1]), (&json!(3), &json!(action)), "{frame}");
            return frame[2].clone();
        }
    }
}

/// HMAC-SHA256 (RFC 2104).
pub fn hmac(secret: &[u8], data: &[u8]) -> Vec<u8> {
    let pad =
        |with: u8| (0..64).map(|at| secret.get(at).copied().unwrap_or_default() ^ with).collect::<Vec<u8>>();
    assert!(secret.len() <= 64);
    let inner = Sha256::digest([pad(0x36), data.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

pub fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// `Stripe-Signature` of a body at a time.
pub fn stripe_signature(body: &str, time: u64) -> String {
    let mac = hmac(WEBHOOK_SECRET.as_bytes(), format!("{time}.{body}").as_bytes());
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

/// The headers with which Vipps signs a body.
pub fn vipps_headers(body: &str) -> Vec<(&'static str, String)> {
    let (date, hash) = ("Thu, 30 Mar 2023 08:38:32 GMT", BASE64_STANDARD.encode(Sha256::digest(body)));
    let signed = format!("POST\n/plugins/vipps\n{date};charge.example.com;{hash}");
    let mac = BASE64_STANDARD.encode(hmac(WEBHOOK_SECRET.as_bytes(), signed.as_bytes()));
    let authorization =
        format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={mac}");
    vec![("x-ms-date", date.to_owned()), ("x-ms-content-sha256", hash), ("authorization", authorization)]
}

pub fn refs<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

const STRIPE_KEY: (&str, &str) = ("authorization", "Bearer sk_test_takst");

/// The payments that Stripe has for one of ours.
pub async fn stripe_payments(payment: &Value) -> Vec<Value> {
    let all = at_peer(stripe(), "GET", "/v1/payment_intents?limit=10000", &[STRIPE_KEY], "").await;
    let mine = |one: &&Value| one["metadata"]["takst_reference"] == payment["id"];
    all["data"].as_array().unwrap().iter().filter(mine).cloned().collect()
}

/// The driver says yes to his bank.
pub async fn says_yes(payment: &Value) {
    let path = format!("/v1/payment_intents/{}", payment["reference"].as_str().unwrap());
    let intent = at_peer(stripe(), "GET", &path, &[STRIPE_KEY], "").await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let fields = format!("client_secret={}&success=true", intent["client_secret"].as_str().unwrap());
    at_peer(stripe(), "POST", &format!("{path}/_authenticate"), &[STRIPE_KEY, form], &fields).await;
}

impl Shop {
    /// A driver saves a card on Stripe's page. `hinted`: Stripe says so.
    pub async fn save_card(&self, driver: &str, number: &str) {
        let path = format!("/api/v1/drivers/{driver}/instruments");
        self.post(&path, json!({ "plugin": "stripe", "return_to": "https://me.example/" })).await;
        let all = self.until(&path, |all| all[0]["next"].is_string()).await;
        let next = all[0]["next"].as_str().unwrap();
        let (_, query) = next.split_once("https://charge.example.com/plugins/stripe/pay?id=").unwrap();
        let (intent, _) = query.split_once('&').unwrap();
        let fields = format!(
            "payment_method_data[type]=card&payment_method_data[card][number]={number}&payment_method_data[card][exp_month]=12\
             &payment_method_data[card][exp_year]=2030&payment_method_data[card][cvc]=123"
        );
        let form = ("content-type", "application/x-www-form-urlencoded");
        let confirm = format!("/v1/setup_intents/{intent}/confirm");
        let confirmed = at_peer(stripe(), "POST", &confirm, &[STRIPE_KEY, form], &fields).await;
        if confirmed["status"] == "requires_action" {
            // His bank has asked him, and he has said yes.
            at_peer(stripe(), "POST", &confirm, &[STRIPE_KEY, form], "").await;
        }
        let body = json!({ "id": format!("evt_{intent}"), "type": "setup_intent.succeeded", "data": { "object": { "id": intent } } });
        let body = body.to_string();
        let signature = stripe_signature(&body, now_s());
        let heard = self.outside("POST", "stripe/events", &[("Stripe-Signature", &signature)], &body).await;
        assert_eq!((heard.status, heard.body.as_str()), (200, ""), "{heard:?}");
        self.until(&path, |all| all[0]["status"] == "ready").await;
    }
}
