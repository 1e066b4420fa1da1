//! `takst key`.

use super::failure::{Exit, Failure};
use super::layout::{columns, left};
use super::out::{Look, Out};
use super::place::{self, Place};
use crate::api::Role;
use crate::api::access::new_key;
use crate::clock::now;
use crate::store::{ApiKey, AuditEntry, Error, Fault, Lane, OrgId, Store, Tx, new_id};
use clap::{Args, Subcommand};
use serde::Serialize;
use takst_engine::calendar_time::utc_text;

/// Make, list and revoke keys of the API
///
/// This works on the database itself, for an operator's first key. A SQLite file belongs to the gateway while it runs; keys are then
/// made by its API.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst key make --name office --role owner")]
pub struct Key {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Make(Make),
    List(List),
    Revoke(Revoke),
}

/// Make a key; it is shown this once
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  takst key make --data /var/lib/takst --name office --role owner
  takst key make --org my-houses --name first --role owner   # before the gateway first runs")]
struct Make {
    /// Whose key it is, for people
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What it may do: owner (everything), site-manager (prices, set-up, billing), support (commands, sessions), read-only, vendor
    /// (chargers alone)
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Role,
    #[command(flatten)]
    whose: Whose,
}

/// List all keys, without their secrets
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst key list --format json")]
struct List {
    #[command(flatten)]
    whose: Whose,
}

/// Make a key worthless
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst key revoke 0199c0ffee")]
struct Revoke {
    /// Its id, as `takst key list` shows it
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Args, Debug)]
struct Whose {
    #[command(flatten)]
    place: Place,
    /// Of this organisation, where the database holds more than one
    #[arg(long, value_name = "ID")]
    org: Option<String>,
}

fn role(word: &str) -> Result<Role, String> {
    Role::of(word).ok_or_else(|| "it is owner, site-manager, support, read-only or vendor".to_owned())
}

/// Who has done it, for the audit log.
const WHO: &str = "command line";

#[derive(Serialize)]
struct Made<'a> {
    id: &'a str,
    key: &'a str,
    name: &'a str,
    role: &'a str,
}

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    name: &'a str,
    role: &'a str,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
}

impl<'a> From<&'a ApiKey> for Listed<'a> {
    fn from(row: &'a ApiKey) -> Self {
        Self {
            id: &row.id,
            name: &row.name,
            role: &row.role,
            created: utc_text(row.created_at),
            last_used: row.last_used_at.map(utc_text),
            revoked: row.revoked_at.map(utc_text),
        }
    }
}

impl Key {
    /// Does what is wanted.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        place::run(async {
            match &self.what {
                What::Make(make) => make.run(out).await,
                What::List(list) => list.run(out).await,
                What::Revoke(revoke) => revoke.run(out).await,
            }
        })
    }
}

impl Whose {
    /// The organisation, looked up without holding the database.
    async fn org(&self) -> Result<OrgId, Failure> {
        let reader = self.place.reader().await?;
        let org = place::organisation(&reader, self.org.as_deref()).await;
        reader.close().await;
        org?.ok_or_else(|| place::no_organisation(self.org.as_deref()))
    }

    /// The same; in a database that knows none yet it is the one named, so that a key can be made before the gateway first runs.
    async fn org_or_new(&self) -> Result<OrgId, Failure> {
        let Some(name) = &self.org else {
            return self.org().await.map_err(|failure| match failure {
                Failure::Io(why) => Failure::Io(format!(
                    "{why}\n  for a key before the gateway first runs, add `--org` with the id of the set-up's [organisation]"
                )),
                other => other,
            });
        };
        let Ok(reader) = self.place.reader().await else { return Ok(OrgId::new(name)) };
        let known = place::organisations(&reader).await;
        reader.close().await;
        if known?.is_empty() { Ok(OrgId::new(name)) } else { self.org().await }
    }

    /// Opens the database for a change; `instead` is what to do while a gateway holds it.
    async fn open(&self, instead: &str) -> Result<Store, Failure> {
        self.place.make_folder()?;
        Store::open(&self.place.url()?).await.map_err(|error| match error.fault {
            Fault::InUse => Failure::Io(format!("{}\n  {instead}", error.what)),
            Fault::Place | Fault::Backup => place::failure(&error),
        })
    }
}

fn entry(what: &str, subject: &str, role: Option<Role>) -> AuditEntry {
    AuditEntry {
        id: new_id(),
        at: now(),
        who: WHO.to_owned(),
        what: what.to_owned(),
        subject: subject.to_owned(),
        before_doc: None,
        after_doc: role.map(|role| serde_json::json!({ "role": role }).to_string()),
    }
}

impl Make {
    async fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        if self.name.trim().is_empty() {
            return Err(Failure::Usage("a key needs a name, so that people know whose it is".to_owned()));
        }
        let org = self.whose.org_or_new().await?;
        let (row, key) =
            new_key(self.name.trim(), self.role, WHO).map_err(|problem| Failure::Io(problem.title))?;
        let store = self
            .whose
            .open("while it runs, make keys by its API: `POST /api/v1/keys` with the key of an owner; for the first one stop it for a moment")
            .await?;
        let (stored, entry) = (row.clone(), entry("key.make", &row.id, Some(self.role)));
        let lane = Lane::org(&org);
        let unit = async move |tx: &mut Tx| {
            tx.add_org(&org, org.as_str(), stored.created_at).await?;
            tx.add_api_key(&org, &stored).await?;
            tx.audit(&org, &entry).await
        };
        let written = store.write(lane, unit).await;
        store.close().await;
        written.map_err(|error| place::broken(&error))?;
        if out.json() {
            out.document(&Made { id: &row.id, key: &key, name: &row.name, role: &row.role })?;
        } else {
            out.line(&key)?;
            out.hint("this key is shown only now; whoever has it may do all that its role may. Send it as `Authorization: Bearer KEY`");
        }
        Ok(Exit::Fine)
    }
}

impl List {
    async fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let org = self.whose.org().await?;
        let store = self.whose.place.reader().await?;
        let mut reader = store.read().await.map_err(|error| place::broken(&error))?;
        let rows = reader.api_keys(&org).await.map_err(|error| place::broken(&error))?;
        drop(reader);
        store.close().await;
        if out.json() {
            out.document(&rows.iter().map(Listed::from).collect::<Vec<_>>())?;
            return Ok(Exit::Fine);
        }
        if rows.is_empty() {
            out.hint("there is no key yet; `takst key make` makes one");
        }
        let wide =
            |text: fn(&ApiKey) -> &str| rows.iter().map(|row| columns(text(row))).max().unwrap_or(0) + 2;
        let (name, role) = (wide(|row| &row.name), wide(|row| &row.role));
        for row in &rows {
            let state = match (row.revoked_at, row.last_used_at) {
                (Some(at), _) => out.paint(Look::Bad, &format!("revoked {}", utc_text(at))),
                (None, Some(at)) => format!("used {}", utc_text(at)),
                (None, None) => out.paint(Look::Faint, "never used"),
            };
            let line = format!("{}  {}{}{state}", row.id, left(&row.name, name), left(&row.role, role));
            out.line(&line)?;
        }
        Ok(Exit::Fine)
    }
}

impl Revoke {
    async fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        // Whoever has the whole key at hand may give that.
        let id = self
            .id
            .strip_prefix("takst_")
            .and_then(|rest| rest.split('_').next())
            .unwrap_or(&self.id)
            .to_owned();
        let org = self.whose.org().await?;
        let store = self
            .whose
            .open(&format!(
                "while it runs, revoke keys by its API: `DELETE /api/v1/keys/{id}` with the key of an owner"
            ))
            .await?;
        let (key, entry) = (id.clone(), entry("key.revoke", &id, None));
        let lane = Lane::org(&org);
        let unit = async move |tx: &mut Tx| {
            tx.revoke_api_key(&org, &key, now()).await?;
            tx.audit(&org, &entry).await
        };
        let written = store.write(lane, unit).await;
        store.close().await;
        match written {
            Ok(()) => {}
            Err(Error::Missing { .. }) => {
                return Err(Failure::Input(format!("there is no key `{id}`; `takst key list` shows all")));
            }
            Err(error) => return Err(place::broken(&error)),
        }
        if out.json() {
            out.document(&serde_json::json!({ "id": id, "revoked": true }))?;
        } else {
            out.line(&format!("{id} opens nothing any more"))?;
        }
        Ok(Exit::Fine)
    }
}
