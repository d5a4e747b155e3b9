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
    assert!(
        out.contains("`https://foreign.example` may be called, and edgate does not call it: left as it is"),
        "{out}"
    );
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

/// Tokens that are bound to a key: each proof is taken once, and something has to see to it.
const IDENTITY: &str = r#"
[gateway]
redis = "redis://127.0.0.1:6379"
store = "SHARED"

[gateway.api_key]
store = "API_KEYS"

[upstream.orders]
url = "https://orders.example.com"
internal_token = { secret = { secret = "ORDERS_TOKEN" } }

[issuer.main]
issuer = "https://id.example.com"
audience = "orders"
key_origins = ["https://keys.example.com"]

[issuer.main.dpop]
nonce = { secret = "DPOP_NONCE" }

[consumer.acme]
groups = ["partners"]

[route.orders]
match = { path = "/orders" }
upstream = "orders"
authenticate = { methods = ["token", "api_key"], issuers = "main" }
"#;

/// The same without proofs.
fn without_dpop() -> String {
    IDENTITY.replace("[issuer.main.dpop]\nnonce = { secret = \"DPOP_NONCE\" }\n", "")
}

const OBJECTS: &str = "[[durable_objects.bindings]]\nname = \"EDGATE_CLAIMS\"\nclass_name = \"EdgateClaims\"\n";
const MIGRATION: &str = "tag = \"edgate-1\"\nnew_sqlite_classes = [\"EdgateClaims\"]\n";

#[test]
fn what_tells_clients_apart_is_bound_and_declared() {
    let folder = Folder::new("bind-identity");
    folder.write("edgate.toml", IDENTITY);
    bind(&folder, &[]);
    expect(&folder, "wrangler.toml", "identity.wrangler.toml");
    expect(&folder, "spin.toml", "identity.spin.toml");
    assert_eq!(folder.run(&["check"]).exit, Exit::Fine);
    folder.write("spin.toml", &folder.read("spin.toml").replace("\"partners\"", "\"others\""));
    let check = folder.run(&["check"]);
    assert!(check.out.contains("`CONSUMER_ACME` is not what edgate.toml says"), "{}", check.out);
}

#[test]
fn durable_objects_are_declared_beside_those_that_are_there() {
    let folder = Folder::new("bind-objects");
    let others = "[[durable_objects.bindings]]\nname = \"ROOMS\" # chat\nclass_name = \"Rooms\"\n\n\
                  [[migrations]]\ntag = \"edgate-1\"\nnew_sqlite_classes = [\"Rooms\"]\n";
    folder.write("edgate.toml", IDENTITY).write("wrangler.toml", others);
    let out = bind(&folder, &[]);
    assert!(out.contains("the Durable Objects `EDGATE_CLAIMS`, their class `EdgateClaims`"), "{out}");
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.starts_with(&others[..others.find("\n\n").unwrap()]), "{wrangler}");
    assert!(wrangler.contains(OBJECTS), "{wrangler}");
    assert!(wrangler.contains("tag = \"edgate-2\"\nnew_sqlite_classes = [\"EdgateClaims\"]\n"), "{wrangler}");
    // They hold data: nobody takes them away by changing a document.
    folder.write("edgate.toml", &without_dpop());
    let out = bind(&folder, &[]);
    assert!(out.contains("the Durable Objects `EDGATE_CLAIMS` are still bound: edgate no longer needs them"), "{out}");
    assert!(folder.read("wrangler.toml").contains(OBJECTS));
}

#[test]
fn durable_objects_of_an_environment_are_declared_where_they_count() {
    let folder = Folder::new("bind-objects-env");
    folder.write("edgate.toml", IDENTITY).write("wrangler.toml", "[env.staging]\nname = \"staging\"\n");
    bind(&folder, &["--env", "staging"]);
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.contains(&OBJECTS.replace("[[", "[[env.staging.")), "{wrangler}");
    assert!(wrangler.contains(&format!("[[env.staging.migrations]]\n{MIGRATION}")), "{wrangler}");
    // Migrations are inherited, and one more of the environment's own would hide them.
    let inherited = "[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"Rooms\"]\n\n[env.staging]\nname = \"x\"\n";
    folder.write("wrangler.toml", inherited);
    bind(&folder, &["--env", "staging"]);
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.contains(&format!("[[migrations]]\n{MIGRATION}")), "{wrangler}");
    assert!(!wrangler.contains("env.staging.migrations"), "{wrangler}");
}

#[test]
fn durable_objects_are_exported_where_others_are() {
    let folder = Folder::new("bind-objects-exports");
    let exports = "[exports.Rooms]\ntype = \"durable-object\"\nstorage = \"sqlite\"\n";
    folder.write("edgate.toml", IDENTITY).write("wrangler.toml", exports);
    bind(&folder, &[]);
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.contains(&exports.replace("Rooms", "EdgateClaims")), "{wrangler}");
    assert!(!wrangler.contains("migrations"), "{wrangler}");
}

#[test]
fn durable_objects_of_another_worker_need_no_class() {
    let folder = Folder::new("bind-objects-script");
    let bound = "durable_objects.bindings = [{ name = \"EDGATE_CLAIMS\", class_name = \"EdgateClaims\", script_name = \"x\" }]\n";
    folder.write("edgate.toml", IDENTITY).write("wrangler.toml", bound);
    bind(&folder, &[]);
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.starts_with(bound) && !wrangler.contains("migrations"), "{wrangler}");
}

#[test]
fn redis_is_called_only_where_something_happens_once() {
    let folder = Folder::new("bind-redis");
    folder.write("edgate.toml", IDENTITY);
    bind(&folder, &[]);
    assert!(folder.read("spin.toml").contains("\"redis://127.0.0.1:6379\""));
    folder.write("edgate.toml", &without_dpop());
    assert!(bind(&folder, &[]).contains("no longer declared `redis://127.0.0.1:6379`"));
    let spin = folder.read("spin.toml");
    let hosts = spin.lines().find(|line| line.starts_with("allowed_outbound_hosts")).unwrap();
    assert!(!hosts.contains("redis"), "{hosts}");
}

/// One limit of each accuracy, and proofs beside them.
const LIMITS: &str = r#"
[gateway]
targets = ["cloudflare"]
signature = { nonce = true }

[limit.per-client]
rate = "100/1m"
key = "client.address"
accuracy = "regional"

[limit.per-user]
quota = "1000/day"
key = "client.address"
accuracy = "leased"

[limit.own]
rate = "5/1s"
key = "global"
accuracy = "local"

[route.orders]
match = { path = "/orders" }
respond = {}
limits = ["per-client", "per-user", "own"]
"#;

/// The same without what all instances count.
fn counting_nothing() -> String {
    LIMITS.replace("accuracy = \"leased\"", "accuracy = \"local\"")
}

#[test]
fn limits_have_their_counters_declared() {
    let folder = Folder::new("bind-limits");
    folder.write("edgate.toml", LIMITS);
    let out = bind(&folder, &[]);
    let declared = "declared the Durable Objects `EDGATE_CLAIMS`, the Durable Objects `EDGATE_LIMITS`, their class \
                    `EdgateClaims`, their class `EdgateLimits`, the rate limiter `REGIONAL_PER_CLIENT`\n";
    assert!(out.contains(declared), "{out}");
    expect(&folder, "wrangler.toml", "limits.wrangler.toml");
    assert_eq!(folder.run(&["check"]).exit, Exit::Fine);
}

#[test]
fn limits_join_what_claims_have() {
    let folder = Folder::new("bind-limits-later");
    folder.write("edgate.toml", &counting_nothing());
    bind(&folder, &[]);
    let before = folder.read("wrangler.toml");
    folder.write("edgate.toml", LIMITS);
    let check = folder.run(&["bind", "--check"]);
    assert!(check.out.contains("no migration makes the class `EdgateLimits`\n"), "{}", check.out);
    bind(&folder, &[]);
    let wrangler = folder.read("wrangler.toml");
    let second = "[[migrations]]\ntag = \"edgate-2\"\nnew_sqlite_classes = [\"EdgateLimits\"]\n";
    assert!(before.contains(MIGRATION) && wrangler.contains(MIGRATION) && wrangler.contains(second), "{wrangler}");
    // They hold data, as claims do.
    folder.write("edgate.toml", &counting_nothing());
    let out = bind(&folder, &[]);
    assert!(out.contains("the Durable Objects `EDGATE_LIMITS` are still bound: edgate no longer needs them"), "{out}");
}

#[test]
fn rate_limiters_are_kept_in_step() {
    let folder = Folder::new("bind-limiters");
    let foreign = "[[ratelimits]]\nname = \"OTHER\"\nnamespace_id = \"1001\"\nsimple = { limit = 1, period = 60 }\n";
    folder.write("edgate.toml", LIMITS).write("wrangler.toml", foreign);
    bind(&folder, &[]);
    let written = folder.read("wrangler.toml");
    assert!(written.contains("name = \"REGIONAL_PER_CLIENT\"\nnamespace_id = \""), "{written}");
    // A number of somebody's own, and comments, stay.
    let own = "\n# Of those who call.\n[[ratelimits]]\nname = \"REGIONAL_PER_CLIENT\" # ours\nnamespace_id = \"7\"\n\n\
               [ratelimits.simple]\nlimit = 100 # many\nperiod = 60\n";
    let commented = format!("{foreign}\n# Alone.\n{own}");
    folder.write("wrangler.toml", &commented);
    bind(&folder, &[]);
    folder.write("edgate.toml", &LIMITS.replace("100/1m", "40/10s"));
    let check = folder.run(&["bind", "--check"]);
    assert!(check.out.contains("the rate limiter `REGIONAL_PER_CLIENT` is not for 40 in 10 s\n"), "{}", check.out);
    let out = bind(&folder, &[]);
    assert!(out.contains("declared the rate limiter `REGIONAL_PER_CLIENT` as 40 in 10 s\n"), "{out}");
    let wrangler = folder.read("wrangler.toml");
    let changed = commented.replace("limit = 100 # many\nperiod = 60", "limit = 40 # many\nperiod = 10");
    assert!(wrangler.starts_with(&changed), "{wrangler}");
    // A limit that is gone takes its own with it.
    folder.write("edgate.toml", &LIMITS.replace("accuracy = \"regional\"", "accuracy = \"local\""));
    let out = bind(&folder, &[]);
    assert!(out.contains("no longer declared the rate limiter `REGIONAL_PER_CLIENT`"), "{out}");
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.starts_with(&format!("{foreign}\n# Alone.\n")), "{wrangler}");
    assert!(!wrangler.contains("REGIONAL_PER_CLIENT") && !wrangler.contains("Of those who call"), "{wrangler}");
}

#[test]
fn rate_limiters_in_braces_stay_there() {
    let folder = Folder::new("bind-limiters-inline");
    folder.write("edgate.toml", LIMITS).write("wrangler.toml", "ratelimits = []\nvars = {}\n");
    bind(&folder, &[]);
    let wrangler = folder.read("wrangler.toml");
    let bound = "{ name = \"REGIONAL_PER_CLIENT\", namespace_id = \"";
    assert!(wrangler.starts_with(&format!("ratelimits = [{bound}")), "{wrangler}");
    folder.write("edgate.toml", &LIMITS.replace("100/1m", "40/10s"));
    bind(&folder, &[]);
    assert!(folder.read("wrangler.toml").contains("simple = { limit = 40, period = 10 } }]"));
    folder.write("edgate.toml", &LIMITS.replace("accuracy = \"regional\"", "accuracy = \"local\""));
    bind(&folder, &[]);
    assert!(!folder.read("wrangler.toml").contains("ratelimits"));
}

#[test]
fn rate_limiters_of_an_environment_count_for_themselves() {
    let folder = Folder::new("bind-limiters-env");
    folder.write("edgate.toml", LIMITS).write("wrangler.toml", "name = \"shop\"\n\n[env.staging]\nname = \"x\"\n");
    bind(&folder, &[]);
    bind(&folder, &["--env", "staging"]);
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.contains("[[env.staging.ratelimits]]\nname = \"REGIONAL_PER_CLIENT\""), "{wrangler}");
    let numbers: std::collections::BTreeSet<&str> =
        wrangler.lines().filter(|line| line.starts_with("namespace_id")).collect();
    assert_eq!(numbers.len(), 2, "{wrangler}");
}

#[test]
fn instances_on_spin_count_where_they_may() {
    let folder = Folder::new("bind-counters");
    let on = |gateway: &str| LIMITS.replace("targets = [\"cloudflare\"]\nsignature = { nonce = true }", gateway);
    let on = |gateway: &str| on(gateway).replace("accuracy = \"regional\"\n", "");
    let spin = |gateway: &str| {
        folder.write("edgate.toml", &on(gateway));
        let out = bind(&folder, &[]);
        (out, folder.read("spin.toml"))
    };
    let (out, manifest) = spin("targets = [\"spin\"]");
    assert!(out.contains("the store `default`"), "{out}");
    assert!(manifest.contains("key_value_stores = [\"default\"]\n"), "{manifest}");
    let (out, manifest) = spin("targets = [\"spin\"]\ncounters = \"numbers\"");
    assert!(out.contains("the store `default` is still listed: edgate no longer reads it"), "{out}");
    assert!(manifest.contains("key_value_stores = [\"default\", \"numbers\"]\n"), "{manifest}");
    let (_, manifest) = spin("targets = [\"spin\"]\nredis = \"redis://127.0.0.1\"");
    assert!(manifest.contains("\"redis://127.0.0.1:6379\""), "{manifest}");
    // Workers has no such store.
    folder.write("edgate.toml", &on("counters = \"numbers\""));
    bind(&folder, &[]);
    let wrangler = folder.read("wrangler.toml");
    assert!(!wrangler.contains("kv_namespaces") && wrangler.contains("EDGATE_LIMITS"), "{wrangler}");
}

const HEALTH: &str = r#"
[gateway]
targets = ["cloudflare"]
store = "STATE"

[upstream.orders]
url = "https://orders.example"
health = { path = "/health" }

[route.all]
match = { path = "/{*rest}" }
upstream = "orders"
"#;

#[test]
fn health_has_its_schedule_declared() {
    let folder = Folder::new("bind-health");
    let own = "name = \"shop\"\n\n# Reports.\n[triggers]\ncrons = [\"0 3 * * *\"] # at night\n";
    folder.write("edgate.toml", HEALTH).write("wrangler.toml", own);
    let check = folder.run(&["bind", "--check"]);
    assert!(check.out.contains("no cron trigger runs each minute (`* * * * *`)\n"), "{}", check.out);
    let out = bind(&folder, &[]);
    assert!(out.contains("declared the KV namespace `STATE`, the cron trigger `* * * * *`\n"), "{out}");
    let wrangler = folder.read("wrangler.toml");
    let changed = own.replace("[\"0 3 * * *\"]", "[\"0 3 * * *\", \"* * * * *\"]");
    assert!(wrangler.starts_with(&changed), "{wrangler}");
    folder.write("edgate.toml", &HEALTH.replace("health = { path = \"/health\" }\n", ""));
    let out = bind(&folder, &[]);
    assert!(out.contains("the cron trigger `* * * * *` is still there: edgate no longer needs it"), "{out}");
}

#[test]
fn a_schedule_is_made_where_there_is_none() {
    let folder = Folder::new("bind-health-new");
    folder.write("edgate.toml", HEALTH);
    bind(&folder, &[]);
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.contains("\n[triggers]\ncrons = [\"* * * * *\"]\n"), "{wrangler}");
}

#[test]
fn an_environment_inherits_its_schedule() {
    let folder = Folder::new("bind-health-env");
    folder.write("edgate.toml", HEALTH).write(
        "wrangler.toml",
        "name = \"x\"\n\n[triggers]\ncrons = [\"0 3 * * *\"]\n\n[env.one]\nname = \"y\"\n\n[env.two.triggers]\ncrons = []\n",
    );
    bind(&folder, &["--env", "one"]);
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.contains("[triggers]\ncrons = [\"0 3 * * *\", \"* * * * *\"]\n"), "{wrangler}");
    bind(&folder, &["--env", "two"]);
    let wrangler = folder.read("wrangler.toml");
    assert!(wrangler.contains("[env.two.triggers]\ncrons = [\"* * * * *\"]\n"), "{wrangler}");
}
