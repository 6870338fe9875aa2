//! Sign-outs: that they are what people meant, here and nowhere else.

use futures_util::future::join;

use super::super::browser::{State, Visitor};
use super::super::verdict::{Told, Verdict, right};
use super::super::wire::Answer;
use super::super::world::{Credentials, World};
use super::{Need, Scenario};

pub const ROWS: &[Scenario] = &[
    Scenario {
        id: "C18.1",
        title: "After signing out, a refresh is refused",
        why: "whoever sits down at the machine next is signed in",
        fix: "end the session at the server when its pages sign out, and not in the browser alone",
        needs: &[Need::Logout],
        requests: 4,
        run: |world| Box::pin(ends(world)),
    },
    Scenario {
        id: "C18.2",
        title: "After signing out, the access token is refused too",
        why: "a token that was copied goes on until it expires",
        fix: "look the session up where calls are answered, or keep access tokens very short",
        needs: &[Need::Logout],
        requests: 3,
        run: |world| Box::pin(ends_access(world)),
    },
    Scenario {
        id: "C18.3",
        title: "Signing out in one browser leaves the other one signed in",
        why: "who signs out at a borrowed machine finds the own one signed out",
        fix: "end the session that asks; signing out everywhere is another button",
        needs: &[Need::Logout],
        requests: 5,
        run: |world| Box::pin(here_alone(world)),
    },
    Scenario {
        id: "C18.4",
        title: "Signing out twice is no fault of the server",
        why: "two tabs do it at once, and one of them shows an error",
        fix: "answer a sign-out of a session that is over as any other",
        needs: &[Need::Logout],
        requests: 3,
        run: |world| Box::pin(twice(world)),
    },
    Scenario {
        id: "C18.5",
        title: "Signing out works with an access token that is no longer good",
        why: "who comes back after a pause and signs out stays signed in without knowing",
        fix: "let the refresh token be enough to sign out with",
        needs: &[Need::Logout, Need::Bearer],
        requests: 4,
        run: |world| Box::pin(without_access(world)),
    },
    Scenario {
        id: "C18.6",
        title: "A refresh that crosses a sign-out does not bring the session back",
        why: "the tab that refreshed last is signed in again, after people have signed out",
        fix: "let a refresh check and write in one step, and a sign-out end what the refresh has made",
        needs: &[Need::Logout],
        requests: 4,
        run: |world| Box::pin(crossing(world)),
    },
    Scenario {
        id: "C36.1",
        title: "Signing in on a second and a third device leaves the first signed in",
        why: "phone and desktop sign each other out, over and over",
        fix: "keep a session for each sign-in; if there is a limit, say so when it is reached",
        needs: &[],
        requests: 9,
        run: |world| Box::pin(three_devices(world)),
    },
    Scenario {
        id: "C02.1",
        title: "Two people who are signed in at once are told apart",
        why: "one's request ends the other's session, or is served as the other",
        fix: "know people by the token of the request, and compare it with nothing that the browser kept",
        needs: &[Need::OtherAccount],
        requests: 12,
        run: |world| Box::pin(two_people(world)),
    },
];

/// Signs out, which has to be possible before anything can be said about what becomes of it.
async fn signed_out(visitor: &Visitor<'_>) -> Result<(State, Answer), Verdict> {
    let before = visitor.state();
    let Some(answer) = visitor.logout().await? else {
        return Err(Verdict::NotTested("the profile has no logout".into()));
    };
    match answer.is_fine() {
        true => Ok((before, answer)),
        false => Err(Verdict::Wrong(format!("signing out was answered {}", answer.told()))),
    }
}

async fn ends(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let (before, _) = signed_out(&visitor).await?;
    // As a copy of what the browser had would be used.
    visitor.restore(before);
    visitor.must_be_signed_out("after signing out").await
}

async fn ends_access(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let (before, _) = signed_out(&visitor).await?;
    let what = "after signing out, the access token";
    let answer = visitor.meant(what, async || visitor.api_with(&before).await).await?;
    right(answer.status == 401, || format!("{what} was answered {}", answer.told()))
}

async fn here_alone(world: &World) -> Told {
    let (here, there) = (world.sign_in().await?, world.sign_in().await?);
    signed_out(&here).await?;
    there.must_be_served("after signing out in another browser").await?;
    there.must_be_signed_in("after signing out in another browser").await
}

async fn twice(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let (before, _) = signed_out(&visitor).await?;
    visitor.restore(before);
    match visitor.logout().await? {
        Some(again) => {
            right(again.status < 500, || format!("signing out again was answered {}", again.told()))
        }
        None => Ok(()),
    }
}

async fn without_access(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let before = visitor.state();
    visitor.restore(visitor.with_access(&super::super::token::damaged(&visitor.access())));
    signed_out(&visitor).await?;
    visitor.restore(before);
    visitor.must_be_signed_out("after signing out with an access token that is not good").await
}

async fn crossing(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let state = visitor.state();
    let (refreshed, out) = join(visitor.send_refresh(&state), visitor.logout()).await;
    let (refreshed, out) = (refreshed?, out?);
    let Some(out) = out.filter(Answer::is_fine) else {
        return Err(Verdict::NotTested("signing out is refused while a refresh is under way".into()));
    };
    visitor.restore(state);
    visitor.receive(&refreshed);
    let when =
        format!("after signing out ({}) while a refresh was under way ({})", out.told(), refreshed.told());
    visitor.must_be_signed_out(&when).await
}

async fn three_devices(world: &World) -> Told {
    let (first, second, third) = (world.sign_in().await?, world.sign_in().await?, world.sign_in().await?);
    for (device, when) in
        [(first, "on the first device"), (second, "on the second device"), (third, "on the third")]
    {
        device.must_be_signed_in(when).await?;
    }
    Ok(())
}

const OTHERS: &str = "one is served what is the other's";

async fn body(visitor: &Visitor<'_>) -> Result<String, Verdict> {
    let answer = visitor.served("with two people in turn").await?;
    Ok(String::from_utf8_lossy(&answer.body).to_lowercase())
}

/// What somebody is served, if that is the same each time.
async fn lasting(visitor: &Visitor<'_>) -> Result<String, Verdict> {
    let (first, again) = (body(visitor).await?, body(visitor).await?);
    match first == again {
        true => Ok(first),
        false => Err(Verdict::NotTested("api.url answers one person differently each time".into())),
    }
}

async fn two_people(world: &World) -> Told {
    let Some(other) = &world.other else { return Ok(()) };
    let one = world.sign_in().await?;
    let first = lasting(&one).await?;
    let two = world.sign_in_as(other, State::default(), true).await?;
    let second = lasting(&two).await?;
    if first == second {
        // An answer that names nobody may be the same for everybody.
        let names = |who: &Credentials| first.contains(&who.email.to_lowercase());
        right(names(&world.who) == names(other), || OTHERS.into())?;
        return Err(Verdict::NotTested("api.url answers two people alike".into()));
    }
    for _ in 0..2 {
        for (visitor, theirs) in [(&one, &first), (&two, &second)] {
            right(body(visitor).await? == *theirs, || OTHERS.into())?;
        }
    }
    one.must_be_signed_in("after another person").await?;
    two.must_be_signed_in("beside another person").await
}
