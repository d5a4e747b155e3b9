//! What the benchmarks have in common: configurations with many routes, and a browser's request.

use edgate::compile;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::gateway::Gateway;
use edgate::host::Capabilities;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

/// Numbers of routes to measure with.
pub const ROUTES: [usize; 3] = [10, 100, 1000];

/// So many routes to one upstream, `/svcN/items/{id}`, for GET and POST. The access log is off.
pub fn sections(routes: usize) -> Sections {
    let route = |number| {
        let path = format!("/svc{number}/items/{{id}}");
        let section = json!({ "match": { "path": path, "methods": ["GET", "POST"] }, "upstream": "items" });
        (format!("svc-{number}"), section)
    };
    let routes: Map<String, Value> = (0..routes).map(route).collect();
    let document = json!({
        "gateway": { "log": { "access": "off" } },
        "upstream": { "items": { "url": "http://items.internal:8080/v1" } },
        "route": routes,
    });
    Sections::from_document(document, &mut Vec::new())
}

/// Those, compiled.
pub fn gateway(routes: usize) -> Gateway {
    let loaded = compile::load(&sections(routes), Some(Capabilities::of(Platform::Cloudflare)));
    loaded.gateway.expect("the configuration has no mistake")
}

/// What a browser's request carries when it comes through Cloudflare.
pub fn fields() -> HeaderMap {
    let fields = [
        ("host", "shop.example.com"),
        ("accept", "application/json, text/plain, */*"),
        ("accept-encoding", "gzip, br"),
        ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
        ("authorization", "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl"),
        ("cf-connecting-ip", "203.0.113.7"),
        ("cf-ipcountry", "DE"),
        ("cf-ray", "9a3b1c5d7e9f1234-FRA"),
        ("cookie", "session=5f2b8c1e9d7a4f60; theme=dark"),
        ("origin", "https://shop.example.com"),
        ("referer", "https://shop.example.com/items?page=2"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"),
    ];
    let field = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    fields.into_iter().map(field).collect()
}
