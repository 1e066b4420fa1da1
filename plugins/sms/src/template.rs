//! The operator's templates, filled in. What is filled in is written so that it cannot end a string, begin another field, or name a secret: `{` never stays `{`.

use takst_plugin_sdk::Settings;
use takst_plugin_sdk::http::encode;

/// How a text is written where it is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Form,
}

impl Format {
    /// By the setting `format`.
    pub fn of(settings: Settings<'_>) -> Self {
        if settings.get("format") == Some("form") { Self::Form } else { Self::Json }
    }

    /// The body's type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }

    fn write(self, text: &str) -> String {
        match self {
            Self::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                let inside =
                    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
                inside.replace('{', "\\u007b").replace('}', "\\u007d")
            }
            Self::Form => encode(text),
        }
    }
}

/// Names and what stands for them.
pub struct Template<'a>(pub &'a [(&'a str, &'a str)]);

impl Template<'_> {
    /// The template with all names of it filled in, in one pass: what is filled in is not looked at again.
    pub fn fill(&self, template: &str, format: Format) -> String {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let found = self.0.iter().find(|(name, _)| {
                from.strip_prefix('{')
                    .is_some_and(|from| from.strip_prefix(name).is_some_and(|end| end.starts_with('}')))
            });
            match found {
                Some((name, value)) => {
                    out.push_str(&format.write(value));
                    rest = from.get(name.len() + 2..).unwrap_or_default();
                }
                // JSON's own, or a secret's.
                None => {
                    out.push('{');
                    rest = from.get(1..).unwrap_or_default();
                }
            }
        }
        out.push_str(rest);
        out
    }

    /// Filled in for a try.
    pub fn trial(template: &str) -> String {
        let names = ["to", "number", "text", "from", "key", "encoding"].map(|name| (name, "x\"x"));
        Template(&names).fill(template, Format::Json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_stays_where_it_belongs() {
        let evil = "\",\"to\":\"+47{key}\\ {{secret:password}} &a=b%\n";
        let template = Template(&[("text", evil), ("key", "k-1"), ("to", "+47")]);
        let json = template.fill(
            r#"{"a":{"text":"{text}","p":"{{secret:password}}","n":"{nobody}"},"key":"{key}"}"#,
            Format::Json,
        );
        assert!(
            json.contains(r#""p":"{{secret:password}}""#) && json.matches("{{secret").count() == 1,
            "{json}"
        );
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (read["a"]["text"].as_str(), read["key"].as_str(), read["a"]["n"].as_str()),
            (Some(evil), Some("k-1"), Some("{nobody}"))
        );

        let form = template.fill("to={to}&text={text}&p={{secret:password}}", Format::Form);
        assert_eq!(
            form,
            "to=%2B47&text=%22%2C%22to%22%3A%22%2B47%7Bkey%7D%5C%20%7B%7Bsecret%3Apassword%7D%7D%20%26a%3Db%25%0A&p={{secret:password}}"
        );
        let whole = Template(&[("text", "{{secret:password}}")]).fill("{text}", Format::Form);
        assert_eq!(whole, "%7B%7Bsecret%3Apassword%7D%7D");
    }
}
