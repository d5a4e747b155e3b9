//! `edgate limits`, against the gateway itself on a socket, and against servers that are none.

use super::folder::Folder;
use super::key::{WORLD, expect};
use edgate::body::Body;
use edgate::cli::Exit;
use edgate::cli::world::World;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::headers::section_size;
use edgate::host::{Capabilities, ClientFacts, Host, Incoming};
use edgate::instance::Instance;
use edgate::memory::clock::finish;
use edgate::memory::{Answer, MemoryHost, collect};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

/// The key of the operators.
const KEY: &str = "edgate_2WZm45yZYkRQJMPmNKz2njmF7xGTob3BcLv2ZF08Ueb0iwq1T";

fn config() -> Value {
    json!({
        "gateway": { "targets": ["cloudflare"] },
        "consumer": {
            "operator": {
                "groups": ["operators"],
                "api_keys": [{ "sha256": "fc99ba00afac19fb0d1c64fe91ff8f89d02e0af922386cbdb3c3e24afa86d493" }],
            },
        },
        "limit": {
            "per-client": {
                "rate": "2/1h",
                "key": "client.address",
                "tiers": [{ "when": "header.x-plan == 'gold'", "rate": "20/1h", "burst": 5 }],
            },
            "per-user": { "quota": "10/day", "key": ["header.x-user", "client.country"], "accuracy": "leased" },
            "own": { "rate": "5/1m", "key": "global", "accuracy": "local", "dry_run": true },
            "near": { "rate": "5/1m", "key": "global", "accuracy": "regional", "on_failure": "allow" },
            "held": { "concurrency": 3, "key": "global" },
        },
        "route": {
            "orders": {
                "match": { "path": "/orders" },
                "respond": {},
                "limits": ["per-client", "per-user", "own", "near", "held"],
            },
            "operators": {
                "match": { "path": "/_edgate/limits" },
                "admin": "limits",
                "authenticate": { "methods": ["api_key"] },
                "authorize": { "groups": ["operators"] },
            },
        },
    })
}

/// Somebody who has the key.
fn operator() -> World {
    World { variable: |name| (name == "EDGATE_ADMIN_KEY").then(|| KEY.to_owned()), ..WORLD }
}

/// Serves on a port of its own; each head of a request becomes what is written back.
fn serve(make: impl FnOnce() -> Box<dyn Fn(&str) -> Vec<u8>> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let answer = make();
        for stream in listener.incoming().flatten() {
            let head = head(&stream);
            let _ = (&stream).write_all(&answer(&head));
        }
    });
    format!("http://{address}/_edgate/limits")
}

fn head(stream: &TcpStream) -> String {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.take(64_000));
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    head
}

/// The gateway, as it would answer on a platform.
fn gateway() -> String {
    serve(|| {
        let host = MemoryHost::new(|_| Answer { after: Duration::ZERO, result: Ok(Response::new(Body::Empty)) });
        let host = Rc::new(host);
        let mut mistakes = Vec::new();
        let sections = Sections::from_document(config(), &mut mistakes);
        let instance = Instance::new(Capabilities::of(Platform::Cloudflare), sections, mistakes);
        Box::new(move |head| {
            let shared: Rc<dyn Host> = host.clone();
            let answer = finish(Rc::clone(&instance).handle(shared, incoming(head)));
            host.run_later();
            written(answer.expect("nothing is waited for"))
        })
    })
}

fn incoming(head: &str) -> Incoming {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().parse().expect("it is a method");
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name: HeaderName = name.parse().expect("it is a name");
        headers.append(name, HeaderValue::from_str(value.trim()).expect("it is a value"));
    }
    Incoming {
        method,
        scheme: "https",
        authority: "gate.test".to_owned(),
        path: path.to_owned(),
        query,
        headers_size: section_size(&headers),
        headers,
        body: Body::Empty,
        peer: "192.0.2.1".parse().ok(),
        facts: ClientFacts { country: Some("NO".to_owned()), ..ClientFacts::default() },
        version: "1.1",
    }
}

fn written(response: Response<Body>) -> Vec<u8> {
    let (parts, body) = response.into_parts();
    let body = collect(body).expect("it is complete");
    let mut text = format!("HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n", parts.status, body.len());
    for (name, value) in &parts.headers {
        text += &format!("{name}: {}\r\n", value.to_str().expect("it is ASCII"));
    }
    [text.as_bytes(), b"\r\n", &body].concat()
}

/// A client's request to the gateway.
fn order(url: &str, plan: &str) -> u16 {
    let url = url.replace("/_edgate/limits", "/orders");
    let request = ureq::get(&url).header("x-user", "alice").header("x-plan", plan);
    request.config().http_status_as_error(false).build().call().expect("it answers").status().as_u16()
}

fn told(folder: &Folder, url: &str, command: &[&str]) -> String {
    let outcome = folder.run_in(&operator(), &[&["limits"], command, &["--url", url]].concat());
    format!("### {}\n{}{}({:?})\n\n", command.join(" "), outcome.out, outcome.err, outcome.exit)
}

#[test]
fn counters_are_shown_and_begin_anew() {
    let folder = Folder::new("limits");
    let url = gateway();
    let per_client = ["show", "per-client", "client.address=192.0.2.1"];
    let mut text = told(&folder, &url, &["list"]);
    text += &told(&folder, &url, &per_client);
    assert_eq!([order(&url, "none"), order(&url, "none"), order(&url, "none")], [200, 200, 429]);
    text += &told(&folder, &url, &per_client);
    text += &told(&folder, &url, &[&per_client[..], &["--json"]].concat());
    text += &told(&folder, &url, &["reset", "per-client", "client.address=192.0.2.1"]);
    assert_eq!(order(&url, "none"), 200);
    for command in [
        &["show", "per-user", "header.x-user=alice", "client.country=NO"][..],
        &["show", "per-user", "header.x-user=a=b&c\u{e9}", "--without", "client.country"],
        &["show", "own"],
        &["reset", "own"],
        &["show", "held"],
        &["show", "near"],
        &["show", "per-clients"],
        &["show", "per-client"],
        &["show", "per-client", "client.address=here"],
        &["show", "own", "client.address=192.0.2.1"],
        &["reset", "near"],
        &["show", "per-client", "192.0.2.1"],
    ] {
        text += &told(&folder, &url, command);
    }
    expect("limits/told.txt", &text);
}

#[test]
fn credentials_come_from_the_environment_or_from_fields() {
    let folder = Folder::new("limits-credentials");
    let url = gateway();
    let list =
        |world: &World, more: &[&str]| folder.run_in(world, &[&["limits", "list", "--url", &url], more].concat());
    assert_eq!(list(&operator(), &[]).exit, Exit::Fine);
    let field = format!("X-API-Key: {KEY}");
    assert_eq!(list(&WORLD, &["--header", &field]).exit, Exit::Fine);
    let nobody = list(&WORLD, &[]);
    assert_eq!((nobody.exit, nobody.out.as_str()), (Exit::Mistakes, ""));
    assert!(nobody.err.starts_with("error: the gateway does not know who you are: "), "{}", nobody.err);
    // A field that is given is sent in place of what the environment has.
    let wrong = list(&operator(), &["--header", "x-api-key: wrong"]);
    assert_eq!(wrong.exit, Exit::Mistakes);
    let tokens = World { variable: |name| (name == "EDGATE_ADMIN_TOKEN").then(|| "abc".to_owned()), ..WORLD };
    let echo = serve(|| {
        Box::new(|head| {
            let bearer = head.to_ascii_lowercase().contains("authorization: bearer abc\r\n");
            let status = if bearer { "200 OK" } else { "500 Internal Server Error" };
            let body = r#"{"limits":[]}"#;
            format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        })
    });
    let outcome = folder.run_in(&tokens, &["limits", "list", "--url", &echo]);
    assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Fine, "there are no limits\n"), "{}", outcome.err);
}

#[test]
fn the_address_may_stand_in_the_environment() {
    let folder = Folder::new("limits-address");
    let run = |world: &World, command: &[&str]| folder.run_in(world, &[&["limits", "list"], command].concat());
    assert!(run(&WORLD, &[]).err.contains("--url, or EDGATE_ADMIN_URL in the environment"));
    let world = World { variable: |name| (name == "EDGATE_ADMIN_URL").then(|| "ftp://gate".to_owned()), ..WORLD };
    for (world, command, said) in [
        (&world, &[][..], "the address is no http or https URL"),
        (&WORLD, &["--url", "gate.example.com"], "the address is no http or https URL"),
        (&WORLD, &["--url", "https://me:secret@gate.example.com/"], "credentials do not stand in the address"),
        (
            &WORLD,
            &["--url", "https://gate.example.com/", "--header", "secret"],
            "--header takes a field as 'Name: value'",
        ),
        (
            &WORLD,
            &["--url", "https://gate.example.com/", "--header", "x: a\nb"],
            "--header: no field can have this value",
        ),
    ] {
        let outcome = run(world, command);
        assert_eq!(outcome.exit, Exit::Usage);
        assert!(outcome.err.contains(said) && !outcome.err.contains("secret"), "{}", outcome.err);
    }
}

#[test]
fn what_is_no_answer_is_told_as_what_it_is() {
    let folder = Folder::new("limits-errors");
    let problem = |status: &str, fields: &str, detail: &str| {
        let body = json!({ "detail": detail, "code": "c" }).to_string();
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
        )
    };
    for (answer, said) in [
        (
            problem("403 Forbidden", "", "This client may not do this."),
            "you may not do this: This client may not do this.",
        ),
        (
            problem("404 Not Found", "", "Nothing is served at this address."),
            "this is no address of limits: the route needs `admin = \"limits\"` (404 Not Found)",
        ),
        (problem("429 Too Many Requests", "Retry-After: 90\r\n", "x"), "you have asked too often, again in 1m 30s"),
        (
            problem("503 Service Unavailable", "", "Not\u{1b}[2J now."),
            "the gateway answers 503 Service Unavailable: Not[2J now.",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "the address leads elsewhere (302 Found), and credentials are not sent there",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi".to_owned(),
            "this is no address of limits: the route needs `admin = \"limits\"`",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
            "the answer is none of edgate's, or of another version of it",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{}".to_owned(),
            "the answer breaks off: ",
        ),
        ("nonsense\r\n\r\n".to_owned(), "the gateway cannot be reached: "),
    ] {
        let bytes = answer.clone().into_bytes();
        let url = serve(move || Box::new(move |_| bytes.clone()));
        let outcome = folder.run_in(&operator(), &["limits", "list", "--url", &url]);
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Mistakes, ""), "{answer}");
        assert!(outcome.err.starts_with(&format!("error: {said}")), "{answer}: {}", outcome.err);
        assert!(!outcome.err.contains(KEY));
    }
    // A port that nobody listens to.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = folder.run_in(&operator(), &["limits", "list", "--url", &format!("http://{free}/")]);
    assert_eq!(outcome.exit, Exit::Mistakes);
    assert!(outcome.err.starts_with("error: the gateway cannot be reached: "), "{}", outcome.err);
}

#[test]
fn credentials_that_others_can_read_are_warned_of() {
    let folder = Folder::new("limits-plain");
    let outcome = folder.run_in(&operator(), &["limits", "list", "--url", "http://gate.invalid/"]);
    assert!(outcome.err.starts_with("warning: the credentials are sent without encryption"), "{}", outcome.err);
    let outcome = folder.run_in(&WORLD, &["limits", "list", "--url", "http://gate.invalid/"]);
    assert!(!outcome.err.contains("warning"), "{}", outcome.err);
}
