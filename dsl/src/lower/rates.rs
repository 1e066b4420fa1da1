//! Money as written to exact numbers in base units: the list's currency per kWh, per hour and so on.

use super::Lowering;
use super::expr::{Literal, Typed};
use crate::ast::{At, Name, PerWord, Quantity, Rate, Unit};
use crate::resolve::names::{UNKNOWN_CURRENCY, no_currency};
use crate::resolve::report::{Labels, Place, error};
use crate::resolve::{currency, names::Sort};
use crate::units::{self, Basis, Counted, Dim};
use rust_decimal::Decimal;
use takst_engine::tariff::Formula;

impl Lowering<'_> {
    /// The code of the list's currency.
    pub(super) fn code(&self) -> &str {
        self.settings.currency.as_ref().map_or(UNKNOWN_CURRENCY, |currency| &currency.code)
    }

    /// The VAT basis of written prices.
    pub(super) fn basis(&self) -> Basis {
        match self.settings.includes_vat {
            None => Basis::Any,
            Some(true) => Basis::Gross,
            Some(false) => Basis::Net,
        }
    }

    /// How many of the list's currency one of a money word is.
    fn money_word(&mut self, word: &Name, source: u32) -> Option<Decimal> {
        let at = Place { source, span: word.span };
        let code = self.settings.currency.as_ref().map(|currency| currency.code.clone());
        if let Some(fitting) = currency::hundredth(&word.it) {
            let fits = code.as_ref().is_none_or(|code| fitting.contains(&code.as_str()));
            if !fits {
                let code = code.unwrap_or_default();
                self.out.push(
                    error("E207", at, format!("`{}` is no hundredth of {code}", word.it))
                        .help(format!("the list is in {code}; write the price in {code}")),
                );
                return None;
            }
            return Some(Decimal::new(1, 2));
        }
        match code {
            Some(code) if code == word.it => Some(Decimal::ONE),
            Some(code) if currency::currency(&word.it).is_some() => {
                self.out.push(error("E206", at, format!("this is {}, the list is in {code}", word.it)).help(
                    format!(
                        "write the price in {code}, or convert a feed, as in `feed rate: {code}/{}`",
                        word.it
                    ),
                ));
                None
            }
            None if currency::currency(&word.it).is_some() => Some(Decimal::ONE),
            _ => {
                self.out.push(no_currency(at, &word.it));
                None
            }
        }
    }

    /// A rate in base units; `None` when it is wrong (and reported).
    pub(super) fn rate(&mut self, rate: &Rate, at: Place) -> Option<Typed> {
        let factor = self.money_word(&rate.money, at.source);
        let mut dim = Dim::money(self.code());
        let mut value =
            factor.and_then(|factor| units::mul(rate.number, factor)).filter(|_| units::fits(rate.number));
        if factor.is_some() && value.is_none() {
            self.too_long(at);
        }
        let mut literal = Literal { minute: false, mwh: false };
        let mut wrong = value.is_none();
        for per in &rate.per {
            let word_at = Place { source: at.source, span: per.span };
            match &per.it {
                PerWord::Unit(word) => {
                    let Some((below, (above, under))) = units::unit(*word) else {
                        let word = units::word(*word);
                        self.out.push(
                            error("E211", word_at, format!("a price per `{word}` does not exist here"))
                                .help("`EUR/day` can stand in limits only, as in `at most 15.00 EUR/day`"),
                        );
                        return None;
                    };
                    literal.minute |= *word == Unit::Min;
                    let (above, under) =
                        if self.per_minute && *word == Unit::Min { (1, 1) } else { (above, under) };
                    literal.mwh |= *word == Unit::MWh;
                    dim = dim.over(&below);
                    let scaled = value
                        .and_then(|value| units::mul(value, under.into()))
                        .and_then(|value| units::div(value, above.into()));
                    if scaled.is_none() && !wrong {
                        self.too_long(at);
                        wrong = true;
                    }
                    value = scaled;
                }
                PerWord::Money(code) if currency::currency(code).is_some() => {
                    let known = self.settings.currency.as_ref().map_or(UNKNOWN_CURRENCY, |_| code.as_str());
                    dim = dim.over(&Dim::money(known));
                }
                PerWord::Money(code) => {
                    self.out.push(no_currency(word_at, code));
                    return None;
                }
            }
        }
        let value = value.filter(|_| !wrong)?;
        let tariff = self.basis();
        let basis = match (tariff, rate.includes_vat) {
            (Basis::Any, _) => Basis::Any,
            _ if value.is_zero() || !dim.has_money() => Basis::Any,
            (basis, None) => basis,
            (_, Some(true)) => Basis::Gross,
            (_, Some(false)) => Basis::Net,
        };
        Some(Typed { basis, literal: Some(literal), ..Typed::new(Formula::Const(value), dim) })
    }

    fn too_long(&mut self, at: Place) {
        let message = format!("`{}` has too many digits", self.text(at));
        self.out.push(error("E209", at, message).help(
            "numbers have at most 12 decimals (per kWh and per hour) and at most 15 digits before the point",
        ));
    }

    /// A plain number that fits.
    pub(super) fn number(&mut self, number: Decimal, at: Place) -> Option<Decimal> {
        if !units::fits(number) {
            self.too_long(at);
            return None;
        }
        Some(number)
    }

    /// A plain sum of money, as in `50.00 EUR`, not negative.
    pub(super) fn amount(&mut self, rate: &At<Rate>, source: u32) -> Option<Decimal> {
        let at = Place { source, span: rate.span };
        let typed = self.rate(&rate.it, at)?;
        let text = self.text(at);
        if typed.dim != Dim::money(self.code()) {
            let example = format!("5.00 {}", self.code());
            self.out.push(
                error(
                    "E211",
                    at,
                    format!("`{text}` is {}, but a plain sum of money belongs here", typed.dim.words()),
                )
                .help(format!("write it as in `{example}`")),
            );
            return None;
        }
        if typed.basis.with(self.basis()).is_none() {
            let message = format!("`{text}` is {}, the list's prices are not", typed.basis.words());
            self.out.push(error("E204", at, message).help("write amounts as the list's prices are"));
            return None;
        }
        match typed.formula {
            Formula::Const(value) if value >= Decimal::ZERO => Some(value),
            _ => {
                self.out.push(error("E211", at, format!("`{text}` is less than nothing")));
                None
            }
        }
    }

    /// A result in the other basis than the list's.
    pub(super) fn other_basis(&mut self, at: Place, basis: Basis) {
        let (list, add) =
            if basis == Basis::Net { (Basis::Gross, "plus VAT") } else { (Basis::Net, "less VAT") };
        let message = format!("this is {}, the list's prices are {}", basis.words(), list.words());
        // What was converted the wrong way, or for nothing, is better left as it was.
        let undo = if basis == Basis::Net { "less VAT" } else { "plus VAT" };
        let help = if self.text(at).ends_with(undo) {
            format!("leave out `{undo}`")
        } else {
            format!("write `{add}` behind it")
        };
        self.out.push(error("E204", at, message).help(help));
    }

    /// A quantity of the wanted kind in whole base units; says what is wrong otherwise.
    pub(super) fn counted(
        &mut self,
        quantity: &At<Quantity>,
        source: u32,
        wanted: &[Counted],
    ) -> Option<(Counted, i64)> {
        let at = Place { source, span: quantity.span };
        let names: Vec<&str> = wanted.iter().map(|counted| units_of(*counted)).collect();
        let text = self.text(at);
        match units::count(&quantity.it) {
            Ok((counted, amount)) if wanted.contains(&counted) => Some((counted, amount)),
            Ok(_) | Err(true) => {
                let message = format!(
                    "`{text}` is in {}, here belong {}",
                    units::word(quantity.it.unit),
                    names.join(" or ")
                );
                self.out.push(error("E210", at, message).says(format!("not {}", names.join(" or "))));
                None
            }
            Err(false) => {
                self.out.push(error("E210", at, format!("`{text}` is out of range")).help(
                    "quantities are greater than zero and are counted in whole milliseconds and millionths",
                ));
                None
            }
        }
    }

    /// Like [`Self::counted`], but zero is a quantity too: none of it.
    pub(super) fn counted_or_none(
        &mut self,
        quantity: &At<Quantity>,
        source: u32,
        wanted: &[Counted],
    ) -> Option<(Counted, i64)> {
        if !quantity.it.number.is_zero() {
            return self.counted(quantity, source, wanted);
        }
        let one = Quantity { number: Decimal::ONE, ..quantity.it.clone() };
        let (counted, _) = self.counted(&At { it: one, span: quantity.span }, source, wanted)?;
        Some((counted, 0))
    }

    /// Marks a name of formulas as used.
    pub(super) fn name_used(&mut self, name: &str) {
        self.names.uses(Sort::Named, name);
    }
}

fn units_of(counted: Counted) -> &'static str {
    match counted {
        Counted::Energy => "kWh",
        Counted::Time => "min or h",
        Counted::Power => "kW",
        Counted::Current => "A",
    }
}
