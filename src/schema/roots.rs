//! Documents with schemas in them: which schemas have identifiers and anchors, and in which dialect they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::schema::fault::Fault;
use crate::schema::location::{Place, below, encode, join, scheme, split, split_fragment};
use crate::schema::metaschemas::{self, Below, Draft};
use crate::schema::walk;

/// A draft, and the vocabularies that a metaschema chooses of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Dialect {
    pub(super) draft: Draft,
    pub(super) vocabularies: Option<Vec<String>>,
}

impl Dialect {
    pub(super) fn has(&self, name: &str) -> bool {
        if name == "core" || self.draft < Draft::Y2019 {
            return true;
        }
        match &self.vocabularies {
            Some(chosen) => chosen.iter().any(|chosen| chosen == name),
            None => matches!(name, "applicator" | "validation") || self.draft == Draft::Y2020 && name == "unevaluated",
        }
    }
}

/// A schema with an identifier of its own; the document as a whole is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Resource {
    pub(super) pointer: String,
    pub(super) id: String,
    pub(super) dialect: Dialect,
    pub(super) anchors: BTreeMap<String, String>,
    pub(super) dynamic_anchors: Vec<String>,
}

/// A document.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) url: String,
    pub(super) document: Arc<Json>,
    /// By their pointer.
    resources: BTreeMap<String, Resource>,
    /// Pointers of the schemas that have been looked at.
    seen: BTreeSet<String>,
}

impl Root {
    /// The resource that a schema is part of.
    pub(super) fn resource(&self, pointer: &str) -> Option<&Resource> {
        let mut pointer = pointer;
        loop {
            if let Some(found) = self.resources.get(pointer) {
                return Some(found);
            }
            pointer = pointer.rsplit_once('/')?.0;
        }
    }

    /// Where a reference leads, if it is within the document.
    pub(super) fn resolve(&self, url: &str, fragment: &str) -> Result<Option<Place>, Fault> {
        let resource = if url == self.url {
            self.resources.get("")
        } else {
            self.resources.values().find(|resource| resource.id == url)
        };
        resource.map(|resource| self.resolve_in(resource, fragment)).transpose()
    }

    fn resolve_in(&self, resource: &Resource, fragment: &str) -> Result<Place, Fault> {
        let pointer = if fragment.is_empty() || fragment.starts_with('/') {
            format!("{}{fragment}", resource.pointer)
        } else {
            let found = resource.anchors.get(fragment).cloned();
            found.ok_or_else(|| Fault::AnchorNotFound {
                reference: format!("{}#{}", resource.id, encode(fragment)),
                url: self.url.clone(),
            })?
        };
        Ok(Place { url: self.url.clone(), pointer })
    }

    fn add_anchor(&mut self, resource: &str, anchor: &str, pointer: &str) -> Result<(), Fault> {
        let Some(resource) = self.resources.get_mut(resource) else { return Ok(()) };
        match resource.anchors.get(anchor) {
            Some(known) if known != pointer => Err(Fault::DuplicateAnchor {
                anchor: anchor.to_owned(),
                url: self.url.clone(),
                pointers: [known.clone(), pointer.to_owned()],
            }),
            _ => {
                resource.anchors.insert(anchor.to_owned(), pointer.to_owned());
                Ok(())
            }
        }
    }

    fn collect_anchors(&mut self, schema: &Map<String, Json>, pointer: &str, resource: &str) -> Result<(), Fault> {
        let Some(draft) = self.resources.get(resource).map(|resource| resource.dialect.draft) else { return Ok(()) };
        if draft < Draft::Y2019 {
            // Beside a reference nothing counts.
            if schema.contains_key("$ref") {
                return Ok(());
            }
            if let Some(id) = text(schema, draft.id()) {
                let place = || Place { url: self.url.clone(), pointer: pointer.to_owned() };
                let (_, fragment) = split_fragment(id).map_err(|_bad_escape| Fault::ParseAnchor(place().to_text()))?;
                if !fragment.is_empty() && !fragment.starts_with('/') {
                    self.add_anchor(resource, &fragment, pointer)?;
                }
            }
            return Ok(());
        }
        if let Some(anchor) = text(schema, "$anchor") {
            self.add_anchor(resource, anchor, pointer)?;
        }
        if let Some(anchor) = text(schema, "$dynamicAnchor").filter(|_| draft >= Draft::Y2020) {
            self.add_anchor(resource, anchor, pointer)?;
            if let Some(resource) = self.resources.get_mut(resource) {
                resource.dynamic_anchors.push(anchor.to_owned());
            }
        }
        Ok(())
    }
}

/// All documents by their address.
#[derive(Debug, Default)]
pub(super) struct Roots {
    roots: BTreeMap<String, Arc<Root>>,
    documents: BTreeMap<String, Arc<Json>>,
}

impl Roots {
    pub(super) fn with(url: &str, document: Json) -> Self {
        Self { documents: BTreeMap::from([(url.to_owned(), Arc::new(document))]), ..Self::default() }
    }

    /// The document at that address, read and checked.
    pub(super) fn get(&mut self, url: &str) -> Result<&Arc<Root>, Fault> {
        if !self.roots.contains_key(url) {
            let root = self.read(url)?;
            self.roots.insert(url.to_owned(), Arc::new(root));
        }
        self.roots.get(url).ok_or_else(|| Fault::Elsewhere { url: url.to_owned() })
    }

    fn load(&mut self, url: &str) -> Result<Arc<Json>, Fault> {
        if let Some(known) = self.documents.get(url) {
            return Ok(Arc::clone(known));
        }
        let document = match metaschemas::document(url) {
            Some(document) => document,
            // Helm asks no registry of names either, unless it is given one.
            None if scheme(url) == Some("urn") => Arc::new(Json::Bool(true)),
            None => return Err(Fault::Elsewhere { url: url.to_owned() }),
        };
        self.documents.insert(url.to_owned(), Arc::clone(&document));
        Ok(document)
    }

    fn read(&mut self, url: &str) -> Result<Root, Fault> {
        let document = self.load(url)?;
        let mut root = Root {
            url: url.to_owned(),
            document: Arc::clone(&document),
            resources: BTreeMap::new(),
            seen: BTreeSet::new(),
        };
        self.collect(&mut root, &document, Subschema { base: url, pointer: "" }, &Dialect::default())?;
        if !metaschemas::is_official(url) {
            check(&root, &document, "")?;
        }
        Ok(root)
    }

    /// The place a reference leads to, in another document perhaps.
    pub(super) fn resolve(&mut self, url: &str, fragment: &str) -> Result<Place, Fault> {
        let root = self.get(url)?;
        let Some(resource) = root.resources.get("") else { return Err(Fault::PointerNotFound(url.to_owned())) };
        root.resolve_in(resource, fragment)
    }

    /// Sees to it that what is at a place is a schema, even where no keyword says that there is one.
    pub(super) fn ensure(&mut self, place: &Place) -> Result<(), Fault> {
        let root = self.get(&place.url)?;
        if root.seen.contains(&place.pointer) {
            return Ok(());
        }
        let document = Arc::clone(&root.document);
        let schema = place.look_up(&document)?;
        let mut root = Root::clone(root);
        let outer = root.resource(&place.pointer).cloned().unwrap_or_default();
        let at = Subschema { base: &outer.id, pointer: &place.pointer };
        self.collect(&mut root, schema, at, &outer.dialect)?;
        check(&root, schema, &place.pointer)?;
        self.roots.insert(place.url.clone(), Arc::new(root));
        Ok(())
    }

    fn collect(&mut self, root: &mut Root, schema: &Json, at: Subschema<'_>, outer: &Dialect) -> Result<(), Fault> {
        let Subschema { base, pointer } = at;
        if root.seen.contains(pointer) {
            return Ok(());
        }
        if let Json::Object(entries) = schema {
            self.collect_object(root, entries, at, outer)?;
        } else if pointer.is_empty() {
            let resource = Resource { id: base.to_owned(), dialect: outer.clone(), ..Resource::default() };
            root.resources.insert(String::new(), resource);
        }
        root.seen.insert(pointer.to_owned());
        Ok(())
    }

    fn collect_object(
        &mut self,
        root: &mut Root,
        schema: &Map<String, Json>,
        at: Subschema<'_>,
        outer: &Dialect,
    ) -> Result<(), Fault> {
        let Subschema { base, pointer } = at;
        let place = || Place { url: root.url.clone(), pointer: pointer.to_owned() };
        let mut has_dialect = text(schema, "$schema").is_some();
        let mut draft = self.draft(&place(), schema, outer.draft, &mut BTreeSet::new())?;
        let mut id = id(draft, schema);
        if id.is_none() && !pointer.is_empty() {
            // Only a resource chooses its dialect.
            (draft, has_dialect) = (outer.draft, false);
            id = self::id(draft, schema);
        }
        let base = match id {
            Some(id) => join(base, id).map_err(|_no_address| Fault::Id(place().to_text()))?.0,
            None => base.to_owned(),
        };
        if id.is_some() || pointer.is_empty() {
            match root.resources.values().find(|resource| resource.id == base) {
                Some(known) if known.pointer != pointer => {
                    let pointers = [pointer.to_owned(), known.pointer.clone()];
                    return Err(Fault::DuplicateId { id: base, url: root.url.clone(), pointers });
                }
                Some(_) => {}
                None => {
                    let dialect = if has_dialect {
                        Dialect { draft, vocabularies: self.vocabularies(schema, draft)? }
                    } else {
                        outer.clone()
                    };
                    let (pointer, id) = (pointer.to_owned(), base.clone());
                    let resource = Resource { pointer: pointer.clone(), id, dialect, ..Resource::default() };
                    root.resources.insert(pointer, resource);
                }
            }
        }
        let own = root.resources.values().find(|resource| resource.id == base);
        let (own, dialect) = own.map(|own| (own.pointer.clone(), own.dialect.clone())).unwrap_or_default();
        root.collect_anchors(schema, pointer, &own)?;
        for (pointer, schema) in subschemas(draft, schema, pointer) {
            self.collect(root, schema, Subschema { base: &base, pointer: &pointer }, &dialect)?;
        }
        Ok(())
    }

    /// The draft that `$schema` names, itself or through the metaschema there.
    fn draft(
        &mut self,
        place: &Place,
        schema: &Map<String, Json>,
        outer: Draft,
        seen: &mut BTreeSet<String>,
    ) -> Result<Draft, Fault> {
        let Some(name) = text(schema, "$schema") else { return Ok(outer) };
        if let Some(draft) = Draft::of(name) {
            return Ok(draft);
        }
        let (url, _) = split(name);
        if place.pointer.is_empty() && place.url == url {
            return Err(Fault::UnsupportedDraft(url.to_owned()));
        }
        if !seen.insert(url.to_owned()) {
            return Err(Fault::MetaschemaCycle(url.to_owned()));
        }
        let metaschema = self.load(url).map_err(|fault| match fault {
            Fault::Elsewhere { url } => Fault::Dialect { url },
            fault => fault,
        })?;
        match &*metaschema {
            Json::Object(entries) => {
                self.draft(&Place { url: url.to_owned(), pointer: String::new() }, entries, outer, seen)
            }
            _ => Ok(outer),
        }
    }

    /// The vocabularies that the metaschema asks for; `None` if it leaves that to its draft.
    fn vocabularies(&mut self, schema: &Map<String, Json>, draft: Draft) -> Result<Option<Vec<String>>, Fault> {
        let Some(name) = text(schema, "$schema").filter(|name| Draft::of(name).is_none()) else { return Ok(None) };
        let (url, _) = split(name);
        let metaschema = self.load(url)?;
        let Some(Json::Object(wanted)) = metaschema.get("$vocabulary").filter(|_| draft >= Draft::Y2019) else {
            return Ok(None);
        };
        let (prefix, known) = draft.vocabularies();
        let mut chosen = vec!["core".to_owned()];
        for (vocabulary, _) in wanted.iter().filter(|(_, is_required)| **is_required == Json::Bool(true)) {
            match vocabulary.strip_prefix(prefix).filter(|name| known.contains(name)) {
                Some(name) => chosen.push(name.to_owned()),
                None => return Err(Fault::Vocabulary { name: vocabulary.clone(), url: url.to_owned() }),
            }
        }
        Ok(Some(chosen))
    }
}

/// Where a schema is: the address that its references are relative to, and its pointer.
#[derive(Clone, Copy)]
struct Subschema<'s> {
    base: &'s str,
    pointer: &'s str,
}

/// Whether it meets the schema of schemas.
fn check(root: &Root, schema: &Json, pointer: &str) -> Result<(), Fault> {
    let draft = root.resource(pointer).map_or_else(Draft::default, |resource| resource.dialect.draft);
    walk::check(draft.compiled(), schema).map_err(|violation| {
        let place = Place { url: root.url.clone(), pointer: pointer.to_owned() };
        Fault::Metaschema { url: place.to_text(), violation: Box::new(violation) }
    })
}

/// The schemas right below a schema, with their pointers.
fn subschemas<'s>(draft: Draft, schema: &'s Map<String, Json>, pointer: &str) -> BTreeMap<String, &'s Json> {
    let mut found = BTreeMap::new();
    for (keyword, what) in draft.schema_keywords() {
        let Some(value) = schema.get(keyword) else { continue };
        let pointer = below(pointer, keyword);
        match (what, value) {
            (Below::Schema, value) => {
                found.insert(pointer, value);
            }
            (Below::Properties, Json::Object(entries)) => {
                found.extend(entries.iter().map(|(name, schema)| (below(&pointer, name), schema)));
            }
            (Below::Items, Json::Array(items)) => {
                found.extend(items.iter().enumerate().map(|(index, schema)| (format!("{pointer}/{index}"), schema)));
            }
            _ => {}
        }
    }
    found
}

fn text<'s>(schema: &'s Map<String, Json>, keyword: &str) -> Option<&'s str> {
    schema.get(keyword).and_then(Json::as_str)
}

/// The identifier of a schema without its fragment, if it has one.
fn id(draft: Draft, schema: &Map<String, Json>) -> Option<&str> {
    if draft < Draft::Y2019 && schema.contains_key("$ref") {
        return None;
    }
    text(schema, draft.id()).map(|id| split(id).0).filter(|id| !id.is_empty())
}
