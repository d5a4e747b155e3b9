//! The request that is asked about, as it would arrive: nothing of it is tidied up.

use super::Arguments;
use crate::body::Body;
use crate::headers::section_size;
use crate::host::{ClientFacts, Incoming};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::net::IpAddr;

/// A request, taken apart.
#[derive(Debug)]
pub struct Asked {
    pub method: Method,
    pub scheme: &'static str,
    pub authority: String,
    /// As it was given.
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub peer: IpAddr,
    pub country: Option<String>,
}

impl Asked {
    /// Takes the arguments apart. The error is for the user.
    pub fn parse(arguments: &Arguments) -> Result<Asked, String> {
        let Arguments { method, url, headers, peer, country, .. } = arguments;
        Ok(Asked { country: country.clone(), ..Asked::new(method, url, headers, *peer)? })
    }

    /// A request from what a person writes. The error is for the user.
    pub fn new(method: &str, url: &str, headers: &[String], peer: IpAddr) -> Result<Asked, String> {
        let method: Method = method.parse().map_err(|_| format!("`{method}` is no method"))?;
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => ("https", Some(rest)),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => ("http", Some(rest)),
            Some((scheme, _)) if !scheme.contains(['/', '?']) => {
                return Err(format!("`{scheme}` is neither http nor https"));
            }
            _ => ("https", None),
        };
        let (authority, target) = match rest {
            Some(rest) => rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())),
            None if url.starts_with('/') => ("", url),
            None => {
                return Err(format!("`{url}` is neither a URL nor a path; write https://host/path or /path"));
            }
        };
        let authority = authority.rsplit('@').next().unwrap_or_default();
        // A fragment is never sent (RFC 9110, section 4.2.5).
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let mut headers = fields(headers)?;
        let host = headers.get("host").and_then(|host| host.to_str().ok()).map(str::to_owned);
        let authority = [authority.to_owned()].into_iter().filter(|given| !given.is_empty()).chain(host).next();
        let authority = authority.unwrap_or_else(|| "localhost".to_owned());
        if let Ok(host) = HeaderValue::try_from(authority.as_str()) {
            headers.insert("host", host);
        }
        let path = if path.is_empty() { "/" } else { path }.to_owned();
        Ok(Asked { method, scheme, authority, path, query, headers, peer, country: None })
    }

    /// As a host would hand it over.
    pub fn incoming(&self) -> Incoming {
        Incoming {
            method: self.method.clone(),
            scheme: self.scheme,
            authority: self.authority.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            headers_size: section_size(&self.headers),
            body: Body::Empty,
            peer: Some(self.peer),
            facts: ClientFacts { country: self.country.clone(), ..ClientFacts::default() },
            version: "1.1",
        }
    }

    /// Path and query as they were given.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

fn fields(texts: &[String]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for text in texts {
        let Some((name, value)) = text.split_once(':') else {
            return Err(format!("`{text}` is no header field; write 'Name: value'"));
        };
        let name: HeaderName = name.trim().parse().map_err(|_| format!("`{name}` is no name of a header field"))?;
        let value = HeaderValue::try_from(value.trim()).map_err(|_| format!("`{name}` cannot have this value"))?;
        headers.append(name, value);
    }
    Ok(headers)
}
