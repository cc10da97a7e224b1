//! The railbird binary: arguments, configuration and wiring.

fn main() {}
