//! What a fetcher may do. Start at [`FetchRules`].

use std::{net::IpAddr, num::NonZeroU32, str::FromStr, time::Duration};

use url::{Host, Url};

use crate::{Error, address::is_public};

/// What a fetcher may do, and for how long. Every number is a bound.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchRules {
    /// Whom it may ask.
    pub hosts: Hosts,
    /// At which addresses they may be.
    pub addresses: Addresses,
    /// Whether plain HTTP will do; behind a redirect from HTTPS it never does.
    pub plain_http: bool,
    /// Longest wait for a name to resolve, a connection and TLS.
    pub connect_max: Duration,
    /// Longest wait for the next bytes of an answer.
    pub idle_max: Duration,
    /// Longest time for a document, with all redirects, attempts and pauses between them.
    pub total_max: Duration,
    /// Most bytes of a document, both as they are sent and uncompressed.
    pub bytes_max: u64,
    /// Most redirects followed.
    pub redirects_max: u32,
    /// Most attempts at a document, the first included; at least one is made.
    pub attempts_max: u32,
    /// Pause before the second attempt; it doubles with each further one, less a random part of up to half.
    pub backoff_first: Duration,
    /// Longest pause by that rule.
    pub backoff_max: Duration,
    /// Longest `Retry-After` that is waited out; one longer ends the attempts.
    pub retry_after_max: Duration,
    /// Most requests under way at once; further ones wait.
    pub requests_max: usize,
    /// Requests a second and host.
    pub host_rate: NonZeroU32,
    /// Requests to a host that may go at once after a quiet time.
    pub host_burst: NonZeroU32,
    /// Failures in a row after which a host is left alone.
    pub breaker_failures: NonZeroU32,
    /// For how long it is left alone; then one request tries it.
    pub breaker_pause: Duration,
    /// How the fetcher introduces itself.
    pub user_agent: String,
    /// Where the chance in pauses begins.
    pub seed: u64,
}

impl FetchRules {
    /// For documents of `hosts` at public addresses, by HTTPS: at most 256 MiB each, within 5 minutes, 4 attempts, 8 requests at
    /// once, 10 a second and host.
    pub fn new(hosts: Hosts) -> Self {
        Self {
            hosts,
            addresses: Addresses::Public,
            plain_http: false,
            connect_max: Duration::from_secs(10),
            idle_max: Duration::from_secs(30),
            total_max: Duration::from_secs(300),
            bytes_max: 256 << 20,
            redirects_max: 5,
            attempts_max: 4,
            backoff_first: Duration::from_millis(500),
            backoff_max: Duration::from_secs(20),
            retry_after_max: Duration::from_secs(60),
            requests_max: 8,
            host_rate: NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN),
            host_burst: NonZeroU32::new(20).unwrap_or(NonZeroU32::MIN),
            breaker_failures: NonZeroU32::new(8).unwrap_or(NonZeroU32::MIN),
            breaker_pause: Duration::from_secs(30),
            user_agent: concat!("railbird/", env!("CARGO_PKG_VERSION")).to_owned(),
            seed: 0,
        }
    }
}

/// Whom one may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// Anyone at any port: for URLs that the user of this machine has typed.
    Any,
    /// These: for URLs that come over the network.
    Listed(Vec<HostRule>),
}

/// A host that one may ask. Written `example.org`, `example.org:8443`, `*.example.org` (any name below it, not itself), `[::1]:8080`.
///
/// Without a port the usual ones are meant, 443 and 80.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    host: Host,
    below: bool,
    port: Option<u16>,
}

impl HostRule {
    fn allows(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let same = match (&self.host, &host) {
            (Host::Domain(rule), Host::Domain(domain)) => {
                let domain = domain.strip_suffix('.').unwrap_or(domain);
                if self.below {
                    domain.strip_suffix(rule.as_str()).is_some_and(|name| name.len() > 1 && name.ends_with('.'))
                } else {
                    domain == rule
                }
            }
            (rule, host) => *rule == host.to_owned(),
        };
        same && match self.port {
            Some(port) => url.port_or_known_default() == Some(port),
            // `Url` leaves the port of its scheme out.
            None => url.port().is_none(),
        }
    }
}

impl FromStr for HostRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Url {
            url: text.to_owned(),
            reason: "expected a host such as example.org, *.example.org or [::1]:8080",
        };
        let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        // An address ends in a bracket or has no colon but the port's.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().map_err(|_| refused())?)),
            _ => (rest, None),
        };
        let host = Host::parse(host).map_err(|_| refused())?;
        match host {
            Host::Ipv4(_) | Host::Ipv6(_) if below => Err(refused()),
            Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
                if name.is_empty() || name.contains('*') {
                    Err(refused())
                } else {
                    Ok(Self { host: Host::Domain(name), below, port })
                }
            }
            host => Ok(Self { host, below, port }),
        }
    }
}

/// At which addresses a host may be, checked when its name has been resolved and for the address that is then connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// Public ones: not this machine, not its network, none of special use.
    Public,
    /// Public ones, and these.
    PublicAnd(Vec<IpAddr>),
    /// All of them: for URLs that the user of this machine has typed.
    Any,
}

impl Addresses {
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Public => is_public(address),
            Self::PublicAnd(more) => is_public(address) || more.contains(&address.to_canonical()),
        }
    }
}

impl FetchRules {
    /// Refuses what the URL alone shows to be forbidden; addresses behind names are seen only when it is fetched.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::HostRefused`], [`Error::AddressRefused`].
    pub fn check(&self, url: &Url) -> Result<(), Error> {
        let shown = crate::error::shown(url);
        let refused = |reason| Err(Error::Url { url: shown.clone(), reason });
        match url.scheme() {
            "https" => {}
            "http" if self.plain_http => {}
            "http" => return refused("plain http is not allowed, expected https"),
            _ => return refused("expected https or http"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("holds a name or password, expected none");
        }
        let host = host_and_port(url);
        let allowed = match &self.hosts {
            Hosts::Any => true,
            Hosts::Listed(rules) => rules.iter().any(|rule| rule.allows(url)),
        };
        if !allowed {
            return Err(Error::HostRefused { url: shown, host });
        }
        // No name to resolve: no resolver would see it.
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        match address {
            Some(address) if !self.addresses.allows(address) => Err(Error::AddressRefused { url: shown, address }),
            _ => Ok(()),
        }
    }
}

/// What rates and failures are counted by.
pub(crate) fn host_and_port(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(hosts: &[&str], url: &str, want: Expect) {
        let hosts = Hosts::Listed(hosts.iter().map(|host| host.parse().unwrap()).collect());
        let rules = FetchRules { plain_http: true, ..FetchRules::new(hosts) };
        want.assert_eq(
            &rules.check(&Url::parse(url).unwrap()).map_or_else(|error| error.to_string(), |()| "allowed".to_owned()),
        );
    }

    #[test]
    fn only_listed_hosts_and_ports_are_asked() {
        let listed =
            ["livetiming.example.org", "*.archive.example", "example.org:8443", "8.8.8.8", "[2606:4700::1]:81"];
        check(&listed, "https://livetiming.example.org/static/", expect!["allowed"]);
        check(&listed, "http://LIVETIMING.example.org.:80/static/", expect!["allowed"]);
        check(
            &listed,
            "https://livetiming.example.org:8443/",
            expect![
                "https://livetiming.example.org:8443/: host livetiming.example.org:8443 is not allowed; add it to the allowed hosts if it is meant"
            ],
        );
        check(&listed, "https://a.b.archive.example/", expect!["allowed"]);
        check(
            &listed,
            "https://archive.example/",
            expect![
                "https://archive.example/: host archive.example:443 is not allowed; add it to the allowed hosts if it is meant"
            ],
        );
        check(
            &listed,
            "https://evilarchive.example/",
            expect![
                "https://evilarchive.example/: host evilarchive.example:443 is not allowed; add it to the allowed hosts if it is meant"
            ],
        );
        check(
            &listed,
            "https://livetiming.example.org.evil.test/",
            expect![
                "https://livetiming.example.org.evil.test/: host livetiming.example.org.evil.test:443 is not allowed; add it to the allowed hosts if it is meant"
            ],
        );
        check(&listed, "https://example.org:8443/", expect!["allowed"]);
        check(
            &listed,
            "https://example.org/",
            expect![
                "https://example.org/: host example.org:443 is not allowed; add it to the allowed hosts if it is meant"
            ],
        );
        check(&listed, "http://8.8.8.8/", expect!["allowed"]);
        check(&listed, "http://134744072/", expect!["allowed"]);
        check(&listed, "http://[2606:4700::1]:81/", expect!["allowed"]);
        check(
            &listed,
            "http://[2606:4700::1]/",
            expect![
                "http://[2606:4700::1]/: host [2606:4700::1]:80 is not allowed; add it to the allowed hosts if it is meant"
            ],
        );
    }

    #[test]
    fn what_a_url_hides_is_refused() {
        check(
            &["localhost", "127.0.0.1"],
            "http://127.1/",
            expect!["http://127.0.0.1/: address 127.0.0.1 is not allowed, expected a public one"],
        );
        check(
            &["[::ffff:7f00:1]"],
            "http://[::ffff:127.0.0.1]/",
            expect!["http://[::ffff:7f00:1]/: address ::ffff:127.0.0.1 is not allowed, expected a public one"],
        );
        check(
            &["example.org"],
            "https://user:secret@example.org/?token=secret#x",
            expect!["https://example.org/: holds a name or password, expected none"],
        );
        check(&["example.org"], "ftp://example.org/", expect!["ftp://example.org/: expected https or http"]);
        check(&["example.org"], "file:///etc/passwd", expect!["file:///etc/passwd: expected https or http"]);
        let strict = FetchRules::new(Hosts::Any).check(&Url::parse("http://example.org/").unwrap());
        assert!(matches!(strict, Err(Error::Url { .. })));
    }

    #[test]
    fn a_rule_that_is_no_host_is_refused() {
        for text in [
            "",
            "*.",
            "*",
            "a b",
            "example.org:port",
            "example.org:",
            "https://example.org",
            "*.1.2.3.4",
            "[::1",
            "a/b",
        ] {
            assert!(text.parse::<HostRule>().is_err(), "{text}");
        }
    }
}
