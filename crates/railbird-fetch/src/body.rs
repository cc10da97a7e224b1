//! The bytes of an answer, bounded.

use bytes::{Bytes, BytesMut};
use railbird_store::gunzip_bounded;
use reqwest::{Response, header::CONTENT_ENCODING};

use crate::Error;

/// Room that is made for a body by its own statement of its length; more only as bytes come.
const TRUSTED_BYTES: u64 = 1 << 20;

/// All bytes of the body, uncompressed. `url`: as shown in errors.
pub(crate) async fn read(response: Response, url: &str, bytes_max: u64) -> Result<Bytes, Error> {
    let gzip = match response.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"" | b"identity") => false,
        Some(value) if value.eq_ignore_ascii_case(b"gzip") || value.eq_ignore_ascii_case(b"x-gzip") => true,
        Some(value) => {
            let found = String::from_utf8_lossy(value).chars().take(80).collect();
            return Err(Error::Encoding { url: url.to_owned(), found });
        }
    };
    let sent = read_sent(response, url, bytes_max).await?;
    if !gzip {
        return Ok(sent);
    }
    // Decoding tens of megabytes is no work for an async worker.
    let decoded = tokio::task::spawn_blocking(move || gunzip_bounded(&sent, bytes_max, "body")).await;
    match decoded {
        Ok(Ok(decoded)) => Ok(decoded.into()),
        Ok(Err(railbird_store::Error::TooLarge { .. })) => Err(Error::TooLarge { url: url.to_owned(), bytes_max }),
        Ok(Err(error)) => Err(Error::Damaged { url: url.to_owned(), reason: error.to_string() }),
        Err(error) => Err(Error::Damaged { url: url.to_owned(), reason: error.to_string() }),
    }
}

async fn read_sent(mut response: Response, url: &str, bytes_max: u64) -> Result<Bytes, Error> {
    let too_large = || Error::TooLarge { url: url.to_owned(), bytes_max };
    let stated = response.content_length().unwrap_or(0);
    if stated > bytes_max {
        return Err(too_large());
    }
    let mut body = BytesMut::with_capacity(stated.min(TRUSTED_BYTES) as usize);
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(body.freeze()),
            Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 > bytes_max => return Err(too_large()),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => return Err(Error::Transfer { url: url.to_owned(), reason: crate::fetcher::reason(&error) }),
        }
    }
}
