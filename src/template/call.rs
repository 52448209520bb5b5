//! Calls: the number of arguments, their conversion to the types a function takes, and what a call costs.

use std::time::Duration;

use smallvec::SmallVec;

use crate::template::ast::{At, Callee, Expr, ExprKind};
use crate::template::builtins::Builtin;
use crate::template::eval::{Evaluated, Evaluator, Scope};
use crate::template::field::Args;
use crate::template::function::FunctionError;
use crate::template::operand::{Operand, is_assignable};
use crate::template::{Error, ErrorKind, Limit, budget};
use crate::value::{Int, IntKind, Method, Signature, Str, Type, Value, meter};

/// How many bytes of arguments are dealt with in the time of a step.
const BYTES_A_STEP: usize = 4_096;

/// How many elements of arguments are copied in the time of a step.
const ELEMENTS_A_STEP: usize = 64;

fn steps_for(bytes: usize, elements: usize) -> u64 {
    u64::try_from(bytes / BYTES_A_STEP + elements / ELEMENTS_A_STEP).unwrap_or(u64::MAX)
}

impl Evaluator<'_> {
    /// Calls a function; should it fail, the error stands at `node`.
    pub(crate) fn call(&mut self, name: &[u8], callee: &Callee, node: At, args: Args<'_>) -> Evaluated<Operand> {
        self.step()?;
        let outcome = match callee {
            Callee::Builtin(builtin) => return self.call_builtin(*builtin, name, node, args),
            Callee::Function(function) => {
                let values = self.arguments(name, function.signature(), args)?;
                self.pay(function.price(&values), values.iter()).map_err(|limit| self.limited(limit, node))?;
                let outcome = function.call(self, &values);
                self.after_call(&outcome).map_err(|limit| self.limited(limit, node))?;
                outcome.map(|value| Operand { value, boxed: function.is_boxed() })
            }
            Callee::Unknown => Err(FunctionError::Message(format!("{} is not defined", Str::from(name)))),
        };
        outcome.map_err(|cause| self.failed_call(name, cause, node))
    }

    pub(crate) fn call_method(&mut self, name: &[u8], method: Method, node: At, args: Args<'_>) -> Evaluated<Operand> {
        self.step()?;
        let values = self.arguments(name, &method.signature, args)?;
        self.pay(None, values.iter()).map_err(|limit| self.limited(limit, node))?;
        let outcome = (method.call)(&values).map_err(FunctionError::Message);
        self.after_call(&outcome).map_err(|limit| self.limited(limit, node))?;
        outcome.map(Operand::plain).map_err(|cause| self.failed_call(name, cause, node))
    }

    /// Pays for a call before it is made: its price, and large arguments. What is done with a text takes time like its
    /// length, and makes at most [`GROWTH`] times as much of it; functions that make more claim it themselves.
    pub(crate) fn pay<'v>(
        &self,
        price: Option<Duration>,
        values: impl Iterator<Item = &'v Value>,
    ) -> Result<(), Limit> {
        const GROWTH: usize = 3;
        let (mut bytes, mut elements) = (0_usize, 0_usize);
        for value in values {
            match value {
                Value::String(text) | Value::Bytes(text) => bytes = bytes.saturating_add(text.len()),
                Value::List(list) => elements = elements.saturating_add(list.len()),
                Value::Map(map) => elements = elements.saturating_add(map.size()),
                _ => {}
            }
        }
        let steps = steps_for(bytes, elements);
        if steps > 0 && !(meter::spend(steps) && meter::claim(bytes.saturating_mul(GROWTH))) {
            return self.unspent();
        }
        match price {
            Some(price) => budget::pay(price).and_then(|()| self.unspent()),
            None => Ok(()),
        }
    }

    /// The limit that a call reached. What a template reports that the call executed names the place better.
    pub(crate) fn after_call(&self, outcome: &Result<Value, FunctionError>) -> Result<(), Limit> {
        let bytes = match outcome {
            Err(FunctionError::Template(error)) if error.limit().is_some() => return Ok(()),
            // What is large took its time to make.
            Ok(Value::String(text)) => text.len(),
            _ => 0,
        };
        // The steps are looked at below: nothing is left of them, or of something else.
        let _paid = meter::spend(steps_for(bytes, 0));
        self.unspent()
    }

    #[cold]
    fn limited(&mut self, limit: Limit, node: At) -> Error {
        self.at = node;
        self.error_of(ErrorKind::Limit(limit))
    }

    #[cold]
    pub(crate) fn failed_call(&mut self, name: &[u8], cause: FunctionError, node: At) -> Error {
        self.at = node;
        self.error_of(ErrorKind::Call { function: name.into(), cause })
    }

    fn call_builtin(&mut self, builtin: Builtin, name: &[u8], node: At, args: Args<'_>) -> Evaluated<Operand> {
        self.check_count(name, builtin.params(), builtin.is_variadic(), args)?;
        if let Some(ending) = builtin.short_circuit() {
            return self.and_or(ending, args);
        }
        let callee = if builtin == Builtin::Call { args.callee_name() } else { Str::default() };
        let mut operands: SmallVec<[Operand; 4]> = SmallVec::with_capacity(args.len());
        for (index, expr) in args.exprs.iter().enumerate() {
            operands.push(self.builtin_argument(builtin, index, expr, args.scope)?);
        }
        if let Some(last) = args.last {
            operands.push(self.builtin_last(builtin, operands.len(), last)?);
        }
        let values = operands.iter().map(|operand| &operand.value);
        self.pay(None, values).map_err(|limit| self.limited(limit, node))?;
        let result = builtin.call(&callee, &operands).map_err(FunctionError::Message);
        self.unspent().map_err(|limit| self.limited(limit, node))?;
        result.map_err(|cause| self.failed_call(name, cause, node))
    }

    fn builtin_argument(
        &mut self,
        builtin: Builtin,
        index: usize,
        expr: &Expr,
        scope: Scope<'_>,
    ) -> Evaluated<Operand> {
        match builtin.param(index) {
            Some(param) => self.argument(expr, param, scope).map(Operand::plain),
            None => self.operand(expr, scope),
        }
    }

    fn builtin_last(&self, builtin: Builtin, index: usize, last: &Operand) -> Evaluated<Operand> {
        match builtin.param(index) {
            Some(param) => self.validated(last.clone(), param).map(Operand::plain),
            None => Ok(last.clone()),
        }
    }

    /// The first operand whose truth is `ending`, else the last; those after it are not evaluated.
    fn and_or(&mut self, ending: bool, args: Args<'_>) -> Evaluated<Operand> {
        let mut value = Operand::NONE;
        for expr in args.exprs {
            value = self.operand(expr, args.scope)?;
            if value.value.truth() == ending {
                return Ok(value);
            }
        }
        Ok(args.last.cloned().unwrap_or(value))
    }

    fn check_count(&self, name: &[u8], fixed: usize, variadic: bool, args: Args<'_>) -> Evaluated<()> {
        let found = args.len();
        if variadic && found < fixed {
            let (name, given) = (Str::from(name), args.exprs.len());
            return Err(self.error(format!("wrong number of args for {name}: want at least {fixed} got {given}")));
        }
        if !variadic && found != fixed {
            let name = Str::from(name);
            return Err(self.error(format!("wrong number of args for {name}: want {fixed} got {found}")));
        }
        Ok(())
    }

    fn arguments(&mut self, name: &[u8], signature: &Signature, args: Args<'_>) -> Evaluated<SmallVec<[Value; 4]>> {
        let Signature { params, variadic } = signature;
        self.check_count(name, params.len(), variadic.is_some(), args)?;
        let mut values = SmallVec::with_capacity(args.len());
        let mut types = params.iter().copied().chain(variadic.iter().copied().cycle());
        for (expr, to) in args.exprs.iter().zip(&mut types) {
            values.push(self.argument(expr, to, args.scope)?);
        }
        if let Some(last) = args.last {
            let to = params.get(values.len()).copied().or(*variadic).unwrap_or(Type::Any);
            values.push(self.validated(last.clone(), to)?);
        }
        Ok(values)
    }

    /// The value of an argument of any type, still in its interface.
    fn operand(&mut self, expr: &Expr, scope: Scope<'_>) -> Evaluated<Operand> {
        self.at = expr.at;
        let none = Args::none(scope);
        match &expr.kind {
            ExprKind::Dot => Ok(scope.dot.clone()),
            ExprKind::Nil => Ok(Operand::NONE),
            ExprKind::Field(path) => self.field_chain(scope.dot, *path, expr.at, none),
            ExprKind::Variable { target, fields } => self.variable(expr, *target, *fields, none),
            ExprKind::Pipe(pipe) => self.deeper(|evaluator| evaluator.pipe(*pipe, scope)),
            ExprKind::Function { name, callee } => self.function_word(expr, *name, callee, scope),
            ExprKind::Chain { base, fields } => self.chain(expr, base, *fields, none),
            ExprKind::Bool(_) | ExprKind::Number { .. } | ExprKind::String { .. } => {
                self.constant(expr, scope).map(Operand::plain)
            }
        }
    }

    /// The value of an argument for a parameter of type `to`.
    fn argument(&mut self, expr: &Expr, to: Type, scope: Scope<'_>) -> Evaluated<Value> {
        match &expr.kind {
            ExprKind::Nil => {
                self.at = expr.at;
                if to.can_be_nil() {
                    Ok(Value::Nil)
                } else {
                    Err(self.error(format!("cannot assign nil to {}", to.name())))
                }
            }
            ExprKind::Bool(_) | ExprKind::Number { .. } | ExprKind::String { .. } => {
                self.literal_argument(expr, to, scope)
            }
            _ => {
                let operand = self.operand(expr, scope)?;
                self.validated(operand, to)
            }
        }
    }

    fn literal_argument(&mut self, expr: &Expr, to: Type, scope: Scope<'_>) -> Evaluated<Value> {
        self.at = expr.at;
        let number = if let ExprKind::Number { number, .. } = &expr.kind { Some(number) } else { None };
        let int = |kind: IntKind, bits: i64| Value::Int(Int::new(kind, bits));
        let (value, expected) = match to {
            Type::Any => return self.constant(expr, scope),
            Type::Bool => (if let ExprKind::Bool(b) = expr.kind { Some(Value::Bool(b)) } else { None }, "bool"),
            Type::String => match &expr.kind {
                ExprKind::String { text, .. } => (Some(Value::String(text.clone())), "string"),
                _ => (None, "string"),
            },
            Type::Int => (number.and_then(|number| number.int).map(|n| int(IntKind::Int, n)), "integer"),
            Type::Int64 => (number.and_then(|number| number.int).map(|n| int(IntKind::Int64, n)), "integer"),
            Type::Uint32 => {
                let value = number.and_then(|number| number.uint).map(|n| int(IntKind::Uint32, n.cast_signed()));
                (value, "unsigned integer")
            }
            Type::Named("time.Duration") => {
                (number.and_then(|number| number.int).map(|n| int(IntKind::Duration, n)), "integer")
            }
            Type::Float64 => (number.and_then(|number| number.float).map(Value::Float), "float"),
            Type::AnyList | Type::AnyMap | Type::Named(_) => {
                return Err(self.error(format!(
                    "can't handle {} for arg of type {}",
                    scope.code.show(expr),
                    to.name()
                )));
            }
        };
        value.ok_or_else(|| self.error(format!("expected {expected}; found {}", scope.code.show(expr))))
    }

    /// The value as one of type `to`.
    fn validated(&self, operand: Operand, to: Type) -> Evaluated<Value> {
        if operand.is_none() {
            if to.can_be_nil() {
                return Ok(Value::Nil);
            }
            return Err(self.error(format!("invalid value; expected {}", to.name())));
        }
        if to == Type::Any || !operand.is_nil_interface() && is_assignable(&operand.value, to) {
            return Ok(operand.value);
        }
        let found = if operand.is_nil_interface() { "interface {}" } else { operand.value.type_name() };
        Err(self.error(format!("wrong type for value; expected {}; got {found}", to.name())))
    }
}

impl Args<'_> {
    /// How `call` names what it was asked to call.
    fn callee_name(&self) -> Str {
        match (self.exprs.first(), self.last) {
            (Some(expr), _) => self.scope.code.show(expr).to_string().into(),
            (None, Some(Operand { value: Value::String(text), .. })) => text.clone(),
            (None, Some(last)) => format!("<{} Value>", last.type_name()).into(),
            (None, None) => Str::default(),
        }
    }
}
