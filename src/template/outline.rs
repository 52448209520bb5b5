//! What a template may write, in every branch and as far as that is known without values: for those who judge templates
//! without executing them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Place, Source};
use crate::template::ast::{Branch, Command, Expr, ExprKind, List, Node, NodeKind, Pipe};
use crate::template::lexer::wide;
use crate::template::set::Template;

/// How deep in parentheses an action is looked at.
const MAX_DEPTH: usize = 32;

/// A template.
#[derive(Debug)]
pub struct Outline {
    /// Its name: that of the file, or of a `define` in it.
    pub name: String,
    /// The file.
    pub source: Arc<Source>,
    /// What it writes, in order.
    pub pieces: Vec<Piece>,
}

/// A part of what is written.
#[derive(Debug)]
pub enum Piece {
    /// This text.
    Text(String),
    /// One of these.
    Either(Vec<Vec<Self>>),
    /// This, any number of times.
    Repeat(Vec<Self>),
    /// What an action makes.
    Action(Choice, Place),
}

/// What an action may write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// These texts.
    pub texts: BTreeSet<String>,
    /// What these templates write.
    pub templates: BTreeSet<String>,
    /// The values at these paths below `.Values`.
    pub values: BTreeSet<String>,
    /// Whether it may be something else, too.
    pub open: bool,
    /// By how many columns it is set in.
    pub indent: usize,
}

impl Choice {
    fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    fn text(text: impl Into<String>) -> Self {
        Self { texts: BTreeSet::from([text.into()]), ..Self::default() }
    }

    fn or(mut self, other: Self) -> Self {
        self.texts.extend(other.texts);
        self.templates.extend(other.templates);
        self.values.extend(other.values);
        self.open |= other.open;
        self.indent = self.indent.max(other.indent);
        self
    }
}

impl Outline {
    /// The outline of a template.
    pub(crate) fn of(template: &Template) -> Self {
        let mut draft = Draft { template, variables: BTreeMap::new() };
        // A variable may be set behind the place where it is written, by a loop's first turn.
        draft.pieces(template.root);
        let pieces = draft.pieces(template.root);
        let name = template.name.to_text().into_owned();
        Self { name, source: Arc::clone(template.file.source()), pieces }
    }
}

struct Draft<'a> {
    template: &'a Template,
    /// What variables are set to anywhere in the template.
    variables: BTreeMap<Vec<u8>, Choice>,
}

impl Draft<'_> {
    fn pieces(&mut self, list: List) -> Vec<Piece> {
        let template = self.template;
        template.code.nodes(list).iter().filter_map(|node| self.piece(node)).collect()
    }

    fn piece(&mut self, node: &Node) -> Option<Piece> {
        match &node.kind {
            NodeKind::Text(span) => {
                let text = self.template.code.text(*span);
                Some(Piece::Text(String::from_utf8_lossy(text).into_owned()))
            }
            NodeKind::Action(pipe) => self.action(*pipe),
            NodeKind::If(branch) | NodeKind::With(branch) => {
                self.bind(branch.pipe);
                Some(Piece::Either(self.branches(branch)))
            }
            NodeKind::Range(branch) => {
                self.bind(branch.pipe);
                let otherwise = branch.otherwise.map(|list| self.pieces(list)).unwrap_or_default();
                Some(Piece::Either(vec![vec![Piece::Repeat(self.pieces(branch.body))], otherwise]))
            }
            NodeKind::Template { name, .. } => {
                let templates = BTreeSet::from([name.to_text().into_owned()]);
                Some(Piece::Action(Choice { templates, ..Choice::default() }, self.place(node.at.offset)))
            }
            NodeKind::Break | NodeKind::Continue => None,
        }
    }

    fn branches(&mut self, branch: &Branch) -> Vec<Vec<Piece>> {
        let otherwise = branch.otherwise.map(|list| self.pieces(list)).unwrap_or_default();
        vec![self.pieces(branch.body), otherwise]
    }

    fn action(&mut self, pipe: Pipe) -> Option<Piece> {
        if self.bind(pipe) {
            return None;
        }
        let choice = self.pipe(pipe, 0);
        (choice != Choice::default()).then(|| Piece::Action(choice, self.place(pipe.at.offset)))
    }

    /// Notes what a pipeline sets variables to; `false` if it sets none.
    fn bind(&mut self, pipe: Pipe) -> bool {
        let code = &self.template.code;
        let names: Vec<Vec<u8>> = code.targets(pipe).iter().map(|target| code.text(target.name).to_vec()).collect();
        let is_range = names.len() > 1;
        for name in &names {
            let choice = if is_range { Choice::open() } else { self.pipe(pipe, 0) };
            let known = self.variables.remove(name).unwrap_or_default();
            self.variables.insert(name.clone(), known.or(choice));
        }
        !names.is_empty()
    }

    fn pipe(&self, pipe: Pipe, depth: usize) -> Choice {
        let mut given = None;
        for command in self.template.code.commands(pipe) {
            given = Some(self.command(*command, given.as_ref(), depth));
        }
        given.unwrap_or_default()
    }

    fn command(&self, command: Command, given: Option<&Choice>, depth: usize) -> Choice {
        let Some((word, arguments)) = self.template.code.words(command).split_first() else { return Choice::open() };
        if depth > MAX_DEPTH {
            return Choice::open();
        }
        match &word.kind {
            ExprKind::Function { name, .. } => {
                let name = self.template.code.text(*name);
                let all = || arguments.iter().map(|word| self.expr(word, depth + 1)).chain(given.cloned());
                called(name, &all().collect::<Vec<_>>())
            }
            _ if arguments.is_empty() && given.is_none() => self.expr(word, depth + 1),
            _ => Choice::open(),
        }
    }

    fn expr(&self, expr: &Expr, depth: usize) -> Choice {
        let code = &self.template.code;
        let text = |span| String::from_utf8_lossy(code.text(span)).into_owned();
        match &expr.kind {
            ExprKind::String { text, .. } => Choice::text(text.to_text()),
            ExprKind::Number { written, .. } => Choice::text(text(*written)),
            ExprKind::Bool(value) => Choice::text(value.to_string()),
            ExprKind::Nil => Choice::default(),
            ExprKind::Field(fields) => value(&text(*fields)),
            ExprKind::Variable { target, fields } if fields.is_empty() => {
                self.variables.get(code.text(target.name)).cloned().unwrap_or_else(Choice::open)
            }
            ExprKind::Variable { target, fields } if code.text(target.name) == b"$" => value(&text(*fields)),
            ExprKind::Pipe(pipe) => self.pipe(*pipe, depth + 1),
            ExprKind::Function { name, .. } => called(code.text(*name), &[]),
            ExprKind::Dot | ExprKind::Variable { .. } | ExprKind::Chain { .. } => Choice::open(),
        }
    }

    fn place(&self, offset: u32) -> Place {
        Place::of(&self.template.file.source().text, wide(offset), 1)
    }
}

/// What `.Values.a.b` may be.
fn value(fields: &str) -> Choice {
    let values = fields.strip_prefix(".Values.").map(str::to_owned).into_iter().collect();
    Choice { values, ..Choice::open() }
}

/// What a function makes of its arguments, what is piped into it the last of them.
fn called(name: &[u8], arguments: &[Choice]) -> Choice {
    let all = || arguments.iter().cloned().fold(Choice::default(), Choice::or);
    let last = || arguments.last().cloned().unwrap_or_else(Choice::open);
    match name {
        b"include" => match arguments.first() {
            Some(first) if !first.open => Choice { templates: first.texts.clone(), ..Choice::default() },
            _ => Choice::open(),
        },
        b"and" | b"coalesce" | b"default" | b"or" => all(),
        b"ternary" => arguments.iter().take(2).cloned().fold(Choice::default(), Choice::or),
        b"indent" | b"nindent" => {
            let width = arguments.first().and_then(|width| width.texts.first()?.parse().ok()).unwrap_or(1);
            Choice { indent: width, ..last() }
        }
        b"fail" => Choice::default(),
        b"print" | b"quote" | b"required" | b"squote" | b"toString" | b"trim" => last(),
        b"printf" if arguments.len() == 1 => last(),
        _ => Choice::open(),
    }
}

#[cfg(test)]
mod tests {
    use crate::template::function::Functions;
    use crate::template::outline::{Choice, Piece};
    use crate::template::survey::survey;

    fn action(text: &str) -> Choice {
        let survey = survey("t.yaml", text.as_bytes(), &Functions::default());
        let outline = survey.outlines.into_iter().find(|outline| outline.name == "t.yaml").unwrap();
        let mut actions = outline.pieces.into_iter().filter_map(|piece| match piece {
            Piece::Action(choice, _) => Some(choice),
            _ => None,
        });
        actions.next_back().unwrap_or_default()
    }

    #[test]
    fn an_action_is_as_many_texts_as_its_functions_let_it_be() {
        for (text, texts, open) in [
            ("{{ \"a\" }}", "a", false),
            ("{{ ternary \"a\" \"b\" .c }}", "a b", false),
            ("{{ .Values.kind | default \"a\" }}", "a", true),
            ("{{ $k := \"a\" }}{{ if .x }}{{ $k = \"b\" }}{{ end }}{{ $k }}", "a b", false),
            ("{{ (coalesce .x (print \"a\")) | quote }}", "a", true),
            ("{{ $k := .x }}{{ range $k, $v := .x }}{{ end }}{{ $k }}", "", true),
            ("{{ lower \"A\" }}", "", true),
            ("{{ $k := \"a\" }}", "", false),
            ("{{ fail \"a\" }}", "", false),
        ] {
            let choice = action(text);
            assert_eq!(
                (choice.texts.into_iter().collect::<Vec<_>>().join(" ").as_str(), choice.open),
                (texts, open),
                "{text}"
            );
        }
    }

    #[test]
    fn included_templates_and_values_are_named() {
        let choice = action("{{ include \"labels\" . | nindent 4 }}");
        assert_eq!(
            (choice.templates.first().map(String::as_str), choice.indent, choice.open),
            (Some("labels"), 4, false)
        );
        let choice = action("{{ $.Values.a.b }}");
        assert_eq!((choice.values.first().map(String::as_str), choice.open), (Some("a.b"), true));
    }
}
