//! The same arithmetic for Redis, which runs it: all questions of a call are decided at once, in one round trip.
//!
//! `EVALSHA SHA1 n COUNTER.. NOW ASK..` with n counters, a time in milliseconds since 1970 or an empty text for that of
//! Redis, and a line of an [`Ask`](super::Ask) for each counter. The answer is an array of lines, each a
//! [`Count`](super::Count), or empty for a question that cannot be read. A Redis that does not know the script answers
//! `NOSCRIPT`: then `EVAL SCRIPT`, with the same words after it.

/// The script.
pub const SCRIPT: &str = include_str!("redis.lua");

/// Its SHA-1 in hexadecimal, by which Redis knows it.
pub const SHA1: &str = "6fd8cc5474b6d1a9b329300e2773a33031b05067";

#[cfg(test)]
#[cfg(not(target_family = "wasm"))]
mod tests {
    use super::*;
    use sha1::{Digest, Sha1};

    #[test]
    fn the_script_is_known_by_its_hash() {
        assert_eq!(SHA1, base16ct::lower::encode_string(&Sha1::digest(SCRIPT)));
    }
}
