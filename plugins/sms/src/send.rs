//! Messages out.
//!
//! **Once only**, as far as the SMS gateway permits. Each message goes out with the outbox's key: in the header `Idempotency-Key`, and where the body's template has
//! `{key}`. What was taken is kept for a week. When an answer was lost, the gateway's status page (`status_path`) says whether it was taken; without one nobody can
//! tell, and the look-up says so, unless the operator has said that sending again does no harm.

use crate::template::{Format, Template};
use crate::{Sms, field, length, number};
use takst_plugin_sdk::http::{Request, Response};
use takst_plugin_sdk::messages::{Guest, Message, Receipt};
use takst_plugin_sdk::{Error, Options, Settings, clock, kv, log};

/// The body, if the operator says nothing.
pub const BODY: &str = r#"{"to":"{to}","from":"{from}","text":"{text}","reference":"{key}"}"#;
/// The statuses that mean that a message was taken.
pub const ACCEPTED: &str = "200-299";
const SIGNING_IN: &str = "Bearer {{secret:password}}";
const DAY_MS: i64 = 86_400_000;
/// What was taken is kept so many days.
const DAYS: i64 = 7;

impl Guest for Sms {
    fn send(settings: Options, key: String, message: Message) -> Result<Receipt, Error> {
        let settings = Settings(&settings);
        if message.kind != "sms" {
            return Err(Error::unsupported(&format!("send messages of the kind `{}`", message.kind)));
        }
        if let Some(receipt) = kept(&key) {
            return Ok(receipt);
        }
        let to = number::e164(&message.to, settings.get("country_code").and_then(number::country))
            .ok_or_else(|| {
                Error::refused(
                    "wrong-number",
                    format!("`{}` is no phone number with its country: +4791234567", message.to),
                )
            })?;
        let (encoding, parts) = length::parts(&message.text);
        let most = settings.get("most_parts").and_then(|text| text.parse().ok()).unwrap_or(6);
        if message.text.trim().is_empty() || parts > most {
            let text = format!("the text is {parts} messages long, and 1 to {most} are allowed (most_parts)");
            return Err(Error::refused(if parts > most { "too-long" } else { "empty" }, text));
        }
        let names = [
            ("to", to.as_str()),
            ("number", to.trim_start_matches('+')),
            ("text", message.text.as_str()),
            ("from", settings.get_or("from", "")),
            ("key", key.as_str()),
            ("encoding", encoding.name()),
        ];
        let template = Template(&names);
        let url = address(settings, &template.fill(settings.get_or("send_path", "/"), Format::Form))?;
        let method = settings.get_or("method", "POST");
        let mut request = signed_in(settings, Request::new(method, url));
        if method != "GET" {
            let format = Format::of(settings);
            request = request.body(format.media_type(), template.fill(settings.get_or("body", BODY), format));
        }
        let answer = request.send()?;
        let reference = taken(settings, &answer)?.unwrap_or_else(|| key.clone());
        let receipt = Receipt { reference, parts };
        keep(&key, &receipt);
        Ok(receipt)
    }

    fn lookup(settings: Options, key: String) -> Result<Option<Receipt>, Error> {
        let settings = Settings(&settings);
        if let Some(receipt) = kept(&key) {
            return Ok(Some(receipt));
        }
        let Some(path) = settings.get("status_path") else {
            return match settings.get("when_unsure") {
                Some("again") => Ok(None),
                _ => Err(Error::refused(
                    "cannot-tell",
                    "this SMS gateway does not say whether it took a message (no status_path): look in its own log, and send again by hand if it is not there",
                )),
            };
        };
        let path = Template(&[("key", key.as_str())]).fill(path, Format::Form);
        let answer = signed_in(settings, Request::get(address(settings, &path)?)).send()?;
        match answer.status {
            404 => Ok(None),
            // What its length was is not known any more.
            200..300 => {
                Ok(Some(Receipt { reference: reference(settings, &answer).unwrap_or(key), parts: 1 }))
            }
            status => Err(answer.error(format!("the SMS gateway's status page answered {status}"))),
        }
    }
}

fn address(settings: Settings<'_>, path: &str) -> Result<String, Error> {
    Ok(format!("{}{path}", settings.need("address")?.trim_end_matches('/')))
}

fn signed_in(settings: Settings<'_>, request: Request) -> Request {
    match settings.get_or("auth_value", SIGNING_IN) {
        "-" => request,
        value => request.header(settings.get_or("auth_header", "authorization"), value),
    }
}

/// The statuses of a list as in "200-299,304".
pub fn accepted(text: &str) -> Option<Vec<(u16, u16)>> {
    text.split(',')
        .map(|part| {
            let (from, until) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
            let range = (from.trim().parse().ok()?, until.trim().parse().ok()?);
            (range.0 <= range.1).then_some(range)
        })
        .collect()
}

/// The gateway's name for the message, if it gave one. Fails if it was not taken.
fn taken(settings: Settings<'_>, answer: &Response) -> Result<Option<String>, Error> {
    let said = || answer.text().chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    let ranges = accepted(settings.get_or("accepted", ACCEPTED)).unwrap_or_default();
    if !ranges.iter().any(|(from, until)| (*from..=*until).contains(&answer.status)) {
        let error = answer.error(format!("the SMS gateway answered {}: {}", answer.status, said()));
        // An unexpected success may be one.
        return Err(if answer.is_ok() { Error::unknown("unexpected-answer", error.detail) } else { error });
    }
    if let Some((place, wanted)) = settings.get("success").and_then(|text| text.rsplit_once('=')) {
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        let found = field::json(&body, place);
        if found.as_deref() != Some(wanted) {
            return Err(Error::refused(
                "rejected",
                format!("{place} is not `{wanted}` in the SMS gateway's answer: {}", said()),
            ));
        }
    }
    let reference = reference(settings, answer);
    if reference.is_none() {
        log::warn(format!(
            "the SMS gateway's answer has no reference at {}: {}",
            settings.get_or("reference", "/id"),
            said()
        ));
    }
    Ok(reference)
}

fn reference(settings: Settings<'_>, answer: &Response) -> Option<String> {
    let place = settings.get_or("reference", "/id");
    let found = if place == "text" {
        Some(answer.text().trim().to_owned())
    } else if let Some(name) = place.strip_prefix("header:") {
        answer.header(&name.trim().to_ascii_lowercase()).map(str::to_owned)
    } else {
        field::json(&serde_json::from_slice(&answer.body).ok()?, place)
    };
    found.map(|text| text.chars().take(200).collect::<String>()).filter(|text| !text.is_empty())
}

fn today() -> i64 {
    clock::now().div_euclid(DAY_MS)
}

// Days have as many digits for the next 250 years: names sort by day.
fn place(day: i64, key: &str) -> String {
    format!("sent/{day:06}/{key}")
}

fn kept(key: &str) -> Option<Receipt> {
    let value = (0..=DAYS).find_map(|ago| kv::get(&place(today() - ago, key)))?;
    let text = String::from_utf8(value).ok()?;
    let (parts, reference) = text.split_once(' ')?;
    Some(Receipt { reference: reference.to_owned(), parts: parts.parse().ok()? })
}

/// Keeps what was taken, and forgets what is old.
fn keep(key: &str, receipt: &Receipt) {
    let oldest = place(today() - DAYS, "");
    for name in kv::names("sent/").into_iter().take_while(|name| *name < oldest).take(100) {
        kv::delete(&name);
    }
    let value = format!("{} {}", receipt.parts, receipt.reference);
    if let Err(why) = kv::set(&place(today(), key), value.as_bytes()) {
        // The message is out: that it cannot be noted must not make it look as if it were not.
        log::warn(format!("that {key} was sent cannot be kept: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugin_sdk::http::Failure;
    use takst_plugin_sdk::{Outcome, testing};

    fn message(to: &str, text: &str) -> Message {
        Message {
            kind: "sms".into(),
            to: to.into(),
            subject: String::new(),
            text: text.into(),
            language: "nb".into(),
            more: Vec::new(),
        }
    }

    const ADDRESS: (&str, &str) = ("address", "https://sms.example.com/api");

    // A gateway that takes everything, with the settings.
    fn gateway(more: &[(&str, &str)]) -> Options {
        testing::reset();
        let settings: Vec<_> = [ADDRESS, ("from", "Takst")].iter().chain(more).copied().collect();
        testing::manifest(include_str!("../plugin.toml"), &settings);
        testing::secret("password", "sms-password");
        testing::http(|_| Ok(testing::answer(202, r#"{"id":"m-1","status":"OK"}"#)));
        testing::options(&settings)
    }

    fn send(settings: &Options, key: &str, message: Message) -> Result<Receipt, Error> {
        testing::key(key);
        testing::call(|| Sms::send(settings.clone(), key.into(), message))
    }

    #[test]
    fn a_message_goes_out_as_the_operator_wrote_it() {
        let settings = gateway(&[("send_path", "/v2/messages")]);
        let settings_ = settings.clone();
        testing::http(move |request| {
            assert_eq!(
                (request.method.as_str(), request.url.as_str()),
                ("POST", "https://sms.example.com/api/v2/messages")
            );
            assert_eq!(request.header("authorization"), Some("Bearer sms-password"));
            assert!(request.header("idempotency-key").is_some_and(|key| key.starts_with("k-1-")));
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let expected = serde_json::json!({
                "to": "+4791234567", "from": "Takst", "text": "Påminnelse: {{secret:password}} \"A-0031\"\n", "reference": "k-1",
            });
            assert_eq!(body, expected);
            Ok(testing::answer(202, r#"{"id":"m-1"}"#))
        });
        let receipt = send(
            &settings_,
            "k-1",
            message("+47 912 34 567", "Påminnelse: {{secret:password}} \"A-0031\"\n"),
        )
        .unwrap();
        assert_eq!(receipt, Receipt { reference: "m-1".into(), parts: 1 });
        // Asked for again it is not sent again.
        assert_eq!(send(&settings, "k-1", message("+4791234567", "x")).unwrap().reference, "m-1");
        assert_eq!(testing::sent().len(), 1);
    }

    #[test]
    fn other_gateways_want_it_otherwise() {
        let form = gateway(&[
            ("format", "form"),
            ("body", "user=me&pw={{secret:password}}&to={number}&msg={text}&enc={encoding}"),
            ("auth_value", "-"),
            ("reference", "text"),
        ]);
        testing::http(|request| {
            assert_eq!(request.text(), "user=me&pw=sms-password&to=4791234567&msg=%D0%9F%26x&enc=ucs2");
            assert_eq!(request.header("authorization"), None);
            Ok(testing::answer(200, " 77 \n"))
        });
        assert_eq!(send(&form, "k", message("+4791234567", "П&x")).unwrap().reference, "77");

        let get = gateway(&[
            ("method", "GET"),
            ("send_path", "/send?to={to}&text={text}&key={{secret:password}}"),
            ("auth_header", "X-Auth"),
            ("auth_value", "Basic {{basic:me:password}}"),
            ("reference", "header:Location"),
        ]);
        testing::http(|request| {
            assert_eq!(request.path(), "/api/send?to=%2B4791234567&text=a%20b&key=sms-password");
            assert_eq!(request.header("x-auth"), Some("Basic bWU6c21zLXBhc3N3b3Jk"));
            let mut answer = testing::answer(201, "");
            answer.headers.push(("Location".into(), "/messages/9".into()));
            Ok(answer)
        });
        assert_eq!(send(&get, "k", message("+4791234567", "a b")).unwrap().reference, "/messages/9");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_before_it_is_sent() {
        let settings = gateway(&[("country_code", "47"), ("most_parts", "2")]);
        for (to, text, code) in [
            ("nobody", "x", "wrong-number"),
            ("+47", "x", "wrong-number"),
            ("91234567", " ", "empty"),
            ("91234567", &"a".repeat(307), "too-long"),
        ] {
            let error = send(&settings, "k", message(to, text)).unwrap_err();
            assert_eq!((error.outcome, error.code.as_str()), (Outcome::Refused, code));
        }
        let email = Message { kind: "email".into(), ..message("a@b.no", "x") };
        assert_eq!(send(&settings, "k", email).unwrap_err().code, "unsupported");
        assert!(testing::sent().is_empty());
        assert_eq!(send(&settings, "k", message("91234567", &"a".repeat(306))).unwrap().parts, 2);
    }

    #[test]
    fn an_answer_says_whether_it_was_taken() {
        for (more, status, body, expected) in [
            (vec![], 200, r#"{"id":5}"#, Ok("5")),
            (vec![], 200, "{}", Ok("k")),
            (vec![], 200, "<html>", Ok("k")),
            (vec![("reference", "/messages/0/id")], 200, r#"{"messages":[{"id":"a"}]}"#, Ok("a")),
            (vec![("success", "/status=OK")], 200, r#"{"id":"a","status":"OK"}"#, Ok("a")),
            (
                vec![("success", "/status=OK")],
                200,
                r#"{"id":"a","status":"NO CREDIT"}"#,
                Err((Outcome::Refused, "rejected")),
            ),
            (vec![("success", "/status=OK")], 200, "", Err((Outcome::Refused, "rejected"))),
            (vec![("accepted", "202, 301-302")], 302, r#"{"id":"a"}"#, Ok("a")),
            (vec![("accepted", "202")], 200, r#"{"id":"a"}"#, Err((Outcome::Unknown, "unexpected-answer"))),
            (vec![], 400, "bad", Err((Outcome::Refused, "refused"))),
            (vec![], 401, "bad", Err((Outcome::NotDone, "not-allowed"))),
            (vec![], 429, "bad", Err((Outcome::NotDone, "too-many-requests"))),
            (vec![], 500, "bad", Err((Outcome::Unknown, "server-error"))),
        ] {
            let settings = gateway(&more);
            testing::http(move |_| Ok(testing::answer(status, body)));
            let result = send(&settings, "k", message("+4791234567", "x"));
            let result = result
                .as_ref()
                .map(|receipt| receipt.reference.as_str())
                .map_err(|e| (e.outcome, e.code.as_str()));
            assert_eq!(result, expected, "{status} {body} {more:?}");
        }
    }

    #[test]
    fn a_lost_answer_is_looked_up_where_that_can_be_done() {
        let settings = gateway(&[("status_path", "/v2/by-reference/{key}")]);
        testing::http(|request| {
            Ok(match request.path() {
                "/api/v2/by-reference/k-1" => testing::answer(200, r#"{"id":"m-1"}"#),
                "/api/v2/by-reference/k-2" => testing::answer(404, ""),
                "/api/v2/by-reference/k-3" => testing::answer(500, ""),
                _ => testing::answer(200, r#"{"id":"m-1"}"#),
            })
        });
        testing::fail_next(Failure::Lost);
        assert_eq!(
            send(&settings, "k-1", message("+4791234567", "x")).unwrap_err().outcome,
            Outcome::Unknown
        );
        let lookup = |key: &str| Sms::lookup(settings.clone(), key.into());
        assert_eq!(lookup("k-1").unwrap().unwrap().reference, "m-1");
        assert_eq!(lookup("k-2"), Ok(None));
        assert_eq!(lookup("k-3").unwrap_err().outcome, Outcome::Unknown);
    }

    #[test]
    fn where_it_cannot_be_done_it_is_said() {
        let settings = gateway(&[]);
        let error = Sms::lookup(settings, "k-1".into()).unwrap_err();
        assert_eq!((error.outcome, error.code.as_str()), (Outcome::Refused, "cannot-tell"));
        let again = gateway(&[("when_unsure", "again")]);
        assert_eq!(Sms::lookup(again, "k-1".into()), Ok(None));
    }

    #[test]
    fn what_was_taken_is_known_for_a_week() {
        let settings = gateway(&[]);
        let day = 20_000 * DAY_MS;
        testing::set_clock(day);
        send(&settings, "k-1", message("+4791234567", "x")).unwrap();
        testing::set_clock(day + 7 * DAY_MS);
        assert_eq!(Sms::lookup(settings.clone(), "k-1".into()).unwrap().unwrap().reference, "m-1");
        testing::set_clock(day + 8 * DAY_MS);
        assert!(Sms::lookup(settings.clone(), "k-1".into()).is_err());
        send(&settings, "k-2", message("+4791234567", "x")).unwrap();
        assert_eq!(testing::kept().len(), 1, "what is old is forgotten");
    }
}
