//! The certificate authority of one control plane, and what it signs. P-256 keys, made for throw-away data.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

/// A certificate with its private key, both as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key, PKCS#8.
    pub key: String,
}

/// A key pair without a certificate, both halves as PEM: what signs `ServiceAccount` tokens.
pub struct SigningKey {
    /// The private half, PKCS#8.
    pub private: String,
    /// The public half.
    pub public: String,
}

/// The certificate authority of one control plane.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, with a new key.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new() -> Result<Self> {
        let mut params = params("testbed-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)
            .context("cannot sign the certificate of the authority")?;
        Ok(Self { issuer })
    }

    /// The authority's certificate and key, which the controller-manager signs requests with.
    pub fn identity(&self) -> Identity {
        Identity { certificate: self.issuer.pem(), key: self.issuer.key().serialize_pem() }
    }

    /// A certificate for a user (common name) in up to two groups (organizations).
    ///
    /// # Errors
    /// The name cannot stand in a certificate, or there are more groups: a name of rcgen holds one value of a type, of
    /// which the organization is one by name and another one by number.
    pub fn client(&self, user: &str, groups: &[&str]) -> Result<Identity> {
        let mut params = params(user);
        let organization = [DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])];
        if groups.len() > organization.len() {
            bail!(
                "`{user}` is to be in {} groups, a certificate of the testbed holds {}",
                groups.len(),
                organization.len()
            );
        }
        for (name, group) in organization.into_iter().zip(groups) {
            params.distinguished_name.push(name, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// The certificate of a server that is reached at these addresses and by these names.
    ///
    /// # Errors
    /// A name cannot stand in a certificate.
    pub fn server(&self, name: &str, addresses: &[Ipv4Addr], names: &[&str]) -> Result<Identity> {
        let mut params = params(name);
        for address in addresses {
            params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(*address)));
        }
        for name in names {
            params.subject_alt_names.push(SanType::DnsName((*name).try_into()?));
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Identity> {
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer).context("cannot sign a certificate")?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

impl SigningKey {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        Ok(Self { private: key.serialize_pem(), public: key.public_key_pem() })
    }
}

/// Parameters with a common name. The dates are wide and fixed: the data does not live for a day, clocks may be wrong.
fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}

#[cfg(test)]
mod tests {
    use crate::certificate::{Authority, SigningKey};

    #[test]
    fn every_identity_is_a_pair_of_pem_blocks_of_its_own() {
        let authority = Authority::new().unwrap();
        let made = [
            authority.identity(),
            authority.server("a", &[[10, 96, 0, 1].into()], &["localhost"]).unwrap(),
            authority.client("admin", &["system:masters"]).unwrap(),
            authority.client("admin", &["system:masters"]).unwrap(),
        ];
        for (i, identity) in made.iter().enumerate() {
            assert!(identity.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
            assert!(identity.key.starts_with("-----BEGIN PRIVATE KEY-----"));
            assert!(
                made[..i].iter().all(|other| other.key != identity.key && other.certificate != identity.certificate)
            );
        }
    }

    #[test]
    fn groups_and_names_are_in_the_certificate() {
        let authority = Authority::new().unwrap();
        let text = |pem: &str| {
            let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
            let mut bits = 0_u32;
            let mut held = 0;
            let mut bytes = Vec::new();
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            for value in body.chars().filter_map(|c| alphabet.find(c)) {
                bits = (bits << 6) | u32::try_from(value).unwrap();
                held += 6;
                if held >= 8 {
                    held -= 8;
                    bytes.push(u8::try_from((bits >> held) & 0xff).unwrap());
                }
            }
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let client = text(&authority.client("jane", &["team-a", "team-b"]).unwrap().certificate);
        for part in ["jane", "team-a", "team-b", "testbed-ca"] {
            assert!(client.contains(part), "{part}");
        }
        assert!(authority.client("jane", &["a", "b", "c"]).is_err());
        let server = text(&authority.server("a", &[], &["kubernetes.default.svc"]).unwrap().certificate);
        assert!(server.contains("kubernetes.default.svc"));
    }

    #[test]
    fn a_signing_key_has_both_halves() {
        let key = SigningKey::new().unwrap();
        assert!(key.private.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(key.public.starts_with("-----BEGIN PUBLIC KEY-----"));
    }
}
