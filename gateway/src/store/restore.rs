//! Restoring a backup of either kind into an empty database of either kind.

use super::backup::{
    Cell, Contents, Head, Line, TABLES, TableSum, broken, cannot, columns, contents, present, read,
};
use super::error::{Error, OpenError};
use super::incidents::{Alert, RESTORED};
use super::new_id;
use super::open::{self, Place};
use super::sql::{Conn, Value, args, places};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

/// What was done between a backup and its restore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// Nobody knows: nothing is billed, charged or sent before a person says so, and what is open is looked up first.
    Unknown,
    /// Nothing: the gateway was stopped before the backup was made, and not started since.
    Nothing,
}

/// Fills the empty database at `url` from the backup `path`, whichever kind either is, and compares number
/// and hash of the rows of every table with what the backup says of itself. What was restored.
///
/// # Errors
/// The place is not empty, the backup is broken, of a newer program, or cannot be read: nothing is restored
/// then.
pub async fn restore(path: &Path, url: &str, since: Since) -> Result<Contents, OpenError> {
    let place = Place::parse(url)?;
    let _lock = open::lock(&place)?;
    let mut source = Source::open(path).await?;
    let mut conn = place.connect().await.map_err(|error| open::explain(&place, &error))?;
    open::migrate(&place, &mut conn, Some(source.schema)).await?;
    let filled = fill(path, &place, &mut conn, &mut source, since).await;
    let result = match filled {
        Ok(contents) => conn
            .execute("COMMIT", Vec::new())
            .await
            .map(|_| contents)
            .map_err(|error| open::explain(&place, &error)),
        Err(error) => {
            // The error to tell is the first one.
            let _ = conn.execute("ROLLBACK", Vec::new()).await;
            Err(error)
        }
    };
    let contents = result?;
    // A backup of an older program is brought up to date.
    open::migrate(&place, &mut conn, None).await?;
    conn.close().await.map_err(|error| open::explain(&place, &error))?;
    Ok(contents)
}

async fn fill(
    path: &Path,
    place: &Place,
    conn: &mut Conn,
    source: &mut Source,
    since: Since,
) -> Result<Contents, OpenError> {
    let failed = |error: Error| {
        OpenError::new(
            format!("{}: {error}", place.shown()),
            "nothing was restored; put this right, then restore again",
        )
    };
    conn.execute("BEGIN", Vec::new()).await.map_err(|error| open::explain(place, &error))?;
    let tables = present(conn).await.map_err(failed)?;
    for table in tables {
        let row = conn.fetch_one(&format!("SELECT COUNT(*) FROM {table}"), Vec::new()).await;
        let count = row.map_err(Error::from).map_err(failed)?.and_then(|row| row.int(0).ok().flatten());
        if count != Some(0) {
            return Err(OpenError::new(
                format!("{} is not empty: the table `{table}` has rows", place.shown()),
                "restore into a new file or a new, empty database",
            ));
        }
    }
    let promised = source.copy(path, conn).await?;
    let found = contents(conn).await.map_err(failed)?;
    for (table, sum) in &promised {
        if found.get(table) != Some(sum) {
            return Err(broken(path, format!("the rows of `{table}` are not those that were saved")));
        }
    }
    if promised.len() != found.len() {
        return Err(broken(path, "tables are missing"));
    }
    if since == Since::Unknown {
        hold(conn).await.map_err(failed)?;
    }
    Ok(found)
}

// What was done since the backup is not known: whatever is open is looked up before anybody is asked for it, what its payment is called by then, and nothing
// goes on before a person says so.
async fn hold(conn: &mut Conn) -> Result<(), Error> {
    let tables = present(conn).await?;
    let now = crate::clock::now();
    if tables.contains(&"outbox") {
        conn.execute(
            "UPDATE outbox SET theirs = (SELECT p.theirs FROM payment AS p WHERE p.org = outbox.org AND p.id = outbox.subject)
             WHERE theirs IS NULL AND finished_at IS NULL AND EXISTS (SELECT 1 FROM payment AS p WHERE p.org = outbox.org AND p.id = outbox.subject)",
            Vec::new(),
        )
        .await?;
        conn.execute(
            "UPDATE outbox SET state = 'unknown', next_at = $1 WHERE finished_at IS NULL AND state IN ('waiting', 'calling', 'unknown')",
            args![now],
        )
        .await?;
        conn.execute(
            "UPDATE outbox SET next_at = $1 WHERE finished_at IS NULL AND state = 'following'",
            args![now],
        )
        .await?;
    }
    if tables.contains(&"incident") {
        for row in conn.fetch_all("SELECT org FROM org", Vec::new()).await? {
            let org: String = row.get(0)?;
            let Alert { subject, kind, severity } = RESTORED;
            let reason = "a backup was restored: what was billed, charged and sent since it was made is not known here";
            let document = serde_json::json!({ "reason": reason }).to_string();
            conn.execute(
                "INSERT INTO incident (org, id, subject, kind, severity, opened_at, document) VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (org, subject, kind) WHERE closed_at IS NULL DO NOTHING",
                args![org, new_id(), subject, kind, severity, now, document],
            )
            .await?;
        }
    }
    Ok(())
}

/// A backup that is being read.
struct Source {
    schema: i64,
    kind: Kind,
}

enum Kind {
    Lite(Conn),
    Lines(BufReader<File>),
}

/// No line is longer: a document of this size is refused long before it is stored.
const LONGEST_LINE: u64 = 1 << 30;

impl Source {
    async fn open(path: &Path) -> Result<Self, OpenError> {
        let mut file = File::open(path).map_err(|error| {
            OpenError::new(format!("{}: {error}", path.display()), "name a backup made by `takst backup`")
        })?;
        let mut start = [0_u8; 16];
        let length = file.read(&mut start).map_err(|error| cannot(path, error))?;
        if start.get(..length) == Some(b"SQLite format 3\0") {
            let name = path.to_str().ok_or_else(|| broken(path, "its name must be Unicode"))?;
            let place = Place::parse(name)?;
            let mut conn = place.connect_reading().await.map_err(|error| open::explain(&place, &error))?;
            let row = conn.fetch_one("SELECT MAX(version) FROM _sqlx_migrations", Vec::new()).await;
            let schema = row.ok().flatten().and_then(|row| row.int(0).ok().flatten());
            return Self::of(path, schema, Kind::Lite(conn));
        }
        let file = File::open(path).map_err(|error| cannot(path, error))?;
        let mut lines = BufReader::new(file);
        let head = next_line(path, &mut lines)?.and_then(|line| serde_json::from_str::<Head>(&line).ok());
        let head = head.filter(|head| head.takst_backup == 1);
        Self::of(path, head.map(|head| head.schema), Kind::Lines(lines))
    }

    fn of(path: &Path, schema: Option<i64>, kind: Kind) -> Result<Self, OpenError> {
        match schema {
            None => Err(broken(path, "it is neither a SQLite file nor JSON lines of takst")),
            Some(schema) if schema > open::schema_version() => Err(OpenError::new(
                format!("{} was made by a newer takst (schema {schema})", path.display()),
                "restore it with that program",
            )),
            Some(schema) => Ok(Self { schema, kind }),
        }
    }

    /// Copies all rows into `conn`; what the backup says is in it.
    async fn copy(&mut self, path: &Path, conn: &mut Conn) -> Result<Contents, OpenError> {
        match &mut self.kind {
            Kind::Lite(source) => copy_sqlite(source, conn).await.map_err(|error| broken(path, error)),
            Kind::Lines(lines) => copy_lines(path, lines, conn).await,
        }
    }
}

fn next_line(path: &Path, lines: &mut BufReader<File>) -> Result<Option<String>, OpenError> {
    let mut line = String::new();
    let mut limited = lines.by_ref().take(LONGEST_LINE);
    limited.read_line(&mut line).map_err(|error| broken(path, error))?;
    Ok(line.ends_with('\n').then_some(line))
}

const BATCH: usize = 200;

async fn copy_sqlite(source: &mut Conn, conn: &mut Conn) -> Result<Contents, Error> {
    let mut contents = Contents::new();
    for row in source.fetch_all("SELECT name, total, hash FROM takst_backup", Vec::new()).await? {
        let rows = u64::try_from(row.get::<i64>(1)?).unwrap_or_default();
        contents.insert(row.get(0)?, TableSum { rows, hash: row.get(2)? });
    }
    for table in present(source).await? {
        let columns = columns(source, table).await?;
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let into = Into::table(table, &names);
        let mut last = i64::MIN;
        loop {
            let sql = format!(
                "SELECT {}, rowid FROM {table} WHERE rowid > $1 ORDER BY rowid LIMIT {BATCH}",
                names.join(", ")
            );
            let rows = source.fetch_all(&sql, args![last]).await?;
            let Some(end) = rows.last() else { break };
            last = end.get(columns.len())?;
            let rows = rows.iter().map(|row| read(row, &columns)).collect::<Result<Vec<_>, _>>()?;
            into.insert(conn, rows).await?;
        }
    }
    Ok(contents)
}

async fn copy_lines(
    path: &Path,
    lines: &mut BufReader<File>,
    conn: &mut Conn,
) -> Result<Contents, OpenError> {
    let mut into: Option<(Into, Vec<bool>)> = None;
    let mut waiting: Vec<Vec<Value>> = Vec::new();
    loop {
        let line = next_line(path, lines)?.ok_or_else(|| broken(path, "its end is missing"))?;
        let line: Line = serde_json::from_str(&line).map_err(|error| broken(path, error))?;
        let table_ends = !matches!(line, Line::Row(_));
        if (table_ends || waiting.len() >= BATCH)
            && let Some((into, _)) = &into
        {
            into.insert(conn, std::mem::take(&mut waiting)).await.map_err(|error| broken(path, error))?;
        }
        match line {
            Line::Table { name, columns: names } => {
                // Only names that are known go into SQL.
                let table = TABLES
                    .into_iter()
                    .find(|table| *table == name)
                    .ok_or_else(|| broken(path, format!("there is no table `{name}`")))?;
                let known = columns(conn, table).await.map_err(|error| broken(path, error))?;
                if !names.iter().eq(known.iter().map(|(name, _)| name)) {
                    return Err(broken(path, format!("the columns of `{table}` are others")));
                }
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                into = Some((Into::table(table, &names), known.iter().map(|(_, number)| *number).collect()));
            }
            Line::Row(cells) => {
                let kinds = into.as_ref().map(|(_, kinds)| kinds.as_slice()).unwrap_or_default();
                let row = typed(cells, kinds).ok_or_else(|| broken(path, "a row does not fit its table"))?;
                waiting.push(row);
            }
            Line::End(contents) => return Ok(contents),
        }
    }
}

/// Cells as the columns want them.
fn typed(cells: Vec<Cell>, numbers: &[bool]) -> Option<Vec<Value>> {
    if cells.len() != numbers.len() || cells.is_empty() {
        return None;
    }
    let value = |(cell, number): (Cell, &bool)| match (cell, number) {
        (Cell::Int(int), true) => Some(Value::Int(Some(int))),
        (Cell::Text(text), false) => Some(Value::Text(Some(text))),
        (Cell::Empty, true) => Some(Value::Int(None)),
        (Cell::Empty, false) => Some(Value::Text(None)),
        _ => None,
    };
    cells.into_iter().zip(numbers).map(value).collect()
}

/// A table that rows are put into.
struct Into {
    head: String,
    width: usize,
}

impl Into {
    fn table(table: &str, names: &[&str]) -> Self {
        Self { head: format!("INSERT INTO {table} ({}) VALUES ", names.join(", ")), width: names.len() }
    }

    async fn insert(&self, conn: &mut Conn, rows: Vec<Vec<Value>>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let groups: Vec<String> =
            (0..rows.len()).map(|row| format!("({})", places(row * self.width + 1, self.width))).collect();
        let sql = format!("{}{}", self.head, groups.join(", "));
        conn.execute(&sql, rows.into_iter().flatten().collect()).await?;
        Ok(())
    }
}
