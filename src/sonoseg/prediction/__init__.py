"""Image -> Prediction -> lesions; never torch."""
