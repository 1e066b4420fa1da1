//! How plugins stand with calls from outside: an incident for each that does not take them, until it does again. What anybody on the internet can
//! bring about says nothing by itself: a call that is refused counts only when nothing but such calls comes.

use crate::store::{Alert, Error, Lane, OrgId, Store, Tx};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use takst_engine::units::Instant;

/// The kind of the incident; its subject is the plugin's name.
const FAILING: &str = "webhook.failing";
/// So many calls in a row that were refused, and none that was taken: the plugin does not know its own provider.
const REFUSED_IN_A_ROW: u32 = 20;

/// What came of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Came {
    /// It was taken; `told`: it was one that tells something, and not a page.
    Well { told: bool },
    /// Nothing that says how the plugin stands.
    Neither,
    /// It crashed, took too long, or says itself that it could not: why.
    Broken(String),
    /// It refused what it was told: why.
    Refused(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Why {
    Broken,
    Refused,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct How {
    // An incident of an earlier start may be open until this is known.
    is_known: bool,
    open: Option<Why>,
    refused: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Change {
    Opens(String),
    Ends,
}

impl How {
    fn step(&mut self, came: Came) -> Option<Change> {
        match came {
            Came::Neither => None,
            Came::Broken(why) => {
                let is_news = self.open != Some(Why::Broken);
                (self.open, self.is_known) = (Some(Why::Broken), true);
                is_news.then_some(Change::Opens(why))
            }
            Came::Refused(why) => {
                self.refused = self.refused.saturating_add(1);
                if self.open.is_some() || self.refused < REFUSED_IN_A_ROW {
                    return None;
                }
                (self.open, self.is_known) = (Some(Why::Refused), true);
                Some(Change::Opens(format!(
                    "the last {} calls were refused, and none was taken: if they are its provider's, its secret is wrong here or there; the last one: {why}",
                    self.refused
                )))
            }
            Came::Well { told } => {
                if told {
                    self.refused = 0;
                }
                let ends = match self.open {
                    None => !self.is_known,
                    Some(Why::Broken) => true,
                    // A page says nothing of signatures.
                    Some(Why::Refused) => told,
                };
                if ends {
                    (self.open, self.is_known) = (None, true);
                }
                ends.then_some(Change::Ends)
            }
        }
    }
}

/// How all plugins stand.
#[derive(Default)]
pub(super) struct Callees {
    all: Mutex<BTreeMap<String, How>>,
}

impl Callees {
    /// Takes up what came of a call.
    pub async fn heard(&self, store: &Store, org: &OrgId, plugin: &str, came: Came, now: Instant) {
        let change = {
            let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(plugin.to_owned()).or_default().step(came)
        };
        let Some(change) = change else { return };
        if let Err(error) = tell(store, org, plugin, change, now).await {
            tracing::warn!(plugin, %error, "how a plugin stands could not be kept; the next call tries again");
            self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(plugin);
        }
    }
}

async fn tell(store: &Store, org: &OrgId, plugin: &str, change: Change, now: Instant) -> Result<(), Error> {
    let (org, plugin) = (org.clone(), plugin.to_owned());
    let lane = Lane::org(&org);
    let unit = async move |tx: &mut Tx| {
        let alert = Alert { subject: &plugin, kind: FAILING, severity: "warning" };
        match &change {
            Change::Opens(why) => {
                let help = "what the other side told in the meantime it tells again, or it is seen when the gateway asks by itself; see the log and `GET /api/v1/plugins`";
                let document = json!({ "plugin": plugin, "reason": why, "help": help });
                tx.raise(&org, alert, &document, now).await
            }
            Change::Ends => tx.settle(&org, alert, &json!({ "plugin": plugin }), now).await,
        }
        .map(drop)
    };
    store.write(lane, unit).await
}

/// Ends the incidents of plugins that take no calls any more: these can neither fail nor work.
///
/// # Errors
/// When the storage fails.
pub async fn settle_others(store: &Store, org: &OrgId, taking: &[String], now: Instant) -> Result<(), Error> {
    let open = store.read().await?.open_incidents(org).await?;
    let over = open.into_iter().filter(|one| one.kind == FAILING && !taking.contains(&one.subject));
    for incident in over {
        tell(store, org, &incident.subject, Change::Ends, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_anybody_can_bring_about_opens_nothing_unless_nothing_else_comes() {
        let mut how = How::default();
        let refused = || Came::Refused("wrong-signature".to_owned());
        // What an earlier start left open is over with the first call that is taken.
        assert_eq!(how.step(Came::Well { told: true }), Some(Change::Ends));
        assert_eq!(how.step(Came::Well { told: true }), None);
        for round in 0..3 {
            for _ in 1..REFUSED_IN_A_ROW {
                assert_eq!(how.step(refused()), None, "{round}");
            }
            assert_eq!(how.step(Came::Well { told: true }), None);
        }
        for _ in 1..REFUSED_IN_A_ROW {
            // Pages that are looked at meanwhile change nothing.
            assert_eq!((how.step(refused()), how.step(Came::Well { told: false })), (None, None));
        }
        assert!(matches!(how.step(refused()), Some(Change::Opens(why)) if why.contains("last 20 calls")));
        assert_eq!((how.step(refused()), how.step(Came::Well { told: false })), (None, None));
        assert_eq!(how.step(Came::Well { told: true }), Some(Change::Ends));
    }

    #[test]
    fn a_crash_is_told_once_until_a_call_is_taken() {
        let mut how = How::default();
        let broken = || Came::Broken("trap".to_owned());
        assert_eq!(how.step(broken()), Some(Change::Opens("trap".to_owned())));
        assert_eq!((how.step(broken()), how.step(Came::Neither)), (None, None));
        assert_eq!(how.step(Came::Well { told: false }), Some(Change::Ends));
        assert_eq!(how.step(broken()), Some(Change::Opens("trap".to_owned())));
    }
}
