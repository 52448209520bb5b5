//! A tree to nodes: aliases and merges applied, scalars resolved.
//!
//! Mirrors the second half of `decode.go` of go.yaml.in/yaml/v2 2.4.4, for a target of any type.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::diagnostic::Place;
use crate::value::{Str, meter};
use crate::yaml::go_syntax::go_syntax;
use crate::yaml::resolve::{Meaning, is_timestamp, resolve};
use crate::yaml::tree::{Content, Index, ROOT, RawNode, Tree};
use crate::yaml::{Fault, MAX_DEPTH, Node, NodeValue};

/// Aliases may make up 99 % of so many visits of nodes.
const FEW_VISITS: u32 = 400_000;
/// Of so many, aliases may make up 10 %.
const MANY_VISITS: u32 = 4_000_000;
/// How many bytes of text aliases may repeat. The original shares text and needs no such limit.
const MAX_REPEATED: usize = 64 << 20;

/// What a node takes, without the text of a scalar.
const NODE: usize = size_of::<Node>();

/// Go's `base64.StdEncoding`: padding is needed, leftover bits are ignored.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Turns a tree into nodes.
pub(in crate::yaml) struct Composer<'t, 'a> {
    tree: &'t Tree<'a>,
    visits: u32,
    alias_visits: u32,
    /// Aliases being followed.
    following: BTreeSet<Index>,
    /// Bytes of text that aliases have repeated.
    repeated: usize,
    depth: usize,
}

impl<'t, 'a> Composer<'t, 'a> {
    /// The document's root node.
    pub(in crate::yaml) fn compose(tree: &'t Tree<'a>) -> Result<Node, Box<Fault>> {
        // The document itself is the first visit.
        let mut composer = Self { tree, visits: 1, alias_visits: 0, following: BTreeSet::new(), repeated: 0, depth: 0 };
        composer.node(ROOT)
    }

    fn node(&mut self, index: Index) -> Result<Node, Box<Fault>> {
        let Some(raw) = self.visit(index)? else { return Ok(Node::null()) };
        let place = raw.place;
        let value = match &raw.content {
            Content::Alias(target, name) => {
                self.follow(index, name, place)?;
                let node = self.node(*target)?;
                self.following.remove(&index);
                node.value
            }
            Content::Scalar(text, plain) => self.scalar(text, *plain, raw)?,
            Content::Sequence(first) => {
                self.descend(place)?;
                let items = self.tree.siblings(*first).map(|item| self.node(item)).collect::<Result<_, _>>()?;
                self.depth -= 1;
                NodeValue::Sequence(items)
            }
            Content::Mapping(first) => {
                let mut entries = Vec::new();
                self.mapping(*first, place, &mut entries)?;
                drop_overridden(&mut entries);
                NodeValue::Mapping(entries)
            }
        };
        Ok(Node { value, place })
    }

    /// Counts a visit of a node; too many by way of aliases are refused.
    fn visit(&mut self, index: Index) -> Result<Option<&'t RawNode<'a>>, Box<Fault>> {
        let raw = self.tree.node(index);
        self.visits = self.visits.saturating_add(1);
        let nodes = usize::try_from(self.visits).unwrap_or(usize::MAX);
        if !meter::visit(nodes.saturating_mul(NODE).saturating_add(self.repeated)) {
            return Err(Box::new(Fault::TooLarge));
        }
        if !self.following.is_empty() {
            self.alias_visits = self.alias_visits.saturating_add(1);
            let ratio = f64::from(self.alias_visits) / f64::from(self.visits);
            if self.alias_visits > 100 && self.visits > 1000 && ratio > allowed_ratio(self.visits) {
                return too_many_aliases(raw);
            }
        }
        Ok(raw)
    }

    /// Enters a collection; the caller leaves it by `depth -= 1`.
    fn descend(&mut self, place: Place) -> Result<(), Box<Fault>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Box::new(Fault::Depth { place })) } else { Ok(()) }
    }

    fn follow(&mut self, index: Index, name: &str, place: Place) -> Result<(), Box<Fault>> {
        if self.following.insert(index) {
            Ok(())
        } else {
            Err(Box::new(Fault::Recursive { name: name.to_owned(), place }))
        }
    }

    /// Adds a mapping's entries to `entries`, where later ones override earlier ones.
    fn mapping(
        &mut self,
        first: Option<Index>,
        place: Place,
        entries: &mut Vec<(Node, Node)>,
    ) -> Result<(), Box<Fault>> {
        self.descend(place)?;
        let mut children = self.tree.siblings(first);
        while let (Some(key), Some(value)) = (children.next(), children.next()) {
            if self.tree.node(key).is_some_and(is_merge) {
                self.merge(value, entries)?;
                continue;
            }
            let key = self.node(key)?;
            if matches!(key.value, NodeValue::Sequence(_) | NodeValue::Mapping(_)) {
                return Err(Box::new(Fault::Key { key: go_syntax(&key.value), place: key.place }));
            }
            let value = self.node(value)?;
            entries.push((key, value));
        }
        self.depth -= 1;
        Ok(())
    }

    /// Adds the entries of the value of `<<`. The first mapping of a list overrides the others, so it comes last.
    fn merge(&mut self, value: Index, entries: &mut Vec<(Node, Node)>) -> Result<(), Box<Fault>> {
        let Some(raw) = self.tree.node(value) else { return Ok(()) };
        let Content::Sequence(first) = raw.content else { return self.merge_one(value, entries) };
        let mut items: Vec<Index> = self.tree.siblings(first).collect();
        items.reverse();
        items.into_iter().try_for_each(|item| self.merge_one(item, entries))
    }

    fn merge_one(&mut self, index: Index, entries: &mut Vec<(Node, Node)>) -> Result<(), Box<Fault>> {
        let Some(raw) = self.tree.node(index) else { return Ok(()) };
        match raw.content {
            Content::Mapping(first) => {
                self.visit(index)?;
                self.mapping(first, raw.place, entries)
            }
            Content::Alias(target, name) => {
                let Some(Content::Mapping(first)) = self.tree.node(target).map(|raw| &raw.content) else {
                    return Err(Box::new(Fault::Merge { place: raw.place }));
                };
                self.visit(index)?;
                self.follow(index, name, raw.place)?;
                self.visit(target)?;
                self.mapping(*first, raw.place, entries)?;
                self.following.remove(&index);
                Ok(())
            }
            Content::Scalar(..) | Content::Sequence(_) => Err(Box::new(Fault::Merge { place: raw.place })),
        }
    }

    fn scalar(&mut self, text: &str, plain: bool, raw: &RawNode<'_>) -> Result<NodeValue, Box<Fault>> {
        if !self.following.is_empty() {
            self.repeated += text.len();
            if self.repeated > MAX_REPEATED {
                return too_many_aliases(Some(raw));
            }
        }
        match &raw.tag {
            Some(tag) => tagged(tag, text, raw.place),
            None if plain => Ok(value_of(resolve(text), text)),
            None => Ok(NodeValue::String(text.to_owned())),
        }
    }
}

fn too_many_aliases<T>(raw: Option<&RawNode<'_>>) -> Result<T, Box<Fault>> {
    let place = raw.map_or(Place { line: 1, column: 1, width: 1 }, |raw| raw.place);
    Err(Box::new(Fault::Aliasing { place }))
}

fn allowed_ratio(visits: u32) -> f64 {
    match visits {
        0..=FEW_VISITS => 0.99,
        MANY_VISITS.. => 0.10,
        _ => 0.99 - 0.89 * (f64::from(visits - FEW_VISITS) / f64::from(MANY_VISITS - FEW_VISITS)),
    }
}

/// Whether a key is the merge key: `<<` without quotes, or with a tag that says so.
fn is_merge(raw: &RawNode<'_>) -> bool {
    let Content::Scalar(text, plain) = &raw.content else { return false };
    text == "<<" && raw.tag.as_deref().map_or(*plain, |tag| matches!(tag, "!" | "tag:yaml.org,2002:merge"))
}

fn value_of(meaning: Meaning, text: &str) -> NodeValue {
    match meaning {
        Meaning::Null => NodeValue::Null,
        Meaning::Bool(bool) => NodeValue::Bool(bool),
        Meaning::Int(int) => NodeValue::Int(int),
        Meaning::Uint(uint) => NodeValue::Uint(uint),
        Meaning::Float(float) => NodeValue::Float(float),
        Meaning::String => NodeValue::String(text.to_owned()),
    }
}

/// A scalar with a tag. Tags that are not YAML's own make it a string.
fn tagged(tag: &str, text: &str, place: Place) -> Result<NodeValue, Box<Fault>> {
    let wanted = match tag.strip_prefix("tag:yaml.org,2002:") {
        Some("binary") => return binary(text, place),
        Some(wanted @ ("bool" | "int" | "float" | "null" | "timestamp")) => format!("!!{wanted}"),
        _ => return Ok(NodeValue::String(text.to_owned())),
    };
    let meaning = resolve(text);
    match meaning {
        Meaning::Int(int) if wanted == "!!float" => {
            #[expect(clippy::cast_precision_loss, reason = "Go's float64(int) rounds as well")]
            let float = int as f64;
            Ok(NodeValue::Float(float))
        }
        _ if meaning.tag() == wanted => Ok(value_of(meaning, text)),
        _ if wanted == "!!timestamp" && is_timestamp(text) => Ok(NodeValue::String(text.to_owned())),
        _ => Err(Box::new(Fault::Tag { found: meaning.tag(), text: text.to_owned(), wanted, place })),
    }
}

fn binary(text: &str, place: Place) -> Result<NodeValue, Box<Fault>> {
    let digits: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match BASE64.decode(digits) {
        Ok(bytes) => Ok(NodeValue::String(Str::from(bytes).to_text().into_owned())),
        Err(_) => Err(Box::new(Fault::Binary { place })),
    }
}

/// Up to so many keys are compared each with each.
const FEW_KEYS: usize = 12;

/// Keeps the last of the entries with equal keys.
fn drop_overridden(entries: &mut Vec<(Node, Node)>) {
    let is_later_equal = |(index, (key, _)): (usize, &(Node, Node))| {
        entries.iter().skip(index + 1).any(|(later, _)| compare_keys(&key.value, &later.value) == Ordering::Equal)
    };
    if entries.len() <= FEW_KEYS && !entries.iter().enumerate().any(is_later_equal) {
        return;
    }
    let mut order: Vec<usize> = (0..entries.len()).collect();
    let key = |index: &usize| entries.get(*index).map(|(key, _)| &key.value);
    // A stable sort: of equal keys the later one comes later.
    order.sort_by(|a, b| match (key(a), key(b)) {
        (Some(a), Some(b)) => compare_keys(a, b),
        _ => Ordering::Equal,
    });
    let mut overridden: Vec<usize> = order
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] if compare_keys(key(a)?, key(b)?) == Ordering::Equal => Some(*a),
            _ => None,
        })
        .collect();
    if overridden.is_empty() {
        return;
    }
    overridden.sort_unstable();
    let mut index = 0;
    entries.retain(|_| {
        let keep = overridden.binary_search(&index).is_err();
        index += 1;
        keep
    });
}

/// A total order in which keys are equal where Go's map takes them for equal.
fn compare_keys(a: &NodeValue, b: &NodeValue) -> Ordering {
    match (a, b) {
        (NodeValue::String(a), NodeValue::String(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        (NodeValue::Bool(a), NodeValue::Bool(b)) => a.cmp(b),
        (NodeValue::Int(a), NodeValue::Int(b)) => a.cmp(b),
        (NodeValue::Uint(a), NodeValue::Uint(b)) => a.cmp(b),
        // Both zeros are equal.
        (NodeValue::Float(a), NodeValue::Float(b)) => (a + 0.0).total_cmp(&(b + 0.0)),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &NodeValue) -> u8 {
    match value {
        NodeValue::Null => 0,
        NodeValue::Bool(_) => 1,
        NodeValue::Int(_) => 2,
        NodeValue::Uint(_) => 3,
        NodeValue::Float(_) => 4,
        NodeValue::String(_) => 5,
        NodeValue::Sequence(_) => 6,
        NodeValue::Mapping(_) => 7,
    }
}
