//! What can be said and is seldom meant: warnings, and words that are nearly a formula.

use super::Lowering;
use crate::ast::{At, Name, Span, Step, Window, WindowPart};
use crate::resolve::report::{Labels, Place, error, nearest, warning};

/// Connector types by common names, then as OCPI 2.3 and OCPP 2.1 write them.
const CONNECTORS: &[&str] = &[
    "Type1",
    "Type2",
    "Type3",
    "CCS",
    "CCS1",
    "CCS2",
    "CHAdeMO",
    "ChaoJi",
    "NACS",
    "Tesla",
    "MCS",
    "GBT",
    "GB-T",
    "CEE",
    "Schuko",
    "Domestic",
    "Socket",
    "CHADEMO",
    "CHAOJI",
    "DOMESTIC_A",
    "DOMESTIC_B",
    "DOMESTIC_C",
    "DOMESTIC_D",
    "DOMESTIC_E",
    "DOMESTIC_F",
    "DOMESTIC_G",
    "DOMESTIC_H",
    "DOMESTIC_I",
    "DOMESTIC_J",
    "DOMESTIC_K",
    "DOMESTIC_L",
    "DOMESTIC_M",
    "DOMESTIC_N",
    "DOMESTIC_O",
    "GBT_AC",
    "GBT_DC",
    "IEC_60309_2_single_16",
    "IEC_60309_2_three_16",
    "IEC_60309_2_three_32",
    "IEC_60309_2_three_64",
    "IEC_62196_T1",
    "IEC_62196_T1_COMBO",
    "IEC_62196_T2",
    "IEC_62196_T2_COMBO",
    "IEC_62196_T3A",
    "IEC_62196_T3C",
    "NEMA_5_20",
    "NEMA_6_30",
    "NEMA_6_50",
    "NEMA_10_30",
    "NEMA_10_50",
    "NEMA_14_30",
    "NEMA_14_50",
    "PANTOGRAPH_BOTTOM_UP",
    "PANTOGRAPH_TOP_DOWN",
    "SAE_J3400",
    "TESLA_R",
    "TESLA_S",
    "UNKNOWN",
    "cCCS1",
    "cCCS2",
    "cChaoJi",
    "cG105",
    "cGBT-DC",
    "cLECCS",
    "cMCS",
    "cNACS",
    "cNACS-CCS1",
    "cTesla",
    "cType1",
    "cType2",
    "cUltraChaoJi",
    "Other1PhMax16A",
    "Other1PhOver16A",
    "Other3Ph",
    "Pan",
    "s309-1P-16A",
    "s309-1P-32A",
    "s309-3P-16A",
    "s309-3P-32A",
    "sBS1361",
    "sCEE-7-7",
    "sType2",
    "sType3",
    "Undetermined",
    "wInductive",
    "wResonant",
];

/// What a word in a formula most likely stands for: what is meant, and how it is written.
pub(super) fn formula_word(word: &str) -> Option<(&'static str, &'static str)> {
    Some(match word {
        "energy" => ("what the next kWh costs has two words", "energy price"),
        "energy-price" | "kwh-price" => ("what the next kWh costs has two words", "energy price"),
        "cost" | "costs" | "cost-price" => ("what a kWh really cost has two words", "cost price"),
        "power" | "average" | "mean-power" => ("the mean power of a session is one word", "average-power"),
        _ => return None,
    })
}

/// What a window of a list is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    OfDays,
    OfHours,
    Otherwise,
}

fn made(window: &Window) -> Made {
    let hours = |part: &At<WindowPart>| matches!(part.it, WindowPart::Hours(..));
    let days = |part: &At<WindowPart>| {
        !matches!(
            part.it,
            WindowPart::Hours(..) | WindowPart::Period(_) | WindowPart::PublicHolidays | WindowPart::EveryDay
        )
    };
    if window.parts.iter().all(hours) {
        Made::OfHours
    } else if window.parts.iter().all(days) {
        Made::OfDays
    } else {
        Made::Otherwise
    }
}

/// The start of a step that is said once in a test, and the words for it.
fn said_once(step: &Step) -> Option<(&'static str, String)> {
    Some(match step {
        Step::Via(_) => ("via", "how the driver came".to_owned()),
        Step::PaidWith(_) => ("paid with", "the card".to_owned()),
        Step::AtCharger(_) => ("at charger", "the charger".to_owned()),
        Step::AtSite(_) => ("at site", "the site".to_owned()),
        Step::CostPrice(_) => ("cost price", "the cost price".to_owned()),
        Step::CouponPercent(_) | Step::CouponMoney(_) => {
            ("coupon", "a coupon made up for the test".to_owned())
        }
        Step::Reserved { .. } => ("reserved", "the reservation".to_owned()),
        Step::Invoice { .. } => ("invoice", "the month to be invoiced".to_owned()),
        Step::Used(_, every) => match every.it {
            crate::ast::Every::Day => ("used today", "what was used today".to_owned()),
            crate::ast::Every::Month => ("used this month", "what was used this month".to_owned()),
        },
        _ => return None,
    })
}

impl Lowering<'_> {
    /// What `during` takes in place of a word for a time.
    pub(super) fn time_word(&self, word: &str) -> Option<String> {
        if self.names.periods.contains_key(word) {
            return Some(word.to_owned());
        }
        let hours = match word.to_lowercase().as_str() {
            "night" | "nights" | "nighttime" => "22:00-06:00",
            "day" | "daytime" | "days" => "06:00-22:00",
            "weekend" | "weekends" => "Sat-Sun",
            "weekdays" | "workdays" => "Mon-Fri",
            "holidays" => "public holidays",
            _ => return None,
        };
        Some(hours.to_owned())
    }

    /// Warns of `Mon-Fri, 08:00-20:00`: a comma means or, and the hours hold on every day.
    pub(super) fn days_or_hours(&mut self, windows: &[At<Window>], source: u32) {
        let of = |wanted| windows.iter().filter(move |window| made(&window.it) == wanted);
        // A base list is warned of where it is checked itself.
        let (Some(hours), Some(days), 0) = (of(Made::OfHours).next(), of(Made::OfDays).next(), source) else {
            return;
        };
        let at = |window: &At<Window>| Place { source, span: window.span };
        let clock = self.text(at(hours));
        let both: Vec<String> =
            of(Made::OfDays).take(3).map(|days| format!("{} {clock}", self.text(at(days)))).collect();
        let message =
            format!("a comma means or: this is all of `{}`, and `{clock}` of every day", self.text(at(days)));
        let help = format!(
            "for these hours of these days write `{}`; if either is meant, write `every day {clock}`",
            both.join(", ")
        );
        self.out.push(warning("W301", at(hours), message).also(at(days), "all day").help(help));
    }

    /// Warns of a connector type that is none of the usual ones: no session may ever have it.
    pub(super) fn unknown_plug(&mut self, plug: &Name, source: u32) {
        let word = plug.it.as_str();
        let known = |name: &&str| name.eq_ignore_ascii_case(word);
        if source != 0 || ["AC", "DC"].iter().chain(CONNECTORS).any(known) {
            return;
        }
        let at = Place { source, span: plug.span };
        let found = warning("W302", at, format!("`{word}` is no usual connector type"));
        self.out.push(match nearest(word, CONNECTORS.iter().copied()) {
            Some(near) => found.help(format!("did you mean `{near}`?")).fix(plug.span, near),
            None => found.help(
                "usual are `Type2`, `CCS` and `CHAdeMO`, and the names in OCPI and OCPP; it only fits sessions that have just this word",
            ),
        });
    }

    /// Refuses what a test says twice where only the last would count.
    pub(super) fn once_in_test(&mut self, steps: &[At<Step>]) {
        let mut said: Vec<(&str, Span)> = Vec::new();
        let mut plug: Option<&Name> = None;
        let mut rated: Option<&At<crate::ast::Quantity>> = None;
        for step in steps {
            if let Some((words, what)) = said_once(&step.it) {
                match said.iter().find(|(known, _)| *known == words) {
                    Some((_, first)) => self.twice(step.span, *first, &what),
                    None => said.push((words, step.span)),
                }
            }
            let Step::Charge { on, rated: power, .. } = &step.it else { continue };
            match (plug, on) {
                (Some(first), Some(on)) if !first.it.eq_ignore_ascii_case(&on.it) => {
                    self.twice(on.span, first.span, "the plug");
                }
                (None, Some(on)) => plug = Some(on),
                _ => {}
            }
            match (rated, power) {
                (Some(first), Some(power)) if first.it != power.it => {
                    self.twice(power.span, first.span, "the connector's rated power");
                }
                (None, Some(power)) => rated = Some(power),
                _ => {}
            }
        }
    }

    fn twice(&mut self, span: Span, first: Span, what: &str) {
        let at = Place { source: 0, span };
        let found = error("E048", at, format!("a test says once what is {what}"));
        let found = found.also(Place { source: 0, span: first }, "said here");
        self.out.push(found.help("a session has one; write a second test for the other"));
    }
}

#[cfg(test)]
mod tests {
    use super::CONNECTORS;
    use std::collections::BTreeSet;

    #[test]
    fn connector_types_are_names_of_the_language() {
        for name in CONNECTORS {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)), "{name}");
        }
        let different: BTreeSet<&str> = CONNECTORS.iter().copied().collect();
        assert_eq!(different.len(), CONNECTORS.len());
    }
}
