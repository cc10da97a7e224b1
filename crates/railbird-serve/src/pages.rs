//! The web pages: files held in memory, found by their exact path. No file system is behind them.

use std::{borrow::Cow, collections::HashMap};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;

use crate::{
    ServeError,
    pool::Pool,
    reply::{Keep, Refused, Wants, inflate},
};

/// All pages.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    /// Files, in any order.
    pub files: Vec<Page>,
}

/// One file. `plain` or `gzip` must be there; `gzip` and `brotli` are sent as they are to clients that take them.
#[derive(Debug, Clone)]
pub struct Page {
    /// Path: `/index.html` (asked for as `/` too), `/assets/app-3f2a.js`, or `/f1/{session}`, whose last part may be anything.
    pub path: Cow<'static, str>,
    /// Media type, with its character set.
    pub media_type: Cow<'static, str>,
    /// Hash of the content, without quotes.
    pub etag: Cow<'static, str>,
    /// The file itself; may be left out where there is gzip.
    pub plain: Option<Bytes>,
    /// The file as gzip.
    pub gzip: Option<Bytes>,
    /// The file as Brotli.
    pub brotli: Option<Bytes>,
    /// Whether the path names the content, so that the file can never change.
    pub immutable: bool,
}

/// Pages made ready to be sent.
pub(crate) struct Shelf {
    by_path: HashMap<String, Ready>,
    /// Pages whose last part may be anything, by what stands before it: `/f1/` for `/f1/{session}`.
    by_head: Vec<(String, Ready)>,
}

struct Ready {
    media_type: HeaderValue,
    keep: HeaderValue,
    etag: String,
    tag: HeaderValue,
    tag_plain: HeaderValue,
    tag_brotli: HeaderValue,
    page: Page,
}

impl Shelf {
    pub(crate) fn new(pages: Pages, keep: Keep) -> Result<Self, ServeError> {
        let mut by_path = HashMap::new();
        let mut by_head = Vec::new();
        for page in pages.files {
            let path = page.path.clone().into_owned();
            let wrong = |reason| ServeError::Page { path: path.clone(), reason };
            if page.plain.is_none() && page.gzip.is_none() {
                return Err(wrong("has neither plain nor gzip bytes"));
            }
            if !path.starts_with('/') || path.starts_with("/api/") {
                return Err(wrong("path must start with / and lie outside /api/"));
            }
            let tag = |weak: &str| {
                HeaderValue::try_from(format!("{weak}\"{}\"", page.etag))
                    .map_err(|_| wrong("etag is not a header value"))
            };
            let ready = Ready {
                media_type: HeaderValue::try_from(page.media_type.as_ref())
                    .map_err(|_| wrong("media type is not a header value"))?,
                keep: keep.header(page.immutable),
                etag: page.etag.clone().into_owned(),
                tag: tag("")?,
                // Other bytes, same meaning.
                tag_plain: if page.gzip.is_some() { tag("W/")? } else { tag("")? },
                tag_brotli: tag("W/")?,
                page,
            };
            if let Some((head, "")) =
                path.split_once('{').map(|(head, name)| (head, name.split_once('}').map_or(name, |(_, rest)| rest)))
            {
                by_head.push((head.to_owned(), ready));
            } else if by_path.insert(path.clone(), ready).is_some() {
                return Err(wrong("is there twice"));
            }
        }
        Ok(Self { by_path, by_head })
    }

    /// The page at `path`, compared as it was sent: an escaped character never names a file, and what stands for a
    /// name in braces is not looked at.
    pub(crate) async fn get(
        &self,
        path: &str,
        wants: &Wants,
        pool: &Pool,
        inflate_bytes_max: usize,
    ) -> Result<Response, Refused> {
        let ready = match path.strip_suffix('/') {
            None => self.by_path.get(path),
            Some(folder) => self.by_path.get(&format!("{folder}/index.html")),
        };
        let ready = ready
            .or_else(|| self.by_head.iter().find(|(head, _)| is_below(head, path)).map(|(_, ready)| ready))
            .ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, "no such page"))?;
        let page = &ready.page;
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, ready.keep.clone());
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        let (tag, coding, body) = match page {
            Page { brotli: Some(body), .. } if wants.brotli => (&ready.tag_brotli, Some("br"), Some(body)),
            Page { gzip: Some(body), .. } if wants.gzip => (&ready.tag, Some("gzip"), Some(body)),
            Page { plain, .. } => (&ready.tag_plain, None, plain.as_ref()),
        };
        headers.insert(header::ETAG, tag.clone());
        if wants.has(&ready.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
        headers.insert(header::CONTENT_TYPE, ready.media_type.clone());
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        let body = match (body, &page.gzip) {
            (Some(body), _) => body.clone(),
            (None, gzip) => {
                let gzip = gzip.clone().unwrap_or_default();
                pool.run(move || inflate(&gzip, inflate_bytes_max)).await??
            }
        };
        *response.body_mut() = Body::from(body);
        Ok(response)
    }
}

/// Whether `path` is one further part below `head`, which ends with a slash.
fn is_below(head: &str, path: &str) -> bool {
    path.strip_prefix(head).is_some_and(|last| !last.is_empty() && !last.contains('/'))
}
