//! Sessions out of the database for other programs: as documents that can be priced again (JSON lines), or as a table (CSV, Parquet).
//!
//! Sessions come oldest first, a page at a time, and each is written before the next one is read: memory stays the same however many
//! there are.

mod document;
mod parquet;
mod row;
mod zones;

pub use document::session_json;
pub use row::{COLUMNS, Cell, Column, cells};
pub use zones::Zones;

use crate::sessions::to_engine;
use crate::store::{self, BillHead, ExportFilter, OrgId, Session, SessionCursor, Store};
use std::collections::HashMap;
use std::io::{self, Write};

/// Sessions that are read at once.
const PAGE: i64 = 200;

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A session document on each line, as `takst price --session` reads it.
    Jsonl,
    /// A table with a heading: a row for each session.
    Csv,
    /// The same table, typed and compressed.
    Parquet,
}

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Whatever is written to.
    #[error("{0}")]
    Write(#[from] io::Error),
}

impl From<csv::Error> for ExportError {
    fn from(error: csv::Error) -> Self {
        Self::Write(error.into())
    }
}

impl From<::parquet::errors::ParquetError> for ExportError {
    fn from(error: ::parquet::errors::ParquetError) -> Self {
        Self::Write(io::Error::other(error))
    }
}

/// Who follows an export.
pub trait Follow {
    /// So many sessions are written.
    fn at(&mut self, written: u64);
    /// A session cannot be told, and why; the others are.
    fn left_out(&mut self, session: &str, why: &str);
}

/// Which sessions, and on whose clocks.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Whose.
    pub org: &'a OrgId,
    /// Which.
    pub filter: &'a ExportFilter,
    /// The clocks of the sites.
    pub zones: &'a Zones,
}

/// Writes sessions, oldest first; how many.
///
/// # Errors
/// See [`ExportError`]. What was written until then is not whole.
pub async fn sessions<W: Write + Send>(
    store: &Store,
    wanted: &Wanted<'_>,
    format: Format,
    to: W,
    follow: &mut dyn Follow,
) -> Result<u64, ExportError> {
    let mut sink = Sink::new(format, to)?;
    let mut after: Option<SessionCursor> = None;
    let mut written = 0;
    loop {
        let mut reader = store.read().await?;
        let page = reader.sessions_from(wanted.org, wanted.filter, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.cursor());
        let mut bills = HashMap::new();
        if sink.is_table() {
            for bill in reader.bill_heads(wanted.org, &page).await? {
                bills.entry(bill.session.clone()).or_insert_with(Vec::new).push(bill);
            }
        }
        for session in &page {
            let zone = wanted.zones.of(session.site.as_deref());
            let done = match &mut sink {
                Sink::Lines(to) => {
                    let parts = reader.session_parts(wanted.org, &session.id).await?;
                    match to_engine(session, &parts) {
                        Ok(whole) => {
                            serde_json::to_writer(&mut *to, &session_json(&whole, zone))
                                .map_err(io::Error::from)?;
                            to.write_all(b"\n")?;
                            true
                        }
                        Err(why) => {
                            follow.left_out(&session.id, &why);
                            false
                        }
                    }
                }
                Sink::Csv(to) => {
                    let cells = cells(session, of(&bills, session));
                    to.write_record(cells.iter().map(|cell| cell.text(zone)))?;
                    true
                }
                Sink::Parquet(to) => {
                    to.add(cells(session, of(&bills, session)))?;
                    true
                }
            };
            written += u64::from(done);
        }
        follow.at(written);
    }
    sink.finish()?;
    Ok(written)
}

fn of<'a>(bills: &'a HashMap<String, Vec<BillHead>>, session: &Session) -> &'a [BillHead] {
    bills.get(&session.id).map(Vec::as_slice).unwrap_or_default()
}

enum Sink<W: Write + Send> {
    Lines(W),
    Csv(csv::Writer<W>),
    Parquet(parquet::Table<W>),
}

impl<W: Write + Send> Sink<W> {
    fn new(format: Format, to: W) -> Result<Self, ExportError> {
        Ok(match format {
            Format::Jsonl => Self::Lines(to),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(to);
                writer.write_record(COLUMNS.iter().map(|column| column.name))?;
                Self::Csv(writer)
            }
            Format::Parquet => Self::Parquet(parquet::Table::new(to)?),
        })
    }

    fn is_table(&self) -> bool {
        !matches!(self, Self::Lines(_))
    }

    fn finish(self) -> Result<(), ExportError> {
        match self {
            Self::Lines(mut to) => to.flush()?,
            Self::Csv(mut writer) => writer.flush()?,
            Self::Parquet(table) => table.finish()?,
        }
        Ok(())
    }
}
