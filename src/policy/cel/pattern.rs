//! Regular expressions of rules: linear in the text, and paid for by their size.

use regex::{Regex, RegexBuilder};

use crate::policy::cel::{Error, Purse};

/// Bytes that a pattern may take when it is compiled. The smallest that holds it tells its price.
const SIZES: [usize; 4] = [2 << 10, 8 << 10, 32 << 10, 128 << 10];

/// Bytes of a compiled pattern that are passed for one value of a rule: some four states.
const STATES: usize = 128;

/// A regular expression.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// What each byte of a text costs at worst.
    price: usize,
}

impl Pattern {
    /// Compiles a pattern.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        for size in SIZES {
            match RegexBuilder::new(text).size_limit(size).dfa_size_limit(size).build() {
                Ok(regex) => return Ok(Self { regex, price: size / STATES }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => return Err("the pattern of `matches` is no regular expression".to_owned()),
            }
        }
        Err("the pattern of `matches` is too large".to_owned())
    }

    /// Whether it occurs in a text.
    pub(super) fn matches(&self, text: &str, purse: &Purse) -> Result<bool, Error> {
        purse.pay(text.len().saturating_mul(self.price))?;
        Ok(self.regex.is_match(text))
    }
}
