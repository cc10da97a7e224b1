//! The API's description, made from the offers themselves: what is not offered is not described, and the other way round.

use std::collections::BTreeMap;

use railbird_publish::{FrameRoute, In, Method, Offer, Parameter, Route};
use serde_json::{Value, json};

use crate::app::names_in;

/// OpenAPI 3.1 of all offers, as JSON. The same offers give the same bytes, in whatever order they come.
pub(crate) fn document(offers: &[Offer]) -> String {
    let mut paths: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    for route in offers.iter().flat_map(|offer| &offer.routes) {
        let method = match route.method {
            Method::Get => "get",
            Method::Post => "post",
        };
        paths.entry(route.path).or_default().insert(method, operation(route));
    }
    for stream in offers.iter().flat_map(|offer| &offer.streams) {
        paths.entry(stream.path).or_default().insert("get", socket(stream));
    }
    paths.entry("/api/openapi.json").or_default().insert("get", own("This description.", "application/json"));
    paths.entry("/healthz").or_default().insert("get", own("Whether the server answers.", "text/plain"));
    paths.entry("/metrics").or_default().insert("get", own("Counters, in the Prometheus text format.", "text/plain"));
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "railbird", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": { "error": { "type": "string" } },
                },
            },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        // Either: a server on loopback needs none.
        "security": [{}, { "token": [] }],
    });
    sorted(&document).to_string()
}

/// Keys in order, whichever map `serde_json` was built with.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted_map: BTreeMap<&String, Value> = map.iter().map(|(key, value)| (key, sorted(value))).collect();
            sorted_map.into_iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn operation(route: &Route) -> Value {
    let mut content = json!({});
    content[route.media_type] = route.schema.as_ref().map_or_else(|| json!({}), |schema| json!({ "schema": schema }));
    let mut operation = json!({
        "summary": route.summary,
        "parameters": route.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "responses": {
            "200": { "description": "the answer", "content": content },
            "default": refusal(),
        },
    });
    if let Some(rule) = route.body {
        let mut content = json!({});
        content[rule.media_type] = json!({ "schema": { "maxLength": rule.bytes_max } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

fn socket(stream: &FrameRoute) -> Value {
    let path = names_in(stream.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let query = [
        ("fps", "frames a second of the contest", json!({ "type": "integer", "enum": stream.rates })),
        (
            "format",
            "how a frame is written",
            json!({ "type": "string", "enum": ["json", "msgpack"], "default": "json" }),
        ),
        ("encoding", "gzip: each frame compressed, in a binary message", json!({ "type": "string", "enum": ["gzip"] })),
        ("t", "moment to start at, seconds of the contest", json!({ "type": "number" })),
        ("speed", "speed to start with", json!({ "type": "number", "minimum": 0.1, "maximum": 100 })),
    ];
    let query = query.into_iter().map(|(name, description, schema)| {
        json!({ "name": name, "in": "query", "required": false, "description": description, "schema": schema })
    });
    json!({
        "summary": stream.summary,
        "description": "A WebSocket. First comes {\"type\":\"hello\",\"version\",\"fps\",\"frames\",\"start\"}, then a \
            frame a message. Controls: {\"op\":\"play\"}, {\"op\":\"pause\"}, {\"op\":\"seek\",\"t\":seconds}, \
            {\"op\":\"speed\",\"value\":0.1 to 100}.",
        "parameters": path.chain(query).collect::<Vec<_>>(),
        "responses": { "101": { "description": "frames follow" }, "default": refusal() },
    })
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": match parameter.place { In::Path => "path", In::Query => "query" },
        "required": parameter.required || parameter.place == In::Path,
        "description": parameter.description,
        "schema": { "type": "string" },
    })
}

fn refusal() -> Value {
    json!({
        "description": "a refusal",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    })
}

fn own(summary: &str, media_type: &str) -> Value {
    let mut content = json!({});
    content[media_type] = json!({});
    json!({ "summary": summary, "responses": { "200": { "description": "the answer", "content": content } } })
}
