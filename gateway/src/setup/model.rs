//! What an operator sets up, as plain data. Every struct is a table in the files and an object in JSON, with the same keys.

mod charger;
mod people;
mod plugin;
mod settings;
mod tariff;

pub use charger::{
    Charger, Connector, Habits, Model, Plug, Security, Subprotocol, UnknownChargers, UnknownPolicy,
};
pub use people::{Contract, Driver, Group, PaysBy, Person, Plan, Token, TokenKind, TokenState};
pub use plugin::{MeterTimes, Often, Plugin};
pub use settings::{Effective, Limits, Settings, TokensOffline, UnknownTokens};
pub use tariff::{Assignment, Feed, FeedSource, RunningSessions};

use super::files::FilePath;
use super::read::{choice, defaulted, section};
use super::secret::SecretPlace;
use super::values::{Id, Zone};
use serde::Serialize;

defaulted! {
    /// Who runs all this. Every row of the database belongs to it.
    pub struct Organisation {
        /// Its key in the database; never change it.
        id: Id = Id::of_word("main"),
        /// For people.
        name: Option<String> = None,
        /// The address under which drivers' browsers reach this gateway, as in `https://charge.example.com`.
        web_address: Option<String> = None,
        /// The zone of times that belong to no site.
        time_zone: Zone = Zone(chrono_tz::Tz::UTC),
        /// What becomes of a charger that nobody knows and no site takes. `accept` needs a site.
        unknown_chargers: UnknownPolicy = UnknownPolicy::Refuse,
        /// Public keys (minisign) of those whose packages of plugins may run; without any, signatures are not looked at.
        plugin_keys: Vec<String> = Vec::new(),
    }
}

section! {
    /// A postal address.
    pub struct Address {
        /// Street and number.
        street: Option<String>,
        /// Postal code.
        postcode: Option<String>,
        /// Town.
        city: Option<String>,
        /// Two letters, as in `FI`.
        country: Option<String>,
    }
}

section! {
    /// A legal entity that issues bills.
    pub struct Seller {
        /// Its key; bills name it.
        id: Id,
        /// Its name on the bill.
        name: String,
        /// Number in the register of companies.
        company_number: Option<String>,
        /// VAT number, as in `FI12345678`.
        vat_number: Option<String>,
        /// Its address on the bill.
        address: Address,
        /// Where drivers write to.
        email: Option<String>,
        /// Where drivers call.
        phone: Option<String>,
        /// What its bill numbers begin with, as in `KOTI-`.
        bill_series: Option<String>,
        /// Where payouts go: an IBAN or the account number of the country.
        payout_account: Option<String>,
        /// The plugin that its bills are paid through; without it nothing is charged, and bills stay open.
        payments: Option<Id>,
        /// So many days after its bill a driver should have paid.
        due_days: u32 = 14,
        /// So many days after that he is reminded without being asked for; without it a person reminds.
        remind_after_days: Option<u32>,
        /// How drivers that pay by invoice get theirs.
        invoices: Option<Invoices>,
    }
}

choice! {
    /// How the check digit of a KID is worked out.
    KidCheck {
        /// Luhn's formula.
        Mod10 = "mod10",
        /// Weights 2 to 7.
        Mod11 = "mod11",
    }
}

section! {
    /// How a seller's invoices are sent.
    pub struct Invoices {
        /// The plugin that sends them; without it they go on paper.
        channel: Option<Id>,
        /// Where they are paid to: an IBAN or the account number of the country.
        account: String,
        /// BIC of the bank.
        bic: Option<String>,
        /// Each has a KID with this check digit; without it payers write the number of the bill.
        kid: Option<KidCheck>,
        /// Places of a KID, by agreement with the bank.
        kid_length: u32 = 10,
        /// The seller stands in Foretaksregisteret, which its invoices must say.
        in_foretaksregisteret: bool = false,
        /// The electronic address of whoever brings invoices to persons: scheme and number, as in `0192:974760673`.
        payer_endpoint: Option<String>,
    }
    hints {
        "plugin" => "write `channel`",
        "due_days" => "it belongs to the seller itself: bills that are not invoices are due too",
        "payout_account" => "write `account`: where payers pay to",
    }
}

section! {
    /// A place with chargers, in one time zone, behind one meter.
    pub struct Site {
        /// Its key; tariffs, sessions and bills name it.
        id: Id,
        /// For people.
        name: String,
        /// Where it is.
        address: Address,
        /// Its clock.
        time_zone: Zone,
        /// Who issues its bills.
        seller: Id,
        /// The grid's metering point in front of all chargers.
        metering_point: Option<String>,
        /// Whose spot prices count here, as in `NO1`.
        price_area: Option<String>,
        /// How many cars can charge at once; without it the connectors are counted.
        places: Option<u32>,
        /// Chargers that nobody knows and that belong here.
        unknown_chargers: Option<UnknownChargers>,
        /// Settings of this site.
        settings: Settings,
    }
    hints {
        "tariff" => "tariffs have a section of their own: `[[tariff]]` with `file` and `site`",
        "price" => "tariffs have a section of their own: `[[tariff]]` with `file` and `site`",
        "charger" => "chargers have a section of their own: `[[charger]]` with `site`",
    }
}

choice! {
    /// How the line to a mail server is kept secret.
    MailSecurity {
        /// It begins in the open and goes over to TLS before anything is said.
        Starttls = "starttls",
        /// TLS from the beginning.
        Tls = "tls",
        /// Not at all: for a server on this machine.
        None = "none",
    }
}

section! {
    /// The mail server that receipts and invoices go out through.
    pub struct Mail {
        /// Its name.
        server: String,
        /// Its port; without it 587, with `tls` 465, with `none` 25.
        port: Option<u32>,
        /// How the line is kept secret.
        security: MailSecurity = MailSecurity::Starttls,
        /// The user to log in as.
        user: Option<String>,
        /// Where the password is.
        password: Option<SecretPlace>,
        /// Who mail is from: `Takst <receipts@example.com>`.
        from: String,
        /// Where answers go.
        reply_to: Option<String>,
        /// A file with certificates (PEM) of authorities that this server's certificate may be from, beside those of the machine.
        roots: Option<FilePath>,
        /// Drivers with an e-mail address get a receipt of each bill.
        receipts: bool = true,
    }
    hints {
        "host" => "write `server`",
        "sender" => "write `from`",
        "username" => "write `user`",
        "tls" => "write `security = \"tls\"` or `\"starttls\"`",
    }
}

/// The whole set-up of an organisation, without personal data and without secrets in the clear.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Document {
    /// Who runs it.
    pub organisation: Organisation,
    /// Settings of all sites.
    #[serde(skip_serializing_if = "super::read::is_left_out")]
    pub settings: Settings,
    /// Bounds of the gateway itself.
    #[serde(skip_serializing_if = "super::read::is_left_out")]
    pub limits: Limits,
    /// The mail server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
    /// Who issues bills.
    #[serde(rename = "seller", skip_serializing_if = "Vec::is_empty")]
    pub sellers: Vec<Seller>,
    /// Where chargers stand.
    #[serde(rename = "site", skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<Site>,
    /// The chargers.
    #[serde(rename = "charger", skip_serializing_if = "Vec::is_empty")]
    pub chargers: Vec<Charger>,
    /// How makes of chargers behave.
    #[serde(rename = "model", skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Model>,
    /// Groups of drivers, the one that counts first first.
    #[serde(rename = "group", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Plans of chargers.
    #[serde(rename = "plan", skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<Plan>,
    /// Drivers, as keys.
    #[serde(rename = "driver", skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<Driver>,
    /// What drivers identify themselves with.
    #[serde(rename = "token", skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<Token>,
    /// Which tariff where.
    #[serde(rename = "tariff", skip_serializing_if = "Vec::is_empty")]
    pub tariffs: Vec<Assignment>,
    /// Where prices come from.
    #[serde(rename = "feed", skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<Feed>,
    /// What runs beside it.
    #[serde(rename = "plugin", skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<Plugin>,
}
