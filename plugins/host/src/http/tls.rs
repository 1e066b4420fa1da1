//! Whom a plugin's request trusts: what the machine trusts, and a root that the operator granted for one host.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The certificates in a PEM text.
///
/// # Errors
/// There is none, or it cannot be a root.
pub fn roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let all = all.map_err(|error| format!("it is no PEM: {error}"))?;
    if all.is_empty() {
        return Err("there is no certificate in it (-----BEGIN CERTIFICATE-----)".to_owned());
    }
    let mut store = RootCertStore::empty();
    for one in &all {
        store.add(one.clone()).map_err(|error| format!("a certificate in it cannot be a root: {error}"))?;
    }
    Ok(all)
}

/// The settings of TLS, one for each granted root, made when they are needed.
#[derive(Default)]
pub struct Configs {
    made: Mutex<BTreeMap<Option<Arc<str>>, Arc<ClientConfig>>>,
}

impl Configs {
    /// For requests to a host with this granted root (PEM), or without one.
    ///
    /// # Errors
    /// The root cannot be read.
    pub fn get(&self, root: Option<&Arc<str>>) -> Result<Arc<ClientConfig>, String> {
        let key = root.cloned();
        if let Some(config) = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(make(root.map(AsRef::as_ref))?);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&config));
        Ok(config)
    }
}

fn make(root: Option<&str>) -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate of this machine could not be read");
    }
    store.add_parsable_certificates(found.certs);
    if let Some(pem) = root {
        store.add_parsable_certificates(roots(pem)?);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
