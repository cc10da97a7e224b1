//! What predicts: statistical forecasters, gradient-boosted trees, ONNX, and programs on a pipe.
