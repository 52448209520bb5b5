//! The natural order in which keys are written: runs of digits by their number, other signs before letters.
//!
//! Mirrors `sorter.go` of go.yaml.in/yaml/v2 2.4.4 and of v3 3.0.5. That of v2 is no order at all: `a2`, `a10` and `a1b`
//! form a cycle, and the original writes such keys in random order. Here they come as a stable merge sort leaves them that
//! starts from byte order: always the same.

use std::sync::LazyLock;

use regex::Regex;

use crate::yaml::emit::Dialect;

/// Sorts entries by their keys.
pub(in crate::yaml) fn sort<T>(mut entries: Vec<T>, key: impl Fn(&T) -> &str + Copy, dialect: Dialect) -> Vec<T> {
    entries.sort_by(|a, b| key(a).cmp(key(b)));
    merge_sort(entries, &|a, b| is_less(key(a), key(b), dialect))
}

/// The standard library's sort may panic when the order is none.
fn merge_sort<T>(mut items: Vec<T>, less: &impl Fn(&T, &T) -> bool) -> Vec<T> {
    if items.len() < 2 {
        return items;
    }
    let right = items.split_off(items.len() / 2);
    let mut left = merge_sort(items, less).into_iter().peekable();
    let mut right = merge_sort(right, less).into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if less(b, a) => right.next(),
            (Some(_), _) => left.next(),
            (None, _) => right.next(),
        };
        match next {
            Some(item) => merged.push(item),
            None => return merged,
        }
    }
}

/// Whether `a` comes before `b`.
pub(in crate::yaml) fn is_less(a: &str, b: &str, dialect: Dialect) -> bool {
    let mut common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    while !a.is_char_boundary(common) {
        common -= 1;
    }
    let (Some((before, rest_a)), Some((_, rest_b))) = (a.split_at_checked(common), b.split_at_checked(common)) else {
        return a < b;
    };
    let (Some(first_a), Some(first_b)) = (rest_a.chars().next(), rest_b.chars().next()) else {
        return a.len() < b.len();
    };
    let (letter_a, letter_b) = (is_letter(first_a), is_letter(first_b));
    if letter_a && letter_b {
        return first_a < first_b;
    }
    if letter_a || letter_b {
        // v3: a number goes on with letters later than it ends.
        let after_digits = dialect == Dialect::V3 && before.chars().next_back().is_some_and(is_digit);
        return if after_digits { letter_a } else { letter_b };
    }
    let significant = (first_a == '0' || first_b == '0')
        && before.chars().rev().take_while(|c| is_digit(*c)).any(|digit| digit != '0');
    let start = i64::from(significant);
    let (number_a, digits_a) = number(rest_a, start);
    let (number_b, digits_b) = number(rest_b, start);
    if number_a != number_b {
        return number_a < number_b;
    }
    if digits_a != digits_b {
        return digits_a < digits_b;
    }
    first_a < first_b
}

/// The number at the start of `text`, wrapping, after a digit `start`; and how many digits it has.
fn number(text: &str, start: i64) -> (i64, usize) {
    text.chars().take_while(|c| is_digit(*c)).fold((start, 0), |(number, digits), digit| {
        let digit = i64::from(u32::from(digit)) - i64::from(u32::from('0'));
        (number.wrapping_mul(10).wrapping_add(digit), digits + 1)
    })
}

/// `unicode.IsLetter`
fn is_letter(c: char) -> bool {
    static LETTER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{L}$").ok());
    if c.is_ascii() { c.is_ascii_alphabetic() } else { matches(LETTER.as_ref(), c) }
}

/// `unicode.IsDigit`
fn is_digit(c: char) -> bool {
    static DIGIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{Nd}$").ok());
    if c.is_ascii() { c.is_ascii_digit() } else { matches(DIGIT.as_ref(), c) }
}

fn matches(class: Option<&Regex>, c: char) -> bool {
    class.is_some_and(|class| class.is_match(c.encode_utf8(&mut [0; 4])))
}
