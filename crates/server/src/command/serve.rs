//! `tenure serve`

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use tenure_domain::email::Email;
use tenure_domain::event::EventKind;
use tenure_domain::password::Password;
use tenure_domain::secret::SecretText;
use tenure_store::NewUser;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::place::now;
use super::{Failure, Global, Outcome, patience};
use crate::app::Parts;
use crate::clock::{SystemEntropy, WatchedClock};
use crate::log::{LogSink, Style};
use crate::pages::{self, DevUser};
use crate::{App, jobs, serve};

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 1024;

#[derive(Args)]
pub struct ServeArgs {
    /// Where the API listens, as in 127.0.0.1:7700.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where health and metrics listen; empty turns it off.
    #[arg(long, value_name = "ADDR")]
    ops_listen: Option<String>,
    /// In development: create this user if missing, and print how to sign in. `email:password`.
    #[arg(long, value_name = "EMAIL:PASSWORD", requires = "dev")]
    dev_user: Option<String>,
}

pub async fn run(global: &Global, args: ServeArgs) -> Outcome {
    let mut sources = global.sources();
    sources.flags.extend(args.listen.map(|value| ("server.listen", value)));
    sources.flags.extend(args.ops_listen.map(|value| ("server.ops_listen", value)));
    let mut settled = global.settled(&sources)?;
    let secret = global.master_secret(&sources)?;
    let log = LogSink::stdout(settled.config.log.format);
    log.install_tracing(&settled.config.log);

    let api = reserve(settled.config.server.listen)?;
    let ops = settled.ops_listen.map(reserve).transpose()?;
    let address = api.local_addr().map_err(|error| Failure::Unreachable(error.to_string()))?;
    if settled.config.server.public_url.is_empty() {
        // Port 0 has become a real one only now.
        settled.public_url.authority = address.to_string();
    }
    let redis = super::place::redis(&settled.config)?;
    let store = patience::open(global, &settled.config, redis.as_ref()).await?;
    let dev_user = args.dev_user.as_deref().map(dev_user).transpose()?;
    let app = App::new(Parts {
        settled,
        store: Arc::clone(&store),
        redis,
        clock: Arc::new(WatchedClock::starting_now()),
        entropy: Arc::new(SystemEntropy),
        log,
        secret,
        previous_secrets: Global::previous_secrets(&sources)?,
        pages: pages::built,
        dev_user: dev_user.clone(),
    });
    // Before anything is written by it.
    jobs::look_at_clock(&app).await;
    app.keys.prepare(app.clock.now()).await.map_err(|error| {
        Failure::Unreachable(format!("{error}\nif the master secret was changed, put the old one back"))
    })?;
    if let Some(user) = &dev_user {
        make_dev_user(&app, user).await?;
    }
    app.note_server(EventKind::ServerStarted);
    let api = listen(api)?;
    let ops = ops.map(listen).transpose()?;
    announce(&app, address, ops.as_ref().and_then(|ops| ops.local_addr().ok()), dev_user.as_ref());

    let (stopping, stop) = watch::channel(false);
    let (closing, close) = watch::channel(false);
    tokio::spawn(async move {
        wait_for_signal().await;
        let _ = stopping.send(true);
    });
    tokio::spawn(jobs::run(Arc::clone(&app)));
    let ops = ops.map(|ops| tokio::spawn(serve::ops(Arc::clone(&app), ops, close)));
    serve::api(Arc::clone(&app), api, stop).await;
    let _ = closing.send(true);
    if let Some(ops) = ops {
        // Somebody may keep a connection to it open for ever; they have seen us drain.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), ops).await;
    }
    app.note_server(EventKind::ServerStopped);
    jobs::write_events(&app).await;
    // What was sealed is counted by nobody else.
    if let Err(error) = app.tally.feed(&app, app.clock.now()).await {
        tracing::warn!(%error, "what was counted last is in no hour of the console's");
    }
    store.close().await;
    tracing::info!("stopped");
    app.log.flush();
    Ok(())
}

/// Takes an address without listening on it yet. A port that is taken is told before anything is opened; and
/// until the store is, connections are refused at once: every balancer and client knows what that means, while a
/// connection that is accepted and not answered looks like a server that hangs.
fn reserve(address: SocketAddr) -> Result<TcpSocket, Failure> {
    let reserve = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    reserve().map_err(|error| cannot_listen(address, &error))
}

fn listen(socket: TcpSocket) -> Result<TcpListener, Failure> {
    let address = socket.local_addr().map_err(|error| Failure::Unreachable(error.to_string()))?;
    socket.listen(BACKLOG).map_err(|error| cannot_listen(address, &error))
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; is another server running? choose another with --listen or --ops-listen"
        }
        _ => "",
    };
    Failure::Unreachable(format!("cannot listen on {address}: {error}{hint}"))
}

async fn wait_for_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received; stop this process by killing it");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Says where it serves, and in development how to try it, on standard output.
fn announce(app: &App, listen: SocketAddr, ops: Option<SocketAddr>, dev_user: Option<&DevUser>) {
    let url = app.settled.public_url.to_string();
    if app.log.style != Style::Human {
        tracing::info!(
            url,
            listen = %listen,
            ops = ops.map(|ops| ops.to_string()),
            version = env!("CARGO_PKG_VERSION"),
            "serving"
        );
        if dev_user.is_none() {
            return;
        }
    }
    let mut lines = format!("\n  Tenure serves {url}\n");
    lines += &match app.pages.are_built() {
        true => format!("  pages: {url}/sign-in  {url}/account\n"),
        false => "  pages: not in this build; `cargo xtask run` builds them\n".to_owned(),
    };
    if let Some(ops) = ops {
        lines += &format!("  health and metrics: http://{ops}/readyz  http://{ops}/metrics\n");
    }
    if let Some(DevUser { email, password }) = dev_user {
        lines += &format!(
            "\n  Development user: {email}   password: {password}\n\n  Sign in, refresh, sign out:\n\n{}",
            crate::routes::docs::try_it(&url, email, password)
        );
    }
    lines += "\n  Ctrl-C stops it.\n\n";
    app.log.write(lines.into_bytes(), &app.metrics.log_lines_dropped);
}

/// What `--dev-user` says.
fn dev_user(text: &str) -> Result<DevUser, Failure> {
    let usage = || Failure::Usage("--dev-user: write it as email:password".into());
    let (email, password) = text.split_once(':').ok_or_else(usage)?;
    Ok(DevUser { email: email.to_owned(), password: password.to_owned() })
}

/// A user to try things with. One who is there already stays as they are.
async fn make_dev_user(app: &App, user: &DevUser) -> Outcome {
    let usage = |why: String| Failure::Usage(format!("--dev-user: {why}"));
    let email = Email::parse(&user.email).map_err(|error| usage(error.to_string()))?;
    let plain = SecretText::from_plain(user.password.clone());
    let password = Password::chosen(&plain, email.key()).map_err(|error| usage(error.to_string()))?;
    let hash = app.hasher.hash(password).await.map_err(|error| usage(error.to_string()))?;
    let hash = hash.map_err(|error| usage(error.to_string()))?;
    // One who is there already is as good.
    let new = NewUser { password_hash: Some(hash), ..NewUser::named(&email, "Dev") };
    app.store.user_create(new, None, now()).await?;
    Ok(())
}
