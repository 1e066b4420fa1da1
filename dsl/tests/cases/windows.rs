//! Windows mean what the language says, minute by minute.

use super::*;
use std::collections::{BTreeSet, HashMap};
use takst_dsl::calendar::{DayClasses, Windows, Wrong, day};
use takst_dsl::holidays::{YEARS, public_holidays};
use takst_engine::calendar::weekday;
use takst_engine::tariff::CALENDAR;

type Periods = HashMap<String, Window>;

/// The language's sentences, word by word: is this minute of this day in the window?
fn means(x: &Window, periods: &Periods, holidays: &[Day], on: Day, minute: u16) -> bool {
    starts(x, periods, holidays, on, minute).is_some()
}

/// The days on which the hours start that reach that minute of that day; none when the minute is not in the window.
/// A window without hours starts at midnight. Hours side by side have a starting day each, and days belong to all of them.
fn starts(x: &Window, periods: &Periods, holidays: &[Day], on: Day, minute: u16) -> Option<BTreeSet<Day>> {
    let mut found = BTreeSet::new();
    for part in x.parts.iter().filter(|part| !says_days(&part.it, periods)) {
        match &part.it {
            WindowPart::Hours(a, b) if a < b => {
                found.extend((*a <= minute && minute < *b).then_some(on));
                if !(*a <= minute && minute < *b) {
                    return None;
                }
            }
            WindowPart::Hours(a, _) if minute >= *a => {
                found.insert(on);
            }
            WindowPart::Hours(_, b) if minute < *b => {
                found.insert(on - 1);
            }
            WindowPart::Period(name) => {
                found.extend(starts(&periods[name], periods, holidays, on, minute)?);
            }
            _ => return None,
        }
    }
    if x.parts.iter().all(|part| says_days(&part.it, periods)) {
        found.insert(on);
    }
    let is_day = |start: Day| {
        x.parts
            .iter()
            .filter(|part| says_days(&part.it, periods))
            .all(|part| day_fits(&part.it, periods, holidays, start))
    };
    if !found.iter().all(|start| is_day(*start)) {
        return None;
    }
    let off = match &x.except {
        None => false,
        Some(y) if only_days(&y.it, periods) => {
            found.iter().any(|start| means(&y.it, periods, holidays, *start, 0))
        }
        Some(y) => means(&y.it, periods, holidays, on, minute),
    };
    (!off).then_some(found)
}

fn day_fits(part: &WindowPart, periods: &Periods, holidays: &[Day], start: Day) -> bool {
    let (year, month, of_month) = civil(start);
    match part {
        WindowPart::Months(a, b) if a <= b => (*a..=*b).contains(&month),
        WindowPart::Months(a, b) => month >= *a || month <= *b,
        WindowPart::Weekdays(a, b) if a <= b => (*a..=*b).contains(&weekday(start)),
        WindowPart::Weekdays(a, b) => weekday(start) >= *a || weekday(start) <= *b,
        WindowPart::Dates(a, b) => (*a..=*b).contains(&date_of(start)),
        WindowPart::Yearly(a, b) if a <= b => (*a..=*b).contains(&(month, of_month)),
        WindowPart::Yearly(a, b) => (month, of_month) >= *a || (month, of_month) <= *b,
        WindowPart::NthWeekday(5, on) => weekday(start) == *on && civil(start + 7).1 != month,
        WindowPart::NthWeekday(nth, on) => {
            let same = (1..=of_month).filter(|it| weekday(start - i32::from(of_month - it)) == *on).count();
            weekday(start) == *on && same == usize::from(*nth) && year > 0
        }
        WindowPart::PublicHolidays => holidays.contains(&start),
        WindowPart::EveryDay | WindowPart::Hours(..) => true,
        WindowPart::Period(name) => means(&periods[name], periods, holidays, start, 0),
    }
}

fn says_days(part: &WindowPart, periods: &Periods) -> bool {
    match part {
        WindowPart::Hours(..) => false,
        WindowPart::Period(name) => only_days(&periods[name], periods),
        _ => true,
    }
}

fn only_days(x: &Window, periods: &Periods) -> bool {
    x.parts.iter().all(|part| says_days(&part.it, periods))
        && x.except.as_ref().is_none_or(|y| only_days(&y.it, periods))
}

#[test]
fn windows_mean_what_the_language_says() {
    let holidays = public_holidays("NO", YEARS).unwrap();
    let mut dice = Dice(7);
    let (mut good, mut empty) = (0, 0);
    for _ in 0..4_000 {
        let mut known: HashMap<String, Window> = HashMap::new();
        let mut calendars: HashMap<String, Windows> = HashMap::new();
        let mut names: Vec<String> = Vec::new();
        for name in ["work", "off"] {
            let x = random_window(&mut dice, &names, true);
            let found = takst_dsl::calendar::window;
            if let Ok(calendar) = found(&at(x.clone()), &|it| calendars.get(it).cloned(), &holidays) {
                known.insert(name.to_owned(), x);
                calendars.insert(name.to_owned(), calendar);
                names.push(name.to_owned());
            }
        }
        let x = random_window(&mut dice, &names, true);
        let found = window(&at(x.clone()), &|it| calendars.get(it).cloned(), &holidays);
        // The last three years, where random dates lie; for empty windows some of all.
        let days = || (0..40).map(|_| 0);
        match found {
            Ok(calendar) => {
                good += 1;
                for _ in days() {
                    let on = CALENDAR.end - 1 - dice.roll(1_090) as i32;
                    for minute in (0..1440).step_by(90) {
                        let known = means(&x, &known, &holidays, on, minute);
                        assert_eq!(calendar.holds(on, minute), known, "{x:?} on {} at {minute}", date_of(on));
                    }
                }
            }
            Err(error) => {
                empty += 1;
                assert!(error.wrong == Wrong::Empty, "{error:?} {x:?}");
                if x.except
                    .as_ref()
                    .is_some_and(|y| window(y, &|it| calendars.get(it).cloned(), &holidays).is_err())
                {
                    continue;
                }
                for _ in days() {
                    let on = CALENDAR.end - 1 - dice.roll(1_090) as i32;
                    for minute in (0..1440).step_by(90) {
                        assert!(
                            !means(&x, &known, &holidays, on, minute),
                            "{x:?} is not empty: {}",
                            date_of(on)
                        );
                    }
                }
            }
        }
    }
    assert!(good > 2_500 && empty > 100, "{good} good, {empty} empty");
}

#[test]
fn a_window_over_midnight_belongs_to_its_first_day() {
    let none = |_: &str| None;
    let holidays = [day(date("2025-05-01"))];
    let night =
        window(&at(w(vec![WindowPart::Weekdays(4, 5), WindowPart::Hours(1320, 360)])), &none, &[]).unwrap();
    let (friday, monday) = (day(date("2025-03-14")), day(date("2025-03-17")));
    assert!(!night.holds(friday, 0) && night.holds(friday, 1320) && night.holds(friday + 1, 359));
    assert!(!night.holds(friday + 1, 360) && night.holds(friday + 2, 0) && !night.holds(friday + 2, 1320));
    assert!(!night.holds(monday, 0));
    // `22:00-06:00 except public holidays`: the night that starts on the holiday goes, the one into it stays.
    let x = except(w(vec![WindowPart::Hours(1320, 360)]), w(vec![WindowPart::PublicHolidays]));
    let free = window(&at(x), &none, &holidays).unwrap();
    let may_1 = holidays[0];
    assert!(free.holds(may_1, 0) && !free.holds(may_1, 1320) && !free.holds(may_1 + 1, 0));
    // Hours take instants away, also the hours of a whole day.
    let x = except(
        w(vec![WindowPart::Hours(1320, 360)]),
        w(vec![WindowPart::Weekdays(3, 3), WindowPart::Hours(0, 1440)]),
    );
    let cut = window(&at(x), &none, &holidays).unwrap();
    assert!(!cut.holds(may_1, 0) && !cut.holds(may_1, 1320) && cut.holds(may_1 + 1, 0));
    // The last minute of the engine's calendar and the first.
    assert!(free.holds(CALENDAR.start, 0) && free.holds(CALENDAR.end - 1, 1439));
}

#[test]
fn a_period_means_what_its_words_mean_where_it_stands() {
    use WindowPart::{Hours, Period, Weekdays};
    let found = |x: Window, periods: &[(&str, Windows)]| {
        let known = |name: &str| periods.iter().find(|(it, _)| *it == name).map(|(_, it)| it.clone());
        takst_dsl::calendar::window(&at(x), &known, &[]).unwrap()
    };
    let (night, sunday) = (Hours(1320, 360), w(vec![Weekdays(6, 6)]));
    let quiet = found(w(vec![night.clone()]), &[]);
    let weekend = found(w(vec![Weekdays(5, 6)]), &[]);
    let periods = [("quiet", quiet), ("weekend", weekend)];
    let of = |name: &str| Period(name.to_owned());
    let pairs = [
        (w(vec![Weekdays(0, 5), of("quiet")]), w(vec![Weekdays(0, 5), night.clone()])),
        (w(vec![of("quiet"), of("weekend")]), w(vec![night.clone(), Weekdays(5, 6)])),
        (w(vec![of("weekend"), night.clone()]), w(vec![Weekdays(5, 6), night.clone()])),
        (except(w(vec![of("quiet")]), sunday.clone()), except(w(vec![night.clone()]), sunday)),
        (
            except(w(vec![of("quiet")]), w(vec![of("weekend")])),
            except(w(vec![night.clone()]), w(vec![Weekdays(5, 6)])),
        ),
        (
            except(w(vec![Weekdays(0, 6)]), w(vec![of("weekend"), of("quiet")])),
            except(w(vec![Weekdays(0, 6)]), w(vec![Weekdays(5, 6), night])),
        ),
        (w(vec![of("quiet"), Hours(240, 480)]), w(vec![Hours(240, 360)])),
    ];
    let monday = day(date("2025-03-10"));
    for (named, written) in pairs {
        let (a, b) = (found(named.clone(), &periods).calendar(), found(written, &[]).calendar());
        for on in monday..monday + 7 {
            for minute in (0..1440).step_by(30) {
                assert_eq!(a.holds(on, minute), b.holds(on, minute), "{named:?} {on} {minute}");
            }
        }
    }
    // The night from Saturday to Sunday belongs to Saturday.
    let x = found(w(vec![Weekdays(0, 5), of("quiet")]), &periods).calendar();
    assert!(x.holds(monday + 6, 0) && !x.holds(monday + 6, 1320) && !x.holds(monday + 7, 0));
}

#[test]
fn windows_that_mean_nothing_are_refused() {
    let wrong = |x: Window| window(&at(x), &|_| None, &[]).unwrap_err();
    let dates = |a, b| WindowPart::Dates(date(a), date(b));
    assert_eq!(wrong(w(vec![WindowPart::Hours(480, 480)])).wrong, Wrong::EqualEnds);
    assert_eq!(wrong(w(vec![WindowPart::Yearly((2, 30), (2, 30))])).message, "there is no 30 February");
    assert_eq!(wrong(w(vec![dates("2025-08-31", "2025-06-01")])).wrong, Wrong::Backwards);
    assert_eq!(wrong(w(vec![dates("2150-08-31", "2150-08-31")])).wrong, Wrong::Empty);
    assert_eq!(wrong(w(vec![dates("1990-01-01", "1999-12-31")])).wrong, Wrong::Empty);
    assert_eq!(
        wrong(w(vec![WindowPart::Months(1, 1), dates("2025-06-01", "2025-06-30")])).wrong,
        Wrong::Empty
    );
    assert_eq!(wrong(w(vec![WindowPart::Hours(480, 540), WindowPart::Hours(600, 660)])).wrong, Wrong::Empty);
    assert_eq!(
        wrong(except(w(vec![WindowPart::Weekdays(0, 0)]), w(vec![WindowPart::EveryDay]))).wrong,
        Wrong::Empty
    );
    let unknown = wrong(w(vec![WindowPart::EveryDay, WindowPart::Period("koopzondag".into())]));
    assert_eq!(
        (unknown.wrong, unknown.message.as_str()),
        (Wrong::UnknownPeriod, "unknown period `koopzondag`")
    );
    assert_eq!(unknown.span, TextSpan { start: 3, end: 9 });
    // 29 February is a date; ranges that run out of the calendar are no mistake.
    let leap = window(&at(w(vec![WindowPart::Yearly((2, 29), (2, 29))])), &|_| None, &[]).unwrap();
    assert!(leap.holds(day(date("2024-02-29")), 0) && !leap.holds(day(date("2025-03-01")), 0));
    assert!(window(&at(w(vec![dates("1990-01-01", "2150-01-01")])), &|_| None, &[]).is_ok());
}

#[test]
fn periods_that_double_each_other_end_in_time() {
    let window = takst_dsl::calendar::window;
    let mut known: HashMap<String, Windows> = HashMap::new();
    let first = random_window(&mut Dice(3), &[], false);
    known.insert("p0".into(), window(&at(first), &|_| None, &[1]).unwrap());
    let mut refused = false;
    for n in 1..60 {
        let mut x = w(vec![
            WindowPart::Period(format!("p{}", n - 1)),
            WindowPart::Hours(n, 1440 - n),
            WindowPart::Weekdays((n % 6) as u8, 6),
        ]);
        x = except(
            x,
            w(vec![
                WindowPart::Period(format!("p{}", n - 1)),
                WindowPart::Dates(date("2025-01-01"), date("2025-01-01")),
                WindowPart::Hours(n, n + 1),
            ]),
        );
        match window(&at(x), &|it| known.get(it).cloned(), &[]) {
            Ok(calendar) => {
                let both = Windows::union([calendar, known[&format!("p{}", n - 1)].clone()]);
                known.insert(format!("p{n}"), both);
            }
            Err(error) => {
                refused = matches!(error.wrong, Wrong::TooComplex | Wrong::Empty);
                break;
            }
        }
    }
    assert!(refused);
}

#[test]
fn from_and_until_are_instants() {
    let time = |h, m| chrono::NaiveTime::from_hms_opt(h, m, 0);
    let on = day(date("2025-04-01"));
    let whole = (Calendar::from(date("2025-04-01"), None), Calendar::until(date("2025-03-31"), None));
    let timed =
        (Calendar::from(date("2025-04-01"), time(6, 30)), Calendar::until(date("2025-04-01"), time(6, 30)));
    for there in CALENDAR.step_by(31).chain(on - 3..on + 3) {
        for minute in [0, 389, 390, 391, 1439] {
            assert_eq!(whole.0.holds(there, minute), there >= on);
            assert_eq!(whole.1.holds(there, minute), there < on);
            assert_eq!(timed.0.holds(there, minute), (there, minute) >= (on, 390));
            assert_eq!(timed.1.holds(there, minute), (there, minute) < (on, 390));
        }
    }
    assert!(Calendar::until(date("1990-01-01"), None).rects.iter().all(|it| it.from == 0));
    assert!(!Calendar::until(date("1990-01-01"), None).ever_holds());
    assert!(Calendar::from(date("1990-01-01"), None).holds(CALENDAR.start, 0));
}

#[test]
fn day_classes_cover_the_whole_calendar() {
    let holidays = public_holidays("DE-BY", YEARS).unwrap();
    let mut dice = Dice(11);
    for _ in 0..30 {
        let calendars: Vec<Calendar> = (0..6)
            .filter_map(|_| window(&at(random_window(&mut dice, &[], true)), &|_| None, &holidays).ok())
            .collect();
        let first = CALENDAR.end - 1 - dice.roll(3_000) as i32;
        let classes = DayClasses::new(&calendars, Some(first), &holidays).unwrap();
        let mut seen = BTreeSet::new();
        for on in CALENDAR {
            let class = class_of(&classes.days, on);
            if on >= first {
                seen.insert(class);
            }
        }
        for (class, (occurs, examples)) in classes.occurs.iter().zip(&classes.examples).enumerate() {
            assert_eq!(*occurs, seen.contains(&class));
            for (on, example) in examples.iter().enumerate() {
                if let Some(example) = example {
                    assert!(*example >= first && weekday(*example) as usize == on);
                    assert_eq!(class_of(&classes.days, *example), class);
                }
            }
        }
        assert!(classes.days.classes.is_sorted_by(|a, b| a < b));
    }
}
