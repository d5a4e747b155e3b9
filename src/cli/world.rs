//! What commands read of the world beside files: the clock, randomness, the environment, and what somebody types. Tests hand in their
//! own.

use std::io::{BufRead, IsTerminal};
use std::time::SystemTime;

pub struct World {
    /// Seconds since 1970.
    pub now: fn() -> u64,
    /// 32 bytes from a cryptographically secure source.
    pub random: fn() -> Result<[u8; 32], String>,
    /// A password: from the terminal without showing it, and twice, or the first line of the standard input.
    pub password: fn() -> Result<String, String>,
    /// A variable of the environment.
    pub variable: fn(&str) -> Option<String>,
}

impl World {
    /// The world as it is.
    pub fn real() -> World {
        World { now, random, password, variable }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn random() -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("there is no randomness: {error}"))?;
    Ok(bytes)
}

fn password() -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("the password cannot be read: {error}");
    if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("password: ").map_err(unreadable)?;
        let again = rpassword::prompt_password("once more: ").map_err(unreadable)?;
        return if password == again { Ok(password) } else { Err("these are two passwords".to_owned()) };
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
