//! Django with simplejwt and with dj-rest-auth, as their documentation sets them up (`tests/foreign`).

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::case::Running;

pub struct Django {
    child: Child,
    address: SocketAddr,
    _data: TempDir,
}

impl Django {
    pub fn start(flavour: &str) -> Self {
        // Installed by `cargo xtask test`, below the target folder.
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../foreign/bin/python");
        assert!(python.is_file(), "Django is not at {}: `cargo xtask test` installs it", python.display());
        let data = tempfile::tempdir().unwrap();
        let serve = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/serve.py");
        let mut command = Command::new(python);
        command.arg(serve).env("FLAVOUR", flavour).env("DATA", data.path());
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let address = (Ipv4Addr::LOCALHOST, port.trim().parse().unwrap()).into();
        Self { child, address, _data: data }
    }
}

impl Running for Django {
    fn addresses(&self) -> &[SocketAddr] {
        std::slice::from_ref(&self.address)
    }

    fn hook(&self, name: &str) {
        panic!("there is no hook {name}");
    }
}

impl Drop for Django {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
