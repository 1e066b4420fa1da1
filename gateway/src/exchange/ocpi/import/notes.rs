//! What a person should know of an imported tariff: choices where the standard is open, and what a list has no place for.

use super::Work;
use crate::exchange::ocpi::Version;
use crate::exchange::ocpi::lines::{Charge, Kind, Line};
use crate::exchange::ocpi::tariff::TaxIncluded;

impl Work<'_> {
    /// What the standard leaves open, and what a list has no place for.
    pub(super) fn open_questions(&mut self) {
        let tariff = self.tariff;
        if let Some(kind) = &tariff.kind {
            let message = format!(
                "a list cannot say for whom it is; `{kind}` is kept as a comment, so put the list in force for them only"
            );
            self.note("type", message);
        }
        if !tariff.energy.is_empty() {
            self.note("energy_mix", "kept as a comment");
        }
        let kinds: Vec<Kind> = self.charges.iter().map(|charge| charge.kind).collect();
        let has = |kind: Kind| kinds.contains(&kind);
        let later = |charge: &Charge| {
            charge.kind == Kind::FlatFee && !charge.lines.first().is_some_and(Line::is_always)
        };
        if self.charges.iter().any(later) {
            self.note(
                "elements",
                "when a FLAT price is charged whose element applies later than from the start is open; here it is charged once, when the first \
                 such element applies",
            );
        }
        if has(Kind::ReservationFlat) || has(Kind::ReservationTime) {
            self.note(
                "elements",
                "a RESERVATION_EXPIRES price takes the place of the RESERVATION price of its type when a reservation expires",
            );
        }
        let stepped = |kind: Kind| {
            let mut lines =
                self.charges.iter().filter(|charge| charge.kind == kind).flat_map(|charge| &charge.lines);
            lines.any(|line| line.step > 1)
        };
        if stepped(Kind::ChargingTime) && has(Kind::ParkingTime) {
            self.note("elements", "in a session that pays for parking, TIME is not rounded up to its `step_size`, as the standard has it");
        }
        let none = self.charges.iter().flat_map(|charge| &charge.lines).all(|line| line.vat.is_none());
        match tariff.tax {
            TaxIncluded::No if none && tariff.version == Version::V211 => {
                self.note("", "OCPI 2.1.1 has prices without VAT and does not say the rate; write yours into the line `VAT: none`");
            }
            TaxIncluded::No if none => {
                self.note(
                    "",
                    "no component has a `vat`, which means that no VAT applies; `VAT: none` says so",
                );
            }
            TaxIncluded::Yes if none => {
                let message = "taxes are included and no component says at which rate; write it into the line `VAT: none`";
                self.note("tax_included", message);
            }
            _ => {}
        }
    }
}
