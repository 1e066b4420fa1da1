//! What a kWh cost a site's plant in a month: once the costs are entered and every value of the month is there, it stands as a price of the
//! feed `cost price`, of which the area is the site.

use super::drawn::{EXCEEDED, drawn};
use crate::feeds::{changed, cost, publish};
use crate::house::Plant;
use crate::store::{
    self, Alert, MeterDirection, NewEvent, OrgId, PlantCost, PlantMonth, PricePoint, Reader, Tx,
};
use chrono::{Datelike as _, TimeZone as _};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use takst_engine::calendar_time::{INSTANTS, local_text, start_of_day};
use takst_engine::exact::print_decimal;
use takst_engine::input;
use takst_engine::month::{Cost, Meter, MeterValue, MonthError, Plant as Worked, YearMonth, plant_cost};
use takst_engine::tariff::Zone;
use takst_engine::units::{Energy, Instant};

/// So many months back are looked at again when the set-up changes.
pub(super) const MONTHS_LOOKED_AT: u32 = 13;
/// So many months back are looked at from time to time: sessions of a charger that was away come later.
pub(super) const MONTHS_LATE: u32 = 2;
/// Most costs of a month.
const MOST_COSTS: usize = 1_000;

/// How it stands with the cost price of a site in a month.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CostState {
    /// It is known.
    Known(Known),
    /// It is not.
    Waits {
        /// Why: what is missing or cannot be right.
        why: String,
        /// It was known before, and was taken back.
        taken_back: bool,
        /// The sessions took more than the meters saw.
        exceeded: bool,
    },
}

/// A cost price.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// ISO 4217.
    pub currency: String,
    /// A kWh without VAT, a plain decimal of at most 12 places.
    pub net: String,
    /// And with the VAT of the costs.
    pub with_vat: String,
    /// What the meters saw from the grid, kWh.
    pub energy_kwh: String,
    /// It was not so before.
    pub is_news: bool,
    /// Bills that waited and can be made now.
    pub woken: usize,
}

impl CostState {
    /// Whether the sessions took more than the meters saw.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        matches!(self, Self::Waits { exceeded: true, .. })
    }

    /// Whether there is a price that was not there before, or none where there was one.
    #[must_use]
    pub fn is_news(&self) -> bool {
        match self {
            Self::Known(known) => known.is_news,
            Self::Waits { taken_back, .. } => *taken_back,
        }
    }
}

/// A site's plant in a month.
pub(super) struct MonthCosts {
    site: String,
    month: YearMonth,
    points: Vec<String>,
    zone: Zone,
}

impl MonthCosts {
    pub fn new(site: &str, month: YearMonth, plant: &Plant) -> Self {
        let zone = takst_dsl::resolve::zone::table(plant.zone);
        Self { site: site.to_owned(), month, points: plant.points.clone(), zone }
    }

    pub fn span(&self) -> (Instant, Instant) {
        let (first, next) = self.month.days();
        (Instant(start_of_day(&self.zone, first)), Instant(start_of_day(&self.zone, next)))
    }
}

/// The month on a clock in which an instant lies.
pub(super) fn month_of(zone: Tz, at: Instant) -> Option<YearMonth> {
    if !INSTANTS.contains(&at.0) {
        return None;
    }
    let local = zone.timestamp_millis_opt(at.0).earliest()?;
    YearMonth::parse(&format!("{:04}-{:02}", local.year(), local.month())).ok()
}

/// The month so many months before an instant, as text.
pub(super) fn month_before(now: Instant, months: u32) -> String {
    let day = chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default().date_naive();
    let before = day.checked_sub_months(chrono::Months::new(months)).unwrap_or(day);
    format!("{:04}-{:02}", before.year(), before.month())
}

/// Whether costs can be right.
///
/// # Errors
/// What is wrong, in words.
pub fn check_costs(currency: &str, costs: &[Cost]) -> Result<(), String> {
    if takst_dsl::resolve::currency::currency(currency).is_none() {
        return Err(format!("`{currency}` is no currency of ISO 4217 such as NOK"));
    }
    if costs.is_empty() || costs.len() > MOST_COSTS {
        return Err(format!("give 1 to {MOST_COSTS} `costs`, each with `label`, `net` and `vat_rate`"));
    }
    for cost in costs {
        if cost.label.trim().is_empty() || cost.label.chars().count() > 200 {
            return Err("each cost has a `label` that says what for, in at most 200 characters".to_owned());
        }
        if cost.vat_rate.is_sign_negative() || cost.vat_rate > Decimal::ONE_HUNDRED {
            return Err(format!(
                "`{}`: the VAT rate {} is no percentage from 0 to 100",
                cost.label, cost.vat_rate
            ));
        }
    }
    Ok(())
}

/// Costs as they are stored.
pub(super) fn document(costs: &[Cost]) -> String {
    let one = |cost: &Cost| json!({ "label": cost.label, "net": cost.net.normalize().to_string(), "vat_rate": cost.vat_rate.normalize().to_string() });
    costs.iter().map(one).collect::<Value>().to_string()
}

/// How it stands, without changing anything.
pub(super) async fn state(
    reader: &mut Reader,
    org: &OrgId,
    of: &MonthCosts,
    now: Instant,
) -> Result<CostState, store::Error> {
    Ok(match work_out(reader, org, of, now).await? {
        Ok((currency, net, with_vat)) => CostState::Known(known(currency, &net, &with_vat)),
        Err(why) => why.waits(false),
    })
}

/// Works it out, and hands it to whoever waits for it where it is another one than before. A price that was known and is not any more is taken
/// back.
pub(super) async fn settle(
    tx: &mut Tx,
    org: &OrgId,
    of: &MonthCosts,
    now: Instant,
) -> Result<CostState, store::Error> {
    // Costs and values that come through two gateways at the same moment see each other.
    tx.lock_meters(org).await?;
    let (currency, net, with_vat) = match work_out(tx, org, of, now).await? {
        Ok(worked) => worked,
        Err(why) => {
            let month = of.month.to_string();
            let taken_back = take_back(tx, org, (&of.site, &month), of.span(), &why, now).await?;
            return Ok(why.waits(taken_back));
        }
    };
    let (from_at, to_at) = of.span();
    // A later word stands, whatever the clock of another gateway said.
    let before = tx.all_published_prices(org, (cost::NET, &of.site), from_at, to_at).await?;
    let newest = before.iter().map(|point| point.published.0.saturating_add(1)).max();
    let published = Instant(newest.map_or(now.0, |newest| newest.max(now.0)));
    let point = |feed: &str, worked: &Worked, vat_included| PricePoint {
        feed: feed.to_owned(),
        area: of.site.clone(),
        from_at,
        to_at,
        published,
        price: worked.per_kwh.to_plain(),
        unit: format!("{currency}/kWh"),
        vat_included,
        source: "meters".to_owned(),
        received_at: now,
    };
    let all = [vec![point(cost::NET, &net, false)], vec![point(cost::WITH_VAT, &with_vat, true)]];
    let name = format!("costs of {} in {}", of.site, of.month);
    let received = publish(tx, org, &all, None, &name, now).await?;
    let metered = Energy(net.energy);
    let row = PlantMonth {
        site: of.site.clone(),
        month: of.month.to_string(),
        from_at,
        to_at,
        metered,
        settled_at: now,
    };
    tx.put_plant_month(org, &row).await?;
    let subject = format!("{} {}", of.site, of.month);
    let told = json!({ "site": of.site, "month": of.month.to_string(), "net": net.per_kwh.to_plain() });
    tx.settle(org, exceeded(&subject), &told, now).await?;
    if tx.settle(org, taken_back(&subject), &told, now).await? {
        // Bills were made with the price that was taken back: which of them would be other ones with this one is looked up.
        for feed in [cost::NET, cost::WITH_VAT] {
            changed(tx, org, (feed, &of.site), (from_at, to_at), &name, now).await?;
        }
    }
    let known = known(currency, &net, &with_vat);
    Ok(CostState::Known(Known { is_news: received.is_news(), woken: received.woken, ..known }))
}

/// Why a month has no cost price.
pub(super) enum Why {
    /// The sessions took more than the meters saw.
    Exceeded {
        /// What cars certainly took.
        sessions: Energy,
        /// What the meters saw.
        metered: Energy,
    },
    /// Something is missing or contradicts itself: in words.
    Other(String),
}

impl Why {
    fn waits(&self, taken_back: bool) -> CostState {
        CostState::Waits { why: self.in_words(), taken_back, exceeded: matches!(self, Self::Exceeded { .. }) }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Exceeded { sessions, metered } => {
                MonthError::MoreThanMetered { sessions: kwh(*sessions), metered: kwh(*metered) }.to_string()
            }
            Self::Other(why) => why.clone(),
        }
    }
}

pub(super) fn kwh(energy: Energy) -> String {
    print_decimal(i128::from(energy.0), 6, true)
}

// The sessions of a month took more than its meters saw; until when that stands.
fn exceeded(subject: &str) -> Alert<'_> {
    Alert { subject, kind: EXCEEDED, severity: "error" }
}

// Bills were made with a cost price that was taken back.
fn taken_back(subject: &str) -> Alert<'_> {
    Alert { subject, kind: "cost-price.taken-back", severity: "warning" }
}

/// The month has no cost price, or none any more: bills that are yet to be made wait. Those that were made stay as they are, and an incident
/// tells of them. Whether there was a price.
pub(super) async fn take_back(
    tx: &mut Tx,
    org: &OrgId,
    (site, month): (&str, &str),
    span: (Instant, Instant),
    why: &Why,
    now: Instant,
) -> Result<bool, store::Error> {
    let subject = format!("{site} {month}");
    match why {
        Why::Exceeded { sessions, metered } => {
            let document = json!({
                "site": site, "month": month, "sessions_kwh": kwh(*sessions), "metered_kwh": kwh(*metered),
                "reason": why.in_words(),
                "help": "bring the values of all metering points, name every one of them in the set-up, or hold sessions back whose figures are wrong; the bills that wait are made then",
            });
            // Other figures are news.
            let open = tx.open_incidents(org).await?;
            let open = open.iter().find(|one| one.kind == EXCEEDED && one.subject == subject);
            let text = document.to_string();
            if open.is_some_and(|open| open.document != text) {
                tx.settle(org, exceeded(&subject), &document, now).await?;
            }
            tx.raise(org, exceeded(&subject), &document, now).await?;
        }
        Why::Other(why) => {
            let document = json!({ "site": site, "month": month, "reason": why });
            tx.settle(org, exceeded(&subject), &document, now).await?;
        }
    }
    let was = tx.prices(org, (cost::NET, site), span.0, span.1).await?;
    tx.drop_plant_month(org, site, month).await?;
    let mut withdrawn = 0;
    for feed in [cost::NET, cost::WITH_VAT] {
        withdrawn += tx.withdraw_prices(org, (feed, site), span, now).await?;
    }
    if withdrawn == 0 {
        return Ok(false);
    }
    let bills = tx.bills_at_cost(org, site, span).await?;
    let was = was.last().map(|point| format!("{} {}", point.price, point.unit));
    let document = json!({
        "site": site, "month": month, "net_was": was, "bills": bills, "reason": why.in_words(),
        "help": "these bills stay as they are, and no more are made with that price; once the price is known again, the incident `feed.changed` lists which bills would be other ones, and corrects them if you say so",
    });
    if bills > 0 {
        tx.raise(org, taken_back(&subject), &document, now).await?;
    }
    let (kind, document) = ("cost-price.taken-back".to_owned(), document.to_string());
    tx.log_event(org, NewEvent { at: now, kind, subject, document });
    Ok(true)
}

fn known(currency: String, net: &Worked, with_vat: &Worked) -> Known {
    Known {
        currency,
        net: net.per_kwh.to_plain(),
        with_vat: with_vat.per_kwh.to_plain(),
        energy_kwh: print_decimal(i128::from(net.energy), 6, true),
        is_news: false,
        woken: 0,
    }
}

type Prices = (String, Worked, Worked);

async fn work_out(
    reader: &mut Reader,
    org: &OrgId,
    of: &MonthCosts,
    now: Instant,
) -> Result<Result<Prices, Why>, store::Error> {
    let waits = |why: &str| Ok(Err(Why::Other(why.to_owned())));
    let said = reader.plant_costs(org, &of.site, &of.month.to_string()).await?;
    let Some(PlantCost { currency, document, .. }) = said.into_iter().next_back() else {
        return waits("nobody has entered the costs of this month");
    };
    // Whatever is there: what the rest of the month takes nobody knows.
    let (_, end) = of.span();
    if end > now {
        let end = local_text(&of.zone, end);
        return waits(&format!("the month is not over: its cost price is worked out at {end}"));
    }
    if of.points.is_empty() {
        return waits("the site has no metering point; name it with `metering_point`");
    }
    let corrupt =
        |what: String| store::Error::Corrupt(format!("costs of {} in {}: {what}", of.site, of.month));
    let costs: Vec<Cost> = serde_json::from_str(&document).map_err(|error| corrupt(error.to_string()))?;
    let mut meters = Vec::with_capacity(of.points.len());
    for point in &of.points {
        let rows = reader.meter_values(org, (point, MeterDirection::Consumption), of.span(), false).await?;
        let value = |row: store::MeterValue| {
            let import = micro(&row.kwh).ok_or_else(|| corrupt(format!("`{}` is no energy", row.kwh)))?;
            Ok(MeterValue { from: row.from_at, to: row.until_at, import: Energy(import), export: Energy(0) })
        };
        let values = rows.into_iter().map(value).collect::<Result<_, store::Error>>()?;
        meters.push(Meter { metering_point: point.clone(), values });
    }
    let Some(digits) = takst_dsl::resolve::currency::currency(&currency).map(|known| known.digits) else {
        return Err(corrupt(format!("`{currency}` is no currency")));
    };
    let work = |with_vat| plant_cost(&of.zone, of.month, (&costs, digits, with_vat), &meters);
    let (net, with_vat) = match (work(false), work(true)) {
        (Ok(net), Ok(with_vat)) => (net, with_vat),
        (Err(why), _) | (_, Err(why)) => return waits(&in_words(&why)),
    };
    let (sessions, metered) = (drawn(reader, org, &of.site, of.span()).await?, Energy(net.energy));
    if sessions > metered {
        return Ok(Err(Why::Exceeded { sessions, metered }));
    }
    if metered == Energy(0) {
        return waits("the meters saw no energy in the month, so a kWh has no cost");
    }
    Ok(Ok((currency, net, with_vat)))
}

fn in_words(why: &MonthError) -> String {
    match why {
        MonthError::Gap { point, from, to, .. } => {
            format!("metering point {point} has no values from {from} to {to}")
        }
        other => other.to_string(),
    }
}

// Millionths of a kWh.
pub(super) fn micro(kwh: &str) -> Option<i64> {
    let energy = input::decimal(kwh).ok()?.checked_mul(Decimal::from(1_000_000))?.normalize();
    (energy.scale() == 0).then(|| i64::try_from(energy.mantissa()).ok())?
}
