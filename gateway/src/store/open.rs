//! Opening a database: what the address means, connections with their settings, the migrations, and errors
//! that say what to do.

use super::error::{Error, Fault, OpenError};
use super::sql::{Conn, Held};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqlSafeStr as _};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

/// Every change of the schema, in order. A file that was released is never changed.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "begin", include_str!("../../migrations/0001_begin.sql")),
    (2, "campaigns", include_str!("../../migrations/0002_campaigns.sql")),
    (3, "told", include_str!("../../migrations/0003_told.sql")),
    (4, "money", include_str!("../../migrations/0004_money.sql")),
    (5, "plugins", include_str!("../../migrations/0005_plugins.sql")),
    (6, "calls", include_str!("../../migrations/0006_calls.sql")),
    (7, "reminders", include_str!("../../migrations/0007_reminders.sql")),
    (8, "invoices", include_str!("../../migrations/0008_invoices.sql")),
    (9, "meters", include_str!("../../migrations/0009_meters.sql")),
    (10, "runs", include_str!("../../migrations/0010_runs.sql")),
    (12, "cost", include_str!("../../migrations/0012_cost.sql")),
    (13, "current", include_str!("../../migrations/0013_current.sql")),
    (14, "called", include_str!("../../migrations/0014_called.sql")),
    (15, "progress", include_str!("../../migrations/0015_progress.sql")),
    (16, "found", include_str!("../../migrations/0016_found.sql")),
];

/// The version of the schema that this program writes.
pub(super) fn schema_version() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}

fn migrator() -> Migrator {
    Migrator::with_migrations(
        MIGRATIONS
            .iter()
            .map(|(version, name, sql)| {
                Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
            })
            .collect(),
    )
}

/// Where the data is.
#[derive(Clone)]
pub(super) enum Place {
    Lite { path: PathBuf, options: Box<SqliteConnectOptions> },
    Pg { shown: String, options: Box<PgConnectOptions> },
}

/// Connections that only read.
pub(super) enum Pools {
    Lite(SqlitePool),
    Pg(PgPool),
}

const STATEMENTS: usize = 512;
const ROWS: usize = 1024;

impl Place {
    /// `postgres://...`, `sqlite:PATH` or a path.
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url).map_err(|error| {
                OpenError::new(
                    format!("the address of the database cannot be read: {error}"),
                    "write postgres://USER:PASSWORD@HOST:PORT/DATABASE; characters such as @ and / in the password as %40 and %2F",
                )
            })?;
            let shown = format!("{} on {}:{}", database_of(&options), options.get_host(), options.get_port());
            let options = options
                .statement_cache_capacity(STATEMENTS)
                .application_name("takst")
                .disable_statement_logging();
            return Ok(Self::Pg { shown, options: Box::new(options) });
        }
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
        if path.is_empty() || path.starts_with(":memory:") || path.contains("://") {
            return Err(OpenError::new(
                format!("`{url}` is no place for the database"),
                "write the path of a file, as in `takst-data/takst.db`, or `postgres://USER:PASSWORD@HOST/DATABASE`",
            ));
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit returns when its log is on the disk, so that what was answered survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(STATEMENTS)
            // Rows come from a thread of their own: it need not wait until each few are taken.
            .row_buffer_size(ROWS)
            .pragma("temp_store", "MEMORY")
            // More does not help (gateway/BENCHMARKS.md): what is not in it is in the system's memory, and commits look through all of it.
            .pragma("cache_size", "-8192")
            // What is erased is not left in the file.
            .pragma("secure_delete", "FAST")
            // Pages of the log after which a commit moves them into the file by itself; `checkpoint.rs` does
            // it before.
            .pragma("wal_autocheckpoint", "64000")
            .disable_statement_logging();
        Ok(Self::Lite { path: PathBuf::from(path), options: Box::new(options) })
    }

    /// For messages; never with a password.
    pub fn shown(&self) -> String {
        match self {
            Self::Lite { path, .. } => path.display().to_string(),
            Self::Pg { shown, .. } => shown.clone(),
        }
    }

    /// A connection that may write.
    pub async fn connect(&self) -> Result<Conn, sqlx::Error> {
        Ok(match self {
            Self::Lite { options, .. } => Conn::Lite(Held::Own(Box::new(options.connect().await?))),
            Self::Pg { options, .. } => Conn::Pg(Held::Own(Box::new(options.connect().await?))),
        })
    }

    /// A connection that leaves one file, without a log beside it: for a SQLite backup.
    pub async fn connect_bare(&self) -> Result<Conn, sqlx::Error> {
        match self {
            Self::Lite { options, .. } => {
                let options =
                    (**options).clone().create_if_missing(false).journal_mode(SqliteJournalMode::Delete);
                Ok(Conn::Lite(Held::Own(Box::new(options.connect().await?))))
            }
            Self::Pg { .. } => self.connect().await,
        }
    }

    /// A connection that changes nothing at all: for reading a SQLite backup, maybe from a medium that cannot
    /// be written.
    pub async fn connect_reading(&self) -> Result<Conn, sqlx::Error> {
        match self {
            Self::Lite { path, .. } => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
                Ok(Conn::Lite(Held::Own(Box::new(options.disable_statement_logging().connect().await?))))
            }
            Self::Pg { .. } => self.connect().await,
        }
    }

    /// A few connections that only read.
    pub fn pools(&self, readers: u32) -> Pools {
        match self {
            Self::Lite { options, .. } => Pools::Lite(
                PoolOptions::new()
                    .max_connections(readers)
                    .acquire_timeout(Duration::from_secs(10))
                    // What they read is in the system's memory too: a large cache of each would only hold it eight times.
                    .connect_lazy_with(
                        (**options)
                            .clone()
                            .create_if_missing(false)
                            .read_only(true)
                            .pragma("cache_size", "-2048"),
                    ),
            ),
            Self::Pg { options, .. } => Pools::Pg(
                PoolOptions::new()
                    .max_connections(readers)
                    .acquire_timeout(Duration::from_secs(10))
                    .connect_lazy_with(
                        (**options).clone().options([("default_transaction_read_only", "on")]),
                    ),
            ),
        }
    }
}

fn database_of(options: &PgConnectOptions) -> String {
    options.get_database().unwrap_or(options.get_username()).to_owned()
}

impl Pools {
    pub async fn acquire(&self) -> Result<Conn, sqlx::Error> {
        Ok(match self {
            Self::Lite(pool) => Conn::Lite(Held::Pool(pool.acquire().await?)),
            Self::Pg(pool) => Conn::Pg(Held::Pool(pool.acquire().await?)),
        })
    }

    pub async fn close(&self) {
        match self {
            Self::Lite(pool) => pool.close().await,
            Self::Pg(pool) => pool.close().await,
        }
    }
}

/// Held while a program writes to a SQLite file, so that a second one notices.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

/// Makes the folder of a SQLite file and takes its lock. PostgreSQL is made for several programs.
pub(super) fn lock(place: &Place) -> Result<Option<FileLock>, OpenError> {
    let Place::Lite { path, .. } = place else { return Ok(None) };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| no_file(folder, &error))?;
    }
    let mut name = path.clone().into_os_string();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|error| no_file(&name, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(FileLock { _file: file })),
        Err(TryLockError::WouldBlock) => Err(OpenError::new(
            format!("{} is in use by another takst", path.display()),
            "stop the other one first, or use PostgreSQL, which serves several: `--database postgres://...`",
        )
        .with(Fault::InUse)),
        Err(TryLockError::Error(error)) => Err(no_file(&name, &error)),
    }
}

fn no_file(path: &Path, error: &std::io::Error) -> OpenError {
    OpenError::new(
        format!("{}: {error}", path.display()),
        "choose a folder on a local disk that the user running takst may write to (`--data DIR`)",
    )
}

/// Brings the schema up to date, up to `target` when one is given.
pub(super) async fn migrate(place: &Place, conn: &mut Conn, target: Option<i64>) -> Result<(), OpenError> {
    let migrator = migrator();
    // A step may sort a whole table: on the disk, not in memory.
    let sorts_in = |place: &'static str| (format!("PRAGMA temp_store = {place}"), Vec::new());
    if conn.is_sqlite() {
        let (sql, none) = sorts_in("FILE");
        conn.execute(&sql, none).await.map_err(|error| explain(place, &error))?;
    }
    let done = match conn {
        Conn::Lite(conn) => migrator.run_direct(target, &mut **conn, false).await,
        Conn::Pg(conn) => migrator.run_direct(target, &mut **conn, false).await,
    };
    if conn.is_sqlite() {
        let (sql, none) = sorts_in("MEMORY");
        conn.execute(&sql, none).await.map_err(|error| explain(place, &error))?;
    }
    done.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => explain(place, &error),
        MigrateError::VersionMissing(version) => OpenError::new(
            format!(
                "{} was written by a newer takst (schema {version}, this program knows {})",
                place.shown(),
                schema_version()
            ),
            "start the newer program again, or restore a backup from before the upgrade",
        ),
        MigrateError::VersionMismatch(version) => OpenError::new(
            format!("{}: step {version} of the schema is not the one this program has", place.shown()),
            "the database was made by a development version: use the program that made it, or start with an empty place",
        ),
        other => OpenError::new(format!("{}: {other}", place.shown()), "restore a backup, or ask for help with this message"),
    })
}

/// Checks the schema without changing anything.
pub(super) async fn check_schema(place: &Place, conn: &mut Conn) -> Result<(), OpenError> {
    let row = conn.fetch_one("SELECT MAX(version) FROM _sqlx_migrations", Vec::new()).await;
    let found = match row {
        Ok(row) => row.and_then(|row| row.int(0).ok().flatten()).unwrap_or(0),
        Err(sqlx::Error::Database(_)) => 0,
        Err(error) => return Err(explain(place, &error)),
    };
    match found.cmp(&schema_version()) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(OpenError::new(
            format!("{} holds no data of this program yet (schema {found})", place.shown()),
            "start `takst serve` on it once: it brings the schema up to date",
        )),
        std::cmp::Ordering::Greater => Err(OpenError::new(
            format!("{} was written by a newer takst (schema {found})", place.shown()),
            "use the newer program",
        )),
    }
}

/// What a failed connection means to the person who started the program.
pub(super) fn explain(place: &Place, error: &sqlx::Error) -> OpenError {
    let shown = place.shown();
    let code = match error {
        sqlx::Error::Database(db) => db.code().map(std::borrow::Cow::into_owned).unwrap_or_default(),
        _ => String::new(),
    };
    let (what, advice) = match (place, code.as_str()) {
        (Place::Pg { .. }, "28P01" | "28000") => (
            "the server does not accept the user or the password",
            "check both in `--database postgres://USER:PASSWORD@HOST/DATABASE`, and pg_hba.conf on the server",
        ),
        (Place::Pg { .. }, "3D000") => {
            ("there is no such database on that server", "create it: `createdb --encoding UTF8 DATABASE`")
        }
        (Place::Pg { .. }, "42501") => {
            ("the user may not create tables there", "make him the owner: `ALTER DATABASE ... OWNER TO ...`")
        }
        (Place::Pg { .. }, "53300") => (
            "the server has no connection left",
            "raise max_connections, or lower the number of programs that use it",
        ),
        (Place::Pg { .. }, "57P03") => ("the server is just starting", "try again in a moment"),
        (Place::Pg { .. }, _) if matches!(error, sqlx::Error::Io(_)) => (
            "no server answers there",
            "check host and port, that PostgreSQL is running, and the firewall between",
        ),
        (Place::Lite { .. }, "5" | "6" | "261" | "517") => (
            "the file is locked by another program",
            "close what has it open (a database browser, a copy of takst, a backup), then start again",
        ),
        (Place::Lite { .. }, "26") => (
            "the file is no SQLite database",
            "choose another file with `--data DIR`, or restore a backup into an empty place",
        ),
        (Place::Lite { .. }, "11") => {
            ("the file is damaged", "keep a copy of it, then restore the last backup: `takst restore`")
        }
        (Place::Lite { .. }, "13") => ("the disk is full", "make room, then start again"),
        (Place::Lite { .. }, "14" | "8" | "1032" | "1544") => (
            "the file cannot be opened for writing",
            "check that the user running takst may write to the file and its folder",
        ),
        _ => (
            "it cannot be opened",
            "see the message above; `takst serve --help` shows how to name another place",
        ),
    };
    OpenError::new(format!("{shown}: {what} ({error})"), advice)
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::Database(error.to_string())
    }
}
