//! Windows by example, and held against zones of the IANA database.

use super::*;
use crate::host;
use crate::zone;
use jiff::tz::{self, TimeZone};
use proptest::prelude::*;

fn ms(moment: &str) -> u64 {
    let moment: Timestamp = moment.parse().expect("it is a time");
    u64::try_from(moment.as_millisecond()).expect("it is later than 1970")
}

fn text(at_ms: u64) -> String {
    Timestamp::from_millisecond(i64::try_from(at_ms).expect("it fits")).expect("it is a time").to_string()
}

fn of_zone(name: &str) -> impl Fn(u64) -> i64 {
    move |at| zone::offset(name, host::Timestamp(at as f64)).expect("there is such a zone")
}

/// Three times as text: the window's start and end, and the end of the next one.
fn of(calendar: Calendar, zone: &str, now: &str) -> [String; 3] {
    let Window { start_ms, end_ms, next_ms } = window(calendar, &of_zone(zone), ms(now));
    [start_ms, end_ms, next_ms].map(text)
}

#[test]
fn utc_is_simple() {
    let hour = of(Calendar::Hour, "UTC", "2026-05-06T07:08:09Z");
    assert_eq!(hour, ["2026-05-06T07:00:00Z", "2026-05-06T08:00:00Z", "2026-05-06T09:00:00Z"]);
    let day = of(Calendar::Day, "UTC", "2026-05-06T00:00:00Z");
    assert_eq!(day, ["2026-05-06T00:00:00Z", "2026-05-07T00:00:00Z", "2026-05-08T00:00:00Z"]);
    let day = of(Calendar::Day, "UTC", "2026-12-30T23:59:59.999Z");
    assert_eq!(day, ["2026-12-30T00:00:00Z", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"]);
}

#[test]
fn months_are_as_long_as_they_are() {
    let month = |now| of(Calendar::Month, "UTC", now);
    let expected = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"];
    assert_eq!(month("2026-01-31T23:59:59.999Z"), expected);
    let expected = ["2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z", "2028-04-01T00:00:00Z"];
    assert_eq!(month("2028-02-29T12:00:00Z"), expected);
    let expected = ["2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z", "2100-04-01T00:00:00Z"];
    assert_eq!(month("2100-02-28T12:00:00Z"), expected);
    let expected = ["2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"];
    assert_eq!(month("2026-12-31T12:00:00Z"), expected);
}

#[test]
fn days_have_23_or_25_hours_where_clocks_change() {
    let day = of(Calendar::Day, "Europe/Oslo", "2026-03-29T12:00:00Z");
    assert_eq!(day, ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"]);
    let day = of(Calendar::Day, "Europe/Oslo", "2026-10-24T22:00:00Z");
    assert_eq!(day, ["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"]);
    let month = of(Calendar::Month, "Europe/Oslo", "2026-03-29T12:00:00Z");
    assert_eq!(month, ["2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"]);
}

#[test]
fn a_midnight_that_does_not_exist_is_the_end_of_the_gap() {
    // 2024-09-08T00:00 was skipped: clocks went to 01:00, at 04:00 UTC.
    let before = of(Calendar::Day, "America/Santiago", "2024-09-08T03:59:59.999Z");
    assert_eq!(before, ["2024-09-07T04:00:00Z", "2024-09-08T04:00:00Z", "2024-09-09T03:00:00Z"]);
    let after = of(Calendar::Day, "America/Santiago", "2024-09-08T04:00:00Z");
    assert_eq!(after, ["2024-09-08T04:00:00Z", "2024-09-09T03:00:00Z", "2024-09-10T03:00:00Z"]);
}

#[test]
fn a_date_that_had_begun_goes_on_where_clocks_go_back_over_midnight() {
    // At 00:01 clocks went back to 23:01.
    for now in ["2010-11-07T02:30:00Z", "2010-11-07T02:31:00Z", "2010-11-07T03:30:00Z"] {
        let day = of(Calendar::Day, "America/St_Johns", now);
        assert_eq!(day, ["2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z", "2010-11-09T03:30:00Z"]);
    }
    // At 24:00 clocks went back to 23:00: the next date had not begun.
    let day = of(Calendar::Day, "America/Santiago", "2024-04-07T03:30:00Z");
    assert_eq!(day, ["2024-04-06T03:00:00Z", "2024-04-07T04:00:00Z", "2024-04-08T04:00:00Z"]);
}

#[test]
fn a_date_that_is_skipped_has_no_window() {
    // 2011-12-30 was not, in Apia.
    let day = of(Calendar::Day, "Pacific/Apia", "2011-12-30T09:59:59Z");
    assert_eq!(day, ["2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"]);
    let day = of(Calendar::Day, "Pacific/Apia", "2011-12-30T10:00:00Z");
    assert_eq!(day, ["2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z", "2012-01-01T10:00:00Z"]);
}

#[test]
fn hours_are_those_of_the_local_clock() {
    let hour = of(Calendar::Hour, "Asia/Kathmandu", "2026-05-06T07:20:00Z");
    assert_eq!(hour, ["2026-05-06T07:15:00Z", "2026-05-06T08:15:00Z", "2026-05-06T09:15:00Z"]);
    // Twice 02:00 to 03:00.
    let hour = of(Calendar::Hour, "Europe/Oslo", "2026-10-25T00:59:00Z");
    assert_eq!(hour, ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]);
    // From 02:00 back to 01:30.
    let hour = of(Calendar::Hour, "Australia/Lord_Howe", "2026-04-04T14:30:00Z");
    assert_eq!(hour, ["2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"]);
    let hour = of(Calendar::Hour, "Australia/Lord_Howe", "2026-04-04T15:29:59Z");
    assert_eq!(hour, ["2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z"]);
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    for calendar in [Calendar::Hour, Calendar::Day, Calendar::Month] {
        for now in [0, 1, 86_400_000, 1 << 53, u64::MAX] {
            for ahead in [0, 1, -1, 3_600_000, -43_200_000, i64::MAX, i64::MIN] {
                let Window { start_ms, end_ms, next_ms } = window(calendar, &|_| ahead, now);
                assert!(start_ms < end_ms && end_ms < next_ms, "{calendar:?} {now} {ahead}");
                assert!(start_ms <= now && (now < end_ms || now > 253_370_764_800_000), "{calendar:?} {now} {ahead}");
            }
        }
    }
}

/// A zone as the times from which it is ahead by so much, from the library itself.
struct Changes(Vec<(i64, i64)>);

impl Changes {
    /// Those between two times, after what holds at the first one.
    fn of(zone: &TimeZone, from: i64, to: i64) -> Changes {
        let from = Timestamp::from_millisecond(from).expect("it is a time");
        let mut changes = vec![(from.as_millisecond(), i64::from(zone.to_offset(from).seconds()) * 1_000)];
        for change in zone.following(from).take_while(|change| change.timestamp().as_millisecond() <= to) {
            changes.push((change.timestamp().as_millisecond(), i64::from(change.offset().seconds()) * 1_000));
        }
        Changes(changes)
    }

    /// The first time at which clocks show a local time, or a later one.
    fn first_at(&self, local: i64) -> Option<i64> {
        let ends = self.0.iter().skip(1).map(|(from, _)| *from).chain([i64::MAX]);
        self.0
            .iter()
            .zip(ends)
            .map(|((from, ahead), end)| ((local - ahead).max(*from), end))
            .find(|(at, end)| at < end)
            .map(|(at, _)| at)
    }

    /// The latest local time that clocks have shown up to a time.
    fn latest(&self, now: i64) -> i64 {
        let ends = self.0.iter().skip(1).map(|(from, _)| *from - 1).chain([i64::MAX]);
        let shown = self
            .0
            .iter()
            .zip(ends)
            .filter(|((from, _), _)| *from <= now)
            .map(|((_, ahead), last)| last.min(now) + ahead);
        shown.max().expect("they show something")
    }
}

/// The window as it should be, from all changes of a zone around a time.
fn expected(calendar: Calendar, zone: &TimeZone, now: i64) -> (i64, i64) {
    let changes = Changes::of(zone, now - 40 * 86_400_000, now + 40 * 86_400_000);
    let date = date(changes.latest(now));
    let (first, next) = match calendar {
        Calendar::Month => (date.first_of_month(), date.last_of_month().tomorrow().expect("there is one")),
        _ => (date, date.tomorrow().expect("there is one")),
    };
    let at = |date| changes.first_at(midnight(date)).expect("it comes");
    (at(first), at(next))
}

/// A zone and a time from 1970 to 2110; mostly one near a change.
fn moments() -> impl Strategy<Value = (String, i64)> {
    let zones: Vec<String> =
        tz::db().available().map(|name| name.to_string()).filter(|name| name != "Etc/Unknown").collect();
    (prop::sample::select(zones), 0..4_400_000_000_000_i64, 0..4, -100_000_000_i64..100_000_000).prop_map(
        |(name, at, near, delta)| {
            let zone = tz::db().get(&name).expect("it is there");
            let from = Timestamp::from_millisecond(at).expect("it is a time");
            let change = if near == 0 { None } else { zone.following(from).next() };
            // On the millisecond, some minutes away, a day away.
            let delta = [delta, delta, delta / 20, delta / 50_000_000][usize::try_from(near).unwrap_or(0)];
            let at = change.map_or(at, |change| change.timestamp().as_millisecond() + delta);
            (name, at.clamp(50 * 86_400_000, 4_417_000_000_000))
        },
    )
}

fn calendar() -> impl Strategy<Value = Calendar> {
    prop_oneof![Just(Calendar::Hour), Just(Calendar::Day), Just(Calendar::Month)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn days_and_months_are_those_of_all_zones((name, now) in moments(), calendar in prop::sample::select(vec![Calendar::Day, Calendar::Month])) {
        let zone = tz::db().get(&name).expect("it is there");
        let found = window(calendar, &of_zone(&name), u64::try_from(now).expect("it is later than 1970"));
        let (start, end) = expected(calendar, &zone, now);
        let (_, next) = expected(calendar, &zone, end);
        let [start_ms, end_ms, next_ms] = [start, end, next].map(|at| u64::try_from(at).expect("it is later than 1970"));
        prop_assert_eq!(found, Window { start_ms, end_ms, next_ms }, "{} {}", name, text(u64::try_from(now).unwrap_or(0)));
    }

    #[test]
    fn windows_tile_time((name, now) in moments(), calendar in calendar()) {
        let zone = of_zone(&name);
        let now = u64::try_from(now).expect("it is later than 1970");
        let here = window(calendar, &zone, now);
        prop_assert!(here.start_ms <= now && now < here.end_ms && here.end_ms < here.next_ms);
        let (shortest, longest) = match calendar {
            Calendar::Hour => (60_000, 3_600_000),
            Calendar::Day => (3_600_000, 2 * 86_400_000),
            Calendar::Month => (27 * 86_400_000, 32 * 86_400_000),
        };
        prop_assert!((shortest..=longest).contains(&(here.end_ms - here.start_ms)), "{:?}", here);
        // It is one window wherever it is asked for, and the next one begins where it ends.
        prop_assert_eq!(window(calendar, &zone, here.start_ms), here);
        prop_assert_eq!(window(calendar, &zone, here.end_ms - 1), here);
        let next = window(calendar, &zone, here.end_ms);
        prop_assert_eq!((next.start_ms, next.end_ms), (here.end_ms, here.next_ms));
        prop_assert_eq!(window(calendar, &zone, here.start_ms - 1).end_ms, here.start_ms);
    }

    #[test]
    fn an_hour_begins_with_a_full_hour_unless_clocks_change((name, now) in moments()) {
        let zone = of_zone(&name);
        let Window { start_ms, .. } = window(Calendar::Hour, &zone, u64::try_from(now).expect("it is later than 1970"));
        let full = |ahead: i64| (i64::try_from(start_ms).unwrap_or(0) + ahead).rem_euclid(HOUR_MS) == 0;
        prop_assert!(full(zone(start_ms)) || zone(start_ms) != zone(start_ms - 1));
    }
}
