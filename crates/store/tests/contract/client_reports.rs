//! Clients' reports of sign-outs: kept as given, counted, bounded, and the first to give way.

use std::sync::Arc;
use std::time::Duration;

use tenure_domain::client_report::ReportKind;
use tenure_domain::id::SessionId;
use tenure_domain::session::Session;
use tenure_domain::suspect::{Answer, Evidence, ScriptError};
use tenure_domain::time::Timestamp;
use tenure_store::sqlite::{SqliteOptions, SqliteStore};
use tenure_store::{
    ClientReport, REPORT_GROUPS_MAX, ReportClaims, ReportFilter, ReportNumber, Store, StoreError, User,
};
use tokio::task::JoinSet;

use crate::backend::Sqlite;
use crate::world::{DAY, MINUTE, SECOND, T0, World, name_of};

const START: ReportNumber = ReportNumber(0);

/// A report that says nothing.
fn bare(received_at: Timestamp) -> ClientReport {
    let claims = ReportClaims {
        kind: ReportKind::Unknown,
        kind_said: None,
        at: None,
        session: None,
        reason: None,
        receipt: None,
        message: None,
        location: None,
        idle: None,
        has_token: None,
        has_refresh_token: None,
        is_authenticated: None,
        release: None,
        client: None,
        evidence: None,
    };
    let (address, browser) = ("192.0.2.1".into(), "Unknown device".into());
    ClientReport { received_at, address, user_agent: None, browser, verified: None, claims }
}

/// Everything that there can be.
fn evidence() -> Evidence {
    let answer = Answer {
        status: 403,
        code: Some("scope_missing".into()),
        path: Some("/api/reports".into()),
        is_ours: Some(true),
        ago_ms: 12,
    };
    Evidence {
        answer: Some(answer),
        error: Some(ScriptError { message: "x is not a function".into(), ago_ms: 3 }),
        access_left_ms: Some(-5),
        clock_ahead_ms: Some(i64::MIN),
        page_age_ms: Some(u64::MAX),
        tokens_from_tabs: Some(2),
    }
}

/// One whose claims are those that `change` makes of none.
fn claiming(received_at: Timestamp, change: impl FnOnce(&mut ReportClaims)) -> ClientReport {
    let mut report = bare(received_at);
    change(&mut report.claims);
    report
}

async fn list(world: &World, since: Timestamp, after: ReportNumber) -> Vec<ClientReport> {
    let listed = world.store.client_report_list(since.into(), after, 1_000).await.unwrap();
    listed.into_iter().map(|(_, report)| report).collect()
}

#[tokio::test]
async fn a_report_comes_back_as_it_was_given() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let full = ClientReport {
            user_agent: Some("Browser/1".into()),
            browser: "Firefox on Linux".into(),
            verified: Some((session.id, ada.id)),
            claims: ReportClaims {
                kind: ReportKind::RefreshFailed,
                kind_said: Some("said".into()),
                at: Some(T0 - MINUTE),
                session: Some(session.id),
                reason: Some("session_revoked".into()),
                receipt: Some("R-1234-5678".into()),
                message: Some("Grüße \u{1f600} '\"; DROP TABLE client_report".into()),
                location: Some("/dashboard".into()),
                idle: Some(Duration::from_millis(1_380_001)),
                has_token: Some(true),
                has_refresh_token: Some(false),
                is_authenticated: Some(true),
                release: Some("1.2.3".into()),
                client: Some("client 0.1".into()),
                evidence: Some(evidence()),
            },
            ..bare(T0)
        };
        for report in [&full, &bare(T0 + SECOND)] {
            world.store.client_report_add(report.clone()).await.unwrap();
        }
        for kind in ReportKind::ALL {
            world.store.client_report_add(claiming(T0, |claims| claims.kind = kind)).await.unwrap();
        }
        let listed = list(&world.second_handle(), T0, START).await;
        assert_eq!(listed[..2], [full, bare(T0 + SECOND)]);
        assert_eq!(listed.iter().skip(2).map(|r| r.claims.kind).collect::<Vec<_>>(), ReportKind::ALL);
    }
}

#[tokio::test]
async fn reports_are_listed_in_order_from_where_and_when_one_asks() {
    for world in World::each() {
        for minute in 0..10 {
            world.store.client_report_add(bare(T0 + minute * MINUTE)).await.unwrap();
        }
        let page = async |since: Timestamp, after, limit| {
            let listed = world.store.client_report_list(since.into(), after, limit).await.unwrap();
            listed.into_iter().map(|(number, report)| (number, report.received_at)).collect::<Vec<_>>()
        };
        let all = page(T0, START, 100).await;
        assert_eq!(
            all.iter().map(|(_, at)| *at).collect::<Vec<_>>(),
            (0..10).map(|m| T0 + m * MINUTE).collect::<Vec<_>>()
        );
        assert!(all.is_sorted_by(|(one, _), (next, _)| one < next));
        assert_eq!(page(T0, START, 4).await, all[..4]);
        assert_eq!(page(T0, all[3].0, 4).await, all[4..8]);
        assert_eq!(page(T0 + 7 * MINUTE, START, 100).await, all[7..], "since includes its moment");
        assert_eq!(page(T0 + 7 * MINUTE, all[8].0, 100).await, all[9..]);
        assert_eq!(page(T0, all[9].0, 100).await, []);
        // A clock that was set back moves no report out of sight of whoever follows.
        world.store.client_report_add(bare(T0)).await.unwrap();
        assert_eq!(page(T0, all[9].0, 100).await.len(), 1);
    }
}

#[tokio::test]
async fn reports_are_counted_by_what_they_say() {
    for world in World::each() {
        assert_eq!(world.store.client_report_stats(T0).await.unwrap(), Default::default());
        world.store.client_report_add(bare(T0 - SECOND)).await.unwrap();
        let minutes = [0.0, 1.99, 2.0, 9.99, 10.0, 19.99, 20.0, 600.0];
        for (index, minutes) in minutes.into_iter().enumerate() {
            let report = claiming(T0, |claims| {
                claims.kind = if index < 3 { ReportKind::UserAction } else { ReportKind::RefreshFailed };
                claims.reason = (index >= 2).then(|| "session_revoked".into());
                claims.idle = Some(Duration::from_secs_f64(minutes * 60.0));
                claims.release = Some(if index == 0 { "1.0" } else { "1.1" }.into());
            });
            world.store.client_report_add(report).await.unwrap();
        }
        world.store.client_report_add(bare(T0)).await.unwrap();
        let stats = world.store.client_report_stats(T0).await.unwrap();
        let told = |tally: &tenure_store::ReportTally| {
            tally
                .iter()
                .map(|(group, n)| format!("{} {n}", group.as_deref().unwrap_or("-")))
                .collect::<Vec<_>>()
        };
        assert_eq!(stats.total, 9);
        assert_eq!(told(&stats.by_kind), ["REFRESH_FAILED 5", "USER_ACTION 3", "UNKNOWN 1"]);
        assert_eq!(told(&stats.by_reason), ["session_revoked 6", "- 3"]);
        assert_eq!(
            told(&stats.by_idle),
            ["0-2 minutes 2", "2-10 minutes 2", "10-20 minutes 2", "20+ minutes 2", "- 1"]
        );
        assert_eq!(told(&stats.by_browser), ["Unknown device 9"]);
        assert_eq!(told(&stats.by_release), ["1.1 7", "- 1", "1.0 1"]);
    }
}

#[tokio::test]
async fn groups_that_strangers_may_invent_are_bounded() {
    for world in World::each() {
        for index in 0..2 * REPORT_GROUPS_MAX {
            let report = claiming(T0, |claims| claims.release = Some(format!("release {index}")));
            world.store.client_report_add(report).await.unwrap();
        }
        let stats = world.store.client_report_stats(T0).await.unwrap();
        assert_eq!((stats.total, stats.by_release.len()), (2 * REPORT_GROUPS_MAX as u64, REPORT_GROUPS_MAX));
    }
}

#[tokio::test]
async fn old_reports_and_those_beyond_the_bound_are_deleted_oldest_first() {
    for world in World::each() {
        for day in 0..10 {
            world.store.client_report_add(bare(T0 + day * DAY)).await.unwrap();
        }
        let expire =
            async |before, keep, limit| world.store.client_report_expire(before, keep, limit).await.unwrap();
        let days = async || {
            let ages = list(&world, T0, START).await.into_iter().map(|r| r.received_at.since(T0));
            ages.map(|age| age.as_secs() / DAY.as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(expire(T0, 10, 100).await, 0);
        assert_eq!(expire(T0 + 3 * DAY, 10, 2).await, 2, "in steps");
        assert_eq!(expire(T0 + 3 * DAY, 10, 2).await, 1);
        assert_eq!(days().await, [3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(expire(T0 + 4 * DAY, 5, 100).await, 2, "one by age and one by number");
        assert_eq!(days().await, [5, 6, 7, 8, 9]);
        assert_eq!(expire(T0 + 100 * DAY, 100, 100).await, 5);
        // A follower remembers a number; it must not meet it again.
        let given = match world.backend.is_postgres() {
            true => "SELECT last_value FROM client_report_id_seq",
            false => "SELECT seq FROM sqlite_sequence WHERE name = 'client_report'",
        };
        let numbers = world.backend.number(given);
        world.store.client_report_add(bare(T0)).await.unwrap();
        let listed = world.store.client_report_list(T0.into(), START, 9).await.unwrap();
        assert!(listed[0].0 > ReportNumber(numbers as u64));
    }
}

/// What may have happened to a report's row, as assignments.
const DAMAGE: &[&str] = &[
    "kind = 'ALL_IS_WELL'",
    "claimed_at = -1",
    "idle_ms = -1",
    "received_at = 9e18, address = CAST(x'ff' AS TEXT)",
    "has_token = 2",
    "claimed_session = x'01'",
    "verified_session = x'01'",
    "message = CAST(x'c0' AS TEXT)",
];

#[tokio::test]
async fn a_damaged_report_is_left_out_and_the_others_are_shown() {
    for world in World::each() {
        // PostgreSQL's types let nothing else through.
        let damages = &DAMAGE[..if world.backend.is_postgres() { 3 } else { DAMAGE.len() }];
        for damage in damages {
            for _ in 0..2 {
                world.store.client_report_add(bare(T0)).await.unwrap();
            }
            let last = "id = (SELECT max(id) FROM client_report)";
            world.backend.sql(&format!("UPDATE client_report SET {damage} WHERE {last}"));
            assert_eq!(list(&world, T0, START).await, [bare(T0)], "{damage}");
            world.backend.sql("DELETE FROM client_report");
        }
    }
}

/// Reports are refused while half of the writer's room is taken; refreshes are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_gives_way_to_refreshes_that_wait() {
    const WAITING: usize = 2_048 + 256 + 64;
    let sqlite = Arc::new(Sqlite::fresh(true));
    let options = SqliteOptions { busy_timeout: MINUTE, ..sqlite.options() };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).unwrap());
    let world = World { store, ..World::of(sqlite.clone()) };
    let jar = world.jar(&world.sign_in(&world.user("ada").await).await);
    let holder = sqlite.connection();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut refreshes = JoinSet::new();
    let (waits, mut waiting) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..WAITING {
        let (store, request, waits) = (Arc::clone(&world.store), world.request(&[&jar]), waits.clone());
        refreshes.spawn(async move {
            let mut refresh = store.session_refresh(request, T0);
            // The first look puts it into the queue.
            let first =
                std::future::poll_fn(|context| std::task::Poll::Ready(refresh.as_mut().poll(context)));
            assert!(first.await.is_pending());
            let _ = waits.send(());
            name_of(&refresh.await.unwrap()[0])
        });
    }
    for _ in 0..WAITING {
        waiting.recv().await.unwrap();
    }
    // At once: it does not wait behind them either.
    let refused = tokio::time::timeout(10 * SECOND, world.store.client_report_add(bare(T0))).await;
    assert!(matches!(refused, Ok(Err(StoreError::Overloaded))), "{refused:?}");
    holder.execute_batch("ROLLBACK").unwrap();
    assert!(refreshes.join_all().await.into_iter().all(|name| name == "served"));
    world.store.client_report_add(bare(T0)).await.unwrap();
    assert_eq!(list(&world, T0, START).await.len(), 1);
}

#[tokio::test]
async fn the_reports_of_a_session_are_those_that_come_with_its_token_or_name_it_without_one() {
    for world in World::each() {
        let (ada, eve) = (world.user("ada").await, world.user("eve").await);
        let (hers, other) = (world.sign_in(&ada).await, world.sign_in(&eve).await);
        let receipt = tenure_domain::id::ReceiptId::generate([7; 5]);
        let verified = |session: &Session, user: &User| ClientReport {
            verified: Some((session.id, user.id)),
            ..bare(T0)
        };
        let of_session = |mut report: ClientReport, message: &str| {
            report.claims.session = Some(hers.id);
            report.claims.message = Some(message.to_owned());
            report
        };
        let of_receipt = |mut report: ClientReport, message: &str| {
            report.claims.receipt = Some(receipt.to_string());
            report.claims.message = Some(message.to_owned());
            report
        };
        for report in [
            of_receipt(verified(&hers, &ada), "verified"),
            of_session(bare(T0), "claimed"),
            of_receipt(bare(T0), "receipt"),
            of_session(verified(&other, &eve), "a lie"),
            of_receipt(of_session(bare(T0), ""), "claimed with the receipt"),
            of_receipt(
                claiming(T0, |claims| claims.session = Some(SessionId::from_bytes([1; 16]))),
                "elsewhere",
            ),
            bare(T0),
        ] {
            world.store.client_report_add(report).await.unwrap();
        }
        let of = async |session, receipt, limit| {
            let listed = world.store.client_report_list_of(session, receipt, limit).await.unwrap();
            listed.into_iter().map(|(_, report)| report.claims.message.unwrap()).collect::<Vec<_>>()
        };
        let all = of(Some(hers.id), Some(receipt.clone()), 100).await;
        assert_eq!(all, ["verified", "claimed with the receipt", "receipt", "claimed"]);
        assert_eq!(of(Some(hers.id), None, 2).await, ["verified", "claimed with the receipt"]);
        assert_eq!(of(None, Some(receipt), 100).await.len(), 4);
        assert!(of(None, None, 100).await.is_empty());
    }
}

#[tokio::test]
async fn reports_are_found_by_their_kind_and_by_the_session_that_they_are_about() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let (one, other) = (world.sign_in(&ada).await.id, world.sign_in(&ada).await.id);
        let verified = ClientReport { verified: Some((one, ada.id)), ..bare(T0) };
        let claimed = claiming(T0, |claims| claims.session = Some(one));
        let another = claiming(T0, |claims| {
            (claims.session, claims.kind) = (Some(other), ReportKind::UserAction);
        });
        for report in [&verified, &claimed, &another, &bare(T0)] {
            world.store.client_report_add(report.clone()).await.unwrap();
        }
        let find = async |kind, session| {
            let filter = ReportFilter { since: T0, kind, session };
            let found = world.store.client_report_list(filter, START, 9).await.unwrap();
            found.into_iter().map(|(_, report)| report).collect::<Vec<_>>()
        };
        assert_eq!(find(None, Some(one)).await, [verified, claimed]);
        assert_eq!(find(Some(ReportKind::UserAction), None).await, std::slice::from_ref(&another));
        assert_eq!(find(Some(ReportKind::UserAction), Some(other)).await, [another]);
        assert!(find(Some(ReportKind::UserAction), Some(one)).await.is_empty());
    }
}
