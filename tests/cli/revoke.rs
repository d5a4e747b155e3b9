//! `edgate revoke`: what it keeps, and what goes into the store.

use super::folder::Folder;
use super::key::{WORLD, expect};
use edgate::cli::Exit;
use edgate::cli::world::World;
use edgate::revocation::filter::Filter;
use edgate::revocation::{Entry, Kind, entry_key, filter_key};
use serde_json::Value;

const LIST: [&str; 5] = ["revoke", "--issuer", "main", "--list", "revoked.json"];

/// A minute, or a day, after [`WORLD`].
const LATER: World = World { now: || 1_767_225_660, ..WORLD };
const NEXT_DAY: World = World { now: || 1_767_312_000, ..WORLD };

fn revoke(folder: &Folder, world: &World, more: &[&str]) -> Vec<(String, String, Option<u64>)> {
    let outcome = folder.run_in(world, &[&LIST, more].concat());
    assert_eq!(outcome.exit, Exit::Fine, "{}", outcome.err);
    let pairs: Vec<Value> = serde_json::from_str(&outcome.out).unwrap();
    let text = |pair: &Value, key: &str| pair[key].as_str().unwrap().to_owned();
    pairs.iter().map(|pair| (text(pair, "key"), text(pair, "value"), pair["expiration"].as_u64())).collect()
}

#[test]
fn what_is_taken_back_is_found_in_the_store() {
    let folder = Folder::new("revoke-found");
    let token = revoke(&folder, &WORLD, &["--jti", "9f3c", "--until", "1h"]);
    let subject = revoke(&folder, &LATER, &["--subject", "user-7", "--before", "now", "--until", "2026-01-02"]);
    let key = |kind, value| entry_key("main", kind, value);
    let [(token_key, token_value, token_expires), (filter, _, None)] = &token[..] else { panic!("{token:?}") };
    let [(subject_key, subject_value, _), (_, text, None)] = &subject[..] else { panic!("{subject:?}") };
    assert_eq!((token_key, token_expires), (&key(Kind::Token, "9f3c"), &Some(1_767_225_600 + 7_200)));
    assert_eq!((subject_key, filter), (&key(Kind::Subject, "user-7"), &filter_key("main")));
    assert_eq!(Entry::parse(token_value.as_bytes()), Ok(Entry { until: 1_767_229_200, before: None }));
    let wanted = Entry { until: 1_767_312_000, before: Some(1_767_225_660) };
    assert_eq!(Entry::parse(subject_value.as_bytes()), Ok(wanted));
    let filter = Filter::parse(text.as_bytes()).unwrap();
    assert!(filter.may_contain(Kind::Token, "9f3c") && filter.may_contain(Kind::Subject, "user-7"));
    assert!(!filter.may_contain(Kind::Token, "user-7"));
    expect("revoke/list.json", &folder.read("revoked.json"));
    // All of it, for an empty store.
    let all = revoke(&folder, &LATER, &[]);
    assert_eq!(all, [&token[..1], &subject[..]].concat());
}

#[test]
fn what_has_ended_leaves_the_list() {
    let folder = Folder::new("revoke-ended");
    revoke(&folder, &WORLD, &["--jti", "a", "--until", "1h"]);
    revoke(&folder, &WORLD, &["--jti", "b", "--until", "10d"]);
    let outcome = folder.run_in(&NEXT_DAY, &LIST);
    assert!(outcome.err.starts_with("revoked.json has 1 of main, without 1 that ended.\n"), "{}", outcome.err);
    assert!(!folder.read("revoked.json").contains("\"a\""));
    let much_later = World { now: || 1_800_000_000, ..WORLD };
    assert_eq!(revoke(&folder, &much_later, &[]), [(filter_key("main"), "1.".to_owned(), None)]);
    assert_eq!(folder.read("revoked.json"), "[]\n");
}

#[test]
fn issuers_share_a_list_and_no_filter() {
    let folder = Folder::new("revoke-issuers");
    revoke(&folder, &WORLD, &["--jti", "a", "--until", "1h"]);
    let other = ["revoke", "--issuer", "other", "--list", "revoked.json", "--jti", "b", "--until", "1h"];
    assert_eq!(folder.run_in(&WORLD, &other).exit, Exit::Fine);
    let main = revoke(&folder, &WORLD, &[]);
    assert_eq!(main.len(), 2);
    let filter = Filter::parse(main[1].1.as_bytes()).unwrap();
    assert!(filter.may_contain(Kind::Token, "a") && !filter.may_contain(Kind::Token, "b"));
}

#[test]
fn pairs_are_written_into_a_file() {
    let folder = Folder::new("revoke-out");
    let more = ["--jti", "9f3c", "--until", "1h", "--out", "pairs.json"];
    let outcome = folder.run_in(&WORLD, &[&LIST[..], &more].concat());
    assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Fine, ""));
    expect("revoke/out.txt", &outcome.out);
    expect("revoke/pairs.json", &folder.read("pairs.json"));
    assert!(!folder.has("pairs.json.new"));
}

#[test]
fn what_takes_nothing_back_is_refused() {
    let folder = Folder::new("revoke-refused");
    let refused = |more: &[&str], why: &str| {
        let outcome = folder.run_in(&WORLD, &[&LIST, more].concat());
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Usage, ""), "{more:?}");
        assert!(outcome.err.contains(why), "{more:?}: {}", outcome.err);
    };
    refused(&["--jti", "a"], "--until");
    refused(&["--until", "1h"], "--jti");
    refused(&["--jti", "a", "--subject", "b", "--until", "1h"], "cannot be used with");
    refused(&["--jti", "a", "--before", "now", "--until", "1h"], "`before` belongs to a `sub`");
    refused(&["--jti", "", "--until", "1h"], "1 to 1000 bytes");
    refused(&["--jti", "a", "--until", "soon"], "--until: \"soon\" is neither");
    refused(&["--jti", "a", "--until", "2025-01-01"], "is over");
    refused(&["--subject", "a", "--before", "then", "--until", "1h"], "--before");
    refused(&["--jti", "a", "--until", "1h", "--out", "revoked.json"], "the same file");
    assert!(!folder.has("revoked.json"));
    folder.write("revoked.json", "[{}]");
    refused(&["--jti", "a", "--until", "1h"], "revoked.json: missing field");
    assert_eq!(folder.read("revoked.json"), "[{}]");
    let outcome = folder.run_in(&WORLD, &["revoke", "--issuer", "Main", "--list", "x.json"]);
    assert_eq!(outcome.exit, Exit::Usage);
    assert!(outcome.err.contains("no name of an issuer"), "{}", outcome.err);
}
