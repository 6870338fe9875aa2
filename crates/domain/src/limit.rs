//! Every limit that is part of the contract has its name here; what an operator may choose is configuration.

/// Session cookies that a refresh looks at (protocol.md section 7). Signing out looks at all.
pub const SESSION_COOKIES_MAX: usize = 8;

/// Bytes of a request body; the largest honest one is a registration of well under 4 KiB.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// Characters of a device label, a device id and a User-Agent that are kept.
pub const DEVICE_ID_CHARS_MAX: usize = 128;
pub const USER_AGENT_CHARS_MAX: usize = 256;

/// Sessions listed for one user, newest first.
pub const SESSIONS_LISTED_MAX: usize = 200;

/// Bytes of a client's sign-out report, and characters of its texts that are kept.
pub const REPORT_BYTES_MAX: usize = 4 * 1024;
pub const REPORT_MESSAGE_CHARS_MAX: usize = 500;
pub const REPORT_LOCATION_CHARS_MAX: usize = 200;
pub const REPORT_VERSION_CHARS_MAX: usize = 64;
pub const REPORT_WORD_CHARS_MAX: usize = 40;
pub const REPORT_ERROR_CHARS_MAX: usize = 100;

/// Bytes of what an observed browser reports at once, how many things that may be, and characters of their words.
pub const OBSERVED_BYTES_MAX: usize = 16 * 1024;
pub const OBSERVED_AT_ONCE_MAX: usize = 50;
pub const OBSERVED_PAGE_CHARS_MAX: usize = 16;

/// Bytes of an event of Stripe's; a large one has some ten thousand.
pub const STRIPE_EVENT_BYTES_MAX: usize = 256 * 1024;

/// Cuts `text` to at most `max` characters, dropping control characters on the way: what is kept of strings
/// that a client may choose freely.
pub fn clip(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}
