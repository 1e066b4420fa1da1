//! Parts that many messages of 2.x have in common, read.

use crate::chargers::model::{
    CertificateHash, Component, HashAlgorithm, OcspQuery, Part, Place, Reference, StatusInfo, Token,
    TokenKind, Variable, Word,
};
use crate::ocpp::lenient::{Fields, May, Must, Need};

/// A token; one without an id only where none is needed (`NoAuthorization`).
pub(super) fn token(fields: &Fields<'_>, name: &str, need: Need) -> Option<Token> {
    if fields.raw(name, May).is_some_and(|raw| raw.get().starts_with('"')) {
        fields.note(name, "a text where an object belongs");
        return fields.word_text(name, need, 255).map(Token::plain);
    }
    let token = fields.object(name, need)?;
    let id = token.text("idToken", Must, 255).unwrap_or_default();
    // An open list from 2.1 on.
    let kind = token.word_text("type", Must, 20).map(|kind| TokenKind::read(kind.trim()));
    let more = token
        .objects("additionalInfo", May)
        .iter()
        .map(|info| {
            let pair = (
                info.text("additionalIdToken", Must, 255).unwrap_or_default(),
                info.text("type", Must, 50).unwrap_or_default(),
            );
            info.done();
            pair
        })
        .collect();
    token.done();
    (!id.trim().is_empty() || kind == Some(TokenKind::NoAuthorization)).then_some(Token { id, kind, more })
}

/// An EVSE and its connector.
pub(super) fn place(fields: &Fields<'_>, name: &str) -> Place {
    let Some(evse) = fields.object(name, May) else { return Place::UNSAID };
    let place = Place { evse: evse.int("id", Must), connector: evse.int("connectorId", May) };
    evse.done();
    place
}

/// The id of a transaction.
pub(super) fn reference(fields: &Fields<'_>, name: &str, need: Need) -> Option<Reference> {
    fields.word_text(name, need, 36).map(Reference::Theirs)
}

/// Why an answer is what it is.
pub(super) fn status_info(fields: &Fields<'_>, name: &str) -> Option<StatusInfo> {
    let info = fields.object(name, May)?;
    let out = StatusInfo {
        code: info.text("reasonCode", Must, 20).unwrap_or_default(),
        text: info.text("additionalInfo", May, 1_024),
    };
    info.done();
    Some(out)
}

/// A component.
pub(super) fn component(fields: &Fields<'_>, name: &str) -> Component {
    let Some(part) = fields.object(name, Must) else { return Component::default() };
    let component = Component {
        name: part.text("name", Must, 50).unwrap_or_default(),
        instance: part.text("instance", May, 50),
        place: place(&part, "evse"),
    };
    part.done();
    component
}

/// A variable.
pub(super) fn variable(fields: &Fields<'_>, name: &str) -> Variable {
    let Some(part) = fields.object(name, Must) else { return Variable::default() };
    let variable = Variable {
        name: part.text("name", Must, 50).unwrap_or_default(),
        instance: part.text("instance", May, 50),
    };
    part.done();
    variable
}

/// Which page of which report.
pub(super) fn part(fields: &Fields<'_>) -> Part {
    Part {
        request: fields.int("requestId", May),
        seq: fields.int("seqNo", May),
        more: fields.flag("tbc", May).unwrap_or_default(),
    }
}

/// The fields that name a certificate; the caller says when the object is done.
fn hash(fields: &Fields<'_>) -> Option<CertificateHash> {
    Some(CertificateHash {
        algorithm: fields.word::<HashAlgorithm>("hashAlgorithm", Must)?,
        issuer_name: fields.text("issuerNameHash", Must, 128)?,
        issuer_key: fields.text("issuerKeyHash", Must, 128)?,
        serial: fields.text("serialNumber", Must, 40)?,
    })
}

/// What names a certificate; 1.6 has it in the same form.
pub(in crate::ocpp) fn certificate_hash(fields: &Fields<'_>) -> Option<CertificateHash> {
    let out = hash(fields);
    fields.done();
    out
}

/// A question to the issuer of a certificate.
pub(super) fn ocsp(fields: &Fields<'_>) -> Option<OcspQuery> {
    let hash = hash(fields);
    let url = fields.text("responderURL", Must, 2_000);
    fields.done();
    hash.map(|hash| OcspQuery { hash, url })
}
