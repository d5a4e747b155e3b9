//! The command line, as it is used: folders with files, commands, what they print, how they end.

#[path = "cli/bind.rs"]
mod bind;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/folder.rs"]
mod folder;
#[path = "cli/key.rs"]
mod key;
#[path = "cli/limits.rs"]
mod limits;
#[path = "cli/revoke.rs"]
mod revoke;
#[path = "cli/token.rs"]
mod token;

use edgate::cli::Exit;
use folder::Folder;

const FINE: &str = "[route.hello]\nmatch = { path = \"/\" }\nrespond = { body = \"hello\" }\n";
const WARNS: &str = "[upstream.orders]\nurl = \"https://orders.example.com\"\n";

#[test]
fn check_ends_with_what_it_found() {
    let folder = Folder::new("exits");
    folder.write("fine.toml", FINE).write("warns.toml", &format!("{WARNS}{FINE}")).write("broken.toml", WARNS);
    let exit = |command: &[&str]| folder.run(command).exit;
    assert_eq!(exit(&["check", "fine.toml"]), Exit::Fine);
    assert_eq!(exit(&["check", "warns.toml"]), Exit::Fine);
    assert_eq!(exit(&["check", "warns.toml", "--deny-warnings"]), Exit::Mistakes);
    assert_eq!(exit(&["check", "broken.toml"]), Exit::Mistakes);
    assert_eq!(exit(&["check", "absent.toml"]), Exit::Usage);
    assert_eq!(exit(&["check"]), Exit::Usage);
    assert_eq!(exit(&["check", "--nonsense"]), Exit::Usage);
    assert_eq!(exit(&["chekc"]), Exit::Usage);
    assert_eq!(exit(&["--help"]), Exit::Fine);
    assert_eq!(exit(&["--version"]), Exit::Fine);
}

#[test]
fn a_file_that_is_not_there_is_a_finding_too() {
    let folder = Folder::new("absent");
    let outcome = folder.run(&["check", "absent.toml", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(found[0]["code"], "unreadable");
    assert_eq!(found[0]["file"], "absent.toml");
    folder.write_bytes("latin.toml", b"# caf\xe9\n");
    assert!(folder.run(&["check", "latin.toml"]).out.contains("it is not UTF-8"));
}

#[test]
fn findings_in_json_have_lines_and_columns() {
    let folder = Folder::new("json");
    // Columns count characters, not bytes.
    folder.write("edgate.toml", "[route.\"\u{e9}\"]\n[route.hello]\nmatch = { path = \"/\u{e9}{x\" }\nrespond = {}\n");
    let outcome = folder.run(&["check", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
    let place =
        |index: usize| ["line", "column", "end_line", "end_column"].map(|key| found[index][key].as_u64().unwrap());
    assert_eq!(place(0), [1, 8, 1, 11]);
    assert_eq!(found[1]["code"], "bad-pattern");
    assert_eq!(place(1), [3, 20, 3, 23]);
    assert_eq!(found[1]["path"], "route.hello.match.path");
    assert_eq!(found[1]["severity"], "error");
}

#[test]
fn colour_is_in_the_output_and_nothing_else() {
    let folder = Folder::new("colour");
    folder.write("edgate.toml", WARNS);
    let (outcome, color) = folder.run_raw(&["check", "--color", "always"]);
    assert_eq!(color, anstream::ColorChoice::Always);
    assert!(outcome.out.contains("\u{1b}["));
    let (_, color) = folder.run_raw(&["--color", "never", "check"]);
    assert_eq!(color, anstream::ColorChoice::Never);
}

#[test]
fn a_document_for_one_platform_leaves_the_other_manifest_out() {
    let folder = Folder::new("targets");
    folder
        .write("edgate.toml", &format!("[gateway]\ntargets = [\"cloudflare\"]\n{FINE}"))
        .write("spin.toml", "[component.x]\nsource = \"x.wasm\"\n");
    let outcome = folder.run(&["check"]);
    assert_eq!(outcome.exit, Exit::Fine);
    assert!(outcome.out.contains("spin.toml is left out: edgate.toml is not for Spin\n"), "{}", outcome.out);
}

#[test]
fn parts_of_manifests_are_chosen() {
    let folder = Folder::new("choice");
    folder.write(
        "wrangler.toml",
        "[env.staging.vars.ROUTE_HELLO]\nmatch = { path = \"/\" }\nrespond = {}\n[env.empty]\nname = \"x\"\n",
    );
    assert_eq!(folder.run(&["check", "wrangler.toml"]).exit, Exit::Mistakes);
    assert_eq!(folder.run(&["check", "wrangler.toml", "--env", "staging"]).exit, Exit::Fine);
    assert_eq!(folder.run(&["check", "wrangler.toml", "--env", "empty"]).exit, Exit::Mistakes);
    assert!(folder.run(&["check", "wrangler.toml", "--env", "other"]).err.contains("there is no environment `other`"));
    let component = |name: &str| {
        format!("[component.{name}.environment]\nROUTE_HELLO = '{{\"match\":{{\"path\":\"/\"}},\"respond\":{{}}}}'\n")
    };
    folder.write("spin.toml", &component("a"));
    assert_eq!(folder.run(&["check", "spin.toml"]).exit, Exit::Fine);
    folder.write("spin.toml", &format!("{}[component.b]\n", component("a")));
    let outcome = folder.run(&["check", "spin.toml"]);
    assert_eq!(outcome.exit, Exit::Usage);
    assert!(outcome.err.contains("--component a or --component b"), "{}", outcome.err);
    assert_eq!(folder.run(&["check", "spin.toml", "--component", "a"]).exit, Exit::Fine);
    assert_eq!(folder.run(&["check", "spin.toml", "--component", "b"]).exit, Exit::Mistakes);
    folder.write("spin.toml", &format!("{}[component.b]\n", component("edgate")));
    assert_eq!(folder.run(&["check", "spin.toml"]).exit, Exit::Fine);
}

#[test]
fn routes_are_listed_the_most_specific_first() {
    let folder = Folder::example();
    let outcome = folder.run(&["routes"]);
    let names: Vec<&str> = outcome.out.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    let specific = [
        "hello",
        "lottery",
        "me",
        "orders-preview",
        "orders",
        "upload",
        "limits",
        "admin",
        "page",
        "user",
        "echo",
        "orders",
        "old-orders",
    ];
    assert_eq!(names, specific);
    assert!(outcome.out.contains("http://127.0.0.1:9101/v1/orders/{*rest}"), "{}", outcome.out);
}

#[test]
fn a_document_is_printed_as_a_store_holds_it() {
    let folder = Folder::new("stored");
    folder.write("edgate.toml", &format!("[gateway]\nname = \"g\"\nsource = {{ store = \"S\", key = \"k\" }}\n{FINE}"));
    let outcome = folder.run(&["json"]);
    folder.write("edgate.json", &outcome.out);
    assert_eq!(folder.run(&["check", "edgate.json"]).exit, Exit::Fine);
    let document: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(document["gateway"], serde_json::json!({ "name": "g" }));
    folder.write("edgate.toml", "[gateway]\nsource = { store = \"S\", key = \"k\" }\n");
    assert_eq!(folder.run(&["json"]).exit, Exit::Usage);
    assert_eq!(folder.run(&["routes"]).exit, Exit::Usage);
    assert_eq!(folder.run(&["check"]).exit, Exit::Fine);
}

#[test]
fn issuers_and_consumers_go_into_the_store_too() {
    let folder = Folder::new("stored-identity");
    let source = "[gateway]\nsource = { store = \"S\", key = \"k\" }\n";
    let identity = "[issuer.login]\nissuer = \"https://login.example.com\"\naudience = \"a\"\n\n[consumer.acme]\n";
    let route = "[route.a]\nmatch = { path = \"/a\" }\nrespond = {}\nauthenticate = { issuers = \"login\" }\n";
    folder.write("edgate.toml", &format!("{source}\n{identity}\n{route}"));
    let outcome = folder.run(&["check"]);
    assert_eq!(outcome.exit, Exit::Fine, "{}", outcome.out);
    assert!(outcome.out.contains("1 route, 0 upstreams, 1 issuer, 1 consumer"), "{}", outcome.out);
    let document: serde_json::Value = serde_json::from_str(&folder.run(&["json"]).out).unwrap();
    assert_eq!(document["issuer"]["login"]["audience"], "a");
    assert!(document["consumer"]["acme"].is_object() && document.get("gateway").is_none());
    // With nobody who could use them, they are for the store all the same: and there, a route is missing.
    folder.write("edgate.toml", &format!("{source}\n{identity}"));
    assert!(folder.run(&["check"]).out.contains("error[no-routes]"));
}

#[test]
fn shells_get_completions() {
    let folder = Folder::new("completions");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let outcome = folder.run(&["completions", shell]);
        assert_eq!(outcome.exit, Exit::Fine);
        assert!(outcome.out.contains("edgate") && outcome.out.contains("explain"), "{shell}");
    }
}

#[test]
fn every_command_shows_examples() {
    let folder = Folder::new("help");
    let nested = ["key new", "key check", "key hash-password", "limits list", "limits show", "limits reset"];
    let commands =
        ["check", "bind", "routes", "explain", "token", "json", "schema", "key", "revoke", "limits", "completions"];
    for command in commands.into_iter().chain(nested) {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let outcome = folder.run(&words);
        assert_eq!(outcome.exit, Exit::Fine);
        assert!(outcome.out.contains("Examples:\n  edgate "), "{command}");
        assert!(outcome.out.lines().all(|line| line.chars().count() <= 100), "{command}");
    }
}

#[test]
fn the_example_is_in_step() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let (outcome, _) = edgate::cli::run(["edgate", "check", "--deny-warnings"], root);
    assert_eq!(outcome.exit, Exit::Fine, "{}", outcome.out);
}
