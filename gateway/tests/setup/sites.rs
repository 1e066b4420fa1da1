//! The example sites, and what a set-up answers about them.

use std::path::{Path, PathBuf};
use takst_engine::session::Plug;
use takst_engine::tariff::Contract;
use takst_engine::units::Instant;
use takst_gateway::setup::{
    At, Catalogue, Document, Level, Loaded, RunningSessions, Setup, TokenVerdict, Unknown,
};

fn sites() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/sites")
}

fn load() -> Loaded {
    let loaded = Setup::load(&sites()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    loaded
}

fn at(text: &str) -> Instant {
    takst_engine::input::instant(text).unwrap()
}

#[test]
fn three_sites_and_a_dozen_chargers() {
    let loaded = load();
    let Document { sites, chargers, sellers, .. } = loaded.setup.document();
    assert_eq!((sites.len(), sellers.len(), chargers.len()), (3, 3, 12));
    for site in sites {
        assert!(loaded.setup.seller(site).is_some());
    }
    let places: Vec<u32> = sites.iter().map(|site| loaded.setup.places(site)).collect();
    assert_eq!(places, [6, 5, 6]);
    assert_eq!(loaded.people.len(), 2);
}

#[test]
fn the_document_is_the_same_after_json() {
    let loaded = load();
    let document = loaded.setup.document();
    let json = loaded.document();
    assert_eq!(Document::from_json(&json).unwrap_or_else(|problems| panic!("{problems}")), *document);
    // Who drivers are is never in it.
    for person in &loaded.people {
        assert!(!json.contains(person.name.as_deref().unwrap()));
    }
    assert!(loaded.hash().starts_with("sha256:"));
    assert_eq!(loaded.hash(), load().hash());
}

#[test]
fn facts_are_what_a_tariff_may_ask() {
    let setup = &load().setup;
    let charger = setup.charger("ht-1").unwrap();
    // OCPP 1.6 knows the connector alone, as an EVSE.
    let facts = setup.facts(charger, Some(2), None, Some("ht-staff-1"));
    assert_eq!(facts.site.as_deref(), Some("fjordhotellet"));
    assert_eq!(facts.charger.as_deref(), Some("HT-1"));
    assert_eq!((facts.evse.as_deref(), facts.driver.as_deref()), (Some("2"), Some("d-201")));
    assert_eq!(facts.groups, ["VIP"]);
    assert_eq!(facts.contract, Some(Contract::Direct));
    let connector = facts.connector.unwrap();
    assert_eq!(
        (connector.plug, connector.max_power, connector.phases),
        (Some(Plug::Ac), Some(22_000_000), Some(3))
    );
    assert_eq!(facts.token.unwrap().uid.as_deref(), Some("HT-STAFF-1"));
    // One EVSE with two plugs: until the charger says which one, nothing is guessed.
    let station = setup.charger("SN-STATION-1").unwrap();
    assert_eq!(setup.facts(station, Some(1), None, None).connector, None);
    let chademo = setup.facts(station, Some(1), Some(2), None).connector.unwrap();
    assert_eq!((chademo.plug, chademo.max_power), (Some(Plug::Dc), Some(50_000_000)));
    let partner = setup.facts(station, Some(1), Some(1), Some("nl-van-c00001234-5"));
    assert_eq!(partner.contract, Some(Contract::Roaming));
    assert_eq!(partner.token.unwrap().issuer.as_deref(), Some("Partner"));
    assert_eq!(setup.facts(station, Some(1), Some(1), Some("nobody's")).contract, Some(Contract::AdHoc));
}

#[test]
fn settings_of_a_charger_go_before_those_of_its_site() {
    let setup = &load().setup;
    let settings = |id: &str| setup.settings(setup.charger(id).unwrap());
    assert_eq!(settings("HT-3").restart_after.ms(), 120_000);
    assert_eq!(settings("HT-2").restart_after.ms(), 300_000);
    assert_eq!(settings("SN-CENTRUM-1").meter_value_interval.ms(), 30_000);
    let profile = |id: &str| setup.security_profile(setup.charger(id).unwrap());
    assert_eq!((profile("HT-4"), profile("OT-1")), (1, 0));
    let start = |id: &str, uid: &str| setup.may_start(setup.charger(id).unwrap(), uid, Instant(0));
    assert_eq!(start("SN-CENTRUM-1", "unheard-of"), TokenVerdict::AcceptedUnknown);
    assert_eq!(start("OT-1", "unheard-of"), TokenVerdict::Invalid);
    assert_eq!(start("OT-1", "04a2b3c4d5e680"), TokenVerdict::Accepted);
    assert_eq!(start("HT-1", "HT-DESK"), TokenVerdict::MasterPass);
    let halo = setup.habits(None, "example ab", "Halo 2 Wallbox");
    assert_eq!((halo.offset_min, halo.ping, halo.wh_is_kwh), (60, false, false));
    assert!(setup.habits(None, "Example AB", "Aura").ping);
}

#[test]
fn a_password_is_checked_against_its_hash() {
    let loaded = load();
    assert!(loaded.secrets.check("ht-4", b"fjord-demo-2026"));
    assert!(!loaded.secrets.check("HT-4", b"fjord-demo-2025"));
    assert!(!loaded.secrets.has("HT-1"));
}

#[test]
fn an_unknown_charger_gets_in_at_the_hotel() {
    let setup = &load().setup;
    let Unknown::Accept(guest) = setup.unknown("SIMULATOR-1") else { panic!("refused") };
    assert_eq!((guest.id.as_str(), guest.site.as_str()), ("SIMULATOR-1", "fjordhotellet"));
    let facts = setup.facts(&guest, Some(1), None, Some("DEMO"));
    assert_eq!(facts.connector.unwrap().max_power, Some(22_000_000));
}

#[test]
fn the_most_specific_tariff_counts_and_later_lists_take_over() {
    let loaded = load();
    let setup = &loaded.setup;
    let mut catalogue = Catalogue::default();
    let new = catalogue.take_in(&loaded, at("2025-11-01T12:00:00Z")).unwrap();
    assert_eq!(new.len(), 5);
    let file = |charger: &str, time: &str| {
        let charger = setup.charger(charger).unwrap();
        let place = At { charger, evse: Some(1), connector: None, groups: &[] };
        setup
            .tariff_at(&catalogue, place, at(time))
            .map(|found| (found.assignment.file.to_string(), found.level))
    };
    assert_eq!(file("OT-1", "2023-09-25T06:00:00Z").unwrap().0, "../tariffs/koticharge/spot.tariff");
    assert_eq!(
        file("OT-4", "2023-09-25T06:00:00Z"),
        Some(("../tariffs/koticharge/fixed.tariff".to_owned(), Level::Charger))
    );
    // Before the list is valid there is none.
    assert_eq!(file("OT-1", "2023-08-31T20:59:59Z"), None);
    // Midnight in Norway.
    let hotel = |time| file("HT-1", time).unwrap().0;
    assert_eq!(hotel("2025-12-31T22:59:59Z"), "../tariffs/plugpay/fixed-with-time.tariff");
    assert_eq!(hotel("2025-12-31T23:00:00Z"), "../tariffs/plugpay/fixed-with-time-2026.tariff");
    // A car that is plugged in over New Year keeps the old price: the list says so.
    let charger = setup.charger("HT-1").unwrap();
    let place = At { charger, evse: Some(1), connector: None, groups: &[] };
    let followed =
        setup.tariffs_of_session(&catalogue, place, at("2025-12-31T20:00:00Z"), at("2026-01-01T08:00:00Z"));
    assert_eq!(followed.len(), 1);
    assert_eq!(followed[0].1.running_sessions, RunningSessions::Keep);
    assert_eq!(followed[0].1.reason(), "it is assigned to site fjordhotellet");
}
