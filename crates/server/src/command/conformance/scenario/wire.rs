//! Origins and limits: what browsers and floods do to a session that is otherwise fine.

use futures_util::future::join_all;
use http::HeaderName;
use http::header::{ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN};

use super::super::browser::{Extra, pause};
use super::super::profile::Call;
use super::super::verdict::{Told, Verdict, right};
use super::super::wire::Answer;
use super::super::world::World;
use super::{Need, Scenario};

const FOREIGN: &str = "https://foreign.example";

/// Refreshes and calls at once, and how often: more than any page sends, and few for an attacker.
const WIDTH: usize = 10;
const BURSTS: usize = 5;

pub const ROWS: &[Scenario] = &[
    Scenario {
        id: "C32.1",
        title: "The pages' origin may call the API, with credentials",
        why: "a browser hides the answer, and a page takes that for a broken network or for a sign-out",
        fix: "list the exact origin of the pages; allow credentials, and the headers that are sent",
        needs: &[Need::Origin],
        requests: 2,
        run: |world| Box::pin(preflight(world)),
    },
    Scenario {
        id: "C32.2",
        title: "Refusals, too, can be read by the pages' origin",
        why: "a 401 without CORS headers is a network error to a page, which then never refreshes",
        fix: "add the CORS headers outside of whatever refuses: to errors as to everything else",
        needs: &[Need::Origin],
        requests: 2,
        run: |world| Box::pin(readable_refusals(world)),
    },
    Scenario {
        id: "C32.3",
        title: "A foreign origin is not told that it may use credentials",
        why: "any page could act as the people who visit it",
        fix: "compare origins with a list, and reflect none",
        needs: &[],
        requests: 1,
        run: |world| Box::pin(no_reflection(world)),
    },
    Scenario {
        id: "C33.1",
        title: "A refresh from a foreign page is refused or has no cookie, and harms nobody",
        why: "a check against forgery that deletes the session is a way to sign people out",
        fix: "answer 403 to a foreign Origin, and leave every cookie alone",
        needs: &[Need::RefreshInCookie],
        requests: 4,
        run: |world| Box::pin(foreign_page(world)),
    },
];

/// After these, limits may answer instead of the system.
pub const FLOODS: &[Scenario] = &[
    Scenario {
        id: "C43.1",
        title: "Fifty refreshes in a burst may be limited, and end nothing",
        why: "a page with a bug, or an office behind one address, signs everybody out",
        fix: "answer 429 with Retry-After; count refreshes by session and not by address",
        needs: &[],
        requests: 60,
        run: |world| Box::pin(refresh_burst(world)),
    },
    Scenario {
        id: "C43.2",
        title: "Fifty calls in a burst may be limited, and end nothing",
        why: "a list that loads its rows one by one signs its reader out",
        fix: "answer 429 with Retry-After, never 401 or 403",
        needs: &[],
        requests: 54,
        run: |world| Box::pin(call_burst(world)),
    },
];

fn allowed(answer: &Answer) -> (&str, bool) {
    let origin = answer.header(ACCESS_CONTROL_ALLOW_ORIGIN).unwrap_or("none");
    (origin, answer.header(ACCESS_CONTROL_ALLOW_CREDENTIALS) == Some("true"))
}

async fn preflight(world: &World) -> Told {
    let nobody = world.nobody();
    let origin = world.page_origin();
    let method = HeaderName::from_static("access-control-request-method");
    let headers = HeaderName::from_static("access-control-request-headers");
    for call in [&world.profile.refresh, &world.profile.api] {
        let asked = Extra {
            headers: vec![
                (ORIGIN, origin.clone()),
                (method.clone(), call.method.clone().unwrap_or_else(|| "POST".into())),
                (headers.clone(), "authorization,content-type".into()),
            ],
            ..Extra::default()
        };
        let options = Call {
            url: call.url.clone(),
            method: Some("OPTIONS".into()),
            json: None,
            form: None,
            headers: Default::default(),
            access: None,
            refresh: None,
        };
        let answer = nobody.send(&options, &nobody.state(), &asked).await?;
        let (told, credentials) = allowed(&answer);
        right(answer.is_fine() && told == origin && credentials, || {
            format!("a preflight from {origin} was answered {}, allowing {told}", answer.told())
        })?;
    }
    Ok(())
}

async fn readable_refusals(world: &World) -> Told {
    let nobody = world.nobody();
    let origin = world.page_origin();
    for call in [&world.profile.refresh, &world.profile.api] {
        let extra = Extra { headers: vec![(ORIGIN, origin.clone())], ..Extra::default() };
        let answer = nobody.send(call, &nobody.state(), &extra).await?;
        let (told, _) = allowed(&answer);
        right(told == origin, || format!("a refusal of {} allows {told} to read it", answer.told()))?;
    }
    Ok(())
}

async fn no_reflection(world: &World) -> Told {
    let nobody = world.nobody();
    let extra = Extra { headers: vec![(ORIGIN, FOREIGN.into())], ..Extra::default() };
    let answer = nobody.send(&world.profile.api, &nobody.state(), &extra).await?;
    let (told, credentials) = allowed(&answer);
    right(told != FOREIGN || !credentials, || format!("{FOREIGN} was allowed to use credentials"))
}

async fn foreign_page(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let site = HeaderName::from_static("sec-fetch-site");
    let extra =
        Extra { headers: vec![(ORIGIN, FOREIGN.into()), (site, "cross-site".into())], ..Extra::default() };
    let answer = visitor.send(&world.profile.refresh, &visitor.state(), &extra).await?;
    visitor.receive(&answer);
    visitor.must_be_signed_in("after a foreign page had asked for a refresh").await?;
    let name = match world.profile.refresh_place() {
        super::super::profile::Place::Cookie(name) => name.clone(),
        _ => return Ok(()),
    };
    let same_site = visitor.state().jar.cookie(&name).and_then(|cookie| cookie.same_site.clone());
    let comes_along = !matches!(same_site.as_deref(), Some("lax" | "strict"));
    right(!(answer.is_fine() && comes_along), || {
        "a foreign page can refresh, and the cookie comes along: it says nothing of SameSite, or None".into()
    })
}

async fn refresh_burst(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let mut limited = None;
    for _ in 0..BURSTS {
        let state = visitor.state();
        let answers = join_all((0..WIDTH).map(|_| visitor.send_refresh(&state))).await;
        for answer in answers {
            let answer = answer?;
            visitor.receive(&answer);
            if answer.status == 429 {
                limited = Some(answer);
            }
        }
    }
    if let Some(limited) = &limited {
        pause(limited).await;
    }
    visitor.must_be_signed_in("after fifty refreshes in a burst").await?;
    right(limited.is_none_or(|answer| answer.retry_after().is_some()), || "429 without Retry-After".into())
}

async fn call_burst(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    for _ in 0..BURSTS {
        for answer in join_all((0..WIDTH).map(|_| visitor.api())).await {
            let answer = answer?;
            if answer.status == 401 || world.profile.signs_out.contains(&answer.status) {
                return Err(Verdict::SignsOut(format!(
                    "in a burst of calls, one was answered {}",
                    answer.told()
                )));
            }
            right(answer.is_fine() || matches!(answer.status, 429 | 503), || {
                format!("in a burst of calls, one was answered {}", answer.told())
            })?;
            if answer.status == 429 {
                pause(&answer).await;
            }
        }
    }
    visitor.must_be_signed_in("after fifty calls in a burst").await
}
