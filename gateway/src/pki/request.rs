//! What a charger's signing request (CSR) must be before it is signed without anybody looking at it.

use rcgen::CertificateSigningRequestParams;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;

/// Shortest keys, in bits.
const LEAST_RSA: usize = 2_048;
const LEAST_EC: usize = 256;

/// Whose request it should be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The charger's identity.
    pub identity: &'a str,
    /// Its serial number, which the security profiles have as its name too.
    pub serial: Option<&'a str>,
    /// Who runs it (O of the subject), where that is known.
    pub organisation: Option<&'a str>,
}

/// Looks at a request: it must be signed with its own key, name the charger, and its key be long enough.
///
/// # Errors
/// What is wrong, for the log and the charger's installer.
pub fn check(request: &str, expected: Expected<'_>) -> Result<(), String> {
    key(request)?;
    CertificateSigningRequestParams::from_pem(request.trim())
        .map_err(|error| format!("the request cannot be used: {error}"))?;
    let (_, pem) =
        parse_x509_pem(request.trim().as_bytes()).map_err(|_| "the request is no PEM".to_owned())?;
    let (_, parsed) = X509CertificationRequest::from_der(&pem.contents)
        .map_err(|error| format!("the request cannot be read: {error}"))?;
    let info = &parsed.certification_request_info;
    let name = info.subject.iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default();
    let named = |known: &str| known.eq_ignore_ascii_case(name);
    if !named(expected.identity) && !expected.serial.is_some_and(named) {
        return Err(format!("its subject is `CN={name}`, and the charger is `{}`", expected.identity));
    }
    let stated = info.subject.iter_organization().next().and_then(|name| name.as_str().ok());
    if let (Some(stated), Some(known)) = (stated, expected.organisation)
        && !stated.trim().eq_ignore_ascii_case(known.trim())
    {
        return Err(format!(
            "its subject has `O={stated}`, and the organisation is `{known}`: set the charger's CpoName (1.6) or \
             SecurityCtrlr.OrganizationName (2.x)"
        ));
    }
    Ok(())
}

/// Whether the key of a request is of a kind that we sign, and long enough. Its signature is not looked at: with a key that is too
/// short it cannot be.
///
/// # Errors
/// What is wrong with it.
pub(super) fn key(request: &str) -> Result<(), String> {
    let (_, pem) =
        parse_x509_pem(request.trim().as_bytes()).map_err(|_| "the request is no PEM".to_owned())?;
    let (_, parsed) = X509CertificationRequest::from_der(&pem.contents)
        .map_err(|error| format!("the request cannot be read: {error}"))?;
    let info = &parsed.certification_request_info;
    let (bits, least, what) = match info.subject_pki.parsed() {
        Ok(PublicKey::RSA(key)) => (key.key_size(), LEAST_RSA, "RSA"),
        Ok(PublicKey::EC(key)) => (key.key_size(), LEAST_EC, "elliptic curve"),
        _ => return Err("its key is neither RSA nor of an elliptic curve".to_owned()),
    };
    if bits < least {
        return Err(format!("its {what} key has {bits} bits, and {least} are the least"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Well signed, by an RSA key of 1024 bits.
    const SHORT: &str = "-----BEGIN CERTIFICATE REQUEST-----
MIIBTjCBuAIBADAPMQ0wCwYDVQQDDARDUC01MIGfMA0GCSqGSIb3DQEBAQUAA4GN
ADCBiQKBgQDHFpEA9eHjlhnqgTinQqah05z+uMzhltv0Hzh8QzlrkctNa6LjskBq
aZ3eVFXYjQOiyn5Dwdl9dKpfoGcJIHn2S8UBboaOMGfJCEalv3aZOu5/6kH1NCux
gQppl55qSd+PBMI5bRBNhSkunUNGQ659SAhX74eNfvWXTqshibuBWwIDAQABoAAw
DQYJKoZIhvcNAQELBQADgYEAVKZLG1OjDLTf4hStzuLs4D3/ngeTdTVn7+dxPgap
n/N8mPFKn8eAs7xvnSwQU7jF+Vlay9dRXdnxahhOAa4ZD8H3jiJBxC+TyZOKshEz
AsZL57NVdx/xRN+xHOaSwydqlCq4DfVO1TqPyBBWVfJuYT6VfvUvvDv2v8pyPw6i
/Xs=
-----END CERTIFICATE REQUEST-----";

    #[test]
    fn of_a_key_that_is_too_short_it_is_said_that_it_is_too_short() {
        let expected = Expected { identity: "CP-5", serial: None, organisation: None };
        let why = "its RSA key has 1024 bits, and 2048 are the least";
        assert_eq!(check(SHORT, expected).unwrap_err(), why);
        assert_eq!(key(SHORT).unwrap_err(), why);
    }
}
