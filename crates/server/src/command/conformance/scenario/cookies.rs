//! What a browser keeps, how long, and whether that is what people were promised.

use std::time::Duration;

use super::super::browser::{State, Visitor};
use super::super::jar::Cookie;
use super::super::profile::Place;
use super::super::token;
use super::super::verdict::{Told, Verdict, right};
use super::super::world::World;
use super::{Need, Scenario};
use crate::wording::text::spoken;

/// What is taken for rounding and for the time that an answer was under way.
const SLACK: Duration = Duration::from_secs(60);

pub const ROWS: &[Scenario] = &[
    Scenario {
        id: "C09.1",
        title: "A remembered sign-in lives as long as was promised",
        why: "people who ticked \"remember me\" are signed out before their time",
        fix: "give the refresh token, its row and its cookie the lifetime that the form promises",
        needs: &[Need::RememberedLifetime],
        requests: 1,
        run: |world| Box::pin(remembered(world)),
    },
    Scenario {
        id: "C09.2",
        title: "A refresh takes nothing of the promised time away",
        why: "each refresh hands out a shorter life, and the promise is broken a little at a time",
        fix: "give each successor at least the end of its predecessor",
        needs: &[],
        requests: 3,
        run: |world| Box::pin(not_shorter(world)),
    },
    Scenario {
        id: "C09.3",
        title: "A sign-in that is not remembered lives no longer than was promised",
        why: "on a borrowed machine, people stay signed in for weeks",
        fix: "give it the short lifetime, and a cookie without Max-Age",
        needs: &[Need::Remember, Need::ShortLifetime],
        requests: 1,
        run: |world| Box::pin(not_remembered(world)),
    },
    Scenario {
        id: "C14.1",
        title: "Nothing but the tokens is needed: another session of the server's may expire",
        why: "a second session with a life of its own ends the first one after a day",
        fix: "authenticate the API by its tokens alone",
        needs: &[],
        requests: 4,
        run: |world| Box::pin(tokens_alone(world)),
    },
    Scenario {
        id: "C15.1",
        title: "The cookie outlives the browser's window",
        why: "a cookie without Max-Age is gone when the browser is closed, whatever was promised",
        fix: "set Max-Age to what is left of the session, at sign-in and at each refresh",
        needs: &[Need::RefreshInCookie, Need::Remembered],
        requests: 2,
        run: |world| Box::pin(persists(world)),
    },
    Scenario {
        id: "C16.1",
        title: "Broken cookies of other applications do no harm",
        why: "a session cookie that cannot be read makes the whole request fail",
        fix: "pass over what cannot be read; answer no 500 for it",
        needs: &[],
        requests: 4,
        run: |world| Box::pin(broken_cookies(world)),
    },
    Scenario {
        id: "C19.4",
        title: "The cookie is this host's alone",
        why: "another application under the same domain overwrites or deletes it",
        fix: "set it without Domain, with a name and a path of its own",
        needs: &[Need::RefreshInCookie],
        requests: 1,
        run: |world| Box::pin(host_only(world)),
    },
    Scenario {
        id: "C27.1",
        title: "The refresh token is out of the reach of scripts",
        why: "what scripts can read is kept in storage, which browsers, people and other scripts clear and copy",
        fix: "set it as an HttpOnly cookie, and leave it out of the body",
        needs: &[],
        requests: 1,
        run: |world| Box::pin(out_of_reach(world)),
    },
    Scenario {
        id: "C34.1",
        title: "The cookie is Secure where the site is, and only there",
        why: "a browser drops a Secure cookie that comes in the clear, and sends one that is not to anybody",
        fix: "set Secure by the public address of the site, not by how the proxy reaches the server",
        needs: &[Need::RefreshInCookie],
        requests: 1,
        run: |world| Box::pin(secure(world)),
    },
    Scenario {
        id: "C35.1",
        title: "The cookie says SameSite, and comes along when people return from elsewhere",
        why: "with Strict and for all paths, who comes from a payment page or a mail is somebody unknown",
        fix: "SameSite=Lax; None only for pages of another site, and with Secure",
        needs: &[Need::RefreshInCookie],
        requests: 1,
        run: |world| Box::pin(same_site(world)),
    },
];

fn cookie(world: &World, visitor: &Visitor<'_>) -> Result<Cookie, Verdict> {
    let Place::Cookie(name) = world.profile.refresh_place() else {
        return Err(Verdict::NotTested("the refresh token is not in a cookie".into()));
    };
    let found = visitor.state().jar.cookie(name).cloned();
    found.ok_or_else(|| Verdict::Wrong("the cookie of the refresh token is gone".into()))
}

/// How long what was just handed out lasts, as far as it says so: the shorter one of cookie and token.
fn life(world: &World, visitor: &Visitor<'_>) -> Result<Duration, Verdict> {
    let from_cookie = cookie(world, visitor).ok().and_then(|cookie| cookie.lives_secs);
    let from_cookie = from_cookie.map(|secs| Duration::from_secs(secs.max(0).unsigned_abs()));
    let from_token = token::expires_at(&visitor.refresh_token()).map(|at| {
        Duration::from_millis(at.saturating_mul(1000).saturating_sub(world.now_ms()).max(0).unsigned_abs())
    });
    let life = [from_cookie, from_token].into_iter().flatten().min();
    life.ok_or_else(|| Verdict::NotTested("its refresh tokens do not say how long they live".into()))
}

async fn remembered(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let Some(promised) = world.profile.promises.remembered_lifetime() else { return Ok(()) };
    let life = match (life(world, &visitor), cookie(world, &visitor)) {
        (Err(_), Ok(_)) => {
            return Err(Verdict::SignsOut("the cookie has no Max-Age and goes with the browser".into()));
        }
        (life, _) => life?,
    };
    match life.saturating_add(SLACK) >= promised {
        true => Ok(()),
        false => {
            let (life, promised) = (spoken(life), spoken(promised));
            Err(Verdict::SignsOut(format!("a remembered sign-in lives {life}, and {promised} are promised")))
        }
    }
}

async fn not_shorter(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let before = life(world, &visitor)?;
    visitor.must_refresh("at first").await?;
    visitor.must_refresh("a second time").await?;
    let after = life(world, &visitor)?;
    match after.saturating_add(SLACK) >= before {
        true => Ok(()),
        false => {
            let (before, after) = (spoken(before), spoken(after));
            Err(Verdict::SignsOut(format!("a sign-in of {before} has {after} left after two refreshes")))
        }
    }
}

async fn not_remembered(world: &World) -> Told {
    let visitor = world.sign_in_as(&world.who, State::default(), false).await?;
    let Some(promised) = world.profile.promises.short_lifetime() else { return Ok(()) };
    if cookie(world, &visitor).is_ok_and(|cookie| cookie.lives_secs.is_none()) {
        return Ok(());
    }
    let life = life(world, &visitor)?;
    right(life <= promised.saturating_add(SLACK), || {
        format!(
            "a sign-in that is not remembered lives {}, and {} are promised",
            spoken(life),
            spoken(promised)
        )
    })
}

async fn tokens_alone(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let places = [world.profile.access_place(), world.profile.refresh_place()];
    let mut state = visitor.state();
    let tokens: Vec<String> = places
        .iter()
        .filter_map(|place| match place {
            Place::Cookie(name) => state.jar.cookie(name).map(|cookie| cookie.name.clone()),
            _ => None,
        })
        .collect();
    state.jar.retain(|cookie| tokens.contains(&cookie.name));
    visitor.restore(state);
    visitor.must_be_served("without any cookie but those of the tokens").await?;
    visitor.must_be_signed_in("without any cookie but those of the tokens").await
}

async fn persists(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    for when in ["at sign-in", "after a refresh"] {
        if cookie(world, &visitor)?.lives_secs.is_none() {
            return Err(Verdict::SignsOut(format!(
                "{when}, the cookie has no Max-Age and goes with the browser"
            )));
        }
        visitor.must_refresh("at first").await?;
    }
    Ok(())
}

async fn broken_cookies(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let mut state = visitor.state();
    let tokens: Vec<_> = [world.profile.access_place(), world.profile.refresh_place()].into_iter().collect();
    for (name, value) in
        [("sessionid", "%00%ff;;"), ("session", "{\"broken\":"), ("_app_session", "BAh7B0kiD3Nl")]
    {
        let is_token = tokens.iter().any(|place| **place == Place::Cookie(name.to_owned()));
        if !is_token {
            state.jar.plant(name, value);
        }
    }
    let answer = visitor.api_with(&state).await?;
    right(answer.is_fine(), || format!("with broken cookies, the API answered {}", answer.told()))?;
    let answer = visitor.send_refresh(&state).await?;
    visitor.receive(&answer);
    visitor.must_be_a_refresh(&answer, "with broken cookies of other applications")?;
    visitor.must_be_signed_in("after broken cookies of other applications").await
}

async fn host_only(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    right(cookie(world, &visitor)?.domain.is_none(), || "the cookie is set for a whole domain".into())
}

async fn out_of_reach(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    match world.profile.refresh_place() {
        Place::Cookie(_) => right(cookie(world, &visitor)?.http_only, || {
            "the cookie of the refresh token is not HttpOnly".into()
        }),
        place => Err(Verdict::Wrong(format!("the refresh token is handed to scripts, at {place}"))),
    }
}

async fn secure(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let secure = cookie(world, &visitor)?.secure;
    match (world.target.is_encrypted(), secure) {
        (true, true) | (false, false) => Ok(()),
        (true, false) => Err(Verdict::Wrong("the site is encrypted, and its cookie is not Secure".into())),
        (false, true) if world.target.is_here() => Err(Verdict::NotTested(
            "browsers keep a Secure cookie of this machine, encrypted or not; ask the real site".into(),
        )),
        (false, true) => {
            Err(Verdict::SignsOut("the site is not encrypted, and browsers drop its Secure cookie".into()))
        }
    }
}

async fn same_site(world: &World) -> Told {
    let visitor = world.onlooker().await?;
    let cookie = cookie(world, &visitor)?;
    match cookie.same_site.as_deref() {
        Some("lax") => Ok(()),
        // Sent by a page of this site that asks for it, however people came to that page.
        Some("strict") if cookie.path != "/" => Ok(()),
        Some("strict") => Err(Verdict::Wrong("SameSite=Strict for all paths".into())),
        Some("none") if cookie.secure => Ok(()),
        Some("none") => {
            Err(Verdict::SignsOut("browsers drop a cookie with SameSite=None without Secure".into()))
        }
        _ => Err(Verdict::Wrong(
            "the cookie says nothing of SameSite, and browsers differ in what they take".into(),
        )),
    }
}
