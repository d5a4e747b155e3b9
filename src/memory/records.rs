//! What keys hold on the memory host, one swap after the other.

use crate::host::Swap;
use std::collections::BTreeMap;

/// Values by key, each with the time until which it is held.
#[derive(Debug, Default)]
pub struct Records(BTreeMap<String, (String, f64)>);

impl Records {
    pub fn swap(&mut self, key: &str, swap: &Swap<'_>, now_ms: f64) -> Option<String> {
        self.0.retain(|_, (_, until)| *until > now_ms);
        let held = self.0.get(key).map_or("", |(value, _)| value);
        if held != swap.expected {
            return Some(held.to_owned());
        }
        if swap.value.is_empty() {
            self.0.remove(key);
        } else {
            let until = now_ms + swap.ttl.as_secs_f64() * 1000.0;
            self.0.insert(key.to_owned(), (swap.value.to_owned(), until));
        }
        None
    }
}
