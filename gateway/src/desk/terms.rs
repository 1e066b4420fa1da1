//! What is fixed when a session begins: who charges, by which tariff, what he was shown, what it may cost.

use super::rules::{Asker, ChargerRules, EvseRules, House, TariffChoice};
use super::tokens::{Spot, Who};
use super::told_price::ToldPrice;
use super::{Clerk, Order};
use crate::chargers::model::{Token, TokenStatus};
use crate::sessions::{Begin, Flag};
use crate::store::Error;
use serde_json::{Value, json};
use takst_engine::calendar_time::{LocalTime, local_text, utc_text};
use takst_engine::session::{self as engine, Facts, Plug};
use takst_engine::table::{Asked, Known, Slice, TermSlice, day_table};
use takst_engine::tariff::{ChargeKind, Contract, Measure, Tariff};
use takst_engine::units::{Energy, Instant};
use takst_engine::{Prepared, PriceBook, Pricing};

/// What is fixed when a session begins.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub who: Who,
    pub site: Option<String>,
    pub tariff: Option<TariffChoice>,
    pub shown: Option<String>,
    pub ceiling: Option<i64>,
    /// Member `facts` of the session's document.
    pub facts: Value,
    pub begin: Begin,
}

impl Terms {
    /// What is told of the price at a time. None where no tariff tells one, or not all of it is known.
    pub fn price_at(&self, at: Instant) -> Option<ToldPrice> {
        let digits = self.tariff.as_ref()?.prepared.tariff().currency.digits;
        ToldPrice::of(self.shown.as_deref()?, digits, at)
    }

    /// The same with the reservation that the session uses.
    pub fn reserved(mut self, reservation: Option<Value>) -> Self {
        if let (Some(reservation), Some(facts)) = (reservation, self.facts.as_object_mut()) {
            facts.insert("reservation".to_owned(), reservation);
        }
        self
    }
}

impl Clerk {
    // The reservation of that number, as tariffs ask for it: from the order to the start of the session. None when nobody has
    // ordered it lately.
    pub(super) async fn reserved(&self, spot: Spot<'_>, number: Option<i64>) -> Result<Option<Value>, Error> {
        const LATELY: i64 = 200;
        // A charger's clock may be late.
        const SLOW_MS: i64 = 5 * 60_000;
        let Some(number) = number else { return Ok(None) };
        let given = self.store.read().await?.commands(spot.org, spot.charger, None, LATELY).await?;
        let is_it = |command: &crate::store::Command| {
            let order = serde_json::from_str::<Order>(&command.document);
            matches!(order, Ok(Order::Reserve { id, .. }) if id == number)
                && command.created_at.0 <= spot.at.0.saturating_add(SLOW_MS)
        };
        Ok(given.iter().find(|command| is_it(command)).map(|command| {
            let (from, until) = (utc_text(command.created_at.min(spot.at)), utc_text(spot.at));
            serde_json::json!({ "from": from, "until": until, "expired": false })
        }))
    }

    pub(super) async fn terms(
        &self,
        spot: Spot<'_>,
        token: Option<&Token>,
        rules: &ChargerRules,
        house: &House,
    ) -> Result<Terms, Error> {
        let who = self.who(spot, token, rules, house).await?;
        let evse = spot.evse.unwrap_or_default();
        let place = rules.evse(evse);
        let asker = Asker {
            site: rules.site.as_deref(),
            charger: spot.charger,
            evse,
            groups: &who.groups,
            contract: who.contract,
        };
        let since = spot.plugged.map_or(spot.at, |plugged| plugged.min(spot.at));
        let tariff = self.people.rules.tariff_at(spot.org, &asker, since);
        let book = self.people.prices.book(spot.org);
        let shown = tariff.as_ref().map(|tariff| {
            let asked = asked(&asker, &who, place);
            shown((&tariff.name, &tariff.prepared), &book, &asked, since).to_string()
        });
        let ceiling = tariff.as_ref().filter(|_| who.contract == Contract::AdHoc).and_then(|tariff| {
            let currency = &tariff.prepared.tariff().currency.code;
            house.ad_hoc_ceiling.iter().find(|(code, _)| code == currency).map(|(_, most)| *most)
        });
        let mut flags = Vec::new();
        match who.info.status {
            TokenStatus::Accepted if who.master => {
                flags.push((Flag::TokenRefused, "it began with a token that only stops sessions".to_owned()));
            }
            TokenStatus::Accepted => {}
            _ if who.uid.is_none() => {
                flags.push((Flag::NoToken, "nobody is known to have charged: no token was shown".to_owned()));
            }
            ref status => {
                flags.push((
                    Flag::TokenRefused,
                    format!("it began with a token that may not charge: {}", status.as_str()),
                ));
            }
        }
        if tariff.is_none() {
            flags.push((Flag::NoTariff, "no tariff is in force for this place, driver and time".to_owned()));
        }
        let begin = Begin {
            max_power: place.and_then(|place| place.max_power).unwrap_or(house.assumed_power),
            after_stop: tariff.as_ref().is_some_and(|tariff| charges_after_stop(tariff.prepared.tariff())),
            current: (tariff.as_ref())
                .is_some_and(|tariff| tariff.prepared.tariff().measures.contains(&Measure::Current)),
            waits: house.waits,
            flags,
            ..Begin::default()
        };
        let facts = facts(place, &who);
        Ok(Terms { who, site: rules.site.clone(), tariff, shown, ceiling, facts, begin })
    }
}

/// Whether anything can be charged once the transaction has stopped and the car is still there.
pub(crate) fn charges_after_stop(tariff: &Tariff) -> bool {
    let after = [ChargeKind::IdleFee, ChargeKind::ParkingTime, ChargeKind::ConnectedTime];
    tariff.charges.iter().any(|charge| after.contains(&charge.kind))
}

fn facts(place: Option<&EvseRules>, who: &Who) -> Value {
    let mut connector = serde_json::Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            connector.insert(name.to_owned(), value);
        }
    };
    if let Some(place) = place {
        put("id", place.connector.clone().map(Value::from));
        put("plug", place.plug.map(|plug| Value::from(if plug == Plug::Ac { "AC" } else { "DC" })));
        put("type", place.kind.clone().map(Value::from));
        put("max_power_kw", place.max_power.map(|power| Value::from(Energy(power).kwh().to_string())));
        put("phases", place.phases.map(Value::from));
    }
    let mut facts = serde_json::Map::new();
    if !connector.is_empty() {
        facts.insert("connector".to_owned(), Value::Object(connector));
    }
    let mut token = serde_json::Map::new();
    token.extend(who.kind.clone().map(|kind| ("type".to_owned(), kind.into())));
    token.extend(who.issuer.clone().map(|issuer| ("issuer".to_owned(), issuer.into())));
    if !token.is_empty() {
        facts.insert("token".to_owned(), Value::Object(token));
    }
    Value::Object(facts)
}

fn asked(asker: &Asker<'_>, who: &Who, place: Option<&EvseRules>) -> Asked {
    let connector = place.map(|place| engine::Connector {
        id: place.connector.clone(),
        plug: place.plug,
        kind: place.kind.clone(),
        max_power: place.max_power,
        phases: place.phases,
    });
    let token = engine::Token { uid: who.uid.clone(), kind: who.kind.clone(), issuer: who.issuer.clone() };
    let facts = Facts {
        site: asker.site.map(str::to_owned),
        charger: Some(asker.charger.to_owned()),
        evse: Some(asker.evse.to_string()),
        driver: who.driver.clone(),
        groups: who.groups.clone(),
        connector,
        token: Some(token),
        contract: Some(who.contract),
        ..Facts::default()
    };
    Asked { facts, power: place.and_then(|place| place.max_power) }
}

/// The price table of the day as JSON, or why there was none: what the driver could know before he began, or when another list took
/// over. `name`: that of the list in the set-up.
pub(crate) fn shown(
    (name, prepared): (&str, &Prepared),
    book: &PriceBook,
    asked: &Asked,
    at: Instant,
) -> Value {
    let compiled = prepared.tariff();
    let zone = &compiled.zone;
    let mut shown = json!({
        "at": local_text(zone, at),
        "tariff": name,
        "version": prepared.version(),
        "currency": compiled.currency.code,
    });
    let day = LocalTime::at(zone, at.0).day;
    let table = Pricing::new(prepared, book).and_then(|pricing| day_table(&pricing, asked, day));
    let slices = |slices: &[Slice]| -> Vec<Value> {
        slices
            .iter()
            .map(|slice| {
                let parts: Vec<Value> =
                    slice.parts.iter().map(|(label, part)| known(json!({ "label": label }), *part)).collect();
                let times = json!({ "from": local_text(zone, slice.from), "to": local_text(zone, slice.to), "parts": parts });
                known(times, slice.total)
            })
            .collect()
    };
    let term_slices = |slices: &[TermSlice]| -> Vec<Value> {
        slices
            .iter()
            .map(|slice| {
                let times = json!({ "from": local_text(zone, slice.from), "to": local_text(zone, slice.to), "per": slice.per });
                known(times, slice.price)
            })
            .collect()
    };
    match table {
        Ok(table) => {
            let tiers: Vec<Value> = (table.tiers.iter())
                .map(|tier| json!({ "when": tier.when, "slices": slices(&tier.slices) }))
                .collect();
            let terms: Vec<Value> = (table.terms.iter())
                .map(|term| {
                    let tiers: Vec<Value> = (term.tiers.iter())
                        .map(|tier| json!({ "when": tier.when, "slices": term_slices(&tier.slices) }))
                        .collect();
                    json!({
                        "charge": term.kind, "label": term.label, "after": term.after,
                        "slices": term_slices(&term.slices), "tiers": tiers,
                    })
                })
                .collect();
            merge(
                &mut shown,
                json!({ "unit": "kWh", "slices": slices(&table.slices), "tiers": tiers, "terms": terms }),
            );
        }
        Err(error) => merge(&mut shown, json!({ "unknown": error.to_string() })),
    }
    shown
}

fn known(mut object: Value, price: Known) -> Value {
    merge(
        &mut object,
        match price {
            Known::Price(price) => json!({ "price": price.to_plain() }),
            Known::Pending => json!({ "pending": true }),
            Known::ByPower => json!({ "depends_on": "power" }),
        },
    );
    object
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
