//! The invoice as UBL 2.1, in the order and with the elements of Peppol BIS Billing 3.0.

use super::{Adjustment, Category, Invoice, Kind, Line, Party};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use rust_decimal::Decimal;
use std::io;
use takst_engine::document::money;

const CUSTOMIZATION: &str = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0";
const PROFILE: &str = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0";
const CAC: &str = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2";
const CBC: &str = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2";
const INVOICE: &str = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2";
const CREDIT_NOTE: &str = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2";

type To<'a> = &'a mut Writer<Vec<u8>>;

/// The document with its declaration.
pub(super) fn write(invoice: &Invoice) -> String {
    let mut to = Writer::new_with_indent(Vec::new(), b' ', 1);
    // A vector takes whatever is written.
    let _ = document(&mut to, invoice);
    let mut text = String::from_utf8(to.into_inner()).unwrap_or_default();
    text.push('\n');
    text
}

fn document(to: To<'_>, invoice: &Invoice) -> io::Result<()> {
    to.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let (root, namespace) = match invoice.kind {
        Kind::Invoice => ("Invoice", INVOICE),
        Kind::CreditNote => ("CreditNote", CREDIT_NOTE),
    };
    let root = to.create_element(root).with_attributes([
        ("xmlns", namespace),
        ("xmlns:cac", CAC),
        ("xmlns:cbc", CBC),
    ]);
    root.write_inner_content(|to| {
        head(to, invoice)?;
        inside(to, "cac:AccountingSupplierParty", |to| party(to, &invoice.seller))?;
        inside(to, "cac:AccountingCustomerParty", |to| party(to, &invoice.payer))?;
        delivery(to, invoice)?;
        payment(to, invoice)?;
        for adjustment in &invoice.adjustments {
            self::adjustment(to, invoice, adjustment)?;
        }
        taxes(to, invoice)?;
        totals(to, invoice)?;
        for (number, line) in (1_usize..).zip(&invoice.lines) {
            self::line(to, invoice, number, line)?;
        }
        Ok(())
    })?;
    Ok(())
}

fn head(to: To<'_>, invoice: &Invoice) -> io::Result<()> {
    text(to, "cbc:CustomizationID", CUSTOMIZATION)?;
    text(to, "cbc:ProfileID", PROFILE)?;
    text(to, "cbc:ID", &invoice.number)?;
    text(to, "cbc:IssueDate", &invoice.issued.to_string())?;
    match invoice.kind {
        Kind::Invoice => {
            some(to, "cbc:DueDate", invoice.due.map(|due| due.to_string()).as_deref())?;
            text(to, "cbc:InvoiceTypeCode", "380")?;
        }
        Kind::CreditNote => text(to, "cbc:CreditNoteTypeCode", "381")?,
    }
    some(to, "cbc:Note", invoice.note.as_deref())?;
    text(to, "cbc:DocumentCurrencyCode", &invoice.currency)?;
    some(to, "cbc:BuyerReference", invoice.buyer_reference.as_deref())?;
    period(to, invoice.period)?;
    if let Some(order) = &invoice.order {
        inside(to, "cac:OrderReference", |to| text(to, "cbc:ID", order))?;
    }
    for corrected in &invoice.corrects {
        inside(to, "cac:BillingReference", |to| {
            inside(to, "cac:InvoiceDocumentReference", |to| {
                text(to, "cbc:ID", &corrected.number)?;
                some(to, "cbc:IssueDate", corrected.issued.map(|day| day.to_string()).as_deref())
            })
        })?;
    }
    Ok(())
}

fn period(to: To<'_>, period: Option<(chrono::NaiveDate, chrono::NaiveDate)>) -> io::Result<()> {
    let Some((from, until)) = period else { return Ok(()) };
    inside(to, "cac:InvoicePeriod", |to| {
        text(to, "cbc:StartDate", &from.to_string())?;
        text(to, "cbc:EndDate", &until.to_string())
    })
}

fn party(to: To<'_>, party: &Party) -> io::Result<()> {
    inside(to, "cac:Party", |to| {
        if let Some(endpoint) = &party.endpoint {
            with(to, "cbc:EndpointID", ("schemeID", &endpoint.scheme), &endpoint.id)?;
        }
        inside(to, "cac:PartyName", |to| text(to, "cbc:Name", &party.name))?;
        inside(to, "cac:PostalAddress", |to| address(to, &party.address))?;
        let mut taxes = vec![];
        taxes.extend(party.vat_number.as_deref().map(|number| (number, "VAT")));
        taxes.extend(party.in_foretaksregisteret.then_some(("Foretaksregisteret", "TAX")));
        for (number, scheme) in taxes {
            inside(to, "cac:PartyTaxScheme", |to| {
                text(to, "cbc:CompanyID", number)?;
                inside(to, "cac:TaxScheme", |to| text(to, "cbc:ID", scheme))
            })?;
        }
        inside(to, "cac:PartyLegalEntity", |to| {
            text(to, "cbc:RegistrationName", &party.name)?;
            match (&party.company_number, party.company_scheme()) {
                (Some(number), Some(scheme)) => with(to, "cbc:CompanyID", ("schemeID", scheme), number),
                (Some(number), None) => text(to, "cbc:CompanyID", number),
                (None, _) => Ok(()),
            }
        })?;
        let contact = &party.contact;
        let about = [
            ("cbc:Name", &contact.name),
            ("cbc:Telephone", &contact.phone),
            ("cbc:ElectronicMail", &contact.email),
        ];
        if about.iter().all(|(_, value)| value.as_deref().is_none_or(|value| clean(value).is_empty())) {
            return Ok(());
        }
        inside(to, "cac:Contact", |to| {
            about.iter().try_for_each(|(name, value)| some(to, name, value.as_deref()))
        })
    })
}

fn address(to: To<'_>, address: &super::Address) -> io::Result<()> {
    text(to, "cbc:StreetName", &address.street)?;
    let mut more = address.more.iter();
    some(to, "cbc:AdditionalStreetName", more.next().map(String::as_str))?;
    text(to, "cbc:CityName", &address.city)?;
    text(to, "cbc:PostalZone", &address.postcode)?;
    let rest = more.map(String::as_str).collect::<Vec<_>>().join(", ");
    if !rest.is_empty() {
        inside(to, "cac:AddressLine", |to| text(to, "cbc:Line", &rest))?;
    }
    inside(to, "cac:Country", |to| text(to, "cbc:IdentificationCode", &address.country))
}

// The day of delivery, which Norwegian law wants on a sales document, is the last one.
fn delivery(to: To<'_>, invoice: &Invoice) -> io::Result<()> {
    if invoice.period.is_none() && invoice.place.is_none() {
        return Ok(());
    }
    inside(to, "cac:Delivery", |to| {
        some(to, "cbc:ActualDeliveryDate", invoice.period.map(|(_, last)| last.to_string()).as_deref())?;
        match &invoice.place {
            Some(place) => {
                inside(to, "cac:DeliveryLocation", |to| inside(to, "cac:Address", |to| address(to, place)))
            }
            None => Ok(()),
        }
    })
}

fn payment(to: To<'_>, invoice: &Invoice) -> io::Result<()> {
    let Some(payment) = invoice.payment.as_ref().filter(|payment| !clean(&payment.account).is_empty()) else {
        return Ok(());
    };
    inside(to, "cac:PaymentMeans", |to| {
        // Credit transfer.
        text(to, "cbc:PaymentMeansCode", "30")?;
        if invoice.kind == Kind::CreditNote {
            some(to, "cbc:PaymentDueDate", invoice.due.map(|due| due.to_string()).as_deref())?;
        }
        some(to, "cbc:PaymentID", payment.reference.as_deref())?;
        inside(to, "cac:PayeeFinancialAccount", |to| {
            text(to, "cbc:ID", &payment.account.chars().filter(|c| !c.is_whitespace()).collect::<String>())?;
            text(to, "cbc:Name", &invoice.seller.name)?;
            match &payment.bic {
                Some(bic) => inside(to, "cac:FinancialInstitutionBranch", |to| text(to, "cbc:ID", bic)),
                None => Ok(()),
            }
        })
    })
}

fn adjustment(to: To<'_>, invoice: &Invoice, adjustment: &Adjustment) -> io::Result<()> {
    inside(to, "cac:AllowanceCharge", |to| {
        text(to, "cbc:ChargeIndicator", if adjustment.is_charge { "true" } else { "false" })?;
        if !adjustment.is_charge {
            // UNCL 5189: discount.
            text(to, "cbc:AllowanceChargeReasonCode", "95")?;
        }
        text(to, "cbc:AllowanceChargeReason", said(&adjustment.reason, "Adjustment"))?;
        amount(to, invoice, "cbc:Amount", adjustment.net)?;
        category(to, "cac:TaxCategory", (adjustment.category, adjustment.rate), None)
    })
}

fn category(
    to: To<'_>,
    name: &str,
    (category, rate): (Category, Decimal),
    reason: Option<&str>,
) -> io::Result<()> {
    inside(to, name, |to| {
        text(to, "cbc:ID", category.code())?;
        if category != Category::Outside {
            text(to, "cbc:Percent", &rate.normalize().to_string())?;
        }
        if let Some(reason) = reason {
            some(to, "cbc:TaxExemptionReasonCode", category.exemption())?;
            text(to, "cbc:TaxExemptionReason", reason)?;
        }
        inside(to, "cac:TaxScheme", |to| text(to, "cbc:ID", "VAT"))
    })
}

fn taxes(to: To<'_>, invoice: &Invoice) -> io::Result<()> {
    inside(to, "cac:TaxTotal", |to| {
        amount(to, invoice, "cbc:TaxAmount", invoice.totals.vat)?;
        invoice.taxes.iter().try_for_each(|tax| {
            inside(to, "cac:TaxSubtotal", |to| {
                amount(to, invoice, "cbc:TaxableAmount", tax.taxable)?;
                amount(to, invoice, "cbc:TaxAmount", tax.amount)?;
                category(to, "cac:TaxCategory", (tax.category, tax.rate), tax.reason.as_deref())
            })
        })
    })
}

fn totals(to: To<'_>, invoice: &Invoice) -> io::Result<()> {
    let has = |is_charge: bool| invoice.adjustments.iter().any(|one| one.is_charge == is_charge);
    let totals = invoice.totals;
    inside(to, "cac:LegalMonetaryTotal", |to| {
        amount(to, invoice, "cbc:LineExtensionAmount", totals.lines)?;
        amount(to, invoice, "cbc:TaxExclusiveAmount", totals.net)?;
        amount(to, invoice, "cbc:TaxInclusiveAmount", totals.total)?;
        if has(false) {
            amount(to, invoice, "cbc:AllowanceTotalAmount", totals.allowances)?;
        }
        if has(true) {
            amount(to, invoice, "cbc:ChargeTotalAmount", totals.charges)?;
        }
        if totals.prepaid != 0 {
            amount(to, invoice, "cbc:PrepaidAmount", totals.prepaid)?;
        }
        amount(to, invoice, "cbc:PayableAmount", totals.payable)
    })
}

fn line(to: To<'_>, invoice: &Invoice, number: usize, line: &Line) -> io::Result<()> {
    let (name, quantity) = match invoice.kind {
        Kind::Invoice => ("cac:InvoiceLine", "cbc:InvoicedQuantity"),
        Kind::CreditNote => ("cac:CreditNoteLine", "cbc:CreditedQuantity"),
    };
    inside(to, name, |to| {
        text(to, "cbc:ID", &number.to_string())?;
        with(to, quantity, ("unitCode", line.unit), &line.quantity.to_string())?;
        amount(to, invoice, "cbc:LineExtensionAmount", line.net)?;
        period(to, line.period)?;
        // The invoiced object is the bill: 130 is the only type that the standard has for it (PEPPOL-EN16931-R101).
        inside(to, "cac:DocumentReference", |to| {
            text(to, "cbc:ID", &line.bill)?;
            text(to, "cbc:DocumentTypeCode", "130")
        })?;
        inside(to, "cac:Item", |to| {
            text(to, "cbc:Description", &line.description)?;
            text(to, "cbc:Name", said(&line.name, "Charging"))?;
            category(to, "cac:ClassifiedTaxCategory", (line.category, line.rate), None)
        })?;
        inside(to, "cac:Price", |to| {
            with(to, "cbc:PriceAmount", ("currencyID", &invoice.currency), &line.price.to_string())
        })
    })
}

// A text, or else this.
fn said<'a>(given: &'a str, otherwise: &'a str) -> &'a str {
    if clean(given).is_empty() { otherwise } else { given }
}

fn amount(to: To<'_>, invoice: &Invoice, name: &str, minor: i64) -> io::Result<()> {
    with(to, name, ("currencyID", &invoice.currency), &money(minor, invoice.digits))
}

fn inside(to: To<'_>, name: &str, content: impl FnOnce(To<'_>) -> io::Result<()>) -> io::Result<()> {
    to.create_element(name).write_inner_content(content)?;
    Ok(())
}

fn some(to: To<'_>, name: &str, value: Option<&str>) -> io::Result<()> {
    value.map_or(Ok(()), |value| text(to, name, value))
}

// An element with this text; none where there is no text: empty elements are forbidden (PEPPOL-EN16931-R008).
fn text(to: To<'_>, name: &str, value: &str) -> io::Result<()> {
    let value = clean(value);
    if !value.is_empty() {
        to.create_element(name).write_text_content(BytesText::new(&value))?;
    }
    Ok(())
}

fn with(to: To<'_>, name: &str, attribute: (&str, &str), value: &str) -> io::Result<()> {
    let value = clean(value);
    if !value.is_empty() {
        to.create_element(name).with_attribute(attribute).write_text_content(BytesText::new(&value))?;
    }
    Ok(())
}

// Without what XML 1.0 cannot hold, and without white space around.
fn clean(value: &str) -> String {
    let kept = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    value
        .chars()
        .filter(|c| kept(*c) && !matches!(c, '\u{fffe}' | '\u{ffff}'))
        .collect::<String>()
        .trim()
        .to_owned()
}
