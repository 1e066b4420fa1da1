//! What a statement is about, as far as it matters for what waits to be written and for what is known ahead.

/// What is known of a statement beside its text.
#[derive(Clone, Copy, Debug)]
pub(super) enum About<'a> {
    /// As its text says.
    Text,
    /// Facts and sessions of this charger, and of no other.
    Charger(&'a str),
    /// This session.
    Session(&'a str),
}

/// Which of the rows that may wait: none, some, or all of three kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Kinds(u8);

impl Kinds {
    /// Facts.
    pub const FACTS: Self = Self(1);
    /// Sessions themselves.
    pub const SESSIONS: Self = Self(2);
    /// The lists of sessions.
    pub const LISTS: Self = Self(4);

    /// Of the tables that a statement names: behind one of four words, never in a list with commas. Other tables have a column of the
    /// name `session`.
    pub fn of(sql: &str) -> Self {
        const BEFORE: [&str; 4] = ["FROM", "INTO", "UPDATE", "JOIN"];
        let mut words =
            sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        let mut kinds = Self::default();
        while let Some(word) = words.next() {
            // `DO UPDATE SET` takes a word too many, which is none of these.
            if BEFORE.contains(&word) {
                kinds.add(match words.next() {
                    Some("station_fact") => Self::FACTS,
                    Some("session" | "session_now" | "session_progress") => Self::SESSIONS,
                    Some(
                        "session_reading" | "session_state" | "session_power" | "session_occupancy"
                        | "signed_value",
                    ) => Self::LISTS,
                    _ => Self::default(),
                });
            }
        }
        kinds
    }

    /// These as well.
    pub fn add(&mut self, more: Self) {
        self.0 |= more.0;
    }

    /// Whether any is in both.
    pub const fn meet(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_known_by_their_place() {
        let both = |mut one: Kinds, other: Kinds| {
            one.add(other);
            one
        };
        for (sql, kinds) in [
            ("SELECT id FROM session WHERE org = $1", Kinds::SESSIONS),
            ("INSERT INTO session_power (org, session) VALUES ($1, $2)", Kinds::LISTS),
            ("SELECT (SELECT MAX(seq) FROM signed_value WHERE org = $1)", Kinds::LISTS),
            ("SELECT energy FROM session_now WHERE org = $1", Kinds::SESSIONS),
            ("INSERT INTO session_progress (org) VALUES ($1)", Kinds::SESSIONS),
            ("UPDATE station_fact SET session = $2", Kinds::FACTS),
            (
                "SELECT 1 FROM station_fact f LEFT JOIN session s ON s.id = f.session",
                both(Kinds::FACTS, Kinds::SESSIONS),
            ),
            ("SELECT session FROM bill WHERE org = $1 AND session = $2", Kinds::default()),
            (
                "INSERT INTO event (org, session) VALUES ($1, $2) ON CONFLICT DO UPDATE SET session = $2",
                Kinds::default(),
            ),
        ] {
            assert_eq!(Kinds::of(sql), kinds, "{sql}");
        }
    }
}
