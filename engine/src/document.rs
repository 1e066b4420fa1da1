//! A bill as the document that outsiders read: names instead of indexes, strings instead of numbers.

use crate::bill::{Bill, BillLine, Row, Source};
use crate::calendar_time::local_text;
use crate::evaluate::Pricing;
use crate::exact::{Counted, print_decimal};
use crate::prepared::{Prepared, hash_text};
use crate::prices::PriceBook;
use crate::session::Session;
use crate::standing::Standing;
use crate::tariff::{ChargeKind, Span, Who};
use crate::units::{Instant, MINUTE_MS};
use serde::Serialize;

/// A bill, preview or correction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Document {
    /// Unique for the session and revision.
    pub id: String,
    /// `bill`, `preview` or `correction`.
    pub kind: &'static str,
    /// Counts up from 1.
    pub revision: u32,
    /// The bill that a correction corrects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrects: Option<String>,
    /// The session.
    pub session: String,
    /// `final`, `running` or `pending`.
    pub status: &'static str,
    /// ISO 4217.
    pub currency: String,
    /// The sense of `amount`s.
    pub prices_include_vat: bool,
    /// Energy to the car.
    pub energy_kwh: String,
    /// Energy from the car, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exported_kwh: Option<String>,
    /// From plug-in.
    pub from: String,
    /// To unplugging; missing while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Which tariff.
    pub tariff: TariffRef,
    /// Hashes of all it was made from.
    pub inputs: Inputs,
    /// Every slice and adjustment.
    pub lines: Vec<LineDoc>,
    /// What a person sees; adds up.
    pub charges: Vec<ChargeDoc>,
    /// Taxes.
    pub vat: Vec<VatDoc>,
    /// Without taxes.
    pub net: String,
    /// All taxes.
    pub vat_total: String,
    /// With taxes.
    pub total: String,
    /// Slices without a price.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<PendingDoc>,
    /// Booked for the property.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub payouts: Vec<ChargeDoc>,
    /// The slices behind `payouts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub payout_lines: Vec<LineDoc>,
    /// What a person should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Closing counters.
    pub standing: Standing,
}

/// Which tariff priced it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TariffRef {
    /// Title.
    pub name: String,
    /// File.
    pub file: String,
    /// Hash of the compiled form.
    pub version: String,
}

/// Hashes of the inputs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Inputs {
    /// Of the session document.
    pub session: String,
    /// Of all price files.
    pub prices: String,
    /// Of the opening counters.
    pub standing: String,
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LineDoc {
    /// Kind of charge, `discount`, `coupon` or `limit`.
    pub charge: &'static str,
    /// As printed.
    pub label: String,
    /// Start.
    pub from: String,
    /// End.
    pub to: String,
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// Of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// At which price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<String>,
    /// Exact, to 12 places.
    pub amount: String,
    /// Percent; all taxes of the class together.
    pub vat_rate: String,
    /// `file:line` that decided.
    pub rule: String,
}

/// One printed amount.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ChargeDoc {
    /// Kind of charge, `discount`, `coupon` or `limit`.
    pub charge: &'static str,
    /// As printed.
    pub label: String,
    /// Printed.
    pub amount: String,
    /// Percent; all taxes of the class together.
    pub vat_rate: String,
    /// Why there is no VAT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vat_reason: Option<String>,
    /// What the amount consists of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartDoc>,
}

/// A part of a charge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PartDoc {
    /// Named price or feed.
    pub label: String,
    /// Printed.
    pub amount: String,
}

/// One tax.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct VatDoc {
    /// `VAT` or the tax's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Percent.
    pub rate: String,
    /// Base.
    pub net: String,
    /// Tax.
    pub vat: String,
}

/// A slice without a price.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PendingDoc {
    /// Kind of charge.
    pub charge: &'static str,
    /// As printed.
    pub label: String,
    /// Start.
    pub from: String,
    /// End.
    pub to: String,
}

/// The word for a kind of charge.
#[must_use]
pub const fn kind_text(kind: ChargeKind) -> &'static str {
    match kind {
        ChargeKind::Energy => "energy",
        ChargeKind::ChargingTime => "charging time",
        ChargeKind::ConnectedTime => "connected time",
        ChargeKind::ParkingTime => "parking time",
        ChargeKind::IdleFee => "idle fee",
        ChargeKind::StartFee => "start fee",
        ChargeKind::ReservationFee => "reservation fee",
        ChargeKind::FeedIn => "feed-in",
        ChargeKind::PaymentFee => "payment fee",
        ChargeKind::PayoutToSite => "payout to site",
    }
}

/// Minor units as printed.
#[must_use]
pub fn money(amount: i64, digits: u8) -> String {
    print_decimal(i128::from(amount), u32::from(digits), false)
}

struct Printer<'a> {
    p: &'a Prepared,
    digits: u8,
}

impl Printer<'_> {
    fn names(&self, source: Source) -> (&'static str, String) {
        let tariff = &self.p.tariff;
        let charge = |index: u16| {
            tariff
                .charges
                .get(usize::from(index))
                .map_or(("", String::new()), |c| (kind_text(c.kind), c.label.clone()))
        };
        let limit_text = |limit: &crate::tariff::Limit| {
            let amount = print_decimal(limit.amount.mantissa(), limit.amount.scale(), false);
            let span = match limit.span {
                Span::Session => "session",
                Span::Day => "day",
                Span::Month => "month",
                Span::Bill => "bill",
            };
            let who = match limit.who {
                Who::Session => "",
                Who::Driver => " per driver",
                Who::Site => " per site",
            };
            let bound = if limit.floor { "at least" } else { "at most" };
            format!("{bound} {amount} {}/{span}{who}", tariff.currency.code)
        };
        match source {
            Source::Charge(index) => charge(index),
            Source::Step(index) => {
                let (kind, label) = charge(index);
                (kind, format!("{label}, up to the full step"))
            }
            Source::Limit(index, limit) => {
                let (kind, label) = charge(index);
                let limit =
                    tariff.charges.get(usize::from(index)).and_then(|c| c.limits.get(usize::from(limit)));
                (kind, limit.map_or(label.clone(), |limit| format!("{label}, {}", limit_text(limit))))
            }
            Source::Discount(index) => (
                "discount",
                tariff.discounts.get(usize::from(index)).map_or_else(String::new, |d| d.label.clone()),
            ),
            Source::Coupon(index) => {
                let code = tariff.coupons.get(usize::from(index)).map_or("", |coupon| coupon.code.as_str());
                ("coupon", if code.is_empty() { "Coupon".into() } else { format!("Coupon {code}") })
            }
            Source::TotalLimit(index) => {
                let limit = tariff.total_limits.get(usize::from(index));
                ("limit", limit.map_or_else(String::new, |limit| format!("Total {}", limit_text(limit))))
            }
        }
    }

    fn rate(&self, class: u32) -> String {
        let factor = self.p.tax_factors.get(class as usize).map_or(crate::exact::Num::ONE, |tax| tax.factor);
        let percent = factor
            .sub(crate::exact::Num::ONE)
            .and_then(|share| share.mul(crate::exact::Num::new(100, 0)))
            .unwrap_or(crate::exact::Num::ZERO);
        percent.to_plain()
    }

    fn time(&self, t: i64) -> String {
        local_text(&self.p.tariff.zone, Instant(t))
    }

    fn line(&self, line: &BillLine) -> LineDoc {
        let (charge, label) = self.names(line.source);
        let negative = charge == "feed-in";
        let (quantity, unit, unit_price) = match line.measured {
            None => (None, None, None),
            Some((quantity, counted, price)) => {
                let (text, unit) = match counted {
                    Counted::Energy => (print_decimal(i128::from(quantity), 6, true), "kWh"),
                    Counted::Minutes => (ratio(quantity, MINUTE_MS), "min"),
                    Counted::Hours => (ratio(quantity, 60 * MINUTE_MS), "h"),
                    Counted::Pieces => {
                        (quantity.to_string(), if charge == "payment fee" { "bill" } else { "session" })
                    }
                };
                let price = if negative { price.negated().unwrap_or(price) } else { price };
                (Some(text), Some(unit), Some(price.to_plain()))
            }
        };
        LineDoc {
            charge,
            label,
            from: self.time(line.from),
            to: self.time(line.to),
            quantity,
            unit,
            unit_price,
            amount: line.amount.print12(),
            vat_rate: self.rate(line.tax),
            rule: self.p.place(line.rule),
        }
    }

    fn row(&self, row: &Row) -> ChargeDoc {
        let (charge, label) = self.names(row.source);
        let part_label = |index: u32| match self.p.part_labels.get(index as usize) {
            Some(label) => label.clone(),
            None => label.clone(),
        };
        ChargeDoc {
            charge,
            amount: money(row.amount, self.digits),
            vat_rate: self.rate(row.tax),
            vat_reason: self
                .p
                .tariff
                .tax_classes
                .get(row.tax as usize)
                .and_then(|class| class.reason.clone()),
            parts: row
                .parts
                .iter()
                .map(|(part, amount)| PartDoc {
                    label: part_label(*part),
                    amount: money(*amount, self.digits),
                })
                .collect(),
            label,
        }
    }
}

// milliseconds as minutes or hours, to six places.
fn ratio(ms: i64, unit: i64) -> String {
    print_decimal(crate::exact::div_half_away(i128::from(ms) * 1_000_000, i128::from(unit)), 6, true)
}

/// Hashes of a bill's inputs: `session` is the session document as received.
#[must_use]
pub fn inputs(pricing: &Pricing<'_>, session: &[u8], standing: &Standing) -> Inputs {
    let prices = pricing.files.map(PriceBook::fingerprint).unwrap_or_default();
    Inputs {
        session: hash_text(session),
        prices: hash_text(prices.as_bytes()),
        standing: hash_text(serde_json::to_string(standing).unwrap_or_default().as_bytes()),
    }
}

impl Bill {
    /// The document of this bill.
    #[must_use]
    pub fn document(&self, pricing: &Pricing<'_>, session: &Session, inputs: Inputs) -> Document {
        let p = pricing.p;
        let tariff = &p.tariff;
        let digits = tariff.currency.digits;
        let printer = Printer { p, digits };
        let status = match (self.ended, self.pending.is_empty()) {
            (false, _) => "running",
            (true, false) => "pending",
            (true, true) => "final",
        };
        let tax = |row: &crate::bill::TaxRow| {
            let class = tariff.tax_classes.get(row.class as usize);
            let tax = class.and_then(|class| class.taxes.get(row.tax as usize));
            VatDoc {
                label: tax.map(|tax| tax.label.clone()).filter(|label| label != "VAT"),
                rate: tax.map_or_else(String::new, |tax| tax.rate.normalize().to_string()),
                net: money(row.base, digits),
                vat: money(row.amount, digits),
            }
        };
        let pending = |slice: &crate::bill::Pending| {
            let (charge, label) = printer.names(Source::Charge(slice.charge));
            PendingDoc { charge, label, from: printer.time(slice.from.0), to: printer.time(slice.to.0) }
        };
        let kind = if self.is_final() { "bill" } else { "preview" };
        let identity = format!(
            "{}\n{}\n{}\n{}\n{}",
            session.id,
            p.version(),
            inputs.session,
            inputs.prices,
            inputs.standing
        );
        let hash = hash_text(identity.as_bytes());
        let (_, short) = hash.split_at("sha256:".len());
        Document {
            id: short.chars().take(16).collect(),
            kind,
            revision: 1,
            corrects: None,
            session: session.id.clone(),
            status,
            currency: tariff.currency.code.clone(),
            prices_include_vat: tariff.includes_vat,
            energy_kwh: print_decimal(i128::from(self.energy.0), 6, true),
            exported_kwh: (self.energy.1 != 0).then(|| print_decimal(i128::from(self.energy.1), 6, true)),
            from: printer.time(session.plugged_in.0),
            to: session.unplugged.map(|at| printer.time(at.0)),
            tariff: TariffRef {
                name: tariff.name.clone(),
                file: tariff.file.clone(),
                version: p.version().to_owned(),
            },
            inputs,
            lines: self.lines.iter().map(|line| printer.line(line)).collect(),
            charges: self.rows.iter().map(|row| printer.row(row)).collect(),
            vat: self.taxes.iter().map(tax).collect(),
            net: money(self.net, digits),
            vat_total: money(self.tax_total, digits),
            total: money(self.total, digits),
            pending: self.pending.iter().map(pending).collect(),
            payouts: self.payouts.iter().map(|row| printer.row(row)).collect(),
            payout_lines: self.payout_lines.iter().map(|line| printer.line(line)).collect(),
            notes: self.notes.clone(),
            standing: self.standing.clone(),
        }
    }
}
