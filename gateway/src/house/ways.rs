//! How chargers are to be understood.

use super::State;
use crate::chargers::model::MeterRules;
use crate::chargers::time::TimeRules;
use crate::link::{Make, Ways};
use crate::ocpp::Habits;
use crate::setup::Charger;

// What is odd about a charger: its own habits, then those of its make.
pub(super) fn ways(state: &State, charger: Option<&Charger>, make: &Make<'_>) -> Ways {
    let set_up = &state.loaded.setup;
    let settings = charger.map_or_else(|| set_up.site_settings(None), |charger| set_up.settings(charger));
    let habits = set_up.habits(charger, make.vendor, make.model);
    let usual = TimeRules::default();
    Ways {
        habits: Habits {
            time: TimeRules {
                offset_min: habits.offset_min,
                oldest_ms: habits.oldest_ms.unwrap_or(usual.oldest_ms),
                ahead_ms: habits.ahead_ms.unwrap_or(usual.ahead_ms),
            },
            meter: MeterRules { wh_is_kwh: habits.wh_is_kwh },
            repair: habits.repair,
        },
        ping_s: habits.ping.then(|| u64::try_from(settings.ping_interval.s()).unwrap_or(60)),
    }
}
