//! What the operator calls things: the one place for names that no source at hand could verify. Settings `names` and `words` change them.

use takst_plugin_sdk::invoices::State;
use takst_plugin_sdk::{Finding, Options, Settings};

/// Name, and what the operator calls it.
const NAMES: &[(&str, &str)] = &[
    ("consumers", "consumers"),
    ("invoices", "invoices"),
    ("consumer-list", "consumers"),
    ("invoice-list", "invoices"),
    ("identifier", "efakturaIdentifier"),
    ("consent", "hasAutoAcceptAgreement"),
    ("blocked", "blockedByReceiver"),
    ("reference", "id"),
    ("status", "status"),
    ("number", "invoiceNumber"),
    ("key", "externalId"),
    ("text", "message"),
];

const WORDS: &[(&str, &str)] = &[
    ("accepted", "ACCEPTED RECEIVED QUEUED PENDING PROCESSING"),
    ("delivered", "DELIVERED SENT AVAILABLE APPROVED PAID"),
    ("rejected", "REJECTED FAILED ERROR BLOCKED UNDELIVERABLE"),
    ("cancelled", "CANCELLED CANCELED DELETED WITHDRAWN"),
];

/// The operator's names under these settings.
#[derive(Clone, Copy)]
pub struct Names<'a>(pub &'a Options);

impl<'a> Names<'a> {
    /// What the operator calls this.
    pub fn of(&self, name: &'static str) -> &'a str {
        let usual = NAMES.iter().find(|(known, _)| *known == name).map_or(name, |(_, usual)| *usual);
        self.changed("names", name).unwrap_or(usual)
    }

    /// The state that the operator's word means.
    pub fn state(&self, word: &str) -> Option<State> {
        let means = |state: &str, usual: &'static str| {
            let words = self.changed("words", state).unwrap_or(usual);
            words.split_whitespace().any(|one| one.eq_ignore_ascii_case(word))
        };
        // What the operator's own words say goes before the usual ones of another state.
        let states = || WORDS.iter().filter(|(state, usual)| means(state, usual));
        let own = states().find(|(state, _)| self.changed("words", state).is_some());
        own.or_else(|| states().next()).and_then(|(state, _)| match *state {
            "accepted" => Some(State::Accepted),
            "delivered" => Some(State::Delivered),
            "rejected" => Some(State::Rejected),
            "cancelled" => Some(State::Cancelled),
            _ => None,
        })
    }

    fn changed(&self, setting: &'static str, name: &str) -> Option<&'a str> {
        pairs(Settings(self.0).get_or(setting, ""))
            .filter_map(Result::ok)
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// What is wrong with the two settings.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (setting, known) in [("names", NAMES), ("words", WORDS)] {
            for pair in pairs(Settings(self.0).get_or(setting, "")) {
                let text = match pair {
                    Ok((name, _)) if known.iter().any(|(other, _)| *other == name) => continue,
                    Ok((name, _)) => {
                        let all: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                        format!("there is no `{name}`; there are: {}", all.join(", "))
                    }
                    Err(text) => format!("`{text}` is not written as in `name=value`"),
                };
                findings.push(Finding { setting: setting.to_owned(), text, error: true });
            }
        }
        findings
    }
}

// "a=b, c=d e".
fn pairs(text: &str) -> impl Iterator<Item = Result<(&str, &str), &str>> {
    text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
        Some((name, value)) if !value.trim().is_empty() => Ok((name.trim(), value.trim())),
        _ => Err(pair),
    })
}
