//! `.Files`: the files of a chart that are no templates.
//!
//! Mirrors Helm v4.3.1, `pkg/engine/files.go`.

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::chart::File;
use crate::render::glob::Glob;
use crate::value::{Elem, Kind, List, Map, MapType, Method, Object, Signature, Str, Type, Value};
use crate::yaml;

/// A chart's files by path.
#[derive(Clone, Debug)]
pub(crate) struct Files(Arc<BTreeMap<Str, Str>>);

impl Files {
    pub(crate) fn new(files: &[File]) -> Self {
        let entry = |file: &File| (Str::from(&*file.name), Str::from(Arc::clone(&file.data)));
        Self(Arc::new(files.iter().map(entry).collect()))
    }

    /// Each path, with the length of the file in bytes.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (String, usize)> + '_ {
        self.0.iter().map(|(name, data)| (name.to_text().into_owned(), data.len()))
    }

    fn get(&self, name: &[u8]) -> Str {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// A pattern that is none matches everything.
    fn glob(&self, pattern: &Str) -> Self {
        let glob = Glob::new(&pattern.to_text()).unwrap_or_else(Glob::everything);
        let found = self.0.iter().filter(|(name, _)| glob.matches(&name.to_text()));
        Self(Arc::new(found.map(|(name, data)| (name.clone(), data.clone())).collect()))
    }

    /// The files by the last part of their path, as the `data` of a `ConfigMap` or `Secret`; later paths win.
    fn by_base_name(&self, content: impl Fn(&Str) -> Str) -> Value {
        let entries = self.0.iter().map(|(name, data)| (base(name).into(), Value::String(content(data))));
        let text = yaml::emit(&Value::Map(Map::from_entries(MapType::String, entries.collect()))).unwrap_or_default();
        Value::string(text.strip_suffix(b"\n").unwrap_or(&text))
    }

    fn lines(&self, name: &[u8]) -> Value {
        let data = self.get(name);
        if data.is_empty() {
            return Value::strings::<Str>([]);
        }
        let text = data.strip_suffix(b"\n").unwrap_or(&data);
        Value::strings(text.split(|byte| *byte == b'\n'))
    }
}

/// The last part of a path.
fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

impl Object for Files {
    fn type_name(&self) -> &'static str {
        "engine.files"
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn print(&self) -> Str {
        let entries = self.0.iter().map(|(name, data)| (name.clone(), Value::Bytes(data.clone())));
        Value::Map(entries.collect()).print()
    }

    /// A path, as it can be indexed; a missing one is nil.
    fn field(&self, name: &str) -> Option<Value> {
        let data = self.0.get(name.as_bytes()).cloned();
        Some(data.map_or(Value::List(List::nil(Elem::Byte)), Value::Bytes))
    }

    fn method(self: Rc<Self>, name: &str) -> Option<Method> {
        type Call = fn(&Files, &Str) -> Value;
        let of_path = |call: Call| {
            let files = Rc::clone(&self);
            Method {
                signature: Signature { params: vec![Type::String], variadic: None },
                call: Box::new(move |args| {
                    Ok(call(&files, &args.first().and_then(Value::as_str).cloned().unwrap_or_default()))
                }),
            }
        };
        let of_all = |call: fn(&Self) -> Value| {
            let files = Rc::clone(&self);
            Method {
                signature: Signature { params: Vec::new(), variadic: None },
                call: Box::new(move |_| Ok(call(&files))),
            }
        };
        Some(match name {
            "Get" => of_path(|files, path| Value::String(files.get(path))),
            "GetBytes" => of_path(|files, path| Value::Bytes(files.get(path))),
            "Glob" => of_path(|files, pattern| Value::object(files.glob(pattern))),
            "Lines" => of_path(|files, path| files.lines(path)),
            "AsConfig" => of_all(|files| files.by_base_name(Str::clone)),
            "AsSecrets" => of_all(|files| files.by_base_name(|data| STANDARD.encode(data).into())),
            _ => return None,
        })
    }

    fn truth(&self) -> bool {
        !self.0.is_empty()
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        Some(self.0.iter().map(|(name, data)| (name.clone().into(), Value::Bytes(data.clone()))).collect())
    }

    fn to_json(&self) -> Json {
        Json::Object(
            self.0
                .iter()
                .map(|(name, data)| (name.to_text().into_owned(), Json::String(STANDARD.encode(data))))
                .collect(),
        )
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self.0 == other.0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
