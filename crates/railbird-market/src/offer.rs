//! What the field serves: studies that were kept, for the page and for programs. Start at [`offer()`].
//!
//! The caller brings [`Runs`], which does the I/O. A study is one document, encoded and compressed once when it was
//! walked; here its bytes are only handed on.

use std::sync::Arc;

use bytes::Bytes;
use railbird_publish::{Answer, Cost, In, Method, Offer, Parameter, Refusal, RefusalKind, Reply, Route};
use serde_json::json;

use crate::report::RunCard;

/// A study's document.
#[derive(Debug, Clone)]
pub struct Document {
    /// Hash of its bytes.
    pub hash: String,
    /// [`crate::report::Report`] as JSON, gzip.
    pub bytes: Bytes,
}

/// Studies that were kept.
pub trait Runs: Send + Sync {
    /// Every study, in order of their names.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn runs(&self) -> Result<Vec<RunCard>, Refusal>;

    /// A study's document, read once and kept within a bound.
    ///
    /// # Errors
    /// Where there is none of that name, or it is damaged.
    fn document(&self, id: &str) -> Result<Document, Refusal>;
}

/// Everything that the field serves.
pub fn offer(runs: Arc<dyn Runs>) -> Offer {
    let list = Arc::clone(&runs);
    let name = Parameter { name: "run", place: In::Path, required: true, description: "Name of a study" };
    let routes = vec![
        route(
            "/api/market/runs",
            "Studies, in order of their names",
            Vec::new(),
            Arc::new(move |_| Reply::json(&json!({"runs": list.runs()?}))),
        ),
        route(
            "/api/market/runs/{run}",
            "A study: curves, days, forecasts and objective",
            vec![name],
            Arc::new(move |call| {
                let name = call.get("run").ok_or_else(|| Refusal {
                    kind: RefusalKind::BadCall,
                    message: "run: expected the name of a study".to_owned(),
                })?;
                let document = runs.document(name)?;
                Ok(Reply {
                    gzip: true,
                    etag: Some(document.hash),
                    body: document.bytes,
                    ..Reply::bytes("application/json")
                })
            }),
        ),
    ];
    Offer { routes, streams: Vec::new() }
}

fn route(path: &'static str, summary: &'static str, parameters: Vec<Parameter>, answer: Answer) -> Route {
    Route {
        method: Method::Get,
        path,
        summary,
        parameters,
        body: None,
        media_type: "application/json",
        schema: Some(json!({"type": "object"})),
        cost: Cost::Blocking,
        warm: None,
        answer,
    }
}
