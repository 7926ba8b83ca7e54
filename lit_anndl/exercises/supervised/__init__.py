"""Session 1: supervised learning and generalization."""
