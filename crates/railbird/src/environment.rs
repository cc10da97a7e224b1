//! Everything that the program takes from its environment.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use directories::ProjectDirs;

/// The command line, the program's name first.
pub(crate) fn arguments() -> Vec<OsString> {
    env::args_os().collect()
}

/// Where this program lies, so that it can be started again.
pub(crate) fn this_program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// A variable; `None` where it is not set or not Unicode.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// The same command, each long flag of which may also be given as a variable: `--sims` as `RAILBIRD_SIMS`.
pub(crate) fn with_variables(command: clap::Command) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = command.mut_args(|argument| match argument.get_long().filter(|_| !argument.is_global_set()) {
        Some(long) if long != "help" && long != "version" => {
            let variable = format!("RAILBIRD_{}", long.to_uppercase().replace('-', "_"));
            argument.env(variable).hide_env(true)
        }
        _ => argument,
    });
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_variables))
}

/// The same command, flags of which have these values where neither they nor a variable are given.
pub(crate) fn with_defaults(command: clap::Command, defaults: &[(&'static str, String)]) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = command.mut_args(|argument| {
        let long = argument.get_long().map(|long| format!("--{long}"));
        match defaults.iter().find(|(flag, _)| long.as_deref() == Some(*flag)) {
            Some((_, value)) => argument.default_value(value.clone()),
            None => argument,
        }
    });
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, |sub| with_defaults(sub, defaults)))
}

/// The configuration file that a command line names, before anything else of it is understood.
pub(crate) fn named_configuration(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument.to_str().and_then(|argument| argument.strip_prefix("--config=")) {
            return Some(PathBuf::from(path));
        }
    }
    None
}

/// Whether colours are unwanted.
pub(crate) fn no_color() -> bool {
    variable("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The platform's folder for the data of this program.
pub(crate) fn platform_data_dir() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", "railbird")?.data_dir().to_owned())
}

/// The configuration file and whether it must exist: the flag, `RAILBIRD_CONFIG`, `railbird.toml` in the current
/// folder, `railbird.toml` in the platform's configuration folder.
pub(crate) fn configuration_file(flag: Option<&Path>) -> Option<(PathBuf, bool)> {
    let named = flag.map(Path::to_owned).or_else(|| variable("RAILBIRD_CONFIG").map(PathBuf::from));
    if let Some(path) = named {
        return Some((path, true));
    }
    let here = PathBuf::from("railbird.toml");
    if here.is_file() {
        return Some((here, false));
    }
    Some((ProjectDirs::from("", "", "railbird")?.config_dir().join("railbird.toml"), false))
}
