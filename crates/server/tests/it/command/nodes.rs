//! Several `tenure serve` in production on one PostgreSQL, with the command line beside them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tenure_domain::secret::MasterSecret;
use tenure_rig::{Database, Postgres, postgres_for_tests};

use crate::world::feed::Listener;
use crate::world::{Cli, Client, PASSWORD, SECOND, eventually};

/// What every node is told of an end before it would accept another call: the promise is 250 ms.
const EVERYWHERE: Duration = Duration::from_millis(250);

/// An installation: nodes and commands that have this environment, and a data folder that nobody needs.
struct Site {
    environment: Vec<(&'static str, String)>,
    folder: tempfile::TempDir,
}

impl Site {
    fn on(url: &str) -> Self {
        let secret = MasterSecret::from_bytes(std::array::from_fn(|i| i as u8)).to_text().expose().to_owned();
        let environment = vec![
            ("TENURE_POSTGRES__URL", url.to_owned()),
            ("TENURE_SECRET", secret),
            ("TENURE_SERVER__PUBLIC_URL", "https://id.example.com".into()),
            ("TENURE_PASSWORD__MEMORY_KIB", "15000".into()),
            ("TENURE_PASSWORD__PASSES", "1".into()),
            ("TENURE_LOG__FORMAT", "json".into()),
            // A loaded machine is no failure of the database.
            ("TENURE_POSTGRES__STATEMENT_TIMEOUT", "20s".into()),
            ("TENURE_POSTGRES__CONNECT_TIMEOUT", "20s".into()),
        ];
        Self { environment, folder: tempfile::tempdir().unwrap() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn serve(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
        command.env_clear().envs(self.environment.iter().cloned());
        command.args(["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data"]);
        command.arg(self.data()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn cli(&self) -> Cli {
        self.environment.iter().fold(Cli::on(&self.data()), |cli, (name, value)| cli.env(name, value))
    }

    fn user(&self, email: &str) {
        let password = format!("{PASSWORD}\n");
        self.cli().run_with(&["user", "create", email, "--name", "A"], &password).expect(0);
    }
}

/// A process that serves, or will. It ends with the value.
struct Node {
    child: Child,
    out: BufReader<ChildStdout>,
    url: String,
    ops: String,
}

impl Node {
    fn start(site: &Site) -> Self {
        let mut node = Self::begin(site);
        node.until_serving();
        node
    }

    fn begin(site: &Site) -> Self {
        let mut child = site.serve().stderr(Stdio::inherit()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out, url: String::new(), ops: String::new() }
    }

    /// Reads its log up to a line with this message.
    fn until(&mut self, message: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "ended before it said {message:?}");
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == message {
                return line;
            }
        }
    }

    fn until_serving(&mut self) {
        let line = self.until("serving");
        self.url = format!("http://{}", line["listen"].as_str().unwrap());
        self.ops = format!("http://{}", line["ops"].as_str().unwrap());
    }

    fn client(&self) -> Client {
        Client::new(self.url.clone(), true)
    }

    /// Stops it as an init system does.
    fn terminate(mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        std::io::copy(&mut self.out, &mut std::io::sink()).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn ready(node: &Node) -> (u16, String) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(format!("{}/readyz", node.ops)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The feed is live by a margin that a busy machine now and then misses.
async fn is_ready(node: &Node) {
    eventually("it is ready", async || ready(node).await == (200, "ready\n".into())).await;
}

async fn published(node: &Node) -> usize {
    let keys = node.client().get("/.well-known/jwks.json").send().await.expect(200).json();
    keys["keys"].as_array().unwrap().len()
}

fn cookie_of(answer: &crate::world::Answer) -> String {
    answer.set_cookies()[0].split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn nodes_and_commands_on_one_database_know_what_each_other_did_and_keep_nothing() {
    let database = postgres_for_tests().create_database();
    let site = Site::on(database.url());
    // The one prepares the database while the other waits.
    let mut nodes = [Node::begin(&site), Node::begin(&site)];
    nodes.iter_mut().for_each(Node::until_serving);
    site.user("ada@example.com");
    let [a, b] = &nodes;
    let answer = a.client().login("ada@example.com", PASSWORD).await.expect(200);
    let (access, cookie) = (answer.access_token(), cookie_of(&answer));
    for node in &nodes {
        node.client().profile(&access).await.expect(200);
        assert_eq!(published(node).await, 1);
        is_ready(node).await;
    }
    b.client().refresh_with(&cookie).await.expect(200);
    site.cli().run(&["keys", "rotate"]).expect(0);
    tokio::time::sleep(EVERYWHERE).await;
    assert_eq!((published(a).await, published(b).await), (2, 2));
    site.cli().run(&["session", "end", &answer.session_id(), "--reason", "lost laptop"]).expect(0);
    tokio::time::sleep(EVERYWHERE).await;
    for node in &nodes {
        node.client().profile(&access).await.expect(401).problem("access_token_revoked");
        let problem = node.client().refresh_with(&cookie).await.expect(401).problem("session_revoked");
        assert_eq!(problem["reason"], "admin_revoked");
    }
    let status = site.cli().json(&["migrate", "status"]);
    assert!(status.as_array().unwrap().iter().all(|row| row["applied_at"].is_i64()), "{status}");
    assert_eq!(site.cli().run(&["migrate", "plan"]).expect(0).out, "nothing to do\n");
    for node in nodes {
        assert_eq!(node.terminate().code(), Some(0));
    }
    assert!(!site.data().exists(), "nodes hold nothing");
}

#[tokio::test]
async fn an_end_at_one_node_or_by_the_command_line_is_told_by_every_node() {
    let database = postgres_for_tests().create_database();
    let site = Site::on(database.url());
    let nodes = [Node::start(&site), Node::start(&site)];
    site.user("ada@example.com");
    let scope = "--scopes=revocations.read";
    let key = ["api-key", "create", "ada@example.com", "--name=guard", scope, "--reason=test"];
    let key = site.cli().json(&key)["secret"].as_str().unwrap().to_owned();
    let mut listeners = vec![];
    for node in &nodes {
        let mut listener = Listener::on(&node.url, &key).await;
        listener.until("beat").await;
        listeners.push(listener);
    }
    let client = nodes[0].client();
    let [one, two] = [client.login("ada@example.com", PASSWORD), client.login("ada@example.com", PASSWORD)];
    let (one, two) = (one.await.expect(200), two.await.expect(200));
    client.call("POST", "/api/v1/auth/logout").bearer(&one.access_token()).send().await.expect(204);
    for listener in &mut listeners {
        assert_eq!(listener.news().await["ended"], serde_json::json!([one.session_id()]));
    }
    site.cli().run(&["session", "end", &two.session_id(), "--reason", "lost laptop"]).expect(0);
    for listener in &mut listeners {
        assert_eq!(listener.news().await["ended"], serde_json::json!([two.session_id()]));
    }
    for node in nodes {
        assert_eq!(node.terminate().code(), Some(0), "with somebody who listens");
    }
    for listener in &mut listeners {
        listener.until_ended().await;
    }
}

#[test]
fn commands_on_a_database_that_nobody_prepared_say_so_and_leave_it_as_it_is() {
    let database = postgres_for_tests().create_database();
    let site = Site::on(database.url());
    for verb in [vec!["user", "list"], vec!["keys", "list"], vec!["logouts", "stats"]] {
        let printed = site.cli().run(&verb).expect(3);
        assert!(printed.err.contains("tenure migrate up"), "{printed:?}");
    }
    let planned = site.cli().run(&["migrate", "plan"]).expect(0).out;
    assert!(planned.contains("0001") && planned.contains("pending"), "{planned}");
    assert_eq!(tables(&database), 0);
    site.cli().run(&["migrate", "up"]).expect(0);
    assert!(tables(&database) > 5);
    assert_eq!(site.cli().json(&["user", "list"]), serde_json::json!([]));
    assert!(!site.data().exists());
}

fn tables(database: &Database) -> i64 {
    database.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
}

#[test]
fn a_database_that_stays_away_is_3_with_where_it_was_looked_for_and_no_password() {
    let address = "127.0.0.1:1";
    let site = Site::on(&format!("postgres://tenure:hunter2@{address}/tenure"));
    let site = site.with("TENURE_POSTGRES__START_TIMEOUT", "1s");
    let output = site.serve().output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("postgres://tenure:***@{address}/tenure was tried for 1s")), "{said}");
    assert!(said.contains("PostgreSQL does not answer yet; trying again"), "{said}");
    let printed = site.cli().run(&["session", "list", "ada@example.com"]).expect(3);
    for text in [said, printed.err, site.cli().run(&["config", "print"]).expect(0).out] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_database_that_comes_later_than_its_nodes_is_waited_for() {
    let postgres = Postgres::start();
    let database = postgres.create_database();
    postgres.stop();
    let mut node = Node::begin(&Site::on(database.url()));
    node.until("PostgreSQL does not answer yet; trying again");
    postgres.start_again();
    node.until_serving();
    is_ready(&node).await;
    // And one that goes away and comes back is asked again without a restart.
    postgres.stop();
    assert_eq!(ready(&node).await.0, 503);
    node.client().login("ada@example.com", PASSWORD).await.expect(503).problem("storage_unavailable");
    postgres.start_again();
    eventually("it serves again", async || ready(&node).await.0 == 200).await;
    node.client().login("ada@example.com", PASSWORD).await.expect(401);
}

/// What clients do while nodes come and go, and how it went.
#[derive(Default)]
struct Load {
    nodes: Mutex<Vec<String>>,
    stop: AtomicBool,
    served: AtomicU64,
    tried_again: AtomicU64,
}

impl Load {
    fn node(&self, turn: usize) -> String {
        let nodes = self.nodes.lock().unwrap();
        nodes[turn % nodes.len()].clone()
    }

    /// One client with its jar, from node to node. A refusal to connect, a broken connection and a 503 are tried
    /// again elsewhere, as a balancer and the client library do; anything else that is not 200 is a failure.
    async fn refresh_on_and_on(&self, mut cookie: String, mut turn: usize) {
        while !self.stop.load(Ordering::SeqCst) {
            let mut tries = 0;
            loop {
                turn += 1;
                let call = Client::new(self.node(turn), true).call("POST", "/api/v1/auth/refresh");
                match call.header("cookie", &cookie).try_send().await {
                    Ok(answer) if answer.status != 503 => {
                        cookie = cookie_of(&answer.expect(200));
                        break;
                    }
                    Ok(_) | Err(_) => self.tried_again.fetch_add(1, Ordering::SeqCst),
                };
                tries += 1;
                assert!(tries < 100, "no node served in a hundred tries");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.served.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn served_more(&self, count: u64) {
        let goal = self.served.load(Ordering::SeqCst) + count;
        let served = async || self.served.load(Ordering::SeqCst) >= goal;
        crate::world::eventually("refreshes are served", served).await;
    }
}

#[tokio::test]
async fn a_rolling_restart_under_load_fails_nobody_and_signs_nobody_out() {
    let database = postgres_for_tests().create_database();
    let site = Site::on(database.url()).with("TENURE_LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "1000000");
    let mut nodes = [Node::start(&site), Node::start(&site)];
    let load = Arc::new(Load::default());
    *load.nodes.lock().unwrap() = nodes.iter().map(|node| node.url.clone()).collect();
    let mut clients = vec![];
    for turn in 0..4 {
        let email = format!("user-{turn}@example.com");
        site.user(&email);
        let cookie = cookie_of(&nodes[turn % 2].client().login(&email, PASSWORD).await.expect(200));
        let load = Arc::clone(&load);
        clients.push(tokio::spawn(async move { load.refresh_on_and_on(cookie, turn).await }));
    }
    load.served_more(20).await;
    for _ in 0..2 {
        for (at, node) in nodes.iter_mut().enumerate() {
            // The new one is there before the old one goes, and the balancer learns of it late.
            let new = started(Node::begin(&site)).await;
            let old = std::mem::replace(node, new);
            assert_eq!(stopped(old).await.code(), Some(0));
            load.served_more(4).await;
            load.nodes.lock().unwrap()[at] = node.url.clone();
            load.served_more(8).await;
        }
    }
    load.stop.store(true, Ordering::SeqCst);
    for client in clients {
        tokio::time::timeout(30 * SECOND, client).await.expect("the client ends").unwrap();
    }
    assert!(load.tried_again.load(Ordering::SeqCst) > 0, "nobody noticed; was anything stopped?");
    assert_eq!(database.number("SELECT count(*) FROM session WHERE ended_at IS NOT NULL"), 0);
    assert!(!site.data().exists());
}

/// Waits for a node while the clients go on.
async fn started(mut node: Node) -> Node {
    let waiting = move || {
        node.until_serving();
        node
    };
    tokio::task::spawn_blocking(waiting).await.unwrap()
}

/// Stops a node while the clients go on.
async fn stopped(node: Node) -> ExitStatus {
    tokio::task::spawn_blocking(|| node.terminate()).await.unwrap()
}
