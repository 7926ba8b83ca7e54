"""Session 2: recurrent neural networks."""
