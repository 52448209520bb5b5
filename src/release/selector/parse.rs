//! Selectors as text: `app=web,tier in (a,b),!legacy`.

use std::collections::BTreeSet;

use crate::release::selector::{Operator, Requirement, Selector};

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something else stands where a part of it was expected.
    #[error("unable to parse the label selector `{text}`: expected {expected}, found {found}")]
    Unexpected {
        /// The whole text.
        text: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// A label or value that no object can have.
    #[error("invalid label selector: {0}")]
    Invalid(String),
}

impl Selector {
    /// Reads `text`, but for comparisons of numbers (`<`, `>`); nothing means everything.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parser = Parser { text, rest: text };
        let mut selector = Self::default();
        while parser.peek().is_some() {
            selector.match_expressions.push(parser.requirement()?);
            match parser.next() {
                None => {}
                Some(",") if parser.peek().is_some() => {}
                Some(",") => return Err(parser.unexpected("the name of a label", None)),
                found => return Err(parser.unexpected("`,`", found)),
            }
        }
        selector.check().map_err(Error::Invalid)?;
        Ok(selector)
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

const OPERATORS: [&str; 4] = ["==", "!=", "=", "!"];

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        Parser { text: self.text, rest: self.rest }.next()
    }

    /// The next token: a sign or a word.
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let sign = |c: char| matches!(c, ',' | '(' | ')' | '=' | '!' | '<' | '>');
        let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
        let end = match operator {
            Some(operator) => operator.len(),
            None if rest.starts_with(sign) => 1,
            None => rest.find(|c: char| sign(c) || c.is_whitespace()).unwrap_or(rest.len()),
        };
        let (token, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    fn unexpected(&self, expected: &'static str, found: Option<&str>) -> Error {
        let found = found.map_or_else(|| "the end".to_owned(), |found| format!("`{found}`"));
        Error::Unexpected { text: self.text.to_owned(), expected, found }
    }

    fn word(&mut self, expected: &'static str) -> Result<String, Error> {
        match self.next() {
            Some(word) if !word.starts_with([',', '(', ')', '=', '!', '<', '>']) => Ok(word.to_owned()),
            found => Err(self.unexpected(expected, found)),
        }
    }

    fn requirement(&mut self) -> Result<Requirement, Error> {
        let of = |key, operator, values| Requirement { key, operator, values };
        if self.peek() == Some("!") {
            self.next();
            return Ok(of(self.word("the name of a label")?, Operator::DoesNotExist, BTreeSet::new()));
        }
        let key = self.word("the name of a label")?;
        Ok(match self.peek() {
            None | Some(",") => of(key, Operator::Exists, BTreeSet::new()),
            Some(sign) => {
                self.next();
                match sign {
                    "=" | "==" => of(key, Operator::In, [self.value()?].into()),
                    "!=" => of(key, Operator::NotIn, [self.value()?].into()),
                    "in" => of(key, Operator::In, self.values()?),
                    "notin" => of(key, Operator::NotIn, self.values()?),
                    found => return Err(self.unexpected("`=`, `==`, `!=`, `in`, `notin` or `,`", Some(found))),
                }
            }
        })
    }

    /// A value, which may be empty.
    fn value(&mut self) -> Result<String, Error> {
        match self.peek() {
            None | Some("," | ")") => Ok(String::new()),
            Some(_) => self.word("a value"),
        }
    }

    fn values(&mut self) -> Result<BTreeSet<String>, Error> {
        match self.next() {
            Some("(") => {}
            found => return Err(self.unexpected("`(`", found)),
        }
        let mut values = BTreeSet::new();
        loop {
            values.insert(self.value()?);
            match self.next() {
                Some(",") => {}
                Some(")") => return Ok(values),
                found => return Err(self.unexpected("`,` or `)`", found)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_the_api_server_reads_it() {
        for (text, want) in [
            ("", ""),
            ("  ", ""),
            ("a", "a"),
            ("!a", "!a"),
            ("a=b", "a in (b)"),
            ("a==b", "a in (b)"),
            ("a = b , c", "a in (b),c"),
            ("a!=b", "a notin (b)"),
            ("a=", "a in ()"),
            ("a=,b", "a in (),b"),
            ("a in (x,y),!b", "a in (x,y),!b"),
            ("a in (y, x)", "a in (x,y)"),
            ("a notin (x)", "a notin (x)"),
            ("a in (x,)", "a in (,x)"),
            ("example.com/in in (in)", "example.com/in in (in)"),
        ] {
            assert_eq!(Selector::parse(text).map(|selector| selector.to_string()), Ok(want.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn what_is_printed_is_read_again() {
        for text in ["", "a,!b,c in (,x),d notin (y,z)"] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for (text, want) in [
            ("a b", "expected `=`, `==`, `!=`, `in`, `notin` or `,`, found `b`"),
            ("a,", "expected the name of a label, found the end"),
            (",a", "expected the name of a label, found `,`"),
            ("a in x", "expected `(`, found `x`"),
            ("a in (x", "expected `,` or `)`, found the end"),
            ("a>1", "found `>`"),
            ("a=b c", "expected `,`, found `c`"),
            ("!", "expected the name of a label, found the end"),
            ("a b=c", "found `b`"),
            ("-a=b", "a label's name is"),
            ("a=b/c", "a label's value is"),
        ] {
            let error = Selector::parse(text).unwrap_err().to_string();
            assert!(error.contains(want), "{text:?}: {error}");
        }
    }
}
