//! From sections to a gateway: what a cold start pays for each route.

use crate::common::{ROUTES, sections};
use divan::{Bencher, black_box};
use edgate::compile;
use edgate::config::Platform;
use edgate::host::Capabilities;

#[divan::bench(args = ROUTES)]
fn load(bencher: Bencher<'_, '_>, routes: usize) {
    let sections = sections(routes);
    let capabilities = Some(Capabilities::of(Platform::Cloudflare));
    bencher.bench_local(|| compile::load(black_box(&sections), capabilities));
}
