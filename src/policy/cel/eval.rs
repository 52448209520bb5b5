//! From an expression to its value.

use std::rc::Rc;

use serde_json::Value as Json;

use crate::policy::cel::functions;
use crate::policy::cel::tree::{Expr, Literal, Macro, Operator};
use crate::policy::cel::value::{List, Map, Text, Value};
use crate::policy::cel::{Error, Purse, arithmetic};

type Result<T> = std::result::Result<T, Error>;

/// One evaluation of a rule.
pub(super) struct Evaluation<'a> {
    purse: &'a Purse,
    /// The object, and the elements that the comprehensions around are at.
    variables: Vec<Value<'a>>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(object: &'a Json, purse: &'a Purse) -> Self {
        Self { purse, variables: vec![Value::from(object)] }
    }

    pub(super) fn value(&mut self, expr: &'a Expr) -> Result<Value<'a>> {
        self.purse.pay(1)?;
        match expr {
            Expr::Literal(literal) => Ok(Value::from(literal)),
            Expr::Variable(place) => Ok(self.variables.get(*place).cloned().unwrap_or(Value::Null)),
            Expr::Select { of, field, optional } => self.select(of, field, *optional),
            Expr::Has { of, field } => self.has(of, field),
            Expr::Index { of, at, optional } => self.index(of, at, *optional),
            Expr::List(items) => self.values(items).map(Value::list),
            Expr::Map(entries) => self.map(entries),
            Expr::Not(operand) => self.truth(operand, "!").map(|truth| Value::Bool(!truth)),
            Expr::Negate(operand) => arithmetic::negate(&self.value(operand)?),
            Expr::Decide { decisive, operands } => self.decide(*decisive, operands),
            Expr::If(branches) => self.branch(branches),
            Expr::Binary(operator, operands) => self.binary(*operator, operands),
            Expr::Call(function, arguments) => {
                let arguments = self.values(arguments)?;
                functions::call(*function, &arguments, self.purse)
            }
            Expr::Matches { of, pattern } => match self.value(of)? {
                Value::Text(text) => pattern.matches(&text, self.purse).map(Value::Bool),
                other => Err(overload("matches", [&other])),
            },
            Expr::Each { what, over, filter, body } => self.each(*what, over, filter.as_deref(), body),
        }
    }

    fn values(&mut self, items: &'a [Expr]) -> Result<Vec<Value<'a>>> {
        items.iter().map(|item| self.value(item)).collect()
    }

    fn truth(&mut self, expr: &'a Expr, call: &'static str) -> Result<bool> {
        match self.value(expr)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(overload(call, [&other])),
        }
    }

    /// An operand that decides does so whatever the others come to, even to an error.
    fn decide(&mut self, decisive: bool, operands: &'a [Expr]) -> Result<Value<'a>> {
        let call = if decisive { "||" } else { "&&" };
        let truths = operands.iter().map(|operand| self.truth(operand, call));
        decided(decisive, truths)
    }

    fn branch(&mut self, [condition, then, other]: &'a [Expr; 3]) -> Result<Value<'a>> {
        let truth = self.truth(condition, "?:")?;
        self.value(if truth { then } else { other })
    }

    fn binary(&mut self, operator: Operator, [left, right]: &'a [Expr; 2]) -> Result<Value<'a>> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        arithmetic::binary(operator, &left, &right, self.purse)
    }

    fn map(&mut self, entries: &'a [(Expr, Expr)]) -> Result<Value<'a>> {
        let mut made: Vec<(Value<'a>, Value<'a>)> = Vec::new();
        for (key, value) in entries {
            let key = self.value(key)?;
            for (other, _) in &made {
                if arithmetic::equal(&key, other, self.purse)? {
                    return Err(Error::Twice);
                }
            }
            made.push((key, self.value(value)?));
        }
        Ok(Value::Map(Map::Made(made.into())))
    }

    fn select(&mut self, of: &'a Expr, field: &'a str, optional: bool) -> Result<Value<'a>> {
        let of = self.value(of)?;
        self.found(&of, optional, &|| Error::Key(Some(field.to_owned())), |of, purse| {
            member(of, &Value::Text(Text::Part(field)), purse)
        })
    }

    fn index(&mut self, of: &'a Expr, at: &'a Expr, optional: bool) -> Result<Value<'a>> {
        let of = self.value(of)?;
        let named = match at {
            Expr::Literal(Literal::Text(key)) => Some(key),
            _ => None,
        };
        let at = self.value(at)?;
        let absent = || match (&of, arithmetic::index(&at)) {
            (Value::List(_), Some(index)) => Error::Index(index),
            _ => Error::Key(named.cloned()),
        };
        self.found(&of, optional, &absent, |of, purse| match of {
            Value::List(items) => {
                let index = arithmetic::index(&at).ok_or_else(|| overload("[]", [of, &at]))?;
                Ok(usize::try_from(index).ok().and_then(|index| items.get(index)))
            }
            _ => member(of, &at, purse),
        })
    }

    /// What `find` finds. Behind `.?` everything is optional.
    fn found(
        &self,
        of: &Value<'a>,
        optional: bool,
        absent: &dyn Fn() -> Error,
        find: impl Fn(&Value<'a>, &Purse) -> Result<Option<Value<'a>>>,
    ) -> Result<Value<'a>> {
        match of {
            Value::Optional(None) => Ok(Value::Optional(None)),
            Value::Optional(Some(of)) => Ok(Value::Optional(find(of, self.purse)?.map(Rc::new))),
            of if optional => Ok(Value::Optional(find(of, self.purse)?.map(Rc::new))),
            of => find(of, self.purse)?.ok_or_else(absent),
        }
    }

    fn has(&mut self, of: &'a Expr, field: &'a str) -> Result<Value<'a>> {
        let of = self.value(of)?;
        let of = match &of {
            Value::Optional(None) => return Ok(Value::Bool(false)),
            Value::Optional(Some(of)) => of,
            of => of,
        };
        let found = member(of, &Value::Text(Text::Part(field)), self.purse)?;
        Ok(Value::Bool(found.is_some()))
    }

    fn each(&mut self, what: Macro, over: &'a Expr, filter: Option<&'a Expr>, body: &'a Expr) -> Result<Value<'a>> {
        let over = self.value(over)?;
        let items = match &over {
            Value::List(items) => items.clone(),
            Value::Map(map) => {
                self.purse.pay(map.len())?;
                List::Made(map.entries().into_iter().map(|(key, _)| key).collect())
            }
            other => return Err(overload("a comprehension", [other])),
        };
        match what {
            Macro::All => decided(false, items.iter().map(|item| self.with(item, |this| this.truth(body, "all")))),
            Macro::Exists => decided(true, items.iter().map(|item| self.with(item, |this| this.truth(body, "exists")))),
            Macro::ExistsOne => Ok(Value::Bool(self.kept(&items, Some(body))?.len() == 1)),
            Macro::Filter => self.kept(&items, Some(body)).map(Value::list),
            Macro::Map => {
                let kept = self.kept(&items, filter)?;
                let mapped: Result<Vec<_>> =
                    kept.into_iter().map(|item| self.with(item, |this| this.value(body))).collect();
                mapped.map(Value::list)
            }
        }
    }

    /// The items of which a condition is true.
    fn kept(&mut self, items: &List<'a>, condition: Option<&'a Expr>) -> Result<Vec<Value<'a>>> {
        let mut kept = Vec::new();
        for item in items.iter() {
            self.purse.pay(1)?;
            let wanted = match condition {
                Some(condition) => self.with(item.clone(), |this| this.truth(condition, "filter"))?,
                None => true,
            };
            if wanted {
                kept.push(item);
            }
        }
        Ok(kept)
    }

    fn with<T>(&mut self, item: Value<'a>, run: impl FnOnce(&mut Self) -> T) -> T {
        self.variables.push(item);
        let result = run(self);
        self.variables.pop();
        result
    }
}

/// The value at a key of a map.
fn member<'a>(of: &Value<'a>, key: &Value<'a>, purse: &Purse) -> Result<Option<Value<'a>>> {
    match of {
        Value::Map(Map::Part(entries)) => match key {
            Value::Text(key) => {
                purse.pay_bytes(key.len())?;
                Ok(entries.get(&**key).map(Value::from))
            }
            _ => Ok(None),
        },
        Value::Map(Map::Made(entries)) => {
            for (found, value) in entries.iter() {
                if arithmetic::equal(found, key, purse)? {
                    return Ok(Some(value.clone()));
                }
            }
            Ok(None)
        }
        _ => Err(overload("a field", [of])),
    }
}

/// The decisive value if any has it, else the first error, else the other value.
fn decided<'a>(decisive: bool, truths: impl Iterator<Item = Result<bool>>) -> Result<Value<'a>> {
    let mut error = None;
    for truth in truths {
        match truth {
            Ok(truth) if truth == decisive => return Ok(Value::Bool(decisive)),
            Ok(_) => {}
            Err(Error::Spent) => return Err(Error::Spent),
            Err(found) => error = error.or(Some(found)),
        }
    }
    error.map_or(Ok(Value::Bool(!decisive)), Err)
}

/// The error of a call on values that it is not made for.
pub(super) fn overload<'a, 'v: 'a>(call: &'static str, values: impl IntoIterator<Item = &'a Value<'v>>) -> Error {
    Error::Overload { call, kinds: values.into_iter().map(Value::kind).collect() }
}
