//! Certificates, for servers that are to speak TLS.

use std::path::{Path, PathBuf};

use crate::program::{Account, find};

/// What a server shows and keeps, and whom it is from.
pub struct Certificates {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificates {
    /// Makes an authority of its own and a certificate for `127.0.0.1` alone, as files of the account's. They have the
    /// names that PostgreSQL looks for.
    pub fn make(account: &Account, folder: &Path) -> Self {
        let openssl = find("openssl", "openssl");
        let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let (ca, ca_key) = (file("ca.crt"), file("ca.key"));
        let (certificate, key) = (file("server.crt"), file("server.key"));
        let make = |subject: &str, certificate: &str, key: &str, more: &[&str]| {
            let kind =
                ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
            let about = ["-days", "2", "-subj", subject, "-out", certificate, "-keyout", key];
            account.run(&openssl, &[&kind, &about[..], more].concat());
        };
        make("/CN=authority", &ca, &ca_key, &[]);
        let leaf =
            ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
        let from = ["-CA", &ca, "-CAkey", &ca_key];
        make("/CN=server", &certificate, &key, &[&from[..], &leaf].concat());
        Self { authority: ca.into(), certificate: certificate.into(), key: key.into() }
    }
}
