//! Laws that hold for any input: the route tree agrees with a naive matcher, a path has one spelling, templates stay in
//! their place, and nothing panics whatever comes in.

use edgate::body::Body;
use edgate::config::EncodedSlashes;
use edgate::config::Platform;
use edgate::config::document::{Binding, Sections};
use edgate::config::template;
use edgate::config::words::Presence;
use edgate::headers;
use edgate::host::{Capabilities, ClientFacts, Host, HostError, Incoming};
use edgate::instance::Instance;
use edgate::memory::clock::finish;
use edgate::memory::{Answer, MemoryHost};
use edgate::path::{normalize, normalize_query, unescape};
use edgate::routing::condition::{Conditions, Facts, METHODS, Methods};
use edgate::routing::pattern::Pattern;
use edgate::routing::{Entry, HostPattern, Miss, RouteId, Router, Verdict};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use std::rc::Rc;
use std::time::Duration;

fn segment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "ab", "{x}", "{y}", "{x}.js", "{x}.b.js", "c{x}", "c.{x}s"])
}

fn pattern() -> impl Strategy<Value = String> {
    (prop::collection::vec(segment(), 0..4), any::<bool>()).prop_map(|(segments, catch_all)| {
        let mut names = 0;
        let mut text = String::new();
        for segment in segments {
            // Each parameter has a name of its own.
            names += 1;
            text.push('/');
            text.push_str(&segment.replace("{x}", &format!("{{p{names}}}")).replace("{y}", &format!("{{p{names}}}")));
        }
        if catch_all {
            text.push_str("/{*rest}");
        }
        if text.is_empty() { "/".to_owned() } else { text }
    })
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let presence =
        prop_oneof![Just(Presence::Present), Just(Presence::Absent), Just(Presence::Equals("1".to_owned())),];
    let headers = prop::collection::vec((prop::sample::select(vec!["x-a", "x-b"]), presence.clone()), 0..2);
    let query = prop::collection::vec((prop::sample::select(vec!["a", "b"]), presence), 0..2);
    (prop::collection::vec(0..METHODS.len(), 0..3), headers, query).prop_map(|(methods, headers, query)| {
        let mut conditions = Conditions::default();
        for method in methods {
            conditions.methods.insert(&METHODS[method]);
        }
        conditions.headers =
            headers.into_iter().map(|(name, wanted)| (HeaderName::from_static(name), wanted)).collect();
        conditions.query = query.into_iter().map(|(name, wanted)| (name.to_owned(), wanted)).collect();
        conditions
    })
}

fn host() -> impl Strategy<Value = HostPattern> {
    prop_oneof![
        Just(HostPattern::Any),
        Just(HostPattern::Exact("a.example".to_owned())),
        Just(HostPattern::Wildcard(".example".to_owned())),
        Just(HostPattern::Wildcard(".b.example".to_owned())),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "c", "c.js", "c.b.js", ".js"]), 0..5).prop_flat_map(
        |segments| {
            let path = format!("/{}", segments.join("/"));
            any::<bool>().prop_map(move |slash| if slash && path != "/" { format!("{path}/") } else { path.clone() })
        },
    )
}

/// Routes in one router, those left out that `compile` refuses.
fn router(drafts: Vec<(HostPattern, String, Conditions)>) -> Router {
    let mut entries: Vec<Entry> = Vec::new();
    for (index, (host, pattern, conditions)) in drafts.into_iter().enumerate() {
        let pattern = Rc::new(Pattern::parse(&pattern).expect("the pattern is well formed"));
        let entry = Entry { route: RouteId(index), host, pattern, conditions: Rc::new(conditions) };
        let equal = |other: &Entry| {
            let same_place = other.host == entry.host && other.pattern == entry.pattern;
            // What `compile` refuses: two of which none is more specific.
            same_place
                && !other.conditions.exclude(&entry.conditions)
                && other.conditions.weight() == entry.conditions.weight()
                && (other.conditions.methods.is_empty() == entry.conditions.methods.is_empty())
        };
        if entries.iter().any(equal) {
            continue;
        }
        entries.push(entry);
    }
    Router::compile(&entries)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_agrees_with_the_naive_matcher(
        drafts in prop::collection::vec((host(), pattern(), conditions()), 1..12),
        path in path(),
        host in prop::sample::select(vec!["a.example", "x.example", "c.b.example", "other"]),
        method in prop::sample::select(METHODS.to_vec()),
        fields in prop::collection::vec((prop::sample::select(vec!["x-a", "x-b"]), prop::sample::select(vec!["1", "2"])), 0..3),
        query in prop::sample::select(vec![None, Some("a=1"), Some("a=2&b"), Some("b=1")]),
    ) {
        let router = router(drafts);
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        let facts = Facts { host, path: &path, method: &method, headers: &headers, query };
        let considered = router.consider(&facts);
        let first = considered.iter().find(|(_, verdict)| *verdict == Verdict::Matches);
        match (router.find(&facts), first) {
            (Ok(found), Some((entry, _))) => {
                prop_assert_eq!(found.route, entry.route);
                prop_assert_eq!(Some(found.captured), entry.pattern.capture(&path));
            }
            (Err(Miss::NoRoute), None) => {
                let nearly = considered.iter().any(|(entry, verdict)| *verdict == Verdict::Method && entry.conditions.hold(&facts));
                prop_assert!(!nearly);
            }
            (Err(Miss::Method(methods)), None) => {
                let mut expected = Methods::default();
                for (entry, verdict) in &considered {
                    if *verdict == Verdict::Method && entry.conditions.hold(&facts) {
                        expected = expected.union(entry.conditions.methods);
                    }
                }
                prop_assert_eq!(methods, expected);
            }
            (found, naive) => prop_assert!(false, "the tree found {:?}, the naive matcher {:?}", found, naive.map(|(entry, _)| entry.route)),
        }
    }

    #[test]
    fn a_path_has_one_spelling(raw in "(/|[a-c.;]|%2[eEfF]|%41|%c3|%|\\\\|é| ){0,12}", keep in any::<bool>()) {
        let slashes = if keep { EncodedSlashes::Keep } else { EncodedSlashes::Refuse };
        if let Ok(normal) = normalize(&raw, slashes) {
            let again = normalize(&normal, slashes);
            prop_assert_eq!(again.as_deref(), Ok(&*normal), "normalizing twice is normalizing once");
            prop_assert!(normal.starts_with('/'));
            prop_assert!(!normal.contains("//"));
            // Whoever decodes it, and however often a path is cut at slashes, finds no dot segment.
            let decoded = unescape(&normal);
            prop_assert!(decoded.split(['/', '\\']).all(|segment| !matches!(segment.split(';').next(), Some("." | ".."))));
            // The platforms' own URL parser has nothing left to change.
            let url = url::Url::parse(&format!("http://host{normal}")).expect("a normal path makes a URL");
            prop_assert_eq!(url.path(), &*normal);
        }
    }

    #[test]
    fn no_path_and_no_query_panics(raw in any::<String>()) {
        let _ = normalize(&raw, EncodedSlashes::Keep);
        let _ = unescape(&raw);
        if let Some(query) = normalize_query(&raw) {
            prop_assert!(query.is_ascii());
        }
    }

    #[test]
    fn no_template_and_no_pattern_panics(text in "[{}*/a.é]{0,16}") {
        if let Err(malformed) = template::parse(&text) {
            prop_assert!(text.get(malformed.range).is_some());
        }
        if let Err(malformed) = Pattern::parse(&text) {
            prop_assert!(text.get(malformed.range).is_some());
        }
    }

    #[test]
    fn no_header_section_panics(
        fields in prop::collection::vec((
            prop::sample::select(vec!["connection", "te", "forwarded", "x-forwarded-for", "accept", "content-length", "cdn-loop", "via", "x-request-id", "upgrade"]),
            prop::collection::vec(prop_oneof![32u8..127, 128u8..=255], 0..24),
        ), 0..8),
        path in "/[ -~]{0,24}",
        method in prop::sample::select(vec!["GET", "POST", "OPTIONS", "TRACE", "FOO"]),
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(HeaderName::from_static(name), HeaderValue::from_bytes(&value).expect("no control characters"));
        }
        let _ = headers::content_length(&map);
        let _ = headers::accepts_json(&map);
        let config = serde_json::json!({
            "gateway": { "trusted_proxies": ["10.0.0.0/8"], "request_id": "always" },
            "upstream": { "u": { "url": "http://u.example" } },
            "route": { "r": { "match": { "path": ["/", "/{*rest}"] }, "upstream": "u", "request_headers": { "set": { "x-all": "{request.path}{header.accept}{client.address}" } } } },
        });
        let sections = Sections::from_document(config, &mut Vec::new());
        let instance = Instance::new(Capabilities::of(Platform::Spin), sections, Vec::new());
        let host: Rc<dyn Host> = Rc::new(MemoryHost::new(|_| Answer {
            after: Duration::ZERO,
            result: Err(HostError::Disconnected("closed".to_owned())),
        }));
        let incoming = Incoming {
            method: Method::from_bytes(method.as_bytes()).expect("a method"),
            scheme: "http",
            authority: "gate.example".to_owned(),
            path,
            query: None,
            headers_size: headers::section_size(&map),
            headers: map,
            body: Body::Empty,
            peer: "10.0.0.1".parse().ok(),
            facts: ClientFacts::default(),
            version: "1.1",
        };
        let response = finish(instance.handle(host, incoming)).expect("nothing waits in memory");
        prop_assert!(response.status().as_u16() >= 200);
        prop_assert!(response.headers().contains_key("x-request-id"));
    }

    #[test]
    fn no_binding_panics(
        name in "(EDGATE|UPSTREAM_|ROUTE_)[A-Z_0-9-]{0,6}",
        text in prop_oneof![any::<String>(), "[{}\\[\\]\":, a-z0-9]{0,40}"],
    ) {
        let mut diagnostics = Vec::new();
        let sections = Sections::from_bindings([(name, Binding::Text(text))], &mut diagnostics);
        let loaded = edgate::compile::load(&sections, None);
        for diagnostic in diagnostics.iter().chain(&loaded.diagnostics) {
            let _ = diagnostic.to_string();
        }
    }
}
