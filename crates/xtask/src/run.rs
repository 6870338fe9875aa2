//! `cargo xtask run`: the whole product on an embedded SQLite file at a local URL, and nothing else needed.

use std::process::ExitCode;

use crate::repo::{Features, Repo};
use crate::{Result, process, web};

/// What `tenure serve` is told unless the caller says otherwise. The data folder is below the root and ignored by
/// git: remove it to begin anew. The user exists on this machine only, so the password may stand here.
const DEFAULTS: [(&str, &str); 2] =
    [("--data", "./tenure-data"), ("--dev-user", "dev@tenure.example:correct horse battery")];

pub fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    web::pages(repo)?;
    eprintln!("Building tenure; the first time takes a few minutes, later a few seconds.");
    let tenure = repo.build("tenure", Features::AsShipped)?;
    let mut server = repo.command(tenure);
    server.args(["serve", "--dev"]).args(with_defaults(args));
    process::become_process(&mut server)
}

fn with_defaults(args: &[String]) -> Vec<String> {
    let given: Vec<String> = args.iter().skip_while(|arg| *arg == "--").cloned().collect();
    let says = |flag: &str| given.iter().any(|arg| arg == flag || arg.starts_with(&format!("{flag}=")));
    let missing = DEFAULTS.iter().filter(|(flag, _)| !says(flag));
    let defaults = missing.flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()]);
    defaults.chain(given.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::with_defaults;

    #[test]
    fn what_the_caller_says_is_not_said_twice() {
        let check = |args: &[&str]| {
            with_defaults(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>()).join(" ")
        };
        let user = "--dev-user dev@tenure.example:correct horse battery";
        assert_eq!(check(&[]), format!("--data ./tenure-data {user}"));
        assert_eq!(check(&["--", "--data", "x"]), format!("{user} --data x"));
        assert_eq!(
            check(&["--data=x", "--dev-user=a:b", "--listen", "y"]),
            "--data=x --dev-user=a:b --listen y"
        );
    }
}
