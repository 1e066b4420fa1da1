//! A tariff file as it is written: every node knows where it stands. Nothing is resolved or checked here.

use chrono::{NaiveDate, NaiveTime};
use rust_decimal::Decimal;

/// A stretch of source text in bytes, `start..end`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A node and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct At<T> {
    /// The node.
    pub it: T,
    /// Its text.
    pub span: Span,
}

/// A whole file.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct File {
    /// Its statements in order.
    pub statements: Vec<At<Statement>>,
}

/// A name or other word with its place.
pub type Name = At<String>;

/// One statement: a line at the margin and the indented lines that belong to it.
#[derive(Clone, PartialEq, Debug)]
pub enum Statement {
    /// `tariff "..."` and its settings.
    Tariff(Head),
    /// `VAT: ...`, `VAT on feed-in: ...`.
    Vat(Vat),
    /// `tax "City" on top of State: 2%`.
    Tax(Tax),
    /// `groups: ...`.
    Groups(Groups),
    /// `chargers NAME: ...` or `sites NAME: ...`.
    Place(Place),
    /// `period NAME: ...`.
    Period(Period),
    /// `feed NAME: ...`.
    Feed(Feed),
    /// `price NAME: ...`.
    Price(Price),
    /// `value NAME: ...`.
    Value(Price),
    /// Any charge.
    Charge(Charge),
    /// `total: at most ...`.
    Total(Vec<At<Limit>>),
    /// `coupon applies to: ...`.
    CouponScope(Vec<ChargeRef>),
    /// `coupon "CODE": ...`.
    Coupon(Rebate),
    /// `discount ["LABEL"] ...: ...`.
    Discount(Rebate),
    /// `change ...`.
    Change(Box<At<Statement>>),
    /// `set NAME: ...`.
    Set(Price),
    /// `remove ...`.
    Remove(Remove),
    /// `test "..."`.
    Test(Test),
}

/// `tariff "NAME"`.
#[derive(Clone, PartialEq, Debug)]
pub struct Head {
    /// Its title, without quotes.
    pub name: Name,
    /// Its settings.
    pub settings: Vec<At<Setting>>,
}

/// One `key: value` line.
#[derive(Clone, PartialEq, Debug)]
pub enum Setting {
    /// `currency: NOK`
    Currency(Name),
    /// `time zone: Europe/Oslo`
    TimeZone(Name),
    /// `spot area: NO1`
    SpotArea(Name),
    /// `prices: including VAT` is true
    PricesIncludeVat(At<bool>),
    /// `valid from: 2025-01-01 [00:00]`
    ValidFrom(At<NaiveDate>, Option<At<NaiveTime>>),
    /// `valid until: 2025-12-31 [00:00]`; without a time the day is in
    ValidUntil(At<NaiveDate>, Option<At<NaiveTime>>),
    /// `based on: "file"`
    BasedOn(Name),
    /// `running sessions: change prices` is true
    RunningSessionsChange(At<bool>),
    /// `bills: every month` is true, `every session` false
    BillsMonthly(At<bool>),
    /// `hold: 50.00 EUR`
    Hold(At<Rate>),
    /// `public holidays: DE-BY`
    PublicHolidays(Name),
    /// `receipt lines: every hour`: 60, `every 15 min`: 15, `every price change`: none
    ReceiptLines(At<Option<u32>>),
    /// `source: "..."`, `description: "..."`, `website: "..."`: key and text
    Note(Name, Name),
}

/// `VAT: ...`.
#[derive(Clone, PartialEq, Debug)]
pub struct Vat {
    /// `on feed-in`; none = all charges.
    pub on: Option<ChargeRef>,
    /// Its cases.
    pub cases: Cases<VatRate>,
}

/// What a VAT line says.
#[derive(Clone, PartialEq, Debug)]
pub enum VatRate {
    /// Percent.
    Percent(Decimal),
    /// `none`.
    None,
    /// `exempt "reason"`.
    Exempt(String),
    /// `outside scope`.
    OutsideScope,
}

/// `tax "NAME" [on top of A, B]: 2%`.
#[derive(Clone, PartialEq, Debug)]
pub struct Tax {
    /// Its name.
    pub name: Name,
    /// Taxes that belong to its base.
    pub on_top_of: Vec<Name>,
    /// Percent, by cases.
    pub cases: Cases<Decimal>,
}

/// `groups: A, B, everyone else C`.
#[derive(Clone, PartialEq, Debug)]
pub struct Groups {
    /// The groups.
    pub names: Vec<Name>,
    /// `everyone else NAME`.
    pub default: Option<Name>,
}

/// `chargers NAME: "A", "B"`.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    /// Sites and not chargers.
    pub sites: bool,
    /// Its name.
    pub name: Name,
    /// The ids.
    pub ids: Vec<Name>,
}

/// `period NAME: ...`.
#[derive(Clone, PartialEq, Debug)]
pub struct Period {
    /// Its name.
    pub name: Name,
    /// Any of these.
    pub windows: Vec<At<Window>>,
}

/// Parts side by side: all must hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Window {
    /// The parts, at least one.
    pub parts: Vec<At<WindowPart>>,
    /// `except ...`.
    pub except: Option<Box<At<Window>>>,
}

/// One word of a window.
#[derive(Clone, PartialEq, Debug)]
pub enum WindowPart {
    /// Month numbers 1-12, first to last (may run over New Year).
    Months(u8, u8),
    /// Weekdays 0 (Monday) - 6, first to last (may run over Sunday).
    Weekdays(u8, u8),
    /// First to last date, both included.
    Dates(NaiveDate, NaiveDate),
    /// Yearly (month, day) to (month, day).
    Yearly((u8, u8), (u8, u8)),
    /// nth (1-4, 5 = last) weekday of the month.
    NthWeekday(u8, u8),
    /// `public holidays`.
    PublicHolidays,
    /// `every day`.
    EveryDay,
    /// Minutes of the day, start 0-1439, end 1-1440; end <= start runs over midnight.
    Hours(u16, u16),
    /// A period's name.
    Period(String),
}

/// `feed NAME: UNIT [excluding VAT|including VAT] [, holds until next]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Feed {
    /// Its name.
    pub name: Name,
    /// As in `NOK/EUR`, `EUR/kWh`.
    pub unit: At<(String, String)>,
    /// Whether VAT is in, if said.
    pub includes_vat: Option<bool>,
    /// `holds until next`.
    pub holds: bool,
}

/// `price NAME: ...` (also `value`, `set`).
#[derive(Clone, PartialEq, Debug)]
pub struct Price {
    /// Its name.
    pub name: Name,
    /// Its cases; none: `set by each list`.
    pub cases: Option<Cases<PriceOrFree>>,
}

/// A charge's kind as written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// `energy`
    Energy,
    /// `charging time`
    ChargingTime,
    /// `connected time`
    ConnectedTime,
    /// `parking time`
    ParkingTime,
    /// `idle fee`
    IdleFee,
    /// `start fee`
    StartFee,
    /// `reservation fee`
    ReservationFee,
    /// `feed-in`
    FeedIn,
    /// `payment fee`
    PaymentFee,
    /// `monthly fee`
    MonthlyFee,
    /// `one-off fee`
    OneOffFee,
    /// `power fee`
    PowerFee,
    /// `site credit`
    SiteCredit,
    /// `payout to site`
    PayoutToSite,
    /// `flat fee`
    FlatFee,
}

/// A charge referred to by kind and, where needed, label.
#[derive(Clone, PartialEq, Debug)]
pub struct ChargeRef {
    /// The kind.
    pub kind: At<Kind>,
    /// The label.
    pub label: Option<Name>,
}

/// A charge statement.
#[derive(Clone, PartialEq, Debug)]
pub struct Charge {
    /// Kind and label.
    pub head: ChargeRef,
    /// Before the colon.
    pub limits: Vec<At<Limit>>,
    /// Price lines.
    pub cases: Cases<PriceOrFree>,
}

/// What may stand between a charge's name and its colon.
#[derive(Clone, PartialEq, Debug)]
pub enum Limit {
    /// `after 30 min [in a row]`, `after 1 kWh`.
    After {
        /// How much.
        quantity: At<Quantity>,
        /// `in a row`.
        in_a_row: bool,
    },
    /// `after NAME`.
    AfterNamed {
        /// Which value.
        name: Name,
        /// `in a row`.
        in_a_row: bool,
    },
    /// `at most RATE [per driver|per site] [after QUANTITY]`, `at least ...`.
    Bound {
        /// `at least`.
        floor: bool,
        /// As in `15.00 EUR/day`.
        amount: At<Rate>,
        /// `per driver`, `per site`.
        who: Option<At<Who>>,
        /// `after 1 kWh`.
        after: Option<At<Quantity>>,
    },
    /// `in steps of 15 min`.
    Steps(At<Quantity>),
    /// `steps only without parking time`.
    StepsWithoutParking,
    /// `paid by site`.
    PaidBySite,
    /// `first 5000 kWh per month`.
    First(At<Quantity>),
    /// `from highest hour` (1 hour), `from mean of 3 highest daily peaks`, `from mean of 3 highest hours`.
    Peaks {
        /// How many.
        count: At<u32>,
        /// On different days.
        daily: bool,
    },
}

/// Whose counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// `per driver`
    Driver,
    /// `per site`
    Site,
}

/// The body of a statement.
#[derive(Clone, PartialEq, Debug)]
pub struct Cases<T> {
    /// All stand on the opening line.
    pub inline: bool,
    /// Read from the top; the first that fits wins.
    pub lines: Vec<At<Case<T>>>,
}

/// `PRICE clause*`.
#[derive(Clone, PartialEq, Debug)]
pub struct Case<T> {
    /// What it says.
    pub what: At<T>,
    /// All must hold.
    pub clauses: Vec<At<Clause>>,
}

/// A price line's price.
#[derive(Clone, PartialEq, Debug)]
pub enum PriceOrFree {
    /// `free`
    Free,
    /// A formula.
    Price(Expr),
}

/// A condition.
#[derive(Clone, PartialEq, Debug)]
pub enum Clause {
    /// `for A, B`
    For(Vec<Name>),
    /// `on AC, CCS`
    On(Vec<Name>),
    /// `at PLACE`
    At(Vec<Name>),
    /// `with 50 kW or more` / `with less than 50 kW`
    Rated {
        /// kW.
        power: At<Quantity>,
        /// `or more`.
        or_more: bool,
    },
    /// `via ad-hoc, roaming "X"`
    Via(Vec<At<Via>>),
    /// `paid with "Visa"`
    PaidWith(Vec<Name>),
    /// `during ...`
    During(Vec<At<Window>>),
    /// `from DATE [TIME]`
    From(At<NaiveDate>, Option<At<NaiveTime>>),
    /// `until DATE [TIME]`
    Until(At<NaiveDate>, Option<At<NaiveTime>>),
    /// `up to 20 kWh of energy`, `beyond 60 min of connected time`, `up to 50 kWh per month per driver`
    SoFar {
        /// `beyond`
        beyond: bool,
        /// How much.
        quantity: At<Quantity>,
        /// `of ...`; none: energy for kWh.
        of: Option<At<MeasureWord>>,
        /// `per day`, `per month`.
        per: Option<At<Every>>,
        /// `per driver`, `per site`.
        who: Option<At<Who>>,
    },
    /// `whole month from 200 kWh per driver`
    WholeMonth {
        /// How much.
        quantity: At<Quantity>,
        /// `per driver`, `per site`.
        who: At<Who>,
    },
    /// `below 11 kW` / `11 kW or more`, also A
    Drawn {
        /// kW or A.
        quantity: At<Quantity>,
        /// `or more`.
        or_more: bool,
    },
    /// `while site 50% occupied or more` / `while site less than 50% occupied`
    Occupied {
        /// Percent.
        percent: At<Decimal>,
        /// `or more`.
        or_more: bool,
    },
    /// `in steps of 15 min`: how what was charged at prices is rounded; no condition.
    Steps(At<Quantity>),
    /// `when expired`
    WhenExpired,
    /// `with plan NAME`
    Plan(Name),
    /// `with coupon` is never written; `not with coupon` (discounts)
    NotWithCoupon,
    /// `once per driver`, `3 times per driver` (coupons)
    TimesPerDriver(At<u32>),
    /// `otherwise`
    Otherwise,
}

/// `via ...`.
#[derive(Clone, PartialEq, Debug)]
pub enum Via {
    /// `ad-hoc`
    AdHoc,
    /// `contract`
    Contract,
    /// `roaming ["issuer"]`
    Roaming(Option<String>),
}

/// What `of ...` names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MeasureWord {
    /// `of energy`
    Energy,
    /// `of connected time`
    ConnectedTime,
    /// `of charging time`
    ChargingTime,
    /// `of parking time`
    ParkingTime,
    /// `of idle time`
    IdleTime,
}

/// `per day`, `per month`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Every {
    /// `per day`
    Day,
    /// `per month`
    Month,
}

/// A number with a unit word.
#[derive(Clone, PartialEq, Debug)]
pub struct Quantity {
    /// The number.
    pub number: Decimal,
    /// The unit.
    pub unit: Unit,
}

/// Unit words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unit {
    /// Wh
    Wh,
    /// kWh
    KWh,
    /// MWh
    MWh,
    /// kW
    Kw,
    /// A
    Ampere,
    /// s
    Second,
    /// min
    Min,
    /// h
    H,
    /// day
    Day,
    /// session
    Session,
    /// bill
    Bill,
    /// charger
    Charger,
    /// month
    Month,
}

/// `0.25 NOK/kWh`, `15.00 EUR/day`, `5.00 EUR/charger/month`, `40 øre/kWh excluding VAT`, `50.00 EUR`, `11.80 NOK/EUR`.
#[derive(Clone, PartialEq, Debug)]
pub struct Rate {
    /// The number as written (may be negative).
    pub number: Decimal,
    /// The money word as written: `NOK`, `øre`, `cent`.
    pub money: Name,
    /// What it is divided by.
    pub per: Vec<At<PerWord>>,
    /// `excluding VAT` false, `including VAT` true.
    pub includes_vat: Option<bool>,
}

/// A divisor of a rate.
#[derive(Clone, PartialEq, Debug)]
pub enum PerWord {
    /// A unit.
    Unit(Unit),
    /// Another currency.
    Money(String),
}

/// A formula as written.
#[derive(Clone, PartialEq, Debug)]
pub enum Expr {
    /// A rate.
    Rate(Rate),
    /// A plain number.
    Number(Decimal),
    /// `30 min`, `1 kWh` (what a `value` says).
    Quantity(Quantity),
    /// `50%` (as 50).
    Percent(Decimal),
    /// A named price or a feed (also `spot`).
    Name(String),
    /// `hourly FEED`
    Hourly(Name),
    /// `month mean of FEED`
    MonthMean(Name),
    /// `energy price`
    EnergyPrice,
    /// `average-power`
    AveragePower,
    /// `cost price`
    CostPrice,
    /// `a + b` and so on.
    Binary {
        /// Which.
        op: At<Op>,
        /// Left.
        left: Box<At<Expr>>,
        /// Right.
        right: Box<At<Expr>>,
    },
    /// `( ... )`, kept so that the formatter writes what was written.
    Parens(Box<At<Expr>>),
    /// `-x`
    Negative(Box<At<Expr>>),
    /// `higher of a and b`
    HigherOf(Box<At<Expr>>, Box<At<Expr>>),
    /// `lower of a and b`
    LowerOf(Box<At<Expr>>, Box<At<Expr>>),
    /// `x at least y`
    AtLeast(Box<At<Expr>>, Box<At<Expr>>),
    /// `x at most y`
    AtMost(Box<At<Expr>>, Box<At<Expr>>),
    /// `x rounded to y`
    RoundedTo(Box<At<Expr>>, At<Rate>),
    /// `x plus VAT`
    PlusVat(Box<At<Expr>>),
    /// `x less VAT`
    LessVat(Box<At<Expr>>),
}

/// Operators; `of` multiplies (`50% of x`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*` or `×`
    Mul,
    /// `/`
    Div,
    /// `of`
    Of,
}

/// A coupon or discount.
#[derive(Clone, PartialEq, Debug)]
pub struct Rebate {
    /// Code or label.
    pub name: Option<Name>,
    /// How much.
    pub amount: At<RebateAmount>,
    /// Conditions, before or after the colon.
    pub clauses: Vec<At<Clause>>,
    /// How many of `clauses` stand before the colon.
    pub before_colon: usize,
}

/// What a rebate gives.
#[derive(Clone, PartialEq, Debug)]
pub enum RebateAmount {
    /// `20% [of energy, start fee]`
    Percent(At<Decimal>, Vec<ChargeRef>),
    /// `5.00 EUR [of energy]`
    Money(At<Rate>, Vec<ChargeRef>),
    /// `10 kWh free`
    FreeEnergy(At<Quantity>),
}

/// `remove ...`.
#[derive(Clone, PartialEq, Debug)]
pub enum Remove {
    /// A charge.
    Charge(ChargeRef),
    /// `price NAME`
    Price(Name),
    /// `coupon "CODE"`
    Coupon(Name),
    /// `discount ["LABEL"]`
    Discount(Option<Name>),
    /// `total`
    Total,
}

/// `test "..."`.
#[derive(Clone, PartialEq, Debug)]
pub struct Test {
    /// Its name.
    pub name: Name,
    /// Its steps.
    pub steps: Vec<At<Step>>,
}

/// A point in time as tests write it.
#[derive(Clone, PartialEq, Debug)]
pub struct Moment {
    /// Only where written.
    pub date: Option<NaiveDate>,
    /// Minutes of the day, 0-1440 (24:00 is the end of the day).
    pub minute: u16,
    /// Minutes ahead of UTC, where written: tells apart the two occurrences of a repeated hour.
    pub offset: Option<i16>,
}

/// One line of a test.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// `driver in A, B`
    DriverIn(Vec<Name>),
    /// `via ...`
    Via(At<Via>),
    /// `paid with "Visa"`
    PaidWith(Name),
    /// `at charger "X"`
    AtCharger(Name),
    /// `at site "X"`
    AtSite(Name),
    /// `spot RATE [from ...]`, `feed NAME RATE [from ...]`
    Feed {
        /// `spot` or the feed's name.
        name: Name,
        /// Its value.
        rate: At<Rate>,
        /// From then on.
        from: Option<At<Moment>>,
    },
    /// `cost price RATE`
    CostPrice(At<Rate>),
    /// `coupon 20%`
    CouponPercent(At<Decimal>),
    /// `coupon 5.00 EUR`
    CouponMoney(At<Rate>),
    /// `coupon "CODE"`
    Coupon(Name),
    /// `charge 10 kWh [on X] [with 50 kW] [from M to M | until M]`
    Charge {
        /// How much.
        quantity: At<Quantity>,
        /// Plug or connector type.
        on: Option<Name>,
        /// Rated power.
        rated: Option<At<Quantity>>,
        /// `from`.
        from: Option<At<Moment>>,
        /// `to` / `until`.
        to: At<Moment>,
    },
    /// `idle until M`
    Idle(At<Moment>),
    /// `wait until M`
    Wait(At<Moment>),
    /// `pause until M`
    Pause(At<Moment>),
    /// `feed in 5 kWh until M`
    FeedIn(At<Quantity>, At<Moment>),
    /// `drawing 11 kW [from M]`
    Drawing(At<Quantity>, Option<At<Moment>>),
    /// `occupied 50% [from M]`
    Occupied(At<Decimal>, Option<At<Moment>>),
    /// `reserved from M to M [, expired]`
    Reserved {
        /// Start.
        from: At<Moment>,
        /// End.
        to: At<Moment>,
        /// `expired`.
        expired: bool,
    },
    /// `used 40 kWh this month` / `today`
    Used(At<Quantity>, At<Every>),
    /// `invoice 2025-03 for 2 [new] chargers [with plan NAME]`
    Invoice {
        /// Year and month.
        month: At<(i32, u32)>,
        /// How many.
        chargers: At<u32>,
        /// `new`: installed on the first of that month.
        new: bool,
        /// Their plan.
        plan: Option<Name>,
    },
    /// `expect ...`
    Expect(Expect),
}

/// What a test expects.
#[derive(Clone, PartialEq, Debug)]
pub enum Expect {
    /// `expect total 1.00 EUR`
    Total(At<Rate>),
    /// `expect net 1.00 EUR`
    Net(At<Rate>),
    /// `expect VAT 1.00 EUR`
    Vat(At<Rate>),
    /// `expect energy 1.00 EUR`
    Charge(ChargeRef, At<Rate>),
    /// `expect coupon -1.00 EUR`
    Coupon(At<Rate>),
    /// `expect discount -1.00 EUR`
    Discount(At<Rate>),
    /// `expect pending`
    Pending,
}
