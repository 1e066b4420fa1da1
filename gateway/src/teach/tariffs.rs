//! Chargers of OCPP 2.1 are told the tariff of drivers without one of their own, so that they can show it and reckon with it while
//! they cannot reach us. Told once, and again when it changes or the charger has booted; what a charger refuses is not repeated.

use super::{AGAIN_MS, Inner, Teacher};
use crate::chargers::model::{Command, Details, Outcome, Status, TariffDocument};
use crate::desk::Order;
use crate::desk::rules::ToldTariff;
use crate::store::Error;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use takst_engine::units::Instant;

/// Tariffs by EVSE; 0 is all of them.
pub type ByEvse = BTreeMap<i64, Arc<TariffDocument>>;

type Held = BTreeMap<i64, ToldTariff>;

/// What is to be said to a charger that holds `held`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Lack {
    set: ByEvse,
    // EVSEs whose tariffs are no more, and their ids.
    clear: Vec<(i64, String)>,
}

fn lack(wanted: &ByEvse, held: &Held) -> Lack {
    let is_new = |evse: &i64, tariff: &TariffDocument| {
        held.get(evse).is_none_or(|told| told.id != tariff.id || !told.heard)
    };
    let set = wanted.iter().filter(|(evse, tariff)| is_new(evse, tariff));
    let still: HashSet<&str> = wanted.values().map(|tariff| tariff.id.as_str()).collect();
    let gone =
        held.iter().filter(|(evse, told)| !wanted.contains_key(evse) && !still.contains(told.id.as_str()));
    Lack {
        set: set.map(|(evse, tariff)| (*evse, Arc::clone(tariff))).collect(),
        clear: gone.map(|(evse, told)| (*evse, told.id.clone())).collect(),
    }
}

// The charger has the tariff now; ids are made of what a tariff says, so one that is there already is this one.
fn is_there(status: &Status) -> bool {
    status.is_good() || *status == Status::DuplicateTariffId
}

impl Teacher {
    /// Looks once at the chargers of OCPP 2.1 that are connected, and begins with those that hold another tariff than they should;
    /// with how many.
    ///
    /// # Errors
    /// When the storage fails.
    pub(super) async fn look_at_tariffs(
        &self,
        settled: &HashSet<String>,
        now: Instant,
    ) -> Result<usize, Error> {
        let pupils = self.inner.store.read().await?.tariff_pupils(&self.inner.org).await?;
        let mut begun = 0;
        for charger in pupils.into_iter().filter(|charger| settled.contains(charger)) {
            if self.inner.pupils().is_left_alone(&charger) {
                continue;
            }
            let Some(wanted) = self.lessons.tariffs(&self.inner.org, &charger, now) else { continue };
            let held = self.inner.clerk.learnt(&self.inner.org, &charger).await?.tariffs;
            let lack = lack(&wanted, &held);
            if lack == Lack::default() {
                continue;
            }
            let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() else { break };
            self.inner.pupils().underway.insert(charger.clone());
            begun += 1;
            let inner = Arc::clone(&self.inner);
            tokio::spawn(async move {
                let told = inner.tell_tariffs(&charger, lack, held).await;
                let mut pupils = inner.pupils();
                pupils.underway.remove(&charger);
                if !told {
                    pupils.again.insert(charger, Instant(now.0.saturating_add(AGAIN_MS)));
                }
                drop(turn);
            });
        }
        Ok(begun)
    }
}

impl Inner {
    // Whether the charger has heard all of it, and that was noted.
    async fn tell_tariffs(&self, charger: &str, lack: Lack, mut held: Held) -> bool {
        let mut all = true;
        for (evse, tariff) in lack.set {
            let id = tariff.id.clone();
            let command = Command::SetDefaultTariff { evse, tariff: Box::new((*tariff).clone()) };
            let Some(outcome) = self.tell(charger, command).await else {
                all = false;
                break;
            };
            if !is_there(&outcome.status) {
                tracing::info!(
                    charger,
                    evse,
                    status = outcome.status.as_str(),
                    "a charger does not take its tariff"
                );
            }
            let status = if is_there(&outcome.status) { Status::Accepted } else { outcome.status };
            held.insert(evse, ToldTariff { id, status: status.as_str().to_owned(), heard: true });
        }
        let gone: Vec<_> = lack.clear.into_iter().filter(|_| all).collect();
        let ids: Vec<String> = (gone.iter())
            .filter(|(evse, _)| held.get(evse).is_some_and(ToldTariff::is_there))
            .map(|(_, id)| id.clone())
            .collect();
        if !ids.is_empty() {
            match self.tell(charger, Command::ClearTariffs { ids, evse: None }).await {
                Some(outcome) => self.log_kept(charger, &outcome),
                None => all = false,
            }
        }
        if all {
            for (evse, _) in gone {
                held.remove(&evse);
            }
        }
        let noted = self.clerk.note_tariffs(&self.org, charger, held).await;
        if let Err(error) = &noted {
            tracing::warn!(%error, charger, "it was not noted that a charger was told its tariff");
        }
        all && noted.is_ok()
    }

    // What the charger answered; none when it could not be asked.
    async fn tell(&self, charger: &str, command: Command) -> Option<Outcome> {
        let order = Order::Raw { command: Box::new(command) };
        match self.clerk.command(&self.org, charger, order, "set-up").await {
            Ok(done) => match done.outcome {
                Ok(outcome) => Some(outcome),
                Err(why) => {
                    tracing::debug!(charger, %why, "a charger was not told its tariff");
                    None
                }
            },
            Err(why) => {
                tracing::debug!(charger, %why, "a charger was not told its tariff");
                None
            }
        }
    }

    fn log_kept(&self, charger: &str, outcome: &Outcome) {
        let Details::TariffsCleared(cleared) = &outcome.details else { return };
        for kept in cleared.iter().filter(|one| !one.status.is_good() && one.status != Status::NoTariff) {
            let status = kept.status.as_str();
            tracing::info!(charger, tariff = kept.id, status, "a charger keeps an old tariff");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tariff(id: &str) -> Arc<TariffDocument> {
        Arc::new(TariffDocument {
            id: id.to_owned(),
            description: Vec::new(),
            currency: "EUR".to_owned(),
            energy: None,
            valid_from: None,
            charging_time: None,
            idle_time: None,
            fixed_fee: None,
            reservation_time: None,
            reservation_fixed: None,
            minimum: None,
            maximum: None,
        })
    }

    fn told(id: &str, status: &str, heard: bool) -> ToldTariff {
        ToldTariff { id: id.to_owned(), status: status.to_owned(), heard }
    }

    #[test]
    fn only_what_is_new_is_said() {
        let wanted = ByEvse::from([(0, tariff("day"))]);
        let held = |id: &str, status: &str, heard: bool| Held::from([(0, told(id, status, heard))]);
        assert_eq!(lack(&wanted, &held("day", "Accepted", true)), Lack::default());
        assert_eq!(
            lack(&wanted, &held("day", "NotSupported", true)),
            Lack::default(),
            "refused is not repeated"
        );
        assert_eq!(lack(&wanted, &held("day", "Accepted", false)).set, wanted, "it has booted");
        assert_eq!(lack(&wanted, &held("night", "Accepted", true)).set, wanted);
        assert_eq!(lack(&wanted, &Held::new()).set, wanted);
        // From one for all to one for each, and to none.
        let each = ByEvse::from([(1, tariff("a-1")), (2, tariff("b-2"))]);
        let lacks = lack(&each, &held("day", "Accepted", true));
        assert_eq!((lacks.set, lacks.clear), (each, vec![(0, "day".to_owned())]));
        assert_eq!(lack(&ByEvse::new(), &held("day", "Accepted", true)).clear, vec![(0, "day".to_owned())]);
    }
}
