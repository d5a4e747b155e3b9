//! Broken configurations, and what is said of them, to the letter: the code, the caret, the way out.
//!
//! Each file, or folder of files, of tests/diagnostics is checked as a user would check it, and the output held
//! against the text beside it. `EDGATE_BLESS=1 cargo test --test diagnostics` writes the texts anew: read them then.

use edgate::cli;
use edgate::cli::input::Failure;
use edgate::cli::manifest::Choice;
use edgate::cli::needs::Needs;
use edgate::config::diagnostic::Code;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What no configuration file can be blamed for.
const ELSEWHERE: [(Code, &str); 2] = [
    (Code::MissingSecret, "found when the configuration is loaded on the platform, which has the secrets"),
    (Code::Unreadable, "about a file that is not there: tests/cli.rs"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

/// The names of the broken files and folders.
fn cases() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| !name.ends_with(".txt")).collect();
    names.sort();
    names
}

/// Checks a file by its name, or all that is in a folder.
fn check(name: &str, options: &[&str]) -> String {
    let path = folder().join(name);
    let command = ["edgate", "check"].into_iter().chain(options.iter().copied());
    let (outcome, _) = match path.is_dir() {
        true => cli::run(command.collect::<Vec<_>>(), &path),
        false => cli::run(command.chain([name]).collect::<Vec<_>>(), &folder()),
    };
    assert_eq!(outcome.err, "", "{name}");
    anstream::adapter::strip_str(&outcome.out).to_string()
}

#[test]
fn every_broken_configuration_is_told_what_is_wrong() {
    let bless = std::env::var_os("EDGATE_BLESS").is_some();
    let mut wrong = Vec::new();
    for name in cases() {
        let said = check(&name, &[]);
        let path = folder().join(format!("{name}.txt"));
        if bless {
            std::fs::write(&path, &said).unwrap();
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(said.as_str()) {
            wrong.push(format!("--- {name}: expected {}, found\n{said}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\n(EDGATE_BLESS=1 accepts this)", wrong.join("\n"));
}

#[test]
fn every_code_has_a_broken_configuration() {
    let mut seen = BTreeSet::new();
    for name in cases() {
        let found: serde_json::Value = serde_json::from_str(&check(&name, &["--format", "json"])).unwrap();
        let codes = found.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned());
        seen.extend(codes);
    }
    for code in Code::ALL {
        let elsewhere = ELSEWHERE.iter().any(|(other, _)| other == code);
        assert_ne!(seen.contains(code.as_str()), elsewhere, "{}", code.as_str());
    }
    assert!(cases().len() >= 50);
}

/// Reads, loads and renders, as `edgate check` does. What is found is not looked at: it must only come to an end.
fn survive(name: &str, text: &str) {
    let input = match cli::input::parse(name, text.to_owned(), &Choice::default()) {
        Ok(input) => input,
        Err(Failure::Found(finding)) => return drop(cli::render::text(&[*finding])),
        Err(Failure::Usage(_)) => return,
    };
    let configuration = cli::configuration::load(&input);
    let mut findings = configuration.findings.clone();
    findings.extend(cli::variables::exceeded(&input, &configuration));
    findings.extend(cli::declared::missing(&input, &input, &Needs::of(&input.sections)));
    assert!(
        configuration.gateway.is_none() || !findings.iter().any(|finding| finding.diagnostic.code == Code::BadSyntax)
    );
    let shown = cli::render::text(&findings);
    assert_eq!(shown.is_empty(), findings.is_empty());
    cli::render::json(&findings);
}

/// The words that configurations are made of, so that arbitrary ones come near to real ones.
fn word() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "gateway",
        "upstream",
        "route",
        "match",
        "path",
        "host",
        "methods",
        "headers",
        "query",
        "url",
        "timeout",
        "rewrite",
        "set",
        "add",
        "remove",
        "keep",
        "strip_prefix",
        "redirect",
        "respond",
        "to",
        "status",
        "json",
        "body",
        "source",
        "store",
        "key",
        "refresh",
        "targets",
        "log",
        "secret",
        "prefix",
        "websocket",
        "orders",
        "https://orders.example",
        "/orders/{id}",
        "/{*rest}",
        "{path.id}",
        "GET",
        "10s",
        "8 KB",
        "ROUTE_A",
        "EDGATE",
        "vars",
        "component",
        "environment",
    ];
    prop_oneof![4 => proptest::sample::select(KNOWN).prop_map(str::to_owned), 1 => any::<String>()]
}

/// JSON in something like the shape of a document.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        word().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map(word(), inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The text of every broken file.
fn corpus() -> Vec<(String, String)> {
    let read = |name: String| Some((std::fs::read_to_string(folder().join(&name)).ok()?, name));
    cases().into_iter().filter_map(read).map(|(text, name)| (name, text)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_refused_without_a_panic(text in any::<String>(), bytes in any::<Vec<u8>>()) {
        for name in ["edgate.toml", "edgate.json", "wrangler.toml", "spin.toml"] {
            survive(name, &text);
            survive(name, &String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn arbitrary_json_is_refused_without_a_panic(document in value()) {
        let text = document.to_string();
        survive("edgate.json", &text);
        let quoted = serde_json::Value::from(text.as_str()).to_string();
        survive("wrangler.toml", &format!("[vars]\nEDGATE = {quoted}\nROUTE_A = {quoted}\nUPSTREAM_ORDERS = '''{text}'''"));
        survive("spin.toml", &format!("[component.edgate.environment]\nROUTE_A = {quoted}\n"));
    }

    #[test]
    fn broken_files_that_are_broken_further_do_not_panic(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), length in 0usize..24, with in "\\PC{0,6}|[\\[\\]{}\"'=.,\n]{0,3}") {
        let corpus = corpus();
        let (name, text) = which.get(&corpus);
        let characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len() + 1);
        let rest = characters.iter().skip(at + length);
        let changed: String = characters.iter().take(at).copied().chain(with.chars()).chain(rest.copied()).collect();
        survive(name, &changed);
    }
}
