//! From samples as they came to [`Reading`]s: units, multipliers, phases, locations, contexts.

use super::{Context, Location, Measurand, Phase, Phased, Reading, Sample, Signed, Word};
use crate::chargers::time::StationTime;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use takst_engine::units::Energy;

/// What is known of a charger's meter values beside what it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MeterRules {
    /// Energy that is said to be in Wh is in kWh.
    pub wh_is_kwh: bool,
}

/// The readings of one batch: one for each context in it, in the order they first appear. What cannot be read stays in
/// `other`, and `note` is told why.
pub fn readings(
    at: &StationTime,
    samples: Vec<Sample>,
    rules: &MeterRules,
    mut note: impl FnMut(String),
) -> Vec<Reading> {
    let mut groups: Vec<Group> = Vec::new();
    for sample in samples {
        let known = groups.iter().position(|group| group.reading.context == sample.context);
        if known.is_none() && groups.len() < MOST_CONTEXTS {
            groups.push(Group::new(Reading::empty(at.clone(), sample.context.clone())));
        }
        let last = groups.len().saturating_sub(1);
        let Some(group) = groups.get_mut(known.unwrap_or(last)) else { continue };
        if group.reading.context == sample.context {
            group.add(sample, rules, &mut note);
        } else {
            note(format!("more than {MOST_CONTEXTS} contexts for one instant"));
            group.reading.other.push(sample);
        }
    }
    groups.into_iter().map(Group::finish).collect()
}

/// Most contexts of one batch; the standards have eight.
const MOST_CONTEXTS: usize = 16;

// The measurands that have a field of their own, in the order of `Group::slots`.
const KEPT: [Measurand; 12] = [
    Measurand::Import,
    Measurand::Export,
    Measurand::ImportInterval,
    Measurand::ExportInterval,
    Measurand::Power,
    Measurand::PowerExport,
    Measurand::PowerOffered,
    Measurand::Current,
    Measurand::CurrentExport,
    Measurand::CurrentOffered,
    Measurand::Voltage,
    Measurand::Soc,
];

#[derive(Clone, Copy)]
enum Quantity {
    Energy,
    Power,
    Current,
    Voltage,
    Percent,
}

const fn quantity(measurand: &Measurand) -> Quantity {
    match measurand {
        Measurand::Power | Measurand::PowerExport | Measurand::PowerOffered => Quantity::Power,
        Measurand::Current | Measurand::CurrentExport | Measurand::CurrentOffered => Quantity::Current,
        Measurand::Voltage => Quantity::Voltage,
        Measurand::Soc => Quantity::Percent,
        _ => Quantity::Energy,
    }
}

// The power of ten from a unit to millionths of kWh, kW, A, V or percent. None: not a unit of that quantity.
fn exponent(quantity: Quantity, unit: Option<&str>, rules: &MeterRules) -> Option<i64> {
    let Some(unit) = unit.map(str::trim).filter(|unit| !unit.is_empty()) else {
        return Some(match quantity {
            Quantity::Energy if !rules.wh_is_kwh => 3,
            Quantity::Power => 3,
            _ => 6,
        });
    };
    let is = |name: &str| unit.eq_ignore_ascii_case(name);
    match quantity {
        Quantity::Energy if is("Wh") => Some(if rules.wh_is_kwh { 6 } else { 3 }),
        Quantity::Energy if is("kWh") => Some(6),
        Quantity::Energy if is("MWh") => Some(9),
        Quantity::Power if is("W") => Some(3),
        Quantity::Power if is("kW") => Some(6),
        Quantity::Current if is("A") => Some(6),
        Quantity::Current if is("mA") => Some(3),
        Quantity::Voltage if is("V") => Some(6),
        Quantity::Voltage if is("mV") => Some(3),
        Quantity::Voltage if is("kV") => Some(9),
        Quantity::Percent if is("Percent") || is("%") => Some(6),
        _ => None,
    }
}

/// A number of a charger's text with all its digits: blanks around it, a decimal comma and an exponent are taken.
#[must_use]
pub fn number(text: &str) -> Option<Decimal> {
    const LONGEST: usize = 64;
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let pointed;
    let text = if text.contains(',') && !text.contains('.') {
        pointed = text.replacen(',', ".", 1);
        pointed.as_str()
    } else {
        text
    };
    let text = text.strip_prefix('+').unwrap_or(text);
    if text.contains(['e', 'E']) { Decimal::from_scientific(text).ok() } else { text.parse().ok() }
}

/// `value` times ten to `exponent` as a whole number, halves to even. None when it does not fit.
#[must_use]
pub fn scaled(value: Decimal, exponent: i64) -> Option<i64> {
    let value = value.normalize();
    let shift = exponent.checked_sub(i64::from(value.scale()))?;
    let mantissa = value.mantissa();
    let whole = if shift >= 0 {
        let up = u32::try_from(shift).ok().and_then(|shift| 10_i128.checked_pow(shift));
        if mantissa == 0 { Some(0) } else { mantissa.checked_mul(up?) }
    } else {
        let Some(down) = u32::try_from(-shift).ok().and_then(|shift| 10_i128.checked_pow(shift)) else {
            return Some(0);
        };
        let (whole, rest) = (mantissa.checked_div(down)?, mantissa.checked_rem(down)?);
        let twice = rest.abs().checked_mul(2)?;
        let up = twice > down || (twice == down && whole % 2 != 0);
        Some(if up { whole + mantissa.signum() } else { whole })
    };
    i64::try_from(whole?).ok()
}

// What a group knows of one measurand: the unphased value and the phases, from the best location seen so far.
#[derive(Clone, Default)]
struct Slot {
    rank: u8,
    total: Option<i64>,
    phases: [Option<i64>; 3],
    seen: bool,
    sources: Vec<Sample>,
}

struct Group {
    reading: Reading,
    slots: [Slot; KEPT.len()],
}

// The outlet is what the car gets; a charger that only measures elsewhere is taken at its word.
fn rank(location: Option<&Location>, measurand: &Measurand) -> u8 {
    match location {
        Some(Location::Ev) if *measurand == Measurand::Soc => 0,
        None | Some(Location::Outlet) => 0,
        Some(Location::Cable) => 1,
        Some(Location::Ev) => 2,
        Some(Location::Inlet) => 3,
        Some(Location::Body | Location::Upstream | Location::Other(_)) => 4,
    }
}

impl Group {
    fn new(reading: Reading) -> Self {
        Self { reading, slots: std::array::from_fn(|_| Slot::default()) }
    }

    fn add(&mut self, mut sample: Sample, rules: &MeterRules, note: &mut impl FnMut(String)) {
        if sample.is_signed {
            self.reading.signed.push(unwrap_signed(&sample));
            return;
        }
        if let Some(signed) = sample.signed.take() {
            self.reading.signed.push(*signed);
        }
        let kept = KEPT.iter().position(|kept| *kept == sample.measurand);
        let Some(slot) = kept.and_then(|kept| self.slots.get_mut(kept)) else {
            self.reading.other.push(sample);
            return;
        };
        let Some(exponent) = exponent(quantity(&sample.measurand), sample.unit.as_deref(), rules) else {
            let unit = sample.unit.as_deref().unwrap_or_default();
            note(format!("`{}` in `{unit}` is not understood", sample.measurand.as_str()));
            self.reading.other.push(sample);
            return;
        };
        let value = number(&sample.value)
            .zip(exponent.checked_add(sample.multiplier))
            .and_then(|(value, exponent)| scaled(value, exponent));
        let Some(value) = value else {
            note(format!("`{}` of `{}` is no number", sample.value, sample.measurand.as_str()));
            self.reading.other.push(sample);
            return;
        };
        let phase = match &sample.phase {
            None => None,
            Some(Phase::L1 | Phase::L1N) => Some(0),
            Some(Phase::L2 | Phase::L2N) => Some(1),
            Some(Phase::L3 | Phase::L3N) => Some(2),
            // Between phases, on neutral: nothing that adds up to the whole.
            Some(_) => {
                self.reading.other.push(sample);
                return;
            }
        };
        let rank = rank(sample.location.as_ref(), &sample.measurand);
        if slot.seen && rank > slot.rank {
            self.reading.other.push(sample);
            return;
        }
        if slot.seen && rank < slot.rank {
            self.reading.other.append(&mut slot.sources);
            *slot = Slot::default();
        }
        let place = match phase {
            None => &mut slot.total,
            Some(phase) => match slot.phases.get_mut(phase) {
                Some(place) => place,
                None => return,
            },
        };
        if place.is_some() {
            note(format!("`{}` came twice for one instant; the first counts", sample.measurand.as_str()));
            self.reading.other.push(sample);
            return;
        }
        *place = Some(value);
        slot.rank = rank;
        slot.seen = true;
        slot.sources.push(sample);
    }

    fn finish(self) -> Reading {
        let Self { mut reading, slots } = self;
        let [
            import,
            export,
            import_interval,
            export_interval,
            power,
            power_export,
            power_offered,
            current,
            current_export,
            current_offered,
            voltage,
            soc,
        ] = slots;
        reading.summed = (import.seen && import.total.is_none()) || (export.seen && export.total.is_none());
        reading.import = import.sum().map(Energy);
        reading.export = export.sum().map(Energy);
        reading.import_interval = import_interval.sum().map(Energy);
        reading.export_interval = export_interval.sum().map(Energy);
        reading.power = power.phased(false);
        reading.power_export = power_export.phased(false);
        reading.power_offered = power_offered.phased(false);
        reading.current = current.phased(false);
        reading.current_export = current_export.phased(false);
        reading.current_offered = current_offered.phased(false);
        reading.voltage = voltage.phased(true);
        reading.soc = soc.sum();
        reading
    }
}

impl Slot {
    fn sum(&self) -> Option<i64> {
        if self.total.is_some() {
            return self.total;
        }
        let mut told = self.phases.iter().flatten();
        told.next().and_then(|first| told.try_fold(*first, |sum, phase| sum.checked_add(*phase)))
    }

    fn phased(&self, mean: bool) -> Option<Phased> {
        let unphased = self.total.is_some();
        let mut total = self.sum()?;
        if mean && !unphased {
            let told = i64::try_from(self.phases.iter().flatten().count()).ok()?;
            total = total.checked_div(told)?;
        }
        Some(Phased { total, unphased, phases: self.phases })
    }
}

// A signed value of OCPP 1.6 is a text of its own or, as the application note has it, a JSON object inside a text.
fn unwrap_signed(sample: &Sample) -> Signed {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wrapped {
        signed_meter_data: String,
        #[serde(default)]
        signing_method: Option<String>,
        #[serde(default)]
        encoding_method: Option<String>,
        #[serde(default)]
        public_key: Option<String>,
    }
    let (measurand, context) = (sample.measurand.clone(), sample.context.clone());
    match serde_json::from_str::<Wrapped>(&sample.value) {
        Ok(Wrapped { signed_meter_data, signing_method, encoding_method, public_key }) => Signed {
            encoding: encoding_method.or_else(|| told_encoding(&signed_meter_data)),
            data: signed_meter_data,
            method: signing_method.filter(|method| !method.is_empty()),
            public_key: public_key.filter(|key| !key.is_empty()),
            measurand,
            context,
        },
        Err(_) => Signed {
            encoding: told_encoding(&sample.value),
            data: sample.value.clone(),
            method: None,
            public_key: None,
            measurand,
            context,
        },
    }
}

// OCMF and the XML envelope name themselves.
fn told_encoding(data: &str) -> Option<String> {
    let data = data.trim_start();
    if data.starts_with("OCMF|") {
        Some("OCMF".to_owned())
    } else if data.starts_with('<') {
        Some("XML".to_owned())
    } else {
        None
    }
}

/// The sample that is a plain value of `measurand`; unknown words stay as they are.
#[must_use]
pub fn sample(measurand: Option<&str>, value: &str) -> Sample {
    Sample {
        value: value.to_owned(),
        measurand: measurand.map_or(Measurand::Import, Measurand::read),
        context: Context::Periodic,
        phase: None,
        location: None,
        unit: None,
        multiplier: 0,
        signed: None,
        is_signed: false,
    }
}

#[cfg(test)]
#[path = "measure_tests.rs"]
mod tests;
