//! Walking the nodes: what they write, and which of them run.

use crate::template::ast::{Binding, Branch, Callee, List, Node, NodeKind, Pipe, Target};
use crate::template::eval::{Evaluated, Evaluator, Scope};
use crate::template::operand::{Operand, byte, list_element};
use crate::value::{Int, Kind, MapType, Str, Value, format_float};

/// How a list of nodes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Done,
    Break,
    Continue,
}

impl Evaluator<'_> {
    /// Executes the nodes of a block, a level deeper.
    pub(crate) fn list(&mut self, list: List, scope: Scope<'_>) -> Evaluated<Flow> {
        self.at = list.at;
        self.deeper(|evaluator| {
            for node in scope.code.nodes(list) {
                let flow = evaluator.node(node, scope)?;
                if flow != Flow::Done {
                    return Ok(flow);
                }
            }
            Ok(Flow::Done)
        })
    }

    fn node(&mut self, node: &Node, scope: Scope<'_>) -> Evaluated<Flow> {
        self.at = node.at;
        self.step()?;
        match &node.kind {
            NodeKind::Text(text) => self.write(scope.code.text(*text))?,
            NodeKind::Action(pipe) => self.action(node, *pipe, scope)?,
            NodeKind::If(branch) => return self.if_(branch, scope),
            NodeKind::With(branch) => return self.with(branch, scope),
            NodeKind::Range(branch) => return self.range(branch, scope),
            NodeKind::Template { name, pipe } => self.template(name, *pipe, scope)?,
            NodeKind::Break => return Ok(Flow::Break),
            NodeKind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Done)
    }

    fn action(&mut self, node: &Node, pipe: Pipe, scope: Scope<'_>) -> Evaluated<()> {
        let result = self.pipe(pipe, scope)?;
        if pipe.targets.is_empty() {
            self.at = node.at;
            // What a function returned has no address, by which Go would find the methods of a pointer.
            let returned = matches!(scope.code.last_callee(pipe), Some(Callee::Function(_)));
            self.print(&result.value, returned)?;
        }
        Ok(())
    }

    fn print(&mut self, value: &Value, returned: bool) -> Evaluated<()> {
        match value {
            Value::Object(object) if returned && object.kind() != Kind::Ptr => self.write(&object.print()),
            Value::Nil => self.write(b"<no value>"),
            Value::String(text) => self.write(text),
            Value::Bool(b) => self.write(if *b { b"true" } else { b"false" }),
            Value::Float(float) => self.write(format_float(*float).as_bytes()),
            Value::Object(object) => self.write(&object.print_in_place()),
            other => {
                let text = other.print();
                self.check_spent()?;
                self.write(&text)
            }
        }
    }

    fn if_(&mut self, branch: &Branch, scope: Scope<'_>) -> Evaluated<Flow> {
        if self.pipe(branch.pipe, scope)?.value.truth() {
            return self.list(branch.body, scope);
        }
        self.otherwise(branch, scope)
    }

    fn with(&mut self, branch: &Branch, scope: Scope<'_>) -> Evaluated<Flow> {
        let value = self.pipe(branch.pipe, scope)?;
        if value.value.truth() {
            return self.list(branch.body, scope.with(&value));
        }
        self.otherwise(branch, scope)
    }

    fn otherwise(&mut self, branch: &Branch, scope: Scope<'_>) -> Evaluated<Flow> {
        match branch.otherwise {
            Some(list) => self.list(list, scope),
            None => Ok(Flow::Done),
        }
    }

    fn template(&mut self, name: &Str, pipe: Option<Pipe>, scope: Scope<'_>) -> Evaluated<()> {
        let template = self.lookup(name);
        if template.is_none() && self.set.foreign(name).is_none() {
            return Err(self.undefined(name));
        }
        let dot = match pipe {
            Some(pipe) => self.pipe(pipe, scope)?,
            None => Operand::NONE,
        };
        match template {
            Some(template) => self.enter(&template, &dot),
            None => self.execute_named(name, dot.value),
        }
    }

    // Loops

    fn range(&mut self, branch: &Branch, scope: Scope<'_>) -> Evaluated<Flow> {
        let value = self.pipe(branch.pipe, scope)?.value;
        let rounds = match &value {
            Value::Nil => 0,
            Value::Int(int) => self.range_int(branch, *int, scope)?,
            Value::List(list) => self.rounds(branch, scope, list.len(), |index| {
                (Operand::plain(index_value(index)), list_element(list, index).unwrap_or_default())
            })?,
            Value::Bytes(bytes) => self.rounds(branch, scope, bytes.len(), |index| {
                let element = bytes.get(index).copied().map_or(Value::Nil, byte);
                (Operand::plain(index_value(index)), Operand::plain(element))
            })?,
            Value::Map(map) => {
                let boxed = map.map_type() != MapType::String;
                let entries = map.entries();
                self.rounds(branch, scope, entries.len(), |index| {
                    let (key, value) = entries.get(index).cloned().unwrap_or_default();
                    (Operand::plain(Value::String(key)), Operand { value, boxed })
                })?
            }
            Value::Object(object) if matches!(object.kind(), Kind::Map | Kind::Slice) => {
                let entries = object.entries().unwrap_or_default();
                self.rounds(branch, scope, entries.len(), |index| {
                    let (key, value) = entries.get(index).cloned().unwrap_or_default();
                    (Operand::plain(key), Operand::plain(value))
                })?
            }
            other => return Err(self.error(format!("range can't iterate over {}", other.print()))),
        };
        if rounds == 0 { self.otherwise(branch, scope) } else { Ok(Flow::Done) }
    }

    fn range_int(&mut self, branch: &Branch, int: Int, scope: Scope<'_>) -> Evaluated<usize> {
        if scope.code.targets(branch.pipe).len() > 1 {
            let value = Value::Int(int).print();
            return Err(self.error(format!("can't use {value} to iterate over more than one variable")));
        }
        let count = usize::try_from(int.get()).unwrap_or(0);
        self.rounds(branch, scope, count, |index| {
            let number = i64::try_from(index).unwrap_or(i64::MAX);
            (Operand::NONE, Operand::plain(Value::Int(Int::new(int.kind(), number))))
        })
    }

    /// Runs the body `count` times, unless it breaks; gives `count`.
    fn rounds(
        &mut self,
        branch: &Branch,
        scope: Scope<'_>,
        count: usize,
        element: impl Fn(usize) -> (Operand, Operand),
    ) -> Evaluated<usize> {
        let Branch { pipe, body, .. } = *branch;
        for index in 0..count {
            self.step()?;
            let (key, value) = element(index);
            self.bind_round(pipe, scope, key, &value)?;
            if self.list(body, scope.with(&value))? == Flow::Break {
                break;
            }
        }
        Ok(count)
    }

    /// Sets the variables of a loop: one takes the element, two take the index and the element.
    fn bind_round(&mut self, pipe: Pipe, scope: Scope<'_>, key: Operand, value: &Operand) -> Evaluated<()> {
        match *scope.code.targets(pipe) {
            [] => Ok(()),
            [element] => self.bind(element, pipe.binding, scope, value.clone()),
            [index, element, ..] => {
                self.bind(index, pipe.binding, scope, key)?;
                self.bind(element, pipe.binding, scope, value.clone())
            }
        }
    }

    /// Sets a variable that a pipeline names.
    pub(crate) fn bind(&mut self, target: Target, binding: Binding, scope: Scope<'_>, value: Operand) -> Evaluated<()> {
        let known = target.slot.filter(|slot| binding == Binding::Declare || self.var(*slot).is_some());
        let Some(slot) = known else { return Err(self.undefined_variable(target, scope)) };
        self.set_var(slot, value);
        Ok(())
    }
}

fn index_value(index: usize) -> Value {
    Value::int(i64::try_from(index).unwrap_or(i64::MAX))
}
