//! What a kWh cost a site's plant in a month: once the costs are entered and every value of the month is there, it stands as a price of the
//! feed `cost price`, of which the area is the site.

use crate::feeds::{cost, publish};
use crate::house::Plant;
use crate::store::{self, MeterDirection, OrgId, PlantCost, PricePoint, Reader, Tx};
use chrono::{Datelike as _, TimeZone as _};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use takst_engine::calendar_time::{INSTANTS, start_of_day};
use takst_engine::exact::print_decimal;
use takst_engine::input;
use takst_engine::month::{Cost, Meter, MeterValue, MonthError, Plant as Worked, YearMonth, plant_cost};
use takst_engine::tariff::Zone;
use takst_engine::units::{Energy, Instant};

/// So many months back are looked at again when the set-up changes.
pub(super) const MONTHS_LOOKED_AT: u32 = 13;
/// Most costs of a month.
const MOST_COSTS: usize = 1_000;

/// How it stands with the cost price of a site in a month.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CostState {
    /// It is known.
    Known(Known),
    /// It is not, and why: what is missing or cannot be right.
    Waits(String),
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
    /// Whether there is a price that was not there before.
    #[must_use]
    pub fn is_news(&self) -> bool {
        matches!(self, Self::Known(known) if known.is_news)
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

    fn span(&self) -> (Instant, Instant) {
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
) -> Result<CostState, store::Error> {
    Ok(match work_out(reader, org, of).await? {
        Ok((currency, net, with_vat)) => CostState::Known(known(currency, &net, &with_vat)),
        Err(why) => CostState::Waits(why),
    })
}

/// Works it out, and hands it to whoever waits for it where it is another one than before.
pub(super) async fn settle(
    tx: &mut Tx,
    org: &OrgId,
    of: &MonthCosts,
    now: Instant,
) -> Result<CostState, store::Error> {
    // Costs and values that come through two gateways at the same moment see each other.
    tx.lock_meters(org).await?;
    let (currency, net, with_vat) = match work_out(tx, org, of).await? {
        Ok(worked) => worked,
        Err(why) => return Ok(CostState::Waits(why)),
    };
    let (from_at, to_at) = of.span();
    // A later word stands, whatever the clock of another gateway said.
    let before = tx.published_prices(org, (cost::NET, &of.site), from_at, to_at).await?;
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
    let received = publish(tx, org, &all, &name, now).await?;
    let known = known(currency, &net, &with_vat);
    Ok(CostState::Known(Known { is_news: received.is_news(), woken: received.woken, ..known }))
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
) -> Result<Result<Prices, String>, store::Error> {
    let said = reader.plant_costs(org, &of.site, &of.month.to_string()).await?;
    let Some(PlantCost { currency, document, .. }) = said.into_iter().next_back() else {
        return Ok(Err("nobody has entered the costs of this month".to_owned()));
    };
    if of.points.is_empty() {
        return Ok(Err("the site has no metering point; name it with `metering_point`".to_owned()));
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
    Ok(match (work(false), work(true)) {
        (Ok(net), Ok(_)) if net.energy == 0 => {
            Err("the meters saw no energy in the month, so a kWh has no cost".to_owned())
        }
        (Ok(net), Ok(with_vat)) => Ok((currency, net, with_vat)),
        (Err(why), _) | (_, Err(why)) => Err(in_words(&why)),
    })
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
fn micro(kwh: &str) -> Option<i64> {
    let energy = input::decimal(kwh).ok()?.checked_mul(Decimal::from(1_000_000))?.normalize();
    (energy.scale() == 0).then(|| i64::try_from(energy.mantissa()).ok())?
}
