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
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

/// Where it listens: it looks like three.
pub type Addresses = [SocketAddr; 3];

/// How long the answer is, in bytes.
pub const ITEM: usize = 500;

/// The path that has a long answer, and its length in bytes.
pub const EXPORT_PATH: &str = "/svc0/items/export";
pub const EXPORT: usize = 100_000;

/// What aggregates are made of, in bytes: `/parts/KIND/ID`. `slow` is a small one after [`SLOW`].
pub const SMALL: usize = 1_000;
pub const LARGE: usize = 100_000;
pub const SLOW: Duration = Duration::from_millis(100);

/// What it answers.
struct Contents {
    item: Bytes,
    export: Bytes,
    small: Bytes,
    large: Bytes,
    fields: HeaderMap,
}

/// Starts it on free ports.
pub fn start() -> Result<Addresses> {
    let listeners = [listener()?, listener()?, listener()?];
    let mut addresses = Vec::new();
    for listener in &listeners {
        addresses.push(listener.local_addr().context("the listener has no address")?);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    std::thread::Builder::new()
        .name("upstream".to_owned())
        .spawn(move || LocalSet::new().block_on(&runtime, listen(listeners)))
        .context("no thread for the upstream")?;
    addresses.try_into().ok().context("three listeners have three addresses")
}

fn listener() -> Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for the upstream")?;
    listener.set_nonblocking(true).context("cannot prepare the upstream's socket")?;
    Ok(listener)
}

async fn listen(listeners: [std::net::TcpListener; 3]) {
    let contents = Rc::new(Contents {
        item: json(ITEM),
        export: json(EXPORT),
        small: part(SMALL),
        large: part(LARGE),
        fields: fields(),
    });
    for listener in listeners {
        tokio::task::spawn_local(accept(listener, Rc::clone(&contents)));
    }
    std::future::pending().await
}

async fn accept(listener: std::net::TcpListener, contents: Rc<Contents>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        tokio::task::spawn_local(serve(stream, Rc::clone(&contents)));
    }
}

async fn serve(stream: TcpStream, contents: Rc<Contents>) {
    // Without it the end of an answer may wait for the acknowledgement of its beginning.
    let _ = stream.set_nodelay(true);
    let respond = service_fn(|request: Request<Incoming>| {
        let (content, delay) = contents.of(request.uri().path());
        let mut response = Response::new(Full::new(content));
        *response.headers_mut() = contents.fields.clone();
        async move {
            // A connection serves the next request when the body of this one is read.
            request.into_body().collect().await?;
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
            Ok::<_, hyper::Error>(response)
        }
    });
    // A gateway that ends breaks its connections.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), respond).await;
}

impl Contents {
    /// What is at a path, and how long it takes.
    fn of(&self, path: &str) -> (Bytes, Option<Duration>) {
        match path.strip_prefix("/parts/").and_then(|rest| rest.split('/').next()) {
            Some("large") => (self.large.clone(), None),
            Some("slow") => (self.small.clone(), Some(SLOW)),
            Some(_) => (self.small.clone(), None),
            None if path == EXPORT_PATH => (self.export.clone(), None),
            None => (self.item.clone(), None),
        }
    }
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

/// A JSON document of this length, most of which is one text.
fn json(length: usize) -> Bytes {
    filled(r#"{"id":42,"name":"A thing","price":{"amount":1999,"currency":"EUR"}"#, length)
}

/// A JSON document of this length with as many items as there is room for, as services list them: whoever parses it makes
/// an object of each. Written as everybody writes it, so that it has the same length when it is parsed and written again.
fn part(length: usize) -> Bytes {
    let mut text = r#"{"id":"1","next":{"id":2},"items":["#.to_owned();
    let mut item = String::new();
    for number in 1.. {
        item.clear();
        // A text takes whatever is written to it.
        let _ = write!(
            item,
            r#"{{"id":{number},"sku":"A-{number:06}","name":"Table of oak","price":{{"amount":{},"currency":"EUR"}},"tags":["oak","indoor"],"stock":true,"rating":4}}"#,
            1_000 + number * 7
        );
        // What remains is filled with a text, which has to be there.
        if text.len() + item.len() + 40 > length {
            break;
        }
        if number > 1 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text.push(']');
    filled(&text, length)
}

/// An object that has begun, with a text at the end that makes it this long.
fn filled(begin: &str, length: usize) -> Bytes {
    let (begin, end) = (format!("{begin},\"text\":\""), "\"}");
    let text: String = "Lorem ipsum dolor sit amet, ".chars().cycle().take(length - begin.len() - end.len()).collect();
    (begin + &text + end).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_json_and_as_long_as_is_said() {
        for (content, length) in
            [(json(ITEM), ITEM), (json(EXPORT), EXPORT), (part(SMALL), SMALL), (part(LARGE), LARGE)]
        {
            assert_eq!(content.len(), length);
            let value: serde_json::Value = serde_json::from_slice(&content).expect("it is JSON");
            assert_eq!(value.to_string().len(), length, "written anew");
        }
    }

    #[test]
    fn a_part_names_the_next_one() {
        let value: serde_json::Value = serde_json::from_slice(&part(SMALL)).expect("it is JSON");
        assert_eq!(value["next"]["id"], 2);
        assert!(value["items"].as_array().is_some_and(|items| items.len() > 3));
    }
}
