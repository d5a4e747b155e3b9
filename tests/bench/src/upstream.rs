//! The upstream: it answers at once, always the same, with keep-alive. It has a thread of its own, for as long as the
//! process lives.

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED, SERVER,
    VARY,
};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpStream};

/// How long the answer is, in bytes.
pub const ITEM: usize = 500;

/// The path that has a long answer, and its length in bytes.
pub const EXPORT_PATH: &str = "/svc0/items/export";
pub const EXPORT: usize = 100_000;

/// Starts it on a free port.
pub fn start() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for the upstream")?;
    let address = listener.local_addr().context("the listener has no address")?;
    listener.set_nonblocking(true).context("cannot prepare the upstream's socket")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().context("no runtime")?;
    std::thread::Builder::new()
        .name("upstream".to_owned())
        .spawn(move || runtime.block_on(accept(listener)))
        .context("no thread for the upstream")?;
    Ok(address)
}

async fn accept(listener: std::net::TcpListener) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let (item, export, fields) = (json(ITEM), json(EXPORT), fields());
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, item.clone(), export.clone(), fields.clone()));
    }
}

async fn serve(stream: TcpStream, item: Bytes, export: Bytes, fields: HeaderMap) {
    // Without it the end of an answer may wait for the acknowledgement of its beginning.
    let _ = stream.set_nodelay(true);
    let respond = service_fn(|request: Request<Incoming>| {
        let content = if request.uri().path() == EXPORT_PATH { export.clone() } else { item.clone() };
        let mut response = Response::new(Full::new(content));
        *response.headers_mut() = fields.clone();
        async move {
            // A connection serves the next request when the body of this one is read.
            request.into_body().collect().await?;
            Ok::<_, hyper::Error>(response)
        }
    });
    // A gateway that ends breaks its connections.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), respond).await;
}

/// What an ordinary service says, besides `Content-Length` and `Date`.
fn fields() -> HeaderMap {
    let fields: [(HeaderName, &str); 8] = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "private, max-age=60"),
        (ETAG, "\"5d8c72a5edda8d6a5a0b8e0d1f5a2c3b\""),
        (LAST_MODIFIED, "Tue, 03 Nov 2026 09:12:44 GMT"),
        (VARY, "Accept-Encoding, Origin"),
        (SERVER, "items/2.4"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "https://shop.example.com"),
        (HeaderName::from_static("x-request-cost"), "3"),
    ];
    fields.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
}

/// A JSON document of this length.
fn json(length: usize) -> Bytes {
    let (begin, end) = (r#"{"id":42,"name":"A thing","price":{"amount":1999,"currency":"EUR"},"text":""#, r#""}"#);
    let text = "Lorem ipsum dolor sit amet, ".chars().cycle().take(length - begin.len() - end.len());
    [begin.to_owned(), text.collect(), end.to_owned()].concat().into()
}
