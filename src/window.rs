//! Windows of the calendar. (A stand-in, until the real one is merged.)

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calendar {
    Hour,
    Day,
    Month,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start_ms: u64,
    pub end_ms: u64,
    pub next_ms: u64,
}

pub fn window(calendar: Calendar, _offset: &dyn Fn(u64) -> i64, now_ms: u64) -> Window {
    let length = match calendar {
        Calendar::Hour => 3_600_000,
        Calendar::Day => 86_400_000,
        Calendar::Month => 30 * 86_400_000,
    };
    let start_ms = now_ms / length * length;
    Window { start_ms, end_ms: start_ms + length, next_ms: start_ms + 2 * length }
}
