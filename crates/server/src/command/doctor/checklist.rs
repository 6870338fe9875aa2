//! What has to be gone through before a site is in production: ticked by the checks, or else said how to look by hand.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::finding::{Finding, Judgement, Silence, Verdict};

struct List {
    title: &'static str,
    items: &'static [Item],
}

struct Item {
    text: &'static str,
    by: By,
}

enum By {
    /// Ticked if all of these are ok that can be said of this site.
    Checks(&'static [&'static str]),
    /// What to look at.
    Hand(&'static str),
    /// What to look at with Tenure, whose commands are between backticks, and with anything else.
    Ours(&'static str, &'static str),
}

use By::{Checks, Hand, Ours};

const fn item(text: &'static str, by: By) -> Item {
    Item { text, by }
}

const LISTS: &[List] = &[
    List {
        title: "Production",
        items: &[
            item(
                "Tokens are refreshed properly",
                Checks(&["refresh", "refresh-concurrent", "refresh-lost-answer", "refresh-limit"]),
            ),
            item(
                "Failed refreshes are handled",
                Checks(&["refresh-refused-status", "outage-status", "front-end-5xx", "front-end-network"]),
            ),
            item(
                "Several tabs work",
                Checks(&["refresh-concurrent", "refresh-reload-burst", "refresh-late-duplicate"]),
            ),
            item(
                "Tokens are kept where they stay",
                Checks(&[
                    "cookie-lifetime",
                    "cookie-path",
                    "cookie-http-only",
                    "token-readable",
                    "safari-seven-days",
                    "browser-cookies",
                    "storage-tokens",
                ]),
            ),
            item(
                "Errors are shown in words",
                Hand(
                    "do what the test account may not do, and what its plan does not have: the page says so",
                ),
            ),
            item(
                "The rate of served refreshes is watched",
                Ours(
                    "curl -s http://127.0.0.1:7701/metrics | grep session_refresh_total; an alert is in \
                     deploy/prometheus/alerts.yaml",
                    "count refreshes by their status, and have an alert when fewer than usual are served",
                ),
            ),
            item(
                "Logs and alerts are set up",
                Ours(
                    "`tenure logouts stats`; the rules in deploy/prometheus/alerts.yaml are loaded \
                     (promtool check rules)",
                    "the log tells a sign-out from a refusal, and somebody is called when there are many",
                ),
            ),
        ],
    },
    List {
        title: "Deployment: back end",
        items: &[
            item(
                "Sessions are stored, with their lifetimes",
                Ours(
                    "sign in, then `tenure session list EMAIL` shows it with its end",
                    "sign in, and find the row of it with its end; what is in no store cannot be ended",
                ),
            ),
            item(
                "Sign-outs are recorded with their causes",
                Ours("`tenure logouts stats --since 1d` shows some", "sign out, and find the record of it"),
            ),
            item(
                "The address for reports of sign-outs is there",
                Ours(
                    "curl -i -X POST API/api/v1/auth/logout-event answers 202, as it always does, and no 404",
                    "the network panel shows what a page sends when it signs out, and that it is taken",
                ),
            ),
            item(
                "Lifetimes of tokens and sessions are what was promised, and Redis is in reach",
                Checks(&["access-lifetime", "remember-lifetime", "redis-independent"]),
            ),
            item(
                "Dependencies are installed",
                Ours(
                    "pip check, or the image's own test; manage.py check --deploy --tag tenure",
                    "pip check, or the image's own test; manage.py check --deploy",
                ),
            ),
            item(
                "Migrations have run",
                Ours(
                    "`tenure migrate status`; manage.py migrate --check",
                    "manage.py migrate --check, or what there is like it",
                ),
            ),
            item("Services were restarted, and nobody was signed out by it", Checks(&["keys-persist"])),
        ],
    },
    List {
        title: "Deployment: front end",
        items: &[
            item(
                "Expiry of tokens is watched by the server's clock",
                Hand(
                    "set this machine's clock an hour ahead and reload: still signed in, and the network \
                     panel shows one refresh",
                ),
            ),
            item(
                "Sign-outs are reported with their causes",
                Ours(
                    "sign out once, then `tenure logouts tail` shows it",
                    "sign out once, and find the report of it",
                ),
            ),
            item(
                "The sign-in page says why somebody was signed out",
                Ours(
                    "`tenure session end SID --reason test`, and reload the page",
                    "end a session at the server, and reload the page",
                ),
            ),
            item(
                "There is a page for support that shows the session's state",
                Hand("open the account page; it lists sessions and their ends"),
            ),
            item(
                "\"Remember me\" is sent, and counts",
                Hand(
                    "sign in by the form with it, close the browser and open it again: still signed in; \
                     without it: signed out",
                ),
            ),
            item(
                "Only what ends a session signs out",
                Checks(&["front-end-402", "front-end-403", "front-end-5xx", "front-end-network"]),
            ),
            item(
                "The client is started before the first call",
                Hand(
                    "reload a page that needs a sign-in: no call in the network panel is answered 401 \
                     before the refresh",
                ),
            ),
            item(
                "A production build was made",
                Hand("npm run build; the page loads no source from a development server"),
            ),
            item("It is deployed to production, encrypted", Checks(&["reachable", "tls", "hsts"])),
        ],
    },
    List {
        title: "Verification",
        items: &[
            item(
                "The client says that it runs",
                Hand(
                    "in the console of the page: no error; the network panel shows one refresh after a reload",
                ),
            ),
            item(
                "It says how tokens stand, at every renewal",
                Hand("the debug panel, or the console: when the token ends, and after a refresh anew"),
            ),
            item(
                "A remembered sign-in lives for as long as was promised",
                Checks(&["remember-lifetime", "cookie-lifetime"]),
            ),
            item("The support page opens", Hand("open the account page as the test account")),
            item(
                "A sign-out is said before the sign-in page is shown",
                Ours(
                    "`tenure session end SID --reason test`, then look at an open page",
                    "end a session at the server, then look at an open page",
                ),
            ),
            item("The sign-in page shows the reason", Hand("as before, and reload")),
            item(
                "The server hears of sign-outs",
                Ours(
                    "`tenure logouts tail`, and sign out in the page",
                    "sign out in the page, and find the report of it",
                ),
            ),
        ],
    },
    List {
        title: "Testing",
        items: &[
            item("Sign in with \"remember me\"", Hand("by the form, with its box ticked")),
            item("Open the console and look", Checks(&["browser-cookies", "storage-tokens"])),
            item(
                "Idle for 25 minutes and more",
                Hand(
                    "leave a signed-in page alone for longer than an access token lives, then click: no \
                     sign-in page",
                ),
            ),
            item(
                "Have a sign-out with all that is known of it",
                Ours("`tenure explain RECEIPT`", "take one from the log, with what came before it"),
            ),
            item(
                "Read it: kind, sentence, idle time, state of tokens",
                Ours("`tenure explain EMAIL`", "the log of the minute before it, in the order of time"),
            ),
            item(
                "Find the cause",
                Ours("`tenure logouts stats`, and what this report says", "what this report says"),
            ),
        ],
    },
];

/// The lists, as this site stands.
pub struct Checklist<'a> {
    pub findings: &'a [Finding],
    pub is_tenure: bool,
}

impl Checklist<'_> {
    /// How an item stands: `ticked`, `partly` (with the checks that were skipped), `open` (with the checks that say so),
    /// `unseen` (nothing looked), `not_applicable`, or `by_hand`.
    fn state(&self, item: &Item) -> (&'static str, String) {
        let ids = match &item.by {
            Hand(how) => return ("by_hand", (*how).to_owned()),
            Ours(how, elsewhere) => {
                return ("by_hand", (*if self.is_tenure { how } else { elsewhere }).to_owned());
            }
            Checks(ids) => ids,
        };
        let named = || self.findings.iter().filter(|finding| ids.contains(&finding.check.id));
        let of = |wanted: fn(&Judgement) -> bool| {
            let wanted = named().filter(|finding| wanted(&finding.judgement));
            wanted.map(|finding| finding.check.id).collect::<Vec<_>>()
        };
        let open = of(Judgement::is_finding);
        let seen = of(|judgement| judgement.verdict == Verdict::Ok);
        let skipped = of(|judgement| {
            judgement.verdict == Verdict::Skipped && judgement.silence != Silence::NotApplicable
        });
        match (open.is_empty(), seen.is_empty(), skipped.is_empty()) {
            (false, _, _) => ("open", open.join(", ")),
            (true, false, true) => ("ticked", seen.join(", ")),
            (true, false, false) => ("partly", skipped.join(", ")),
            (true, true, true) if named().next().is_some() => ("not_applicable", ids.join(", ")),
            (true, true, _) => ("unseen", ids.join(", ")),
        }
    }

    pub fn json(&self) -> Value {
        let lists = LISTS.iter().map(|list| {
            let items = list.items.iter().map(|item| {
                let (state, by) = self.state(item);
                json!({ "item": item.text, "state": state, "by": by })
            });
            json!({ "title": list.title, "items": items.collect::<Vec<_>>() })
        });
        lists.collect()
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for list in LISTS {
            let _ = writeln!(text, "\n{}", list.title);
            for item in list.items {
                let (mark, by) = match self.state(item) {
                    ("ticked", by) => ("[x]", by),
                    ("open", by) => ("[ ]", format!("put right: {by}")),
                    ("partly", by) => ("[~]", format!("as far as it was looked at; not: {by}")),
                    ("unseen", by) => ("[?]", format!("not looked at: {by}")),
                    ("not_applicable", by) => ("[-]", format!("there is nothing of the kind: {by}")),
                    (_, how) => ("[ ]", format!("by hand: {how}")),
                };
                let _ = writeln!(text, "{mark} {} ({by})", item.text);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::super::Cli;
    use super::super::check;
    use super::super::finding::Chart;
    use super::*;

    fn items() -> impl Iterator<Item = &'static Item> {
        LISTS.iter().flat_map(|list| list.items)
    }

    fn text(chart: Chart, is_tenure: bool) -> String {
        let (findings, _) = chart.into_findings(|_| true);
        Checklist { findings: &findings, is_tenure }.text()
    }

    #[test]
    fn every_check_that_a_list_names_is_one() {
        for item in items() {
            if let Checks(ids) = item.by {
                ids.iter().for_each(|id| assert!(check::named(id).is_some(), "{id}"));
            }
        }
        assert_eq!(LISTS.iter().map(|list| list.items.len()).collect::<Vec<_>>(), [7, 7, 9, 7, 6]);
    }

    #[test]
    fn an_item_is_ticked_by_what_was_seen() {
        let mut chart = Chart::default();
        chart.tell("refresh", Judgement::ok("x"));
        chart.tell("keys-persist", Judgement::ok("x"));
        chart.tell("remember-lifetime", Judgement::ok("x"));
        chart.tell("cookie-lifetime", Judgement::not_applicable("no cookie"));
        chart.tell("tls", Judgement::ok("x"));
        chart.tell("hsts", Judgement::warn("x", "y"));
        let text = text(chart, false);
        for expected in [
            "[x] Services were restarted, and nobody was signed out by it (keys-persist)",
            "[~] Tokens are refreshed properly",
            "[x] A remembered sign-in lives for as long as was promised (remember-lifetime)",
            "encrypted (put right: hsts)",
            "[?] Several tabs work",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    #[test]
    fn commands_of_ours_are_for_ours_and_are_there() {
        assert!(!text(Chart::default(), false).contains("tenure"));
        let session = tenure_domain::id::SessionId::from_bytes([7; 16]).to_string();
        let mut count = 0;
        for how in items().filter_map(|item| if let Ours(how, _) = item.by { Some(how) } else { None }) {
            for (nth, part) in how.split('`').enumerate() {
                if nth % 2 == 0 {
                    assert!(!part.contains("tenure "), "{part} is not between backticks");
                    continue;
                }
                let words = part.split(' ').map(|word| if word == "SID" { session.as_str() } else { word });
                if let Err(error) = Cli::try_parse_from(words) {
                    panic!("{part}: {error}");
                }
                count += 1;
            }
        }
        assert!(count > 5, "{count}");
    }
}
