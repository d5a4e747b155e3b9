//! Which component answers a path, and what Spin tells it about that in headers of its own.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use wasmtime::{Result, format_err};

/// The routes of an application.
pub struct Router(routefinder::Router<Route>);

struct Route {
    component: String,
    /// As in the manifest.
    raw: String,
    /// The same without a slash at its end.
    based: String,
}

impl Router {
    pub fn new(routes: Vec<(String, String)>) -> Result<Self> {
        let mut router = routefinder::Router::new();
        for (raw, component) in routes {
            let absolute = format!("/{}", raw.strip_prefix('/').unwrap_or(&raw));
            let based = absolute.strip_suffix('/').unwrap_or(&absolute).to_owned();
            let pattern = match based.strip_suffix("/...") {
                Some(prefix) => format!("{prefix}/*"),
                None => based.clone(),
            };
            let error = format!("route {raw:?}");
            let route = Route { component, raw, based };
            router.add(pattern, route).map_err(|reason| format_err!("{error}: {reason}"))?;
        }
        Ok(Self(router))
    }

    pub fn find<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        self.0.best_match(path).map(|found| Match { path, found })
    }

    /// Route and component, for people to read.
    pub fn list(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(_, route)| (route.raw.as_str(), route.component.as_str()))
    }
}

/// A route that fits a path.
pub struct Match<'a> {
    path: &'a str,
    found: routefinder::Match<'a, 'a, Route>,
}

impl<'a> Match<'a> {
    pub fn component(&self) -> &'a str {
        &self.found.handler().component
    }

    /// Appends Spin's headers behind any of the same name that the client has sent. Header values
    /// that are not UTF-8 are an error in Spin, whoever made them.
    pub fn describe(&self, headers: &mut HeaderMap, url: &Uri, peer: SocketAddr) -> Result<()> {
        for value in headers.values() {
            std::str::from_utf8(value.as_bytes())?;
        }
        let route = self.found.handler();
        let host =
            headers.get(header::HOST).map_or("localhost".into(), |host| String::from_utf8_lossy(host.as_bytes()));
        let path = url.path_and_query().map_or("", |path| path.as_str());
        let full_url = format!("{}://{host}{path}", url.scheme_str().unwrap_or("http"));
        let mut added = vec![
            ("spin-path-info".to_owned(), self.path_info()),
            ("spin-full-url".to_owned(), full_url),
            ("spin-matched-route".to_owned(), route.based.clone()),
            ("spin-base-path".to_owned(), "/".to_owned()),
            ("spin-raw-component-route".to_owned(), route.raw.clone()),
            ("spin-component-route".to_owned(), route.raw.strip_suffix("/...").unwrap_or(&route.raw).to_owned()),
            ("spin-client-addr".to_owned(), peer.to_string()),
        ];
        for capture in self.found.captures().params() {
            added
                .push((format!("spin-path-match-{}", capture.name().to_ascii_lowercase()), capture.value().to_owned()));
        }
        for (name, value) in added {
            // As in Spin, one that cannot be a header is left out.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.append(name, value);
            }
        }
        Ok(())
    }

    /// What the wildcard at the route's end stands for, with the slashes the matcher cuts off.
    fn path_info(&self) -> String {
        let captures = self.found.captures();
        match (captures.wildcard(), self.path.ends_with('/')) {
            (None, _) | (Some(""), false) => String::new(),
            (Some(""), true) => "/".to_owned(),
            (Some(rest), false) => format!("/{rest}"),
            (Some(rest), true) => format!("/{rest}/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, name: &str, expected: &[&str]) {
        let router = Router::new(vec![(pattern.to_owned(), "it".to_owned())]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", "example.com".parse().unwrap());
        headers.insert("spin-client-addr", "forged".parse().unwrap());
        let url: Uri = format!("http://example.com{path}?q").parse().unwrap();
        let found = router.find(url.path()).unwrap();
        assert_eq!(found.component(), "it");
        found.describe(&mut headers, &url, "127.0.0.1:9".parse().unwrap()).unwrap();
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values, expected, "{name} of {path} on {pattern}");
    }

    #[test]
    fn headers_describe_the_match() {
        check("/...", "/a/b", "spin-full-url", &["http://example.com/a/b?q"]);
        check("/...", "/a/b", "spin-path-info", &["/a/b"]);
        check("/...", "/", "spin-path-info", &["/"]);
        check("/...", "//a/", "spin-path-info", &["/a/"]);
        check("/api/...", "/api", "spin-path-info", &[""]);
        check("/api/...", "/api/x", "spin-path-info", &["/x"]);
        check("/api/...", "/api/x", "spin-matched-route", &["/api/..."]);
        check("/api/...", "/api/x", "spin-component-route", &["/api"]);
        check("/api/...", "/api/x", "spin-raw-component-route", &["/api/..."]);
        check("/user/:id", "/user/7", "spin-path-match-id", &["7"]);
        check("/...", "/", "spin-base-path", &["/"]);
    }

    #[test]
    fn what_the_client_forged_comes_first() {
        check("/...", "/", "spin-client-addr", &["forged", "127.0.0.1:9"]);
    }

    #[test]
    fn longest_route_wins_and_other_paths_match_nothing() {
        let routes = [("/api/...", "wide"), ("/api/v1/...", "narrow"), ("/api/v1", "exact")];
        let routes = routes.map(|(route, component)| (route.to_owned(), component.to_owned()));
        let router = Router::new(routes.to_vec()).unwrap();
        let find = |path| router.find(path).map(|found| found.component());
        assert_eq!(find("/api/v1/x"), Some("narrow"));
        assert_eq!(find("/api/v1"), Some("exact"));
        assert_eq!(find("/api/v2"), Some("wide"));
        assert_eq!(find("/other"), None);
    }
}
