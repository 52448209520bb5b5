//! From tokens to an expression, by the grammar of the CEL specification (`doc/langdef.md`).

use crate::diagnostic::suggestion;
use crate::policy::cel::Fault;
use crate::policy::cel::functions::{self, Form};
use crate::policy::cel::pattern::Pattern;
use crate::policy::cel::token::{Token, tokens};
use crate::policy::cel::tree::{Expr, Kind, Literal, Macro, Operator};

/// How high an expression may be, so that whoever walks it stays within any stack.
pub(super) const MAX_HEIGHT: usize = 100;

/// How deep brackets may be nested.
const MAX_NESTING: usize = 50;

/// Bytes of a rule.
const MAX_LENGTH: usize = 10 * 1024;

/// Patterns in all rules of a list of probes together.
pub(super) const MAX_PATTERNS: usize = 32;

/// Words that are no names.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Operators by how tight they bind, loosest first.
const LEVELS: [&[Operator]; 3] = [
    &[
        Operator::Equal,
        Operator::Unequal,
        Operator::Less,
        Operator::AtMost,
        Operator::Greater,
        Operator::AtLeast,
        Operator::In,
    ],
    &[Operator::Add, Operator::Subtract],
    &[Operator::Multiply, Operator::Divide, Operator::Modulo],
];

/// An expression, and how high it is.
struct Tree {
    expr: Expr,
    height: usize,
}

type Parsed = Result<Tree, Fault>;

/// Reads a rule; `patterns` counts those that have been read.
pub(super) fn parse(text: &str, patterns: &mut usize) -> Result<Expr, Fault> {
    if text.len() > MAX_LENGTH {
        return Err(Fault::at(text, 0, format!("the rule has {} bytes, at most {MAX_LENGTH} are read", text.len())));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens, next: 0, nesting: 0, names: vec!["self".to_owned()], patterns };
    let tree = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(tree.expr),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, usize)>,
    next: usize,
    nesting: usize,
    /// The variables that are known here.
    names: Vec<String>,
    patterns: &'a mut usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(token, _)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.text.len(), |(_, at)| *at)
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::at(self.text, self.at(), message)
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let rest = self.text.get(self.at()..).unwrap_or_default();
        let found = match self.peek() {
            Token::End => "the end".to_owned(),
            Token::Name(name) => format!("`{name}`"),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::Text(_) => "a text".to_owned(),
            Token::Int(_) | Token::Uint(_) | Token::Double(_) => {
                format!("`{}`", rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').next().unwrap_or_default())
            }
        };
        self.fault(format!("expected {wanted}, found {found}"))
    }

    fn sign(&mut self, sign: &str) -> bool {
        let there = matches!(self.peek(), Token::Sign(found) if *found == sign);
        self.next += usize::from(there);
        there
    }

    fn expect(&mut self, sign: &str) -> Result<(), Fault> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn tree(&self, below: usize, expr: Expr) -> Parsed {
        if below >= MAX_HEIGHT {
            return Err(self.fault(format!("the rule is nested deeper than {MAX_HEIGHT}")));
        }
        Ok(Tree { expr, height: below + 1 })
    }

    fn expression(&mut self) -> Parsed {
        if self.nesting == MAX_NESTING {
            return Err(self.fault(format!("brackets are nested deeper than {MAX_NESTING}")));
        }
        self.nesting += 1;
        let condition = self.decide("||", true)?;
        let tree = if self.sign("?") { self.branches(condition)? } else { condition };
        self.nesting -= 1;
        Ok(tree)
    }

    fn branches(&mut self, condition: Tree) -> Parsed {
        let then = self.decide("||", true)?;
        self.expect(":")?;
        let other = self.expression()?;
        let below = condition.height.max(then.height).max(other.height);
        self.tree(below, Expr::If(Box::new([condition.expr, then.expr, other.expr])))
    }

    /// `a || b || c`, or `a && b && c`.
    fn decide(&mut self, sign: &str, decisive: bool) -> Parsed {
        let mut trees = vec![self.operand(decisive)?];
        while self.sign(sign) {
            trees.push(self.operand(decisive)?);
        }
        if trees.len() == 1
            && let Some(tree) = trees.pop()
        {
            return Ok(tree);
        }
        let (operands, below) = split(trees);
        self.tree(below, Expr::Decide { decisive, operands })
    }

    fn operand(&mut self, decisive: bool) -> Parsed {
        if decisive { self.decide("&&", false) } else { self.binary(&LEVELS) }
    }

    fn binary(&mut self, levels: &[&[Operator]]) -> Parsed {
        let Some((level, tighter)) = levels.split_first() else { return self.unary() };
        let mut tree = self.binary(tighter)?;
        while let Some(operator) = self.operator(level) {
            let right = self.binary(tighter)?;
            let below = tree.height.max(right.height);
            tree = self.tree(below, Expr::Binary(operator, Box::new([tree.expr, right.expr])))?;
        }
        Ok(tree)
    }

    fn operator(&mut self, level: &[Operator]) -> Option<Operator> {
        let found = match self.peek() {
            Token::Sign(sign) => level.iter().find(|operator| operator.sign() == *sign),
            Token::Name(name) => level.iter().find(|operator| **operator == Operator::In && name == "in"),
            _ => None,
        };
        self.next += usize::from(found.is_some());
        found.copied()
    }

    fn unary(&mut self) -> Parsed {
        let not = self.count("!");
        let negative = if not == 0 { self.count("-") } else { 0 };
        // The smallest number has no positive twin.
        if negative == 1
            && let Token::Int(number) = *self.peek()
            && let Some(number) = 0_i64.checked_sub_unsigned(number)
        {
            self.next += 1;
            let literal = self.tree(0, Expr::Literal(Literal::Int(number)))?;
            return self.members(literal);
        }
        let mut tree = self.member()?;
        // Two are like none, but for the type that they want.
        for _ in 0..wraps(not) {
            tree = self.tree(tree.height, Expr::Not(Box::new(tree.expr)))?;
        }
        for _ in 0..wraps(negative) {
            tree = self.tree(tree.height, Expr::Negate(Box::new(tree.expr)))?;
        }
        Ok(tree)
    }

    fn count(&mut self, sign: &str) -> usize {
        let mut count = 0;
        while self.sign(sign) {
            count += 1;
        }
        count
    }

    fn member(&mut self) -> Parsed {
        let primary = self.primary()?;
        self.members(primary)
    }

    fn members(&mut self, mut tree: Tree) -> Parsed {
        loop {
            if self.sign(".") {
                tree = self.selected(tree)?;
            } else if self.sign("[") {
                let optional = self.sign("?");
                let at = self.expression()?;
                self.expect("]")?;
                let below = tree.height.max(at.height);
                tree = self.tree(below, Expr::Index { of: Box::new(tree.expr), at: Box::new(at.expr), optional })?;
            } else {
                return Ok(tree);
            }
        }
    }

    /// What stands behind a dot.
    fn selected(&mut self, of: Tree) -> Parsed {
        let optional = self.sign("?");
        let start = self.at();
        let Token::Name(field) = self.peek().clone() else { return Err(self.unexpected("the name of a field")) };
        self.next += 1;
        if optional || !self.sign("(") {
            return self.tree(of.height, Expr::Select { of: Box::new(of.expr), field, optional });
        }
        if let Some(what) = Macro::named(&field) {
            return self.each(what, &field, of);
        }
        let mut trees = vec![of];
        trees.extend(self.list(")")?);
        self.call(start, &field, Form::Method, trees)
    }

    /// The arguments of a macro.
    fn each(&mut self, what: Macro, name: &str, over: Tree) -> Parsed {
        let Token::Name(variable) = self.peek().clone() else {
            return Err(self.unexpected(&format!("a name for each element in `{name}`")));
        };
        if RESERVED.contains(&variable.as_str()) {
            return Err(self.unexpected(&format!("a name for each element in `{name}`")));
        }
        self.next += 1;
        self.expect(",")?;
        self.names.push(variable);
        let mut body = self.expression()?;
        let mut filter = None;
        if what == Macro::Map && self.sign(",") {
            let mapped = self.expression()?;
            filter = Some(std::mem::replace(&mut body, mapped));
        }
        self.names.pop();
        self.expect(")")?;
        let below = over.height.max(body.height).max(filter.as_ref().map_or(0, |filter| filter.height));
        let filter = filter.map(|filter| Box::new(filter.expr));
        self.tree(below, Expr::Each { what, over: Box::new(over.expr), filter, body: Box::new(body.expr) })
    }

    /// Expressions up to a bracket; a comma may stand behind the last one.
    fn list(&mut self, end: &str) -> Result<Vec<Tree>, Fault> {
        let mut trees = Vec::new();
        while !self.sign(end) {
            trees.push(self.expression()?);
            if !self.sign(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(trees)
    }

    fn call(&mut self, start: usize, name: &str, form: Form, trees: Vec<Tree>) -> Parsed {
        let (mut arguments, below) = split(trees);
        if name == "matches" && arguments.len() == 2 {
            let pattern = arguments.pop().unwrap_or(Expr::Literal(Literal::Null));
            let of = arguments.pop().unwrap_or(Expr::Literal(Literal::Null));
            let pattern = self.pattern(&pattern).map_err(|message| Fault::at(self.text, start, message))?;
            return self.tree(below, Expr::Matches { of: Box::new(of), pattern });
        }
        let function = functions::find(name, form, arguments.len());
        let function = function.map_err(|message| Fault::at(self.text, start, message))?;
        self.tree(below, Expr::Call(function, arguments))
    }

    /// Compiled here, so that no rule compiles patterns in a loop, and a wrong one is found before any write.
    fn pattern(&mut self, pattern: &Expr) -> Result<Pattern, String> {
        let Expr::Literal(Literal::Text(text)) = pattern else {
            return Err("the pattern of `matches` must be written as a text".to_owned());
        };
        *self.patterns += 1;
        if *self.patterns > MAX_PATTERNS {
            return Err(format!("the rules have more than {MAX_PATTERNS} patterns"));
        }
        Pattern::compile(text)
    }

    fn primary(&mut self) -> Parsed {
        let start = self.at();
        let token = self.peek().clone();
        self.next += 1;
        let literal = match token {
            Token::Int(number) => {
                let number = i64::try_from(number).ok();
                Literal::Int(number.ok_or_else(|| Fault::at(self.text, start, "the number is too large for an int"))?)
            }
            Token::Uint(number) => Literal::Uint(number),
            Token::Double(number) => Literal::Double(number),
            Token::Text(text) => Literal::Text(text),
            Token::Name(name) => return self.name(start, &name),
            Token::Sign("(") => {
                let tree = self.expression()?;
                self.expect(")")?;
                return Ok(tree);
            }
            Token::Sign("[") => {
                let (items, below) = split(self.list("]")?);
                return self.tree(below, Expr::List(items));
            }
            Token::Sign("{") => return self.map(),
            Token::Sign(_) | Token::End => {
                self.next -= 1;
                return Err(self.unexpected("an expression"));
            }
        };
        self.tree(0, Expr::Literal(literal))
    }

    fn name(&mut self, start: usize, name: &str) -> Parsed {
        match name {
            "true" => return self.tree(0, Expr::Literal(Literal::Bool(true))),
            "false" => return self.tree(0, Expr::Literal(Literal::Bool(false))),
            "null" => return self.tree(0, Expr::Literal(Literal::Null)),
            _ => {}
        }
        if self.sign("(") {
            if name == "has" {
                return self.has();
            }
            let arguments = self.list(")")?;
            return self.call(start, name, Form::Function, arguments);
        }
        // The innermost of the same name is meant.
        if let Some(place) = self.names.iter().rposition(|known| known == name) {
            return self.tree(0, Expr::Variable(place));
        }
        if let Some(kind) = Kind::named(name) {
            return self.tree(0, Expr::Literal(Literal::Type(kind)));
        }
        let known = self.names.iter().map(String::as_str);
        let meant = suggestion(name, known)
            .map_or_else(|| "the object is `self`".to_owned(), |name| format!("did you mean `{name}`?"));
        Err(Fault::at(self.text, start, format!("unknown name `{name}`: {meant}")))
    }

    fn has(&mut self) -> Parsed {
        let start = self.at();
        let tree = self.expression()?;
        self.expect(")")?;
        match tree.expr {
            Expr::Select { of, field, optional: false } => self.tree(tree.height, Expr::Has { of, field }),
            _ => Err(Fault::at(self.text, start, "`has` takes a field such as `self.status.phase`")),
        }
    }

    fn map(&mut self) -> Parsed {
        let mut below = 0;
        let mut entries = Vec::new();
        while !self.sign("}") {
            let key = self.expression()?;
            self.expect(":")?;
            let value = self.expression()?;
            below = below.max(key.height).max(value.height);
            entries.push((key.expr, value.expr));
            if !self.sign(",") {
                self.expect("}")?;
                break;
            }
        }
        self.tree(below, Expr::Map(entries))
    }
}

/// The expressions, and the height of the highest.
fn split(trees: Vec<Tree>) -> (Vec<Expr>, usize) {
    let below = trees.iter().map(|tree| tree.height).max().unwrap_or(0);
    (trees.into_iter().map(|tree| tree.expr).collect(), below)
}

/// How many of so many equal signs must be kept.
fn wraps(count: usize) -> usize {
    if count == 0 { 0 } else { 2 - count % 2 }
}
