//! What templates call: every function of the Go engine as a helper.
//!
//! The crate wants helpers that can be sent between threads, and the running execution cannot be. So the registry, which
//! is shared, holds helpers without state ([`Forward`]); each render brings one of its own ([`Dispatcher`]) to which they
//! hand over, and which never leaves its thread.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use fragile::Fragile;
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, PathAndJson, RenderContext, RenderError,
    Renderable as _, ScopedJson, no_escape,
};
use serde_json::Value as Json;

use crate::render::handlebars::data;
use crate::render::handlebars::error::Failure;
use crate::render::handlebars::syntax::{CAPTURE, ENTER, LEAVE, PRINT, WEIGH};
use crate::template::foreign::{self, Execution};
use crate::template::function::{Function, Functions};
use crate::template::{ErrorKind, Limit};
use crate::value::{Map, MapType, Value};

/// The helper that each render brings.
const DISPATCH: &str = " dispatch";

/// Functions that take nothing: their name alone calls them.
pub(crate) const BARE: &[&str] = &["now", "uuidv4"];

/// Go's own functions, and under their names in Handlebars `ge` and `le`.
const BUILTINS: &[&str] = &[
    "and", "call", "eq", "ge", "gt", "gte", "html", "index", "js", "le", "len", "lt", "lte", "ne", "not", "or",
    "print", "printf", "println", "slice", "urlquery",
];

/// What a body needs of the stack beside the calls in it.
const LEVELS: usize = 4;

/// How many Go objects a render remembers.
const MAX_OBJECTS: usize = 1_000;

/// The names of everything that can be called.
pub(crate) fn names(functions: &Functions) -> impl Iterator<Item = &'static str> {
    functions.iter().map(Function::name).chain(BUILTINS.iter().copied())
}

/// A registry without templates, with `functions` as helpers.
pub(crate) fn registry(functions: &BTreeSet<&'static str>) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.register_escape_fn(no_escape);
    registry.unregister_helper("log");
    for name in functions.iter().chain(&[ENTER, LEAVE, WEIGH, PRINT]) {
        registry.register_helper(name, Box::new(Forward));
    }
    registry.register_helper(CAPTURE, Box::new(Capture));
    registry
}

/// Hands over to the render's own helper.
struct Forward;

impl HelperDef for Forward {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        match state.get_local_helper(DISPATCH) {
            Some(dispatcher) => dispatcher.call_inner(helper, registry, context, state),
            None => Err(not_here()),
        }
    }
}

/// Renders a block into memory.
struct Capture;

impl HelperDef for Capture {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        match state.get_local_helper(DISPATCH) {
            Some(dispatcher) => dispatcher.call(helper, registry, context, state, out),
            None => Err(not_here()),
        }
    }
}

/// Outside a render, or on another thread than its own: never, and not a reason to stop.
fn not_here() -> RenderError {
    Failure(ErrorKind::Message("there is no render here".to_owned())).into()
}

/// One render, between the crate and the execution it is part of.
pub(crate) struct Bridge<'a> {
    execution: RefCell<&'a mut dyn Execution>,
    dot: &'a Value,
    /// The dot as the crate sees it.
    view: &'a Json,
    /// Objects that functions returned, by their JSON.
    objects: RefCell<BTreeMap<String, Value>>,
}

/// The helper that knows the render.
struct Dispatcher<'b, 'a>(Fragile<&'b Bridge<'a>>);

impl HelperDef for Dispatcher<'_, '_> {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let bridge = self.0.try_get().map_err(|_elsewhere| not_here())?;
        Ok(bridge.helper(helper, state)?)
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let bridge = self.0.try_get().map_err(|_elsewhere| not_here())?;
        let Some(body) = helper.template() else { return Ok(()) };
        let mut held = Held { bridge, text: String::new() };
        body.render(registry, context, state, &mut held)?;
        Ok(out.write(&held.text)?)
    }
}

impl<'a> Bridge<'a> {
    pub(crate) fn new(execution: &'a mut dyn Execution, dot: &'a Value, view: &'a Json) -> Self {
        let objects = BTreeMap::new();
        Self { execution: RefCell::new(execution), dot, view, objects: RefCell::new(objects) }
    }

    /// Gives the render its helper.
    pub(crate) fn offer<'b>(&'b self, state: &mut RenderContext<'_, 'b>)
    where
        'a: 'b,
    {
        state.register_local_helper(DISPATCH, Box::new(Dispatcher(Fragile::new(self))));
    }

    /// Where the crate writes to.
    pub(crate) fn output(&self) -> impl Output + '_ {
        Direct(self)
    }

    fn helper<'rc>(&self, helper: &Helper<'rc>, state: &RenderContext<'_, 'rc>) -> Result<ScopedJson<'rc>, Failure> {
        let nothing = Ok(ScopedJson::Derived(Json::Null));
        match helper.name() {
            ENTER => self.enter(helper, state).and(nothing),
            LEAVE => {
                self.execution.borrow_mut().ascend(levels(helper.param(0)));
                nothing
            }
            WEIGH => helper.params().iter().try_for_each(|param| self.charge(param)).and(nothing),
            PRINT => {
                let Some(param) = helper.param(0) else { return nothing };
                self.charge(param)?;
                Ok(ScopedJson::Derived(Json::String(data::printed(param.value()))))
            }
            name => self.function(name, helper),
        }
    }

    fn enter(&self, helper: &Helper<'_>, state: &RenderContext<'_, '_>) -> Result<(), Failure> {
        let is_file = helper.param(0).is_some_and(|param| param.value() == &Json::Bool(true));
        // A partial is given a copy of its data.
        let copied = state.block().and_then(|block| block.base_value()).filter(|_| is_file);
        self.spend(1 + copied.map_or(0, data::weight))?;
        self.execution.borrow_mut().descend(levels(helper.param(1))).map_err(limit)
    }

    /// Counts a value that the crate has copied.
    fn charge(&self, param: &PathAndJson<'_>) -> Result<(), Failure> {
        let in_place =
            param.context_path().is_some() || param.try_get_constant_value().is_some() || param.is_value_missing();
        if in_place { Ok(()) } else { self.spend(data::weight(param.value())) }
    }

    fn spend(&self, steps: u64) -> Result<(), Failure> {
        self.execution.borrow_mut().spend(steps).map_err(limit)
    }

    // Functions

    fn function<'rc>(&self, name: &str, helper: &Helper<'rc>) -> Result<ScopedJson<'rc>, Failure> {
        if let Some((key, _)) = helper.hash().first_key_value() {
            return Err(message(format!("function {name:?} takes no named argument, and got {key:?}")));
        }
        if let ("lookup", [item, key]) = (name, helper.params().as_slice()) {
            // Handlebars' own: an element by a key that is computed.
            let Some(element) = element(item.value(), key.value()) else { return Ok(ScopedJson::Missing) };
            self.spend(data::weight(element))?;
            return Ok(ScopedJson::Derived(element.clone()));
        }
        let args = helper.params().iter().map(|param| self.argument(param)).collect::<Result<Vec<_>, _>>()?;
        let result = match name {
            "call" => call(args)?,
            "gte" => self.execute("ge", args)?,
            "lte" => self.execute("le", args)?,
            name => self.execute(name, args)?,
        };
        self.result(&result).map(ScopedJson::Derived)
    }

    fn execute(&self, name: &str, args: Vec<Value>) -> Result<Value, Failure> {
        self.execution.borrow_mut().call(name, args).map_err(Failure)
    }

    fn argument(&self, param: &PathAndJson<'_>) -> Result<Value, Failure> {
        if let Some(literal) = param.try_get_constant_value() {
            return Ok(data::literal(literal));
        }
        if param.is_value_missing() {
            return Ok(Value::Nil);
        }
        if let Some(value) = param.context_path().and_then(|path| data::at(self.dot, path)) {
            return Ok(value);
        }
        self.charge(param)?;
        Ok(self.restored(param.value(), param.relative_path().is_none()))
    }

    /// The Go value that the JSON was made of, if it is known, else one like it. A text only stands for an object where a
    /// function `returned` it just now.
    fn restored(&self, json: &Json, returned: bool) -> Value {
        if returned && json.is_string() || json.as_object().is_some_and(|entries| !entries.is_empty()) {
            let objects = self.objects.borrow();
            if let Some(object) = (!objects.is_empty()).then(|| objects.get(&json.to_string())).flatten() {
                return object.clone();
            }
        }
        let (Json::Object(entries), Json::Object(view), Value::Map(dot)) = (json, self.view, self.dot) else {
            return Value::from_json(json);
        };
        // A partial has a copy of the dot, in which the objects are only pictures.
        if let Some(files) = dot.get("Files").filter(|_| !entries.is_empty() && view.get("Files") == Some(json)) {
            return files;
        }
        let restored = entries.iter().map(|(key, value)| {
            let own = dot.get(key).filter(|_| view.get(key) == Some(value));
            (key.as_str().into(), own.unwrap_or_else(|| Value::from_json(value)))
        });
        Value::Map(Map::from_entries(MapType::Any, restored.collect()))
    }

    fn result(&self, value: &Value) -> Result<Json, Failure> {
        let json = data::view(value).ok_or_else(|| message(data::TOO_DEEP.to_owned()))?;
        self.spend(data::weight(&json))?;
        if matches!(value, Value::Object(_)) {
            let mut objects = self.objects.borrow_mut();
            if objects.len() >= MAX_OBJECTS {
                return Err(message(format!("exceeded the limit of {MAX_OBJECTS} objects of functions")));
            }
            objects.insert(json.to_string(), value.clone());
        }
        Ok(json)
    }
}

/// How much of the stack a body with so many calls inside each other needs, in levels of the Go evaluator.
fn levels(nested: Option<&PathAndJson<'_>>) -> usize {
    let nested = nested.and_then(|nested| usize::try_from(nested.value().as_u64()?).ok());
    LEVELS + nested.unwrap_or(0)
}

fn limit(limit: Limit) -> Failure {
    Failure(ErrorKind::Limit(limit))
}

fn message(message: String) -> Failure {
    Failure(ErrorKind::Message(message))
}

/// `call OBJECT NAME ARGS…`: a method of a Go object, or its field. Go's own `call` needs a function as a value, and no
/// chart has one.
fn call(args: Vec<Value>) -> Result<Value, Failure> {
    let mut args = args.into_iter();
    let (Some(object), Some(Value::String(name))) = (args.next(), args.next()) else {
        return Err(message("wrong number of args for call: want an object and the name of its method".to_owned()));
    };
    let name = name.to_text().into_owned();
    let Value::Object(object) = &object else {
        return Err(message(format!("can't call method {name:?} of a value of type {}", object.type_name())));
    };
    let args: Vec<Value> = args.collect();
    if let Some(method) = Rc::clone(object).method(&name) {
        return foreign::call_method(&name, method, args).map_err(Failure);
    }
    let field = object.field(&name).filter(|_| args.is_empty());
    field.ok_or_else(|| message(format!("can't evaluate field {name} in type {}", object.type_name())))
}

fn element<'a>(item: &'a Json, key: &Json) -> Option<&'a Json> {
    match (item, key) {
        (Json::Object(entries), Json::String(key)) => entries.get(key),
        (Json::Array(items), key) => items.get(usize::try_from(key.as_u64()?).ok()?),
        _ => None,
    }
}

/// Into the output of the execution.
struct Direct<'b, 'a>(&'b Bridge<'a>);

impl Output for Direct<'_, '_> {
    fn write(&mut self, text: &str) -> std::io::Result<()> {
        Ok(self.0.execution.borrow_mut().write(text.as_bytes()).map_err(limit)?)
    }
}

/// Into memory.
struct Held<'b, 'a> {
    bridge: &'b Bridge<'a>,
    text: String,
}

impl Output for Held<'_, '_> {
    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.bridge.execution.borrow_mut().hold(text.len()).map_err(limit)?;
        self.text.push_str(text);
        Ok(())
    }
}
