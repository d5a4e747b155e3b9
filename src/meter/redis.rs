//! A stand-in.

pub const SCRIPT: &str = "";
pub const SHA1: &str = "";
