//! Tapes: recorded once, replayed for ever, and no secret on them.

use crate::support::{ACTOR, Fake, actor_code, guest, host_with, installation, manifest, message};
use serde_json::json;
use std::sync::Arc;
use takst_plugins::http::transport::Outgoing;
use takst_plugins::model::http::Response;
use takst_plugins::model::messages::Message;
use takst_plugins::tape::Tape;
use takst_plugins::testing::{Exchange, Script, replay, report};
use takst_plugins::{Context, Host, Plugin};

// A provider that gives a token, and sends back whatever it got.
fn plugin() -> (Host, Plugin) {
    let host = host_with(Arc::new(Fake(|request: &Outgoing| {
        let got = format!("{:?}", request.headers).replace(['"', '\\'], "'");
        let body = json!({ "access_token": "tok_0123456789abcdef", "got": got }).to_string();
        let cookie = ("set-cookie".to_owned(), "sid=5up3rs3cr3tsession; Path=/".to_owned());
        Ok(Response { status: 200, headers: vec![cookie], body: body.into_bytes() })
    })));
    let code = actor_code(&host, "");
    let plugin = host.plugin(&code, installation(&code.manifest));
    (host, plugin)
}

async fn record(plugin: &Plugin, message: Message) -> Tape {
    let done = plugin.messages().unwrap().send(&Context::recorded(), "key-1", message).await;
    done.tape.unwrap()
}

fn http(secret: &str) -> Message {
    let mut m = message("http", "https://api.example.com/token", "");
    m.more = vec![("authorization".to_owned(), format!("Bearer {secret}"))];
    m
}

#[tokio::test]
async fn a_tape_replays_without_the_world() {
    let (host, plugin) = plugin();
    for m in [
        http("{{secret:api_key}}"),
        message("clock", "", "Europe/Oslo"),
        message("kv-set", "a", "b"),
        message("kv-delete", "a", ""),
        message("random", "", "12"),
        message("hmac", "signing", "abc"),
        message("refuse", "", "no"),
        message("panic", "", "the sky fell"),
        message("http-panic", "https://api.example.com/", ""),
        Message { subject: "signing".to_owned(), ..message("jwt-http", "https://api.example.com/", "") },
    ] {
        let tape = record(&plugin, m.clone()).await;
        let text = tape.write();
        assert_eq!(Tape::read(&text).unwrap(), tape);
        let result = replay(&host, plugin.code(), None, &Tape::read(&text).unwrap()).await;
        assert_eq!(result, Ok(()), "{}: {text}", m.kind);
    }
}

#[tokio::test]
async fn no_secret_is_on_it() {
    let (_, plugin) = plugin();
    let text = record(&plugin, http("{{secret:api_key}}")).await.write();
    assert!(text.contains("{{secret:api_key}}") && text.contains("{{redacted:"), "{text}");
    for secret in ["sk_live", "tok_0123", "5up3r"] {
        assert!(!text.contains(secret), "{text}");
    }
    let m = Message { subject: "signing".to_owned(), ..message("jwt-http", "https://api.example.com/", "") };
    let text = record(&plugin, m).await.write();
    assert!(!text.contains("eyJ") && text.contains("Bearer {{redacted:1}}"), "{text}");
    // The same call gives the same bytes.
    let again = record(&plugin, message("clock", "", "UTC")).await.write();
    assert_eq!(record(&plugin, message("clock", "", "UTC")).await.write(), again);
}

#[tokio::test]
async fn a_difference_is_shown_where_it_is() {
    let (host, plugin) = plugin();
    let tape = record(&plugin, http("{{secret:api_key}}")).await;
    let differs = async |change: &dyn Fn(&mut Tape)| {
        let mut tape = tape.clone();
        change(&mut tape);
        replay(&host, plugin.code(), None, &tape).await.unwrap_err().to_string()
    };
    let text = differs(&|tape| tape.calls[0].ask["url"] = "https://api.example.com/other".into()).await;
    assert!(
        text.contains("call 1") && text.contains("at url: \"https://api.example.com/other\" on the tape"),
        "{text}"
    );
    let text = differs(&|tape| tape.calls.clear()).await;
    assert!(text.contains("is not on the tape: http.send") && text.contains("ends after 0 calls"), "{text}");
    let text = differs(&|tape| tape.calls.push(tape.calls[0].clone())).await;
    assert!(text.contains("returned after 1 calls; the tape goes on with http.send"), "{text}");
    let text = differs(&|tape| tape.result["ok"]["parts"] = 9.into()).await;
    assert!(text.contains("the result is another at ok.parts: 9 on the tape, 1 now"), "{text}");
    let text = differs(&|tape| tape.function = "messages.shout".to_owned()).await;
    assert!(text.contains("no function `messages.shout`"), "{text}");
    let text = differs(&|tape| tape.plugin = "other".to_owned()).await;
    assert!(text.contains("the tape is of other"), "{text}");
    assert!(Tape::read("{}").is_err());
    assert!(
        Tape::read(&tape.write().replace("\"format\": 1", "\"format\": 2")).unwrap_err().contains("form 2")
    );
    // A manifest that asks for less no longer fits the tape.
    let code = host
        .code(&manifest(&ACTOR.replace("paths = [\"/\"]", "paths = [\"/v2/\"]")), guest("actor"))
        .unwrap();
    let text = replay(&host, &code, None, &tape).await.unwrap_err().to_string();
    assert!(text.contains("no longer allowed"), "{text}");
}

#[tokio::test]
async fn a_script_answers_in_its_order() {
    let exchange = |method: &str, url: &str, has: &[&str]| Exchange {
        method: method.to_owned(),
        url: url.to_owned(),
        body_has: has.iter().map(|part| (*part).to_owned()).collect(),
        answer: Response { status: 201, headers: vec![], body: b"made".to_vec() },
    };
    let script = Arc::new(Script::new(vec![
        exchange("GET", "https://api.example.com/a*", &["hello"]),
        exchange("POST", "https://api.example.com/b", &[]),
    ]));
    let host = host_with(Arc::<Script>::clone(&script));
    let code = actor_code(&host, "");
    let plugin =
        takst_plugins::testing::plugin(&host, &code, None, vec![], takst_plugins::secrets::Memory::default());
    let done = crate::support::act(&plugin, "http", "https://api.example.com/a?x=1", "hello").await;
    let table = report(&done);
    assert!(table.contains("requests") && table.lines().count() == 11, "{table}");
    assert_eq!(crate::support::said(done), "201\n\n\nmade");
    assert_eq!(script.wrong(), ["POST https://api.example.com/b was not asked for"]);
    crate::support::refused(crate::support::act(&plugin, "http", "https://api.example.com/c", "").await);
    assert!(
        script.wrong()[0].contains("GET https://api.example.com/c came, the script expects POST"),
        "{:?}",
        script.wrong()
    );
}
