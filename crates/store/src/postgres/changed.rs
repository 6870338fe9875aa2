//! How those stand who have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use tenure_domain::id::SessionId;
use tokio_postgres::types::Type;

use super::connect::Db;
use super::row::{self, Fields, uuid};
use crate::row::{Columns as _, USER_NOW, user_now};
use crate::trail::Since;
use crate::{Changed, Result};

/// Most rows in one statement.
const STEP: usize = 1_000;

const ALIVE: &str = "SELECT id FROM session WHERE id = ANY($1) AND ended_at IS NULL";

static USERS: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {USER_NOW} FROM \"user\" u WHERE u.id = ANY($1)"));

/// Read after the feed, and so at least as new as what it has named. A database that came up anew in between may be
/// older; then the next read of the feed finds its epoch changed, and the trail is lost.
pub(super) async fn since(db: &Db, since: Since) -> Result<Changed> {
    let (upto, names) = match since {
        Since::Lost { upto } => return Ok(Changed::Lost { upto }),
        Since::Named { upto, names } => (upto, names),
    };
    let (mut alive, mut found) = (BTreeSet::new(), BTreeMap::new());
    if !names.sessions.is_empty() || !names.users.is_empty() {
        let mut conn = db.get().await?;
        let keys: Vec<_> = names.sessions.iter().map(|id| uuid(id.as_bytes())).collect();
        for keys in keys.chunks(STEP) {
            let rows = conn.rows(ALIVE, &[(&keys, Type::UUID_ARRAY)]).await?;
            let read = row::readable(&rows, |columns: &mut Fields<'_>| columns.id("session"));
            alive.extend(read.into_iter().map(SessionId::from_bytes));
        }
        let keys: Vec<_> = names.users.iter().map(|id| uuid(id.as_bytes())).collect();
        for keys in keys.chunks(STEP) {
            let rows = conn.rows(&USERS, &[(&keys, Type::UUID_ARRAY)]).await?;
            found.extend(row::readable(&rows, |columns: &mut Fields<'_>| user_now(columns)));
        }
    }
    Ok(Changed::found(upto, names, &alive, &found))
}
