//! The README's requests, sent through the gateway with the example's configuration, before the real demo services. Only
//! the platform is left out: the gateway runs in memory.

use crate::page::{fits, page, root, words};
use bytes::Bytes;
use edgate::body::Body;
use edgate::cli;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::headers::section_size;
use edgate::host::{Capabilities, ClientFacts, Host, Incoming, MadeOf, Outgoing, Timestamp};
use edgate::instance::Instance;
use edgate::memory::clock::finish;
use edgate::memory::{Answer, MemoryHost, Stream, collect};
use edgate_kit::client;
use edgate_kit::demo::Demo;
use edgate_kit::scenario::Request;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};
use tokio::runtime::{Builder, Runtime};

const URL: &str = "http://127.0.0.1:8787";

/// A command of the README, and what it says is answered.
struct Example {
    command: String,
    shown: String,
}

fn examples() -> Vec<Example> {
    let blocks = page("README.md").blocks();
    let block = blocks.iter().find(|block| block.mark.as_deref() == Some("answers")).expect("the README has answers");
    let mut examples: Vec<Example> = Vec::new();
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), examples.last_mut()) {
            (Some(command), _) => examples.push(Example { command: command.to_owned(), shown: String::new() }),
            (None, Some(last)) => last.shown += &format!("{line}\n"),
            (None, None) => panic!("an answer without a command: {line}"),
        }
    }
    examples
}

/// What `curl` was told, as far as the examples go.
struct Curl {
    method: Method,
    target: String,
    cookie: Option<String>,
    fields: Vec<String>,
    shows_head: bool,
}

impl Curl {
    fn parse(command: &str) -> Curl {
        let mut curl =
            Curl { method: Method::GET, target: String::new(), cookie: None, fields: Vec::new(), shows_head: false };
        let mut words = words(command).into_iter().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "-i" => curl.shows_head = true,
                "-N" => {}
                "-X" => curl.method = words.next().unwrap().parse().unwrap(),
                "-b" => curl.cookie = words.next(),
                "-H" => curl.fields.extend(words.next()),
                url => curl.target = url.strip_prefix(URL).expect("it is for the gateway").to_owned(),
            }
        }
        curl
    }

    fn incoming(&self) -> Incoming {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1:8787"));
        headers.insert("user-agent", HeaderValue::from_static("curl/8"));
        headers.insert("accept", HeaderValue::from_static("*/*"));
        if let Some(cookie) = &self.cookie {
            headers.insert("cookie", cookie.parse().unwrap());
        }
        for (name, value) in self.fields.iter().map(|field| field.split_once(": ").unwrap()) {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (self.target.as_str(), None),
        };
        Incoming {
            method: self.method.clone(),
            scheme: "http",
            authority: "127.0.0.1:8787".to_owned(),
            path: path.to_owned(),
            query,
            headers_size: section_size(&headers),
            headers,
            body: Body::Empty,
            peer: "127.0.0.1".parse().ok(),
            facts: ClientFacts::default(),
            version: "1.1",
        }
    }
}

/// The demo services, and a gateway before them.
struct Gateway {
    instance: Rc<Instance>,
    host: Rc<MemoryHost>,
    services: Rc<Services>,
}

/// The demo services, on ports of their own.
struct Services {
    runtime: Runtime,
    demo: Demo,
}

impl Services {
    /// A text with the ports that they have in place of those that they would like.
    fn ported(&self, mut text: String) -> String {
        for ((_, address), port) in self.demo.addresses.iter().zip(9101..) {
            text = text.replace(&format!("127.0.0.1:{port}"), &address.to_string());
        }
        text
    }

    /// A command with what the one inside it prints: `$(curl -s '127.0.0.1:9104/token')`.
    fn substituted(&self, command: &str) -> String {
        let Some((before, rest)) = command.split_once("$(curl -s '") else { return command.to_owned() };
        let (url, after) = rest.split_once("')").expect("it is closed");
        let url = self.ported(format!("http://{url}"));
        let outgoing = Outgoing {
            method: Method::GET,
            url,
            headers: &HeaderMap::new(),
            made_of: MadeOf::Nothing,
            body: Body::Empty,
            timeout: Duration::ZERO,
            upgrade: false,
            reads: None,
        };
        let printed = collect(call(&self.runtime, &outgoing).result.unwrap().into_body()).unwrap();
        format!("{before}{}{after}", String::from_utf8_lossy(&printed).trim_end())
    }
}

impl Gateway {
    fn start() -> Gateway {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let demo = runtime.block_on(Demo::start(0)).unwrap();
        let services = Rc::new(Services { runtime, demo });
        let (outcome, _) = cli::run(["edgate", "json"], root());
        let document = services.ported(outcome.out);
        let sections = Sections::from_document(serde_json::from_str(&document).unwrap(), &mut Vec::new());
        let instance = Instance::new(Capabilities::of(Platform::Cloudflare), sections, Vec::new());
        let behind = Rc::clone(&services);
        let host = MemoryHost::new(move |request| call(&behind.runtime, request));
        // The issuer's tokens are of today.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let host = Rc::new(host.at(Timestamp(now.as_secs_f64() * 1000.0)));
        Gateway { instance, host, services }
    }

    fn send(&self, curl: &Curl) -> Response<Body> {
        let shared: Rc<dyn Host> = self.host.clone();
        finish(Rc::clone(&self.instance).handle(shared, curl.incoming())).expect("nothing is waited for")
    }
}

/// Calls a demo service.
fn call(runtime: &Runtime, outgoing: &Outgoing<'_>) -> Answer {
    let rest = outgoing.url.strip_prefix("http://").unwrap();
    let (authority, target) = rest.split_at(rest.find('/').unwrap());
    let mut request = Request::new(outgoing.method.as_str(), target);
    request.host = authority.to_owned();
    let fields = outgoing.headers.iter();
    request.headers.0 = fields.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let seen = runtime.block_on(client::send(authority.parse::<SocketAddr>().unwrap(), &request)).unwrap();
    let content = Stream { chunks: vec![Bytes::from(seen.body.start)], ..Stream::default() };
    let mut response = Response::new(Body::host(content, Some(seen.body.length)));
    *response.status_mut() = StatusCode::from_u16(seen.status).unwrap();
    for (name, value) in seen.headers {
        response.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    Answer { after: Duration::ZERO, result: Ok(response) }
}

/// An answer as `curl -i` shows it, its fields in one order: names are spelt as each platform spells them. Several lines of
/// one field are one on Workers.
fn head(response: &Response<Body>, length: usize) -> String {
    let joined = |name| {
        let values = response.headers().get_all(name).iter().map(|value| value.to_str().unwrap());
        values.collect::<Vec<_>>().join(", ")
    };
    let mut fields: Vec<String> = response
        .headers()
        .keys()
        .map(|name| format!("{name}: {}", joined(name)))
        // The platforms add it where it is not there, but for a 204, which has none (RFC 9110, section 8.6).
        .chain(
            (response.status() != 204 && !response.headers().contains_key("content-length"))
                .then(|| format!("content-length: {length}")),
        )
        .collect();
    fields.sort();
    format!("HTTP/1.1 {}\n{}\n", response.status(), fields.join("\n"))
}

/// The head that an example shows, its fields in the same order.
fn shown_head(shown: &str) -> String {
    let (status, fields) = shown.split_once('\n').unwrap();
    let small = |field: &str| match field.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
        None => field.to_owned(),
    };
    let mut fields: Vec<String> = fields.lines().map(small).collect();
    fields.sort();
    format!("{status}\n{}\n", fields.join("\n"))
}

#[test]
fn the_readme_shows_what_is_answered() {
    let gateway = Gateway::start();
    for Example { command, shown } in examples() {
        let curl = Curl::parse(&gateway.services.substituted(&command));
        let mut response = gateway.send(&curl);
        let body = collect(std::mem::take(response.body_mut())).expect("it is complete");
        let text = String::from_utf8_lossy(&body);
        let (shown_head, shown_body) = match curl.shows_head {
            true => shown.split_once("\n\n").map(|(head, body)| (Some(shown_head(head)), body)).expect("head and body"),
            false => (None, shown.as_str()),
        };
        if let Some(shown) = shown_head {
            let head = head(&response, body.len());
            assert!(fits(&shown, &head), "{command}\nshown:\n{shown}\nanswered:\n{head}");
        }
        assert!(fits(shown_body, &text), "{command}\nshown:\n{shown_body}\nanswered:\n{text}");
    }
}

/// One list for people who read and for people who run `scripts/dev`.
#[test]
fn the_readme_and_the_script_try_the_same() {
    let script = std::fs::read_to_string(root().join("scripts/dev")).unwrap();
    let printed = script.lines().filter_map(|line| line.strip_prefix("  curl "));
    let printed: Vec<String> = printed
        .map(|rest| {
            format!("curl {}", rest.split("  ").next().unwrap_or_default().replace("$URL", URL).replace("\\$", "$"))
        })
        .collect();
    let shown: Vec<String> = examples().into_iter().map(|example| example.command).collect();
    assert_eq!(shown, printed, "README.md and scripts/dev");
}
