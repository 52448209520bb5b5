//! The functions a template may call: their Go signatures, and Rust functions behind them.
//!
//! A function is written as a plain Rust function of converted arguments (`fn trunc(len: i64, text: Str) -> Str`);
//! [`Function::new`] reads Go's signature from its types. The evaluator checks the number of arguments and converts each
//! as `text/template` does *before* it calls, so a function never sees an argument of another type.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::template::Error;
use crate::value::{List, Map, Signature, Str, Type, Value};

/// What the running template offers to functions such as `include` and `tpl`.
pub trait Engine {
    /// Executes the template `name` with `dot`, and gives what it wrote.
    ///
    /// # Errors
    /// [`FunctionError::Template`] if it fails or does not exist.
    fn execute(&mut self, name: &Str, dot: Value) -> Result<Str, FunctionError>;

    /// Parses `text` as a template called `name` beside all that exist, and executes it with `dot`. What it defines does
    /// not outlive the call.
    ///
    /// # Errors
    /// [`FunctionError::Message`] with Go's text if it does not parse, [`FunctionError::Template`] if it fails.
    fn execute_text(&mut self, name: &str, text: &Str, dot: Value) -> Result<Str, FunctionError>;

    /// How many executions of the template `name` by [`Engine::execute`] have begun and not ended.
    fn nesting(&self, _name: &Str) -> usize {
        0
    }

    /// Whether a text given to [`Engine::execute_text`] is being executed, or something that it calls.
    fn in_text(&self) -> bool {
        false
    }

    /// What the caller of the template handed in for its own functions.
    fn host(&self) -> &dyn Any;
}

/// Why a function failed.
#[derive(Debug, Clone)]
pub enum FunctionError {
    /// An error value of Go's, or what a recovered panic says. The evaluator adds the place and `error calling NAME: `.
    Message(String),
    /// The message of `fail` or `required`: the user's own words, reported as `execution error at (PLACE): MESSAGE`.
    Fail(String),
    /// What the execution has to wait for: it is no fault of the template's.
    Wait(Wait),
    /// A template that the function executed failed.
    Template(Box<Error>),
}

/// What an execution has to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// One word, for programs.
    pub reason: String,
    /// For people.
    pub message: String,
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl From<String> for FunctionError {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

impl From<&str> for FunctionError {
    fn from(message: &str) -> Self {
        Self::Message(message.to_owned())
    }
}

type Body = Box<dyn Fn(&mut dyn Engine, &[Value]) -> Result<Value, FunctionError> + Send + Sync>;

/// A function that templates can call.
pub struct Function {
    name: &'static str,
    signature: Signature,
    /// Whether Go's result is an `interface {}`.
    boxed: bool,
    body: Body,
    price: Option<Price>,
}

/// What a call with these arguments costs: the time that a usual core takes for it, roughly.
pub type Price = fn(&[Value]) -> Duration;

impl Function {
    /// A function called `name`, with the signature its Rust types spell.
    pub fn new<Marker, F: IntoBody<Marker>>(name: &'static str, function: F) -> Self {
        Self { name, signature: F::signature(), boxed: false, body: function.into_body(), price: None }
    }

    /// The same function, whose result in Go is an `interface {}`; where nothing takes it out, errors name that type.
    #[must_use]
    pub fn returning_any(self) -> Self {
        Self { boxed: true, ..self }
    }

    pub(crate) fn is_boxed(&self) -> bool {
        self.boxed
    }

    /// Makes each call cost something of [`crate::template::Limits::crypto`]; what cannot be paid is not done.
    #[must_use]
    pub fn priced(self, price: Price) -> Self {
        Self { price: Some(price), ..self }
    }

    /// What a call with `args` costs.
    pub(crate) fn price(&self, args: &[Value]) -> Option<Duration> {
        self.price.map(|price| price(args))
    }

    /// Its name in templates.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it takes.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Calls it with arguments that fit its signature.
    ///
    /// # Errors
    /// What the function itself reports.
    pub fn call(&self, engine: &mut dyn Engine, args: &[Value]) -> Result<Value, FunctionError> {
        (self.body)(engine, args)
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Function").field("name", &self.name).field("signature", &self.signature).finish_non_exhaustive()
    }
}

/// Functions by name. Compiled templates keep the functions they name.
#[derive(Clone, Debug, Default)]
pub struct Functions(BTreeMap<&'static str, Arc<Function>>);

impl Functions {
    /// The function `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<Function>> {
        self.0.get(name)
    }

    /// Adds a function; one of the same name is replaced.
    pub fn insert(&mut self, function: Function) {
        self.0.insert(function.name, Arc::new(function));
    }

    /// All functions in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Function> {
        self.0.values().map(Arc::as_ref)
    }
}

impl Extend<Function> for Functions {
    fn extend<I: IntoIterator<Item = Function>>(&mut self, functions: I) {
        functions.into_iter().for_each(|function| self.insert(function));
    }
}

/// A Rust type that stands for a parameter of a Go function.
pub trait Arg: Sized {
    /// Go's type.
    const TYPE: Type;

    /// The argument. `None` if it is not of [`Arg::TYPE`], which the evaluator has ruled out.
    fn from_value(value: &Value) -> Option<Self>;
}

/// The arguments from here on (Go's `...T`).
#[derive(Debug)]
pub struct Rest<T>(pub Vec<T>);

impl Arg for Value {
    const TYPE: Type = Type::Any;
    fn from_value(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}

impl Arg for bool {
    const TYPE: Type = Type::Bool;
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bool(b) = value { Some(*b) } else { None }
    }
}

/// A Go `int`.
impl Arg for i64 {
    const TYPE: Type = Type::Int;
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(int) = value { Some(int.bits()) } else { None }
    }
}

impl Arg for u32 {
    const TYPE: Type = Type::Uint32;
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(int) = value { Self::try_from(int.bits()).ok() } else { None }
    }
}

impl Arg for f64 {
    const TYPE: Type = Type::Float64;
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Float(f) = value { Some(*f) } else { None }
    }
}

impl Arg for Str {
    const TYPE: Type = Type::String;
    fn from_value(value: &Value) -> Option<Self> {
        value.as_str().cloned()
    }
}

/// A `[]interface {}`, or a nil one for nil.
impl Arg for List {
    const TYPE: Type = Type::AnyList;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::List(list) => Some(list.clone()),
            Value::Nil => Some(Self::nil(crate::value::Elem::Any)),
            _ => None,
        }
    }
}

/// A `map[string]interface {}`, or a nil one for nil.
impl Arg for Map {
    const TYPE: Type = Type::AnyMap;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Map(map) => Some(map.clone()),
            Value::Nil => Some(Self::nil(crate::value::MapType::Any)),
            _ => None,
        }
    }
}

/// What a Rust function may return for a template.
pub trait IntoOutcome {
    /// As the evaluator takes it.
    ///
    /// # Errors
    /// What the function reported.
    fn into_outcome(self) -> Result<Value, FunctionError>;
}

/// A Go `int`.
impl IntoOutcome for i64 {
    fn into_outcome(self) -> Result<Value, FunctionError> {
        Ok(Value::int(self))
    }
}

impl<T: Into<Value>> IntoOutcome for T {
    fn into_outcome(self) -> Result<Value, FunctionError> {
        Ok(self.into())
    }
}

impl<T: IntoOutcome, E: Into<FunctionError>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Result<Value, FunctionError> {
        self.map_err(Into::into)?.into_outcome()
    }
}

/// A Rust function that can stand behind a template function. `Marker` only tells the implementations apart.
pub trait IntoBody<Marker> {
    /// Go's signature of it.
    fn signature() -> Signature;
    /// The function over unconverted arguments.
    fn into_body(self) -> Body;
}

/// The evaluator converts arguments before it calls; should it ever not have, this says so instead of guessing.
fn take<T: Arg>(args: &[Value], index: usize) -> Result<T, FunctionError> {
    args.get(index).and_then(T::from_value).ok_or_else(|| format!("argument {index} was not converted").into())
}

fn take_rest<T: Arg>(args: &[Value], from: usize) -> Result<Rest<T>, FunctionError> {
    (from..args.len()).map(|index| take(args, index)).collect::<Result<_, _>>().map(Rest)
}

/// Marks functions that take the engine first.
pub struct WithEngine<M>(std::marker::PhantomData<M>);

macro_rules! into_body {
    ($($param:ident $index:literal),* ; $count:literal) => {
        impl<F, R, $($param),*> IntoBody<fn($($param),*) -> R> for F
        where
            F: Fn($($param),*) -> R + Send + Sync + 'static,
            R: IntoOutcome,
            $($param: Arg),*
        {
            fn signature() -> Signature {
                Signature { params: vec![$($param::TYPE),*], variadic: None }
            }
            fn into_body(self) -> Body {
                Box::new(move |_, _args| self($(take::<$param>(_args, $index)?),*).into_outcome())
            }
        }

        impl<F, R, V, $($param),*> IntoBody<fn($($param,)* Rest<V>) -> R> for F
        where
            F: Fn($($param,)* Rest<V>) -> R + Send + Sync + 'static,
            R: IntoOutcome,
            V: Arg,
            $($param: Arg),*
        {
            fn signature() -> Signature {
                Signature { params: vec![$($param::TYPE),*], variadic: Some(V::TYPE) }
            }
            fn into_body(self) -> Body {
                Box::new(move |_, args| self($(take::<$param>(args, $index)?,)* take_rest::<V>(args, $count)?).into_outcome())
            }
        }

        impl<F, R, $($param),*> IntoBody<WithEngine<fn($($param),*) -> R>> for F
        where
            F: Fn(&mut dyn Engine, $($param),*) -> R + Send + Sync + 'static,
            R: IntoOutcome,
            $($param: Arg),*
        {
            fn signature() -> Signature {
                Signature { params: vec![$($param::TYPE),*], variadic: None }
            }
            fn into_body(self) -> Body {
                Box::new(move |engine, _args| self(engine, $(take::<$param>(_args, $index)?),*).into_outcome())
            }
        }

        impl<F, R, V, $($param),*> IntoBody<WithEngine<fn($($param,)* Rest<V>) -> R>> for F
        where
            F: Fn(&mut dyn Engine, $($param,)* Rest<V>) -> R + Send + Sync + 'static,
            R: IntoOutcome,
            V: Arg,
            $($param: Arg),*
        {
            fn signature() -> Signature {
                Signature { params: vec![$($param::TYPE),*], variadic: Some(V::TYPE) }
            }
            fn into_body(self) -> Body {
                Box::new(move |engine, args| {
                    self(engine, $(take::<$param>(args, $index)?,)* take_rest::<V>(args, $count)?).into_outcome()
                })
            }
        }
    };
}

into_body!(; 0);
into_body!(A 0; 1);
into_body!(A 0, B 1; 2);
into_body!(A 0, B 1, C 2; 3);
into_body!(A 0, B 1, C 2, D 3; 4);
into_body!(A 0, B 1, C 2, D 3, E 4; 5);
into_body!(A 0, B 1, C 2, D 3, E 4, G 5; 6);
