//! SQL over the lake, with DataFusion. Empty without the feature `sql`.
