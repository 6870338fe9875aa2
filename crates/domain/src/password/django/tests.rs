use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::password::{Cost, Scratch};
use crate::secret::SecretText;

const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

/// What a hash at the limit may take where tests run: unlike a server's, their machine is busy and old.
const PATIENCE: Duration = Duration::from_secs(20);

fn claimed(text: &str) -> Password {
    Password::claimed(&SecretText::from_plain(text.to_owned())).unwrap()
}

fn written() -> Value {
    serde_json::from_str(include_str!("hashes.json")).unwrap()
}

fn taken(text: &str) -> PasswordHash {
    PasswordHash::from_django(text).unwrap_or_else(|error| panic!("{text}: {error}")).unwrap()
}

fn refused(text: &str) -> DjangoHashError {
    PasswordHash::from_django(text).err().unwrap_or_else(|| panic!("taken: {text}"))
}

#[test]
fn what_a_real_django_wrote_lets_in_whom_it_let_in_and_nobody_else() {
    let written = written();
    let hashes = written["hashes"].as_array().unwrap();
    assert_eq!(hashes.len(), 23);
    let mut scratch = Scratch::default();
    for row in hashes {
        let (hash, password) = (row["hash"].as_str().unwrap(), row["password"].as_str().unwrap());
        let stored = taken(hash);
        assert_eq!(stored.verify(&claimed(password), &mut scratch), Ok(true), "{hash}");
        assert_eq!(stored.verify(&claimed(&format!("{password}.")), &mut scratch), Ok(false), "{hash}");
        assert!(stored.is_outdated(CHEAP), "{hash}");
    }
}

#[test]
fn once_hashed_anew_a_password_is_in_the_form_that_ours_are_in() {
    let typed = claimed("ﬁ² Ⅷ");
    let ours = PasswordHash::compute(&typed, [3; 16], CHEAP, &mut Scratch::default()).unwrap();
    assert_eq!(ours.verify(&claimed("fi2 VIII"), &mut Scratch::default()), Ok(true));
}

#[test]
fn who_had_no_password_has_none() {
    let written = written();
    for text in ["", "!", written["unusable"].as_str().unwrap()] {
        assert!(PasswordHash::from_django(text).unwrap().is_none(), "{text}");
    }
}

#[test]
fn what_cannot_be_verified_is_refused_by_its_reason() {
    let tag = "A".repeat(43);
    let written = written();
    assert_eq!(refused(written["md5"].as_str().unwrap()), DjangoHashError::Unknown("md5".into()));
    assert_eq!(refused("plain text"), DjangoHashError::Unknown("plain text".into()));
    for text in [
        "pbkdf2_sha256".to_owned(),
        "pbkdf2_sha256$".into(),
        format!("pbkdf2_sha256$0$salt${tag}="),
        format!("pbkdf2_sha256$-1$salt${tag}="),
        format!("pbkdf2_sha256$+1$salt${tag}="),
        format!("pbkdf2_sha256$1$$${tag}="),
        format!("pbkdf2_sha256$1$salt${tag}=$"),
        format!("pbkdf2_sha256$99999999999999999999$salt${tag}="),
        format!("pbkdf2_sha256$1$salt${}=", "A".repeat(40)),
        format!("pbkdf2_sha1$1$salt${tag}="),
        format!("pbkdf2_sha256$1${}${tag}=", "s".repeat(257)),
        "argon2$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAA".into(),
        format!("argon2$argon2x$v=19$m=64,t=1,p=1$c29tZXNhbHQ${tag}"),
        format!("argon2$argon2id$v=7$m=64,t=1,p=1$c29tZXNhbHQ${tag}"),
        format!("argon2$argon2id$v=19$m=1,t=1,p=1$c29tZXNhbHQ${tag}"),
        format!("argon2$argon2id$v=19$t=1,m=64,p=1$c29tZXNhbHQ${tag}"),
        format!("bcrypt_sha256$$2b$03${}", "A".repeat(53)),
        format!("bcrypt_sha256$$2x$12${}", "A".repeat(53)),
        format!("bcrypt_sha256$$2b$12${}", "A".repeat(52)),
        format!("bcrypt_sha256$$2b$12${}é{}", "A".repeat(21), "A".repeat(30)),
        format!("scrypt$3$salt$8$1${tag}="),
        format!("scrypt$0$salt$8$1${tag}="),
        format!("scrypt$16384$salt$0$1${tag}="),
        format!("scrypt$16384$salt$8$4294967295${tag}="),
    ] {
        assert_eq!(refused(&text), DjangoHashError::Malformed, "{text}");
    }
    for text in [
        format!("pbkdf2_sha256$4294967295$salt${tag}="),
        format!("argon2$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ${tag}"),
        format!("argon2$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHQ${tag}"),
        format!("bcrypt_sha256$$2b$15${}", "A".repeat(53)),
        format!("bcrypt$$2b$31${}", "A".repeat(53)),
        format!("scrypt$1073741824$salt$8$1${tag}="),
        format!("scrypt$9223372036854775808$salt$16384$1${tag}="),
    ] {
        assert!(matches!(refused(&text), DjangoHashError::TooCostly | DjangoHashError::Malformed), "{text}");
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // How long it takes is what is tested.
fn the_dearest_hashes_that_are_taken_do_not_hang_a_thread() {
    let tag = "A".repeat(43);
    for text in [
        format!("pbkdf2_sha256$3333333$salt${tag}="),
        format!("pbkdf2_sha1$3333333$salt${}=", "A".repeat(27)),
        format!("argon2$argon2id$v=19$m=262144,t=5,p=1$c29tZXNhbHQ${tag}"),
        format!("bcrypt_sha256$$2b$14${}", "A".repeat(53)),
        format!("scrypt$262144$salt$8$1${tag}="),
    ] {
        let begun = Instant::now();
        assert_eq!(taken(&text).verify(&claimed("password"), &mut Scratch::default()), Ok(false), "{text}");
        let took = begun.elapsed();
        println!("{:>6} ms  {}", took.as_millis(), &text[..24]);
        assert!(took < PATIENCE, "{text} took {took:?}");
    }
}

/// Texts that look like hashes: each part right more often than not.
fn text_like_a_hash() -> impl Strategy<Value = String> {
    let name = "pbkdf2_sha256|pbkdf2_sha1|argon2|bcrypt_sha256|bcrypt|scrypt|[a-z0-9_]{0,9}";
    let number = "[0-9]{1,4}|1024|16384|[0-9]{1,20}|-1|";
    let data = "[A-Za-z0-9./+]{27}=|[A-Za-z0-9./+]{43}=?|[A-Za-z0-9./]{53}|[a-z]{0,9}|.{0,9}";
    let costs = "m=[0-9]{1,7},t=[0-9]{1,3},p=[0-9]{1,2}";
    prop_oneof![
        (name, number, data, data).prop_map(|(name, n, salt, tag)| format!("{name}${n}${salt}${tag}")),
        (costs, data, data)
            .prop_map(|(costs, salt, tag)| format!("argon2$argon2id$v=19${costs}${salt}${tag}")),
        (name, "2[aby]|.{0,2}", "[0-9]{2}|.{0,3}", data)
            .prop_map(|(name, kind, cost, data)| format!("{name}$${kind}${cost}${data}")),
        (number, data, number, number, data)
            .prop_map(|(n, salt, r, p, tag)| format!("scrypt${n}${salt}${r}${p}${tag}")),
        "\\PC{0,80}",
    ]
}

proptest! {
    #[test]
    fn no_text_panics_or_costs_more_than_is_allowed(text in text_like_a_hash()) {
        let Ok(hash) = Hash::parse(&text) else { return Ok(()) };
        prop_assert!(hash.nanoseconds() <= NANOSECONDS_MAX && hash.memory_kib() <= MEMORY_KIB_MAX);
        // Those that are dear are another test's.
        if hash.nanoseconds() <= NANOSECONDS_MAX / 200 {
            prop_assert_eq!(hash.verify("password"), Ok(false), "{}", text);
        }
    }

    #[test]
    fn a_stored_text_that_is_no_hash_is_an_error(text in "[^$]{0,20}") {
        let found = PasswordHash::from_stored(text).verify(&claimed("x"), &mut Scratch::default());
        prop_assert_eq!(found, Err(HashError));
    }
}
