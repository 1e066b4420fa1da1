//! What a charger of 2.x asks on behalf of cars, certificates and payment terminals.

use super::read::{certificate_hash, reference};
use crate::chargers::model::{
    Address, CertificateSource, ChainStatusQuery, EvCertificateRequest, Settlement, VatNumberQuery, Word as _,
};
use crate::ocpp::frame::ErrorCode;
use crate::ocpp::lenient::{Fields, May, Must};
use crate::ocpp::writer::Object;
use crate::ocpp::{Dialect, Refusal};

/// A car asks for its contract certificate.
pub(super) fn ev_certificate(fields: &Fields<'_>) -> EvCertificateRequest {
    EvCertificateRequest {
        schema: fields.text("iso15118SchemaVersion", Must, 50),
        action: fields.text("action", Must, 20),
        exi: fields.text("exiRequest", Must, 11_000).unwrap_or_default(),
        max_chains: fields.int("maximumContractCertificateChains", May),
        contracts: fields.texts("prioritizedEMAIDs", May, 255),
    }
}

/// Are these certificates revoked? The answer repeats what was asked, so a question in words of no standard cannot be answered and is
/// left out.
pub(super) fn chain_status(fields: &Fields<'_>) -> Result<Vec<ChainStatusQuery>, Refusal> {
    let mut queries = Vec::new();
    for query in fields.objects("certificateStatusRequests", Must) {
        let hash = query.object("certificateHashData", Must).as_ref().and_then(certificate_hash);
        let source = query.word::<CertificateSource>("source", Must);
        let urls = query.texts("urls", Must, 2_000);
        query.done();
        let known = hash.zip(source).filter(|(hash, source)| hash.algorithm.is_known() && source.is_known());
        queries.extend(known.map(|(hash, source)| {
            let source = source.as_str().to_owned();
            ChainStatusQuery { hash, source, urls }
        }));
    }
    if queries.is_empty() {
        let why = "`certificateStatusRequests` names no certificate in the words of the standard";
        return Err(Refusal::new(ErrorCode::Occurrence, why));
    }
    Ok(queries)
}

/// A payment terminal has settled a payment.
pub(super) fn settlement(fields: &Fields<'_>) -> Settlement {
    Settlement {
        transaction: reference(fields, "transactionId", May),
        psp_reference: fields.text("pspRef", Must, 255).unwrap_or_default(),
        status: fields.word("status", Must),
        info: fields.text("statusInfo", May, 500),
        amount: fields.decimal("settlementAmount", Must),
        at: fields.station_time("settlementTime", Must),
        receipt_id: fields.text("receiptId", May, 50),
        receipt_url: fields.text("receiptUrl", May, 2_000),
        company: fields.object("vatCompany", May).map(|company| address(&company)),
        vat_number: fields.text("vatNumber", May, 20),
    }
}

/// Is this VAT number right?
pub(super) fn vat_number(fields: &Fields<'_>) -> VatNumberQuery {
    VatNumberQuery {
        number: fields.text("vatNumber", Must, 20).unwrap_or_default(),
        evse: fields.int("evseId", May),
    }
}

fn address(fields: &Fields<'_>) -> Address {
    let address = Address {
        name: fields.text("name", Must, 50).unwrap_or_default(),
        line1: fields.text("address1", Must, 100).unwrap_or_default(),
        line2: fields.text("address2", May, 100),
        city: fields.text("city", Must, 100).unwrap_or_default(),
        postal_code: fields.text("postalCode", May, 20),
        country: fields.text("country", Must, 50).unwrap_or_default(),
    };
    fields.done();
    address
}

/// A company's address, written.
pub(super) fn write_address(dialect: Dialect, address: &Address) -> Object {
    Object::new(dialect)
        .prose("name", &address.name, 50)
        .prose("address1", &address.line1, 100)
        .some_text("address2", address.line2.as_deref(), 100)
        .prose("city", &address.city, 100)
        .some_text("postalCode", address.postal_code.as_deref(), 20)
        .prose("country", &address.country, 50)
}
