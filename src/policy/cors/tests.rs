//! The CORS protocol, row by row.

use super::*;
use crate::exchange::tests::request;

fn origin(text: &str) -> Origin {
    match text.split_once("://*.") {
        Some((scheme, authority)) => Origin::Below { scheme: scheme.to_owned(), authority: authority.to_owned() },
        None => Origin::Exact(text.to_owned()),
    }
}

fn cors(origins: &[&str]) -> Cors {
    Cors {
        origins: match origins {
            ["*"] => Origins::Any,
            origins => Origins::Of(origins.iter().map(|text| origin(text)).collect()),
        },
        methods: None,
        headers: None,
        expose: None,
        credentials: false,
        max_age: Duration::from_secs(600),
        private_network: false,
    }
}

fn methods(names: &[Method]) -> Methods {
    let mut methods = Methods::default();
    names.iter().for_each(|method| assert!(methods.insert(method)));
    methods
}

/// The fields about CORS, and `Vary`, as `name: value`.
fn told(response: &Response<Body>) -> Vec<String> {
    let about = |name: &HeaderName| name.as_str().starts_with("access-control-") || name == header::VARY;
    let fields = response.headers().iter().filter(|(name, _)| about(name));
    let mut fields: Vec<String> = fields
        .map(|(name, value)| {
            format!("{}: {}", name.as_str().replace("access-control-", ""), value.to_str().expect("text"))
        })
        .collect();
    fields.sort();
    fields
}

#[test]
fn origins_are_allowed_as_a_whole() {
    let below = "https://*.example.com";
    for (allowed, sent, yes) in [
        ("https://app.example.com", "https://app.example.com", true),
        ("https://app.example.com", "http://app.example.com", false),
        ("https://app.example.com", "https://app.example.com:8443", false),
        ("https://app.example.com", "https://app.example.com:443", false),
        ("https://app.example.com", "https://app.example.com/", false),
        ("https://app.example.com", "https://app.example.com.", false),
        ("https://app.example.com", "HTTPS://App.Example.com", true),
        ("https://app.example.com", "https://example.com", false),
        ("https://app.example.com", "https://evil-app.example.com", false),
        ("https://app.example.com", "https://app.example.com.evil.org", false),
        ("https://app.example.com", "https://app.example.com, https://evil.org", false),
        ("https://app.example.com", "", false),
        ("https://app.example.com", "null", false),
        ("https://app.example.com:8443", "https://app.example.com:8443", true),
        ("https://app.example.com:8443", "https://app.example.com", false),
        (below, "https://app.example.com", true),
        (below, "https://a.b.example.com", true),
        (below, "https://A.EXAMPLE.com", true),
        (below, "https://example.com", false),
        (below, "https://.example.com", false),
        (below, "https://a..example.com", false),
        (below, "https://evil-example.com", false),
        (below, "https://evilexample.com", false),
        (below, "https://example.com.evil.org", false),
        (below, "https://a.example.com.evil.org", false),
        (below, "https://evil.org/.example.com", false),
        (below, "https://evil.org:80.example.com", false),
        (below, "https://user@a.example.com", false),
        (below, "https://evil.org#.example.com", false),
        (below, "http://a.example.com", false),
        (below, "https://a.example.com:8443", false),
        (below, "https://*.example.com", false),
        ("https://*.example.com:8443", "https://a.example.com:8443", true),
        ("https://*.example.com:8443", "https://a.example.com", false),
        ("null", "null", true),
        ("null", "NULL", false),
        ("null", "https://null", false),
    ] {
        assert_eq!(origin(allowed).is(sent), yes, "{allowed} {sent}");
    }
}

/// Checks what becomes of an answer to a request.
#[track_caller]
fn answer_is(cors: &Cors, sent: &[(&str, &str)], answer: &[(&'static str, &'static str)], expected: &[&str]) {
    let ex = request(Method::GET, "/", "/", sent);
    let mut response = Response::new(Body::Empty);
    for (name, value) in answer {
        response.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    cors.on_response(&ex, &mut response);
    assert_eq!(told(&response), expected, "{} {sent:?} {answer:?}", cors.describe());
}

#[test]
fn an_answer_says_who_may_see_it() {
    let app = ("origin", "https://app.example.com");
    let credentials = |origins: &[&str]| Cors { credentials: true, ..cors(origins) };
    let mut exposing = cors(&["https://app.example.com"]);
    exposing.expose = Some(HeaderValue::from_static("etag, x-total"));
    let list = &["https://app.example.com", "https://*.example.org"][..];
    for (cors, sent, expected) in [
        (cors(list), &[app][..], &["allow-origin: https://app.example.com", "vary: Origin"][..]),
        (cors(list), &[("origin", "https://a.example.org")], &["allow-origin: https://a.example.org", "vary: Origin"]),
        // As it was sent.
        (
            cors(list),
            &[("origin", "https://APP.example.com")],
            &["allow-origin: https://APP.example.com", "vary: Origin"],
        ),
        (cors(list), &[("origin", "https://evil.org")], &["vary: Origin"]),
        (cors(list), &[], &["vary: Origin"]),
        (cors(list), &[app, app], &["vary: Origin"]),
        (cors(list), &[("origin", "null")], &["vary: Origin"]),
        (cors(&["null"]), &[("origin", "null")], &["allow-origin: null", "vary: Origin"]),
        (cors(&["*"]), &[app], &["allow-origin: *"]),
        (cors(&["*"]), &[], &["allow-origin: *"]),
        (
            credentials(list),
            &[app],
            &["allow-credentials: true", "allow-origin: https://app.example.com", "vary: Origin"],
        ),
        (credentials(list), &[("origin", "https://evil.org")], &["vary: Origin"]),
        (
            exposing.clone(),
            &[app],
            &["allow-origin: https://app.example.com", "expose-headers: etag, x-total", "vary: Origin"],
        ),
        (exposing, &[], &["vary: Origin"]),
    ] {
        answer_is(&cors, sent, &[], expected);
    }
}

#[test]
fn the_upstream_does_not_decide_who_may_see_it() {
    let (list, any) = (cors(&["https://app.example.com"]), cors(&["*"]));
    let (app, evil) = ([("origin", "https://app.example.com")], [("origin", "https://evil.org")]);
    let said = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "*"),
        ("access-control-allow-headers", "*"),
        ("access-control-expose-headers", "*"),
        ("access-control-max-age", "5"),
        ("access-control-allow-private-network", "true"),
    ];
    answer_is(&list, &evil, &said, &["vary: Origin"]);
    answer_is(&list, &app, &said, &["allow-origin: https://app.example.com", "vary: Origin"]);
    answer_is(&any, &evil, &said, &["allow-origin: *"]);
    let twice = [("access-control-allow-origin", "*"), ("access-control-allow-origin", "b")];
    answer_is(&list, &app, &twice, &["allow-origin: https://app.example.com", "vary: Origin"]);
}

#[test]
fn what_an_answer_varies_with_stays() {
    let (list, any) = (cors(&["https://app.example.com"]), cors(&["*"]));
    answer_is(&list, &[], &[("vary", "Accept-Encoding")], &["vary: Accept-Encoding, Origin"]);
    answer_is(&list, &[], &[("vary", "accept"), ("vary", "cookie")], &["vary: accept, cookie, Origin"]);
    answer_is(&list, &[], &[("vary", "accept, ORIGIN")], &["vary: accept, ORIGIN"]);
    answer_is(&list, &[], &[("vary", "*")], &["vary: *"]);
    answer_is(&any, &[], &[("vary", "accept")], &["allow-origin: *", "vary: accept"]);
}

#[test]
fn only_a_question_of_a_browser_is_a_preflight() {
    let (origin, method) = (("origin", "https://a.example"), ("access-control-request-method", "PUT"));
    for (asked, fields, yes) in [
        (Method::OPTIONS, &[origin, method][..], true),
        (Method::OPTIONS, &[origin], false),
        (Method::OPTIONS, &[method], false),
        (Method::OPTIONS, &[], false),
        (Method::GET, &[origin, method], false),
        (Method::OPTIONS, &[origin, ("access-control-request-headers", "x-a")], false),
    ] {
        assert_eq!(is_preflight(&request(asked, "/", "/", fields)), yes, "{fields:?}");
    }
}

const VARY: &str = "vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

fn asked(fields: &[(&str, &str)]) -> Exchange {
    request(Method::OPTIONS, "/", "/", &[&[("origin", "https://a.example")], fields].concat())
}

fn put(headers: &str) -> [(&str, &str); 2] {
    [("access-control-request-method", "PUT"), ("access-control-request-headers", headers)]
}

#[test]
fn a_preflight_is_told_what_a_page_may_send() {
    let cors = cors(&["https://a.example"]);
    let listed = |headers: &[&str]| Cors {
        headers: Some(headers.iter().map(|name| name.parse().expect("it is a name")).collect()),
        ..cors.clone()
    };
    let with = |methods: &[Method]| Cors { methods: Some(methods.to_vec()), ..cors.clone() };
    let any = Methods::default();
    let get_put = methods(&[Method::GET, Method::PUT]);
    let long = "x".repeat(MAX_LENGTH);
    let many = vec!["x"; MAX_FIELDS + 1].join(",");
    let most = vec!["x"; MAX_FIELDS].join(", ");
    let method = |method: &'static str| vec![("access-control-request-method", method)];
    for (cors, fields, route, expected) in [
        // Methods.
        (cors.clone(), method("PUT"), get_put, Some(("GET, HEAD, PUT", ""))),
        (cors.clone(), method("HEAD"), get_put, Some(("GET, HEAD, PUT", ""))),
        (cors.clone(), method("POST"), get_put, None),
        (cors.clone(), method("put"), get_put, None),
        (cors.clone(), method("PROPFIND"), any, Some(("PROPFIND", ""))),
        (cors.clone(), method("PROPFIND"), get_put, None),
        (cors.clone(), method("TRACE"), any, None),
        (cors.clone(), method("A B"), any, None),
        (cors.clone(), method(""), any, None),
        (cors.clone(), [method("PUT"), method("GET")].concat(), any, None),
        (with(&[Method::DELETE, Method::GET]), method("DELETE"), get_put, Some(("DELETE, GET", ""))),
        (with(&[Method::DELETE]), method("PUT"), get_put, None),
        // Fields.
        (cors.clone(), put("x-a").to_vec(), any, Some(("PUT", "x-a"))),
        (cors.clone(), put(" X-A ,,\tContent-Type, ").to_vec(), any, Some(("PUT", "x-a, content-type"))),
        (cors.clone(), put("").to_vec(), any, Some(("PUT", ""))),
        (cors.clone(), put("x a").to_vec(), any, None),
        (cors.clone(), put("x-a, é").to_vec(), any, None),
        (cors.clone(), put("x-a: b").to_vec(), any, None),
        (cors.clone(), put(&long).to_vec(), any, Some(("PUT", long.as_str()))),
        (cors.clone(), [put(&long).as_slice(), &[("access-control-request-headers", "x")]].concat(), any, None),
        (cors.clone(), put(&most).to_vec(), any, Some(("PUT", most.as_str()))),
        (cors.clone(), put(&many).to_vec(), any, None),
        (listed(&["x-a", "x-b"]), put("X-B").to_vec(), any, Some(("PUT", "x-a, x-b"))),
        (listed(&["x-a", "x-b"]), put("").to_vec(), any, Some(("PUT", "x-a, x-b"))),
        (listed(&["x-a", "x-b"]), put("x-a,x-c").to_vec(), any, None),
        (listed(&[]), put("").to_vec(), any, Some(("PUT", ""))),
        (listed(&[]), put("x-a").to_vec(), any, None),
    ] {
        let ex = asked(&fields);
        let answer = cors.preflight(&ex, route);
        let Some((methods, headers)) = expected else {
            assert_eq!(answer.map(|answer| told(&answer)), Err(Reject::CorsRefused), "{fields:?}");
            continue;
        };
        let mut answer = answer.expect("it is allowed");
        assert_eq!(answer.status(), 204);
        let mut fields_told = vec![format!("allow-methods: {methods}"), "allow-origin: https://a.example".to_owned()];
        if !headers.is_empty() {
            fields_told.insert(0, format!("allow-headers: {headers}"));
        }
        fields_told.extend(["max-age: 600".to_owned(), VARY.to_owned()]);
        assert_eq!(told(&answer), fields_told, "{fields:?}");
        // On its way out, it stays what it is.
        cors.on_response(&ex, &mut answer);
        assert_eq!(told(&answer), fields_told, "{fields:?}");
    }
}

#[test]
fn a_preflight_is_told_of_credentials_and_private_networks() {
    let private = ("access-control-request-private-network", "true");
    let fields = [("access-control-request-method", "GET"), private];
    let all =
        Cors { credentials: true, private_network: true, max_age: Duration::ZERO, ..cors(&["https://a.example"]) };
    let answer = all.preflight(&asked(&fields), Methods::default()).expect("it is allowed");
    assert_eq!(
        told(&answer),
        [
            "allow-credentials: true",
            "allow-methods: GET",
            "allow-origin: https://a.example",
            "allow-private-network: true",
            "max-age: 0",
            &format!("{VARY}, Access-Control-Request-Private-Network"),
        ]
    );
    let answer = all.preflight(&asked(&fields[..1]), Methods::default()).expect("it is allowed");
    assert!(!answer.headers().contains_key(&ALLOW_PRIVATE_NETWORK));
    let answer = cors(&["*"]).preflight(&asked(&fields), Methods::default()).expect("it is allowed");
    assert_eq!(told(&answer), ["allow-methods: GET", "allow-origin: *", "max-age: 600", VARY]);
}

#[test]
fn a_refused_preflight_is_told_nothing_but_what_it_depends_on() {
    for (cors, fields) in [
        (cors(&["https://b.example"]), put("x-a")),
        (Cors { methods: Some(vec![Method::GET]), credentials: true, ..cors(&["https://a.example"]) }, put("x-a")),
        (Cors { headers: Some(Vec::new()), credentials: true, ..cors(&["https://a.example"]) }, put("x-a")),
    ] {
        let ex = asked(&fields);
        let reject = cors.preflight(&ex, Methods::default()).map(drop).expect_err("it is refused");
        let mut response = reject.response(&ex, "edgate");
        cors.on_response(&ex, &mut response);
        assert_eq!((response.status(), reject.entry().code), (StatusCode::FORBIDDEN, "cors-refused"));
        assert_eq!(told(&response), [VARY]);
    }
}

#[test]
fn all_fields_are_named() {
    let mut interest = Interest::default();
    cors(&["*"]).interest(&mut interest);
    assert_eq!((interest.request.len(), interest.response.len()), (4, 8));
}
