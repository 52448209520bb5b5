//! Just enough of DER to write a certificate and to find the parts of one.

use base64::Engine as _;

/// Universal and context tags that occur in certificates.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0C;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

/// One element: tag, length, content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    if content.len() < 0x80 {
        out.extend(u8::try_from(content.len()));
    } else {
        let length = content.len().to_be_bytes();
        let used: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
        out.push(0x80 | u8::try_from(used.len()).unwrap_or(0));
        out.extend(used);
    }
    out.extend_from_slice(content);
    out
}

/// A `SEQUENCE` of elements.
pub(crate) fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(tag::SEQUENCE, &elements.concat())
}

/// A number that is not negative, given big-endian.
pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    element(tag::INTEGER, &content)
}

/// A `BIT STRING` of whole bytes.
pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    element(tag::BIT_STRING, &[&[0], bytes].concat())
}

/// A PEM block: base64 in lines of 64 characters.
pub(crate) fn pem(kind: &str, der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let (lines, last) = body.as_bytes().as_chunks::<64>();
    let mut out = format!("-----BEGIN {kind}-----\n");
    for line in lines.iter().map(|line| &line[..]).chain(std::iter::once(last)).filter(|line| !line.is_empty()) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out.push_str("-----END ");
    out.push_str(kind);
    out.push_str("-----\n");
    out
}

/// An element as it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'d> {
    pub(crate) tag: u8,
    pub(crate) content: &'d [u8],
    /// With tag and length.
    pub(crate) whole: &'d [u8],
}

/// The first element of `bytes`, and what follows.
pub(crate) fn read(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if *first >= 0x80 {
        let (digits, after) =
            rest.split_at_checked(usize::from(first & 0x7F)).filter(|(digits, _)| (1..=4).contains(&digits.len()))?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len() - rest.len())?;
    Some((Element { tag: *tag, content, whole }, rest))
}

/// All elements of `bytes`; `None` if something else follows them.
pub(crate) fn read_all(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (element, after) = read(rest)?;
        elements.push(element);
        rest = after;
    }
    Some(elements)
}

/// The kind of the first PEM block of a text, and what it holds.
pub(crate) fn read_pem(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(text);
    let (_, block) = text.split_once("-----BEGIN ")?;
    let (kind, block) = block.split_once("-----")?;
    let (body, _) = block.split_once("-----END ")?;
    let body: String = body.chars().filter(|rune| !rune.is_whitespace()).collect();
    let body = base64::engine::general_purpose::STANDARD.decode(body).ok()?;
    Some((kind.to_owned(), body))
}

/// What Go's `encoding/asn1` says of bytes that are not the sequence which is called `name` there.
pub(crate) fn fault(bytes: &[u8], name: &str) -> String {
    const PARAMETERS: &str = "{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> \
                              stringType:0 timeType:0 set:false omitEmpty:false}";
    const TRUNCATED: &str = "asn1: syntax error: sequence truncated";
    let Some(first) = bytes.first() else { return TRUNCATED.to_owned() };
    let header = bytes.get(1).map(|length| match length {
        0..0x80 => (2, usize::from(*length)),
        more => {
            let digits = usize::from(more & 0x7F);
            let length = bytes.get(2..2 + digits).unwrap_or_default();
            (2 + digits, length.iter().fold(0_usize, |length, digit| length.wrapping_shl(8) | usize::from(*digit)))
        }
    });
    let Some((header, length)) = header.filter(|(header, _)| *header <= bytes.len()) else {
        return "asn1: syntax error: truncated tag or length".to_owned();
    };
    if bytes.get(1) == Some(&0x80) {
        return "asn1: syntax error: indefinite length found (not DER)".to_owned();
    }
    if *first != tag::SEQUENCE {
        let (class, compound, tag) = (first >> 6, first & 0x20 != 0, first & 0x1F);
        let found = format!("{{class:{class} tag:{tag} length:{length} isCompound:{compound}}}");
        return format!("asn1: structure error: tags don't match (16 vs {found}) {PARAMETERS} {name} @{header}");
    }
    if length > bytes.len() - header { "asn1: syntax error: data truncated".to_owned() } else { TRUNCATED.to_owned() }
}

/// An object identifier as it is read: `1.2.840.113549`.
pub(crate) fn dotted(id: &[u8]) -> String {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0_u64;
    for byte in id {
        arc = arc.wrapping_shl(7) | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    let mut texts = Vec::new();
    if let Some((first, rest)) = arcs.split_first() {
        let top = (first / 40).min(2);
        texts.extend([top, first - 40 * top]);
        texts.extend(rest);
    }
    texts.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}
