//! Events to a tree in which aliases point at what they stand for and scalars still have no meaning.
//!
//! Mirrors the first half of `decode.go` of go.yaml.in/yaml/v2 2.4.4.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Place;
use crate::value::meter;
use crate::yaml::Fault;
use crate::yaml::fault::place;
use crate::yaml::parser::{Event, Parser, Placed, Properties};

/// Number of a node in its tree.
pub(in crate::yaml) type Index = u32;

/// A document. The nodes lie in the order of the text, so that a tree of any depth is built and dropped without recursion.
#[derive(Debug, Default)]
pub(in crate::yaml) struct Tree<'a> {
    nodes: Vec<RawNode<'a>>,
}

/// A node as it is written.
#[derive(Debug)]
pub(in crate::yaml) struct RawNode<'a> {
    pub(in crate::yaml) content: Content<'a>,
    pub(in crate::yaml) tag: Option<Box<str>>,
    pub(in crate::yaml) place: Place,
    /// The next node of the same collection.
    pub(in crate::yaml) next: Option<Index>,
}

/// What a node is.
#[derive(Debug)]
pub(in crate::yaml) enum Content<'a> {
    /// A scalar's text, and whether it is plain.
    Scalar(Cow<'a, str>, bool),
    /// The first of its items.
    Sequence(Option<Index>),
    /// The first of its keys and values, which alternate.
    Mapping(Option<Index>),
    /// What it stands for, and the anchor's name.
    Alias(Index, &'a str),
}

/// The root is the first node.
pub(in crate::yaml) const ROOT: Index = 0;

/// A collection whose end has not been reached.
struct Open {
    index: Index,
    last: Option<Index>,
}

impl<'a> Tree<'a> {
    /// The first document of `text`; `None` if there is none.
    pub(in crate::yaml) fn read(text: &'a str) -> Result<Option<Self>, Box<Fault>> {
        let Some(mut parser) = Parser::new(text)? else { return Ok(None) };
        let mut tree = Self::default();
        let mut anchors = BTreeMap::new();
        let mut open: Vec<Open> = Vec::new();
        loop {
            let Placed { event, start, end } = parser.next_event()?;
            let (content, properties, opens) = match event {
                Event::Scalar { value, plain, properties } => (Content::Scalar(value, plain), properties, false),
                Event::SequenceStart(properties) => (Content::Sequence(None), properties, true),
                Event::MappingStart(properties) => (Content::Mapping(None), properties, true),
                Event::Alias(name) => {
                    let Some(target) = anchors.get(name) else {
                        let fault = Fault::UnknownAnchor { name: name.to_owned(), place: place(start, end) };
                        return Err(Box::new(fault));
                    };
                    (Content::Alias(*target, name), Properties::default(), false)
                }
                Event::End => {
                    open.pop();
                    if open.is_empty() {
                        break;
                    }
                    continue;
                }
            };
            let node = RawNode { content, tag: properties.tag, place: place(start, end), next: None };
            if !meter::visit(tree.nodes.len().saturating_mul(size_of::<RawNode<'_>>())) {
                return Err(Box::new(Fault::TooLarge));
            }
            let index = tree.add(node, open.last_mut());
            if let Some(name) = properties.anchor {
                anchors.insert(name, index);
            }
            if opens {
                open.push(Open { index, last: None });
            }
            if open.is_empty() {
                break;
            }
        }
        parser.finish()?;
        Ok(Some(tree))
    }

    fn add(&mut self, node: RawNode<'a>, parent: Option<&mut Open>) -> Index {
        let index = Index::try_from(self.nodes.len()).unwrap_or(Index::MAX);
        self.nodes.push(node);
        let Some(parent) = parent else { return index };
        let before = parent.last.replace(index);
        match before.and_then(|before| self.node_mut(before)) {
            Some(sibling) => sibling.next = Some(index),
            None => {
                if let Some(RawNode { content: Content::Sequence(first) | Content::Mapping(first), .. }) =
                    self.node_mut(parent.index)
                {
                    *first = Some(index);
                }
            }
        }
        index
    }

    /// Whether a mapping has two keys with the same text.
    pub(in crate::yaml) fn repeats_keys(&self) -> bool {
        self.nodes.iter().any(|node| {
            let Content::Mapping(first) = node.content else { return false };
            let mut seen = BTreeSet::new();
            let keys = self.siblings(first).step_by(2).filter_map(|key| self.node(key));
            keys.into_iter().any(|key| matches!(&key.content, Content::Scalar(text, _) if !seen.insert(text)))
        })
    }

    fn node_mut(&mut self, index: Index) -> Option<&mut RawNode<'a>> {
        self.nodes.get_mut(usize::try_from(index).ok()?)
    }

    /// A node of this tree.
    pub(in crate::yaml) fn node(&self, index: Index) -> Option<&RawNode<'a>> {
        self.nodes.get(usize::try_from(index).ok()?)
    }

    /// The nodes of a collection, from its first on.
    pub(in crate::yaml) fn siblings(&self, first: Option<Index>) -> impl Iterator<Item = Index> + '_ {
        std::iter::successors(first, |index| self.node(*index)?.next)
    }
}
