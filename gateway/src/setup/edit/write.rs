//! Values in a table of a file: set, merged or replaced, with all that stays the same left as it was written.

use super::EditError;
use serde_json::Value;
use toml_edit::{Array, ArrayOfTables, InlineTable, Item, Table, TableLike, Value as Toml};

/// What an answer of the API has in place of a password, and what leaves it as it is when it is sent back.
pub(crate) const KEPT: &str = "kept";

/// Sets `fields` in a table; a key that is `null` is taken out. With `whole` keys that are not in `fields` are taken out too, but
/// for those in `keep`.
pub(super) fn write(
    table: &mut dyn TableLike,
    fields: &serde_json::Map<String, Value>,
    whole: bool,
    keep: &[&str],
) -> Result<(), EditError> {
    if whole {
        let gone: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
        for key in gone.iter().filter(|key| !fields.contains_key(*key) && !keep.contains(&key.as_str())) {
            table.remove(key);
        }
    }
    for (key, value) in fields {
        if value.is_null() {
            table.remove(key);
            continue;
        }
        match table.get_mut(key) {
            Some(old) if old.is_none() => drop(table.insert(key, Item::Value(toml(key, value)?))),
            Some(old) => renew(old, key, value, whole)?,
            None => drop(table.insert(key, Item::Value(toml(key, value)?))),
        }
    }
    Ok(())
}

// Puts a value in the place of another one.
fn renew(old: &mut Item, key: &str, value: &Value, whole: bool) -> Result<(), EditError> {
    if is_kept(key, value) || json(old).is_some_and(|json| json == *value) {
        return Ok(());
    }
    // A password or another secret is one thing: `env` does not become `env` and `file`.
    if let (Some(table), Some(fields)) = (old.as_table_like_mut(), value.as_object())
        && key != "password"
        && !is_place(fields)
    {
        return write(table, fields, whole, &[]);
    }
    if let (Some(tables), Some(values)) = (old.as_array_of_tables_mut(), all_objects(value)) {
        return elements(tables, &values);
    }
    let mut new = toml(key, value)?;
    if let Item::Value(old) = old {
        // What stands behind the old value, a comment perhaps, stays.
        *new.decor_mut() = old.decor().clone();
    }
    *old = Item::Value(new);
    Ok(())
}

fn all_objects(value: &Value) -> Option<Vec<&serde_json::Map<String, Value>>> {
    value.as_array()?.iter().map(Value::as_object).collect()
}

fn elements(tables: &mut ArrayOfTables, values: &[&serde_json::Map<String, Value>]) -> Result<(), EditError> {
    while tables.len() > values.len() {
        tables.remove(tables.len() - 1);
    }
    for (at, fields) in values.iter().enumerate() {
        match tables.get_mut(at) {
            Some(table) => write(table, fields, true, &[])?,
            None => {
                let mut table = Table::new();
                write(&mut table, fields, true, &[])?;
                tables.push(table);
            }
        }
    }
    Ok(())
}

// Whether a password is to stay what it is.
fn is_kept(key: &str, value: &Value) -> bool {
    key == "password" && value.as_object().is_some_and(|value| value.contains_key(KEPT))
}

// Whether it says where a secret is.
fn is_place(fields: &serde_json::Map<String, Value>) -> bool {
    fields.len() == 1 && ["env", "file"].iter().any(|key| fields.get(*key).is_some_and(Value::is_string))
}

pub(super) fn toml(key: &str, value: &Value) -> Result<Toml, EditError> {
    let wrong = |why| Err(EditError::Value(key.to_owned(), why));
    if is_kept(key, value) {
        return wrong("there is no password here that could be kept");
    }
    Ok(match value {
        Value::Null => return wrong("leave out what is not known, inside lists and tables too"),
        Value::Bool(yes) => (*yes).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => return wrong("write a number with decimals as a text, as in \"7.4\""),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => {
            let values: Result<Vec<_>, _> = values.iter().map(|value| toml(key, value)).collect();
            Array::from_iter(values?).into()
        }
        Value::Object(fields) => {
            let mut table = InlineTable::new();
            for (key, value) in fields {
                table.insert(key, toml(key, value)?);
            }
            table.into()
        }
    })
}

/// What stands in a table, as JSON; a date as a text.
pub(super) fn table_json(table: &dyn TableLike) -> Value {
    table.iter().filter_map(|(key, item)| Some((key.to_owned(), json(item)?))).collect()
}

fn json(item: &Item) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(value) => value_json(value),
        Item::Table(table) => Some(table_json(table)),
        Item::ArrayOfTables(tables) => Some(tables.iter().map(|table| table_json(table)).collect()),
    }
}

// Nothing for a number with decimals, which JSON may read as another one.
fn value_json(value: &Toml) -> Option<Value> {
    match value {
        Toml::String(text) => Some(Value::from(text.value().as_str())),
        Toml::Integer(number) => Some(Value::from(*number.value())),
        Toml::Boolean(yes) => Some(Value::from(*yes.value())),
        Toml::Datetime(time) => Some(Value::from(time.value().to_string())),
        Toml::Array(array) => array.iter().map(value_json).collect(),
        Toml::InlineTable(table) => Some(table_json(table)),
        Toml::Float(_) => None,
    }
}
