//! Instants, columns on a clock, their codings, resampling and as-of joins
