//! A checked set-up goes into the database in one unit: its document, new versions of tariffs, chargers, drivers, tokens; and what
//! is different from before, for the audit log.

use super::SetupError;
use crate::setup::{Catalogue, Change, Loaded, TokenState};
use crate::store::{
    AuditEntry, Driver, Lane, NewEvent, OrgId, Person, Registration, Store, TariffVersion, Token, new_id,
};
use takst_engine::units::Instant;

/// What came of taking a set-up in.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// What is different from the set-up before; empty for the first one.
    pub changes: Vec<Change>,
    /// Names of tariffs with a new version.
    pub tariffs: Vec<String>,
    /// What is odd about it, a line each.
    pub warnings: String,
}

const WHO: &str = "files";

pub(super) async fn take_in(
    store: &Store,
    org: &OrgId,
    before: Option<&Loaded>,
    loaded: &Loaded,
    catalogue: &mut Catalogue,
    now: Instant,
) -> Result<Taken, SetupError> {
    let versions = catalogue.take_in(loaded, now).map_err(SetupError::Files)?;
    let changes = before.map(|before| loaded.changes_since(before)).unwrap_or_default();
    let (document, hash) = (loaded.document(), loaded.hash());
    let set_up = loaded.setup.document();
    let name = set_up.organisation.name.clone().unwrap_or_else(|| set_up.organisation.id.to_string());
    let chargers: Vec<String> = set_up.chargers.iter().map(|charger| charger.id.to_string()).collect();
    let groups = |ids: &[crate::setup::Id]| serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned());
    let drivers: Vec<Driver> = (set_up.drivers.iter())
        .map(|driver| Driver {
            id: driver.id.to_string(),
            status: if driver.blocked { "blocked" } else { "active" }.to_owned(),
            groups_doc: groups(&driver.groups),
            document: "{}".to_owned(),
            created_at: now,
            updated_at: now,
        })
        .collect();
    let people: Vec<Person> = (loaded.people.iter())
        .map(|person| Person {
            driver: person.driver.to_string(),
            name: person.name.clone(),
            email: person.email.clone(),
            phone: person.phone.clone(),
            document: serde_json::json!({ "language": person.language }).to_string(),
            updated_at: now,
        })
        .collect();
    let zone = set_up.organisation.time_zone;
    let tokens: Vec<Token> = (set_up.tokens.iter())
        .map(|token| {
            let blocked = token.driver.as_deref().and_then(|driver| loaded.setup.driver(driver));
            let blocked = token.status == TokenState::Blocked || blocked.is_some_and(|driver| driver.blocked);
            let all = loaded.setup.groups(token);
            Token {
                uid: token.uid.to_string(),
                kind: token.kind.as_str().to_owned(),
                parent: token.parent.clone(),
                status: if blocked { "blocked" } else { "accepted" }.to_owned(),
                expires_at: token.valid_until.as_ref().map(|until| until.instant(zone)),
                driver: token.driver.as_ref().map(ToString::to_string),
                contract: Some(contract(token.contract()).to_owned()),
                groups_doc: serde_json::to_string(&all).unwrap_or_else(|_| "[]".to_owned()),
                document: serde_json::json!({
                    "issuer": token.issuer, "master_pass": token.master_pass,
                    "concurrent_transactions": token.concurrent_transactions,
                })
                .to_string(),
                updated_at: now,
            }
        })
        .collect();
    let gone: Vec<String> = match before {
        Some(before) => (before.setup.document().tokens.iter())
            .filter(|token| loaded.setup.token(&token.uid).is_none())
            .map(|token| token.uid.to_string())
            .collect(),
        None => Vec::new(),
    };
    let audit: Vec<AuditEntry> = (changes.iter())
        .map(|change| AuditEntry {
            id: new_id(),
            at: now,
            who: WHO.to_owned(),
            what: "setup.change".to_owned(),
            subject: change.to_string().chars().take(200).collect(),
            before_doc: None,
            after_doc: serde_json::to_string(change).ok(),
        })
        .collect();
    let rows: Vec<TariffVersion> = (versions.iter())
        .map(|version| TariffVersion {
            name: version.name.clone(),
            version: version.version.clone(),
            bundle: version.bundle.to_string(),
            in_force_from: version.from,
            added_at: version.added,
            added_by: WHO.to_owned(),
        })
        .collect();
    let tariffs = rows.iter().map(|row| row.name.clone()).collect();
    let owner = org.clone();
    let unit = async move |tx: &mut crate::store::Tx| {
        tx.add_org(&owner, &name, now).await?;
        if tx.current_setup(&owner).await?.is_none_or(|current| current.hash != hash) {
            tx.add_setup(&owner, &hash, &document, now, WHO).await?;
            let document = serde_json::json!({ "changes": audit.len(), "hash": hash }).to_string();
            let event = NewEvent { at: now, kind: "setup.changed".into(), subject: hash.clone(), document };
            tx.log_event(&owner, event);
        }
        for row in &rows {
            tx.add_tariff(&owner, row).await?;
        }
        for charger in &chargers {
            tx.add_charger(&owner, charger, Registration::Accepted, now).await?;
            // Whoever is named need not wait any longer.
            tx.accept_charger(&owner, charger).await?;
        }
        for driver in &drivers {
            tx.put_driver(&owner, driver).await?;
        }
        for person in &people {
            tx.put_person(&owner, person).await?;
        }
        for token in &tokens {
            tx.put_token(&owner, token).await?;
        }
        for uid in &gone {
            tx.remove_token(&owner, uid).await?;
        }
        for entry in &audit {
            tx.audit(&owner, entry).await?;
        }
        Ok(())
    };
    store.write(Lane::org(org), unit).await?;
    Ok(Taken { changes, tariffs, warnings: loaded.warnings.to_string() })
}

const fn contract(contract: crate::setup::Contract) -> &'static str {
    match contract {
        crate::setup::Contract::Direct => "direct",
        crate::setup::Contract::Roaming => "roaming",
        crate::setup::Contract::AdHoc => "ad-hoc",
    }
}
