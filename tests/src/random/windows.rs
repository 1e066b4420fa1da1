//! Windows that have something to do with the session.

use super::{chance, one};
use crate::oracle::calendar::local;
use crate::oracle::model::{Part, Tariff, Window};
use crate::oracle::session::Session;
use chrono::{Datelike, Days, NaiveDate};
use fastrand::Rng;

/// A local date in or near the session.
pub fn date_near(rng: &mut Rng, tariff: &Tariff, session: &Session) -> NaiveDate {
    let at = rng.i64(session.plugged_in..=session.end());
    let date = local(tariff.zone, at).date;
    match rng.u32(0..10) {
        0 => date - Days::new(rng.u64(1..40)),
        1 => date + Days::new(rng.u64(1..40)),
        2 => date + Days::new(1),
        _ => date,
    }
}

fn minute_near(rng: &mut Rng, tariff: &Tariff, session: &Session) -> u32 {
    let at = rng.i64(session.plugged_in..=session.end());
    let step = one(rng, &[60, 30, 15, 15, 1]);
    let minute = if chance(rng, 60) { local(tariff.zone, at).minute } else { rng.u32(0..1440) };
    minute / step * step
}

fn hours(rng: &mut Rng, tariff: &Tariff, session: &Session) -> Part {
    let from = minute_near(rng, tariff, session);
    let to = if chance(rng, 10) { 1440 } else { minute_near(rng, tariff, session) };
    match (from, to) {
        (from, to) if from != to && to != 0 => Part::Hours(from, to),
        (0, _) => Part::Hours(0, 360),
        (from, _) => Part::Hours(from, 1440),
    }
}

fn weekdays(rng: &mut Rng, near: NaiveDate) -> Part {
    let today = near.weekday().num_days_from_monday();
    match rng.u32(0..5) {
        0 => Part::Weekdays(0, 4),
        1 => Part::Weekdays(5, 6),
        2 => Part::Weekdays(today, today),
        // May run over Sunday.
        _ => Part::Weekdays(rng.u32(0..7), today),
    }
}

fn days(rng: &mut Rng, tariff: &Tariff, session: &Session) -> Part {
    let near = date_near(rng, tariff, session);
    match rng.u32(0..20) {
        0..9 => weekdays(rng, near),
        9..12 => Part::Months(
            near.month(),
            one(rng, &[near.month(), near.month() % 12 + 1, (near.month() + 9) % 12 + 1]),
        ),
        12..15 => Part::Dates(near, near + Days::new(one(rng, &[0, 0, 1, 30]))),
        15..17 => {
            let end = near + Days::new(rng.u64(0..60));
            // 29 February is a day that most years do not have.
            let day = |d: NaiveDate| (d.month(), d.day().min(28));
            Part::Yearly(day(near), day(end))
        }
        17 => Part::PublicHolidays,
        18 => {
            let nth = if chance(rng, 30) { 5 } else { ((near.day() - 1) / 7 + 1).min(4) };
            Part::NthWeekday(nth, near.weekday().num_days_from_monday())
        }
        _ => Part::EveryDay,
    }
}

/// A window; the periods already in the tariff may be named in it.
pub fn window(rng: &mut Rng, tariff: &Tariff, session: &Session) -> Window {
    let mut parts = match rng.u32(0..10) {
        0..4 => vec![hours(rng, tariff, session)],
        4..7 => vec![days(rng, tariff, session), hours(rng, tariff, session)],
        7..9 => vec![days(rng, tariff, session)],
        _ => {
            let near = date_near(rng, tariff, session);
            vec![Part::Months(near.month(), near.month()), weekdays(rng, near)]
        }
    };
    if !tariff.periods.is_empty() && chance(rng, 30) {
        let (name, _) = one(rng, &tariff.periods);
        parts.retain(|part| !matches!(part, Part::Hours(..)));
        parts.truncate(usize::from(chance(rng, 40)));
        parts.push(Part::Named(name));
    }
    let except = chance(rng, 18).then(|| {
        let part = if chance(rng, 15) {
            vec![Part::PublicHolidays]
        } else if chance(rng, 40) {
            let day = rng.u32(0..7);
            vec![Part::Weekdays(day, day)]
        } else if chance(rng, 20) {
            vec![days(rng, tariff, session)]
        } else if chance(rng, 50) {
            vec![hours(rng, tariff, session)]
        } else {
            vec![days(rng, tariff, session), hours(rng, tariff, session)]
        };
        Box::new(Window { parts: part, except: None })
    });
    Window { parts, except }
}

/// One or two windows.
pub fn windows(rng: &mut Rng, tariff: &Tariff, session: &Session) -> Vec<Window> {
    let count = if chance(rng, 25) { 2 } else { 1 };
    (0..count).map(|_| window(rng, tariff, session)).collect()
}
