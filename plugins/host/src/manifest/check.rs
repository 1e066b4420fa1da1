//! A manifest's text to [`Manifest`], with everything that is wrong with it; and an operator's settings against it.

use super::diagnostic::Findings;
use super::rule::{HostName, METHODS};
use super::{
    Capability, Diagnostics, HttpRule, Manifest, Place, Schedule, SecretSpec, SettingSpec, SettingType,
};
use crate::limits::Wishes;
use crate::model::Finding;
use semver::Version;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Raw {
    id: Spanned<String>,
    version: Spanned<String>,
    interface: Spanned<String>,
    description: Spanned<String>,
    author: Spanned<String>,
    capabilities: Spanned<Vec<Spanned<Capability>>>,
    #[serde(default)]
    http: Vec<Spanned<HttpRule>>,
    #[serde(default)]
    secrets: BTreeMap<Spanned<String>, Spanned<RawSecret>>,
    #[serde(default)]
    settings: BTreeMap<Spanned<String>, Spanned<SettingSpec>>,
    #[serde(default)]
    limits: Wishes,
    #[serde(default)]
    schedule: Option<Spanned<Schedule>>,
    #[serde(default)]
    wasm: Option<RawWasm>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawSecret {
    help: String,
    #[serde(default)]
    hosts: Vec<HostName>,
    #[serde(default = "usual_places")]
    places: Vec<Place>,
    #[serde(default)]
    required: bool,
}

fn usual_places() -> Vec<Place> {
    vec![Place::Header, Place::Query]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWasm {
    sha256: Spanned<String>,
}

pub(super) fn read(file: &str, text: &str) -> Result<Manifest, Diagnostics> {
    let mut findings = Findings::new(file, text);
    let raw: Raw = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            findings.toml(&error);
            return findings.finish(None);
        }
    };
    let version = version(&mut findings, &raw.version, "the plugin's own version");
    let interface = version_of_interface(&mut findings, &raw.interface);
    if !is_name(raw.id.get_ref(), 2) {
        let message = format!("`{}` is not an id", raw.id.get_ref());
        findings.add(
            Some(raw.id.span().start),
            message,
            "2 to 40 small letters, digits and `-`, a letter first: \"stripe\"",
        );
    }
    for (text, name) in [(&raw.description, "description"), (&raw.author, "author")] {
        if text.get_ref().trim().is_empty() || text.get_ref().contains(char::is_control) {
            findings.add(
                Some(text.span().start),
                format!("`{name}` is one line for people, and not empty"),
                "",
            );
        }
    }
    if raw.capabilities.get_ref().is_empty() {
        let all = Capability::ALL.map(Capability::name).join("\", \"");
        let help = format!("write one or more of \"{all}\"");
        findings.add(Some(raw.capabilities.span().start), "a plugin without a capability does nothing", help);
    }
    for rule in &raw.http {
        http(&mut findings, rule, &raw.settings);
    }
    for (name, spec) in &raw.secrets {
        name_of(&mut findings, name, "secret");
        for host in &spec.get_ref().hosts {
            if !raw.http.iter().any(|rule| rule.get_ref().host == *host) {
                let help = format!("add a rule [[http]] with host = \"{host}\", or take it out of `hosts`");
                findings.add(
                    Some(spec.span().start),
                    format!(
                        "secret `{name}` is bound to `{host}`, which the plugin never calls",
                        name = name.get_ref()
                    ),
                    help,
                );
            }
        }
    }
    for (name, spec) in &raw.settings {
        setting(&mut findings, name, spec);
    }
    if let Some(schedule) = &raw.schedule {
        self::schedule(&mut findings, schedule);
    }
    let sha256 = raw.wasm.map(|wasm| wasm.sha256).map(|text| {
        if text.get_ref().len() != 64
            || !text.get_ref().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            findings.add(
                Some(text.span().start),
                "`sha256` is 64 hex digits, small letters",
                "packing the plugin writes it",
            );
        }
        text.into_inner()
    });
    let manifest = version.zip(interface).map(|(version, interface)| Manifest {
        id: raw.id.into_inner(),
        version,
        interface,
        description: raw.description.into_inner(),
        author: raw.author.into_inner(),
        capabilities: raw.capabilities.into_inner().into_iter().map(Spanned::into_inner).collect(),
        http: raw.http.into_iter().map(Spanned::into_inner).collect(),
        secrets: raw
            .secrets
            .into_iter()
            .map(|(name, spec)| {
                let RawSecret { help, hosts, places, required } = spec.into_inner();
                (name.into_inner(), SecretSpec { help, hosts, places, required })
            })
            .collect(),
        settings: raw
            .settings
            .into_iter()
            .map(|(name, spec)| (name.into_inner(), spec.into_inner()))
            .collect(),
        limits: raw.limits,
        schedule: raw.schedule.map(Spanned::into_inner),
        sha256,
    });
    findings.finish(manifest)
}

fn version(findings: &mut Findings<'_>, text: &Spanned<String>, what: &str) -> Option<Version> {
    match Version::parse(text.get_ref()) {
        Ok(version) => Some(version),
        Err(_) => {
            let message = format!("`{}` is not a version", text.get_ref());
            findings.add(Some(text.span().start), message, format!("{what} has three numbers: \"1.0.0\""));
            None
        }
    }
}

fn version_of_interface(findings: &mut Findings<'_>, text: &Spanned<String>) -> Option<Version> {
    let version = version(findings, text, "the version of takst:plugin that it was built for")?;
    if let Err(reason) = crate::load::interface::readable(&version) {
        findings.add(Some(text.span().start), reason.message, reason.help);
    }
    Some(version)
}

fn is_name(text: &str, least: usize) -> bool {
    (least..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
}

fn name_of(findings: &mut Findings<'_>, name: &Spanned<String>, what: &str) {
    if !is_name(name.get_ref(), 1) {
        let message = format!("`{}` is not a name of a {what}", name.get_ref());
        findings.add(
            Some(name.span().start),
            message,
            "up to 40 small letters, digits, `-` and `_`, a letter first",
        );
    }
}

fn http(
    findings: &mut Findings<'_>,
    rule: &Spanned<HttpRule>,
    settings: &BTreeMap<Spanned<String>, Spanned<SettingSpec>>,
) {
    let at = Some(rule.span().start);
    let rule = rule.get_ref();
    if let HostName::Setting(name) = &rule.host {
        let is_address = settings
            .iter()
            .any(|(key, spec)| key.get_ref() == name && spec.get_ref().kind == SettingType::Address);
        if !is_address {
            let help = format!("add [settings.{name}] with type = \"address\"");
            findings.add(at, format!("`{}` needs a setting `{name}` that is an address", rule.host), help);
        }
    }
    for (message, help) in rule_errors(rule) {
        findings.add(at, message, help);
    }
}

/// What is wrong with a rule by itself: message and help. For manifests and grants.
pub(crate) fn rule_errors(rule: &HttpRule) -> Vec<(String, String)> {
    let mut errors = Vec::new();
    let host = &rule.host;
    if rule.methods.is_empty() {
        errors.push((format!("the rule for `{host}` has no methods"), "methods = [\"GET\"]".to_owned()));
    }
    for method in rule.methods.iter().filter(|method| !METHODS.contains(&method.as_str())) {
        errors.push((
            format!("`{method}` is not a method that plugins can use"),
            format!("one of {}, in capitals", METHODS.join(", ")),
        ));
    }
    if rule.paths.is_empty() {
        errors.push((format!("the rule for `{host}` has no paths"), "paths = [\"/v1/\"]".to_owned()));
    }
    for path in &rule.paths {
        if !path.starts_with('/') || path.contains(['?', '#', '%', '\\', '*', '{']) || path.contains("/.") {
            errors.push((
                format!("`{path}` is not the beginning of a path"),
                "a path begins with `/` and is written without `?`, `#`, `%`, `*` and `..`: \"/v1/charges\""
                    .to_owned(),
            ));
        }
    }
    if let Some(header) = &rule.idempotency
        && !crate::http::headers::may_set(header)
    {
        errors.push((
            format!("`{header}` cannot be the idempotency header"),
            "as in \"Idempotency-Key\"".to_owned(),
        ));
    }
    errors
}

fn setting(findings: &mut Findings<'_>, name: &Spanned<String>, spec: &Spanned<SettingSpec>) {
    name_of(findings, name, "setting");
    let (at, name, spec) = (Some(spec.span().start), name.get_ref(), spec.get_ref());
    if (spec.kind == SettingType::Choice) == spec.choices.is_empty() {
        let help = "type = \"choice\" has choices = [\"…\", \"…\"], and no other type has";
        findings.add(at, format!("the choices of setting `{name}` do not fit its type"), help);
    }
    if spec.required && spec.default.is_some() {
        findings.add(
            at,
            format!("setting `{name}` is required and has a default"),
            "take out one of the two",
        );
    }
    if let Some(default) = &spec.default
        && let Some(wrong) = value_error(spec, default)
    {
        findings.add(at, format!("the default of setting `{name}`: {wrong}"), "");
    }
}

fn schedule(findings: &mut Findings<'_>, schedule: &Spanned<Schedule>) {
    let (at, schedule) = (Some(schedule.span().start), schedule.get_ref());
    for (name, text) in [("at", &schedule.at), ("late", &schedule.late)] {
        if text.len() != 5 || chrono::NaiveTime::parse_from_str(text, "%H:%M").is_err() {
            findings.add(at, format!("`{name} = \"{text}\"` is not a time of day"), "as in \"13:05\"");
        }
    }
    if let Some(zone) = &schedule.time_zone
        && zone.parse::<chrono_tz::Tz>().is_err()
    {
        findings.add(at, format!("there is no time zone `{zone}`"), "as in \"Europe/Oslo\"");
    }
    if schedule.retry.0 < std::time::Duration::from_secs(10) {
        findings.add(
            at,
            "`retry` is less than 10 s",
            "price sources shut out who asks too often: retry = \"10 min\"",
        );
    }
}

// What is wrong with a value of this setting.
fn value_error(spec: &SettingSpec, value: &str) -> Option<String> {
    match spec.kind {
        SettingType::Text => value.contains(['\r', '\n', '\0']).then(|| "it must be one line".to_owned()),
        SettingType::Number => {
            let digits = value.strip_prefix('-').unwrap_or(value);
            let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
            let fine = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            (!(fine(whole) && fine(part))).then(|| format!("`{value}` is not a number: write 12 or 0.5"))
        }
        SettingType::YesNo => {
            (!matches!(value, "yes" | "no")).then(|| format!("`{value}` is neither `yes` nor `no`"))
        }
        SettingType::Choice => (!spec.choices.iter().any(|choice| choice == value))
            .then(|| format!("`{value}` is not one of {}", spec.choices.join(", "))),
        SettingType::Address => {
            let fine = url::Url::parse(value).is_ok_and(|url| {
                matches!(url.scheme(), "https" | "http")
                    && url.username().is_empty()
                    && url.password().is_none()
                    && url.query().is_none()
                    && url.fragment().is_none()
            });
            (!fine).then(|| format!("`{value}` is not an address as in https://api.example.com/v1"))
        }
    }
}

pub(super) fn settings(manifest: &Manifest, given: &[(String, String)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, value) in given {
        let text = match manifest.settings.get(name) {
            Some(spec) => value_error(spec, value),
            None if manifest.settings.is_empty() => Some(format!("{} has no settings", manifest.id)),
            None => Some(format!(
                "{} has no such setting, it has: {}",
                manifest.id,
                manifest.settings.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            )),
        };
        found.extend(text.map(|text| Finding { setting: name.clone(), text, error: true }));
    }
    for (name, spec) in &manifest.settings {
        if spec.required && !given.iter().any(|(key, _)| key == name) {
            found.push(Finding {
                setting: name.clone(),
                text: format!("missing: {}", spec.help),
                error: true,
            });
        }
    }
    found
}
