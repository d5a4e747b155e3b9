//! The Spin runner, with a script in place of Spin: what it is started with, and how its log is followed.

use edgate_kit::running::{Deployment, Running};
use edgate_kit::spin::{Options, Program, Spin};
use serde_json::json;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

/// Logs its manifest, then the value of the key `k` once that is there.
const SCRIPT: &str = r#"#!/bin/sh
manifest=$3 state=$5 address=$8
mkdir -p "$state/logs"
cat "$manifest" > "$state/logs/edgate_stdout.txt"
echo "Serving http://$address"
while ! test -e "$state/kv/default/6b"; do sleep 0.02; done
cat "$state/kv/default/6b" >> "$state/logs/edgate_stderr.txt"
exec sleep 60
"#;

fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("spin");
    std::fs::write(&path, text).expect("it can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    path
}

fn options(folder: &Path, text: &str) -> Options {
    let wasm = folder.join("edgate.wasm");
    std::fs::write(&wasm, "").expect("it can be written");
    let allowed = vec!["http://127.0.0.1:9101".to_owned()];
    Options { program: Program::StandIn(script(folder, text)), wasm, allowed, state: None }
}

#[tokio::test]
async fn manifest_says_what_is_deployed_and_logs_and_values_are_live() {
    let folder = tempfile::tempdir().expect("a folder");
    let deployment = Deployment {
        bindings: vec![("ROUTE_A".to_owned(), json!({ "a": "\"b\"" })), ("EDGATE".to_owned(), json!("text"))],
        secrets: vec![("ORDERS_KEY".to_owned(), "s3cret".to_owned())],
        stores: BTreeMap::from([("default".to_owned(), BTreeMap::new())]),
        ..Deployment::default()
    };
    let spin = Spin::start(&options(folder.path(), SCRIPT), &deployment).await.expect("it starts");
    let running = Running::Spin(spin);
    running.lines().wait_for(0, SOON, |line| line.contains("source")).await.expect("the manifest has a source");
    let manifest: toml::Table = toml::from_str(&running.lines().since(0).join("\n")).expect("it is TOML");
    let component = &manifest["component"]["edgate"];
    assert_eq!(component["environment"]["ROUTE_A"].as_str(), Some(r#"{"a":"\"b\""}"#));
    assert_eq!(component["environment"]["EDGATE"].as_str(), Some("text"));
    assert_eq!(component["variables"]["orders_key"].as_str(), Some("{{ orders_key }}"));
    assert_eq!(manifest["variables"]["orders_key"]["default"].as_str(), Some("s3cret"));
    assert_eq!(component["key_value_stores"][0].as_str(), Some("default"));
    assert_eq!(component["allowed_outbound_hosts"][0].as_str(), Some("http://127.0.0.1:9101"));

    running.set_value("default", "k", "changed\n").expect("the stand-in's values can be changed");
    running.lines().wait_for(0, SOON, |line| line == "changed").await.expect("it is logged");
}

#[tokio::test]
async fn real_spin_refuses_a_change_of_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = options(folder.path(), SCRIPT);
    let Program::StandIn(path) = options.program else { unreachable!("it is the stand-in") };
    options.program = Program::Spin(path);
    let spin = Spin::start(&options, &Deployment::default()).await.expect("it starts");
    let error = spin.set_value("default", "k", "v").expect_err("it cannot be changed");
    assert!(error.to_string().contains("cannot change"), "{error}");
}

#[tokio::test]
async fn failing_start_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = options(folder.path(), "#!/bin/sh\necho 'Error: it is broken' >&2\nexit 3\n");
    let error = format!("{:#}", Spin::start(&options, &Deployment::default()).await.expect_err("it does not start"));
    assert!(error.contains("it is broken") && error.contains("exit status: 3"), "{error}");
}
