//! `tenure openapi`

use clap::Args;

use crate::http::openapi;

#[derive(Args)]
pub struct OpenapiArgs {
    /// The table of error codes instead, in Markdown.
    #[arg(long)]
    errors: bool,
}

pub fn run(args: &OpenapiArgs) {
    if args.errors {
        print!("{}", openapi::errors_md());
    } else {
        print!("{}", openapi::json());
    }
}
