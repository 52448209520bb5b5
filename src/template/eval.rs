//! The state of an execution, and what functions see of it.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use memchr::memmem;

use crate::template::ast::{At, Code};
use crate::template::error::Spot;
use crate::template::function::{Engine, Function, FunctionError};
use crate::template::lexer::{newlines, wide};
use crate::template::limits::{Limit, Limits};
use crate::template::operand::Operand;
use crate::template::parser;
use crate::template::quote::quote;
use crate::template::set::{self, Run, Set, Template, Templates};
use crate::template::workspace::Workspace;
use crate::template::{Error, ErrorKind, budget};
use crate::value::meter::{self, Held};
use crate::value::{Str, Value};

/// The result of evaluating something.
pub(crate) type Evaluated<T> = Result<T, Error>;

/// Executes templates.
pub(crate) struct Evaluator<'a> {
    pub(crate) set: &'a Set,
    run: Run<'a>,
    /// Templates of texts being executed now, innermost last; they hide those of the set.
    overlays: Vec<Arc<Templates>>,
    /// The template being executed and the node last touched, for errors.
    pub(crate) template: Option<Arc<Template>>,
    pub(crate) at: At,
    /// The variables of all templates on the way; those of the current one start at `frame`.
    vars: Vec<Option<Operand>>,
    frame: usize,
    pub(crate) out: Vec<u8>,
    /// Buffers that were written to and are free again.
    spare: Vec<Vec<u8>>,
    /// Bytes in the buffers of templates that wait for this one, and those written before.
    held: usize,
    limits: Limits,
    /// Up to which length the buffers may grow, with what was in them from the beginning.
    max_output: usize,
    depth: usize,
    /// Templates that functions are executing, with how often each is.
    executing: HashMap<Str, usize, RandomState>,
    /// Texts that were executed, so that each is parsed once. Unless they define templates, those parsed are good for ever.
    parsed: HashMap<(Str, Str), (Arc<Templates>, Held), RandomState>,
    workspace: Workspace,
}

/// Where something is evaluated.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The file whose nodes are evaluated.
    pub(crate) code: &'a Code,
    pub(crate) dot: &'a Operand,
}

impl<'a> Scope<'a> {
    /// The same place with another dot.
    pub(crate) fn with(self, dot: &'a Operand) -> Self {
        Self { dot, ..self }
    }
}

/// How many texts given to [`Engine::execute_text`] an execution remembers.
const MAX_PARSED: usize = 1_000;

/// How many free buffers an execution keeps, and how large they may have become.
const MAX_SPARE: usize = 64;
const MAX_SPARE_SIZE: usize = 64 << 10;

/// Never shown: the limit that is reached is reported in its place.
const NO_ROOM: &str = "there is no memory left for it";

impl<'a> Evaluator<'a> {
    pub(crate) fn new(set: &'a Set, run: Run<'a>, out: Vec<u8>) -> Self {
        let limits = budget::limits().unwrap_or(run.limits);
        let max_output = limits.output.saturating_add(out.len());
        Self {
            set,
            run,
            overlays: Vec::new(),
            template: None,
            at: At { id: 0, offset: 0 },
            vars: Vec::new(),
            frame: 0,
            out,
            spare: Vec::new(),
            held: budget::written(),
            limits,
            max_output,
            depth: 0,
            executing: HashMap::default(),
            parsed: HashMap::default(),
            workspace: Workspace::default(),
        }
    }

    pub(crate) fn into_output(self) -> Vec<u8> {
        self.out
    }

    // Errors

    /// An error at the node last touched.
    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        self.error_of(ErrorKind::Message(message.into()))
    }

    #[cold]
    pub(crate) fn error_of(&self, kind: ErrorKind) -> Error {
        let Some(template) = &self.template else { return Error::new(kind) };
        let (at, node) = template.code.find(template.root, self.at.id).unwrap_or_default_at(self.at);
        let text: &[u8] = &template.file.text;
        let before = text.get(..usize::try_from(at.offset).unwrap_or(usize::MAX)).unwrap_or(text);
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let spot = Spot {
            source: Arc::clone(template.file.source()),
            template: template.name.clone(),
            line: newlines(before) + 1,
            column: before.len() - line_start,
            node,
        };
        Error::at(kind, spot)
    }

    /// The error of an action `template` that names none.
    #[cold]
    pub(crate) fn undefined(&self, name: &Str) -> Error {
        self.error(format!("template {} not defined", quote(name))).near(set::nearest_name(name, self.set))
    }

    // Limits

    pub(crate) fn step(&mut self) -> Evaluated<()> {
        self.spend(1).map_err(|limit| self.error_of(ErrorKind::Limit(limit)))
    }

    pub(crate) fn spend(&mut self, steps: u64) -> Result<(), Limit> {
        if meter::spend(steps) { Ok(()) } else { self.unspent() }
    }

    /// The limit that is reached, if one is.
    pub(crate) fn unspent(&self) -> Result<(), Limit> {
        meter::spent().map_or(Ok(()), |spent| Err(Limit::of(spent, &self.limits)))
    }

    /// An error if something is spent: what a function made is then not to be used.
    pub(crate) fn check_spent(&self) -> Evaluated<()> {
        self.unspent().map_err(|limit| self.error_of(ErrorKind::Limit(limit)))
    }

    /// Runs `inner` one level deeper.
    pub(crate) fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Evaluated<T>) -> Evaluated<T> {
        self.descend(1).map_err(|limit| self.error_of(ErrorKind::Limit(limit)))?;
        let result = inner(self);
        self.ascend(1);
        result
    }

    pub(crate) fn descend(&mut self, levels: usize) -> Result<(), Limit> {
        let limit = self.limits.depth.min(Limits::MAX_DEPTH);
        if self.depth + levels > limit {
            return Err(budget::note(Limit::Depth(limit)));
        }
        self.depth += levels;
        Ok(())
    }

    pub(crate) fn ascend(&mut self, levels: usize) {
        self.depth = self.depth.saturating_sub(levels);
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Evaluated<()> {
        self.out.extend_from_slice(bytes);
        self.hold(0).map_err(|limit| self.error_of(ErrorKind::Limit(limit)))
    }

    /// Counts `bytes` that are kept in memory beside the output as if they were written.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Limit> {
        self.held = self.held.saturating_add(bytes);
        let length = self.out.len().saturating_add(self.held);
        if length > self.max_output { Err(budget::note(Limit::Output(self.limits.output))) } else { Ok(()) }
    }

    pub(crate) fn output_limit(&self) -> usize {
        self.limits.output
    }

    // Variables

    pub(crate) fn var(&self, slot: u32) -> Option<&Operand> {
        self.vars.get(self.frame + wide(slot))?.as_ref()
    }

    pub(crate) fn set_var(&mut self, slot: u32, value: Operand) {
        if let Some(var) = self.vars.get_mut(self.frame + wide(slot)) {
            *var = Some(value);
        }
    }

    // Templates

    /// The function `name` of the set.
    pub(crate) fn function(&self, name: &str) -> Option<Arc<Function>> {
        self.set.functions().get(name).cloned()
    }

    pub(crate) fn lookup(&self, name: &Str) -> Option<Arc<Template>> {
        let overlaid = self.overlays.iter().rev().find_map(|templates| templates.get(name));
        overlaid.or_else(|| self.set.template(name)).cloned()
    }

    pub(crate) fn execute_named(&mut self, name: &Str, dot: Value) -> Evaluated<()> {
        match (self.lookup(name), self.set.foreign(name)) {
            (Some(template), _) => self.enter(&template, &Operand::plain(dot)),
            (None, Some(foreign)) => Arc::clone(foreign).execute(self, dot),
            (None, None) => Err(set::no_template(name, self.set)),
        }
    }

    /// Executes `template` with variables of its own.
    pub(crate) fn enter(&mut self, template: &Arc<Template>, dot: &Operand) -> Evaluated<()> {
        let (frame, at) = (self.frame, self.at);
        self.frame = self.vars.len();
        self.vars.push(Some(dot.clone()));
        self.vars.resize(self.frame + template.slots, None);
        let outer = self.template.replace(Arc::clone(template));
        let result = self.list(template.root, Scope { code: &template.code, dot });
        self.template = outer;
        self.vars.truncate(self.frame);
        self.frame = frame;
        self.at = at;
        result.map(|_| ())
    }

    /// The templates in `text`, parsed or remembered.
    fn parsed(&mut self, name: &str, text: &Str) -> Result<Arc<Templates>, FunctionError> {
        // Nearly always the name of the set.
        let own = self.set.name();
        let key = (if *own == *name { own.clone() } else { name.into() }, text.clone());
        if let Some((parsed, _)) = self.parsed.get(&key) {
            return Ok(Arc::clone(parsed));
        }
        // Once more, should it not parse.
        if !meter::claim(text.len()) {
            return Err(FunctionError::Message(NO_ROOM.to_owned()));
        }
        let parsed = set::parse(name, text.clone(), self.set.functions(), &mut self.workspace);
        let parsed = Arc::new(parsed.map_err(|error| FunctionError::Message(error.to_string()))?);
        if self.parsed.len() < MAX_PARSED {
            let held = Held::new(text.len().saturating_add(parser::size_of(&parsed)));
            self.parsed.insert(key, (Arc::clone(&parsed), held));
        }
        Ok(parsed)
    }

    /// What `parsed` adds to the templates that are there: an empty one does not hide another.
    fn overlay(&self, parsed: Arc<Templates>) -> Arc<Templates> {
        let hides = |(name, template): (&Str, &Arc<Template>)| !template.is_empty() || self.lookup(name).is_none();
        if parsed.iter().all(hides) {
            return parsed;
        }
        let kept = parsed.iter().filter(|entry| hides(*entry));
        Arc::new(kept.map(|(name, template)| (name.clone(), Arc::clone(template))).collect())
    }

    /// Runs `inner` with a buffer of its own, and gives what it wrote.
    fn captured(&mut self, inner: impl FnOnce(&mut Self) -> Evaluated<()>) -> Evaluated<Str> {
        let buffer = self.spare.pop().unwrap_or_default();
        let outer = std::mem::replace(&mut self.out, buffer);
        self.held += outer.len();
        let result = inner(self);
        self.held -= outer.len();
        let mut buffer = std::mem::replace(&mut self.out, outer);
        let written = result.map(|()| Str::from(&buffer[..]));
        buffer.clear();
        if self.spare.len() < MAX_SPARE && buffer.capacity() <= MAX_SPARE_SIZE {
            self.spare.push(buffer);
        }
        written
    }
}

impl Engine for Evaluator<'_> {
    fn execute(&mut self, name: &Str, dot: Value) -> Result<Str, FunctionError> {
        *self.executing.entry(name.clone()).or_default() += 1;
        let result = self.captured(|evaluator| evaluator.execute_named(name, dot));
        if let Some(count) = self.executing.get_mut(name) {
            *count -= 1;
        }
        result.map_err(|error| FunctionError::Template(Box::new(error)))
    }

    fn nesting(&self, name: &Str) -> usize {
        self.executing.get(name).copied().unwrap_or(0)
    }

    fn execute_text(&mut self, name: &str, text: &Str, dot: Value) -> Result<Str, FunctionError> {
        if memmem::find(text, b"{{").is_none() {
            return Ok(text.clone());
        }
        let parsed = self.parsed(name, text)?;
        let root = parsed.get(name.as_bytes()).cloned();
        self.overlays.push(self.overlay(parsed));
        let result = self.captured(|evaluator| match root {
            Some(root) => evaluator.enter(&root, &Operand::plain(dot)),
            None => Ok(()),
        });
        self.overlays.pop();
        result.map_err(|error| FunctionError::Template(Box::new(error)))
    }

    fn in_text(&self) -> bool {
        !self.overlays.is_empty()
    }

    fn host(&self) -> &dyn Any {
        self.run.host
    }
}

trait OrAt {
    fn unwrap_or_default_at(self, at: At) -> (At, String);
}

impl OrAt for Option<(At, String)> {
    fn unwrap_or_default_at(self, at: At) -> (At, String) {
        self.unwrap_or((at, String::new()))
    }
}
