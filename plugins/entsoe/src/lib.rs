//! Day-ahead prices of Europe's bidding zones from ENTSO-E's transparency platform, document type A44. The gateway reads the file itself.

mod areas;

use takst_plugin_sdk::time::{self, Civil, HOUR};
use takst_plugin_sdk::{Configuration, Error, Finding, Options, http, prices};

struct Entsoe;

const ADDRESS: &str = "https://web-api.tp.entsoe.eu/api";

impl Configuration for Entsoe {
    fn check(_settings: Options) -> Vec<Finding> {
        Vec::new()
    }
}

impl prices::Guest for Entsoe {
    fn fetch(_settings: Options, wanted: prices::Wanted) -> Result<Vec<prices::Document>, Error> {
        let area = areas::code(&wanted.area)?;
        let (from, until) = time::day_bounds(&wanted.day, &wanted.time_zone)?;
        let query = query(&area, from, until);
        let answer =
            http::Request::get(format!("{ADDRESS}?securityToken={{{{secret:token}}}}&{query}")).send()?;
        let said = answer.text();
        let acknowledged = said.contains("Acknowledgement_MarketDocument");
        match answer.status {
            // "No matching data found" comes with 200 or 400.
            200 | 400 if acknowledged && element(&said, "code") == Some("999") => match element(&said, "text") {
                Some(text) if !text.contains("No matching data") => Err(Error::refused("refused", format!("ENTSO-E says: {text}"))),
                _ => Ok(Vec::new()),
            },
            200 if acknowledged => {
                Err(Error::refused("refused", format!("ENTSO-E says: {}", element(&said, "text").unwrap_or("nothing"))))
            }
            200 if !covers(&said, from + (until - from) / 2) => Ok(Vec::new()),
            200 => Ok(vec![prices::Document { body: answer.body, published: None, source: format!("{ADDRESS}?{query}") }]),
            401 => Err(answer.error("ENTSO-E does not take the token: make a new one in My Account at transparency.entsoe.eu and set the secret `token`")),
            429 => Err(answer.error("ENTSO-E was asked more than 400 times in a minute").after(Some(600))),
            status => {
                let text = element(&said, "text").map(|text| format!(": {text}")).unwrap_or_default();
                Err(answer.error(format!("ENTSO-E answered {status}{text}")))
            }
        }
    }
}

// All that the answer depends on, without the token.
fn query(area: &str, from: i64, until: i64) -> String {
    format!(
        "documentType=A44&contract_MarketAgreement.type=A01&in_Domain={area}&out_Domain={area}&periodStart={}&periodEnd={}",
        stamp(from),
        stamp(until)
    )
}

// "202603282300" in UTC.
fn stamp(at: i64) -> String {
    let civil = Civil::of(at);
    let (hour, minute) = civil.hour_minute();
    format!("{}{hour:02}{minute:02}", civil.date().replace('-', ""))
}

// The text of the first element of this name, whatever its prefix.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let close = format!("{name}>");
    let from = xml.find(&format!("<{close}")).or_else(|| xml.find(&format!(":{close}")))?;
    let rest = xml.get(from..)?.split_once('>')?.1;
    rest.split_once('<').map(|(text, _)| text.trim())
}

// Whether a period of the document has this instant in it: the platform gives the one of two days that it has without a word.
fn covers(xml: &str, at: i64) -> bool {
    let mut rest = xml;
    while let Some((_, period)) = rest.split_once("<Period>") {
        rest = period;
        let bound = |name: &str| time::instant(element(period, name)?);
        if let (Some(start), Some(end)) = (bound("start"), bound("end"))
            && (start..end).contains(&at)
            && end - start <= 400 * 24 * HOUR
        {
            return true;
        }
    }
    false
}

takst_plugin_sdk::plugin!(Entsoe: prices);

#[cfg(test)]
mod tests;
