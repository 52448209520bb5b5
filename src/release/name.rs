//! The name of a release (Helm v4.3.1, `pkg/chart/v2/util/validate_name.go`).

use std::fmt;

use crate::release::Error;

/// A release: the name of a resource and the namespace of its records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId {
    /// Name of the release.
    pub name: String,
    /// Namespace of its records, and of its namespaced objects that name none.
    pub namespace: String,
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Names of objects may have 63 characters; Helm leaves ten of them to the chart.
const LONGEST_NAME: usize = 53;

/// Checks that Helm would take `name` for a release: at most 53 characters, labels of a DNS name separated by dots.
///
/// # Errors
/// In Helm's words, so that users find them.
pub fn check_release_name(name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::NoReleaseName);
    }
    if name.len() > LONGEST_NAME || !name.split('.').all(is_dns_label) {
        return Err(Error::ReleaseName);
    }
    Ok(())
}

fn is_dns_label(label: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = label.as_bytes();
    bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
        && bytes.iter().all(|b| alphanumeric(b) || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_name_is_what_helm_takes() {
        let long = "a".repeat(53);
        for good in ["a", "web-1", "a.b", "0", long.as_str()] {
            assert!(check_release_name(good).is_ok(), "{good}");
        }
        let longer = "a".repeat(54);
        for bad in ["", "-a", "a-", "A", "a_b", "a..b", ".a", "a b", longer.as_str()] {
            assert!(check_release_name(bad).is_err(), "{bad}");
        }
        assert_eq!(
            check_release_name("A").unwrap_err().to_string(),
            "invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ \
             and the length must not be longer than 53"
        );
        assert_eq!(check_release_name("").unwrap_err().to_string(), "no name provided");
    }
}
