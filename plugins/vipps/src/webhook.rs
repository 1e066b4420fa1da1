//! Webhooks, signed with HMAC.

use crate::Vipps;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use takst_plugin_sdk::calls::{Answer, Call, Event, Guest};
use takst_plugin_sdk::crypto::{self, Hash};
use takst_plugin_sdk::{Error, Options, Settings, log};

impl Guest for Vipps {
    fn receive(settings: Options, call: Call) -> Result<Answer, Error> {
        let settings = Settings(&settings);
        let answer = |status, events| Answer { status, headers: Vec::new(), body: Vec::new(), events };
        if call.method != "POST" {
            return Ok(answer(405, Vec::new()));
        }
        check(settings, &call)?;
        Ok(answer(200, event(settings, &call.body)?.into_iter().collect()))
    }
}

/// `Authorization: HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=…` over method, path, date, host and the body's hash.
/// Host and path are those that were registered: what stands before the gateway may have changed them. How old it is does not matter, since an event is a hint
/// that is asked after, and one that came before is dropped.
fn check(settings: Settings<'_>, call: &Call) -> Result<(), Error> {
    let header = |name: &str| {
        let found = call.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        found.ok_or_else(|| wrong(&format!("there is no `{name}`")))
    };
    let url = settings.need("webhook_url")?;
    let (host, path) = parts(url)
        .ok_or_else(|| Error::not_done("wrong-setting", format!("webhook_url: `{url}` is no address")))?;
    let (date, hash, authorization) =
        (header("x-ms-date")?, header("x-ms-content-sha256")?, header("authorization")?);
    if hash != BASE64_STANDARD.encode(crypto::digest(Hash::Sha256, &call.body)) {
        return Err(wrong("the hash is not the body's"));
    }
    let signature = authorization
        .strip_prefix("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=")
        .and_then(|text| BASE64_STANDARD.decode(text).ok())
        .ok_or_else(|| wrong("the Authorization is not of the form that Vipps documents"))?;
    let signed = format!("POST\n{path}\n{date};{host};{hash}");
    for secret in ["webhook_secret", "webhook_secret_old"] {
        // An error is a secret that was not given.
        if crypto::hmac_equals(Hash::Sha256, secret, signed.as_bytes(), &signature) == Ok(true) {
            return Ok(());
        }
    }
    Err(wrong("it does not fit: are `webhook_secret` and `webhook_url` those of this registration?"))
}

/// Host, and path with query.
fn parts(url: &str) -> Option<(&str, &str)> {
    let rest = url.split_once("://")?.1;
    let rest = rest.split('#').next()?;
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    Some((host, if path.is_empty() { "/" } else { path })).filter(|(host, _)| !host.is_empty())
}

fn wrong(why: &str) -> Error {
    Error::refused("wrong-signature", format!("a webhook's signature: {why}"))
}

/// What happened. Nothing for what is of no matter here.
fn event(settings: Settings<'_>, body: &[u8]) -> Result<Option<Event>, Error> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|e| Error::refused("no-event", format!("the webhook is no JSON: {e}")))?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let other = text("msn");
    if !other.is_empty() && Some(other) != settings.get("merchant_serial_number") {
        log::info(format!("left alone: an event of another sales unit, {other}"));
        return Ok(None);
    }
    let (agreement, charge, kind) = (text("agreementId"), text("chargeId"), text("eventType"));
    let (about, subject, name, at) = match (text("reference"), agreement) {
        (reference, _) if !reference.is_empty() => {
            ("payment", reference.to_owned(), text("name"), text("timestamp"))
        }
        (_, agreement)
            if !agreement.is_empty() && kind.starts_with("recurring.charge") && !charge.is_empty() =>
        {
            ("payment", format!("{agreement}/{charge}"), kind, text("occurred"))
        }
        (_, agreement) if !agreement.is_empty() && kind.starts_with("recurring.agreement") => {
            ("instrument", agreement.to_owned(), kind, text("occurred"))
        }
        _ => {
            log::debug(format!("left alone: {kind}"));
            return Ok(None);
        }
    };
    // Each operation on a payment has a name of its own; agreements and charges have their time instead.
    let id = [subject.as_str(), name, text("pspReference"), at]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    let more = vec![("type".to_owned(), name.to_owned())];
    Ok(Some(Event { kind: about.to_owned(), subject, id, more }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugin_sdk::testing;

    const SETTINGS: &[(&str, &str)] = &[
        ("merchant_serial_number", "123456"),
        ("webhook_url", "https://webhook.site/e2cee29b-012e-4f1d-8ef4-e95fd74a7a63"),
    ];
    // The example of developer.vippsmobilepay.com/docs/APIs/webhooks-api/request-authentication.
    const SECRET: &str =
        "A0+AeKBRG2KRGvnNwJpQlb6IJFk48CKXCIcrLoHncVJKDILsQSxS6NWCccwWm6r6FhGKhiHTBsG2wo/xU6FY/A==";
    const BODY: &str = r#"{"some-unique-content":"ee6e441b-cc4a-46f8-895d-a5af79bcc233/hello-world"}"#;
    const HEADERS: &[(&str, &str)] = &[
        ("x-ms-date", "Thu, 30 Mar 2023 08:38:32 GMT"),
        ("x-ms-content-sha256", "lNlsp1XA03N34HrQsVzPgJKtC+r7l/RBF4V3JQUWMj4="),
        (
            "authorization",
            "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=agAiSyogQbDHpeucoNwYz+yAr5nJ+v+zasdkSbqzv+U=",
        ),
    ];

    fn receive(settings: &[(&str, &str)], headers: &[(&str, &str)], body: &str) -> Result<Answer, Error> {
        let call = Call {
            method: "POST".into(),
            path: String::new(),
            query: String::new(),
            headers: testing::options(headers),
            body: body.into(),
        };
        Vipps::receive(testing::options(settings), call)
    }

    #[test]
    fn the_documented_example_is_believed() {
        testing::reset();
        testing::secret("webhook_secret_old", SECRET);
        let answer = receive(SETTINGS, HEADERS, BODY).unwrap();
        assert_eq!((answer.status, answer.events), (200, Vec::new()));
    }

    #[test]
    fn what_differs_from_it_in_anything_is_not() {
        testing::reset();
        testing::secret("webhook_secret", SECRET);
        assert!(receive(SETTINGS, HEADERS, BODY).is_ok());
        assert_eq!(
            receive(SETTINGS, HEADERS, &BODY.replace("hello", "hallo")).unwrap_err().code,
            "wrong-signature"
        );
        for (at, (name, value)) in HEADERS.iter().enumerate() {
            let mut headers = HEADERS.to_vec();
            let changed = value
                .replace("8:38", "8:39")
                .replace("NlsM", "x")
                .replace("agAi", "agAj")
                .replace("lNls", "mNls");
            headers[at] = (name, &changed);
            assert_eq!(receive(SETTINGS, &headers, BODY).unwrap_err().code, "wrong-signature", "{name}");
            headers.remove(at);
            assert_eq!(
                receive(SETTINGS, &headers, BODY).unwrap_err().code,
                "wrong-signature",
                "without {name}"
            );
        }
        for url in ["https://webhook.site/other", "https://other.site/e2cee29b-012e-4f1d-8ef4-e95fd74a7a63"] {
            let settings = [SETTINGS[0], ("webhook_url", url)];
            assert_eq!(receive(&settings, HEADERS, BODY).unwrap_err().code, "wrong-signature", "{url}");
        }
        testing::secret("webhook_secret", "another");
        assert_eq!(receive(SETTINGS, HEADERS, BODY).unwrap_err().code, "wrong-signature");
        assert_eq!(receive(&SETTINGS[..1], HEADERS, BODY).unwrap_err().code, "setting-missing");
    }

    #[test]
    fn addresses_have_their_parts() {
        for (url, host, path) in [
            ("https://a.no", "a.no", "/"),
            ("https://a.no:8443/x/y?z=1#f", "a.no:8443", "/x/y?z=1"),
            ("https://a.no?z", "a.no", "?z"),
        ] {
            assert_eq!(parts(url), Some((host, path)), "{url}");
        }
        assert_eq!((parts("a.no"), parts("https:///x")), (None, None));
    }

    #[test]
    fn what_a_webhook_is_about() {
        let options = testing::options(SETTINGS);
        let about = |body: &str| event(Settings(&options), body.as_bytes()).unwrap();
        let payment = about(
            r#"{"msn":"123456","reference":"bill-0001","pspReference":"1234567891","name":"AUTHORIZED","amount":{"currency":"NOK","value":35000},
                "timestamp":"2023-08-14T12:48:46.260Z","idempotencyKey":"49ca711a9487112e1def","success":true}"#,
        )
        .unwrap();
        assert_eq!((payment.kind.as_str(), payment.subject.as_str()), ("payment", "bill-0001"));
        assert_eq!(payment.id, "bill-0001 AUTHORIZED 1234567891 2023-08-14T12:48:46.260Z");
        let charge = about(
            r#"{"agreementId":"agr_1","chargeId":"bill-2","eventType":"recurring.charge-captured.v1","occurred":"2026-01-04T00:00:00Z"}"#,
        );
        let charge = charge.unwrap();
        assert_eq!((charge.kind.as_str(), charge.subject.as_str()), ("payment", "agr_1/bill-2"));
        let agreement = about(r#"{"agreementId":"agr_1","eventType":"recurring.agreement-stopped.v1","occurred":"2026-01-04T00:00:00Z"}"#).unwrap();
        assert_eq!((agreement.kind.as_str(), agreement.subject.as_str()), ("instrument", "agr_1"));
        assert_eq!(about(r#"{"msn":"654321","reference":"bill-0001","name":"AUTHORIZED"}"#), None);
        assert_eq!(about(r#"{"eventType":"user.checked-in.v1"}"#), None);
    }
}
