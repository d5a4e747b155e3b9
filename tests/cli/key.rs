//! `edgate key`: keys and hashes out of fixed randomness, and what is refused.

use super::folder::Folder;
use edgate::api_key::entry::Entry;
use edgate::cli::Exit;
use edgate::cli::world::World;
use edgate::password::{self, Hash};

/// 2026-01-01T00:00:00Z, with no randomness at all.
pub const WORLD: World = World {
    now: || 1_767_225_600,
    random: || Ok([7; 32]),
    password: || Ok("open sesame".to_owned()),
    variable: |_| None,
};

/// Holds a text against the file that has it; EDGATE_BLESS=1 writes that anew.
pub fn expect(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli").join(name);
    if std::env::var_os("EDGATE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "{}", path.display());
}

#[test]
fn a_key_is_shown_with_its_section() {
    let folder = Folder::new("key-section");
    let outcome = folder.run_in(&WORLD, &["key", "new", "acme", "--expires", "365d", "--group", "paying"]);
    assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Fine, ""));
    expect("key/section.txt", &outcome.out);
    let key = outcome.out.lines().next().unwrap();
    assert_eq!(folder.run(&["key", "check", key]).exit, Exit::Fine);
    // It loads as it is printed.
    let (_, section) = outcome.out.split_once("\n[consumer.acme]").unwrap();
    let route = "[route.hello]\nmatch = { path = \"/\" }\nrespond = {}\n";
    folder.write("edgate.toml", &format!("{route}[consumer.acme]{section}"));
    let check = folder.run(&["check"]);
    assert_eq!(check.exit, Exit::Fine, "{}", check.out);
    let outcome = folder.run_in(&WORLD, &["key", "new"]);
    assert!(outcome.out.contains("[consumer.NAME]\napi_keys = [{ sha256 = "), "{}", outcome.out);
}

#[test]
fn a_key_is_shown_with_its_entry_of_a_store() {
    let folder = Folder::new("key-store");
    let expiring = ["key", "new", "acme", "--expires", "2027-01-01", "--group", "it's"];
    let outcome = folder.run_in(&WORLD, &[&expiring[..], &["--store"]].concat());
    assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Fine, ""));
    expect("key/store.txt", &outcome.out);
    let outcome = folder.run_in(&WORLD, &[&expiring[..], &["--store=default", "--out", "key.json"]].concat());
    expect("key/file.txt", &outcome.out);
    let pairs: serde_json::Value = serde_json::from_str(&folder.read("key.json")).unwrap();
    let entry = Entry::parse(pairs[0]["value"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(
        (entry.consumer.as_str(), entry.groups, entry.expires),
        ("acme", vec!["it's".to_owned()], Some(1_798_761_600))
    );
}

#[test]
fn keys_differ() {
    let folder = Folder::new("key-differ");
    let key = || folder.run(&["key", "new"]).out.lines().next().unwrap().to_owned();
    assert_ne!(key(), key());
}

#[test]
fn keys_are_told_from_typos() {
    let folder = Folder::new("key-check");
    let key = "edgate_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp12sv8uR";
    let outcome = folder.run(&["key", "check", key]);
    assert_eq!(outcome.exit, Exit::Fine);
    expect("key/check.txt", &outcome.out);
    let outcome = folder.run(&["key", "check", &key.replace("yh", "hy")]);
    assert_eq!(outcome.exit, Exit::Mistakes);
    expect("key/typo.txt", &outcome.out);
    assert_eq!(folder.run(&["key", "check", "imported"]).exit, Exit::Mistakes);
    assert_eq!(folder.run(&["key", "check", ""]).exit, Exit::Usage);
    assert_eq!(folder.run(&["key", "check", &"a".repeat(513)]).exit, Exit::Usage);
}

#[test]
fn passwords_are_hashed() {
    let folder = Folder::new("key-password");
    for algorithm in ["argon2id", "bcrypt"] {
        let outcome = folder.run_in(&WORLD, &["key", "hash-password", "--algorithm", algorithm]);
        assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Fine, ""));
        expect(&format!("key/{algorithm}.txt"), &outcome.out);
        let hash = Hash::parse(outcome.out.lines().next().unwrap()).unwrap();
        assert!(password::verify(&hash, "open sesame"));
    }
}

#[test]
fn what_makes_no_key_is_refused() {
    let folder = Folder::new("key-refused");
    let refused = |world: &World, command: &[&str], why: &str| {
        let outcome = folder.run_in(world, &[&["key"], command].concat());
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Usage, ""), "{command:?}");
        assert!(outcome.err.contains(why), "{command:?}: {}", outcome.err);
    };
    refused(&WORLD, &["new", "Acme"], "no name of a consumer");
    refused(&WORLD, &["new", "--store"], "name the consumer");
    refused(&WORLD, &["new", "acme", "--expires", "soon"], "--expires: \"soon\" is neither");
    refused(&WORLD, &["new", "acme", "--expires", "2025-01-01"], "is over");
    refused(&WORLD, &["new", "acme", "--group", ""], "no name of a group");
    refused(&WORLD, &["new", "acme", "--out", "key.json"], "--store");
    refused(&WORLD, &["new", "acme", "--store", "--out", "absent/key.json"], "cannot be written");
    refused(&WORLD, &["new", "acme", "--store", "--group", &"g".repeat(20_000)], "too large");
    refused(&WORLD, &["hash-password", "--algorithm", "md5"], "invalid value");
    let no_randomness = World { random: || Err("there is no randomness".to_owned()), ..WORLD };
    refused(&no_randomness, &["new", "acme"], "no randomness");
    refused(&no_randomness, &["hash-password"], "no randomness");
    refused(&World { password: || Ok(String::new()), ..WORLD }, &["hash-password"], "no password");
    refused(&World { password: || Ok("a\tb".to_owned()), ..WORLD }, &["hash-password"], "no control characters");
    refused(&World { password: || Ok("a".repeat(400)), ..WORLD }, &["hash-password"], "384 bytes");
    let long = World { password: || Ok("a".repeat(73)), ..WORLD };
    refused(&long, &["hash-password", "--algorithm", "bcrypt"], "bcrypt reads 72 bytes");
    refused(&WORLD, &[], "Usage");
}
