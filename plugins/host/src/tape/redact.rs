//! Credentials that come up in a call, taken off the tape wherever they stand.

use serde_json::Value;

// Names whose values are credentials, in JSON and forms, without `_`, `-` and capitals.
const NAMES: [&str; 12] = [
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "token",
    "clientsecret",
    "secret",
    "password",
    "apikey",
    "authorization",
    "sessionid",
    "jwt",
    "privatekey",
];
// Shorter ones would tear holes into other words.
const SHORTEST: usize = 8;

/// What is to be taken off.
#[derive(Default)]
pub(crate) struct Redactions(Vec<String>);

impl Redactions {
    pub(crate) fn add(&mut self, value: &str) {
        // A scheme stands before the credential: `Bearer eyJ…`.
        let value = value.rsplit(' ').next().unwrap_or(value);
        let ours = value.contains("{{secret:") || value.contains("{{basic:");
        if value.len() >= SHORTEST && !ours && !self.0.iter().any(|known| known == value) {
            self.0.push(value.to_owned());
        }
    }

    /// Looks for credentials in a question or an answer: by the names of fields and headers.
    pub(crate) fn look(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.field(name, value);
                }
            }
            Value::Array(items) => {
                // A header is a pair.
                if let [Value::String(name), value @ Value::String(_)] = items.as_slice() {
                    self.field(name, value);
                } else {
                    items.iter().for_each(|item| self.look(item));
                }
            }
            Value::String(text) => self.text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn field(&mut self, name: &str, value: &Value) {
        let plain: String =
            name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect();
        match value {
            // `sid=…; Path=/`
            Value::String(text) if plain.ends_with("cookie") => {
                for part in text.split(';') {
                    self.add(part.split_once('=').map_or(part, |(_, value)| value).trim());
                }
            }
            Value::String(text) if NAMES.contains(&plain.as_str()) => self.add(text),
            _ => self.look(value),
        }
    }

    // A body is text that may be JSON or a form.
    fn text(&mut self, text: &str) {
        if text.trim_start().starts_with(['{', '[']) {
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(text) {
                self.look(&inner);
            }
        } else if text.contains('=') {
            let form = text.rsplit('?').next().unwrap_or(text);
            for (name, value) in url::form_urlencoded::parse(form.as_bytes()) {
                self.field(&name, &Value::String(value.into_owned()));
            }
        }
    }

    /// Takes them off, all at once: the same credential has the same name everywhere.
    pub(crate) fn clean(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                for (index, credential) in self.0.iter().enumerate() {
                    if text.contains(credential.as_str()) {
                        *text = text.replace(credential.as_str(), &format!("{{{{redacted:{}}}}}", index + 1));
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.clean(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_is_found_and_taken_off_everywhere() {
        let mut answer = json!({"status": 200, "headers": [["set-cookie", "sid=0123456789; Path=/"]], "body": "{\"access_token\": \"eyJhbGciOi.abc\", \"expires_in\": 3600}"});
        let mut ask = json!({"headers": [["authorization", "Bearer eyJhbGciOi.abc"]], "body": "x"});
        let mut all = Redactions::default();
        all.look(&answer);
        all.clean(&mut answer);
        all.clean(&mut ask);
        assert!(!answer.to_string().contains("eyJ") && !ask.to_string().contains("eyJ"), "{answer} {ask}");
        assert!(ask["headers"][0][1].as_str().unwrap().starts_with("Bearer {{redacted:"));
        assert!(answer["body"].as_str().unwrap().contains("3600"));
    }
}
