//! Settings with their defaults. The charger's count before the site's, and these before the organisation's.

use super::super::read::{choice, defaulted, section};
use super::super::values::{Amount, Id, TimeSpan};

choice! {
    /// Who may charge while a charger cannot reach us.
    TokensOffline {
        /// Nobody.
        None = "none",
        /// Those on the charger's local list.
        List = "list",
        /// Anybody.
        All = "all",
    }
}

choice! {
    /// What a driver with an unknown token may do.
    UnknownTokens {
        /// Nothing.
        Refuse = "refuse",
        /// Charge; he pays as one without a contract.
        Accept = "accept",
    }
}

const fn s(seconds: i64) -> TimeSpan {
    TimeSpan::of_ms(seconds * 1_000)
}

const fn min(minutes: i64) -> TimeSpan {
    s(minutes * 60)
}

const fn h(hours: i64) -> TimeSpan {
    min(hours * 60)
}

macro_rules! settings {
    ($(#[$meta:meta])* $name:ident $effective:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr,)* }) => {
        section! {
            $(#[$meta])*
            pub struct $name { $($(#[$field_meta])* $field: Option<$type>,)* }
        }

        /// The settings that hold for one charger.
        #[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
        pub struct $effective { $($(#[$field_meta])* pub $field: $type,)* }

        impl Default for $effective {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: None,)* }
            }
        }

        impl $name {
            /// What is said here, and `wider` for the rest.
            #[must_use]
            pub fn over(&self, wider: $effective) -> $effective {
                $effective { $($field: self.$field.clone().unwrap_or(wider.$field),)* }
            }
        }
    };
}

settings! {
    /// Settings of an organisation, a site or a charger. What is left out is the wider one's.
    Settings Effective {
        /// How often a charger says that it is there.
        heartbeat_interval: TimeSpan = min(5),
        /// How often a charger sends meter values during a session.
        meter_value_interval: TimeSpan = min(1),
        /// How often a charger is pinged.
        ping_interval: TimeSpan = min(1),
        /// How long a session stays open while nothing is heard of its charger; then it ends with the last known meter value.
        offline_tolerance: TimeSpan = h(48),
        /// The security profile of chargers that name none.
        security_profile: u32 = 1,
        /// No charger may come with a lower one.
        min_security_profile: u32 = 0,
        /// Who may charge while a charger cannot reach us.
        tokens_offline: TokensOffline = TokensOffline::List,
        /// What a driver with an unknown token may do.
        unknown_tokens: UnknownTokens = UnknownTokens::Refuse,
        /// How many sessions may run on one token at once.
        concurrent_transactions: u32 = 1,
        /// Anybody may charge without a token.
        free_vending: bool = false,
        /// The token of sessions that were started without one.
        free_vending_token: Id = Id::of_word("FREE"),
        /// A session without a contract is stopped when it has cost this much, by currency. Empty: never.
        ad_hoc_ceiling: Vec<Amount> = Vec::new(),
        /// Prices and cost are sent to the charger's display.
        price_display: bool = true,
        /// So much time is at least between two costs on a display.
        price_display_pause: TimeSpan = s(5),
        /// Chargers that ask for a certificate get one of our own authority, where there is one.
        sign_certificates: bool = true,
        /// How long such a certificate is good for, in whole days.
        certificate_valid_for: TimeSpan = h(365 * 24),
        /// So long before its end the charger is asked to renew it.
        certificate_renewal: TimeSpan = h(30 * 24),
        /// How many raw frames of each charger are kept.
        keep_frames: u32 = 2_000,
        /// How long they are kept.
        keep_frames_for: TimeSpan = h(30 * 24),
        /// A charger that was not heard of for so long is offline.
        offline_after: TimeSpan = min(3),
        /// A running session without a meter value for so long is an incident.
        no_meter_values_after: TimeSpan = min(15),
        /// A car that was plugged in and does not get going for so long is an incident.
        preparing_after: TimeSpan = min(15),
        /// A clock that is wrong by so much is an incident.
        clock_skew: TimeSpan = min(1),
        /// A charger in trouble is restarted without being asked.
        automatic_restart: bool = true,
        /// So long after the trouble began; each further restart waits twice as long.
        restart_after: TimeSpan = min(5),
        /// But no longer than this.
        restart_longest_wait: TimeSpan = h(6),
        /// How many restarts a day at most.
        restarts_per_day: u32 = 4,
    }
}

defaulted! {
    /// Bounds of the gateway itself, the same for all sites.
    pub struct Limits {
        /// New connections a second; more are asked to come back later.
        connects_per_second: u32 = 500,
        /// Connections of one charger a minute.
        connects_per_charger: u32 = 30,
        /// Wrong passwords from one address a minute.
        wrong_passwords: u32 = 20,
        /// Messages of one charger a second, over a longer time; more wait.
        messages_per_second: u32 = 50,
        /// Unknown chargers that wait for approval at once.
        held_chargers: u32 = 100,
        /// Requests of one API key a minute.
        api_requests: u32 = 1_200,
    }
}
