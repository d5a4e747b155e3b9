//! From what came in to the header section for the next hop.

use super::{CDN_LOOP, Gateway, X_REQUEST_ID};
use crate::config::KeepRequestId;
use crate::exchange::{Exchange, Hop, Notes, Received};
use crate::headers::forwarded::{self, forward};
use crate::headers::{self, HOP_BY_HOP, accepts_json, append_element, asks_for_websocket, takes_trailers};
use crate::host::{Incoming, SharedHost};
use crate::part::Parts;
use http::Method;
use http::header::{self, HeaderMap, HeaderValue};

impl Gateway {
    /// The request as it was received, with its identifier and its client.
    pub(super) fn open(&self, host: &SharedHost, incoming: Incoming) -> Exchange {
        let Incoming { method, scheme, authority, path, query, headers, headers_size, body, peer, facts, version } =
            incoming;
        let client = forwarded::client(peer, scheme, &authority, &headers, &self.trusted_proxies);
        let kept = match self.keep_request_id {
            KeepRequestId::Always => kept_id(&headers),
            KeepRequestId::Trusted if client.trusted => kept_id(&headers),
            KeepRequestId::Trusted | KeepRequestId::Never => None,
        };
        let logged = |name| headers.contains_key(name).then(|| headers::joined(&headers, name));
        let logged_fields = self.log.headers.iter().map(logged).collect();
        Exchange {
            id: kept.unwrap_or_else(|| new_id(host)),
            started: host.now(),
            method,
            scheme,
            authority,
            version,
            path,
            query,
            received: Received::default(),
            hop: Hop {
                websocket: asks_for_websocket(&headers),
                trailers: takes_trailers(&headers),
                json: accepts_json(&headers),
            },
            headers,
            headers_size,
            body,
            peer,
            client,
            facts,
            identity: None,
            matched: None,
            within: None,
            afterwards: Vec::new(),
            inherited: HeaderMap::new(),
            parts: Parts::default(),
            notes: Notes { logged_fields, ..Notes::default() },
        }
    }

    /// Turns the client's header section into the one for the next hop. It comes before the policies: a client must
    /// not be able to name a field in `Connection` that a policy sets.
    pub(super) fn pass_on(&self, ex: &mut Exchange) {
        let fields = &mut ex.headers;
        headers::remove_named_by_connection(fields);
        // Each host writes Host from the upstream's URL, nobody waits for `100-continue` any more, and what an untrusted
        // peer says of itself is not believed.
        let is_one_of_many = ex.within.is_some();
        let untrusted = !ex.client.trusted && !is_one_of_many;
        headers::remove_where(fields, |name| {
            HOP_BY_HOP.contains(name)
                || *name == header::HOST
                || *name == header::EXPECT
                || (untrusted && forwarded::FIELDS.contains(name))
        });
        if !is_one_of_many {
            forward(fields, ex.peer, &ex.client, (ex.scheme, &ex.authority), self.forward);
        }
        // RFC 9110, section 7.6.3.
        append_element(fields, &header::VIA, &self.name.via(ex.version));
        append_element(fields, &CDN_LOOP, &self.name.token);
        if let Ok(id) = HeaderValue::from_str(&ex.id) {
            fields.insert(&X_REQUEST_ID, id);
        }
        // RFC 9110, section 7.6.2.
        if let Some(left) = max_forwards(ex) {
            ex.headers.insert(header::MAX_FORWARDS, HeaderValue::from(left.saturating_sub(1)));
        }
    }
}

/// How many more proxies an OPTIONS request may pass (RFC 9110, section 7.6.2).
pub fn max_forwards(ex: &Exchange) -> Option<u32> {
    if ex.method != Method::OPTIONS {
        return None;
    }
    let value = ex.headers.get(header::MAX_FORWARDS)?;
    value.to_str().ok()?.parse().ok()
}

/// A client's own identifier, if it is one: 1 to 128 visible characters that mean nothing anywhere.
fn kept_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(&X_REQUEST_ID)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(&byte);
    ((1..=128).contains(&id.len()) && id.bytes().all(plain)).then(|| id.to_owned())
}

/// A new identifier: 128 random bits in hexadecimal.
fn new_id(host: &SharedHost) -> String {
    let mut bytes = [0; 16];
    host.random(&mut bytes);
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
    let mut id = String::with_capacity(32);
    for byte in bytes {
        id.push(digit(byte >> 4));
        id.push(digit(byte));
    }
    id
}
