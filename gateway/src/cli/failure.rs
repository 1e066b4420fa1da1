//! How a run ends.

/// The program's exit codes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Exit {
    /// All fine.
    Fine = 0,
    /// The input has errors: a diagnostic, a failed test, a rejected session.
    Errors = 1,
    /// Wrong use.
    Usage = 2,
    /// Could not do it: a file or the network.
    Io = 3,
}

/// Why a run stopped early, in a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The input cannot be used.
    #[error("{0}")]
    Input(String),
    /// Options that do not go together, or one that is missing.
    #[error("{0}")]
    Usage(String),
    /// A file that cannot be read or written.
    #[error("{0}")]
    Io(String),
    /// The input has errors that are already shown.
    #[error("")]
    Shown,
}

impl Failure {
    /// The exit code that goes with it.
    pub const fn exit(&self) -> Exit {
        match self {
            Failure::Input(_) | Failure::Shown => Exit::Errors,
            Failure::Usage(_) => Exit::Usage,
            Failure::Io(_) => Exit::Io,
        }
    }
}
