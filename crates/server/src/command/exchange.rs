//! `tenure exchange`: sign-ins of another system, looked at before anybody depends on them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use tenure_domain::entitlement::Policy;
use tenure_domain::exchange::{ExchangeKey, Source, imported_key};
use tenure_domain::problem::Code;
use tenure_domain::secret::SecretText;
use tenure_domain::simplejwt::{self, Claims, LEEWAY, TEXT_LENGTH_MAX, TokenError};
use tenure_domain::time::Timestamp;
use tenure_store::{Prospect, Store, User};

use super::place::now;
use super::{Failure, Global, Outcome, print, shown};
use crate::config::MigrationSection;
use crate::exchange::{Simplejwt, is_elevated};

#[derive(Subcommand)]
pub enum ExchangeVerb {
    /// Say whether a refresh token of simplejwt would be traded, for whom, and if not why not. Nothing is written.
    Check(CheckArgs),
}

#[derive(Args)]
pub struct CheckArgs {
    /// The file that holds it, or `-` for standard input: as an argument it would stay in a history.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
}

/// What would become of a token.
struct Verdict {
    /// None: it would be traded.
    refusal: Option<(Code, String)>,
    /// What is on record of a token that is not believed.
    cause: Option<TokenError>,
    claims: Option<Claims>,
    user: Option<User>,
}

impl Verdict {
    fn refused(code: Code, why: impl Into<String>) -> Self {
        Self { refusal: Some((code, why.into())), cause: None, claims: None, user: None }
    }
}

pub async fn run(global: &Global, verb: ExchangeVerb) -> Outcome {
    let ExchangeVerb::Check(args) = verb;
    let (text, config) = (read(&args.token_file)?, global.config()?);
    let (section, policy) = (config.migration, config.entitlement.policy());
    let now = now();
    let verdict = match believed(&section, &text, now) {
        Ok(claims) => {
            let verdict = of(&*global.open_store().await?, &policy, claims).await?;
            if_open(verdict, section.exchange_until, now)
        }
        Err(verdict) => verdict,
    };
    say(global, &verdict)
}

fn read(path: &Path) -> Result<SecretText, Failure> {
    // Room for what surrounds it, and no more: it may be any file.
    let limit = 2 * TEXT_LENGTH_MAX as u64;
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().lock().take(limit).read_to_string(&mut text),
        false => File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text)),
    };
    read.map_err(|error| {
        Failure::Usage(format!("--token-file: {} cannot be read: {error}", path.display()))
    })?;
    match text.trim() {
        "" => Err(Failure::Usage("--token-file: there is no token in it".into())),
        token => Ok(SecretText::from_plain(token.to_owned())),
    }
}

/// What the token says, if it would be believed.
fn believed(section: &MigrationSection, text: &SecretText, now: Timestamp) -> Result<Claims, Verdict> {
    if let Some(Err(error)) = section.key() {
        let why = format!("migration.simplejwt_key cannot be used: {error}");
        return Err(Verdict::refused(Code::ExchangeClosed, why));
    }
    let Some(simplejwt) = Simplejwt::new(section) else {
        let why = "migration.simplejwt_key is not set, so no token is taken";
        return Err(Verdict::refused(Code::ExchangeClosed, why));
    };
    simplejwt.read(text, now).map_err(|error| {
        let code = if error == TokenError::Expired { Code::ExchangeExpired } else { Code::ExchangeInvalid };
        Verdict { cause: Some(error), ..Verdict::refused(code, why_not(error, section, text)) }
    })
}

/// What would become of a token that is believed, while the window is open.
async fn of(store: &dyn Store, policy: &Policy, claims: Claims) -> Result<Verdict, Failure> {
    let key = imported_key(&claims.user);
    let Some(user_id) = store.import_find(key.clone()).await? else {
        let why = format!("nobody has come as {}; import again", shown(&key));
        return Ok(Verdict { claims: Some(claims), ..Verdict::refused(Code::ExchangeUnknownUser, why) });
    };
    let prospect = store.exchange_look(ExchangeKey::of(Source::Simplejwt, &claims.jti), user_id).await?;
    let user = store.user_find(user_id).await?;
    let is_elevated = match &user {
        Some(user) => is_elevated(store, policy, user).await?,
        None => false,
    };
    let refusal = match prospect {
        _ if is_elevated => {
            let why = "they may do more here than concerns them alone, and sign in with their password";
            Some((Code::ExchangeUsed, why))
        }
        Prospect::Traded => None,
        Prospect::Used => {
            Some((Code::ExchangeUsed, "it was traded before, or ended there before the last import"))
        }
        Prospect::Outdated => {
            let why =
                "since they came their password or role was changed here, or they have signed out all else";
            Some((Code::ExchangeUsed, why))
        }
        Prospect::UserDisabled => Some((Code::PermissionDenied, "they are disabled here")),
        Prospect::UserGone => Some((Code::ExchangeUnknownUser, "they have been deleted here")),
    };
    let refusal = refusal.map(|(code, why)| (code, why.to_owned()));
    Ok(Verdict { refusal, cause: None, claims: Some(claims), user })
}

fn if_open(verdict: Verdict, until: Option<Timestamp>, now: Timestamp) -> Verdict {
    let why = match until {
        Some(until) if now < until => return verdict,
        Some(until) => format!("it is good, but migration.exchange_until was {until}"),
        None => "it is good, but migration.exchange_until is not set, so nothing is traded yet".into(),
    };
    let refusal = verdict.refusal.or(Some((Code::ExchangeClosed, why)));
    Verdict { refusal, ..verdict }
}

fn why_not(error: TokenError, section: &MigrationSection, text: &SecretText) -> String {
    let expected = section.simplejwt_algorithm.as_str();
    match error {
        TokenError::Malformed => {
            "it is no JWT, which has three parts between dots; give the refresh token alone, without quotes".into()
        }
        TokenError::WrongAlgorithm => {
            let said = simplejwt::algorithm_said(text.expose()).unwrap_or_default();
            format!("it is signed with `{}`, and migration.simplejwt_algorithm is {expected}", shown(&said))
        }
        TokenError::NotAuthentic if expected.starts_with("HS") => {
            "migration.simplejwt_key is not what it was signed with; that is SIGNING_KEY of SIMPLE_JWT, or SECRET_KEY \
             where it is not set, to the letter"
                .into()
        }
        TokenError::NotAuthentic => {
            "migration.simplejwt_key does not belong to what it was signed with; that is VERIFYING_KEY of SIMPLE_JWT"
                .into()
        }
        TokenError::NotForRefresh => {
            "its `token_type` is not `refresh`: it is an access token, or TOKEN_TYPE_CLAIM is another there, and such \
             tokens are not taken"
                .into()
        }
        TokenError::WithoutName => {
            "it has no `jti`: JTI_CLAIM is another there, and such tokens are not taken".into()
        }
        TokenError::OddTimes => format!(
            "its `iat` or `exp` is missing, is nothing anybody would have meant, or says that it was made more than {} s \
             from now: compare the clocks",
            LEEWAY.as_secs()
        ),
        TokenError::WrongIssuer => "its `iss` is not what migration.simplejwt_issuer says (ISSUER there)".into(),
        TokenError::WrongAudience => {
            "its `aud` is not what migration.simplejwt_audience says (AUDIENCE there)".into()
        }
        TokenError::WithoutUser => format!(
            "it has no claim `{}`, which migration.simplejwt_user_id_claim names (USER_ID_CLAIM there)",
            shown(&section.simplejwt_user_id_claim)
        ),
        TokenError::Expired => "it has expired, and is good for nothing there either".into(),
    }
}

fn say(global: &Global, verdict: &Verdict) -> Outcome {
    let Verdict { refusal, cause, claims, user } = verdict;
    let row = json!({
        "traded": refusal.is_none(), "code": refusal.as_ref().map(|(code, _)| code.as_str()),
        "cause": cause.map(TokenError::as_str), "why": refusal.as_ref().map(|(_, why)| why),
        "user": user.as_ref().map(|user| json!({ "id": user.id, "email": user.email })),
        "imported_as": claims.as_ref().map(|claims| imported_key(&claims.user)),
        "issued_at": claims.as_ref().map(|claims| claims.issued_at),
        "expires_at": claims.as_ref().map(|claims| claims.expires_at),
    });
    print(global, &row, || {
        if let Some(claims) = claims {
            let who = user.as_ref().map_or("nobody here", |user| &user.email);
            let key = imported_key(&claims.user);
            println!("of {} ({who}), from {} until {}", shown(&key), claims.issued_at, claims.expires_at);
        }
        if refusal.is_none() {
            println!("would be traded");
        }
    });
    match refusal {
        None => Ok(()),
        Some((code, why)) => Err(Failure::Finding(format!("would be answered {}: {why}", code.as_str()))),
    }
}
