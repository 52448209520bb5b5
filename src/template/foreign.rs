//! Templates in another language that stand in a [`crate::template::Set`] beside Go's: they can be executed and included
//! like those, and call the same functions under the same limits.

use std::fmt;

use crate::template::Error;
use crate::template::ErrorKind;
use crate::template::builtins::Builtin;
use crate::template::eval::Evaluator;
use crate::template::function::FunctionError;
use crate::template::limits::Limit;
use crate::template::operand::{Operand, is_assignable};
use crate::value::{Elem, Int, IntKind, List, Map, MapType, Method, Signature, Type, Value};

/// A template in another language, compiled. Shared between threads.
pub trait Foreign: fmt::Debug + Send + Sync {
    /// Executes it with `dot`; what it writes goes to [`Execution::write`].
    ///
    /// # Errors
    /// Why it failed, with its own place.
    fn execute(&self, execution: &mut dyn Execution, dot: Value) -> Result<(), Error>;
}

/// What the running execution offers to a [`Foreign`] template.
pub trait Execution {
    /// Calls a function of the set or one of Go's own. Arguments are converted more kindly than Go does, for a language
    /// that has one kind of number: a whole number fits every integer type, and numbers compare whatever their types.
    ///
    /// # Errors
    /// [`ErrorKind::Message`] if the arguments do not fit, [`ErrorKind::Call`] if the function fails.
    fn call(&mut self, name: &str, args: Vec<Value>) -> Result<Value, ErrorKind>;

    /// Appends to the output.
    ///
    /// # Errors
    /// The limit of output.
    fn write(&mut self, text: &[u8]) -> Result<(), Limit>;

    /// Counts `bytes` that are kept beside the output, as output.
    ///
    /// # Errors
    /// The limit of output.
    fn hold(&mut self, bytes: usize) -> Result<(), Limit>;

    /// Counts `steps` of work.
    ///
    /// # Errors
    /// The limit of steps.
    fn spend(&mut self, steps: u64) -> Result<(), Limit>;

    /// Goes `levels` deeper: what is executed until [`Execution::ascend`] uses that much more of the stack.
    ///
    /// # Errors
    /// The limit of depth; it is then where it was.
    fn descend(&mut self, levels: usize) -> Result<(), Limit>;

    /// Comes back up by `levels`.
    fn ascend(&mut self, levels: usize);
}

impl Execution for Evaluator<'_> {
    fn call(&mut self, name: &str, args: Vec<Value>) -> Result<Value, ErrorKind> {
        self.spend(1).map_err(ErrorKind::Limit)?;
        let failed = |cause| ErrorKind::Call { function: name.into(), cause };
        if let Some(function) = self.set.functions().get(name).cloned() {
            let args = arguments(name, function.signature(), args)?;
            self.pay(function.price(&args), args.iter()).map_err(ErrorKind::Limit)?;
            let outcome = function.call(self, &args);
            self.after_call(&outcome).map_err(ErrorKind::Limit)?;
            return outcome.map_err(failed);
        }
        let Some(builtin) = Builtin::named(name) else {
            return Err(ErrorKind::Message(format!("function {name:?} not defined")));
        };
        let operands = operands(name, builtin, args)?;
        self.pay(None, operands.iter().map(|operand| &operand.value)).map_err(ErrorKind::Limit)?;
        let result = builtin.call(&name.into(), &operands);
        self.unspent().map_err(ErrorKind::Limit)?;
        let result = result.map_err(|message| failed(FunctionError::Message(message)))?.value;
        self.room_for(&result).map_err(ErrorKind::Limit)?;
        Ok(result)
    }

    fn write(&mut self, text: &[u8]) -> Result<(), Limit> {
        self.out.extend_from_slice(text);
        self.hold(0)
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Limit> {
        Self::hold(self, bytes)
    }

    fn spend(&mut self, steps: u64) -> Result<(), Limit> {
        Self::spend(self, steps)
    }

    fn descend(&mut self, levels: usize) -> Result<(), Limit> {
        Self::descend(self, levels)
    }

    fn ascend(&mut self, levels: usize) {
        Self::ascend(self, levels);
    }
}

/// Calls a method with arguments that are converted as [`Execution::call`] does.
///
/// # Errors
/// As [`Execution::call`].
pub fn call_method(name: &str, method: Method, args: Vec<Value>) -> Result<Value, ErrorKind> {
    let args = arguments(name, &method.signature, args)?;
    let failed = |message| ErrorKind::Call { function: name.into(), cause: FunctionError::Message(message) };
    (method.call)(&args).map_err(failed)
}

fn arguments(name: &str, signature: &Signature, args: Vec<Value>) -> Result<Vec<Value>, ErrorKind> {
    let Signature { params, variadic } = signature;
    check_count(name, params.len(), variadic.is_some(), args.len())?;
    let types = params.iter().copied().chain(variadic.iter().copied().cycle());
    args.into_iter().zip(types).map(|(value, to)| converted(value, to)).collect()
}

fn check_count(name: &str, fixed: usize, variadic: bool, found: usize) -> Result<(), ErrorKind> {
    let want = match (variadic, found) {
        (true, found) if found < fixed => format!("at least {fixed}"),
        (false, found) if found != fixed => fixed.to_string(),
        _ => return Ok(()),
    };
    Err(ErrorKind::Message(format!("wrong number of args for {name}: want {want} got {found}")))
}

fn operands(name: &str, builtin: Builtin, args: Vec<Value>) -> Result<Vec<Operand>, ErrorKind> {
    check_count(name, builtin.params(), builtin.is_variadic(), args.len())?;
    let compares = matches!(builtin, Builtin::Eq | Builtin::Ne | Builtin::Lt | Builtin::Le | Builtin::Gt | Builtin::Ge);
    let mixed = compares && args.iter().any(|arg| matches!(arg, Value::Float(_)));
    let operand = |(index, value): (usize, Value)| {
        let value = match builtin.param(index) {
            Some(to) => converted(value, to)?,
            None if mixed => as_float(&value).map_or(value, Value::Float),
            None => value,
        };
        Ok(Operand::plain(value))
    };
    args.into_iter().enumerate().map(operand).collect()
}

/// The value as one of type `to`.
fn converted(value: Value, to: Type) -> Result<Value, ErrorKind> {
    if to == Type::Any || !matches!(value, Value::Nil) && is_assignable(&value, to) {
        return Ok(value);
    }
    let int = |kind, value: &Value| as_int(value).map(|bits| Value::Int(Int::new(kind, bits)));
    let fitting = match (to, &value) {
        (_, Value::Nil) => to.can_be_nil().then_some(Value::Nil),
        (Type::Int, _) => int(IntKind::Int, &value),
        (Type::Int64, _) => int(IntKind::Int64, &value),
        (Type::Uint32, _) => as_int(&value)
            .filter(|bits| u32::try_from(*bits).is_ok())
            .map(|bits| Value::Int(Int::new(IntKind::Uint32, bits))),
        (Type::Float64, _) => as_float(&value).map(Value::Float),
        (Type::AnyList, Value::List(list)) => Some(Value::List(List::new(Elem::Any, list.to_vec()))),
        (Type::AnyMap, Value::Map(map)) => {
            Some(Value::Map(Map::from_entries(MapType::Any, map.entries().into_iter().collect())))
        }
        _ => None,
    };
    fitting.ok_or_else(|| {
        let found = if matches!(value, Value::Nil) { "interface {}" } else { value.type_name() };
        ErrorKind::Message(format!("wrong type for value; expected {}; got {found}", to.name()))
    })
}

/// A number without a fraction.
fn as_int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(int) => i64::try_from(int.get()).ok(),
        // Beyond 2⁵³ not every integer is a float.
        #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 53 bits")]
        Value::Float(float) if float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0 => Some(*float as i64),
        _ => None,
    }
}

fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(float) => Some(*float),
        #[expect(clippy::cast_precision_loss, reason = "numbers of all sizes are compared, as JSON's readers do")]
        Value::Int(int) => Some(int.get() as f64),
        _ => None,
    }
}

impl Evaluator<'_> {
    fn room_for(&self, made: &Value) -> Result<(), Limit> {
        let limit = self.output_limit();
        let length = made.as_str().map_or(0, |text| text.len());
        if length > limit { Err(Limit::Output(limit)) } else { Ok(()) }
    }
}
