//! Fermyon Spin: the component exports `wasi:http/handler@0.3.0`. Bodies that nobody reads are handed from one side to
//! the other as the host's own streams, with their trailers and errors, and never enter the wasm.
//!
//! The export is written out, rather than made by `#[http_service]`, because the macro parses the URL with the `http`
//! crate first, and gives no answer to one that the crate cannot hold.

mod failure;
mod host;
mod message;
#[cfg(not(feature = "without-atomics"))]
mod pages;
#[cfg(feature = "without-atomics")]
#[path = "spin/no_pages.rs"]
mod pages;
mod redis;
mod watch;

use crate::config::Platform;
use crate::config::document::{Binding, Sections};
use crate::host::{Capabilities, SharedHost};
use crate::instance::Instance;
use host::SpinHost;
use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};
use std::rc::Rc;

thread_local! {
    /// Spin reuses an instance for many requests, several at a time.
    static INSTANCE: Rc<Instance> = instance();
    static HOST: Rc<SpinHost> = Rc::default();
}

struct Component;

spin_sdk::wasip3::http::service::export!(Component with_types_in spin_sdk::wasip3);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let host: SharedHost = HOST.with(Rc::clone);
        let incoming = message::incoming(request).await;
        let response = INSTANCE.with(Rc::clone).handle(host, incoming).await;
        message::answer(response)
    }
}

/// Reads the configuration in the component's environment.
fn instance() -> Rc<Instance> {
    let mut mistakes = Vec::new();
    let bindings = std::env::vars().map(|(name, text)| (name, Binding::Text(text)));
    let sections = Sections::from_bindings(bindings, &mut mistakes);
    Instance::new(Capabilities::of(Platform::Spin), sections, mistakes)
}
