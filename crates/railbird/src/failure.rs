//! How a command ends: done, partly done, or one of three failures, each with its exit code.

use std::{fmt, process::ExitCode};

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was done.
    Done,
    /// Something was measured and missed its target.
    Missed,
    /// A whole stream, file or session was skipped, and listed.
    Partly,
    /// All of the input was refused, each part with its reason in the result.
    Refused,
}

/// Why a command failed. The text names the file or URL, the place in it, what was expected and what to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Tried and failed: 1.
    Failed(anyhow::Error),
    /// The command line or configuration is wrong: 2.
    Usage(String),
    /// The input cannot be used, and nothing was written: 3.
    Refused(anyhow::Error),
}

impl Outcome {
    /// Exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Missed => 1,
            Self::Refused => 3,
            Self::Partly => 4,
        }
    }
}

impl Failure {
    /// A wrong command line or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// Input that cannot be used.
    pub(crate) fn refused(error: impl Into<anyhow::Error>) -> Self {
        Self::Refused(error.into())
    }

    /// Input that cannot be used, in words.
    pub(crate) fn refused_because(message: impl Into<String>) -> Self {
        Self::Refused(anyhow::Error::msg(message.into()))
    }

    /// Exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
        }
    }

    /// Word for the kind, as in the JSON form.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Usage(_) => "usage",
            Self::Refused(_) => "refused",
        }
    }

    /// Whether the reader of our output went away, which is how `| head` ends and no failure.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let (Self::Failed(error) | Self::Refused(error)) = self else { return false };
        error.chain().any(|cause| {
            cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => to.write_str(message),
            Self::Failed(error) | Self::Refused(error) => write!(to, "{error:#}"),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}
