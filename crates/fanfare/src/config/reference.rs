//! Writes `docs/reference/configuration.md` from the table of settings.

use std::fmt::Write;

use clap::Arg;

use super::environment::variable_of;
use super::loaded::{key_of, names_of, table};

/// The page, in Markdown.
pub(crate) fn page() -> String {
    let table = table();
    let mut page = HEAD.to_owned();
    let mut heading = "";
    let mut settings: Vec<&Arg> = table.get_arguments().collect();
    // A stable sort: settings of a heading come together, in the order of the table.
    let headings: Vec<_> = settings
        .iter()
        .map(|setting| setting.get_help_heading())
        .collect();
    settings.sort_by_key(|setting| {
        headings
            .iter()
            .position(|heading| *heading == setting.get_help_heading())
    });
    for setting in settings {
        let under = setting.get_help_heading().unwrap_or_default();
        if under != heading {
            heading = under;
            _ = write!(page, "\n## {heading}\n");
        }
        page.push_str(&section(setting));
    }
    page
}

const HEAD: &str = "\
# Configuration

Every setting of `fanfare serve` can be given in three places. A flag beats a variable, a variable
beats the file, and the file beats the default. `fanfare check-config` prints what holds, and where
each value came from.

- **Flag**: `--stall-timeout 45s`. A setting that is a list can be given several times.
- **Variable**: `FANFARE_STALL_TIMEOUT=45s`. An empty variable counts as not set. The `MERCURE_*`
  variables of a Mercure hub are read too; `FANFARE_*` beats them:
  [coming from Mercure](../migrate-from-mercure.md).
- **File**: TOML, named by `--config FILE` or `FANFARE_CONFIG`, one key for each setting:

  ```toml
  stall-timeout = \"45s\"
  cors-origin = [\"https://example.com\", \"https://*.example.org\"]
  ```

A key or a `FANFARE_` variable that does not exist is an error, and the message names the nearest
one that does. Times are a whole number with `ms`, `s`, `m`, `h` or `d`, or several of them (`1h30m`);
bytes a whole number, alone or with `KiB`, `MiB` or `GiB`. Some settings have a second name, the one of
Mercure's directive, which is as good in all three places.
";

fn section(setting: &Arg) -> String {
    let key = key_of(setting);
    let help = setting.get_long_help().or(setting.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    // The first paragraph is a line without its full stop, as command-line help has it.
    let (first, rest) = help.split_once("\n\n").unwrap_or((&help, ""));
    let mut section = format!("\n### `{key}`\n\n{first}.\n");
    if !rest.is_empty() {
        _ = write!(section, "\n{rest}\n");
    }

    if !setting.is_hide_possible_values_set() {
        section.push_str(&choices(setting));
    }
    _ = write!(section, "\nVariable `{}`", variable_of(key));
    let defaults = setting.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|it| it.to_string_lossy()).collect();
    if !defaults.is_empty() {
        _ = write!(section, ", default `{}`", defaults.join(","));
    }
    section.push('.');
    for other in names_of(setting).skip(1) {
        _ = write!(section, " Also `{other}`.");
    }
    section.push('\n');
    section
}

fn choices(setting: &Arg) -> String {
    let mut list = String::new();
    for (index, choice) in setting.get_possible_values().iter().enumerate() {
        let help = choice
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let space = if index == 0 { "\n" } else { "" };
        _ = writeln!(list, "{space}- `{}`: {help}", choice.get_name());
    }
    list
}
