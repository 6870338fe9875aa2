//! What tests rely on when they break things: that these really break, come back, and are gone afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tenure_rig::{Client, Network, PgBouncer, Postgres, Proxy, Redis, postgres_for_tests};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(10);

#[test]
fn a_killed_server_has_what_it_committed_when_it_is_started_again_and_forgets_unlogged_rows() {
    for server in [Postgres::start(), Postgres::start_durable()] {
        let database = server.create_database();
        database.sql("CREATE TABLE a (n int); CREATE UNLOGGED TABLE b (n int); INSERT INTO b VALUES (1)");
        database.sql("INSERT INTO a VALUES (7)");
        let held = database.connect();
        held.run("BEGIN; INSERT INTO a VALUES (8)").unwrap();
        server.kill();
        assert!(held.run("COMMIT").is_err());
        assert!(Client::connect(database.url()).is_err());
        server.start_again();
        assert_eq!(database.number("SELECT sum(n) FROM a"), 7);
        assert_eq!(database.number("SELECT count(*) FROM b"), 0);
        database.sql("INSERT INTO b VALUES (1)");
        server.stop();
        server.start_again();
        assert_eq!(database.number("SELECT count(*) FROM b"), 1, "a stop in good order loses nothing");
    }
}

#[test]
fn an_old_copy_takes_the_place_of_the_files() {
    let server = Postgres::start();
    let database = server.create_database();
    database.sql("CREATE TABLE a (n int); INSERT INTO a VALUES (1)");
    let copy = server.copy_data();
    database.sql("INSERT INTO a VALUES (2)");
    server.restore_from(&copy);
    assert_eq!(database.number("SELECT count(*) FROM a"), 1);
}

#[test]
fn a_paused_server_answers_nobody_until_it_goes_on() {
    let server = Postgres::start();
    let client = Client::connect(&server.url("postgres")).unwrap();
    server.pause();
    let pending = client.begin("SELECT 1");
    assert_eq!(pending.within(SHORT), None);
    server.resume();
    assert_eq!(pending.wait().unwrap(), [[Some("1".to_owned())]]);
    let redis = Redis::start();
    redis.pause();
    let asking = thread::spawn({
        let port = redis.port();
        move || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(SHORT)).unwrap();
            stream.write_all(b"PING\r\n").unwrap();
            stream.read(&mut [0; 9]).map_err(|error| error.kind())
        }
    });
    assert_eq!(asking.join().unwrap(), Err(ErrorKind::WouldBlock));
    redis.resume();
    assert_eq!(redis.ask("PING").as_deref(), Some("+PONG"));
}

#[test]
fn redis_forgets_everything_when_it_is_flushed_or_killed() {
    let redis = Redis::start();
    let forget: [&dyn Fn(); 2] = [&|| redis.flush(), &|| {
        redis.kill();
        assert_eq!(redis.ask("PING"), None);
        redis.start_again();
    }];
    for forget in forget {
        assert_eq!(redis.ask("SET a 1").as_deref(), Some("+OK"));
        assert_eq!(redis.ask("EXISTS a").as_deref(), Some(":1"));
        forget();
        assert_eq!(redis.ask("EXISTS a").as_deref(), Some(":0"));
    }
}

#[test]
fn databases_of_tests_do_not_meet_and_are_dropped() {
    let server = postgres_for_tests();
    let (one, other) = (server.create_database(), server.create_database());
    one.sql("CREATE TABLE a (n int)");
    other.sql("CREATE TABLE a (n int)");
    let count = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", one.name());
    assert_eq!(other.number(&count), 1);
    let held = one.connect();
    drop(one);
    assert_eq!(other.number(&count), 0);
    assert!(held.run("SELECT 1").is_err());
}

#[test]
fn transactions_through_the_pooler_share_its_few_connections() {
    let server = Postgres::start();
    let bouncer = PgBouncer::start(&server);
    let clients: Vec<_> = (0..20).map(|_| Client::connect(&bouncer.url("postgres")).unwrap()).collect();
    let mut backends = Vec::new();
    for client in &clients {
        backends.push(client.run("SELECT pg_backend_pid()").unwrap());
    }
    backends.sort();
    backends.dedup();
    assert!(backends.len() <= 4, "{backends:?}");
}

/// What a client of the proxy hears within a short while of saying something.
fn say(stream: &mut TcpStream, word: &[u8]) -> Result<usize, ErrorKind> {
    stream.write_all(word).map_err(|error| error.kind())?;
    stream.read(&mut [0; 64]).map_err(|error| error.kind())
}

#[test]
fn a_network_passes_stalls_delays_and_cuts() {
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(echo.local_addr().unwrap());
    thread::spawn(move || {
        for stream in echo.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
    let connect = || {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    };
    let waits_for = |stream: &TcpStream, span| stream.set_read_timeout(Some(span)).unwrap();
    let mut stream = connect();
    assert_eq!(say(&mut stream, b"a"), Ok(1));
    proxy.set(Network::Stall);
    let mut late = connect();
    for (stream, word) in [(&mut stream, "bb"), (&mut late, "c")] {
        waits_for(stream, SHORT);
        assert_eq!(say(stream, word.as_bytes()), Err(ErrorKind::WouldBlock));
        waits_for(stream, LONG);
    }
    proxy.set(Network::Pass);
    assert_eq!(stream.read(&mut [0; 64]).unwrap(), 2, "what was held arrives");
    assert_eq!(late.read(&mut [0; 64]).unwrap(), 1);
    proxy.set(Network::Delay(LONG));
    waits_for(&stream, SHORT);
    assert_eq!(say(&mut stream, b"d"), Err(ErrorKind::WouldBlock));
    proxy.set(Network::Cut);
    waits_for(&stream, LONG);
    let heard = stream.read(&mut [0; 64]).map_err(|error| error.kind());
    assert_eq!(heard, Err(ErrorKind::ConnectionReset));
    // It may be reset before or after the first word.
    assert!(say(&mut connect(), b"e").is_err());
    proxy.set(Network::Pass);
    assert_eq!(say(&mut connect(), b"f"), Ok(1));
}

#[test]
fn a_server_ends_with_the_process_that_started_it_even_if_that_is_killed() {
    for what in ["postgres", "redis"] {
        let mut owner = Command::new(env!("CARGO_BIN_EXE_tenure-rig"))
            .arg(what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(owner.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let address = url.split(['/', '@']).find(|part| part.starts_with("127.")).unwrap().to_owned();
        assert!(TcpStream::connect(&address).is_ok());
        owner.kill().unwrap();
        owner.wait().unwrap();
        let gone = (0..500).any(|_| {
            thread::sleep(SHORT / 20);
            TcpStream::connect(&address).is_err()
        });
        assert!(gone, "{what} still runs");
    }
}
