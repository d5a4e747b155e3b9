//! `echo`: answers with what it was asked, and in a few unusual ways where the path asks for one. `/events` is a stream
//! of five events; `/slow?ms=500` takes its time; `/large?mb=50` is large; `/broken` breaks off in the middle;
//! `/websocket` sends every message back.

use super::{Body, answer, response};
use crate::seen::{PIECE, generated};
use crate::websocket::echo_all;
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use std::io::Error;
use std::time::Duration;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The longest pause, and the largest body in MB.
const SLOWEST: u64 = 60_000;
const LARGEST: u64 = 1_000;

pub(super) async fn respond(mut request: Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/events" => stream("text/event-stream", events),
        "/broken" => stream("text/plain", breaks),
        "/large" => large(number(&request, "mb").unwrap_or(1).min(LARGEST)),
        "/slow" => {
            sleep(Duration::from_millis(number(&request, "ms").unwrap_or(1_000).min(SLOWEST))).await;
            echo(request).await
        }
        "/websocket" if request.headers().contains_key("sec-websocket-key") => websocket(&mut request),
        _ => echo(request).await,
    }
}

async fn echo(request: Request<Incoming>) -> Response<Body> {
    let mut headers = Map::new();
    for name in request.headers().keys() {
        let lines = request.headers().get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        headers.insert(name.to_string(), lines.collect::<Vec<_>>().join(", ").into());
    }
    let (method, target) = (request.method().to_string(), request.uri().to_string());
    match length(request.into_body()).await {
        Ok(length) => {
            let seen = json!({ "method": method, "target": target, "headers": headers, "body_length": length });
            answer(StatusCode::OK, &seen)
        }
        Err(error) => answer(StatusCode::BAD_REQUEST, &json!({ "error": error.to_string() })),
    }
}

async fn length(mut body: Incoming) -> hyper::Result<usize> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(length)
}

/// A response whose body `write` sends on.
fn stream<F>(media_type: &'static str, write: impl FnOnce(Sender<Bytes, Error>) -> F) -> Response<Body>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, body) = Channel::new(1);
    tokio::spawn(write(sender));
    let mut response = response(StatusCode::OK, body.boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

async fn events(mut sender: Sender<Bytes, Error>) {
    for number in 1..=5 {
        let event = format!("id: {number}\ndata: {}\n\n", Value::from(format!("event {number} of 5")));
        if sender.send_data(event.into()).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn breaks(mut sender: Sender<Bytes, Error>) {
    // A client that goes away first does not see it break.
    let _ = sender.send_data(Bytes::from_static(b"half of what there should be\n")).await;
    sleep(Duration::from_millis(100)).await;
    sender.abort(Error::other("broken on purpose"));
}

fn large(megabytes: u64) -> Response<Body> {
    let length = megabytes * 1_000_000;
    let mut response = stream("text/plain", move |mut sender| async move {
        let mut sent = 0;
        while sent < length {
            let piece = generated(sent, PIECE.min(usize::try_from(length - sent).unwrap_or(PIECE)));
            sent += piece.len() as u64;
            if sender.send_data(Bytes::from_static(piece)).await.is_err() {
                return;
            }
        }
    });
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

fn websocket(request: &mut Request<Incoming>) -> Response<Body> {
    let key = request.headers().get("sec-websocket-key").map_or(&b""[..], HeaderValue::as_bytes);
    let accept = HeaderValue::from_str(&derive_accept_key(key));
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            // The peer sees how it ends.
            let _ = echo_all(TokioIo::new(upgraded)).await;
        }
    });
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut response = response(StatusCode::SWITCHING_PROTOCOLS, body);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.extend(accept.ok().map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
    response
}

fn number(request: &Request<Incoming>, name: &str) -> Option<u64> {
    let pairs = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name)?.1.parse().ok()
}
