//! Messages of 2.x that are kept as they came: only what says where they belong is read.

use super::read::{part, reference};
use crate::chargers::model::{Document, DocumentKind, Json};
use crate::ocpp::lenient::{Fields, May};

/// A message that is kept but not acted on.
pub(super) fn document(kind: DocumentKind, fields: &Fields<'_>, raw: &str) -> Document {
    Document {
        kind,
        evse: fields.int("evseId", May),
        transaction: reference(fields, "transactionId", May),
        part: part(fields),
        json: Json(raw.to_owned()),
    }
}
