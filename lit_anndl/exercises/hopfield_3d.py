"""A Hopfield network of three units: symmetric starts and the unstable states they stay on (exercise 2.1)."""

from lit_anndl.exercises.shared.small_memory import SmallMemory


class Hopfield3D(SmallMemory):
    """Patterns in the cube, stored in three units."""

    dimensions = 3
