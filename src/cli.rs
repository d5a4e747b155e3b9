//! The native command line: `edgate check`, `bind`, `routes`, `explain` and what belongs to them. It reads and writes
//! files, and asks nobody but issuers for their keys; what it says of a configuration is what the gateway itself says.
//! `edgate key` and `edgate revoke` make what clients and stores hold; `edgate limits` asks a gateway that runs.
//!
//! Nothing here prints: a command gives back what is to be printed, with colours, and [`print()`] takes the colours
//! away where there is no terminal to show them.

pub mod bind;
pub mod check;
pub mod configuration;
pub mod declared;
pub mod explain;
pub mod finding;
pub mod input;
pub mod key;
pub mod limiters;
pub mod limits;
pub mod manifest;
pub mod moment;
pub mod needs;
pub mod objects;
pub mod pairs;
pub mod reference;
pub mod render;
pub mod revoke;
pub mod routes;
pub mod schema;
pub mod secrets;
pub mod step;
pub mod stored;
pub mod token;
pub mod tree;
pub mod variables;
pub mod world;

use anstream::{AutoStream, ColorChoice};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use configuration::Configuration;
use finding::Finding;
use input::Input;
use manifest::Choice;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use world::World;

/// The files that are looked for where none is named.
pub const FILES: [&str; 3] = ["edgate.toml", "wrangler.toml", "spin.toml"];

/// An API gateway for Cloudflare Workers and Fermyon Spin: its configuration, checked, explained, and written into the
/// platforms' manifests.
#[derive(Debug, Parser)]
#[command(name = "edgate", version, after_help = EXAMPLES, disable_help_subcommand = true, max_term_width = 100)]
struct Arguments {
    /// When to print in colour: on a terminal, unless NO_COLOR is set.
    #[arg(long, value_enum, default_value_t, global = true)]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  edgate check                         find every mistake
  edgate bind                          write edgate.toml into wrangler.toml and spin.toml
  edgate explain GET /orders/7         what happens to a request, and why

Exit status: 0 when all is well, 1 when something is wrong with a configuration, 2 when the
command was wrong or a file cannot be read.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Find every mistake of a configuration.
    #[command(after_help = check::EXAMPLES)]
    Check(check::Arguments),
    /// Write a document into wrangler.toml and spin.toml.
    #[command(after_help = bind::EXAMPLES)]
    Bind(bind::Arguments),
    /// List the routes, the most specific first.
    #[command(after_help = routes::EXAMPLES)]
    Routes(routes::Arguments),
    /// Tell what happens to a request, and why.
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::Arguments),
    /// Show what is in a token, and tell whether it holds.
    #[command(after_help = token::EXAMPLES)]
    Token(token::Arguments),
    /// Print a document as a key-value store holds it, in JSON.
    #[command(after_help = stored::EXAMPLES)]
    Json(stored::Arguments),
    /// Print the JSON Schema of the document, for editors.
    #[command(after_help = schema::EXAMPLES)]
    Schema(schema::Arguments),
    /// Make API keys and hashes of passwords.
    #[command(after_help = key::EXAMPLES, disable_help_subcommand = true)]
    Key {
        #[command(subcommand)]
        command: key::Command,
    },
    /// Take tokens back before they expire.
    #[command(after_help = revoke::EXAMPLES)]
    Revoke(revoke::Arguments),
    /// Show what is left of the limits of a gateway that runs, and reset them.
    #[command(after_help = limits::EXAMPLES, disable_help_subcommand = true)]
    Limits(limits::Arguments),
    /// Print completions for a shell.
    #[command(after_help = COMPLETIONS)]
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

const COMPLETIONS: &str = "\
Examples:
  edgate completions bash > ~/.local/share/bash-completion/completions/edgate
  edgate completions fish > ~/.config/fish/completions/edgate.fish
  edgate completions zsh  > \"${fpath[1]}/_edgate\"";

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// With the lines they are about.
    #[default]
    Text,
    /// One JSON list.
    Json,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Fine = 0,
    /// Something is wrong with the configuration.
    Mistakes = 1,
    /// The command was wrong, or a file cannot be read or written.
    Usage = 2,
}

/// What a command comes to: what it prints, with colours, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub exit: Exit,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// A command that did what it should.
    pub fn fine(out: impl Into<String>) -> Outcome {
        Outcome { exit: Exit::Fine, out: out.into(), err: String::new() }
    }

    /// A command that cannot be carried out.
    pub fn usage(message: impl std::fmt::Display) -> Outcome {
        Outcome { exit: Exit::Usage, out: String::new(), err: format!("error: {message}\n") }
    }

    /// A command that found something wrong, or was refused.
    pub fn mistake(message: impl std::fmt::Display) -> Outcome {
        Outcome { exit: Exit::Mistakes, out: String::new(), err: format!("error: {message}\n") }
    }
}

/// Runs the command that the arguments say, the program's own name first, on the files of a folder.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>, folder: &Path) -> (Outcome, ColorChoice) {
    run_in(&World::real(), arguments, folder)
}

/// Runs the command in a world of the caller's.
pub fn run_in(
    world: &World,
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    folder: &Path,
) -> (Outcome, ColorChoice) {
    match Arguments::try_parse_from(arguments) {
        Ok(Arguments { color, command }) => (command.run(folder, world), color.choice()),
        Err(error) => {
            let text = error.render().ansi().to_string();
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Fine };
            let (out, err) = if error.use_stderr() { (String::new(), text) } else { (text, String::new()) };
            (Outcome { exit, out, err }, ColorChoice::Auto)
        }
    }
}

/// Prints what a command came to.
pub fn print(outcome: &Outcome, color: ColorChoice) -> ExitCode {
    // Whoever reads may have gone away: that is no mistake of the configuration's.
    let _ = AutoStream::new(std::io::stdout().lock(), color).write_all(outcome.out.as_bytes());
    let _ = AutoStream::new(std::io::stderr().lock(), color).write_all(outcome.err.as_bytes());
    ExitCode::from(outcome.exit as u8)
}

/// Reads a configuration that serves, or says what is wrong with it. Where no file is named, it is the first of
/// [`FILES`] that is there.
fn sound(folder: &Path, file: Option<&str>, choice: &Choice) -> Result<(Input, Configuration), Outcome> {
    let found = file.or_else(|| FILES.into_iter().find(|name| folder.join(name).exists()));
    let Some(name) = found else {
        return Err(Outcome::usage(format!("there is no {} in this folder", FILES.join(", "))));
    };
    let input = input::read(folder, name, choice).map_err(input::Failure::outcome)?;
    let configuration = configuration::load(&input);
    if !configuration.findings.iter().any(Finding::is_error) {
        return Ok((input, configuration));
    }
    let findings = &configuration.findings;
    let err = format!("{}{} in {name}\n", render::text(findings), render::count(findings));
    Err(Outcome { exit: Exit::Mistakes, out: String::new(), err })
}

impl Command {
    fn run(&self, folder: &Path, world: &World) -> Outcome {
        match self {
            Command::Check(arguments) => check::run(folder, arguments),
            Command::Bind(arguments) => bind::run(folder, arguments),
            Command::Routes(arguments) => routes::run(folder, arguments),
            Command::Explain(arguments) => explain::run(folder, world, arguments),
            Command::Token(arguments) => token::run(folder, world, arguments),
            Command::Json(arguments) => stored::run(folder, arguments),
            Command::Schema(arguments) => schema::run(arguments),
            Command::Key { command } => key::run(folder, world, command),
            Command::Revoke(arguments) => revoke::run(folder, world, arguments),
            Command::Limits(arguments) => limits::run(world, arguments),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut self::Arguments::command(), "edgate", &mut script);
                Outcome::fine(String::from_utf8_lossy(&script))
            }
        }
    }
}

impl Color {
    fn choice(self) -> ColorChoice {
        match self {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}
