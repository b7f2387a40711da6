//! Holds a Mercure hub to the protocol's rules, from outside: `cargo xtask conformance`.
//!
//! It knows the rules and nothing of Fanfare, so it judges any hub that speaks plain HTTP.
//! `docs/reference/conformance.md` says how to run it and how to read what it prints.
#![forbid(unsafe_code)]

mod case;
mod cases;
mod clock;
mod http;
mod hub;
mod objection;
mod probe;
mod report;
mod rules;
mod serve;
mod setup;
mod stream;
mod suite;
mod token;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use url::Url;

use case::Case;
use hub::{Dialect, HUB, Hub};
use objection::Objection;
use report::Tally;
use setup::Offer;
use suite::Place;

/// Holds a Mercure hub to the protocol's rules
#[derive(Debug, Parser)]
#[command(name = "cargo xtask conformance", bin_name = "cargo xtask conformance")]
struct Args {
    /// Rule ids, or parts of the names of cases; all cases if none is named
    words: Vec<String>,

    /// The hub, such as http://127.0.0.1:3000
    #[arg(long, required_unless_present_any = ["serve", "list"])]
    url: Option<Url>,

    /// Key of publishers' and subscribers' tokens, for HMAC with SHA-256
    #[arg(long, default_value = KEY)]
    key: String,

    /// Only the cases of this dialect
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<Dialect>,

    /// Count as failed what differs where the specification leaves it open
    #[arg(long)]
    strict: bool,

    /// Start Fanfare itself, as each case needs it
    #[arg(long, value_name = "PROGRAM", conflicts_with = "url", num_args = 0..=1,
          default_missing_value = "target/debug/fanfare")]
    serve: Option<PathBuf>,

    /// Whether the hub admits subscribers without a token; asked for if not said
    #[arg(long, value_name = "BOOL")]
    anonymous: Option<bool>,

    /// An origin whose pages the hub lets read
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Option<String>,

    /// An origin whose pages the hub lets publish with a cookie
    #[arg(long, value_name = "ORIGIN")]
    publish_origin: Option<String>,

    /// Issuer of the newer dialect's tokens
    #[arg(long, value_name = "URL", default_value = "https://localhost")]
    issuer: String,

    /// The hub's resource identifier; its URL if not said
    #[arg(long, value_name = "URL")]
    audience: Option<String>,

    /// Also the cases that publish thousands of events
    #[arg(long)]
    heavy: bool,

    /// Leave what has passed out of the table
    #[arg(long)]
    failures: bool,

    /// Print every rule with its cases, or why it has none, and end
    #[arg(long)]
    list: bool,
}

/// The widespread key of demonstrations (CF-24).
const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

fn main() -> ExitCode {
    let args = Args::parse();
    if args.list {
        say(&report::list(&cases::all()));
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("conformance cannot run: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Whether no case has failed.
fn run(args: &Args) -> anyhow::Result<bool> {
    let mut cases = cases::all();
    cases.retain(|case| args.dialect.is_none_or(|only| only == case.dialect));
    cases.retain(|case| args.words.is_empty() || args.words.iter().any(|word| named(case, word)));
    ensure!(!cases.is_empty(), "no case has such a name or rule");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcomes = runtime.block_on(async {
        let place = place(args).await?;
        anyhow::Ok(suite::run(&cases, &place, args.heavy).await)
    })?;
    say(&report::table(&cases, &outcomes, args.failures));
    let mut is_passed = true;
    for dialect in [Dialect::D0, Dialect::D1, Dialect::Both] {
        if cases.iter().any(|case| case.dialect == dialect) {
            let tally = Tally::of(dialect, &cases, &outcomes, args.strict);
            say(&tally.line(dialect));
            is_passed &= !tally.has_failed();
        }
    }
    Ok(is_passed)
}

fn named(case: &Case, word: &str) -> bool {
    case.rules.contains(&word) || case.name.contains(word)
}

async fn place(args: &Args) -> anyhow::Result<Place> {
    if let Some(program) = &args.serve {
        return Ok(Place::Started {
            program: program.clone(),
            key: args.key.clone(),
        });
    }
    let url = args.url.as_ref().context("--url or --serve is needed")?;
    ensure!(
        url.scheme() == "http",
        "the suite speaks plain HTTP; give the URL of a hub behind its TLS"
    );
    ensure!(
        matches!(url.path(), "/" | HUB),
        "a hub's path is {HUB} (D0-U1)"
    );
    let host = url.host_str().context("--url has no host")?;
    let port = url.port_or_known_default().unwrap_or(80);
    let authority = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let hub = Hub {
        address: format!("{host}:{port}"),
        audience: match &args.audience {
            Some(audience) => audience.clone(),
            None => format!("http://{authority}{HUB}"),
        },
        authority,
        process: None,
        key: args.key.clone(),
        issuer: args.issuer.clone(),
        offer: Offer {
            cors_origin: args.cors_origin.clone(),
            publish_origin: args.publish_origin.clone(),
            ..Offer::default()
        },
        dialect: Dialect::Both,
        tag: uuid::Uuid::new_v4().to_string(),
    };
    match probe::probe(hub, args.anonymous).await {
        Ok(hub) => {
            // Else all would be skipped, and that looks like success.
            let speaks = match args.dialect {
                None => hub.offer.d0 || hub.offer.d1,
                Some(Dialect::D0) => hub.offer.d0,
                Some(Dialect::D1) => hub.offer.d1,
                Some(Dialect::Both) => hub.offer.d0 && hub.offer.d1,
            };
            ensure!(
                speaks,
                "{url} takes no token of this key, or does not speak the dialect; see --key, \
                 --issuer and --audience"
            );
            Ok(Place::Given(Box::new(hub)))
        }
        Err(Objection::Failed { expected, got }) => bail!("{url}: wanted {expected}, got {got}"),
        Err(Objection::Inapplicable(why)) => bail!("{url}: {why}"),
    }
}

fn say(text: &str) {
    // `| head -1` has had enough.
    _ = writeln!(io::stdout(), "{}", text.trim_end());
}
