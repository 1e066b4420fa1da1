//! Plugins that the gateway runs.

use super::super::files::FilePath;
use super::super::read::{choice, section};
use super::super::secret::SecretPlace;
use super::super::values::{Id, TimeOfDay, TimeSpan};
use std::collections::BTreeMap;

section! {
    /// A plugin at work here. The same one may be there twice under two names, with other settings.
    pub struct Plugin {
        /// Its name here; feeds name it, and what it keeps belongs to this name.
        id: Id,
        /// Which of the plugins in the program it is; without it and without `folder` and `package` the one of its own name.
        shipped as "use": Option<Id>,
        /// A plugin of one's own: a folder with `plugin.toml` and `plugin.wasm`.
        folder: Option<FilePath>,
        /// A plugin of one's own, in one file as `takst plugin build` packs it.
        package: Option<FilePath>,
        /// Its settings; `plugin.toml` says which there are.
        settings: BTreeMap<String, String>,
        /// Where its secrets are.
        secrets: BTreeMap<String, SecretPlace>,
        /// What it may: a file with a grant. One that is in the program may without it what its manifest asks for, one of your own nothing.
        grant: Option<FilePath>,
        /// When one for meter values is asked by itself.
        meters: Option<MeterTimes>,
    }
    hints {
        "name" => "write `id`",
        "plugin" => "write `use` for a plugin that is in the program",
        "file" => "write `folder` or `package`",
        "secret" => "write `secrets = { NAME = { env = \"...\" } }`",
    }
}

choice! {
    /// How often a plugin for meter values is asked by itself.
    Often {
        /// Each day, for the days that are over.
        Daily = "daily",
        /// After each month.
        Monthly = "monthly",
    }
}

section! {
    /// When a plugin for meter values is asked by itself.
    pub struct MeterTimes {
        /// How often the values of the sites' metering points are fetched.
        fetch: Option<Often>,
        /// How often the hourly energy of charging is sent.
        send: Option<Often>,
        /// From this time of the day on, by the site's clock.
        at: TimeOfDay = TimeOfDay(6 * 60),
        /// What is missing so long after that is an incident.
        late_after: TimeSpan = TimeSpan::of_ms(24 * 3_600_000),
        /// For the metering points of these sites; without it of all.
        sites: Vec<Id>,
    }
    hints {
        "site" => "write `sites`: a list",
        "time" => "write `at`",
        "schedule" => "write `fetch` or `send`",
    }
}
