//! `phoenix`: proves that PostgreSQL comes back. See `phoenix --help`.
#![expect(clippy::print_stderr, reason = "this is the program's edge")]

use clap::Parser;
use phoenix_cli::{arguments::Arguments, commands};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match commands::execute(Arguments::parse()).await {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::from(2)
        }
    }
}
