//! Gets documents. Start at [`Fetcher::get`].

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use railbird_timeline::Clock;
use reqwest::{
    Client, Response,
    header::{
        ACCEPT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
        RETRY_AFTER,
    },
    redirect::Policy,
};
use tokio::sync::Semaphore;
use url::Url;

use crate::{
    Error, FetchRules, Outside, System,
    address::{CheckedResolver, Forbidden},
    body,
    error::shown,
    host::HostBook,
    retry,
    rules::host_and_port,
};

/// Gets documents by HTTP within its rules. Made once and shared: it holds the pool of connections and what is known of each host.
pub struct Fetcher {
    client: Client,
    rules: FetchRules,
    clock: Arc<dyn Clock>,
    outside: Arc<dyn Outside>,
    hosts: HostBook,
    places: Semaphore,
    counts: Counts,
    draws: AtomicU64,
}

/// What to get.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchRequest {
    /// From where.
    pub url: Url,
    /// Of the version that is there already: one that has not changed is not sent again.
    pub validators: Validators,
    /// Most bytes, where this document is to be smaller than the rules allow.
    pub bytes_max: Option<u64>,
}

/// What a server called a version of a document, to ask whether it is still the one.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// How a request came out.
#[derive(Debug, Clone, PartialEq)]
pub enum Fetched {
    /// A document.
    Document(Document),
    /// The version of the request's validators still holds.
    Unchanged,
}

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Where it was in the end, after redirects.
    pub url: Url,
    /// The document, uncompressed.
    pub bytes: Bytes,
    /// `Content-Type` as the server has it.
    pub content_type: Option<String>,
    /// For the next time.
    pub validators: Validators,
}

/// What a fetcher has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct FetchStats {
    /// Requests sent, redirects and further attempts included.
    pub requests: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Documents that could not be had.
    pub failures: u64,
    /// Of these: forbidden by the rules.
    pub refused: u64,
    /// Bytes of documents, uncompressed.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    retries: AtomicU64,
    failures: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
}

impl FetchRequest {
    /// The document at `url`, whatever there is already.
    pub fn new(url: Url) -> Self {
        Self { url, validators: Validators::default(), bytes_max: None }
    }
}

impl Fetcher {
    /// A fetcher that goes by `rules`. `clock` tells the time to which a `Retry-After` date refers, and paces requests.
    ///
    /// # Errors
    /// [`Error::Client`] if the system offers no TLS certificates, or the user agent is no header.
    pub fn new(rules: FetchRules, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::with_outside(rules, clock, Arc::new(System))
    }

    /// As [`Fetcher::new`], with names and sleep from `outside`.
    ///
    /// # Errors
    /// As [`Fetcher::new`].
    pub fn with_outside(rules: FetchRules, clock: Arc<dyn Clock>, outside: Arc<dyn Outside>) -> Result<Self, Error> {
        let resolver = CheckedResolver { outside: Arc::clone(&outside), addresses: rules.addresses.clone() };
        let client = Client::builder()
            .user_agent(&rules.user_agent)
            .connect_timeout(rules.connect_max)
            .read_timeout(rules.idle_max)
            // Redirects are followed here, where every hop is checked.
            .redirect(Policy::none())
            // A proxy would connect to addresses that nobody here has seen.
            .no_proxy()
            .dns_resolver(resolver)
            // Decoded here, with a bound.
            .gzip(false)
            .pool_max_idle_per_host(rules.requests_max)
            .build()
            .map_err(|error| Error::Client { reason: reason(&error) })?;
        Ok(Self {
            client,
            clock,
            outside,
            hosts: HostBook::default(),
            places: Semaphore::new(rules.requests_max.clamp(1, Semaphore::MAX_PERMITS)),
            counts: Counts::default(),
            draws: AtomicU64::new(rules.seed),
            rules,
        })
    }

    /// Gets a document: waits for a free place and the host's turn, follows redirects, tries again what is worth it.
    ///
    /// # Errors
    /// [`Error`]; of several attempts, the last one's.
    pub async fn get(&self, request: &FetchRequest) -> Result<Fetched, Error> {
        let limit = self.rules.total_max;
        let done = tokio::time::timeout(limit, self.attempts(request)).await;
        let done = done.unwrap_or_else(|_| Err(Error::Deadline { url: shown(&request.url), limit }));
        match &done {
            Ok(Fetched::Document(document)) => add(&self.counts.bytes, document.bytes.len() as u64),
            Ok(Fetched::Unchanged) => {}
            Err(error) => {
                add(&self.counts.failures, 1);
                add(&self.counts.refused, u64::from(error.is_refused()));
            }
        }
        done
    }

    /// The document at `url`, whatever there is already.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn document(&self, url: &Url) -> Result<Document, Error> {
        match self.get(&FetchRequest::new(url.clone())).await? {
            Fetched::Document(document) => Ok(document),
            // Nobody asked whether it has changed.
            Fetched::Unchanged => Err(Error::Status { url: shown(url), status: 304, retry_after: None }),
        }
    }

    /// What it has done so far.
    pub fn stats(&self) -> FetchStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        FetchStats {
            requests: read(&self.counts.requests),
            retries: read(&self.counts.retries),
            failures: read(&self.counts.failures),
            refused: read(&self.counts.refused),
            bytes: read(&self.counts.bytes),
        }
    }

    /// The rules that it goes by.
    pub const fn rules(&self) -> &FetchRules {
        &self.rules
    }

    async fn attempts(&self, request: &FetchRequest) -> Result<Fetched, Error> {
        // Never closed; were it, the rules would still hold but for the number of places.
        let _place = self.places.acquire().await.ok();
        let started = self.clock.monotonic();
        let mut last = None;
        for attempts in 1.. {
            let failure = match self.follow(request).await {
                Ok(fetched) => return Ok(fetched),
                // Shut by what went before, which says more.
                Err(Error::CircuitOpen { .. }) if last.is_some() => break,
                Err(failure) => failure,
            };
            let pause = retry::pause(&self.rules, attempts, &failure, self.chance());
            let spent = self.clock.monotonic().saturating_sub(started);
            let Some(pause) = pause.filter(|pause| spent + *pause < self.rules.total_max) else { return Err(failure) };
            tracing::debug!(%failure, ?pause, attempts, "trying again");
            add(&self.counts.retries, 1);
            last = Some(failure);
            self.outside.sleep(pause).await;
        }
        Err(last.unwrap_or(Error::Client { reason: "no attempt was made".to_owned() }))
    }

    /// One attempt: the URL, and where it redirects to.
    async fn follow(&self, request: &FetchRequest) -> Result<Fetched, Error> {
        let mut url = request.url.clone();
        for _ in 0..=self.rules.redirects_max {
            self.rules.check(&url)?;
            let host = host_and_port(&url);
            let wait = self.hosts.admit(&host, self.clock.monotonic(), &self.rules)?;
            if !wait.is_zero() {
                self.outside.sleep(wait).await;
            }
            let hop = self.hop(request, &url).await;
            let failed = hop.as_ref().is_err_and(Error::blames_host);
            self.hosts.note(&host, failed, self.clock.monotonic(), &self.rules);
            match hop? {
                Hop::There(fetched) => return Ok(fetched),
                Hop::To(next) => url = next,
            }
        }
        Err(Error::Redirects { url: shown(&request.url), redirects_max: self.rules.redirects_max })
    }

    async fn hop(&self, request: &FetchRequest, url: &Url) -> Result<Hop, Error> {
        add(&self.counts.requests, 1);
        let mut asked = self.client.get(url.clone()).header(ACCEPT_ENCODING, "gzip");
        let Validators { etag, last_modified } = &request.validators;
        let conditional = etag.is_some() || last_modified.is_some();
        if let Some(etag) = etag {
            asked = asked.header(IF_NONE_MATCH, etag);
        }
        if let Some(last_modified) = last_modified {
            asked = asked.header(IF_MODIFIED_SINCE, last_modified);
        }
        let response = asked.send().await.map_err(|error| self.unsent(url, &error))?;
        match response.status().as_u16() {
            200 => {
                self.document_in(request, url, response).await.map(|document| Hop::There(Fetched::Document(document)))
            }
            304 if conditional => Ok(Hop::There(Fetched::Unchanged)),
            301 | 302 | 303 | 307 | 308 => next_hop(url, header(&response, LOCATION).as_deref()).map(Hop::To),
            status => {
                let asked = header(&response, RETRY_AFTER);
                let retry_after = asked.and_then(|asked| retry::retry_after(&asked, self.clock.now()));
                Err(Error::Status { url: shown(url), status, retry_after })
            }
        }
    }

    async fn document_in(&self, request: &FetchRequest, url: &Url, response: Response) -> Result<Document, Error> {
        let content_type = header(&response, CONTENT_TYPE);
        let validators = Validators { etag: header(&response, ETAG), last_modified: header(&response, LAST_MODIFIED) };
        let bytes_max = request.bytes_max.unwrap_or(u64::MAX).min(self.rules.bytes_max);
        let bytes = body::read(response, &shown(url), bytes_max).await?;
        Ok(Document { url: url.clone(), bytes, content_type, validators })
    }

    fn unsent(&self, url: &Url, error: &reqwest::Error) -> Error {
        let url = shown(url);
        if let Some(address) = forbidden(error) {
            Error::AddressRefused { url, address }
        } else if error.is_connect() {
            Error::Connect { url, reason: reason(error) }
        } else if error.is_builder() {
            Error::Url { url, reason: "validators hold what no header may" }
        } else {
            Error::Transfer { url, reason: reason(error) }
        }
    }

    fn chance(&self) -> f64 {
        // The step of splitmix64.
        retry::chance(self.draws.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }
}

enum Hop {
    There(Fetched),
    To(Url),
}

fn next_hop(url: &Url, location: Option<&str>) -> Result<Url, Error> {
    let refused = |reason| Err(Error::Url { url: shown(url), reason });
    let Some(location) = location else { return refused("redirects without saying where to") };
    let Ok(next) = url.join(location) else { return refused("redirects to what is no URL") };
    if url.scheme() == "https" && next.scheme() != "https" {
        return refused("redirects from https to what anyone could read or change");
    }
    Ok(next)
}

fn header(response: &Response, name: HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn forbidden(error: &reqwest::Error) -> Option<IpAddr> {
    causes(error).find_map(|cause| cause.downcast_ref::<Forbidden>()).map(|forbidden| forbidden.0)
}

/// The innermost cause, which says what happened; those around it say where.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".to_owned();
    }
    causes(error).last().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |cause| (*cause).source())
}

fn add(count: &AtomicU64, by: u64) {
    count.fetch_add(by, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(location: Option<&str>, want: Expect) {
        let from = Url::parse("https://example.org/static/2025/?token=secret").unwrap();
        want.assert_eq(&next_hop(&from, location).map_or_else(|error| error.to_string(), String::from));
    }

    #[test]
    fn a_redirect_leads_to_a_url_that_is_no_less_safe() {
        check(Some("../2024/"), expect!["https://example.org/static/2024/"]);
        check(Some("//cdn.example.net/x"), expect!["https://cdn.example.net/x"]);
        check(
            Some("http://example.org/x"),
            expect!["https://example.org/static/2025/: redirects from https to what anyone could read or change"],
        );
        check(
            Some("file:///etc/passwd"),
            expect!["https://example.org/static/2025/: redirects from https to what anyone could read or change"],
        );
        check(Some("https://["), expect!["https://example.org/static/2025/: redirects to what is no URL"]);
        check(None, expect!["https://example.org/static/2025/: redirects without saying where to"]);
    }
}
