//! Who the client is behind the proxies that are trusted, and what the upstream is told of it: `Forwarded` (RFC 7239)
//! and the `X-Forwarded-*` fields. What an untrusted peer says of itself is not believed, and not passed on.

use super::{append_element, elements, joined, remove_where};
use crate::config::Forward;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// What proxies say of the client.
pub static FIELDS: [HeaderName; 6] =
    [header::FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_FORWARDED_PORT, X_REAL_IP];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The client, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its address: the last one in the chain that is no trusted proxy's.
    pub address: Option<IpAddr>,
    /// The scheme it used.
    pub scheme: &'static str,
    /// The host it asked for.
    pub host: String,
    /// Whether the peer is a trusted proxy, so that what it says is believed.
    pub trusted: bool,
}

/// Finds the client behind trusted proxies.
pub fn client(
    peer: Option<IpAddr>,
    scheme: &'static str,
    authority: &str,
    headers: &HeaderMap,
    proxies: &[IpNet],
) -> Client {
    let trusted = peer.is_some_and(|peer| is_trusted(peer, proxies));
    let direct = Client { address: peer, scheme, host: authority.to_owned(), trusted };
    if !trusted {
        return direct;
    }
    let chain = chain(headers);
    // From the nearest hop on, as far as the chain can be read: the first that is no proxy of ours is the client, and
    // its position is that of the element which our own proxy wrote about it.
    let readable = chain.iter().rposition(Option::is_none).map_or(0, |unreadable| unreadable + 1);
    let is_client = |hop: &Option<IpAddr>| hop.is_some_and(|address| !is_trusted(address, proxies));
    let position = chain[readable..].iter().rposition(is_client).map(|position| readable + position);
    let said = |name: HeaderName, parameter: &str| {
        let list: Vec<&str> = elements(headers, &name).collect();
        let forwarded = joined(headers, &header::FORWARDED);
        let hops: Vec<&str> = forwarded.split(',').collect();
        let written = pick(&list, position, chain.len()).map(str::to_owned);
        written.or_else(|| pick(&hops, position, chain.len()).and_then(|hop| pair(hop, parameter)))
    };
    let host = said(X_FORWARDED_HOST, "host");
    Client {
        address: position.and_then(|position| chain[position]).or(peer),
        scheme: match said(X_FORWARDED_PROTO, "proto").as_deref() {
            Some("http") => "http",
            Some("https") => "https",
            _ => direct.scheme,
        },
        host: host.filter(|host| is_host(host)).unwrap_or(direct.host),
        trusted,
    }
}

/// The element that tells of the client: what stands before it is the client's own word. A list with as many elements
/// as the chain has hops was written along with it; of any other, the last element is the nearest proxy's.
fn pick<'a>(list: &[&'a str], position: Option<usize>, hops: usize) -> Option<&'a str> {
    match position {
        Some(position) if list.len() == hops => list.get(position).copied(),
        _ => list.last().copied(),
    }
}

/// Tells the upstream about the client, as the configuration wants it. What an untrusted peer wrote has been taken away
/// before.
pub fn forward(headers: &mut HeaderMap, peer: Option<IpAddr>, client: &Client, received: (&str, &str), how: Forward) {
    let (x_forwarded, forwarded) = match how {
        Forward::Both => (true, true),
        Forward::XForwarded => (true, false),
        Forward::Forwarded => (false, true),
        Forward::None => (false, false),
    };
    let peer = peer.map(|peer| (peer, peer.to_string()));
    if x_forwarded {
        if let Some((_, text)) = &peer
            && let Ok(address) = HeaderValue::from_str(text)
        {
            append_element(headers, &X_FORWARDED_FOR, &address);
        }
        set(headers, X_FORWARDED_HOST, &client.host);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(client.scheme));
    } else {
        remove_where(headers, |name| FIELDS.contains(name) && *name != header::FORWARDED);
    }
    if forwarded {
        let (scheme, authority) = received;
        let peer = peer.as_ref().map(|(peer, text)| (*peer, text.as_str()));
        if let Ok(hop) = HeaderValue::try_from(element(peer, scheme, authority)) {
            append_element(headers, &header::FORWARDED, &hop);
        }
    } else {
        headers.remove(header::FORWARDED);
    }
}

/// One hop of `Forwarded`: `for=192.0.2.1;host="a.example:8080";proto=https`.
fn element(peer: Option<(IpAddr, &str)>, scheme: &str, authority: &str) -> String {
    // RFC 7239, section 6: an IPv6 address is quoted and in brackets; section 6.2: `unknown` where it is not known.
    let (open, node, close) = match peer {
        Some((IpAddr::V4(_), text)) => ("", text, ""),
        Some((IpAddr::V6(_), text)) => ("\"[", text, "]\""),
        None => ("", "unknown", ""),
    };
    // A host with a port or brackets is no token.
    let token = authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let quote = if token { "" } else { "\"" };
    let host = if authority.contains(['"', '\\']) { authority.replace(['"', '\\'], "") } else { authority.to_owned() };
    ["for=", open, node, close, ";host=", quote, &host, quote, ";proto=", scheme].concat()
}

/// The addresses that the hops before the peer reported, nearest last; `None` for one that is no address.
/// `X-Forwarded-For` is asked first, since more proxies write it.
fn chain(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    if headers.contains_key(X_FORWARDED_FOR) {
        return elements(headers, &X_FORWARDED_FOR).map(address).collect();
    }
    let hops = joined(headers, &header::FORWARDED);
    let hops = hops.split(',').filter(|hop| !hop.trim().is_empty());
    hops.map(|hop| pair(hop, "for").and_then(|node| address(&node))).collect()
}

fn pair(hop: &str, name: &str) -> Option<String> {
    hop.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// An address, with or without port and brackets.
fn address(node: &str) -> Option<IpAddr> {
    let bare = node.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| node.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

/// The host of an authority, without its port and without a dot at its end.
pub fn host_of(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether a text can be a host with its port, and nothing else.
pub fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 255
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::try_from(*value).unwrap()))
            .collect()
    }

    fn seen(peer: &str, sent: &[(&'static str, &str)], proxies: &[&str]) -> Client {
        let proxies: Vec<IpNet> = proxies.iter().map(|network| network.parse().unwrap()).collect();
        client(Some(peer.parse().unwrap()), "http", "gate.test", &fields(sent), &proxies)
    }

    #[test]
    fn a_client_cannot_name_itself() {
        let client =
            seen("203.0.113.9", &[("x-forwarded-for", "10.0.0.1"), ("x-forwarded-proto", "https")], &["10.0.0.0/8"]);
        assert_eq!(client.address, "203.0.113.9".parse().ok());
        assert_eq!(client.scheme, "http");
    }

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_client() {
        let sent = [("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.2"), ("x-forwarded-proto", "https")];
        let client = seen("10.0.0.1", &sent, &["10.0.0.0/8"]);
        assert_eq!(client.address, "203.0.113.9".parse().ok());
        assert_eq!(client.scheme, "https");
    }

    #[test]
    fn a_chain_is_believed_only_as_far_as_it_can_be_read() {
        let client = seen("10.0.0.1", &[("x-forwarded-for", "203.0.113.9, garbage, 10.0.0.2")], &["10.0.0.0/8"]);
        assert_eq!(client.address, "10.0.0.1".parse().ok());
    }

    #[test]
    fn forwarded_is_understood_with_ports_and_brackets() {
        let sent = [("forwarded", "for=\"[2001:db8::1]:4711\";proto=https;host=a.example, for=10.0.0.3")];
        let client = seen("10.0.0.1", &sent, &["10.0.0.0/8"]);
        assert_eq!(client.address, "2001:db8::1".parse().ok());
        assert_eq!(client.host, "a.example");
    }

    #[test]
    fn what_stands_before_the_nearest_proxy_s_element_is_the_client_s_word() {
        let forwarded = "for=6.6.6.6;proto=https;host=evil, for=203.0.113.7;proto=http;host=shop";
        let client = seen("10.0.0.1", &[("forwarded", forwarded)], &["10.0.0.0/8"]);
        assert_eq!((client.address, client.scheme, &*client.host), ("203.0.113.7".parse().ok(), "http", "shop"));
        let lists = [
            ("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.0.0.2"),
            ("x-forwarded-host", "evil, shop"),
            ("x-forwarded-proto", "http, https, http"),
        ];
        let client = seen("10.0.0.1", &lists, &["10.0.0.0/8"]);
        assert_eq!((client.scheme, &*client.host), ("https", "shop"));
    }

    #[test]
    fn what_an_untrusted_peer_wrote_is_replaced() {
        let mut headers =
            fields(&[("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6"), ("x-real-ip", "6.6.6.6")]);
        let peer = "2001:db8::2".parse().ok();
        let client = client(peer, "https", "gate.test:8443", &headers, &[]);
        remove_where(&mut headers, |name| FIELDS.contains(name));
        forward(&mut headers, peer, &client, ("https", "gate.test:8443"), Forward::Both);
        assert_eq!(headers["x-forwarded-for"], "2001:db8::2");
        assert_eq!(headers["forwarded"], "for=\"[2001:db8::2]\";host=\"gate.test:8443\";proto=https");
        assert!(!headers.contains_key("x-real-ip"));
    }
}
