//! Ten thousand people of an app with simplejwt are moved in one day: nobody is asked to sign in, nobody has two sessions, and
//! no thief has any.

use futures_util::stream::{self, StreamExt as _};

use super::*;

/// On a database that is asked over the network a tenth of them, which takes as long; the races are the contract's.
fn crowd(app: &TestApp) -> usize {
    if app.database().is_file() { 10_000 } else { 1_000 }
}

/// Of browsers that speak at once.
const AT_ONCE: usize = 64;

/// What befalls somebody, by their number alone (SplitMix64): the same each run.
struct Fate {
    /// Tabs that are open when the new version of the app comes, without locks to take turns by.
    tabs: usize,
    /// None of the answers arrives, and then a lid is closed.
    is_lost: bool,
    /// Somebody has a copy of the token, or of it and the attempt.
    is_robbed: bool,
    robbed_of_attempt: bool,
    handed_out_ago: i64,
}

impl Fate {
    fn of(person: usize) -> Self {
        let mut z = (person as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^= z >> 27;
        Self {
            tabs: if z.is_multiple_of(8) { 3 } else { 1 },
            is_lost: (z >> 8).is_multiple_of(5),
            is_robbed: (z >> 16).is_multiple_of(8),
            robbed_of_attempt: (z >> 24).is_multiple_of(2),
            handed_out_ago: (z >> 32) as i64 % (13 * 86_400),
        }
    }
}

struct Somebody {
    browser: Browser,
    fate: Fate,
    legacy: String,
    attempt: String,
    has_moved: bool,
}

impl Somebody {
    fn new(app: &TestApp, person: usize) -> Self {
        let fate = Fate::of(person);
        let handed_out = app.clock.get().as_secs() - fate.handed_out_ago;
        let claims = json!({
            "token_type": "refresh", "exp": handed_out + 14 * 86_400, "iat": handed_out, "jti": format!("{person:032x}"),
            "user_id": person.to_string(),
        });
        Self {
            browser: app.browser(),
            fate,
            legacy: sign(SECRET, &claims),
            attempt: format!("attempt-of-{person:08}"),
            has_moved: false,
        }
    }

    /// The app begins, in each of its tabs.
    async fn begin(&mut self, answers_arrive: bool) -> Vec<u16> {
        let calls = (0..self.fate.tabs).map(|_| trade(&self.browser, &self.legacy, &self.attempt));
        let answers = at_once(calls).await;
        if answers_arrive {
            answers.iter().for_each(|answer| self.browser.receive(answer));
            self.has_moved = true;
        }
        answers.iter().map(|answer| answer.status).collect()
    }

    async fn robbery(&self, app: &TestApp) -> u16 {
        let attempt = if self.fate.robbed_of_attempt { &self.attempt } else { "attempt-of-a-thief" };
        trade(&app.browser(), &self.legacy, attempt).send().await.without_cookies().status
    }
}

async fn each<'p, F: Future<Output = Vec<u16>>>(
    people: impl Iterator<Item = &'p mut Somebody>,
    does: impl Fn(&'p mut Somebody) -> F,
) -> Vec<u16> {
    stream::iter(people.map(does)).buffer_unordered(AT_ONCE).concat().await
}

#[track_caller]
fn all(statuses: &[u16], status: u16, at_least: usize) {
    let others: Vec<_> = statuses.iter().filter(|other| **other != status).collect();
    assert!(
        others.is_empty() && statuses.len() >= at_least,
        "{} of {}: {others:?}",
        others.len(),
        statuses.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_people_move_and_nobody_is_asked_to_sign_in() {
    let app = setup().start().await;
    let crowd = crowd(&app);
    for page in (0..crowd).collect::<Vec<_>>().chunks(500) {
        let import = |person: &usize| {
            let email = Email::parse(&format!("user{person}@example.com")).unwrap();
            Import { key: format!("django:{person}"), new: NewUser::named(&email, "Somebody") }
        };
        app.store().user_import(page.iter().map(import).collect(), false, app.clock.get()).await.unwrap();
    }
    let mut people: Vec<_> = (0..crowd).map(|person| Somebody::new(&app, person)).collect();
    let begun = each(people.iter_mut(), |one| one.begin(!one.fate.is_lost)).await;
    all(&begun, 200, crowd);
    let lost = people.iter().filter(|one| !one.has_moved).count();

    // The lids are opened again; and a copy of what one has kept meanwhile is worth nothing.
    app.clock.advance(3 * HOUR);
    let again = each(people.iter_mut().filter(|one| !one.has_moved), |one| one.begin(true)).await;
    all(&again, 200, lost);
    assert!(lost > crowd / 10);
    let refreshed = each(people.iter_mut(), async |one| vec![one.browser.refresh().await.status]).await;
    all(&refreshed, 200, crowd);
    let robbed = people.iter_mut().filter(|one| one.fate.is_robbed);
    let robberies = each(robbed, async |one| vec![one.robbery(&app).await]).await;
    all(&robberies, 409, crowd / 10);
    let forged = each(people.iter_mut().take(500), async |one| {
        let (message, _) = one.legacy.rsplit_once('.').unwrap();
        let forged = sign("a guess at the secret", &json!({ "user_id": "1" }));
        let tag = forged.rsplit_once('.').unwrap().1.to_owned();
        let calls = [format!("{message}."), format!("{message}.{tag}"), forged];
        at_once(calls.map(|token| trade(&one.browser, &token, &one.attempt)))
            .await
            .iter()
            .map(|a| a.status)
            .collect()
    })
    .await;
    all(&forged, 400, 1_500);

    let now = app.clock.get();
    assert_eq!(app.store().session_count(now).await.unwrap().remembered, crowd as u64);
    assert_eq!(app.metric(r#"tenure_exchanges_total{outcome="ok"}"#), crowd as f64);
    for never in ["tenure_dead_token_total", r#"session_ends_total{reason="token_reuse"}"#] {
        assert_eq!(app.metric(never), 0.0, "{never}");
    }
    // Nobody has two, and everybody is still who they were.
    for person in (0..crowd).step_by(97) {
        let one = &people[person];
        assert_eq!(one.browser.sessions().await.len(), 1);
        let profile = one.browser.profile().await.expect(200).json();
        assert_eq!(profile["email"], format!("user{person}@example.com"));
    }
}
