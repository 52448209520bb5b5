//! Where schemas and values lie: addresses, JSON pointers, and both as they are told.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::functions::parse_address;
use crate::schema::fault::Fault;

/// A schema's place: the address of its document and its JSON pointer there, not encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) url: String,
    pub(super) pointer: String,
}

impl Place {
    pub(super) fn to_text(&self) -> String {
        format!("{}#{}", self.url, encode(&self.pointer))
    }

    /// What lies there in the document.
    pub(super) fn look_up<'d>(&self, document: &'d Json) -> Result<&'d Json, Fault> {
        let mut found = document;
        for token in self.pointer.split('/').skip(1) {
            let token = unescape(token).ok_or_else(|| Fault::InvalidPointer(self.to_text()))?;
            let next = match found {
                Json::Object(entries) => entries.get(&*token),
                Json::Array(items) => token.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            found = next.ok_or_else(|| Fault::PointerNotFound(self.to_text()))?;
        }
        Ok(found)
    }
}

/// A token of a JSON pointer.
pub(super) fn escape(token: &str) -> Cow<'_, str> {
    if token.contains(['~', '/']) { token.replace('~', "~0").replace('/', "~1").into() } else { token.into() }
}

fn unescape(token: &str) -> Option<Cow<'_, str>> {
    let mut parts = token.split('~');
    let mut text = Cow::Borrowed(parts.next().unwrap_or_default());
    for part in parts {
        let (code, rest) = part.split_at_checked(1)?;
        text.to_mut().push(match code {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        text.to_mut().push_str(rest);
    }
    Some(text)
}

/// `pointer` and one token more.
pub(super) fn below(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", escape(token))
}

/// What is before and after the first `#`.
pub(super) fn split(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// A pointer in an address; Go's `url.PathEscape` of each token.
pub(super) fn encode(pointer: &str) -> String {
    let mut out = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"/-_.~$&+:=@".contains(&byte) => out.push(byte.into()),
            // Writing to a string does not fail.
            _ => write!(out, "%{byte:02X}").unwrap_or_default(),
        }
    }
    out
}

/// Go's `url.PathUnescape`; `None` where a `%` is followed by other than two digits.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        if !code.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The bad escape in a text, as Go tells it.
fn bad_escape(text: &str) -> String {
    let at = text
        .char_indices()
        .find(|(at, c)| *c == '%' && decode(text.get(*at..).unwrap_or_default().get(..3).unwrap_or("%")).is_none());
    let from = at.map_or(text, |(at, _)| text.get(at..).unwrap_or_default());
    let bad = from.char_indices().nth(3).map_or(from, |(end, _)| from.get(..end).unwrap_or(from));
    format!("invalid URL escape {}", crate::value::quote(bad.as_bytes()))
}

/// Address and decoded fragment of a reference.
pub(super) fn split_fragment(reference: &str) -> Result<(&str, String), Fault> {
    let (url, fragment) = split(reference);
    let fragment =
        decode(fragment).ok_or_else(|| Fault::Url { url: reference.to_owned(), why: bad_escape(fragment) })?;
    Ok((url, fragment))
}

/// Where a reference leads from `base`: the address, and the fragment decoded.
pub(super) fn join(base: &str, reference: &str) -> Result<(String, String), Fault> {
    let (url, fragment) = split_fragment(reference)?;
    if let Err(why) = parse_address(url) {
        return Err(Fault::Url { url: url.to_owned(), why });
    }
    Ok((resolve(base, url), fragment))
}

/// RFC 3986, section 5.2, for references without a fragment.
fn resolve(base: &str, reference: &str) -> String {
    if scheme(reference).is_some() {
        return match reference.find("://") {
            Some(_) => normalized(reference),
            None => reference.to_owned(),
        };
    }
    let (scheme, rest) = match scheme(base) {
        Some(scheme) => (scheme, base.get(scheme.len() + 1..).unwrap_or_default()),
        None => ("", base),
    };
    let Some(hierarchy) = rest.strip_prefix("//") else {
        // What is opaque, such as a URN, stays.
        return if rest.starts_with('/') || reference.is_empty() {
            base.to_owned()
        } else {
            format!("{scheme}:{rest}")
        };
    };
    if reference.starts_with("//") {
        return format!("{scheme}:{reference}");
    }
    let end = hierarchy.find(['/', '?']).unwrap_or(hierarchy.len());
    let (host, path) = hierarchy.split_at_checked(end).unwrap_or((hierarchy, ""));
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    if reference.is_empty() {
        return base.to_owned();
    }
    let (new_path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (reference, String::new()),
    };
    let path = if new_path.is_empty() {
        path.to_owned()
    } else if new_path.starts_with('/') {
        without_dots(new_path)
    } else {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        without_dots(&format!("{directory}/{new_path}"))
    };
    format!("{scheme}://{host}{path}{query}")
}

/// An absolute address without `.` and `..` in its path.
fn normalized(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((host, path)) = rest.split_once('/') else { return url.to_owned() };
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (path, String::new()),
    };
    format!("{}://{host}{}{query}", scheme.to_ascii_lowercase(), without_dots(&format!("/{path}")))
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}", kept.join("/"))
}

/// The scheme of an absolute address.
pub(super) fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let starts_well = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_scheme = scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    (starts_well && is_scheme).then_some(scheme)
}
