//! What Stripe tells of payments.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use rusqlite::{Connection, params};
use tenure_domain::account::Slug;
use tenure_domain::id::AccountId;
use tenure_domain::stripe::verdict::{Books, Consequence};
use tenure_domain::stripe::{LastTold, Notice, StatusRules};
use tenure_domain::time::Timestamp;

use super::row::Columns as _;
use super::writer::Tx;
use super::{SqliteStore, account, row};
use crate::{Account, AccountChanged, Applied, Billing, Decree, Result, billing};

static TOLD: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {} FROM stripe_subscription WHERE customer = ?1", row::STRIPE_SUBSCRIPTION)
});

const TELL: &str = "INSERT INTO stripe_subscription (id, customer, last_created, status, prices, is_applied) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, \
     last_created = excluded.last_created, status = excluded.status, prices = excluded.prices, \
     is_applied = excluded.is_applied";

const SETTLE: &str = "INSERT INTO stripe_event (id, at, kind, subscription) VALUES (?1, ?2, ?3, ?4)";

const EXPIRE: &str = "DELETE FROM stripe_event WHERE id IN \
     (SELECT id FROM stripe_event WHERE at < ?1 ORDER BY at LIMIT ?2)";

#[async_trait]
impl Billing for SqliteStore {
    async fn billing_apply(
        &self,
        notice: Notice,
        rules: Arc<StatusRules>,
        decree: Decree,
        now: Timestamp,
    ) -> Result<Applied> {
        self.writer.write_composed(move |tx| apply(tx, &notice, &rules, &decree, now)).await
    }

    async fn billing_expire(&self, before: Timestamp, limit: usize) -> Result<u64> {
        let params: [i64; 2] = [before.as_ms(), row::integer(limit)];
        self.writer.write(move |tx| Ok(tx.conn.prepare_cached(EXPIRE)?.execute(params)? as u64)).await
    }
}

fn apply(
    tx: &Tx<'_>,
    notice: &Notice,
    rules: &StatusRules,
    decree: &Decree,
    now: Timestamp,
) -> Result<Applied> {
    let books = books(tx.conn, notice)?;
    let verdict = books.judge(notice, rules);
    let (mut account, mut unknown_price) = (None, None);
    if let Some(consequence) = &verdict.consequence {
        let plan = plan(tx.conn, consequence)?;
        unknown_price = billing::unknown_price(consequence, plan.as_ref());
        account = change(tx, consequence, notice, plan, decree, now)?;
    } else if let Some(payer) = books.payer {
        account = account::find(tx.conn, payer)?;
    }
    for told in &verdict.tell {
        tell(tx.conn, notice, told)?;
    }
    if verdict.finding.settles() {
        let subscription = billing::subscription(notice);
        tx.conn.prepare_cached(SETTLE)?.execute(params![
            notice.id,
            now.as_ms(),
            notice.kind,
            subscription
        ])?;
    }
    Ok(Applied::of(verdict.finding, account, unknown_price))
}

fn change(
    tx: &Tx<'_>,
    consequence: &Consequence,
    notice: &Notice,
    plan: Option<Slug>,
    decree: &Decree,
    now: Timestamp,
) -> Result<Option<Account>> {
    let change = billing::change(consequence, notice, plan);
    match account::change(tx, consequence.account, &change, decree, now)? {
        AccountChanged::Changed(account) => Ok(Some(account)),
        // Each was there a moment ago, in the same transaction.
        AccountChanged::AccountGone | AccountChanged::PlanGone | AccountChanged::CustomerTaken => {
            Err(row::vanished("account"))
        }
    }
}

fn books(conn: &Connection, notice: &Notice) -> Result<Books> {
    let settled = "SELECT 1 FROM stripe_event WHERE id = ?1";
    let payer = "SELECT id FROM account WHERE stripe_customer = ?1";
    let named = match notice.account {
        Some(id) => account::find(conn, id)?,
        None => None,
    };
    let other = named.as_ref().and_then(|account| account.stripe_customer.as_ref());
    let rival = match other.filter(|other| **other != notice.customer) {
        Some(other) => told(conn, other)?,
        None => vec![],
    };
    Ok(Books {
        is_settled: row::one(conn, settled, [&notice.id], |_| Ok(()))?.is_some(),
        payer: row::one(conn, payer, [&notice.customer], |columns| {
            Ok(AccountId::from_bytes(columns.id("account")?))
        })?,
        named: named.map(|account| account.id),
        told: told(conn, &notice.customer)?,
        rival,
    })
}

fn told(conn: &Connection, customer: &str) -> Result<Vec<LastTold>> {
    row::readable(conn, &TOLD, [customer], |columns| row::last_told(columns))
}

fn tell(conn: &Connection, notice: &Notice, told: &LastTold) -> Result<()> {
    conn.prepare_cached(TELL)?.execute(params![
        told.subscription.id,
        notice.customer,
        told.created.as_ms(),
        told.subscription.status.as_str(),
        told.subscription.prices.join(" "),
        told.is_applied,
    ])?;
    Ok(())
}

/// The plan of the first price that is one's.
fn plan(conn: &Connection, consequence: &Consequence) -> Result<Option<Slug>> {
    for price in billing::prices(consequence) {
        let find = "SELECT slug FROM plan WHERE stripe_price = ?1";
        let slug = row::one(conn, find, [price], |columns| row::slug(columns))?;
        if slug.is_some() {
            return Ok(slug);
        }
    }
    Ok(None)
}
