//! `print`, `println` and `printf`: reading the format. What each verb makes of a value is in `verbs`.

use crate::template::verbs::{Flags, Printer};
use crate::value::{Str, Value, decode_utf8};

/// Go's `fmt.Sprint`: spaces only between two operands neither of which is a string.
pub fn sprint(args: &[Value]) -> Str {
    let mut printer = Printer::default();
    let mut after_string = true;
    for arg in args {
        let is_string = matches!(arg, Value::String(_));
        if !is_string && !after_string {
            printer.out.push(b' ');
        }
        printer.print(arg, 'v');
        after_string = is_string;
    }
    printer.out.into()
}

/// Go's `fmt.Sprintln`: spaces between all operands and a line break at the end.
pub fn sprintln(args: &[Value]) -> Str {
    let mut printer = Printer::default();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            printer.out.push(b' ');
        }
        printer.print(arg, 'v');
    }
    printer.out.push(b'\n');
    printer.out.into()
}

/// Go's `fmt.Sprintf`.
pub fn sprintf(format: &[u8], args: &[Value]) -> Str {
    let mut reader =
        Reader { rest: format, args, next: 0, reordered: false, good_index: true, printer: Printer::default() };
    reader.run();
    reader.printer.out.into()
}

/// Widths and precisions to which a digit may still be added, and those that `*` may stand for.
const MAX_WIDTH: i64 = 1_000_000;

struct Reader<'a> {
    rest: &'a [u8],
    args: &'a [Value],
    /// The argument that comes next.
    next: usize,
    /// Whether an index such as `%[2]d` was used: then left over arguments are no fault.
    reordered: bool,
    good_index: bool,
    printer: Printer,
}

impl Reader<'_> {
    fn run(&mut self) {
        while !self.rest.is_empty() {
            let text = self.rest.iter().position(|byte| *byte == b'%').unwrap_or(self.rest.len());
            let (text, directive) = self.rest.split_at_checked(text).unwrap_or((self.rest, &[]));
            self.printer.out.extend_from_slice(text);
            self.rest = directive;
            if self.eat(b'%') {
                self.directive();
            }
        }
        self.printer.flags = Flags::default();
        if !self.reordered && self.next < self.args.len() {
            self.print_extra();
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn directive(&mut self) {
        self.good_index = true;
        self.printer.flags = self.flags();
        let mut after_index = self.index();
        after_index = self.width(after_index);
        after_index = self.precision(after_index);
        if !after_index {
            self.index();
        }
        let Some((verb, width)) = decode_utf8(self.rest) else {
            self.printer.out.extend_from_slice(b"%!(NOVERB)");
            return;
        };
        self.rest = self.rest.get(width..).unwrap_or_default();
        self.verb(verb);
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            match self.rest.first() {
                Some(b'#') => flags.sharp = true,
                Some(b'0') => flags.zero = true,
                Some(b'+') => flags.plus = true,
                Some(b'-') => flags.minus = true,
                Some(b' ') => flags.space = true,
                _ => return flags,
            }
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
    }

    /// `[3]`: the argument to go on with. Whether there was one.
    fn index(&mut self) -> bool {
        if self.rest.first() != Some(&b'[') {
            return false;
        }
        self.reordered = true;
        let Some(close) = self.rest.iter().position(|byte| *byte == b']').filter(|_| self.rest.len() >= 3) else {
            self.good_index = false;
            self.rest = self.rest.get(1..).unwrap_or_default();
            return false;
        };
        let number = self.rest.get(1..close).and_then(|digits| std::str::from_utf8(digits).ok());
        self.rest = self.rest.get(close + 1..).unwrap_or_default();
        let number = number.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let number = number.and_then(|digits| digits.parse::<usize>().ok());
        let index = number.and_then(|number| number.checked_sub(1)).filter(|index| *index < self.args.len());
        self.good_index &= index.is_some();
        self.next = index.unwrap_or(self.next);
        number.is_some()
    }

    fn digits(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some((digit, rest)) = self.rest.split_first().filter(|(digit, _)| digit.is_ascii_digit()) {
            if number.is_some_and(|number| number > MAX_WIDTH) {
                // Go gives up on the whole format.
                self.rest = &[];
                return None;
            }
            number = Some(number.unwrap_or(0) * 10 + i64::from(digit - b'0'));
            self.rest = rest;
        }
        usize::try_from(number?).ok()
    }

    /// The argument that `*` stands for.
    fn star(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        let Value::Int(int) = arg else { return None };
        i64::try_from(int.get()).ok().filter(|n| (-MAX_WIDTH..=MAX_WIDTH).contains(n))
    }

    fn width(&mut self, after_index: bool) -> bool {
        if !self.eat(b'*') {
            self.printer.flags.width = self.digits();
            if after_index && self.printer.flags.width.is_some() {
                self.good_index = false;
            }
            return after_index;
        }
        match self.star() {
            None => self.printer.out.extend_from_slice(b"%!(BADWIDTH)"),
            Some(width) => {
                if width < 0 {
                    self.printer.flags.minus = true;
                    self.printer.flags.zero = false;
                }
                self.printer.flags.width = usize::try_from(width.unsigned_abs()).ok();
            }
        }
        false
    }

    fn precision(&mut self, after_index: bool) -> bool {
        if self.rest.len() < 2 || !self.eat(b'.') {
            return after_index;
        }
        if after_index {
            self.good_index = false;
        }
        let after_index = self.index();
        if !self.eat(b'*') {
            self.printer.flags.precision = Some(self.digits().unwrap_or(0));
            return after_index;
        }
        match self.star() {
            Some(precision) if precision >= 0 => self.printer.flags.precision = usize::try_from(precision).ok(),
            _ => self.printer.out.extend_from_slice(b"%!(BADPREC)"),
        }
        false
    }

    fn verb(&mut self, verb: char) {
        if verb == '%' {
            self.printer.out.push(b'%');
            return;
        }
        let fault = if self.good_index { "(MISSING)" } else { "(BADINDEX)" };
        match self.args.get(self.next).filter(|_| self.good_index) {
            None => self.printer.out.extend_from_slice(format!("%!{verb}{fault}").as_bytes()),
            Some(arg) => {
                if matches!(verb, 'v' | 'w') {
                    self.printer.flags.go_syntax = std::mem::take(&mut self.printer.flags.sharp);
                    self.printer.flags.field_names = std::mem::take(&mut self.printer.flags.plus);
                }
                self.printer.print(arg, verb);
                self.next += 1;
            }
        }
    }

    fn print_extra(&mut self) {
        self.printer.out.extend_from_slice(b"%!(EXTRA ");
        for (index, arg) in self.args.get(self.next..).unwrap_or_default().iter().enumerate() {
            if index > 0 {
                self.printer.out.extend_from_slice(b", ");
            }
            if !matches!(arg, Value::Nil) {
                self.printer.out.extend_from_slice(format!("{}=", arg.type_name()).as_bytes());
            }
            self.printer.print(arg, 'v');
        }
        self.printer.out.push(b')');
    }
}
