//! What is played: files in TOML, with what is expected of the gateway meanwhile.

mod expect;
mod values;

pub use expect::Expect;

use super::fleet::Member;
use super::plan::{Cars, Plan, Span, Trouble, TroubleKind};
use crate::ocpp::Dialect;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use values::{Amount, One, Times};

/// Most chargers of a scenario.
pub const MOST_CHARGERS: u32 = 100_000;

/// What is played.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it shows, in a sentence.
    pub title: String,
    /// How many chargers.
    pub chargers: u32,
    /// What they speak, in turn.
    pub dialects: Vec<Dialect>,
    /// For how long.
    pub duration: Duration,
    /// The chargers connect one after the other within this time.
    pub over: Duration,
    /// How long the end may take.
    pub finish_within: Duration,
    /// How the chargers behave.
    pub plan: Arc<Plan>,
    /// What is expected of the gateway.
    pub expect: Expect,
}

/// What is wrong with a scenario file.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// As the reader of TOML says, with the line.
    #[error("{0}")]
    Toml(#[from] Box<toml::de::Error>),
    /// It can be read and makes no sense.
    #[error("{0}")]
    Sense(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    chargers: u32,
    #[serde(default)]
    protocols: Option<Vec<Protocol>>,
    duration: One,
    #[serde(default)]
    connect_over: One,
    #[serde(default)]
    finish_within: Option<One>,
    #[serde(default)]
    charger: ChargerPart,
    #[serde(default)]
    cars: Option<CarsPart>,
    #[serde(default)]
    trouble: Vec<TroublePart>,
    #[serde(default)]
    expect: Expect,
}

#[derive(Clone, Copy, Deserialize)]
enum Protocol {
    #[serde(rename = "1.6")]
    V16,
    #[serde(rename = "2.0.1")]
    V201,
    #[serde(rename = "2.1")]
    V21,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ChargerPart {
    connectors: Option<u32>,
    power_kw: Option<Amount>,
    ac: Option<bool>,
    vendor: Option<String>,
    model: Option<String>,
    meter_every: Option<One>,
    heartbeat_every: Option<One>,
    reconnect_after: Option<Times>,
    answer_within: Option<One>,
    attempts: Option<u32>,
    repeated_percent: Option<Amount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CarsPart {
    free_for: Times,
    energy_kwh: Amount,
    power_kw: Amount,
    stays: Times,
    #[serde(default)]
    tokens: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TroublePart {
    kind: KindPart,
    #[serde(default)]
    at: Option<One>,
    #[serde(default)]
    every: Option<Times>,
    lasts: Times,
    #[serde(default)]
    by: Option<One>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindPart {
    Offline,
    Reboot,
    Fault,
    Silent,
    Clock,
}

/// Reads a duration as scenario files write it, as in `250ms`, `5s`, `2m` or `1h`.
///
/// # Errors
/// What to write instead.
pub fn read_duration(text: &str) -> Result<Duration, String> {
    One::try_from(text.to_owned()).map(One::duration)
}

impl Protocol {
    const fn dialect(self) -> Dialect {
        match self {
            Self::V16 => Dialect::V16,
            Self::V201 => Dialect::V201,
            Self::V21 => Dialect::V21,
        }
    }
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(text: &str) -> Result<Self, ScenarioError> {
        let file: File = toml::from_str(text).map_err(Box::new)?;
        let sense = |what: &str| Err(ScenarioError::Sense(what.to_owned()));
        if file.chargers == 0 || file.chargers > MOST_CHARGERS {
            return sense("`chargers` is a number from 1 to 100000");
        }
        let dialects = match &file.protocols {
            None => Dialect::ALL.to_vec(),
            Some(some) if some.is_empty() => {
                return sense("`protocols` names none; write some of 1.6, 2.0.1, 2.1");
            }
            Some(some) => some.iter().map(|protocol| protocol.dialect()).collect(),
        };
        let plan = plan(file.charger, file.cars, file.trouble)?;
        Ok(Self {
            title: file.title,
            chargers: file.chargers,
            dialects,
            duration: file.duration.duration(),
            over: file.connect_over.duration(),
            finish_within: file.finish_within.map_or(Duration::from_secs(60), One::duration),
            plan: Arc::new(plan),
            expect: file.expect,
        })
    }

    /// The same with another number of chargers, or for another time; what is expected follows both.
    #[must_use]
    pub fn resized(self, chargers: Option<u32>, duration: Option<Duration>) -> Self {
        let (chargers, duration) = (chargers.unwrap_or(self.chargers), duration.unwrap_or(self.duration));
        // Cars come once the chargers have connected.
        let cars = |duration: Duration| duration.saturating_sub(self.over);
        let expect = self.expect.scaled(
            (u64::from(chargers), u64::from(self.chargers)),
            (cars(duration), cars(self.duration)),
            duration,
        );
        Self { chargers, duration, expect, ..self }
    }

    /// The chargers, with identities that begin with `prefix` and one password. They connect within [`Scenario::over`].
    #[must_use]
    pub fn members(&self, prefix: &str, password: Option<&str>) -> Vec<Member> {
        let spread = |place: u32| self.over.saturating_mul(place) / self.chargers.max(1);
        let each = self.dialects.iter().copied().cycle().zip(0..self.chargers);
        each.map(|(dialect, place)| Member {
            id: format!("{prefix}{:05}", place + 1),
            dialect,
            plan: Arc::clone(&self.plan),
            after: spread(place),
            password: password.map(str::to_owned),
        })
        .collect()
    }
}

fn plan(
    charger: ChargerPart,
    cars: Option<CarsPart>,
    troubles: Vec<TroublePart>,
) -> Result<Plan, ScenarioError> {
    let sense = |what: &str| ScenarioError::Sense(what.to_owned());
    let usual = Plan::default();
    let one = |amount: Option<Amount>, name: &str, usual: i64| match amount.map(|amount| amount.thousandths())
    {
        None => Ok(usual),
        Some(Span { from, to }) if from == to => Ok(from),
        Some(_) => Err(ScenarioError::Sense(format!("`{name}` is one number, not a range"))),
    };
    let connectors = charger.connectors.unwrap_or(usual.connectors);
    if connectors == 0 || connectors > 100 {
        return Err(sense("`connectors` is a number from 1 to 100"));
    }
    let repeated_permille = one(charger.repeated_percent, "repeated_percent", 0)? / 100;
    Ok(Plan {
        connectors,
        power: one(charger.power_kw, "power_kw", usual.power)?.max(1),
        powers: Vec::new(),
        ac: charger.ac.unwrap_or(usual.ac),
        vendor: charger.vendor.unwrap_or(usual.vendor),
        model: charger.model.unwrap_or(usual.model),
        meter_every: charger.meter_every.map_or(usual.meter_every, One::ms),
        heartbeat_every: charger.heartbeat_every.map(One::ms),
        cars: cars.map(CarsPart::take),
        troubles: troubles.into_iter().map(TroublePart::take).collect::<Result<_, _>>()?,
        repeated_permille,
        reconnect_after: charger.reconnect_after.map_or(usual.reconnect_after, |times| times.0),
        answer_within: charger.answer_within.map_or(usual.answer_within, One::ms),
        attempts: charger.attempts.unwrap_or(usual.attempts),
    })
}

impl CarsPart {
    fn take(self) -> Cars {
        let mut tokens: Vec<Arc<str>> = self.tokens.iter().map(|token| token.as_str().into()).collect();
        if tokens.is_empty() {
            tokens.push("DEMO".into());
        }
        Cars {
            free_for: self.free_for.0,
            energy: self.energy_kwh.thousandths(),
            power: self.power_kw.thousandths(),
            stays: self.stays.0,
            tokens: tokens.into(),
        }
    }
}

impl TroublePart {
    fn take(self) -> Result<Trouble, ScenarioError> {
        let sense = |what: &str| Err(ScenarioError::Sense(what.to_owned()));
        if self.at.is_none() && self.every.is_none() {
            return sense(
                "a trouble comes `at` a time after the start, or `every` so often; write one of them",
            );
        }
        let kind = match (self.kind, self.by) {
            (KindPart::Clock, Some(by)) => TroubleKind::Clock(by.ms()),
            (KindPart::Clock, None) => {
                return sense("a wrong clock is wrong `by` some time, as in by = \"-2h\"");
            }
            (_, Some(_)) => return sense("`by` belongs to a trouble of the kind `clock`"),
            (KindPart::Offline, None) => TroubleKind::Offline,
            (KindPart::Reboot, None) => TroubleKind::Reboot,
            (KindPart::Fault, None) => TroubleKind::Fault,
            (KindPart::Silent, None) => TroubleKind::Silent,
        };
        Ok(Trouble {
            kind,
            at: self.at.map(One::ms),
            every: self.every.map(|times| times.0),
            lasts: self.lasts.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_scenarios_are_read_and_say_what_they_expect() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scenarios");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let scenario =
                Scenario::read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_ne!(scenario.expect, Expect::default(), "{} expects nothing", path.display());
            names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
        names.sort();
        assert_eq!(names, ["faults", "load", "offline-replay", "ramp", "reconnect-storm"]);
    }

    #[test]
    fn another_number_of_chargers_and_another_time_expect_something_else() {
        let text = "title = 't'\nchargers = 50\nduration = '60s'\nconnect_over = '20s'\n[expect]\nsessions = 50\nanswers_per_second = 100\nall_connected_within = '30s'\nrefused = 0\n";
        let expected = |chargers: Option<u32>, seconds: Option<u64>| {
            let scenario = Scenario::read(text).unwrap();
            let resized = scenario.resized(chargers, seconds.map(Duration::from_secs));
            assert_eq!(resized.chargers, chargers.unwrap_or(50));
            assert_eq!(resized.duration, Duration::from_secs(seconds.unwrap_or(60)));
            resized.expect
        };
        let expect = |text: &str| toml::from_str::<Expect>(text).unwrap();
        assert_eq!(expected(None, None), Scenario::read(text).unwrap().expect);
        let all = "all_connected_within = '30s'\nrefused = 0\n";
        let with = |sessions: u64, answers: u64| {
            expect(&format!("sessions = {sessions}\nanswers_per_second = {answers}\n{all}"))
        };
        assert_eq!(expected(Some(10), None), with(10, 20));
        assert_eq!(expected(Some(75), None), with(75, 150));
        // 40 seconds with all chargers become 100.
        assert_eq!(expected(None, Some(120)), with(125, 100));
        assert_eq!(expected(Some(7), Some(40)), with(3, 14));
        // Shorter than it takes until all are there.
        assert_eq!(expected(None, Some(10)), expect("sessions = 0\nanswers_per_second = 100\nrefused = 0\n"));
    }

    #[test]
    fn chargers_take_turns_and_connect_one_after_the_other() {
        let text = "title = 't'\nchargers = 4\nduration = '1s'\nconnect_over = '4s'\n";
        let members = Scenario::read(text).unwrap().members("X-", None);
        let seen: Vec<_> = members
            .iter()
            .map(|member| (member.id.as_str(), member.dialect, member.after.as_secs()))
            .collect();
        let wanted = [
            ("X-00001", Dialect::V16, 0),
            ("X-00002", Dialect::V201, 1),
            ("X-00003", Dialect::V21, 2),
            ("X-00004", Dialect::V16, 3),
        ];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let begin = "title = 't'\nduration = '1s'\n";
        for (rest, wanted) in [
            ("chargers = 0", "from 1 to"),
            ("chargers = 1\nchargerz = 2", "unknown field `chargerz`"),
            ("chargers = 1\nprotocols = []", "names none"),
            ("chargers = 1\nprotocols = ['1.5']", "unknown variant `1.5`"),
            ("chargers = 1\n[charger]\npower_kw = '1..2'", "not a range"),
            ("chargers = 1\n[charger]\nmeter_every = '5'", "as in 250ms, 5s"),
            ("chargers = 1\n[[trouble]]\nkind = 'offline'\nlasts = '1s'", "`at` a time"),
            ("chargers = 1\n[[trouble]]\nkind = 'clock'\nlasts = '1s'\nat = '1s'", "`by` some time"),
            (
                "chargers = 1\n[[trouble]]\nkind = 'fault'\nlasts = '2s..1s'\nat = '1s'",
                "the smaller one first",
            ),
        ] {
            let error = Scenario::read(&format!("{begin}{rest}")).unwrap_err().to_string();
            assert!(error.contains(wanted), "{rest}: {error}");
        }
    }
}
