//! Counters over several sessions: what they stand at after a session.

use super::conditions::World;
use super::model::{Condition, Counted, Measure, Span, Who};
use super::number::{MICRO, Q, fraction, whole};
use super::session::{Period, Standing, counter, who_word};
use super::slices::{self, Slice};
use std::collections::{BTreeMap, BTreeSet};

/// The opening counters by name, in kWh, seconds, money and times.
#[must_use]
pub fn opening(standing: &Standing) -> BTreeMap<String, Q> {
    let mut all = BTreeMap::new();
    for (who, period, micro) in &standing.energy {
        all.insert(counter(*who, Counted::Energy, *period), fraction(*micro, MICRO));
    }
    for (who, counted, period, ms) in &standing.times {
        all.insert(counter(*who, *counted, *period), fraction(*ms, 1000));
    }
    for (who, label, period, money) in &standing.money {
        all.insert(format!("{} limit {label} {}", who_word(*who), period.word()), money.value());
    }
    for (label, period, money) in &standing.lifts {
        all.insert(format!("driver lift {label} {}", period.word()), money.value());
    }
    for (who, month, micro) in &standing.whole {
        all.insert(whole_month(*who, *month), fraction(*micro, MICRO));
    }
    for (code, times) in &standing.coupons {
        all.insert(format!("driver coupon {code}"), whole(i128::from(*times)));
    }
    all
}

fn whole_month(who: Who, month: Period) -> String {
    format!("{} whole month energy {}", who_word(who), month.word())
}

/// Adds what the session took to the counters that the list asks for.
pub fn add_session(world: &World<'_>, slices: &[Slice], closing: &mut BTreeMap<String, Q>) {
    let mut measures: BTreeSet<Measure> = BTreeSet::new();
    let mut months: BTreeSet<Who> = BTreeSet::new();
    for condition in asked(world) {
        match condition {
            Condition::SoFar { measure, .. } if measure.who != Who::Session => {
                measures.insert(*measure);
            }
            Condition::WholeMonth(who, _) => {
                months.insert(*who);
            }
            _ => {}
        }
    }
    for measure in measures {
        for slice in slices {
            let amount = match measure.counted {
                Counted::Energy => fraction(slice.import, MICRO),
                counted if slices::counts_time(counted, slice.state) => fraction(slice.length(), 1000),
                _ => continue,
            };
            let period = Period::of(measure.span, slice.start.local.date);
            *closing.entry(counter(measure.who, measure.counted, period)).or_default() += amount;
        }
    }
    let plug_in = world.plug_in(std::iter::empty()).local.date;
    for who in months {
        let name = whole_month(who, Period::of(Span::Month, plug_in));
        *closing.entry(name).or_default() += fraction(slices::energy(world.session), MICRO);
    }
}

/// All conditions behind prices, of charges and named ones.
fn asked<'a>(world: &World<'a>) -> impl Iterator<Item = &'a Condition> {
    let named = world.tariff.prices.iter().map(|(_, cases)| cases);
    let lists = world.tariff.charges.iter().map(|charge| &charge.cases).chain(named);
    lists.flatten().flat_map(|case| &case.when)
}
