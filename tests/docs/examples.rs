//! Configurations and commands that pages show: each is a part of a scenario that runs, or loads as it stands, or says
//! why not; and commands print what is shown.

use crate::page::{Block, fits, pages, root, words};
use edgate::cli::world::World;
use edgate::cli::{self, Exit};
use edgate_kit::scenario;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// 2026-11-24T09:00:00Z, with no randomness at all.
const WORLD: World = World {
    now: || 1_795_510_800,
    random: || Ok([7; 32]),
    password: || Ok("open sesame".to_owned()),
    variable: |_| None,
};

/// A table of a TOML file: its header, and its lines without comments and empty ones.
struct Table<'a> {
    header: &'a str,
    lines: Vec<&'a str>,
}

fn tables(text: &str) -> Vec<Table<'_>> {
    let mut tables = vec![Table { header: "", lines: Vec::new() }];
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match (line.starts_with('['), tables.last_mut()) {
            (false, Some(table)) => table.lines.push(line),
            _ => tables.push(Table { header: line, lines: Vec::new() }),
        }
    }
    tables
}

/// A line, but for the hosts of upstreams and issuers: in a scenario they are always a test's.
fn without_host(line: &str) -> String {
    let is_called = ["url = ", "issuer = ", "jwks_uri = ", "introspection = "].iter().any(|key| line.starts_with(key));
    let mut parts = line.split("://");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for rest in parts {
        let host = if is_called { rest.find(['/', '"']).unwrap_or(rest.len()) } else { 0 };
        text = if is_called { text.trim_end_matches("https").trim_end_matches("http").to_owned() } else { text };
        text += "://";
        text += &rest[host..];
    }
    text
}

fn is_spin(text: &str) -> bool {
    text.contains("spin_manifest_version")
}

fn is_wrangler(text: &str) -> bool {
    text.contains("compatibility_date") || text.contains("[vars")
}

/// What is wrong with an example that should be a part of a scenario's document.
fn document_differs(block: &Block, scenario: &str) -> Option<String> {
    let theirs: Vec<(String, Vec<String>)> = tables(scenario)
        .into_iter()
        .map(|table| (table.header.to_owned(), table.lines.into_iter().map(without_host).collect()))
        .collect();
    tables(&block.text).into_iter().filter(|ours| !(ours.header.is_empty() && ours.lines.is_empty())).find_map(|ours| {
        let brackets = if ours.header.starts_with("[[") { "[[" } else { "[" };
        let header = ours.header.replacen(brackets, &format!("{brackets}config."), 1);
        let lines: Vec<String> = ours.lines.iter().map(|line| without_host(line)).collect();
        // An array has several tables of one header.
        let mut named = theirs.iter().filter(|(name, _)| *name == header).peekable();
        if named.peek().is_none() {
            return Some(format!("it has no {header}"));
        }
        let there =
            lines.is_empty() || named.any(|(_, theirs)| theirs.windows(lines.len()).any(|window| window == lines));
        (!there).then(|| format!("these lines are not in its {header}: {lines:#?}"))
    })
}

/// What is wrong with a manifest that should have a scenario's routes.
fn manifest_differs(block: &Block, scenario: &scenario::Scenario) -> Option<String> {
    let folder = Folder::new(&block.place);
    let name = folder.write(block);
    let outcome = folder.run(&["json", name]);
    let document: Value = serde_json::from_str(&outcome.out).unwrap_or_default();
    (document["route"] != scenario.config["route"])
        .then(|| format!("it has other routes: {}{}", outcome.out, outcome.err))
}

#[test]
fn examples_are_parts_of_scenarios() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for block in pages().iter().flat_map(|page| page.blocks()) {
        let Some(name) = block.marked("scenario") else { continue };
        count += 1;
        let path = root().join("tests/scenarios").join(name).with_extension("toml");
        let Ok(text) = std::fs::read_to_string(&path) else {
            wrong.push(format!("{}: there is no {}", block.place, path.display()));
            continue;
        };
        let scenario = scenario::parse(&text).unwrap();
        let differs = match is_spin(&block.text) || is_wrangler(&block.text) {
            true => manifest_differs(&block, &scenario),
            false => document_differs(&block, &text),
        };
        wrong.extend(differs.map(|why| format!("{} is not {name}: {why}", block.place)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 30, "only {count} examples say which scenario they are from");
}

/// Also manifests that are parts of scenarios: those are whole.
#[test]
fn other_configurations_load() {
    let mut wrong = Vec::new();
    for block in pages().iter().flat_map(|page| page.blocks()).filter(|block| block.language == "toml") {
        let whole = is_spin(&block.text) || is_wrangler(&block.text);
        let excused =
            ["not run", "file"].iter().any(|kind| block.marked(kind).is_some_and(|reason| !reason.is_empty()));
        // A block of comments configures nothing.
        let empty = tables(&block.text).iter().all(|table| table.header.is_empty() && table.lines.is_empty());
        if excused || empty || (block.marked("scenario").is_some() && !whole) {
            continue;
        }
        let folder = Folder::new(&block.place);
        let name = folder.write(&block);
        let outcome = folder.run(&["check", name]);
        if outcome.exit != Exit::Fine {
            wrong.push(format!("{}:\n{}{}", block.place, outcome.out, outcome.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_print_what_is_shown() {
    let mut wrong = Vec::new();
    for page in pages() {
        let folder = Folder::new(&page.name);
        folder.copy_example();
        for block in page.blocks() {
            if let Some(name) = block.marked("file") {
                std::fs::write(folder.path.join(name), &block.text).unwrap();
            }
            for (command, shown) in commands(&block) {
                let words = words(&folder.substituted(&command));
                let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
                let outcome = folder.run(&words);
                let said = format!("{}{}", outcome.out, outcome.err);
                if !fits(&shown, &said) {
                    wrong.push(format!("{}: `{command}` prints\n{said}\nand not\n{shown}", block.place));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The commands of edgate's that a block shows, and what they print.
fn commands(block: &Block) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in block.text.lines().filter(|_| block.language == "console") {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), String::new())),
            (None, Some((_, shown))) => *shown += &format!("{line}\n"),
            (None, None) => panic!("{}: output without a command: {line}", block.place),
        }
    }
    commands.retain(|(command, _)| command.starts_with("edgate "));
    commands
}

#[test]
fn records_are_json() {
    for block in pages().iter().flat_map(|page| page.blocks()).filter(|block| block.language == "json") {
        for line in block.text.lines() {
            assert!(serde_json::from_str::<Value>(line).is_ok(), "{}: {line}", block.place);
        }
    }
}

/// A folder for one block or page, gone after it.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new(name: &str) -> Folder {
        let thread = std::thread::current().name().unwrap_or_default().replace(':', "-");
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("docs-{thread}-{}", name.replace(['/', ':'], "-")));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder { path }
    }

    /// Writes a block under the name of what it is.
    fn write(&self, block: &Block) -> &'static str {
        let name = match (is_spin(&block.text), is_wrangler(&block.text)) {
            (true, _) => "spin.toml",
            (false, true) => "wrangler.toml",
            (false, false) => "edgate.toml",
        };
        std::fs::write(self.path.join(name), &block.text).unwrap();
        name
    }

    /// A command with the texts of files in the place of `$(cat NAME)`.
    fn substituted(&self, command: &str) -> String {
        let Some((before, rest)) = command.split_once("$(cat ") else { return command.to_owned() };
        let (name, after) = rest.split_once(')').expect("it is closed");
        let text = std::fs::read_to_string(self.path.join(name)).unwrap();
        format!("{before}{}{after}", text.trim_end())
    }

    fn copy_example(&self) {
        for name in cli::FILES {
            std::fs::copy(root().join(name), self.path.join(name)).unwrap();
        }
    }

    fn run(&self, command: &[&str]) -> cli::Outcome {
        let (outcome, _) = cli::run_in(&WORLD, ["edgate"].iter().chain(command), &self.path);
        let plain = |text: &str| anstream::adapter::strip_str(text).to_string();
        cli::Outcome { exit: outcome.exit, out: plain(&outcome.out), err: plain(&outcome.err) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
