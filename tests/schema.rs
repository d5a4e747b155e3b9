//! What is made from the types is what is committed: the JSON Schema that editors use, the reference that people read,
//! and the manifests of the example. `EDGATE_BLESS=1 cargo test --test schema` makes the first two anew.

use edgate::cli::{Exit, run, schema};
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Holds what a command prints against a file.
fn hold(command: &[&str], file: &str) {
    let (outcome, _) = run(["edgate"].iter().chain(command), root());
    assert_eq!(outcome.exit, Exit::Fine);
    if std::env::var_os("EDGATE_BLESS").is_some() {
        std::fs::write(root().join(file), &outcome.out).unwrap();
    }
    let committed = std::fs::read_to_string(root().join(file)).unwrap_or_default();
    assert!(committed == outcome.out, "{file} is not what `edgate {}` prints: run it again", command.join(" "));
}

#[test]
fn the_schema_is_made_from_the_types() {
    hold(&["schema"], "edgate.schema.json");
}

#[test]
fn the_reference_is_made_from_the_schema() {
    hold(&["schema", "--markdown"], "docs/configuration.md");
}

#[test]
fn the_example_names_the_schema_and_is_in_the_manifests() {
    let document = std::fs::read_to_string(root().join("edgate.toml")).unwrap();
    assert!(document.starts_with("#:schema ./edgate.schema.json\n"));
    let (outcome, _) = run(["edgate", "bind", "--check"], root());
    assert_eq!(outcome.exit, Exit::Fine, "run `cargo run -- bind`\n{}", outcome.out);
}

#[test]
fn the_schema_has_no_reference_that_leads_nowhere() {
    let schema = schema::value();
    let mut left = vec![&schema];
    while let Some(value) = left.pop() {
        if let Some(reference) = value.get("$ref").and_then(|reference| reference.as_str()) {
            assert!(schema.pointer(&reference[1..]).is_some(), "{reference}");
        }
        assert_ne!(value, "null");
        left.extend(value.as_object().into_iter().flat_map(|map| map.values()));
        left.extend(value.as_array().into_iter().flatten());
    }
    assert_eq!(schema["properties"]["route"]["propertyNames"]["pattern"], "^[a-z][a-z0-9]*(-[a-z0-9]+)*$");
}
