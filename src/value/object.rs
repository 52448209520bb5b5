//! Go values with fields and methods: `.Files`, `.Capabilities`, a semantic version, a time.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use crate::value::{Kind, Signature, Str, Value};

/// A method bound to its receiver.
pub struct Method {
    /// What it takes.
    pub signature: Signature,
    /// Calls it with arguments that fit `signature`; an error is the text of Go's error.
    pub call: MethodBody,
}

type MethodBody = Box<dyn FnOnce(&[Value]) -> Result<Value, String>>;

/// An exported field of a struct, as Go's encoders see it.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in Go.
    pub name: &'static str,
    /// Its name in JSON; the same where no tag says otherwise.
    pub json: &'static str,
    /// Whether JSON leaves it out where it is empty.
    pub omit_empty: bool,
    /// What it holds.
    pub value: Value,
}

/// A Go value that is not plain data.
pub trait Object: fmt::Debug {
    /// The type as Go prints it, such as `*semver.Version`.
    fn type_name(&self) -> &str;

    /// Its kind; `Struct` unless said otherwise.
    fn kind(&self) -> Kind {
        Kind::Struct
    }

    /// What `%v` prints.
    fn print(&self) -> Str;

    /// What an action of a template prints where Go can take the value's address, and so finds the methods of its pointer:
    /// `{{ .Capabilities.KubeVersion }}`, but not `{{ .Capabilities.KubeVersion | toString }}`.
    fn print_in_place(&self) -> Str {
        self.print()
    }

    /// What `%v` prints for it inside a list or map: of a pointer that does not print itself the address.
    fn print_nested(&self) -> Str {
        self.print()
    }

    /// The exported fields of a struct in the order of their declaration, for encoders that follow it. Nothing for what
    /// encodes itself, as a time does.
    fn fields(&self) -> Vec<Field> {
        Vec::new()
    }

    /// All fields of a struct, those that are not exported too, as `printf` shows them. Nothing where they are not known.
    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        self.fields().into_iter().map(|field| (field.name, field.value)).collect()
    }

    /// Whether it has a method `String`, by which verbs for texts print it.
    fn is_stringer(&self) -> bool {
        false
    }

    /// The exported field `name`.
    fn field(&self, name: &str) -> Option<Value> {
        self.fields().into_iter().find(|field| field.name == name).map(|field| field.value)
    }

    /// The exported method `name`.
    fn method(self: Rc<Self>, _name: &str) -> Option<Method> {
        None
    }

    /// Whether `if` takes it for true: a struct always, a map or slice when it is not empty.
    fn truth(&self) -> bool {
        true
    }

    /// Elements of a map-like or slice-like object, in the order of `range`: key (or index) and value.
    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        None
    }

    /// What `encoding/json` makes of it, and so `toJson` and `toYaml`.
    fn to_json(&self) -> serde_json::Value;

    /// `reflect.DeepEqual` with another value of the same type name.
    fn deep_equal(&self, other: &dyn Object) -> bool;

    /// For [`Value::downcast`].
    fn as_any(&self) -> &dyn Any;
}
