//! A whole request through the gateway, on the host in memory: what edgate itself does, without a platform.

use crate::common::{ROUTES, fields, gateway};
use divan::Bencher;
use edgate::body::Body;
use edgate::host::{ClientFacts, Incoming, SharedHost};
use edgate::memory::clock::finish;
use edgate::memory::{Answer, MemoryHost};
use http::{HeaderMap, HeaderValue, Method, Response, header};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

/// The last route passes it to its upstream.
#[divan::bench(args = ROUTES)]
fn proxied(bencher: Bencher<'_, '_>, routes: usize) {
    let host: SharedHost = Rc::new(MemoryHost::new(|_| Answer { after: Duration::ZERO, result: Ok(upstream()) }));
    let (gateway, headers) = (gateway(routes), fields());
    let path = format!("/svc{}/items/42", routes - 1);
    bencher
        .with_inputs(|| incoming(&path, headers.clone()))
        .bench_local_values(|incoming| finish(gateway.handle(&host, incoming)));
}

/// No route takes it: a problem document.
#[divan::bench]
fn refused(bencher: Bencher<'_, '_>) {
    let host: SharedHost = Rc::new(MemoryHost::new(|_| Answer { after: Duration::ZERO, result: Ok(upstream()) }));
    let (gateway, headers) = (gateway(1), fields());
    bencher
        .with_inputs(|| incoming("/nothing", headers.clone()))
        .bench_local_values(|incoming| finish(gateway.handle(&host, incoming)));
}

fn incoming(path: &str, headers: HeaderMap) -> Incoming {
    Incoming {
        method: Method::GET,
        scheme: "https",
        authority: "shop.example.com".to_owned(),
        path: path.to_owned(),
        query: None,
        headers_size: headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum(),
        headers,
        body: Body::Empty,
        peer: Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7))),
        facts: ClientFacts::default(),
        version: "2",
    }
}

fn upstream() -> Response<Body> {
    let mut response = Response::new(Body::bytes(vec![b'x'; 500]));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=60"));
    fields.insert(header::ETAG, HeaderValue::from_static("\"5d8c72a5edda8d6a\""));
    fields.insert(header::VARY, HeaderValue::from_static("Accept-Encoding, Origin"));
    response
}
