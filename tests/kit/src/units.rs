//! Durations and sizes as scenarios write them: one number and one unit, as in `"250ms"`, `"10s"`, `"200 MB"`.

use serde::de::{Deserialize, Deserializer, Error};
use std::time::Duration;

/// Reads `"250ms"`, `"10s"`, `"5m"`, `"1h"`, `"1d"`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    quantity(text, &units).map(Duration::from_millis).ok_or_else(|| format!("`{text}` is no duration like \"250ms\""))
}

/// Reads `"512 B"`, `"8 KB"`, `"200 MB"`, `"1 GB"`, and `"KiB"`, `"MiB"` for powers of 1024.
pub fn size(text: &str) -> Result<u64, String> {
    let units = [("B", 1), ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("KiB", 1 << 10), ("MiB", 1 << 20)];
    quantity(text, &units).ok_or_else(|| format!("`{text}` is no size like \"8 KB\""))
}

/// For fields that may hold a duration.
pub fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration(&text).map(Some).map_err(D::Error::custom)
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}
