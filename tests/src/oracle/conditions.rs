//! Whether a line of a list fits: read from the top, the first that fits wins.

use super::calendar::{Local, local, within};
use super::feeds::Feed;
use super::model::{
    After, AfterAmount, Allowance, Case, ChargeRef, Condition, Counted, Kind, Measure, Span, Tariff, VatRate,
    Via, Who,
};
use super::number::{Dec, MICRO, Q, whole, zero};
use super::session::{Period, PriceFile, Session, Standing};
use std::collections::BTreeMap;

/// Everything that does not change while the session runs.
#[derive(Debug)]
pub struct World<'a> {
    /// The price list.
    pub tariff: &'a Tariff,
    /// The session.
    pub session: &'a Session,
    /// What had been used before.
    pub standing: &'a Standing,
    /// `spot` and the declared feeds.
    pub feeds: BTreeMap<String, Feed<'a>>,
    /// kW, 12 decimals; zero where the car never charged.
    pub average_power: Q,
    /// What the plant's kWh cost, when it is known.
    pub cost_price: Option<Q>,
    /// Where slices are cut although nothing changes.
    pub cuts: Vec<i64>,
}

/// How an amount is taxed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Taxed {
    /// VAT.
    pub vat: VatRate,
    /// Taxes beside it: rate, on top of VAT, on top of the first of them.
    pub others: [Option<(Dec, bool, bool)>; 2],
}

/// One tax of an amount.
#[derive(Clone, PartialEq, Debug)]
pub struct Layer {
    /// `None`: VAT; else its place among the other taxes.
    pub other: Option<usize>,
    /// As a fraction of what it is worked out from.
    pub rate: Q,
    /// Earlier layers that are part of that.
    pub on_top_of: Vec<usize>,
    /// As a fraction of the net.
    pub share: Q,
}

impl Taxed {
    /// Its taxes in order.
    #[must_use]
    pub fn layers(&self) -> Vec<Layer> {
        let mut layers: Vec<Layer> = vec![];
        let mut push = |other, rate: Dec, on: Vec<Option<usize>>| {
            let rate = rate.value() / whole(100);
            let on_top_of: Vec<usize> =
                (0..layers.len()).filter(|&i| on.contains(&layers[i].other)).collect();
            let base: Q = on_top_of.iter().map(|&i| &layers[i].share).sum::<Q>() + whole(1);
            layers.push(Layer { other, share: &rate * base, rate, on_top_of });
        };
        if let VatRate::Percent(percent) = self.vat {
            push(None, percent, vec![]);
        }
        for (place, other) in self.others.iter().enumerate() {
            let Some((rate, on_vat, on_first)) = *other else { continue };
            let mut on = vec![];
            if on_vat {
                on.push(None);
            }
            if on_first {
                on.push(Some(0));
            }
            push(Some(place), rate, on);
        }
        layers
    }
}

/// The start of a slice: all that conditions and prices ask for.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub ms: i64,
    /// Local time.
    pub local: Local,
    /// Counters so far.
    pub counts: BTreeMap<Measure, i128>,
    /// Drawn power, millionths of a kW.
    pub power: i128,
    /// Drawn current, millionths of an ampere.
    pub current: i128,
    /// Occupied places of all places.
    pub occupancy: (u32, u32),
}

impl<'a> World<'a> {
    /// Puts the inputs together; the mean power is worked out later, from the slices.
    #[must_use]
    pub fn new(
        tariff: &'a Tariff,
        session: &'a Session,
        files: &'a [PriceFile],
        standing: &'a Standing,
    ) -> Self {
        let names = std::iter::once("spot").chain(tariff.feeds.iter().map(|f| f.name.as_str()));
        let feeds = names.map(|name| (name.to_owned(), Feed::new(tariff, name, files))).collect();
        Self { tariff, session, standing, feeds, average_power: zero(), cost_price: None, cuts: vec![] }
    }

    /// The moment `ms` with these counters.
    #[must_use]
    pub fn moment(&self, ms: i64, counts: BTreeMap<Measure, i128>) -> Moment {
        let power = self.session.power.iter().rev().find(|p| p.0 <= ms).map_or(0, |p| p.1);
        let occupancy =
            self.session.occupancy.iter().rev().find(|o| o.0 <= ms).map_or((0, 1), |o| (o.1, o.2));
        let amps_per_kw = self.session.amps_per_kw.unwrap_or(0);
        let current = super::number::fraction(power * amps_per_kw, MICRO).to_integer();
        let current = i128::try_from(current).expect("a current fits");
        Moment { ms, local: local(self.tariff.zone, ms), counts, power, current, occupancy }
    }

    /// The moment of plug-in, with the counters of `measures` at their opening values.
    #[must_use]
    pub fn plug_in(&self, measures: impl Iterator<Item = Measure>) -> Moment {
        let ms = self.session.plugged_in;
        let date = local(self.tariff.zone, ms).date;
        let counts = measures.map(|m| (m, self.opening(m, date))).collect();
        self.moment(ms, counts)
    }

    /// Where a counter starts in the day or month of `date`.
    #[must_use]
    pub fn opening(&self, measure: Measure, date: chrono::NaiveDate) -> i128 {
        if measure.who == Who::Session {
            return 0;
        }
        let period = Period::of(measure.span, date);
        match measure.counted {
            Counted::Energy => self.standing.energy(measure.who, period),
            counted => self.standing.time(measure.who, counted, period),
        }
    }

    /// The first line that fits.
    ///
    /// # Panics
    /// When none does: generated lists are complete.
    #[must_use]
    pub fn pick<'c, T>(&self, cases: &'c [Case<T>], now: &Moment) -> &'c T {
        &cases[self.pick_index(cases, now)].what
    }

    /// The line of a list that wins.
    ///
    /// # Panics
    /// When none fits.
    #[must_use]
    pub fn pick_index<T>(&self, cases: &[Case<T>], now: &Moment) -> usize {
        let fits = |case: &Case<T>| case.when.iter().all(|condition| self.holds(condition, now));
        cases.iter().position(fits).expect("a list that answers every case")
    }

    /// Whether a condition holds.
    #[must_use]
    pub fn holds(&self, condition: &Condition, now: &Moment) -> bool {
        let session = self.session;
        match condition {
            Condition::For(groups) => groups.iter().any(|group| self.in_group(group)),
            Condition::On(words) => words.iter().any(|word| match word.as_str() {
                "AC" => !session.dc,
                "DC" => session.dc,
                connector => connector.eq_ignore_ascii_case(&session.connector),
            }),
            Condition::At(places) => places.iter().any(|name| {
                let place = self.tariff.places.iter().find(|p| p.name == *name).expect("a known place");
                place.ids.contains(if place.sites { &session.site } else { &session.charger })
            }),
            Condition::Rated(kw, or_more) => (session.rated >= *kw) == *or_more,
            Condition::Via(ways) => ways.iter().any(|way| match way {
                Via::AdHoc => session.contract == "ad-hoc",
                Via::Contract => session.contract == "direct",
                Via::Roaming(None) => session.contract == "roaming",
                Via::Roaming(Some(issuer)) => session.contract == "roaming" && session.issuer == *issuer,
            }),
            Condition::PaidWith(brands) => session.brand.as_ref().is_some_and(|brand| brands.contains(brand)),
            Condition::During(windows) => windows.iter().any(|w| within(self.tariff, w, now.local)),
            Condition::From(date, None) => now.local.date >= *date,
            Condition::From(date, Some(minute)) => (now.local.date, now.local.minute) >= (*date, *minute),
            Condition::Until(date, None) => now.local.date <= *date,
            Condition::Until(date, Some(minute)) => (now.local.date, now.local.minute) < (*date, *minute),
            Condition::SoFar { beyond, measure, amount } => (now.counts[measure] >= *amount) == *beyond,
            Condition::Drawn(kw, or_more) => (now.power >= *kw) == *or_more,
            Condition::Occupied(percent, or_more) => {
                let (occupied, of) = now.occupancy;
                (i128::from(occupied) * 100 >= *percent * i128::from(of)) == *or_more
            }
            Condition::Current(a, or_more) => (now.current >= *a) == *or_more,
            Condition::WholeMonth(who, least) => {
                let month = Period::of(Span::Month, local(self.tariff.zone, session.plugged_in).date);
                self.standing.whole_month(*who, month) >= *least
            }
            Condition::Expired => session.reservation.is_some_and(|(_, _, expired)| expired),
            Condition::Steps(_) => true,
        }
    }

    fn in_group(&self, group: &str) -> bool {
        if self.tariff.default_group.as_deref() == Some(group) {
            return !self.session.groups.iter().any(|g| self.tariff.groups.contains(g));
        }
        self.session.groups.iter().any(|g| g == group)
    }

    /// The tax rate of a charge.
    #[must_use]
    pub fn vat(&self, charge: Option<usize>, now: &Moment) -> Taxed {
        let own = charge.and_then(|i| {
            let charge = &self.tariff.charges[i];
            self.tariff.vat_on.iter().find(|(reference, _): &&(ChargeRef, _)| charge.is(reference))
        });
        let cases = own.map_or(&self.tariff.vat, |(_, cases)| cases);
        let mut vat = if cases.is_empty() { VatRate::None } else { *self.pick(cases, now) };
        let mut others = [None; 2];
        for (place, tax) in self.tariff.taxes.iter().enumerate() {
            let on = |name: &str| tax.on_top_of.iter().any(|base| base == name);
            let on_first = place > 0 && on(&self.tariff.taxes[0].name);
            others[place] = Some((*self.pick(&tax.cases, now), on("VAT"), on_first));
            // Why there is no VAT is told only where there is no tax at all.
            if !matches!(vat, VatRate::Percent(_)) {
                vat = VatRate::None;
            }
        }
        Taxed { vat, others }
    }

    /// How much of a charge is free at its beginning, and by which counter.
    #[must_use]
    pub fn allowance(&self, kind: Kind, after: &After) -> (Measure, i128) {
        let amount = match &after.amount {
            AfterAmount::Fixed(amount) => *amount,
            AfterAmount::Named(name) => {
                let (_, cases) = self.tariff.values.iter().find(|(n, _)| n == name).expect("a known value");
                *self.pick(cases, &self.plug_in(std::iter::empty()))
            }
        };
        let counted = match (amount, kind) {
            (Allowance::Energy(_), _) => Counted::Energy,
            (Allowance::Time(_), Kind::ChargingTime) => Counted::Charging,
            (Allowance::Time(_), Kind::ParkingTime) => Counted::Parking,
            (Allowance::Time(_), Kind::IdleFee) => Counted::Idle,
            (Allowance::Time(_), _) => Counted::Connected,
        };
        let measure = Measure { counted, span: Span::Session, who: Who::Session, in_a_row: after.in_a_row };
        (measure, amount.amount())
    }
}

/// All taxes as a fraction of the net: 0.25 for 25%.
#[must_use]
pub fn tax_fraction(tax: Taxed) -> Q {
    tax.layers().iter().map(|layer| &layer.share).sum()
}
