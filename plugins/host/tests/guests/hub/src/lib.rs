//! Meter values of a hub over http, in lines of `FROM UNTIL KWH QUALITY`, times in milliseconds. For tests of a gateway that runs.

use takst_plugin_sdk::http::Request;
use takst_plugin_sdk::meters::{self, Direction, File, Quality, Series, Span, Value};
use takst_plugin_sdk::{Configuration, Error, Finding, Options};

struct Hub;

const ADDRESS: &str = "https://hub.example.com/values";

impl Configuration for Hub {
    fn check(_: Options) -> Vec<Finding> {
        Vec::new()
    }
}

fn value(line: &str) -> Option<Value> {
    let mut words = line.split(' ');
    let (from, until, kwh) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
    let quality = match words.next()? {
        "estimated" => Quality::Estimated,
        "missing" => Quality::Missing,
        _ => Quality::Measured,
    };
    Some(Value { from, until, kwh: kwh.to_owned(), quality })
}

impl meters::Guest for Hub {
    fn check_point(_: Options, _: String) -> Option<String> {
        None
    }

    fn read(_: Options, _: File) -> Result<Vec<Series>, Error> {
        Err(Error::unsupported("files"))
    }

    fn write(_: Options, _: String, _: Vec<Series>) -> Result<File, Error> {
        Err(Error::unsupported("files"))
    }

    fn forms() -> Vec<String> {
        Vec::new()
    }

    fn fetch(_: Options, span: Span) -> Result<Vec<Series>, Error> {
        let Span { point, direction, from, until } = span;
        let answer = Request::get(format!("{ADDRESS}?point={point}&from={from}&until={until}")).send()?;
        if !answer.is_ok() {
            return Err(answer.error(answer.text()));
        }
        let values = answer.text().lines().map(value).collect::<Option<Vec<Value>>>();
        let values = values.ok_or_else(|| Error::refused("unreadable", "a line is no value"))?;
        Ok(vec![Series { point, direction, values }])
    }

    fn send(_: Options, key: String, series: Vec<Series>) -> Result<String, Error> {
        let mut body = String::new();
        for Series { point, direction: Direction::Consumption | Direction::Production, values } in series {
            for Value { from, until, kwh, .. } in values {
                body.push_str(&format!("{point} {from} {until} {kwh}\n"));
            }
        }
        let answer = Request::post(ADDRESS).header("x-key", key).body("text/plain", body).send()?;
        if !answer.is_ok() {
            return Err(answer.error(answer.text()));
        }
        Ok(answer.text())
    }
}

takst_plugin_sdk::plugin!(Hub: meters);
