//! `edgate key hash-password`: what the configuration has of a password for HTTP Basic.

use crate::cli::Outcome;
use crate::cli::world::World;
use crate::password::{self, Algorithm, Hash, basic};
use clap::ValueEnum;
use toml_edit::{Array, InlineTable, Value};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How it is hashed.
    #[arg(long, value_enum, default_value_t)]
    pub algorithm: Choice,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Choice {
    /// 19 MiB of memory, twice.
    #[default]
    Argon2id,
    /// With a cost of 10.
    Bcrypt,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate key hash-password
  pass show acme | edgate key hash-password --algorithm bcrypt

The password is asked for, and not shown, or the first line of the standard input.

Checking a password costs CPU time by intention, some tens of milliseconds: more than the 10 ms of
Workers' free plan. What was checked is remembered for a while, so it is the first request of a
client that pays. All passwords should have the same algorithm and cost, so that the time of an
answer does not tell which users exist. Where a client can keep one, an API key costs nothing.";

pub fn run(world: &World, arguments: &Arguments) -> Outcome {
    hash(world, arguments).map_or_else(Outcome::usage, |text| {
        let mut password = InlineTable::new();
        password.insert("hash", text.as_str().into());
        let passwords = Array::from_iter([Value::from(password)]);
        Outcome::fine(format!("{text}\n\nInto the configuration:\n\n[consumer.NAME]\npasswords = {passwords}\n"))
    })
}

fn hash(world: &World, arguments: &Arguments) -> Result<String, String> {
    let password = (world.password)()?;
    if password.is_empty() {
        return Err("there is no password".to_owned());
    }
    // What HTTP Basic cannot carry nobody could log in with.
    if password.contains(char::is_control) || password.len() > basic::MOST / 2 {
        return Err(format!("a password has no control characters, and {} bytes at most", basic::MOST / 2));
    }
    let [salt @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = (world.random)()?;
    let text = match arguments.algorithm {
        Choice::Argon2id => password::make(Algorithm::Argon2id, &password, salt),
        Choice::Bcrypt => password::make(Algorithm::Bcrypt, &password, salt),
    }?;
    // It is said only when it is seen to work.
    let fits = Hash::parse(&text).is_ok_and(|hash| password::verify(&hash, &password));
    if fits { Ok(text) } else { Err("the hash does not fit its password".to_owned()) }
}
