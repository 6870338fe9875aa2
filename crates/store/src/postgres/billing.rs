//! What Stripe tells of payments.
//!
//! What is told of one customer is taken into account one by one, whichever node hears it, so that the same event
//! told twice at once finds itself settled.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use tenure_domain::account::Slug;
use tenure_domain::id::AccountId;
use tenure_domain::stripe::verdict::{Books, Consequence};
use tenure_domain::stripe::{LastTold, Notice, StatusRules};
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::account::{self, find_locked, lock_customer};
use super::connect::Conn;
use super::row::{self, Fields};
use crate::row::{Columns as _, STRIPE_SUBSCRIPTION, integer, last_told, slug, vanished};
use crate::{Account, AccountChanged, Applied, Billing, Decree, Result, billing};

static TOLD: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {STRIPE_SUBSCRIPTION} FROM stripe_subscription WHERE customer = $1"));

const TELL: &str = "INSERT INTO stripe_subscription (id, customer, last_created, status, prices, is_applied) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, \
     last_created = excluded.last_created, status = excluded.status, prices = excluded.prices, \
     is_applied = excluded.is_applied";

const SETTLE: &str = "INSERT INTO stripe_event (id, at, kind, subscription) VALUES ($1, $2, $3, $4)";

/// Several nodes may do so at once: what one deletes the others pass over.
const EXPIRE: &str = "DELETE FROM stripe_event WHERE id IN \
     (SELECT id FROM stripe_event WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)";

#[async_trait]
impl Billing for PostgresStore {
    async fn billing_apply(
        &self,
        notice: Notice,
        rules: Arc<StatusRules>,
        decree: Decree,
        now: Timestamp,
    ) -> Result<Applied> {
        self.change(async |conn| self.apply(conn, &notice, &rules, &decree, now).await).await
    }

    async fn billing_expire(&self, before: Timestamp, limit: usize) -> Result<u64> {
        let params: super::connect::Params<'_> =
            &[(&before.as_ms(), Type::INT8), (&integer(limit), Type::INT8)];
        self.db.get().await?.execute(EXPIRE, params).await
    }
}

impl PostgresStore {
    async fn apply(
        &self,
        conn: &mut Conn,
        notice: &Notice,
        rules: &StatusRules,
        decree: &Decree,
        now: Timestamp,
    ) -> Result<Applied> {
        lock_customer(conn, &notice.customer).await?;
        let books = books(conn, notice).await?;
        let verdict = books.judge(notice, rules);
        let (mut account, mut unknown_price) = (None, None);
        if let Some(consequence) = &verdict.consequence {
            let plan = plan(conn, consequence).await?;
            unknown_price = billing::unknown_price(consequence, plan.as_ref());
            let change = billing::change(consequence, notice, plan);
            account = changed(self.change_account(conn, consequence.account, &change, decree, now).await?)?;
        } else if let Some(payer) = books.payer {
            account = account::find(conn, &account::FIND, payer).await?;
        }
        for told in &verdict.tell {
            tell(conn, notice, told).await?;
        }
        if verdict.finding.settles() {
            settle(conn, notice, now).await?;
        }
        Ok(Applied::of(verdict.finding, account, unknown_price))
    }
}

fn changed(changed: AccountChanged) -> Result<Option<Account>> {
    match changed {
        AccountChanged::Changed(account) => Ok(Some(account)),
        // Each was there a moment ago; told again, it will be known what to make of that.
        AccountChanged::AccountGone | AccountChanged::PlanGone | AccountChanged::CustomerTaken => {
            Err(vanished("account"))
        }
    }
}

async fn books(conn: &mut Conn, notice: &Notice) -> Result<Books> {
    let settled = conn.row("SELECT 1 FROM stripe_event WHERE id = $1", &[(&notice.id, Type::TEXT)]).await?;
    let payer = "SELECT id FROM account WHERE stripe_customer = $1";
    let payer = conn.row(payer, &[(&notice.customer, Type::TEXT)]).await?;
    let payer = payer.map(|row| Fields::of(&row).id("account").map(AccountId::from_bytes)).transpose()?;
    // Locked, lest two customers get it at once.
    let named = match notice.account {
        Some(id) => find_locked(conn, id).await?,
        None => None,
    };
    let other = named.as_ref().and_then(|account| account.stripe_customer.as_ref());
    let rival = match other.filter(|other| **other != notice.customer) {
        Some(other) => told(conn, other).await?,
        None => vec![],
    };
    Ok(Books {
        is_settled: settled.is_some(),
        payer,
        named: named.map(|account| account.id),
        told: told(conn, &notice.customer).await?,
        rival,
    })
}

async fn told(conn: &mut Conn, customer: &str) -> Result<Vec<LastTold>> {
    let rows = conn.rows(&TOLD, &[(&customer, Type::TEXT)]).await?;
    Ok(row::readable(&rows, |columns| last_told(columns)))
}

async fn tell(conn: &mut Conn, notice: &Notice, told: &LastTold) -> Result<()> {
    let params: super::connect::Params<'_> = &[
        (&told.subscription.id, Type::TEXT),
        (&notice.customer, Type::TEXT),
        (&told.created.as_ms(), Type::INT8),
        (&told.subscription.status.as_str(), Type::TEXT),
        (&told.subscription.prices.join(" "), Type::TEXT),
        (&told.is_applied, Type::BOOL),
    ];
    conn.execute(TELL, params).await.map(drop)
}

async fn settle(conn: &mut Conn, notice: &Notice, now: Timestamp) -> Result<()> {
    let params: super::connect::Params<'_> = &[
        (&notice.id, Type::TEXT),
        (&now.as_ms(), Type::INT8),
        (&notice.kind, Type::TEXT),
        (&billing::subscription(notice), Type::TEXT),
    ];
    conn.execute(SETTLE, params).await.map(drop)
}

/// The plan of the first price that is one's.
async fn plan(conn: &mut Conn, consequence: &Consequence) -> Result<Option<Slug>> {
    for price in billing::prices(consequence) {
        let find = "SELECT slug FROM plan WHERE stripe_price = $1";
        if let Some(row) = conn.row(find, &[(price, Type::TEXT)]).await? {
            return slug(&mut Fields::of(&row)).map(Some);
        }
    }
    Ok(None)
}
