//! Which tariff counts where and from when, and where prices come from.

use super::super::files::FilePath;
use super::super::read::{choice, section};
use super::super::values::{Id, Local, TimeOfDay, TimeSpan, Zone};

choice! {
    /// What a list that comes into force does with sessions that run.
    RunningSessions {
        /// They keep the list of their plug-in.
        Keep = "keep",
        /// They go over to this one at its start.
        Switch = "switch",
    }
}

section! {
    /// A tariff file at a place. The most specific place wins: connector, charger, site, organisation; at one place an assignment to
    /// one of the driver's groups wins; of these the one that came into force last.
    pub struct Assignment {
        /// A key for the API; files may leave it out.
        id: Option<Id>,
        /// The tariff file, relative to the file that this stands in.
        file: FilePath,
        /// At all chargers of this site.
        site: Option<Id>,
        /// At this charger.
        charger: Option<Id>,
        /// At this EVSE of the charger.
        evse: Option<u32>,
        /// At this connector of the EVSE.
        connector: Option<u32>,
        /// For drivers in this group only.
        group: Option<Id>,
        /// From then on, by the site's clock; without it since the list is valid.
        from: Option<Local>,
        /// When the text of the file changes, the new text counts from then on, by the clock of the site (or of the organisation);
        /// without it from the moment it is taken in, or from the list's own `valid from` when that is later.
        changes_from: Option<Local>,
        /// What becomes of running sessions when it comes into force; without it the list decides.
        running_sessions: Option<RunningSessions>,
    }
    hints {
        "tariff" => "write `file`",
        "name" => "write `file`; the list has its name in its own heading",
        "valid_from" => "write `from`",
        "until" => "write another `[[tariff]]` with the list that comes after it",
    }
}

impl Assignment {
    /// Its key for people and for telling assignments apart: its id, or file, place, group and time.
    #[must_use]
    pub fn label(&self) -> String {
        use std::fmt::Write as _;
        let Self {
            id,
            file,
            site,
            charger,
            evse,
            connector,
            group,
            from,
            changes_from: _,
            running_sessions: _,
        } = self;
        if let Some(id) = id {
            return id.to_string();
        }
        let mut text = file.to_string();
        // Writing to a string cannot fail.
        let _ = match (charger, site) {
            (Some(charger), _) => write!(text, " at charger {charger}"),
            (None, Some(site)) => write!(text, " at site {site}"),
            (None, None) => Ok(()),
        };
        for (what, number) in [("EVSE", evse), ("connector", connector)] {
            let _ = number.map_or(Ok(()), |number| write!(text, " {what} {number}"));
        }
        let _ = group.as_ref().map_or(Ok(()), |group| write!(text, " for group {group}"));
        let _ = from.map_or(Ok(()), |from| write!(text, " from {from}"));
        text
    }
}

choice! {
    /// Where prices come from.
    FeedSource {
        /// From files in a folder.
        Files = "files",
        /// They are sent to the API.
        Api = "api",
        /// A plugin fetches them.
        Plugin = "plugin",
    }
}

section! {
    /// A series of prices.
    pub struct Feed {
        /// `spot`, or the name that tariffs declare.
        name: Id = Id::of_word("spot"),
        /// Price area, as in `NO1`.
        area: Option<String>,
        /// The currency to read from files that have several.
        currency: Option<String>,
        /// Where they come from.
        source: FeedSource = FeedSource::Api,
        /// A file or folder; in the last part `*` stands for anything.
        files: Option<FilePath>,
        /// The plugin that fetches them.
        plugin: Option<Id>,
        /// Another one that is asked when the first is late or fails.
        second: Option<Id>,
        /// Prices of the next day are due by then.
        expected_by: Option<TimeOfDay>,
        /// In this zone; without it the organisation's. Of a plugin's days too: without it those of the area.
        time_zone: Option<Zone>,
        /// How late they may be before somebody is told.
        alert_after: TimeSpan = TimeSpan::of_ms(2 * 3_600_000),
    }
}
