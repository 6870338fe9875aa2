//! What an event of Stripe's changes, given what is known of its customer: one pure decision.
//!
//! Events come more than once, overtake each other, and tell of customers before it is told whose they are. So what
//! is said of a subscription is kept even while nobody's account is known, and counts as soon as one is.

use super::{LastTold, Matter, Notice, PlanEffect, StatusRules, Subscription};
use crate::account::AccountStatus;
use crate::id::AccountId;

/// What is known before an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// The event has been settled before.
    pub is_settled: bool,
    /// The account whose customer it is about.
    pub payer: Option<AccountId>,
    /// The account that the event names, if there is one.
    pub named: Option<AccountId>,
    /// What has been told of the customer's subscriptions.
    pub told: Vec<LastTold>,
    /// What has been told of those of the customer that the named account has now, if that is another one.
    pub rival: Vec<LastTold>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The account is made what the subscription says.
    Applied,
    /// It is known from now on, or still, whose customer it is.
    Linked,
    /// It was settled before.
    Repeated,
    /// Something newer is known.
    Older,
    /// Nobody's account is known for it. It will be taken again if it is sent again.
    NoSuchAccount,
    /// It names an account that another customer pays for, or a customer that pays for another account: somebody has
    /// to look. It will be taken again if it is sent again.
    Contested,
    /// A subscription is over, and its customer has another.
    Outlived,
}

/// What becomes of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    pub account: AccountId,
    /// It is the customer's from now on.
    pub links: bool,
    /// And what it becomes, if a subscription says something.
    pub standing: Option<Standing>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub status: AccountStatus,
    pub plan: PlanEffect,
    /// Where a plan is given, it is that of the first of these that is a plan's.
    pub prices: Vec<String>,
}

/// What to write, and what to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub finding: Finding,
    pub consequence: Option<Consequence>,
    /// What is known of subscriptions from now on.
    pub tell: Vec<LastTold>,
}

impl Finding {
    /// Whether the event need not be looked at again.
    pub const fn settles(self) -> bool {
        match self {
            Finding::Applied | Finding::Linked | Finding::Older | Finding::Outlived => true,
            Finding::Repeated | Finding::NoSuchAccount | Finding::Contested => false,
        }
    }
}

/// Whose account an event is about.
enum Owner {
    Nobody,
    Contested,
    /// Its customer is known.
    Payer(AccountId),
    /// It is named, and free to get this customer.
    Named(AccountId),
}

impl Books {
    pub fn judge(&self, notice: &Notice, rules: &StatusRules) -> Verdict {
        let only = |finding| Verdict { finding, consequence: None, tell: vec![] };
        if self.is_settled {
            return only(Finding::Repeated);
        }
        match &notice.matter {
            Matter::Checkout { .. } => match self.owner() {
                Owner::Nobody => only(Finding::NoSuchAccount),
                Owner::Contested => only(Finding::Contested),
                Owner::Payer(_) if self.told.iter().all(|told| told.is_applied) => only(Finding::Linked),
                Owner::Payer(account) => self.link(account, false, rules),
                Owner::Named(account) => self.link(account, true, rules),
            },
            Matter::Subscription(subscription) => {
                let last = self.told.iter().find(|told| told.subscription.id == subscription.id);
                match subscription.is_news(notice.created, last) {
                    true => self.apply(notice, subscription, rules),
                    false => only(Finding::Older),
                }
            }
        }
    }

    fn owner(&self) -> Owner {
        match (self.payer, self.named) {
            (Some(payer), Some(named)) if payer != named => Owner::Contested,
            (Some(payer), _) => Owner::Payer(payer),
            (None, None) => Owner::Nobody,
            // What is named in a checkout may be a stranger's wish, and nobody who pays loses their account to it.
            (None, Some(_)) if self.rival.iter().any(LastTold::lives) => Owner::Contested,
            (None, Some(named)) => Owner::Named(named),
        }
    }

    /// An account gets its customer, and becomes what was told of that customer's subscriptions before.
    fn link(&self, account: AccountId, links: bool, rules: &StatusRules) -> Verdict {
        let newest = self.told.iter().max_by_key(|told| (told.lives(), told.created));
        let standing = newest.map(|told| told.subscription.standing(rules));
        let waited = self.told.iter().filter(|told| !told.is_applied);
        Verdict {
            finding: Finding::Linked,
            consequence: Some(Consequence { account, links, standing }),
            tell: waited.map(|told| LastTold { is_applied: true, ..told.clone() }).collect(),
        }
    }

    fn apply(&self, notice: &Notice, subscription: &Subscription, rules: &StatusRules) -> Verdict {
        let tell = |is_applied| {
            let subscription = subscription.clone();
            vec![LastTold { created: notice.created, subscription, is_applied }]
        };
        let (account, links) = match self.owner() {
            Owner::Payer(account) => (account, false),
            Owner::Named(account) => (account, true),
            Owner::Nobody => {
                let finding = Finding::NoSuchAccount;
                return Verdict { finding, consequence: None, tell: tell(false) };
            }
            Owner::Contested => {
                return Verdict { finding: Finding::Contested, consequence: None, tell: tell(false) };
            }
        };
        let mut others = self.told.iter().filter(|told| told.subscription.id != subscription.id);
        let is_outlived = subscription.status.plan() == PlanEffect::Takes && others.any(LastTold::lives);
        let standing = (!is_outlived).then(|| subscription.standing(rules));
        Verdict {
            finding: if is_outlived { Finding::Outlived } else { Finding::Applied },
            consequence: Some(Consequence { account, links, standing }),
            tell: tell(true),
        }
    }
}

impl LastTold {
    /// Whether the subscription still gives its account a plan.
    fn lives(&self) -> bool {
        self.subscription.status.plan() == PlanEffect::Gives
    }
}

impl Subscription {
    fn standing(&self, rules: &StatusRules) -> Standing {
        let plan = self.status.plan();
        Standing { status: rules.of(self.status), plan, prices: self.prices.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::SubscriptionStatus;
    use crate::time::Timestamp;

    const OURS: AccountId = AccountId::from_bytes([1; 16]);
    const OTHER: AccountId = AccountId::from_bytes([2; 16]);

    fn told(id: &str, status: SubscriptionStatus, seconds: i64) -> LastTold {
        let subscription = Subscription { id: id.into(), status, prices: vec![format!("price_{id}")] };
        LastTold { created: Timestamp::from_ms(seconds * 1000), subscription, is_applied: true }
    }

    fn notice(matter: Matter, seconds: i64) -> Notice {
        let created = Timestamp::from_ms(seconds * 1000);
        Notice { id: "evt".into(), kind: "", created, customer: "cus".into(), account: None, matter }
    }

    fn of(id: &str, status: SubscriptionStatus, seconds: i64) -> Notice {
        notice(Matter::Subscription(told(id, status, seconds).subscription), seconds)
    }

    fn checkout() -> Notice {
        notice(Matter::Checkout { subscription: None }, 9)
    }

    fn judge(books: &Books, notice: &Notice) -> Verdict {
        books.judge(notice, &StatusRules::default())
    }

    fn paid() -> Books {
        Books { payer: Some(OURS), ..Books::default() }
    }

    #[test]
    fn a_subscription_makes_its_payers_account_what_it_says() {
        let verdict = judge(&paid(), &of("sub", SubscriptionStatus::PastDue, 1));
        let standing = Standing {
            status: AccountStatus::PendingPayment,
            plan: PlanEffect::Gives,
            prices: vec!["price_sub".into()],
        };
        let consequence = Consequence { account: OURS, links: false, standing: Some(standing) };
        let tell = vec![told("sub", SubscriptionStatus::PastDue, 1)];
        assert_eq!(verdict, Verdict { finding: Finding::Applied, consequence: Some(consequence), tell });
    }

    #[test]
    fn what_is_settled_or_old_changes_nothing() {
        let books = Books { told: vec![told("sub", SubscriptionStatus::Active, 5)], ..paid() };
        for (is_settled, seconds, finding) in
            [(true, 9, Finding::Repeated), (false, 4, Finding::Older), (false, 6, Finding::Applied)]
        {
            let books = Books { is_settled, ..books.clone() };
            let verdict = judge(&books, &of("sub", SubscriptionStatus::Canceled, seconds));
            assert_eq!(verdict.finding, finding);
            assert_eq!(
                verdict.consequence.is_some() && !verdict.tell.is_empty(),
                finding == Finding::Applied
            );
        }
        assert_eq!(judge(&Books { is_settled: true, ..paid() }, &checkout()).finding, Finding::Repeated);
    }

    #[test]
    fn what_is_told_before_it_is_known_whose_it_is_counts_as_soon_as_it_is() {
        let nobody = Books::default();
        let verdict = judge(&nobody, &of("sub", SubscriptionStatus::Active, 1));
        assert_eq!((verdict.finding, verdict.consequence), (Finding::NoSuchAccount, None));
        let waits = LastTold { is_applied: false, ..told("sub", SubscriptionStatus::Active, 1) };
        assert_eq!(verdict.tell, std::slice::from_ref(&waits));
        let named = Books { named: Some(OURS), told: verdict.tell, ..nobody.clone() };
        let verdict = judge(&named, &checkout());
        let consequence = verdict.consequence.unwrap();
        assert_eq!((verdict.finding, consequence.account, consequence.links), (Finding::Linked, OURS, true));
        assert_eq!(consequence.standing.unwrap().status, AccountStatus::Active);
        assert_eq!(verdict.tell, [LastTold { is_applied: true, ..waits }]);
        assert_eq!(judge(&nobody, &checkout()).finding, Finding::NoSuchAccount);
        let linked = judge(&Books { named: Some(OURS), ..paid() }, &checkout());
        assert_eq!((linked.finding, linked.consequence), (Finding::Linked, None));
        // Linked by hand meanwhile.
        let by_hand = judge(&Books { payer: Some(OURS), ..named }, &checkout());
        let consequence = by_hand.consequence.unwrap();
        assert_eq!((consequence.links, consequence.standing.is_some()), (false, true));
    }

    #[test]
    fn of_several_that_waited_one_that_lives_counts() {
        let told = vec![
            told("a", SubscriptionStatus::Trialing, 1),
            told("b", SubscriptionStatus::Active, 2),
            told("c", SubscriptionStatus::Canceled, 3),
        ];
        let verdict = judge(&Books { named: Some(OURS), told, ..Books::default() }, &checkout());
        assert_eq!(verdict.consequence.unwrap().standing.unwrap().prices, ["price_b"]);
    }

    #[test]
    fn an_account_that_is_paid_for_is_given_to_nobody_else() {
        let living = vec![told("old", SubscriptionStatus::PastDue, 1)];
        let over = vec![told("old", SubscriptionStatus::Canceled, 1)];
        let named = Books { named: Some(OURS), ..Books::default() };
        for event in [checkout(), of("sub", SubscriptionStatus::Active, 1)] {
            for (books, is_contested) in [
                (Books { rival: living.clone(), ..named.clone() }, true),
                (Books { rival: over.clone(), ..named.clone() }, false),
                (Books { payer: Some(OTHER), ..named.clone() }, true),
            ] {
                let verdict = judge(&books, &event);
                assert_eq!(verdict.finding == Finding::Contested, is_contested, "{books:?}");
                assert_eq!(verdict.consequence.is_none(), is_contested);
                assert!(verdict.tell.iter().all(|told| told.is_applied != is_contested));
            }
        }
    }

    #[test]
    fn the_end_of_one_subscription_leaves_what_another_gives() {
        let both =
            vec![told("old", SubscriptionStatus::Active, 1), told("sub", SubscriptionStatus::Active, 2)];
        let books = Books { told: both.clone(), ..paid() };
        let verdict = judge(&books, &of("old", SubscriptionStatus::Canceled, 3));
        assert_eq!((verdict.finding, verdict.consequence.unwrap().standing), (Finding::Outlived, None));
        assert_eq!(verdict.tell, [told("old", SubscriptionStatus::Canceled, 3)]);
        let last =
            Books { told: vec![both[0].clone(), told("sub", SubscriptionStatus::Canceled, 2)], ..paid() };
        let verdict = judge(&last, &of("old", SubscriptionStatus::Canceled, 3));
        let standing = verdict.consequence.unwrap().standing.unwrap();
        assert_eq!((verdict.finding, standing.plan), (Finding::Applied, PlanEffect::Takes));
    }

    #[test]
    fn what_can_still_be_mended_may_be_sent_again() {
        for (finding, settles) in [
            (Finding::Applied, true),
            (Finding::Linked, true),
            (Finding::Older, true),
            (Finding::Outlived, true),
            (Finding::Repeated, false),
            (Finding::NoSuchAccount, false),
            (Finding::Contested, false),
        ] {
            assert_eq!(finding.settles(), settles);
        }
    }
}
