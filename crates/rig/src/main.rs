//! `tenure-rig postgres`, `tenure-rig redis`: a server for whoever cannot link the library. It prints its URL and lives
//! until its standard input closes, so a pipe ties it to whoever started it.

#![forbid(unsafe_code)]

use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::process::ExitCode;

use tenure_rig::{Postgres, Redis};

fn main() -> ExitCode {
    let what: &'static [String] = std::env::args().skip(1).collect::<Vec<_>>().leak();
    match what.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["postgres"] => serve(&Postgres::start(), |server| server.url("postgres")),
        ["postgres", "--durable"] => serve(&Postgres::start_durable(), |server| server.url("postgres")),
        ["postgres", "--durable", ref settings @ ..] => {
            serve(&Postgres::with(settings), |server| server.url("postgres"))
        }
        ["redis"] => redis(&Redis::start()),
        _ => {
            eprintln!("tenure-rig postgres [--durable [name=value ...]] | redis");
            ExitCode::from(2)
        }
    }
}

/// Besides, it is killed and started again by a line each, `kill` and `start`, and a line answers when that is done.
fn redis(server: &Redis) -> ExitCode {
    let tell = |line: &str| writeln!(stdout(), "{line}").and_then(|()| stdout().flush()).is_ok();
    if !tell(&server.url()) {
        return ExitCode::FAILURE;
    }
    for line in stdin().lock().lines().map_while(Result::ok) {
        match line.as_str() {
            "kill" => server.kill(),
            "start" => server.start_again(),
            _ => return ExitCode::from(2),
        }
        if !tell("done") {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn serve<S>(server: &S, url: impl Fn(&S) -> String) -> ExitCode {
    let told = writeln!(stdout(), "{}", url(server)).and_then(|()| stdout().flush());
    let closed = told.and_then(|()| std::io::copy(&mut stdin().lock(), &mut std::io::sink()));
    if closed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
