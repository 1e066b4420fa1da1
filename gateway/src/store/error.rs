//! What can go wrong in the storage, in words for the person who runs it.

/// Why a unit of work or a look-up did not come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store was closed.
    #[error("the storage is shut down")]
    Closed,
    /// The unit itself said no; nothing of it was kept.
    #[error("{0}")]
    Refused(String),
    /// The row that was to be changed is not there.
    #[error("there is no {what} `{id}`")]
    Missing {
        /// `session`, `charger`, ...
        what: &'static str,
        /// Its key.
        id: String,
    },
    /// There is such a row already.
    #[error("it is there already: {0}")]
    Conflict(String),
    /// The database could not be reached or written for longer than the patience of [`super::Options`].
    #[error("the database does not take the data now ({0}); nothing was kept, try again")]
    Unavailable(String),
    /// A stored row says something this program does not know.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// Anything else that the database said.
    #[error("the database refused: {0}")]
    Database(String),
}

impl Error {
    /// A unit's own refusal, with the reason for the person who asked.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }
}

/// Why a database could not be opened, backed up or restored, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}\n  {advice}")]
pub struct OpenError {
    /// What is wrong, with the place.
    pub what: String,
    /// What to do.
    pub advice: String,
    /// Whose fault it is.
    pub fault: Fault,
}

/// What has to be put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The place of the data: it cannot be reached, read or written, or is not what is needed.
    Place,
    /// Another program works on the data.
    InUse,
    /// The backup.
    Backup,
}

impl OpenError {
    pub(super) fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), advice: advice.into(), fault: Fault::Place }
    }

    pub(super) fn with(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }
}

/// How a failed statement is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The same again will do: busy, deadlock, serialization failure, disk full, server starting.
    Passing,
    /// The connection is gone.
    Lost,
    /// The statement is at fault.
    Statement,
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::Database(db) if db.is_unique_violation() => Self::Conflict(db.message().to_owned()),
            _ if trouble(&error) != Trouble::Statement => Self::Unavailable(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }
}

/// Sorts an error into what the writer does about it.
pub(super) fn trouble(error: &sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Database(db) => code_trouble(db.code().as_deref().unwrap_or_default()),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::PoolTimedOut => Trouble::Lost,
        _ => Trouble::Statement,
    }
}

fn code_trouble(code: &str) -> Trouble {
    // SQLite gives its extended result code as a number; the primary one is its low byte. No SQLSTATE is
    // shorter than five.
    if code.len() < 5
        && let Ok(number) = code.parse::<i64>()
    {
        return match number & 0xff {
            // BUSY, LOCKED, NOMEM, IOERR, FULL, PROTOCOL
            5 | 6 | 7 | 10 | 13 | 15 => Trouble::Passing,
            _ => Trouble::Statement,
        };
    }
    match code {
        // serialization failure, deadlock, lock not available, too many connections, disk full, out of
        // memory, too busy
        "40001" | "40P01" | "55P03" | "53300" | "53100" | "53200" | "53000" => Trouble::Passing,
        // shutting down, crashed, starting up; idle-in-transaction timeout; read-only standby after a switch
        "57P01" | "57P02" | "57P03" | "25P03" | "25006" => Trouble::Lost,
        _ if code.starts_with("08") => Trouble::Lost,
        _ => Trouble::Statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        for (code, trouble) in [
            ("5", Trouble::Passing),
            ("517", Trouble::Passing),
            ("261", Trouble::Passing),
            ("13", Trouble::Passing),
            ("778", Trouble::Passing),
            ("19", Trouble::Statement),
            ("2067", Trouble::Statement),
            ("1555", Trouble::Statement),
            ("11", Trouble::Statement),
            ("40001", Trouble::Passing),
            ("40P01", Trouble::Passing),
            ("23505", Trouble::Statement),
            ("57P01", Trouble::Lost),
            ("08006", Trouble::Lost),
            ("42601", Trouble::Statement),
            ("", Trouble::Statement),
        ] {
            assert_eq!(code_trouble(code), trouble, "{code}");
        }
    }
}
