//! `cargo xtask bench`: the product as it is shipped, measured beside the limits of the machine it runs on.

use std::process::ExitCode;

use crate::repo::Repo;
use crate::{Result, process};

/// Arguments after `--` and `--quick` go to the load generator, which prints JSON.
pub fn bench(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    repo.need_compiler()?;
    let package = |name| ["build", "--release", "--package", name];
    process::run(repo.cargo(&package("tenure")).args(["--bin", "tenure"]))?;
    process::run(repo.cargo(&package("tenure-store")).args(["--example", "seed"]))?;
    process::run(&mut repo.cargo(&package("tenure-bench")))?;
    let mut bench = repo.command(repo.built("release", "tenure-bench")?);
    bench.arg("suite").arg("--server").arg(repo.built("release", "tenure")?);
    bench.arg("--seed").arg(repo.built("release/examples", "seed")?);
    bench.args(args.iter().filter(|arg| *arg != "--"));
    process::run(&mut bench)?;
    Ok(ExitCode::SUCCESS)
}
