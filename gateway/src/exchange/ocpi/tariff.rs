//! A tariff of OCPI as it stands in its document.

mod restrictions;

use super::json::{At, Node, read};
use super::{Problem, Version};
use chrono::{DateTime, NaiveDate, Utc};
use restrictions::restrictions;
use rust_decimal::Decimal;

/// What a component is charged for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Dimension {
    Energy,
    Time,
    ParkingTime,
    Flat,
}

#[derive(Clone, Debug)]
pub(super) struct Component {
    pub place: String,
    pub dimension: Dimension,
    pub price: Decimal,
    pub vat: Option<Decimal>,
    /// Wh or seconds; 0: none.
    pub step: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reserved {
    Used,
    Expired,
}

/// All of them hold together.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Restrictions {
    /// Minutes of the day: from and until; not the whole day. From beyond until: over midnight.
    pub hours: Option<(u16, u16)>,
    pub from: Option<NaiveDate>,
    /// The first day that is out.
    pub until: Option<NaiveDate>,
    pub kwh: (Option<Decimal>, Option<Decimal>),
    pub amperes: (Option<Decimal>, Option<Decimal>),
    pub kw: (Option<Decimal>, Option<Decimal>),
    pub seconds: (Option<i64>, Option<i64>),
    /// Bit 0 Monday; all seven: every day.
    pub days: u8,
    pub reserved: Option<Reserved>,
}

pub(super) const EVERY_DAY: u8 = 0x7f;

#[derive(Clone, Debug)]
pub(super) struct Element {
    pub place: String,
    pub components: Vec<Component>,
    pub restrictions: Restrictions,
}

/// A bound of the total, without and with taxes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Bound {
    pub without: Option<Decimal>,
    pub with: Option<Decimal>,
}

/// What `tax_included` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TaxIncluded {
    Yes,
    No,
    NotApplicable,
}

#[derive(Clone, Debug)]
pub(super) struct Tariff {
    pub version: Version,
    pub id: String,
    pub country: Option<String>,
    pub party: Option<String>,
    pub currency: String,
    pub kind: Option<String>,
    /// Language and text.
    pub texts: Vec<(String, String)>,
    pub url: Option<String>,
    pub least: Option<Bound>,
    pub most: Option<Bound>,
    pub elements: Vec<Element>,
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub energy: Vec<String>,
    pub updated: Option<String>,
    pub tax: TaxIncluded,
    pub hold: Option<Bound>,
}

/// The tariffs of a document: one, a list of them, a response with them, or CDRs that carry them.
pub(super) fn tariffs<'a>(root: &'a Node) -> Result<Vec<At<'a>>, Problem> {
    let inside = match root.get("data") {
        Some(data) => At::new(data, "data"),
        None => At::new(root, ""),
    };
    let documents = match inside.node {
        Node::List(_) => inside.list()?,
        Node::Object(_) => vec![inside],
        _ => {
            return Err(inside.wrong(
                "an OCPI tariff belongs here: an object with `id`, `currency` and `elements`, a list of them, or a response with them in \
                 `data`",
            ));
        }
    };
    let (mut all, mut without) = (Vec::new(), None);
    for document in documents {
        if document.node.has("elements") {
            all.push(document);
            continue;
        }
        let carried = match document.node.get("tariffs") {
            Some(tariffs) if document.place.is_empty() => At::new(tariffs, "tariffs").list()?,
            Some(tariffs) => At::new(tariffs, format!("{}.tariffs", document.place)).list()?,
            None if is_cdr(document.node) => Vec::new(),
            None => {
                all.push(document);
                continue;
            }
        };
        if carried.is_empty() && is_cdr(document.node) {
            without = without.or(Some(document));
            continue;
        }
        for tariff in carried {
            // Many CDRs carry one tariff many times.
            if !all.iter().any(|known: &At<'_>| known.node == tariff.node) {
                all.push(tariff);
            }
        }
    }
    match without {
        Some(cdr) if all.is_empty() => Err(cdr.wrong(
            "this is a CDR, and no tariff comes with it: import the tariff that the `tariff_id` of its charging periods names, from the \
             partner's list of tariffs",
        )),
        _ => Ok(all),
    }
}

fn is_cdr(node: &Node) -> bool {
    ["charging_periods", "cdr_token", "total_energy", "total_cost"].iter().any(|name| node.has(name))
}

/// The id of a tariff, as far as it can be told.
pub(super) fn id_of(at: &At<'_>) -> String {
    let id = at.node.get("id").map(|id| At::new(id, ""));
    id.and_then(|id| id.text().ok()).unwrap_or_default().to_owned()
}

/// The version that a tariff's fields are of.
pub(super) fn version_of(node: &Node) -> Version {
    let bound = |name: &str| node.get(name).is_some_and(|bound| bound.has("before_taxes"));
    if node.has("tax_included") || bound("min_price") || bound("max_price") {
        return Version::V230;
    }
    let newer =
        ["country_code", "party_id", "type", "min_price", "max_price", "start_date_time", "end_date_time"];
    if newer.iter().any(|name| node.has(name)) { Version::V221 } else { Version::V211 }
}

/// Reads a document.
pub(super) fn document(text: &str) -> Result<Node, Problem> {
    read(text)
}

/// Reads a tariff. `notes`: what was not understood and does not matter.
pub(super) fn tariff(
    at: &At<'_>,
    version: Version,
    notes: &mut Vec<Problem>,
) -> Result<Tariff, Vec<Problem>> {
    let mut wrong = Vec::new();
    let mut fields = at.object().map_err(|problem| vec![problem])?;
    let mut keep = |result: Result<String, Problem>| {
        result.unwrap_or_else(|problem| {
            wrong.push(problem);
            String::new()
        })
    };
    let id = keep(fields.need("id").and_then(|at| at.text().map(str::to_owned)));
    let currency = keep(fields.need("currency").and_then(|at| currency(&at)));
    let texts = |at: Option<At<'_>>| at.map(|at| at.text().map(str::to_owned)).transpose();
    let mut read = Tariff {
        version,
        id,
        country: None,
        party: None,
        currency,
        kind: None,
        texts: Vec::new(),
        url: None,
        least: None,
        most: None,
        elements: Vec::new(),
        from: None,
        until: None,
        energy: Vec::new(),
        updated: None,
        tax: TaxIncluded::No,
        hold: None,
    };
    let mut rest = || -> Result<(), Problem> {
        let upper = |text: Option<String>| text.map(|text| text.to_uppercase());
        read.country = upper(texts(fields.take("country_code"))?);
        read.party = upper(texts(fields.take("party_id"))?);
        read.kind = upper(texts(fields.take("type"))?);
        read.url = texts(fields.take("tariff_alt_url"))?;
        read.updated = texts(fields.take("last_updated"))?;
        read.from = fields.take("start_date_time").map(|at| at.time()).transpose()?;
        read.until = fields.take("end_date_time").map(|at| at.time()).transpose()?;
        read.least = fields.take("min_price").map(|at| bound(&at, notes)).transpose()?;
        read.most = fields.take("max_price").map(|at| bound(&at, notes)).transpose()?;
        read.hold = fields.take("preauthorize_amount").map(|at| bound(&at, notes)).transpose()?;
        if let Some(list) = fields.take("tariff_alt_text") {
            for text in list.list()? {
                let mut text = text.object()?;
                let language = texts(text.take("language"))?.unwrap_or_default();
                if let Some(shown) = texts(text.take("text"))? {
                    read.texts.push((language, shown));
                }
                text.rest(notes);
            }
        }
        if let Some(mix) = fields.take("energy_mix") {
            read.energy = energy_mix(&mix, notes)?;
        }
        if let Some(tax) = fields.take("tax_included") {
            read.tax = tax_included(&tax)?;
        }
        Ok(())
    };
    wrong.extend(rest().err());
    match fields.need("elements").and_then(|at| at.list().map(|list| (at, list))) {
        Ok((at, list)) if list.is_empty() => {
            wrong.push(at.wrong(
                "a tariff has at least one element; free of charge is a FLAT component with the price 0",
            ));
        }
        Ok((_, list)) => {
            for at in list {
                match element(&at, version, notes, &mut wrong) {
                    Ok(element) => read.elements.extend(element),
                    Err(problem) => wrong.push(problem),
                }
            }
        }
        Err(problem) => wrong.push(problem),
    }
    fields.rest(notes);
    if wrong.is_empty() { Ok(read) } else { Err(wrong) }
}

fn tax_included(at: &At<'_>) -> Result<TaxIncluded, Problem> {
    if let Node::Bool(with) = at.node {
        return Ok(if *with { TaxIncluded::Yes } else { TaxIncluded::No });
    }
    match at.text()?.to_ascii_uppercase().as_str() {
        "YES" => Ok(TaxIncluded::Yes),
        "NO" => Ok(TaxIncluded::No),
        "N/A" | "NA" => Ok(TaxIncluded::NotApplicable),
        other => Err(at.wrong(format!("`{other}` is none of YES, NO and N/A"))),
    }
}

fn currency(at: &At<'_>) -> Result<String, Problem> {
    let code = at.text()?.to_ascii_uppercase();
    if code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Ok(code);
    }
    Err(at.wrong(format!("`{code}` is no currency such as EUR")))
}

// A number (excluding taxes), or the amounts without and with taxes in the words of any version.
fn bound(at: &At<'_>, notes: &mut Vec<Problem>) -> Result<Bound, Problem> {
    if let Node::Number(_) | Node::Text(_) = at.node {
        return Ok(Bound { without: Some(at.decimal()?), with: None });
    }
    let mut fields = at.object()?;
    let mut amount = |names: [&str; 2]| -> Result<Option<Decimal>, Problem> {
        let [one, other] = names.map(|name| fields.take(name));
        one.or(other).map(|at| at.decimal()).transpose()
    };
    let bound =
        Bound { without: amount(["excl_vat", "before_taxes"])?, with: amount(["incl_vat", "after_taxes"])? };
    fields.rest(notes);
    let negative =
        |amount: Option<Decimal>| amount.is_some_and(|amount| amount.is_sign_negative() && !amount.is_zero());
    if negative(bound.without) || negative(bound.with) {
        return Err(at.wrong("a bound of the total is not below zero"));
    }
    if bound.without.is_none() && bound.with.is_none() {
        return Err(at.wrong("it has no amount"));
    }
    Ok(bound)
}

fn energy_mix(at: &At<'_>, notes: &mut Vec<Problem>) -> Result<Vec<String>, Problem> {
    let mut fields = at.object()?;
    let mut said = Vec::new();
    if let Some(At { node: Node::Bool(green), .. }) = fields.take("is_green_energy") {
        said.push(if *green { "green energy".to_owned() } else { "not all of it green".to_owned() });
    }
    for (list, name, number, unit) in
        [("energy_sources", "source", "percentage", "%"), ("environ_impact", "category", "amount", " g/kWh")]
    {
        let Some(list) = fields.take(list) else { continue };
        for entry in list.list()? {
            let mut entry = entry.object()?;
            // Older versions call the category of an impact its source.
            let what = entry.take(name).or_else(|| entry.take("source"));
            let (Some(what), Some(amount)) = (what, entry.take(number)) else { continue };
            let what = what.text()?.to_lowercase().replace('_', " ");
            said.push(format!("{what} {}{unit}", amount.decimal()?));
        }
    }
    for name in ["supplier_name", "energy_product_name"] {
        if let Some(text) = fields.take(name) {
            said.push(text.text()?.to_owned());
        }
    }
    fields.rest(notes);
    Ok(said)
}

// None: it can never hold, which a note says.
fn element(
    at: &At<'_>,
    version: Version,
    notes: &mut Vec<Problem>,
    wrong: &mut Vec<Problem>,
) -> Result<Option<Element>, Problem> {
    let mut fields = at.object()?;
    let mut components = Vec::new();
    for component in fields.need("price_components")?.list()? {
        match self::component(&component, version, notes) {
            Ok(component) => components.push(component),
            Err(problem) => wrong.push(problem),
        }
    }
    let restrictions = match fields.take("restrictions") {
        None => Some(Restrictions { days: EVERY_DAY, ..Restrictions::default() }),
        Some(at) => restrictions(&at, notes, wrong)?,
    };
    fields.rest(notes);
    Ok(restrictions.map(|restrictions| Element { place: at.place.clone(), components, restrictions }))
}

fn component(at: &At<'_>, version: Version, notes: &mut Vec<Problem>) -> Result<Component, Problem> {
    let mut fields = at.object()?;
    let kind = fields.need("type")?;
    let dimension = match kind.text()?.to_ascii_uppercase().as_str() {
        "ENERGY" => Dimension::Energy,
        "TIME" => Dimension::Time,
        "PARKING_TIME" => Dimension::ParkingTime,
        "FLAT" => Dimension::Flat,
        other => {
            let known = "known are ENERGY, FLAT, TIME and PARKING_TIME";
            return Err(kind.wrong(format!("there is no price component `{other}`; {known}")));
        }
    };
    let price = fields.need("price")?.decimal()?;
    let vat = match fields.take("vat") {
        Some(at) => {
            let vat = at.decimal()?;
            if vat < Decimal::ZERO || vat > Decimal::ONE_HUNDRED {
                return Err(at.wrong(format!("{vat}% is no rate of VAT")));
            }
            if vat > Decimal::ZERO && vat < Decimal::ONE {
                notes.push(at.wrong(format!(
                    "VAT is said in percent, so this is {vat}%, less than one; if {}% is meant, ask the partner to say so",
                    (vat * Decimal::ONE_HUNDRED).normalize()
                )));
            }
            if version == Version::V211 {
                notes.push(at.wrong(
                    "OCPI 2.1.1 has no such field; it is taken for the VAT in percent, as in later versions",
                ));
            }
            Some(vat)
        }
        None => None,
    };
    let step = match fields.take("step_size") {
        Some(at) => match at.whole()? {
            step if step < 0 => return Err(at.wrong("a step is not below zero")),
            step => step,
        },
        None => {
            notes.push(at.wrong("`step_size` is missing; nothing is rounded up"));
            0
        }
    };
    fields.rest(notes);
    Ok(Component { place: at.place.clone(), dimension, price, vat, step })
}
