//! What an operator sets up: TOML files in, a checked set-up out, with every mistake shown where it stands.
//!
//! Absent from here: clocks, sockets, the database, async. Only `files`, `tariffs` and the look-up of secrets touch the disk; what is in
//! force where is worked out by pure functions. `gateway/SETUP.md` is the manual, and a test runs every example in it.
//!
//! The way through: [`Files::read`] finds the texts, [`Files::load`] checks them all and compiles the tariffs ([`Loaded`]),
//! [`Loaded::changes_since`] says what is new, [`Catalogue::take_in`] puts changed tariffs in force, and [`Setup`] answers questions.

mod catalogue;
mod change;
mod check;
mod codes;
mod edit;
mod files;
mod load;
mod mail;
mod merge;
mod model;
mod node;
mod plugins;
mod read;
mod report;
mod resolve;
mod secret;
mod sent;
mod tariffs;
mod values;

pub use catalogue::{BEGINNING, Catalogue, Version};
pub use change::{Change, FieldChange, What, changes};
pub use codes::CODES;
pub use edit::EditError;
pub use files::{API_FILE, FilePath, Files, PEOPLE_FILE};
pub(crate) use files::{folder_of, join, plain};
pub use load::{Environment, Loaded};
pub use model::{
    Address, Assignment, Charger, Connector, Contract, Document, Driver, Effective, Feed, FeedSource, Group,
    Habits, Invoices, KidCheck, Limits, Mail, MailSecurity, MeterTimes, Model, Often, Organisation, PaysBy,
    Person, Plan, Plug, Plugin, RunningSessions, Security, Seller, Settings, Site, Subprotocol, Token,
    TokenKind, TokenState, TokensOffline, UnknownChargers, UnknownPolicy, UnknownTokens,
};
pub use plugins::{Judge, PluginFile, Wasm};
pub use report::Problems;
pub use resolve::{At, FirmwareHabits, InForce, Level, Setup, TokenVerdict, Unknown};
pub use secret::{Password, SecretPlace, Secrets, hash_password};
pub(crate) use sent::list_name;
pub use sent::{Edit, Refusal, Thing};
pub use tariffs::{BasedOn, Bundle, TariffFile};
pub use values::{Amount, Id, Local, Offset, Power, TimeOfDay, TimeSpan, Until, Zone};
