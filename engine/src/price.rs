//! The whole in one call: `bill = price(tariff, session, prices, standing)`.

use crate::bill::{Bill, assemble};
use crate::error::PriceError;
use crate::evaluate::Pricing;
use crate::running::{Begin, Running};
use crate::session::Session;
use crate::standing::Standing;
use crate::units::Instant;
use std::borrow::Cow;

/// What a session costs under a tariff, with the given prices and opening counters.
///
/// A session that still runs, or for which prices are missing, gives a preview ([`Bill::is_final`] is false).
///
/// # Errors
/// See [`PriceError`]: what is contradictory, missing or too large is named; nothing is guessed.
pub fn price(pricing: &Pricing<'_>, session: &Session, standing: &Standing) -> Result<Bill, PriceError> {
    price_with(pricing, session, standing, !pricing.p.tariff.bills_monthly)
}

/// The same with or without the payment fee (a month's statement has one for all its sessions).
///
/// # Errors
/// As [`price()`].
pub fn price_with(
    pricing: &Pricing<'_>,
    session: &Session,
    standing: &Standing,
    payment_fee: bool,
) -> Result<Bill, PriceError> {
    let (running, ended) = follow(pricing, session, standing, false)?;
    assemble(pricing, running.close(pricing)?, ended, payment_fee)
}

/// Takes a whole session in; true when it has ended. With `trace`, what an explanation needs is kept on the way.
pub(crate) fn follow<'s>(
    pricing: &Pricing<'_>,
    session: &'s Session,
    standing: &Standing,
    trace: bool,
) -> Result<(Running<'s>, bool), PriceError> {
    let begin = Begin {
        plugged_in: session.plugged_in,
        explicit_states: !session.states.is_empty(),
        explicit_power: !session.power.is_empty(),
    };
    let mut running = Running::begin(pricing, Cow::Borrowed(&session.facts), &begin, standing.clone())?;
    running.trace = trace.then(Box::default);
    running.expect_lines(session.readings.len());
    for state in &session.states {
        running.state(pricing, *state)?;
    }
    for power in &session.power {
        running.power(pricing, *power)?;
    }
    for occupancy in &session.occupancy {
        running.occupancy(pricing, *occupancy)?;
    }
    for reading in &session.readings {
        running.reading(pricing, *reading)?;
    }
    match session.unplugged {
        Some(unplugged) => running.until(pricing, unplugged)?,
        None => {
            // States known after the last reading still count as time passed.
            if let Some(last) = running.last_change() {
                running.until(pricing, Instant(last))?;
            }
        }
    }
    Ok((running, session.unplugged.is_some()))
}

impl Running<'_> {
    /// The bill as of the last reading, without ending the session.
    ///
    /// # Errors
    /// As [`price()`].
    pub fn preview(&self, pricing: &Pricing<'_>) -> Result<Bill, PriceError> {
        assemble(pricing, self.closed(pricing)?, false, !pricing.p.tariff.bills_monthly)
    }

    /// The bill of the session, which ends at `unplugged`.
    ///
    /// # Errors
    /// As [`price()`].
    pub fn finish(mut self, pricing: &Pricing<'_>, unplugged: Instant) -> Result<Bill, PriceError> {
        self.until(pricing, unplugged)?;
        assemble(pricing, self.close(pricing)?, true, !pricing.p.tariff.bills_monthly)
    }
}
