//! Invents tariffs with sessions, price files and standings that go with them. The same seed gives the same pair for ever.

pub mod feeds;
pub mod rebates;
pub mod session;
pub mod shrink;
pub mod tariff;
pub mod windows;

use crate::oracle::model::Tariff;
use crate::oracle::session::{PriceFile, Session, Standing};
use fastrand::Rng;

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
}

impl Pair {
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
    Pair { tariff, session, files, standing }
}

/// True `percent` times in a hundred.
pub(crate) fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(0..100) < percent
}

/// One of these.
pub(crate) fn one<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(0..of.len())].clone()
}
