//! A session of which a fact is not told, with everything that fact could be.

use crate::oracle::calendar::all_conditions;
use crate::oracle::model::{Condition, Tariff};
use crate::oracle::number::MICRO;
use crate::oracle::session::{Hidden, Session};

/// Whether any line of the list asks for the fact.
#[must_use]
pub fn asks(tariff: &Tariff, hidden: Hidden) -> bool {
    all_conditions(tariff).into_iter().any(|condition| match (condition, hidden) {
        (Condition::At(names), Hidden::Charger | Hidden::Site) => {
            let places = tariff.places.iter().filter(|place| names.contains(&place.name));
            places.into_iter().any(|place| place.sites == (hidden == Hidden::Site))
        }
        (Condition::On(words), Hidden::Plug) => words.iter().any(|word| word == "AC" || word == "DC"),
        (Condition::On(words), Hidden::Type) => words.iter().any(|word| word != "AC" && word != "DC"),
        (Condition::Rated(..), Hidden::Rated)
        | (Condition::Via(_), Hidden::Contract)
        | (Condition::Occupied(..), Hidden::Occupancy) => true,
        _ => false,
    })
}

/// The session with every value of the hidden fact that a list could tell apart.
#[must_use]
pub fn completions(session: &Session) -> Vec<Session> {
    let Some(hidden) = session.hidden else { return vec![session.clone()] };
    let told = Session { hidden: None, ..session.clone() };
    let texts = |all: &[&str], set: fn(&mut Session, String)| {
        let with = |text: &&str| {
            let mut session = told.clone();
            set(&mut session, (*text).to_owned());
            session
        };
        all.iter().map(with).collect()
    };
    match hidden {
        Hidden::Charger => texts(&["SN-1", "SN-2", "SN-3", "other"], |s, text| s.charger = text),
        Hidden::Site => texts(&["harbour", "otakaari-5", "nowhere", "other"], |s, text| s.site = text),
        Hidden::Plug => [false, true].map(|dc| Session { dc, ..told.clone() }).to_vec(),
        Hidden::Type => texts(&["CCS", "CHAdeMO", "Type2", "Schuko"], |s, text| s.connector = text),
        Hidden::Rated => {
            [5, 11, 22, 50, 150].map(|kw| Session { rated: kw * MICRO, ..told.clone() }).to_vec()
        }
        Hidden::Contract => texts(&["direct", "roaming", "ad-hoc"], |s, text| s.contract = text),
        Hidden::Occupancy => {
            let at = session.plugged_in;
            [0, 1, 2, 3, 4].map(|n| Session { occupancy: vec![(at, n, 4)], ..told.clone() }).to_vec()
        }
    }
}
