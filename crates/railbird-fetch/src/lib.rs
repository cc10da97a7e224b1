//! HTTP with deadlines, size limits, retries and address rules. Start at [`Fetcher`], and its [`FetchRules`].
//!
//! Every hop of a request (its URL, and each that a redirect names) is checked: scheme, host, and the address that the name resolves
//! to, which is the one that is connected to. What the server sends is read up to a bound, compressed and not.
//!
//! Invariants: parses nothing but HTTP; time, chance, names and sleep come from [`Clock`](railbird_timeline::Clock), the seed in the
//! rules and [`Outside`], so that tests decide them.

mod address;
mod body;
mod error;
mod fetcher;
mod host;
mod outside;
mod retry;
mod rules;

pub use address::is_public;
pub use error::Error;
pub use fetcher::{Document, FetchRequest, FetchStats, Fetched, Fetcher, Validators};
pub use outside::{Outside, Promise, System};
pub use rules::{Addresses, FetchRules, HostRule, Hosts};
