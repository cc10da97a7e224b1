//! Which `Host` and `Origin` are let in.
//!
//! A page elsewhere can make a browser resolve its own name to this machine (DNS rebinding) and then reads what it
//! likes under that name: only names that we know are answered. It can also send requests across origins: whatever
//! changes state, and every WebSocket, must come from a page of ours or from a program, which sends no `Origin`.

use std::net::SocketAddr;

use axum::http::{HeaderMap, Uri, header, uri::Authority};

/// Names let in.
pub(crate) struct Hosts {
    names: Vec<Name>,
    origins: Vec<String>,
}

struct Name {
    host: String,
    port: Option<u16>,
}

impl Hosts {
    pub(crate) fn new(bound: SocketAddr, hosts: &[String], origins: &[String]) -> Self {
        let port = bound.port();
        let mut names: Vec<Name> = ["127.0.0.1", "localhost", "[::1]"]
            .into_iter()
            .map(|host| Name { host: host.to_owned(), port: Some(port) })
            .collect();
        if !bound.ip().is_unspecified() {
            let host = match bound {
                SocketAddr::V4(address) => address.ip().to_string(),
                SocketAddr::V6(address) => format!("[{}]", address.ip()),
            };
            names.push(Name { host, port: Some(port) });
        }
        names.extend(hosts.iter().map(|host| {
            let (host, port) = split(host);
            Name { host: host.to_ascii_lowercase(), port }
        }));
        let origins = origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { names, origins }
    }

    /// The one host that a request names, where it is let in.
    pub(crate) fn host<'a>(&self, uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut given = headers.get_all(header::HOST).iter();
        let host = given.next()?.to_str().ok()?;
        if given.next().is_some() {
            return None;
        }
        let all = [Some(host), uri.authority().map(Authority::as_str)];
        all.into_iter().flatten().all(|host| self.knows(host)).then_some(host)
    }

    /// Whether a request that changes state or opens a socket comes from a page of ours, or from no page at all.
    pub(crate) fn same_origin(&self, host: &str, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = given.next() else {
            // A browser that leaves Origin away still says whether the request crossed sites.
            let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
            return matches!(site, None | Some(b"same-origin" | b"none"));
        };
        let Ok(origin) = origin.to_str() else { return false };
        if given.next().is_some() {
            return false;
        }
        let mut ours = ["http://", "https://"].into_iter().filter_map(|scheme| origin.strip_prefix(scheme));
        ours.any(|authority| authority.eq_ignore_ascii_case(host))
            || self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }

    fn knows(&self, host: &str) -> bool {
        let (host, port) = split(host);
        self.names.iter().any(|name| {
            name.host.eq_ignore_ascii_case(host)
                && match name.port {
                    None => true,
                    Some(wanted) => port.unwrap_or(80) == wanted,
                }
        })
    }
}

/// `name`, `name:port`, `[v6]`, `[v6]:port`.
fn split(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (host, None),
        },
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn hosts() -> Hosts {
        Hosts::new(
            "127.0.0.1:8080".parse().unwrap(),
            &["rail.example".to_owned(), "two.example:99".to_owned()],
            &["https://proxy.example/".to_owned()],
        )
    }

    #[test]
    fn only_known_names_are_answered() {
        let check = |hosts_given: &[&str], uri: &str| {
            let mut headers = HeaderMap::new();
            for host in hosts_given {
                headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
            }
            hosts().host(&uri.parse().unwrap(), &headers).is_some()
        };
        for good in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LocalHost:8080",
            "[::1]:8080",
            "rail.example",
            "rail.example:1",
            "two.example:99",
        ] {
            assert!(check(&[good], "/"), "{good}");
        }
        for foreign in [
            "evil.example",
            "127.0.0.1",
            "localhost",
            "127.0.0.1:8081",
            "localhost.evil.example:8080",
            "127.0.0.1:8080.evil.example",
            "two.example",
            "two.example:98",
            "",
            ":8080",
            "[::1]",
            "127.0.0.1:8080@evil.example",
        ] {
            assert!(!check(&[foreign], "/"), "{foreign}");
        }
        assert!(!check(&[], "/"), "no host at all");
        assert!(!check(&["127.0.0.1:8080", "127.0.0.1:8080"], "/"), "two hosts");
        assert!(!check(&["127.0.0.1:8080"], "http://evil.example/"), "another name in the request line");
        assert!(check(&["127.0.0.1:8080"], "http://localhost:8080/"));
    }

    #[test]
    fn only_our_pages_and_programs_change_state() {
        let check = |origin: Option<&str>, site: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_str(site).unwrap());
            }
            hosts().same_origin("127.0.0.1:8080", &headers)
        };
        assert!(check(None, None));
        assert!(check(None, Some("same-origin")));
        assert!(!check(None, Some("cross-site")));
        assert!(!check(None, Some("same-site")));
        assert!(check(Some("http://127.0.0.1:8080"), Some("cross-site")));
        assert!(check(Some("https://127.0.0.1:8080"), None));
        assert!(check(Some("https://proxy.example"), None));
        for foreign in [
            "null",
            "http://evil.example",
            "http://localhost:8080",
            "http://127.0.0.1:8081",
            "ftp://127.0.0.1:8080",
            "",
        ] {
            assert!(!check(Some(foreign), None), "{foreign}");
        }
    }
}
