//! Developers’ commands.

fn main() {}
