//! Signs what chargers ask for, with the authority of a gateway where it has one.

use super::request::{Expected, check};
use super::{Authority, Issued, Kind, PkiError};
use std::path::{Path, PathBuf};
use takst_engine::units::{DAY_MS, Instant};

/// So many certificates a charger gets in a day.
const MOST_A_DAY: usize = 8;

/// An authority that may be there.
#[derive(Clone, Debug)]
pub struct Signer {
    folders: Vec<PathBuf>,
}

/// What was signed for a charger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// What was issued.
    pub issued: Issued,
    /// The certificate, followed by the authority's; PEM.
    pub chain: String,
}

impl Signer {
    /// With the authority in the first of these folders that has one, whenever it is asked.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// The folder of the authority; none: there is none, or its key is not here.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        let has = |folder: &&PathBuf| folder.join(super::CA).exists() && folder.join(super::CA_KEY).exists();
        self.folders.iter().find(has).map(PathBuf::as_path)
    }

    /// Whether a request can be signed.
    ///
    /// # Errors
    /// Why not, for the log.
    pub fn may_sign(&self, request: &str, expected: Expected<'_>, now: Instant) -> Result<(), String> {
        let Some(folder) = self.folder() else {
            return Err("there is no authority of our own (`takst pki init`)".to_owned());
        };
        check(request, expected)?;
        let list = Authority::open(folder)
            .and_then(|authority| authority.list())
            .map_err(|error| error.to_string())?;
        let lately = |issued: &&Issued| {
            issued.kind == Kind::Charger
                && issued.name == expected.identity
                && now.0.saturating_sub(issued.issued_ms) < DAY_MS
        };
        if list.iter().filter(lately).count() >= MOST_A_DAY {
            return Err(format!("it has got {MOST_A_DAY} certificates within a day"));
        }
        Ok(())
    }

    /// Signs a request for a charger.
    ///
    /// # Errors
    /// When there is no authority, the request is not signed by its own key, or files cannot be written.
    pub fn sign(&self, request: &str, charger: &str, days: u32, now: Instant) -> Result<Signed, PkiError> {
        let folder =
            self.folder().ok_or_else(|| PkiError::Input("there is no authority of our own".to_owned()))?;
        let made = Authority::open(folder)?.sign(request, charger, days, now)?;
        Ok(Signed { issued: made.issued, chain: made.chain })
    }

    /// Revokes a certificate that its charger does not take.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn revoke(&self, serial: &str, now: Instant) -> Result<(), PkiError> {
        match self.folder() {
            Some(folder) => Authority::open(folder)?.revoke(serial, now).map(drop),
            None => Ok(()),
        }
    }
}
