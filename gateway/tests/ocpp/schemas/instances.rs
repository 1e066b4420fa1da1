//! Instances of JSON schemas: the least, the most, and one for each word of an enumeration.

use serde_json::{Map, Value, json};

/// How much of a schema an instance has.
#[derive(Clone, Copy)]
pub enum Size {
    /// Required fields only.
    Least,
    /// Every field; of every enumeration the word at this place.
    Most(usize),
}

/// How many words the longest enumeration of a schema has.
pub fn longest_enumeration(schema: &Value) -> usize {
    match schema {
        Value::Object(fields) => {
            let own = fields.get("enum").and_then(Value::as_array).map_or(1, Vec::len);
            fields.values().map(longest_enumeration).max().unwrap_or(1).max(own)
        }
        Value::Array(entries) => entries.iter().map(longest_enumeration).max().unwrap_or(1),
        _ => 1,
    }
}

/// An instance of a schema.
pub fn instance(root: &Value, size: Size) -> Value {
    of(root, root, size, "")
}

fn of(schema: &Value, root: &Value, size: Size, name: &str) -> Value {
    if let Some(link) = schema.get("$ref").and_then(Value::as_str) {
        let part = link.rsplit('/').next().unwrap();
        return of(&root["definitions"][part], root, size, name);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return match size {
            Size::Least => words[0].clone(),
            Size::Most(place) => words[place % words.len()].clone(),
        };
    }
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => {
            let required: Vec<&str> = schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let mut object = Map::new();
            for (field, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if matches!(size, Size::Most(_)) || required.contains(&field.as_str()) {
                    object.insert(field.clone(), of(inner, root, size, field));
                }
            }
            Value::Object(object)
        }
        Some("array") => {
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX);
            let count = if matches!(size, Size::Most(_)) { most.min(least.max(1) + 1) } else { least.max(1) };
            // Numbers of one name differ, or they would be doublets.
            (0..count).map(|_| of(&schema["items"], root, size, name)).collect()
        }
        Some("string") if schema.get("format").and_then(Value::as_str) == Some("date-time") => {
            json!("2026-01-01T11:59:00.000Z")
        }
        Some("string") if name == "value" => json!("12.5"),
        Some("string") => {
            let most = schema.get("maxLength").and_then(Value::as_u64).unwrap_or(60);
            match size {
                Size::Least => json!("x"),
                Size::Most(_) => json!("x".repeat(usize::try_from(most).unwrap())),
            }
        }
        Some("integer") => json!(bound("minimum").map_or(1, |least| (least.max(1.0)) as i64)),
        Some("number") => {
            let value =
                1.5_f64.min(bound("maximum").unwrap_or(f64::MAX)).max(bound("minimum").unwrap_or(f64::MIN));
            json!(value)
        }
        Some("boolean") => json!(matches!(size, Size::Most(place) if place % 2 == 0)),
        _ => json!({"any": ["thing", 1.25, null]}),
    }
}
