//! Moments on the command line: `2027-01-01`, `2027-01-01T12:00:00Z`, or how long from now: `90d`, `1h 30m`; and as
//! people are told of them.

use crate::api_key::entry::{LAST, rfc3339, seconds};

/// Seconds since 1970.
pub fn parse(text: &str, now: u64) -> Result<u64, String> {
    let is_date = text.len() == "2027-01-01".len() && text.as_bytes().get(4) == Some(&b'-');
    if is_date && let Ok(moment) = seconds(&format!("{text}T00:00:00Z")) {
        return Ok(moment);
    }
    if let Ok(moment) = seconds(text) {
        return Ok(moment);
    }
    let from_now = humantime::parse_duration(text).map_err(|_| {
        format!(
            "{text:?} is neither a time in UTC (`2027-01-01`, `2027-01-01T12:00:00Z`) nor how long from now (`90d`)"
        )
    })?;
    let moment = now.checked_add(from_now.as_secs()).filter(|moment| *moment <= LAST);
    moment.ok_or_else(|| format!("{text:?} from now is after the year 9999"))
}

/// A moment that is not over.
pub fn to_come(text: &str, now: u64) -> Result<u64, String> {
    let moment = parse(text, now)?;
    if moment > now { Ok(moment) } else { Err(format!("{text:?} is over")) }
}

/// `2026-11-24T08:00:00Z, 5m ago`, of seconds since 1970.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within this range")]
pub fn told(seconds: f64, now: u64) -> String {
    if !(0.0..253_402_300_800.0).contains(&seconds) {
        return format!("{seconds}, which is no time");
    }
    let at = seconds as u64;
    let relative = match at.checked_sub(now) {
        Some(0) => "now".to_owned(),
        Some(ahead) => format!("in {}", rough(ahead)),
        None => format!("{} ago", rough(now - at)),
    };
    format!("{}, {relative}", rfc3339(at))
}

/// The two largest units: `2h 5m`.
pub fn rough(seconds: u64) -> String {
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if rest >= length && parts.len() < 2 {
            parts.push(format!("{}{unit}", rest / length));
        } else if !parts.is_empty() {
            break;
        }
        rest %= length;
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_how_long_that_is() {
        let now = 1_767_225_600;
        for (seconds, words) in [
            (1_767_225_600.0, "2026-01-01T00:00:00Z, now"),
            (1_767_225_600.9, "2026-01-01T00:00:00Z, now"),
            (1_767_225_601.0, "2026-01-01T00:00:01Z, in 1s"),
            (1_767_225_000.0, "2025-12-31T23:50:00Z, 10m ago"),
            (1_767_226_199.0, "2026-01-01T00:09:59Z, in 9m 59s"),
            (1_767_229_205.0, "2026-01-01T01:00:05Z, in 1h"),
            (1_774_999_999.0, "2026-03-31T23:33:19Z, in 89d 23h"),
            (-1.0, "-1, which is no time"),
            (1e300, &format!("{}, which is no time", 1e300)),
        ] {
            assert_eq!(told(seconds, now), words);
        }
    }

    #[test]
    fn moments_are_times_or_durations() {
        let now = 1_767_225_600;
        assert_eq!(parse("2027-01-01", now), Ok(1_798_761_600));
        assert_eq!(parse("2027-01-01T00:00:01Z", now), Ok(1_798_761_601));
        assert_eq!(parse("1d", now), Ok(now + 86_400));
        assert_eq!(parse("1h 30m", now), Ok(now + 5_400));
        for bad in ["", "tomorrow", "2027-13-01", "2027-01-01T00:00:00", "5", "-5d", "9999y", "99999999999999999999d"] {
            assert!(parse(bad, now).is_err(), "{bad}");
        }
        assert!(to_come("2025-01-01", now).is_err());
        assert!(to_come("0s", now).is_err());
    }
}
