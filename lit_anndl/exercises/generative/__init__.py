"""Session 4: generative models."""
