//! Whether a component may send a request to a URL: the patterns of `allowed_outbound_hosts`.
//!
//! A pattern is `scheme://host:port`. Scheme and host may be `*`, a host may be `*.domain` or a
//! network such as `10.0.0.0/8`, a port may be `*` or a range `first..past-the-last`. Without a port
//! the scheme's own counts. Requests of an application to itself are not offered by this host, so
//! the pattern for them matches nothing.

use std::net::IpAddr;
use std::ops::Range;

use http::Uri;
use ipnet::IpNet;
use wasmtime::error::Context as _;
use wasmtime::{Result, bail};

#[derive(Debug, Default)]
pub struct AllowedHosts(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    /// `None` for any.
    scheme: Option<String>,
    host: Host,
    /// `None` for any. The end is exclusive, hence wider than a port.
    ports: Option<Range<u32>>,
}

#[derive(Debug)]
enum Host {
    Any,
    /// The name with its leading dot.
    Below(String),
    Named(String),
    Network(IpNet),
}

impl AllowedHosts {
    pub fn parse(patterns: &[String]) -> Result<Self> {
        patterns
            .iter()
            .map(|pattern| Pattern::parse(pattern).with_context(|| format!("allowed_outbound_hosts: {pattern:?}")))
            .collect::<Result<_>>()
            .map(Self)
    }

    pub fn allow(&self, url: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (url.scheme_str(), url.host()) else {
            return false;
        };
        let Some(port) = url.port_u16().or_else(|| default_port(scheme)) else {
            return false;
        };
        let host = host.to_ascii_lowercase();
        self.0.iter().any(|pattern| pattern.allow(scheme, &host, port))
    }
}

impl Pattern {
    fn parse(pattern: &str) -> Result<Self> {
        let Some((scheme, rest)) = pattern.trim().split_once("://") else {
            bail!("must begin with a scheme, such as `http://` or `*://`");
        };
        if scheme != "*" && !scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            bail!("the scheme may hold only letters");
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
        Ok(Self {
            host: Host::parse(host)?,
            ports: parse_ports(port, scheme)?,
            scheme: (scheme != "*").then(|| scheme.to_owned()),
        })
    }

    fn allow(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.scheme.as_ref().is_none_or(|allowed| allowed == scheme)
            && self.host.allow(host)
            && self.ports.as_ref().is_none_or(|allowed| allowed.contains(&port.into()))
    }
}

impl Host {
    fn parse(host: &str) -> Result<Self> {
        if host == "*" {
            return Ok(Self::Any);
        }
        if let Ok(network) = host.parse() {
            return Ok(Self::Network(network));
        }
        if host.contains('/') {
            bail!("a path is not allowed");
        }
        match host.strip_prefix('*') {
            Some(below) if below.starts_with('.') && !below.contains('*') => Ok(Self::Below(below.to_owned())),
            None if !host.contains('*') => Ok(Self::Named(host.to_owned())),
            _ => bail!("`*` may stand only for the whole host or in front of `.domain`"),
        }
    }

    fn allow(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(domain) => host.ends_with(domain),
            Self::Named(name) => host == name,
            Self::Network(network) => host.parse().is_ok_and(|address: IpAddr| network.contains(&address)),
        }
    }
}

fn parse_ports(port: &str, scheme: &str) -> Result<Option<Range<u32>>> {
    let number = |text: &str| text.parse::<u16>().map(u32::from).context("the port is not a number");
    Ok(match port {
        "*" => None,
        "" => {
            let port = default_port(scheme).context("a port is needed, as the scheme has no default port")?;
            Some(port.into()..u32::from(port) + 1)
        }
        _ => Some(match port.split_once("..") {
            Some((first, end)) => number(first)?..number(end)?,
            None => number(port)?..number(port)? + 1,
        }),
    })
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, allowed: &[&str], denied: &[&str]) {
        let hosts = AllowedHosts::parse(&[pattern.to_owned()]).unwrap();
        for url in allowed {
            assert!(hosts.allow(&url.parse().unwrap()), "{pattern} should allow {url}");
        }
        for url in denied {
            assert!(!hosts.allow(&url.parse().unwrap()), "{pattern} should deny {url}");
        }
    }

    #[test]
    fn host_and_port_match_exactly() {
        check(
            "http://127.0.0.1:8080",
            &["http://127.0.0.1:8080/", "http://127.0.0.1:8080/path?query"],
            &["http://127.0.0.1/", "http://127.0.0.1:8081/", "https://127.0.0.1:8080/", "http://localhost:8080/"],
        );
        check("http://[::1]:8080", &["http://[::1]:8080/"], &["http://[::2]:8080/"]);
        check("http://localhost/", &["http://localhost/", "http://LOCALHOST:80/"], &["http://localhost.example/"]);
    }

    #[test]
    fn missing_port_is_the_default_port_of_the_scheme() {
        check(
            "https://example.com",
            &["https://example.com/", "https://example.com:443/"],
            &["https://example.com:8443/"],
        );
    }

    #[test]
    fn star_stands_for_any_port_host_or_scheme() {
        check("http://localhost:*", &["http://localhost/", "http://localhost:9000/"], &["https://localhost/"]);
        check("http://*:80", &["http://example.com/"], &["http://example.com:81/"]);
        check("*://*:*", &["http://example.com:81/", "https://127.0.0.1/"], &["/relative"]);
    }

    #[test]
    fn star_and_domain_match_below_the_domain_only() {
        check(
            "https://*.example.com",
            &["https://a.example.com/", "https://a.b.example.com/"],
            &["https://example.com/", "https://badexample.com/", "https://example.com.evil/"],
        );
    }

    #[test]
    fn networks_and_port_ranges_are_understood() {
        check("http://10.0.0.0/8:*", &["http://10.1.2.3:99/"], &["http://11.0.0.1/", "http://ten.example/"]);
        check("http://host:80..82", &["http://host/", "http://host:81/"], &["http://host:82/"]);
        check("http://host:65535", &["http://host:65535/"], &["http://host:65534/"]);
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        assert!(!AllowedHosts::default().allow(&"http://localhost/".parse().unwrap()));
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in
            ["*", "", "localhost", "http://host/path", "http://a.*.com", "http://*a.com", "http://h:x", "*://host"]
        {
            AllowedHosts::parse(&[pattern.to_owned()]).expect_err(pattern);
        }
    }
}
