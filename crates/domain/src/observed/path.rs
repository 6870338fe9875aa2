//! What is kept of a path: the words of it, which the application's authors chose.

use crate::client_report::page_path;
use crate::limit::clip;

/// A longer word is hardly one.
const WORD_CHARS_MAX: usize = 31;
/// A shorter one with a capital may be a number in base64, as in links that reset a password.
const NAME_CHARS_MIN: usize = 5;
const VERSION_DIGITS_MAX: usize = 9;

/// The path of an address in outline, cut to `max` characters: of its segments the short words and the versions (`v2`). A
/// number, an e-mail or the secret of a link has digits, signs or capitals in it, or is long, and is written `*`. None for
/// what is no path. The observer in the page does the same before anything is sent.
pub fn outline(location: &str, max: usize) -> Option<String> {
    // Cut only afterwards: the beginning of something long may look like a word.
    let path = page_path(location, usize::MAX)?;
    let segments = path.split('/').map(|segment| if is_plain(segment) { segment } else { "*" });
    Some(clip(&segments.collect::<Vec<_>>().join("/"), max))
}

fn is_plain(segment: &str) -> bool {
    segment.is_empty() || segment.strip_prefix('v').is_some_and(is_number) || is_word(segment)
}

fn is_number(text: &str) -> bool {
    (1..=VERSION_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// In small letters, or a name: one capital and then at least four small letters.
fn is_word(segment: &str) -> bool {
    let small = segment.strip_prefix(|c: char| c.is_ascii_uppercase());
    let letters = small.map_or(1, |_| NAME_CHARS_MIN - 1);
    let rest = small.unwrap_or(segment).as_bytes();
    segment.len() <= WORD_CHARS_MAX
        && rest.len() >= letters
        && rest[..letters].iter().all(u8::is_ascii_lowercase)
        && rest[letters..].iter().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::outline;

    #[test]
    fn words_of_a_path_are_kept_and_nothing_that_is_somebodys() {
        for (location, expected) in [
            ("/api/v1/token/refresh/", "/api/v1/token/refresh/"),
            ("/Reports/sign-in/all_of.them", "/Reports/sign-in/all_of.them"),
            ("/", "/"),
            ("//cdn.example/a//b", "/a//b"),
            ("/app/reset/MTI/abc123-deadbeef", "/app/reset/*/*"),
            ("/users/ada@example.com", "/users/*"),
            ("/users/ada%40example.com/x?y=z#w", "/users/*/x"),
            ("/users/17/edit", "/users/*/edit"),
            ("/users/*/edit", "/users/*/edit"),
            ("/v12/v/v1x/V2", "/v12/v/*/*"),
            ("/Teams/Abc/Settings.html/camelCase", "/Teams/*/Settings.html/*"),
            ("/-draft/.well-known/Grüße", "/*/*/*"),
            ("/invite/abcdefghijklmnopqrstuvwxyzabcde", "/invite/abcdefghijklmnopqrstuvwxyzabcde"),
            ("/invite/abcdefghijklmnopqrstuvwxyzabcdef", "/invite/*"),
            ("https://u:p@app.example/reset/eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3IifQ.c2ln", "/reset/*"),
        ] {
            assert_eq!(outline(location, 200).as_deref(), Some(expected), "{location}");
        }
        assert_eq!(outline("javascript:alert(1)", 200), None);
        assert_eq!(outline(&format!("/a/{}", "x".repeat(500)), 200).as_deref(), Some("/a/*"));
        assert_eq!(outline(&"/word".repeat(500), 200).unwrap().len(), 200);
    }
}
