//! Finding the route of a request: it must not cost more with more routes. Before it stands the spelling of the path.

use crate::common::{ROUTES, fields, gateway};
use divan::{Bencher, black_box};
use edgate::config::EncodedSlashes;
use edgate::path;
use edgate::routing::condition::Facts;
use http::Method;

/// The last route takes the request.
#[divan::bench(args = ROUTES)]
fn hit(bencher: Bencher<'_, '_>, routes: usize) {
    find(bencher, routes, &Method::GET, &format!("/svc{}/items/42", routes - 1));
}

/// No route has such a path (404).
#[divan::bench(args = ROUTES)]
fn miss(bencher: Bencher<'_, '_>, routes: usize) {
    find(bencher, routes, &Method::GET, &format!("/svc{}/orders/42", routes - 1));
}

/// The last route has the path, but takes other methods (405).
#[divan::bench(args = ROUTES)]
fn wrong_method(bencher: Bencher<'_, '_>, routes: usize) {
    find(bencher, routes, &Method::DELETE, &format!("/svc{}/items/42", routes - 1));
}

/// The same of the first route: all others are asked whether they take it.
#[divan::bench(args = ROUTES)]
fn wrong_method_first(bencher: Bencher<'_, '_>, routes: usize) {
    find(bencher, routes, &Method::DELETE, "/svc0/items/42");
}

/// A path as nearly all are.
#[divan::bench]
fn normalize_usual_path() -> bool {
    path::normalize(black_box("/svc999/items/42"), EncodedSlashes::Refuse).is_ok()
}

/// A path that has to be written anew.
#[divan::bench]
fn normalize_unusual_path() -> bool {
    path::normalize(black_box("//svc999/./old/../items/%34%32%c3%a9"), EncodedSlashes::Refuse).is_ok()
}

fn find(bencher: Bencher<'_, '_>, routes: usize, method: &Method, path: &str) {
    let (gateway, headers) = (gateway(routes), fields());
    let facts = Facts { host: "shop.example.com", path, method, headers: &headers, query: None };
    bencher.bench_local(|| gateway.router.find(black_box(&facts)));
}
