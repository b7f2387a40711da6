//! The `fanfare` program: a hub, and the commands around it.

mod cli;
mod config;

use std::process::ExitCode;

fn main() -> ExitCode {
    let environment = config::Environment::read();
    cli::run(std::env::args_os().collect(), &environment)
}
