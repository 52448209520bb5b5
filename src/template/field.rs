//! Pipelines, commands, and the fields, keys and methods of values.

use std::any::Any;
use std::rc::Rc;

use crate::template::Error;
use crate::template::ast::{At, Callee, Command, Expr, ExprKind, Pipe, Span, Target};
use crate::template::eval::{Evaluated, Evaluator, Scope};
use crate::template::function::{Engine, FunctionError};
use crate::template::operand::{Operand, map_element};
use crate::value::{IntKind, Kind, Map, MapType, Method, Signature, Str, Value, duration};

/// What a command passes to the function or method it names.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a> {
    /// For evaluating `exprs`.
    pub(crate) scope: Scope<'a>,
    pub(crate) exprs: &'a [Expr],
    /// The value of the command before it in the pipeline.
    pub(crate) last: Option<&'a Operand>,
}

/// The function behind the method `YAML` of `common.Values`; no template can call a function of such a name.
const VALUES_YAML: &str = "common.Values.YAML";

/// For a function that needs nothing of the running template.
struct Nowhere;

impl Engine for Nowhere {
    fn execute(&mut self, name: &Str, _dot: Value) -> Result<Str, FunctionError> {
        Err(format!("{name} cannot be executed here").into())
    }

    fn execute_text(&mut self, name: &str, _text: &Str, _dot: Value) -> Result<Str, FunctionError> {
        Err(format!("{name} cannot be executed here").into())
    }

    fn host(&self) -> &dyn Any {
        &()
    }
}

impl<'a> Args<'a> {
    pub(crate) fn none(scope: Scope<'a>) -> Self {
        Self { scope, exprs: &[], last: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exprs.is_empty() && self.last.is_none()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.exprs.len() + usize::from(self.last.is_some())
    }
}

impl Evaluator<'_> {
    /// The value of a pipeline, out of its interface; its variables are set.
    pub(crate) fn pipe(&mut self, pipe: Pipe, scope: Scope<'_>) -> Evaluated<Operand> {
        self.at = pipe.at;
        let mut value = None;
        for command in scope.code.commands(pipe) {
            value = Some(self.command(*command, scope, value.as_ref())?.unboxed());
        }
        let value = value.unwrap_or_default();
        for target in scope.code.targets(pipe) {
            self.bind(*target, pipe.binding, scope, value.clone())?;
        }
        Ok(value)
    }

    fn command(&mut self, command: Command, scope: Scope<'_>, last: Option<&Operand>) -> Evaluated<Operand> {
        let Some((word, exprs)) = scope.code.words(command).split_first() else { return Ok(Operand::NONE) };
        let args = Args { scope, exprs, last };
        match &word.kind {
            ExprKind::Field(path) => {
                self.at = word.at;
                self.field_chain(scope.dot, *path, word.at, args)
            }
            ExprKind::Variable { target, fields } => self.variable(word, *target, *fields, args),
            ExprKind::Function { name, callee } => {
                self.at = word.at;
                self.call(scope.code.text(*name), callee, command.at, args)
            }
            ExprKind::Chain { base, fields } => self.chain(word, base, *fields, args),
            ExprKind::Pipe(pipe) => {
                self.refuse_args(word, args)?;
                self.deeper(|evaluator| evaluator.pipe(*pipe, scope))
            }
            _ => {
                self.at = word.at;
                self.refuse_args(word, args)?;
                self.literal(word, scope)
            }
        }
    }

    fn literal(&mut self, word: &Expr, scope: Scope<'_>) -> Evaluated<Operand> {
        match &word.kind {
            ExprKind::Dot => Ok(scope.dot.clone()),
            ExprKind::Nil => Err(self.error("nil is not a command")),
            _ => self.constant(word, scope).map(Operand::plain),
        }
    }

    /// The value of a literal where any type will do.
    pub(crate) fn constant(&mut self, literal: &Expr, scope: Scope<'_>) -> Evaluated<Value> {
        self.at = literal.at;
        match &literal.kind {
            ExprKind::Bool(b) => Ok(Value::Bool(*b)),
            ExprKind::String { text, .. } => Ok(Value::String(text.clone())),
            ExprKind::Number { number, written } => {
                number.ideal(scope.code.text(*written)).map_err(|message| self.error(message))
            }
            _ => Err(self.error(format!("can't evaluate command {}", scope.code.show(literal)))),
        }
    }

    fn refuse_args(&self, word: &Expr, args: Args<'_>) -> Evaluated<()> {
        if args.is_empty() {
            return Ok(());
        }
        Err(self.error(format!("can't give argument to non-function {}", args.scope.code.show(word))))
    }

    pub(crate) fn variable(&mut self, word: &Expr, target: Target, fields: Span, args: Args<'_>) -> Evaluated<Operand> {
        self.at = word.at;
        let value = target.slot.and_then(|slot| self.var(slot)).cloned();
        let Some(value) = value else { return Err(self.undefined_variable(target, args.scope)) };
        if fields.is_empty() {
            self.refuse_args(word, args)?;
            return Ok(value);
        }
        self.field_chain(&value, fields, word.at, args)
    }

    #[cold]
    pub(crate) fn undefined_variable(&self, target: Target, scope: Scope<'_>) -> Error {
        self.error(format!("undefined variable: {}", Str::from(scope.code.text(target.name))))
    }

    pub(crate) fn chain(&mut self, word: &Expr, base: &Expr, fields: Span, args: Args<'_>) -> Evaluated<Operand> {
        self.at = word.at;
        let base = match &base.kind {
            ExprKind::Pipe(pipe) => {
                self.at = base.at;
                self.deeper(|evaluator| evaluator.pipe(*pipe, args.scope))?
            }
            ExprKind::Function { name, callee } => self.function_word(base, *name, callee, args.scope)?,
            _ => return Err(self.error(format!("can't evaluate {}", args.scope.code.show(word)))),
        };
        self.field_chain(&base, fields, word.at, args)
    }

    /// A function that is called without arguments, as an operand.
    pub(crate) fn function_word(
        &mut self,
        word: &Expr,
        name: Span,
        callee: &Callee,
        scope: Scope<'_>,
    ) -> Evaluated<Operand> {
        self.at = word.at;
        self.call(scope.code.text(name), callee, word.at, Args::none(scope))
    }

    /// `.a.b.c` of `receiver`; the last may be a method, which gets the arguments.
    pub(crate) fn field_chain(
        &mut self,
        receiver: &Operand,
        path: Span,
        node: At,
        args: Args<'_>,
    ) -> Evaluated<Operand> {
        let way = args.scope.code.text(path).strip_prefix(b".").unwrap_or_default();
        let (mut way, mut receiver) = (way, receiver);
        let mut held;
        while let Some(dot) = memchr::memchr(b'.', way) {
            let (name, rest) = way.split_at(dot);
            held = self.field(receiver, name, node, Args::none(args.scope))?;
            receiver = &held;
            way = rest.get(1..).unwrap_or_default();
        }
        self.field(receiver, way, node, args)
    }

    fn field(&mut self, receiver: &Operand, name: &[u8], node: At, args: Args<'_>) -> Evaluated<Operand> {
        match &receiver.value {
            Value::Map(map) => {
                if let Some(method) = map.method(name) {
                    return self.call_method(name, method, node, args);
                }
                if map.map_type() == MapType::Values
                    && name == b"YAML"
                    && let Some(method) = self.values_yaml(map)
                {
                    return self.call_method(name, method, node, args);
                }
                if !args.is_empty() {
                    return Err(self.error(format!("{} is not a method but has arguments", Str::from(name))));
                }
                Ok(map_element(map, name))
            }
            Value::Nil if receiver.is_none() => Ok(Operand::NONE),
            Value::Nil => Err(self.error(format!("nil pointer evaluating interface {{}}.{}", Str::from(name)))),
            Value::Object(_) => self.object_field(receiver, name, node, args),
            Value::Int(int) if int.kind() == IntKind::Duration => match duration::method(int.bits(), name) {
                Some(method) => self.call_method(name, method, node, args),
                None => Err(self.no_field(receiver, name)),
            },
            _ => Err(self.no_field(receiver, name)),
        }
    }

    /// The method `YAML` of Helm's `common.Values`, where the set has a function that does what it does.
    fn values_yaml(&self, map: &Map) -> Option<Method> {
        let emit = self.function(VALUES_YAML)?;
        let map = Value::Map(map.clone());
        let call = move |_: &[Value]| emit.call(&mut Nowhere, &[map]).map_err(|error| error.to_string());
        Some(Method { signature: Signature { params: Vec::new(), variadic: None }, call: Box::new(call) })
    }

    fn object_field(&mut self, receiver: &Operand, name: &[u8], node: At, args: Args<'_>) -> Evaluated<Operand> {
        let Value::Object(object) = &receiver.value else { return Err(self.no_field(receiver, name)) };
        let text = String::from_utf8_lossy(name);
        if let Some(method) = Rc::clone(object).method(&text) {
            return self.call_method(name, method, node, args);
        }
        let Some(value) = object.field(&text) else { return Err(self.no_field(receiver, name)) };
        if args.is_empty() {
            return Ok(Operand::plain(value));
        }
        let what = match object.kind() {
            Kind::Map => "is not a method but has arguments",
            _ => "has arguments but cannot be invoked as function",
        };
        Err(self.error(format!("{text} {what}")))
    }

    fn no_field(&self, receiver: &Operand, name: &[u8]) -> Error {
        let name = Str::from(name);
        self.error(format!("can't evaluate field {name} in type {}", receiver.type_name()))
    }
}
