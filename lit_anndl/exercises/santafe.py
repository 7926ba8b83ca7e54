"""The Santa Fe laser forecast as well as we can: an ensemble that learns its own frequencies (beyond exercise 2.2)."""

from lit_anndl.exercises.santafe_mlp import SantaFeMLP


class SantaFe(SantaFeMLP):
    """Sinusoidal units over short windows, trained several steps ahead with noise, averaged over an ensemble."""
