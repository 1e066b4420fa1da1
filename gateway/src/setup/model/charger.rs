//! Chargers, their connectors, how they come in and how they speak.

use super::super::read::{choice, section};
use super::super::secret::Password;
use super::super::values::{Id, Offset, Power, TimeSpan};
use super::settings::Settings;

choice! {
    /// What becomes of a charger that nobody knows.
    UnknownPolicy {
        /// It is turned away.
        Refuse = "refuse",
        /// It may connect, and waits until somebody approves it; nobody can charge on it.
        Hold = "hold",
        /// It works at once.
        Accept = "accept",
    }
}

choice! {
    /// Alternating or direct current.
    Plug {
        /// Alternating current.
        Ac = "AC",
        /// Direct current.
        Dc = "DC",
    }
}

choice! {
    /// A version of OCPP, by its WebSocket subprotocol.
    Subprotocol {
        /// 1.6 JSON.
        V16 = "ocpp1.6",
        /// 2.0.1.
        V201 = "ocpp2.0.1",
        /// 2.1.
        V21 = "ocpp2.1",
    }
}

section! {
    /// A charger.
    pub struct Charger {
        /// Its OCPP identity: the end of the address it connects to. Letters in either case are the same.
        id: Id,
        /// Where it stands.
        site: Id,
        /// For people.
        name: Option<String>,
        /// What cars are plugged into.
        connectors as "connector": Vec<Connector>,
        /// The plan that its month charges follow.
        plan: Option<Id>,
        /// Its own metering point; without it the site's counts.
        metering_point: Option<String>,
        /// How it proves who it is.
        security: Security,
        /// What is odd about its firmware; without it the model's counts.
        habits: Habits,
        /// Settings of this charger.
        settings: Settings,
    }
    hints {
        "password" => "it belongs to the charger's security: `security = { profile = 1, password = ... }`",
        "profile" => "it belongs to the charger's security: `security = { profile = 1, password = ... }`",
        "tariff" => "tariffs have a section of their own: `[[tariff]]` with `file` and `charger`",
        "plug" => "it belongs to a connector: `[[charger.connector]]`",
        "type" => "it belongs to a connector: `[[charger.connector]]`",
        "max_power_kw" => "it belongs to a connector: `[[charger.connector]]`",
        "identity" => "write `id`: the end of the address that the charger connects to",
    }
}

section! {
    /// What a car is plugged into. A charger of OCPP 1.6 calls its EVSE 2 connector 2.
    pub struct Connector {
        /// The EVSE it belongs to, from 1.
        evse: u32 = 1,
        /// Its number in the EVSE, from 1.
        connector: u32 = 1,
        /// Alternating or direct current.
        plug: Option<Plug>,
        /// `Type2`, `CCS`, `CHAdeMO`, ...
        kind as "type": Option<String>,
        /// Rated power.
        max_power as "max_power_kw": Option<Power>,
        /// 1 to 3, for alternating current.
        phases: Option<u32>,
        /// Its own metering point; without it the charger's counts.
        metering_point: Option<String>,
    }
}

section! {
    /// How a charger proves who it is.
    #[derive(Default)]
    pub struct Security {
        /// OCPP's security profile: 0 nothing, 1 password, 2 password and TLS, 3 client certificate. Without it the setting
        /// `security_profile` counts.
        profile: Option<u32>,
        /// The user of its password where it is not its identity.
        user: Option<String>,
        /// Its password, never in the clear.
        password: Option<Password>,
        /// Speak this version only.
        subprotocol: Option<Subprotocol>,
        /// It names no subprotocol and speaks OCPP 1.6.
        assume_ocpp16_without_subprotocol: bool = false,
    }
}

section! {
    /// What is odd about a firmware.
    #[derive(Default)]
    pub struct Habits {
        /// Its times without a zone are this far from UTC; without it they are UTC.
        time_offset: Option<Offset>,
        /// How old a report may be.
        oldest: Option<TimeSpan>,
        /// How far its clock may run ahead.
        ahead: Option<TimeSpan>,
        /// It says Wh and means kWh.
        wh_is_kwh: Option<bool>,
        /// Its JSON is broken in known ways and may be mended.
        repair: Option<bool>,
        /// Whether it stands WebSocket pings.
        ping: Option<bool>,
    }
}

section! {
    /// What is odd about all chargers of a make.
    pub struct Model {
        /// As the charger names its maker.
        vendor: String,
        /// What the name of the model begins with; without it all of the maker's.
        model: Option<String>,
        /// What is odd.
        habits: Habits,
    }
}

section! {
    /// Chargers that nobody knows and that belong to a site.
    pub struct UnknownChargers {
        /// What becomes of them.
        policy: UnknownPolicy,
        /// Only those whose identity begins so; the longest of all sites counts.
        prefix: Option<String>,
        /// What they are taken for, so that a price can be worked out.
        connector: Option<Connector>,
    }
}
