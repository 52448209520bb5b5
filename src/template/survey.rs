//! What a file of templates defines and calls, in every branch, and everything that is wrong with it: for those who judge
//! templates without executing them.

use std::sync::Arc;

use crate::diagnostic::{Place, Source};
use crate::template::ast::{Branch, Callee, Command, Expr, ExprKind, List, Node, NodeKind, Pipe, Span};
use crate::template::file::File;
use crate::template::function::Functions;
use crate::template::outline::Outline;
use crate::template::quote::unquote;
use crate::template::set::Template;
use crate::template::{Error, parser};
use crate::value::Str;

/// What one file holds.
#[derive(Debug)]
pub struct Survey {
    /// What is wrong with its text: each function nobody knows, and where it cannot be parsed any further.
    pub faults: Vec<Error>,
    /// The templates it defines, its own name not among them; also those behind the place where parsing ended.
    pub defined: Vec<String>,
    /// Its calls in the order of the text, as far as it was parsed.
    pub calls: Vec<Call>,
    /// What it reads of the dot it is rendered with (`.Values.a`, `$.Release`), as far as that is known.
    pub reads: Vec<Read>,
    /// What each of its templates may write.
    pub outlines: Vec<Outline>,
}

/// A field of the dot that a template is rendered with.
#[derive(Clone, Debug)]
pub struct Read {
    /// The file.
    pub source: Arc<Source>,
    /// Where the field stands.
    pub place: Place,
    /// The way to it, for instance `.Values.a`.
    pub fields: String,
}

/// A call of a function or a template.
#[derive(Clone, Debug)]
pub struct Call {
    /// The file.
    pub source: Arc<Source>,
    /// Where the name of what is called stands.
    pub place: Place,
    /// What is called.
    pub callee: Called,
}

/// What is called, and how.
#[derive(Clone, Debug)]
pub enum Called {
    /// A function.
    Function {
        /// Its name.
        name: String,
        /// How many arguments it gets, what is piped into it included.
        given: usize,
        /// How many it takes at least.
        least: usize,
        /// How many it takes at most; any number if it does not say.
        most: Option<usize>,
        /// Each argument that is a text, the piped one not among them.
        texts: Vec<Option<String>>,
    },
    /// A template, by the action `template`, or by `include` of a constant.
    Template {
        /// Its name.
        name: String,
    },
}

/// Looks at `text`, a file called `name`, whose templates may call `functions` and Go's built-in ones.
pub fn survey(name: &str, text: &[u8], functions: &Functions) -> Survey {
    let shown = Str::from(text).to_text().into_owned();
    let mut defined: Vec<String> = definitions(&shown);
    let file = Arc::new(File::new(name, Str::from(text)));
    let (templates, faults) = parser::parse_all(&file, functions);
    let (mut calls, mut reads) = (Vec::new(), Vec::new());
    for (defines, template) in &templates {
        let defines = defines.to_text().into_owned();
        if defines != name && !defined.contains(&defines) {
            defined.push(defines);
        }
        Walk { template, calls: &mut calls, reads: &mut reads, moved: false }.list(template.root);
    }
    calls.sort_by_key(|call| call.place);
    reads.sort_by_key(|read| read.place);
    let outlines = templates.values().map(|template| Outline::of(template)).collect();
    Survey { faults, defined, calls, reads, outlines }
}

/// The names behind `define` and `block`, found in the text alone.
fn definitions(text: &str) -> Vec<String> {
    let name = |action: &str| {
        let action = action.strip_prefix('-').unwrap_or(action).trim_start();
        let rest = action.strip_prefix("define").or_else(|| action.strip_prefix("block"))?.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '`'))?;
        let end = rest.get(1..)?.find(quote)? + 2;
        unquote(rest.get(..end)?.as_bytes()).map(|name| name.to_text().into_owned())
    };
    text.split("{{").skip(1).filter_map(name).collect()
}

struct Walk<'a> {
    template: &'a Template,
    calls: &'a mut Vec<Call>,
    reads: &'a mut Vec<Read>,
    /// Whether the dot is another than at the start.
    moved: bool,
}

impl Walk<'_> {
    fn list(&mut self, list: List) {
        self.template.code.nodes(list).iter().for_each(|node| self.node(node));
    }

    fn node(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::Action(pipe) => self.pipe(*pipe),
            NodeKind::If(branch) => self.branch(branch, self.moved),
            NodeKind::With(branch) | NodeKind::Range(branch) => self.branch(branch, true),
            NodeKind::Template { name, pipe } => {
                // The node stands where its name does, in quotes.
                let length = name.len() + 2;
                self.call(node.at.offset, length, Called::Template { name: name.to_text().into_owned() });
                if let Some(pipe) = pipe {
                    self.pipe(*pipe);
                }
            }
            NodeKind::Text(_) | NodeKind::Break | NodeKind::Continue => {}
        }
    }

    fn branch(&mut self, branch: &Branch, moves: bool) {
        self.pipe(branch.pipe);
        let before = std::mem::replace(&mut self.moved, moves);
        self.list(branch.body);
        self.moved = before;
        branch.otherwise.iter().for_each(|list| self.list(*list));
    }

    fn pipe(&mut self, pipe: Pipe) {
        for (index, command) in self.template.code.commands(pipe).iter().enumerate() {
            self.command(*command, index > 0);
        }
    }

    fn command(&mut self, command: Command, piped: bool) {
        let code = &self.template.code;
        let Some((word, args)) = code.words(command).split_first() else { return };
        self.expr(word, args, usize::from(piped));
        if let (ExprKind::Function { name, .. }, Some(first)) = (&word.kind, args.first())
            && code.text(*name) == b"include"
            && let ExprKind::String { text, .. } = &first.kind
        {
            let name = text.to_text().into_owned();
            self.call(first.at.offset, code.show(first).to_string().len(), Called::Template { name });
        }
        for arg in args {
            self.expr(arg, &[], 0);
        }
    }

    /// `args` follow it, and `piped` more come from before.
    fn expr(&mut self, expr: &Expr, args: &[Expr], piped: usize) {
        match &expr.kind {
            ExprKind::Function { name, callee } => {
                let (least, most) = match callee {
                    Callee::Builtin(builtin) => {
                        let least = builtin.params();
                        (least, (!builtin.is_variadic()).then_some(least))
                    }
                    Callee::Function(function) => {
                        let signature = function.signature();
                        let least = signature.params.len();
                        (least, signature.variadic.is_none().then_some(least))
                    }
                    Callee::Unknown => return,
                };
                let name = String::from_utf8_lossy(self.template.code.text(*name)).into_owned();
                self.call(
                    expr.at.offset,
                    name.len(),
                    Called::Function {
                        name,
                        given: args.len() + piped,
                        least,
                        most,
                        texts: args.iter().map(text).collect(),
                    },
                );
            }
            ExprKind::Chain { base, .. } => self.expr(base, &[], 0),
            ExprKind::Pipe(pipe) => self.pipe(*pipe),
            ExprKind::Field(fields) if !self.moved => self.read(fields.start, *fields),
            ExprKind::Variable { target, fields } if self.template.code.text(target.name) == b"$" => {
                self.read(target.name.start, *fields);
            }
            _ => {}
        }
    }

    fn read(&mut self, start: u32, fields: Span) {
        let length = usize::try_from(fields.end.saturating_sub(start)).unwrap_or_default();
        let (source, place) = self.place(start, length);
        let fields = String::from_utf8_lossy(self.template.code.text(fields)).into_owned();
        self.reads.push(Read { source, place, fields });
    }

    fn call(&mut self, offset: u32, length: usize, callee: Called) {
        let (source, place) = self.place(offset, length);
        self.calls.push(Call { source, place, callee });
    }

    fn place(&self, offset: u32, length: usize) -> (Arc<Source>, Place) {
        let source = self.template.file.source();
        let place = Place::of(&source.text, usize::try_from(offset).unwrap_or(usize::MAX), length);
        (Arc::clone(source), place)
    }
}

/// The text that an argument is.
fn text(argument: &Expr) -> Option<String> {
    match &argument.kind {
        ExprKind::String { text, .. } => Some(text.to_text().into_owned()),
        _ => None,
    }
}

impl Call {
    /// The arguments it has too many or too few, in Go's words.
    pub fn wrong_count(&self) -> Option<String> {
        let Called::Function { name, given, least, most, .. } = &self.callee else { return None };
        match most {
            Some(most) if given != most => Some(format!("wrong number of args for {name}: want {most} got {given}")),
            None if given < least => {
                Some(format!("wrong number of args for {name}: want at least {least} got {given}"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::function::Function;
    use crate::value::Value;

    fn look(text: &str) -> Survey {
        let mut functions = Functions::default();
        functions.extend([
            Function::new("include", |name: Str, _data: Value| name),
            Function::new("trunc", |_length: i64, text: Str| text),
        ]);
        survey("t.yaml", text.as_bytes(), &functions)
    }

    fn faults(text: &str) -> Vec<String> {
        let survey = look(text);
        let counts = survey.calls.iter().filter_map(|call| Some((call.place, call.wrong_count()?)));
        let mut faults: Vec<String> = survey.faults.iter().map(ToString::to_string).collect();
        faults.extend(counts.map(|(place, fault)| format!("{}:{}: {fault}", place.line, place.column)));
        faults
    }

    #[test]
    fn every_unknown_function_is_told_and_what_is_behind_it_is_read() {
        assert_eq!(
            faults("{{ uper .a }}\n{{ if lowr .b }}{{ trunc 3 }}{{ end }}\n{{ if }}"),
            [
                "template: t.yaml:1: function \"uper\" not defined",
                "template: t.yaml:2: function \"lowr\" not defined",
                "template: t.yaml:3: missing value for if",
            ]
        );
        assert_eq!(
            faults("{{ uper .a }}\n{{ if false }}{{ trunc 3 }}{{ end }}"),
            ["template: t.yaml:1: function \"uper\" not defined", "2:18: wrong number of args for trunc: want 2 got 1",]
        );
    }

    #[test]
    fn arguments_are_counted_in_every_branch_and_with_what_is_piped() {
        for (text, want) in [
            ("{{ .a | trunc 3 }}", ""),
            ("{{ trunc 3 .a }}", ""),
            ("{{ .a | trunc 3 .b }}", "want 2 got 3"),
            ("{{ if .a }}{{ else }}{{ trunc }}{{ end }}", "want 2 got 0"),
            ("{{ range (trunc 3) }}{{ end }}", "want 2 got 1"),
            ("{{ with .a }}{{ printf }}{{ end }}", "want at least 1 got 0"),
            ("{{ define \"x\" }}{{ not 1 2 }}{{ end }}", "want 1 got 2"),
            ("{{ len (trunc 3).a }}", "want 2 got 1"),
            ("{{ $x := trunc 3 .a }}{{ $x = .b | trunc }}", "want 2 got 1"),
            ("{{ template \"x\" (trunc .a) }}", "want 2 got 1"),
        ] {
            let found = faults(text);
            match want {
                "" => assert_eq!(found, Vec::<String>::new(), "{text}"),
                want => assert!(found.len() == 1 && found[0].ends_with(want), "{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn templates_and_their_callers_are_found_also_where_parsing_ends() {
        let survey = look("{{ define \"a\" }}{{ end }}{{ include \"b\" . }}{{ template \"c\" }}{{ include .n . }}");
        let called: Vec<(usize, usize, &str)> = survey
            .calls
            .iter()
            .filter_map(|call| match &call.callee {
                Called::Template { name } => Some((call.place.column, call.place.width, name.as_str())),
                Called::Function { .. } => None,
            })
            .collect();
        assert_eq!(called, [(37, 3, "b"), (57, 3, "c")]);
        assert_eq!(survey.defined, ["a"]);
        assert_eq!(look("{{ if }}{{- define `late` }}{{ end }}{{block \"b\" .}}{{end}}").defined, ["late", "b"]);
    }

    #[test]
    fn what_is_read_of_the_first_dot_is_told_where_it_stands() {
        let survey =
            look("{{ .a.b }}{{ with .c }}{{ .d }}{{ $.e | trunc 3 }}{{ else }}{{ if .f }}{{ .g }}{{ end }}{{ end }}");
        let reads: Vec<_> = survey.reads.iter().map(|read| (read.place.column, read.fields.as_str())).collect();
        assert_eq!(reads, [(4, ".a.b"), (19, ".c"), (35, ".e"), (67, ".f"), (75, ".g")]);
    }
}
