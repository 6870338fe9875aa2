//! What has to be so of a visitor, and what is waited for before that is said.

use std::time::Duration;

use tokio::time::sleep;

use super::super::verdict::{Told, Verdict};
use super::super::wire::{Answer, NoAnswer};
use super::{TRIES, Visitor, found, pause};

/// Tries until what was stopped is back, and the pause between them.
const BACK_TRIES: usize = 60;
const BACK_PAUSE: Duration = Duration::from_millis(500);

impl Visitor<'_> {
    /// The answer that is meant: one that passes (a limit, a restart) is asked for again after a pause. The last one may
    /// be passing still.
    pub async fn settled(&self, ask: impl AsyncFn() -> Result<Answer, NoAnswer>) -> Result<Answer, NoAnswer> {
        let mut answer = ask().await?;
        for _ in 1..TRIES {
            if !answer.is_passing() {
                break;
            }
            pause(&answer).await;
            answer = ask().await?;
        }
        Ok(answer)
    }

    /// A refusal, or whatever else was meant, of which nothing can be said while a limit or an outage answers instead.
    pub async fn meant(
        &self,
        what: &str,
        ask: impl AsyncFn() -> Result<Answer, NoAnswer>,
    ) -> Result<Answer, Verdict> {
        let answer = self.settled(ask).await?;
        match answer.is_beside_the_point() {
            true => Err(Verdict::NotTested(format!("{what} was answered {}, {TRIES} times", answer.told()))),
            false => Ok(answer),
        }
    }

    /// A refresh is served and brings a token; where it is not, `when` says when that was.
    pub async fn must_refresh(&self, when: &str) -> Told {
        let answer = self.settled(async || self.refresh().await).await?;
        self.must_be_a_refresh(&answer, when)
    }

    /// What a page makes of the answer of a refresh.
    pub fn must_be_a_refresh(&self, answer: &Answer, when: &str) -> Told {
        let profile = &self.world.profile;
        if profile.signs_out.contains(&answer.status) {
            return Err(Verdict::SignsOut(format!("{when}, a refresh was answered {}", answer.told())));
        }
        if !answer.is_fine() {
            return Err(not_served(answer, format!("{when}, a refresh was answered {}", answer.told())));
        }
        match profile.refresh.access.as_ref().is_none_or(|place| found(place, answer).is_some()) {
            true => Ok(()),
            false => Err(Verdict::Wrong(format!(
                "{when}, a refresh was answered {} without a token",
                answer.told()
            ))),
        }
    }

    pub async fn must_be_served(&self, when: &str) -> Told {
        self.served(when).await.map(drop)
    }

    /// What the API answers to somebody who has to be served.
    pub async fn served(&self, when: &str) -> Result<Answer, Verdict> {
        let answer = self.settled(async || self.api().await).await?;
        match (answer.is_fine(), answer.status) {
            (true, _) => Ok(answer),
            (_, 401) => Err(Verdict::SignsOut(format!("{when}, the API answered {}", answer.told()))),
            _ => Err(not_served(&answer, format!("{when}, the API answered {}", answer.told()))),
        }
    }

    /// The session goes on: it is refreshed, and what it is handed is accepted.
    pub async fn must_be_signed_in(&self, when: &str) -> Told {
        self.must_refresh(when).await?;
        self.must_be_served(when).await
    }

    /// Once a system that was stopped answers again, the session has to be there.
    pub async fn is_back(&self, when: &str) -> Told {
        // Where it is not, what is asked now says so.
        self.is_there_again().await;
        self.must_be_signed_in(&format!("after {when}")).await
    }

    /// Waits for a system that was stopped, and says whether it has come back.
    pub async fn is_there_again(&self) -> bool {
        for _ in 0..BACK_TRIES {
            match self.api().await {
                Ok(answer) if answer.status < 500 => return true,
                _ => sleep(BACK_PAUSE).await,
            }
        }
        false
    }

    /// The session is over, and the system says so.
    pub async fn must_be_signed_out(&self, when: &str) -> Told {
        let answer = self.meant(&format!("{when}, a refresh"), async || self.refresh().await).await?;
        match self.world.profile.signs_out.contains(&answer.status) {
            true => Ok(()),
            false => Err(Verdict::Wrong(format!("{when}, a refresh was answered {}", answer.told()))),
        }
    }
}

/// What is said of an answer that should have been a good one.
fn not_served(answer: &Answer, told: String) -> Verdict {
    match answer.is_beside_the_point() {
        true => Verdict::InItsPlace { status: answer.status, told },
        false => Verdict::Wrong(told),
    }
}
