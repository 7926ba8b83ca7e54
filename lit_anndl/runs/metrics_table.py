"""A run's metrics as a terminal shows them."""

from collections.abc import Mapping

_STAGES = ("test", "val", "train")
_UNITS = {"seconds": " s", "bytes": " B", "psnr": " dB", "snr": " dB"}
"""By a word of a metric's name; the others have none, or that of the data."""
_OVER_ORIGINS = ("median", "mean", "lower", "upper")


def metrics_table(metrics: Mapping[str, float]) -> str:
    """Metrics with their units, one a line: test, validation, training, then the rest; what says nothing is left out.

    >>> print(metrics_table({"seconds/fit": 2.5, "train/mse": 0.25, "parameters": 0.0, "test/mse": 0.5}))
    test/mse     0.5
    train/mse    0.25
    seconds/fit  2.5 s
    """
    shown = sorted((name for name in metrics if not _says_nothing(name, metrics)), key=_place)
    width = max(map(len, shown), default=0)
    return "\n".join(f"{name:{width}}  {metrics[name]:.6g}{_unit(name)}" for name in shown)


def _place(name: str) -> tuple[int, str]:
    """Where a metric stands: by its stage, then by its name."""
    stage = name.partition("/")[0]
    return (_STAGES.index(stage) if stage in _STAGES else len(_STAGES), name)


def _unit(name: str) -> str:
    return next((unit for word, unit in _UNITS.items() if word in name.split("/")), "")


def _says_nothing(name: str, metrics: Mapping[str, float]) -> bool:
    """Whether there is no such thing here: no parameters, nothing remembered, quantiles of a single origin."""
    if name in ("parameters", "bytes/optimizer"):
        return metrics[name] == 0
    whole, _, kind = name.rpartition("_")
    if kind not in _OVER_ORIGINS or whole not in metrics:
        return False
    return all(metrics.get(f"{whole}_{each}", metrics[whole]) == metrics[whole] for each in _OVER_ORIGINS)
