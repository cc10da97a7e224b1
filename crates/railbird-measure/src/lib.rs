//! Scores that carry their baseline, and latency histograms
