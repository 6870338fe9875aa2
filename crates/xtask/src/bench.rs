//! `cargo xtask bench`: the product as it is shipped, measured beside the limits of the machine it runs on.

use std::process::ExitCode;

use crate::repo::Repo;
use crate::{Result, process};

/// Arguments after `--` and `--quick` go to the load generator, which prints JSON.
pub fn bench(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    repo.need_compiler()?;
    // The product and its measure in one call, because they share most of what is compiled; the seed needs the
    // store's dev-dependencies, which must not reach the product that is measured.
    process::run(&mut repo.cargo(&["build", "--release", "-p", "tenure", "-p", "tenure-bench", "--bins"]))?;
    process::run(&mut repo.cargo(&["build", "--release", "-p", "tenure-store", "--example", "seed"]))?;
    let mut bench = repo.command(repo.built("release", "tenure-bench")?);
    bench.arg("suite").arg("--server").arg(repo.built("release", "tenure")?);
    bench.arg("--seed").arg(repo.built("release/examples", "seed")?);
    if args.iter().any(|arg| arg.contains("postgres")) {
        process::run(&mut repo.cargo(&["build", "--release", "-p", "tenure-rig", "--bins"]))?;
        bench.arg("--rig").arg(repo.built("release", "tenure-rig")?);
    }
    bench.args(args.iter().filter(|arg| *arg != "--"));
    process::run(&mut bench)?;
    Ok(ExitCode::SUCCESS)
}
