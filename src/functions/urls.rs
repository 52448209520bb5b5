//! Sprig's `url.go`: URLs as Go's `net/url` takes them apart and puts them together.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use std::net::Ipv6Addr;

use crate::functions::unicode::quoted;
use crate::value::{Map, MapType, Str, Value};

/// The part of a URL that is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Path,
    UserPassword,
    Host,
    Zone,
    Fragment,
}

/// User and, if there is one, password, not escaped.
struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

/// A URL taken apart; path and fragment are not escaped.
#[derive(Default)]
struct Url {
    scheme: Vec<u8>,
    opaque: Vec<u8>,
    user: Option<User>,
    host: Vec<u8>,
    path: Vec<u8>,
    query: Vec<u8>,
    fragment: Vec<u8>,
}

/// What formats of a schema look at in a URL.
pub(crate) struct Address {
    pub(crate) scheme: String,
    pub(crate) host: String,
    /// Without port and brackets.
    pub(crate) hostname: String,
}

/// Takes a URL apart.
///
/// # Errors
/// Go's text.
pub(crate) fn parse_address(url: &str) -> Result<Address, String> {
    let url = Url::parse(url.as_bytes())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Address { scheme: text(&url.scheme), host: text(&url.host), hostname: text(&hostname(&url.host)) })
}

/// `urlParse`: the parts as a dict.
pub(crate) fn parse(url: Str) -> Result<Map, String> {
    let url = Url::parse(&url).map_err(|error| format!("unable to parse url: {error}"))?;
    let map = Map::new(MapType::Any);
    let userinfo = url.user.as_ref().map(User::escaped).unwrap_or_default();
    map.insert("hostname", Value::String(hostname(&url.host).into()));
    let parts = [
        ("scheme", url.scheme),
        ("host", url.host),
        ("path", url.path),
        ("query", url.query),
        ("opaque", url.opaque),
        ("fragment", url.fragment),
        ("userinfo", userinfo),
    ];
    for (name, part) in parts {
        map.insert(name, Value::String(part.into()));
    }
    Ok(map)
}

/// `urlJoin`: a URL of the parts in a dict.
pub(crate) fn join(parts: Map) -> Result<Str, String> {
    let part = |name: &str| match parts.get(name) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.to_vec()),
        Some(Value::Nil) => Err(crate::functions::cast::NIL_DEREFERENCE.to_owned()),
        Some(other) => Err(format!("unable to parse {name} key, must be of type string, but {} found", other.kind())),
    };
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        user: None,
    };
    let userinfo = part("userinfo")?;
    if !userinfo.is_empty() {
        let probe = [b"proto://", userinfo.as_slice(), b"@host"].concat();
        url.user = Url::parse(&probe).map_err(|error| format!("unable to parse userinfo in dict: {error}"))?.user;
    }
    Ok(url.to_text().into())
}

/// What is before and after the first `sign`; all is before if there is none.
fn cut(text: &[u8], sign: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(sign, text) {
        Some(at) => (text.get(..at).unwrap_or(text), text.get(at + 1..).unwrap_or_default()),
        None => (text, b""),
    }
}

impl Url {
    fn parse(text: &[u8]) -> Result<Self, String> {
        let named = |text: &[u8], error: String| format!("parse {}: {error}", quoted(text));
        let (before, fragment) = cut(text, b'#');
        let mut url = Self::without_fragment(before).map_err(|error| named(before, error))?;
        url.fragment = unescape(fragment, Part::Fragment).map_err(|error| named(text, error))?;
        Ok(url)
    }

    fn without_fragment(text: &[u8]) -> Result<Self, String> {
        if text.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        if text == b"*" {
            url.path = b"*".to_vec();
            return Ok(url);
        }
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (mut rest, query) = cut(rest, b'?');
        url.query = query.to_vec();
        if !rest.starts_with(b"/") {
            if !scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        if let Some(authority) = rest.strip_prefix(b"//").filter(|_| !scheme.is_empty() || !rest.starts_with(b"///")) {
            let end = memchr::memchr(b'/', authority).unwrap_or(authority.len());
            let (authority, path) = authority.split_at_checked(end).unwrap_or((authority, b""));
            url.authority(authority)?;
            rest = path;
        }
        url.path = unescape(rest, Part::Path)?;
        Ok(url)
    }

    fn authority(&mut self, authority: &[u8]) -> Result<(), String> {
        let Some(at) = memchr::memrchr(b'@', authority) else {
            self.host = parse_host(&self.scheme, authority)?;
            return Ok(());
        };
        self.host = parse_host(&self.scheme, authority.get(at + 1..).unwrap_or_default())?;
        let userinfo = authority.get(..at).unwrap_or_default();
        if !userinfo.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte)) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = cut(userinfo, b':');
        let password = if userinfo.contains(&b':') { Some(unescape(password, Part::UserPassword)?) } else { None };
        self.user = Some(User { name: unescape(name, Part::UserPassword)?, password });
        Ok(())
    }

    fn to_text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.push_hierarchy(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(escape(&self.fragment, Part::Fragment));
        }
        out
    }

    fn push_hierarchy(&self, out: &mut Vec<u8>) {
        let has_authority = !self.host.is_empty() || self.user.is_some();
        if has_authority || !self.scheme.is_empty() && !self.path.is_empty() {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &self.user {
            out.extend(user.escaped());
            out.push(b'@');
        }
        out.extend(escape(&self.host, Part::Host));
        let path = if self.path == b"*" { self.path.clone() } else { escape(&self.path, Part::Path) };
        if !path.is_empty() && !path.starts_with(b"/") && !self.host.is_empty() {
            out.push(b'/');
        }
        // A colon in the first segment would look like a scheme.
        if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.extend(path);
    }
}

impl User {
    fn escaped(&self) -> Vec<u8> {
        let mut out = escape(&self.name, Part::UserPassword);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend(escape(password, Part::UserPassword));
        }
        out
    }
}

fn split_scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok(cut(text, b':')),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    match memchr::memrchr(b'[', host) {
        Some(0) => return bracketed_host(host),
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    let strict = scheme == b"http" || scheme == b"https";
    let colon = if strict { memchr::memchr(b':', host) } else { memchr::memrchr(b':', host) };
    check_port(colon.and_then(|at| host.get(at..)).unwrap_or_default())?;
    unescape(host, Part::Host)
}

/// A host in brackets: an IPv6 address, with or without a zone.
fn bracketed_host(host: &[u8]) -> Result<Vec<u8>, String> {
    let close = memchr::memrchr(b']', host).ok_or("missing ']' in host")?;
    let port = host.get(close + 1..).unwrap_or_default();
    check_port(port)?;
    let inside = host.get(1..close).unwrap_or_default();
    let name = match memchr::memmem::find(inside, b"%25") {
        Some(at) => {
            let (address, zone) = inside.split_at_checked(at).unwrap_or((inside, b""));
            [unescape(address, Part::Host)?, unescape(zone, Part::Zone)?].concat()
        }
        None => unescape(inside, Part::Host)?,
    };
    let text = String::from_utf8_lossy(&name);
    let (address, zone) = text.split_once('%').map_or((&*text, None), |(address, zone)| (address, Some(zone)));
    if address.parse::<Ipv6Addr>().is_err() || zone == Some("") {
        if text.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err("invalid IP-literal".to_owned());
        }
        return Err(format!("invalid host: ParseAddr({}): unable to parse IP", quoted(&name)));
    }
    Ok([b"[", name.as_slice(), b"]", port].concat())
}

fn check_port(port: &[u8]) -> Result<(), String> {
    match port.split_first() {
        None => Ok(()),
        Some((b':', digits)) if digits.iter().all(u8::is_ascii_digit) => Ok(()),
        Some(_) => Err(format!("invalid port {} after host", quoted(port))),
    }
}

/// Without port and brackets.
fn hostname(host: &[u8]) -> Vec<u8> {
    let colon = memchr::memrchr(b':', host);
    let port = colon.filter(|at| check_port(host.get(*at..).unwrap_or_default()).is_ok());
    let name = port.and_then(|at| host.get(..at)).unwrap_or(host);
    name.strip_prefix(b"[").and_then(|inside| inside.strip_suffix(b"]")).unwrap_or(name).to_vec()
}

/// Whether a byte is written as `%XX` in that part.
fn must_escape(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    match part {
        Part::Host | Part::Zone => !b"!$&'()*+,;=:[]<>\"".contains(&byte),
        Part::Path => !b"$&+,/:;=@".contains(&byte),
        Part::UserPassword => !b"$&+,;=".contains(&byte),
        Part::Fragment => !b"$&+,/:;=?@!()*".contains(&byte),
    }
}

fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if must_escape(*byte, part) {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out
}

fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let host = matches!(part, Part::Host | Part::Zone);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let escaped = rest.get(..3).unwrap_or(rest);
            let bad = || format!("invalid URL escape {}", quoted(escaped));
            let digit = |at: usize| escaped.get(at).and_then(|digit| char::from(*digit).to_digit(16));
            let (high, low) = digit(1).zip(digit(2)).ok_or_else(bad)?;
            let byte = u8::try_from(high * 16 + low).unwrap_or(0);
            let refused = match part {
                // Only what is not ASCII may be escaped in a host, and the `%` before a zone.
                Part::Host => high < 8,
                Part::Zone => byte != b' ' && must_escape(byte, Part::Host),
                _ => false,
            };
            if refused && escaped != b"%25" {
                return Err(bad());
            }
            out.push(byte);
            rest = rest.get(3..).unwrap_or_default();
            continue;
        }
        if host && first.is_ascii() && must_escape(*first, part) {
            return Err(format!("invalid character {} in host name", quoted(&[*first])));
        }
        out.push(*first);
        rest = after;
    }
    Ok(out)
}
