//! A fresh installation: how soon it is ready, what it holds when idle, how large the binary is.

use std::time::Duration;

use serde_json::json;

use super::judge::{Goal, Rounds};
use super::{Findings, Seeded, Suite, note};
use crate::failure::{Context as _, Result};

const MIB: f64 = 1024.0 * 1024.0;

pub fn measure(suite: &Suite<'_>) -> Result<Findings> {
    note("starting fresh installations");
    let (mut first, mut again, mut idle, mut anonymous) = (vec![], vec![], vec![], vec![]);
    for round in 0..suite.rounds(7, 3) {
        let data = suite.folder.join(format!("fresh-{round}"));
        std::fs::create_dir_all(&data).context(data.display())?;
        let seeded = Seeded { binary: suite.args.server.clone(), data };
        // The first start makes the secret, the database and the signing keys; the second finds them.
        let server = seeded.tenure().start()?;
        first.push(server.ready_after.as_secs_f64() * 1e3);
        server.stop()?;
        let server = seeded.tenure().start()?;
        again.push(server.ready_after.as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_secs(1));
        let memory = server.memory()?;
        idle.push(memory.rss_bytes as f64 / MIB);
        anonymous.push(memory.anonymous_bytes as f64 / MIB);
        server.stop()?;
    }
    let binary =
        std::fs::metadata(&suite.args.server).context(suite.args.server.display())?.len() as f64 / MIB;
    let (first, again): (Rounds, Rounds) = (first.into_iter().collect(), again.into_iter().collect());
    let (idle, anonymous): (Rounds, Rounds) = (idle.into_iter().collect(), anonymous.into_iter().collect());
    let binary: Rounds = [binary].into_iter().collect();
    let goals = vec![
        Goal::at_most("ready, first start of a fresh installation", 300.0, "ms", &first),
        Goal::at_most("ready, next start", 300.0, "ms", &again),
        Goal::at_most("memory idle (RSS)", 30.0, "MiB", &idle),
        Goal::at_most("release binary", 25.0, "MiB", &binary),
    ];
    let data = json!({
        "first_start_ms": first, "next_start_ms": again, "idle_rss_mib": idle,
        "idle_anonymous_mib": anonymous, "binary_mib": binary,
    });
    Ok(Findings { name: "ready", data, goals })
}
