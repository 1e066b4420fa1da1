//! Elhub's messages with meter values: CollectedData in and out, NotifyValidatedDataForBillingEnergy in. Version 2.3 of the interface.

use crate::{Settings, at, kwh, point};
use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;
use takst_plugin_sdk::meters::{Direction, File, Quality, Series, Value};
use takst_plugin_sdk::time::{self, MINUTE};
use takst_plugin_sdk::{Error, clock, crypto, log};

const MESSAGES: [&str; 2] = ["CollectedData", "NotifyValidatedDataForBillingEnergy"];
const MOST_DEPTH: usize = 16;

/// Active energy (GS1): the one product that has kWh of a metering point in it.
const ACTIVE_ENERGY: &str = "8716867000030";

/// Most observations of a series.
const MOST: i64 = 9_999;

// A series as it stands there.
#[derive(Default)]
struct Payload {
    line: usize,
    point: String,
    direction: String,
    product: String,
    unit: String,
    resolution: String,
    start: Option<i64>,
    end: Option<i64>,
    observations: Vec<Observation>,
    is_profiled: bool,
}

struct Observation {
    line: usize,
    sequence: i64,
    kwh: String,
    quality: Quality,
}

/// Reads it. Series of other products than active energy are left out.
///
/// # Errors
/// Naming the line.
pub fn read(settings: &Settings<'_>, file: &File) -> Result<Vec<Series>, Error> {
    let text = std::str::from_utf8(&file.body).map_err(|_| at(1, "the file is no UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}');
    let mut all = Vec::new();
    for payload in payloads(text)? {
        if payload.is_profiled
            || !matches!(payload.product.as_str(), "" | ACTIVE_ENERGY)
            || payload.unit == "kvarh"
        {
            log::info(format!(
                "line {}: the series of {} is not of metered active energy, left out",
                payload.line, payload.point
            ));
            continue;
        }
        all.push(series(settings, payload)?);
    }
    Ok(all)
}

fn payloads(text: &str) -> Result<Vec<Payload>, Error> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut all, mut path, mut field): (Vec<Payload>, Vec<String>, String) =
        (Vec::new(), Vec::new(), String::new());
    let (mut line, mut counted, mut sequence) = (1_usize, 0_usize, None);
    loop {
        let position = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(text.len());
        line += text
            .as_bytes()
            .get(counted..position)
            .unwrap_or_default()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        counted = position;
        match reader.read_event().map_err(|error| at(line, format!("not well-formed XML: {error}")))? {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                if path.is_empty() && !MESSAGES.contains(&name.as_str()) {
                    return Err(at(
                        line,
                        format!("`{name}` is no message with meter values: {} are", MESSAGES.join(" and ")),
                    ));
                }
                if path.len() >= MOST_DEPTH {
                    return Err(at(line, "the elements are too deep for a message of Elhub"));
                }
                if path.len() == 1 && name == "PayloadEnergyTimeSeries" {
                    all.push(Payload { line, ..Payload::default() });
                }
                if name == "Observation" {
                    let number = start.attributes().flatten().find(|one| one.key.as_ref() == "Sequence");
                    sequence = number
                        .and_then(|one| one.value.trim().parse().ok())
                        .filter(|number| (0..=MOST).contains(number));
                    if sequence.is_none() {
                        return Err(at(line, format!("the observation has no `Sequence` from 1 to {MOST}")));
                    }
                }
                path.push(name);
                field.clear();
            }
            Event::Text(text) => field.push_str(&text.xml10_content()),
            Event::End(_) => {
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                if let (Some(payload), [_, "PayloadEnergyTimeSeries", rest @ ..]) =
                    (all.last_mut(), names.as_slice())
                {
                    payload.take(rest, field.trim(), line, sequence).map_err(|text| at(line, text))?;
                }
                path.pop();
                field.clear();
            }
            Event::GeneralRef(_) | Event::DocType(_) => {
                return Err(at(line, "entities and document types have no place in a message"));
            }
            Event::Eof if !path.is_empty() => {
                return Err(at(line, "the file ends in the middle: fetch it again"));
            }
            Event::Eof => return Ok(all),
            _ => {}
        }
    }
}

impl Payload {
    // A field of the series, at its end.
    fn take(&mut self, path: &[&str], text: &str, line: usize, sequence: Option<i64>) -> Result<(), String> {
        let moment = || time::instant(text).ok_or_else(|| format!("`{text}` is no time with an offset"));
        match path {
            ["MeteringPointUsedDomainLocation", "Identification"] => {
                if let Some(wrong) = point::wrong(text) {
                    return Err(wrong);
                }
                text.clone_into(&mut self.point);
            }
            ["MPDetailMeasurementMeteringPointCharacteristic", "Direction"] => {
                text.clone_into(&mut self.direction)
            }
            ["ProductIncludedProductCharacteristics", "Identification"] => text.clone_into(&mut self.product),
            ["ProductIncludedProductCharacteristics", "UnitType"] => text.clone_into(&mut self.unit),
            ["ObservationPeriodTimeSeriesPeriod", "ResolutionDuration"] => {
                text.clone_into(&mut self.resolution)
            }
            ["ObservationPeriodTimeSeriesPeriod", "Start"] => self.start = Some(moment()?),
            ["ObservationPeriodTimeSeriesPeriod", "End"] => self.end = Some(moment()?),
            ["ProfiledObservation" | "AnnualPeriodEstimatedMetrics", ..] => self.is_profiled = true,
            ["Observation", kind @ ("Metered" | "Estimated" | "Temporary" | "Calculated")] => {
                let kwh = kwh::read(text).ok_or_else(|| format!("`{text}` is no energy in kWh"))?;
                let quality = if *kind == "Metered" { Quality::Measured } else { Quality::Estimated };
                self.observations.push(Observation {
                    line,
                    sequence: sequence.unwrap_or_default(),
                    kwh,
                    quality,
                });
            }
            _ => {}
        }
        Ok(())
    }
}

fn series(settings: &Settings<'_>, mut payload: Payload) -> Result<Series, Error> {
    let line = payload.line;
    if payload.point.is_empty() {
        return Err(at(line, "the series has no metering point"));
    }
    let direction = match (payload.direction.as_str(), settings.in_is_production) {
        ("In", true) | ("Out", false) => Direction::Production,
        // Where nothing is said, it is energy out of the grid.
        ("Out", true) | ("In", false) | ("", _) => Direction::Consumption,
        (other, _) => return Err(at(line, format!("the direction `{other}` is neither In nor Out"))),
    };
    let step = match payload.resolution.as_str() {
        "PT5M" => 5 * MINUTE,
        "PT15M" => 15 * MINUTE,
        "PT30M" => 30 * MINUTE,
        "PT60M" | "PT1H" => 60 * MINUTE,
        other => return Err(at(line, format!("the resolution `{other}` is none of PT15M, PT30M, PT60M"))),
    };
    let Some(start) = payload.start else { return Err(at(line, "the series has no `Start`")) };
    payload.observations.sort_by_key(|one| one.sequence);
    // Messages count from 1; some from 0.
    let base = payload.observations.first().map_or(1, |first| first.sequence.min(1));
    let mut values: Vec<Value> = Vec::with_capacity(payload.observations.len());
    for one in payload.observations {
        let from = start + (one.sequence - base) * step;
        let until = from + step;
        if values.last().is_some_and(|before| from < before.until) {
            return Err(at(one.line, format!("the sequence {} stands there twice", one.sequence)));
        }
        if payload.end.is_some_and(|end| until > end) {
            return Err(at(
                one.line,
                format!("the sequence {} lies behind the end of the series", one.sequence),
            ));
        }
        values.push(Value { from, until, kwh: one.kwh, quality: one.quality });
    }
    Ok(Series { point: payload.point, direction, values })
}

/// Writes CollectedData. Values have three places; what rounding leaves goes on to the next one, so that the sum is right.
///
/// # Errors
/// When a number of sender or recipient is missing, or steps are neither hours nor quarters.
pub fn write(settings: &Settings<'_>, all: &[Series]) -> Result<File, Error> {
    let missing = |name: &str| {
        Error::refused(
            "setting-missing",
            format!("CollectedData needs the setting `{name}`, a GLN of 13 digits"),
        )
    };
    let sender = settings.sender.ok_or_else(|| missing("sender"))?;
    let recipient = settings.recipient.ok_or_else(|| missing("recipient"))?;
    let created = time::utc(clock::now());
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str("<CollectedData xmlns=\"urn:no:elhub:emif:metering:CollectedData:v2\" xmlns:abie=\"urn:no:elhub:emif:common:AggregatedBusinessInformationEntities:v2\">\n");
    let party = |name: &str, number: &str| {
        format!(
            "<abie:{name}><abie:Identification schemeAgencyIdentifier=\"9\">{}</abie:Identification></abie:{name}>\n",
            escape(number)
        )
    };
    out.push_str(&format!(
        "<Header>\n<abie:Identification>{}</abie:Identification>\n<abie:DocumentType listAgencyIdentifier=\"260\">E66</abie:DocumentType>\n<abie:Creation>{created}</abie:Creation>\n{}{}{}</Header>\n",
        uuid(),
        party("PhysicalSenderEnergyParty", sender),
        party("JuridicalSenderEnergyParty", sender),
        party("JuridicalRecipientEnergyParty", recipient)
    ));
    out.push_str(&format!(
        "<ProcessEnergyContext>\n<abie:EnergyBusinessProcess listAgencyIdentifier=\"89\">{}</abie:EnergyBusinessProcess>\n<abie:EnergyBusinessProcessRole listAgencyIdentifier=\"6\">{}</abie:EnergyBusinessProcessRole>\n<abie:EnergyIndustryClassification>23</abie:EnergyIndustryClassification>\n</ProcessEnergyContext>\n",
        escape(settings.process),
        escape(settings.role)
    ));
    for series in all {
        out.push_str(&payload(settings, series, &created)?);
    }
    out.push_str("</CollectedData>\n");
    Ok(File {
        name: "collected-data.xml".to_owned(),
        media_type: "application/xml".to_owned(),
        body: out.into_bytes(),
    })
}

fn payload(settings: &Settings<'_>, series: &Series, created: &str) -> Result<String, Error> {
    let refused = |text: String| Error::refused("cannot-write", format!("{}: {text}", series.point));
    let (Some(first), Some(last)) = (series.values.first(), series.values.last()) else {
        return Err(refused("the series has no values".to_owned()));
    };
    let step = first.until - first.from;
    let resolution = match step / MINUTE {
        15 => "PT15M",
        60 => "PT60M",
        _ => return Err(refused("the values are neither of hours nor of quarter-hours".to_owned())),
    };
    if (last.until - first.from) / step > MOST {
        return Err(refused(format!("more than {MOST} values: write it in parts")));
    }
    let direction =
        if (series.direction == Direction::Production) == settings.in_is_production { "In" } else { "Out" };
    let mut out = format!(
        "<PayloadEnergyTimeSeries>\n<abie:Identification>{}</abie:Identification>\n<abie:RegistrationDateTime>{created}</abie:RegistrationDateTime>\n<abie:ObservationPeriodTimeSeriesPeriod><abie:ResolutionDuration>{resolution}</abie:ResolutionDuration><abie:Start>{}</abie:Start><abie:End>{}</abie:End></abie:ObservationPeriodTimeSeriesPeriod>\n<abie:ProductIncludedProductCharacteristics><abie:Identification schemeAgencyIdentifier=\"9\">{ACTIVE_ENERGY}</abie:Identification><abie:UnitType>kWh</abie:UnitType></abie:ProductIncludedProductCharacteristics>\n<abie:MPDetailMeasurementMeteringPointCharacteristic><abie:Direction>{direction}</abie:Direction></abie:MPDetailMeasurementMeteringPointCharacteristic>\n<abie:MeteringPointUsedDomainLocation><abie:Identification schemeAgencyIdentifier=\"9\">{}</abie:Identification></abie:MeteringPointUsedDomainLocation>\n",
        uuid(),
        time::in_zone(first.from, settings.zone)?,
        time::in_zone(last.until, settings.zone)?,
        series.point
    );
    let mut exact = kwh::Thousandths::default();
    let mut before = first.from;
    for value in &series.values {
        if value.until - value.from != step || (value.from - first.from) % step != 0 || value.from < before {
            return Err(refused("the values are not of one length, in order, on its steps".to_owned()));
        }
        before = value.until;
        let sequence = (value.from - first.from) / step + 1;
        let kwh =
            exact.next(&value.kwh).ok_or_else(|| refused(format!("`{}` is no energy in kWh", value.kwh)))?;
        let observed = match value.quality {
            Quality::Measured => format!("<abie:Metered>{kwh}</abie:Metered>"),
            Quality::Estimated => {
                format!(
                    "<abie:Estimated Quality=\"56\" ValidationCode=\"V999\" EstimationCode=\"E008\">{kwh}</abie:Estimated>"
                )
            }
            // A value that is not there is not sent: its number is left out.
            Quality::Missing => continue,
        };
        out.push_str(&format!("<abie:Observation Sequence=\"{sequence}\">{observed}</abie:Observation>\n"));
    }
    if !out.contains("<abie:Observation ") {
        return Err(refused("all values are missing".to_owned()));
    }
    out.push_str("</PayloadEnergyTimeSeries>\n");
    Ok(out)
}

// A random UUID (version 4).
fn uuid() -> String {
    let hex: String = crypto::random(16)
        .into_iter()
        .zip(0_u8..)
        .map(|(byte, place)| match place {
            6 => byte & 0x0f | 0x40,
            8 => byte & 0x3f | 0x80,
            _ => byte,
        })
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let part = |from: usize, until: usize| hex.get(from..until).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
