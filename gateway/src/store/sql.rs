//! One way to say SQL to SQLite and PostgreSQL: values in, rows out.
//!
//! `sqlx::Any` was looked at first. It copies every text it binds and every value of every row it reads once
//! more, takes its options from a URL only (no pragmas, no size for the statement cache), and hides the
//! connection that transactions, migrations and `pg_xact_status` need. What the gateway stores is integers
//! and texts, and for these the layer below is smaller than the exceptions `Any` would need.

use super::about::About;
use super::ahead::Group;
use super::error::{Error, Trouble, trouble};
use super::recall::Recall;
use super::record::{Field, OrgId};
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteQueryResult, SqliteRow};
use sqlx::{
    AssertSqlSafe, Connection as _, Database, Either, Encode, Executor as _, PgConnection, Postgres,
    Row as _, Sqlite, SqliteConnection, Type,
};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// What a statement takes and a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
}

/// The values of `$2`, `$3`, ... in order (`$1` is always the organisation).
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::record::Field::into_value($value)),*] };
}
pub(super) use args;

/// A row of either database.
pub(super) enum Row {
    Lite(SqliteRow),
    Pg(PgRow),
}

impl Row {
    /// The column at `index` as `T`.
    pub fn get<T: Field>(&self, index: usize) -> Result<T, Error> {
        T::from_column(self, index)
    }

    pub fn int(&self, index: usize) -> Result<Option<i64>, Error> {
        match self {
            Self::Lite(row) => row.try_get(index),
            Self::Pg(row) => row.try_get(index),
        }
        .map_err(unreadable)
    }

    pub fn text(&self, index: usize) -> Result<Option<String>, Error> {
        match self {
            Self::Lite(row) => row.try_get(index),
            Self::Pg(row) => row.try_get(index),
        }
        .map_err(unreadable)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unreadable(error: sqlx::Error) -> Error {
    Error::Corrupt(error.to_string())
}

/// A connection of one's own or one borrowed from a pool.
pub(super) enum Held<DB: Database> {
    Own(Box<DB::Connection>),
    Pool(PoolConnection<DB>),
}

impl<DB: Database> Deref for Held<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Own(connection) => connection,
            Self::Pool(connection) => connection,
        }
    }
}

impl<DB: Database> DerefMut for Held<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Own(connection) => connection,
            Self::Pool(connection) => connection,
        }
    }
}

/// A connection to either database.
pub(super) enum Conn {
    Lite(Held<Sqlite>),
    Pg(Held<Postgres>),
}

impl Conn {
    /// Runs a statement; the number of rows it changed.
    pub async fn execute(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, sqlx::Error> {
        match self {
            Self::Lite(conn) => {
                let mut steps = lite_steps(conn, sql, values);
                while let Some(step) = steps.try_next().await? {
                    if let Either::Left(done) = step {
                        return Ok(done.rows_affected());
                    }
                }
                Ok(0)
            }
            Self::Pg(conn) => {
                let conn: &mut PgConnection = conn;
                Ok(pg(sql, values).execute(conn).await?.rows_affected())
            }
        }
    }

    /// Runs a statement of [`Self::many`] for these rows; the number of rows it changed.
    pub async fn execute_many(
        &mut self,
        sql: Arc<str>,
        org: &Arc<str>,
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, sqlx::Error> {
        match self {
            Self::Lite(conn) => {
                let mut query = sqlx::query(AssertSqlSafe(sql));
                for row in rows {
                    query = bound(query.bind(Arc::clone(org)), row);
                }
                let mut steps = conn.fetch_many(query);
                while let Some(step) = steps.try_next().await? {
                    if let Either::Left(done) = step {
                        return Ok(done.rows_affected());
                    }
                }
                Ok(0)
            }
            Self::Pg(conn) => {
                let query = sqlx::query(AssertSqlSafe(sql)).bind(Arc::clone(org));
                let query = bound(query, rows.into_iter().flatten());
                let conn: &mut PgConnection = conn;
                Ok(query.execute(conn).await?.rows_affected())
            }
        }
    }

    /// The text that writes so many rows of so many columns beside the organisation; `tail` is what follows the values.
    pub fn many(&self, head: &str, (rows, columns): (usize, usize), tail: &str) -> String {
        let values = match self {
            // As `in_order` has it.
            Self::Lite(_) => {
                let row = format!("(?{})", ", ?".repeat(columns));
                vec![row; rows].join(", ")
            }
            Self::Pg(_) => {
                let row = |row: usize| format!("($1, {})", places(2 + row * columns, columns));
                (0..rows).map(row).collect::<Vec<_>>().join(", ")
            }
        };
        format!("{head} VALUES {values} {tail}")
    }

    /// All rows of a query.
    pub async fn fetch_all(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Lite(conn) => {
                let mut rows = Vec::new();
                let mut steps = lite_steps(conn, sql, values);
                while let Some(Either::Right(row)) = steps.try_next().await? {
                    rows.push(Row::Lite(row));
                }
                Ok(rows)
            }
            Self::Pg(conn) => {
                let conn: &mut PgConnection = conn;
                pg(sql, values).fetch(conn).map_ok(Row::Pg).try_collect().await
            }
        }
    }

    /// The first row of a query that has one row at most.
    pub async fn fetch_one(&mut self, sql: &str, values: Vec<Value>) -> Result<Option<Row>, sqlx::Error> {
        match self {
            Self::Lite(conn) => {
                let conn: &mut SqliteConnection = conn;
                Ok(lite(sql, values).fetch_optional(conn).await?.map(Row::Lite))
            }
            Self::Pg(conn) => {
                let conn: &mut PgConnection = conn;
                Ok(pg(sql, values).fetch_optional(conn).await?.map(Row::Pg))
            }
        }
    }

    /// Calls `each` for every row, without holding more than a few of them.
    pub async fn for_each(
        &mut self,
        sql: &str,
        mut each: impl FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Lite(conn) => {
                let conn: &mut SqliteConnection = conn;
                let mut rows = lite(sql, Vec::new()).fetch(conn);
                while let Some(row) = rows.try_next().await? {
                    each(Row::Lite(row))?;
                }
            }
            Self::Pg(conn) => {
                let conn: &mut PgConnection = conn;
                let mut rows = pg(sql, Vec::new()).fetch(conn);
                while let Some(row) = rows.try_next().await? {
                    each(Row::Pg(row))?;
                }
            }
        }
        Ok(())
    }

    /// Closes a connection of one's own; one from a pool goes back there.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Lite(Held::Own(conn)) => conn.close().await,
            Self::Pg(Held::Own(conn)) => conn.close().await,
            Self::Lite(Held::Pool(_)) | Self::Pg(Held::Pool(_)) => Ok(()),
        }
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Lite(_))
    }
}

/// The rows of a statement and its end. SQLite works in a thread of its own; whoever stops listening at the
/// end of the only statement need not wait for word that there is no second one, and the two threads change
/// places once less.
fn lite_steps<'c>(
    conn: &'c mut SqliteConnection,
    sql: &str,
    values: Vec<Value>,
) -> BoxStream<'c, Result<Either<SqliteQueryResult, SqliteRow>, sqlx::Error>> {
    conn.fetch_many(lite(sql, values))
}

// Texts come from SQL in this module and from values bound beside it, never from a value pasted in.
fn lite(sql: &str, values: Vec<Value>) -> Query<'static, Sqlite, SqliteArguments> {
    let (sql, values) = in_order(sql, values);
    bound(sqlx::query(AssertSqlSafe(sql)), values)
}

// A statement with these values for its next places.
fn bound<'q, DB: Database>(
    query: Query<'q, DB, DB::Arguments>,
    values: impl IntoIterator<Item = Value>,
) -> Query<'q, DB, DB::Arguments>
where
    Option<i64>: Encode<'q, DB> + Type<DB>,
    Option<String>: Encode<'q, DB> + Type<DB>,
{
    values.into_iter().fold(query, |query, value| match value {
        Value::Int(int) => query.bind(int),
        Value::Text(text) => query.bind(text.map(storable)),
    })
}

// With `?` for each `$1`, `$2`, ..., and the values in the order of their places. SQLite looks for the name of a numbered place among all
// names of a statement: with a thousand places it would spend its time there.
fn in_order(sql: &str, values: Vec<Value>) -> (String, Vec<Value>) {
    let mut values: Vec<Option<Value>> = values.into_iter().map(Some).collect();
    let mut text = String::with_capacity(sql.len());
    let mut places = Vec::with_capacity(values.len());
    let mut pieces = sql.split('$');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        places.extend(number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)));
        text.push('?');
        text.push_str(rest);
    }
    // The last place of a value takes it, those before get copies.
    let mut last = vec![0; values.len()];
    for (at, place) in places.iter().enumerate() {
        if let Some(last) = last.get_mut(*place) {
            *last = at;
        }
    }
    let ordered = places.iter().enumerate().map(|(at, place)| {
        let value = values.get_mut(*place);
        let taken = match value {
            Some(value) if last.get(*place) == Some(&at) => value.take(),
            Some(value) => value.clone(),
            None => None,
        };
        taken.unwrap_or(Value::Text(None))
    });
    let ordered = ordered.collect();
    (text, ordered)
}

fn pg(sql: &str, values: Vec<Value>) -> Query<'static, Postgres, PgArguments> {
    bound(sqlx::query(AssertSqlSafe(sql)), values)
}

/// PostgreSQL cannot store the character NUL and SQLite's tools stop at it; a charger can send it.
pub(super) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Looks things up. Also the inside of a [`super::Tx`], which sees its own changes.
pub struct Reader {
    pub(super) conn: Conn,
    /// The worst that a statement of the running unit met. After an error PostgreSQL refuses the rest of the
    /// transaction, so the unit cannot count.
    pub(super) trouble: Option<Trouble>,
    /// What the units of a group share; none where each statement runs by itself.
    pub(super) group: Option<Box<Group>>,
    /// Sessions of earlier groups; none where others write too.
    pub(super) recall: Option<Box<Recall>>,
    /// Statements since somebody asked.
    pub(super) statements: u64,
    /// The texts of statements for many rows, by what stands before and behind the values and how many rows they write: long, and few.
    pub(super) texts: HashMap<(String, String, usize), Arc<str>>,
}

impl Reader {
    pub(super) fn new(conn: Conn) -> Self {
        Self { conn, trouble: None, group: None, recall: None, statements: 0, texts: HashMap::new() }
    }

    pub(super) async fn rows(
        &mut self,
        org: &OrgId,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        self.rows_about(org, About::Text, sql, values).await
    }

    /// [`Self::rows`] of which is known what they are about.
    pub(super) async fn rows_about(
        &mut self,
        org: &OrgId,
        about: About<'_>,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        self.catch_up(org, about, sql).await?;
        let values = with_org(org, sql, values);
        self.statements += 1;
        let rows = self.conn.fetch_all(sql, values).await;
        self.noting(rows)
    }

    pub(super) async fn row(
        &mut self,
        org: &OrgId,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, Error> {
        self.row_about(org, About::Text, sql, values).await
    }

    /// [`Self::row`] of which is known what it is about.
    pub(super) async fn row_about(
        &mut self,
        org: &OrgId,
        about: About<'_>,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, Error> {
        self.catch_up(org, about, sql).await?;
        let values = with_org(org, sql, values);
        self.statements += 1;
        let row = self.conn.fetch_one(sql, values).await;
        self.noting(row)
    }

    /// Without an organisation: only for finding out which one there is.
    pub(super) async fn door(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.statements += 1;
        let rows = self.conn.fetch_all(sql, values).await;
        self.noting(rows)
    }

    pub(super) fn noting<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, Error> {
        result.map_err(|error| {
            self.trouble = Some(trouble(&error));
            error.into()
        })
    }
}

/// The organisation is `$1` in every statement; none can be run without one.
pub(super) fn with_org(org: &OrgId, sql: &str, values: Vec<Value>) -> Vec<Value> {
    debug_assert!(sql.contains("org = $1") || sql.contains("VALUES ($1,"), "without its organisation: {sql}");
    let mut all = Vec::with_capacity(values.len() + 1);
    all.push(Value::Text(Some(org.as_str().to_owned())));
    all.extend(values);
    all
}

/// `$a, $b, ...`: `count` placeholders from `first` on.
pub(super) fn places(first: usize, count: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for place in first..first + count {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}${place}", if place == first { "" } else { ", " });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_put_in_order() {
        let text = |text: &str| Value::Text(Some(text.to_owned()));
        let (sql, values) = in_order("a = $2 AND b = $1 OR c = $2 LIMIT $10", {
            (1..=10).map(|number| text(&number.to_string())).collect()
        });
        assert_eq!(sql, "a = ? AND b = ? OR c = ? LIMIT ?");
        assert_eq!(values, ["2", "1", "2", "10"].map(text));
        assert_eq!(in_order("COMMIT", Vec::new()), ("COMMIT".to_owned(), Vec::new()));
    }
}
