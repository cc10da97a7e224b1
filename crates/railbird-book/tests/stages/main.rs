//! Levels, episodes, features, vectors and retrieval over bars, against plain readings of their definitions.

mod features;
mod levels;
mod oracle;
mod prefix;
mod retrieve;
mod support;
