//! The receipt as plain text.

use super::{Receipt, words};
use crate::cli::layout::{columns, ends, places, rule, wrap};
use crate::cli::receipt::Sheet;
use crate::cli::receipt::dates::{date_minute, hours, session_times};

const WIDTH: usize = 80;

// Two texts at the ends of a line, or below one another where both are too long for it: a receipt cuts nothing.
fn both(start: &str, end: &str) -> Vec<String> {
    if columns(start) + 2 + columns(end) <= WIDTH {
        return vec![ends(start, end, WIDTH)];
    }
    let mut lines = wrap(start, WIDTH);
    lines.extend(wrap(end, WIDTH));
    lines
}

pub(super) fn page(receipt: &Receipt<'_>) -> String {
    let Receipt { head, document, .. } = receipt;
    let sheet = Sheet { width: WIDTH, colour: false, exact: true };
    let mut lines = Vec::new();
    if let Some(seller) = receipt.seller() {
        let numbers = [
            seller.company_number.as_ref().map(|number| format!("{} {number}", words::COMPANY_NUMBER)),
            seller.vat_number.as_ref().map(|number| format!("{} {number}", words::VAT_NUMBER)),
        ];
        lines.extend(both(&seller.name, &numbers.into_iter().flatten().collect::<Vec<_>>().join(", ")));
        lines.extend(both(&seller.address.join(", "), &seller.contact.join(", ")));
        lines.push(String::new());
    }
    let title = format!("{} {}", receipt.title(), head.number);
    lines.extend(both(&title, &format!("{} {}", words::ISSUED, date_minute(&head.issued))));
    let charger = document.charger.as_ref().map(|charger| format!("charger {charger}"));
    let place = [charger.as_deref(), receipt.site()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    lines.extend(both(&format!("{} {}", words::SESSION, document.session), &place));
    let lasted = document.to.as_deref().map(|to| format!(" in {}", hours(&document.from, to)));
    let energy = format!("{} kWh{}", places(&document.energy_kwh, 0, 3), lasted.unwrap_or_default());
    lines.extend(both(&session_times(document), &energy));
    let basis = receipt.basis().map(|basis| format!(", {basis}")).unwrap_or_default();
    let amounts = format!("{} {}{basis}", words::AMOUNTS_IN, document.currency);
    let mut tariffs = receipt.tariffs().into_iter();
    lines.extend(both(&tariffs.next().unwrap_or_default(), &amounts));
    lines.extend(tariffs.flat_map(|tariff| wrap(&tariff, WIDTH)));
    lines.push(rule(WIDTH));
    let head = lines.iter().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
    // What the property gets is not the driver's business.
    let shown = takst_engine::document::Document { payouts: Vec::new(), ..document.clone() };
    head + &sheet.body(&shown, receipt.digits())
}
