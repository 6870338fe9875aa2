//! nginx in front of a back end, with TLS, for names that only the laboratory knows.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use tenure_rig::{Account, Program, find, wait_until};

use crate::address;
use crate::pages::Pages;

pub const APP: &str = "https://app.example.com";

const PORT: u16 = 8443;
const CLEAR_PORT: u16 = 8080;

/// Where the pages are and where the API is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    OneOrigin,
    /// `app.example.com` and `api.example.com`.
    Siblings,
    /// `app.example.com` and `api.example.org`.
    TwoSites,
    /// Siblings, of which the API is in another network.
    TwoNetworks,
    /// `app.example.com` and `api.example.net`, which has no certificate.
    Uncertified,
    /// One origin without TLS.
    Clear,
    /// The same on this machine, by its own name.
    Here,
}

pub struct Front {
    layout: Layout,
    address: Ipv4Addr,
    _nginx: Program,
    _folder: TempDir,
}

/// What it stands in front of, and what it shows.
pub struct Behind<'a> {
    pub back_ends: &'a [SocketAddr],
    /// Who brings about what the hooks of the profile ask for.
    pub control: SocketAddr,
    pub certificate: &'a Certificate,
    pub pages: &'a Pages,
}

/// What is changed in [`CONFIGURATION`] and in [`API`].
#[derive(Clone, Default)]
pub struct Lines {
    pub http: String,
    pub server: String,
    pub location: String,
    pub without: Vec<&'static str>,
}

/// As it should be.
const CONFIGURATION: &str = r#"
daemon off;
pid {folder}/pid;
error_log stderr;
worker_processes 1;
events {}
http {
    access_log off;
    absolute_redirect off;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream back_end { {upstream} }
    {http}
    server {
        listen {address}:{clear_port};
        server_name app.example.com api.example.com api.example.org api.example.net;
        return 308 https://$host$request_uri;
    }
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    server {
        listen {address}:{port} ssl;
        server_name app.example.com;
        add_header Strict-Transport-Security "max-age=31536000" always;
        location / { root {folder}/pages; try_files $uri /index.html; }
        {api on app}
    }
    server {
        listen {api address}:{port} ssl;
        server_name api.example.com api.example.org api.example.net;
        add_header Strict-Transport-Security "max-age=31536000" always;
        {api on api}
    }
}
"#;

const CLEAR: (&str, &str) = (
    "        return 308 https://$host$request_uri;\n",
    "        location / { root {folder}/pages; try_files $uri /index.html; }\n        {api on app}\n",
);

const API: &str = r#"
        {server}
        location /api/ {
            proxy_pass http://back_end;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_hide_header Strict-Transport-Security;
            {location}
        }
        location /hooks/ { proxy_pass http://{control}; }
"#;

// === impl Front ===

impl Front {
    pub fn start(layout: Layout, lines: &Lines, behind: &Behind<'_>) -> Self {
        let account = account();
        let folder = account.folder();
        let address = address::unused();
        let path = folder.path().to_string_lossy().into_owned();
        let upstream: String =
            behind.back_ends.iter().map(|at| format!("server {at} max_fails=0; ")).collect();
        let (on_app, on_api) = if layout.is_one_origin() { (API, "") } else { ("", API) };
        let base = if layout.is_clear() {
            CONFIGURATION.replace(CLEAR.0, CLEAR.1)
        } else {
            CONFIGURATION.to_owned()
        };
        let mut text = base.replace("{api on app}", on_app).replace("{api on api}", on_api);
        for line in &lines.without {
            assert!(text.contains(line), "there is no `{line}` that could be left out");
            text = text.replace(line, "");
        }
        for (place, words) in [
            ("{http}", lines.http.as_str()),
            ("{server}", &lines.server),
            ("{location}", &lines.location),
            ("{upstream}", &upstream),
            ("{address}", &address.to_string()),
            ("{api address}", &layout.api_address(address).to_string()),
            ("{control}", &behind.control.to_string()),
            ("{port}", &PORT.to_string()),
            ("{clear_port}", &CLEAR_PORT.to_string()),
            ("{certificate}", &behind.certificate.file().to_string_lossy()),
            ("{key}", &behind.certificate.key().to_string_lossy()),
            ("{folder}", &path),
        ] {
            text = text.replace(place, words);
        }
        let configuration = folder.path().join("nginx.conf");
        fs::write(&configuration, text).unwrap();
        behind.pages.write(&folder.path().join("pages"));
        let arguments = ["-p".to_owned(), path, "-c".to_owned(), configuration.display().to_string()];
        let command = account.command(&find("nginx", "nginx"), arguments);
        let nginx = Program::start(folder.path(), "TERM", &command);
        wait_until("nginx to listen", || {
            assert!(nginx.is_alive(), "nginx ended:\n{}", nginx.log());
            TcpStream::connect((layout.api_address(address), PORT)).is_ok()
        });
        Self { layout, address, _nginx: nginx, _folder: folder }
    }

    /// What the command is told of where it is.
    pub fn arguments(&self, below: &str) -> Vec<String> {
        let (app, api) = (self.layout.app(), self.layout.api());
        let host = |url: &'static str| url.split_once("://").unwrap().1;
        let mut arguments = vec!["--url".to_owned(), format!("{app}{below}")];
        if app != api || !below.is_empty() {
            arguments.extend(["--api".to_owned(), api.to_owned()]);
        }
        if self.layout == Layout::Clear {
            arguments.push("--allow-http".into());
        }
        let port = if self.layout.is_clear() { CLEAR_PORT } else { PORT };
        for (url, address) in [(app, self.address), (api, self.layout.api_address(self.address))] {
            arguments.extend(["--resolve".into(), format!("{}={address}:{port}", host(url))]);
        }
        arguments
    }
}

impl Layout {
    fn is_one_origin(self) -> bool {
        self == Self::OneOrigin || self.is_clear()
    }

    fn is_clear(self) -> bool {
        matches!(self, Self::Clear | Self::Here)
    }

    fn app(self) -> &'static str {
        match self {
            Self::Clear => "http://app.example.com",
            Self::Here => "http://localhost",
            _ => APP,
        }
    }

    pub fn api(self) -> &'static str {
        match self {
            Self::OneOrigin | Self::Clear | Self::Here => self.app(),
            Self::Siblings | Self::TwoNetworks => "https://api.example.com",
            Self::TwoSites => "https://api.example.org",
            Self::Uncertified => "https://api.example.net",
        }
    }

    fn api_address(self, of_pages: Ipv4Addr) -> Ipv4Addr {
        if self == Self::TwoNetworks { address::elsewhere(of_pages) } else { of_pages }
    }
}

/// For all names, signed by itself.
pub struct Certificate {
    folder: TempDir,
}

impl Certificate {
    pub fn make() -> Self {
        let account = account();
        let folder = account.folder();
        let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("cert.pem"));
        let output = Command::new(find("openssl", "openssl"))
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-days", "90", "-subj", "/CN=app.example.com", "-addext"])
            .arg("subjectAltName=DNS:app.example.com,DNS:api.example.com,DNS:api.example.org")
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        account.give(&key);
        Self { folder }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}

fn account() -> Account {
    Account::unprivileged("www-data", "base-passwd")
}
