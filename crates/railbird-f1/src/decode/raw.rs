//! Raw recordings of the live feed: a line a message.
//!
//! A message is `['Topic', payload, 'UTC']` as printed by Python, the same as JSON, or the envelope of the feed's
//! own protocol (`{"M":[{"A":["Topic", payload, "UTC"]}]}`). Session time zero is the stamp of the first good message.

use railbird_timeline::Ts;
use serde_json::Value;

use super::telemetry::{BadSamples, Inflate};
use super::{Decoded, RECORD_BYTES_MAX, compressed, keyed, lines};
use crate::event::{SessionTime, Stamped};
use crate::source::Stream;

/// Decodes a recording of the live feed and says the UTC of session time zero; `None` where no message is good.
///
/// Topics that a session does not need are passed over and not counted as rejected.
pub fn recording(file: &str, bytes: &[u8]) -> (Decoded, Option<Ts>) {
    let mut decoded = Decoded::default();
    let (mut origin, mut latest) = (None, SessionTime(0));
    let mut latest_of = std::collections::BTreeMap::new();
    let mut inflate = Inflate::new();
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (index, line) in lines(body).into_iter().enumerate() {
        decoded.records += 1;
        let place = || format!("{file}: line {}", index + 1);
        let messages = match messages(line) {
            Ok(messages) => messages,
            Err(reason) => {
                decoded.rejected.count(reason, place);
                continue;
            }
        };
        for message in messages {
            let mut bad = BadSamples::default();
            match read(&message, &mut inflate, &mut bad) {
                Ok(Some((stream, utc, event))) => {
                    let zero = *origin.get_or_insert(utc);
                    let stamp = SessionTime(utc.0.saturating_sub(zero.0));
                    // Streams overtake one another on their way; within one, time runs forward.
                    let before = latest_of.insert(stream, stamp);
                    if before.is_some_and(|before| stamp < before) {
                        decoded.rejected.count("stamp_backward", place);
                    }
                    latest = latest.max(stamp);
                    decoded.events.push(Stamped { known_at: latest, event });
                }
                Ok(None) => {}
                Err(reason) => decoded.rejected.count(reason, place),
            }
            for (reason, count) in bad.0 {
                (0..count).for_each(|_| decoded.rejected.count(reason, place));
            }
        }
    }
    (decoded, origin)
}

fn messages(line: &[u8]) -> Result<Vec<Value>, &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "not_utf8")?;
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => {
            let json = python_to_json(text).ok_or("bad_literal")?;
            serde_json::from_str(&json).map_err(|_| "bad_literal")?
        }
    };
    match value {
        Value::Array(_) => Ok(vec![value]),
        Value::Object(mut envelope) => match envelope.remove("M") {
            Some(Value::Array(calls)) => Ok(calls
                .into_iter()
                .filter_map(|mut call| call.get_mut("A").map(Value::take))
                .filter(Value::is_array)
                .collect()),
            _ => Ok(Vec::new()),
        },
        _ => Err("not_a_message"),
    }
}

type Read = Result<Option<(Stream, Ts, crate::event::Event)>, &'static str>;

fn read(message: &Value, inflate: &mut Inflate, bad: &mut BadSamples) -> Read {
    let topic = message.get(0).and_then(Value::as_str).ok_or("not_a_message")?;
    let Some(stream) = Stream::from_topic(topic) else { return Ok(None) };
    let payload = message.get(1).ok_or("payload_missing")?;
    let utc = message.get(2).and_then(Value::as_str).ok_or("stamp_missing")?;
    let utc = Ts::parse(utc.as_bytes()).map_err(|_| "bad_stamp")?;
    let event = if stream.is_compressed() {
        compressed(stream, payload.as_str().ok_or("not_a_quoted_string")?.as_bytes(), inflate, bad)?
    } else {
        keyed::event(stream, payload).ok_or("unexpected_form")?
    };
    Ok(Some((stream, utc, event)))
}

/// Rewrites a literal of Python lists, dictionaries, strings, numbers, `True`, `False` and `None` as JSON.
fn python_to_json(text: &str) -> Option<String> {
    if text.len() > RECORD_BYTES_MAX {
        return None;
    }
    let mut json = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match first {
            '\'' | '"' => {
                let (value, after) = python_string(&rest[1..], first)?;
                json.push_str(&serde_json::to_string(&value).ok()?);
                rest = after;
            }
            'T' | 'F' | 'N' => {
                let (word, json_word) = match first {
                    'T' => ("True", "true"),
                    'F' => ("False", "false"),
                    _ => ("None", "null"),
                };
                rest = rest.strip_prefix(word)?;
                json.push_str(json_word);
            }
            _ => {
                json.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    Some(json)
}

/// The string up to its closing `quote`, and what follows.
fn python_string(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        if char == quote {
            return Some((value, &text[at + char.len_utf8()..]));
        }
        if char != '\\' {
            value.push(char);
            continue;
        }
        let digits = match chars.next()?.1 {
            'n' => {
                value.push('\n');
                continue;
            }
            't' => {
                value.push('\t');
                continue;
            }
            'r' => {
                value.push('\r');
                continue;
            }
            'x' => 2,
            'u' => 4,
            'U' => 8,
            other => {
                value.push(other);
                continue;
            }
        };
        let mut code = 0u32;
        for _ in 0..digits {
            code = code.checked_mul(16)?.checked_add(chars.next()?.1.to_digit(16)?)?;
        }
        value.push(char::from_u32(code)?);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_python_literals() {
        for (python, json) in [
            (r#"['a', {'b': True, "c'd": None}]"#, Some(r#"["a", {"b": true, "c'd": null}]"#)),
            (r"['it\'s \xe9\u00e9', -1.5]", Some(r#"["it's éé", -1.5]"#)),
            ("['open", None),
            ("[Truth]", None),
        ] {
            assert_eq!(python_to_json(python).as_deref(), json, "{python}");
        }
    }

    #[test]
    fn reads_all_three_forms_alike() {
        let forms = [
            "['TrackStatus', {'Status': '1'}, '2024-10-26T17:15:49.5Z']",
            r#"["TrackStatus", {"Status": "1"}, "2024-10-26T17:15:49.5Z"]"#,
            r#"{"C":"x","M":[{"H":"Streaming","M":"feed","A":["TrackStatus", {"Status": "1"}, "2024-10-26T17:15:49.5Z"]}]}"#,
        ];
        let [a, b, c] = forms.map(|form| recording("f", form.as_bytes()));
        assert_eq!(a.0.events, b.0.events);
        assert_eq!(a.0.events, c.0.events);
        assert_eq!(a.0.events.len(), 1);
        assert_eq!(a.1, c.1);
    }

    #[test]
    fn counts_what_is_malformed_and_goes_on() {
        let text = "['TimingData', ]\n\"whatever\"\n['Heartbeat', 1]\n['TrackStatus']\n\
                    ['TrackStatus', {'Status': '1'}, '2024-10-26T17:15:49Z']\n";
        let (decoded, _) = recording("f", text.as_bytes());
        assert_eq!(decoded.events.len(), 1);
        let reasons: Vec<_> = decoded.rejected.reasons().map(|(reason, entry)| (reason, entry.count)).collect();
        assert_eq!(reasons, [("bad_literal", 1), ("not_a_message", 1), ("payload_missing", 1)]);
    }
}
