//! When an element holds.

use super::{EVERY_DAY, Reserved, Restrictions};
use crate::exchange::ocpi::Problem;
use crate::exchange::ocpi::json::{At, Fields};
use chrono::NaiveDate;
use rust_decimal::Decimal;

/// Reads the restrictions of an element. None: they can never hold, which a note says.
pub(super) fn restrictions(
    at: &At<'_>,
    notes: &mut Vec<Problem>,
    wrong: &mut Vec<Problem>,
) -> Result<Option<Restrictions>, Problem> {
    let mut fields = at.object()?;
    let mut never = Vec::new();
    let mut read = Restrictions { days: EVERY_DAY, ..Restrictions::default() };
    read.hours = hours(&mut fields, notes)?;
    read.from = fields.take("start_date").map(|at| date(&at)).transpose()?;
    read.until = fields.take("end_date").map(|at| date(&at)).transpose()?;
    if let (Some(from), Some(until)) = (read.from, read.until)
        && until <= from
    {
        never.push("its dates end before they begin");
    }
    read.kwh = amounts(&mut fields, "min_kwh", "max_kwh")?;
    read.amperes = amounts(&mut fields, "min_current", "max_current")?;
    read.kw = amounts(&mut fields, "min_power", "max_power")?;
    let (least, most) = amounts(&mut fields, "min_duration", "max_duration")?;
    let whole = |seconds: Option<Decimal>| match seconds.map(|it| (it, i64::try_from(it))) {
        None => Ok(None),
        Some((it, Ok(whole))) if Decimal::from(whole) == it => Ok(Some(whole)),
        Some((it, _)) => Err(at.wrong(format!("a duration of {it} is no number of whole seconds"))),
    };
    read.seconds = (whole(least)?, whole(most)?);
    for (least, most) in [
        read.kwh,
        read.amperes,
        read.kw,
        (read.seconds.0.map(Decimal::from), read.seconds.1.map(Decimal::from)),
    ] {
        if most.is_some_and(|most| most <= least.unwrap_or_default().max(Decimal::ZERO)) {
            never.push("its least is not below its most");
        }
    }
    if let Some(list) = fields.take("day_of_week") {
        let list = list.list()?;
        // An empty list says nothing.
        let mut days = if list.is_empty() { EVERY_DAY } else { 0 };
        for day in list {
            days |= 1 << weekday(&day)?;
        }
        read.days = days;
    }
    if let Some(kind) = fields.take("reservation") {
        read.reserved =
            match kind.text()?.to_ascii_uppercase().as_str() {
                "RESERVATION" => Some(Reserved::Used),
                "RESERVATION_EXPIRES" => Some(Reserved::Expired),
                other => {
                    wrong.push(kind.wrong(format!(
                        "there is no `{other}`; known are RESERVATION and RESERVATION_EXPIRES"
                    )));
                    None
                }
            };
    }
    if let Some(kind) = fields.take("booking") {
        wrong.push(kind.wrong(
            "prices of bookings (the bookings module of OCPI 2.3.0) cannot be said in a tariff file; take this element out and charge for \
             bookings elsewhere",
        ));
    }
    // Elsewhere a field that is not known is told and left; here it says when a price holds.
    let mut unknown = Vec::new();
    fields.rest(&mut unknown);
    wrong.extend(unknown.into_iter().map(|Problem { place, .. }| {
        Problem::new(
            place,
            "this restriction is not known: without it the element would hold when it should not",
        )
    }));
    if let Some(why) = never.first() {
        notes.push(at.wrong(format!("{why}, so this element never applies; it is left out")));
        return Ok(None);
    }
    Ok(Some(read))
}

// The clock of an element; none: the whole day.
fn hours(fields: &mut Fields<'_>, notes: &mut Vec<Problem>) -> Result<Option<(u16, u16)>, Problem> {
    let (start, end) = (fields.take("start_time"), fields.take("end_time"));
    let from = start.as_ref().map(minute).transpose()?.unwrap_or(0);
    let until = end.as_ref().map(minute).transpose()?;
    if let Some(at) = start.as_ref().filter(|_| from == 1440) {
        return Err(at.wrong("a day has no 24:00 to begin at; write 00:00"));
    }
    let place = || end.as_ref().or(start.as_ref()).map_or_else(String::new, |at| at.place.clone());
    if until == Some(23 * 60 + 59) {
        let message =
            "23:59 leaves the last minute of the day out, and so it is taken; the end of the day is 00:00";
        notes.push(Problem::new(place(), message));
    }
    // `To stop at end of day use: 00:00.`
    let until = match until {
        None | Some(0) => 1440,
        Some(until) => until,
    };
    if from == until {
        let message = "it ends when it begins, which the standard leaves open; it is taken for the whole day";
        notes.push(Problem::new(place(), message));
        return Ok(None);
    }
    Ok(((from, until) != (0, 1440)).then_some((from, until)))
}

fn minute(at: &At<'_>) -> Result<u16, Problem> {
    let text = at.text()?;
    let wrong = || at.wrong(format!("`{text}` is no time of day such as 08:30"));
    let mut parts = text.split(':');
    let mut number = |most: u16| -> Option<u16> {
        let part = parts.next()?;
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit());
        part.parse().ok().filter(|number| digits && *number <= most)
    };
    let (hour, minute) = (number(24).ok_or_else(wrong)?, number(59).ok_or_else(wrong)?);
    let seconds = parts.next().unwrap_or("00");
    if parts.next().is_some() || (hour == 24 && minute > 0) {
        return Err(wrong());
    }
    match seconds {
        "00" => Ok(hour * 60 + minute),
        // The last second of a day is meant to be its end.
        "59" if (hour, minute) == (23, 59) => Ok(24 * 60),
        _ => Err(at.wrong(format!("`{text}` has seconds, and the times of a tariff are whole minutes"))),
    }
}

fn date(at: &At<'_>) -> Result<NaiveDate, Problem> {
    let text = at.text()?;
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    date.ok_or_else(|| at.wrong(format!("`{text}` is no date such as 2025-03-10")))
}

fn amounts(
    fields: &mut Fields<'_>,
    least: &str,
    most: &str,
) -> Result<(Option<Decimal>, Option<Decimal>), Problem> {
    let least = fields.take(least).map(|at| at.decimal()).transpose()?;
    let most = fields.take(most).map(|at| at.decimal()).transpose()?;
    // From nothing on is always.
    Ok((least.filter(|least| *least > Decimal::ZERO), most))
}

fn weekday(at: &At<'_>) -> Result<u8, Problem> {
    let days = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
    let text = at.text()?.to_ascii_uppercase();
    let found = (0..).zip(days).find(|(_, day)| *day == text);
    found.map(|(bit, _)| bit).ok_or_else(|| at.wrong(format!("`{text}` is no day such as MONDAY")))
}
