//! `Retry-After`: seconds, or a date (RFC 9110, sections 10.2.3 and 5.6.7).

use crate::headers::has;
use http::{HeaderMap, header};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// In how many milliseconds a server wants to be asked again, where it says so.
pub fn retry_after_ms(headers: &HeaderMap, now_ms: f64) -> Option<f64> {
    if !has(headers, &header::RETRY_AFTER) {
        return None;
    }
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has mean never.
        true if !text.is_empty() => Some(text.parse::<u32>().map_or(f64::INFINITY, |seconds| f64::from(seconds) * 1e3)),
        _ => Some((date_ms(text)? - now_ms).max(0.0)),
    }
}

/// A date in milliseconds since 1970, in any of the three forms that recipients must take: `Sun, 06 Nov 1994 08:49:37 GMT`,
/// `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
pub fn date_ms(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.split([' ', ',', '-']).filter(|part| !part.is_empty()).collect();
    let (day, month, year, time) = match parts.as_slice() {
        [_, day, month, year, time, "GMT"] => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let number = |text: &str, most: usize| {
        (text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<i64>().ok())?
    };
    // Of two digits, a year that nobody could have meant is one of the century before.
    let year = match number(year, 4)? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let month = MONTHS.iter().zip(1i64..).find(|(name, _)| *name == month).map(|(_, number)| number)?;
    let clock: Vec<&str> = time.split(':').collect();
    let [hours, minutes, seconds] = clock.as_slice() else { return None };
    let day = days(year, month, number(day, 2)?);
    let seconds = (number(hours, 2)? * 60 + number(minutes, 2)?) * 60 + number(seconds, 2)?;
    Some((day * 86_400 + seconds) as f64 * 1e3)
}

/// Days since 1970 of a date in the Gregorian calendar, in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn after(text: &str, now_ms: f64) -> Option<f64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).expect("a value"));
        retry_after_ms(&headers, now_ms)
    }

    #[test]
    fn dates_are_read_as_they_are_written() {
        assert_eq!(date_ms("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0.0));
        assert_eq!(date_ms("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000.0));
        assert_eq!(date_ms("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199_000.0));
        assert_eq!(date_ms("Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777_000.0));
        assert_eq!(date_ms("Sun Nov  6 08:49:37 1994"), Some(784_111_777_000.0));
        for text in ["", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov -994 08:49:37 UTC"] {
            assert_eq!(date_ms(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_and_dates_say_when() {
        assert_eq!(after("2", 5.0), Some(2_000.0));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_776_000.0), Some(1_000.0));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_778_000.0), Some(0.0));
        assert_eq!(after("99999999999", 0.0), Some(f64::INFINITY));
        assert_eq!(after("soon", 0.0), None);
        assert_eq!(after("-1", 0.0), None);
        assert_eq!(retry_after_ms(&HeaderMap::new(), 0.0), None);
    }
}
