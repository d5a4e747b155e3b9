//! Moments on the command line: `2027-01-01`, `2027-01-01T12:00:00Z`, or how long from now: `90d`, `1h 30m`.

use crate::api_key::entry::{LAST, seconds};

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

#[cfg(test)]
mod tests {
    use super::*;

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
