//! Values against a compiled schema: everything that is wrong, in the order of Helm's validator.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value as Json};

use crate::schema::compile::Compiled;
use crate::schema::decimal::Decimal;
use crate::schema::location::{below, escape};
use crate::schema::metaschemas::Draft;
use crate::schema::node::{Additional, Bound, Dependency, Id, Node, Type};
use crate::schema::violation::{Kind, Violation};

/// How many schemas within schemas are followed, so that no chart can exhaust the stack.
const MAX_DEPTH: usize = 1_000;

/// What no schema has looked at yet.
type Outcome = Result<Unevaluated, Violation>;

/// Checks a value.
///
/// # Errors
/// All violations, below one of [`Kind::Schema`].
pub(super) fn check(compiled: &Compiled, value: &Json) -> Result<(), Violation> {
    let Some(node) = compiled.nodes.first() else { return Ok(()) };
    let scope = Scope { node, keyword: "", value: 0, depth: 0, parent: None };
    let rest = Unevaluated::of(value, node, false);
    let Err(violation) = visit(compiled, value, "", &scope, rest) else { return Ok(()) };
    let causes = if violation.kind == Kind::Group { violation.causes } else { vec![violation] };
    Err(Violation { at: Box::default(), kind: Kind::Schema(node.location.clone()), causes })
}

/// The way that led to a schema.
struct Scope<'s> {
    node: &'s Node,
    /// The reference that led here, if it was one.
    keyword: &'static str,
    /// Schemas with the same number look at the same value.
    value: usize,
    depth: usize,
    parent: Option<&'s Self>,
}

impl Scope<'_> {
    /// The outer look at the same value by the same schema.
    fn cycle(&self) -> Option<&Self> {
        let mut scope = self.parent;
        while let Some(outer) = scope.filter(|outer| outer.value == self.value) {
            if std::ptr::eq(outer.node, self.node) {
                return Some(outer);
            }
            scope = outer.parent;
        }
        None
    }

    /// The keywords that led here.
    fn way(&self) -> String {
        let mut parts = Vec::new();
        let mut scope = self;
        while let Some(parent) = scope.parent {
            parts.push(if scope.keyword.is_empty() {
                scope.node.location.get(parent.node.location.len()..).unwrap_or_default().to_owned()
            } else {
                format!("/{}", escape(scope.keyword))
            });
            scope = parent;
        }
        parts.reverse();
        parts.concat()
    }
}

/// Properties and items that no keyword has looked at yet; for the keywords `unevaluated…`.
#[derive(Debug, Default)]
struct Unevaluated {
    properties: BTreeSet<String>,
    items: BTreeSet<usize>,
}

impl Unevaluated {
    /// Of a value that a schema is about to look at. Nothing where nobody asks.
    fn of(value: &Json, node: &Node, is_asked: bool) -> Self {
        let mut rest = Self::default();
        let (object, array) = (&node.object, &node.array);
        match value {
            Json::Object(entries) if object.additional.is_none() && (is_asked || object.unevaluated.is_some()) => {
                rest.properties = entries.keys().cloned().collect();
            }
            Json::Array(items) if array.rest.is_none() && (is_asked || array.unevaluated.is_some()) => {
                rest.items = (array.prefix.len()..items.len()).collect();
            }
            _ => {}
        }
        rest
    }

    fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.items.is_empty()
    }

    fn keep(&mut self, other: &Self) {
        self.properties.retain(|name| other.properties.contains(name));
        self.items.retain(|index| other.items.contains(index));
    }
}

/// A look at a value by a schema.
struct Visit<'v> {
    compiled: &'v Compiled,
    node: &'v Node,
    value: &'v Json,
    at: &'v str,
    scope: &'v Scope<'v>,
    rest: Unevaluated,
    found: Vec<Violation>,
}

fn visit(compiled: &Compiled, value: &Json, at: &str, scope: &Scope<'_>, rest: Unevaluated) -> Outcome {
    let node = scope.node;
    let mut visit = Visit { compiled, node, value, at, scope, rest, found: Vec::new() };
    match node.verdict {
        Some(true) => return Ok(visit.rest),
        Some(false) => return Err(visit.violation(Kind::FalseSchema)),
        None => {}
    }
    if let Some(outer) = scope.cycle() {
        let ways = [scope.way(), outer.way()];
        return Err(visit.violation(Kind::RefCycle { ways, url: node.location.clone() }));
    }
    if scope.depth > MAX_DEPTH {
        return Err(visit.violation(Kind::TooDeep));
    }
    if let Some(kind) = of_any_type(node, value) {
        return Err(visit.violation(kind));
    }
    if let Some(target) = node.reference {
        let outcome = visit.reference(target, "$ref");
        if node.draft < Draft::Y2019 {
            return match outcome {
                Some(violation) => Err(violation),
                None => Ok(visit.rest),
            };
        }
        visit.found.extend(outcome);
    }
    match value {
        Json::Object(entries) => visit.object(entries),
        Json::Array(items) => visit.array(items),
        Json::String(text) => visit.string(text),
        Json::Number(number) => visit.number(number),
        Json::Null | Json::Bool(_) => {}
    }
    if node.draft >= Draft::Y2019 {
        visit.dynamic_references();
    }
    visit.conditions();
    if node.draft >= Draft::Y2019 {
        visit.unevaluated();
    }
    visit.outcome()
}

/// The keywords after which nothing else is looked at.
fn of_any_type(node: &Node, value: &Json) -> Option<Kind> {
    let got = Type::of(value);
    if !node.types.is_empty() && !node.types.contains(&got) {
        let is_integer = node.types.contains(&Type::Integer)
            && matches!(value, Json::Number(number) if Decimal::new(number).is_integer());
        if !is_integer {
            let want = node.types.iter().map(|wanted| wanted.name()).collect();
            return Some(Kind::Type { got: got.name(), want });
        }
    }
    if let Some(wanted) = node.constant.as_ref().filter(|wanted| !equal(value, wanted)) {
        return Some(Kind::Const(wanted.clone()));
    }
    if let Some(options) = node.options.as_ref().filter(|options| !options.iter().any(|option| equal(value, option))) {
        return Some(Kind::Enum(options.clone()));
    }
    let (Some(format), Json::String(text)) = (node.format, value) else { return None };
    let why = format.fault(text)?;
    Some(Kind::Format { got: text.clone(), want: format.name().to_owned(), why })
}

impl Visit<'_> {
    fn violation(&self, kind: Kind) -> Violation {
        Violation { at: self.at.into(), kind, causes: Vec::new() }
    }

    fn outcome(mut self) -> Outcome {
        if self.found.len() > 1 {
            let causes = std::mem::take(&mut self.found);
            return Err(Violation { causes, ..self.violation(Kind::Group) });
        }
        self.found.pop().map_or(Ok(self.rest), Err)
    }

    fn add(&mut self, kind: Kind) {
        let violation = self.violation(kind);
        self.found.push(violation);
    }

    fn add_with(&mut self, kind: Kind, causes: Vec<Violation>) {
        let violation = self.violation(kind);
        self.found.push(Violation { causes, ..violation });
    }

    /// The same value by another schema.
    fn itself(&mut self, target: Id, keyword: &'static str) -> Result<(), Violation> {
        let Some(node) = self.compiled.nodes.get(target) else { return Ok(()) };
        let outer = self.scope;
        let scope = Scope { node, keyword, value: outer.value, depth: outer.depth + 1, parent: Some(outer) };
        let rest = Unevaluated::of(self.value, node, !self.rest.is_empty());
        let rest = visit(self.compiled, self.value, self.at, &scope, rest)?;
        self.rest.keep(&rest);
        Ok(())
    }

    /// A value in this one.
    fn inner(&self, target: Id, value: &Json, token: &str) -> Option<Violation> {
        let node = self.compiled.nodes.get(target)?;
        let outer = self.scope;
        let scope = Scope { node, keyword: "", value: outer.value + 1, depth: outer.depth + 1, parent: Some(outer) };
        let rest = Unevaluated::of(value, node, false);
        visit(self.compiled, value, &below(self.at, token), &scope, rest).err()
    }

    fn reference(&mut self, target: Id, keyword: &'static str) -> Option<Violation> {
        let violation = self.itself(target, keyword).err()?;
        let causes = if violation.kind == Kind::Group { violation.causes } else { vec![violation] };
        Some(Violation { causes, ..self.violation(Kind::Reference) })
    }

    fn object(&mut self, entries: &Map<String, Json>) {
        let node = self.node;
        let object = &node.object;
        self.count("minProperties", entries.len(), object.min_properties, i64::lt);
        self.count("maxProperties", entries.len(), object.max_properties, i64::gt);
        if let Some(missing) = missing(entries, &object.required) {
            self.add(Kind::Required(missing));
        }
        for (name, dependency) in object.dependencies.iter().filter(|(name, _)| entries.contains_key(*name)) {
            match dependency {
                Dependency::Names(names) => self.dependency(entries, name, names),
                Dependency::Schema(target) => {
                    let violation = self.itself(*target, "").err();
                    self.found.extend(violation);
                }
            }
        }
        self.properties(entries);
        if node.draft == Draft::Four {
            return;
        }
        if let Some(target) = object.property_names {
            self.property_names(entries, target);
        }
        if node.draft == Draft::Six {
            return;
        }
        for (_, target) in object.dependent_schemas.iter().filter(|(name, _)| entries.contains_key(*name)) {
            let violation = self.itself(*target, "").err();
            self.found.extend(violation);
        }
        for (name, names) in object.dependent_required.iter().filter(|(name, _)| entries.contains_key(*name)) {
            self.dependency(entries, name, names);
        }
    }

    fn dependency(&mut self, entries: &Map<String, Json>, name: &str, names: &[String]) {
        if let Some(missing) = missing(entries, names) {
            self.add(Kind::Dependency { property: name.to_owned(), missing });
        }
    }

    fn properties(&mut self, entries: &Map<String, Json>) {
        let object = &self.node.object;
        let mut additional = Vec::new();
        for (name, value) in sorted(entries) {
            let named = object.properties.get(name);
            let patterns = object.pattern_properties.iter();
            let patterned = patterns.filter(|(pattern, _)| pattern.is_match(name.as_bytes())).map(|(_, target)| target);
            let targets: Vec<Id> = named.into_iter().chain(patterned).copied().collect();
            for target in &targets {
                let violation = self.inner(*target, value, name);
                self.found.extend(violation);
            }
            if targets.is_empty() {
                match object.additional {
                    None => continue,
                    Some(Additional::Allowed(true)) => {}
                    Some(Additional::Allowed(false)) => additional.push(name.clone()),
                    Some(Additional::Schema(target)) => {
                        let violation = self.inner(target, value, name);
                        self.found.extend(violation);
                    }
                }
            }
            self.rest.properties.remove(name);
        }
        if !additional.is_empty() {
            self.add(Kind::AdditionalProperties(additional));
        }
    }

    /// Names are values of their own: where they are told, their violations are told of no place.
    fn property_names(&mut self, entries: &Map<String, Json>, target: Id) {
        let Some(node) = self.compiled.nodes.get(target) else { return };
        for (name, _) in sorted(entries) {
            let text = Json::String(name.clone());
            let scope = Scope { node, keyword: "", value: 0, depth: self.scope.depth + 1, parent: None };
            let Err(violation) = visit(self.compiled, &text, "", &scope, Unevaluated::default()) else { continue };
            let causes = if violation.kind == Kind::Group { violation.causes } else { vec![violation] };
            self.add_with(Kind::PropertyName(name.clone()), causes);
        }
    }

    fn array(&mut self, items: &[Json]) {
        let node = self.node;
        let array = &node.array;
        self.count("minItems", items.len(), array.min_items, i64::lt);
        self.count("maxItems", items.len(), array.max_items, i64::gt);
        if array.unique_items
            && let Some(duplicates) = duplicates(items)
        {
            self.add(Kind::UniqueItems(duplicates));
        }
        for (index, (item, target)) in items.iter().zip(&array.prefix).enumerate() {
            let violation = self.inner(*target, item, &index.to_string());
            self.found.extend(violation);
        }
        let prefix = array.prefix.len();
        match array.rest {
            Some(Additional::Schema(target)) => {
                for (index, item) in items.iter().enumerate().skip(prefix) {
                    let violation = self.inner(target, item, &index.to_string());
                    self.found.extend(violation);
                }
            }
            Some(Additional::Allowed(false)) if items.len() > prefix => {
                self.add(Kind::AdditionalItems(items.len() - prefix));
            }
            _ => {}
        }
        if let Some(target) = array.contains {
            self.contains(items, target);
        }
    }

    fn contains(&mut self, items: &[Json], target: Id) {
        let (min, max) = (self.node.array.min_contains, self.node.array.max_contains);
        let mut matched = Vec::new();
        let mut causes = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if let Some(violation) = self.inner(target, item, &index.to_string()) {
                causes.push(violation);
                continue;
            }
            matched.push(index);
            if self.node.draft >= Draft::Y2020 {
                self.rest.items.remove(&index);
            }
        }
        let count = i64::try_from(matched.len()).unwrap_or(i64::MAX);
        match min {
            Some(want) if count < want => self.add_with(Kind::MinContains { got: matched.clone(), want }, causes),
            None if count == 0 => self.add_with(Kind::Contains, causes),
            _ => {}
        }
        if let Some(want) = max.filter(|max| count > *max) {
            self.add(Kind::MaxContains { got: matched, want });
        }
    }

    fn string(&mut self, text: &str) {
        let node = self.node;
        if node.min_length.is_some() || node.max_length.is_some() {
            let length = text.chars().count();
            self.count("minLength", length, node.min_length, i64::lt);
            self.count("maxLength", length, node.max_length, i64::gt);
        }
        if let Some((pattern, _)) = node.pattern.as_ref().filter(|(_, regex)| !regex.is_match(text.as_bytes())) {
            self.add(Kind::Pattern { got: text.to_owned(), want: pattern.clone() });
        }
    }

    fn count(&mut self, keyword: &'static str, got: usize, want: Option<i64>, is_wrong: fn(&i64, &i64) -> bool) {
        let count = i64::try_from(got).unwrap_or(i64::MAX);
        if let Some(want) = want.filter(|want| is_wrong(&count, want)) {
            self.add(Kind::Count { keyword, got, want });
        }
    }

    fn number(&mut self, number: &Number) {
        let node = self.node;
        let checks: [Check<'_>; 5] = [
            ("minimum", &node.minimum, |got, want| got.compare(want).is_ge()),
            ("maximum", &node.maximum, |got, want| got.compare(want).is_le()),
            ("exclusiveMinimum", &node.exclusive_minimum, |got, want| got.compare(want).is_gt()),
            ("exclusiveMaximum", &node.exclusive_maximum, |got, want| got.compare(want).is_lt()),
            ("multipleOf", &node.multiple_of, Decimal::is_multiple_of),
        ];
        for (keyword, bound, is_right) in checks {
            let Some(bound) = bound else { continue };
            if !is_right(&Decimal::new(number), &bound.exact) {
                self.add(Kind::Bound { keyword, got: number.as_f64().unwrap_or_default(), want: bound.float });
            }
        }
    }

    fn dynamic_references(&mut self) {
        let node = self.node;
        let nodes = &self.compiled.nodes;
        let start = self.scope;
        let scopes = || std::iter::successors(Some(start), |scope| scope.parent);
        if let Some(initial) = node.recursive_reference {
            let is_recursive = |id: Id| nodes.get(id).is_some_and(|node| node.recursive_anchor);
            // The outermost one counts.
            let outer = scopes().filter(|scope| is_recursive(scope.node.resource)).last();
            let outer = outer.filter(|_| is_recursive(initial));
            let target = outer.and_then(|scope| nodes.iter().position(|node| std::ptr::eq(node, scope.node)));
            let violation = self.reference(target.unwrap_or(initial), "$recursiveRef");
            self.found.extend(violation);
        }
        if let Some((initial, anchor)) = &node.dynamic_reference {
            let is_dynamic =
                !anchor.is_empty() && nodes.get(*initial).is_some_and(|node| node.dynamic_anchor == *anchor);
            let resources = scopes().filter_map(|scope| nodes.get(scope.node.resource));
            let outer = resources.filter_map(|resource| resource.dynamic_anchors.get(anchor)).last();
            let target = outer.filter(|_| is_dynamic).unwrap_or(initial);
            let violation = self.reference(*target, "$dynamicRef");
            self.found.extend(violation);
        }
    }

    fn conditions(&mut self) {
        let node = self.node;
        if node.not.is_some_and(|target| self.itself(target, "").is_ok()) {
            self.add(Kind::Not);
        }
        let causes: Vec<Violation> = node.all_of.iter().filter_map(|target| self.itself(*target, "").err()).collect();
        if !causes.is_empty() {
            self.add_with(Kind::AllOf, causes);
        }
        self.any_of();
        self.one_of();
        let Some(condition) = node.condition else { return };
        let branch = if self.itself(condition, "").is_ok() { node.consequence } else { node.alternative };
        let violation = branch.and_then(|target| self.itself(target, "").err());
        self.found.extend(violation);
    }

    fn any_of(&mut self) {
        let node = self.node;
        let mut causes = Vec::new();
        let mut matched = node.any_of.is_empty();
        for target in &node.any_of {
            if let Err(violation) = self.itself(*target, "") {
                causes.push(violation);
                continue;
            }
            matched = true;
            // Only whoever asks what nobody looked at must have all look.
            if self.rest.is_empty() {
                break;
            }
        }
        if !matched {
            self.add_with(Kind::AnyOf, causes);
        }
    }

    fn one_of(&mut self) {
        let node = self.node;
        let mut causes = Vec::new();
        let mut matched = None;
        for (index, target) in node.one_of.iter().enumerate() {
            match (self.itself(*target, ""), matched) {
                (Err(violation), None) => causes.push(violation),
                (Err(_), Some(_)) => {}
                (Ok(()), None) => matched = Some(index),
                (Ok(()), Some(first)) => {
                    self.add(Kind::OneOf(Some([first, index])));
                    break;
                }
            }
        }
        if matched.is_none() && !node.one_of.is_empty() {
            self.add_with(Kind::OneOf(None), causes);
        }
    }

    fn unevaluated(&mut self) {
        let node = self.node;
        let value = self.value;
        if let (Json::Object(entries), Some(target)) = (value, node.object.unevaluated) {
            for name in std::mem::take(&mut self.rest.properties) {
                let violation = entries.get(&name).and_then(|value| self.inner(target, value, &name));
                self.found.extend(violation);
            }
        }
        if let (Json::Array(items), Some(target)) = (value, node.array.unevaluated) {
            for index in std::mem::take(&mut self.rest.items) {
                let violation = items.get(index).and_then(|item| self.inner(target, item, &index.to_string()));
                self.found.extend(violation);
            }
        }
    }
}

/// A keyword for numbers, its bound, and whether a number keeps to it.
type Check<'n> = (&'static str, &'n Option<Bound>, fn(&Decimal, &Decimal) -> bool);

/// Entries in byte order of their names.
fn sorted(entries: &Map<String, Json>) -> Vec<(&String, &Json)> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    sorted
}

fn missing(entries: &Map<String, Json>, wanted: &[String]) -> Option<Vec<String>> {
    let missing: Vec<String> = wanted.iter().filter(|name| !entries.contains_key(*name)).cloned().collect();
    (!missing.is_empty()).then_some(missing)
}

/// Whether two values are the same: numbers as numbers, however they are written.
fn equal(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| equal(value, other)))
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Json::Number(one), Json::Number(other)) => {
            // Most differ already as floats.
            one.as_f64() == other.as_f64() && Decimal::new(one).compare(&Decimal::new(other)).is_eq()
        }
        (one, other) => one == other,
    }
}

/// The first item that there was before, and where.
fn duplicates(items: &[Json]) -> Option<[usize; 2]> {
    items.iter().enumerate().find_map(|(index, item)| {
        let before = items.iter().take(index).position(|before| equal(before, item))?;
        Some([before, index])
    })
}
