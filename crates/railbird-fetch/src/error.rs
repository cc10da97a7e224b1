//! Why a document could not be had.

use std::{net::IpAddr, time::Duration};

use url::Url;

/// Why a document could not be had. URLs are shown without credentials, query and fragment, which may hold secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A URL that is not asked for, whoever is at its end.
    #[error("{url}: {reason}")]
    Url {
        /// The URL, or what was to be one.
        url: String,
        /// What is wrong with it, and what is expected.
        reason: &'static str,
    },
    /// A host, or a port of it, that is not allowed.
    #[error("{url}: host {host} is not allowed; add it to the allowed hosts if it is meant")]
    HostRefused {
        /// The URL.
        url: String,
        /// Host and port.
        host: String,
    },
    /// A host at an address that is not allowed: private, of this machine or of this network.
    #[error("{url}: address {address} is not allowed, expected a public one")]
    AddressRefused {
        /// The URL.
        url: String,
        /// The address.
        address: IpAddr,
    },
    /// No connection. Worth trying again.
    #[error("{url}: cannot connect: {reason}")]
    Connect {
        /// The URL.
        url: String,
        /// What the system, the name service or TLS said.
        reason: String,
    },
    /// A connection that broke, or an answer that is no HTTP or is shorter than it states. Worth trying again.
    #[error("{url}: transfer broke: {reason}")]
    Transfer {
        /// The URL.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// Not done in the time allowed, all attempts counted.
    #[error("{url}: not done within {} s", limit.as_secs_f64())]
    Deadline {
        /// The URL.
        url: String,
        /// Time allowed.
        limit: Duration,
    },
    /// An answer that is no document.
    #[error("{url}: refused with status {status}")]
    Status {
        /// The URL.
        url: String,
        /// HTTP status.
        status: u16,
        /// For how long the server asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// More bytes than allowed, as sent or uncompressed.
    #[error("{url}: expected at most {bytes_max} bytes, the server sends more; raise the limit if this is meant")]
    TooLarge {
        /// The URL.
        url: String,
        /// Most bytes allowed.
        bytes_max: u64,
    },
    /// A compression that was not asked for.
    #[error("{url}: content encoding {found:?} was not asked for, expected gzip or none")]
    Encoding {
        /// The URL.
        url: String,
        /// What the server states.
        found: String,
    },
    /// Compressed bytes that are damaged. Worth trying again.
    #[error("{url}: {reason}")]
    Damaged {
        /// The URL.
        url: String,
        /// What is wrong with them.
        reason: String,
    },
    /// Redirects without end.
    #[error("{url}: redirected more than {redirects_max} times")]
    Redirects {
        /// The URL that was asked for.
        url: String,
        /// Most redirects followed.
        redirects_max: u32,
    },
    /// A host that failed so often that it is left alone for a while.
    #[error("{host}: failed too often, left alone for another {} s", retry_in.as_secs_f64())]
    CircuitOpen {
        /// Host and port.
        host: String,
        /// Time until it is tried again.
        retry_in: Duration,
    },
    /// The HTTP client could not be made.
    #[error("http client: {reason}")]
    Client {
        /// What it said.
        reason: String,
    },
}

impl Error {
    /// Whether the server says that there is no such document: status 404 or 410.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404 | 410, .. })
    }

    /// Whether the rules forbid it, whatever the server would say.
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Url { .. } | Self::HostRefused { .. } | Self::AddressRefused { .. })
    }

    /// Whether the same request may succeed later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Transfer { .. } | Self::Damaged { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Whether it shows that the host is in trouble, rather than the request.
    pub(crate) const fn blames_host(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Transfer { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            _ => false,
        }
    }
}

/// `url` as it may be shown and logged.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // They fail only for URLs that have no place for them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}
