//! The command line: which commands there are, and how each of them ends.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::{Arg, ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Environment, Loaded, table, variable_of};
use exit::{Exit, Failure};

mod bench;
mod check_config;
mod doctor;
mod exit;
mod healthcheck;
mod history;
mod http;
mod logs;
mod output;
mod publish;
mod reference;
mod serve;
mod subscribe;
mod token;

/// Does what `arguments` say, the program's name first, and returns how it ended.
pub(crate) fn run(arguments: Vec<OsString>, environment: &Environment) -> ExitCode {
    let command = command();
    let others = other_variables(&command);
    let parsed = command.try_get_matches_from(arguments).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        Ok((cli, matches))
    });
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        // To clap, asking for help or the version is an error too, one for stdout.
        Err(error) => {
            _ = error.print();
            return match error.use_stderr() {
                true => Exit::Usage.into(),
                false => Exit::Done.into(),
            };
        }
    };
    let load = |file: ConfigFile| {
        Loaded::load(
            innermost(&matches),
            environment,
            &others,
            file.path.as_deref(),
        )
        .map_err(|error| Failure::new(Exit::Usage, error))
    };
    let outcome = match cli.action {
        Action::Serve(file) => load(file).and_then(|it| serve::run(it, environment)),
        Action::Publish(args) => publish::run(args),
        Action::Subscribe(args) => subscribe::run(args),
        Action::History(args) => history::run(args, load),
        Action::Token(args) => token::run(*args),
        Action::Bench(args) => bench::run(&args),
        Action::Doctor(args) => doctor::run(args),
        Action::CheckConfig(file) => load(file).and_then(check_config::run),
        Action::Healthcheck(args) => healthcheck::run(&args),
        Action::Reference(args) => reference::run(&args),
    };
    match outcome {
        Ok(()) => Exit::Done.into(),
        // `| head -1` has had enough.
        Err(failure) if failure.is_broken_pipe() => Exit::Done.into(),
        Err(failure) => failure.tell(),
    }
}

/// A real-time push hub for Server-Sent Events
#[derive(Debug, Parser)]
#[command(name = "fanfare", version, after_help = exit::table())]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run a hub
    ///
    /// Once it takes connections, it prints this line by itself to stdout, for scripts to wait for:
    ///
    ///     fanfare is ready on http://127.0.0.1:3000
    ///
    /// SIGTERM and SIGINT drain it: streams end one by one. A second signal ends it at once.
    ///
    /// The environment of a Mercure hub works too (MERCURE_PUBLISHER_JWT_KEY,
    /// MERCURE_EXTRA_DIRECTIVES, SERVER_NAME and so on); FANFARE_ variables and flags win over it.
    #[command(verbatim_doc_comment)]
    Serve(ConfigFile),
    /// Publish an event; prints its id
    Publish(publish::Args),
    /// Print events as they come
    ///
    /// A connection that was lost is made again, and goes on after the last event. It ends when
    /// the hub refuses, or is never reached at all.
    Subscribe(subscribe::Args),
    /// Look at the history that a hub keeps on its disk, save it, and cut it
    ///
    /// `stats`, `verify`, `export` and `backup` work beside the hub that uses it; `import` and `trim`
    /// want it to themselves.
    History(history::Args),
    /// Make a token, or inspect one
    Token(Box<token::Args>),
    /// Put load on a hub, and count events lost, doubled or out of order
    Bench(bench::Args),
    /// Look from outside at what proxies do to a hub's streams, and say what to change
    ///
    /// It subscribes as a browser would, publishes some events to a topic of its own (with --token,
    /// or to a hub in development), comes back for one that it missed, and watches an idle stream.
    Doctor(doctor::Args),
    /// Print every setting and where it came from
    CheckConfig(ConfigFile),
    /// Ask a hub whether it is ready; the exit code answers
    Healthcheck(healthcheck::Args),
    /// Print a page of the reference
    #[command(hide = true)]
    Reference(reference::Args),
}

/// The commands to which [`command`] adds the table of settings.
const CONFIGURED: [&str; 2] = ["serve", "check-config"];

#[derive(Debug, Args)]
struct ConfigFile {
    /// Configuration file, in TOML
    #[arg(long = "config", value_name = "FILE", env = "FANFARE_CONFIG")]
    path: Option<PathBuf>,
}

/// [`Cli`], with the settings in the commands that take them.
fn command() -> Command {
    let table = table();
    let command = CONFIGURED.iter().fold(Cli::command(), |command, name| {
        command.mut_subcommand(name, |command| {
            command.args(table.get_arguments().map(with_variable))
        })
    });
    command.mut_subcommand("history", |history| {
        history.mut_subcommands(|command| {
            let taken = |setting: &&Arg| history::takes(command.get_name(), setting);
            let settings: Vec<Arg> = table
                .get_arguments()
                .filter(taken)
                .map(with_variable)
                .collect();
            command.args(settings)
        })
    })
}

/// The arguments of the command that was chosen, not of those that lead to it.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    match matches.subcommand() {
        Some((_, matches)) => innermost(matches),
        None => matches,
    }
}

/// A setting whose help names its variable.
fn with_variable(setting: &Arg) -> Arg {
    let variable = setting.get_long().map(variable_of).unwrap_or_default();
    let named = |help: &StyledStr| format!("{help} [env: {variable}]");
    let mut setting = setting.clone();
    if let Some(help) = setting.get_help().map(named) {
        setting = setting.help(help);
    }
    if let Some(help) = setting.get_long_help().map(named) {
        setting = setting.long_help(help);
    }
    setting
}

/// Variables of ours that are no settings.
fn other_variables(command: &Command) -> Vec<String> {
    let variable = |arg: &Arg| Some(arg.get_env()?.to_str()?.to_owned());
    let commands = command.get_subcommands();
    commands
        .flat_map(|command| command.get_arguments().filter_map(variable))
        .collect()
}
