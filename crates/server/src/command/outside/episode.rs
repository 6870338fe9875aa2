//! Refreshes as browsers really send them: by several tabs, twice, late, and with answers that never arrive.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::browser::Visitor;
use super::verdict::Told;
use super::wire::{Answer, NoAnswer};

/// A race is run more than once, with tabs so many milliseconds apart: one that is won says little.
const ROUNDS_MS: [u64; 4] = [0, 5, 20, 50];

impl Visitor<'_> {
    /// Several refreshes with the token that is in the jar now, so far apart. Answers in the order of the requests.
    pub async fn several(&self, tabs: u32, apart: Duration) -> Result<Vec<Answer>, NoAnswer> {
        let state = self.state();
        let refreshes = (0..tabs).map(|nth| {
            let state = &state;
            async move {
                sleep(apart * nth).await;
                self.send_refresh(state).await
            }
        });
        join_all(refreshes).await.into_iter().collect()
    }

    /// What a page does with an answer that is not the last word: it asks again with what the jar has then.
    pub async fn settle(&self, answer: &Answer, when: &str) -> Told {
        match answer.is_passing() {
            true => self.must_refresh(when).await,
            false => self.must_be_a_refresh(answer, when),
        }
    }
}

pub async fn at_once(visitor: &Visitor<'_>, tabs: u32) -> Told {
    let when = format!("when {tabs} tabs refreshed at once");
    for apart in ROUNDS_MS.map(Duration::from_millis) {
        let answers = visitor.several(tabs, apart).await?;
        answers.iter().for_each(|answer| visitor.receive(answer));
        for answer in &answers {
            visitor.settle(answer, &when).await?;
        }
    }
    visitor.must_be_signed_in("after several tabs had refreshed at once").await
}

pub async fn lost(visitor: &Visitor<'_>, losses: usize) -> Told {
    for _ in 0..losses {
        // It arrives nowhere: nothing of it is taken.
        drop(visitor.send_refresh(&visitor.state()).await?);
        sleep(Duration::from_millis(300)).await;
    }
    visitor.must_be_signed_in("when the answer before was lost").await
}

pub async fn reload_burst(visitor: &Visitor<'_>) -> Told {
    let mut answers = visitor.several(6, Duration::from_millis(30)).await?;
    if let Some(last) = answers.pop() {
        visitor.receive(&last);
        visitor.settle(&last, "after five reloads that were cut off").await?;
    }
    visitor.must_be_signed_in("after a burst of reloads").await
}

pub async fn late_copy(visitor: &Visitor<'_>) -> Told {
    let sent = visitor.state();
    visitor.must_refresh("at first").await?;
    sleep(Duration::from_millis(500)).await;
    // Its answer goes to whoever sent the copy, which is not the page.
    drop(visitor.send_refresh(&sent).await?);
    visitor.must_be_signed_in("after a copy of the refresh before had arrived").await?;
    visitor.must_be_signed_in("one refresh later").await
}
