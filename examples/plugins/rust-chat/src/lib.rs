//! Posts notices into a chat room that takes incoming webhooks: a POST with `{"text": …}`.

use serde::Serialize;
use takst_plugin_sdk::messages::{Guest, Message, Receipt};
use takst_plugin_sdk::{Configuration, Error, Finding, Options, Settings, http};

struct Chat;

#[derive(Serialize)]
struct Post<'a> {
    text: &'a str,
    /// A room that has seen this id leaves the second one out.
    id: &'a str,
}

impl Configuration for Chat {
    fn check(settings: Options) -> Vec<Finding> {
        Settings(&settings).missing(&[("address", "the address that the chat shows for incoming messages")])
    }
}

impl Guest for Chat {
    fn send(settings: Options, key: String, message: Message) -> Result<Receipt, Error> {
        let text = text(&message);
        let mut request =
            http::Request::post(Settings(&settings).need("address")?).json(&Post { text: &text, id: &key });
        if Settings(&settings).get("token-needed") == Some("yes") {
            request = request.header("authorization", "Bearer {{secret:token}}");
        }
        let answer = request.send()?;
        if answer.is_ok() {
            Ok(Receipt { reference: key, parts: 1 })
        } else {
            Err(answer.error(format!("the chat answered {}", answer.status)))
        }
    }

    fn lookup(_settings: Options, _key: String) -> Result<Option<Receipt>, Error> {
        // A room cannot be asked what it has.
        Err(Error::unsupported("know what was posted"))
    }
}

fn text(message: &Message) -> String {
    if message.subject.is_empty() {
        message.text.clone()
    } else {
        format!("{}\n{}", message.subject, message.text)
    }
}

takst_plugin_sdk::plugin!(Chat: messages);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_stands_first() {
        let mut message = Message {
            kind: "chat".into(),
            to: String::new(),
            subject: "CP-5".into(),
            text: "is offline".into(),
            language: "en".into(),
            more: Vec::new(),
        };
        assert_eq!(text(&message), "CP-5\nis offline");
        message.subject.clear();
        assert_eq!(text(&message), "is offline");
    }
}
