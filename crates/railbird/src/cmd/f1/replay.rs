//! `railbird f1 replay`: the page of a session.

use super::{Field, arguments::Replay as Arguments};
use crate::{
    browser,
    cmd::{Context, serve::serve},
    failure::{Failure, Outcome},
};

/// Serves, and opens the page of the session in the browser.
pub(crate) fn run(context: &Context, field: &Field, arguments: &Arguments) -> Result<Outcome, Failure> {
    let version = field.store.resolve(&arguments.session)?;
    let id = field.store.manifest(&version)?.id.clone();
    serve(context, field, |listening| {
        let page = format!("{}/f1/{id}", listening.url);
        let document = serde_json::json!({ "url": listening.url, "page": page, "session": id, "version": version });
        context.output.write(&document, |_| format!("{page}  (Ctrl-C ends it)"))?;
        browser::open(&page);
        Ok(())
    })
}
