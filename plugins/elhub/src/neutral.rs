//! Neutral JSON: `{"series": [{"point": …, "direction": "consumption", "values": [{"from": …, "until": …, "kwh": "1.234", "quality": "measured"}]}]}`.

use crate::{Settings, at, kwh, point};
use serde::{Deserialize, Serialize};
use takst_plugin_sdk::Error;
use takst_plugin_sdk::meters::{Direction, File, Quality, Series, Value};
use takst_plugin_sdk::time;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    series: Vec<OneSeries>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OneSeries {
    point: String,
    direction: Way,
    values: Vec<OneValue>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OneValue {
    from: String,
    until: String,
    kwh: String,
    #[serde(default)]
    quality: HowGood,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Way {
    Consumption,
    Production,
}

#[derive(Serialize, Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum HowGood {
    #[default]
    Measured,
    Estimated,
    Missing,
}

/// Reads it.
///
/// # Errors
/// Naming the line, or the series and its value.
pub fn read(file: &File) -> Result<Vec<Series>, Error> {
    let document: Document =
        serde_json::from_slice(&file.body).map_err(|error| at(error.line(), error.to_string()))?;
    let mut all = Vec::new();
    for one in document.series {
        if let Some(wrong) = point::wrong(&one.point) {
            return Err(Error::refused("unreadable", wrong));
        }
        let direction = match one.direction {
            Way::Consumption => Direction::Consumption,
            Way::Production => Direction::Production,
        };
        let mut series = Series { point: one.point, direction, values: Vec::with_capacity(one.values.len()) };
        for (place, value) in (1_usize..).zip(one.values) {
            let wrong = |text: String| {
                Error::refused("unreadable", format!("{}, value {place}: {text}", series.point))
            };
            let instant = |text: &str| {
                time::instant(text).ok_or_else(|| {
                    wrong(format!("`{text}` is no time with an offset, as in 2026-10-25T02:00:00+02:00"))
                })
            };
            let (from, until) = (instant(&value.from)?, instant(&value.until)?);
            if until <= from || series.values.last().is_some_and(|before: &Value| from < before.until) {
                return Err(wrong("the values are not in order of time, each once".to_owned()));
            }
            let kwh = kwh::read(&value.kwh)
                .ok_or_else(|| wrong(format!("`{}` is no energy in kWh as in 1.234", value.kwh)))?;
            let quality = match value.quality {
                HowGood::Measured => Quality::Measured,
                HowGood::Estimated => Quality::Estimated,
                HowGood::Missing => Quality::Missing,
            };
            series.values.push(Value { from, until, kwh, quality });
        }
        all.push(series);
    }
    Ok(all)
}

/// Writes it, with times on the zone's clock.
///
/// # Errors
/// When the zone does not exist.
pub fn write(settings: &Settings<'_>, series: &[Series]) -> Result<File, Error> {
    let mut document = Document { series: Vec::with_capacity(series.len()) };
    for one in series {
        let mut values = Vec::with_capacity(one.values.len());
        for value in &one.values {
            values.push(OneValue {
                from: time::in_zone(value.from, settings.zone)?,
                until: time::in_zone(value.until, settings.zone)?,
                kwh: value.kwh.clone(),
                quality: match value.quality {
                    Quality::Measured => HowGood::Measured,
                    Quality::Estimated => HowGood::Estimated,
                    Quality::Missing => HowGood::Missing,
                },
            });
        }
        let direction = match one.direction {
            Direction::Consumption => Way::Consumption,
            Direction::Production => Way::Production,
        };
        document.series.push(OneSeries { point: one.point.clone(), direction, values });
    }
    let body =
        serde_json::to_vec(&document).map_err(|error| Error::refused("cannot-write", error.to_string()))?;
    Ok(File { name: "meter-values.json".to_owned(), media_type: "application/json".to_owned(), body })
}
