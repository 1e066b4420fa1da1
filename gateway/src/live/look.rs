//! What is to be said of a running session now: its cost, notices, the order to stop.

use super::follow::Held;
use super::{Live, Now, Options, Slot};
use crate::billing::{NextList, PriceChange, note, noted, state_word};
use crate::chargers::model::Command;
use crate::desk::charges_after_stop;
use crate::store::{Appended, Fact, Lane, NewEvent, OrgId, new_id};
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};
use takst_engine::calendar_time::utc_text;
use takst_engine::document::money;
use takst_engine::session::State;
use takst_engine::units::{Instant, MINUTE_MS};

// Something that a driver is told once in a session.
struct Notice {
    kind: &'static str,
    document: Value,
}

impl Held {
    /// Whether time alone can change something.
    pub fn wants_looks(&self, now: Instant, options: Options) -> bool {
        self.session.ceiling_minor.is_some()
            || !matches!(self.doing(), State::Charging | State::Feeding)
            || self.charges_by_time()
            || self.goes_over(now)
            || self.look.heard
            || self.look.progress.is_none_or(|(at, ..)| now.0 - at.0 >= options.progress_ms)
    }

    // Prices of standing, from where the car is now.
    fn note_state(&mut self) {
        let state = self.doing();
        let charges = matches!(state, State::Charging | State::Feeding);
        if charges {
            self.look.fee_from = None;
        } else if self.look.state != Some(state) || self.look.fee_from.is_none() {
            self.look.fee_from = self.first_fee();
        }
        self.look.state = Some(state);
    }

    fn notices(&mut self, now: Instant, options: Options) -> Vec<Notice> {
        let mut notices = Vec::new();
        let at = self.station_time(now);
        let mut told = json!({ "session": self.session.id, "charger": self.session.charger });
        if let (Some(driver), Some(map)) = (&self.session.driver, told.as_object_mut()) {
            map.insert("driver".to_owned(), driver.clone().into());
        }
        let with = |name: &str, value: Value| {
            let mut told = told.clone();
            if let Some(map) = told.as_object_mut() {
                map.insert(name.to_owned(), value);
            }
            told
        };
        if self.doing() == State::Idle && !self.look.told_ended {
            self.look.told_ended = true;
            let energy = self.running.energy().kwh().to_string();
            notices
                .push(Notice { kind: "session.charging_ended", document: with("energy_kwh", energy.into()) });
        }
        let Some(fee) = self.look.fee_from else { return notices };
        let left = fee.0.saturating_sub(at.0);
        if left <= 0 && !self.look.told_fee {
            // What was to come has come.
            (self.look.told_fee, self.look.told_soon) = (true, true);
            notices.push(Notice { kind: "session.idle", document: with("from", utc_text(fee).into()) });
        } else if left > 0 && left <= options.idle_soon_ms && !self.look.told_soon {
            self.look.told_soon = true;
            let mut document = with("from", utc_text(fee).into());
            if let Some(map) = document.as_object_mut() {
                map.insert("minutes_left".to_owned(), ((left + MINUTE_MS - 1) / MINUTE_MS).into());
            }
            notices.push(Notice { kind: "session.idle_soon", document });
        }
        notices
    }

    // When the next notice is due, by our clock.
    fn next_notice(&self, options: Options) -> Option<Instant> {
        let fee = self.look.fee_from?;
        let soon = Instant(fee.0.saturating_sub(options.idle_soon_ms));
        let next = match (self.look.told_soon, self.look.told_fee) {
            (false, false) => soon,
            (_, false) => fee,
            (_, true) => return None,
        };
        Some(self.by_our_clock(next))
    }

    // Whether the session has to be stopped so that it does not cost more than its ceiling. Why.
    fn must_stop(&self, now: Instant, options: Options) -> Option<String> {
        // What stands there still costs, and no order to the charger changes that.
        let ceiling = self.session.ceiling_minor.filter(|_| !self.stopped)?;
        let ahead = Instant(self.station_time(now).0.saturating_add(options.stop_ahead_ms));
        let sums = self.ahead(ahead).ok()?;
        let digits = self.course.first().prepared.tariff().currency.digits;
        // The cost price of a plant is known after the month: nobody could charge by it if it were waited for. All else that the session
        // comes to is held against the ceiling.
        let is_of_month = self.course.each().any(|ready| ready.cost.is_some());
        if !sums.pending.is_empty() && !is_of_month {
            return Some("a price is not known, so its ceiling could not be kept".to_owned());
        }
        let (total, most) = (money(sums.total, digits), money(ceiling, digits));
        (sums.total > ceiling).then(|| format!("it would soon cost {total}, and may cost {most}"))
    }

    fn progress(&mut self, shown: &Now, now: Instant, options: Options) -> Option<Value> {
        let due = match self.look.progress {
            None => true,
            Some((_, total, state)) if (total, state) == (shown.total, shown.state) => false,
            Some((at, _, state)) => state != shown.state || now.0 - at.0 >= options.progress_ms,
        };
        due.then(|| {
            self.look.progress = Some((now, shown.total, shown.state));
            json!({
                "session": shown.session, "charger": shown.charger, "at": utc_text(shown.at),
                "state": state_word(shown.state), "energy_kwh": shown.energy.kwh().to_string(),
                "power_kw": shown.power.map(|power| takst_engine::units::Energy(power).kwh().to_string()),
                "total": money(shown.total, shown.digits), "currency": shown.currency, "pending": shown.pending,
            })
        })
    }
}

impl Live {
    /// Says what there is to say. `late`: it is no news for a display.
    pub(super) async fn look(&self, org: &OrgId, slot: &Slot, held: &mut Held, now: Instant, late: bool) {
        let options = self.inner.options;
        if held.goes_over(now) {
            self.go_over(org, held, now).await;
        }
        held.note_state();
        // The cost is that of this moment: what is paid by time follows the clock, what is paid by energy the last reading.
        let meanwhile = match held.doing() {
            State::Charging | State::Feeding if !held.charges_by_time() => held.so_far(),
            _ => held.meanwhile(held.station_time(now)),
        };
        let Ok(sums) = meanwhile else { return };
        let shown = held.snapshot(&sums, false);
        slot.set(Some(shown.clone()));
        if !late {
            self.show(org, held, &shown, now);
        }
        let notices = held.notices(now, options);
        self.remind(org, held, options);
        let mut events = Vec::new();
        if let Some(document) = held.progress(&shown, now, options) {
            events.push(("session.progress", document));
        }
        let again = held.look.stopped.is_none_or(|at| now.0 - at.0 >= options.stop_again_ms);
        if again && let Some(why) = held.must_stop(now, options) {
            if held.look.stopped.is_none() {
                let document = json!({ "session": shown.session, "charger": shown.charger, "reason": why });
                events.push(("session.ceiling", document));
            }
            held.look.stopped = Some(now);
            if let Some(reference) = held.reference() {
                self.inner.chargers.tell(org, &shown.charger, Command::Stop(reference));
            }
        }
        // A stop has to be explained later.
        let stopped = events.iter().any(|(kind, _)| *kind == "session.ceiling");
        if stopped || !notices.is_empty() {
            self.log(org, &shown, notices, events, now).await;
        } else if !events.is_empty()
            // The charger waits for its answer, and progress can be missed.
            && let Ok(permit) = Arc::clone(&self.inner.logging).try_acquire_owned()
        {
            let (live, org) = (self.clone(), org.clone());
            tokio::spawn(async move {
                live.log(&org, &shown, notices, events, now).await;
                drop(permit);
            });
        }
    }

    // Notes when the session is to be looked at again for a notice.
    fn remind(&self, org: &OrgId, held: &mut Held, options: Options) {
        let next = held.next_notice(options);
        if held.look.next == next {
            return;
        }
        let of = |at: Instant| (at, org.clone(), held.session.id.clone());
        let mut due = self.inner.due.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = held.look.next {
            due.remove(&of(before));
        }
        due.extend(next.map(of));
        drop(due);
        held.look.next = next;
    }

    // Notes the lists that have come into force for a session with it, and tells of them; the price goes over by itself.
    async fn go_over(&self, org: &OrgId, held: &mut Held, now: Instant) {
        let due = held.take_due(now);
        let found: Vec<PriceChange> = due
            .iter()
            .map(|(next, kept)| {
                let shown = kept.is_none().then(|| held.shown_from(next));
                noted(next, kept.clone(), shown)
            })
            .collect();
        let goes_on = |(next, kept): &(NextList, Option<String>)| {
            kept.is_none() && charges_after_stop(next.prepared.tariff())
        };
        let found = (found, due.iter().any(goes_on));
        let (job, id) = ((org.clone(), held.session.id.clone()), held.session.id.clone());
        let unit = async move |tx: &mut crate::store::Tx| {
            // What another program writes of its row meanwhile waits.
            tx.lock_session(&job.0, &id).await?;
            let Some(mut session) = tx.session(&job.0, &id).await? else { return Ok(false) };
            // A bill is made meanwhile: it has noted them.
            if session.billing != crate::store::Billing::Open {
                return Ok(false);
            }
            let (mut found, mut stays) = found.clone();
            // It is over, and waits for reports alone: what came into force since is nothing to it.
            if let Some(over) = session.unplugged {
                found.retain(|change| change.from().is_some_and(|from| from < over));
                stays = false;
            }
            note(tx, &job.0, &mut session, (found, stays), now).await
        };
        let lane = Lane::charger(org, &held.session.charger);
        match self.inner.store.write(lane, unit).await {
            // Standing may cost something else from here on, and the display shows other prices.
            Ok(_) => (held.look.fee_from, held.look.displayed) = (None, None),
            Err(error) => {
                tracing::warn!(%error, session = held.session.id, "a change of prices could not be noted");
                held.upcoming.splice(0..0, due);
            }
        }
    }

    async fn log(
        &self,
        org: &OrgId,
        shown: &Now,
        notices: Vec<Notice>,
        events: Vec<(&'static str, Value)>,
        now: Instant,
    ) {
        let (org, session, charger) = (org.clone(), shown.session.clone(), shown.charger.clone());
        let lane = Lane::charger(&org, &charger);
        let facts: Vec<(Fact, &str)> = notices
            .iter()
            .map(|notice| {
                let fact = Fact {
                    id: new_id(),
                    kind: "notice".to_owned(),
                    station_at: None,
                    received_at: now,
                    dedupe: Some(format!("notice/{}/{session}", notice.kind)),
                    document: notice.document.to_string(),
                    session: Some(session.clone()),
                    answer: None,
                };
                (fact, notice.kind)
            })
            .collect();
        let told = session.clone();
        let unit = async move |tx: &mut crate::store::Tx| {
            let event = |kind: &str, document: String| NewEvent {
                at: now,
                kind: kind.to_owned(),
                subject: session.clone(),
                document,
            };
            for (fact, kind) in &facts {
                if matches!(tx.append_fact(&org, &charger, fact).await?, Appended::New) {
                    tx.log_event(&org, event(kind, fact.document.clone()));
                }
            }
            for (kind, document) in &events {
                tx.log_event(&org, event(kind, document.to_string()));
            }
            Ok(())
        };
        if let Err(error) = self.inner.store.write(lane, unit).await {
            tracing::warn!(%error, session = told, "what a session came to could not be logged");
        }
    }
}
