//! `fmt`'s `%v`.

use std::io::Write as _;

use crate::value::{Int, IntKind, Str, Value, format_float, meter};

impl Value {
    /// What `%v` prints: `<nil>`, `map[a:1 b:[x y]]`, `1e+06`. Of what is nested deeper than [`meter::MAX_NESTING`] only
    /// the beginning.
    pub fn print(&self) -> Str {
        if let Self::String(text) = self {
            return text.clone();
        }
        let mut out = Vec::new();
        self.print_into(&mut out, 0);
        out.into()
    }

    fn print_into(&self, out: &mut Vec<u8>, depth: usize) {
        if !meter::visit(out.len()) || !meter::enter(depth) {
            return;
        }
        let depth = depth + 1;
        match self {
            Self::Nil => out.extend_from_slice(b"<nil>"),
            Self::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Self::Int(int) => print_int(*int, out),
            Self::Float(f) => out.extend_from_slice(format_float(*f).as_bytes()),
            Self::String(text) => out.extend_from_slice(text),
            Self::Bytes(bytes) => separated(out, bytes.iter(), |byte, out| print_byte(*byte, out)),
            Self::List(list) => separated(out, list.iter(), |item, out| item.print_into(out, depth)),
            Self::Map(map) => {
                out.extend_from_slice(b"map");
                separated(out, map.entries().iter(), |(key, value), out| {
                    out.extend_from_slice(key);
                    out.push(b':');
                    value.print_into(out, depth);
                });
            }
            Self::Object(object) if depth == 1 => out.extend_from_slice(&object.print()),
            Self::Object(object) => out.extend_from_slice(&object.print_nested()),
        }
    }
}

fn separated<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut each: impl FnMut(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        each(item, out);
    }
    out.push(b']');
}

fn print_number(number: i128, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _infallible = write!(out, "{number}");
}

/// A byte of a `[]byte`: whole files are printed so.
fn print_byte(byte: u8, out: &mut Vec<u8>) {
    if byte >= 100 {
        out.push(b'0' + byte / 100);
    }
    if byte >= 10 {
        out.push(b'0' + byte / 10 % 10);
    }
    out.push(b'0' + byte % 10);
}

fn print_int(int: Int, out: &mut Vec<u8>) {
    match int.kind() {
        IntKind::Duration => out.extend_from_slice(duration(int.bits()).as_bytes()),
        _ => print_number(int.get(), out),
    }
}

/// `time.Duration`'s `String`: `1h2m3.5s`, `1.5ms`, `0s`. `nanos` is the duration in nanoseconds.
fn duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let (unit, digits) = match nanos {
        0 => return "0s".to_owned(),
        1..1_000 => ("ns", 0),
        1_000..1_000_000 => ("µs", 3),
        1_000_000..1_000_000_000 => ("ms", 6),
        _ => return format!("{sign}{}", hours(nanos)),
    };
    format!("{sign}{}{unit}", fraction(nanos, digits))
}

fn hours(nanos: u64) -> String {
    const SECOND: u64 = 1_000_000_000;
    let seconds = fraction(nanos % (60 * SECOND), 9);
    match (nanos / (3600 * SECOND), nanos / (60 * SECOND) % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `nanos` with the point `digits` places from the right, trailing zeros left out.
fn fraction(nanos: u64, digits: usize) -> String {
    let scale = 10_u64.pow(u32::try_from(digits).unwrap_or(0));
    let text = format!("{}.{:0digits$}", nanos / scale, nanos % scale);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
