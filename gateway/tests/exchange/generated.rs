//! Tariffs as partners really send them, in all their spellings, and sessions of every kind: the imported file, priced, against an
//! evaluator that goes second by second over the partner's own document.

use crate::slow::{Case, Component, DIMENSIONS, Dimension, Element, Period, Restrictions, Tax, cost};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Value, json};
use takst_gateway::exchange::ocpi::{Wanted, import, session};

fn one<T: Clone>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.usize(0..all.len())].clone()
}

fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(0..100) < percent
}

const RATES: [Option<i128>; 4] = [None, Some(0), Some(100), Some(210)];

fn case(seed: u64) -> Case {
    let rng = &mut Rng::with_seed(seed);
    // Nights of all sorts: plain ones, a month's and a year's end, and those in which clocks change.
    let day = one(
        rng,
        &["2025-01-15", "2025-03-29", "2025-06-13", "2025-06-30", "2025-10-25", "2025-12-31", "2024-02-28"],
    );
    let day: NaiveDate = day.parse().unwrap();
    let start = day.and_hms_opt(0, 0, 0).unwrap().and_utc()
        + TimeDelta::minutes(one(rng, &[0, 1, 5 * 60, 21 * 60 + 30, 22 * 60, 22 * 60 + 30, 23 * 60 + 17]));
    // One rate; one for each dimension; any.
    let vat = rng.u32(0..10);
    let common = one(rng, &RATES);
    let by_dimension = [one(rng, &RATES), one(rng, &RATES), one(rng, &RATES), one(rng, &RATES)];
    let tax = one(rng, &[Tax::Excluded, Tax::Excluded, Tax::Excluded, Tax::Included, Tax::None]);
    let plain_steps = vat >= 9;
    let step_of =
        [one(rng, &[1, 1, 0, 250, 1000]), one(rng, &[1, 60, 300, 3600]), one(rng, &[1, 60, 900]), 1];
    let stepped = step_of[1] > 1;
    let mut elements: Vec<Element> = (0..rng.usize(1..6))
        .map(|_| {
            let mut dimensions = DIMENSIONS.to_vec();
            rng.shuffle(&mut dimensions);
            dimensions.truncate(rng.usize(1..4));
            let component = |dimension: Dimension| {
                let least = i128::from(dimension == Dimension::Parking && stepped);
                let price = match dimension {
                    Dimension::Flat => one(rng, &[0, 5_000, 10_000, 12_345]),
                    Dimension::Energy => one(rng, &[0, 2_500, 3_000, 3_999, 4_567, 7_900]),
                    // What is parked for nothing is not paid for, and with steps of TIME it matters whether it is.
                    _ => one(rng, &[0, 600, 12_000, 30_000, 33_333]).max(least * 600),
                };
                let vat = match vat {
                    0..5 => common,
                    5..9 => by_dimension[dimension as usize],
                    _ => one(rng, &RATES),
                };
                let step = step_of[dimension as usize];
                let step = if plain_steps { step.min(1) } else { step };
                Component { dimension, price, vat, step }
            };
            let components = dimensions.into_iter().map(component).collect();
            Element { components, restrictions: restrictions(rng, day) }
        })
        .collect();
    if chance(rng, 60) {
        let last = elements.len() - 1;
        elements[last].restrictions = Restrictions::default();
    }
    if chance(rng, 10) {
        let fee = Component { dimension: Dimension::Flat, price: 90_000, vat: common, step: 1 };
        let restrictions = Restrictions {
            reservation: Some(one(rng, &["RESERVATION", "RESERVATION_EXPIRES"])),
            ..Default::default()
        };
        elements.insert(0, Element { components: vec![fee], restrictions });
    }
    let bounded = vat < 5 && elements.iter().all(|element| element.restrictions.reservation.is_none());
    let mut bound = |percent: u32, cents: &[i128]| (bounded && chance(rng, percent)).then(|| one(rng, cents));
    let bounds = (bound(15, &[50, 100, 350]), bound(15, &[400, 1_000, 2_000]));
    let periods = (0..rng.usize(1..5))
        .map(|_| {
            let seconds = i128::from(rng.u32(1..40)) * 60;
            // 3.6, 7.2, 18 and 36 kW: a kWh takes whole seconds.
            match one(rng, &[None, Some(1_000), Some(2_000), Some(5_000), Some(10_000)]) {
                None => Period { seconds, flow: None, amperes: 0 },
                Some(flow) => Period { seconds, flow: Some(flow), amperes: one(rng, &[6, 16, 32, 63]) },
            }
        })
        .collect();
    Case { zone: chrono_tz::Europe::Amsterdam, tax, elements, bounds, start, periods }
}

fn restrictions(rng: &mut Rng, day: NaiveDate) -> Restrictions {
    let mut out = Restrictions::default();
    for _ in 0..one(rng, &[0, 1, 1, 1, 2, 3]) {
        let range = |rng: &mut Rng, all: &[i128]| {
            let (a, b) = (one(rng, all), one(rng, all));
            match rng.u32(0..3) {
                0 => (Some(a), None),
                1 => (None, Some(b)),
                _ => (Some(a.min(b)), Some(a.max(b))),
            }
        };
        match rng.u32(0..7) {
            0 | 1 => {
                let minute =
                    |rng: &mut Rng| one(rng, &[0, 60, 6 * 60, 7 * 60 + 30, 22 * 60, 23 * 60, 23 * 60 + 15]);
                let (from, until) = (minute(rng), minute(rng));
                out.hours = match rng.u32(0..4) {
                    0 => (Some(from), None),
                    1 => (None, Some(until)),
                    _ => (Some(from), Some(until)),
                };
            }
            2 => out.days = (0..7).filter(|_| rng.bool()).collect(),
            3 => {
                let near = |rng: &mut Rng| day + TimeDelta::days(rng.i64(-1..3));
                let (a, b) = (near(rng), near(rng));
                out.dates = one(rng, &[(Some(a), None), (None, Some(b)), (Some(a.min(b)), Some(a.max(b)))]);
            }
            4 => out.kwh = range(rng, &[0, 1, 2, 5, 10]),
            5 => out.seconds = range(rng, &[0, 100, 600, 1_800, 3_600, 5_400]),
            _ if rng.bool() => out.power = range(rng, &[0, 36, 110, 180, 250]),
            _ => out.amperes = range(rng, &[0, 16, 20, 32]),
        }
    }
    out
}

// As systems write numbers, enums, and nothing.
struct Spelling<'r>(&'r mut Rng);

impl Spelling<'_> {
    fn number(&mut self, value: i128, digits: usize) -> Value {
        let ten = 10_i128.pow(u32::try_from(digits).unwrap());
        let text = format!("{}.{:0digits$}", value / ten, value % ten);
        let short = text.trim_end_matches('0').trim_end_matches('.');
        match self.0.u32(0..6) {
            0 => json!(text),
            1 => json!(short),
            2 => serde_json::from_str(&text).unwrap(),
            _ => serde_json::from_str(short).unwrap(),
        }
    }

    fn word(&mut self, word: &str) -> Value {
        if chance(self.0, 15) { json!(word.to_lowercase()) } else { json!(word) }
    }

    // A field that says nothing: left out, null or empty.
    fn nothing(&mut self, fields: &mut Value, name: &str, empty: &Value) {
        match self.0.u32(0..6) {
            0 => fields[name] = Value::Null,
            1 => fields[name] = empty.clone(),
            _ => {}
        }
    }

    fn minute(&mut self, minute: u32) -> String {
        let (hour, minute) = (minute / 60, minute % 60);
        match self.0.u32(0..6) {
            0 => format!("{hour:02}:{minute:02}:00"),
            1 => format!("{hour}:{minute:02}"),
            _ => format!("{hour:02}:{minute:02}"),
        }
    }

    fn restrictions(&mut self, of: &Restrictions) -> Value {
        const DAYS: [&str; 7] =
            ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
        let mut out = json!({});
        for (name, minute) in [("start_time", of.hours.0), ("end_time", of.hours.1)] {
            match minute {
                Some(minute) => out[name] = json!(self.minute(minute)),
                None => self.nothing(&mut out, name, &json!("")),
            }
        }
        for (name, date) in [("start_date", of.dates.0), ("end_date", of.dates.1)] {
            match date {
                Some(date) => out[name] = json!(date.to_string()),
                None => self.nothing(&mut out, name, &json!("")),
            }
        }
        let ranges = [
            ("kwh", of.kwh, 0),
            ("duration", of.seconds, 0),
            ("power", of.power, 1),
            ("current", of.amperes, 0),
        ];
        for (name, (least, most), digits) in ranges {
            for (name, value) in [(format!("min_{name}"), least), (format!("max_{name}"), most)] {
                match value {
                    Some(value) => out[name.as_str()] = self.number(value * 10, digits + 1),
                    None => self.nothing(&mut out, &name, &Value::Null),
                }
            }
        }
        if of.days.is_empty() {
            self.nothing(&mut out, "day_of_week", &json!([]));
        } else {
            out["day_of_week"] = of.days.iter().map(|day| self.word(DAYS[*day as usize])).collect();
        }
        if let Some(reservation) = of.reservation {
            out["reservation"] = self.word(reservation);
        }
        out
    }

    fn element(&mut self, of: &Element) -> Value {
        let component = |component: &Component| {
            let kind = match component.dimension {
                Dimension::Energy => "ENERGY",
                Dimension::Time => "TIME",
                Dimension::Parking => "PARKING_TIME",
                Dimension::Flat => "FLAT",
            };
            let step = self.number(component.step * 10, 1);
            let mut out =
                json!({"type": self.word(kind), "price": self.number(component.price, 4), "step_size": step});
            match component.vat {
                Some(vat) => out["vat"] = self.number(vat, 1),
                None => self.nothing(&mut out, "vat", &Value::Null),
            }
            out
        };
        let components: Vec<Value> = of.components.iter().map(component).collect();
        let mut out = json!({ "price_components": components });
        let said = self.restrictions(&of.restrictions);
        if said.as_object().unwrap().is_empty() {
            self.nothing(&mut out, "restrictions", &json!([]));
        } else {
            out["restrictions"] = said;
        }
        out
    }

    fn tariff(&mut self, case: &Case) -> String {
        let elements: Vec<Value> = case.elements.iter().map(|element| self.element(element)).collect();
        let mut out = json!({
            "country_code": self.word("NL"), "party_id": "TST", "id": "t1", "currency": self.word("EUR"), "elements": elements,
            "type": "REGULAR", "last_updated": "2023-01-01T00:00:00Z", "start_date_time": "2023-01-01T00:00:00Z",
        });
        match case.tax {
            Tax::Included => out["tax_included"] = self.word("YES"),
            Tax::None => out["tax_included"] = self.word("N/A"),
            // 2.2.1 has no such field, and means that.
            Tax::Excluded if self.0.bool() => out["tax_included"] = self.word("NO"),
            Tax::Excluded => {}
        }
        let newer = out.get("tax_included").is_some();
        for (name, cents) in [("min_price", case.bounds.0), ("max_price", case.bounds.1)] {
            let amount = |of: &mut Self| cents.map(|cents| of.number(cents, 2));
            match (amount(self), case.tax) {
                (None, _) => self.nothing(&mut out, name, &Value::Null),
                (Some(amount), Tax::Included) => out[name] = json!({ "after_taxes": amount }),
                (Some(amount), _) if newer => out[name] = json!({ "before_taxes": amount }),
                (Some(amount), _) => out[name] = json!({ "excl_vat": amount }),
            }
        }
        out["tariff_alt_text"] = match self.0.u32(0..4) {
            0 => json!([]),
            1 => Value::Null,
            2 => {
                json!([{"language": "nl", "text": "Nacht \"goedkoop\"\n# en meer"}, {"language": "EN", "text": ""}])
            }
            _ => {
                json!([{"language": "en", "text": "Night"}, {"language": "de", "text": "Nacht"}, {"language": "fr", "text": "Nuit"}])
            }
        };
        let text = serde_json::to_string_pretty(&out).unwrap();
        match self.0.u32(0..5) {
            0 => format!("[{text}]"),
            1 => format!(r#"{{"data":[{text}],"status_code":1000,"timestamp":"2025-01-01T00:00:00Z"}}"#),
            2 => format!(r#"{{"data":{text},"status_code":1000}}"#),
            3 => format!("// Of a partner.\n{text}\n  // The end."),
            _ => text,
        }
    }
}

fn cdr(case: &Case) -> String {
    let mut at: DateTime<Utc> = case.start;
    let mut periods = Vec::new();
    let mut total = 0;
    let kwh = |millionths: i128| -> Value {
        serde_json::from_str(&format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)).unwrap()
    };
    for period in &case.periods {
        // Hours have four decimals in most CDRs: the clock counts.
        let hours = (period.seconds * 10_000 + 1_800) / 3_600;
        let hours: Value =
            serde_json::from_str(&format!("{}.{:04}", hours / 10_000, hours % 10_000)).unwrap();
        let energy = period.flow.unwrap_or(0) * period.seconds;
        total += energy;
        let time = if period.flow.is_some() { "TIME" } else { "PARKING_TIME" };
        let mut dimensions = vec![
            json!({"type": time, "volume": hours}),
            json!({"type": "CURRENT", "volume": period.amperes}),
        ];
        if energy > 0 {
            dimensions.push(json!({"type": "ENERGY", "volume": kwh(energy)}));
        }
        periods.push(json!({"start_date_time": at.to_rfc3339(), "dimensions": dimensions}));
        at += TimeDelta::seconds(i64::try_from(period.seconds).unwrap());
    }
    json!({
        "id": "c", "currency": "EUR", "start_date_time": case.start.to_rfc3339(), "end_date_time": at.to_rfc3339(), "total_energy": kwh(total),
        "charging_periods": periods,
    })
    .to_string()
}

#[test]
fn imported_tariffs_cost_what_they_cost_second_by_second() {
    let cases: u64 = std::env::var("TAKST_OCPI_CASES").ok().and_then(|said| said.parse().ok()).unwrap_or(300);
    let (mut priced, mut refused) = (0, 0);
    for seed in 0..cases {
        let case = case(seed);
        let text = Spelling(&mut Rng::with_seed(seed ^ 0x5eed)).tariff(&case);
        let wanted = Wanted { zone: Some("Europe/Amsterdam"), ..Wanted::default() };
        let imported = match import(&text, &wanted) {
            Ok(imported) => imported,
            Err(wrong) => {
                // Nothing else is refused here: bounds with reservations at other rates, none of which is made.
                let why = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
                assert!(why.contains("when the car is plugged in"), "seed {seed}: {why}\n{text}");
                refused += 1;
                continue;
            }
        };
        let list = crate::prepared(&imported.text);
        let (taken, notes) = session(&cdr(&case), "EUR").unwrap().unwrap();
        assert!(notes.is_empty(), "seed {seed}: {notes:?}");
        let (net, total) = crate::cost(&list, &taken);
        assert_eq!(
            (i128::from(net), i128::from(total)),
            cost(&case),
            "seed {seed}\n{text}\n{}\n{:#?}\n{}",
            imported.text,
            case.periods,
            case.start
        );
        priced += 1;
    }
    assert!(priced > refused * 20, "{priced} priced, {refused} refused");
}
