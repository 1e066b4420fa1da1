//! Fields of what comes from outside: JSON, forms, queries.

use serde_json::Value;

/// A field of a JSON text, by its name or by a pointer (RFC 6901, "/messages/0/id"). Numbers are given as text.
pub fn json(value: &Value, place: &str) -> Option<String> {
    let found = if place.starts_with('/') { value.pointer(place) } else { value.get(place) }?;
    match found {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// A field of a form or query.
pub fn form(text: &str, name: &str) -> Option<String> {
    text.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name).then(|| decode(value))
    })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: Vec<u8> = rest.clone().take(2).collect();
                match std::str::from_utf8(&hex)
                    .ok()
                    .filter(|hex| hex.len() == 2)
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok())
                {
                    Some(byte) => {
                        bytes.push(byte);
                        rest.nth(1);
                    }
                    None => bytes.push(b'%'),
                }
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let value: Value =
            serde_json::from_str(r#"{"from":"47","id":12,"inbound":[{"text":"Lade"}],"none":null}"#).unwrap();
        assert_eq!(json(&value, "from").as_deref(), Some("47"));
        assert_eq!(json(&value, "id").as_deref(), Some("12"));
        assert_eq!(json(&value, "/inbound/0/text").as_deref(), Some("Lade"));
        assert_eq!(
            (json(&value, "none"), json(&value, "inbound"), json(&value, "/inbound/1/text")),
            (None, None, None)
        );
        let text = "from=%2B47+912&text=K%C3%A4ynnist%C3%A4%&empty=&%74o=x%4";
        assert_eq!(form(text, "from").as_deref(), Some("+47 912"));
        assert_eq!(form(text, "text").as_deref(), Some("Käynnistä%"));
        assert_eq!(
            (form(text, "empty").as_deref(), form(text, "to").as_deref(), form(text, "fro")),
            (Some(""), Some("x%4"), None)
        );
    }
}
