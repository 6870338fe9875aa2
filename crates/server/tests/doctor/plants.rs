//! What can be wrong, one row each: its name, how it is planted, which checks have to find it, and what they have to
//! advise. Nothing but that may be found.

use crate::back_end::{Allowed, Rotation};
use crate::case::{Case, DJ_REST_AUTH, SIMPLEJWT, django, foreign, tenure};
use crate::front::Layout;

/// Set-ups in which nothing is wrong.
pub fn clean() -> Vec<Case> {
    vec![
        tenure("Tenure and its pages at one origin").hooks(&["stop", "start"]),
        tenure("Tenure at a sibling of the pages' host").layout(Layout::Siblings),
        tenure("two nodes of Tenure on PostgreSQL with a Redis").nodes(2).hooks(&[
            "stop",
            "start",
            "cache_down",
            "cache_up",
        ]),
        foreign("cookies that are rotated with grace").hooks(&ALL_HOOKS),
        foreign("cookies of a sibling host that are not rotated")
            .layout(Layout::Siblings)
            .way(|it| it.rotation = Rotation::None)
            .hooks(&ALL_HOOKS),
        foreign("answers that are compressed and kept back by the proxy")
            .location("gzip on; gzip_types application/json; gzip_min_length 1; proxy_buffers 8 64k;"),
        foreign("other cookies beside it, which scripts read and which go with the window")
            .way(|it| {
                it.more_cookies = vec![
                    "csrftoken=abcdefghijklmnop; Path=/; Secure; SameSite=Lax".into(),
                    "language=en; Domain=example.com; Path=/; Max-Age=31536000".into(),
                ];
            }),
        foreign("a refusal that deletes the cookie, and one of another time that is deleted")
            .way(|it| {
                it.refusal_deletes = true;
                it.more_cookies = vec!["refresh=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0".into()];
            }),
        foreign("pages from a cache, which alone do not speak of encryption, and a limit that nobody reaches")
            .server("location = / { proxy_pass http://{control}/kept; proxy_pass_header Date; add_header X-Cache-Status HIT; }")
            .http("map $uri $refresh { /api/auth/refresh $binary_remote_addr; } limit_req_zone $refresh zone=refresh:1m rate=60r/m;")
            .location("limit_req zone=refresh burst=60 nodelay; limit_req_status 429;"),
        foreign("an access token that is handed out again while it is fresh")
            .way(|it| (it.rotation, it.reuses_access) = (Rotation::None, true)),
        foreign("a cookie for scripts alone that is Strict")
            .way(|it| it.cookie = Some("Path=/; HttpOnly; Secure; SameSite=Strict")),
        foreign("pages that lead to those of a language")
            .server("location = / { return 302 /en/; }"),
        foreign("a clock that is some seconds ahead").way(|it| it.clock_s = 4),
        foreign("a refresh token that nobody exchanges, and that the cookie outlives")
            .way(|it| (it.rotation, it.max_age_s) = (Rotation::None, Some(30 * 86_400))),
        foreign("a developer's machine, without TLS")
            .layout(Layout::Here)
            .way(|it| it.cookie = Some("Path=/api/auth; HttpOnly; SameSite=Lax"))
            .hooks(&ALL_HOOKS),
    ]
}

const ALL_HOOKS: [&str; 6] = ["stop", "start", "store_down", "store_up", "cache_down", "cache_up"];

pub fn cookies() -> Vec<Case> {
    vec![
        tenure("SameSite is made None")
            .location("proxy_cookie_flags ~ samesite=none;")
            .told("cookie-same-site", "SameSite=Lax"),
        foreign("SameSite=None without Secure")
            .way(|it| it.cookie = Some("Path=/api/auth; HttpOnly; SameSite=None"))
            .told("cookie-same-site", "Secure"),
        foreign("scripts can read the cookie")
            .way(|it| it.cookie = Some("Path=/api/auth; Secure; SameSite=Lax"))
            .told("cookie-http-only", "HttpOnly"),
        foreign("nothing is said of SameSite")
            .way(|it| it.cookie = Some("Path=/api/auth; HttpOnly; Secure"))
            .told("cookie-same-site", "SameSite=Lax"),
        tenure("the proxy takes HttpOnly off")
            .location("proxy_cookie_flags ~ nohttponly;")
            .told("cookie-http-only", "HttpOnly"),
        foreign("the cookie travels in the clear")
            .way(|it| it.cookie = Some("Path=/api/auth; HttpOnly; SameSite=Lax"))
            .told("cookie-secure", "SESSION_COOKIE_SECURE"),
        foreign("the proxy does not say that the request was encrypted")
            .way(|it| {
                (it.cookie, it.secure_by_scheme) = (Some("Path=/api/auth; HttpOnly; SameSite=Lax"), true)
            })
            .without("proxy_set_header X-Forwarded-Proto $scheme;")
            .told("cookie-secure", "X-Forwarded-Proto"),
        foreign("every subdomain is sent the cookie")
            .way(|it| it.cookie = Some("Path=/api/auth; Domain=example.com; HttpOnly; Secure; SameSite=Lax"))
            .told("cookie-domain", "Domain"),
        foreign("the cookie is for a domain that its host is not in")
            .way(|it| it.cookie = Some("Path=/api/auth; Domain=example.org; HttpOnly; Secure; SameSite=Lax"))
            .told("cookie-domain", "Domain"),
        foreign("the proxy moves the cookie to a domain that its host is not in")
            .way(|it| {
                it.cookie = Some("Path=/api/auth; Domain=app.example.com; HttpOnly; Secure; SameSite=Lax")
            })
            .location("proxy_cookie_domain app.example.com www.example.com;")
            .told("cookie-domain", "proxy_cookie_domain"),
        foreign("the cookie's path does not cover the refresh")
            .way(|it| it.cookie = Some("Path=/api/session; HttpOnly; Secure; SameSite=Lax"))
            .told("cookie-path", "Path"),
        tenure("the proxy moves the cookie to another path")
            .location("proxy_cookie_path /api/v1/auth/refresh /auth/refresh;")
            .told("cookie-path", "proxy_cookie_path"),
        foreign("the cookie goes with the window")
            .way(|it| it.max_age_s = None)
            .told("cookie-lifetime", "Max-Age"),
        foreign("the cookie lives for a day")
            .way(|it| it.max_age_s = Some(86_400))
            .told("remember-lifetime", "SESSION_COOKIE_AGE"),
        foreign("the cookie lives longer than browsers keep one")
            .way(|it| it.max_age_s = Some(800 * 86_400))
            .told("cookie-lifetime", "400"),
        foreign("a prefix that forbids what the cookie says")
            .way(|it| {
                it.cookie_name = "__Host-refresh";
                it.cookie = Some("Path=/api/auth; HttpOnly; Secure; SameSite=Lax");
            })
            .told("cookie-prefix", "__Secure-"),
        foreign("two cookies of one name")
            .way(|it| {
                let other = "refresh={token}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=1728000";
                it.more_cookies = vec![other.into()];
            })
            .told("cookie-duplicate", "Path"),
        foreign("a cookie that is larger than browsers keep one")
            .way(|it| it.padding = 4000)
            .location(LARGE_ANSWERS)
            .told("cookie-size", "in a store"),
        foreign("an answer's head is larger than nginx reads")
            .way(|it| it.more_cookies = ["one", "two"].map(filler).into())
            .told("sign-in", "proxy_buffer_size"),
        foreign("cookies that together are larger than nginx reads")
            .way(|it| it.more_cookies = ["one", "two", "three", "four"].map(filler).into())
            .location(LARGE_ANSWERS)
            .told("cookie-size", "large_client_header_buffers"),
    ]
}

/// Small enough for a browser, but four of them are more than the 8 KiB that nginx reads of one line.
fn filler(name: &str) -> String {
    format!("{name}={}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=1728000", "x".repeat(3000))
}

/// nginx takes 4 KiB of an answer's head.
const LARGE_ANSWERS: &str = "proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;";

pub fn proxies() -> Vec<Case> {
    vec![
        tenure("the proxy keeps cookies to itself")
            .location("proxy_hide_header Set-Cookie;")
            .told("proxy-set-cookie", "Set-Cookie"),
        foreign("the proxy keeps the cookies of refreshes to itself")
            .way(|it| it.rotation = Rotation::Blacklist)
            .server("location = /api/auth/refresh { proxy_pass http://back_end; proxy_hide_header Set-Cookie; }")
            .told("proxy-set-cookie", "Set-Cookie"),
        foreign("the proxy passes no cookies on")
            .location("proxy_set_header Cookie \"\";")
            .told("refresh", "proxy_set_header Cookie"),
        tenure("the proxy takes the access token off")
            .location("proxy_set_header Authorization \"\";")
            .told("proxy-authorization", "Authorization"),
        foreign("one answer to a refresh is kept for all")
            .http(CACHE)
            .location("proxy_cache all; proxy_cache_methods GET HEAD POST; proxy_cache_key $uri; proxy_cache_valid 200 1m; proxy_ignore_headers Set-Cookie Cache-Control;")
            .told("proxy-cache", "proxy_cache"),
        tenure("what one is served is kept for the next")
            .http(CACHE)
            .location("proxy_cache all; proxy_cache_key $uri; proxy_cache_valid 200 1m; proxy_ignore_headers Cache-Control Vary;")
            .told("proxy-cache", "proxy_cache"),
        foreign("tokens may be stored on the way")
            .way(|it| it.cache_control = "")
            .told("cache-control", "no-store"),
        foreign("tokens are for every cache")
            .way(|it| it.cache_control = "public, max-age=60")
            .told("cache-control", "no-store"),
        foreign("a refresh is sent elsewhere, which makes it a GET")
            .server("location = /api/auth/refresh { return 301 /api/auth/refresh/; }")
            .told("redirect", "301"),
        foreign("whoever is not signed in is sent to a page")
            .location("proxy_intercept_errors on; error_page 401 =302 https://app.example.com/sign-in;")
            .told("redirect", "401")
            .told("refresh-refused-status", "401"),
        foreign("refusals are pages")
            .location("proxy_intercept_errors on; error_page 401 =200 /index.html;")
            .told("api-refused-status", "error_page")
            .told("refresh-refused-status", "error_page"),
        foreign("refusals are 401 with a page")
            .location("proxy_intercept_errors on; error_page 401 /index.html;")
            .told("refresh-refused-status", "error_page"),
        foreign("refusals are 403")
            .location("proxy_intercept_errors on; error_page 401 =403 /index.html;")
            .told("api-refused-status", "401")
            .told("refresh-refused-status", "401"),
        foreign("browsers forget within minutes to come encrypted")
            .without("add_header Strict-Transport-Security \"max-age=31536000\" always;")
            .server("add_header Strict-Transport-Security max-age=300 always;")
            .told("hsts", "max-age=31536000"),
        foreign("browsers may come back in the clear")
            .without("add_header Strict-Transport-Security \"max-age=31536000\" always;")
            .told("hsts", "Strict-Transport-Security"),
        foreign("everything is in the clear")
            .layout(Layout::Clear)
            .way(|it| it.cookie = Some("Path=/api/auth; HttpOnly; SameSite=Lax"))
            .told("tls", "https"),
    ]
}

const CACHE: &str = "proxy_cache_path {folder}/cache keys_zone=all:1m;";

pub fn origins() -> Vec<Case> {
    let siblings = |name| foreign(name).layout(Layout::Siblings);
    vec![
        siblings("every origin may, and none with cookies")
            .way(|it| it.cors.origin = Allowed::Star)
            .told("cors-origin", "exact name"),
        siblings("the pages' origin may not")
            .way(|it| it.cors.origin = Allowed::One("https://www.example.com"))
            .told("cors-origin", "exact name"),
        siblings("every origin may, with cookies")
            .way(|it| it.cors.origin = Allowed::Everybody)
            .told("cors-origin", "a list"),
        siblings("back end and proxy both say who may")
            .server("add_header Access-Control-Allow-Origin https://app.example.com always;")
            .told("cors-origin", "proxy_hide_header"),
        siblings("only good answers say who may")
            .way(|it| it.cors.on_errors = false)
            .told("cors-origin", "always"),
        siblings("cookies may not be sent")
            .way(|it| it.cors.credentials = false)
            .told("cors-credentials", "Access-Control-Allow-Credentials"),
        siblings("cookies may be sent, and who asks for leave is not told so")
            .way(|it| it.cors.credentials_beforehand = false)
            .told("cors-credentials", "Access-Control-Allow-Credentials"),
        siblings("the access token may not be sent")
            .way(|it| it.cors.headers = "content-type")
            .told("cors-headers", "authorization"),
        siblings("whoever asks for leave has to be signed in")
            .server("if ($request_method = OPTIONS) { return 401; }")
            .told("cors-preflight", "OPTIONS"),
        siblings("nobody may ask for leave")
            .server("if ($request_method = OPTIONS) { return 405; }")
            .told("cors-preflight", "OPTIONS"),
        siblings("whoever asks for leave is sent elsewhere")
            .server("if ($request_method = OPTIONS) { return 301 https://api.example.com/api/; }")
            .told("cors-preflight", "OPTIONS"),
        siblings("caches are not told that answers differ by origin")
            .way(|it| it.cors.vary = false)
            .told("cors-vary", "Vary"),
        foreign("pages and API are of two sites")
            .layout(Layout::TwoSites)
            .way(|it| it.cookie = Some("Path=/api/auth; HttpOnly; Secure; SameSite=None"))
            .told("same-site", "below example.com"),
        tenure("Tenure was told of another public address")
            .setting("SERVER__PUBLIC_URL", "https://id.example.com")
            .setting("ORIGINS__ALLOWED", "[]")
            .told("cors-origin", "server.public_url"),
        foreign("the API's certificate is for another name")
            .layout(Layout::Uncertified)
            .told("tls", "certificate for this name"),
        foreign("the API is in another network than the pages")
            .layout(Layout::TwoNetworks)
            .told("safari-seven-days", "one network"),
    ]
}

pub fn tokens() -> Vec<Case> {
    vec![
        foreign("a replaced token is refused at once")
            .way(|it| it.rotation = Rotation::Blacklist)
            .told("refresh-concurrent", "BLACKLIST_AFTER_ROTATION")
            .told("refresh-lost-answer", "BLACKLIST_AFTER_ROTATION")
            .told("refresh-reload-burst", "BLACKLIST_AFTER_ROTATION"),
        foreign("a replaced token ends the session")
            .way(|it| it.rotation = Rotation::Family)
            .told("refresh-concurrent", "for a while")
            .told("refresh-lost-answer", "for a while")
            .told("refresh-late-duplicate", "end nothing")
            .told("refresh-reload-burst", "for a while"),
        foreign("scripts are handed the refresh token")
            .way(|it| (it.cookie, it.rotation) = (None, Rotation::None))
            .told("token-readable", "HttpOnly")
            .told("safari-seven-days", "HttpOnly"),
        foreign("the sign-in repeats the refresh token for scripts, which the first refresh replaces")
            .way(|it| it.repeats_refresh = true)
            .told("token-readable", "leave it out of the body"),
        foreign("an access token is good for a day")
            .way(|it| it.access_s = 86_400)
            .told("access-lifetime", "minutes"),
        foreign("an access token is good for seconds")
            .way(|it| it.access_s = 30)
            .told("access-lifetime", "minutes"),
        foreign("who is remembered is forgotten after a week")
            .way(|it| it.refresh_s = 7 * 86_400)
            .told("remember-lifetime", "REFRESH_TOKEN_LIFETIME"),
        foreign("the back end's clock is ahead").way(|it| it.clock_s = 600).told("clock-offset", "NTP"),
        foreign("the back end's clock is behind, and the proxy shows it")
            .way(|it| it.clock_s = -600)
            .location("proxy_pass_header Date;")
            .told("clock-offset", "NTP"),
        foreign("a token that is no good is forbidden")
            .way(|it| it.refused = 403)
            .told("refresh-refused-status", "401"),
        foreign("a token that is no good is a fault")
            .way(|it| it.refused = 500)
            .told("refresh-refused-status", "401"),
    ]
}

pub fn bad_times() -> Vec<Case> {
    const OUTAGE: &[&str] = &["store_down", "store_up"];
    const RESTART: &[&str] = &["stop", "start"];
    vec![
        foreign("five refreshes a minute are enough")
            .http("map $uri $refresh { /api/auth/refresh $binary_remote_addr; } limit_req_zone $refresh zone=refresh:1m rate=5r/m;")
            .location("limit_req zone=refresh burst=4 nodelay; limit_req_status 429;")
            .told("refresh-limit", "429"),
        foreign("thirty refreshes a minute are enough")
            .http("map $uri $refresh { /api/auth/refresh $binary_remote_addr; } limit_req_zone $refresh zone=refresh:1m rate=30r/m;")
            .location("limit_req zone=refresh burst=20 nodelay; limit_req_status 429;")
            .told("refresh-limit", "let at least 60 a minute pass"),
        tenure("a session may refresh five times a minute")
            .setting("LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "5")
            .told("refresh-limit", "429"),
        foreign("a back end without its database knows nobody")
            .way(|it| it.outage = 401)
            .hooks(OUTAGE)
            .told("outage-status", "503"),
        foreign("the proxy calls an outage a refusal")
            .location("proxy_intercept_errors on; error_page 502 503 504 =401 /index.html;")
            .hooks(OUTAGE)
            .told("outage-status", "error_page"),
        foreign("the proxy refuses while the back end is started anew")
            .location("proxy_intercept_errors on; error_page 502 =401 /index.html;")
            .hooks(RESTART)
            .told("outage-status", "error_page"),
        foreign("a restart makes new keys")
            .way(|it| it.key_is_new = true)
            .hooks(RESTART)
            .told("keys-persist", "SIGNING_KEY"),
        foreign("sessions are in a cache that forgets")
            .way(|it| it.sessions_in_cache = true)
            .hooks(&["cache_down", "cache_up"])
            .told("redis-independent", "Redis"),
    ]
}

/// Nothing is wrong with these either.
pub fn clean_front_ends() -> Vec<Case> {
    vec![
        foreign("pages that do everything right").in_browser(),
        foreign("pages below a path, and nothing above it")
            .server("location = / { default_type text/html; return 200 \"nothing here\"; }")
            .below("/app")
            .pages(|it| it.home = Some("/app/")),
    ]
}

/// For a real browser to see. It takes its time, so that several faults are in one set of pages.
pub fn front_ends() -> Vec<Case> {
    let pages = |name| foreign(name).in_browser();
    vec![
        pages("tokens are in storage, and unpaid bills and bad networks sign out")
            .pages(|it| (it.storage, it.ends, it.network) = (true, &[402], true))
            .told("storage-tokens", "in memory")
            .told("front-end-402", "show 402")
            .told("front-end-network", "the network"),
        pages("missing permissions, faults of the server and other tabs sign out")
            .pages(|it| (it.ends, it.one_tab, it.state) = (&[403, 500], true, true))
            .told("storage-tokens", "in memory")
            .told("front-end-403", "403")
            .told("front-end-5xx", "faults of the server")
            .told("browser-tabs", "take turns"),
        pages("the browser refuses the cookie")
            .way(|it| it.cookie = Some("Path=/api/auth; HttpOnly; SameSite=None"))
            .told("cookie-same-site", "Secure")
            .told("browser-cookies", "cookie-"),
    ]
}

/// Nothing is planted: this is what their documentation leads to. Of a burst, simplejwt lets those through that come before
/// the first has written its token down.
pub fn django_as_documented() -> Vec<Case> {
    vec![
        django("simplejwt as it comes", "defaults", SIMPLEJWT)
            .told("token-readable", "HttpOnly")
            .told("cache-control", "no-store")
            .told("remember-lifetime", "REFRESH_TOKEN_LIFETIME"),
        django("simplejwt with rotation and blacklist", "rotation", SIMPLEJWT)
            .told("token-readable", "HttpOnly")
            .told("cache-control", "no-store")
            .told("refresh-concurrent", "BLACKLIST_AFTER_ROTATION")
            .told("refresh-lost-answer", "BLACKLIST_AFTER_ROTATION")
            .perhaps("refresh-reload-burst")
            .told("remember-lifetime", "REFRESH_TOKEN_LIFETIME"),
        django("dj-rest-auth with both tokens in cookies", "cookies", DJ_REST_AUTH)
            .told("cookie-secure", "JWT_AUTH_SECURE")
            .told("cache-control", "no-store")
            .told("refresh-concurrent", "BLACKLIST_AFTER_ROTATION")
            .told("refresh-lost-answer", "BLACKLIST_AFTER_ROTATION")
            .perhaps("refresh-reload-burst")
            .told("remember-lifetime", "REFRESH_TOKEN_LIFETIME"),
    ]
}
