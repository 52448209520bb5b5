//! What an object is called, and the digest of what it says.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::release::{Error, Json};

/// Group, version and kind of an object; the group is empty for core kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gvk {
    /// API group, for instance `apps`.
    pub group: String,
    /// API version, for instance `v1`.
    pub version: String,
    /// Kind, for instance `Deployment`.
    pub kind: String,
}

impl Gvk {
    /// From an object's `apiVersion` (`apps/v1`, `v1`) and `kind`.
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// The `apiVersion` of an object: `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api_version(), self.kind)
    }
}

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They belong to the whole cluster.
    Cluster,
}

/// What makes an object the one it is: group, kind, namespace and name.
///
/// The version is not part of it: `apps/v1` and `apps/v1beta1` of one name are one object. It is carried beside, in
/// [`Prepared`](crate::release::prepare::Prepared).
///
/// Shown as `apps/Deployment ns/name`, `ConfigMap ns/name`, `rbac.authorization.k8s.io/ClusterRole name`; this text can
/// be read back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// API group, empty for core kinds.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace, empty for objects of the whole cluster.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectId {
    /// The id of a live object; `None` where it has no `apiVersion`, `kind` or name.
    pub fn of(object: &Json) -> Option<Self> {
        let gvk = Gvk::new(object.get("apiVersion")?.as_str()?, object.get("kind")?.as_str()?);
        let metadata = object.get("metadata")?;
        let namespace = metadata.get("namespace").and_then(Json::as_str).unwrap_or_default();
        let name = metadata.get("name")?.as_str()?;
        Some(Self { group: gvk.group, kind: gvk.kind, namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        write!(f, "{} ", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

impl FromStr for ObjectId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::ObjectId { text: text.to_owned() };
        let (kind, name) = text.split_once(' ').ok_or_else(invalid)?;
        let (group, kind) = kind.rsplit_once('/').unwrap_or(("", kind));
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        if kind.is_empty() || name.is_empty() {
            return Err(invalid());
        }
        Ok(Self { group: group.into(), kind: kind.into(), namespace: namespace.into(), name: name.into() })
    }
}

/// The first 16 bytes of a SHA-256.
///
/// Shown in hexadecimal; [`Digest::to_base64`] is the short form (22 characters) for annotations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self::truncate(&Sha256::digest(bytes.as_ref()))
    }

    /// The digest of a value in canonical form: compact JSON, keys in byte order.
    pub fn of_json(value: &Json) -> Self {
        Self::of(value.to_string())
    }

    /// The digest of this digest and a salt: what may be shown of a digest over secret data.
    #[must_use]
    pub fn keyed(&self, salt: &[u8]) -> Self {
        Self::truncate(&Sha256::new().chain_update(salt).chain_update(self.0).finalize())
    }

    /// Base64 for URLs, without padding.
    pub fn to_base64(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`Digest::to_base64`] wrote; `None` for anything else.
    pub fn from_base64(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    fn truncate(hash: &[u8]) -> Self {
        let mut digest = [0; 16];
        digest.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
        Self(digest)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_base64(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no digest")))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_is_shown_shortly_and_read_back() {
        for text in ["apps/Deployment ns/name", "ConfigMap ns/name", "rbac.authorization.k8s.io/ClusterRole system:x"] {
            assert_eq!(text.parse::<ObjectId>().unwrap().to_string(), text);
        }
        assert!("Deployment".parse::<ObjectId>().is_err());
        assert!(" x".parse::<ObjectId>().is_err());
    }

    #[test]
    fn an_object_s_version_is_no_part_of_its_id() {
        let object =
            |version| json!({"apiVersion": version, "kind": "Ingress", "metadata": {"name": "a", "namespace": "n"}});
        assert_eq!(ObjectId::of(&object("networking.k8s.io/v1")), ObjectId::of(&object("networking.k8s.io/v1beta1")));
        assert_eq!(ObjectId::of(&json!({"kind": "X"})), None);
    }

    #[test]
    fn a_digest_has_two_texts_and_does_not_depend_on_the_order_of_keys() {
        let digest = Digest::of_json(&json!({"b": 1, "a": [2]}));
        assert_eq!(digest, Digest::of(r#"{"a":[2],"b":1}"#));
        assert_eq!(Digest::from_base64(&digest.to_base64()), Some(digest));
        assert_eq!(digest.to_string().len(), 32);
        assert_eq!(Digest::from_base64("AAAA"), None);
        assert_ne!(digest.keyed(b"x"), digest.keyed(b"y"));
    }

    #[test]
    fn the_core_group_is_empty() {
        assert_eq!(Gvk::new("v1", "Pod"), Gvk { group: String::new(), version: "v1".into(), kind: "Pod".into() });
        assert_eq!(Gvk::new("apps/v1", "Deployment").to_string(), "apps/v1/Deployment");
    }
}
