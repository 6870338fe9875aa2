//! How a refresh is refused: in a way that pages can tell from trouble that passes, and at no cost to anybody else.

use super::super::browser::{Extra, State, Visitor};
use super::super::token;
use super::super::verdict::{Told, right};
use super::super::world::World;
use super::{Need, Scenario};

const HARD: &str =
    "answer 401 when it is known that there is no such session, and keep 5xx for what is not known";

pub const ROWS: &[Scenario] = &[
    Scenario {
        id: "C19.1",
        title: "A refresh without a token is refused, not a fault of the server",
        why: "everybody's first visit does it; a page that gets 500 waits for ever",
        fix: HARD,
        needs: &[],
        requests: 1,
        run: |world| Box::pin(without_a_token(world)),
    },
    Scenario {
        id: "C19.2",
        title: "A token that was cut short is refused",
        why: "stores and proxies cut long cookies off",
        fix: HARD,
        needs: &[],
        requests: 4,
        run: |world| Box::pin(cut_short(world)),
    },
    Scenario {
        id: "C19.3",
        title: "Odd bodies of a refresh are refused, and none is a fault of the server",
        why: "a fault of the server is retried for ever, and fills the log",
        fix: "validate the body before it is looked into: 400 for what cannot be read",
        needs: &[Need::RefreshInBody],
        requests: 6,
        run: |world| Box::pin(odd_bodies(world)),
    },
    Scenario {
        id: "C23.1",
        title: "A made-up refresh token is refused, and not a fault of the server",
        why: "a token of another environment has to lead to the sign-in form and not to a spinner",
        fix: HARD,
        needs: &[],
        requests: 5,
        run: |world| Box::pin(made_up(world)),
    },
    Scenario {
        id: "C23.2",
        title: "A refresh token with one bit flipped is refused, and the real one goes on",
        why: "nobody must be able to end sessions by guessing",
        fix: "end nothing for a token that does not verify",
        needs: &[],
        requests: 5,
        run: |world| Box::pin(flipped(world)),
    },
    Scenario {
        id: "C23.3",
        title: "Answers with tokens may not be stored",
        why: "a cache hands out the token of before, which is refused then",
        fix: "Cache-Control: no-store on every answer with a token (RFC 6749 section 5.1)",
        needs: &[],
        requests: 4,
        run: |world| Box::pin(no_store(world)),
    },
    Scenario {
        id: "C37.1",
        title: "Refusals are for programs: JSON, and no page of HTML",
        why: "pages cannot tell a page of a proxy from a refusal of the API, and guess by the status",
        fix: "answer errors as application/problem+json with a code (RFC 9457)",
        needs: &[],
        requests: 2,
        run: |world| Box::pin(for_programs(world)),
    },
    Scenario {
        id: "C37.2",
        title: "A request with far too many cookies harms itself alone",
        why: "cookies of other applications of one domain pile up until a server refuses them",
        fix: "answer 431 or 400; keep cookies to the path that needs them",
        needs: &[],
        requests: 4,
        run: |world| Box::pin(many_cookies(world)),
    },
];

/// A refresh with these tokens is refused in a way that a page understands.
async fn refused(world: &World, visitor: &Visitor<'_>, state: &State, what: &str) -> Told {
    let answer = visitor.meant(what, async || visitor.send_refresh(state).await).await?;
    let told = || format!("{what} was answered {}", answer.told());
    right(!answer.is_fine(), told)?;
    right(world.profile.signs_out.contains(&answer.status), told)
}

async fn without_a_token(world: &World) -> Told {
    refused(world, &world.nobody(), &State::default(), "a refresh without a token").await
}

async fn made_up(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    for made_up in ["x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"] {
        refused(world, &visitor, &visitor.with_refresh(made_up), "a made-up refresh token").await?;
    }
    visitor.must_be_signed_in("after made-up tokens").await
}

async fn cut_short(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let whole = visitor.refresh_token();
    let short: String = whole.chars().take(whole.chars().count().div_ceil(2)).collect();
    refused(world, &visitor, &visitor.with_refresh(&short), "a refresh token that was cut short").await?;
    visitor.must_be_signed_in("after a token that was cut short").await
}

async fn flipped(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let damaged = visitor.with_refresh(&token::damaged(&visitor.refresh_token()));
    refused(world, &visitor, &damaged, "a refresh token with a flipped bit").await?;
    visitor.must_be_signed_in("after a token with a flipped bit").await
}

async fn odd_bodies(world: &World) -> Told {
    let nobody = world.nobody();
    let bodies: [(&str, &[u8]); 6] = [
        ("application/json", b""),
        ("application/json", b"null"),
        ("application/json", b"[]"),
        ("application/json", b"{\"refresh\": {\"a\": 1}, \"refresh_token\": [1]}"),
        ("application/json", b"{\"refresh\": \"\\u0000\xff"),
        ("text/plain", b"refresh"),
    ];
    for (kind, body) in bodies {
        let extra = Extra { body: Some((kind, body.to_vec())), ..Extra::default() };
        let (refresh, state) = (&world.profile.refresh, nobody.state());
        let answer = nobody.meant("an odd body", async || nobody.send(refresh, &state, &extra).await).await?;
        right((400..500).contains(&answer.status), || {
            let body = String::from_utf8_lossy(body);
            format!("the body `{}` was answered {}", body.escape_debug(), answer.told())
        })?;
    }
    Ok(())
}

async fn no_store(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let answer = visitor.refresh().await?;
    visitor.must_be_a_refresh(&answer, "at first")?;
    let control = answer.header("cache-control").unwrap_or("nothing");
    right(control.to_ascii_lowercase().contains("no-store"), || {
        format!("a refresh is answered with Cache-Control: {}", control.escape_debug())
    })
}

async fn for_programs(world: &World) -> Told {
    let nobody = world.nobody();
    for (what, answer) in
        [("a refresh", nobody.send_refresh(&nobody.state()).await?), ("the API", nobody.api().await?)]
    {
        let kind = answer.header("content-type").unwrap_or("none").to_owned();
        let is_json = kind.to_ascii_lowercase().contains("json") && answer.json().is_some();
        right(is_json, || format!("{what} was refused with {} and content type {kind}", answer.told()))?;
    }
    Ok(())
}

async fn many_cookies(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let crowded = crowded(&visitor);
    let answer = visitor.send_refresh(&crowded).await?;
    visitor.receive(&answer);
    let is_told = answer.is_fine() || (400..500).contains(&answer.status);
    right(is_told, || format!("a request with 12 kB of cookies was answered {}", answer.told()))?;
    visitor.must_be_signed_in("after a request with too many cookies").await
}

fn crowded(visitor: &Visitor<'_>) -> State {
    let mut state = visitor.state();
    for nth in 0..12 {
        state.jar.plant(&format!("other_app_{nth}"), &"x".repeat(1_000));
    }
    state
}
