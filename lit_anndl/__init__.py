"""Exercises on artificial neural networks and deep learning, reproducible by one command each."""
