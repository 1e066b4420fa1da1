//! A charging session as it was measured: registers, states, and who charged where.

mod quick;

use crate::calendar_time::utc_text;
use crate::input::{self, InputError};
use crate::tariff::Contract;
use crate::units::{Energy, Instant};
use serde::Deserialize;

/// What a tariff may ask about a session before it starts. All optional: a tariff that asks what is not known is answered
/// with an error, not with a guess.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// Site id.
    pub site: Option<String>,
    /// Charger id.
    pub charger: Option<String>,
    /// EVSE id.
    pub evse: Option<String>,
    /// A key, never a name.
    pub driver: Option<String>,
    /// The driver's groups at plug-in.
    pub groups: Vec<String>,
    /// What the car was plugged into.
    pub connector: Option<Connector>,
    /// What the driver showed.
    pub token: Option<Token>,
    /// How the driver came.
    pub contract: Option<Contract>,
    /// Brand of the payment card.
    pub payment_brand: Option<String>,
    /// Coupon codes.
    pub coupons: Vec<String>,
    /// The reservation that this session used or that ran out.
    pub reservation: Option<Reservation>,
}

/// A session with all its readings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Unique id.
    pub id: String,
    /// Who, where, how.
    pub facts: Facts,
    /// Start.
    pub plugged_in: Instant,
    /// End; none while it runs.
    pub unplugged: Option<Instant>,
    /// Meter registers in order of time.
    pub readings: Vec<Reading>,
    /// States from then on; empty: they follow from the registers.
    pub states: Vec<StateFrom>,
    /// Drawn power from then on; empty: it follows from the registers.
    pub power: Vec<PowerFrom>,
    /// Use of the site from then on.
    pub occupancy: Vec<OccupancyFrom>,
}

/// A meter reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// When.
    #[serde(deserialize_with = "input::time")]
    pub at: Instant,
    /// Register of energy to the car.
    #[serde(rename = "import_kwh", deserialize_with = "input::kwh")]
    pub import: Energy,
    /// Register of energy from the car.
    #[serde(rename = "export_kwh", default, deserialize_with = "input::kwh")]
    pub export: Energy,
    /// Counts up when the meter was replaced or reset.
    #[serde(default)]
    pub segment: u32,
}

/// What the car is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Plugged in, nothing taken yet.
    Waiting,
    /// Taking energy.
    Charging,
    /// Taking nothing by its own choice, after it has charged.
    Idle,
    /// Held back by the operator, load balancing, smart charging or a fault.
    Paused,
    /// Giving energy back.
    Feeding,
}

/// A state from an instant on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateFrom {
    /// From then on.
    #[serde(deserialize_with = "input::time")]
    pub from: Instant,
    /// This state.
    pub state: State,
}

/// Power from an instant on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerFrom {
    /// From then on.
    #[serde(deserialize_with = "input::time")]
    pub from: Instant,
    /// Millionths of a kW.
    #[serde(rename = "kw", deserialize_with = "input::micro_value")]
    pub power: i64,
    /// Millionths of an ampere, summed over the phases.
    #[serde(rename = "a", default, deserialize_with = "input::some_micro")]
    pub current: Option<i64>,
}

/// How many places of the site are in use from an instant on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OccupancyFrom {
    /// From then on.
    #[serde(deserialize_with = "input::time")]
    pub from: Instant,
    /// In use.
    pub occupied: u32,
    /// Of so many.
    pub of: u32,
}

/// What the car was plugged into.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// Connector id.
    #[serde(default, deserialize_with = "input::some")]
    pub id: Option<String>,
    /// AC or DC.
    #[serde(default, deserialize_with = "input::some")]
    pub plug: Option<Plug>,
    /// `Type2`, `CCS`, ...
    #[serde(rename = "type", default, deserialize_with = "input::some")]
    pub kind: Option<String>,
    /// Rated power, millionths of a kW.
    #[serde(rename = "max_power_kw", default, deserialize_with = "input::some_micro")]
    pub max_power: Option<i64>,
    /// Phases in use.
    #[serde(default, deserialize_with = "input::some")]
    pub phases: Option<u8>,
}

/// Alternating or direct current.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Plug {
    /// Alternating current.
    #[serde(rename = "AC")]
    Ac,
    /// Direct current.
    #[serde(rename = "DC")]
    Dc,
}

/// What the driver showed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its id.
    #[serde(default, deserialize_with = "input::some")]
    pub uid: Option<String>,
    /// `rfid`, `app`, ...
    #[serde(rename = "type", default, deserialize_with = "input::some")]
    pub kind: Option<String>,
    /// Who issued it.
    #[serde(default, deserialize_with = "input::some")]
    pub issuer: Option<String>,
}

/// A reservation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reservation {
    /// Start.
    #[serde(deserialize_with = "input::time")]
    pub from: Instant,
    /// End: plug-in, or when it ran out.
    #[serde(deserialize_with = "input::time")]
    pub until: Instant,
    /// It ran out unused.
    #[serde(default)]
    pub expired: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: String,
    #[serde(default, deserialize_with = "input::some")]
    site: Option<String>,
    #[serde(default, deserialize_with = "input::some")]
    charger: Option<String>,
    #[serde(default, deserialize_with = "input::some")]
    evse: Option<String>,
    #[serde(default, deserialize_with = "input::some")]
    driver: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default, deserialize_with = "input::some")]
    connector: Option<Connector>,
    #[serde(default, deserialize_with = "input::some")]
    token: Option<Token>,
    #[serde(default, deserialize_with = "input::some")]
    contract: Option<Contract>,
    #[serde(default, deserialize_with = "input::some")]
    payment_brand: Option<String>,
    #[serde(deserialize_with = "input::time")]
    plugged_in: Instant,
    #[serde(default, deserialize_with = "input::some_time")]
    unplugged: Option<Instant>,
    readings: Vec<Reading>,
    #[serde(default)]
    states: Vec<StateFrom>,
    #[serde(default)]
    power: Vec<PowerFrom>,
    #[serde(default)]
    occupancy: Vec<OccupancyFrom>,
    #[serde(default)]
    coupons: Vec<String>,
    #[serde(default, deserialize_with = "input::some")]
    reservation: Option<Reservation>,
}

impl<'de> Deserialize<'de> for Session {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw {
            id,
            site,
            charger,
            evse,
            driver,
            groups,
            connector,
            token,
            contract,
            payment_brand,
            plugged_in,
            unplugged,
            readings,
            states,
            power,
            occupancy,
            coupons,
            reservation,
        } = Raw::deserialize(deserializer)?;
        // Said here, where it can name both: later it would look like a reading at a wrong time.
        if let Some(unplugged) = unplugged.filter(|unplugged| *unplugged < plugged_in) {
            let (from, to) = (utc_text(plugged_in), utc_text(unplugged));
            let message = format!("`unplugged` ({to}) lies before `plugged_in` ({from})");
            return Err(serde::de::Error::custom(message));
        }
        let facts = Facts {
            site,
            charger,
            evse,
            driver,
            groups,
            connector,
            token,
            contract,
            payment_brand,
            coupons,
            reservation,
        };
        Ok(Self { id, facts, plugged_in, unplugged, readings, states, power, occupancy })
    }
}

impl Session {
    /// Reads a session document.
    ///
    /// # Errors
    /// Says which field is wrong and where. Whether readings and states make sense together is checked when it is priced.
    pub fn from_json(text: &str) -> Result<Self, InputError> {
        match quick::session(text) {
            Some(session) => Ok(session),
            None => input::from_json(text),
        }
    }
}
