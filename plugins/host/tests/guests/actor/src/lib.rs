//! Does what a message says, nearly all of it bad: `kind` is the deed, `to` and `text` and `more` are what it needs.

use takst_plugin_sdk::bindings::host::takst::plugin::{host_http, host_log};
use takst_plugin_sdk::{
    Configuration, Error, Finding, Options, Outcome, clock, crypto, kv, messages, payments,
};

struct Actor;

impl Configuration for Actor {
    fn check(settings: Options) -> Vec<Finding> {
        settings.into_iter().map(|(setting, text)| Finding { setting, text, error: false }).collect()
    }
}

fn error(code: &str, detail: impl Into<String>) -> Error {
    Error { code: code.into(), outcome: Outcome::NotDone, detail: detail.into(), retry_after: None }
}

fn deed(m: &messages::Message) -> Result<String, Error> {
    let number = || m.text.parse::<usize>().unwrap();
    match m.kind.as_str() {
        "echo" => Ok(m.text.clone()),
        "refuse" => Err(error("refused-here", m.text.clone())),
        "panic" => panic!("{}", m.text),
        "divide" => Ok((1 / std::hint::black_box(0)).to_string()),
        "loop" => loop {
            std::hint::black_box(0);
        },
        "log-loop" => loop {
            host_log::write(host_log::Level::Info, &m.text);
        },
        "kv-loop" => loop {
            kv::get("x");
        },
        "memory" => {
            let mut all = Vec::new();
            loop {
                all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
            }
        }
        "stack" => Ok(deep(1).to_string()),
        "log" => {
            host_log::write(host_log::Level::Warn, &m.text);
            Ok(String::new())
        }
        "log-flood" => {
            for index in 0..number() {
                host_log::write(host_log::Level::Info, &format!("{index} {}", "x".repeat(2_000)));
            }
            Ok(String::new())
        }
        "kv-set" => kv::set(&m.to, m.text.as_bytes()).map(|()| String::new()).map_err(|e| error("kv", e)),
        "kv-get" => Ok(kv::get(&m.to).map_or("nothing".into(), |v| String::from_utf8_lossy(&v).into_owned())),
        "kv-delete" => {
            kv::delete(&m.to);
            Ok(kv::names("").join(","))
        }
        "kv-names" => Ok(kv::names(&m.to).join(",")),
        "kv-set-panic" => {
            kv::set(&m.to, m.text.as_bytes()).unwrap();
            panic!("after set")
        }
        "kv-set-error" => {
            kv::set(&m.to, m.text.as_bytes()).unwrap();
            Err(error("after-set", ""))
        }
        "kv-flood" => {
            let mut kept = 0;
            loop {
                match kv::set(&format!("k{kept}"), &vec![7; 50_000]) {
                    Ok(()) => kept += 1,
                    Err(text) => break Ok(format!("{kept} {text}")),
                }
            }
        }
        // Many small names; how many were taken.
        "kv-many" => {
            let mut kept = 0;
            let refused = (0..5_000).find_map(|number| match kv::set(&format!("n{number}"), b"") {
                Ok(()) => {
                    kept += 1;
                    None
                }
                Err(text) => Some(text),
            });
            Ok(format!("{kept} {}", refused.unwrap_or_default()))
        }
        // Names that come and go, and one that stays.
        "kv-churn" => {
            for number in 0..1_000 {
                let name = format!("c{number}");
                kv::set(&name, b"x").map_err(|e| error("kv", e))?;
                kv::delete(&name);
            }
            kv::set("stays", b"x").map_err(|e| error("kv", e))?;
            Ok(String::new())
        }
        "kv-clear" => loop {
            let names = kv::names("");
            if names.is_empty() {
                break Ok(String::new());
            }
            names.iter().for_each(|name| kv::delete(name));
        },
        "http" => send(m),
        "http-panic" => {
            let answer = send(m);
            panic!("after {answer:?}")
        }
        "http-loop" => {
            let _ = send(m);
            loop {
                std::hint::black_box(0);
            }
        }
        "http-many" => {
            let mut words = Vec::new();
            for _ in 0..number() {
                words.push(send(m).map_or_else(|e| e.code, |_| "ok".into()));
            }
            Ok(words.join(","))
        }
        "huge" => Ok("x".repeat(number())),
        "hand-over" => Ok(crypto::digest(crypto::Hash::Sha256, &vec![1; number()]).len().to_string()),
        "list-bomb" => {
            // A million headers that are all the same megabyte of this memory.
            let text = "x".repeat(1 << 20);
            let same = || unsafe { String::from_raw_parts(text.as_ptr().cast_mut(), text.len(), 0) };
            let headers = (0..number()).map(|_| (same(), same())).collect();
            let request =
                host_http::Request { method: "GET".into(), url: String::new(), headers, body: Vec::new() };
            let answer = host_http::send(&request);
            std::mem::forget(request);
            Ok(format!("{answer:?}"))
        }
        "hmac" => crypto::hmac(crypto::Hash::Sha256, &m.to, m.text.as_bytes())
            .map(|mac| mac.iter().map(|b| format!("{b:02x}")).collect())
            .map_err(|e| error("crypto", e)),
        "hmac-equals" => {
            let mac = crypto::hmac(crypto::Hash::Sha512, &m.to, m.text.as_bytes())
                .map_err(|e| error("crypto", e))?;
            let equal = |mac: &[u8]| crypto::hmac_equals(crypto::Hash::Sha512, &m.to, m.text.as_bytes(), mac);
            Ok(format!("{:?} {:?}", equal(&mac), equal(&mac[1..])))
        }
        "jwt" => crypto::jwt("HS256", &m.to, "", &m.text).map_err(|e| error("crypto", e)),
        "jwt-http" => {
            let token =
                crypto::jwt("HS256", &m.subject, "", r#"{"iss":"me"}"#).map_err(|e| error("crypto", e))?;
            let mut m = m.clone();
            m.more.push(("authorization".into(), format!("Bearer {token}")));
            send(&m)
        }
        "random" => Ok(crypto::random(number() as u32).len().to_string()),
        "clock" => Ok(format!("{} {:?}", clock::now(), clock::offset(clock::now(), &m.text))),
        other => panic!("no deed `{other}`"),
    }
}

fn deep(n: u64) -> u64 {
    let room = std::hint::black_box([n; 64]);
    if n == 0 { 0 } else { deep(n + 1) + room[3] }
}

// `to` is the address, `text` the body, `subject` the method, `more` the headers.
fn send(m: &messages::Message) -> Result<String, Error> {
    let method = if m.subject.is_empty() || m.kind == "jwt-http" { "GET".into() } else { m.subject.clone() };
    let request = host_http::Request {
        method,
        url: m.to.clone(),
        headers: m.more.clone(),
        body: m.text.clone().into_bytes(),
    };
    match host_http::send(&request) {
        Ok(answer) => {
            let headers: Vec<String> = answer.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
            Ok(format!(
                "{}\n{}\n\n{}",
                answer.status,
                headers.join("\n"),
                String::from_utf8_lossy(&answer.body)
            ))
        }
        Err(e) => Err(error(&format!("{:?}", e.failure), e.detail)),
    }
}

impl messages::Guest for Actor {
    fn send(_: Options, _: String, message: messages::Message) -> Result<messages::Receipt, Error> {
        deed(&message).map(|reference| messages::Receipt { reference, parts: 1 })
    }

    fn lookup(_: Options, key: String) -> Result<Option<messages::Receipt>, Error> {
        Ok(kv::get(&key).map(|value| messages::Receipt {
            reference: String::from_utf8_lossy(&value).into_owned(),
            parts: 1,
        }))
    }
}

fn money(minor: i64) -> takst_plugin_sdk::Money {
    takst_plugin_sdk::Money { minor, currency: "EUR".into() }
}

impl Actor {
    fn post(settings: &Options, path: &str, body: &str) -> Result<payments::Payment, Error> {
        let address = settings.iter().find(|(name, _)| name == "address").map_or("", |(_, value)| value);
        let request = host_http::Request {
            method: "POST".into(),
            url: format!("{address}{path}"),
            headers: vec![("authorization".into(), "Bearer {{secret:api_key}}".into())],
            body: body.into(),
        };
        let answer = host_http::send(&request).map_err(|e| error(&format!("{:?}", e.failure), e.detail))?;
        Ok(payments::Payment {
            reference: String::from_utf8_lossy(&answer.body).into_owned(),
            state: payments::PaymentState::Paid,
            captured: money(345),
            refunded: money(0),
            next: None,
            failure: None,
            more: Vec::new(),
        })
    }
}

impl payments::Guest for Actor {
    fn save(_: Options, _: String, _: payments::SaveRequest) -> Result<payments::Instrument, Error> {
        Err(error("no", ""))
    }
    fn saved(_: Options, _: String) -> Result<payments::Instrument, Error> {
        Err(error("no", ""))
    }
    fn charge(
        settings: Options,
        _: String,
        request: payments::ChargeRequest,
    ) -> Result<payments::Payment, Error> {
        Self::post(&settings, "/customers", &request.payer)?;
        Self::post(&settings, "/charges", &format!("{}", request.amount.minor))
    }
    fn capture(
        _: Options,
        _: String,
        _: String,
        _: takst_plugin_sdk::Money,
    ) -> Result<payments::Payment, Error> {
        Err(error("no", ""))
    }
    fn refund(
        _: Options,
        _: String,
        _: String,
        _: takst_plugin_sdk::Money,
        _: String,
    ) -> Result<payments::Payment, Error> {
        Err(error("no", ""))
    }
    fn cancel(_: Options, _: String, _: String) -> Result<payments::Payment, Error> {
        Err(error("no", ""))
    }
    fn status(settings: Options, reference: String) -> Result<payments::Payment, Error> {
        Self::post(&settings, "/status", &reference)
    }
    fn lookup(
        _: Options,
        _: String,
        _: payments::Operation,
        _: String,
        _: Option<String>,
    ) -> Result<Option<payments::Payment>, Error> {
        Ok(None)
    }
}

takst_plugin_sdk::plugin!(Actor: messages, payments);
