//! Parts that many messages of 2.x have in common, written.

use crate::chargers::model::{
    CertificateHash, Component, Message, MessageFormat, Place, Reference, StatusInfo, Token, TokenInfo,
    TokenKind, Variable,
};
use crate::ocpp::Dialect;
use crate::ocpp::writer::Object;

/// `old` in 2.0.1, `new` from 2.1 on.
pub(super) fn by<T>(dialect: Dialect, old: T, new: T) -> T {
    if dialect == Dialect::V21 { new } else { old }
}

/// An EVSE and its connector.
pub(super) fn place(dialect: Dialect, place: Place) -> Object {
    Object::new(dialect).count("id", place.evse.unwrap_or(0)).some_count("connectorId", place.connector)
}

/// Like [`place`]; none for the charger as a whole.
pub(super) fn some_place(dialect: Dialect, at: Place) -> Option<Object> {
    (!at.is_whole()).then(|| place(dialect, at))
}

/// A token. One whose kind is not known is ours: a central one.
pub(super) fn token(dialect: Dialect, token: &Token) -> Object {
    let kind = token.kind.as_ref().unwrap_or(&TokenKind::Central);
    let new =
        matches!(kind, TokenKind::DirectPayment | TokenKind::Vin | TokenKind::Evccid | TokenKind::Other(_));
    let more = token.more.iter().map(|(id, kind)| {
        Object::new(dialect).text("additionalIdToken", id, by(dialect, 36, 255)).text("type", kind, 50)
    });
    Object::new(dialect)
        .without(new && dialect == Dialect::V201, "that kind of token")
        .objects("additionalInfo", more, 0, usize::MAX)
        .text("idToken", &token.id, by(dialect, 36, 255))
        .text("type", kind.as_str(), 20)
}

/// About a token.
pub(super) fn token_info(dialect: Dialect, info: &TokenInfo) -> Object {
    let mut languages = info.languages.iter().map(String::as_str);
    let object = Object::new(dialect)
        .word("status", info.status.as_str())
        .some_time("cacheExpiryDateTime", info.expires)
        .some_int("chargingPriority", info.priority)
        .some_object("groupIdToken", info.group.as_ref().map(|group| token(dialect, group)))
        .some_text("language1", languages.next(), 8)
        .some_text("language2", languages.next(), 8)
        .ints("evseId", &info.evses, 0, usize::MAX)
        .some_object("personalMessage", info.message.as_ref().map(|text| message(dialect, text)));
    if dialect == Dialect::V21 {
        return object;
    }
    object.arrange(&[
        "status",
        "cacheExpiryDateTime",
        "chargingPriority",
        "language1",
        "evseId",
        "groupIdToken",
        "language2",
        "personalMessage",
    ])
}

/// A text for people; cut where the schema ends.
pub(super) fn message(dialect: Dialect, message: &Message) -> Object {
    let format = match &message.format {
        MessageFormat::QrCode if dialect == Dialect::V201 => &MessageFormat::Uri,
        MessageFormat::Other(_) => &MessageFormat::Utf8,
        format => format,
    };
    Object::new(dialect)
        .word("format", format.as_str())
        .some_text("language", message.language.as_deref(), 8)
        .prose("content", &message.content, by(dialect, 512, 1_024))
}

/// Why an answer is what it is; cut where the schema ends.
pub(super) fn status_info(dialect: Dialect, info: &StatusInfo) -> Object {
    let object = Object::new(dialect).prose("reasonCode", &info.code, 20);
    match &info.text {
        Some(text) => object.prose("additionalInfo", text, by(dialect, 512, 1_024)),
        None => object,
    }
}

/// A component.
pub(super) fn component(dialect: Dialect, component: &Component) -> Object {
    Object::new(dialect)
        .some_object("evse", some_place(dialect, component.place))
        .text("name", &component.name, 50)
        .some_text("instance", component.instance.as_deref(), 50)
}

/// A variable.
pub(super) fn variable(dialect: Dialect, variable: &Variable) -> Object {
    Object::new(dialect).text("name", &variable.name, 50).some_text(
        "instance",
        variable.instance.as_deref(),
        50,
    )
}

/// What names a certificate.
pub(super) fn certificate_hash(dialect: Dialect, hash: &CertificateHash) -> Object {
    Object::new(dialect)
        .word("hashAlgorithm", hash.algorithm.as_str())
        .text("issuerNameHash", &hash.issuer_name, 128)
        .text("issuerKeyHash", &hash.issuer_key, 128)
        .text("serialNumber", &hash.serial, 40)
}

/// The id of a transaction.
pub(super) fn transaction(object: Object, name: &'static str, reference: &Reference) -> Object {
    match reference {
        Reference::Theirs(id) => object.text(name, id, 36),
        Reference::Ours(id) => object.text(name, &id.to_string(), 36),
    }
}
