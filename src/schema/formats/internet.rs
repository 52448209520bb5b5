//! Addresses: of hosts, mailboxes and resources.

use std::net::Ipv6Addr;
use std::num::IntErrorKind;

use crate::functions::{Address, parse_address};
use crate::schema::formats::{Checked, fault, quoted};
use crate::value::quote;

pub(super) fn ipv4(text: &str) -> Checked {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return fault("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return fault("leading zeros");
        }
        let number = group.parse::<i64>().map_err(|error| {
            let why = match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            format!("strconv.Atoi: parsing {}: {why}", quote(group.as_bytes()))
        })?;
        if !(0..=255).contains(&number) {
            return fault("decimal must be between 0 and 255");
        }
    }
    Ok(())
}

pub(super) fn ipv6(text: &str) -> Checked {
    if !text.contains(':') {
        return fault("missing colon");
    }
    let wrong = |(why, at): (&str, &str)| {
        let at = if at.is_empty() { String::new() } else { format!(" (at {})", quote(at.as_bytes())) };
        format!("ParseAddr({}): {why}{at}", quote(text.as_bytes()))
    };
    match text.bytes().find(|byte| matches!(byte, b'.' | b':' | b'%')) {
        Some(b'.') => return dotted(text).map_err(wrong),
        Some(b'%') => return Err(wrong(("missing IPv6 address", ""))),
        _ => {}
    }
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    if zone == Some("") {
        return Err(wrong(("zone must be a non-empty string", "")));
    }
    if address.parse::<Ipv6Addr>().is_err() {
        colons(address).map_err(wrong)?;
    }
    if zone.is_some() { fault("zone id is not a part of ipv6 address") } else { Ok(()) }
}

/// What is wrong, and where.
type Wrong<'t> = (&'static str, &'t str);

/// Go's way through an IPv6 address.
fn colons(text: &str) -> Result<(), Wrong<'_>> {
    let mut rest = text.strip_prefix("::").unwrap_or(text);
    let mut has_ellipsis = rest.len() < text.len();
    let mut bytes = 0;
    while bytes < 16 && !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits > 4 {
            return Err(("each group must have 4 or less digits", rest));
        }
        if digits == 0 {
            return Err(("each colon-separated field must have at least one digit", rest));
        }
        let after = rest.get(digits..).unwrap_or_default();
        if after.starts_with('.') {
            if !has_ellipsis && bytes != 12 {
                return Err(("embedded IPv4 address must replace the final 2 fields of the address", rest));
            }
            if bytes > 12 {
                return Err(("too many hex fields to fit an embedded IPv4 at the end of the address", rest));
            }
            dotted(rest)?;
            (rest, bytes) = ("", bytes + 4);
            break;
        }
        bytes += 2;
        rest = after;
        if rest.is_empty() {
            break;
        }
        let Some(next) = rest.strip_prefix(':') else { return Err(("unexpected character, want colon", rest)) };
        if next.is_empty() {
            return Err(("colon must be followed by more characters", rest));
        }
        rest = next;
        if let Some(next) = rest.strip_prefix(':') {
            if has_ellipsis {
                return Err(("multiple :: in address", rest));
            }
            has_ellipsis = true;
            rest = next;
        }
    }
    match (rest.is_empty(), bytes < 16, has_ellipsis) {
        (false, ..) => Err(("trailing garbage after address", rest)),
        (_, true, false) => Err(("address string too short", "")),
        (_, false, true) => Err(("the :: must expand to at least one field of zeros", "")),
        _ => Ok(()),
    }
}

/// Go's way through an IPv4 address.
fn dotted(text: &str) -> Result<(), Wrong<'_>> {
    let (mut dots, mut digits, mut value) = (0, 0, 0_u32);
    let mut before = '.';
    for (at, c) in text.char_indices() {
        let here = text.get(at..).unwrap_or_default();
        match c.to_digit(10) {
            Some(digit) => {
                if digits == 1 && value == 0 {
                    return Err(("IPv4 field has octet with leading zero", ""));
                }
                value = value * 10 + digit;
                digits += 1;
                if value > 255 {
                    return Err(("IPv4 field has value >255", ""));
                }
            }
            None if c == '.' => {
                if before == '.' || here.len() == 1 {
                    return Err(("IPv4 field must have at least one digit", here));
                }
                if dots == 3 {
                    return Err(("IPv4 address too long", ""));
                }
                (dots, digits, value) = (dots + 1, 0, 0);
            }
            None => return Err(("unexpected character", here)),
        }
        before = c;
    }
    if dots < 3 { Err(("IPv4 address too short", "")) } else { Ok(()) }
}

pub(super) fn hostname(text: &str) -> Checked {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return fault("more than 253 characters long");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return fault("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return fault("label starts with hyphen");
        }
        if label.ends_with('-') {
            return fault("label ends with hyphen");
        }
        if let Some(c) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Err(format!("invalid character {}", quoted(c)));
        }
    }
    Ok(())
}

pub(super) fn email(text: &str) -> Checked {
    if text.len() > 254 {
        return fault("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return fault("missing @") };
    if local.len() > 64 {
        return fault("local part more than 64 characters long");
    }
    if local.len() > 1 && local.starts_with('"') {
        let mut inside = local.chars();
        // Whatever the last one is.
        inside.next();
        inside.next_back();
        if inside.as_str().contains(['\\', '"']) {
            return fault("backslash and quote are not allowed within quoted local part");
        }
    } else {
        mailbox(local)?;
    }
    if let Some(address) = domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']')) {
        return match address.strip_prefix("IPv6:") {
            Some(address) => ipv6(address).map_err(|why| format!("invalid ipv6 address: {why}")),
            None => ipv4(address).map_err(|why| format!("invalid ipv4 address: {why}")),
        };
    }
    hostname(domain).map_err(|why| format!("invalid domain: {why}"))
}

fn mailbox(local: &str) -> Checked {
    if local.starts_with('.') {
        return fault("starts with dot");
    }
    if local.ends_with('.') {
        return fault("ends with dot");
    }
    if local.contains("..") {
        return fault("consecutive dots");
    }
    match local.chars().find(|c| !c.is_ascii_alphanumeric() && !".!#$%&'*+-/=?^_`{|}~".contains(*c)) {
        Some(c) => Err(format!("invalid character {}", quoted(c))),
        None => Ok(()),
    }
}

/// As `net/url` takes it apart, with a check of what it lets pass.
fn parsed(text: &str) -> Result<Address, String> {
    let address = parse_address(text)?;
    if address.hostname.contains(':') {
        if !address.host.contains('[') || !address.host.contains(']') {
            return fault("ipv6 address not enclosed in brackets");
        }
        ipv6(&address.hostname).map_err(|why| format!("invalid ipv6 address: {why}"))?;
    }
    Ok(address)
}

pub(super) fn uri(text: &str) -> Checked {
    if parsed(text)?.scheme.is_empty() { fault("relative url") } else { Ok(()) }
}

pub(super) fn uri_reference(text: &str) -> Checked {
    if text.contains('\\') { fault("contains \\") } else { parsed(text).map(drop) }
}

pub(super) fn uri_template(text: &str) -> Checked {
    parsed(text)?;
    let (path, _) = text.split_once(['?', '#']).unwrap_or((text, ""));
    let path = path.split_once("://").map_or(path, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    for part in path.split('/') {
        let mut is_open = false;
        for c in part.chars().filter(|c| matches!(c, '{' | '}')) {
            if (c == '{') == is_open {
                return fault("nested curly braces");
            }
            is_open = !is_open;
        }
        if is_open {
            return fault("no matching closing brace");
        }
    }
    Ok(())
}
