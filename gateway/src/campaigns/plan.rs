//! What a campaign is to do, as JSON says it.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;
use utoipa::ToSchema;

/// Most chargers at the same time: more would be a rollout nobody can stop.
const MOST_AT_ONCE: u32 = 500;
const LONGEST_MINUTES: u32 = 7 * 24 * 60;

/// The firmware.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Firmware {
    /// Where chargers fetch it: `https://`, `http://`, `ftp://`, `ftps://` or `sftp://`.
    pub location: String,
    /// What chargers call it when they boot with it: it is installed then, even if they do not say so. Chargers that have it already
    /// are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The maker's certificate, PEM; with `signature`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The maker's signature, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// Hours of a day, on the clock of a charger's site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hours {
    // Minutes of the day; from behind until means over midnight.
    from: u16,
    until: u16,
}

/// What is wrong with hours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` are no hours; write them as in `01:00-05:00`")]
pub struct HoursError(String);

impl std::str::FromStr for Hours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let wrong = || HoursError(text.to_owned());
        let minute = |text: &str| -> Option<u16> {
            let (hour, minute) = text.split_once(':')?;
            let two = |text: &str, below: u16| {
                let whole = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse::<u16>().ok().filter(|number| whole && *number < below)
            };
            let minutes = two(hour, 25)? * 60 + two(minute, 60)?;
            (minutes <= 24 * 60).then_some(minutes)
        };
        let (from, until) = text.split_once('-').ok_or_else(wrong)?;
        let hours =
            minute(from).zip(minute(until)).filter(|(from, until)| from != until).ok_or_else(wrong)?;
        Ok(Self { from: hours.0, until: hours.1 })
    }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, until } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

impl Hours {
    /// Whether it is one of these hours there.
    #[must_use]
    pub fn hold(self, zone: Tz, at: Instant) -> bool {
        use chrono::{DateTime, Timelike as _};
        let Some(local) = DateTime::from_timestamp_millis(at.0).map(|at| at.with_timezone(&zone)) else {
            return false;
        };
        let minute = local.hour() * 60 + local.minute();
        let (from, until) = (u32::from(self.from), u32::from(self.until));
        match from < until {
            true => (from..until).contains(&minute),
            false => minute >= from || minute < until,
        }
    }
}

/// What is to be done, and how carefully.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What is installed.
    pub firmware: Firmware,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Instant>,
    /// No charger is told any more from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Instant>,
    /// Only in these hours, on the clock of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// So many chargers at the same time.
    #[serde(default = "one")]
    pub at_once: u32,
    /// So many failures halt it; 0: it goes on whatever happens.
    #[serde(default = "one")]
    pub stop_after_failures: u32,
    /// A charger has so many minutes.
    #[serde(default = "an_hour")]
    pub minutes_each: u32,
}

const fn one() -> u32 {
    1
}

const fn an_hour() -> u32 {
    60
}

/// What is wrong with a plan.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    /// The address is not one that chargers fetch from.
    #[error(
        "`{0}` is no address that chargers can fetch from; it begins with https, http, ftp, ftps or sftp"
    )]
    Location(String),
    /// See [`HoursError`].
    #[error(transparent)]
    Hours(#[from] HoursError),
    /// A number outside its range.
    #[error("`{0}` is from {1} to {2}")]
    Range(&'static str, u32, u32),
    /// It ends before it begins.
    #[error("`until` is not after `from`")]
    Order,
    /// A certificate without its signature, or the other way round.
    #[error("`certificate` and `signature` belong together")]
    Half,
}

impl Plan {
    /// Whether it can be carried out.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn check(&self) -> Result<(), PlanError> {
        let location = &self.firmware.location;
        let known = ["https", "http", "ftp", "ftps", "sftp"];
        let fetched = location.split_once("://").is_some_and(|(scheme, rest)| {
            known.iter().any(|known| scheme.eq_ignore_ascii_case(known)) && !rest.is_empty()
        });
        // OCPP 2.x takes 512 characters in 2.0.1; 2.1 takes 2,000.
        if !fetched || location.len() > 512 || location.contains(char::is_whitespace) {
            return Err(PlanError::Location(location.chars().take(100).collect()));
        }
        if self.firmware.certificate.is_some() != self.firmware.signature.is_some() {
            return Err(PlanError::Half);
        }
        if !(1..=MOST_AT_ONCE).contains(&self.at_once) {
            return Err(PlanError::Range("at_once", 1, MOST_AT_ONCE));
        }
        if !(1..=LONGEST_MINUTES).contains(&self.minutes_each) {
            return Err(PlanError::Range("minutes_each", 1, LONGEST_MINUTES));
        }
        if self.from.zip(self.until).is_some_and(|(from, until)| until <= from) {
            return Err(PlanError::Order);
        }
        self.read_hours().map(drop)
    }

    /// Its hours.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read_hours(&self) -> Result<Option<Hours>, PlanError> {
        Ok(self.hours.as_deref().map(str::parse).transpose()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_hold_on_the_clock_of_the_site() {
        let night: Hours = "22:30-05:00".parse().unwrap();
        assert_eq!(night.to_string(), "22:30-05:00");
        // 2026-01-01T00:00:00Z.
        let at = |hour: i64, minute: i64| Instant(1_767_225_600_000 + (hour * 60 + minute) * 60_000);
        let oslo = chrono_tz::Europe::Oslo;
        assert!(!night.hold(oslo, at(21, 29)) && night.hold(oslo, at(21, 30)));
        assert!(night.hold(oslo, at(3, 59)) && !night.hold(oslo, at(4, 0)));
        let all_day: Hours = "00:00-24:00".parse().unwrap();
        assert!(all_day.hold(oslo, at(23, 0)));
        for wrong in
            ["", "1-5", "01:00", "01:00-01:00", "24:30-05:00", "aa:bb-cc:dd", "01:00–05:00", "+1:00-05:00"]
        {
            assert!(wrong.parse::<Hours>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_plan_that_cannot_be_carried_out_is_refused() {
        let plan = |text: &str| serde_json::from_str::<Plan>(text).unwrap();
        let of = |more: &str| plan(&format!(r#"{{"firmware": {{"location": "https://x/f"}}{more}}}"#));
        assert_eq!(of("").check(), Ok(()));
        assert_eq!(of(r#", "at_once": 0"#).check(), Err(PlanError::Range("at_once", 1, 500)));
        assert_eq!(of(r#", "minutes_each": 0"#).check(), Err(PlanError::Range("minutes_each", 1, 10_080)));
        assert_eq!(of(r#", "from": 2, "until": 2"#).check(), Err(PlanError::Order));
        assert!(of(r#", "hours": "soon""#).check().is_err());
        for location in ["file:///etc/passwd", "x", "https://", "https://a b"] {
            let plan = plan(&format!(r#"{{"firmware": {{"location": "{location}"}}}}"#));
            assert!(matches!(plan.check(), Err(PlanError::Location(_))), "{location}");
        }
        assert!(serde_json::from_str::<Plan>(r#"{"firmware": {"location": "x"}, "speed": 1}"#).is_err());
    }
}
