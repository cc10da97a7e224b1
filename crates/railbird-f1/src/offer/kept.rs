//! An answer that is computed and compressed once, and kept with the session that it belongs to. Start at [`Kept`].

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use railbird_publish::{Call, Refusal, Reply};

use crate::import::gzip_once;

/// JSON in both forms in which clients take it; nothing until it is first asked for. Clones share what is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<OnceLock<Forms>>);

#[derive(Debug)]
struct Forms {
    plain: Bytes,
    gzip: Bytes,
}

impl Kept {
    /// The answer, where it is there.
    pub(super) fn reply(&self, call: &Call, etag: String, immutable: bool) -> Option<Reply> {
        let forms = self.0.get()?;
        // Nothing is compressed or decoded a request: a client that takes no gzip gets the other form.
        let (gzip, body) = if call.accepts_gzip { (true, &forms.gzip) } else { (false, &forms.plain) };
        let etag = if gzip { etag } else { format!("{etag}-plain") };
        Some(Reply { gzip, etag: Some(etag), immutable, body: body.clone(), ..Reply::bytes("application/json") })
    }

    /// The answer, made where it is not there; of two that make it at once one is kept.
    pub(super) fn reply_or(
        &self,
        call: &Call,
        etag: String,
        immutable: bool,
        make: impl FnOnce() -> Result<Vec<u8>, Refusal>,
    ) -> Result<Reply, Refusal> {
        if self.0.get().is_none() {
            let plain = make()?;
            let gzip = gzip_once(&plain).into();
            // Somebody else may have been first, with the same bytes.
            let _ = self.0.set(Forms { plain: plain.into(), gzip });
        }
        Ok(self.reply(call, etag, immutable).expect("it was set above, and is never taken away"))
    }
}
