//! Who may know whom, and what nobody may do. This reads the sources, as tokens without comments and without
//! `#[cfg(test)]`, and says what breaks a rule and where.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A module knows those of the rows above its own, and none beside it. `policy::*` is each policy by itself.
const LAYERS: [&[&str]; 18] = [
    &["body", "config", "meter", "raw", "window"],
    &["bounded", "identity", "jose"],
    &["headers", "host", "path", "secret"],
    &[
        "api_key",
        "event",
        "http_signature",
        "oauth",
        "part",
        "password",
        "race",
        "renewed",
        "revocation",
        "routing",
        "zone",
    ],
    &["consumers", "issuer"],
    &["exchange"],
    &["reject", "template"],
    &["interest", "refusal"],
    &["rule"],
    &["limit", "respond"],
    &["policy::*", "admin", "idempotency", "upstream", "observe"],
    &["aggregate", "policy"],
    &["batch"],
    &["gateway"],
    &["compile"],
    &["instance"],
    // The hosts. The core is what stands above them.
    &["cloudflare", "memory", "spin"],
    &["cli"],
];

/// The layer of the hosts.
const HOSTS: usize = 16;

/// What belongs to a platform.
const PLATFORMS: [&str; 8] = ["js_sys", "spin_sdk", "tokio", "wasip2", "wasip3", "wasm_bindgen", "web_sys", "worker"];

/// Ways to read the world, which is the host's.
const WORLD: [&[&str]; 14] = [
    &["SystemTime", "::", "now"],
    &["Instant", "::", "now"],
    &["std", "::", "env"],
    &["std", "::", "fs"],
    &["std", "::", "process"],
    &["std", "::", "thread"],
    &["getrandom"],
    &["rand"],
    &["print", "!"],
    &["println", "!"],
    &["eprint", "!"],
    &["eprintln", "!"],
    &["dbg", "!"],
    &["TcpStream"],
];

/// Ways to panic.
const PANICS: [&[&str]; 11] = [
    &[".", "unwrap", "("],
    &[".", "expect", "("],
    &[".", "unwrap_err", "("],
    &[".", "expect_err", "("],
    &["panic", "!"],
    &["unreachable", "!"],
    &["unimplemented", "!"],
    &["todo", "!"],
    &["assert", "!"],
    &["assert_eq", "!"],
    &["assert_ne", "!"],
];

/// A file of `src`.
struct Source {
    path: PathBuf,
    /// Its module, from the crate on: `["config", "read"]`.
    module: Vec<String>,
    tokens: Vec<Token>,
}

/// A word, a literal, a mark (`::` is one), or a bracket.
struct Token {
    text: String,
    line: usize,
}

/// What breaks a rule.
type Broken = BTreeSet<String>;

impl Source {
    fn read(root: &Path, path: PathBuf) -> Source {
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        let inside = path.strip_prefix(root).expect("it is in src").with_extension("");
        let module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        Source { path, module, tokens: without_tests(tokens) }
    }

    /// Its entry in the table.
    fn unit(&self) -> String {
        unit(&self.module)
    }

    fn layer(&self) -> Option<usize> {
        layer(&self.unit())
    }

    /// `src/config/read.rs:12`.
    fn at(&self, line: usize) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        format!("{}:{line}", self.path.strip_prefix(root).unwrap_or(&self.path).display())
    }

    /// Where a row of tokens stands.
    fn find(&self, row: &[&str]) -> impl Iterator<Item = String> {
        let same = move |tokens: &&[Token]| tokens.iter().map(|token| token.text.as_str()).eq(row.iter().copied());
        self.tokens.windows(row.len()).filter(same).map(|tokens| self.at(tokens[0].line))
    }

    /// Every module of this crate that it names with `crate::` or `super::`, and the line.
    fn uses(&self) -> Vec<(Vec<String>, usize)> {
        let mut uses = Vec::new();
        let mut rest = &self.tokens[..];
        while let [first, after @ ..] = rest {
            let mut base = match first.text.as_str() {
                "crate" => Vec::new(),
                "super" => self.module[..self.module.len() - 1].to_vec(),
                _ => {
                    rest = after;
                    continue;
                }
            };
            rest = after;
            while let [_, parent, after @ ..] = rest
                && parent.text == "super"
            {
                base.pop();
                rest = after;
            }
            if let [colons, after @ ..] = rest
                && colons.text == "::"
            {
                uses.extend(heads(after).map(|head| (base.iter().cloned().chain(head).collect(), first.line)));
            }
        }
        uses
    }
}

/// The first two names of each path that begins here: one, or those of a `{..}`.
fn heads(tokens: &[Token]) -> impl Iterator<Item = Vec<String>> {
    let head = |tokens: &[Token]| -> Vec<String> {
        tokens.split(|token| token.text == "::").take(2).filter_map(|name| Some(name.first()?.text.clone())).collect()
    };
    let mut heads = Vec::new();
    if tokens.first().is_none_or(|token| token.text != "{") {
        heads.push(head(tokens));
    } else {
        let mut depth = 0;
        for (index, token) in tokens.iter().enumerate() {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && ["{", ","].contains(&token.text.as_str()) {
                heads.push(head(&tokens[index + 1..]));
            }
        }
    }
    heads.into_iter()
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line });
                flatten(group.stream(), tokens);
                tokens.push(Token { text: close.to_owned(), line: group.span_close().start().line });
            }
            tree => match tokens.last_mut() {
                Some(last) if last.text == ":" && tree.to_string() == ":" => last.text.push(':'),
                _ => tokens.push(Token { text: tree.to_string(), line }),
            },
        }
    }
}

/// Leaves out every item under `#[cfg(test)]`.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        kept.push(token);
        let ends_here = kept.len().checked_sub(TEST.len()).map(|start| &kept[start..]);
        if !ends_here.is_some_and(|end| end.iter().map(|token| token.text.as_str()).eq(TEST)) {
            continue;
        }
        kept.truncate(kept.len() - TEST.len());
        // To the `;` of the item, or to the end of its braces.
        let mut depth = 0;
        for token in tokens.by_ref() {
            match token.text.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && ["}", ";"].contains(&token.text.as_str()) {
                break;
            }
        }
    }
    kept
}

/// The entry in the table that a path belongs to.
fn unit(path: &[String]) -> String {
    match path {
        [policy, one, ..] if policy == "policy" && SOURCES.iter().any(|source| source.module[..] == path[..2]) => {
            format!("policy::{one}")
        }
        [first, ..] => first.clone(),
        [] => String::new(),
    }
}

fn layer(unit: &str) -> Option<usize> {
    let entry = if unit.starts_with("policy::") { "policy::*" } else { unit };
    LAYERS.iter().position(|layer| layer.contains(&entry))
}

/// All modules but the crate's own and the program.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("it is a folder") {
            let path = entry.expect("it can be read").path();
            // A file of tests is a module under `#[cfg(test)]`, and so is what is in a folder beside it.
            let left_out = ["lib.rs", "main.rs", "tests.rs", "tests"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !left_out {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !left_out {
                sources.push(Source::read(&root, path));
            }
        }
    }
    sources
});

fn core() -> impl Iterator<Item = &'static Source> {
    SOURCES.iter().filter(|source| source.layer().is_none_or(|layer| layer < HOSTS))
}

#[track_caller]
fn assert_none(broken: Broken) {
    assert!(broken.is_empty(), "\n{}", broken.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_module_has_its_place_in_the_table() {
    for source in SOURCES.iter() {
        assert!(source.layer().is_some(), "{} is in no layer", source.at(1));
    }
    for entry in LAYERS.concat() {
        let policy = entry == "policy::*";
        let there = |source: &Source| source.module.join("::") == entry || policy && source.module[0] == "policy";
        assert!(SOURCES.iter().any(there), "there is no {entry}");
    }
}

#[test]
fn modules_know_only_those_above_them() {
    let mut broken = Broken::new();
    for source in SOURCES.iter() {
        let own = source.unit();
        for (path, line) in source.uses() {
            let other = unit(&path);
            if other == own || layer(&other).is_some_and(|other| Some(other) < layer(&own)) {
                continue;
            }
            broken.insert(format!("{}: {own} may not know {}", source.at(line), path.join("::")));
        }
    }
    assert_none(broken);
}

#[test]
fn core_names_no_platform() {
    let found = |source: &Source| {
        let named =
            |name: &'static str| source.find(&[name]).map(move |at| format!("{at}: {name}")).collect::<Vec<_>>();
        PLATFORMS.into_iter().flat_map(named).collect::<Vec<_>>()
    };
    assert_none(core().flat_map(found).collect());
}

#[test]
fn core_does_not_read_the_world() {
    let in_memory = SOURCES.iter().filter(|source| source.module == ["memory"]);
    let found = |source: &Source| {
        let named = |row: &'static [&str]| {
            source.find(row).map(|at| format!("{at}: {}: ask the Host", row.concat())).collect::<Vec<_>>()
        };
        WORLD.into_iter().flat_map(named).collect::<Vec<_>>()
    };
    assert_none(core().chain(in_memory).flat_map(found).collect());
}

/// Where a row of tokens stands outside of the modules that may have it.
fn outside<'a>(sources: impl Iterator<Item = &'a Source>, row: &[&str], allowed: &[&str]) -> Broken {
    let elsewhere = sources.filter(|source| !allowed.contains(&source.module.join("::").as_str()));
    let found = elsewhere.flat_map(|source| source.find(row).collect::<Vec<_>>());
    found.map(|at| format!("{at}: `{}` belongs into {}", row.join(" "), allowed.join(", "))).collect()
}

#[test]
fn only_the_gateway_calls_policies_and_actions() {
    for call in ["on_request", "on_response"] {
        // The enum passes the call on to the policy it holds.
        assert_none(outside(SOURCES.iter(), &[".", call, "("], &["gateway", "policy"]));
    }
    assert_none(outside(core(), &[".", "answer", "("], &["gateway"]));
    // An upstream's own parts send to it.
    let upstreams = ["gateway", "upstream::proxy", "upstream::mirror", "upstream::own"];
    assert_none(outside(core(), &[".", "send", "("], &upstreams));
}

#[test]
fn only_rejections_become_problem_documents() {
    // `headers` looks for it in Accept.
    assert_none(outside(SOURCES.iter(), &["\"application/problem+json\""], &["reject", "headers"]));
    assert_none(outside(core(), &["reject", ".", "response", "("], &["gateway"]));
}

#[test]
fn only_hosts_implement_host() {
    let hosts = ["cloudflare::host", "memory", "spin::host"];
    assert_none(outside(SOURCES.iter(), &["impl", "Host", "for"], &hosts));
    let implements = |host: &&str| {
        let source = SOURCES.iter().find(|source| source.module.join("::") == **host);
        source.is_some_and(|source| source.find(&["impl", "Host", "for"]).count() == 1)
    };
    assert!(hosts.iter().all(implements), "the rule looks for something else than is there");
}

#[test]
fn nothing_panics() {
    let found = |source: &Source| {
        let named =
            |row: &'static [&str]| source.find(row).map(|at| format!("{at}: {}", row.concat())).collect::<Vec<_>>();
        PANICS.into_iter().flat_map(named).collect::<Vec<_>>()
    };
    assert_none(SOURCES.iter().flat_map(found).collect());
}

#[test]
fn what_is_under_cfg_test_is_left_out() {
    let text = "fn a() { b::<u8>() } #[cfg(test)] mod tests { fn c() { d.unwrap(); } } #[cfg(test)] mod e; use crate::{f::G, h};";
    let mut tokens = Vec::new();
    flatten(text.parse().expect("it is Rust"), &mut tokens);
    let tokens = without_tests(tokens);
    let source = Source { path: PathBuf::from("x.rs"), module: vec!["x".to_owned(), "y".to_owned()], tokens };
    assert_eq!(source.find(&[".", "unwrap", "("]).count() + source.find(&["mod"]).count(), 0);
    let uses: Vec<String> = source.uses().into_iter().map(|(path, _)| path.join("::")).collect();
    assert_eq!(uses, ["f::G", "h"]);
}
