//! A tariff of ours in the words of OCPI.

use super::Version;
use crate::chargers::model::{DayOfWeek, PriceConditions};
use crate::exchange::tariff::{Dialect, Parts, Said, Spoken, Taxes, Unsayable, Wanted, Work, id};
use chrono::{DateTime, NaiveTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use takst_engine::Prepared;
use takst_engine::calendar_time::start_of_day;
use takst_engine::session::{Facts, Reservation};
use takst_engine::tariff::{ChargeKind, RuleId};
use takst_engine::units::Instant;

#[derive(Serialize)]
struct TariffDoc<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    country_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    party_id: Option<&'a str>,
    id: String,
    currency: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tariff_alt_text: Vec<TextDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tariff_alt_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_price: Option<BoundDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_price: Option<BoundDoc>,
    elements: Vec<ElementDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_included: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date_time: Option<String>,
    last_updated: String,
}

#[derive(Serialize)]
struct TextDoc {
    language: &'static str,
    text: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum BoundDoc {
    Vat {
        #[serde(serialize_with = "number")]
        excl_vat: Decimal,
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_number")]
        incl_vat: Option<Decimal>,
    },
    Taxes {
        #[serde(serialize_with = "number")]
        before_taxes: Decimal,
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_number")]
        after_taxes: Option<Decimal>,
    },
}

#[derive(Serialize)]
struct ElementDoc {
    price_components: Vec<ComponentDoc>,
    #[serde(skip_serializing_if = "RestrictionsDoc::is_empty")]
    restrictions: RestrictionsDoc,
}

#[derive(Serialize)]
struct ComponentDoc {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(serialize_with = "number")]
    price: Decimal,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_number")]
    vat: Option<Decimal>,
    step_size: i64,
}

#[derive(Clone, PartialEq, Serialize, Default)]
struct RestrictionsDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_number")]
    min_kwh: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_number")]
    max_kwh: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_number")]
    min_current: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_number")]
    max_current: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_number")]
    min_power: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_number")]
    max_power: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_duration: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    day_of_week: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<&'static str>,
}

impl RestrictionsDoc {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A JSON number with all its digits.
fn number<S: Serializer>(value: &Decimal, to: S) -> Result<S::Ok, S::Error> {
    let value = value.normalize();
    let mut value = if value.is_zero() { Decimal::ZERO } else { value };
    // Money and quantities are seldom whole; `2.0` is a number of this kind for every reader.
    if value.scale() == 0 {
        value.rescale(1);
    }
    RawValue::from_string(value.to_string()).map_err(serde::ser::Error::custom)?.serialize(to)
}

fn some_number<S: Serializer>(value: &Option<Decimal>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => number(value, to),
        None => to.serialize_none(),
    }
}

/// What OCPI wants to know beside the prices.
#[derive(Clone, Debug)]
pub struct Sent<'a> {
    /// 2.2.1 or 2.3.0.
    pub version: Version,
    /// Country code and party of the operator.
    pub party: Option<(&'a str, &'a str)>,
    /// When it was last changed.
    pub updated: Instant,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The tariff object, as JSON.
    pub json: String,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// The tariff for partners.
///
/// # Errors
/// Everything that cannot be said, each with its line.
pub fn export(prepared: &Prepared, wanted: &Wanted<'_>, sent: &Sent<'_>) -> Result<Exported, Vec<Unsayable>> {
    let with = |expired: bool| {
        let reservation = Reservation { from: Instant(0), until: Instant(0), expired };
        Facts { reservation: Some(reservation), ..wanted.facts.clone() }
    };
    let (used, expired) = (with(false), with(true));
    let work = Work::new(prepared, &Wanted { facts: &used, ..wanted.clone() }, Dialect::Ocpi);
    let parts = work.parts()?;
    let of_expired =
        Work::new(prepared, &Wanted { facts: &expired, ..wanted.clone() }, Dialect::Ocpi).parts()?;
    let mut writer = Writer {
        prepared,
        work: &work,
        sent,
        wrong: Vec::new(),
        elements: Vec::new(),
        long: false,
        finer: false,
    };
    writer.parts(&parts, &of_expired);
    writer.document(&parts, wanted)
}

struct Writer<'a> {
    prepared: &'a Prepared,
    work: &'a Work<'a>,
    sent: &'a Sent<'a>,
    wrong: Vec<Unsayable>,
    elements: Vec<ElementDoc>,
    // Some number has more decimals than the standard has as a rule.
    long: bool,
    // Energy is counted finer here than it can be there.
    finer: bool,
}

impl Writer<'_> {
    fn no(&mut self, rule: RuleId, why: &str) {
        let error = self.work.unsayable(rule, why);
        if !self.wrong.contains(&error) {
            self.wrong.push(error);
        }
    }

    fn rule_of(&self, kinds: &[ChargeKind]) -> RuleId {
        let charges = &self.prepared.tariff().charges;
        charges.iter().find(|charge| kinds.contains(&charge.kind)).map_or(0, |charge| charge.rule)
    }

    // Prices are with tax, and this version has them without.
    fn takes_tax_out(&self) -> bool {
        self.prepared.tariff().includes_vat && self.sent.version < Version::V230
    }

    fn parts(&mut self, parts: &Parts, expired: &Parts) {
        self.dimension("ENERGY", parts.energy.as_ref(), None, &[ChargeKind::Energy]);
        let timed = [ChargeKind::ChargingTime, ChargeKind::ConnectedTime];
        self.dimension("TIME", parts.charging_time.as_ref(), None, &timed);
        let parked = [ChargeKind::ParkingTime, ChargeKind::ConnectedTime];
        self.dimension("PARKING_TIME", parts.idle_time.as_ref(), None, &parked);
        let once = [ChargeKind::StartFee, ChargeKind::FlatFee, ChargeKind::PaymentFee];
        self.dimension("FLAT", parts.fixed.as_ref(), None, &once);
        for (kind, used, late) in [
            ("TIME", &parts.reservation_time, &expired.reservation_time),
            ("FLAT", &parts.reservation_fixed, &expired.reservation_fixed),
        ] {
            let kinds = [ChargeKind::ReservationFee];
            if late != used {
                // What is free for them must be said, for the price of other reservations would count.
                let free = Said { price: Decimal::ZERO, step: None, free: true };
                let nothing = Spoken { prices: vec![(free, None)], taxes: Taxes::default() };
                let late = late.as_ref().unwrap_or(&nothing);
                let mut late = late.clone();
                if used.is_some() && late.prices.last().is_some_and(|(_, when)| when.is_some()) {
                    late.prices.push((free, None));
                }
                self.dimension(kind, Some(&late), Some("RESERVATION_EXPIRES"), &kinds);
            }
            self.dimension(kind, used.as_ref(), Some("RESERVATION"), &kinds);
        }
        if self.elements.is_empty() {
            // How the standard says that nothing is charged.
            let nothing = ComponentDoc { kind: "FLAT", price: Decimal::ZERO, vat: None, step_size: 1 };
            let restrictions = RestrictionsDoc::default();
            self.elements.push(ElementDoc { price_components: vec![nothing], restrictions });
        }
    }

    fn dimension(
        &mut self,
        kind: &'static str,
        spoken: Option<&Spoken>,
        reservation: Option<&'static str>,
        kinds: &[ChargeKind],
    ) {
        let Some(Spoken { prices, taxes }) = spoken else { return };
        let rule = self.rule_of(kinds);
        let vat = match taxes.only_vat() {
            Ok(vat) => vat,
            Err(()) => {
                self.no(rule, "{there} has one VAT per price, and no other taxes");
                None
            }
        };
        for (said, when) in prices {
            let price = if self.takes_tax_out() && !said.price.is_zero() {
                let factor = Decimal::ONE + vat.unwrap_or_default() / Decimal::ONE_HUNDRED;
                match exact_quotient(said.price, factor) {
                    Some(price) => price,
                    None => {
                        self.no(
                            rule,
                            "{there} 2.2.1 has prices without VAT, and this one has no end of decimals without it: write the list with \
                             `prices: excluding VAT`, or export it with --version 2.3.0",
                        );
                        continue;
                    }
                }
            } else {
                said.price
            };
            self.long |= price.normalize().scale() > 4;
            let step_size = match said.step {
                None => 1,
                // Wh in millionths of a kWh, and seconds in milliseconds.
                Some(step) if step % 1000 == 0 => step / 1000,
                Some(_) => {
                    self.no(rule, "{there} has steps of whole Wh and whole seconds");
                    continue;
                }
            };
            self.finer |= kind == "ENERGY" && said.step.is_none() && !price.is_zero();
            let component = ComponentDoc { kind, price, vat, step_size };
            let restrictions = RestrictionsDoc {
                reservation,
                ..when.as_ref().map(|when| restricted(when)).unwrap_or_default()
            };
            // An element with these conditions may take it, but not above one that must answer first.
            let has = |element: &ElementDoc| element.price_components.iter().any(|other| other.kind == kind);
            let after = self.elements.iter().rposition(has).map_or(0, |last| last + 1);
            let shared =
                self.elements.iter_mut().skip(after).find(|element| element.restrictions == restrictions);
            match shared {
                Some(element) => element.price_components.push(component),
                None => self.elements.push(ElementDoc { price_components: vec![component], restrictions }),
            }
        }
    }

    fn document(mut self, parts: &Parts, wanted: &Wanted<'_>) -> Result<Exported, Vec<Unsayable>> {
        let tariff = self.prepared.tariff();
        let (least, most) = (self.bound(parts.minimum, true, parts), self.bound(parts.maximum, false, parts));
        if !self.wrong.is_empty() {
            return Err(self.wrong);
        }
        let said = serde_json::to_string(&self.elements).unwrap_or_default();
        let id = wanted.id.map_or_else(|| id(&tariff.file, &said, 19), str::to_owned);
        let text = |key: &str| tariff.notes.iter().find(|(known, _)| known == key).map(|(_, text)| text);
        let shown = text("description").unwrap_or(&tariff.name);
        let shown = Some(shown).filter(|shown| !shown.is_empty());
        let zone = &tariff.zone;
        let of_day = |day| Instant(start_of_day(zone, day));
        let from = match wanted.until {
            Some(_) => {
                let begins = of_day(wanted.from);
                Some(tariff.valid_from.map_or(begins, |valid| valid.max(begins)))
            }
            None => tariff.valid_from,
        };
        let until = wanted.until.map(of_day).into_iter().chain(tariff.valid_until).min();
        let taxed = !untaxed(parts);
        let tax_included = match (taxed, tariff.includes_vat) {
            (false, _) => "N/A",
            (true, true) => "YES",
            (true, false) => "NO",
        };
        let document = TariffDoc {
            country_code: self.sent.party.map(|(country, _)| country),
            party_id: self.sent.party.map(|(_, party)| party),
            id,
            currency: &tariff.currency.code,
            tariff_alt_text: shown
                .map(|shown| TextDoc { language: "en", text: cut(shown, 512) })
                .into_iter()
                .collect(),
            tariff_alt_url: text("website").map(|url| cut(url, 255)),
            min_price: least,
            max_price: most,
            elements: self.elements,
            tax_included: (self.sent.version >= Version::V230).then_some(tax_included),
            start_date_time: from.map(utc),
            end_date_time: until.map(utc),
            last_updated: utc(self.sent.updated),
        };
        let json = serde_json::to_string(&document).map_err(|_| self.wrong)?;
        let mut notes = Vec::new();
        if self.sent.party.is_none() {
            notes.push(
                "partners want to know whose tariff it is: say it with --party, as in --party NL-ABC"
                    .to_owned(),
            );
        }
        if self.long {
            notes.push("some prices have more than four decimals, which not every partner reads".to_owned());
        }
        if self.finer {
            notes.push(
                "energy has no steps here, and the finest of OCPI is 1 Wh: a session can come to that much more over there; say `in steps of 1 Wh` \
                 to charge the same"
                    .to_owned(),
            );
        }
        Ok(Exported { json, notes })
    }

    // A bound in the sense of the list's prices. Both amounts of OCPI hold, so the other one is such that it never binds.
    fn bound(&mut self, amount: Option<Decimal>, floor: bool, parts: &Parts) -> Option<BoundDoc> {
        let amount = amount?;
        self.long |= amount.normalize().scale() > 4;
        let with_tax = self.prepared.tariff().includes_vat && !untaxed(parts);
        let (without, with) = match (with_tax, floor) {
            (false, _) => (amount, None),
            (true, true) => (Decimal::ZERO, Some(amount)),
            (true, false) => (amount, Some(amount)),
        };
        Some(match self.sent.version {
            Version::V230 => BoundDoc::Taxes { before_taxes: without, after_taxes: with },
            _ => BoundDoc::Vat { excl_vat: without, incl_vat: with },
        })
    }
}

// Whether no price has VAT.
fn untaxed(parts: &Parts) -> bool {
    let Parts { energy, charging_time, idle_time, fixed, reservation_time, reservation_fixed, .. } = parts;
    let all = [energy, charging_time, idle_time, fixed, reservation_time, reservation_fixed];
    all.into_iter().flatten().all(|spoken| spoken.taxes.only_vat() == Ok(None))
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn utc(at: Instant) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(at.0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

// a / b where it ends within 12 decimals.
fn exact_quotient(a: Decimal, b: Decimal) -> Option<Decimal> {
    let quotient = a.checked_div(b)?.round_dp(12);
    (quotient.checked_mul(b)? == a).then(|| quotient.normalize())
}

fn restricted(when: &PriceConditions) -> RestrictionsDoc {
    let clock = |time: &NaiveTime| time.format("%H:%M").to_string();
    let thousandth = |value: Decimal| value / Decimal::ONE_THOUSAND;
    let day = |day: &DayOfWeek| day.as_str().to_uppercase();
    RestrictionsDoc {
        start_time: when.from_time.as_ref().map(clock),
        end_time: when.until_time.as_ref().map(clock),
        start_date: when.from_date.map(|date| date.to_string()),
        end_date: when.until_date.map(|date| date.to_string()),
        min_kwh: when.energy.min.map(thousandth),
        max_kwh: when.energy.max.map(thousandth),
        min_current: when.current.min,
        max_current: when.current.max,
        min_power: when.power.min.map(thousandth),
        max_power: when.power.max.map(thousandth),
        min_duration: when.time.min,
        max_duration: when.time.max,
        day_of_week: when.days.iter().map(day).collect(),
        reservation: None,
    }
}
