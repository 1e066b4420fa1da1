//! The cost on a charger's display.

use super::follow::Held;
use super::{Live, Now};
use crate::billing::NextList;
use crate::chargers::model::{
    ChargingPrice, Command, CostState, FinalCost, IdlePrice, NextPrices, RunningCost, RunningDetails,
};
use crate::desk::shown;
use crate::ocpp::Dialect;
use crate::store::OrgId;
use rust_decimal::Decimal;
use std::sync::Arc;
use takst_engine::Pricing;
use takst_engine::calendar_time::{INSTANTS, LocalTime};
use takst_engine::session::State;
use takst_engine::table::{Asked, DayTable, Known, Slice, TermSlice, day_table};
use takst_engine::tariff::{AfterAmount, ChargeKind, Measure};
use takst_engine::units::{Instant, MINUTE_MS};

impl Live {
    /// Shows the cost so far, where the charger can and there is something new.
    pub(super) fn show(&self, org: &OrgId, held: &mut Held, shown: &Now, now: Instant) {
        let chargers = &self.inner.chargers;
        if !chargers.shows_cost(org, &shown.charger) {
            return;
        }
        let least = chargers.display_pause_ms(org, &shown.charger);
        let news = match held.look.displayed {
            None => true,
            Some((_, total, state)) if (total, state) == (shown.total, shown.state) => {
                held.look.heard = false;
                false
            }
            Some((at, _, state)) => {
                let pause = if held.look.heard { least } else { self.inner.options.display_ms.max(least) };
                state != shown.state || now.0.saturating_sub(at.0) >= pause
            }
        };
        if !news {
            return;
        }
        held.dialect = chargers.dialect(org, &shown.charger).or(held.dialect);
        let (Some(reference), Some(dialect)) = (held.reference(), held.dialect) else { return };
        // 2.1 has the total alone.
        let details = if dialect == Dialect::V21 { None } else { held.details(shown) };
        if dialect == Dialect::V16 && details.is_none() {
            return;
        }
        held.look.displayed = Some((now, shown.total, shown.state));
        held.look.heard = false;
        let cost = RunningCost { reference, total: shown.amount(), details };
        chargers.tell(org, &shown.charger, Command::RunningCost(Box::new(cost)));
    }

    /// Shows what the session came to. In 2.x that is part of the answer to its last message.
    pub(super) fn show_final(&self, org: &OrgId, held: &Held, shown: &Now) {
        let chargers = &self.inner.chargers;
        let can = chargers.shows_cost(org, &shown.charger);
        if !can || chargers.dialect(org, &shown.charger) != Some(Dialect::V16) || shown.pending {
            return;
        }
        let Some(reference) = held.reference() else { return };
        let total = shown.amount();
        let text = format!("{} {}, {} kWh", total, shown.currency, shown.energy.kwh());
        let cost = FinalCost { reference, total, text, more: Vec::new(), qr_code: None };
        chargers.tell(org, &shown.charger, Command::FinalCost(Box::new(cost)));
    }
}

impl Held {
    // Prices of this moment and the next ones of the day.
    fn details(&mut self, shown: &Now) -> Option<RunningDetails> {
        let at = shown.at;
        let table = self.table(at)?;
        let idle = !matches!(shown.state, State::Charging | State::Feeding);
        let here = self.prices(&table, at)?;
        let next = table.slices.iter().map(|slice| slice.from).find(|from| *from > at);
        // Another list may come before the prices of this one change.
        let later = self.course.later().iter().map(|(from, _)| *from).find(|from| *from > at);
        let next = next.into_iter().chain(later).min().and_then(|at| {
            let table = self.table(at)?;
            let (charging, idle) = self.prices(&table, at)?;
            ((&charging, &idle) != (&here.0, &here.1)).then_some(NextPrices { at, charging, idle })
        });
        let (charging, idle_price) = here;
        Some(RunningDetails {
            at,
            meter: self.register()?,
            state: if idle { CostState::Idle } else { CostState::Charging },
            charging,
            idle: idle_price,
            next,
            report_at: None,
        })
    }

    fn table(&mut self, at: Instant) -> Option<Arc<DayTable>> {
        if !INSTANTS.contains(&at.0) {
            return None;
        }
        let ready = Arc::clone(self.course.at(at));
        let day = LocalTime::at(ready.zone(), at.0).day;
        let version = ready.prepared.version();
        let known = self.look.tables.iter().find(|(known, of, _)| *known == day && of == version);
        if let Some((.., table)) = known {
            return Some(Arc::clone(table));
        }
        let pricing = Pricing::new(&ready.prepared, &self.book).ok()?;
        let asked = Asked { facts: self.facts.clone(), power: self.power_now().filter(|power| *power > 0) };
        let table = Arc::new(day_table(&pricing, &asked, day).ok()?);
        // Of this day, and of the one on which another list begins.
        if self.look.tables.len() >= 2 {
            self.look.tables.remove(0);
        }
        self.look.tables.push((day, version.to_owned(), Arc::clone(&table)));
        Some(table)
    }

    /// The price table of the day on which a list takes over, as one is kept of plug-in.
    pub(super) fn shown_from(&self, next: &NextList) -> serde_json::Value {
        let rated = self.facts.connector.as_ref().and_then(|connector| connector.max_power);
        let asked = Asked { facts: self.facts.clone(), power: rated };
        shown((&next.name, &next.prepared), &self.book, &asked, next.from)
    }

    fn prices(&self, table: &DayTable, at: Instant) -> Option<(ChargingPrice, Option<IdlePrice>)> {
        let slice = table.slices.iter().find(|slice| slice.from <= at && at < slice.to);
        let kwh = slice.and_then(|Slice { total, .. }| number(*total));
        let mut charging = ChargingPrice { kwh, hour: None, flat: None };
        let mut idle: Option<IdlePrice> = None;
        for term in &table.terms {
            let slice = term.slices.iter().find(|slice| slice.from <= at && at < slice.to);
            let Some(slice) = slice else { continue };
            match term.kind {
                "connected time" => {
                    charging.hour = sum(charging.hour, hourly(slice));
                    let idle = idle.get_or_insert_default();
                    idle.hour = sum(idle.hour, hourly(slice));
                }
                "charging time" => charging.hour = sum(charging.hour, hourly(slice)),
                "idle fee" | "parking time" => {
                    let idle = idle.get_or_insert_default();
                    idle.hour = sum(idle.hour, hourly(slice));
                }
                "start fee" => charging.flat = sum(charging.flat, number(slice.price)),
                _ => {}
            }
        }
        if let Some(idle) = &mut idle {
            idle.grace_min = self.grace(at);
        }
        Some((charging, idle))
    }

    // The free minutes of the idle fee, where the list says a number.
    fn grace(&self, at: Instant) -> Option<i64> {
        let charges = self.course.at(at).prepared.tariff().charges.iter();
        let mut fees =
            charges.filter(|charge| matches!(charge.kind, ChargeKind::IdleFee | ChargeKind::ParkingTime));
        fees.find_map(|charge| match charge.after.as_ref().map(|after| (after.measure, &after.amount)) {
            Some((Measure::Time { .. }, AfterAmount::Fixed(ms))) => Some(ms / MINUTE_MS),
            _ => None,
        })
    }
}

fn number(known: Known) -> Option<Decimal> {
    match known {
        Known::Price(price) => price.to_plain().parse().ok(),
        Known::Pending | Known::ByPower => None,
    }
}

fn hourly(slice: &TermSlice) -> Option<Decimal> {
    let price = number(slice.price)?;
    match slice.per {
        "h" => Some(price),
        "min" => price.checked_mul(Decimal::from(60)),
        _ => None,
    }
}

fn sum(one: Option<Decimal>, other: Option<Decimal>) -> Option<Decimal> {
    match (one, other) {
        (Some(one), Some(other)) => one.checked_add(other),
        (one, other) => one.or(other),
    }
}
