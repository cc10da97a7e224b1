//! From rows to bars: the fold and what it is made of. Start at `fold`.
//!
//! `row` says what a row is, `book` what a book is, `standing` how the state
//! goes from event end to event end, `tally` what a bar adds up, `finish` what a bar says in the end.

pub(crate) mod book;
pub(crate) mod finish;
pub(crate) mod fold;
pub(crate) mod row;
pub(crate) mod rules;
mod standing;
mod tally;
