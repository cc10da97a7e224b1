//! Partitioned Parquet data sets on local disk or object storage, with manifests, atomic commits and a stage graph.
