//! The testbed: the real server, on a clock that its caller moves and behind faults that its caller orders.
//!
//! It is for tests written in another language or run in a browser, and never a part of the product: nothing may
//! depend on it, and it must not be reachable from anywhere but this machine, because whoever reaches its control
//! listener is in command of everything.
//!
//! It prints one line, `{"api":"http://127.0.0.1:1234","control":"http://127.0.0.1:1235"}`, and runs until its
//! standard input ends or it is told to terminate. With `--data` it can be killed and started again on the same data.
//!
//! On a virtual clock, which is the default, time stands still unless it is moved: by `POST /clock`, or by a header
//! `x-virtual-now: <Unix milliseconds>` that a request to the API carries. See [`control`] for what can be ordered and
//! [`faults`] for what can be made to go wrong.

#![forbid(unsafe_code)]

mod chance;
mod clock;
mod control;
mod faults;
mod front;
mod panics;
mod stats;
mod world;

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use world::World;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The real server on a clock and behind faults that its caller controls; for tests only.
#[derive(Parser)]
pub struct Args {
    /// Where the data are kept; a folder that is gone afterwards if left out.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the API listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where orders are taken.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Run on the real time instead of a virtual one.
    #[arg(long)]
    real_clock: bool,
    /// When the virtual clock starts, Unix milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_795_000_000_000, conflicts_with = "real_clock")]
    start: i64,
    /// Draw randomness from this seed, so that a run can be repeated.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long an access token lives, as in 15m.
    #[arg(long, value_name = "SPAN")]
    access_lifetime: Option<String>,
    /// How long a generation takes to settle, as in 90s.
    #[arg(long, value_name = "SPAN")]
    settle: Option<String>,
    /// A configuration file of the server's, below the other settings.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any other setting of the server, as in `registration.open=false`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Create this user if missing, and have the pages offer to sign in as them.
    #[arg(long, value_name = "EMAIL:PASSWORD")]
    dev_user: Option<String>,
}

fn main() -> Result {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(args));
    // Whoever waits in a fault waits in vain now.
    runtime.shutdown_background();
    outcome
}

async fn run(args: Args) -> Result {
    for address in [args.listen, args.control] {
        if !address.ip().is_loopback() {
            return Err(format!("{address}: the testbed listens on loopback only").into());
        }
    }
    let api = TcpListener::bind(args.listen).await?;
    let control = TcpListener::bind(args.control).await?;
    let (api_address, control_address) = (api.local_addr()?, control.local_addr()?);
    let world = Arc::new(World::start(args, api).await?);
    let orders = tokio::spawn(control::serve(control, Arc::clone(&world)));
    writeln!(std::io::stdout(), r#"{{"api":"http://{api_address}","control":"http://{control_address}"}}"#)?;
    told_to_stop().await?;
    orders.abort();
    world.stop().await;
    Ok(())
}

/// Waits until standard input ends, which it also does when whoever started us dies, or until a signal.
async fn told_to_stop() -> Result {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let mut ignored = [0; 1024];
        while std::io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
        let _ = ended.send(());
    });
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = end => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
