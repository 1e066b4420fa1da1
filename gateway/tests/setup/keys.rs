//! Keys that are revoked while they are in use, by this gateway and by others, and browsers that are signed in.

use crate::office::{Office, now, org, run};
use crate::plug::raw;
use serde_json::Value;
use std::time::Duration;
use takst_gateway::api::Role;
use takst_gateway::store::{Lane, Tx};

fn id(key: &str) -> String {
    key.split('_').nth(1).unwrap().to_owned()
}

// As another program on the same database does it: nobody tells this gateway.
async fn revoke(office: &Office, key: &str) {
    let id = id(key);
    let unit = async move |tx: &mut Tx| tx.revoke_api_key(&org(), &id, now()).await;
    office.gateway.store.write(Lane::org(&org()), unit).await.unwrap();
}

// Status line and headers, in small letters, and the body.
async fn browse(office: &Office, method: &str, path: &str, more: &str, body: &str) -> (String, String) {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{more}\r\n{body}",
        body.len()
    );
    let answer = raw(office.address, request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

fn set_cookie(head: &str) -> String {
    let line = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    line.unwrap_or_else(|| panic!("{head}")).to_owned()
}

#[test]
fn a_key_that_somebody_revoked_opens_nothing_more() {
    run(async {
        let office = Office::open().await;
        for by_api in [true, false] {
            let key = office.key(Role::Support).await;
            let ask = async || office.ask_as(&key, "GET", "/v1/sessions", "", None).await.status;
            assert_eq!((ask().await, ask().await), (200, 200));
            let request = format!(
                "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\r\n"
            );
            let address = office.address;
            let stream = tokio::spawn(async move { raw(address, request.as_bytes()).await });
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(!stream.is_finished(), "it tells what happens");
            if by_api {
                let answer = office.ask("DELETE", &format!("/v1/keys/{}", id(&key)), Value::Null).await;
                assert_eq!(answer.status, 204);
            } else {
                revoke(&office, &key).await;
            }
            assert_eq!(ask().await, 401, "by the API: {by_api}");
            let told = tokio::time::timeout(Duration::from_secs(15), stream).await.expect("an end").unwrap();
            assert!(told.starts_with("HTTP/1.1 200"), "{told}");
        }
        // Of those that stand nothing is different.
        assert_eq!(office.ask("GET", "/v1/sessions", Value::Null).await.status, 200);
        office.gateway.server.stop().await;
    });
}

#[test]
fn a_browser_shows_a_token_and_never_the_key() {
    run(async {
        let office = Office::open().await;
        let key = office.key(Role::Support).await;
        let form = format!("key={key}");
        let (head, _) = browse(&office, "POST", "/login", "", &form).await;
        assert!(head.starts_with("HTTP/1.1 303"), "{head}");
        let cookie = set_cookie(&head);
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200"), "{cookie}");
        assert!(!cookie.contains(&key) && !cookie.contains(key.rsplit('_').next().unwrap()), "{cookie}");
        let shown = format!("Cookie: other=1; {}\r\n", cookie.split(';').next().unwrap());
        let status = async |path: &str, shown: &str| {
            let (head, _) = browse(&office, "GET", path, shown, "").await;
            head.split(' ').nth(1).unwrap().to_owned()
        };
        assert_eq!(status("/", &shown).await, "200");
        assert_eq!(status("/api/v1/sessions", &shown).await, "200");
        assert_eq!(status("/api/v1/keys", &shown).await, "403", "no more than the key may");
        // The key itself is for programs; a wrong one is told of and signs nobody in.
        assert_eq!(status("/api/v1/sessions", &format!("Cookie: takst={key}\r\n")).await, "401");
        let (head, _) = browse(&office, "POST", "/login", "", "key=takst_1_2").await;
        assert!(head.starts_with("HTTP/1.1 401") && !head.contains("set-cookie"), "{head}");
        // Over TLS, here to a proxy that is trusted, the cookie goes no other way.
        let (head, _) = browse(&office, "POST", "/login", "X-Forwarded-Proto: https\r\n", &form).await;
        assert!(set_cookie(&head).ends_with("; Secure"), "{head}");
        let other = format!("Cookie: {}\r\n", set_cookie(&head).split(';').next().unwrap());
        assert_ne!(other, shown);

        // Signed out is signed out, in this browser.
        let (head, _) = browse(&office, "POST", "/logout", &shown, "").await;
        assert!(set_cookie(&head).starts_with("takst=;"), "{head}");
        assert_eq!((status("/", &shown).await, status("/now", &shown).await), ("303".into(), "401".into()));
        assert_eq!(status("/", &other).await, "200");
        revoke(&office, &key).await;
        assert_eq!((status("/", &other).await, status("/now", &other).await), ("303".into(), "401".into()));
        office.gateway.server.stop().await;
    });
}
