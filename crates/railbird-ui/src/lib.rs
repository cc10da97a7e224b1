//! The web pages: TypeScript and Svelte under `web/`, built by `build.rs` and embedded here. Start at [`pages`].
//!
//! This crate knows nothing of HTTP and holds no logic that the engine owns: the pages read the API as any client does.
//! Every page is a file of its own, so that a policy of `script-src 'self'; style-src 'self'` holds.

/// One embedded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Path from the root of the server: `/index.html` (asked for as `/`), `/assets/…`; with a name in braces for a part
    /// that may be anything: `/f1/{session}`.
    pub path: &'static str,
    /// Media type, with its character set where it is text.
    pub media_type: &'static str,
    /// Strong entity tag, without quotes: 20 hexadecimal digits of the BLAKE3 hash of `identity`.
    pub etag: &'static str,
    /// The file as one gzip member (RFC 1952).
    pub gzip: &'static [u8],
    /// The file as it is.
    pub identity: &'static [u8],
    /// Whether the path holds a hash of the content, so that it may be cached for ever.
    pub immutable: bool,
}

static PAGES: &[Page] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Every page, in the order of their files. Without Node at build time: a page that says how to get the real ones.
pub fn pages() -> &'static [Page] {
    PAGES
}

/// The page that answers a request for `path`: no query, starting with a slash.
pub fn find(path: &str) -> Option<&'static Page> {
    let path = if path == "/" { "/index.html" } else { path };
    pages().iter().find(|page| page.path == path).or_else(|| {
        pages().iter().find(|page| {
            let (head, tail) = page.path.split_once('{').unwrap_or((page.path, ""));
            let rest = path.strip_prefix(head).unwrap_or_default();
            tail.ends_with('}') && !rest.is_empty() && !rest.contains('/')
        })
    })
}

/// A document that shows `json`, a study of the market, by itself: script and styles are within it, and it asks nobody for
/// anything. `None` where the pages were built without Node.
pub fn report(json: &str) -> Option<String> {
    let asset = |end: &str| {
        let is_index = |page: &&Page| page.path.starts_with("/assets/index-") && page.path.ends_with(end);
        pages().iter().find(is_index).and_then(|page| std::str::from_utf8(page.identity).ok())
    };
    let (script, styles) = (asset(".js")?, asset(".css")?);
    // Inside of an element only its own end tag ends it; the escapes mean the same in JSON, script and styles.
    let json = json.replace('<', "\\u003c");
    let script = script.replace("</script", "<\\/script");
    let styles = styles.replace("</style", "<\\/style");
    Some(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>railbird</title>\n\
         <style>{styles}</style>\n</head>\n<body>\n<div id=\"app\"></div>\n\
         <script id=\"railbird-report\" type=\"application/json\">{json}</script>\n\
         <script type=\"module\">{script}</script>\n</body>\n</html>\n"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{find, pages};

    #[test]
    fn every_page_has_a_path_of_its_own_and_a_tag_of_its_content() {
        let paths: BTreeSet<_> = pages().iter().map(|page| page.path).collect();
        assert_eq!(paths.len(), pages().len());
        for page in pages() {
            let hash = blake3::hash(page.identity).to_hex();
            assert_eq!(page.etag, &hash[..20], "{}", page.path);
            assert_eq!(page.immutable, page.path.starts_with("/assets/"), "{}", page.path);
        }
    }

    #[test]
    fn compressed_pages_hold_the_same_bytes() {
        use std::io::Read as _;
        for page in pages() {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(page.gzip).read_to_end(&mut plain).expect("gzip");
            assert!(plain == page.identity, "{}", page.path);
        }
    }

    #[test]
    fn a_session_is_answered_by_the_same_page_as_the_list() {
        let root = find("/").expect("the list of sessions");
        let session = find("/f1/2025-03-16-australian-grand-prix-race").expect("a session");
        assert_eq!(root.identity, session.identity);
        assert!(find("/f1/").is_none());
        assert!(find("/f1/a/b").is_none());
        assert!(find("/nothing").is_none());
    }

    #[test]
    fn a_report_holds_its_data_and_asks_for_nothing() {
        let Some(report) = super::report(r#"{"id":"</script><script>alert(1)"}"#) else {
            assert!(pages().iter().all(|page| !page.path.starts_with("/assets/")), "built with Node, yet no report");
            return;
        };
        assert!(report.contains(r#"{"id":"\u003c/script>\u003cscript>alert(1)"}"#));
        assert_eq!(report.matches("</script").count(), 2, "only the two elements end");
        for outside in [" src=\"", "<link"] {
            assert!(!report.split("<style>").next().is_some_and(|head| head.contains(outside)), "{outside}");
        }
    }

    /// The policy that the server sends allows neither scripts nor styles inside the HTML.
    #[test]
    fn html_holds_no_inline_script_style_or_handler_and_loads_nothing_from_elsewhere() {
        for page in pages().iter().filter(|page| page.media_type.starts_with("text/html")) {
            let html = std::str::from_utf8(page.identity).expect("UTF-8");
            for forbidden in ["<style", " style=", " onload=", " onclick=", "src=\"http", "href=\"http", "<script>"] {
                assert!(!html.contains(forbidden), "{}: {forbidden}", page.path);
            }
        }
    }
}
