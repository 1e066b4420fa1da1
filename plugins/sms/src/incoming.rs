//! Messages that come in, at this plugin's address at the gateway.

use crate::command::{self, Command};
use crate::{Sms, field, number};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use takst_plugin_sdk::calls::{Answer, Call, Event, Guest};
use takst_plugin_sdk::crypto::{self, Hash};
use takst_plugin_sdk::{Error, Options, Settings};

/// The longest text that is passed on.
const LONGEST: usize = 1_000;

impl Guest for Sms {
    fn receive(settings: Options, call: Call) -> Result<Answer, Error> {
        let settings = Settings(&settings);
        let answer = |status, events| Answer { status, headers: Vec::new(), body: Vec::new(), events };
        if !matches!(call.method.as_str(), "POST" | "GET") {
            return Ok(answer(405, Vec::new()));
        }
        check(settings, &call)?;
        match call.path.trim_end_matches('/') {
            "" | "/in" => Ok(answer(200, vec![event(settings, &call)?])),
            // Delivery reports and the like.
            _ => Ok(answer(200, Vec::new())),
        }
    }
}

/// Whether it is from the SMS gateway: it shows the secret, or an HMAC-SHA256 of the body, in hex or base64, "sha256=" before it or not.
fn check(settings: Settings<'_>, call: &Call) -> Result<(), Error> {
    let place = settings.get_or("in_proof", "x-api-key");
    let header = call
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(place))
        .map(|(_, value)| value.clone());
    let proof = header.or_else(|| field::form(&call.query, place)).ok_or_else(|| {
        wrong(&format!("it has no `{place}` among its headers or in its address (in_proof)"))
    })?;
    let fits = if settings.get("in_check") == Some("hmac") {
        // A HMAC of no body would be good for every address.
        if call.body.is_empty() {
            return Err(wrong("it has no body that could be signed"));
        }
        let text = proof.trim().trim_start_matches("sha256=");
        let mac = hex(text)
            .or_else(|| BASE64_STANDARD.decode(text).ok())
            .ok_or_else(|| wrong("its HMAC is neither hex nor base64"))?;
        crypto::hmac_equals(Hash::Sha256, "incoming", &call.body, &mac)
    } else {
        // The secret is not to be seen here. Who has it makes the same HMAC with it.
        let data = crypto::random(16);
        let proof = proof.trim();
        let proof = proof.strip_prefix("Bearer ").unwrap_or(proof);
        crypto::hmac_equals(Hash::Sha256, "incoming", &data, &hmac(proof.as_bytes(), &data))
    };
    match fits {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(wrong("it does not prove that it is from the SMS gateway: is the secret `incoming` right?"))
        }
        Err(why) => Err(wrong(&why)),
    }
}

fn wrong(why: &str) -> Error {
    Error::refused("wrong-signature", format!("a message that came in: {why}"))
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let key = if key.len() > 64 { crypto::digest(Hash::Sha256, key) } else { key.to_vec() };
    let padded =
        |with: u8| (0..64).map(|at| key.get(at).copied().unwrap_or_default() ^ with).collect::<Vec<u8>>();
    let inner = crypto::digest(Hash::Sha256, &[padded(0x36), data.to_vec()].concat());
    crypto::digest(Hash::Sha256, &[padded(0x5c), inner].concat())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn event(settings: Settings<'_>, call: &Call) -> Result<Event, Error> {
    let form = String::from_utf8_lossy(&call.body);
    let json: Option<Value> =
        serde_json::from_slice(&call.body).ok().filter(|value: &Value| value.is_object() || value.is_array());
    let value = |setting: &str, default: &'static str| {
        let place = settings.get_or(setting, default);
        match &json {
            Some(json) => field::json(json, place),
            None if call.body.is_empty() => field::form(&call.query, place),
            None => field::form(&form, place),
        }
        .ok_or_else(|| {
            Error::refused("no-message", format!("a message came in without `{place}` ({setting})"))
        })
    };
    let from = value("in_sender", "from")?;
    let sender = number::sender(&from, settings.get("country_code").and_then(number::country));
    let text = value("in_text", "text")?;
    // Without a name of its own a message is known by all that it says; the time is in it with most gateways.
    let id = value("in_id", "id").unwrap_or_else(|_| {
        let all = [call.query.as_bytes(), b"\n", call.body.as_slice()].concat();
        crypto::digest(Hash::Sha256, &all).iter().map(|byte| format!("{byte:02x}")).collect()
    });
    let mut more = vec![("sender".to_owned(), sender.clone())];
    let mut say = |name: &str, value: String| more.push((name.to_owned(), value));
    match command::read(&text) {
        Command::Unknown => {
            say("command", "unknown".to_owned());
            say("text", text.chars().take(LONGEST).collect());
        }
        command @ (Command::Start(_) | Command::Stop(_)) => {
            say("command", if matches!(command, Command::Start(_)) { "start" } else { "stop" }.to_owned());
            if let Command::Start(Some(charger)) | Command::Stop(Some(charger)) = command {
                say("charger", charger);
            }
            if let Some(language) = command::language(&text) {
                say("language", language.to_owned());
            }
        }
    }
    Ok(Event { kind: "message-in".to_owned(), subject: sender, id, more })
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugin_sdk::testing;

    fn call(headers: &[(&str, &str)], query: &str, body: &str) -> Call {
        Call {
            method: if body.is_empty() { "GET" } else { "POST" }.into(),
            path: "/in".into(),
            query: query.into(),
            headers: testing::options(headers),
            body: body.into(),
        }
    }

    fn receive(settings: &[(&str, &str)], call: Call) -> Result<Event, Error> {
        let mut answer = testing::call(|| Sms::receive(testing::options(settings), call))?;
        assert_eq!((answer.status, answer.events.len()), (200, 1));
        Ok(answer.events.remove(0))
    }

    const KEY: &[(&str, &str)] = &[("x-api-key", "in-secret")];

    #[test]
    fn a_message_starts_charging() {
        testing::reset();
        testing::secret("incoming", "in-secret");
        let body = r#"{"id":"m-7","from":"4791234567","text":"Lade start NO-12"}"#;
        let event = receive(&[], call(KEY, "", body)).unwrap();
        assert_eq!(
            (event.kind.as_str(), event.subject.as_str(), event.id.as_str()),
            ("message-in", "+4791234567", "m-7")
        );
        assert_eq!(
            event.more,
            testing::options(&[
                ("sender", "+4791234567"),
                ("command", "start"),
                ("charger", "NO-12"),
                ("language", "nb")
            ])
        );
        let stop =
            receive(&[], call(KEY, "", r#"{"id":8,"from":"+4791234567","text":"Lade stopp"}"#)).unwrap();
        assert_eq!(
            stop.more,
            testing::options(&[("sender", "+4791234567"), ("command", "stop"), ("language", "nb")])
        );
        let other =
            receive(&[], call(KEY, "", r#"{"id":9,"from":"+4791234567","text":"Hva koster det?"}"#)).unwrap();
        assert_eq!(
            other.more,
            testing::options(&[
                ("sender", "+4791234567"),
                ("command", "unknown"),
                ("text", "Hva koster det?")
            ])
        );
    }

    #[test]
    fn other_gateways_write_it_otherwise() {
        testing::reset();
        testing::secret("incoming", "in-secret");
        let fields = [
            ("in_sender", "msisdn"),
            ("in_text", "content"),
            ("in_id", "sms_id"),
            ("in_proof", "token"),
            ("country_code", "358"),
        ];
        let form = receive(
            &fields,
            call(
                &[],
                "token=in-secret",
                "msisdn=040+123+4567&content=K%C3%A4ynnist%C3%A4+lataus+12&sms_id=5",
            ),
        )
        .unwrap();
        assert_eq!((form.subject.as_str(), form.id.as_str()), ("+358401234567", "5"));
        assert_eq!(
            form.more[1..],
            testing::options(&[("command", "start"), ("charger", "12"), ("language", "fi")])
        );
        let query =
            receive(&fields, call(&[], "token=in-secret&msisdn=0401234567&content=lataus%20lopeta%2012", ""))
                .unwrap();
        assert_eq!(
            query.more[1..],
            testing::options(&[("command", "stop"), ("charger", "12"), ("language", "fi")])
        );
        assert_eq!(query.id.len(), 64, "without an id it is known by what it says");
        let deep =
            [("in_sender", "/inbound/0/from"), ("in_text", "/inbound/0/text"), ("in_id", "/inbound/0/id")];
        let deep = receive(
            &deep,
            call(KEY, "", r#"{"inbound":[{"id":"a","from":"4791234567","text":"charge start 3"}]}"#),
        )
        .unwrap();
        assert_eq!((deep.id.as_str(), deep.more[2].1.as_str()), ("a", "3"));
    }

    #[test]
    fn who_does_not_prove_himself_is_not_heard() {
        testing::reset();
        testing::secret("incoming", "in-secret");
        let body = r#"{"id":"1","from":"4791234567","text":"Lade start 12"}"#;
        for headers in [
            &[][..],
            &[("x-api-key", "")],
            &[("x-api-key", "in-secre")],
            &[("x-api-key", "in-secret2")],
            &[("x-other", "in-secret")],
        ] {
            assert_eq!(
                receive(&[], call(headers, "", body)).unwrap_err().code,
                "wrong-signature",
                "{headers:?}"
            );
        }
        let bearer = [("in_proof", "authorization")];
        assert!(receive(&bearer, call(&[("authorization", "Bearer in-secret")], "", body)).is_ok());
        let long = "x".repeat(100);
        testing::secret("incoming", &long);
        assert!(receive(&[], call(&[("x-api-key", &long)], "", body)).is_ok());
        testing::reset();
        assert_eq!(
            receive(&[], call(KEY, "", body)).unwrap_err().code,
            "wrong-signature",
            "no secret, no messages"
        );
    }

    #[test]
    fn a_hmac_is_of_the_body() {
        testing::reset();
        testing::secret("incoming", "Jefe");
        // RFC 4231, case 2.
        let data = "what do ya want for nothing?";
        let hmac_hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(hmac_hex).unwrap(), hmac(b"Jefe", data.as_bytes()));
        let settings =
            [("in_check", "hmac"), ("in_proof", "x-signature"), ("in_text", data), ("in_sender", data)];
        let ask = |proof: &str, body: &str| {
            receive(&settings, call(&[("x-signature", proof)], "", body)).map(|event| event.subject)
        };
        for proof in [
            hmac_hex.to_owned(),
            format!("sha256={hmac_hex}"),
            BASE64_STANDARD.encode(hex(hmac_hex).unwrap()),
        ] {
            // The form's one field is called like the text and is empty: it is believed and says nothing.
            assert_eq!(ask(&proof, data).as_deref(), Ok(""), "{proof}");
        }
        assert_eq!(ask(hmac_hex, "what do ya want?").unwrap_err().code, "wrong-signature");
        assert_eq!(ask("zz", data).unwrap_err().code, "wrong-signature");
        let empty = crypto::hmac(Hash::Sha256, "incoming", b"").unwrap();
        assert_eq!(ask(&BASE64_STANDARD.encode(empty), "").unwrap_err().code, "wrong-signature");
    }

    #[test]
    fn what_is_no_message_says_so() {
        testing::reset();
        testing::secret("incoming", "in-secret");
        let error = receive(&[], call(KEY, "", r#"{"id":"1","from":"4791234567"}"#)).unwrap_err();
        assert!(error.code == "no-message" && error.detail.contains("`text`"), "{error:?}");
        let report = Call { path: "/status".into(), ..call(KEY, "", r#"{"id":"1"}"#) };
        let answer = Sms::receive(Vec::new(), report).unwrap();
        assert_eq!((answer.status, answer.events), (200, Vec::new()));
    }
}
