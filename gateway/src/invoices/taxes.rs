//! VAT categories of rows, and the breakdown by category and rate.

use super::rows::{Read, add};
use super::{InvoiceError, Party};
use rust_decimal::Decimal;

/// Why a row has VAT or has none (UNCL 5305).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Category {
    /// S: a rate above zero.
    Standard,
    /// Z: a rate of zero.
    Zero,
    /// E: exempt, with the reason.
    Exempt,
    /// O: none of VAT's business.
    Outside,
    /// AE: the payer owes it.
    ReverseCharge,
}

impl Category {
    /// The code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Standard => "S",
            Self::Zero => "Z",
            Self::Exempt => "E",
            Self::Outside => "O",
            Self::ReverseCharge => "AE",
        }
    }

    /// The code of the reason why there is no VAT (VATEX).
    pub(super) fn exemption(self) -> Option<&'static str> {
        match self {
            Self::Outside => Some("VATEX-EU-O"),
            Self::ReverseCharge => Some("VATEX-EU-AE"),
            Self::Standard | Self::Zero | Self::Exempt => None,
        }
    }
}

/// VAT of a category and rate. Amounts in minor units.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tax {
    /// Category.
    pub category: Category,
    /// Percent.
    pub rate: Decimal,
    /// Without VAT.
    pub taxable: i64,
    /// VAT.
    pub amount: i64,
    /// Why there is none, for E, O and AE.
    pub reason: Option<String>,
}

/// The category of a row, and why it has no VAT.
#[derive(Clone, Debug)]
pub(super) struct Sorted {
    pub(super) category: Category,
    reason: Option<String>,
}

// What tariffs call it.
const OUTSIDE_SCOPE: &str = "outside scope";

/// The category of each row.
///
/// A seller without a VAT number is not subject to VAT: all of it is O. What the tariff calls `outside scope` is O where nothing else is on the invoice, else E with
/// that reason: O stands beside no other category (BR-O-11) and beside no VAT number (BR-O-02).
pub(super) fn sort(
    read: &Read,
    seller: &Party,
    payer: &Party,
    reverse_charge: bool,
) -> Result<Vec<Sorted>, InvoiceError> {
    let number = |bill: usize| read.bills.get(bill).map(|bill| bill.number.clone()).unwrap_or_default();
    let all_outside = read.rows.iter().all(|row| row.reason.as_deref() == Some(OUTSIDE_SCOPE));
    let mut sorted = Vec::with_capacity(read.rows.len());
    for row in &read.rows {
        let category = if !row.rate.is_zero() {
            if reverse_charge {
                return Err(InvoiceError::NotReverse {
                    number: number(row.bill),
                    rate: row.rate.to_string(),
                });
            }
            if seller.vat_number.is_none() {
                let (number, rate, seller) = (number(row.bill), row.rate.to_string(), seller.name.clone());
                return Err(InvoiceError::NoVatNumber { number, rate, seller });
            }
            Category::Standard
        } else if reverse_charge && row.reason.is_none() {
            Category::ReverseCharge
        } else if seller.vat_number.is_none() || all_outside {
            Category::Outside
        } else if row.reason.is_some() {
            Category::Exempt
        } else {
            Category::Zero
        };
        let reason = match category {
            Category::Standard | Category::Zero => None,
            Category::Exempt | Category::Outside => row
                .reason
                .clone()
                .filter(|reason| reason != OUTSIDE_SCOPE)
                .or(Some("Not subject to VAT".to_owned())),
            Category::ReverseCharge => Some("Reverse charge".to_owned()),
        };
        sorted.push(Sorted { category, reason });
    }
    if sorted.iter().any(|one| one.category == Category::ReverseCharge) {
        if seller.vat_number.is_none() {
            let help = "BR-AE-02: reverse charge needs its `vat_number`";
            return Err(InvoiceError::Missing { what: "the VAT number of the seller", help });
        }
        if payer.vat_number.is_none() && payer.company_number.is_none() {
            let help = "BR-AE-02: reverse charge needs his VAT number or company number";
            return Err(InvoiceError::Missing { what: "the number of the payer", help });
        }
    }
    Ok(sorted)
}

/// Taxable amount and VAT by category and rate. `sign`: -1 for a credit note.
pub(super) fn breakdown(read: &Read, sorted: &[Sorted], sign: i64) -> Result<Vec<Tax>, InvoiceError> {
    let mut taxes: Vec<Tax> = Vec::new();
    for (row, sorted) in read.rows.iter().zip(sorted) {
        let net = row.net.checked_mul(sign).ok_or(InvoiceError::Overflow)?;
        match taxes.iter_mut().find(|tax| tax.category == sorted.category && tax.rate == row.rate) {
            Some(tax) => {
                tax.taxable = add(tax.taxable, net)?;
                // One breakdown of E, O or AE (BR-E-01 and others): it says all the reasons.
                if let (Some(known), Some(reason)) = (&mut tax.reason, &sorted.reason)
                    && !known.split("; ").any(|one| one == reason)
                {
                    *known = format!("{known}; {reason}");
                }
            }
            None => {
                let vat = read.vat.iter().find(|vat| vat.rate == row.rate).map_or(0, |vat| vat.amount);
                taxes.push(Tax {
                    category: sorted.category,
                    rate: row.rate,
                    taxable: net,
                    amount: vat.checked_mul(sign).ok_or(InvoiceError::Overflow)?,
                    reason: sorted.reason.clone(),
                });
            }
        }
    }
    Ok(taxes)
}
