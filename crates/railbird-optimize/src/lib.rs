//! Bounded global minimisation: exact piecewise-affine search, DIRECT, DIRECT-L, differential evolution.
