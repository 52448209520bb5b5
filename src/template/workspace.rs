//! What is on a parser's bench.

use crate::template::ast::{Code, Command, Expr, Node, Run};
use crate::template::names::Names;
use crate::value::Str;

/// What the parser of one text leaves to that of the next: words that were met, and room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) names: Names,
    /// What is finished of the text.
    pub(crate) code: Code,
    /// What was read of the commands, pipelines and blocks that are open, innermost last.
    pub(crate) words: Vec<Expr>,
    pub(crate) commands: Vec<Command>,
    pub(crate) nodes: Vec<Node>,
}

impl Workspace {
    /// Makes room for `text`, whatever happened to the one before it.
    pub(crate) fn begin(&mut self, text: Str) {
        self.code.clear();
        self.code.text = text;
        self.words.clear();
        self.commands.clear();
        self.nodes.clear();
    }

    /// The words of a command, from the one at `start` on.
    pub(crate) fn close_words(&mut self, start: usize) -> Run<Expr> {
        Run::add(&mut self.code.exprs, self.words.drain(start..))
    }

    /// The commands of a pipeline, from the one at `start` on.
    pub(crate) fn close_commands(&mut self, start: usize) -> Run<Command> {
        Run::add(&mut self.code.commands, self.commands.drain(start..))
    }

    /// The nodes of a block, from the one at `start` on.
    pub(crate) fn close_nodes(&mut self, start: usize) -> Run<Node> {
        Run::add(&mut self.code.nodes, self.nodes.drain(start..))
    }
}
