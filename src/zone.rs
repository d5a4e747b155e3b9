//! Time zones for hosts whose platform has none, from the IANA database that is built in. It is as old as the build.

use crate::host::Timestamp;
use jiff::tz;

/// How far a time zone is ahead of UTC, in milliseconds: [`crate::host::Host::offset`].
pub fn offset(zone: &str, at: Timestamp) -> Option<i64> {
    // A name that the library has for zones that nobody knows is none, as on Workers.
    let zone = tz::db().get(zone).ok().filter(|zone| !zone.is_unknown())?;
    // Nobody needs a window that is so far away, but no time may be an error.
    let at = jiff::Timestamp::from_millisecond(at.0 as i64).unwrap_or(jiff::Timestamp::MAX);
    Some(i64::from(zone.to_offset(at).seconds()) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(moment: &str) -> Timestamp {
        let moment: jiff::Timestamp = moment.parse().expect("it is a time");
        Timestamp(moment.as_millisecond() as f64)
    }

    #[test]
    fn zones_are_ahead_or_behind() {
        assert_eq!(offset("UTC", at("2026-01-01T00:00:00Z")), Some(0));
        assert_eq!(offset("Europe/Oslo", at("2026-01-01T00:00:00Z")), Some(3_600_000));
        assert_eq!(offset("Europe/Oslo", at("2026-07-01T00:00:00Z")), Some(7_200_000));
        assert_eq!(offset("Asia/Kathmandu", at("2026-01-01T00:00:00Z")), Some(20_700_000));
        assert_eq!(offset("America/St_Johns", at("2026-01-01T00:00:00Z")), Some(-12_600_000));
    }

    #[test]
    fn summer_begins_in_a_millisecond() {
        let begins = at("2026-03-29T01:00:00Z");
        assert_eq!(offset("Europe/Oslo", Timestamp(begins.0 - 1.0)), Some(3_600_000));
        assert_eq!(offset("Europe/Oslo", begins), Some(7_200_000));
        // Long after the last change that the database writes out.
        assert_eq!(offset("Europe/Oslo", at("2199-07-01T00:00:00Z")), Some(7_200_000));
    }

    #[test]
    fn other_names_are_no_zones() {
        for name in ["", "Mars/Olympus", "../etc/passwd", "Europe/Oslo ", "+02:00", "Etc/Unknown"] {
            assert_eq!(offset(name, Timestamp(0.0)), None, "{name}");
        }
    }

    #[test]
    fn no_time_is_an_error() {
        for at in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert!(offset("Europe/Oslo", Timestamp(at)).is_some());
        }
    }
}
