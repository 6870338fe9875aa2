//! `tenure serve` as its own process: it starts, says where, and stops when told.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;
use tenure_rig::Redis;

use crate::world::{Client, PASSWORD};

pub(super) struct Server {
    child: Child,
    /// What it says once it serves; somebody has to read it, or it stops at a full pipe.
    rest: Option<JoinHandle<String>>,
    pub url: String,
    ops: String,
}

fn command(folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
    command.env_clear().arg("serve").arg("--data").arg(folder).args(["--dev", "--listen", "127.0.0.1:0"]);
    command.args(["--ops-listen", "127.0.0.1:0", "--dev-user", &format!("dev@tenure.example:{PASSWORD}")]);
    command.env("TENURE_PASSWORD__MEMORY_KIB", "8").env("TENURE_PASSWORD__PASSES", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A field of the line that says where it serves, in whatever style.
fn said(line: &str, name: &str) -> Option<String> {
    if let Ok(line) = serde_json::from_str::<Value>(line) {
        return line[name].as_str().filter(|_| line["message"] == "serving").map(str::to_owned);
    }
    let mut words = line.split_whitespace().skip_while(|word| *word != "serving");
    let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('"').to_owned())
}

impl Server {
    fn start(folder: &std::path::Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// With settings, as the environment has them.
    pub fn start_with(folder: &std::path::Path, environment: &[(&str, &str)]) -> Self {
        let mut child = command(folder).envs(environment.iter().copied()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, rest: None, url: String::new(), ops: String::new() };
        while server.url.is_empty() {
            let mut line = String::new();
            assert!(out.read_line(&mut line).unwrap() > 0, "ended before it served");
            if let [Some(listen), Some(ops)] = ["listen", "ops"].map(|name| said(&line, name)) {
                (server.url, server.ops) = (format!("http://{listen}"), format!("http://{ops}"));
            }
        }
        server.rest = Some(thread::spawn(move || {
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            rest
        }));
        server
    }

    /// What readiness says of one that is to be sent requests.
    async fn ready(&self) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("{}/readyz", self.ops)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        answer.text().await.unwrap()
    }

    /// Stops it as an init system does; gives its exit code and the rest of its output.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let rest = self.rest.take().unwrap().join().unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

/// A test that fails leaves no server behind.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn it_serves_says_where_and_stops_cleanly_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let client = Client::new(server.url.clone(), false);
    let answer = client.login("dev@tenure.example", PASSWORD).await.expect(200);
    client.profile(&answer.access_token()).await.expect(200);
    let cookie = answer.set_cookies()[0].split(';').next().unwrap().to_owned();
    let page = client.get("/sign-in").send().await.expect(200);
    assert_eq!(page.is_page(), tenure::pages::built("sign-in.html").is_some(), "{}", page.text());
    assert_eq!(server.ready().await, "ready\n");
    let (code, rest) = server.terminate();
    assert_eq!(code, Some(0), "{rest}");
    let stopped = rest.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    assert!(stopped.into_iter().any(|line| line["message"] == "stopped"), "{rest}");
    // The next one knows the session: same secret, same keys.
    let server = Server::start(folder.path());
    let client = Client::new(server.url.clone(), false);
    client.refresh_with(&cookie).await.expect(200);
    client.profile(&answer.access_token()).await;
    server.terminate();
    let mode = |name: &str| {
        let metadata = std::fs::metadata(folder.path().join(name)).unwrap();
        std::os::unix::fs::MetadataExt::mode(&metadata) & 0o777
    };
    assert_eq!((mode("secret"), mode("tenure.db")), (0o600, 0o600));
}

#[tokio::test]
async fn it_finds_an_encrypted_redis_by_the_authority_that_it_is_told() {
    let redis = Redis::start_encrypted();
    let authority = redis.authority().unwrap().to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("TENURE_REDIS__URL", &*redis.url()),
        ("TENURE_REDIS__CA_FILE", authority),
        ("TENURE_REDIS__TIMEOUT", "1s"),
    ];
    let server = Server::start_with(folder.path(), &environment);
    let finding = async {
        while server.ready().await != "ready\n" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), finding).await.expect("never found");
}

#[test]
fn a_port_that_is_taken_is_3_and_names_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
    command.env_clear().args(["serve", "--dev", "--listen", &address, "--ops-listen", "", "--data"]);
    let output = command.arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("choose another with --listen"));
}

#[test]
fn a_production_start_without_what_it_needs_is_2_with_a_line_for_each() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
    command.env_clear().env("TENURE_SESSION__SETTLE", "10s").args(["serve", "--data"]);
    let output = command.arg(folder.path().join("data")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("public_url") && said.contains("settle"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(!folder.path().join("data").exists());
}
