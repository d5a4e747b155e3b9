//! Requests and responses between `wasi:http` and the core.

use super::failure::failure;
use super::host::within;
use super::watch::Over;
use crate::body::{Body, HostBody};
use crate::headers::{content_length, remove_where, section_size};
use crate::host::{ClientFacts, HostError, Incoming, Outgoing};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields, Scheme, Trailers};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter};
use spin_sdk::wasip3::{self, wit_future, wit_stream};
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

/// A body that the host holds: its stream, and how it ends.
pub struct Stream {
    /// What was read of it already, to see whether there is one.
    first: Option<Vec<u8>>,
    reader: StreamReader<u8>,
    end: FutureReader<Result<Option<Trailers>, ErrorCode>>,
    /// Those who want to know when it is over: both stages of limits may.
    pub watchers: Vec<Over>,
}

/// How much is read at once where a body must be looked at.
const CHUNK: usize = 64 * 1024;

/// How often it is looked whether anybody still takes a stream that is watched, and on which nothing comes.
const LOOK: Duration = Duration::from_secs(2);

/// The request as the core takes it.
pub async fn incoming(request: types::Request) -> Incoming {
    let method = method(&request.get_method());
    let scheme = match request.get_scheme() {
        Some(Scheme::Https) => "https",
        _ => "http",
    };
    let target = request.get_path_with_query().unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target, None),
    };
    let mut headers = fields(&request.get_headers());
    let host = || headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let authority = request.get_authority().or_else(host).unwrap_or_default();
    // A client's own field of this name comes first, Spin's last: only the last is true.
    let peer = headers.get_all("spin-client-addr").into_iter().next_back();
    let peer = peer.and_then(|value| value.to_str().ok()?.parse::<std::net::SocketAddr>().ok());
    remove_where(&mut headers, |name| name.as_str().starts_with("spin-"));
    let body = body(request, &method, &headers).await;
    let headers_size = section_size(&headers);
    Incoming {
        method,
        scheme,
        authority,
        path,
        query,
        headers,
        headers_size,
        body,
        peer: peer.map(|peer| peer.ip()),
        facts: ClientFacts::default(),
        version: "1.1",
    }
}

/// A body where there is one. Without a declared length, only looking tells, and only requests that rarely have one
/// are looked at: the others go on as they come.
async fn body(request: types::Request, method: &Method, headers: &HeaderMap) -> Body {
    let length = content_length(headers).ok().flatten();
    let (_, done) = wit_future::new::<Result<(), ErrorCode>>(|| Ok(()));
    let (mut reader, end) = types::Request::consume_body(request, done);
    if length == Some(0) {
        return Body::Empty;
    }
    let mut first = None;
    if length.is_none() && !matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        let (result, chunk) = reader.read(Vec::with_capacity(CHUNK)).await;
        if matches!(result, StreamResult::Dropped) && chunk.is_empty() {
            return Body::Empty;
        }
        first = Some(chunk);
    }
    Body::host(Stream { first, reader, end, watchers: Vec::new() }, length)
}

/// The answer as the host takes it.
pub fn answer(response: Response<Body>) -> Result<types::Response, ErrorCode> {
    let (parts, body) = response.into_parts();
    let mut headers = parts.headers;
    if let Body::Bytes(bytes) = &body {
        // Chunked answers wait up to 40 ms for the client's acknowledgement.
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    if matches!(body, Body::Empty) && !headers.contains_key(header::CONTENT_LENGTH) && has_content(parts.status) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    }
    let (contents, end) = content(body, &Rc::default());
    let (response, _sent) = types::Response::new(list(&headers, None)?, contents, end);
    let status = response.set_status_code(parts.status.as_u16());
    status.map_err(|()| ErrorCode::InternalError(Some("a status that cannot be sent".to_owned())))?;
    Ok(response)
}

/// RFC 9110, sections 6.4.1 and 8.6: no 1xx, 204 or 304 answer says how long it is.
fn has_content(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

/// The request to an upstream, and whether its body turned out too large.
pub fn outgoing(request: Outgoing<'_>) -> Result<(types::Request, Rc<Cell<bool>>), HostError> {
    let Outgoing { method, url, headers, body, .. } = request;
    let bad = |what: &str| HostError::Unsendable(format!("the host does not take the {what}"));
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("address"))?;
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let over = Rc::new(Cell::new(false));
    // A body without a length is sent in chunks, which not every server takes.
    let length =
        body.length().filter(|_| matches!(body, Body::Bytes(_)) && !headers.contains_key(header::CONTENT_LENGTH));
    let fields = list(headers, length).map_err(|error| HostError::Unsendable(error.to_string()))?;
    let (contents, end) = content(body, &over);
    let (request, _sent) = types::Request::new(fields, contents, end, None);
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    request.set_method(&wasi_method(&method)).map_err(|()| bad("method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| bad("scheme"))?;
    request.set_authority(Some(authority)).map_err(|()| bad("authority"))?;
    request.set_path_with_query(Some(target)).map_err(|()| bad("path"))?;
    Ok((request, over))
}

/// The upstream's answer as the core takes it.
pub fn response(response: types::Response) -> Result<Response<Body>, HostError> {
    let status =
        StatusCode::from_u16(response.get_status_code()).map_err(|error| HostError::Protocol(error.to_string()))?;
    let headers = fields(&response.get_headers());
    let length = content_length(&headers).ok().flatten();
    let (_, done) = wit_future::new::<Result<(), ErrorCode>>(|| Ok(()));
    let (reader, end) = types::Response::consume_body(response, done);
    let mut response = Response::new(Body::host(Stream { first: None, reader, end, watchers: Vec::new() }, length));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Reads a body to its end.
pub async fn collect(body: Body, most: u64) -> Result<Bytes, HostError> {
    let HostBody { handle, length, limit } = match body {
        Body::Host(body) => body,
        Body::Bytes(bytes) if bytes.len() as u64 > most => return Err(HostError::BodyTooLarge),
        Body::Bytes(bytes) => return Ok(bytes),
        Body::Empty => return Ok(Bytes::new()),
    };
    let most = limit.map_or(most, |limit| limit.min(most));
    if length.is_some_and(|length| length > most) {
        return Err(HostError::BodyTooLarge);
    }
    let stream = handle.downcast::<Stream>().map_err(|_| HostError::Other("a body of another host".to_owned()))?;
    let Stream { first, mut reader, end, watchers: _watchers } = *stream;
    let mut content = first.unwrap_or_default();
    loop {
        if content.len() as u64 > most {
            return Err(HostError::BodyTooLarge);
        }
        let (result, chunk) = reader.read(Vec::with_capacity(CHUNK)).await;
        if content.is_empty() {
            content = chunk
        } else {
            content.extend(chunk)
        }
        if matches!(result, StreamResult::Dropped) {
            break;
        }
    }
    if content.len() as u64 > most {
        return Err(HostError::BodyTooLarge);
    }
    end.await.map_err(|error| failure(&error))?;
    Ok(content.into())
}

type Content = (Option<StreamReader<u8>>, FutureReader<Result<Option<Trailers>, ErrorCode>>);

/// A body as the host takes it: its own stream where nothing has to be done to it.
fn content(body: Body, over: &Rc<Cell<bool>>) -> Content {
    match body {
        Body::Host(HostBody { handle, limit, .. }) => match (handle.downcast::<Stream>(), limit) {
            (Ok(stream), None) if stream.first.is_none() && stream.watchers.is_empty() => {
                (Some(stream.reader), stream.end)
            }
            (Ok(stream), limit) => copied(*stream, limit, Rc::clone(over)),
            // Not a stream of this host's: there is none.
            (Err(_), _) => (None, at_end()),
        },
        Body::Empty => (None, at_end()),
        Body::Bytes(bytes) => {
            let (mut writer, reader) = wit_stream::new::<u8>();
            wasip3::spawn(async move {
                writer.write_all(Vec::from(bytes)).await;
            });
            (Some(reader), at_end())
        }
    }
}

fn at_end() -> FutureReader<Result<Option<Trailers>, ErrorCode>> {
    wit_future::new(|| Ok(None)).1
}

/// Copies a stream, and ends it with an error where it is too large. Whoever watches it knows when it is over: it was
/// read to its end and taken, it broke off, or nobody takes it any more.
fn copied(stream: Stream, limit: Option<u64>, over: Rc<Cell<bool>>) -> Content {
    let (mut writer, contents) = wit_stream::new::<u8>();
    let (end_writer, end) =
        wit_future::new(|| Err(ErrorCode::InternalError(Some("the body was not finished".to_owned()))));
    wasip3::spawn(async move {
        let Stream { first, mut reader, end, watchers } = stream;
        let mut passed = 0u64;
        let mut next = first;
        let outcome = loop {
            let (ended, chunk) = match next.take() {
                Some(chunk) => (false, chunk),
                None => {
                    let read = reader.read(Vec::with_capacity(CHUNK));
                    let (result, chunk) = match watchers.is_empty() {
                        true => read.await,
                        false => match while_wanted(&mut writer, read).await {
                            Some(read) => read,
                            None => return,
                        },
                    };
                    (matches!(result, StreamResult::Dropped), chunk)
                }
            };
            passed += chunk.len() as u64;
            if limit.is_some_and(|limit| passed > limit) {
                over.set(true);
                break Err(ErrorCode::HttpRequestBodySize(limit));
            }
            // What cannot be written any more is read by nobody.
            if !chunk.is_empty() && !writer.write_all(chunk).await.is_empty() {
                return;
            }
            if ended {
                break end.await;
            }
        };
        drop(writer);
        // Nobody may wait for the end any more.
        let _ = end_writer.write(outcome).await;
    });
    (Some(contents), end)
}

/// Waits for something to write, as long as somebody takes it: whether anybody does, only writing tells, and writing
/// nothing is enough.
async fn while_wanted<T>(writer: &mut StreamWriter<u8>, next: impl Future<Output = T>) -> Option<T> {
    let mut next = pin!(next);
    loop {
        if let Some(next) = within(LOOK, next.as_mut()).await {
            return Some(next);
        }
        if matches!(writer.write(Vec::new()).await, (StreamResult::Dropped, _)) {
            return None;
        }
    }
}

fn fields(fields: &Fields) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.copy_all() {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_maybe_shared(Bytes::from(value)))
        {
            headers.append(name, value);
        }
    }
    headers
}

/// Fields as the host takes them, and the body's length where it is not among them.
fn list(headers: &HeaderMap, length: Option<u64>) -> Result<Fields, ErrorCode> {
    let field = |name: &HeaderName, value: &[u8]| (name.as_str().to_owned(), value.to_vec());
    let length = length.map(|length| field(&header::CONTENT_LENGTH, length.to_string().as_bytes()));
    let list: Vec<(String, Vec<u8>)> =
        headers.iter().map(|(name, value)| field(name, value.as_bytes())).chain(length).collect();
    Fields::from_list(&list).map_err(|error| ErrorCode::InternalError(Some(format!("header fields: {error:?}"))))
}

fn method(method: &types::Method) -> Method {
    match method {
        types::Method::Get => Method::GET,
        types::Method::Head => Method::HEAD,
        types::Method::Post => Method::POST,
        types::Method::Put => Method::PUT,
        types::Method::Delete => Method::DELETE,
        types::Method::Connect => Method::CONNECT,
        types::Method::Options => Method::OPTIONS,
        types::Method::Trace => Method::TRACE,
        types::Method::Patch => Method::PATCH,
        // A method that is no token is one that no route takes.
        types::Method::Other(name) => Method::from_bytes(name.as_bytes()).unwrap_or(Method::CONNECT),
    }
}

fn wasi_method(method: &Method) -> types::Method {
    match *method {
        Method::GET => types::Method::Get,
        Method::HEAD => types::Method::Head,
        Method::POST => types::Method::Post,
        Method::PUT => types::Method::Put,
        Method::DELETE => types::Method::Delete,
        Method::CONNECT => types::Method::Connect,
        Method::OPTIONS => types::Method::Options,
        Method::TRACE => types::Method::Trace,
        Method::PATCH => types::Method::Patch,
        ref other => types::Method::Other(other.as_str().to_owned()),
    }
}
