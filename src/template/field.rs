//! Pipelines, commands, and the fields, keys and methods of values.

use std::any::Any;
use std::rc::Rc;

use crate::template::ast::{At, Callee, Command, Expr, ExprKind, Pipe, Target};
use crate::template::eval::{Evaluated, Evaluator};
use crate::template::function::{Engine, FunctionError};
use crate::template::operand::{Operand, map_element};
use crate::value::{IntKind, Kind, Map, MapType, Method, Signature, Str, Value, duration};

/// What a command passes to the function or method it names.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a> {
    /// For evaluating `exprs`.
    pub(crate) dot: &'a Operand,
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
    fn none(dot: &'a Operand) -> Self {
        Self { dot, exprs: &[], last: None }
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
    pub(crate) fn pipe(&mut self, pipe: &Pipe, dot: &Operand) -> Evaluated<Operand> {
        self.at = pipe.at;
        let mut value = None;
        for command in &pipe.node.commands {
            value = Some(self.command(command, dot, value.as_ref())?.unboxed());
        }
        let value = value.unwrap_or_default();
        for target in &pipe.node.targets {
            self.bind(target, pipe.node.binding, value.clone())?;
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, dot: &Operand, last: Option<&Operand>) -> Evaluated<Operand> {
        let Some((word, exprs)) = command.node.split_first() else { return Ok(Operand::NONE) };
        let args = Args { dot, exprs, last };
        match &word.node {
            ExprKind::Field(path) => {
                self.at = word.at;
                self.field_chain(dot, path, word.at, args)
            }
            ExprKind::Variable { target, fields } => self.variable(word, target, fields, args),
            ExprKind::Function { name, callee } => {
                self.at = word.at;
                self.call(name, callee, command.at, args)
            }
            ExprKind::Chain { base, fields } => self.chain(word, base, fields, args),
            ExprKind::Pipe(pipe) => {
                self.refuse_args(word, args)?;
                self.deeper(|evaluator| evaluator.pipe(pipe, dot))
            }
            _ => {
                self.at = word.at;
                self.refuse_args(word, args)?;
                self.literal(word, dot)
            }
        }
    }

    fn literal(&mut self, word: &Expr, dot: &Operand) -> Evaluated<Operand> {
        match &word.node {
            ExprKind::Dot => Ok(dot.clone()),
            ExprKind::Nil => Err(self.error("nil is not a command")),
            _ => self.constant(word).map(Operand::plain),
        }
    }

    /// The value of a literal where any type will do.
    pub(crate) fn constant(&mut self, literal: &Expr) -> Evaluated<Value> {
        self.at = literal.at;
        match &literal.node {
            ExprKind::Bool(b) => Ok(Value::Bool(*b)),
            ExprKind::String { text, .. } => Ok(Value::String(text.clone())),
            ExprKind::Number(number) => number.ideal().map_err(|message| self.error(message)),
            _ => Err(self.error(format!("can't evaluate command {literal}"))),
        }
    }

    fn refuse_args(&self, word: &Expr, args: Args<'_>) -> Evaluated<()> {
        if args.is_empty() {
            return Ok(());
        }
        Err(self.error(format!("can't give argument to non-function {word}")))
    }

    pub(crate) fn variable(
        &mut self,
        word: &Expr,
        target: &Target,
        fields: &[Str],
        args: Args<'_>,
    ) -> Evaluated<Operand> {
        self.at = word.at;
        let value = target.slot.and_then(|slot| self.var(slot)).cloned();
        let Some(value) = value else { return Err(self.error(format!("undefined variable: {}", target.name))) };
        if fields.is_empty() {
            self.refuse_args(word, args)?;
            return Ok(value);
        }
        self.field_chain(&value, fields, word.at, args)
    }

    pub(crate) fn chain(&mut self, word: &Expr, base: &Expr, fields: &[Str], args: Args<'_>) -> Evaluated<Operand> {
        self.at = word.at;
        let base = match &base.node {
            ExprKind::Pipe(pipe) => {
                self.at = base.at;
                self.deeper(|evaluator| evaluator.pipe(pipe, args.dot))?
            }
            ExprKind::Function { name, callee } => self.function_word(base, name, callee, args.dot)?,
            _ => return Err(self.error(format!("can't evaluate {word}"))),
        };
        self.field_chain(&base, fields, word.at, args)
    }

    /// A function that is called without arguments, as an operand.
    pub(crate) fn function_word(
        &mut self,
        word: &Expr,
        name: &Str,
        callee: &Callee,
        dot: &Operand,
    ) -> Evaluated<Operand> {
        self.at = word.at;
        self.call(name, callee, word.at, Args::none(dot))
    }

    /// `.a.b.c` of `receiver`; the last may be a method, which gets the arguments.
    pub(crate) fn field_chain(
        &mut self,
        receiver: &Operand,
        path: &[Str],
        node: At,
        args: Args<'_>,
    ) -> Evaluated<Operand> {
        let Some((last, way)) = path.split_last() else { return Ok(receiver.clone()) };
        let mut held;
        let mut receiver = receiver;
        for name in way {
            held = self.field(receiver, name, node, Args::none(args.dot))?;
            receiver = &held;
        }
        self.field(receiver, last, node, args)
    }

    fn field(&mut self, receiver: &Operand, name: &Str, node: At, args: Args<'_>) -> Evaluated<Operand> {
        match &receiver.value {
            Value::Map(map) => {
                if let Some(method) = map.method(name) {
                    return self.call_method(name, method, node, args);
                }
                if map.map_type() == MapType::Values
                    && **name == *b"YAML"
                    && let Some(method) = self.values_yaml(map)
                {
                    return self.call_method(name, method, node, args);
                }
                if !args.is_empty() {
                    return Err(self.error(format!("{name} is not a method but has arguments")));
                }
                Ok(map_element(map, name))
            }
            Value::Nil if receiver.is_none() => Ok(Operand::NONE),
            Value::Nil => Err(self.error(format!("nil pointer evaluating interface {{}}.{name}"))),
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

    fn object_field(&mut self, receiver: &Operand, name: &Str, node: At, args: Args<'_>) -> Evaluated<Operand> {
        let Value::Object(object) = &receiver.value else { return Err(self.no_field(receiver, name)) };
        let text = name.to_text();
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
        Err(self.error(format!("{name} {what}")))
    }

    fn no_field(&self, receiver: &Operand, name: &Str) -> crate::template::Error {
        self.error(format!("can't evaluate field {name} in type {}", receiver.type_name()))
    }
}
