//! Walk-forward folds with purge and embargo, ledgers and bankrolls.
