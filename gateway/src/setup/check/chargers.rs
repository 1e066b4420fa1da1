//! Chargers: how they prove who they are, and their connectors.

use super::super::merge::{Item, Raw};
use super::super::model::{Charger, Connector, Effective, Plug, Security, Site, Subprotocol, UnknownPolicy};
use super::super::node::Node;
use super::super::report::{More as _, Place, Report};
use super::super::resolve::plug_of;
use std::collections::HashMap;

pub(super) fn check(raw: &Raw, report: &mut Report) {
    let everywhere = match &raw.settings {
        Some(settings) => settings.it.over(Effective::default()),
        None => Effective::default(),
    };
    let sites: HashMap<&str, &Item<Site>> =
        raw.sites.items.iter().map(|site| (site.it.id.as_str(), site)).collect();
    for item in &raw.chargers.items {
        let site = match sites.get(item.it.site.as_str()) {
            Some(site) => site.it.settings.over(everywhere.clone()),
            None => everywhere.clone(),
        };
        security(item, &item.it.settings.over(site), report);
        connectors(item, report);
    }
    for item in &raw.sites.items {
        let Some(rule) = &item.it.unknown_chargers else { continue };
        let least = item.it.settings.over(everywhere.clone()).min_security_profile;
        if rule.policy == UnknownPolicy::Accept && least > 0 {
            report
                .error(
                    "S044",
                    item.at(&["unknown_chargers", "policy"]),
                    format!("an unknown charger has no password, and security profile {least} is wanted"),
                )
                .advise(
                    "write `policy = \"hold\"`, or `settings = { min_security_profile = 0 }` for this site",
                );
        }
        if let (Some(connector), Some(node)) =
            (&rule.connector, item.node.get("unknown_chargers").and_then(|node| node.get("connector")))
        {
            plug(connector, node, report);
        }
    }
}

fn security(item: &Item<Charger>, settings: &Effective, report: &mut Report) {
    let Security { profile, user, password, subprotocol, assume_ocpp16_without_subprotocol } =
        &item.it.security;
    let at = |key: &str| item.at(&["security", key]);
    let id = &item.it.id;
    let wanted = profile.unwrap_or(settings.security_profile);
    // Where the charger says nothing itself, its own table is the place to write it.
    let profile_at = || if profile.is_some() { at("profile") } else { item.at(&["id"]) };
    if wanted > 3 {
        report
            .error("S015", profile_at(), format!("there is no security profile {wanted}"))
            .advise("0 nothing, 1 password, 2 password and TLS, 3 client certificate");
        return;
    }
    if wanted < settings.min_security_profile {
        let least = settings.min_security_profile;
        report
            .error(
                "S044",
                profile_at(),
                format!("charger `{id}` may come with security profile {wanted}, and {least} is wanted"),
            )
            .advise(format!("write `profile = {least}`, or lower `min_security_profile` in the settings"));
    }
    match (wanted, password) {
        // A password in the wrong place was told already.
        (1 | 2, None) if item.node.get("password").is_none() => {
            report
                .error("S040", profile_at(), format!("charger `{id}` has no password, and security profile {wanted} wants one"))
                .advise(
                    "add `security = { password = { env = \"NAME\" } }` with the name of a variable, or `profile = 0` for a charger \
                     that anybody may pretend to be",
                );
        }
        (0 | 3, Some(_)) => {
            let why = if wanted == 0 { "asks for none" } else { "has a certificate instead" };
            report
                .error(
                    "S045",
                    at("password"),
                    format!("a password stands here, and security profile {wanted} {why}"),
                )
                .advise("leave one of the two out");
        }
        _ => {}
    }
    if user.is_some() && password.is_none() {
        report
            .error("S045", at("user"), "a user without a password")
            .advise("add `password`, or leave `user` out");
    }
    let newer = subprotocol.filter(|subprotocol| *subprotocol != Subprotocol::V16);
    if let (true, Some(newer)) = (assume_ocpp16_without_subprotocol, newer) {
        report
            .error(
                "S045",
                at("subprotocol"),
                format!(
                    "the charger is to speak {} only, and OCPP 1.6 without a subprotocol",
                    newer.as_str()
                ),
            )
            .also(at("assume_ocpp16_without_subprotocol"), "here")
            .advise("leave one of the two out");
    }
}

fn connectors(item: &Item<Charger>, report: &mut Report) {
    let nodes = item.node.get("connector").map(Node::list).unwrap_or_default();
    let mut seen: HashMap<(u32, u32), Place> = HashMap::new();
    for (connector, node) in item.it.connectors.iter().zip(nodes) {
        let Connector { evse, connector: number, .. } = connector;
        if *evse == 0 || *number == 0 {
            report
                .error(
                    "S015",
                    node.place(&[if *evse == 0 { "evse" } else { "connector" }]),
                    "numbers count from 1",
                )
                .advise("0 is the charger itself");
        } else if let Some(before) = seen.insert((*evse, *number), node.at) {
            report
                .error("S021", node.at, format!("there is a connector {number} of EVSE {evse} already"))
                .also(before, "here")
                .advise("connectors differ in `evse`, or in `connector` where one EVSE has several; connector 2 of OCPP 1.6 is `evse = 2`");
        }
        plug(connector, node, report);
    }
}

fn plug(connector: &Connector, node: &Node, report: &mut Report) {
    let Connector { plug, kind, phases, .. } = connector;
    if let (Some(plug), Some(kind)) = (plug, kind)
        && let Some(right) = plug_of(kind).filter(|right| right != plug)
    {
        report
            .error("S075", node.place(&["plug"]), format!("{kind} does not deliver {}", plug.as_str()))
            .also(node.place(&["type"]), "says so")
            .advise(format!("write `plug = \"{}\"`, or leave it out", right.as_str()));
    }
    let Some(phases) = phases else { return };
    if !(1..=3).contains(phases) {
        report.error("S015", node.place(&["phases"]), format!("{phases} phases")).advise("write 1, 2 or 3");
    } else if connector.plug() == Some(Plug::Dc) {
        report
            .error("S075", node.place(&["phases"]), "direct current has no phases")
            .advise("leave `phases` out");
    }
}
