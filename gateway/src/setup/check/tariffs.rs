//! Assignments of tariffs: do they contradict each other, and do the lists fit the places they are assigned to.

use super::super::catalogue::ChangesFrom;
use super::super::merge::{Item, Raw};
use super::super::model::{Assignment, Charger, Site};
use super::super::report::{More as _, Place, Report};
use super::super::tariffs::TariffFile;
use super::super::values::{Id, Local, Zone};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use takst_engine::tariff::{Tariff, Test};

/// Checks assignments among each other.
pub(super) fn assignments(raw: &Raw, report: &mut Report) {
    let mut seen: HashMap<String, Place> = HashMap::new();
    for item in &raw.tariffs.items {
        let Assignment { file, site, charger, evse, connector, group, from, changes_from, .. } = &item.it;
        if let (Some(_), Some(charger)) = (site, charger) {
            report
                .error("S056", item.at(&["site"]), "an assignment is about a site or about a charger")
                .advise(format!("leave `site` out: charger `{charger}` stands at one site"));
        }
        place(raw, item, report);
        for (key, local) in [("from", from), ("changes_from", changes_from)] {
            if let Some(local) = local {
                skipped(raw, item, key, *local, report);
            }
        }
        // The same list at two places is fine, and so are two lists that are valid from different times: that is looked at later.
        let same =
            format!("{site:?} {:?} {evse:?} {connector:?} {group:?} {from:?}", folded(charger.as_ref()));
        let key = if from.is_some() { same } else { format!("{same} {file}") };
        let at = item.at(&[if from.is_some() { "from" } else { "file" }]);
        if let Some(before) = seen.insert(key, at) {
            report
                .error("S053", at, "two lists come into force at the same place and time")
                .also(before, "the other one")
                .advise("keep one of them, or give them different times: `from = 2026-01-01`");
        }
    }
}

// Identities of chargers are the same in capital and small letters; other ids are not.
fn folded(charger: Option<&Id>) -> Option<String> {
    charger.map(|charger| charger.to_lowercase())
}

// The connector that an assignment is about is there.
fn place(raw: &Raw, item: &Item<Assignment>, report: &mut Report) {
    let Assignment { charger, evse, connector, .. } = &item.it;
    let key = if evse.is_some() { "evse" } else { "connector" };
    match (charger, evse, connector) {
        (_, None, None) => {}
        (None, ..) => {
            report
                .error("S056", item.at(&[key]), format!("`{key}` without the charger it belongs to"))
                .advise("add `charger = \"...\"`");
        }
        (Some(_), None, Some(number)) => {
            report.error("S056", item.at(&["connector"]), "a connector without its EVSE").advise(format!(
                "write `evse = {number}` for connector {number} of OCPP 1.6; of others add `evse`"
            ));
        }
        (Some(charger), Some(evse), _) => {
            let Some(known) = raw.chargers.find(charger) else { return };
            let fits = |known: &&super::super::Connector| {
                known.evse == *evse && connector.is_none_or(|number| known.connector == number)
            };
            if !known.it.connectors.iter().any(|known| fits(&known)) {
                let what = connector
                    .map_or(format!("EVSE {evse}"), |number| format!("connector {number} of EVSE {evse}"));
                report
                    .error("S032", item.at(&[key]), format!("charger `{charger}` has no {what}"))
                    .also(known.at(&["id"]), "the charger")
                    .advise("add it to the charger: `[[charger.connector]]`");
            }
        }
    }
}

// The sites that an assignment is about, with their zones.
fn sites<'a>(raw: &'a Raw, assignment: &Assignment) -> Vec<&'a Item<Site>> {
    let only = match (&assignment.charger, &assignment.site) {
        (Some(charger), _) => raw.chargers.find(charger).map(|charger| charger.it.site.to_string()),
        (None, Some(site)) => Some(site.to_string()),
        (None, None) => None,
    };
    let all_sites = assignment.charger.is_none() && assignment.site.is_none();
    raw.sites
        .items
        .iter()
        .filter(|site| all_sites || only.as_deref().is_some_and(|only| site.it.id == only))
        .collect()
}

fn skipped(raw: &Raw, item: &Item<Assignment>, key: &str, local: Local, report: &mut Report) {
    let at_sites = sites(raw, &item.it);
    if let Some(site) = at_sites.iter().find(|site| site.it.time_zone.skips(local)) {
        let zone = site.it.time_zone.name();
        report
            .error("S055", item.at(&[key]), format!("in {zone} the clock jumps over this time"))
            .also(site.at(&["time_zone"]), "the site's clock")
            .advise("write a time an hour later or earlier");
    }
}

/// From when changed texts are to count.
pub(crate) fn changes_from(raw: &Raw, report: &mut Report) -> Vec<ChangesFrom> {
    let utc = Zone(chrono_tz::Tz::UTC);
    let organisation = raw.organisation.as_ref().map_or(utc, |item| item.it.time_zone);
    let mut found: Vec<ChangesFrom> = Vec::new();
    for item in &raw.tariffs.items {
        let Some(local) = item.it.changes_from else { continue };
        let of_place = item.it.charger.is_some() || item.it.site.is_some();
        let zone =
            sites(raw, &item.it).first().filter(|_| of_place).map_or(organisation, |site| site.it.time_zone);
        let change = ChangesFrom {
            file: item.it.file.to_string(),
            at: zone.instant(local),
            place: item.at(&["changes_from"]),
        };
        match found.iter().find(|known| known.file == change.file) {
            Some(known) if known.at != change.at => {
                report
                    .error("S053", change.place, "the text of one file cannot change at two times")
                    .also(known.place, "the other one")
                    .advise("write the same time in both places, or `changes_from` in one of them only");
            }
            Some(_) => {}
            None => found.push(change),
        }
    }
    found
}

/// Checks that the lists fit the places they are assigned to.
pub(crate) fn tariffs(raw: &Raw, files: &BTreeMap<String, Arc<TariffFile>>, report: &mut Report) {
    in_force(raw, files, report);
    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    for item in &raw.tariffs.items {
        let Some(file) = files.get(item.it.file.as_str()) else { continue };
        let tariff = file.prepared.tariff();
        let mut once = |what: String, report: &mut Report, tell: &mut dyn FnMut(&mut Report)| {
            if told.insert((file.name.clone(), what)) {
                tell(report);
            }
        };
        names(raw, item, tariff, &mut once, report);
        unheard(item, tariff, &mut once, report);
        of_month(item, tariff, &mut once, report);
        for site in sites(raw, &item.it) {
            zone(item, site, tariff, &mut once, report);
            feeds(raw, item, site, tariff, &mut once, report);
        }
    }
    without(raw, report);
}

type Once<'a> = &'a mut dyn FnMut(String, &mut Report, &mut dyn FnMut(&mut Report));

// A list is not assigned from before it is valid, and two lists without `from` begin at different times.
fn in_force(raw: &Raw, files: &BTreeMap<String, Arc<TariffFile>>, report: &mut Report) {
    let mut seen: HashMap<String, Place> = HashMap::new();
    for item in &raw.tariffs.items {
        let Assignment { file, site, charger, evse, connector, group, from, .. } = &item.it;
        let Some(compiled) = files.get(file.as_str()) else { continue };
        let tariff = compiled.prepared.tariff();
        if let (Some(from), Some(until)) = (from, tariff.valid_until)
            && sites(raw, &item.it).iter().any(|site| site.it.time_zone.instant(*from) >= until)
        {
            let until = takst_engine::calendar_time::local_text(&tariff.zone, until);
            report
                .error(
                    "S054",
                    item.at(&["from"]),
                    format!("`{file}` is valid until {until}, which is earlier"),
                )
                .advise("take the assignment out, or change `valid until` in the list");
        }
        match (from, tariff.valid_from) {
            (Some(from), Some(valid)) => {
                let early = sites(raw, &item.it).iter().any(|site| site.it.time_zone.instant(*from) < valid);
                if early {
                    let valid = takst_engine::calendar_time::local_text(&tariff.zone, valid);
                    report
                        .error(
                            "S054",
                            item.at(&["from"]),
                            format!("`{file}` is valid from {valid}, which is later"),
                        )
                        .advise("leave `from` out: it counts from there, or change `valid from` in the list");
                }
            }
            (Some(_), None) => {}
            (None, valid) => {
                let charger = folded(charger.as_ref());
                let key = format!("{site:?} {charger:?} {evse:?} {connector:?} {group:?} {valid:?}");
                if let Some(before) = seen.insert(key, item.at(&["file"])) {
                    let at = item.at(&["file"]);
                    // The same file twice was told before.
                    if before != at && !same_file(raw, before, file.as_str()) {
                        report
                            .error("S053", at, "two lists come into force at the same place and time")
                            .also(before, "the other one")
                            .advise("say from when: `from = 2026-01-01`, or `valid from` in the list");
                    }
                }
            }
        }
    }
}

fn same_file(raw: &Raw, at: Place, file: &str) -> bool {
    raw.tariffs.items.iter().any(|item| item.at(&["file"]) == at && item.it.file.as_str() == file)
}

// What a list names is there.
fn names(raw: &Raw, item: &Item<Assignment>, tariff: &Tariff, once: Once<'_>, report: &mut Report) {
    let at = item.at(&["file"]);
    let mut unknown = |what: &str, name: &str, near: Option<String>, report: &mut Report| {
        once(format!("{what} {name}"), report, &mut |report| {
            let add = format!("add it: `[[{what}]]` with `id = \"{name}\"`");
            report
                .warning("S058", at, format!("the list names the {what} `{name}`, and there is none"))
                .advise(
                    near.clone().map_or(add, |near| format!("there is `{near}`; the names must be the same")),
                );
        });
    };
    let default = tariff.default_group.and_then(|group| usize::try_from(group).ok());
    for (_, group) in tariff.groups.iter().enumerate().filter(|(nth, _)| Some(*nth) != default) {
        if !raw.groups.has(group) {
            let near = report.nearest(group, raw.groups.ids()).map(str::to_owned);
            unknown("group", group, near, report);
        }
    }
    for place in &tariff.places {
        for charger in place.chargers.iter().filter(|charger| !raw.chargers.has(charger)) {
            let near = report.nearest(charger, raw.chargers.ids()).map(str::to_owned);
            unknown("charger", charger, near, report);
        }
        for site in place.sites.iter().filter(|site| !raw.sites.has(site)) {
            let near = report.nearest(site, raw.sites.ids()).map(str::to_owned);
            unknown("site", site, near, report);
        }
    }
    for test in &tariff.tests {
        if let Test::Plan(plan) = test
            && !raw.plans.has(plan)
        {
            let near = report.nearest(plan, raw.plans.ids()).map(str::to_owned);
            unknown("plan", plan, near, report);
        }
    }
}

// What a list asks and the gateway does not learn: it would never count, and nobody would notice.
fn unheard(item: &Item<Assignment>, tariff: &Tariff, once: Once<'_>, report: &mut Report) {
    let asks = |is: fn(&Test) -> bool| tariff.tests.iter().any(is);
    let found = [
        (
            asks(|test| *test == Test::ReservationExpired),
            "the list has a fee for a reservation that expires (`when expired`), and the gateway makes no bill of one",
            "bill such reservations by hand; one that is used is billed with its session",
        ),
        (
            asks(|test| matches!(test, Test::PaymentBrand(_))),
            "the list asks with which card somebody pays (`paid with`), and the gateway does not learn it",
            "everybody is billed as with another card; take the line out, or say it of a group of drivers",
        ),
        (
            !tariff.coupons.is_empty(),
            "the list has coupons, and the gateway takes none",
            "everybody is billed as without one; give the rebate to a group of drivers: `discount ... for GROUP`",
        ),
    ];
    for (_, message, help) in found.into_iter().filter(|(asks, ..)| *asks) {
        once(message.to_owned(), report, &mut |report| {
            report.warning("S063", item.at(&["file"]), message).advise(help);
        });
    }
}

// What a list asks of a month: the gateway bills sessions, each by itself, and nobody would miss the rest.
fn of_month(item: &Item<Assignment>, tariff: &Tariff, once: Once<'_>, report: &mut Report) {
    let found = [
        (
            tariff.bills_monthly,
            "the list says `bills: every month`, and the gateway bills each session by itself",
            "a payment fee is in none of these bills; leave the line out, or ask for what is missing with `takst month`",
        ),
        (
            !tariff.month.is_empty(),
            "the list has charges or credits of a month, and the gateway bills sessions only",
            "they are in none of its bills; settle the month with `takst month`",
        ),
        (
            tariff.tests.iter().any(|test| matches!(test, Test::WholeMonthAtLeast { .. })),
            "the list has a price for all of a month (`whole month from`), and the gateway bills each session by what is known at its end",
            "sessions before the threshold keep the other price; settle the month with `takst month`",
        ),
    ];
    for (_, message, help) in found.into_iter().filter(|(asks, ..)| *asks) {
        once(message.to_owned(), report, &mut |report| {
            report.warning("S064", item.at(&["file"]), message).advise(help);
        });
    }
}

fn zone(item: &Item<Assignment>, site: &Item<Site>, tariff: &Tariff, once: Once<'_>, report: &mut Report) {
    let (theirs, ours) = (&tariff.zone.name, site.it.time_zone.name());
    if theirs != ours {
        once(format!("zone {}", site.it.id), report, &mut |report| {
            report
                .warning(
                    "S059",
                    item.at(&["file"]),
                    format!("the list's hours are those of {theirs}, and the site's of {ours}"),
                )
                .also(site.at(&["time_zone"]), "the site's clock")
                .advise("a list for a site in another zone says so: `time zone` in its heading");
        });
    }
}

fn feeds(
    raw: &Raw,
    item: &Item<Assignment>,
    site: &Item<Site>,
    tariff: &Tariff,
    once: Once<'_>,
    report: &mut Report,
) {
    let used = takst_engine::feeds::used(tariff);
    for (_, feed) in (0..).zip(&tariff.feeds).filter(|(nth, _)| used.contains_key(nth)) {
        let site_area = site.it.price_area.as_deref();
        if let (Some(theirs), Some(ours)) = (feed.area.as_deref(), site_area)
            && theirs != ours
        {
            once(format!("area {}", site.it.id), report, &mut |report| {
                report
                    .warning(
                        "S061",
                        item.at(&["file"]),
                        format!("the list asks for prices of {theirs}, and the site is in {ours}"),
                    )
                    .also(site.at(&["price_area"]), "here")
                    .advise("assign a list for this area, or correct `price_area`");
            });
            continue;
        }
        let known = raw.feeds.items.iter().any(|known| {
            known.it.name == feed.name.as_str()
                && (known.it.area.as_deref() == feed.area.as_deref()
                    || known.it.area.is_none()
                    || feed.area.is_none())
        });
        if !known {
            let area = feed.area.as_deref().map(|area| format!(" for {area}")).unwrap_or_default();
            once(format!("feed {}{area}", feed.name), report, &mut |report| {
                let wanted =
                    feed.area.as_deref().map(|area| format!(" and `area = \"{area}\"`")).unwrap_or_default();
                report
                    .warning(
                        "S061",
                        item.at(&["file"]),
                        format!("the list wants prices of `{}`{area}, and there is no feed", feed.name),
                    )
                    .advise(format!(
                        "add `[[feed]]` with `name = \"{}\"`{wanted}; until then bills stay pending",
                        feed.name
                    ));
            });
        }
    }
}

// Chargers at which nothing is ever in force for everybody.
fn without(raw: &Raw, report: &mut Report) {
    let everywhere = |assignment: &Assignment| {
        assignment.site.is_none() && assignment.charger.is_none() && assignment.group.is_none()
    };
    if raw.tariffs.items.iter().any(|item| everywhere(&item.it)) {
        return;
    }
    let general =
        || raw.tariffs.items.iter().map(|item| &item.it).filter(|assignment| assignment.group.is_none());
    let sites: BTreeSet<&str> = general().filter_map(|assignment| assignment.site.as_deref()).collect();
    let chargers: BTreeSet<String> =
        general().filter_map(|assignment| assignment.charger.as_ref()).map(|id| id.to_lowercase()).collect();
    let mut by_site: BTreeMap<&str, (Vec<&str>, Place)> = BTreeMap::new();
    for item in &raw.chargers.items {
        let Charger { id, site, .. } = &item.it;
        if !sites.contains(site.as_str()) && !chargers.contains(&id.to_lowercase()) {
            by_site.entry(site.as_str()).or_insert_with(|| (Vec::new(), item.at(&["id"]))).0.push(id);
        }
    }
    for (site, (ids, at)) in by_site {
        let more = ids.len() - 1;
        let others = if more == 0 { String::new() } else { format!(" and {more} more at this site") };
        let first = ids.first().copied().unwrap_or_default();
        report.warning("S060", at, format!("charger `{first}`{others} has no tariff for everybody")).advise(
            format!("add `[[tariff]]` with `file` and `site = \"{site}\"`; without one nobody can be billed"),
        );
    }
}
