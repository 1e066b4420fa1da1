//! The compiled tariff (IR): inert data that says everything a price can depend on.
//!
//! Every list of cases is a decision diagram over shared [`Node`]s. The same diagram that proves that a list answers
//! every case is the one that is evaluated, so the proof is about what runs. Order of the tests on any path:
//! facts of the session ([`Test`]), measures ([`Measure`]), the kind of day, the minute of the day.
//! [`crate::Prepared`] adds the look-up tables that evaluation wants and that follow from this data alone.

use crate::units::{Currency, Day, Instant};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Version of this data format. A reader refuses any other.
pub const IR_VERSION: u32 = 1;

/// First and one-past-last local day that calendars cover: 2000-01-01 up to 2100-01-01.
pub const CALENDAR: std::ops::Range<Day> = 10_957..47_482;

/// Index into [`Tariff::nodes`].
pub type NodeId = u32;
/// Index into [`Tariff::rules`].
pub type RuleId = u32;

/// A compiled tariff.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// [`IR_VERSION`].
    pub format: u32,
    /// Title as the operator wrote it.
    pub name: String,
    /// File name of the leaf source, without folders.
    pub file: String,
    /// Free texts for people: description, website, the id of an imported source.
    pub notes: Vec<(String, String)>,
    /// The currency of every amount.
    pub currency: Currency,
    /// Local time.
    pub zone: Zone,
    /// Whether written prices and bill amounts include VAT.
    pub includes_vat: bool,
    /// Before this instant the tariff is not in force.
    pub valid_from: Option<Instant>,
    /// From this instant on the tariff is not in force any more.
    // Left out where there is none: the version of a list that was compiled before there were ends stays the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Instant>,
    /// A running session follows a newer list instead of keeping the one in force at plug-in.
    pub running_sessions_change: bool,
    /// Drivers are billed by the month: a session's receipt has no payment fee.
    pub bills_monthly: bool,
    /// Amount to authorise before charging.
    pub hold: Option<Decimal>,
    /// Cut slices at every full hour / quarter (minutes: 60 or 15) so that each has its own line.
    pub line_step_min: Option<u32>,
    /// Group names in the order of the file; [`Test::Group`] indexes it.
    pub groups: Vec<String>,
    /// The group of a driver who is in no other.
    pub default_group: Option<u32>,
    /// Named sets of chargers and sites; [`Test::Place`] indexes it.
    pub places: Vec<Place>,
    /// Tests of facts that do not change during a session; [`Node::Fact`] indexes it.
    pub tests: Vec<Test>,
    /// Quantities that conditions compare with thresholds; [`Node::Measure`] indexes it.
    pub measures: Vec<Measure>,
    /// How days are told apart; [`Node::Days`] has one child per class.
    pub days: Days,
    /// Price feeds; index 0 is always `spot` (even when unused).
    pub feeds: Vec<Feed>,
    /// All diagrams; a child's index is smaller than its parent's.
    pub nodes: Vec<Node>,
    /// What diagrams end in; [`Node::Leaf`] indexes it.
    pub leaves: Vec<Leaf>,
    /// Named prices and quantities; a value refers only to values before it.
    pub values: Vec<Value>,
    /// Charges priced per session, in the order of the file.
    pub charges: Vec<Charge>,
    /// `total: ...` limits in the order of the file.
    pub total_limits: Vec<Limit>,
    /// Discounts in the order of the file.
    pub discounts: Vec<Discount>,
    /// Coupons by code.
    pub coupons: Vec<Coupon>,
    /// Which charges a coupon of unstated scope lowers (indexes into `charges`).
    pub coupon_scope: Vec<u32>,
    /// Ways of being taxed; [`Outcome::Tax`] indexes it.
    pub tax_classes: Vec<TaxClass>,
    /// Diagram of tax classes for amounts that belong to no charge.
    pub default_tax: NodeId,
    /// Charges that only a month can tell.
    pub month: Vec<MonthCharge>,
    /// The lines of the sources that decide amounts.
    pub rules: Vec<Rule>,
    /// The texts this was compiled from: leaf first, then the lists it is based on.
    pub sources: Vec<Source>,
}

/// A source text, kept so that the version covers it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// File name without folders.
    pub file: String,
    /// The whole text.
    pub text: String,
}

/// A line of a source text that can decide an amount.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Index into [`Tariff::sources`].
    pub source: u32,
    /// Line number, from 1.
    pub line: u32,
}

/// A time zone with all its changes inside [`CALENDAR`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// IANA name.
    pub name: String,
    /// Offset from UTC in seconds before the first change.
    pub first_offset_s: i32,
    /// From each instant on (ascending), the offset from UTC in seconds.
    pub changes: Vec<(Instant, i32)>,
}

/// A named set of chargers and sites.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its name in the tariff.
    pub name: String,
    /// Charger ids.
    pub chargers: Vec<String>,
    /// Site ids.
    pub sites: Vec<String>,
}

/// A yes/no question about a fact that is fixed at plug-in.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Test {
    /// The driver is in this group (the default group: or in no other).
    Group(u32),
    /// The charger or its site belongs to this place.
    Place(u32),
    /// The plug delivers direct current. Unknown plug: an error.
    Dc,
    /// The connector is of this type (lower case).
    Connector(String),
    /// The connector's rated power is at least this many millionths of a kW. Unknown: an error.
    RatedAtLeast(i64),
    /// The session's contract. Unknown: an error.
    Contract(Contract),
    /// The token's issuer. Unknown counts as another one.
    Issuer(String),
    /// Brand of the payment card. Unknown counts as another one.
    PaymentBrand(String),
    /// The reservation ran out unused.
    ReservationExpired,
    /// The charger's plan (month charges only).
    Plan(String),
    /// The energy of the whole month is at least this many millionths of a kWh (retroactive tiers).
    WholeMonthAtLeast {
        /// Whose energy.
        who: Who,
        /// Millionths of a kWh.
        energy: i64,
    },
}

/// How the driver came to the charger.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contract {
    /// The operator's own customer.
    Direct,
    /// Another operator's customer.
    Roaming,
    /// No contract: pays on the spot.
    AdHoc,
}

/// Whose sessions a counter adds up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// This session alone.
    Session,
    /// All sessions of the driver.
    Driver,
    /// All sessions at the site.
    Site,
}

/// Over which span a counter runs before it starts again at zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// The session.
    Session,
    /// The local day.
    Day,
    /// The local month.
    Month,
    /// The bill (a month's bill has many sessions).
    Bill,
}

/// Which time is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// Plugged in at all.
    Connected,
    /// State charging.
    Charging,
    /// Plugged in and not charging (waiting, idle or paused).
    Parking,
    /// State idle.
    Idle,
    /// State idle since the car last charged.
    IdleInARow,
    /// Parking since the car last charged.
    ParkingInARow,
}

/// What a condition compares with thresholds while the session runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// Imported energy so far, millionths of a kWh.
    Energy {
        /// Starts again at zero with each of these.
        span: Span,
        /// Whose energy.
        who: Who,
    },
    /// Time so far, milliseconds.
    Time {
        /// Which time.
        time: Time,
        /// Starts again at zero with each of these.
        span: Span,
        /// Whose time.
        who: Who,
    },
    /// Power drawn now, millionths of a kW.
    Power,
    /// Current drawn now (sum over phases), millionths of an A.
    Current,
    /// Share of the site's places in use, millionths.
    Occupancy,
}

/// How days are told apart: each day's answers to `tests` (bit i = test i) are one of `classes`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Days {
    /// Days used as dates (public holidays resolved), ascending.
    pub tests: Vec<DayTest>,
    /// For every class the tests that hold, ascending indexes. Sorted, distinct.
    pub classes: Vec<Vec<u16>>,
}

/// A question about one local day. `back` asks it of the day before (a window over midnight).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayTest {
    /// Ask of the day this many days earlier: 0 or 1.
    pub back: u8,
    /// The question.
    pub is: DayIs,
}

/// A set of days.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayIs {
    /// Bit 0 Monday ... bit 6 Sunday.
    Weekdays(u8),
    /// Bit 0 January ... bit 11 December.
    Months(u16),
    /// First to last day, both included; open ends allowed.
    Between(Option<Day>, Option<Day>),
    /// Every year from (month, day) to (month, day), both included; may run over New Year.
    Yearly((u8, u8), (u8, u8)),
    /// The nth (1-4, or 5 = last) such weekday (0 = Monday) of its month.
    NthWeekday(u8, u8),
    /// One of these days, ascending.
    OneOf(Vec<Day>),
}

/// A series of prices that the tariff uses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// `spot` or its declared name.
    pub name: String,
    /// Price area, when stated.
    pub area: Option<String>,
    /// Unit the tariff expects, as in `EUR/kWh`, `NOK/EUR`.
    pub unit: String,
    /// Energy-priced feeds are converted to the tariff's VAT basis.
    pub money_per_kwh: bool,
    /// `Some(x)`: the tariff itself says whether VAT is in; else the price file does.
    pub includes_vat: Option<bool>,
    /// A value holds until the next one.
    pub holds: bool,
}

/// A step of a decision diagram.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Node {
    /// No line answers. A checked tariff reaches it only where facts are impossible.
    Hole,
    /// Index into [`Tariff::leaves`].
    Leaf(u32),
    /// A yes/no question about the session.
    Fact {
        /// Index into [`Tariff::tests`].
        test: u32,
        /// Where to go.
        yes: NodeId,
        /// Where to go.
        no: NodeId,
    },
    /// A measure among thresholds: child i holds below `edges[i]`, the last from the last edge on.
    Measure {
        /// Index into [`Tariff::measures`].
        measure: u32,
        /// Ascending.
        edges: Vec<i64>,
        /// One more than edges.
        children: Vec<NodeId>,
    },
    /// One child per class of [`Days`].
    Days(Vec<NodeId>),
    /// Local minute of the day: child i holds from `edges[i]` (first 0) to the next edge (last 1440).
    Minutes {
        /// Ascending, starting with 0.
        edges: Vec<u16>,
        /// As many as edges.
        children: Vec<NodeId>,
    },
}

/// What a line of a price list says, and where it stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The line that says so.
    pub rule: RuleId,
    /// What it says.
    pub outcome: Outcome,
}

/// What a diagram decides.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// A price.
    Price(Price),
    /// `free`: price zero.
    Free,
    /// A quantity in the measure's unit (ms or millionths of a kWh), for `after NAME`.
    Quantity(i64),
    /// Index into [`Tariff::tax_classes`].
    Tax(u32),
    /// The conditions of a discount or coupon hold.
    Applies,
    /// They do not.
    DoesNotApply,
}

/// A unit price: a formula and its parts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// In which unit the price is stated (and the quantity counted).
    pub per: Per,
    /// The whole formula, in the tariff's currency per `per`.
    pub formula: Formula,
    /// The addends that a receipt shows; empty when there is only one. What the formula's rounding adds goes to the first.
    pub parts: Vec<Part>,
    /// Billing step of the session's last line, in the quantity's unit (ms or millionths of a kWh): all that the charge's
    /// prices charged for is rounded up once, by the step of the price that came last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
}

/// A named addend of a price.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name on the receipt.
    pub label: String,
    /// Its price.
    pub formula: Formula,
}

/// What one unit of a price is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Money per kWh.
    Kwh,
    /// Money per hour.
    Hour,
    /// Money per minute.
    Minute,
    /// Money per session.
    Session,
    /// Money per bill.
    Bill,
    /// Money per charger (and month).
    Charger,
    /// Money per month.
    Month,
    /// Money per kW (and month).
    Kw,
    /// Anything else (named values inside formulas): a plain number.
    One,
}

/// An exact formula. Products and sums are exact; a quotient is rounded half away from zero at 12 decimals.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// A plain number.
    Const(Decimal),
    /// Index into [`Tariff::values`].
    Value(u32),
    /// A feed's value in the slice.
    Feed {
        /// Index into [`Tariff::feeds`].
        feed: u32,
        /// Now, or a mean.
        mean: Mean,
    },
    /// The energy price of this slice (sum over the energy charges), per kWh.
    EnergyPrice,
    /// Energy per charging time of the session, kW.
    AveragePower,
    /// The plant's cost per kWh in the month; pending until it is known.
    CostPrice,
    /// Sum.
    Add(Box<Formula>, Box<Formula>),
    /// Difference.
    Sub(Box<Formula>, Box<Formula>),
    /// Product.
    Mul(Box<Formula>, Box<Formula>),
    /// Quotient.
    Div(Box<Formula>, Box<Formula>),
    /// The higher of two.
    Higher(Box<Formula>, Box<Formula>),
    /// The lower of two.
    Lower(Box<Formula>, Box<Formula>),
    /// Rounded half away from zero to a multiple of a positive step.
    Round(Box<Formula>, Decimal),
    /// Net to gross by the slice's VAT.
    PlusVat(Box<Formula>),
    /// Gross to net by the slice's VAT.
    LessVat(Box<Formula>),
}

/// Which value of a feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mean {
    /// The step in force.
    Now,
    /// Time-weighted mean over the clock hour.
    Hour,
    /// Time-weighted mean over the local month.
    Month,
}

/// A named price or quantity with cases of its own.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Its diagram.
    pub root: NodeId,
}

/// What a charge charges for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChargeKind {
    /// Energy imported by the car.
    Energy,
    /// Time in state charging.
    ChargingTime,
    /// Time plugged in.
    ConnectedTime,
    /// Time plugged in and not charging.
    ParkingTime,
    /// Time in state idle.
    IdleFee,
    /// Once per session.
    StartFee,
    /// For a reservation.
    ReservationFee,
    /// Energy exported by the car; its price is a credit.
    FeedIn,
    /// Once per bill.
    PaymentFee,
    /// Booked for the property per kWh imported, not on the driver's bill.
    PayoutToSite,
    /// Once per session, as soon as a line of it holds that is not `free`.
    FlatFee,
}

/// A charge of a session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// What for.
    pub kind: ChargeKind,
    /// As printed.
    pub label: String,
    /// The line that opens it.
    pub rule: RuleId,
    /// Diagram of prices.
    pub root: NodeId,
    /// Diagram of tax classes.
    pub tax: NodeId,
    /// Paid by the property and not by the driver (payment fee).
    pub paid_by_site: bool,
    /// Only what lies beyond is charged.
    pub after: Option<After>,
    /// In the order of the file.
    pub limits: Vec<Limit>,
    /// Billing step in the quantity's unit (ms or millionths of a kWh).
    pub step: Option<i64>,
    /// Its steps, and those of its prices, do not count in a session that is charged for parking time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub steps_without_parking: bool,
}

/// An allowance before a charge begins.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Energy or one of the times, per session.
    pub measure: Measure,
    /// How much is free.
    pub amount: AfterAmount,
}

/// How large an allowance is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterAmount {
    /// In the measure's unit.
    Fixed(i64),
    /// A named quantity (index into [`Tariff::values`]), judged at plug-in.
    Value(u32),
}

/// A floor or cap of a charge or of the total.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// `at least` instead of `at most`.
    pub floor: bool,
    /// In the tariff's currency and VAT basis.
    pub amount: Decimal,
    /// Over what.
    pub span: Span,
    /// Whose.
    pub who: Who,
    /// Applies only when at least this much energy was delivered (millionths of a kWh).
    pub after_energy: Option<i64>,
    /// Applies only when the session lasted at least this long (ms plugged in).
    pub after_time: Option<i64>,
    /// The line that says so.
    pub rule: RuleId,
}

/// What a rebate is worth.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rebate {
    /// Share of the charges, e.g. 0.20.
    Share(Decimal),
    /// An amount of money, at most the charges.
    Amount(Decimal),
    /// The first millionths of a kWh of energy cost nothing.
    FreeEnergy(i64),
}

/// A discount that the list itself grants.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discount {
    /// As printed.
    pub label: String,
    /// The line.
    pub rule: RuleId,
    /// Ends in [`Outcome::Applies`] or [`Outcome::DoesNotApply`], judged at plug-in.
    pub root: NodeId,
    /// Not given together with a coupon.
    pub not_with_coupon: bool,
    /// How much.
    pub rebate: Rebate,
    /// Which charges it lowers (indexes into [`Tariff::charges`]).
    pub charges: Vec<u32>,
}

/// A coupon of the list.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coupon {
    /// What the driver enters.
    pub code: String,
    /// The line.
    pub rule: RuleId,
    /// Ends in [`Outcome::Applies`] or [`Outcome::DoesNotApply`], judged at plug-in.
    pub root: NodeId,
    /// How much.
    pub rebate: Rebate,
    /// Which charges it lowers (indexes into [`Tariff::charges`]).
    pub charges: Vec<u32>,
    /// How often one driver may use it.
    pub times_per_driver: Option<u32>,
}

/// A way of being taxed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxClass {
    /// The taxes; none when exempt or outside the scope of VAT.
    pub taxes: Vec<Tax>,
    /// Why there is none: the reason of an exemption, or `outside scope`.
    pub reason: Option<String>,
}

/// One tax.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tax {
    /// `VAT` or its own name.
    pub label: String,
    /// Percent.
    pub rate: Decimal,
    /// Earlier taxes of the class that are part of its base.
    pub on_top_of: Vec<u32>,
    /// The line.
    pub rule: RuleId,
}

/// A charge, credit or payout that needs the whole month.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonthCharge {
    /// As printed.
    pub label: String,
    /// The line that opens it.
    pub rule: RuleId,
    /// Diagram of tax classes.
    pub tax: NodeId,
    /// Paid by the property and not by the driver.
    pub paid_by_site: bool,
    /// What it is.
    pub what: MonthWhat,
    /// In the order of the file.
    pub limits: Vec<Limit>,
}

/// The kinds of [`MonthCharge`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MonthWhat {
    /// Every month: per charger, or once.
    Monthly(NodeId),
    /// In the month in which the charger was installed.
    OneOff(NodeId),
    /// From the month's power peaks.
    Power {
        /// Highest hours whose mean counts.
        hours: u32,
        /// At most one of them per day.
        on_different_days: bool,
        /// Prices per kW, or per month by steps of the peak ([`Measure::Power`]).
        root: NodeId,
    },
    /// A credit per kWh of the site.
    SiteCredit {
        /// Only the first millionths of a kWh of the month.
        first: Option<i64>,
        /// Price per kWh.
        root: NodeId,
    },
}
