"""Training: configuration, batches, augmentation, losses and the loop."""
