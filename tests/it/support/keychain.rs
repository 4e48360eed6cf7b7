//! An enrollment for tests: a System keychain with generated certificates, and the enrollment profile.

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use sha1::{Digest, Sha1};
use std::fmt::Write as _;
use x509_parser::pem::Pem;

/// A System keychain, with Apple's own two identities in it.
pub struct Keychain {
    now: mdm_health::vocabulary::Time,
    certificates: String,
    identities: Vec<String>,
}

impl Keychain {
    pub fn at(now: &str) -> Self {
        Self { now: now.parse().unwrap(), certificates: String::new(), identities: Vec::new() }
            .identity("com.apple.kerberos.kdc", "com.apple.kerberos.kdc", -900..9000)
            .identity("com.apple.systemdefault", "com.apple.systemdefault", -900..-1)
    }

    /// Adds an identity by its common name, its issuer, and the days from now between which it is valid.
    pub fn identity(mut self, name: &str, issuer: &str, days: std::ops::Range<i64>) -> Self {
        let expired = if days.end < 0 { " (CSSMERR_TP_CERT_EXPIRED)" } else { "" };
        let before = self.certificates.len();
        self = self.certificate(name, issuer, days);
        let der = Pem::iter_from_buffer(&self.certificates.as_bytes()[before..]).next().unwrap().unwrap().contents;
        let sha1 = Sha1::digest(&der).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02X}"));
        self.identities.push(format!("{sha1} \"{name}\"{expired}"));
        self
    }

    /// Adds a certificate without a private key.
    pub fn certificate(mut self, name: &str, issuer: &str, days: std::ops::Range<i64>) -> Self {
        let at = |days| {
            let seconds = (self.now + chrono::TimeDelta::days(days)).timestamp();
            rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds.try_into().unwrap())
        };
        let mut mac = params(name);
        (mac.not_before, mac.not_after) = (at(days.start), at(days.end));
        let mut authority = params(issuer);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
        self.certificates += &mac.signed_by(&key, &issuer).unwrap().pem();
        self
    }

    /// What `security find-certificate -a -p` prints.
    pub fn certificates(&self) -> &str {
        &self.certificates
    }

    /// What `security find-identity` prints.
    pub fn identities(&self) -> String {
        let mut text = "\nPolicy: X.509 Basic\n  Matching identities\n".to_owned();
        for (at, line) in self.identities.iter().enumerate() {
            let _ = writeln!(text, "  {}) {line}", at + 1);
        }
        let valid: Vec<_> = self.identities.iter().filter(|line| !line.ends_with(')')).collect();
        let _ = writeln!(text, "     {} identities found\n\n  Valid identities only", self.identities.len());
        for (at, line) in valid.iter().enumerate() {
            let _ = writeln!(text, "  {}) {line}", at + 1);
        }
        text + &format!("     {} valid identities found\n", valid.len())
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// The payload that requests an identity with this common name from a SCEP server.
pub fn scep(common_name: &str) -> String {
    format!(
        "<key>PayloadType</key><string>com.apple.security.scep</string>
         <key>PayloadContent</key>
         <dict>
           <key>Name</key><string>Example CA</string>
           <key>Subject</key>
           <array>
             <array><array><string>O</string><string>Example</string></array></array>
             <array><array><string>CN</string><string>{common_name}</string></array></array>
           </array>
           <key>URL</key><string>https://mdm.example.com/scep</string>
         </dict>"
    )
}

/// The payload that requests an identity from an ACME server, with its key in the Secure Enclave.
pub const ACME_IN_HARDWARE: &str = "<key>PayloadType</key><string>com.apple.security.acme</string>
     <key>PayloadContent</key>
     <dict>
       <key>ClientIdentifier</key><string>C02XXXXXXXXX</string>
       <key>DirectoryURL</key><string>https://mdm.example.com/acme</string>
       <key>HardwareBound</key><true/>
     </dict>";

/// The payload that contains an identity.
pub const PKCS12: &str = "<key>PayloadType</key><string>com.apple.security.pkcs12</string>
     <key>PayloadContent</key>
     <dict><key>PayloadCertificateFileName</key><string>mac.p12</string></dict>";

/// What `profiles -C -o stdout-xml` prints for the profile with the MDM payload and this identity payload.
pub fn profiles_list(identity: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>_computerlevel</key>
  <array>
    <dict>
      <key>ProfileIdentifier</key><string>com.example.enrollment</string>
      <key>ProfileInstallDate</key><string>2026-03-31 01:14:38 +0000</string>
      <key>ProfileItems</key>
      <array>
        <dict>{identity}<key>PayloadUUID</key><string>6EE63BCC-0000-4000-8000-000000000002</string></dict>
        <dict>
          <key>PayloadType</key><string>com.apple.mdm</string>
          <key>PayloadContent</key>
          <dict>
            <key>AccessRights</key><integer>8191</integer>
            <key>CheckInURL</key><string>https://mdm.example.com/checkin</string>
            <key>IdentityCertificateUUID</key><string>6EE63BCC-0000-4000-8000-000000000002</string>
            <key>ServerCapabilities</key>
            <array><string>com.apple.mdm.per-user-connections</string><string>com.apple.mdm.bootstraptoken</string></array>
            <key>ServerURL</key><string>https://mdm.example.com/mdm</string>
            <key>SignMessage</key><true/>
            <key>Topic</key><string>com.apple.mgmt.External.1</string>
          </dict>
        </dict>
      </array>
      <key>ProfileOrganization</key><string>Example</string>
      <key>ProfileUUID</key><string>597B4018-0000-4000-8000-000000000001</string>
    </dict>
  </array>
</dict>
</plist>
"#
    )
}

/// What `mdmclient DumpManagementStatus` prints on a Mac enrolled by Automated Device Enrollment.
pub const MANAGED: &str = "\
Management status: {
    DEPEnrolledMDMs =     (
        \"597B4018-0000-4000-8000-000000000001\"
    );
    DeviceIsSupervised = 1;
    EnrolledInDEP = 1;
    MDMs =     {
        \"597B4018-0000-4000-8000-000000000001\" =         {
            IsDEP = 1;
            IsUserApproved = 1;
            ProfileOrgName = Example;
            ServerURL = \"https://mdm.example.com/mdm\";
        };
    };
    ManagedViaMDM = 1;
}
";
