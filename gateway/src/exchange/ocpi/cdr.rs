//! CDRs of OCPI, and plain runs, as sessions.

use super::Problem;
use super::json::{At, Fields, Node, read};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use takst_engine::session::{
    Connector, Facts, Plug, PowerFrom, Reading, Reservation, Session, State, StateFrom, Token,
};
use takst_engine::units::{Energy, HOUR_MS, Instant, micro};

/// A session and what a person should know of how it was read.
pub type Taken = (Session, Vec<Problem>);

/// Makes a session of a CDR (or session) of OCPI, or of a plain run with `start`, `end`, `kwh` and perhaps `power`. `currency`: that
/// of the list it is to be priced by. None when the text is neither.
///
/// # Errors
/// What is missing in it or cannot be; a currency that is another one.
pub fn session(text: &str, currency: &str) -> Option<Result<Taken, Problem>> {
    let root = read(text).ok()?;
    let at = match root.get("data") {
        Some(data) => At::new(data, "data"),
        None => At::new(&root, ""),
    };
    let at = match at.node {
        Node::List(list) => match list.as_slice() {
            [one] => At::new(one, format!("{}[0]", at.place)),
            [first, ..] if is_partners(first) => {
                let message = format!(
                    "there are {} sessions here, and one is priced; put the one that is meant into a file of its own, or all of them into a \
                     .jsonl file, one per line",
                    list.len()
                );
                return Some(Err(at.wrong(message)));
            }
            _ => return None,
        },
        _ => at,
    };
    let has = |names: &[&str]| names.iter().any(|name| at.node.has(name));
    if !is_partners(at.node) {
        return None;
    }
    Some(if has(&["charging_periods"]) {
        cdr(&at, currency)
    } else if has(ENERGIES) {
        run(&at, currency)
    } else {
        Err(at.wrong(WITHOUT_PERIODS))
    })
}

// Whether this is a CDR, or a plain run: not a session in our own words, and no other document either.
fn is_partners(node: &Node) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| node.has(name));
    let is_cdr = has(ENDS) && has(OF_A_CDR);
    !has(&["readings", "plugged_in"])
        && (has(&["charging_periods"]) || (has(STARTS) && (has(ENERGIES) || is_cdr)))
}

const WITHOUT_PERIODS: &str = "this is a CDR without `charging_periods`, and only they say when its energy and its time were taken: ask the partner \
                               for them, or give the session as a plain run, as in {\"start\": \"2025-03-10T12:00:00Z\", \"end\": \
                               \"2025-03-10T14:00:00Z\", \"kwh\": 10}";
// What no other document with a start and an end has.
const OF_A_CDR: &[&str] =
    &["total_energy", "total_cost", "total_time", "cdr_token", "cdr_location", "auth_method", "auth_id"];

const STARTS: &[&str] = &["start", "start_date_time"];
const ENDS: &[&str] = &["end", "end_date_time", "stop", "stop_date_time"];
const ENERGIES: &[&str] = &["kwh", "kWh", "energy_kwh", "energy"];
const POWERS: &[&str] = &["power", "power_kw", "kw", "kW"];

fn at_ms(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

// Hours in milliseconds. Some systems take meters that run ahead out of them, and come out below nothing.
fn hours(at: &At<'_>, notes: &mut Vec<Problem>) -> Result<i64, Problem> {
    let hours = at.decimal()?;
    let ms = hours.checked_mul(Decimal::from(HOUR_MS)).map(|ms| ms.round());
    let ms = ms.and_then(|ms| i64::try_from(ms).ok());
    let ms = ms.ok_or_else(|| at.wrong(format!("`{hours}` is no number of hours")))?;
    if ms < 0 {
        notes.push(at.wrong(format!("{hours} hours are less than none, and are taken for none")));
    }
    Ok(ms.max(0))
}

// kWh, kW or A in millionths.
fn millionths(at: &At<'_>) -> Result<i64, Problem> {
    let number = at.decimal()?;
    let most = Decimal::from(1_000_000_000);
    let fits = Some(number.round_dp(6)).filter(|number| number.abs() < most).and_then(micro);
    fits.ok_or_else(|| at.wrong(format!("`{number}` is out of range")))
}

#[derive(Clone, Debug, Default)]
struct Period {
    place: String,
    from: i64,
    until: i64,
    import: i64,
    export: i64,
    time: Option<i64>,
    parking: Option<i64>,
    reserved: Option<i64>,
    // Least, most, mean.
    power: [Option<i64>; 3],
    current: [Option<i64>; 3],
}

// Amounts are never converted: a session in another currency is priced by another list.
fn same_currency(fields: &mut Fields<'_>, ours: &str) -> Result<(), Problem> {
    let Some(at) = fields.take("currency") else { return Ok(()) };
    let theirs = at.text()?;
    if theirs.eq_ignore_ascii_case(ours) {
        return Ok(());
    }
    Err(at.wrong(format!(
        "this is in {theirs}, the price list is in {ours}, and amounts are not converted: price it by a list in {theirs}, such as the one that \
         `takst import ocpi` makes of the tariff in the CDR"
    )))
}

fn cdr(at: &At<'_>, currency: &str) -> Result<Taken, Problem> {
    let mut fields = at.object()?;
    let mut notes = Vec::new();
    same_currency(&mut fields, currency)?;
    let id = fields.take("id").map(|at| at.text().map(str::to_owned)).transpose()?;
    let id = id.unwrap_or_else(|| "cdr".to_owned());
    let start = at_ms(fields.need("start_date_time")?.time()?);
    let (end, stop) = (fields.take("end_date_time"), fields.take("stop_date_time"));
    let end = end.or(stop).map(|at| at.time()).transpose()?.map(at_ms);
    let mut periods = Vec::new();
    for period in fields.need("charging_periods")?.list()? {
        periods.push(self::period(&period, &mut notes)?);
    }
    // A period ends where the next one begins.
    periods.sort_by_key(|period| period.from);
    let last = end.or(periods.last().map(|period| period.from)).unwrap_or(start);
    let ends: Vec<i64> = periods.iter().skip(1).map(|period| period.from).chain([last]).collect();
    for (period, until) in periods.iter_mut().zip(ends) {
        if until < period.from {
            return Err(Problem::new(
                period.place.clone(),
                "this period begins after the end of the session",
            ));
        }
        period.until = until;
    }
    if let Some(total) = fields.take("total_energy").or_else(|| fields.take("kwh")) {
        let sum: i64 = periods.iter().map(|period| period.import - period.export).sum();
        if (millionths(&total)? - sum).abs() > 1000 {
            notes.push(total.wrong("the energy of the periods is another one; the periods count"));
        }
    }
    if let Some(At { node: Node::Bool(true), place }) = fields.take("credit") {
        notes.push(Problem::new(place, "this is a credit; it is priced as the session that it takes back"));
    }
    let facts = facts(&mut fields)?;
    let (reserved, periods): (Vec<Period>, Vec<Period>) = periods
        .into_iter()
        .partition(|period| period.reserved.is_some() && period.time.is_none() && period.parking.is_none());
    let reservation = match (reserved.first(), reserved.last()) {
        (Some(first), Some(last)) => Some(Reservation {
            from: Instant(first.from),
            until: Instant(last.until),
            expired: periods.is_empty(),
        }),
        _ => None,
    };
    let begin = match (periods.first(), reservation) {
        (Some(first), _) => {
            if reservation.is_none() && first.from != start {
                notes.push(Problem::new(
                    "start_date_time",
                    "the first charging period begins at another time; that is when the session begins here",
                ));
            }
            first.from
        }
        (None, Some(reservation)) => reservation.until.0,
        (None, None) => return Err(at.wrong(WITHOUT_PERIODS)),
    };
    let facts = Facts { reservation, ..facts };
    let mut session = Session {
        id,
        facts,
        plugged_in: Instant(begin),
        unplugged: end.map(|end| Instant(end.max(begin))),
        readings: vec![Reading { at: Instant(begin), import: Energy(0), export: Energy(0), segment: 0 }],
        states: Vec::new(),
        power: Vec::new(),
        occupancy: Vec::new(),
    };
    follow(&periods, &mut session, &mut notes);
    Ok((session, notes))
}

// Readings, states and power, period by period.
fn follow(periods: &[Period], session: &mut Session, notes: &mut Vec<Problem>) {
    let measured =
        periods.iter().any(|period| period.power.iter().chain(&period.current).any(Option::is_some));
    let (mut import, mut export) = (0_i64, 0_i64);
    for period in periods {
        let length = period.until - period.from;
        import = import.saturating_add(period.import);
        export = export.saturating_add(period.export);
        let (time, parking) = (period.time.unwrap_or(0), period.parking.unwrap_or(0));
        // Zeros of both are said where nobody knows.
        let told = time > 0 || parking > 0;
        // Hours with four decimals are rounded by up to a fifth of a second; meters and clocks differ by more.
        if told && (time + parking - length).abs() > 60_000.max(length / 100) {
            let message = format!(
                "its TIME and PARKING_TIME come to {} s, and it lasts {} s; the clock counts",
                (time + parking) / 1000,
                length / 1000
            );
            notes.push(Problem::new(period.place.clone(), message));
        }
        if length == 0 {
            // Its energy counts with what follows.
            continue;
        }
        let charges = time > 0 || (!told && (period.import > 0 || period.export > 0));
        let charging = match (charges, parking > 0) {
            (true, true) => time.clamp(1, (length - 1).max(1)),
            (true, false) => length,
            (false, _) => 0,
        };
        let state = if period.import < period.export { State::Feeding } else { State::Charging };
        let middle = period.from + charging;
        let reading =
            |at: i64| Reading { at: Instant(at), import: Energy(import), export: Energy(export), segment: 0 };
        if charging > 0 {
            session.states.push(StateFrom { from: Instant(period.from), state });
            session.readings.push(reading(middle));
        }
        if charging < length {
            session.states.push(StateFrom { from: Instant(middle), state: State::Idle });
            session.readings.push(reading(period.until));
        }
        if measured {
            let flows = if charging > 0 { charging } else { length };
            let mean = i128::from(period.import) * i128::from(HOUR_MS) / i128::from(flows);
            let mean = i64::try_from(mean).unwrap_or(i64::MAX);
            let power = within(period.power, mean);
            let current = match period.current {
                [None, None, None] => None,
                [Some(least), Some(most), None] => Some(within(period.current, least.midpoint(most))),
                [least, most, mean] => Some(mean.or(most).or(least).unwrap_or_default()),
            };
            session.power.push(PowerFrom { from: Instant(period.from), power, current });
            if charging > 0 && charging < length {
                let current = current.map(|_| 0);
                session.power.push(PowerFrom { from: Instant(middle), power: 0, current });
            }
        }
    }
    // Energy of a last period without length.
    if let Some(last) = session.readings.last_mut() {
        (last.import, last.export) = (Energy(import), Energy(export));
    }
}

// The mean that is told, or the one that was worked out, but not outside of least and most.
fn within([least, most, mean]: [Option<i64>; 3], worked_out: i64) -> i64 {
    let value = mean.unwrap_or(worked_out);
    let value = most.map_or(value, |most| value.min(most));
    least.map_or(value, |least| value.max(least)).max(0)
}

fn period(at: &At<'_>, notes: &mut Vec<Problem>) -> Result<Period, Problem> {
    let mut fields = at.object()?;
    let from = at_ms(fields.need("start_date_time")?.time()?);
    let mut period = Period { place: at.place.clone(), from, until: from, ..Period::default() };
    fields.ignore(&["tariff_id", "encoding_method"]);
    for dimension in fields.need("dimensions")?.list()? {
        let mut dimension = dimension.object()?;
        let (kind, volume) = (dimension.need("type")?, dimension.need("volume")?);
        let add =
            |sum: &mut Option<i64>, more: i64| *sum = Some(sum.unwrap_or_default().saturating_add(more));
        let [least_power, most_power, mean_power] = &mut period.power;
        let [least_current, most_current, mean_current] = &mut period.current;
        match kind.text()?.to_ascii_uppercase().as_str() {
            "ENERGY" | "ENERGY_IMPORT" => match millionths(&volume)? {
                energy if energy < 0 => period.export = period.export.saturating_sub(energy),
                energy => period.import = period.import.saturating_add(energy),
            },
            "ENERGY_EXPORT" => period.export = period.export.saturating_add(millionths(&volume)?.max(0)),
            "TIME" => add(&mut period.time, hours(&volume, notes)?),
            "PARKING_TIME" => add(&mut period.parking, hours(&volume, notes)?),
            "RESERVATION_TIME" => add(&mut period.reserved, hours(&volume, notes)?),
            "MIN_POWER" => *least_power = Some(millionths(&volume)?),
            "MAX_POWER" => *most_power = Some(millionths(&volume)?),
            "POWER" => *mean_power = Some(millionths(&volume)?),
            "MIN_CURRENT" => *least_current = Some(millionths(&volume)?),
            "MAX_CURRENT" => *most_current = Some(millionths(&volume)?),
            "CURRENT" => *mean_current = Some(millionths(&volume)?),
            // A fee is the tariff's business; the charge of a battery no price asks for.
            "FLAT" | "STATE_OF_CHARGE" => {}
            other => notes.push(kind.wrong(format!("`{other}` is not known, and was not looked at"))),
        }
    }
    Ok(period)
}

fn facts(fields: &mut Fields<'_>) -> Result<Facts, Problem> {
    let text = |node: Option<&Node>| {
        let text = node.and_then(|node| At::new(node, "").text().ok().map(str::to_owned));
        // What a CDR of a reservation without a session has in place of an id.
        text.filter(|text| text != "#NA" && !text.is_empty())
    };
    let location = fields.take("cdr_location").or_else(|| fields.take("location"));
    let location = location.as_ref().map(|at| at.node);
    let first = |node: Option<&Node>, list: &str| match node.and_then(|node| node.get(list)) {
        Some(Node::List(list)) => list.first().cloned(),
        _ => None,
    };
    let evse = first(location, "evses");
    let connector = first(evse.as_ref(), "connectors");
    let of_location = |name: &str| text(location.and_then(|location| location.get(name)));
    let inside = |node: &Option<Node>, name: &str| text(node.as_ref().and_then(|node| node.get(name)));
    let power = of_location("connector_power_type").or_else(|| inside(&connector, "power_type"));
    let plug = match power.as_deref() {
        Some("DC") => Some(Plug::Dc),
        Some(ac) if ac.starts_with("AC") => Some(Plug::Ac),
        _ => None,
    };
    let phases = match power.as_deref() {
        Some("AC_1_PHASE") => Some(1),
        Some("AC_2_PHASE" | "AC_2_PHASE_SPLIT") => Some(2),
        Some("AC_3_PHASE") => Some(3),
        _ => None,
    };
    let token = fields.take("cdr_token").map(|at| at.node.clone());
    let of_token = |name: &str| inside(&token, name);
    let auth = fields.take("auth_id").and_then(|at| at.text().ok().map(str::to_owned));
    Ok(Facts {
        site: of_location("id"),
        charger: of_location("evse_uid").or_else(|| inside(&evse, "uid")),
        evse: of_location("evse_id").or_else(|| inside(&evse, "evse_id")),
        driver: of_token("contract_id").or_else(|| auth.clone()),
        connector: Some(Connector {
            id: of_location("connector_id").or_else(|| inside(&connector, "id")),
            plug,
            kind: of_location("connector_standard").or_else(|| inside(&connector, "standard")),
            phases,
            ..Connector::default()
        }),
        token: Some(Token {
            uid: of_token("uid").or(auth),
            kind: of_token("type").map(|kind| kind.to_lowercase()),
            issuer: of_token("party_id"),
        }),
        ..Facts::default()
    })
}

fn run(at: &At<'_>, currency: &str) -> Result<Taken, Problem> {
    let mut fields = at.object()?;
    let mut notes = Vec::new();
    same_currency(&mut fields, currency)?;
    let mut any = |names: &[&str]| names.iter().find_map(|name| fields.take(name));
    let id = any(&["id"]).map(|at| at.text().map(str::to_owned)).transpose()?;
    let missing =
        |name: &str| Problem::new("", format!("a run has `start`, `end` and `kwh`; `{name}` is missing"));
    let start = any(STARTS).ok_or_else(|| missing("start"))?.time().map(at_ms)?;
    let end_at = any(ENDS).ok_or_else(|| missing("end"))?;
    let end = end_at.time().map(at_ms)?;
    let energy_at = any(ENERGIES).ok_or_else(|| missing("kwh"))?;
    let energy = millionths(&energy_at)?;
    let power = any(POWERS).map(|at| millionths(&at).map(|power| (at, power))).transpose()?;
    fields.rest(&mut notes);
    if end < start {
        return Err(end_at.wrong("the run ends before it starts"));
    }
    if energy < 0 {
        return Err(energy_at.wrong("a run takes energy; it is below zero"));
    }
    // At that power the energy is there after this long; what is left of the time the car stands idle.
    let full = match &power {
        Some((at, power)) if *power <= 0 && energy > 0 => {
            return Err(at.wrong("without power there is no energy"));
        }
        Some((at, power)) if energy > 0 => {
            let needs = (i128::from(energy) * i128::from(HOUR_MS) + i128::from(*power) - 1)
                / i128::from((*power).max(1));
            let needs = i64::try_from(needs).unwrap_or(i64::MAX);
            // A power that was rounded may need a little longer.
            let slack = (end - start) / 50;
            if needs > (end - start).saturating_add(slack) {
                return Err(at.wrong("at this power the run is too short for its energy"));
            }
            start.saturating_add(needs).min(end)
        }
        _ if energy == 0 => start,
        _ => end,
    };
    let reading = |at: i64, import: i64| Reading {
        at: Instant(at),
        import: Energy(import),
        export: Energy(0),
        segment: 0,
    };
    let mut session = Session {
        id: id.unwrap_or_else(|| "run".to_owned()),
        facts: Facts::default(),
        plugged_in: Instant(start),
        unplugged: Some(Instant(end)),
        readings: vec![reading(start, 0)],
        states: Vec::new(),
        power: Vec::new(),
        occupancy: Vec::new(),
    };
    if full > start {
        session.readings.push(reading(full, energy));
    }
    if end > full {
        session.readings.push(reading(end, energy));
    }
    if let Some((_, power)) = power {
        session.power.push(PowerFrom {
            from: Instant(start),
            power: if full > start { power } else { 0 },
            current: None,
        });
        if end > full && full > start {
            session.power.push(PowerFrom { from: Instant(full), power: 0, current: None });
        }
    }
    Ok((session, notes))
}
