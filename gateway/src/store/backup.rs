//! Backup and restore. A backup of SQLite is one SQLite file; a backup of PostgreSQL is a file of JSON lines.
//! Both carry the number and the hash of the rows of every table, and both can be restored into either
//! database, which is also the way from one to the other.
//!
//! `pg_dump` would do for PostgreSQL, but must be there in the right version, and what it writes can be read
//! by PostgreSQL alone.

use super::Store;
use super::error::{Error, Fault, OpenError};
use super::open::{self, Place};
use super::record::hex;
use super::sql::{Conn, Row, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// All tables, in the order they are written.
pub(super) const TABLES: [&str; 53] = [
    "org",
    "sequence",
    "setup_version",
    "tariff_version",
    "api_key",
    "audit",
    "charger",
    "connector",
    "station_variable",
    "local_list",
    // Until 0010.
    "frame",
    "frame_run",
    "frame_ring",
    "station_fact",
    "session",
    "session_progress",
    "session_reading",
    "session_state",
    "session_power",
    "session_occupancy",
    "signed_value",
    "bill_series",
    "bill",
    "preview",
    "preview_wait",
    "standing",
    "standing_posting",
    "price_point",
    "meter_receipt",
    "meter_value",
    "plant_cost",
    "plant_month",
    "incident",
    "incident_event",
    "command",
    "campaign",
    "campaign_charger",
    "charger_told",
    "ledger_entry",
    "ledger_line",
    "instrument",
    "payment",
    "outbox",
    "outbox_queue",
    "reminder",
    "invoice",
    "invoice_reference",
    "plugin_value",
    "plugin_event",
    "event",
    "driver",
    "person",
    "token",
];

/// The rows of a table: how many, and a hash that does not depend on their order (databases sort texts
/// differently).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TableSum {
    /// How many.
    pub rows: u64,
    /// SHA-256 of each row, added up.
    pub hash: String,
}

/// The tables that a database has: an older schema has fewer.
pub(super) async fn present(conn: &mut Conn) -> Result<Vec<&'static str>, Error> {
    let mut tables = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        if !columns(conn, table).await?.is_empty() {
            tables.push(table);
        }
    }
    Ok(tables)
}

/// What is in a backup, table by table.
pub type Contents = BTreeMap<String, TableSum>;

#[derive(Default)]
struct Sum {
    rows: u64,
    parts: [u64; 4],
}

impl Sum {
    fn add(&mut self, values: &[Value]) {
        let mut hasher = Sha256::new();
        for value in values {
            // Kind and length first: no two rows look alike.
            match value {
                Value::Int(None) | Value::Text(None) => hasher.update(b"-"),
                Value::Int(Some(int)) => {
                    hasher.update(b"i");
                    hasher.update(int.to_be_bytes());
                }
                Value::Text(Some(text)) => {
                    hasher.update(b"t");
                    hasher.update(text.len().to_string());
                    hasher.update(b":");
                    hasher.update(text);
                }
            }
        }
        let digest = hasher.finalize();
        for (part, bytes) in self.parts.iter_mut().zip(digest.chunks_exact(8)) {
            let number = bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
            *part = part.wrapping_add(number);
        }
        self.rows += 1;
    }

    fn sum(&self) -> TableSum {
        let bytes: Vec<u8> = self.parts.iter().flat_map(|part| part.to_be_bytes()).collect();
        TableSum { rows: self.rows, hash: hex(&bytes) }
    }
}

/// The columns of a table: name, and whether it holds numbers.
pub(super) type Columns = Vec<(String, bool)>;

pub(super) async fn columns(conn: &mut Conn, table: &str) -> Result<Columns, Error> {
    let sql = if conn.is_sqlite() {
        "SELECT name, type FROM pragma_table_info($1) ORDER BY cid"
    } else {
        "SELECT CAST(column_name AS TEXT), upper(CAST(data_type AS TEXT)) FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
    };
    let rows = conn.fetch_all(sql, super::sql::args![table]).await?;
    rows.iter().map(|row| Ok((row.get::<String>(0)?, row.get::<String>(1)? == "BIGINT"))).collect()
}

pub(super) fn read(row: &Row, columns: &Columns) -> Result<Vec<Value>, Error> {
    let value = |(index, (_, number)): (usize, &(String, bool))| {
        Ok(if *number { Value::Int(row.int(index)?) } else { Value::Text(row.text(index)?) })
    };
    columns.iter().enumerate().map(value).collect()
}

/// Gives every row of a table to `each`.
async fn each_row(
    conn: &mut Conn,
    table: &str,
    columns: &Columns,
    mut each: impl FnMut(Vec<Value>) -> Result<(), Error>,
) -> Result<(), Error> {
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    // The whole table, of all organisations: a backup is the one reader that has to.
    let sql = format!("SELECT {} FROM {table}", names.join(", "));
    conn.for_each(&sql, |row| each(read(&row, columns)?)).await
}

pub(super) async fn contents(conn: &mut Conn) -> Result<Contents, Error> {
    let mut contents = Contents::new();
    for table in present(conn).await? {
        let columns = columns(conn, table).await?;
        let mut sum = Sum::default();
        each_row(conn, table, &columns, |values| {
            sum.add(&values);
            Ok(())
        })
        .await?;
        contents.insert(table.to_owned(), sum.sum());
    }
    Ok(contents)
}

/// The first line of a file of JSON lines.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub takst_backup: u32,
    pub schema: i64,
}

/// What else a line can be.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Table { name: String, columns: Vec<String> },
    Row(Vec<Cell>),
    End(Contents),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Cell {
    Int(i64),
    Text(String),
    Empty,
}

const MANIFEST: &str =
    "CREATE TABLE takst_backup (name TEXT NOT NULL PRIMARY KEY, total BIGINT NOT NULL, hash TEXT NOT NULL)";

pub(super) fn cannot(path: &Path, error: impl std::fmt::Display) -> OpenError {
    OpenError::new(
        format!("{}: {error}", path.display()),
        "check that the folder is there, may be written to and has room",
    )
}

pub(super) fn broken(path: &Path, why: impl std::fmt::Display) -> OpenError {
    OpenError::new(
        format!("{} is no whole backup: {why}", path.display()),
        "use another backup; nothing was restored",
    )
    .with(Fault::Backup)
}

impl Store {
    /// Writes all data into the new file `path` while the gateway runs: a SQLite file from SQLite, JSON lines
    /// from PostgreSQL. It is one moment's state, on the disk when this returns. What is in it, table by
    /// table.
    ///
    /// # Errors
    /// The file is there already, cannot be written, or the database fails. No half-written file stays.
    pub async fn backup(&self, path: &Path) -> Result<Contents, OpenError> {
        if path.exists() {
            return Err(OpenError::new(
                format!("{} is there already", path.display()),
                "name a file that is not there yet",
            ));
        }
        // Only a whole backup gets the name.
        let mut part = path.to_path_buf().into_os_string();
        part.push(".part");
        let part = Path::new(&part);
        // What an earlier attempt left.
        let _ = std::fs::remove_file(part);
        let place = &self.inner.place;
        let done = match place {
            Place::Lite { .. } => backup_sqlite(place, part).await,
            Place::Pg { .. } => backup_postgres(place, part).await,
        };
        let contents = match done {
            Ok(contents) => contents,
            Err(error) => {
                let _ = std::fs::remove_file(part);
                return Err(cannot(path, error));
            }
        };
        std::fs::rename(part, path).map_err(|error| cannot(path, error))?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            // The name must survive a power cut too.
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| cannot(path, error))?;
        }
        Ok(contents)
    }
}

async fn backup_sqlite(place: &Place, part: &Path) -> Result<Contents, Error> {
    let name = part.to_str().ok_or_else(|| Error::refused("the name of the file must be Unicode"))?;
    let mut conn = place.connect().await?;
    conn.execute("VACUUM INTO $1", super::sql::args![name]).await?;
    drop(conn);
    let copy = Place::parse(name)?;
    let mut conn = copy.connect_bare().await?;
    let contents = contents(&mut conn).await?;
    conn.execute(MANIFEST, Vec::new()).await?;
    for (table, sum) in &contents {
        let rows = i64::try_from(sum.rows).unwrap_or(i64::MAX);
        let values = super::sql::args![table.as_str(), rows, sum.hash.as_str()];
        conn.execute("INSERT INTO takst_backup (name, total, hash) VALUES ($1, $2, $3)", values).await?;
    }
    conn.close().await?;
    File::open(part)
        .and_then(|file| file.sync_all())
        .map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(contents)
}

async fn backup_postgres(place: &Place, part: &Path) -> Result<Contents, Error> {
    let io = |error: std::io::Error| Error::Unavailable(error.to_string());
    let mut file = BufWriter::new(File::create_new(part).map_err(io)?);
    let mut put = |line: &dyn erased::Line| -> Result<(), Error> {
        line.write(&mut file).and_then(|()| file.write_all(b"\n")).map_err(io)
    };
    let mut conn = place.connect().await?;
    // One moment's state, however long it takes.
    conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", Vec::new()).await?;
    put(&Head { takst_backup: 1, schema: open::schema_version() })?;
    let mut contents = Contents::new();
    for table in present(&mut conn).await? {
        let columns = columns(&mut conn, table).await?;
        let names = columns.iter().map(|(name, _)| name.clone()).collect();
        put(&Line::Table { name: table.to_owned(), columns: names })?;
        let mut sum = Sum::default();
        each_row(&mut conn, table, &columns, |values| {
            sum.add(&values);
            put(&Line::Row(values.into_iter().map(Cell::from).collect()))
        })
        .await?;
        contents.insert(table.to_owned(), sum.sum());
    }
    put(&Line::End(contents.clone()))?;
    conn.execute("COMMIT", Vec::new()).await?;
    file.flush().map_err(io)?;
    file.get_ref().sync_all().map_err(io)?;
    Ok(contents)
}

/// Writing any line with one function.
mod erased {
    use serde::Serialize;
    use std::io::Write;

    pub trait Line {
        fn write(&self, to: &mut dyn Write) -> std::io::Result<()>;
    }

    impl<T: Serialize> Line for T {
        fn write(&self, to: &mut dyn Write) -> std::io::Result<()> {
            serde_json::to_writer(to, self).map_err(std::io::Error::from)
        }
    }
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        match value {
            Value::Int(Some(int)) => Self::Int(int),
            Value::Text(Some(text)) => Self::Text(text),
            Value::Int(None) | Value::Text(None) => Self::Empty,
        }
    }
}
