//! The whole in one call: `bill = price(tariff, session, prices, standing)`.

use crate::bill::{Bill, assemble};
use crate::error::PriceError;
use crate::evaluate::Pricing;
use crate::running::{Begin, Buffers, Held, Running};
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
    let mut buffers = Buffers::default();
    let mut running = blank(session, standing, &mut buffers);
    follow(&mut running, pricing, session)?;
    running.close(pricing)?;
    assemble(pricing, &mut running, &mut buffers, session.unplugged.is_some(), payment_fee)
}

/// Prices many sessions one after the other and reuses their memory.
#[derive(Debug)]
pub struct Pricer<'p> {
    pricing: &'p Pricing<'p>,
    buffers: Buffers,
    bill: Bill,
}

impl<'p> Pricer<'p> {
    /// With the prices of the first session for all of them.
    #[must_use]
    pub fn new(pricing: &'p Pricing<'p>) -> Self {
        Self { pricing, buffers: Buffers::default(), bill: Bill::default() }
    }

    /// What a session costs: the bill that [`price()`] gives, until the next one is asked for.
    ///
    /// # Errors
    /// As [`price()`].
    pub fn price(&mut self, session: &Session, standing: &Standing) -> Result<&Bill, PriceError> {
        let pricing = self.pricing;
        self.bill.leave(&mut self.buffers);
        let mut running = blank(session, standing, &mut self.buffers);
        follow(&mut running, pricing, session)?;
        running.close(pricing)?;
        let (ended, fee) = (session.unplugged.is_some(), !pricing.p.tariff.bills_monthly);
        self.bill = assemble(pricing, &mut running, &mut self.buffers, ended, fee)?;
        self.buffers.reclaim(&mut running);
        Ok(&self.bill)
    }
}

#[inline]
pub(crate) fn blank<'s>(session: &'s Session, standing: &'s Standing, buffers: &mut Buffers) -> Running<'s> {
    let begin = Begin {
        plugged_in: session.plugged_in,
        explicit_states: !session.states.is_empty(),
        explicit_power: !session.power.is_empty(),
    };
    Running::blank(Held::Borrowed(&session.facts), &begin, Cow::Borrowed(standing), buffers)
}

/// Takes a whole session in.
#[inline]
pub(crate) fn follow(
    running: &mut Running<'_>,
    pricing: &Pricing<'_>,
    session: &Session,
) -> Result<(), PriceError> {
    running.start(pricing)?;
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
    running.readings(pricing, &session.readings)?;
    match session.unplugged {
        Some(unplugged) => running.until(pricing, unplugged)?,
        None => {
            // States known after the last reading still count as time passed.
            if let Some(last) = running.last_change() {
                running.until(pricing, Instant(last))?;
            }
        }
    }
    Ok(())
}

impl Running<'_> {
    /// The bill as of the last reading, without ending the session.
    ///
    /// # Errors
    /// As [`price()`].
    pub fn preview(&self, pricing: &Pricing<'_>) -> Result<Bill, PriceError> {
        assemble(
            pricing,
            &mut self.closed(pricing)?,
            &mut Buffers::default(),
            false,
            !pricing.p.tariff.bills_monthly,
        )
    }

    /// The bill of the session, which ends at `unplugged`.
    ///
    /// # Errors
    /// As [`price()`].
    pub fn finish(mut self, pricing: &Pricing<'_>, unplugged: Instant) -> Result<Bill, PriceError> {
        self.until(pricing, unplugged)?;
        self.close(pricing)?;
        assemble(pricing, &mut self, &mut Buffers::default(), true, !pricing.p.tariff.bills_monthly)
    }
}
