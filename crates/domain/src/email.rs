//! E-mail addresses: normalised first, then validated, then compared (so that no look-alike slips between).

use unicode_normalization::UnicodeNormalization as _;

use crate::user::is_unprintable;

/// The longest address SMTP carries (RFC 5321 section 4.5.3.1.3, less the angle brackets).
const LENGTH_MAX: usize = 254;

/// An address as the person wrote it, and the key by which two spellings of it are the same account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email {
    shown: String,
    key: String,
}

/// Text that is no address we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address (expected something like name@example.com, at most 254 characters)")]
pub struct EmailError;

impl Email {
    /// NFKC-normalises (a full-width `@` becomes `@` before anything is split), refuses what cannot be
    /// delivered or would mislead, and lower-cases the key. Quoted local parts and address literals are
    /// refused: nobody signs in with them, and every mailer treats them differently.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.len() > 4 * LENGTH_MAX {
            return Err(EmailError);
        }
        let normal: String = text.trim().nfkc().collect();
        let (local, domain) = normal.split_once('@').ok_or(EmailError)?;
        if normal.chars().any(|c| is_unprintable(c) || c.is_whitespace()) || !is_dot_atom(local) {
            return Err(EmailError);
        }
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| EmailError)?;
        let labels_ok = domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
        let last = domain.rsplit('.').next().unwrap_or_default();
        if !domain.contains('.') || !labels_ok || last.bytes().all(|b| b.is_ascii_digit()) {
            return Err(EmailError);
        }
        let shown = format!("{local}@{domain}");
        if shown.len() > LENGTH_MAX || local.len() > 64 {
            return Err(EmailError);
        }
        // Lower-casing can leave the normal form (and lengthen); normalise once more so that parsing a key
        // gives the key.
        let key: String = shown.chars().flat_map(char::to_lowercase).nfkc().collect();
        Ok(Self { shown, key })
    }

    /// As written, in normal form.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// Two addresses with one key are one account.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// RFC 5322 section 3.2.3 dot-atom, with the letters of RFC 6531 allowed.
fn is_dot_atom(local: &str) -> bool {
    let atom_char = |c: char| {
        c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c) || (!c.is_ascii() && !is_unprintable(c))
    };
    !local.is_empty() && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atom_char))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Option<String> {
        Email::parse(text).ok().map(|email| email.key().to_owned())
    }

    #[test]
    fn spellings_of_one_address_have_one_key() {
        let expected = Some("ada@example.com".to_owned());
        for text in ["ada@example.com", " Ada@Example.COM ", "ADA@EXAMPLE.com", "ada\u{FF20}example.com"] {
            assert_eq!(key(text), expected, "{text}");
        }
        assert_eq!(key("ada@bücher.example"), key("ada@xn--bcher-kva.example"));
        assert_eq!(key("ädä@example.com"), key("a\u{308}da\u{308}@example.com"));
        assert_ne!(key("ada+x@example.com"), expected);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "ada@@example.com",
            "a@b@example.com",
            "ada@localhost",
            "ada@example..com",
            ".ada@example.com",
            "ada.@example.com",
            "a..b@example.com",
            "ada@-example.com",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "\"ada\"@example.com",
            "ada lovelace@example.com",
            "ada@example.com,eve@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "ada@exa\0mple.com",
            "a\u{200B}da@example.com",
            "\u{202E}ada@example.com",
            "ada@exam\u{00AD}ple",
            "<ada@example.com>",
            "ada@example.com.",
            "ada(comment)@example.com",
        ] {
            assert_eq!(key(text), None, "{text:?}");
        }
        assert_eq!(key(&format!("{}@example.com", "a".repeat(65))), None);
        assert_eq!(key(&format!("ada@{}.com", "a".repeat(64))), None);
        assert_eq!(key(&"a".repeat(1 << 20)), None);
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_a_key_is_its_own_key(text in "\\PC{0,40}@?\\PC{0,40}") {
            if let Some(once) = key(&text) {
                prop_assert_eq!(key(&once), Some(once));
            }
        }
    }
}
