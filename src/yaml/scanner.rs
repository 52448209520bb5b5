//! Text to tokens: indentation, simple keys and indicators. Scalars are in `scalars`, tags and directives in `tags`.
//!
//! Mirrors `scannerc.go` of go.yaml.in/yaml/v2 2.4.4.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::yaml::cursor::{Cursor, Mark, characters};
use crate::yaml::fault::place;
use crate::yaml::{Fault, MAX_DEPTH};

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::yaml) enum Kind<'a> {
    StreamEnd,
    /// `%YAML 1.1`
    Version(u8, u8),
    /// `%TAG handle prefix`
    TagDirective(&'a str, Cow<'a, str>),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    /// Handle and suffix; the handle is empty where the suffix is the whole tag.
    Tag(&'a str, Cow<'a, str>),
    /// A scalar's text, and whether it is plain.
    Scalar(Cow<'a, str>, bool),
}

/// A token and where it is.
#[derive(Clone, Debug)]
pub(in crate::yaml) struct Token<'a> {
    pub(in crate::yaml) kind: Kind<'a>,
    pub(in crate::yaml) start: Mark,
    pub(in crate::yaml) end: Mark,
    /// The flow level whose simple key may start with this token.
    key_level: Option<usize>,
}

/// A place where a key without `?` may have started; there is one for each flow level.
#[derive(Clone, Copy, Debug, Default)]
struct SimpleKey {
    possible: bool,
    /// Whether a `:` must follow: it starts where the keys of the enclosing block mapping start.
    required: bool,
    /// Number of the token it starts with.
    token: usize,
    mark: Mark,
}

/// How many characters a simple key may have.
const SIMPLE_KEY_MAX: usize = 1024;

pub(in crate::yaml) struct Scanner<'a> {
    pub(in crate::yaml) cursor: Cursor<'a>,
    queue: VecDeque<Token<'a>>,
    /// How many tokens have been taken from the queue.
    taken: usize,
    /// Whether the first token of the queue can no longer become a key.
    settled: bool,
    /// Column of the current block collection; `None` outside of any.
    pub(in crate::yaml) indent: Option<usize>,
    indents: Vec<Option<usize>>,
    simple_keys: Vec<SimpleKey>,
    pub(in crate::yaml) simple_key_allowed: bool,
    /// The flow level of the simple key that the next token starts.
    starts_key: Option<usize>,
}

impl<'a> Scanner<'a> {
    pub(in crate::yaml) fn new(text: &'a str) -> Self {
        Self {
            cursor: Cursor::new(text),
            queue: VecDeque::new(),
            taken: 0,
            settled: false,
            indent: None,
            indents: Vec::new(),
            simple_keys: vec![SimpleKey::default()],
            simple_key_allowed: true,
            starts_key: None,
        }
    }

    /// The next token, which stays the next one. After the end of the stream it is that end again.
    pub(in crate::yaml) fn peek(&mut self) -> Result<&Token<'a>, Box<Fault>> {
        if !self.settled {
            self.fill()?;
            self.settled = true;
        }
        self.queue.front().ok_or_else(|| Box::new(Fault::Control))
    }

    /// Takes the token that `peek` showed.
    pub(in crate::yaml) fn take(&mut self) -> Result<Token<'a>, Box<Fault>> {
        self.peek()?;
        self.settled = false;
        self.taken += 1;
        self.queue.pop_front().ok_or_else(|| Box::new(Fault::Control))
    }

    /// Whether scanning is inside `[]` or `{}`.
    pub(in crate::yaml) fn in_flow(&self) -> bool {
        self.simple_keys.len() > 1
    }

    /// The error `problem` at this position.
    pub(in crate::yaml) fn fault<T>(&self, problem: &'static str) -> Result<T, Box<Fault>> {
        // A fault so near to where the readable text ends is one of the rest of the text.
        self.cursor.require(2)?;
        Err(Box::new(Fault::scanner(problem, self.cursor.mark())))
    }

    /// Scans until the first token of the queue is certain.
    fn fill(&mut self) -> Result<(), Box<Fault>> {
        loop {
            if let Some(first) = self.queue.front() {
                let Some(level) = first.key_level else { return Ok(()) };
                let key = self.simple_keys.get(level).copied().unwrap_or_default();
                if !key.possible || key.token != self.taken || !self.is_valid_key(level)? {
                    return Ok(());
                }
            }
            self.scan()?;
        }
    }

    fn is_valid_key(&mut self, level: usize) -> Result<bool, Box<Fault>> {
        let here = self.cursor.mark();
        let key = self.simple_keys.get(level).copied().unwrap_or_default();
        if !key.possible {
            return Ok(false);
        }
        let fits = key.mark.line == here.line
            && (here.offset - key.mark.offset <= SIMPLE_KEY_MAX
                || characters(self.cursor.slice(key.mark.offset, here.offset).as_bytes()) <= SIMPLE_KEY_MAX);
        if fits {
            return Ok(true);
        }
        if key.required {
            return self.fault("could not find expected ':'");
        }
        if let Some(key) = self.simple_keys.get_mut(level) {
            key.possible = false;
        }
        Ok(false)
    }

    fn save_simple_key(&mut self) -> Result<(), Box<Fault>> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let required = !self.in_flow() && self.indent == Some(self.cursor.column());
        self.forget_simple_key()?;
        let key =
            SimpleKey { possible: true, required, token: self.taken + self.queue.len(), mark: self.cursor.mark() };
        self.starts_key = Some(self.simple_keys.len() - 1);
        if let Some(last) = self.simple_keys.last_mut() {
            *last = key;
        }
        Ok(())
    }

    fn forget_simple_key(&mut self) -> Result<(), Box<Fault>> {
        match self.simple_keys.last_mut() {
            Some(key) if key.possible && key.required => self.fault("could not find expected ':'"),
            Some(key) => {
                key.possible = false;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn push(&mut self, kind: Kind<'a>, start: Mark) {
        let token = Token { kind, start, end: self.cursor.mark(), key_level: self.starts_key.take() };
        self.queue.push_back(token);
    }

    /// Scans one token of `width` ASCII characters.
    fn push_indicator(&mut self, kind: Kind<'a>, width: usize) {
        let start = self.cursor.mark();
        self.cursor.advance(width);
        self.push(kind, start);
    }

    /// Opens a block collection at `mark`, if it is further right than the current one. Its token goes before token number
    /// `before`, or to the end of the queue.
    fn open_block(&mut self, mark: Mark, kind: Kind<'a>, before: Option<usize>) -> Result<(), Box<Fault>> {
        if self.in_flow() || self.indent >= Some(mark.column) {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = Some(mark.column);
        if self.indents.len() > MAX_DEPTH {
            return Err(Box::new(Fault::Depth { place: place(self.cursor.mark(), self.cursor.mark()) }));
        }
        self.insert(kind, mark, before);
        Ok(())
    }

    fn insert(&mut self, kind: Kind<'a>, mark: Mark, before: Option<usize>) {
        let token = Token { kind, start: mark, end: mark, key_level: None };
        // Where the token has been taken already, the original puts this one at the end too.
        let position = before.and_then(|number| number.checked_sub(self.taken));
        self.queue.insert(position.unwrap_or(usize::MAX).min(self.queue.len()), token);
    }

    /// Closes the block collections that are further right than `column`; all of them for `None`.
    fn close_blocks(&mut self, column: Option<usize>) {
        if self.in_flow() {
            return;
        }
        while self.indent > column {
            self.insert(Kind::BlockEnd, self.cursor.mark(), None);
            self.indent = self.indents.pop().flatten();
        }
    }

    fn scan(&mut self) -> Result<(), Box<Fault>> {
        self.skip_to_token()?;
        self.close_blocks(Some(self.cursor.column()));
        self.cursor.require(4)?;
        if self.cursor.at_end() {
            return self.scan_end();
        }
        if self.cursor.column() == 0 && self.cursor.peek(0) == b'%' {
            return self.scan_directive();
        }
        if self.cursor.at_document_indicator() {
            return self.scan_document_indicator();
        }
        let flow = self.in_flow();
        let followed = self.cursor.is_blank_or_end(1);
        match self.cursor.peek(0) {
            b'[' => self.scan_flow_start(Kind::FlowSequenceStart),
            b'{' => self.scan_flow_start(Kind::FlowMappingStart),
            b']' => self.scan_flow_end(Kind::FlowSequenceEnd),
            b'}' => self.scan_flow_end(Kind::FlowMappingEnd),
            b',' => self.scan_flow_entry(),
            b'-' if followed => self.scan_block_entry(),
            b'?' if flow || followed => self.scan_key(),
            b':' if flow || followed => self.scan_value(),
            b'*' | b'&' => self.scan_named(),
            b'!' => self.scan_tagged(),
            b'|' | b'>' if !flow => self.scan_block_scalar(),
            b'\'' | b'"' => self.scan_flow_scalar(),
            b'#' | b'|' | b'>' | b'%' | b'@' | b'`' | b'\t' => {
                self.fault("found character that cannot start any token")
            }
            _ => self.scan_plain_scalar(),
        }
    }

    /// Moves over white space, comments and line breaks. A tab may not stand where a key could start: it would be
    /// indentation.
    fn skip_to_token(&mut self) -> Result<(), Box<Fault>> {
        loop {
            self.cursor.require(1)?;
            self.cursor.skip_second_mark();
            let tabs = self.in_flow() || !self.simple_key_allowed;
            let blank = |b: &&u8| **b == b' ' || tabs && **b == b'\t';
            let width = self.cursor.rest().iter().take_while(blank).count();
            self.cursor.advance(width);
            self.cursor.skip_comment();
            self.cursor.require(1)?;
            if self.cursor.take_break().is_none() {
                return Ok(());
            }
            if !self.in_flow() {
                self.simple_key_allowed = true;
            }
        }
    }

    fn scan_end(&mut self) -> Result<(), Box<Fault>> {
        self.cursor.close_line();
        self.close_blocks(None);
        self.forget_simple_key()?;
        self.simple_key_allowed = false;
        self.push(Kind::StreamEnd, self.cursor.mark());
        Ok(())
    }

    fn scan_directive(&mut self) -> Result<(), Box<Fault>> {
        self.close_blocks(None);
        self.forget_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let kind = self.directive()?;
        self.push(kind, start);
        Ok(())
    }

    fn scan_document_indicator(&mut self) -> Result<(), Box<Fault>> {
        self.close_blocks(None);
        self.forget_simple_key()?;
        self.simple_key_allowed = false;
        let kind = if self.cursor.peek(0) == b'-' { Kind::DocumentStart } else { Kind::DocumentEnd };
        self.push_indicator(kind, 3);
        Ok(())
    }

    fn scan_flow_start(&mut self, kind: Kind<'a>) -> Result<(), Box<Fault>> {
        self.save_simple_key()?;
        // The start of the flow collection, which may itself be a key of the level outside.
        let token = self.taken + self.queue.len();
        self.simple_keys.push(SimpleKey { token, ..SimpleKey::default() });
        if self.simple_keys.len() > MAX_DEPTH {
            return Err(Box::new(Fault::Depth { place: place(self.cursor.mark(), self.cursor.mark()) }));
        }
        self.simple_key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn scan_flow_end(&mut self, kind: Kind<'a>) -> Result<(), Box<Fault>> {
        self.forget_simple_key()?;
        if self.in_flow()
            && let Some(key) = self.simple_keys.pop()
            && let Some(position) = key.token.checked_sub(self.taken)
            && let Some(token) = self.queue.get_mut(position)
        {
            // Nothing waits any more for this token to become a key. An empty collection has no keys inside, and so this
            // is its own start: the original never takes `[]` for a key.
            token.key_level = None;
        }
        self.simple_key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn scan_flow_entry(&mut self) -> Result<(), Box<Fault>> {
        self.forget_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(Kind::FlowEntry, 1);
        Ok(())
    }

    fn scan_block_entry(&mut self) -> Result<(), Box<Fault>> {
        if !self.in_flow() {
            if !self.simple_key_allowed {
                return self.fault("block sequence entries are not allowed in this context");
            }
            self.open_block(self.cursor.mark(), Kind::BlockSequenceStart, None)?;
        }
        self.forget_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(Kind::BlockEntry, 1);
        Ok(())
    }

    fn scan_key(&mut self) -> Result<(), Box<Fault>> {
        if !self.in_flow() {
            if !self.simple_key_allowed {
                return self.fault("mapping keys are not allowed in this context");
            }
            self.open_block(self.cursor.mark(), Kind::BlockMappingStart, None)?;
        }
        self.forget_simple_key()?;
        self.simple_key_allowed = !self.in_flow();
        self.push_indicator(Kind::Key, 1);
        Ok(())
    }

    fn scan_value(&mut self) -> Result<(), Box<Fault>> {
        let level = self.simple_keys.len() - 1;
        let key = self.simple_keys.get(level).copied().unwrap_or_default();
        if self.is_valid_key(level)? {
            self.insert(Kind::Key, key.mark, Some(key.token));
            self.open_block(key.mark, Kind::BlockMappingStart, Some(key.token))?;
            if let Some(key) = self.simple_keys.last_mut() {
                key.possible = false;
            }
            self.simple_key_allowed = false;
        } else {
            if !self.in_flow() {
                if !self.simple_key_allowed {
                    return self.fault("mapping values are not allowed in this context");
                }
                self.open_block(self.cursor.mark(), Kind::BlockMappingStart, None)?;
            }
            self.simple_key_allowed = !self.in_flow();
        }
        self.push_indicator(Kind::Value, 1);
        Ok(())
    }

    /// An anchor or an alias.
    fn scan_named(&mut self) -> Result<(), Box<Fault>> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let is_alias = self.cursor.peek(0) == b'*';
        let name = self.anchor_name()?;
        self.push(if is_alias { Kind::Alias(name) } else { Kind::Anchor(name) }, start);
        Ok(())
    }

    fn scan_tagged(&mut self) -> Result<(), Box<Fault>> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let kind = self.tag()?;
        self.push(kind, start);
        Ok(())
    }

    fn scan_block_scalar(&mut self) -> Result<(), Box<Fault>> {
        self.forget_simple_key()?;
        self.simple_key_allowed = true;
        let start = self.cursor.mark();
        let value = self.block_scalar()?;
        self.push(Kind::Scalar(Cow::Owned(value), false), start);
        Ok(())
    }

    fn scan_flow_scalar(&mut self) -> Result<(), Box<Fault>> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let value = self.flow_scalar()?;
        self.push(Kind::Scalar(value, false), start);
        Ok(())
    }

    fn scan_plain_scalar(&mut self) -> Result<(), Box<Fault>> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let (value, end) = self.plain_scalar()?;
        let key_level = self.starts_key.take();
        self.queue.push_back(Token { kind: Kind::Scalar(value, true), start, end, key_level });
        Ok(())
    }
}
