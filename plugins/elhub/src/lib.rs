//! Meter values of the Norwegian hub, in and out: files of Min side (`table.rs`), messages (`message.rs`), neutral JSON (`neutral.rs`). It connects to nobody.

mod kwh;
mod message;
mod neutral;
mod point;
mod table;

use takst_plugin_sdk::meters::{self, File, Series, Span};
use takst_plugin_sdk::{Configuration, Error, Finding, Options, clock};

struct Elhub;

/// What of the operator's settings the forms need.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    zone: &'a str,
    point: Option<&'a str>,
    in_is_production: bool,
    sender: Option<&'a str>,
    recipient: Option<&'a str>,
    role: &'a str,
    process: &'a str,
}

impl<'a> Settings<'a> {
    fn of(options: &'a Options) -> Self {
        let given = takst_plugin_sdk::Settings(options);
        Self {
            zone: given.get_or("time_zone", "Europe/Oslo"),
            point: given.get("point"),
            in_is_production: given.get_or("in_means", "production") == "production",
            sender: given.get("sender"),
            recipient: given.get("recipient"),
            role: given.get_or("role", "MDR"),
            process: given.get_or("process", "BRS-NO-312"),
        }
    }
}

/// A file that cannot be read, and the line.
pub(crate) fn at(line: usize, text: impl std::fmt::Display) -> Error {
    Error::refused("unreadable", format!("line {line}: {text}"))
}

/// The forms that can be written.
const FORMS: [&str; 4] = ["min-side", "min-side-local", "collected-data", "json"];

impl Configuration for Elhub {
    fn check(options: Options) -> Vec<Finding> {
        let settings = Settings::of(&options);
        let mut findings = Vec::new();
        let mut found = |setting: &str, text: Option<String>| {
            findings.extend(text.map(|text| Finding { setting: setting.to_owned(), text, error: true }));
        };
        let no_zone = clock::offset(0, settings.zone).is_none();
        found("time_zone", no_zone.then(|| format!("there is no time zone `{}`", settings.zone)));
        found("point", settings.point.and_then(point::wrong));
        found("sender", settings.sender.and_then(point::wrong_party));
        found("recipient", settings.recipient.and_then(point::wrong_party));
        findings
    }
}

impl meters::Guest for Elhub {
    fn check_point(_options: Options, point: String) -> Option<String> {
        point::wrong(&point)
    }

    fn read(options: Options, file: File) -> Result<Vec<Series>, Error> {
        let settings = Settings::of(&options);
        let body = file.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&file.body);
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'<') => message::read(&settings, &file),
            Some(b'{') => neutral::read(&file),
            _ => table::read(&settings, &file),
        }
    }

    fn write(options: Options, form: String, series: Vec<Series>) -> Result<File, Error> {
        let settings = Settings::of(&options);
        if let Some(wrong) = series.iter().find_map(|one| point::wrong(&one.point)) {
            return Err(Error::refused("wrong-point", wrong));
        }
        match form.as_str() {
            "min-side" => table::write(&settings, &series, false),
            "min-side-local" => table::write(&settings, &series, true),
            "collected-data" => message::write(&settings, &series),
            "json" => neutral::write(&settings, &series),
            other => Err(Error::refused(
                "unknown-form",
                format!("there is no form `{other}`: {}", FORMS.join(", ")),
            )),
        }
    }

    fn forms() -> Vec<String> {
        FORMS.map(str::to_owned).to_vec()
    }

    fn fetch(_options: Options, _span: Span) -> Result<Vec<Series>, Error> {
        Err(Error::unsupported(
            "fetch from Elhub: its interface takes a company certificate and an agreement; give it files",
        ))
    }

    fn send(_options: Options, _key: String, _series: Vec<Series>) -> Result<String, Error> {
        Err(Error::unsupported("send to Elhub: write `collected-data` and hand it over"))
    }
}

takst_plugin_sdk::plugin!(Elhub: meters);

#[cfg(test)]
mod tests;
