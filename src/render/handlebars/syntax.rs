//! From text to a template that counts what it does.
//!
//! The crate parses and executes without any limit. So its recursive parser only gets texts that are not nested too deeply,
//! and calls of our own are woven into what it made: at the beginning and end of each body ([`ENTER`], [`LEAVE`]), before
//! a block that copies a value ([`WEIGH`]), around what is printed ([`PRINT`]) and around what is rendered into memory
//! ([`CAPTURE`]). Their names begin with a space, which no template can write.

use std::collections::HashMap;
use std::sync::Arc;

use handlebars::template::{HelperTemplate, Parameter, Subexpression, Template, TemplateElement};
use handlebars::{Path, TemplateError, TemplateErrorReason};
use serde_json::Value as Json;

use crate::diagnostic::Source;
use crate::render::handlebars::bridge::BARE;
use crate::render::handlebars::error::{self, Position};
use crate::template::{Error, quote};

/// Begins a body; its parameters tell whether it is that of a whole file, and how deeply its expressions are nested.
pub(crate) const ENTER: &str = " enter";
/// Ends a body; its parameter is the last one of [`ENTER`].
pub(crate) const LEAVE: &str = " leave";
/// Counts the values that the next block copies.
pub(crate) const WEIGH: &str = " weigh";
/// Prints its parameter.
pub(crate) const PRINT: &str = " print";
/// Renders its block into memory.
pub(crate) const CAPTURE: &str = " capture";

/// The block helpers of the language.
pub(crate) const BLOCKS: &[&str] = &["each", "if", "raw", "unless", "with"];

/// The longest file: the crate counts lines from the file's start for each tag.
const MAX_LENGTH: usize = 256 << 10;
/// Parentheses, brackets and braces inside each other, in one tag.
const MAX_NESTED: usize = 50;
/// Blocks of one file, which may all stand inside each other.
const MAX_BLOCKS: usize = 1_000;
/// The deepest indentation of a partial: it is repeated for every line.
const MAX_INDENT: usize = 200;

/// Parses a file. `is_function` tells which names can be called.
///
/// # Errors
/// [`crate::template::ErrorKind::Parse`]
pub(crate) fn parse(source: &Arc<Source>, is_function: impl Fn(&str) -> bool) -> Result<Template, Error> {
    let refuse = |position, message| error::parse(source, position, message);
    if let Some((offset, message)) = too_much(&source.text) {
        return Err(refuse(Position::of(&source.text, offset), message));
    }
    let parsed = Template::compile_with_name(&source.text, source.name.clone());
    let mut template = parsed.map_err(|error| {
        let (line, column) = error.pos().unwrap_or((1, 1));
        refuse(Position { line, column }, syntax_message(&error))
    })?;
    let mut weaver = Weaver { is_function: &is_function, position: Position { line: 1, column: 1 }, nested: 0 };
    weaver.body(&mut template, true).map_err(|message| refuse(weaver.position, message))?;
    Ok(template)
}

fn syntax_message(error: &TemplateError) -> String {
    match error.reason() {
        // Names of the parser's rules; before the end of a block all of them are possible.
        TemplateErrorReason::InvalidSyntax(rules) if rules.contains("block_end") => {
            "expected the end of a block, {{/…}}, or another tag".to_owned()
        }
        TemplateErrorReason::InvalidSyntax(rules) => rules.replace('_', " "),
        reason => reason.to_string(),
    }
}

/// Where and why the parser, which is recursive, shall not see the text.
fn too_much(text: &str) -> Option<(usize, String)> {
    if text.len() > MAX_LENGTH {
        return Some((0, format!("exceeded the limit of {MAX_LENGTH} bytes of a .hbs file")));
    }
    let mut blocks = 0;
    // Each tag is read for itself: what looks like one may be text, and would throw off what follows.
    let mut budget = 16 * MAX_LENGTH;
    for (start, _) in text.match_indices("{{") {
        let tag = text.get(start..).unwrap_or_default();
        let inside = tag.trim_start_matches('{').trim_start_matches('~').trim_start();
        if inside.starts_with('!') {
            // A comment: its apostrophes open nothing.
            continue;
        }
        blocks += usize::from(inside.starts_with('#'));
        if blocks > MAX_BLOCKS {
            return Some((start, format!("exceeded the limit of {MAX_BLOCKS} blocks of a .hbs file")));
        }
        match nested(tag) {
            Some(read) if read <= budget => budget -= read,
            _ => return Some((start, format!("exceeded the limit of {MAX_NESTED} expressions inside each other"))),
        }
    }
    None
}

/// How many bytes long the tag at the beginning of `text` is; nothing if it is nested too deeply.
fn nested(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') => {
                bytes.next();
            }
            (Some(open), byte) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']') => depth = depth.saturating_sub(1),
            (None, b'}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        if depth > MAX_NESTED {
            return None;
        }
    }
    Some(text.len())
}

/// Weaves the calls into a template, and checks what it calls.
struct Weaver<'a> {
    is_function: &'a dyn Fn(&str) -> bool,
    /// The tag last seen.
    position: Position,
    /// The most calls inside each other in the body at hand.
    nested: usize,
}

impl Weaver<'_> {
    /// A body, which is that of a file or of a block.
    fn body(&mut self, template: &mut Template, is_file: bool) -> Result<(), String> {
        let elements = std::mem::take(&mut template.elements);
        let places = std::mem::take(&mut template.mapping);
        let placed = places.len() == elements.len();
        let outer = std::mem::take(&mut self.nested);
        template.elements.push(TemplateElement::Comment(String::new()));
        template.mapping.extend(places.first().filter(|_| placed).cloned());
        for (index, mut element) in elements.into_iter().enumerate() {
            let place = places.get(index).filter(|_| placed);
            if let Some(place) = place {
                self.position = Position { line: place.0, column: place.1 };
            }
            self.element(&mut element)?;
            if let Some(weigh) = weigh(&element) {
                template.elements.push(weigh);
                template.mapping.extend(place.cloned());
            }
            template.elements.push(element);
            template.mapping.extend(place.cloned());
        }
        let nested = Parameter::Literal(Json::from(std::mem::replace(&mut self.nested, outer)));
        if let Some(first) = template.elements.first_mut() {
            *first = call(ENTER, vec![Parameter::Literal(Json::Bool(is_file)), nested.clone()]);
        }
        template.elements.push(call(LEAVE, vec![nested]));
        Ok(())
    }

    fn element(&mut self, element: &mut TemplateElement) -> Result<(), String> {
        match element {
            TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => self.expression(helper),
            TemplateElement::HelperBlock(block) => {
                let name = block.name.as_name().unwrap_or_default();
                if !BLOCKS.contains(&name) {
                    return Err(no_block(name, (self.is_function)(name)));
                }
                self.parameters(&mut block.params, &mut block.hash, 1)?;
                let bodies = [block.template.as_mut(), block.inverse.as_mut()];
                bodies.into_iter().flatten().try_for_each(|body| self.body(body, false))
            }
            TemplateElement::PartialExpression(partial) | TemplateElement::PartialBlock(partial) => {
                if partial.indent.as_ref().is_some_and(|indent| indent.len() > MAX_INDENT) {
                    return Err(format!("exceeded the limit of {MAX_INDENT} bytes of indentation of a partial"));
                }
                self.parameters(&mut partial.params, &mut partial.hash, 1)?;
                let Some(mut body) = partial.template.take() else { return Ok(()) };
                self.body(&mut body, false)?;
                partial.template = Some(captured(body));
                Ok(())
            }
            TemplateElement::DecoratorBlock(inline) if inline.name.as_name() == Some("inline") => {
                self.parameters(&mut inline.params, &mut inline.hash, 1)?;
                inline.template.as_mut().map_or(Ok(()), |body| self.body(body, true))
            }
            TemplateElement::DecoratorBlock(decorator) | TemplateElement::DecoratorExpression(decorator) => {
                Err(format!("decorator {} not defined", shown(&decorator.name)))
            }
            _ => Ok(()),
        }
    }

    /// What is written out: the value at a path, or of a function.
    fn expression(&mut self, helper: &mut HelperTemplate) -> Result<(), String> {
        let name = std::mem::replace(&mut helper.name, Parameter::Name(PRINT.to_owned()));
        let params = std::mem::take(&mut helper.params);
        let hash = std::mem::take(&mut helper.hash);
        let alone = params.is_empty() && hash.is_empty();
        let mut printed = match name {
            // A word alone is data, as `title` in a list of pages, unless it could be nothing but a call.
            Parameter::Path(path) if alone && !is_bare_call(&path) => Parameter::Path(path),
            Parameter::Name(_) | Parameter::Path(_) => Parameter::Subexpression(Subexpression::new(name, params, hash)),
            other if alone => other,
            other => return Err(format!("function {} not defined", shown(&other))),
        };
        self.parameter(&mut printed, 1)?;
        helper.params.push(printed);
        Ok(())
    }

    fn parameters(
        &mut self,
        params: &mut [Parameter],
        hash: &mut HashMap<String, Parameter>,
        depth: usize,
    ) -> Result<(), String> {
        // In order of the keys, so that of several faults always the same is told.
        let mut named: Vec<_> = hash.iter_mut().collect();
        named.sort_unstable_by_key(|(key, _)| *key);
        params
            .iter_mut()
            .chain(named.into_iter().map(|(_, value)| value))
            .try_for_each(|param| self.parameter(param, depth))
    }

    /// A parameter that stands in `depth` calls.
    fn parameter(&mut self, parameter: &mut Parameter, depth: usize) -> Result<(), String> {
        self.nested = self.nested.max(depth);
        if matches!(parameter, Parameter::Path(Path::Local((_, name, _))) if name == "root") {
            // Alone, the crate takes it for a variable of a loop.
            *parameter = Parameter::Path(Path::parse("@root/this").map_err(|error| error.to_string())?);
        }
        let Parameter::Subexpression(inner) = parameter else { return Ok(()) };
        let TemplateElement::Expression(helper) = inner.element.as_mut() else { return Ok(()) };
        if !helper.name.as_name().is_some_and(|name| (self.is_function)(name)) {
            return Err(format!("function {} not defined", shown(&helper.name)));
        }
        self.parameters(&mut helper.params, &mut helper.hash, depth + 1)
    }
}

/// Functions that take nothing, so that their name alone is a call.
fn is_bare_call(path: &Path) -> bool {
    matches!(path, Path::Relative((_, raw)) if BARE.contains(&raw.as_str()))
}

fn shown(name: &Parameter) -> String {
    quote(name.as_name().unwrap_or("(…)").as_bytes())
}

fn no_block(name: &str, is_function: bool) -> String {
    let name = quote(name.as_bytes());
    let blocks = BLOCKS.join(", ");
    if is_function {
        format!("{name} is a function and has no block; blocks are {blocks}")
    } else {
        format!("block {name} not defined; blocks are {blocks}")
    }
}

/// A call of one of our own helpers.
fn call(name: &str, params: Vec<Parameter>) -> TemplateElement {
    *Subexpression::new(Parameter::Name(name.to_owned()), params, HashMap::new()).element
}

/// Counts what a block is going to copy: values at paths. What functions return is counted where they do.
fn weigh(element: &TemplateElement) -> Option<TemplateElement> {
    let TemplateElement::HelperBlock(block) = element else { return None };
    let paths: Vec<_> = block.params.iter().filter(|param| matches!(param, Parameter::Path(_))).cloned().collect();
    (!paths.is_empty()).then(|| call(WEIGH, paths))
}

/// A template that renders `body` into memory first.
fn captured(body: Template) -> Template {
    let mut template = Template::new();
    if let TemplateElement::Expression(mut helper) = call(CAPTURE, Vec::new()) {
        helper.block = true;
        helper.template = Some(body);
        template.elements.push(TemplateElement::HelperBlock(helper));
    }
    template
}
