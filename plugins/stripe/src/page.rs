//! The page where a driver types a card, or confirms a payment to the bank. The form is Stripe's own and runs in Stripe's frame. The page is found by name and a
//! check that only we can make; it shows nothing that the intent itself does not say.

use crate::api::{PaymentIntent, SetupIntent};
use crate::payments::{payment, setup};
use crate::state::RETURN_TO;
use takst_plugin_sdk::calls::Answer;
use takst_plugin_sdk::crypto::{self, Hash};
use takst_plugin_sdk::http::encode;
use takst_plugin_sdk::{Error, Settings, log};

const SCRIPT: &str = include_str!("pay.js");
/// What the page may load: Stripe's script and frames (docs.stripe.com/security/guide, content security policy), and our own script.
const POLICY: &str = "default-src 'none'; script-src 'self' https://js.stripe.com https://*.js.stripe.com; \
    frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com; connect-src https://api.stripe.com; \
    img-src https://*.stripe.com; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page of an intent, if the operator has set up where it is.
pub fn address(settings: Settings<'_>, intent: &str) -> Option<String> {
    let page = settings.get("page")?;
    match check_of(intent) {
        Ok(check) => Some(format!("{}/pay?id={}&check={check}", page.trim_end_matches('/'), encode(intent))),
        Err(error) => {
            log::warn(format!("no page for {intent}: {error}"));
            None
        }
    }
}

/// Half of an HMAC, in hex. Webhooks sign "number.body" with the same secret, so a text that begins with letters is no webhook's.
fn check_of(intent: &str) -> Result<String, String> {
    let mac = crypto::hmac(Hash::Sha256, "webhook_secret", format!("takst page {intent}").as_bytes())?;
    Ok(mac.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

fn fits(intent: &str, check: &str) -> bool {
    // Compared as MACs of themselves: how long it takes says nothing about where they differ.
    check_of(intent).is_ok_and(|right| {
        let mac = crypto::hmac(Hash::Sha256, "webhook_secret", right.as_bytes());
        mac.and_then(|mac| crypto::hmac_equals(Hash::Sha256, "webhook_secret", check.as_bytes(), &mac))
            == Ok(true)
    })
}

/// The page.
pub fn show(settings: Settings<'_>, query: &str) -> Result<Answer, Error> {
    let value = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(n, _)| *n == name)
            .map_or("", |(_, value)| value)
    };
    let (id, check) = (value("id"), value("check"));
    if !fits(id, check) {
        return Ok(html(404, "<p>This page does not exist any more.</p>"));
    }
    let key = settings.need("publishable_key")?;
    let page =
        if id.starts_with("seti_") { of_setup(key, &setup(id)?) } else { of_payment(key, &payment(id)?) };
    Ok(html(200, &page))
}

/// The page's script.
pub fn script() -> Answer {
    let headers = vec![
        ("content-type".to_owned(), "text/javascript; charset=utf-8".to_owned()),
        ("cache-control".to_owned(), "public, max-age=3600".to_owned()),
    ];
    Answer { status: 200, headers, body: SCRIPT.as_bytes().to_vec(), events: Vec::new() }
}

fn of_payment(key: &str, intent: &PaymentIntent) -> String {
    let money = crate::amount::from_stripe(intent.amount, &intent.currency);
    let title = format!("{} {}", money.decimal(), money.currency);
    let open = matches!(
        intent.status.as_str(),
        "requires_payment_method" | "requires_confirmation" | "requires_action"
    );
    // The bank wants its customer for the card that is saved: that card again, this time with him.
    let asked = intent
        .last_payment_error
        .as_ref()
        .filter(|problem| problem.code.as_deref() == Some("authentication_required"));
    let method =
        asked.and_then(|problem| problem.payment_method.as_ref()).map_or("", |method| method.id.as_str());
    form(
        key,
        "payment",
        intent.client_secret.as_deref().filter(|_| open),
        &intent.status,
        method,
        intent.metadata.get(RETURN_TO),
        &title,
    )
}

fn of_setup(key: &str, intent: &SetupIntent) -> String {
    let open = matches!(
        intent.status.as_str(),
        "requires_payment_method" | "requires_confirmation" | "requires_action"
    );
    form(
        key,
        "setup",
        intent.client_secret.as_deref().filter(|_| open),
        &intent.status,
        "",
        intent.metadata.get(RETURN_TO),
        "",
    )
}

fn form(
    key: &str,
    kind: &str,
    secret: Option<&str>,
    status: &str,
    method: &str,
    back: Option<&String>,
    title: &str,
) -> String {
    let back =
        back.map_or(
            "",
            |back| if back.starts_with("https://") || back.starts_with("http://") { back } else { "" },
        );
    let data = [
        ("key", key),
        ("kind", kind),
        ("secret", secret.unwrap_or_default()),
        ("status", status),
        ("method", method),
        ("back", back),
    ];
    let data: String =
        data.iter().map(|(name, value)| format!(" data-{name}=\"{}\"", escaped(value))).collect();
    format!(
        "<main{data}><h1>{}</h1><form><div id=\"card\"></div><p id=\"said\" role=\"alert\"></p><button disabled>…</button></form></main>\
         <script src=\"https://js.stripe.com/v3/\"></script><script src=\"pay.js\"></script>",
        escaped(title)
    )
}

fn html(status: u16, body: &str) -> Answer {
    let page = format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><meta name=\"referrer\" content=\"no-referrer\">\
         <title>Takst</title><style>body{{font:16px system-ui,sans-serif;margin:2rem auto;max-width:28rem;padding:0 1rem}}button{{font:inherit;padding:.7rem 1rem;width:100%}}\
         #said{{color:#b00020}}</style></head><body>{body}</body></html>"
    );
    let headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", POLICY),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ];
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer { status, headers, body: page.into_bytes(), events: Vec::new() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugin_sdk::testing;

    #[test]
    fn the_page_is_found_with_its_check_only() {
        testing::reset();
        testing::secret("webhook_secret", "whsec_test");
        testing::secret("api_key", "sk_test_1");
        testing::http(|request| {
            assert!(request.path().starts_with("/v1/payment_intents/pi_1?"));
            Ok(testing::answer(
                200,
                r#"{"id":"pi_1","status":"requires_payment_method","amount":1250,"currency":"nok","client_secret":"pi_1_secret_\"x",
                    "metadata":{"takst_return_to":"javascript:alert(1)"}}"#,
            ))
        });
        let options =
            testing::options(&[("page", "https://g.example.com/p/stripe"), ("publishable_key", "pk_test_1")]);
        let settings = Settings(&options);
        let address = address(settings, "pi_1").unwrap();
        let query = address.split_once('?').unwrap().1;
        let shown = show(settings, query).unwrap();
        let text = String::from_utf8(shown.body).unwrap();
        assert_eq!(shown.status, 200);
        assert!(text.contains("12.50 NOK") && text.contains("data-secret=\"pi_1_secret_&quot;x\""), "{text}");
        assert!(text.contains("data-back=\"\""), "only addresses of pages: {text}");
        assert_eq!(show(settings, &query.replace("pi_1", "pi_2")).unwrap().status, 404);
        assert_eq!(show(settings, "id=pi_1").unwrap().status, 404);
        assert_eq!(show(settings, &format!("{query}0")).unwrap().status, 404);
    }
}
