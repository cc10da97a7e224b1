//! Snapshots with ordered updates, shared bytes, and descriptions of what a field serves
