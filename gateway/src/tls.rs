//! TLS of the server: its certificate, the authority of chargers' certificates, the revoked ones; read again when the files change.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// The name of the list of revoked certificates, beside the authority's certificate.
pub const REVOKED: &str = "revoked.pem";

/// Where certificates are. All files are PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Files {
    /// The server's certificate, with those between it and the root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority of chargers' certificates (security profile 3); beside it a list of revoked ones may stand, [`REVOKED`].
    pub client_ca: Option<PathBuf>,
}

/// What is wrong with a certificate or its file, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

/// The server's side of TLS. New connections use what was read last.
pub struct Tls {
    files: Files,
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    print: u64,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn open(files: Files) -> Result<Self, TlsError> {
        let (config, print) =
            files.read(None)?.ok_or_else(|| TlsError("no certificate was read".to_owned()))?;
        Ok(Self { files, current: RwLock::new(Current { config, print }) })
    }

    /// Reads the files again; whether they have changed. Connections that are open stay as they are.
    ///
    /// # Errors
    /// What is wrong with which file; what was read before stays in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let before = self.current.read().unwrap_or_else(PoisonError::into_inner).print;
        let Some((config, print)) = self.files.read(Some(before))? else { return Ok(false) };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current { config, print };
        Ok(true)
    }

    /// For a new connection.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).config)
    }
}

impl Files {
    // None when the files are as they were.
    fn read(&self, before: Option<u64>) -> Result<Option<(Arc<ServerConfig>, u64)>, TlsError> {
        let certificate = bytes(&self.certificate)?;
        let key = bytes(&self.key)?;
        let authority =
            self.client_ca.as_deref().map(|path| bytes(path).map(|bytes| (path, bytes))).transpose()?;
        let revoked = match &self.client_ca {
            Some(path) => {
                let path = path.with_file_name(REVOKED);
                if path.exists() { Some((bytes(&path)?, path)) } else { None }
            }
            None => None,
        };
        let mut hasher = DefaultHasher::new();
        (&certificate, &key, &authority, &revoked).hash(&mut hasher);
        let print = hasher.finish();
        if before == Some(print) {
            return Ok(None);
        }
        let chain = certificates(&self.certificate, &certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&key)
            .map_err(|error| bad(&self.key, &format!("holds no private key that can be read: {error}")))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError(format!("TLS cannot be set up: {error}")))?;
        let builder = match authority {
            None => builder.with_no_client_auth(),
            Some((path, authority)) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(path, &authority)? {
                    roots
                        .add(root)
                        .map_err(|error| bad(path, &format!("holds no authority's certificate: {error}")))?;
                }
                // A charger without a certificate may still come with a password; the set-up says which of them must have one.
                let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .allow_unauthenticated()
                    .only_check_end_entity_revocation()
                    .allow_unknown_revocation_status();
                if let Some((revoked, path)) = revoked {
                    let lists: Result<Vec<_>, _> =
                        CertificateRevocationListDer::pem_slice_iter(&revoked).collect();
                    let lists = lists.map_err(|error| {
                        bad(&path, &format!("holds no list of revoked certificates: {error}"))
                    })?;
                    verifier = verifier.with_crls(lists);
                }
                let verifier = verifier.build().map_err(|error| {
                    bad(path, &format!("cannot be used to check chargers' certificates: {error}"))
                })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            bad(&self.certificate, &format!("and {} do not go together: {error}", self.key.display()))
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A charger's certificate is looked at on every connection: one that was revoked in the meantime must not come back
        // on the strength of an earlier handshake.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Some((Arc::new(config), print)))
    }
}

/// The common name of a certificate's owner.
pub(crate) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| bad(path, &format!("cannot be read as PEM: {error}")))?;
    if read.is_empty() {
        return Err(bad(path, "holds no certificate: there is no BEGIN CERTIFICATE in it"));
    }
    Ok(read)
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| bad(path, &format!("cannot be read: {error}")))
}

fn bad(path: &Path, why: &str) -> TlsError {
    TlsError(format!("{} {why}", path.display()))
}
