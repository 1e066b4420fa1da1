//! A tariff as plain data: what it says, not how it is spelt.

use super::number::Dec;
use chrono::NaiveDate;
use chrono_tz::Tz;

/// A whole tariff.
#[derive(Clone, PartialEq, Debug)]
pub struct Tariff {
    /// Picks among spellings that mean the same; 0 is the plainest.
    pub style: u64,
    /// Title.
    pub name: String,
    /// ISO code.
    pub currency: String,
    /// Local time.
    pub zone: Tz,
    /// Price area of `spot`.
    pub area: Option<String>,
    /// Written prices and bill amounts include VAT.
    pub includes_vat: bool,
    /// Lines are cut at every local clock hour (60) or quarter (15).
    pub receipt_step: Option<u32>,
    /// Not in force before; the start of that day.
    pub valid_from: Option<NaiveDate>,
    /// The last day on which it is in force.
    pub valid_until: Option<NaiveDate>,
    /// The list is said on top of another one, split up by this seed.
    pub based: Option<u64>,
    /// VAT of every charge without a list of its own; empty means `none`.
    pub vat: Vec<Case<VatRate>>,
    /// Taxes beside VAT, in file order.
    pub taxes: Vec<TaxDecl>,
    /// VAT of single charges.
    pub vat_on: Vec<(ChargeRef, Vec<Case<VatRate>>)>,
    /// Named groups.
    pub groups: Vec<String>,
    /// Who is in none of them.
    pub default_group: Option<String>,
    /// Named sets of chargers or sites.
    pub places: Vec<Place>,
    /// Named windows.
    pub periods: Vec<(String, Vec<Window>)>,
    /// Feeds other than `spot`.
    pub feeds: Vec<FeedDecl>,
    /// Named prices; one may use earlier ones.
    pub prices: Vec<(String, Vec<Case<Price>>)>,
    /// Named allowances.
    pub values: Vec<(String, Vec<Case<Allowance>>)>,
    /// Charges in file order.
    pub charges: Vec<Charge>,
    /// Limits of the total in file order.
    pub total: Vec<Limit>,
    /// Discounts in file order.
    pub discounts: Vec<Rebate>,
    /// What coupons lower that do not say it; `None`: energy.
    pub coupon_scope: Option<Vec<ChargeRef>>,
    /// Coupons by code.
    pub coupons: Vec<Rebate>,
}

/// One line of a list: holds when all its conditions hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Case<T> {
    /// What it says.
    pub what: T,
    /// All must hold.
    pub when: Vec<Condition>,
}

/// A tax beside VAT.
#[derive(Clone, PartialEq, Debug)]
pub struct TaxDecl {
    /// Its name.
    pub name: String,
    /// Earlier taxes, or `VAT`, that are part of what it is worked out from.
    pub on_top_of: Vec<String>,
    /// Percent.
    pub cases: Vec<Case<Dec>>,
}

/// A tax rate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum VatRate {
    /// Percent.
    Percent(Dec),
    /// `none`
    None,
    /// `exempt "..."`
    Exempt,
    /// `outside scope`
    OutsideScope,
}

/// A named set of chargers or sites.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Ids of sites, not of chargers.
    pub sites: bool,
    /// The ids.
    pub ids: Vec<String>,
}

/// A feed's declaration.
#[derive(Clone, PartialEq, Debug)]
pub struct FeedDecl {
    /// Its name.
    pub name: String,
    /// As in `EUR/kWh`, `NOK/EUR`.
    pub unit: String,
    /// Whether VAT is in, where the tariff says so.
    pub includes_vat: Option<bool>,
    /// A value holds until the next one.
    pub holds: bool,
}

/// A duration (ms) or an energy (millionths of a kWh).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allowance {
    /// Milliseconds.
    Time(i128),
    /// Millionths of a kWh.
    Energy(i128),
}

impl Allowance {
    /// The bare number.
    #[must_use]
    pub fn amount(self) -> i128 {
        match self {
            Self::Time(n) | Self::Energy(n) => n,
        }
    }
}

/// What is charged for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Import.
    Energy,
    /// State charging.
    ChargingTime,
    /// Plugged in.
    ConnectedTime,
    /// Waiting, idle or paused.
    ParkingTime,
    /// State idle.
    IdleFee,
    /// Once per session.
    StartFee,
    /// Export; a credit.
    FeedIn,
    /// Once per bill.
    PaymentFee,
    /// A reservation: once, or its time.
    ReservationFee,
    /// Import, booked for the property.
    PayoutToSite,
    /// Once, as soon as a line holds that is not free.
    FlatFee,
}

impl Kind {
    /// As written in a tariff.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::ChargingTime => "charging time",
            Self::ConnectedTime => "connected time",
            Self::ParkingTime => "parking time",
            Self::IdleFee => "idle fee",
            Self::StartFee => "start fee",
            Self::FeedIn => "feed-in",
            Self::PaymentFee => "payment fee",
            Self::ReservationFee => "reservation fee",
            Self::PayoutToSite => "payout to site",
            Self::FlatFee => "flat fee",
        }
    }

    /// Counted in time.
    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(self, Self::ChargingTime | Self::ConnectedTime | Self::ParkingTime | Self::IdleFee)
    }
}

/// A charge referred to by kind and label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChargeRef {
    /// Kind.
    pub kind: Kind,
    /// Label, where one is written.
    pub label: Option<String>,
}

/// A charge.
#[derive(Clone, PartialEq, Debug)]
pub struct Charge {
    /// What for.
    pub kind: Kind,
    /// As written; `None`: the kind, capitalised.
    pub label: Option<String>,
    /// Only what lies beyond is charged.
    pub after: Option<After>,
    /// Limits in file order.
    pub limits: Vec<Limit>,
    /// Billing step: ms or millionths of a kWh.
    pub step: Option<i128>,
    /// Steps do not count in a session that is charged for parking time.
    pub steps_without_parking: bool,
    /// Price lines.
    pub cases: Vec<Case<Price>>,
}

impl Charge {
    /// The printed label.
    #[must_use]
    pub fn label(&self) -> String {
        self.label.clone().unwrap_or_else(|| {
            let word = self.kind.word();
            word[..1].to_uppercase() + &word[1..]
        })
    }

    /// The charge by its kind, and by its label where it has one.
    #[must_use]
    pub fn reference(&self) -> ChargeRef {
        ChargeRef { kind: self.kind, label: self.label.clone() }
    }

    /// Whether `reference` means this charge.
    #[must_use]
    pub fn is(&self, reference: &ChargeRef) -> bool {
        self.kind == reference.kind && (reference.label.is_none() || self.label == reference.label)
    }
}

/// An allowance before a charge begins.
#[derive(Clone, PartialEq, Debug)]
pub struct After {
    /// How much.
    pub amount: AfterAmount,
    /// Starts again whenever the car charges.
    pub in_a_row: bool,
}

/// How large an allowance is.
#[derive(Clone, PartialEq, Debug)]
pub enum AfterAmount {
    /// Always the same.
    Fixed(Allowance),
    /// A named value, judged at plug-in.
    Named(String),
}

/// A cap or floor.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    /// `at least`.
    pub floor: bool,
    /// Money.
    pub amount: Dec,
    /// Over what.
    pub span: Span,
    /// `per driver`.
    pub per_driver: bool,
    /// `after 1 kWh`, millionths.
    pub after_energy: Option<i128>,
}

/// Over what a counter runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Span {
    /// Session.
    Session,
    /// Local day.
    Day,
    /// Local month.
    Month,
    /// Bill: here one session.
    Bill,
}

/// Whose counter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Who {
    /// This session's.
    Session,
    /// The driver's.
    Driver,
    /// The site's.
    Site,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Counted {
    /// Import.
    Energy,
    /// Plugged in.
    Connected,
    /// State charging.
    Charging,
    /// Waiting, idle or paused.
    Parking,
    /// State idle.
    Idle,
}

/// A running count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Measure {
    /// Of what.
    pub counted: Counted,
    /// Over what.
    pub span: Span,
    /// Whose.
    pub who: Who,
    /// Starts again whenever the car charges (allowances only).
    pub in_a_row: bool,
}

/// A rebate of a list: a discount or a coupon.
#[derive(Clone, PartialEq, Debug)]
pub struct Rebate {
    /// Label or code.
    pub name: Option<String>,
    /// What it gives.
    pub gives: Gives,
    /// Charges it lowers; `None`: not said.
    pub of: Option<Vec<ChargeRef>>,
    /// Judged at plug-in.
    pub when: Vec<Condition>,
    /// Not given together with a coupon.
    pub not_with_coupon: bool,
    /// How often per driver.
    pub times_per_driver: Option<u32>,
}

/// What a rebate gives.
#[derive(Clone, PartialEq, Debug)]
pub enum Gives {
    /// Percent.
    Percent(Dec),
    /// Money.
    Money(Dec),
    /// The first millionths of a kWh.
    FreeEnergy(i128),
}

/// A price line's price.
#[derive(Clone, PartialEq, Debug)]
pub enum Price {
    /// `free`
    Free,
    /// A formula.
    Is(Expr),
}

/// What a rate is per.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Per {
    /// kWh
    Kwh,
    /// min
    Min,
    /// h
    Hour,
    /// session
    Session,
    /// bill
    Bill,
}

/// `0.40 NOK/kWh excluding VAT`
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rate {
    /// In whole currency.
    pub number: Dec,
    /// Per what.
    pub per: Per,
    /// Its own basis, where it says one.
    pub includes_vat: Option<bool>,
}

/// A formula.
#[derive(Clone, PartialEq, Debug)]
pub enum Expr {
    /// A rate.
    Rate(Rate),
    /// A plain number.
    Number(Dec),
    /// A named price.
    Named(String),
    /// A feed now.
    Feed(String),
    /// A feed's mean over the clock hour.
    Hourly(String),
    /// A feed's mean over the local month.
    MonthMean(String),
    /// What the plant's kWh cost.
    CostPrice,
    /// The sum of the energy charges' prices.
    EnergyPrice,
    /// kW
    AveragePower,
    /// `a + b`
    Add(Box<Expr>, Box<Expr>),
    /// `a - b`
    Sub(Box<Expr>, Box<Expr>),
    /// `a * b`
    Mul(Box<Expr>, Box<Expr>),
    /// `a / b`
    Div(Box<Expr>, Box<Expr>),
    /// `50% of x`
    PercentOf(Dec, Box<Expr>),
    /// `higher of a and b`
    Higher(Box<Expr>, Box<Expr>),
    /// `lower of a and b`
    Lower(Box<Expr>, Box<Expr>),
    /// `x at least y`
    AtLeast(Box<Expr>, Box<Expr>),
    /// `x at most y`
    AtMost(Box<Expr>, Box<Expr>),
    /// `x rounded to y`
    Rounded(Box<Expr>, Rate),
    /// `x plus VAT`
    PlusVat(Box<Expr>),
    /// `x less VAT`
    LessVat(Box<Expr>),
}

/// How the driver came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Via {
    /// `ad-hoc`
    AdHoc,
    /// `contract`
    Contract,
    /// `roaming`, perhaps from one issuer.
    Roaming(Option<String>),
}

/// A condition.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// `for A, B`
    For(Vec<String>),
    /// `on AC, CCS`
    On(Vec<String>),
    /// `at A, B`
    At(Vec<String>),
    /// `with X kW or more` / `with less than X kW`, millionths of a kW.
    Rated(i128, OrMore),
    /// `via A, B`
    Via(Vec<Via>),
    /// `paid with "A", "B"`
    PaidWith(Vec<String>),
    /// `during A, B`
    During(Vec<Window>),
    /// `from DATE [TIME]`
    From(NaiveDate, Option<u32>),
    /// `until DATE [TIME]`; a bare date is included.
    Until(NaiveDate, Option<u32>),
    /// `up to X ...` / `beyond X ...`
    SoFar {
        /// `beyond`
        beyond: bool,
        /// Of what.
        measure: Measure,
        /// ms or millionths of a kWh.
        amount: i128,
    },
    /// `X kW or more` / `below X kW`, millionths of a kW.
    Drawn(i128, OrMore),
    /// `while site X% occupied or more` / `while site less than X% occupied`, percent.
    Occupied(i128, OrMore),
    /// `X A or more` / `below X A`, millionths of an ampere.
    Current(i128, OrMore),
    /// `whole month from X kWh per driver`, millionths of a kWh.
    WholeMonth(Who, i128),
    /// `when expired`
    Expired,
    /// `in steps of X`: always holds; how what was charged at prices is rounded.
    Steps(Allowance),
}

/// On which side of a threshold.
pub type OrMore = bool;

/// A window: all parts hold, the exception does not.
#[derive(Clone, PartialEq, Debug)]
pub struct Window {
    /// Side by side: and.
    pub parts: Vec<Part>,
    /// `except ...`
    pub except: Option<Box<Window>>,
}

/// One word of a window.
#[derive(Clone, PartialEq, Debug)]
pub enum Part {
    /// 1-12, may run over New Year.
    Months(u32, u32),
    /// 0 = Monday, may run over Sunday.
    Weekdays(u32, u32),
    /// Both included.
    Dates(NaiveDate, NaiveDate),
    /// (month, day), both included, may run over New Year.
    Yearly((u32, u32), (u32, u32)),
    /// 1-4 or 5 = last; weekday.
    NthWeekday(u32, u32),
    /// `every day`
    EveryDay,
    /// `public holidays`
    PublicHolidays,
    /// Minutes of the day; an end not after the start runs over midnight.
    Hours(u32, u32),
    /// A period's name.
    Named(String),
}
