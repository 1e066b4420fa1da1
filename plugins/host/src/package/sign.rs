//! Signatures of packages, in the form of the minisign program: `minisign -V -p KEY.pub -m plugin.toml` verifies them too.

use super::Package;
use minisign::{KeyPair, SecretKey, SecretKeyBox};
use minisign_verify::{Error, PublicKey, Signature};
use std::io::Cursor;

/// Why a package is not signed, or its signature does not count.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignError {
    /// There is none.
    #[error(
        "the package of {0} is not signed: sign it with `takst plugin sign`, or allow unsigned plugins for trying them"
    )]
    Unsigned(String),
    /// By somebody else.
    #[error(
        "the package of {0} is signed with a key that is not among the {1} trusted ones: add the author's public key if you trust it"
    )]
    Stranger(String, usize),
    /// Over something else.
    #[error("the signature of {0} does not fit its plugin.toml: it was changed after signing, get it again")]
    Wrong(String),
    /// Not readable.
    #[error("the signature of {0} cannot be read: {1}")]
    Broken(String, String),
    /// A key that cannot be read or used.
    #[error("the key cannot be used: {0}")]
    Key(String),
}

/// A public key that an operator trusts.
pub struct Trusted(PublicKey);

impl Trusted {
    /// From a public key's file (two lines), or the key itself ("RWQ…").
    ///
    /// # Errors
    /// It is no public key.
    pub fn read(text: &str) -> Result<Self, SignError> {
        let text = text.trim();
        let key = if text.contains('\n') { PublicKey::decode(text) } else { PublicKey::from_base64(text) };
        key.map(Self).map_err(|error| SignError::Key(format!("no public key of minisign: {error}")))
    }
}

/// A secret key that signs.
pub struct Signer(SecretKey);

impl Signer {
    /// From a secret key's file; `None` for one without a password.
    ///
    /// # Errors
    /// It is no secret key, or the password is wrong.
    pub fn read(text: &str, password: Option<String>) -> Result<Self, SignError> {
        let says = |error: minisign::PError| SignError::Key(error.to_string());
        let key = SecretKeyBox::from_string(text).map_err(says)?;
        let key = match password {
            Some(_) => key.into_secret_key(password),
            None => key.into_unencrypted_secret_key(),
        };
        key.map(Self).map_err(says)
    }

    /// A new pair: the texts of the secret key's and of the public key's file.
    ///
    /// # Errors
    /// The machine has no random numbers.
    pub fn generate(password: Option<String>) -> Result<(String, String), SignError> {
        let says = |error: minisign::PError| SignError::Key(error.to_string());
        let pair = match password {
            Some(_) => KeyPair::generate_encrypted_keypair(password),
            None => KeyPair::generate_unencrypted_keypair(),
        };
        let KeyPair { pk, sk } = pair.map_err(says)?;
        let secret = sk.to_box(Some("signs plugins of Takst: keep it secret")).map_err(says)?;
        let public = pk.to_box().map_err(says)?;
        Ok((secret.into_string(), public.into_string()))
    }

    /// Signs a package.
    ///
    /// # Errors
    /// The key does not sign.
    pub fn sign(&self, package: &mut Package) -> Result<(), SignError> {
        let comment = format!("{} {}", package.manifest.id, package.manifest.version);
        let signature = minisign::sign(
            None,
            &self.0,
            Cursor::new(package.text.as_bytes()),
            Some(&comment),
            Some("plugin of Takst"),
        )
        .map_err(|error| SignError::Key(error.to_string()))?;
        package.signature = Some(signature.into_string());
        Ok(())
    }
}

impl Package {
    /// Whether one of the trusted keys has signed it.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self, trusted: &[Trusted]) -> Result<(), SignError> {
        let id = || self.manifest.id.clone();
        let text = self.signature.as_ref().ok_or_else(|| SignError::Unsigned(id()))?;
        let signature =
            Signature::decode(text).map_err(|error| SignError::Broken(id(), error.to_string()))?;
        for Trusted(key) in trusted {
            match key.verify(self.text.as_bytes(), &signature, false) {
                Ok(()) => return Ok(()),
                Err(Error::UnexpectedKeyId) => {}
                Err(_) => return Err(SignError::Wrong(id())),
            }
        }
        Err(SignError::Stranger(id(), trusted.len()))
    }
}
