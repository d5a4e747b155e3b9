//! The arithmetic of limits: laws that hold for any schedule of questions and any clock, and the script for Redis, which
//! decides as the Rust does.

#[path = "meter/ahead.rs"]
mod ahead;
#[path = "meter/arbitrary.rs"]
mod arbitrary;
#[path = "meter/clocks.rs"]
mod clocks;
#[path = "meter/counter.rs"]
mod counter;
#[path = "meter/held.rs"]
mod held;
#[path = "meter/laws.rs"]
mod laws;
#[path = "meter/leases.rs"]
mod leases;
#[path = "meter/lines.rs"]
mod lines;
#[path = "meter/redis.rs"]
mod redis;

use proptest::test_runner::Config;

/// More with `PROPTEST_CASES`, of which the default is 256.
fn cases() -> Config {
    let default = Config::default();
    Config { cases: default.cases * 2, failure_persistence: None, ..default }
}
