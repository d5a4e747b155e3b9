//! `edgate key`: makes what clients show, and what edgate knows it by.

pub mod check;
pub mod hash_password;
pub mod new;

use super::Outcome;
use super::world::World;
use clap::Subcommand;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an API key, and the entry that it is known by.
    #[command(after_help = new::EXAMPLES)]
    New(new::Arguments),
    /// Tell whether a text can be an API key of edgate's, and what it is known by.
    #[command(after_help = check::EXAMPLES)]
    Check(check::Arguments),
    /// Hash a password for HTTP Basic.
    #[command(after_help = hash_password::EXAMPLES)]
    HashPassword(hash_password::Arguments),
}

pub const EXAMPLES: &str = "\
Examples:
  edgate key new acme --expires 90d
  edgate key check edgate_...
  edgate key hash-password";

pub fn run(folder: &Path, world: &World, command: &Command) -> Outcome {
    match command {
        Command::New(arguments) => new::run(folder, world, arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::HashPassword(arguments) => hash_password::run(world, arguments),
    }
}
