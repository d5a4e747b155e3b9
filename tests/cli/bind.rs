//! `edgate bind`: what it writes, and what it leaves alone.

use super::folder::Folder;
use edgate::cli::Exit;

const DOCUMENT: &str = include_str!("bind/edgate.toml");
const WRANGLER: &str = include_str!("bind/wrangler.before.toml");
const SPIN: &str = include_str!("bind/spin.before.toml");

/// Runs `bind`, and once more, which must change nothing.
fn bind(folder: &Folder, options: &[&str]) -> String {
    let command = [&["bind"], options].concat();
    let outcome = folder.run(&command);
    assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Fine, ""), "{}", outcome.out);
    let files =
        |folder: &Folder| ["wrangler.toml", "spin.toml"].map(|name| folder.has(name).then(|| folder.read(name)));
    let before = files(folder);
    assert_eq!(folder.run(&command).exit, Exit::Fine);
    assert_eq!(files(folder), before);
    let check = folder.run(&[&command[..], &["--check"]].concat());
    assert_eq!(check.exit, Exit::Fine, "{}", check.out);
    outcome.out
}

/// Holds a file against the one that is expected; EDGATE_BLESS=1 writes that anew.
fn expect(folder: &Folder, name: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/bind").join(expected);
    if std::env::var_os("EDGATE_BLESS").is_some() {
        std::fs::write(&path, folder.read(name)).unwrap();
    }
    assert_eq!(folder.read(name), std::fs::read_to_string(&path).unwrap(), "{}", path.display());
}

#[test]
fn manifests_keep_their_comments_and_whatever_is_not_edgates() {
    let folder = Folder::new("bind-keep");
    folder.write("edgate.toml", DOCUMENT).write("wrangler.toml", WRANGLER).write("spin.toml", SPIN);
    let check = folder.run(&["bind", "--check"]);
    assert_eq!(check.exit, Exit::Mistakes);
    assert!(check.out.contains("error[out-of-step]: wrangler.toml has no `EDGATE`"), "{}", check.out);
    assert_eq!(folder.read("wrangler.toml"), WRANGLER);
    let out = bind(&folder, &[]);
    assert!(out.contains("wrangler.toml: wrote EDGATE, UPSTREAM_ORDERS, ROUTE_QUOTES; removed ROUTE_OLD, ROUTE_GONE; declared the secret `ORDERS_KEY`\n"), "{out}");
    assert!(out.contains("`https://foreign.example` may be called, and no upstream is there: left as it is"), "{out}");
    assert!(out.contains("wrangler secret put ORDERS_KEY"), "{out}");
    expect(&folder, "wrangler.toml", "wrangler.after.toml");
    expect(&folder, "spin.toml", "spin.after.toml");
    assert_eq!(folder.run(&["check"]).exit, Exit::Fine);
}

#[test]
fn manifests_are_made_where_there_are_none() {
    let folder = Folder::example();
    let check = folder.run(&["bind", "--check"]);
    assert_eq!(check.exit, Exit::Mistakes);
    assert!(check.out.contains("there is no wrangler.toml"), "{}", check.out);
    bind(&folder, &[]);
    let outcome = folder.run(&["check", "--deny-warnings"]);
    assert_eq!(outcome.exit, Exit::Fine, "{}", outcome.out);
    let routes = |file: &str| folder.run(&["routes", file]).out;
    assert_eq!(routes("wrangler.toml"), routes("edgate.toml"));
    assert_eq!(routes("spin.toml"), routes("edgate.toml"));
}

#[test]
fn a_document_for_one_platform_is_written_for_it_alone() {
    let folder = Folder::new("bind-targets");
    folder.write("edgate.toml", &DOCUMENT.replace("[gateway]", "[gateway]\ntargets = [\"spin\"]"));
    bind(&folder, &[]);
    assert!(folder.has("spin.toml") && !folder.has("wrangler.toml"));
    folder.write("wrangler.toml", WRANGLER);
    assert!(bind(&folder, &[]).contains("wrangler.toml is left alone"));
    assert_eq!(folder.read("wrangler.toml"), WRANGLER);
}

#[test]
fn a_document_in_a_store_leaves_little_in_the_bindings() {
    let folder = Folder::new("bind-source");
    let source = "[gateway]\nsource = { store = \"default\", key = \"edgate\" }";
    folder.write("edgate.toml", &DOCUMENT.replace("[gateway]", source));
    let out = bind(&folder, &[]);
    assert!(out.contains("wrangler kv key put edgate --binding default --path edgate.json --remote"), "{out}");
    assert!(out.contains("spin up --key-value edgate=\"$(edgate json)\""), "{out}");
    let (wrangler, spin) = (folder.read("wrangler.toml"), folder.read("spin.toml"));
    assert!(wrangler.contains("[vars.EDGATE]\nsource = { store = \"default\", key = \"edgate\" }\n"), "{wrangler}");
    assert!(wrangler.contains("[[kv_namespaces]]\nbinding = \"default\"\n"), "{wrangler}");
    assert!(wrangler.contains("required = [\"ORDERS_KEY\"]"), "{wrangler}");
    assert!(!wrangler.contains("ROUTE_ORDERS"), "{wrangler}");
    assert!(spin.contains("EDGATE = '{\"source\":{\"store\":\"default\",\"key\":\"edgate\"}}'\n"), "{spin}");
    assert!(spin.contains("key_value_stores = [\"default\"]\n"), "{spin}");
    assert!(spin.contains("\"https://orders.example.com\""), "{spin}");
    assert_eq!(folder.run(&["check"]).exit, Exit::Fine);
    // Back into the bindings.
    folder.write("edgate.toml", DOCUMENT);
    let out = bind(&folder, &[]);
    assert!(out.contains("the KV namespace `default` is still bound"), "{out}");
    assert!(folder.read("wrangler.toml").contains("[vars.ROUTE_ORDERS]"));
}

#[test]
fn an_environment_of_its_own_is_written() {
    let folder = Folder::new("bind-env");
    folder.write("edgate.toml", DOCUMENT).write("wrangler.toml", WRANGLER);
    bind(&folder, &["--env", "staging"]);
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.contains("[env.staging.vars.ROUTE_ORDERS]\n"), "{wrangler}");
    assert!(wrangler.contains("[env.staging.secrets]\nrequired = [\"ORDERS_KEY\"]\n"), "{wrangler}");
    assert!(wrangler.contains("[vars.ROUTE_GONE]"), "{wrangler}");
    assert_eq!(folder.run(&["check", "wrangler.toml", "--env", "staging"]).exit, Exit::Fine);
    let outcome = folder.run(&["bind", "--env", "other"]);
    assert_eq!(outcome.exit, Exit::Usage);
}

#[test]
fn tables_in_braces_and_with_dots_stay_what_they_are() {
    let folder = Folder::new("bind-inline");
    folder.write("edgate.toml", DOCUMENT);
    folder.write("wrangler.toml", "vars = { A = 1 }\nkv_namespaces = [{ binding = \"X\" }]\n");
    bind(&folder, &[]);
    assert!(
        folder.read("wrangler.toml").starts_with("vars = { A = 1, EDGATE = { name = \"demo\" }, "),
        "{}",
        folder.read("wrangler.toml")
    );
    folder.write("wrangler.toml", "vars.A = 1\nvars.ROUTE_OLD = '{}'\n");
    bind(&folder, &[]);
    assert!(
        folder.read("wrangler.toml").starts_with("vars.A = 1\nvars.EDGATE = { name = \"demo\" }\n"),
        "{}",
        folder.read("wrangler.toml")
    );
}

#[test]
fn what_toml_cannot_say_is_written_as_json() {
    let folder = Folder::new("bind-null");
    let document = r#"{"route":{"hello":{"match":{"path":"/"},"respond":{"json":{"nothing":null,"large":18446744073709551615}}}}}"#;
    folder.write("edgate.json", document);
    bind(&folder, &["--document", "edgate.json"]);
    let wrangler = folder.read("wrangler.toml");
    assert!(
        wrangler.contains(
            r#"ROUTE_HELLO = '{"match":{"path":"/"},"respond":{"json":{"nothing":null,"large":18446744073709551615}}}'"#
        ),
        "{wrangler}"
    );
}

#[test]
fn lines_that_end_as_on_windows_survive() {
    let folder = Folder::new("bind-crlf");
    let crlf = |text: &str| text.replace('\n', "\r\n");
    folder
        .write("edgate.toml", &crlf(DOCUMENT))
        .write("wrangler.toml", &crlf(WRANGLER))
        .write("spin.toml", &crlf(SPIN));
    bind(&folder, &[]);
    assert!(folder.read("wrangler.toml").contains("# This stands alone.\r\n"));
    assert_eq!(folder.run(&["check"]).exit, Exit::Fine);
}

#[test]
fn a_document_with_mistakes_is_not_written() {
    let folder = Folder::new("bind-broken");
    folder
        .write("edgate.toml", &DOCUMENT.replace("upstream = \"orders\"", "upstream = \"order\""))
        .write("wrangler.toml", WRANGLER);
    let outcome = folder.run(&["bind"]);
    assert_eq!(outcome.exit, Exit::Mistakes);
    assert!(outcome.err.contains("error[unknown-upstream]"), "{}", outcome.err);
    assert_eq!(folder.read("wrangler.toml"), WRANGLER);
    folder.write("edgate.toml", DOCUMENT).write("wrangler.toml", "[vars\n");
    let outcome = folder.run(&["bind"]);
    assert_eq!(outcome.exit, Exit::Mistakes);
    assert!(outcome.err.contains("error[bad-syntax]"), "{}", outcome.err);
    assert_eq!(folder.run(&["bind", "--document", "wrangler.toml"]).exit, Exit::Mistakes);
    assert_eq!(folder.run(&["bind", "--document", "absent.toml"]).exit, Exit::Usage);
}
