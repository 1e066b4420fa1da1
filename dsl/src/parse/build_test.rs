//! What the grammar matched as settings of a tariff and steps of a test.

use super::build::{Build, Built, child, includes, unquoted};
use super::grammar::{Pair, Rule};
use crate::ast::*;

impl Build {
    /// The value of a setting; `key` is as written.
    pub fn setting(&self, key: Name, pair: &Pair<'_>) -> Built<Setting> {
        let first = pair.clone().into_inner().next().ok_or_else(|| self.unread(pair))?;
        Ok(match key.it.as_str() {
            "currency" => Setting::Currency(self.word(&first)),
            "time zone" => Setting::TimeZone(self.word(&first)),
            "spot area" => Setting::SpotArea(self.word(&first)),
            "public holidays" => Setting::PublicHolidays(self.word(&first)),
            "prices" => Setting::PricesIncludeVat(self.at(&first, includes(&first))),
            "valid from" => {
                let (date, time) = self.date_and_time(pair)?;
                Setting::ValidFrom(date, time)
            }
            "valid until" => {
                let (date, time) = self.date_and_time(pair)?;
                Setting::ValidUntil(date, time)
            }
            "based on" => Setting::BasedOn(self.string(&first)),
            "running sessions" => {
                Setting::RunningSessionsChange(self.at(&first, first.as_rule() == Rule::change_prices))
            }
            "bills" => Setting::BillsMonthly(self.at(pair, child(pair, Rule::w_month).is_some())),
            "hold" => Setting::Hold(self.rate(&first)?),
            "receipt lines" => {
                let minutes = if child(pair, Rule::quarter).is_some() {
                    Some(15)
                } else if child(pair, Rule::w_hour).is_some() {
                    Some(60)
                } else {
                    None
                };
                Setting::ReceiptLines(self.at(pair, minutes))
            }
            _ => {
                let text = self.at(&first, unquoted(first.as_str()));
                Setting::Note(key, text)
            }
        })
    }

    /// One line of a test.
    pub fn step(&self, line: &Pair<'_>) -> Built<At<Step>> {
        let outer = self.need(line, Rule::step)?;
        let pair = outer.clone().into_inner().next().ok_or_else(|| self.unread(line))?;
        let quantity = || self.quantity(&self.need(&pair, Rule::quantity)?);
        let rate = || self.rate(&self.need(&pair, Rule::rate)?);
        let string = || -> Built<Name> { Ok(self.string(&self.need(&pair, Rule::string)?)) };
        let moment = || self.moment(&self.need(&pair, Rule::moment)?);
        let from = || match child(&pair, Rule::from_moment) {
            Some(from) => self.moment(&self.need(&from, Rule::moment)?).map(Some),
            None => Ok(None),
        };
        let it = match pair.as_rule() {
            Rule::driver_in => Step::DriverIn(self.words(&pair, Rule::name)),
            Rule::step_via => Step::Via(self.way(&self.need(&pair, Rule::way)?)?),
            Rule::step_paid => Step::PaidWith(string()?),
            Rule::at_charger => Step::AtCharger(string()?),
            Rule::at_site => Step::AtSite(string()?),
            Rule::feed_step => {
                let name = match child(&pair, Rule::price_name) {
                    Some(name) => self.word(&name),
                    None => self.word(&self.need(&pair, Rule::w_spot)?),
                };
                Step::Feed { name, rate: rate()?, from: from()? }
            }
            Rule::cost_step => Step::CostPrice(rate()?),
            Rule::coupon_step => {
                if let Some(code) = child(&pair, Rule::string) {
                    Step::Coupon(self.string(&code))
                } else if let Some(percent) = child(&pair, Rule::percent) {
                    Step::CouponPercent(self.percent(&percent)?)
                } else {
                    Step::CouponMoney(rate()?)
                }
            }
            Rule::charge_step => {
                let mut quantities = self.each(&pair, Rule::quantity, |p| self.quantity(p))?.into_iter();
                Step::Charge {
                    quantity: quantities.next().ok_or_else(|| self.unread(line))?,
                    on: child(&pair, Rule::plug).map(|p| self.word(&p)),
                    rated: quantities.next(),
                    from: from()?,
                    to: moment()?,
                }
            }
            Rule::idle_step => Step::Idle(moment()?),
            Rule::wait_step => Step::Wait(moment()?),
            Rule::pause_step => Step::Pause(moment()?),
            Rule::feed_in_step => Step::FeedIn(quantity()?, moment()?),
            Rule::drawing => Step::Drawing(quantity()?, from()?),
            Rule::occupied_step => Step::Occupied(self.percent(&self.need(&pair, Rule::percent)?)?, from()?),
            Rule::reserved => {
                let mut moments = self.each(&pair, Rule::moment, |p| self.moment(p))?.into_iter();
                let (Some(from), Some(to)) = (moments.next(), moments.next()) else {
                    return Err(self.unread(line));
                };
                Step::Reserved { from, to, expired: child(&pair, Rule::w_expired).is_some() }
            }
            Rule::used => {
                let every = match child(&pair, Rule::this_month) {
                    Some(month) => self.at(&month, Every::Month),
                    None => self.at(&self.need(&pair, Rule::w_today)?, Every::Day),
                };
                Step::Used(quantity()?, every)
            }
            Rule::invoice => {
                let month = self.need(&pair, Rule::year_month)?;
                let plan = child(&pair, Rule::plan);
                Step::Invoice {
                    month: self.at(&month, self.year_month_of(&month)?),
                    chargers: self.count(&self.need(&pair, Rule::count)?)?,
                    new: child(&pair, Rule::w_new).is_some(),
                    plan: plan.map(|p| self.need(&p, Rule::name)).transpose()?.map(|p| self.word(&p)),
                }
            }
            Rule::expect => Step::Expect(self.expect(&pair)?),
            _ => return Err(self.unread(line)),
        };
        Ok(self.at(&pair, it))
    }

    fn expect(&self, pair: &Pair<'_>) -> Built<Expect> {
        let Some(expected) = child(pair, Rule::expected) else { return Ok(Expect::Pending) };
        let rate = self.rate(&self.need(pair, Rule::rate)?)?;
        let what = expected.clone().into_inner().next().ok_or_else(|| self.unread(pair))?;
        Ok(match what.as_rule() {
            Rule::w_total => Expect::Total(rate),
            Rule::w_net => Expect::Net(rate),
            Rule::w_vat => Expect::Vat(rate),
            Rule::w_coupon => Expect::Coupon(rate),
            Rule::w_discount => Expect::Discount(rate),
            _ => Expect::Charge(self.charge_ref(&what)?, rate),
        })
    }
}
