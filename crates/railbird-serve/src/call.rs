//! From a request to the call that a field's route answers: parameters checked by name, bodies bounded.

use std::collections::BTreeMap;

use axum::{
    RequestPartsExt as _,
    body::Body,
    extract::RawPathParams,
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use railbird_publish::{BodyRule, In, Parameter};

use crate::reply::Refused;

/// Pairs of a query that are read; more are refused.
const QUERY_PAIRS_MAX: usize = 64;

/// Reads and checks the parameters of a request.
pub(crate) async fn parameters(
    parts: &mut Parts,
    known: &[Parameter],
    bytes_max: usize,
) -> Result<BTreeMap<String, String>, Refused> {
    let mut given = BTreeMap::new();
    let path: RawPathParams =
        parts.extract().await.map_err(|_| Refused::bad("path: a name in it is not percent-encoded UTF-8"))?;
    for (name, value) in &path {
        check_name(name, value, bytes_max)?;
        given.insert(name.to_owned(), value.to_owned());
    }
    let query = parts.uri.query().unwrap_or("");
    for (at, (name, value)) in url::form_urlencoded::parse(query.as_bytes()).enumerate() {
        if at >= QUERY_PAIRS_MAX {
            return Err(Refused::bad(format!("query: more than {QUERY_PAIRS_MAX} parameters")));
        }
        if !known.iter().any(|p| p.place == In::Query && p.name == name) {
            return Err(unknown(&name, known));
        }
        if value.len() > bytes_max {
            return Err(Refused::bad(format!("query parameter {name}: longer than {bytes_max} bytes")));
        }
        given.insert(name.into_owned(), value.into_owned());
    }
    match known.iter().find(|p| p.required && !given.contains_key(p.name)) {
        Some(missing) => Err(Refused::bad(format!("parameter {}: missing ({})", missing.name, missing.description))),
        None => Ok(given),
    }
}

fn unknown(name: &str, known: &[Parameter]) -> Refused {
    let mut expected: Vec<&str> = known.iter().filter(|p| p.place == In::Query).map(|p| p.name).collect();
    expected.sort_unstable();
    let expected = if expected.is_empty() { "none".to_owned() } else { expected.join(", ") };
    let name: String = name.chars().take(80).collect();
    Refused::bad(format!("query parameter {name:?}: unknown; expected {expected}"))
}

/// A name in a path is one name: whatever a file system could take for more never reaches a field.
fn check_name(name: &str, value: &str, bytes_max: usize) -> Result<(), Refused> {
    let more = value.chars().any(|c| matches!(c, '/' | '\\') || c.is_control()) || matches!(value, "" | "." | "..");
    match more || value.len() > bytes_max {
        true => Err(Refused::bad(format!("path parameter {name}: not a name"))),
        false => Ok(()),
    }
}

/// Reads a body within its bound.
pub(crate) async fn body(headers: &HeaderMap, body: Body, rule: Option<BodyRule>) -> Result<Bytes, Refused> {
    let (media_type, bytes_max) = rule.map_or((None, 0), |rule| (Some(rule.media_type), rule.bytes_max));
    let too_large = || {
        Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            match bytes_max {
                0 => "body: none is taken here".to_owned(),
                _ => format!("body: larger than {bytes_max} bytes"),
            },
        )
    };
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large());
    }
    // Nothing is decompressed on the way in: a bomb has nowhere to go off.
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "body: compressed; send it plain"));
    }
    let body = match Limited::new(body, bytes_max).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(_) => return Err(Refused::bad("body: broke off")),
    };
    let Some(media_type) = media_type else { return Ok(body) };
    let given = headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or(""));
    let given = given.split(';').next().unwrap_or("").trim();
    if !body.is_empty() && !given.eq_ignore_ascii_case(media_type) {
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("body: expected {media_type}")));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_path_is_one_name() {
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", "a\nb", "0123456789abcdef!"] {
            assert!(check_name("session", bad, 16).is_err(), "{bad:?}");
        }
        for good in ["...", "2025-03-16-race", "a.b", "é"] {
            assert!(check_name("session", good, 16).is_ok(), "{good:?}");
        }
    }
}
