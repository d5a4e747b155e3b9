//! Durations, sizes and shares with units: `"10s"`, `"1m30s"`, `"250ms"`; `"8 KB"`, `"1 MiB"`; `"20%"`. A number alone is
//! refused, since nobody can tell what it counts.

use super::diagnostic::Code;
use super::read::fault::fault;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;
use std::time::Duration as Std;

/// A span of time, in milliseconds at its finest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub Std);

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A part of a whole, in parts of 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u32);

const DURATION_HELP: &str = "write whole numbers with units: \"250ms\", \"10s\", \"5m\", \"1h\" or \"1m30s\"";
const SIZE_HELP: &str =
    "write a whole number and a unit: \"512 B\", \"8 KB\", \"10 MB\" or \"1 GB\" (KiB, MiB, GiB for powers of 1024)";

const SHARE_HELP: &str = "write a number of percent, with two decimals at most: \"20%\" or \"0.5%\"";

/// The units of a duration, in milliseconds.
const DURATIONS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The units of a size, in bytes (SI and IEC 80000-13).
const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Why a text is no quantity.
#[derive(Debug, PartialEq, Eq)]
enum Problem {
    NoUnit,
    Unreadable,
    TooLarge,
}

/// Sums `number unit` pairs: `1m30s` is 90,000 with the durations' units.
fn sum(text: &str, units: &[(&str, u64)]) -> Result<u64, Problem> {
    let mut rest = text.trim();
    let mut total = 0u64;
    if rest.is_empty() {
        return Err(Problem::Unreadable);
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err(Problem::Unreadable);
        }
        let number: u64 = number.parse().map_err(|_| Problem::TooLarge)?;
        let after = after.trim_start();
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(if after.is_empty() { Problem::NoUnit } else { Problem::Unreadable });
        }
        let (_, factor) = units.iter().find(|(name, _)| *name == unit).ok_or(Problem::Unreadable)?;
        total = number.checked_mul(*factor).and_then(|more| total.checked_add(more)).ok_or(Problem::TooLarge)?;
        rest = after.trim_start();
    }
    Ok(total)
}

/// Parts of 10,000: `20%` is 2,000.
fn percent(text: &str) -> Result<u32, Problem> {
    let text = text.trim();
    let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let problem = if number { Problem::NoUnit } else { Problem::Unreadable };
    let number = text.strip_suffix('%').ok_or(problem)?;
    let (whole, decimals) = number.trim().split_once('.').unwrap_or((number.trim(), "0"));
    let digits = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 9) || !digits(decimals, 2) {
        return Err(Problem::Unreadable);
    }
    let hundredths = format!("{decimals:0<2}").parse::<u64>().map_err(|_| Problem::Unreadable)?;
    let parts = whole.parse::<u64>().map_err(|_| Problem::TooLarge)? * 100 + hundredths;
    u32::try_from(parts).ok().filter(|parts| *parts <= 10_000).ok_or(Problem::TooLarge)
}

struct Quantity {
    what: &'static str,
    bad: Code,
    help: &'static str,
    sum: fn(&str) -> Result<u64, Problem>,
}

impl Visitor<'_> for Quantity {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} with a unit", self.what)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        (self.sum)(text).map_err(|problem| match problem {
            Problem::NoUnit => fault(Code::MissingUnit, format_args!("`{text}` has no unit"), self.help),
            Problem::Unreadable => fault(self.bad, format_args!("{text:?} is no {}", self.what), self.help),
            Problem::TooLarge => fault(Code::OutOfRange, format_args!("`{text}` is too large"), self.help),
        })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Err(fault(Code::MissingUnit, format_args!("`{number}` has no unit"), self.help))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<u64, E> {
        Err(fault(Code::MissingUnit, format_args!("`{number}` has no unit"), self.help))
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let quantity = Quantity {
            what: "duration",
            bad: Code::BadDuration,
            help: DURATION_HELP,
            sum: |text| sum(text, &DURATIONS),
        };
        deserializer.deserialize_any(quantity).map(|ms| Duration(Std::from_millis(ms)))
    }
}

impl std::str::FromStr for Duration {
    type Err = ();

    fn from_str(text: &str) -> Result<Duration, ()> {
        sum(text, &DURATIONS).map(|ms| Duration(Std::from_millis(ms))).map_err(|_| ())
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        let quantity = Quantity { what: "size", bad: Code::BadSize, help: SIZE_HELP, sum: |text| sum(text, &SIZES) };
        deserializer.deserialize_any(quantity).map(Size)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
        let sum = |text: &str| percent(text).map(u64::from);
        let quantity = Quantity { what: "share", bad: Code::BadShare, help: SHARE_HELP, sum };
        // It is 10,000 at most.
        deserializer.deserialize_any(quantity).map(|parts| Share(u32::try_from(parts).unwrap_or_default()))
    }
}

impl Share {
    /// As a part of one.
    pub fn of_one(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

/// The largest unit that leaves no fraction: `90s` for 90,000 ms. Of sizes, one of 1000 rather than of 1024.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let units = if ms == 0 { &DURATIONS[1..2] } else { &DURATIONS[..] };
        let (name, factor) = largest(ms, units).unwrap_or(units[0]);
        write!(f, "{}{name}", ms / factor)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, factor) = largest(self.0, &SIZES[1..4]).or_else(|| largest(self.0, &SIZES)).unwrap_or(SIZES[0]);
        write!(f, "{} {name}", self.0 / factor)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 100 {
            0 => write!(f, "{}%", self.0 / 100),
            rest => write!(f, "{}.{}%", self.0 / 100, format!("{rest:02}").trim_end_matches('0')),
        }
    }
}

fn largest(amount: u64, units: &[(&'static str, u64)]) -> Option<(&'static str, u64)> {
    let fits = units.iter().filter(|(_, factor)| amount >= *factor && amount.is_multiple_of(*factor));
    fits.max_by_key(|(_, factor)| *factor).copied()
}

#[cfg(not(target_family = "wasm"))]
mod schema {
    use super::{Duration, Share, Size};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    impl JsonSchema for Duration {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Duration".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "pattern": "^\\s*(\\d+\\s*(ms|s|m|h|d)\\s*)+$", "examples": ["250ms", "10s", "1m30s"] })
        }
    }

    impl JsonSchema for Share {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Share".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "pattern": "^\\s*\\d+(\\.\\d{1,2})?\\s*%\\s*$", "examples": ["20%", "0.5%"] })
        }
    }

    impl JsonSchema for Size {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Size".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "pattern": "^\\s*(\\d+\\s*(B|KB|MB|GB|KiB|MiB|GiB)\\s*)+$", "examples": ["8 KB", "100 MB"] })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up() {
        assert_eq!(sum("1m30s", &DURATIONS), Ok(90_000));
        assert_eq!(sum(" 250 ms ", &DURATIONS), Ok(250));
        assert_eq!(sum("10", &DURATIONS), Err(Problem::NoUnit));
        assert_eq!(sum("10 parsecs", &DURATIONS), Err(Problem::Unreadable));
        assert_eq!(sum("-1s", &DURATIONS), Err(Problem::Unreadable));
        assert_eq!(sum("99999999999999999999s", &DURATIONS), Err(Problem::TooLarge));
        assert_eq!(sum("999999999999999999d", &DURATIONS), Err(Problem::TooLarge));
    }

    #[test]
    fn shares_are_percent() {
        assert_eq!(percent("20%"), Ok(2_000));
        assert_eq!(percent(" 0.5 % "), Ok(50));
        assert_eq!(percent("12.34%"), Ok(1_234));
        assert_eq!(percent("100%"), Ok(10_000));
        assert_eq!(percent("0.5"), Err(Problem::NoUnit));
        assert_eq!(percent("100.01%"), Err(Problem::TooLarge));
        for text in ["", "%", "a%", "-1%", "1.%", ".5%", "1.234%", "1e1%"] {
            assert_eq!(percent(text), Err(Problem::Unreadable), "{text}");
        }
        let printed = [2_000, 50, 1_234, 1_230, 0].map(|parts| Share(parts).to_string());
        assert_eq!(printed, ["20%", "0.5%", "12.34%", "12.3%", "0%"]);
    }

    #[test]
    fn quantities_print_as_they_are_written() {
        assert_eq!(Duration(Std::from_secs(90)).to_string(), "90s");
        assert_eq!(Duration(Std::from_secs(120)).to_string(), "2m");
        assert_eq!(Duration(Std::from_secs(36 * 3_600)).to_string(), "36h");
        assert_eq!(Duration(Std::from_secs(48 * 3_600)).to_string(), "2d");
        assert_eq!(Duration(Std::ZERO).to_string(), "0s");
        assert_eq!(Size(8_000).to_string(), "8 KB");
        assert_eq!(Size(256_000).to_string(), "256 KB");
        assert_eq!(Size(1 << 20).to_string(), "1 MiB");
    }
}
