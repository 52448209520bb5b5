//! Tokens to events: the grammar.
//!
//! Mirrors `parserc.go` of go.yaml.in/yaml/v2 2.4.4.

use std::borrow::Cow;

use crate::yaml::Fault;
use crate::yaml::cursor::Mark;
use crate::yaml::scanner::{Kind, Scanner};

/// What the text consists of. A scalar or collection comes with its anchor and tag.
#[derive(Debug)]
pub(in crate::yaml) enum Event<'a> {
    Scalar {
        value: Cow<'a, str>,
        plain: bool,
        properties: Properties<'a>,
    },
    SequenceStart(Properties<'a>),
    MappingStart(Properties<'a>),
    /// The end of the innermost collection.
    End,
    Alias(&'a str),
}

/// What stands before a node.
#[derive(Debug, Default)]
pub(in crate::yaml) struct Properties<'a> {
    pub(in crate::yaml) anchor: Option<&'a str>,
    pub(in crate::yaml) tag: Option<Box<str>>,
}

/// An event and where it is.
#[derive(Debug)]
pub(in crate::yaml) struct Placed<'a> {
    pub(in crate::yaml) event: Event<'a>,
    pub(in crate::yaml) start: Mark,
    pub(in crate::yaml) end: Mark,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceEntry,
    IndentlessEntry,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceFirst,
    FlowSequenceEntry,
    PairKey,
    PairValue,
    PairEnd,
    FlowMappingFirst,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingNoValue,
}

/// Where a node stands; it decides which collections may start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Block,
    /// In a block mapping, where a sequence needs no further indentation.
    BlockOrIndentless,
    Flow,
}

pub(in crate::yaml) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    /// What follows the nodes that are open.
    states: Vec<State>,
    /// Handles and prefixes.
    tag_directives: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

type Outcome<'a> = Result<Placed<'a>, Box<Fault>>;

impl<'a> Parser<'a> {
    /// Begins the first document of `text`; `None` if there is none.
    pub(in crate::yaml) fn new(text: &'a str) -> Result<Option<Self>, Box<Fault>> {
        let mut parser = Self {
            scanner: Scanner::new(text),
            state: State::BlockNode,
            states: vec![State::DocumentEnd],
            tag_directives: Vec::new(),
        };
        let begins =
            matches!(parser.scanner.peek()?.kind, Kind::Version(..) | Kind::TagDirective(..) | Kind::DocumentStart);
        if matches!(parser.scanner.peek()?.kind, Kind::StreamEnd) {
            return Ok(None);
        }
        parser.directives()?;
        if begins {
            let token = parser.scanner.peek()?;
            if token.kind != Kind::DocumentStart {
                return Err(Box::new(Fault::parser("did not find expected <document start>", token.start)));
            }
            parser.scanner.take()?;
            parser.state = State::DocumentContent;
        }
        Ok(Some(parser))
    }

    fn directives(&mut self) -> Result<(), Box<Fault>> {
        let mut version_seen = false;
        loop {
            let token = self.scanner.peek()?;
            let start = token.start;
            let fault = |problem| Err(Box::new(Fault::parser(problem, start)));
            match &token.kind {
                Kind::Version(..) if version_seen => return fault("found duplicate %YAML directive"),
                Kind::Version(1, 1) => version_seen = true,
                Kind::Version(..) => return fault("found incompatible YAML document"),
                Kind::TagDirective(handle, prefix) => {
                    if self.tag_directives.iter().any(|(known, _)| known == handle) {
                        return fault("found duplicate %TAG directive");
                    }
                    self.tag_directives.push((Cow::Borrowed(handle), prefix.clone()));
                }
                _ => break,
            }
            self.scanner.take()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tag_directives.iter().any(|(known, _)| known == handle) {
                self.tag_directives.push((Cow::Borrowed(handle), Cow::Borrowed(prefix)));
            }
        }
        Ok(())
    }

    /// Reads what ends the document: what follows its root node, whatever it is, as far as one token.
    pub(in crate::yaml) fn finish(&mut self) -> Result<(), Box<Fault>> {
        self.scanner.peek().map(|_| ())
    }

    /// The next event.
    pub(in crate::yaml) fn next_event(&mut self) -> Outcome<'a> {
        match self.state {
            State::DocumentContent => self.document_content(),
            State::BlockNode | State::DocumentEnd => self.node(Context::Block),
            State::BlockSequenceEntry => self.block_sequence_entry(),
            State::IndentlessEntry => self.indentless_entry(),
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceFirst | State::FlowSequenceEntry => self.flow_sequence_entry(),
            State::PairKey => self.pair_key(),
            State::PairValue => self.pair_value(),
            State::PairEnd => self.pair_end(),
            State::FlowMappingFirst | State::FlowMappingKey => self.flow_mapping_key(),
            State::FlowMappingValue => self.flow_mapping_value(),
            State::FlowMappingNoValue => {
                let start = self.scanner.peek()?.start;
                Ok(self.empty(State::FlowMappingKey, start))
            }
        }
    }

    fn document_content(&mut self) -> Outcome<'a> {
        let token = self.scanner.peek()?;
        let start = token.start;
        match token.kind {
            Kind::Version(..) | Kind::TagDirective(..) | Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd => {
                Ok(self.empty(State::DocumentEnd, start))
            }
            _ => self.node(Context::Block),
        }
    }

    /// A node that is not there: an empty plain scalar.
    fn empty(&mut self, next: State, mark: Mark) -> Placed<'a> {
        self.state = next;
        let event = Event::Scalar { value: Cow::Borrowed(""), plain: true, properties: Properties::default() };
        Placed { event, start: mark, end: mark }
    }

    fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::DocumentEnd);
    }

    /// The node comes next, and after it `then`.
    fn node_then(&mut self, then: State, context: Context) -> Outcome<'a> {
        self.states.push(then);
        self.node(context)
    }

    fn node(&mut self, context: Context) -> Outcome<'a> {
        let start = self.scanner.peek()?.start;
        if let Kind::Alias(name) = self.scanner.peek()?.kind {
            let token = self.scanner.take()?;
            self.pop_state();
            return Ok(Placed { event: Event::Alias(name), start, end: token.end });
        }
        let (properties, properties_end) = self.properties(start)?;
        let token = self.scanner.peek()?;
        let (end, token_start) = (token.end, token.start);
        let block = context != Context::Flow;
        let (event, state) = match token.kind {
            Kind::BlockEntry if context == Context::BlockOrIndentless => {
                (Event::SequenceStart(properties), State::IndentlessEntry)
            }
            Kind::Scalar(..) => return self.scalar(start, properties),
            Kind::FlowSequenceStart => (Event::SequenceStart(properties), State::FlowSequenceFirst),
            Kind::FlowMappingStart => (Event::MappingStart(properties), State::FlowMappingFirst),
            Kind::BlockSequenceStart if block => (Event::SequenceStart(properties), State::BlockSequenceEntry),
            Kind::BlockMappingStart if block => (Event::MappingStart(properties), State::BlockMappingKey),
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                self.pop_state();
                let event = Event::Scalar { value: Cow::Borrowed(""), plain: true, properties };
                return Ok(Placed { event, start, end: properties_end });
            }
            _ => {
                let fault = Fault::parser("did not find expected node content", token_start);
                return Err(Box::new(fault));
            }
        };
        self.state = state;
        if state != State::IndentlessEntry {
            self.scanner.take()?;
        }
        Ok(Placed { event, start, end })
    }

    fn scalar(&mut self, start: Mark, properties: Properties<'a>) -> Outcome<'a> {
        let token = self.scanner.take()?;
        self.pop_state();
        let Kind::Scalar(value, plain) = token.kind else {
            return Err(Box::new(Fault::parser("did not find expected node content", token.start)));
        };
        Ok(Placed { event: Event::Scalar { value, plain, properties }, start, end: token.end })
    }

    /// Anchor and tag, in either order, and where they end.
    fn properties(&mut self, start: Mark) -> Result<(Properties<'a>, Mark), Box<Fault>> {
        let mut properties = Properties::default();
        let mut end = start;
        for _ in 0..2 {
            match self.scanner.peek()?.kind {
                Kind::Anchor(name) if properties.anchor.is_none() => properties.anchor = Some(name),
                Kind::Tag(..) if properties.tag.is_none() => {}
                _ => break,
            }
            let token = self.scanner.take()?;
            end = token.end;
            if let Kind::Tag(handle, suffix) = token.kind {
                properties.tag = Some(self.full_tag(handle, &suffix, token.start)?);
            }
        }
        // An empty tag is none.
        properties.tag = properties.tag.filter(|tag| !tag.is_empty());
        Ok((properties, end))
    }

    fn full_tag(&self, handle: &str, suffix: &str, mark: Mark) -> Result<Box<str>, Box<Fault>> {
        if handle.is_empty() {
            return Ok(suffix.into());
        }
        match self.tag_directives.iter().find(|(known, _)| known == handle) {
            Some((_, prefix)) => Ok(format!("{prefix}{suffix}").into()),
            None => Err(Box::new(Fault::parser("found undefined tag handle", mark))),
        }
    }

    fn end_collection(&mut self) -> Outcome<'a> {
        let token = self.scanner.take()?;
        self.pop_state();
        Ok(Placed { event: Event::End, start: token.start, end: token.end })
    }

    /// The error that something else than the next token was expected.
    fn unexpected(&mut self, problem: &'static str) -> Outcome<'a> {
        Err(Box::new(Fault::parser(problem, self.scanner.peek()?.start)))
    }

    fn block_sequence_entry(&mut self) -> Outcome<'a> {
        match self.scanner.peek()?.kind {
            Kind::BlockEntry => {
                let mark = self.scanner.take()?.end;
                if matches!(self.scanner.peek()?.kind, Kind::BlockEntry | Kind::BlockEnd) {
                    return Ok(self.empty(State::BlockSequenceEntry, mark));
                }
                self.node_then(State::BlockSequenceEntry, Context::Block)
            }
            Kind::BlockEnd => self.end_collection(),
            _ => self.unexpected("did not find expected '-' indicator"),
        }
    }

    fn indentless_entry(&mut self) -> Outcome<'a> {
        let token = self.scanner.peek()?;
        if token.kind != Kind::BlockEntry {
            let mark = token.start;
            self.pop_state();
            return Ok(Placed { event: Event::End, start: mark, end: mark });
        }
        let mark = self.scanner.take()?.end;
        if matches!(self.scanner.peek()?.kind, Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd) {
            return Ok(self.empty(State::IndentlessEntry, mark));
        }
        self.node_then(State::IndentlessEntry, Context::Block)
    }

    fn block_mapping_key(&mut self) -> Outcome<'a> {
        match self.scanner.peek()?.kind {
            Kind::Key => {
                let mark = self.scanner.take()?.end;
                self.block_mapping_node(State::BlockMappingValue, mark)
            }
            Kind::BlockEnd => self.end_collection(),
            _ => self.unexpected("did not find expected key"),
        }
    }

    fn block_mapping_value(&mut self) -> Outcome<'a> {
        let token = self.scanner.peek()?;
        if token.kind != Kind::Value {
            let mark = token.start;
            return Ok(self.empty(State::BlockMappingKey, mark));
        }
        let mark = self.scanner.take()?.end;
        self.block_mapping_node(State::BlockMappingKey, mark)
    }

    /// A key or value after its indicator, which ends at `mark`.
    fn block_mapping_node(&mut self, then: State, mark: Mark) -> Outcome<'a> {
        if matches!(self.scanner.peek()?.kind, Kind::Key | Kind::Value | Kind::BlockEnd) {
            return Ok(self.empty(then, mark));
        }
        self.node_then(then, Context::BlockOrIndentless)
    }

    fn flow_sequence_entry(&mut self) -> Outcome<'a> {
        if self.scanner.peek()?.kind == Kind::FlowSequenceEnd {
            return self.end_collection();
        }
        if self.state != State::FlowSequenceFirst {
            if self.scanner.peek()?.kind != Kind::FlowEntry {
                return self.unexpected("did not find expected ',' or ']'");
            }
            self.scanner.take()?;
        }
        match self.scanner.peek()?.kind {
            Kind::Key => {
                let token = self.scanner.take()?;
                self.state = State::PairKey;
                let event = Event::MappingStart(Properties::default());
                Ok(Placed { event, start: token.start, end: token.end })
            }
            Kind::FlowSequenceEnd => self.end_collection(),
            _ => self.node_then(State::FlowSequenceEntry, Context::Flow),
        }
    }

    fn pair_key(&mut self) -> Outcome<'a> {
        if matches!(self.scanner.peek()?.kind, Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd) {
            let mark = self.scanner.take()?.end;
            return Ok(self.empty(State::PairValue, mark));
        }
        self.node_then(State::PairValue, Context::Flow)
    }

    fn pair_value(&mut self) -> Outcome<'a> {
        let mark = self.scanner.peek()?.start;
        if self.scanner.peek()?.kind == Kind::Value {
            self.scanner.take()?;
            if !matches!(self.scanner.peek()?.kind, Kind::FlowEntry | Kind::FlowSequenceEnd) {
                return self.node_then(State::PairEnd, Context::Flow);
            }
        }
        Ok(self.empty(State::PairEnd, mark))
    }

    fn pair_end(&mut self) -> Outcome<'a> {
        let mark = self.scanner.peek()?.start;
        self.state = State::FlowSequenceEntry;
        Ok(Placed { event: Event::End, start: mark, end: mark })
    }

    fn flow_mapping_key(&mut self) -> Outcome<'a> {
        if self.scanner.peek()?.kind == Kind::FlowMappingEnd {
            return self.end_collection();
        }
        if self.state != State::FlowMappingFirst {
            if self.scanner.peek()?.kind != Kind::FlowEntry {
                return self.unexpected("did not find expected ',' or '}'");
            }
            self.scanner.take()?;
        }
        match self.scanner.peek()?.kind {
            Kind::Key => {
                self.scanner.take()?;
                self.flow_mapping_node(State::FlowMappingValue)
            }
            Kind::FlowMappingEnd => self.end_collection(),
            _ => self.node_then(State::FlowMappingNoValue, Context::Flow),
        }
    }

    fn flow_mapping_value(&mut self) -> Outcome<'a> {
        let token = self.scanner.peek()?;
        if token.kind != Kind::Value {
            let mark = token.start;
            return Ok(self.empty(State::FlowMappingKey, mark));
        }
        self.scanner.take()?;
        self.flow_mapping_node(State::FlowMappingKey)
    }

    /// A key or value after its indicator.
    fn flow_mapping_node(&mut self, then: State) -> Outcome<'a> {
        let token = self.scanner.peek()?;
        let mark = token.start;
        let absent = match token.kind {
            Kind::FlowEntry | Kind::FlowMappingEnd => true,
            Kind::Value => then == State::FlowMappingValue,
            _ => false,
        };
        if absent { Ok(self.empty(then, mark)) } else { self.node_then(then, Context::Flow) }
    }
}
