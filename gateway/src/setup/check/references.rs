//! Ids that name other things, and the numbers that law and banks give.

use super::super::merge::Raw;
use super::super::model::{
    Address, Assignment, Charger, Driver, Feed, Person, Seller, Site, Token, UnknownPolicy,
};
use super::super::read::shown;
use super::super::report::{More as _, Place, Report};
use super::missing;
use std::collections::HashMap;

pub(super) fn check(raw: &Raw, report: &mut Report) {
    web_address(raw, report);
    for item in &raw.sites.items {
        let Site { seller, address, .. } = &item.it;
        missing(seller, &raw.sellers, item.at(&["seller"]), report);
        country(address, item.at(&["address", "country"]), report);
    }
    for item in &raw.chargers.items {
        let Charger { site, plan, .. } = &item.it;
        missing(site, &raw.sites, item.at(&["site"]), report);
        if let Some(plan) = plan {
            missing(plan, &raw.plans, item.at(&["plan"]), report);
        }
    }
    for item in &raw.drivers.items {
        let Driver { groups, .. } = &item.it;
        groups_exist(groups, item.node.get("groups"), raw, report);
    }
    for item in &raw.tokens.items {
        let Token { driver, groups, .. } = &item.it;
        if let Some(driver) = driver {
            missing(driver, &raw.drivers, item.at(&["driver"]), report);
        }
        groups_exist(groups, item.node.get("groups"), raw, report);
    }
    for item in &raw.people.items {
        let Person { driver, .. } = &item.it;
        missing(driver, &raw.drivers, item.at(&["driver"]), report);
    }
    for item in &raw.tariffs.items {
        let Assignment { site, charger, group, .. } = &item.it;
        if let Some(site) = site {
            missing(site, &raw.sites, item.at(&["site"]), report);
        }
        if let Some(charger) = charger {
            missing(charger, &raw.chargers, item.at(&["charger"]), report);
        }
        if let Some(group) = group {
            missing(group, &raw.groups, item.at(&["group"]), report);
        }
    }
    for item in &raw.sellers.items {
        let Seller { payout_account, address, .. } = &item.it;
        if let Some(account) = payout_account {
            iban(account, item.at(&["payout_account"]), report);
        }
        country(address, item.at(&["address", "country"]), report);
    }
    for item in &raw.feeds.items {
        let Feed { plugin, second, .. } = &item.it;
        for (plugin, key) in [(plugin, "plugin"), (second, "second")] {
            if let Some(plugin) = plugin {
                missing(plugin, &raw.plugins, item.at(&[key]), report);
            }
        }
    }
    for item in &raw.plugins.items {
        let Some(meters) = &item.it.meters else { continue };
        for site in &meters.sites {
            missing(site, &raw.sites, item.at(&["meters", "sites"]), report);
        }
    }
    unknown_chargers(raw, report);
}

fn groups_exist(
    groups: &[super::super::Id],
    node: Option<&super::super::node::Node>,
    raw: &Raw,
    report: &mut Report,
) {
    for (group, node) in groups.iter().zip(node.map(super::super::node::Node::list).unwrap_or_default()) {
        missing(group, &raw.groups, node.at, report);
    }
}

// Links are made of it.
fn web_address(raw: &Raw, report: &mut Report) {
    let Some(item) = &raw.organisation else { return };
    let Some(address) = &item.it.web_address else { return };
    let host = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    if !host.is_some_and(|host| !host.is_empty() && host.chars().all(is_plain)) {
        report
            .error(
                "S019",
                item.at(&["web_address"]),
                format!("\"{}\" is no address to make links of", shown(address)),
            )
            .advise("write how drivers reach this gateway, without a path: \"https://charge.example.com\"");
    }
}

fn country(address: &Address, at: Place, report: &mut Report) {
    let two_letters = |text: &str| text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_uppercase());
    if let Some(country) = address.country.as_deref().filter(|country| !two_letters(country)) {
        report
            .error("S033", at, format!("\"{}\" is no code of a country", shown(country)))
            .advise("write its two letters, as in \"FI\" or \"NO\"");
    }
}

// ISO 13616: the number read as base 36, its first four characters at the end, leaves 1 when divided by 97.
pub(super) fn iban(account: &str, at: Place, report: &mut Report) {
    let plain: String = account.chars().filter(|c| !c.is_whitespace()).collect();
    let is_iban =
        plain.len() > 4 && plain.is_ascii() && plain.bytes().take(2).all(|c| c.is_ascii_alphabetic());
    if !is_iban {
        return;
    }
    let (head, tail) = plain.split_at(4);
    let value = |c: char| c.to_digit(36);
    let rest = tail.chars().chain(head.chars()).try_fold(0_u32, |rest, c| {
        let value = value(c)?;
        Some((rest * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    if rest != Some(1) || plain.len() > 34 {
        report
            .error("S034", at, format!("the check digits of account \"{}\" are wrong", shown(account)))
            .advise("compare it with the bank's letter: a payout would go astray");
    }
}

fn unknown_chargers(raw: &Raw, report: &mut Report) {
    if let Some(item) = &raw.organisation
        && item.it.unknown_chargers == UnknownPolicy::Accept
    {
        report
            .error("S070", item.at(&["unknown_chargers"]), "an unknown charger cannot work without a site")
            .advise("write it at a site: `unknown_chargers = { policy = \"accept\" }`");
    }
    let mut seen: HashMap<String, Place> = HashMap::new();
    for item in &raw.sites.items {
        let Some(rule) = &item.it.unknown_chargers else { continue };
        let prefix = rule.prefix.as_deref().unwrap_or_default().to_lowercase();
        let at = item.at(&["unknown_chargers"]);
        if let Some(before) = seen.insert(prefix, at) {
            report
                .error("S071", at, "two sites take the same unknown chargers")
                .also(before, "the other one")
                .advise("tell them apart by what their identities begin with: `prefix = \"...\"`");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_number_with_a_slip_is_found() {
        let wrong = |account: &str| {
            let mut report = Report::default();
            iban(account, Place::default(), &mut report);
            report.has_errors()
        };
        // From the registry's published examples.
        for right in ["FI21 1234 5600 0007 85", "NO9386011117947", "NL91ABNA0417164300", "8601 11 17947"] {
            assert!(!wrong(right), "{right}");
        }
        for slip in ["FI21 1234 5600 0007 58", "NO9386011117974", "NL19ABNA0417164300", "NL91ABNA041716430-"]
        {
            assert!(wrong(slip), "{slip}");
        }
    }
}
