//! Settings within the bounds in which they make sense.

use super::super::merge::{Item, Raw};
use super::super::model::{Effective, Feed, FeedSource, Limits, Settings};
use super::super::report::{More as _, Place, Report};
use super::super::values::TimeSpan;
use takst_dsl::resolve::currency;
use takst_engine::units::{DAY_MS, HOUR_MS, MINUTE_MS};

pub(super) fn check(raw: &Raw, report: &mut Report) {
    let everywhere = match &raw.settings {
        Some(item) => {
            settings(&item.it, &|key| item.at(&[key]), &Effective::default(), report);
            item.it.over(Effective::default())
        }
        None => Effective::default(),
    };
    for item in &raw.sites.items {
        settings(&item.it.settings, &|key| item.at(&["settings", key]), &everywhere, report);
    }
    for item in &raw.chargers.items {
        settings(&item.it.settings, &|key| item.at(&["settings", key]), &everywhere, report);
    }
    if let Some(item) = &raw.limits {
        limits(item, report);
    }
    for item in &raw.feeds.items {
        feed(item, report);
    }
}

fn within(span: Option<TimeSpan>, least: i64, most: i64, at: Place, report: &mut Report) {
    let Some(span) = span.filter(|span| !(least..=most).contains(&span.ms())) else { return };
    let (least, most) = (TimeSpan::of_ms(least), TimeSpan::of_ms(most));
    report.error("S015", at, format!("{span} is out of bounds")).advise(format!("write {least} to {most}"));
}

fn settings(settings: &Settings, at: &dyn Fn(&str) -> Place, wider: &Effective, report: &mut Report) {
    let s = 1_000;
    for (span, key, least, most) in [
        (settings.heartbeat_interval, "heartbeat_interval", 10 * s, DAY_MS),
        (settings.meter_value_interval, "meter_value_interval", s, HOUR_MS),
        (settings.ping_interval, "ping_interval", 5 * s, HOUR_MS),
        (settings.offline_tolerance, "offline_tolerance", MINUTE_MS, 366 * DAY_MS),
        (settings.keep_frames_for, "keep_frames_for", 0, 3_660 * DAY_MS),
        (settings.offline_after, "offline_after", 10 * s, DAY_MS),
        (settings.no_meter_values_after, "no_meter_values_after", 10 * s, DAY_MS),
        (settings.preparing_after, "preparing_after", 10 * s, DAY_MS),
        (settings.clock_skew, "clock_skew", s, DAY_MS),
        (settings.restart_after, "restart_after", 10 * s, 7 * DAY_MS),
        (settings.restart_longest_wait, "restart_longest_wait", 10 * s, 7 * DAY_MS),
    ] {
        within(span, least, most, at(key), report);
    }
    for (number, key, least, most) in [
        (settings.security_profile, "security_profile", 0, 3),
        (settings.min_security_profile, "min_security_profile", 0, 3),
        (settings.concurrent_transactions, "concurrent_transactions", 1, 10_000),
        (settings.keep_frames, "keep_frames", 0, 1_000_000),
        (settings.restarts_per_day, "restarts_per_day", 0, 100),
    ] {
        bounds(number, least, most, at(key), report);
    }
    let Effective {
        restart_after, restart_longest_wait, meter_value_interval, no_meter_values_after, ..
    } = settings.over(wider.clone());
    let mut order = |low: TimeSpan, low_key: &str, high: TimeSpan, high_key: &str| {
        // Only where one of the two stands: what is wrong above is said above.
        let said = match (low_key, high_key) {
            ("restart_after", _) => {
                settings.restart_after.is_some() || settings.restart_longest_wait.is_some()
            }
            _ => settings.meter_value_interval.is_some() || settings.no_meter_values_after.is_some(),
        };
        if said && low > high {
            report
                .error("S074", at(low_key), format!("`{low_key}` is {low} and `{high_key}` only {high}"))
                .advise(format!("raise `{high_key}` or lower `{low_key}`"));
        }
    };
    order(restart_after, "restart_after", restart_longest_wait, "restart_longest_wait");
    order(meter_value_interval, "meter_value_interval", no_meter_values_after, "no_meter_values_after");
    let ceilings = settings.ad_hoc_ceiling.as_deref().unwrap_or_default();
    for (nth, amount) in ceilings.iter().enumerate() {
        if ceilings.iter().take(nth).any(|before| before.currency == amount.currency) {
            report
                .error("S074", at("ad_hoc_ceiling"), format!("there are two amounts in {}", amount.currency))
                .advise("write one for each currency");
        }
    }
}

pub(super) fn bounds(number: Option<u32>, least: u32, most: u32, at: Place, report: &mut Report) {
    if let Some(number) = number.filter(|number| !(least..=most).contains(number)) {
        report
            .error("S015", at, format!("{number} is out of bounds"))
            .advise(format!("write {least} to {most}"));
    }
}

fn limits(item: &Item<Limits>, report: &mut Report) {
    let Limits {
        connects_per_second,
        connects_per_charger,
        wrong_passwords,
        messages_per_second,
        held_chargers,
        api_requests,
    } = item.it;
    for (number, key, least) in [
        (connects_per_second, "connects_per_second", 1),
        (connects_per_charger, "connects_per_charger", 1),
        (wrong_passwords, "wrong_passwords", 1),
        (messages_per_second, "messages_per_second", 1),
        (held_chargers, "held_chargers", 0),
        (api_requests, "api_requests", 1),
    ] {
        bounds(Some(number), least, 1_000_000, item.at(&[key]), report);
    }
}

fn feed(item: &Item<Feed>, report: &mut Report) {
    let Feed { currency: code, source, files, plugin, second, .. } = &item.it;
    match (source, files) {
        (FeedSource::Files, None) => {
            report
                .error("S072", item.at(&["source"]), "prices come from files, and it is not said which")
                .advise("add `files`, as in `files = \"prices/fi-*.json\"`");
        }
        (FeedSource::Api, Some(_)) => {
            report
                .error("S072", item.at(&["files"]), "prices are sent to the API, and files are named")
                .advise("write `source = \"files\"`, or leave `files` out");
        }
        (FeedSource::Plugin, Some(_)) => {
            report
                .error("S072", item.at(&["files"]), "a plugin fetches the prices, and files are named")
                .advise("leave `files` out, or write `source = \"files\"` and leave `plugin` out");
        }
        _ => {}
    }
    match (source, plugin, second) {
        (FeedSource::Plugin, None, _) => {
            report
                .error("S072", item.at(&["source"]), "a plugin fetches the prices, and it is not said which")
                .advise("add `plugin`, the id of a `[[plugin]]`");
        }
        (FeedSource::Plugin, Some(first), Some(other)) if first == other => {
            report
                .error("S072", item.at(&["second"]), "the second source is the first one")
                .advise("name another plugin, or leave `second` out");
        }
        (FeedSource::Files | FeedSource::Api, Some(_), _) => {
            report
                .error("S072", item.at(&["plugin"]), "a plugin is named, and the prices do not come from it")
                .advise("write `source = \"plugin\"`, or leave `plugin` out");
        }
        (FeedSource::Files | FeedSource::Api, None, Some(_)) => {
            report
                .error("S072", item.at(&["second"]), "a second source stands here without a first one")
                .advise("write `source = \"plugin\"` and `plugin = \"...\"`, or leave `second` out");
        }
        _ => {}
    }
    // The files and addresses of exchanges are told by their area.
    if *source == FeedSource::Plugin && item.it.area.is_none() {
        report
            .error(
                "S072",
                item.at(&["source"]),
                "a plugin is asked for the prices of an area, and none is named",
            )
            .advise("add `area`, as in `area = \"NO1\"`");
    }
    if let Some(code) = code.as_deref().filter(|code| currency::currency(code).is_none()) {
        let near = report.nearest(code, currency::codes()).map(|near| format!("did you mean \"{near}\"?"));
        report
            .error("S018", item.at(&["currency"]), format!("\"{}\" is no currency", super::shown(code)))
            .advise(near.unwrap_or_else(|| "write its code, as in \"EUR\"".to_owned()));
    }
}
