//! A text to schemas ready to be checked against.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::functions::{Expression, json_fault};
use crate::schema::ADDRESS;
use crate::schema::decimal::Decimal;
use crate::schema::fault::Fault;
use crate::schema::formats::Format;
use crate::schema::location::{Place, below, encode, join, split_fragment};
use crate::schema::metaschemas::Draft;
use crate::schema::node::{Additional, Bound, Dependency, Id, Node, OfArray, OfObject, Type};
use crate::schema::roots::{Dialect, Root, Roots};

/// A schema with all those it leads to. The first is where it starts.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) nodes: Vec<Node>,
}

/// The schema of a chart.
pub(super) fn chart_schema(text: &[u8]) -> Result<Compiled, Fault> {
    let document: Json = serde_json::from_slice(text).map_err(|error| Fault::Json {
        go: json_fault(text).unwrap_or_else(|| error.to_string()),
        text: error.to_string(),
    })?;
    compile(Roots::with(ADDRESS, document), ADDRESS, Formats::AsTheDialectSays)
}

/// The schema of schemas of a draft.
pub(super) fn metaschema(draft: Draft) -> Compiled {
    // It is the same for every chart, and a test shows that it can be compiled.
    compile(Roots::default(), draft.url(), Formats::Checked).unwrap_or(Compiled { nodes: Vec::new() })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Formats {
    Checked,
    AsTheDialectSays,
}

fn compile(roots: Roots, url: &str, formats: Formats) -> Result<Compiled, Fault> {
    let mut compiler = Compiler { roots, formats, nodes: Vec::new(), known: HashMap::new() };
    let start = compiler.roots.resolve(url, "")?;
    compiler.enqueue(start);
    let mut next = 0;
    while next < compiler.nodes.len() {
        compiler.compile(next)?;
        next += 1;
    }
    Ok(Compiled { nodes: compiler.nodes })
}

struct Compiler {
    roots: Roots,
    formats: Formats,
    nodes: Vec<Node>,
    known: HashMap<(String, String), Id>,
}

impl Compiler {
    fn enqueue(&mut self, place: Place) -> Id {
        let next = self.nodes.len();
        let known = self.known.entry((place.url.clone(), place.pointer.clone())).or_insert(next);
        if *known == next {
            self.nodes.push(Node { location: place.to_text(), place, ..Node::default() });
        }
        *known
    }

    fn compile(&mut self, id: Id) -> Result<(), Fault> {
        let Some(place) = self.nodes.get(id).map(|node| node.place.clone()) else { return Ok(()) };
        self.roots.ensure(&place)?;
        let root = Arc::clone(self.roots.get(&place.url)?);
        let resource = root.resource(&place.pointer).cloned().unwrap_or_default();
        let mut node = Node { location: place.to_text(), draft: resource.dialect.draft, ..Node::default() };
        let at = |pointer: &str| Place { url: place.url.clone(), pointer: pointer.to_owned() };
        node.resource = self.enqueue(at(&resource.pointer));
        if node.draft >= Draft::Y2020 && node.resource == id {
            for anchor in &resource.dynamic_anchors {
                let Some(pointer) = resource.anchors.get(anchor) else { continue };
                let target = self.enqueue(at(pointer));
                node.dynamic_anchors.insert(anchor.clone(), target);
            }
        }
        match place.look_up(&root.document)? {
            Json::Bool(verdict) => node.verdict = Some(*verdict),
            Json::Object(entries) if entries.is_empty() => node.verdict = Some(true),
            Json::Object(entries) => {
                let of = Of { schema: entries, place: &place, root: &root, base: &resource.id };
                self.keywords(&of, &resource.dialect, &mut node)?;
            }
            _ => {}
        }
        node.place = place;
        if let Some(slot) = self.nodes.get_mut(id) {
            *slot = node;
        }
        Ok(())
    }

    fn keywords(&mut self, of: &Of<'_>, dialect: &Dialect, node: &mut Node) -> Result<(), Fault> {
        let draft = dialect.draft;
        node.reference = self.reference(of, "$ref")?;
        // Before 2019-09 nothing beside a reference counts.
        if draft >= Draft::Y2019 || node.reference.is_none() {
            if dialect.has("applicator") {
                self.applicators(of, node);
                node.object = self.of_object(of, draft)?;
                node.array = self.of_array(of, draft);
            }
            if dialect.has("validation") {
                validation(of, draft, node)?;
            }
            let is_checked = match draft {
                _ if self.formats == Formats::Checked => true,
                Draft::Y2019 => dialect.has("format"),
                Draft::Y2020 => dialect.has("format-assertion"),
                _ => true,
            };
            if is_checked {
                node.format = of.text("format").and_then(Format::named);
            }
        }
        if draft >= Draft::Y2019 {
            node.recursive_reference = self.reference(of, "$recursiveRef")?;
            node.recursive_anchor = of.is_true("$recursiveAnchor");
        }
        if dialect.has(if draft == Draft::Y2019 { "applicator" } else { "unevaluated" }) && draft >= Draft::Y2019 {
            node.array.unevaluated = self.below(of, "unevaluatedItems");
            node.object.unevaluated = self.below(of, "unevaluatedProperties");
        }
        if draft >= Draft::Y2020 {
            if let Some(target) = self.reference(of, "$dynamicRef")? {
                let (_, fragment) = split_fragment(of.text("$dynamicRef").unwrap_or_default())?;
                let anchor = if fragment.starts_with('/') { String::new() } else { fragment };
                node.dynamic_reference = Some((target, anchor));
            }
            node.dynamic_anchor = of.text("$dynamicAnchor").map(str::to_owned).unwrap_or_default();
        }
        Ok(())
    }

    fn applicators(&mut self, of: &Of<'_>, node: &mut Node) {
        node.all_of = self.items(of, "allOf");
        node.any_of = self.items(of, "anyOf");
        node.one_of = self.items(of, "oneOf");
        node.not = self.below(of, "not");
        if node.draft >= Draft::Seven {
            node.condition = self.below(of, "if");
        }
        if node.condition.is_some() {
            // The branch that a constant condition never takes is none.
            let constant = of.schema.get("if").and_then(Json::as_bool);
            node.consequence = if constant == Some(false) { None } else { self.below(of, "then") };
            node.alternative = if constant == Some(true) { None } else { self.below(of, "else") };
        }
    }

    fn of_object(&mut self, of: &Of<'_>, draft: Draft) -> Result<OfObject, Fault> {
        let mut object = OfObject { properties: self.properties(of, "properties"), ..OfObject::default() };
        for (pattern, id) in self.properties(of, "patternProperties") {
            object.pattern_properties.push((of.regex("patternProperties", &pattern)?, id));
        }
        object.additional = self.additional(of, "additionalProperties");
        for (name, dependency) in of.entries("dependencies") {
            let dependency = match dependency {
                Json::Array(names) => Dependency::Names(texts(names)),
                _ => Dependency::Schema(self.enqueue(of.below(&["dependencies", name]))),
            };
            object.dependencies.insert(name.clone(), dependency);
        }
        if draft >= Draft::Six {
            object.property_names = self.below(of, "propertyNames");
        }
        if draft >= Draft::Y2019 {
            object.dependent_schemas = self.properties(of, "dependentSchemas");
        }
        Ok(object)
    }

    fn of_array(&mut self, of: &Of<'_>, draft: Draft) -> OfArray {
        let mut array = OfArray::default();
        if draft >= Draft::Y2020 {
            array.prefix = self.items(of, "prefixItems");
            array.rest = self.below(of, "items").map(Additional::Schema);
        } else if of.schema.get("items").is_some_and(Json::is_array) {
            array.prefix = self.items(of, "items");
            array.rest = self.additional(of, "additionalItems");
        } else {
            array.rest = self.below(of, "items").map(Additional::Schema);
        }
        if draft >= Draft::Six {
            array.contains = self.below(of, "contains");
        }
        array
    }

    fn reference(&mut self, of: &Of<'_>, keyword: &str) -> Result<Option<Id>, Fault> {
        let Some(reference) = of.text(keyword) else { return Ok(None) };
        let (url, fragment) = join(of.base, reference)?;
        let target = match of.root.resolve(&url, &fragment)? {
            Some(place) => place,
            None => self.roots.resolve(&url, &fragment)?,
        };
        Ok(Some(self.enqueue(target)))
    }

    fn below(&mut self, of: &Of<'_>, keyword: &str) -> Option<Id> {
        of.schema.get(keyword).map(|_| self.enqueue(of.below(&[keyword])))
    }

    fn items(&mut self, of: &Of<'_>, keyword: &str) -> Vec<Id> {
        let count = of.schema.get(keyword).and_then(Json::as_array).map_or(0, Vec::len);
        (0..count).map(|index| self.enqueue(of.below(&[keyword, &index.to_string()]))).collect()
    }

    fn properties(&mut self, of: &Of<'_>, keyword: &str) -> BTreeMap<String, Id> {
        let names: Vec<&String> = of.entries(keyword).map(|(name, _)| name).collect();
        names.into_iter().map(|name| (name.clone(), self.enqueue(of.below(&[keyword, name])))).collect()
    }

    fn additional(&mut self, of: &Of<'_>, keyword: &str) -> Option<Additional> {
        match of.schema.get(keyword)? {
            Json::Bool(allowed) => Some(Additional::Allowed(*allowed)),
            _ => self.below(of, keyword).map(Additional::Schema),
        }
    }
}

/// A schema that is being compiled.
struct Of<'s> {
    schema: &'s Map<String, Json>,
    place: &'s Place,
    root: &'s Root,
    /// What its references are relative to.
    base: &'s str,
}

impl Of<'_> {
    fn text(&self, keyword: &str) -> Option<&str> {
        self.schema.get(keyword).and_then(Json::as_str)
    }

    fn is_true(&self, keyword: &str) -> bool {
        self.schema.get(keyword) == Some(&Json::Bool(true))
    }

    fn entries(&self, keyword: &str) -> impl Iterator<Item = (&String, &Json)> {
        self.schema.get(keyword).and_then(Json::as_object).into_iter().flatten()
    }

    fn number(&self, keyword: &str) -> Option<Bound> {
        let Json::Number(number) = self.schema.get(keyword)? else { return None };
        Some(Bound { exact: Decimal::new(number), float: number.as_f64().unwrap_or_default() })
    }

    fn count(&self, keyword: &str) -> Option<i64> {
        self.number(keyword)?.exact.to_integer()
    }

    fn below(&self, tokens: &[&str]) -> Place {
        let pointer = tokens.iter().fold(self.place.pointer.clone(), |pointer, token| below(&pointer, token));
        Place { url: self.place.url.clone(), pointer }
    }

    fn regex(&self, keyword: &str, regex: &str) -> Result<Expression, Fault> {
        Expression::read(regex).map_err(|why| Fault::Regex {
            url: format!("{}#{}/{keyword}", self.place.url, encode(&self.place.pointer)),
            regex: regex.to_owned(),
            why,
        })
    }
}

fn validation(of: &Of<'_>, draft: Draft, node: &mut Node) -> Result<(), Fault> {
    node.types = match of.schema.get("type") {
        Some(Json::String(name)) => Type::read(name).into_iter().collect(),
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).filter_map(Type::read).collect(),
        _ => Vec::new(),
    };
    node.types.sort();
    node.types.dedup();
    node.options = of.schema.get("enum").and_then(Json::as_array).cloned();
    node.multiple_of = of.number("multipleOf");
    (node.maximum, node.exclusive_maximum) = bounds(of, "maximum", "exclusiveMaximum");
    (node.minimum, node.exclusive_minimum) = bounds(of, "minimum", "exclusiveMinimum");
    node.min_length = of.count("minLength");
    node.max_length = of.count("maxLength");
    if let Some(pattern) = of.text("pattern") {
        node.pattern = Some((pattern.to_owned(), of.regex("pattern", pattern)?));
    }
    node.array.min_items = of.count("minItems");
    node.array.max_items = of.count("maxItems");
    node.array.unique_items = of.is_true("uniqueItems");
    node.object.max_properties = of.count("maxProperties");
    node.object.min_properties = of.count("minProperties");
    node.object.required =
        of.schema.get("required").and_then(Json::as_array).map(|names| texts(names)).unwrap_or_default();
    if draft >= Draft::Six {
        node.constant = of.schema.get("const").cloned();
    }
    if draft >= Draft::Y2019 {
        if node.array.contains.is_some() {
            node.array.min_contains = of.count("minContains");
            node.array.max_contains = of.count("maxContains");
        }
        let lists = of.entries("dependentRequired").filter_map(|(name, names)| Some((name.clone(), names.as_array()?)));
        node.object.dependent_required = lists.map(|(name, names)| (name, texts(names))).collect();
    }
    Ok(())
}

/// A bound, and the exclusive one, which in draft 4 is the same number and a flag.
fn bounds(of: &Of<'_>, inclusive: &str, exclusive: &str) -> (Option<Bound>, Option<Bound>) {
    if of.is_true(exclusive) { (None, of.number(inclusive)) } else { (of.number(inclusive), of.number(exclusive)) }
}

fn texts(items: &[Json]) -> Vec<String> {
    items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}
