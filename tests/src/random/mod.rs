//! Invents tariffs with sessions, price files and standings that go with them. The same seed gives the same pair for ever.

mod conditions;
mod counters;
pub mod facts;
pub mod feeds;
pub mod month;
mod prices;
pub mod rebates;
pub mod session;
pub mod shrink;
pub mod tariff;
pub mod windows;

use crate::oracle::bill::{Bill, bill_at_cost};
use crate::oracle::calendar::local;
use crate::oracle::model::Tariff;
use crate::oracle::number::Dec;
use crate::oracle::session::{PriceFile, Session, Standing};
use crate::subject::Question;
use fastrand::Rng;
use rust_decimal::Decimal;

/// All that a bill depends on.
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    /// The price list.
    pub tariff: Tariff,
    /// The session.
    pub session: Session,
    /// Price files.
    pub files: Vec<PriceFile>,
    /// Opening counters.
    pub standing: Standing,
    /// What the plant's kWh cost, where that is known.
    pub cost: Option<Dec>,
}

impl Pair {
    /// What the engine is asked.
    #[must_use]
    pub fn question(&self) -> Question {
        Question {
            files: self.tariff.to_files(),
            session: self.session.to_json(),
            feeds: self.files_json(),
            standing: self.standing_json(),
            cost: self.cost.map(|cost| Decimal::from_i128_with_scale(cost.units, cost.scale)),
        }
    }

    /// The oracle's bill.
    #[must_use]
    pub fn bill(&self) -> Bill {
        let cost = self.cost.map(Dec::value);
        bill_at_cost(&self.tariff, &self.session, &self.files, &self.standing, cost)
    }

    /// Whether the list is in force at plug-in.
    #[must_use]
    pub fn in_force(&self) -> bool {
        let day = local(self.tariff.zone, self.session.plugged_in).date;
        self.tariff.valid_from.is_none_or(|from| from <= day)
            && self.tariff.valid_until.is_none_or(|last| day <= last)
    }

    /// The price files as documents.
    #[must_use]
    pub fn files_json(&self) -> Vec<String> {
        self.files.iter().map(|file| file.to_json(self.tariff.zone)).collect()
    }

    /// The standing as a document, if anything was used before.
    #[must_use]
    pub fn standing_json(&self) -> Option<String> {
        (!self.standing.is_empty()).then(|| self.standing.to_json())
    }
}

/// The pair of a seed.
#[must_use]
pub fn pair(seed: u64) -> Pair {
    // Neighbouring seeds shall not begin alike.
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x7461_6B73_7421);
    let (session, zone) = session::session(&mut rng);
    let (tariff, standing) = tariff::tariff(&mut rng, &session, zone);
    let session = rebates::coupons_of(&mut rng, &tariff, session);
    let files = feeds::files(&mut rng, &tariff, &session);
    let cost = chance(&mut rng, 80).then(|| Dec::new(rng.i128(1..20_000), 4));
    Pair { tariff, session, files, standing, cost }
}

/// True `percent` times in a hundred.
pub(crate) fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(0..100) < percent
}

/// One of these.
pub(crate) fn one<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(0..of.len())].clone()
}
