//! The real store with faults to order: it fails, panics, or waits at a verb of the test's choice.

mod orders;

pub use orders::{Fault, Faults};

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tenure_domain::api_key::ApiKeyHash;
use tenure_domain::event::{Event, Link, Occurrence, Seal, Whence};
use tenure_domain::exchange::ExchangeKey;
use tenure_domain::id::{AccountId, ApiKeyId, EventId, ObservationId, ReceiptId, SessionId, UserId};
use tenure_domain::password::PasswordHash;
use tenure_domain::refresh_token::PresentedToken;
use tenure_domain::session::RefreshRules;
use tenure_domain::stripe::{Notice, StatusRules};
use tenure_domain::time::Timestamp;
use tenure_store::{
    Account, AccountChange, AccountChanged, Accounts, Act, ApiKey, ApiKeyCreated, ApiKeyRotated, ApiKeys,
    Applied, Arrived, Billing, Caller, Changed, ClientReport, ClientReportStats, ClientReports, ClockMark,
    ConsoleKey, ConsolePayload, ConsoleSession, ConsoleSessions, Counts, Decree, EndOrder, Ended,
    EventFilter, Events, Exchange, Exchanged, Exchanges, Expected, Import, Imported, Imports, KeyHolder,
    KeyRetired, Keys, NewAccount, NewApiKey, NewSession, NewUser, Observations, Observed, ObservedFilter,
    PasswordChanged, Person, Plan, PlanSaved, Prospect, RefreshRequest, Refreshed, ReportFilter,
    ReportNumber, Result, Scope, SessionCount, SessionCreated, SessionFilter, SessionRecord, Sessions, Store,
    StoredKey, Subject, Tallies, User, UserChange, UserChanged, UserCreated, UserFilter, Users, Vitals,
};

pub struct FaultyStore {
    pub inner: Arc<dyn Store>,
    pub faults: Arc<Faults>,
}

/// The one macro here: every verb is the inner store's, with the fault that stands before or after it.
macro_rules! verb {
    ($self:ident, $name:ident($($argument:expr),*)) => {{
        $self.faults.before(stringify!($name)).await?;
        let result = $self.inner.$name($($argument),*).await;
        $self.faults.after(stringify!($name), result)
    }};
}

#[async_trait]
impl Sessions for FaultyStore {
    async fn session_create(
        &self,
        user_id: UserId,
        token_version: u32,
        new: NewSession,
        now: Timestamp,
    ) -> Result<SessionCreated> {
        verb!(self, session_create(user_id, token_version, new, now))
    }

    async fn session_refresh(&self, request: RefreshRequest, now: Timestamp) -> Result<Vec<Refreshed>> {
        verb!(self, session_refresh(request, now))
    }

    async fn session_end_presented(
        &self,
        tokens: Vec<PresentedToken>,
        rules: Arc<RefreshRules>,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<Vec<Ended>> {
        verb!(self, session_end_presented(tokens, rules, order, now))
    }

    async fn session_end(
        &self,
        user_id: UserId,
        scope: Scope,
        bump_version: bool,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<Vec<Ended>> {
        verb!(self, session_end(user_id, scope, bump_version, order, now))
    }

    async fn session_find(&self, id: SessionId) -> Result<Option<SessionRecord>> {
        verb!(self, session_find(id))
    }

    async fn session_find_by_receipt(&self, receipt: &ReceiptId) -> Result<Vec<SessionRecord>> {
        verb!(self, session_find_by_receipt(receipt))
    }

    async fn session_list(
        &self,
        user_id: UserId,
        with_ended: bool,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>> {
        verb!(self, session_list(user_id, with_ended, limit, now))
    }

    async fn caller(&self, session_id: SessionId) -> Result<Option<Caller>> {
        verb!(self, caller(session_id))
    }

    async fn changed_since(&self, position: Option<u64>) -> Result<Changed> {
        verb!(self, changed_since(position))
    }

    async fn session_search(
        &self,
        filter: SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>> {
        verb!(self, session_search(filter, after, limit, now))
    }

    async fn session_count(&self, now: Timestamp) -> Result<SessionCount> {
        verb!(self, session_count(now))
    }
}

#[async_trait]
impl Users for FaultyStore {
    async fn user_create(
        &self,
        new: NewUser,
        session: Option<NewSession>,
        now: Timestamp,
    ) -> Result<UserCreated> {
        verb!(self, user_create(new, session, now))
    }

    async fn user_find(&self, id: UserId) -> Result<Option<User>> {
        verb!(self, user_find(id))
    }

    async fn user_find_by_email(&self, email_key: &str) -> Result<Option<User>> {
        verb!(self, user_find_by_email(email_key))
    }

    async fn user_emails(&self, ids: Vec<UserId>) -> Result<BTreeMap<UserId, String>> {
        verb!(self, user_emails(ids))
    }

    async fn user_list(&self, filter: UserFilter, after: Option<UserId>, limit: usize) -> Result<Vec<User>> {
        verb!(self, user_list(filter, after, limit))
    }

    async fn user_rename(&self, id: UserId, name: String, now: Timestamp) -> Result<Option<Person>> {
        verb!(self, user_rename(id, name, now))
    }

    async fn user_set_password(
        &self,
        id: UserId,
        expected: Expected,
        new: PasswordHash,
        keep: Option<SessionId>,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<PasswordChanged> {
        verb!(self, user_set_password(id, expected, new, keep, order, now))
    }

    async fn user_rehash(&self, id: UserId, expected: PasswordHash, new: PasswordHash) -> Result<()> {
        verb!(self, user_rehash(id, expected, new))
    }

    async fn user_disable(&self, id: UserId, order: EndOrder, now: Timestamp) -> Result<Option<Vec<Ended>>> {
        verb!(self, user_disable(id, order, now))
    }

    async fn user_enable(&self, id: UserId, decree: Decree, now: Timestamp) -> Result<bool> {
        verb!(self, user_enable(id, decree, now))
    }

    async fn user_delete(&self, id: UserId, order: EndOrder, now: Timestamp) -> Result<Option<Vec<Ended>>> {
        verb!(self, user_delete(id, order, now))
    }
}

#[async_trait]
impl Accounts for FaultyStore {
    async fn account_create(&self, new: NewAccount, decree: Decree, now: Timestamp) -> Result<Account> {
        verb!(self, account_create(new, decree, now))
    }

    async fn account_find(&self, id: AccountId) -> Result<Option<Account>> {
        verb!(self, account_find(id))
    }

    async fn account_list(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<Account>> {
        verb!(self, account_list(after, limit))
    }

    async fn account_change(
        &self,
        id: AccountId,
        change: AccountChange,
        decree: Decree,
        now: Timestamp,
    ) -> Result<AccountChanged> {
        verb!(self, account_change(id, change, decree, now))
    }

    async fn plan_save(&self, plan: Plan, decree: Decree, now: Timestamp) -> Result<PlanSaved> {
        verb!(self, plan_save(plan, decree, now))
    }

    async fn plan_list(&self) -> Result<Vec<Plan>> {
        verb!(self, plan_list())
    }

    async fn user_change(
        &self,
        id: UserId,
        change: UserChange,
        decree: Decree,
        now: Timestamp,
    ) -> Result<UserChanged> {
        verb!(self, user_change(id, change, decree, now))
    }

    async fn act_record(
        &self,
        subject: Subject,
        what: &'static str,
        decree: Decree,
        whence: Whence,
        now: Timestamp,
    ) -> Result<()> {
        verb!(self, act_record(subject, what, decree, whence, now))
    }

    async fn act_list(&self, subject: Option<Subject>, limit: usize) -> Result<Vec<Act>> {
        verb!(self, act_list(subject, limit))
    }
}

#[async_trait]
impl ApiKeys for FaultyStore {
    async fn api_key_create(
        &self,
        account_id: AccountId,
        new: NewApiKey,
        decree: Decree,
        now: Timestamp,
    ) -> Result<ApiKeyCreated> {
        verb!(self, api_key_create(account_id, new, decree, now))
    }

    async fn api_key_rotate(
        &self,
        id: ApiKeyId,
        hash: ApiKeyHash,
        until: Timestamp,
        decree: Decree,
        now: Timestamp,
    ) -> Result<ApiKeyRotated> {
        verb!(self, api_key_rotate(id, hash, until, decree, now))
    }

    async fn api_key_revoke(&self, id: ApiKeyId, decree: Decree, now: Timestamp) -> Result<Option<ApiKey>> {
        verb!(self, api_key_revoke(id, decree, now))
    }

    async fn api_key_list(&self, account_id: AccountId, limit: usize, now: Timestamp) -> Result<Vec<ApiKey>> {
        verb!(self, api_key_list(account_id, limit, now))
    }

    async fn api_key_search(
        &self,
        account: Option<AccountId>,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        verb!(self, api_key_search(account, after, limit))
    }

    async fn api_key_find(&self, id: ApiKeyId) -> Result<Option<KeyHolder>> {
        verb!(self, api_key_find(id))
    }

    async fn api_key_used(&self, id: ApiKeyId, now: Timestamp) -> Result<()> {
        verb!(self, api_key_used(id, now))
    }
}

#[async_trait]
impl Keys for FaultyStore {
    async fn key_add(
        &self,
        key: StoredKey,
        others_retire_at: Option<Timestamp>,
        only_if_none: bool,
        decree: Option<Decree>,
    ) -> Result<bool> {
        verb!(self, key_add(key, others_retire_at, only_if_none, decree))
    }

    async fn key_list(&self) -> Result<Vec<StoredKey>> {
        verb!(self, key_list())
    }

    async fn key_retire(&self, kid: &str, decree: Decree, now: Timestamp) -> Result<KeyRetired> {
        verb!(self, key_retire(kid, decree, now))
    }

    async fn key_epoch(&self) -> Result<u64> {
        verb!(self, key_epoch())
    }
}

#[async_trait]
impl ClientReports for FaultyStore {
    async fn client_report_add(&self, report: ClientReport) -> Result<()> {
        verb!(self, client_report_add(report))
    }

    async fn client_report_list(
        &self,
        filter: ReportFilter,
        after: ReportNumber,
        limit: usize,
    ) -> Result<Vec<(ReportNumber, ClientReport)>> {
        verb!(self, client_report_list(filter, after, limit))
    }

    async fn client_report_list_of(
        &self,
        session: Option<SessionId>,
        receipt: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Vec<(ReportNumber, ClientReport)>> {
        verb!(self, client_report_list_of(session, receipt, limit))
    }

    async fn client_report_stats(&self, since: Timestamp) -> Result<ClientReportStats> {
        verb!(self, client_report_stats(since))
    }

    async fn client_report_expire(&self, before: Timestamp, keep: u64, limit: usize) -> Result<u64> {
        verb!(self, client_report_expire(before, keep, limit))
    }
}

#[async_trait]
impl Events for FaultyStore {
    async fn event_add(&self, events: Vec<Occurrence>) -> Result<()> {
        verb!(self, event_add(events))
    }

    async fn event_list(&self, filter: EventFilter, limit: usize) -> Result<Vec<Event>> {
        verb!(self, event_list(filter, limit))
    }

    async fn event_unexplained(&self, sessions: Vec<SessionId>) -> Result<BTreeMap<SessionId, bool>> {
        verb!(self, event_unexplained(sessions))
    }

    async fn event_end(&self) -> Result<Link> {
        verb!(self, event_end())
    }

    async fn event_unsealed(&self, limit: usize) -> Result<Vec<Event>> {
        verb!(self, event_unsealed(limit))
    }

    async fn event_seal(&self, after: Link, seals: Vec<(EventId, Seal)>) -> Result<bool> {
        verb!(self, event_seal(after, seals))
    }

    async fn event_chain(&self, from: u64, limit: usize) -> Result<Vec<Event>> {
        verb!(self, event_chain(from, limit))
    }

    async fn event_count_unsealed(&self, before: Timestamp) -> Result<u64> {
        verb!(self, event_count_unsealed(before))
    }

    async fn event_prunable(&self, before: Timestamp, now: Timestamp, limit: usize) -> Result<Option<Link>> {
        verb!(self, event_prunable(before, now, limit))
    }

    async fn event_prune(&self, upto: u64, pruning: Occurrence) -> Result<u64> {
        verb!(self, event_prune(upto, pruning))
    }
}

#[async_trait]
impl Imports for FaultyStore {
    async fn user_import(&self, people: Vec<Import>, dry_run: bool, now: Timestamp) -> Result<Vec<Imported>> {
        verb!(self, user_import(people, dry_run, now))
    }

    async fn import_find(&self, key: String) -> Result<Option<UserId>> {
        verb!(self, import_find(key))
    }

    async fn import_list(&self, after: Option<String>, limit: usize) -> Result<Vec<Arrived>> {
        verb!(self, import_list(after, limit))
    }

    async fn import_keys(&self, users: Vec<UserId>) -> Result<Vec<(UserId, String)>> {
        verb!(self, import_keys(users))
    }
}

#[async_trait]
impl Exchanges for FaultyStore {
    async fn session_exchange(&self, exchange: Exchange, now: Timestamp) -> Result<Exchanged> {
        verb!(self, session_exchange(exchange, now))
    }

    async fn exchange_look(&self, key: ExchangeKey, user_id: UserId) -> Result<Prospect> {
        verb!(self, exchange_look(key, user_id))
    }

    async fn exchange_close(&self, keys: Vec<(ExchangeKey, Timestamp)>, now: Timestamp) -> Result<u64> {
        verb!(self, exchange_close(keys, now))
    }

    async fn exchange_expire(&self, before: Timestamp, limit: usize) -> Result<u64> {
        verb!(self, exchange_expire(before, limit))
    }
}

#[async_trait]
impl Billing for FaultyStore {
    async fn billing_apply(
        &self,
        notice: Notice,
        rules: Arc<StatusRules>,
        decree: Decree,
        now: Timestamp,
    ) -> Result<Applied> {
        verb!(self, billing_apply(notice, rules, decree, now))
    }

    async fn billing_expire(&self, before: Timestamp, limit: usize) -> Result<u64> {
        verb!(self, billing_expire(before, limit))
    }
}

#[async_trait]
impl ConsoleSessions for FaultyStore {
    async fn console_session_put(&self, session: ConsoleSession) -> Result<()> {
        verb!(self, console_session_put(session))
    }

    async fn console_session_find(&self, key: ConsoleKey, now: Timestamp) -> Result<Option<ConsoleSession>> {
        verb!(self, console_session_find(key, now))
    }

    async fn console_session_renew(
        &self,
        key: ConsoleKey,
        expires_at: Timestamp,
        payload: Option<ConsolePayload>,
        now: Timestamp,
    ) -> Result<bool> {
        verb!(self, console_session_renew(key, expires_at, payload, now))
    }

    async fn console_session_delete(&self, key: ConsoleKey) -> Result<()> {
        verb!(self, console_session_delete(key))
    }

    async fn console_session_delete_of(&self, user_id: UserId) -> Result<()> {
        verb!(self, console_session_delete_of(user_id))
    }

    async fn console_session_expire(&self, now: Timestamp, limit: usize) -> Result<u64> {
        verb!(self, console_session_expire(now, limit))
    }
}

#[async_trait]
impl Observations for FaultyStore {
    async fn observation_add(&self, observed: Vec<Observed>) -> Result<()> {
        verb!(self, observation_add(observed))
    }

    async fn observation_list(
        &self,
        filter: ObservedFilter,
        after: Option<ObservationId>,
        limit: usize,
    ) -> Result<Vec<(ObservationId, Observed)>> {
        verb!(self, observation_list(filter, after, limit))
    }

    async fn observation_oldest_of(&self, keep: u64) -> Result<Option<ObservationId>> {
        verb!(self, observation_oldest_of(keep))
    }

    async fn observation_expire(&self, first_kept: ObservationId, limit: usize) -> Result<u64> {
        verb!(self, observation_expire(first_kept, limit))
    }
}

#[async_trait]
impl Tallies for FaultyStore {
    async fn tally_add(&self, hour: Timestamp, counts: Counts) -> Result<()> {
        verb!(self, tally_add(hour, counts))
    }

    async fn tally_list(&self, since: Timestamp) -> Result<BTreeMap<Timestamp, Counts>> {
        verb!(self, tally_list(since))
    }

    async fn tally_expire(&self, before: Timestamp) -> Result<u64> {
        verb!(self, tally_expire(before))
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn check(&self) -> Result<()> {
        verb!(self, check())
    }

    async fn clock(&self) -> Result<Option<Timestamp>> {
        let planted = *self.faults.clock.lock().unwrap();
        if planted.is_none() {
            return verb!(self, clock());
        }
        // Without asking a database that may be slow.
        self.faults.before("clock").await?;
        self.faults.after("clock", Ok(planted))
    }

    async fn clock_mark(&self) -> Result<Option<ClockMark>> {
        verb!(self, clock_mark())
    }

    async fn clock_mark_set(&self, mark: ClockMark) -> Result<()> {
        verb!(self, clock_mark_set(mark))
    }

    fn vitals(&self) -> Vitals {
        self.faults.vitals.lock().unwrap().unwrap_or_else(|| self.inner.vitals())
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<u64> {
        verb!(self, sweep(before, limit))
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
