//! From when until when a tariff is valid, as settings of a list.

use super::Work;
use crate::exchange::ocpi::Problem;
use chrono::{DateTime, Datelike as _, NaiveTime, TimeDelta, Timelike as _, Utc};
use takst_dsl::resolve::zone;

impl Work<'_> {
    /// Reads `start_date_time` and `end_date_time`. A list goes by the minutes of the local clock.
    ///
    /// # Errors
    /// An end that is not after the start.
    pub(super) fn validity(&mut self) -> Result<(), Vec<Problem>> {
        let (from, until) = (self.tariff.from, self.tariff.until);
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            let message = "it is not after `start_date_time`, so the tariff is never valid: ask the partner for the right times";
            return Err(vec![Problem::new("end_date_time", message)]);
        }
        // What lies outside the calendar bounds nothing.
        let local = |at: &DateTime<Utc>| at.with_timezone(&self.zone).year();
        if let Some(from) = from.filter(|from| local(from) >= 2000) {
            let whole = from - TimeDelta::nanoseconds(since_minute(from));
            self.moment("start_date_time", from, whole);
            let text = self.date_text(whole);
            self.valid.push(format!("  valid from: {text}"));
        }
        let Some(until) = until else { return Ok(()) };
        let past = since_minute(until);
        let whole = if past == 0 { until } else { until + TimeDelta::nanoseconds(MINUTE - past) };
        if whole.with_timezone(&self.zone).year() >= 2100 {
            self.note(
                "end_date_time",
                "it lies beyond the year 2099, where calendars end here; the list has no end",
            );
            return Ok(());
        }
        if whole.with_timezone(&self.zone).year() < 2000 {
            return Err(vec![Problem::new("end_date_time", "the tariff is over since before the year 2000")]);
        }
        self.moment("end_date_time", until, whole);
        let local = whole.with_timezone(&self.zone);
        // A day that is said alone is in, so the end of a day is that day.
        let text = match local.date_naive().pred_opt() {
            Some(last) if local.time() == NaiveTime::MIN => last.to_string(),
            _ => self.date_text(whole),
        };
        self.valid.push(format!("  valid until: {text}"));
        Ok(())
    }

    // Notes what the local clock cannot say.
    fn moment(&mut self, field: &str, said: DateTime<Utc>, whole: DateTime<Utc>) {
        let local = whole.with_timezone(&self.zone);
        if said != whole {
            self.note(
                field,
                format!("times in a list are whole minutes; it is taken for {}", local.format("%H:%M")),
            );
        }
        if zone::instant(self.zone, local.date_naive(), local.time()).0 != whole.timestamp_millis() {
            self.note(field, "the clock shows this time twice that day; the first one is taken");
        }
    }

    fn date_text(&self, at: DateTime<Utc>) -> String {
        let local = at.with_timezone(&self.zone);
        let form = if local.time() == NaiveTime::MIN { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" };
        local.format(form).to_string()
    }
}

const MINUTE: i64 = 60_000_000_000;

// Nanoseconds.
fn since_minute(at: DateTime<Utc>) -> i64 {
    // A leap second counts as part of the second before it.
    i64::from(at.second()) * 1_000_000_000 + i64::from(at.nanosecond() % 1_000_000_000)
}
