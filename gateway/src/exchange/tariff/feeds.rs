//! What a feed gives on one day, by the clock.

use takst_engine::Pricing;
use takst_engine::calendar_time::{LocalTime, start_of_day};
use takst_engine::exact::Num;
use takst_engine::tariff::Mean;
use takst_engine::units::{Day, Instant};

/// Minutes of the local day with one value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Stretch {
    pub from: u16,
    pub until: u16,
    pub value: Num,
    pub vat_included: bool,
}

/// The stretches of a day.
///
/// # Errors
/// A price that is not known yet; an hour that comes twice with two prices, which the clock cannot tell apart.
pub(super) fn of_day(pricing: &Pricing<'_>, feed: u32, mean: Mean, day: Day) -> Result<Vec<Stretch>, String> {
    let tariff = pricing.prepared().tariff();
    let zone = &tariff.zone;
    let (start, end) = (start_of_day(zone, day), start_of_day(zone, day.saturating_add(1)));
    let name = || tariff.feeds.get(feed as usize).map_or("a feed", |feed| feed.name.as_str());
    let mut found: Vec<Stretch> = Vec::new();
    let mut at = start;
    while at < end {
        let local = LocalTime::at(zone, at);
        let known =
            pricing.feed_at(feed, mean, Instant(at)).map_err(|_| format!("`{}` is too large", name()))?;
        let Some(known) = known else {
            let clock = format!("{:02}:{:02}", local.minute / 60, local.minute % 60);
            return Err(format!(
                "`{}` is not known at {clock} of that day: give its prices with --prices",
                name()
            ));
        };
        let until = known.until.0.min(local.offset_until).min(end);
        let minutes = u16::try_from((until - at + 59_999) / 60_000).unwrap_or(1440);
        let stretch = Stretch {
            from: local.minute,
            until: (local.minute + minutes).min(1440),
            value: known.value,
            vat_included: known.vat_included,
        };
        add(&mut found, stretch).map_err(|minute| {
            format!(
                "the hour of {:02}:{:02} comes twice that day and `{}` differs; {{there}} goes by the clock and cannot tell them apart",
                minute / 60,
                minute % 60,
                name()
            )
        })?;
        at = until.max(at + 1);
    }
    Ok(found)
}

// Adds what is new in a stretch. The error: a minute that has another value already.
fn add(found: &mut Vec<Stretch>, stretch: Stretch) -> Result<(), u16> {
    let same = |known: &Stretch| (known.value, known.vat_included) == (stretch.value, stretch.vat_included);
    let overlaps = |known: &&Stretch| known.from < stretch.until && stretch.from < known.until;
    if let Some(other) = found.iter().filter(overlaps).find(|known| !same(known)) {
        return Err(other.from.max(stretch.from));
    }
    // What is known already with this value is not said again.
    let mut from = stretch.from;
    let mut known: Vec<(u16, u16)> =
        found.iter().filter(overlaps).map(|known| (known.from, known.until)).collect();
    known.sort_unstable();
    for (begins, ends) in known {
        if begins > from {
            found.push(Stretch { from, until: begins, ..stretch });
        }
        from = from.max(ends);
    }
    if from < stretch.until {
        found.push(Stretch { from, ..stretch });
    }
    Ok(())
}
