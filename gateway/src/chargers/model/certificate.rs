//! Certificates, firmware, logs and security events.

use super::StatusInfo;
use crate::chargers::time::StationTime;
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;

/// What names a certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CertificateHash {
    /// With which algorithm.
    pub algorithm: HashAlgorithm,
    /// Hash of the issuer's name.
    pub issuer_name: String,
    /// Hash of the issuer's key.
    pub issuer_key: String,
    /// Serial number, hexadecimal.
    pub serial: String,
}

/// A question to the issuer of a certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OcspQuery {
    /// Which certificate.
    pub hash: CertificateHash,
    /// Where to ask; none when it was left out.
    pub url: Option<String>,
}

words! {
    /// How a certificate's names are hashed.
    HashAlgorithm {
        Sha256 = "SHA256",
        Sha384 = "SHA384",
        Sha512 = "SHA512",
    }
    /// Where the state of a certificate is asked for (2.1).
    CertificateSource {
        Crl = "CRL",
        Ocsp = "OCSP",
    }
    /// What an own certificate is for.
    OwnCertificate {
        Station = "ChargingStationCertificate",
        V2g = "V2GCertificate",
        V2g20 = "V2G20Certificate",
    }
    /// What an installed certificate is for. In 1.6 there are `CSMSRootCertificate` (there: `CentralSystemRootCertificate`)
    /// and `ManufacturerRootCertificate`.
    CertificateUse {
        V2gRoot = "V2GRootCertificate",
        MoRoot = "MORootCertificate",
        CsmsRoot = "CSMSRootCertificate",
        V2gChain = "V2GCertificateChain",
        ManufacturerRoot = "ManufacturerRootCertificate",
        OemRoot = "OEMRootCertificate",
    }
    /// How a firmware update goes.
    FirmwareStatus {
        Downloaded = "Downloaded",
        DownloadFailed = "DownloadFailed",
        Downloading = "Downloading",
        DownloadScheduled = "DownloadScheduled",
        DownloadPaused = "DownloadPaused",
        Idle = "Idle",
        InstallationFailed = "InstallationFailed",
        Installing = "Installing",
        Installed = "Installed",
        InstallRebooting = "InstallRebooting",
        InstallScheduled = "InstallScheduled",
        InstallVerificationFailed = "InstallVerificationFailed",
        InvalidSignature = "InvalidSignature",
        SignatureVerified = "SignatureVerified",
        Published = "Published",
        InvalidChecksum = "InvalidChecksum",
        ChecksumVerified = "ChecksumVerified",
        PublishFailed = "PublishFailed",
    }
    /// How an upload of a log goes.
    LogStatus {
        BadMessage = "BadMessage",
        Idle = "Idle",
        NotSupportedOperation = "NotSupportedOperation",
        PermissionDenied = "PermissionDenied",
        Uploaded = "Uploaded",
        UploadFailure = "UploadFailure",
        UploadFailed = "UploadFailed",
        Uploading = "Uploading",
        AcceptedCanceled = "AcceptedCanceled",
    }
}

/// An installed certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InstalledCertificate {
    /// What it is for; none in 1.6, where the question says it.
    pub usage: Option<CertificateUse>,
    /// Its name.
    pub hash: CertificateHash,
    /// Certificates below it.
    pub children: Vec<CertificateHash>,
}

/// A charger asks for a signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SigningRequest {
    /// The signing request (PEM).
    pub csr: String,
    /// What for.
    pub usage: Option<OwnCertificate>,
    /// The root to sign under (2.1).
    pub root: Option<CertificateHash>,
    /// Number of the request (2.1).
    pub request: Option<i64>,
}

/// How a firmware update goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FirmwareReport {
    /// How it goes.
    pub status: Option<FirmwareStatus>,
    /// Number of the request.
    pub request: Option<i64>,
    /// It is about signed firmware (1.6 security extension).
    pub signed: bool,
    /// It is about firmware for others in the local network (2.x), at these addresses.
    pub published: Option<Vec<String>>,
    /// Why.
    pub info: Option<StatusInfo>,
}

/// How an upload of a log goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogReport {
    /// How it goes.
    pub status: Option<LogStatus>,
    /// Number of the request.
    pub request: Option<i64>,
    /// It is 1.6's DiagnosticsStatusNotification.
    pub diagnostics: bool,
    /// Why.
    pub info: Option<StatusInfo>,
}

/// Something about security happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SecurityEvent {
    /// What, in the standard's words.
    pub kind: String,
    /// When.
    pub at: StationTime,
    /// The maker's words.
    pub tech_info: Option<String>,
}

/// A car asks for its contract certificate (ISO 15118).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EvCertificateRequest {
    /// Version of the schema.
    pub schema: Option<String>,
    /// `Install` or `Update`.
    pub action: Option<String>,
    /// The car's message, base64.
    pub exi: String,
    /// At most so many chains (2.1).
    pub max_chains: Option<i64>,
    /// Contracts, best first (2.1).
    pub contracts: Vec<String>,
}

/// A question about the state of a certificate in a chain (2.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChainStatusQuery {
    /// Which certificate.
    pub hash: CertificateHash,
    /// `CRL` or `OCSP`.
    pub source: String,
    /// Where to ask.
    pub urls: Vec<String>,
}

/// The state of a certificate in a chain (2.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChainStatus {
    /// Which certificate.
    pub hash: CertificateHash,
    /// `CRL` or `OCSP`.
    pub source: String,
    /// `Good`, `Revoked`, `Unknown`, `Failed`.
    pub status: ChainVerdict,
    /// When to ask again.
    pub next: Instant,
}

kinds! {
    /// The state of a certificate in a chain (2.1).
    ChainVerdict {
        Good = "Good",
        Revoked = "Revoked",
        Unknown = "Unknown",
        Failed = "Failed",
    }
    /// Which log.
    LogKind {
        Diagnostics = "DiagnosticsLog",
        Security = "SecurityLog",
        DataCollector = "DataCollectorLog",
    }
}
