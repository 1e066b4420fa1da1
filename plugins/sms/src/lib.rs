//! SMS through any gateway that takes messages over HTTP: address, body and answer are the operator's settings. Messages that come in start and stop charging.

mod command;
mod field;
mod incoming;
mod length;
mod number;
mod send;
mod template;

use takst_plugin_sdk::{Configuration, Finding, Options, Settings};
use template::{Format, Template};

/// The plugin.
pub struct Sms;

impl Configuration for Sms {
    fn check(settings: Options) -> Vec<Finding> {
        let settings = Settings(&settings);
        let mut findings = Vec::new();
        let mut find = |setting: &str, text: &str, error: bool| {
            findings.push(Finding { setting: setting.into(), text: text.into(), error });
        };
        if settings.get("address").is_none() {
            find("address", "is missing: the SMS gateway's address, https://…", true);
        }
        let path = settings.get_or("send_path", "/");
        if !path.starts_with('/') {
            find("send_path", "begins with /", true);
        }
        let (body, format) = (settings.get_or("body", send::BODY), Format::of(settings));
        let in_path = settings.get("method") == Some("GET");
        let all = if in_path { path.to_owned() } else { format!("{path}{body}") };
        for (name, or) in [("{text}", "{text}"), ("{to}", "{number}")] {
            if !all.contains(name) && !all.contains(or) {
                let setting = if in_path { "send_path" } else { "body" };
                find(setting, &format!("has no {name}: every message would be the same"), true);
            }
        }
        if !in_path
            && format == Format::Json
            && serde_json::from_str::<serde_json::Value>(&Template::trial(body)).is_err()
        {
            find(
                "body",
                "is no JSON once it is filled in: placeholders stand between quotation marks, \"{text}\"",
                true,
            );
        }
        if send::accepted(settings.get_or("accepted", send::ACCEPTED)).is_none() {
            find("accepted", "is no list of statuses: write 200-299 or 200,202", true);
        }
        if settings.get("success").is_some_and(|text| !text.starts_with('/') || !text.contains('=')) {
            find("success", "names a place in the answer and its value: /status=OK", true);
        }
        if let Some(path) = settings.get("status_path")
            && !(path.starts_with('/') && path.contains("{key}"))
        {
            find("status_path", "begins with / and has {key} in it", true);
        }
        match settings.get("from") {
            Some(from)
                if from.len() > 15
                    || (from.len() > 11
                        && !from.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit())) =>
            {
                find("from", "has more than 11 characters, or 15 digits: phones would not show it", false);
            }
            _ => {}
        }
        if settings.get("country_code").is_some_and(|code| number::country(code).is_none()) {
            find("country_code", "is no country's code: one to three digits, 47", true);
        }
        if settings
            .get("most_parts")
            .is_some_and(|text| !text.parse().is_ok_and(|parts: u32| (1..=255).contains(&parts)))
        {
            find("most_parts", "is a whole number from 1 to 255", true);
        }
        if settings.get("status_path").is_none() && settings.get("when_unsure") != Some("again") {
            let text = "is `leave` and there is no status_path: when an answer is lost, nobody knows whether the message was sent, and a person has to decide";
            find("when_unsure", text, false);
        }
        findings
    }
}

takst_plugin_sdk::plugin!(Sms: messages, calls);

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugin_sdk::testing::options;

    fn errors(settings: &[(&str, &str)]) -> Vec<String> {
        let found = Sms::check(options(settings));
        found.into_iter().filter(|finding| finding.error).map(|finding| finding.setting).collect()
    }

    #[test]
    fn settings_that_cannot_work_are_found() {
        let address = ("address", "https://sms.example.com");
        assert_eq!(errors(&[]), ["address"]);
        assert_eq!(errors(&[address]), Vec::<String>::new());
        for (name, value) in [
            ("send_path", "send"),
            ("body", r#"{"to":"{to}"}"#),
            ("body", r#"{"to":{to},"text":"{text}"}"#),
            ("accepted", "2xx"),
            ("accepted", "299-200"),
            ("success", "OK"),
            ("status_path", "/status"),
            ("country_code", "+47"),
            ("most_parts", "0"),
        ] {
            assert_eq!(errors(&[address, (name, value)]), [name], "{value}");
        }
        assert_eq!(
            errors(&[address, ("method", "GET"), ("send_path", "/send?to={number}&text={text}")]),
            Vec::<String>::new()
        );
        assert_eq!(errors(&[address, ("method", "GET"), ("send_path", "/send?to={number}")]), ["send_path"]);
    }
}
