//! What the grammar matched as statements, limits and conditions of the syntax tree.

use super::grammar::{Pair, Rule};
use super::lines::span;
use crate::ast::*;
use crate::diagnostic::Diagnostic;
use std::cell::Cell;

/// A part of the tree, or what is wrong with the line.
pub type Built<T> = Result<T, Box<Diagnostic>>;

/// Turns matches of one line into parts of the tree.
pub struct Build {
    /// For labels.
    pub source: u32,
    /// Byte offset of the text that the grammar was given.
    pub base: u32,
    /// Operators met so far in the line.
    pub operators: Cell<usize>,
}

impl Build {
    /// Starts on a line whose code begins at `base`.
    pub fn new(source: u32, base: u32) -> Self {
        Self { source, base, operators: Cell::new(0) }
    }

    /// Where a match stands, without the space after it that the grammar has skipped.
    pub fn span(&self, pair: &Pair<'_>) -> Span {
        let matched = pair.as_span();
        let text = pair.as_str();
        let start = matched.start() + (text.len() - text.trim_start_matches([' ', '\t']).len());
        span(self.base, start, matched.start() + text.trim_end_matches([' ', '\t']).len())
    }

    /// An error about a match.
    pub fn error(&self, code: &'static str, pair: &Pair<'_>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.source, self.span(pair), message)
    }

    /// `it` at a match's place.
    pub fn at<T>(&self, pair: &Pair<'_>, it: T) -> At<T> {
        At { it, span: self.span(pair) }
    }

    /// The text of a match as a name.
    pub fn word(&self, pair: &Pair<'_>) -> Name {
        self.at(pair, pair.as_str().to_owned())
    }

    /// The text between quotes; the span is that of the quotes.
    pub fn string(&self, pair: &Pair<'_>) -> Name {
        self.at(pair, unquoted(pair.as_str()))
    }

    /// The first match of `rule` in `pair`. The grammar says that there is one; where it does not, the line is refused.
    pub fn need<'t>(&self, pair: &Pair<'t>, rule: Rule) -> Built<Pair<'t>> {
        child(pair, rule).ok_or_else(|| self.unread(pair))
    }

    /// The line cannot be read, and nothing better is known.
    pub fn unread(&self, pair: &Pair<'_>) -> Box<Diagnostic> {
        Box::new(
            self.error("E005", pair, "this line cannot be read")
                .help("compare it with the examples in the reference"),
        )
    }

    /// Every match of `rule` in `pair`, turned.
    pub fn each<'t, T>(
        &self,
        pair: &Pair<'t>,
        rule: Rule,
        turn: impl Fn(&Pair<'t>) -> Built<T>,
    ) -> Built<Vec<T>> {
        pair.clone().into_inner().filter(|p| p.as_rule() == rule).map(|p| turn(&p)).collect()
    }

    /// Every match of `rule` as a name.
    pub fn words(&self, pair: &Pair<'_>, rule: Rule) -> Vec<Name> {
        pair.clone().into_inner().filter(|p| p.as_rule() == rule).map(|p| self.word(&p)).collect()
    }

    /// Every text between quotes.
    pub fn strings(&self, pair: &Pair<'_>) -> Vec<Name> {
        pair.clone().into_inner().filter(|p| p.as_rule() == Rule::string).map(|p| self.string(&p)).collect()
    }

    /// The statement of a head line.
    pub fn statement(&self, line: &Pair<'_>) -> Built<Statement> {
        Ok(match line.as_rule() {
            Rule::tariff_line => Statement::Tariff(Head {
                name: self.string(&self.need(line, Rule::string)?),
                settings: Vec::new(),
            }),
            Rule::vat_line => Statement::Vat(Vat {
                on: child(line, Rule::charge_ref).map(|p| self.charge_ref(&p)).transpose()?,
                cases: self.inline(line, Rule::vat_case, |p| self.vat_case(p))?,
            }),
            Rule::tax_line => Statement::Tax(self.tax(line)?),
            Rule::groups_line => Statement::Groups(self.groups(&self.need(line, Rule::group_list)?)?),
            Rule::chargers_line | Rule::sites_line => Statement::Place(Place {
                sites: line.as_rule() == Rule::sites_line,
                name: self.word(&self.need(line, Rule::name)?),
                ids: self.strings(&self.need(line, Rule::strings)?),
            }),
            Rule::period_line => Statement::Period(Period {
                name: self.word(&self.need(line, Rule::window_name)?),
                windows: self.windows(&self.need(line, Rule::windows)?)?,
            }),
            Rule::feed_line => Statement::Feed(self.feed(line)?),
            Rule::price_line => Statement::Price(self.price(line)?),
            Rule::value_line => Statement::Value(self.price(line)?),
            Rule::set_line => Statement::Set(self.price(line)?),
            Rule::charge_line => Statement::Charge(Charge {
                head: self.charge_ref(&self.need(line, Rule::charge_ref)?)?,
                limits: self.each(line, Rule::limit, |p| self.limit(p))?,
                cases: self.inline(line, Rule::case, |p| self.case(p))?,
            }),
            Rule::total_line => {
                Statement::Total(self.each(line, Rule::bound, |p| Ok(self.at(p, self.bound(p)?)))?)
            }
            Rule::scope_line => {
                Statement::CouponScope(self.charge_refs(&self.need(line, Rule::charge_refs)?)?)
            }
            Rule::coupon_line => Statement::Coupon(self.rebate(line)?),
            Rule::discount_line => Statement::Discount(self.rebate(line)?),
            Rule::remove_line => Statement::Remove(self.removed(&self.need(line, Rule::removed)?)?),
            Rule::test_line => Statement::Test(Test {
                name: self.string(&self.need(line, Rule::string)?),
                steps: Vec::new(),
            }),
            _ => return Err(self.unread(line)),
        })
    }

    fn inline<'t, T>(
        &self,
        line: &Pair<'t>,
        rule: Rule,
        turn: impl Fn(&Pair<'t>) -> Built<At<Case<T>>>,
    ) -> Built<Cases<T>> {
        let lines = self.each(line, rule, turn)?;
        Ok(Cases { inline: !lines.is_empty(), lines })
    }

    fn tax(&self, line: &Pair<'_>) -> Built<Tax> {
        let on_top_of = match child(line, Rule::on_top_of) {
            Some(list) => {
                self.each(&list, Rule::tax_name, |p| Ok(self.at(p, unquoted(p.as_str().trim_end()))))?
            }
            None => Vec::new(),
        };
        Ok(Tax {
            name: self.string(&self.need(line, Rule::string)?),
            on_top_of,
            cases: self.inline(line, Rule::tax_case, |p| self.tax_case(p))?,
        })
    }

    fn groups(&self, list: &Pair<'_>) -> Built<Groups> {
        let default = match child(list, Rule::everyone_else) {
            Some(last) => Some(self.word(&self.need(&last, Rule::name)?)),
            None => None,
        };
        Ok(Groups {
            names: self.each(list, Rule::group, |p| Ok(self.word(&self.need(p, Rule::name)?)))?,
            default,
        })
    }

    fn feed(&self, line: &Pair<'_>) -> Built<Feed> {
        let money = self.need(line, Rule::money)?;
        let per = self.need(line, Rule::feed_per)?;
        let unit_span = Span { start: self.span(&money).start, end: self.span(&per).end };
        let mut includes_vat = None;
        let mut holds = false;
        for option in line.clone().into_inner().filter(|p| p.as_rule() == Rule::feed_option) {
            match child(&option, Rule::vat_basis) {
                Some(basis) if includes_vat.is_none() => includes_vat = Some(includes(&basis)),
                None if !holds => holds = true,
                _ => {
                    return Err(Box::new(
                        self.error("E048", &option, "this is said twice").help("say it once"),
                    ));
                }
            }
        }
        Ok(Feed {
            name: self.word(&self.need(line, Rule::price_name)?),
            unit: At {
                it: (money.as_str().trim_end().to_owned(), per.as_str().trim_end().to_owned()),
                span: unit_span,
            },
            includes_vat,
            holds,
        })
    }

    fn price(&self, line: &Pair<'_>) -> Built<Price> {
        let cases = match child(line, Rule::by_each_list) {
            Some(_) => None,
            None => Some(self.inline(line, Rule::case, |p| self.case(p))?),
        };
        Ok(Price { name: self.word(&self.need(line, Rule::price_name)?), cases })
    }

    fn removed(&self, removed: &Pair<'_>) -> Built<Remove> {
        let what = removed.clone().into_inner().next().ok_or_else(|| self.unread(removed))?;
        Ok(match what.as_rule() {
            Rule::remove_price => Remove::Price(self.word(&self.need(&what, Rule::price_name)?)),
            Rule::remove_coupon => Remove::Coupon(self.string(&self.need(&what, Rule::string)?)),
            Rule::remove_discount => Remove::Discount(child(&what, Rule::string).map(|p| self.string(&p))),
            Rule::w_total => Remove::Total,
            _ => Remove::Charge(self.charge_ref(&what)?),
        })
    }

    /// `energy "Label"`.
    pub fn charge_ref(&self, pair: &Pair<'_>) -> Built<ChargeRef> {
        let kind = self.need(pair, Rule::kind)?;
        let first = kind.clone().into_inner().next().ok_or_else(|| self.unread(pair))?;
        let it = match first.as_rule() {
            Rule::w_energy => Kind::Energy,
            Rule::w_charging => Kind::ChargingTime,
            Rule::w_connected => Kind::ConnectedTime,
            Rule::w_parking => Kind::ParkingTime,
            Rule::w_idle => Kind::IdleFee,
            Rule::w_start => Kind::StartFee,
            Rule::w_flat => Kind::FlatFee,
            Rule::w_reservation => Kind::ReservationFee,
            Rule::w_feed_in => Kind::FeedIn,
            Rule::w_payment => Kind::PaymentFee,
            Rule::w_monthly => Kind::MonthlyFee,
            Rule::w_one_off => Kind::OneOffFee,
            Rule::w_power => Kind::PowerFee,
            Rule::w_site => Kind::SiteCredit,
            Rule::w_payout => Kind::PayoutToSite,
            _ => return Err(self.unread(pair)),
        };
        Ok(ChargeRef { kind: self.at(&kind, it), label: child(pair, Rule::string).map(|p| self.string(&p)) })
    }

    fn charge_refs(&self, list: &Pair<'_>) -> Built<Vec<ChargeRef>> {
        self.each(list, Rule::charge_ref, |p| self.charge_ref(p))
    }

    fn limit(&self, pair: &Pair<'_>) -> Built<At<Limit>> {
        let what = pair.clone().into_inner().next().ok_or_else(|| self.unread(pair))?;
        let it = match what.as_rule() {
            Rule::after => {
                let in_a_row = child(&what, Rule::in_a_row).is_some();
                match child(&what, Rule::quantity) {
                    Some(quantity) => Limit::After { quantity: self.quantity(&quantity)?, in_a_row },
                    None => Limit::AfterNamed { name: self.word(&self.need(&what, Rule::name)?), in_a_row },
                }
            }
            Rule::bound => self.bound(&what)?,
            Rule::steps => Limit::Steps(self.quantity(&self.need(&what, Rule::quantity)?)?),
            Rule::steps_alone => Limit::StepsWithoutParking,
            Rule::paid_by_site => Limit::PaidBySite,
            Rule::first => Limit::First(self.quantity(&self.need(&what, Rule::quantity)?)?),
            Rule::peaks => match child(&what, Rule::highest_hour) {
                Some(one) => Limit::Peaks { count: self.at(&one, 1), daily: false },
                None => Limit::Peaks {
                    count: self.count(&self.need(&what, Rule::count)?)?,
                    daily: child(&what, Rule::daily_peaks).is_some(),
                },
            },
            _ => return Err(self.unread(pair)),
        };
        Ok(self.at(&what, it))
    }

    fn bound(&self, pair: &Pair<'_>) -> Built<Limit> {
        Ok(Limit::Bound {
            floor: child(pair, Rule::at_least).is_some(),
            amount: self.rate(&self.need(pair, Rule::rate)?)?,
            who: child(pair, Rule::who).map(|p| self.who(&p)),
            after: child(pair, Rule::quantity).map(|p| self.quantity(&p)).transpose()?,
        })
    }

    fn who(&self, pair: &Pair<'_>) -> At<Who> {
        self.at(pair, if child(pair, Rule::w_site).is_some() { Who::Site } else { Who::Driver })
    }

    /// `PRICE clause*`.
    pub fn case(&self, pair: &Pair<'_>) -> Built<At<Case<PriceOrFree>>> {
        let price = self.need(pair, Rule::price)?;
        let it = match child(&price, Rule::expr) {
            Some(formula) => PriceOrFree::Price(self.expr(&formula)?.it),
            None => PriceOrFree::Free,
        };
        let case = Case { what: self.at(&price, it), clauses: self.clauses(pair)? };
        Ok(self.at(pair, case))
    }

    /// `25% clause*`, `exempt "reason" clause*`.
    pub fn vat_case(&self, pair: &Pair<'_>) -> Built<At<Case<VatRate>>> {
        let rate = self.need(pair, Rule::vat_rate)?;
        let what = rate.clone().into_inner().next().ok_or_else(|| self.unread(pair))?;
        let it = match what.as_rule() {
            Rule::percent => VatRate::Percent(self.percent(&what)?.it),
            Rule::exempt => VatRate::Exempt(self.string(&self.need(&what, Rule::string)?).it),
            Rule::outside_scope => VatRate::OutsideScope,
            _ => VatRate::None,
        };
        let case = Case { what: self.at(&rate, it), clauses: self.clauses(pair)? };
        Ok(self.at(pair, case))
    }

    /// `2% clause*`.
    pub fn tax_case(&self, pair: &Pair<'_>) -> Built<At<Case<rust_decimal::Decimal>>> {
        let case =
            Case { what: self.percent(&self.need(pair, Rule::percent)?)?, clauses: self.clauses(pair)? };
        Ok(self.at(pair, case))
    }

    fn clauses(&self, pair: &Pair<'_>) -> Built<Vec<At<Clause>>> {
        self.each(pair, Rule::clause, |p| self.clause(p))
    }

    fn clause(&self, outer: &Pair<'_>) -> Built<At<Clause>> {
        let pair = outer.clone().into_inner().next().ok_or_else(|| self.unread(outer))?;
        let it = match pair.as_rule() {
            Rule::for_ => Clause::For(self.words(&pair, Rule::name)),
            Rule::on => Clause::On(self.words(&pair, Rule::plug)),
            Rule::at => Clause::At(self.words(&pair, Rule::name)),
            Rule::plan => Clause::Plan(self.word(&self.need(&pair, Rule::name)?)),
            Rule::rated => {
                let or_more = child(&pair, Rule::or_more).is_some();
                Clause::Rated { power: self.quantity(&self.need(&pair, Rule::quantity)?)?, or_more }
            }
            Rule::via => {
                Clause::Via(self.each(&pair, Rule::ways, |p| self.ways(p))?.into_iter().flatten().collect())
            }
            Rule::paid_with => Clause::PaidWith(self.strings(&pair)),
            Rule::during => Clause::During(self.windows(&self.need(&pair, Rule::windows)?)?),
            Rule::from => {
                let (date, time) = self.date_and_time(&pair)?;
                Clause::From(date, time)
            }
            Rule::until => {
                let (date, time) = self.date_and_time(&pair)?;
                Clause::Until(date, time)
            }
            Rule::so_far => Clause::SoFar {
                beyond: child(&pair, Rule::beyond).is_some(),
                quantity: self.quantity(&self.need(&pair, Rule::quantity)?)?,
                of: child(&pair, Rule::measure).map(|p| self.measure(&p)).transpose()?,
                per: child(&pair, Rule::every).map(|p| {
                    self.at(&p, if child(&p, Rule::w_day).is_some() { Every::Day } else { Every::Month })
                }),
                who: child(&pair, Rule::who).map(|p| self.who(&p)),
            },
            Rule::whole_month => Clause::WholeMonth {
                quantity: self.quantity(&self.need(&pair, Rule::quantity)?)?,
                who: self.who(&self.need(&pair, Rule::who)?),
            },
            Rule::drawn => Clause::Drawn {
                quantity: self.quantity(&self.need(&pair, Rule::quantity)?)?,
                or_more: child(&pair, Rule::or_more).is_some(),
            },
            Rule::occupied => Clause::Occupied {
                percent: self.percent(&self.need(&pair, Rule::percent)?)?,
                or_more: child(&pair, Rule::or_more).is_some(),
            },
            Rule::price_steps => Clause::Steps(self.quantity(&self.need(&pair, Rule::quantity)?)?),
            Rule::when_expired => Clause::WhenExpired,
            Rule::otherwise => Clause::Otherwise,
            Rule::not_with_coupon => Clause::NotWithCoupon,
            Rule::times_per_driver => Clause::TimesPerDriver(match child(&pair, Rule::count) {
                Some(count) => self.count(&count)?,
                None => self.at(&pair, 1),
            }),
            _ => return Err(self.unread(outer)),
        };
        Ok(self.at(&pair, it))
    }

    /// `ad-hoc`, `contract`, `roaming "X", "Y"`.
    fn ways(&self, pair: &Pair<'_>) -> Built<Vec<At<Via>>> {
        match child(pair, Rule::strings) {
            Some(issuers) => {
                let roaming = |issuer: Name| At { it: Via::Roaming(Some(issuer.it)), span: issuer.span };
                Ok(self.strings(&issuers).into_iter().map(roaming).collect())
            }
            None => Ok(vec![self.way(pair)?]),
        }
    }

    /// `ad-hoc`, `contract`, `roaming "X"`.
    pub fn way(&self, pair: &Pair<'_>) -> Built<At<Via>> {
        let first = pair.clone().into_inner().next().ok_or_else(|| self.unread(pair))?;
        let it = match first.as_rule() {
            Rule::w_ad_hoc => Via::AdHoc,
            Rule::w_contract => Via::Contract,
            _ => Via::Roaming(child(pair, Rule::string).map(|p| unquoted(p.as_str()))),
        };
        Ok(self.at(pair, it))
    }

    fn measure(&self, pair: &Pair<'_>) -> Built<At<MeasureWord>> {
        let first = pair.clone().into_inner().next().ok_or_else(|| self.unread(pair))?;
        let it = match first.as_rule() {
            Rule::w_energy => MeasureWord::Energy,
            Rule::w_connected => MeasureWord::ConnectedTime,
            Rule::w_charging => MeasureWord::ChargingTime,
            Rule::w_parking => MeasureWord::ParkingTime,
            _ => MeasureWord::IdleTime,
        };
        Ok(self.at(pair, it))
    }

    fn rebate(&self, line: &Pair<'_>) -> Built<Rebate> {
        let amount = self.need(line, Rule::rebate)?;
        let of = match child(&amount, Rule::charge_refs) {
            Some(list) => self.charge_refs(&list)?,
            None => Vec::new(),
        };
        let it = if let Some(percent) = child(&amount, Rule::percent) {
            RebateAmount::Percent(self.percent(&percent)?, of)
        } else if let Some(rate) = child(&amount, Rule::rate) {
            RebateAmount::Money(self.rate(&rate)?, of)
        } else {
            RebateAmount::FreeEnergy(self.quantity(&self.need(&amount, Rule::quantity)?)?)
        };
        let amount = self.at(&amount, it);
        let clauses = self.each(line, Rule::rebate_clause, |p| self.clause(p))?;
        let before_colon = clauses.iter().filter(|clause| clause.span.start < amount.span.start).count();
        Ok(Rebate { name: child(line, Rule::string).map(|p| self.string(&p)), amount, clauses, before_colon })
    }
}

/// The first match of `rule` in `pair`.
pub fn child<'t>(pair: &Pair<'t>, rule: Rule) -> Option<Pair<'t>> {
    pair.clone().into_inner().find(|p| p.as_rule() == rule)
}

/// Whether a `vat_basis` says including.
pub fn includes(basis: &Pair<'_>) -> bool {
    child(basis, Rule::w_including).is_some()
}

/// A text without its quotes.
pub fn unquoted(text: &str) -> String {
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text).to_owned()
}
