//! The receipt as plain text.

use super::{Receipt, words};
use crate::cli::layout::places;
use crate::cli::layout::{ends, rule};
use crate::cli::receipt::Sheet;
use crate::cli::receipt::dates::{date_minute, hours, session_times};

const WIDTH: usize = 80;

pub(super) fn page(receipt: &Receipt<'_>) -> String {
    let Receipt { head, document, about, .. } = receipt;
    let sheet = Sheet { width: WIDTH, colour: false };
    let mut lines = Vec::new();
    if let Some(seller) = about.seller {
        let numbers = [
            seller.company_number.as_ref().map(|number| format!("{} {number}", words::COMPANY_NUMBER)),
            seller.vat_number.as_ref().map(|number| format!("{} {number}", words::VAT_NUMBER)),
        ];
        lines.push(ends(&seller.name, &numbers.into_iter().flatten().collect::<Vec<_>>().join(", "), WIDTH));
        lines.push(ends(&seller.address.join(", "), &seller.contact.join(", "), WIDTH));
        lines.push(String::new());
    }
    let title = format!("{} {}", receipt.title(), head.number);
    lines.push(ends(&title, &format!("{} {}", words::ISSUED, date_minute(&head.issued)), WIDTH));
    let charger = document.charger.as_ref().map(|charger| format!("charger {charger}"));
    let place = [charger.as_deref(), receipt.site()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    lines.push(ends(&format!("{} {}", words::SESSION, document.session), &place, WIDTH));
    let lasted = document.to.as_deref().map(|to| format!(" in {}", hours(&document.from, to)));
    let energy = format!("{} kWh{}", places(&document.energy_kwh, 0, 3), lasted.unwrap_or_default());
    lines.push(ends(&session_times(document), &energy, WIDTH));
    let basis = receipt.basis().map(|basis| format!(", {basis}")).unwrap_or_default();
    let amounts = format!("{} {}{basis}", words::AMOUNTS_IN, document.currency);
    lines.push(ends(&document.tariff.name, &amounts, WIDTH));
    lines.push(rule(WIDTH));
    let head = lines.iter().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
    // What the property gets is not the driver's business.
    let shown = takst_engine::document::Document { payouts: Vec::new(), ..document.clone() };
    head + &sheet.body(&shown, receipt.digits())
}
