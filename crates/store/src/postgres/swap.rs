//! The two statements of a refresh, for any number of sessions at once: reading rows, and the compare-and-swap of
//! protocol.md section 4.

use std::sync::LazyLock;

use tenure_domain::id::SessionId;
use tenure_domain::refresh_token::Salt;
use tenure_domain::rotation::Rotation;
use tenure_domain::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connect::Conn;
use super::row::uuid;
use crate::Result;
use crate::row::{PERSON, SESSION};

/// The columns of both statements before the session's: the number of the question, whether it wrote, and the epoch.
pub(super) const LEADING_COLUMNS: usize = 3;

static LOAD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT a.at, false, o.epoch, {SESSION}, {PERSON} \
         FROM unnest($1::uuid[]) WITH ORDINALITY a (id, at) JOIN session s ON s.id = a.id \
         LEFT JOIN \"user\" u ON u.id = s.user_id LEFT JOIN opening o ON true"
    )
});

/// Of several about one session the first is taken; the others get no row and have to look again.
///
/// It names every fact that a decision was made from, the state of the user and the epoch of the database among
/// them. Gives whether each wrote, and the rows as they were. The commit need not be on disk when it is answered
/// (section 4 heals one that is lost); the setting ends with this statement's own transaction.
///
/// Locks are taken in the order of ids, so that two of these never wait for each other in a circle.
fn swap(waiting: &str) -> String {
    format!(
        "WITH asked AS MATERIALIZED ( \
           SELECT DISTINCT ON (a.id) a.* FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], \
             $5::boolean[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], \
             $11::boolean[], $12::bigint[], $13::bigint[], $14::bytea[], $15::uuid[]) WITH ORDINALITY \
             a (id, base, head, handed_at, healed, contested_at, now, was_base, was_head, was_handed_at, \
                was_healed, was_contested_at, expires_at, salt, epoch, at) ORDER BY a.id, a.at), \
         held AS MATERIALIZED ( \
           SELECT s.id FROM session s JOIN asked a ON a.id = s.id ORDER BY s.id FOR NO KEY UPDATE OF s {waiting}), \
         moved AS ( \
           UPDATE session s SET base = a.base, head = a.head, handed_at = a.handed_at, healed = a.healed, \
             contested_at = a.contested_at, last_used_at = a.now, refresh_count = s.refresh_count + 1 \
           FROM asked a, held h, \"user\" u, opening o, set_config('synchronous_commit', 'off', true) relaxed \
           WHERE h.id = a.id AND s.id = h.id AND s.base = a.was_base AND s.head = a.was_head \
             AND s.handed_at = a.was_handed_at AND s.healed = a.was_healed \
             AND s.contested_at IS NOT DISTINCT FROM a.was_contested_at AND s.expires_at = a.expires_at \
             AND s.salt = a.salt AND s.ended_at IS NULL \
             AND u.id = s.user_id AND u.disabled_at IS NULL AND o.epoch = a.epoch \
           RETURNING s.id) \
         SELECT a.at, m.id IS NOT NULL, o.epoch, {SESSION}, {PERSON} \
         FROM asked a JOIN session s ON s.id = a.id LEFT JOIN moved m ON m.id = a.id \
         LEFT JOIN \"user\" u ON u.id = s.user_id LEFT JOIN opening o ON true"
    )
}

/// Passes over rows that somebody else holds, so that one of them keeps nobody else waiting.
static SWAP_FREE: LazyLock<String> = LazyLock::new(|| swap("SKIP LOCKED"));

/// Waits for whoever holds the row.
static SWAP: LazyLock<String> = LazyLock::new(|| swap(""));

/// An order to move a row from one state to another, if it is in the one.
pub(super) struct Swap {
    pub id: SessionId,
    pub from: Rotation,
    pub to: Rotation,
    pub expires_at: Timestamp,
    pub salt: Salt,
    pub epoch: Uuid,
    pub now: Timestamp,
}

/// Reads rows.
pub(super) async fn load(conn: &mut Conn, ids: &[SessionId]) -> Result<Vec<Row>> {
    let ids: Vec<_> = ids.iter().map(|id| uuid(id.as_bytes())).collect();
    conn.rows(&LOAD, &[(&ids, Type::UUID_ARRAY)]).await
}

/// Moves those rows that nobody else holds.
pub(super) async fn move_free(conn: &mut Conn, swaps: &[Swap]) -> Result<Vec<Row>> {
    run(conn, &SWAP_FREE, swaps).await
}

/// Moves a row, once nobody else holds it.
pub(super) async fn move_one(conn: &mut Conn, swap: Swap) -> Result<Option<Row>> {
    Ok(run(conn, &SWAP, &[swap]).await?.into_iter().next())
}

async fn run(conn: &mut Conn, sql: &str, swaps: &[Swap]) -> Result<Vec<Row>> {
    fn all<T>(swaps: &[Swap], field: impl Fn(&Swap) -> T) -> Vec<T> {
        swaps.iter().map(field).collect()
    }
    let (uuids, numbers, flags) = (Type::UUID_ARRAY, Type::INT8_ARRAY, Type::BOOL_ARRAY);
    conn.rows(
        sql,
        &[
            (&all(swaps, |swap| uuid(swap.id.as_bytes())), uuids.clone()),
            (&all(swaps, |swap| i64::from(swap.to.base.0)), numbers.clone()),
            (&all(swaps, |swap| i64::from(swap.to.head.0)), numbers.clone()),
            (&all(swaps, |swap| swap.to.handed_at.as_ms()), numbers.clone()),
            (&all(swaps, |swap| swap.to.healed), flags.clone()),
            (&all(swaps, |swap| swap.to.contested_at.map(Timestamp::as_ms)), numbers.clone()),
            (&all(swaps, |swap| swap.now.as_ms()), numbers.clone()),
            (&all(swaps, |swap| i64::from(swap.from.base.0)), numbers.clone()),
            (&all(swaps, |swap| i64::from(swap.from.head.0)), numbers.clone()),
            (&all(swaps, |swap| swap.from.handed_at.as_ms()), numbers.clone()),
            (&all(swaps, |swap| swap.from.healed), flags),
            (&all(swaps, |swap| swap.from.contested_at.map(Timestamp::as_ms)), numbers.clone()),
            (&all(swaps, |swap| swap.expires_at.as_ms()), numbers),
            (&all(swaps, |swap| swap.salt.to_vec()), Type::BYTEA_ARRAY),
            (&all(swaps, |swap| swap.epoch), uuids),
        ],
    )
    .await
}
