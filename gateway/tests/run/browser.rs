//! A real browser, driven by WebDriver: Chromium with its driver, and as much of a client as the tests need.

#![allow(dead_code, unreachable_pub, reason = "not every test uses everything")]

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take: the machine may be busy.
pub const SOON: Duration = Duration::from_secs(30);

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// One request on a connection of its own. `head` are further lines of the head; without a `Host` there it is the address.
pub fn http(address: SocketAddr, method: &str, path: &str, head: &[&str], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON * 2)).unwrap();
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !head.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
        request.push_str(&format!("Host: {address}\r\n"));
    }
    for line in head.iter().filter(|line| !line.is_empty()) {
        request.push_str(&format!("{line}\r\n"));
    }
    stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    // A server that has seen enough may close before all is sent.
    let _ = stream.write_all(body);
    // Not every server closes when it is asked to: its head says how much there is.
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = Vec::new();
    let _ = reader.take(length.unwrap_or(u64::MAX)).read_to_end(&mut body);
    let body = String::from_utf8_lossy(&body).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Answer { status, head, body }
}

/// A page in a browser without a window.
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            http(self.address, "DELETE", &format!("/session/{}", self.session), &["Host: localhost"], b"");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    pub fn start() -> Self {
        let driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = driver.expect(
            "the tests need Chromium and its driver (Debian: apt-get install chromium chromium-driver)",
        );
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("the driver says its port");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut browser = Self { driver, address, session: String::new() };
        // In a container there is no sandbox, and little shared memory.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let answer = browser.ask("POST", "/session", &wanted);
        browser.session = answer["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let answer = http(
            self.address,
            method,
            path,
            &["Host: localhost", "Content-Type: application/json"],
            body.as_bytes(),
        );
        let value: Value =
            serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}: {answer:?}"));
        assert_eq!(answer.status, 200, "{method} {path}: {value}");
        value["value"].clone()
    }

    fn at(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}/{path}", self.session), body)
    }

    pub fn open(&self, page: &str) {
        self.at("url", &json!({ "url": page }));
    }

    /// What a script gives back.
    pub fn eval(&self, script: &str) -> Value {
        self.at("execute/sync", &json!({"script": format!("return {script}"), "args": []}))
    }

    pub fn text(&self, script: &str) -> String {
        let value = self.eval(script);
        value.as_str().unwrap_or_else(|| panic!("{script} is {value}")).to_owned()
    }

    /// Until a script says true.
    #[track_caller]
    pub fn wait(&self, script: &str) {
        let begin = Instant::now();
        while self.eval(script) != json!(true) {
            assert!(begin.elapsed() < SOON, "never true: {script}\n{}", self.eval("document.body.innerText"));
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    fn cdp(&self, command: &str, parameters: &Value) -> Value {
        self.at("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// How large the window is, and whether it is a telephone's.
    pub fn size(&self, width: u32, height: u32, phone: bool) {
        let scale = if phone { 2 } else { 1 };
        let parameters =
            json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone});
        self.cdp("Emulation.setDeviceMetricsOverride", &parameters);
    }

    pub fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        self.cdp(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": value}]}),
        );
    }

    /// Pictures for the eye, where somebody wants them: in the folder that TAKST_SCREENSHOTS names.
    pub fn picture(&self, name: &str) {
        use base64::Engine as _;
        let Some(folder) = std::env::var_os("TAKST_SCREENSHOTS") else { return };
        let taken =
            self.cdp("Page.captureScreenshot", &json!({"format": "png", "captureBeyondViewport": true}));
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }

    /// Where the middle of an element is.
    pub fn middle(&self, css: &str) -> (i64, i64) {
        let script = format!(
            "(() => {{ const e = document.querySelector('{css}'); e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect(); \
             return [Math.round(b.left + b.width / 2), Math.round(b.top + b.height / 2)]; }})()"
        );
        let at = self.eval(&script);
        (at[0].as_i64().unwrap(), at[1].as_i64().unwrap())
    }

    fn pointer(&self, actions: &Value) {
        self.at("actions", &json!({"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}]}));
    }

    pub fn hover(&self, css: &str) {
        let (x, y) = self.middle(css);
        self.pointer(&json!([{"type": "pointerMove", "x": x, "y": y, "duration": 30}]));
    }

    pub fn click(&self, css: &str) {
        let (x, y) = self.middle(css);
        self.pointer(&json!([{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]));
    }

    /// Takes hold of an element in its middle and moves it in several steps.
    pub fn drag(&self, css: &str, (right, down): (i64, i64)) {
        let (x, y) = self.middle(css);
        let mut actions =
            vec![json!({"type": "pointerMove", "x": x, "y": y}), json!({"type": "pointerDown", "button": 0})];
        for step in 1..=5 {
            let (x, y) = (x + right * step / 5, y + down * step / 5);
            actions.push(json!({"type": "pointerMove", "x": x, "y": y, "duration": 40}));
        }
        actions.push(json!({"type": "pointerUp", "button": 0}));
        self.pointer(&Value::Array(actions));
    }

    /// Keys to what has the focus; special ones as WebDriver has them.
    pub fn keys(&self, text: &str) {
        let actions: Vec<Value> = text
            .chars()
            .flat_map(|key| {
                [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
            })
            .collect();
        self.at("actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]}));
    }

    /// What the page complained of, refused styles and scripts among it.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.at("se/log", &json!({"type": "browser"}));
        log.as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["level"] != "INFO")
            .map(|entry| entry["message"].to_string())
            .collect()
    }
}
