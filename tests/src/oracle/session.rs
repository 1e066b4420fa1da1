//! Sessions, price files and standings as plain data that print the JSON documents of the engine's input.

use super::model::{Counted, Span, Who};
use super::number::{Dec, MICRO, fraction, print, print_micro, trim};
use chrono::{DateTime, NaiveDate, Offset, SecondsFormat, TimeZone};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

/// What the car or the charger is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Plugged in, nothing taken yet.
    Waiting,
    /// Taking energy.
    Charging,
    /// Takes nothing by its own choice, after it has charged.
    Idle,
    /// Held back.
    Paused,
    /// Giving energy.
    Feeding,
}

impl State {
    /// As written in a session.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Charging => "charging",
            Self::Idle => "idle",
            Self::Paused => "paused",
            Self::Feeding => "feeding",
        }
    }
}

/// A meter reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Import register, millionths of a kWh.
    pub import: i128,
    /// Export register, millionths of a kWh.
    pub export: i128,
    /// Counts up when the meter is replaced.
    pub segment: u32,
}

/// A session.
#[derive(Clone, PartialEq, Debug)]
pub struct Session {
    /// Zone in which its times are printed.
    pub zone: Tz,
    /// Site id.
    pub site: String,
    /// Charger id.
    pub charger: String,
    /// Driver key.
    pub driver: String,
    /// Groups of the driver.
    pub groups: Vec<String>,
    /// DC plug.
    pub dc: bool,
    /// `Type2`, `CCS`, ...
    pub connector: String,
    /// Rated power, millionths of a kW.
    pub rated: i128,
    /// `direct`, `roaming`, `ad-hoc`.
    pub contract: String,
    /// Issuer of the token.
    pub issuer: String,
    /// Brand of the card.
    pub brand: Option<String>,
    /// Milliseconds since 1970.
    pub plugged_in: i64,
    /// `None`: still running.
    pub unplugged: Option<i64>,
    /// In order of time.
    pub readings: Vec<Reading>,
    /// Whether readings carry the export register.
    pub has_export: bool,
    /// In order of time; empty: they follow from the registers.
    pub states: Vec<(i64, State)>,
    /// Drawn power from then on, millionths of a kW.
    pub power: Vec<(i64, i128)>,
    /// Occupied places of all places from then on.
    pub occupancy: Vec<(i64, u32, u32)>,
    /// Amperes per kW: currents are told together with `power`.
    pub amps_per_kw: Option<i128>,
    /// From, until, expired.
    pub reservation: Option<(i64, i64, bool)>,
    /// A fact that the document does not tell.
    pub hidden: Option<Hidden>,
    /// Codes entered.
    pub coupons: Vec<String>,
}

/// A fact that can be missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hidden {
    /// `charger`
    Charger,
    /// `site`
    Site,
    /// `connector.plug`
    Plug,
    /// `connector.type`
    Type,
    /// `connector.max_power_kw`
    Rated,
    /// `contract`
    Contract,
    /// `occupancy`
    Occupancy,
}

impl Hidden {
    /// As the engine names the field.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Charger => "charger",
            Self::Site => "site",
            Self::Plug => "connector.plug",
            Self::Type => "connector.type",
            Self::Rated => "connector.max_power_kw",
            Self::Contract => "contract",
            Self::Occupancy => "occupancy",
        }
    }
}

/// RFC 3339 in `zone`.
#[must_use]
pub fn time(ms: i64, zone: Tz) -> String {
    let at = DateTime::from_timestamp_millis(ms).expect("a time of this era");
    let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    at.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// Reads RFC 3339. `None` if it is not a time.
#[must_use]
pub fn read_time(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis())
}

impl Session {
    /// When the session ends; a running one: as far as it is known.
    #[must_use]
    pub fn end(&self) -> i64 {
        let known = self.readings.iter().map(|r| r.at).chain(self.states.iter().map(|s| s.0));
        let known = known.chain(self.power.iter().map(|p| p.0)).chain(self.occupancy.iter().map(|o| o.0));
        self.unplugged.unwrap_or_else(|| known.max().map_or(self.plugged_in, |at| at.max(self.plugged_in)))
    }

    /// The document.
    #[must_use]
    pub fn to_json(&self) -> String {
        let at = |ms: i64| time(ms, self.zone);
        let readings: Vec<Value> = self
            .readings
            .iter()
            .map(|r| {
                let mut it = json!({"at": at(r.at), "import_kwh": print_micro(r.import)});
                if self.has_export {
                    it["export_kwh"] = print_micro(r.export).into();
                }
                if r.segment > 0 {
                    it["segment"] = r.segment.into();
                }
                it
            })
            .collect();
        let mut it = json!({
            "id": "s-1", "site": self.site, "charger": self.charger, "evse": "1", "driver": self.driver, "groups": self.groups,
            "connector": {"id": "1", "plug": if self.dc { "DC" } else { "AC" }, "type": self.connector,
                          "max_power_kw": print_micro(self.rated), "phases": 3},
            "token": {"uid": "04A2", "type": "rfid", "issuer": self.issuer}, "contract": self.contract,
            "plugged_in": at(self.plugged_in), "readings": readings,
        });
        let map = it.as_object_mut().unwrap();
        if let Some(ms) = self.unplugged {
            map.insert("unplugged".into(), at(ms).into());
        }
        if let Some(brand) = &self.brand {
            map.insert("payment_brand".into(), brand.as_str().into());
        }
        if !self.states.is_empty() {
            let states = self.states.iter().map(|(ms, s)| json!({"from": at(*ms), "state": s.word()}));
            map.insert("states".into(), states.collect());
        }
        if !self.power.is_empty() {
            let power = self.power.iter().map(|(ms, p)| {
                let mut it = json!({"from": at(*ms), "kw": print_micro(*p)});
                if let Some(amps) = self.amps_per_kw {
                    it["a"] = print_micro(*p * amps / MICRO).into();
                }
                it
            });
            map.insert("power".into(), power.collect());
        }
        if !self.occupancy.is_empty() {
            let list =
                self.occupancy.iter().map(|(ms, n, of)| json!({"from": at(*ms), "occupied": n, "of": of}));
            map.insert("occupancy".into(), list.collect());
        }
        if !self.coupons.is_empty() {
            map.insert("coupons".into(), json!(self.coupons));
        }
        if let Some((from, until, expired)) = self.reservation {
            let it = json!({"from": at(from), "until": at(until), "expired": expired});
            map.insert("reservation".into(), it);
        }
        if let Some(hidden) = self.hidden {
            match hidden.field().split_once('.') {
                Some((outer, inner)) => {
                    map[outer].as_object_mut().unwrap().remove(inner);
                }
                None => {
                    map.remove(hidden.field());
                }
            }
        }
        serde_json::to_string_pretty(&it).unwrap()
    }
}

/// A price file.
#[derive(Clone, PartialEq, Debug)]
pub struct PriceFile {
    /// Name of the feed.
    pub feed: String,
    /// Price area.
    pub area: Option<String>,
    /// `EUR/MWh`, `EUR/kWh`, `NOK/EUR`.
    pub unit: String,
    /// Whether VAT is in.
    pub vat_included: bool,
    /// Milliseconds since 1970.
    pub published: i64,
    /// From, to, price as written.
    pub steps: Vec<(i64, i64, Dec)>,
}

impl PriceFile {
    /// The document.
    #[must_use]
    pub fn to_json(&self, zone: Tz) -> String {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|(from, to, price)| {
                json!({"from": time(*from, zone), "to": time(*to, zone), "price": price.to_string()})
            })
            .collect();
        let mut it = json!({
            "feed": self.feed, "unit": self.unit, "vat_included": self.vat_included, "source": "random",
            "published": time(self.published, Tz::UTC), "prices": steps,
        });
        if let Some(area) = &self.area {
            it["area"] = area.as_str().into();
        }
        it.to_string()
    }
}

/// A day or a month.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Period {
    /// Day or month.
    pub span: Span,
    /// Its first day.
    pub first: NaiveDate,
}

impl Period {
    /// The day or month in which `date` lies; one and the same for session and bill.
    #[must_use]
    pub fn of(span: Span, date: NaiveDate) -> Self {
        use chrono::Datelike;
        let first = match span {
            Span::Day => date,
            Span::Month => date.with_day(1).unwrap(),
            Span::Session | Span::Bill => NaiveDate::MIN,
        };
        Self { span, first }
    }

    /// As in names of counters.
    #[must_use]
    pub fn word(&self) -> String {
        match self.span {
            Span::Day => self.first.format("%Y-%m-%d").to_string(),
            _ => self.first.format("%Y-%m").to_string(),
        }
    }
}

/// What had been used before the session.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Standing {
    /// Energy in millionths of a kWh.
    pub energy: Vec<(Who, Period, i128)>,
    /// Money under a charge's limit, by its label.
    pub money: Vec<(Who, String, Period, Dec)>,
    /// What a floor added to `money`.
    pub lifts: Vec<(String, Period, Dec)>,
    /// Milliseconds.
    pub times: Vec<(Who, Counted, Period, i128)>,
    /// Energy of the whole month as far as it is known, millionths of a kWh.
    pub whole: Vec<(Who, Period, i128)>,
    /// Coupons redeemed by the driver.
    pub coupons: Vec<(String, u32)>,
}

/// The words of a counter of energy or time.
#[must_use]
pub fn counter(who: Who, counted: Counted, period: Period) -> String {
    let what = match counted {
        Counted::Energy => "energy",
        Counted::Connected => "connected time",
        Counted::Charging => "charging time",
        Counted::Parking => "parking time",
        Counted::Idle => "idle time",
    };
    format!("{} {what} {}", who_word(who), period.word())
}

/// `driver` or `site`.
#[must_use]
pub fn who_word(who: Who) -> &'static str {
    if who == Who::Site { "site" } else { "driver" }
}

impl Standing {
    /// The document: counters by name.
    #[must_use]
    pub fn to_json(&self) -> String {
        let who = |who: &Who| who_word(*who);
        let mut it = Map::new();
        for (whose, period, micro) in &self.energy {
            it.insert(counter(*whose, Counted::Energy, *period), print_micro(*micro).into());
        }
        for (whose, label, period, money) in &self.money {
            it.insert(format!("{} limit {label} {}", who(whose), period.word()), money.to_string().into());
        }
        for (label, period, money) in &self.lifts {
            it.insert(format!("driver lift {label} {}", period.word()), money.to_string().into());
        }
        for (whose, counted, period, ms) in &self.times {
            // Seconds.
            let seconds = trim(&print(&fraction(*ms, 1000), 3));
            it.insert(counter(*whose, *counted, *period), seconds.into());
        }
        for (whose, month, micro) in &self.whole {
            let name = format!("{} whole month energy {}", who(whose), month.word());
            it.insert(name, print_micro(*micro).into());
        }
        for (code, times) in &self.coupons {
            it.insert(format!("driver coupon {code}"), times.to_string().into());
        }
        Value::Object(it).to_string()
    }

    /// Opening energy, millionths of a kWh.
    #[must_use]
    pub fn energy(&self, who: Who, period: Period) -> i128 {
        self.energy.iter().find(|e| e.0 == who && e.1 == period).map_or(0, |e| e.2)
    }

    /// Opening time, milliseconds.
    #[must_use]
    pub fn time(&self, who: Who, counted: Counted, period: Period) -> i128 {
        self.times.iter().find(|t| (t.0, t.1, t.2) == (who, counted, period)).map_or(0, |t| t.3)
    }

    /// What is known of the whole month's energy, millionths of a kWh.
    #[must_use]
    pub fn whole_month(&self, who: Who, month: Period) -> i128 {
        self.whole.iter().find(|w| (w.0, w.1) == (who, month)).map_or(0, |w| w.2)
    }

    /// Nothing has been used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
