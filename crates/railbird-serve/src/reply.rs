//! From a field's reply, or a refusal, to an HTTP response.
//!
//! A stored gzip body goes out as it is; it is decoded, within a bound, only for a client that does not take gzip.

use std::{borrow::Cow, io::Read as _};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use railbird_publish::{Refusal, RefusalKind, Reply};

use crate::pool::{Pool, PoolError};

/// What of a request's headers matters to its answer.
#[derive(Default)]
pub(crate) struct Wants {
    pub(crate) gzip: bool,
    pub(crate) brotli: bool,
    if_none_match: Option<HeaderValue>,
}

impl Wants {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            gzip: accepts(headers, "gzip"),
            brotli: accepts(headers, "br"),
            if_none_match: headers.get(header::IF_NONE_MATCH).cloned(),
        }
    }

    /// Whether the client has the answer of this tag already.
    pub(crate) fn has(&self, etag: &str) -> bool {
        let Some(given) = self.if_none_match.as_ref().and_then(|tags| tags.to_str().ok()) else { return false };
        given.split(',').map(str::trim).any(|tag| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) == Some(etag)
        })
    }
}

/// Whether the client takes a content coding. Without a word about it: no.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let mut any = false;
    for line in headers.get_all(header::ACCEPT_ENCODING) {
        for item in line.to_str().unwrap_or("").split(',') {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let quality = parameters.split(';').find_map(|p| p.trim().strip_prefix("q="));
            let wanted = quality.is_none_or(|q| q.trim().parse::<f32>().is_ok_and(|q| q > 0.0));
            match name.trim() {
                name if name.eq_ignore_ascii_case(coding) => return wanted,
                "*" => any = wanted,
                _ => {}
            }
        }
    }
    any
}

/// How long answers may be kept, and by whom.
#[derive(Clone, Copy)]
pub(crate) struct Keep {
    immutable: &'static str,
    other: &'static str,
}

impl Keep {
    /// `private`: where a token is needed, no cache between may keep an answer.
    pub(crate) fn new(private: bool) -> Self {
        match private {
            false => Self { immutable: "public, max-age=31536000, immutable", other: "no-cache" },
            true => Self { immutable: "private, max-age=31536000, immutable", other: "private, no-cache" },
        }
    }

    pub(crate) fn header(self, immutable: bool) -> HeaderValue {
        HeaderValue::from_static(if immutable { self.immutable } else { self.other })
    }
}

/// Writes a reply as a response.
pub(crate) async fn respond(
    reply: Reply,
    wants: &Wants,
    keep: Keep,
    pool: &Pool,
    inflate_bytes_max: usize,
) -> Result<Response, Refused> {
    let status = StatusCode::from_u16(reply.status).map_err(|_| Refused::broken("answer has no valid status"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, keep.header(reply.immutable));
    if reply.gzip {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    let decode = reply.gzip && !wants.gzip;
    if let Some(etag) = &reply.etag {
        // The decoded body is another representation: same meaning, other bytes, hence a weak tag.
        let tag = format!("{}\"{etag}\"", if decode { "W/" } else { "" });
        headers.insert(header::ETAG, header_value(tag)?);
        if status == StatusCode::OK && wants.has(etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.media_type));
    if let Some(location) = reply.location {
        headers.insert(header::LOCATION, header_value(location)?);
    }
    if let Some(name) = reply.file_name {
        headers.insert(header::CONTENT_DISPOSITION, header_value(disposition(&name))?);
    }
    if reply.gzip && !decode {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let body = match decode {
        false => reply.body,
        true => pool.run(move || inflate(&reply.body, inflate_bytes_max)).await??,
    };
    *response.body_mut() = Body::from(body);
    Ok(response)
}

/// Decodes gzip of at most `bytes_max` decoded bytes.
pub(crate) fn inflate(gzip: &[u8], bytes_max: usize) -> Result<Bytes, Refused> {
    let mut plain = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(gzip).take(bytes_max as u64 + 1);
    reader.read_to_end(&mut plain).map_err(|_| Refused::broken("stored answer is damaged"))?;
    if plain.len() > bytes_max {
        return Err(Refused::new(
            StatusCode::NOT_ACCEPTABLE,
            "answer is too large to be decoded here; ask with Accept-Encoding: gzip",
        ));
    }
    Ok(plain.into())
}

fn header_value(text: String) -> Result<HeaderValue, Refused> {
    HeaderValue::try_from(text).map_err(|_| Refused::broken("answer has an invalid header"))
}

/// A download's name: plain for old clients, exact for others. Nothing of it is taken as a path or as syntax.
fn disposition(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    let exact = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    message: Cow<'static, str>,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    fn broken(message: &'static str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// `{"error": …}` with its status.
    pub(crate) fn response(&self) -> Response {
        let body = serde_json::json!({ "error": self.message }).to_string();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::BadCall => StatusCode::BAD_REQUEST,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::BadInput => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalKind::Busy => StatusCode::TOO_MANY_REQUESTS,
            RefusalKind::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, refusal.message)
    }
}

impl From<PoolError> for Refused {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Full => Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many calls are waiting; try again"),
            PoolError::Panicked => Self::broken("the call failed; the server's log says where"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&'static str], gzip: bool, brotli: bool) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(line));
        }
        let wants = Wants::of(&headers);
        assert_eq!((wants.gzip, wants.brotli), (gzip, brotli), "{lines:?}");
    }

    #[test]
    fn codings_are_negotiated() {
        check(&[], false, false);
        check(&[""], false, false);
        check(&["identity"], false, false);
        check(&["gzip, deflate, br"], true, true);
        check(&["GZIP;q=0.5"], true, false);
        check(&["gzip;q=0, br"], false, true);
        check(&["gzip; q=0.000"], false, false);
        check(&["*"], true, true);
        check(&["*, gzip;q=0"], false, true);
        check(&["gzip;q=0, *"], false, true);
        check(&["deflate", "br"], false, true);
        check(&["gzip;q=nonsense"], false, false);
        check(&["xgzip"], false, false);
    }

    #[test]
    fn tags_are_compared_weakly() {
        let has = |tags: &'static str| {
            let if_none_match = Some(HeaderValue::from_static(tags));
            Wants { if_none_match, ..Wants::default() }.has("abc")
        };
        assert!(has("\"abc\"") && has("W/\"abc\"") && has("\"x\", \"abc\"") && has("*"));
        assert!(!has("abc") && !has("\"ab\"") && !has("") && !has("\"abc"));
        assert!(!Wants::default().has("abc"));
    }

    #[test]
    fn a_bomb_is_not_decoded_past_its_bound() {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![0; 10 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert_eq!(inflate(&bomb, 10 << 20).unwrap().len(), 10 << 20);
        assert_eq!(inflate(&bomb, (10 << 20) - 1).unwrap_err().status, StatusCode::NOT_ACCEPTABLE);
        assert_eq!(inflate(&bomb[..bomb.len() / 2], 20 << 20).unwrap_err().status, StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn a_file_name_is_only_a_name() {
        assert_eq!(
            disposition("a/..\"b\r\né.csv"),
            "attachment; filename=\"a_..\
             _b___.csv\"; filename*=UTF-8''a%2F%2E%2E%22b%0D%0A%C3%A9%2Ecsv"
        );
    }
}
