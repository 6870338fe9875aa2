//! The sign-in of the test account, and what it means if that does not work out.

use super::super::outside::browser::{State, Visitor};
use super::super::outside::profile::Place;
use super::super::outside::wire::Answer;
use super::answers;
use super::examine::{NotRun, Patient};
use super::finding::{Chart, Judgement};

/// What somebody is forbidden for, in the words of who forbids it.
#[derive(Debug, PartialEq, Eq)]
enum Forbidden {
    Origin,
    Csrf,
}

/// A page for people says too much to be read for a word.
fn why_forbidden(answer: &Answer) -> Option<Forbidden> {
    if answer.is_html() {
        return None;
    }
    let text = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    let has =
        |words: &[&str]| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| words.contains(&word));
    // Django says "CSRF Failed: Origin checking failed" of the one and "CSRF Failed: CSRF token missing" of the other.
    if has(&["origin", "origins"]) {
        Some(Forbidden::Origin)
    } else {
        has(&["csrf", "xsrf"]).then_some(Forbidden::Csrf)
    }
}

impl Patient {
    /// None: it was answered in a way that is a finding, and nobody is signed in.
    pub async fn sign_in(&self, chart: &mut Chart) -> Result<Option<(Visitor<'_>, Answer)>, NotRun> {
        let (visitor, answer) = self.world.ask_to_sign_in(&self.world.who, State::default(), true).await?;
        let told = format!("signing in was answered {}", answer.told());
        let why = match answer.status {
            200..300 => match visitor.complete(&answer) {
                Ok(()) => {
                    chart.tell("sign-in", Judgement::ok("the test account is signed in"));
                    return Ok(Some((visitor, answer)));
                }
                Err(missing) => self.incomplete(chart, &answer, missing)?,
            },
            300..400 => {
                chart.tell("redirect", answers::redirect(&[("the sign-in", &answer)]));
                "the sign-in is redirected"
            }
            500.. => {
                chart.tell(
                    "sign-in",
                    Judgement::fail(
                        told,
                        "look into the error log of the proxy and of what is behind it (nginx: \"upstream \
                         sent too big header\" asks for a larger proxy_buffer_size)",
                    ),
                );
                "the sign-in is answered with a fault"
            }
            403 if why_forbidden(&answer) == Some(Forbidden::Origin) => {
                chart.tell("cors-origin", self.refused_origin(&answer));
                "the sign-in is refused for its origin"
            }
            403 if why_forbidden(&answer) == Some(Forbidden::Csrf) => {
                return Err(NotRun(format!(
                    "{}: {told}, for want of a proof against forgery: the profile has to send that token \
                     (as in headers = {{ X-CSRFToken = \"{{cookie:csrftoken}}\" }}), or the sign-in to do \
                     without it",
                    self.world.target.origin()
                )));
            }
            _ if chart.fails("cors-origin") => "the sign-in is refused; see cors-origin",
            _ => {
                let origin = self.world.target.origin();
                return Err(NotRun(format!("{origin}: {told}; do address, credentials and profile fit?")));
            }
        };
        self.skip_signed_in(chart, why);
        Ok(None)
    }

    fn refused_origin(&self, answer: &Answer) -> Judgement {
        let origin = self.world.page_origin();
        Judgement::fail(
            format!("the API refuses requests from its own pages at {origin} ({})", answer.told()),
            format!(
                "name {origin} where origins are checked (Tenure: server.public_url, or origins.allowed; \
                 Django: CSRF_TRUSTED_ORIGINS), and pass on the name that was asked for (nginx: \
                 proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto $scheme)"
            ),
        )
    }

    /// A sign-in that was fine and has not brought what the profile says.
    fn incomplete(
        &self,
        chart: &mut Chart,
        answer: &Answer,
        missing: String,
    ) -> Result<&'static str, NotRun> {
        let wanted = match self.world.profile.refresh_place() {
            Place::Cookie(name) => name,
            _ => return Err(NotRun(missing)),
        };
        chart.tell("sign-in", Judgement::ok("the test account is signed in"));
        let names: Vec<_> = answer
            .headers
            .get_all("set-cookie")
            .iter()
            .filter_map(|line| line.to_str().ok()?.split('=').next())
            .collect();
        if names.is_empty() {
            chart.tell(
                "proxy-set-cookie",
                Judgement::fail(
                    "the sign-in is answered 200 without any Set-Cookie: something on the way takes it \
                     away, or the API never sets it",
                    "let it pass (nginx: no proxy_hide_header Set-Cookie and no proxy_ignore_headers \
                     Set-Cookie; a CDN: no caching of the API), and ask the back end itself: curl -i from \
                     beside it",
                ),
            );
            return Ok("no cookie arrives; see proxy-set-cookie");
        }
        chart.tell(
            "cookie-set",
            Judgement::fail(
                format!("the sign-in sets {} and no {wanted}", names.join(", ")),
                "set it at sign-in, or name the right one in the profile (login.refresh)",
            )
            .by("cookies", names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()),
        );
        Ok("no cookie that refreshes; see cookie-set")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use tenure_domain::time::Timestamp;

    use super::*;

    #[test]
    fn a_refusal_is_read_by_its_words() {
        let read = |kind: &str, body: &str| {
            let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, kind.parse().unwrap())]);
            let answer =
                Answer { status: 403, headers, body: body.as_bytes().to_vec(), at: Timestamp::from_ms(0) };
            why_forbidden(&answer)
        };
        let json = |text: &str| read("application/json", &format!("{{\"detail\":\"{text}\"}}"));
        for of_the_origin in [
            "origin_not_allowed",
            "CSRF Failed: Origin checking failed - https://a does not match any trusted origins.",
        ] {
            assert_eq!(json(of_the_origin), Some(Forbidden::Origin), "{of_the_origin}");
        }
        assert_eq!(json("CSRF Failed: CSRF token missing."), Some(Forbidden::Csrf));
        for another in ["your original plan has ended", "no access; see the referer programme", ""] {
            assert_eq!(json(another), None, "{another}");
        }
        assert_eq!(read("text/html; charset=utf-8", "<p>CSRF verification failed. Origin</p>"), None);
    }
}
