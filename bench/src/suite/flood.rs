//! Refresh latency at rest and while many people sign in.
//!
//! Twice: at a calm pace, as it is most of the time, and with the loop closed, where refreshes alone already
//! keep the cores busy. A flood that slows down only one of the two would be missed by the other.

use serde_json::{Value, json};

use super::judge::{Goal, Rounds};
use super::{Findings, PASSWORD, Seeded, Suite, note, rest};
use crate::failure::{Failure, Result};
use crate::jar::JarPool;
use crate::load::Load;
use crate::server::Server;
use crate::stats::Summary;
use crate::user::{LoginUser, Logins, People, RefreshUser, crowd};

/// Sessions whose owners sign in during the flood.
const PEOPLE: usize = 1_000;
const FLOOD_CONNECTIONS: usize = 16;
const CALM_PER_SECOND: f64 = 1_000.0;
const CALM_CONNECTIONS: usize = 16;

#[derive(Default)]
struct Phases {
    at_rest: Vec<Summary>,
    flooded: Vec<Summary>,
    floods: Vec<Summary>,
}

pub fn measure(suite: &Suite<'_>, seeded: &Seeded, pool: &JarPool) -> Result<Findings> {
    let server = seeded.tenure().start()?;
    let people = People::meet(server.target, pool, PEOPLE)?;
    let logins = Logins::new(people.emails, PASSWORD);
    let (mut calm, mut closed) = (Phases::default(), Phases::default());
    let count = suite.rounds(5, 2);
    for n in 1..=count {
        note(&format!("refresh during a login flood, round {n} of {count}"));
        let paced = Load::new(server.target, suite.time(4.0, 2.0)).at_rate(CALM_PER_SECOND);
        calm.measure(&server, &paced, CALM_CONNECTIONS, pool, &logins)?;
        let hammering = Load::new(server.target, suite.time(2.0, 1.0));
        closed.measure(&server, &hammering, suite.args.connections, pool, &logins)?;
    }
    server.stop()?;
    let mut goals = calm.goals([
        "calm: refresh p99 at rest",
        "calm: refresh p99 during a login flood",
        "calm: p99 flooded / at rest",
    ]);
    goals.extend(closed.goals([
        "closed loop: refresh p99 at rest",
        "closed loop: refresh p99 during a login flood",
        "closed loop: p99 flooded / at rest",
    ]));
    let data =
        json!({ "calm_per_second": CALM_PER_SECOND, "calm": calm.json(), "closed_loop": closed.json() });
    Ok(Findings { name: "flood", data, goals })
}

// === impl Phases ===

impl Phases {
    fn measure(
        &mut self,
        server: &Server,
        load: &Load,
        connections: usize,
        pool: &JarPool,
        logins: &Logins,
    ) -> Result<()> {
        let refreshers = || crowd(connections, |_| RefreshUser::new(server.target, pool.clone()));
        rest(pool, load.time * 2);
        self.at_rest.push(load.run(refreshers())?);
        let flood = Load { rate: None, ..load.clone() };
        let flooders = crowd(FLOOD_CONNECTIONS, |_| LoginUser::new(server.target, logins.clone()));
        std::thread::scope(|scope| {
            let flooding = scope.spawn(move || flood.run(flooders));
            self.flooded.push(load.run(refreshers())?);
            self.floods.push(flooding.join().map_err(|_| Failure("the flood panicked".into()))??);
            Ok(())
        })
    }

    fn goals(&self, names: [&'static str; 3]) -> Vec<Goal> {
        let p99 = |runs: &[Summary]| -> Rounds {
            runs.iter().map(|run| run.p99_us("refresh") as f64 / 1e3).collect()
        };
        let (at_rest, flooded) = (p99(&self.at_rest), p99(&self.flooded));
        vec![
            Goal::number(names[0], "ms", &at_rest),
            Goal::number(names[1], "ms", &flooded),
            Goal::at_most(names[2], 2.0, "x", &flooded.over(&at_rest)),
        ]
    }

    fn json(&self) -> Value {
        json!({ "at_rest": self.at_rest, "flooded": self.flooded, "floods": self.floods })
    }
}
