//! `fanfare reference`: pages that are made from the program, so that they cannot be wrong.

use super::exit::{self, Failure};
use super::output;
use crate::config;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which page
    page: Page,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Page {
    Configuration,
    ExitCodes,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let page = match args.page {
        Page::Configuration => config::reference::page(),
        Page::ExitCodes => exit::page(),
    };
    Ok(output::line(page.trim_end())?)
}
