//! A checked set-up goes into the database in one unit: its document, new versions of tariffs, chargers, drivers, tokens; and what
//! is different from before, for the audit log.

use super::SetupError;
use crate::setup::{Address, Catalogue, Change, Document, FieldChange, Loaded, TokenState, What, changes};
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

/// Who changes what somebody wrote into the files.
pub(super) const FILES: &str = "files";

/// What a set-up is compared with.
pub(super) struct Before {
    changes: Vec<Change>,
    /// Tokens that are not there any more.
    tokens: Vec<String>,
    /// Whose personal data is new or different: the driver, and which keys.
    people: Vec<(String, Vec<&'static str>)>,
}

impl Before {
    /// The set-up that was in force until now.
    pub fn of(before: &Loaded, after: &Loaded) -> Self {
        let none = Address { street: None, postcode: None, city: None, country: None };
        let different = |person: &crate::setup::Person| {
            let old = before.people.iter().find(|old| old.driver == person.driver);
            let differs = |get: fn(&crate::setup::Person) -> &Option<String>| match old {
                Some(old) => get(old) != get(person),
                None => get(person).is_some(),
            };
            let keys = [
                ("name", differs(|person| &person.name)),
                ("email", differs(|person| &person.email)),
                ("phone", differs(|person| &person.phone)),
                ("language", differs(|person| &person.language)),
                ("birth_date", differs(|person| &person.birth_date)),
                ("national_id", differs(|person| &person.national_id)),
                ("company_number", differs(|person| &person.company_number)),
                ("address", old.map_or(&none, |old| &old.address) != &person.address),
            ];
            let keys: Vec<_> = keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect();
            (old != Some(person)).then(|| (person.driver.to_string(), keys))
        };
        let people = after.people.iter().filter_map(different).collect();
        let changes = after.changes_since(before);
        Self { changes, people, tokens: gone(before.setup.document(), after) }
    }

    /// The set-up that was in force when the gateway was last stopped. It is kept without personal data.
    pub fn stored(before: &Document, hash: &str, after: &Loaded) -> Self {
        let mut changes = changes(before, after.setup.document());
        // Of grants, code and tariff files only the hash over all was kept: that something there is another is told, though not what.
        if changes.is_empty() && hash != after.hash() {
            let (before, after) = (Some(hash.into()), Some(after.hash().into()));
            let field = FieldChange { field: "grants, plugins and tariffs".to_owned(), before, after };
            let what = What::Changed { fields: vec![field] };
            changes.push(Change { section: "files", id: String::new(), what });
        }
        Self { changes, people: Vec::new(), tokens: gone(before, after) }
    }
}

fn gone(before: &Document, after: &Loaded) -> Vec<String> {
    let gone = before.tokens.iter().filter(|token| after.setup.token(&token.uid).is_none());
    gone.map(|token| token.uid.to_string()).collect()
}

fn entry(who: &str, what: &str, subject: String, now: Instant) -> AuditEntry {
    let (who, what) = (who.to_owned(), what.to_owned());
    AuditEntry { id: new_id(), at: now, who, what, subject, before_doc: None, after_doc: None }
}

/// That somebody erased who a driver is.
pub(super) fn erased(driver: &str, who: &str, now: Instant) -> AuditEntry {
    entry(who, "person.erase", driver.to_owned(), now)
}

/// That somebody put a tariff file beside the set-up that is assigned nowhere yet.
pub(super) fn kept(file: &str, who: &str, now: Instant) -> AuditEntry {
    entry(who, "tariff.put", file.to_owned(), now)
}

/// That somebody took a tariff file away that nothing used.
pub(super) fn removed(file: &str, who: &str, now: Instant) -> AuditEntry {
    entry(who, "tariff.remove", file.to_owned(), now)
}

// What was before and what is now; of a thing that is still there only what differs.
fn audited(change: &Change, who: &str, now: Instant) -> AuditEntry {
    let subject = format!("{} {}", change.section, change.id).trim_end().to_owned();
    let (before_doc, after_doc) = match &change.what {
        What::Added { after } => (None, Some(after.to_string())),
        What::Removed { before } => (Some(before.to_string()), None),
        What::Changed { fields } => {
            let side = |value: fn(&crate::setup::FieldChange) -> &Option<serde_json::Value>| {
                let stated =
                    fields.iter().filter_map(|field| Some((field.field.clone(), value(field).clone()?)));
                Some(serde_json::Value::Object(stated.collect()).to_string())
            };
            (side(|field| &field.before), side(|field| &field.after))
        }
    };
    AuditEntry { before_doc, after_doc, ..entry(who, "setup.change", subject, now) }
}

pub(super) async fn take_in(
    store: &Store,
    org: &OrgId,
    before: Option<Before>,
    loaded: &Loaded,
    catalogue: &mut Catalogue,
    who: &str,
    now: Instant,
) -> Result<Taken, SetupError> {
    let versions = catalogue.take_in(loaded, now).map_err(SetupError::Files)?;
    let (changes, gone, told) = match before {
        Some(Before { changes, tokens, people }) => (changes, tokens, people),
        None => Default::default(),
    };
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
            document: serde_json::json!({
                "language": person.language, "address": person.address, "birth_date": person.birth_date,
                "national_id": person.national_id, "company_number": person.company_number,
            })
            .to_string(),
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
    let mut audit: Vec<AuditEntry> = changes.iter().map(|change| audited(change, who, now)).collect();
    let differences = audit.len();
    audit.extend(told.into_iter().map(|(driver, keys)| AuditEntry {
        // Which keys, and never what they say: the audit log is not erased.
        after_doc: Some(serde_json::json!({ "keys": keys }).to_string()),
        ..entry(who, "person.change", driver, now)
    }));
    let rows: Vec<TariffVersion> = (versions.iter())
        .map(|version| TariffVersion {
            name: version.name.clone(),
            version: version.version.clone(),
            bundle: version.bundle.to_string(),
            in_force_from: version.from,
            added_at: version.added,
            added_by: who.to_owned(),
        })
        .collect();
    let tariffs = rows.iter().map(|row| row.name.clone()).collect();
    let (owner, by) = (org.clone(), who.to_owned());
    let unit = async move |tx: &mut crate::store::Tx| {
        tx.add_org(&owner, &name, now).await?;
        if tx.current_setup(&owner).await?.is_none_or(|current| current.hash != hash) {
            tx.add_setup(&owner, &hash, &document, now, &by).await?;
            let document = serde_json::json!({ "changes": differences, "hash": hash }).to_string();
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
        // Who is not in the files any more is nowhere.
        let known: Vec<&str> = people.iter().map(|person| person.driver.as_str()).collect();
        for driver in tx.erase_people_but(&owner, &known).await? {
            tx.audit(&owner, &erased(&driver, &by, now)).await?;
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
