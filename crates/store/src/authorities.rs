//! Whose certificates PostgreSQL and Redis may show, where it is not the system that says so: a file of PEM.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// What a file holds: at least one authority, and none that cannot be read.
pub(crate) struct Authorities {
    pub roots: RootCertStore,
    /// The same as they stand in the file, for whoever reads them again.
    pub pem: Vec<u8>,
}

/// Whether authorities can be read from a file. The error names it and says what is wrong.
pub fn check(path: &Path) -> Result<(), String> {
    read(path).map(drop)
}

pub(crate) fn read(path: &Path) -> Result<Authorities, String> {
    let named = |error: &dyn Display| format!("{}: {error}", path.display());
    let pem = fs::read(path).map_err(|error| named(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| named(&error))?;
        roots.add(certificate).map_err(|error| named(&error))?;
    }
    if roots.is_empty() {
        return Err(named(&"there is no certificate in it"));
    }
    Ok(Authorities { roots, pem })
}
