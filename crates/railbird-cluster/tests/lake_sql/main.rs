//! SQL over lakes.
