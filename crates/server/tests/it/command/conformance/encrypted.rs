//! A system that speaks TLS, whose certificate is believed or not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tenure_rig::find;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::back_end::{Fault, PROFILE, planted};
use super::{Measurement, nothing_but};

/// A key and the certificate that it has signed itself.
fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (key, certificate) = (folder.join("key.pem"), folder.join("cert.pem"));
    let output = Command::new(find("openssl", "openssl"))
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (key, certificate)
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, behind: String) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, behind) = (tls.clone(), behind.clone());
        tokio::spawn(async move {
            // A client that does not believe us hangs up.
            let Ok(mut client) = tls.accept(stream).await else { return };
            let mut server = TcpStream::connect(behind).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

#[test]
fn a_certificate_is_believed_if_the_system_believes_it_and_a_cookie_has_to_be_secure_then() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = certificate(folder.path());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&certificate).unwrap()],
            PrivateKeyDer::from_pem_file(key).unwrap(),
        )
        .unwrap();
    let running = planted(Fault::None);
    let behind = running.url.strip_prefix("http://").unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    runtime.spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), behind));
    let measurement = Measurement::by_profile(&url, PROFILE);
    let measurement = measurement.env("SSL_CERT_FILE", certificate.to_str().unwrap());
    nothing_but(&measurement.verdicts(1), &["C34.1"]);
    let strange = tempfile::tempdir().unwrap();
    let (_, another) = self::certificate(strange.path());
    let stranger = Measurement::by_profile(&url, PROFILE).env("SSL_CERT_FILE", another.to_str().unwrap());
    let printed = stranger.run(&[]).expect(3);
    assert!(printed.err.contains("certificate"), "{printed:?}");
}
