use std::pin::pin;
use std::sync::Arc;

use tenure_domain::time::Timestamp;
use tenure_store::Entropy;
use tenure_store::postgres::{PostgresOptions, migrate};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::{ADDRESS, BASE, HEAD, Population, USER_AGENT};

/// Rows per COPY; sessions and their devices take turns, so that neither has to be kept.
const ROWS_PER_COPY: u64 = 200_000;

const USERS: &str = "COPY \"user\" (id, account_id, email, email_key, name, role, password_hash, token_version, \
     created_at) FROM STDIN BINARY";

/// Everybody has an account of their own, which is called like them.
const ACCOUNTS: &str = "INSERT INTO account (id, name, created_at) SELECT id, name, created_at FROM \"user\"";

const SESSIONS: &str = "COPY session (id, user_id, salt, remembered, created_at, expires_at, base, head, handed_at, \
     healed, last_used_at, refresh_count) FROM STDIN BINARY";

const DEVICES: &str = "COPY session_device (session_id, user_agent, address) FROM STDIN BINARY";

/// Those that a million rows would be sorted into one by one, and the statements that make them again.
const INDEXES: &str = "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i \
     WHERE i.indrelid = 'session'::regclass AND NOT i.indisprimary";

/// Migrating draws nothing.
struct Nothing;

impl Entropy for Nothing {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

#[tokio::main]
pub async fn seed(url: &str, population: &mut Population<'_>, now: Timestamp) {
    let options = PostgresOptions::new(url.to_owned(), Arc::new(Nothing), now);
    migrate::up(&options).await.expect("the database can be made");
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let running = tokio::spawn(connection);
    // No row of these needs its trigger: nobody has seen it yet, and what it refers to was written before.
    client
        .batch_execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
        .await
        .unwrap();
    copy_users(&client, population).await;
    let indexes = client.query(INDEXES, &[]).await.unwrap();
    for index in &indexes {
        client.batch_execute(&format!("DROP INDEX {}", index.get::<_, String>(0))).await.unwrap();
    }
    let mut from = 0;
    while from < population.arguments.sessions {
        let upto = population.arguments.sessions.min(from + ROWS_PER_COPY);
        let ids = copy_sessions(&client, population, from..upto).await;
        copy_devices(&client, &ids).await;
        from = upto;
    }
    for index in &indexes {
        client.batch_execute(index.get(1)).await.unwrap();
    }
    // As it would be in a database that has been at work for long; and what is written now is not written later.
    for statement in [
        "VACUUM (ANALYZE) session",
        "VACUUM (ANALYZE) session_device",
        "VACUUM (ANALYZE) \"user\"",
        "VACUUM (ANALYZE) account",
        "CHECKPOINT",
    ] {
        client.batch_execute(statement).await.unwrap();
    }
    drop(client);
    running.await.unwrap().unwrap();
}

async fn copy_users(client: &Client, population: &Population<'_>) {
    const TYPES: [Type; 9] = [
        Type::UUID,
        Type::UUID,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
    ];
    let mut copy = pin!(BinaryCopyInWriter::new(client.copy_in(USERS).await.unwrap(), &TYPES));
    for user in (0..population.arguments.users).map(|i| population.user(i)) {
        let (id, at) = (Uuid::from_bytes(*user.id.as_bytes()), user.created_at.as_ms());
        let (email, hash) = (&user.email, &population.arguments.password_hash);
        copy.as_mut().write(&[&id, &id, email, email, &user.name, &"user", hash, &1_i64, &at]).await.unwrap();
    }
    copy.finish().await.unwrap();
    client.batch_execute(ACCOUNTS).await.unwrap();
}

async fn copy_sessions(
    client: &Client,
    population: &mut Population<'_>,
    range: std::ops::Range<u64>,
) -> Vec<Uuid> {
    const TYPES: [Type; 12] = [
        Type::UUID,
        Type::UUID,
        Type::BYTEA,
        Type::BOOL,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::BOOL,
        Type::INT8,
        Type::INT8,
    ];
    let (base, head) = (i64::from(BASE.0), i64::from(HEAD.0));
    let mut copy = pin!(BinaryCopyInWriter::new(client.copy_in(SESSIONS).await.unwrap(), &TYPES));
    let mut ids = Vec::new();
    for i in range {
        let session = population.session(i);
        let (id, user) =
            (Uuid::from_bytes(*session.id.as_bytes()), Uuid::from_bytes(*session.user_id.as_bytes()));
        let (created_at, expires_at) = (session.created_at.as_ms(), session.expires_at.as_ms());
        let (salt, handed_at) = (&session.salt.as_slice(), &session.handed_at.as_ms());
        let row: [&(dyn ToSql + Sync); 12] = [
            &id,
            &user,
            salt,
            &true,
            &created_at,
            &expires_at,
            &base,
            &head,
            handed_at,
            &true,
            handed_at,
            &1_i64,
        ];
        copy.as_mut().write(&row).await.unwrap();
        ids.push(id);
    }
    copy.finish().await.unwrap();
    ids
}

async fn copy_devices(client: &Client, sessions: &[Uuid]) {
    const TYPES: [Type; 3] = [Type::UUID, Type::TEXT, Type::TEXT];
    let mut copy = pin!(BinaryCopyInWriter::new(client.copy_in(DEVICES).await.unwrap(), &TYPES));
    for session in sessions {
        copy.as_mut().write(&[session, &USER_AGENT, &ADDRESS]).await.unwrap();
    }
    copy.finish().await.unwrap();
}
