//! The proxies, run as an unprivileged user on files of `deploy` in which places have been replaced, and nothing else.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tenure_rig::{Account, Program, find, free_port, wait_until};

use crate::application::APP_SITE;
use crate::nodes::{Nodes, SITE};

pub struct Front {
    pub address: SocketAddr,
    /// What its name is certified by.
    pub certificate: PathBuf,
    _proxy: Program,
    _folder: TempDir,
}

/// Where Caddy's examples have their nodes.
const NODES: &str = "10.0.0.11:7700 10.0.0.12:7700";

/// The application's own address in each example.
const APPLICATION: &str = "10.0.0.21:8000";

/// A file of `deploy` with each of the pairs replaced; what is not found would be an example that has changed.
fn example(path: &str, places: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path);
    let mut text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    for (theirs, ours) in places {
        assert!(text.contains(theirs), "{path} does not say `{theirs}` any more");
        text = text.replace(theirs, ours);
    }
    text
}

/// A folder of the account's own, with a certificate for the site.
fn folder(account: &Account) -> TempDir {
    let folder = account.folder();
    let output = Command::new(find("openssl", "openssl"))
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args([
            "-days",
            "2",
            "-subj",
            &format!("/CN={SITE}"),
            "-addext",
            &format!("subjectAltName=DNS:{SITE},DNS:{APP_SITE}"),
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    account.give(&folder.path().join("key.pem"));
    account.give(&folder.path().join("cert.pem"));
    folder
}

pub fn nginx(nodes: &Nodes) -> Front {
    nginx_in_front_of(nodes, None)
}

/// With an application behind it that Tenure is asked about.
pub fn nginx_in_front_of(nodes: &Nodes, application: Option<SocketAddr>) -> Front {
    let account = Account::unprivileged("www-data", "base-passwd");
    let folder = folder(&account);
    let (port, clear) = (free_port(), free_port());
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let site = example(
        "nginx/tenure.conf",
        &[
            ("10.0.0.11:7700", &nodes.api(0).to_string()),
            ("10.0.0.12:7700", &nodes.api(1).to_string()),
            ("listen 80;", &format!("listen 127.0.0.1:{clear};")),
            ("    listen [::]:80;\n", ""),
            ("listen 443 ", &format!("listen 127.0.0.1:{port} ")),
            ("    listen [::]:443 ssl http2;\n", ""),
            ("/etc/nginx/tls/id.example.com.pem", &at("cert.pem")),
            ("/etc/nginx/tls/id.example.com.key", &at("key.pem")),
        ],
    );
    fs::write(at("tenure.conf"), site).unwrap();
    let mut main = format!("daemon off;\npid {};\nerror_log stderr;\nworker_processes 2;\n", at("pid"));
    main += "events {}\nhttp {\n  access_log off;\n";
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        main += &format!("  {kind}_temp_path {};\n", at(kind));
    }
    main += &format!("  include {};\n", at("tenure.conf"));
    if let Some(application) = application {
        let places = [
            (APPLICATION, application.to_string()),
            ("listen 443 ", format!("listen 127.0.0.1:{port} ")),
            ("    listen [::]:443 ssl http2;\n", String::new()),
            ("/etc/nginx/tls/app.example.com.pem", at("cert.pem")),
            ("/etc/nginx/tls/app.example.com.key", at("key.pem")),
        ];
        let places: Vec<_> = places.iter().map(|(theirs, ours)| (*theirs, ours.as_str())).collect();
        fs::write(at("forward-auth.conf"), example("nginx/forward-auth.conf", &places)).unwrap();
        main += &format!("  include {};\n", at("forward-auth.conf"));
    }
    main += "}\n";
    fs::write(at("nginx.conf"), main).unwrap();
    let arguments = ["-p".to_owned(), at(""), "-c".to_owned(), at("nginx.conf")];
    let command = account.command(&find("nginx", "nginx"), arguments);
    front(folder, port, "TERM", &command)
}

pub fn caddy(nodes: &Nodes) -> Front {
    caddy_in_front_of(nodes, None)
}

/// With an application behind it that Tenure is asked about.
pub fn caddy_in_front_of(nodes: &Nodes, application: Option<SocketAddr>) -> Front {
    let account = Account::unprivileged("www-data", "base-passwd");
    let folder = folder(&account);
    let (port, clear) = (free_port(), free_port());
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let both = format!("{} {}", nodes.api(0), nodes.api(1));
    let certified = |site: &str| format!("{site}\ttls {} {}\n", at("cert.pem"), at("key.pem"));
    let site = "{$SITE:id.example.com} {\n";
    let mut file = example(
        "caddy/Caddyfile",
        &[
            (NODES, &both),
            ("health_port 7701", &format!("health_port {}", nodes.ops_port)),
            ("admin off\n", &format!("admin off\n\thttp_port {clear}\n\thttps_port {port}\n")),
            (site, &certified(site)),
        ],
    );
    if let Some(application) = application {
        let site = "{$APP_SITE:app.example.com} {\n";
        let places = [(NODES, both), (APPLICATION, application.to_string()), (site, certified(site))];
        let places: Vec<_> = places.iter().map(|(theirs, ours)| (*theirs, ours.as_str())).collect();
        fs::write(at("forward-auth.Caddyfile"), example("caddy/forward-auth.Caddyfile", &places)).unwrap();
        file += "import forward-auth.Caddyfile\n";
    }
    fs::write(at("Caddyfile"), file).unwrap();
    let arguments = ["run", "--adapter", "caddyfile", "--config", &at("Caddyfile")].map(str::to_owned);
    let own = ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|name| format!("{name}={}", at("")));
    let environment = ["env".to_owned(), "-i".to_owned()].into_iter().chain(own);
    let command = account.command(&find("caddy", "caddy"), arguments);
    front(folder, port, "TERM", &environment.chain(command).collect::<Vec<_>>())
}

fn front(folder: TempDir, port: u16, signal: &str, command: &[String]) -> Front {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let proxy = Program::start(folder.path(), signal, command);
    wait_until("the proxy to listen", || {
        assert!(proxy.is_alive(), "the proxy ended:\n{}", proxy.log());
        TcpStream::connect(address).is_ok()
    });
    Front { address, certificate: folder.path().join("cert.pem"), _proxy: proxy, _folder: folder }
}
