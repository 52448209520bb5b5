//! Certificates: `genCA`, `genSelfSignedCert`, `genSignedCert` and their variants with a given key, `buildCustomCert`.
//!
//! They are laid out as `crypto/x509` of Go 1.26 does, and signed as the signer's key demands.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use std::any::Any;
use std::net::IpAddr;

use rand_chacha::rand_core::Rng as _;
use sha2::Digest as _;

use crate::functions::Host;
use crate::functions::crypto::chance::generator;
use crate::functions::crypto::der::{self, bit_string, element, integer, pem, sequence, tag};
use crate::functions::crypto::key::Key;
use crate::functions::dates::{Time, format_time};
use crate::functions::encoding::base64_decode;
use crate::template::function::{Arg, Engine};
use crate::value::{Field, List, Object, Str, Type, Value};

// Object identifiers, encoded.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// Sprig's `certificate`: a certificate and its key, both PEM.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    cert: Str,
    key: Str,
}

impl From<Certificate> for Value {
    fn from(certificate: Certificate) -> Self {
        Self::object(certificate)
    }
}

impl Arg for Certificate {
    const TYPE: Type = Type::Named("sprig.certificate");
    fn from_value(value: &Value) -> Option<Self> {
        value.downcast().cloned()
    }
}

impl Object for Certificate {
    fn type_name(&self) -> &str {
        Self::TYPE.name()
    }

    fn print(&self) -> Str {
        [&b"{"[..], &self.cert, b" ", &self.key, b"}"].concat().into()
    }

    fn fields(&self) -> Vec<Field> {
        let field = |name, text: &Str| Field { name, json: name, omit_empty: false, value: text.clone().into() };
        vec![field("Cert", &self.cert), field("Key", &self.key)]
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"Cert": self.cert.to_text(), "Key": self.key.to_text()})
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self.cert == other.cert && self.key == other.key)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What a new certificate says.
struct Request {
    common_name: Str,
    ips: List,
    dns: List,
    days: i64,
    authority: bool,
}

impl Request {
    fn authority(common_name: Str, days: i64) -> Self {
        let none = || List::new(crate::value::Elem::Any, Vec::new());
        Self { common_name, ips: none(), dns: none(), days, authority: true }
    }

    fn server(common_name: Str, ips: List, dns: List, days: i64) -> Self {
        Self { common_name, ips, dns, days, authority: false }
    }
}

/// Who signs: a name, the identifier of its key, and the key.
struct Signer {
    /// The subject, encoded.
    name: Vec<u8>,
    key_id: Vec<u8>,
    key: Key,
}

impl Signer {
    fn of(ca: &Certificate) -> Result<Self, String> {
        let certificate = pem_body(&ca.cert).ok_or("unable to decode certificate")?;
        let (name, key_id) = subject_of(&certificate).ok_or_else(|| {
            format!("error parsing certificate: decodedSignerCert.Bytes: {}", malformed(&certificate))
        })?;
        let key = Key::from_pem(&ca.key).map_err(|error| format!("error parsing private key: {error}"))?;
        key.algorithm()?;
        if public_of(&certificate) != Some(key.public()?) {
            return Err(
                "error creating certificate: x509: provided PrivateKey doesn't match parent's PublicKey".to_owned()
            );
        }
        Ok(Self { name, key_id, key })
    }
}

/// `genCA`
pub(crate) fn gen_ca(engine: &mut dyn Engine, common_name: Str, days: i64) -> Result<Certificate, String> {
    let key = Key::generate(engine)?;
    issue(engine, &Request::authority(common_name, days), &key, None)
}

/// `genCAWithKey`
pub(crate) fn gen_ca_with_key(
    engine: &mut dyn Engine,
    common_name: Str,
    days: i64,
    key: Str,
) -> Result<Certificate, String> {
    let key = given(&key)?;
    issue(engine, &Request::authority(common_name, days), &key, None)
}

/// `genSelfSignedCert`
pub(crate) fn gen_self_signed(
    engine: &mut dyn Engine,
    common_name: Str,
    ips: List,
    dns: List,
    days: i64,
) -> Result<Certificate, String> {
    let key = Key::generate(engine)?;
    issue(engine, &Request::server(common_name, ips, dns, days), &key, None)
}

/// The key that the template brought.
fn given(key: &Str) -> Result<Key, String> {
    Key::from_pem(key).map_err(|error| format!("parsing private key: {error}"))
}

/// `genSelfSignedCertWithKey`
#[expect(clippy::too_many_arguments, reason = "the function has Go's parameters")]
pub(crate) fn gen_self_signed_with_key(
    engine: &mut dyn Engine,
    common_name: Str,
    ips: List,
    dns: List,
    days: i64,
    key: Str,
) -> Result<Certificate, String> {
    let key = given(&key)?;
    issue(engine, &Request::server(common_name, ips, dns, days), &key, None)
}

/// `genSignedCert`
#[expect(clippy::too_many_arguments, reason = "the function has Go's parameters")]
pub(crate) fn gen_signed(
    engine: &mut dyn Engine,
    common_name: Str,
    ips: List,
    dns: List,
    days: i64,
    ca: Certificate,
) -> Result<Certificate, String> {
    let key = Key::generate(engine)?;
    issue(engine, &Request::server(common_name, ips, dns, days), &key, Some(Signer::of(&ca)?))
}

/// `genSignedCertWithKey`
#[expect(clippy::too_many_arguments, reason = "the function has Go's parameters")]
pub(crate) fn gen_signed_with_key(
    engine: &mut dyn Engine,
    common_name: Str,
    ips: List,
    dns: List,
    days: i64,
    ca: Certificate,
    key: Str,
) -> Result<Certificate, String> {
    let key = given(&key)?;
    issue(engine, &Request::server(common_name, ips, dns, days), &key, Some(Signer::of(&ca)?))
}

/// `buildCustomCert`: a certificate and a key that the chart was given in base64.
pub(crate) fn build_custom_cert(cert: Str, key: Str) -> Result<Certificate, String> {
    let cert: Str = base64_decode(&cert).map_err(|_bad| "unable to decode base64 certificate")?.into();
    let key: Str = base64_decode(&key).map_err(|_bad| "unable to decode base64 private key")?.into();
    let body = pem_body(&cert).ok_or("unable to decode certificate")?;
    subject_of(&body).ok_or_else(|| format!("error parsing certificate: decodedCert.Bytes: {}", malformed(&body)))?;
    Key::from_pem(&key).map_err(|error| format!("error parsing private key: {error}"))?;
    Ok(Certificate { cert, key })
}

/// Makes a certificate for `key`, signed by `signer` or by itself.
fn issue(engine: &dyn Engine, request: &Request, key: &Key, signer: Option<Signer>) -> Result<Certificate, String> {
    let alternatives = alternative_names(request)?;
    let now = Time::of(Host::of(engine)?.world.now());
    let mut serial = [0; 16];
    generator(engine)?.fill_bytes(&mut serial);
    let name = name(&request.common_name);
    let issuer = signer.as_ref().map_or(&name, |signer| &signer.name);
    let authority_key = signer.as_ref().filter(|signer| signer.name != name).map(|signer| signer.key_id.as_slice());
    let signing = signer.as_ref().map_or(key, |signer| &signer.key);
    let algorithm = signing.algorithm()?;
    let public = key.public()?;
    let body = sequence(&[
        // Version 3.
        &element(0xA0, &integer(&[2])),
        &integer(&serial),
        &algorithm,
        issuer,
        &validity(&now, request.days),
        &name,
        &public,
        &element(0xA3, &extensions(request, &public, authority_key, &alternatives)),
    ]);
    let signature = signing.sign(&mut generator(engine)?, &body)?;
    let certificate = sequence(&[&body, &algorithm, &bit_string(&signature)]);
    Ok(Certificate { cert: pem("CERTIFICATE", &certificate).into(), key: key.to_pem()?.into() })
}

/// A name of one part. Go writes a `PrintableString` where it can.
fn name(common_name: &Str) -> Vec<u8> {
    if common_name.is_empty() {
        return sequence(&[]);
    }
    let printable = |byte: &u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(byte);
    let tag = if common_name.iter().all(printable) { tag::PRINTABLE_STRING } else { tag::UTF8_STRING };
    let attribute = sequence(&[&element(tag::OID, COMMON_NAME), &element(tag, common_name)]);
    sequence(&[&element(tag::SET, &attribute)])
}

fn validity(now: &Time, days: i64) -> Vec<u8> {
    let end = Time::unix(now.seconds.saturating_add(days.saturating_mul(86_400)));
    sequence(&[&date(now), &date(&end)])
}

fn date(time: &Time) -> Vec<u8> {
    if (1950..2050).contains(&time.civil().year) {
        element(tag::UTC_TIME, format_time(time, "060102150405Z").as_bytes())
    } else {
        element(tag::GENERALIZED_TIME, format_time(time, "20060102150405Z").as_bytes())
    }
}

fn extension(id: &[u8], content: &[u8]) -> Vec<u8> {
    sequence(&[&element(tag::OID, id), &element(tag::OCTET_STRING, content)])
}

/// An extension that who does not know it must refuse.
fn critical(id: &[u8], content: &[u8]) -> Vec<u8> {
    sequence(&[&element(tag::OID, id), &element(tag::BOOLEAN, &[0xFF]), &element(tag::OCTET_STRING, content)])
}

fn extensions(request: &Request, public: &[u8], authority_key: Option<&[u8]>, alternatives: &[u8]) -> Vec<u8> {
    // Digital signature and key encipherment; for an authority also signing certificates.
    let usage: [u8; 2] = if request.authority { [2, 0xA4] } else { [5, 0xA0] };
    let usages = sequence(&[&element(tag::OID, SERVER_AUTH), &element(tag::OID, CLIENT_AUTH)]);
    let authority = element(tag::BOOLEAN, &[0xFF]);
    let constraints = if request.authority { sequence(&[&authority]) } else { sequence(&[]) };
    let mut all = vec![
        critical(KEY_USAGE, &element(tag::BIT_STRING, &usage)),
        extension(EXTENDED_KEY_USAGE, &usages),
        critical(BASIC_CONSTRAINTS, &constraints),
    ];
    if request.authority {
        all.push(extension(SUBJECT_KEY_ID, &element(tag::OCTET_STRING, &key_id(public))));
    }
    if let Some(id) = authority_key.filter(|id| !id.is_empty()) {
        all.push(extension(AUTHORITY_KEY_ID, &sequence(&[&element(0x80, id)])));
    }
    if !alternatives.is_empty() {
        all.push(extension(SUBJECT_ALT_NAME, &element(tag::SEQUENCE, alternatives)));
    }
    element(tag::SEQUENCE, &all.concat())
}

/// The first 20 bytes of the SHA-256 sum of the public key (RFC 7093).
fn key_id(public: &[u8]) -> Vec<u8> {
    let bits = der::read(public).and_then(|(info, _)| der::read_all(info.content));
    let key = bits.and_then(|parts| parts.last().map(|bits| bits.content.get(1..).unwrap_or_default().to_vec()));
    sha2::Sha256::digest(key.unwrap_or_default()).into_iter().take(20).collect()
}

/// DNS names, then addresses.
fn alternative_names(request: &Request) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut addresses = Vec::new();
    for ip in request.ips.iter() {
        let text = ip.as_str().ok_or_else(|| format!("error parsing ip: {} is not a string", ip.print()))?;
        let ip: IpAddr = text.to_text().parse().map_err(|_bad| format!("error parsing ip: {text}"))?;
        addresses.extend(match ip {
            IpAddr::V4(ip) => element(0x87, &ip.octets()),
            IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
                Some(ip) => element(0x87, &ip.octets()),
                None => element(0x87, &ip.octets()),
            },
        });
    }
    for dns in request.dns.iter() {
        let not_text = || format!("error processing alternate dns name: {} is not a string", dns.print());
        let dns_name = dns.as_str().ok_or_else(not_text)?;
        if !dns_name.is_ascii() {
            let quoted = crate::functions::unicode::quoted(dns_name);
            return Err(format!("error creating certificate: x509: {quoted} cannot be encoded as an IA5String"));
        }
        out.extend(element(0x82, dns_name));
    }
    out.extend(addresses);
    Ok(out)
}

/// What the first PEM block of a text holds.
fn pem_body(text: &Str) -> Option<Vec<u8>> {
    der::read_pem(text).map(|(_, body)| body)
}

/// What Go says of a certificate that is none.
fn malformed(certificate: &[u8]) -> &'static str {
    let body = der::read(certificate).filter(|(whole, _)| whole.tag == tag::SEQUENCE);
    if body.is_some() { "x509: malformed tbs certificate" } else { "x509: malformed certificate" }
}

/// The public key of a certificate, encoded.
fn public_of(certificate: &[u8]) -> Option<Vec<u8>> {
    let (whole, _) = der::read(certificate)?;
    let (body, _) = der::read(whole.content)?;
    let parts = der::read_all(body.content)?;
    let first = usize::from(parts.first()?.tag == 0xA0);
    parts.get(first + 5).map(|public| public.whole.to_vec())
}

/// The subject of a certificate, encoded, and the identifier of its key, empty if it has none.
fn subject_of(certificate: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (whole, _) = der::read(certificate)?;
    let (body, _) = der::read(whole.content)?;
    let parts = der::read_all(body.content)?;
    // The version is left out in old certificates.
    let first = usize::from(parts.first()?.tag == 0xA0);
    let subject = parts.get(first + 4).filter(|subject| subject.tag == tag::SEQUENCE)?;
    let extensions = parts.iter().find(|part| part.tag == 0xA3);
    let key_id = extensions.and_then(|extensions| {
        let (list, _) = der::read(extensions.content)?;
        der::read_all(list.content)?.into_iter().find_map(|extension| {
            let parts = der::read_all(extension.content)?;
            let wanted = parts.first().is_some_and(|id| id.content == SUBJECT_KEY_ID);
            let (id, _) = der::read(parts.last().filter(|_| wanted)?.content)?;
            Some(id.content.to_vec())
        })
    });
    Some((subject.whole.to_vec(), key_id.unwrap_or_default()))
}
