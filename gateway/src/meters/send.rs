//! Sends what cars took, by metering point and hour, to the other system: each day or month that is over is written down in the outbox, once for
//! what it came to. When a charger that was away tells later, what it came to then is sent too.

use super::when::{next_due, periods};
use super::{Charging, MeterError, Meters};
use crate::house::ScheduledPoint;
use crate::outbox::provider::{SentValue, ValuesRequest};
use crate::outbox::{Outbox, Request, Wanted, new};
use crate::store::{self, Intent, IntentKind, Lane, Tx};
use takst_engine::calendar_time::utc_text;
use takst_engine::units::{HOUR_MS, Instant, MINUTE_MS};

/// After trouble it is looked again so soon.
const PAUSE: i64 = 5 * MINUTE_MS;

/// Writes down what is to be sent.
pub struct MeterSender {
    meters: Meters,
    outbox: Outbox,
    // When each is looked at next.
    scheduled: Vec<(ScheduledPoint, Option<Instant>)>,
}

impl MeterSender {
    /// Of these meters, through this outbox.
    #[must_use]
    pub fn new(meters: Meters, outbox: Outbox) -> Self {
        Self { meters, outbox, scheduled: Vec::new() }
    }

    /// Looks once at all metering points of the schedule.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn look(&mut self, now: Instant) -> Result<(), store::Error> {
        let wanted = self.meters.house.sent_points();
        if !wanted.iter().eq(self.scheduled.iter().map(|(of, _)| of)) {
            self.scheduled = wanted.into_iter().map(|of| (of, None)).collect();
        }
        for (of, next) in &mut self.scheduled {
            if next.is_some_and(|at| now < at) {
                continue;
            }
            *next = match point(&self.meters, &self.outbox, of, now).await {
                Ok(()) => next_due(of, now),
                Err(MeterError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(plugin = of.plugin, point = of.point, %error, "what cars took could not be sent");
                    Some(Instant(now.0.saturating_add(PAUSE)))
                }
            };
        }
        Ok(())
    }
}

async fn point(
    meters: &Meters,
    outbox: &Outbox,
    of: &ScheduledPoint,
    now: Instant,
) -> Result<(), MeterError> {
    let periods = periods(of, now);
    let (Some(first), Some(last)) = (periods.first(), periods.last()) else { return Ok(()) };
    let span = (first.0, last.1);
    let charging = meters.charging_behind((&of.site, &of.point), span, HOUR_MS, now).await?;
    for (session, why) in &charging.left_out {
        tracing::warn!(session, why, "a session is not in the values that are sent");
    }
    let requests: Vec<(Instant, ValuesRequest)> =
        periods.iter().map(|period| (period.0, request(of, &charging, *period))).collect();
    let org = meters.org().clone();
    let lane = Lane::debtor(&org, &queue(of));
    let of = of.clone();
    let unit = async move |tx: &mut Tx| {
        let mut news = false;
        for (from, request) in &requests {
            // Two sites behind one metering point are two things.
            let subject = format!("{} {} {}", of.site, of.point, utc_text(*from));
            let mut before = tx.intents_about(&org, &subject).await?;
            before.retain(|row| row.kind == IntentKind::Values && row.plugin == of.plugin);
            if !is_news(&before, request)? {
                continue;
            }
            let wanted = Wanted {
                source: format!("meter-values:{}:{subject}:{}", of.plugin, before.len() + 1),
                debtor: queue(&of),
                plugin: of.plugin.clone(),
                subject,
                theirs: None,
                by: "schedule".to_owned(),
            };
            news |= tx.add_intent(&org, &new(wanted, &Request::Values(request.clone()), now)).await?;
        }
        Ok(news)
    };
    if meters.store.write(lane, unit).await? {
        outbox.wake();
    }
    Ok(())
}

// Later values of a metering point come after earlier ones.
fn queue(of: &ScheduledPoint) -> String {
    format!("meters:{}:{}", of.plugin, of.point)
}

fn request(of: &ScheduledPoint, charging: &Charging, (from, until): (Instant, Instant)) -> ValuesRequest {
    let inside = charging.steps().filter(|step| step.0 >= from && step.1 <= until);
    let value =
        |(from, until, kwh): (Instant, Instant, String)| SentValue { from: from.0, until: until.0, kwh };
    ValuesRequest { point: of.point.clone(), values: inside.map(value).collect() }
}

// Whether it says something else than what was last written down for that time.
fn is_news(before: &[Intent], request: &ValuesRequest) -> Result<bool, store::Error> {
    let Some(last) = before.last() else { return Ok(!request.values.is_empty()) };
    Ok(Request::of(last)? != Request::Values(request.clone()))
}
