//! `html`, `js` and `urlquery`.

use std::io::Write as _;

use crate::template::quote::is_print;
use crate::value::{Str, decode_utf8};

pub(crate) fn escape_html(text: &Str) -> Str {
    let mut out = Vec::with_capacity(text.len());
    for byte in text.iter() {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(*other),
        }
    }
    out.into()
}

pub(crate) fn escape_js(text: &Str) -> Str {
    let mut out = Vec::with_capacity(text.len());
    let mut rest: &[u8] = text;
    while let Some((rune, width)) = decode_utf8(rest) {
        let (own, after) = rest.split_at_checked(width).unwrap_or((rest, &[]));
        rest = after;
        let escaped = match rune {
            '\\' => "\\\\",
            '\'' => "\\'",
            '"' => "\\\"",
            '<' => "\\u003C",
            '>' => "\\u003E",
            '&' => "\\u0026",
            '=' => "\\u003D",
            _ => "",
        };
        if !escaped.is_empty() {
            out.extend_from_slice(escaped.as_bytes());
        } else if rune < ' ' || !rune.is_ascii() && !is_print(rune) {
            // Writing to a Vec cannot fail.
            let _infallible = write!(out, "\\u{:04X}", u32::from(rune));
        } else {
            out.extend_from_slice(own);
        }
    }
    out.into()
}

pub(crate) fn escape_query(text: &Str) -> Str {
    let mut out = Vec::with_capacity(text.len());
    for byte in text.iter() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            other => {
                let _infallible = write!(out, "%{other:02X}");
            }
        }
    }
    out.into()
}
