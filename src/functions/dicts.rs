//! Sprig's `dict.go`. Maps are shared: `set`, `unset` and the merges change the map they are given, for everyone.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use std::collections::BTreeSet;

use crate::functions::cast::text_of;
use crate::functions::defaults::is_empty;
use crate::template::function::Rest;
use crate::value::{Kind, Map, MapType, Str, Value, meter};

/// `dict`: keys and values in turn; a key without a value gets "".
pub(crate) fn dict(Rest(items): Rest<Value>) -> Map {
    let map = Map::new(MapType::Any);
    let mut items = items.into_iter();
    while let Some(key) = items.next() {
        map.insert(text_of(&key), items.next().unwrap_or_else(|| Value::string("")));
    }
    map
}

/// `get`: "" where there is no such key.
pub(crate) fn get(map: Map, key: Str) -> Value {
    map.get(&key).unwrap_or_else(|| Value::string(""))
}

/// `set`: gives the same map back.
pub(crate) fn set(map: Map, key: Str, value: Value) -> Result<Map, &'static str> {
    if map.is_nil() {
        return Err("assignment to entry in nil map");
    }
    map.insert(key, value);
    Ok(map)
}

/// `unset`: gives the same map back.
pub(crate) fn unset(map: Map, key: Str) -> Map {
    map.remove(&key);
    map
}

/// `hasKey`
pub(crate) fn has_key(map: Map, key: Str) -> bool {
    map.contains(&key)
}

/// `pluck`: the values at `key` of those maps that have it.
pub(crate) fn pluck(key: Str, Rest(maps): Rest<Map>) -> Value {
    Value::list(maps.iter().filter_map(|map| map.get(&key)).collect())
}

/// `keys`: in byte order, where Go's order is random.
pub(crate) fn keys(Rest(maps): Rest<Map>) -> Value {
    Value::strings(maps.iter().flat_map(Map::keys))
}

/// `values`: in byte order of the keys, where Go's order is random.
pub(crate) fn values(map: Map) -> Value {
    Value::list(map.entries().into_iter().map(|(_, value)| value).collect())
}

/// `pick`: a map of only these keys.
pub(crate) fn pick(map: Map, Rest(keys): Rest<Str>) -> Map {
    keys.into_iter().filter_map(|key| map.get(&key).map(|value| (key, value))).collect()
}

/// `omit`: a map without these keys.
pub(crate) fn omit(map: Map, Rest(keys): Rest<Str>) -> Map {
    let keys: BTreeSet<Str> = keys.into_iter().collect();
    map.entries().into_iter().filter(|(key, _)| !keys.contains(key)).collect()
}

/// `dig`: follows keys through nested maps; the last two arguments are a default and the map.
pub(crate) fn dig(Rest(args): Rest<Value>) -> Result<Value, String> {
    let [keys @ .., fallback, map] = args.as_slice() else { return Err(TOO_FEW.to_owned()) };
    if keys.is_empty() {
        return Err(TOO_FEW.to_owned());
    }
    let mut here = any_map(map)?;
    let keys = keys.iter().map(key_of).collect::<Result<Vec<_>, _>>()?;
    let (last, path) = keys.split_last().ok_or(TOO_FEW)?;
    for key in path {
        match here.get(key) {
            Some(step) => here = any_map(&step)?,
            None => return Ok(fallback.clone()),
        }
    }
    Ok(here.get(last).unwrap_or_else(|| fallback.clone()))
}

const TOO_FEW: &str = "dig needs at least three arguments";

/// Go's type assertion `.(map[string]interface {})`, which a named map type does not pass.
fn any_map(value: &Value) -> Result<Map, String> {
    match value {
        Value::Map(map) if map.map_type() == MapType::Any => Ok(map.clone()),
        other => Err(not_a("map[string]interface {}", other)),
    }
}

fn key_of(value: &Value) -> Result<Str, String> {
    value.as_str().cloned().ok_or_else(|| not_a("string", value))
}

fn not_a(wanted: &str, value: &Value) -> String {
    let found = if matches!(value, Value::Nil) { "nil" } else { value.type_name() };
    format!("interface conversion: interface {{}} is {found}, not {wanted}")
}

/// Which of two values wins where both maps have a key.
#[derive(Clone, Copy)]
enum Winner {
    /// The destination's, unless it is empty.
    Destination,
    /// The source's.
    Source,
}

/// `merge` and `mustMerge`: fills what is missing or empty in `map` from the sources, in place.
pub(crate) fn merge(map: Map, Rest(sources): Rest<Map>) -> Result<Map, String> {
    merge_all(map, &sources, Winner::Destination)
}

/// `mergeOverwrite` and `mustMergeOverwrite`: the sources win, in place.
pub(crate) fn merge_overwrite(map: Map, Rest(sources): Rest<Map>) -> Result<Map, String> {
    merge_all(map, &sources, Winner::Source)
}

fn merge_all(map: Map, sources: &[Map], winner: Winner) -> Result<Map, String> {
    let made = map.is_nil() && sources.iter().any(|source| !source.is_nil());
    let map = if made { Map::new(MapType::Any) } else { map };
    for source in sources {
        merge_into(&map, source, winner, &mut Vec::new())?;
    }
    Ok(map)
}

/// What mergo 1.0.2 does to maps: nested maps of the source are shared with the destination, not copied. `open` are the
/// pairs being merged: maps that contain themselves come to an end.
fn merge_into(into: &Map, from: &Map, winner: Winner, open: &mut Vec<(Map, Map)>) -> Result<(), String> {
    if into.ptr_eq(from) || open.iter().any(|(a, b)| a.ptr_eq(into) && b.ptr_eq(from)) || !meter::enter(open.len()) {
        return Ok(());
    }
    open.push((into.clone(), from.clone()));
    for (key, theirs) in from.entries() {
        let foreign = into.map_type() == MapType::String && from.map_type() != MapType::String;
        merge_entry(into, key, theirs, (winner, foreign), open)?;
    }
    open.pop();
    Ok(())
}

/// Merges one entry; where its value is `foreign` to the map it cannot be put there.
fn merge_entry(
    into: &Map,
    key: Str,
    theirs: Value,
    (winner, foreign): (Winner, bool),
    open: &mut Vec<(Map, Map)>,
) -> Result<(), String> {
    if !meter::visit(0) {
        return Ok(());
    }
    let ours = into.get(&key);
    match (&ours, &theirs, winner) {
        (_, Value::Nil, Winner::Destination) => {}
        (Some(Value::Map(ours_map)), Value::Map(theirs_map), _) if !ours_map.is_nil() => {
            merge_into(ours_map, theirs_map, winner, open)?;
            // What is still empty counts as not set: the source's own map takes its place.
            if ours_map.is_empty() {
                into.insert(key, theirs);
            }
        }
        (Some(Value::Object(ours)), Value::Map(theirs), _) if ours.kind() == Kind::Map && !theirs.is_empty() => {
            return Err(not_assignable("[]uint8"));
        }
        (Some(ours), _, Winner::Destination) if !is_empty(ours) => {}
        _ if foreign => return Err(not_assignable("string")),
        _ => into.insert(key, theirs),
    }
    Ok(())
}

fn not_assignable(to: &str) -> String {
    format!("reflect.Value.SetMapIndex: value of type interface {{}} is not assignable to type {to}")
}
