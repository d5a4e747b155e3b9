//! Time zones, as the platform knows them: `Intl.DateTimeFormat` says what a clock on a wall shows.

use crate::host::Timestamp;
use js_sys::{Object, Reflect};
use std::collections::HashMap;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Made anew it takes as long as a request, so one is kept for each zone.
    #[wasm_bindgen(js_namespace = Intl, js_name = DateTimeFormat)]
    type Clock;

    #[wasm_bindgen(catch, constructor, js_namespace = Intl, js_class = "DateTimeFormat")]
    fn new(locale: &str, options: &Object) -> Result<Clock, JsValue>;

    #[wasm_bindgen(catch, method)]
    fn format(this: &Clock, at: f64) -> Result<String, JsValue>;

    #[wasm_bindgen(js_namespace = Date, js_name = UTC)]
    fn utc(year: i32, month: i32, day: i32, hour: i32, minute: i32, second: i32) -> f64;
}

/// The clocks of the zones that were asked for: those that a configuration names, so few.
#[derive(Default)]
pub struct Zones(HashMap<String, Option<Clock>>);

impl Zones {
    /// How far a zone is ahead of UTC, in milliseconds: what its clock shows, read as if it were UTC, is so much later.
    pub fn offset(&mut self, zone: &str, at: Timestamp) -> Option<i64> {
        if !self.0.contains_key(zone) {
            self.0.insert(zone.to_owned(), clock(zone));
        }
        // The clock shows whole seconds.
        let at = (at.0 / 1000.0).floor() * 1000.0;
        let shown = self.0.get(zone)?.as_ref()?.format(at).ok()?;
        Some((read(&shown)? - at) as i64)
    }
}

/// `Intl` takes offsets for zones too; in the IANA database no name begins with a sign.
fn clock(zone: &str) -> Option<Clock> {
    if zone.starts_with(['+', '-']) {
        return None;
    }
    let options = Object::new();
    let set = |name: &str, value: &str| Reflect::set(&options, &name.into(), &value.into());
    set("timeZone", zone).ok()?;
    set("hourCycle", "h23").ok()?;
    for name in ["year", "month", "day", "hour", "minute", "second"] {
        set(name, "numeric").ok()?;
    }
    Clock::new("en-US-u-ca-gregory-nu-latn", &options).ok()
}

/// Reads `11/1/2026, 02:00:00` as if it were UTC.
fn read(shown: &str) -> Option<f64> {
    let mut numbers = shown.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let mut next = || numbers.next()?.parse::<i32>().ok();
    let (month, day, year) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next()?, next()?, next()?);
    Some(utc(year, month - 1, day, hour, minute, second))
}
