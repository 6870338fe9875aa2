//! Access tokens: short-lived, replaceable, and never a reason to end a session.

use std::time::Duration;

use super::super::browser::{Extra, State, Visitor};
use super::super::profile::Place;
use super::super::token;
use super::super::verdict::{Told, Verdict, right};
use super::super::wire::Answer;
use super::super::world::World;
use super::{Need, Scenario};

/// Added to a wait for an expiry: whole seconds, and the leeway that verifiers grant.
const EXPIRY_MARGIN: Duration = Duration::from_secs(2);

/// Longer than what most headers are, shorter than what most servers cut off.
const LONG_TOKEN: usize = 4_000;

pub const ROWS: &[Scenario] = &[
    Scenario {
        id: "C08.1",
        title: "A call without a token is answered 401",
        why: "pages refresh on 401; at 403, a redirect or a page they do something else, and the call is lost",
        fix: "answer 401 with WWW-Authenticate; in DRF, JWTAuthentication has to be the first authentication class",
        needs: &[],
        requests: 1,
        run: |world| Box::pin(nobody(world)),
    },
    Scenario {
        id: "C08.2",
        title: "A call with an expired token is answered 401, and a refresh repairs it",
        why: "tokens expire while people read; where the answer is another one, the next click fails",
        fix: "answer 401 for an expired access token, and nothing else",
        needs: &[Need::Bearer],
        requests: 5,
        run: |world| Box::pin(expired(world)),
    },
    Scenario {
        id: "C08.3",
        title: "Access tokens live as long as is promised, and not longer",
        why: "a longer life keeps alive what was ended; a shorter one makes pages refresh all the time",
        fix: "set the lifetime that was promised, or promise the one that is set",
        needs: &[Need::AccessLifetime],
        requests: 3,
        run: |world| Box::pin(access_lifetime(world)),
    },
    Scenario {
        id: "C08.4",
        title: "A refused access token takes no cookie away",
        why: "a late 401 of one tab deletes the session that another tab has just renewed",
        fix: "delete cookies at sign-out and for a session that has ended, never because of an access token",
        needs: &[Need::Bearer, Need::RefreshInCookie],
        requests: 4,
        run: |world| Box::pin(refused_keeps_cookies(world)),
    },
    Scenario {
        id: "C08.5",
        title: "The clock is right",
        why: "pages that compare `exp` with their own clock refresh too late or all the time",
        fix: "run NTP where the API runs; let pages judge by the Date header and not by their own clock",
        needs: &[],
        requests: 1,
        run: |world| Box::pin(clock(world)),
    },
    Scenario {
        id: "C10.1",
        title: "An access token with one bit flipped is 401, and the session goes on",
        why: "as after an exchange of keys: one token is worthless, and the session is not",
        fix: "answer 401 for a signature that does not fit; the next refresh repairs it",
        needs: &[Need::Bearer],
        requests: 4,
        run: |world| Box::pin(flipped(world)),
    },
    Scenario {
        id: "C10.2",
        title: "A token that says it is not signed is refused",
        why: "whoever can write a token is everybody",
        fix: "name the algorithms that are accepted, in the verifier and not in the token",
        needs: &[Need::Bearer],
        requests: 3,
        run: |world| Box::pin(unsigned(world)),
    },
    Scenario {
        id: "C10.3",
        title: "Nonsense as an access token is 401, never 500",
        why: "a page takes 500 for trouble that passes, and waits instead of refreshing",
        fix: "catch what the parser throws, and answer 401",
        needs: &[Need::Bearer],
        requests: 6,
        run: |world| Box::pin(nonsense(world)),
    },
    Scenario {
        id: "C11.1",
        title: "A refresh token is no access token, and survives being shown as one",
        why: "a mix-up in one page is answered 401 there; the session must not pay for it",
        fix: "check the token's type (`token_type`, `typ`), and answer 401",
        needs: &[Need::Bearer],
        requests: 4,
        run: |world| Box::pin(refresh_as_access(world)),
    },
    Scenario {
        id: "C11.2",
        title: "An access token is no refresh token, and the session goes on",
        why: "a token of a few minutes would renew itself for ever",
        fix: "check the token's type where tokens are refreshed",
        needs: &[],
        requests: 4,
        run: |world| Box::pin(access_as_refresh(world)),
    },
    Scenario {
        id: "C21.1",
        title: "What is forbidden is answered 403, and the session goes on",
        why: "pages that sign out at a 403 with the words of a 401 in it do so for a missing permission",
        fix: "403 for who may not, 401 for who is unknown, with a code that pages can tell apart",
        needs: &[Need::Forbidden],
        requests: 4,
        run: |world| Box::pin(forbidden(world)),
    },
    Scenario {
        id: "C01.1",
        title: "Another network and another version of the browser are no other person",
        why: "phones change networks and browsers update themselves, every day",
        fix: "bind no session to an address or a User-Agent; note a change instead",
        needs: &[],
        requests: 5,
        run: |world| Box::pin(moved(world)),
    },
    Scenario {
        id: "C29.1",
        title: "A page that loads finds its session: five reloads in a row",
        why: "reloading is what people do when something hangs",
        fix: "let a refresh be repeated shortly after the last one",
        needs: &[],
        requests: 8,
        run: |world| Box::pin(reloads(world)),
    },
];

/// A call with these tokens is answered 401.
pub async fn told_401(visitor: &Visitor<'_>, state: &State, what: &str) -> Told {
    let answer = visitor.meant(what, async || visitor.api_with(state).await).await?;
    is_401(&answer, what)
}

fn is_401(answer: &Answer, what: &str) -> Told {
    right(answer.status == 401, || format!("{what} was answered {} instead of 401", answer.told()))
}

async fn nobody(world: &World) -> Told {
    told_401(&world.nobody(), &State::default(), "a call without a token").await
}

async fn expired(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let life = token::lifetime(&visitor.access()).or(world.profile.promises.access_lifetime());
    let Some(life) = life else {
        return Err(Verdict::NotTested(
            "nobody knows when its access tokens expire (promises.access_lifetime)".into(),
        ));
    };
    let wait = life.saturating_add(EXPIRY_MARGIN);
    if wait > world.wait {
        let (life, wait) = (humantime::format_duration(life), humantime::format_duration(wait));
        return Err(Verdict::NotTested(format!("access tokens live {life}; --wait {wait} waits for it")));
    }
    tokio::time::sleep(wait).await;
    told_401(&visitor, &visitor.state(), "an expired access token").await?;
    visitor.must_be_signed_in("after the access token had expired").await
}

async fn access_lifetime(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let Some(promised) = world.profile.promises.access_lifetime() else { return Ok(()) };
    let Some(life) = token::lifetime(&visitor.access()) else {
        return Err(Verdict::NotTested("its access tokens do not say how long they live".into()));
    };
    // Drawn somewhat shorter, so that tabs do not refresh in step.
    right(life <= promised && life >= promised / 2, || {
        let (life, promised) = (humantime::format_duration(life), humantime::format_duration(promised));
        format!("an access token lives {life}, and {promised} are promised")
    })
}

async fn refused_keeps_cookies(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let answer = visitor.api_with(&visitor.with_access(&token::damaged(&visitor.access()))).await?;
    let mut jar = visitor.state().jar;
    jar.apply(&answer.headers, answer.at);
    let Place::Cookie(name) = world.profile.refresh_place() else { return Ok(()) };
    // It may be another one: some renew it at every answer.
    match jar.value(name).is_some_and(|value| !value.is_empty()) {
        true => Ok(()),
        false => Err(Verdict::SignsOut(format!("the answer {} deleted the session's cookie", answer.told()))),
    }
}

async fn clock(world: &World) -> Told {
    let answer = world.nobody().api().await?;
    let Some(skew) = answer.skew_ms() else {
        return Err(Verdict::NotTested("its answers have no Date, or one that cannot be read".into()));
    };
    right(skew.abs() <= 30_000, || format!("its clock is {} s off from this machine's", skew / 1000))
}

async fn flipped(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let damaged = visitor.with_access(&token::damaged(&visitor.access()));
    told_401(&visitor, &damaged, "an access token with a flipped bit").await?;
    visitor.must_be_signed_in("after a call with a flipped bit").await
}

async fn unsigned(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let Some(unsigned) = token::unsigned(&visitor.access()) else {
        return Err(Verdict::NotTested("its access tokens are no JSON Web Tokens".into()));
    };
    told_401(&visitor, &visitor.with_access(&unsigned), "a token without a signature").await
}

async fn nonsense(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    for nonsense in ["x", "..", "e30.e30.e30", &"a".repeat(LONG_TOKEN)] {
        let (what, state) = ("nonsense as an access token", visitor.with_access(nonsense));
        let answer = visitor.meant(what, async || visitor.api_with(&state).await).await?;
        // Servers cut long headers off with answers of their own.
        let is_cut_off = nonsense.len() == LONG_TOKEN && matches!(answer.status, 400 | 413 | 414 | 431);
        if !is_cut_off {
            is_401(&answer, what)?;
        }
    }
    Ok(())
}

async fn refresh_as_access(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let state = visitor.with_access(&visitor.refresh_token());
    told_401(&visitor, &state, "a refresh token sent as an access token").await?;
    visitor.must_be_signed_in("after a refresh token was sent as an access token").await
}

async fn access_as_refresh(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let (what, state) = ("an access token sent as a refresh token", visitor.with_refresh(&visitor.access()));
    let answer = visitor.meant(what, async || visitor.send_refresh(&state).await).await?;
    right((400..500).contains(&answer.status), || format!("{what} was answered {}", answer.told()))?;
    visitor.must_be_signed_in("after an access token was sent as a refresh token").await
}

async fn forbidden(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let Some(call) = &world.profile.forbidden else { return Ok(()) };
    let (what, state) = ("what is forbidden", visitor.state());
    let answer = visitor.meant(what, async || visitor.send(call, &state, &Extra::default()).await).await?;
    let told = format!("{what} was answered {}", answer.told());
    match answer.status {
        402 | 403 => visitor.must_be_signed_in("after a 403").await,
        401 => Err(Verdict::SignsOut(told)),
        _ => Err(Verdict::Wrong(told)),
    }
}

async fn moved(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let extra = Extra {
        headers: vec![
            (http::header::USER_AGENT, "Mozilla/5.0 (compatible; tenure conformance, updated)".into()),
            (http::HeaderName::from_static("x-forwarded-for"), "203.0.113.7".into()),
            (http::header::ACCEPT_LANGUAGE, "de".into()),
        ],
        ..Extra::default()
    };
    let answer = visitor.send(&world.profile.refresh, &visitor.state(), &extra).await?;
    visitor.receive(&answer);
    visitor.must_be_a_refresh(&answer, "from another network and an updated browser")?;
    let answer = visitor.send(&world.profile.api, &visitor.state(), &extra).await?;
    right(answer.is_fine(), || format!("from another network the API answered {}", answer.told()))?;
    visitor.must_be_signed_in("back in the first network").await
}

async fn reloads(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    for _ in 0..5 {
        visitor.must_refresh("when a page was loaded again").await?;
    }
    visitor.must_be_served("after five reloads").await
}
