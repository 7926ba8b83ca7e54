"""Parts of benchmark.py, flow and diffusion beside lean loops over the same nets: some steps, for epochs are long."""

from pathlib import Path

import torch
from contenders import ALL_THREADS, apart, ours, timed
from side_by_side import print_heading, print_row
from torch.nn.utils import clip_grad_norm_

from lit_anndl.config.configuration import parse

_STEPS = {"flow": 15, "diffusion": 10}
_MONITORS = {"flow": "train/bits_per_dimension", "diffusion": "train/loss"}


def flow(rounds: int, _: Path) -> None:
    """The steps of flow."""
    _compare("flow", rounds)


def diffusion(rounds: int, _: Path) -> None:
    """The steps of diffusion."""
    _compare("diffusion", rounds)


def _compare(exercise: str, rounds: int) -> None:
    names = ("ours", "lean")
    steps = _STEPS[exercise]
    print_heading(f"{exercise}, ms", names)
    words = _words(exercise)
    measured = [{"ours": ours(exercise, 1, *words), "lean": apart(lean_seconds, exercise)} for _ in range(rounds)]
    print_row(f"{steps} steps", names, measured)


def lean_seconds(exercise: str) -> float:
    """Seconds of the loop that one would write by hand; what is learnt goes on on the other number of threads."""
    made = parse(exercise, _words(exercise)).instantiate()
    data, model, bound = made.data, made.model, made.trainer.gradient_clip_val
    data.setup("fit")
    images = data.train[0]
    optimizer = torch.optim.Adam(model.net.parameters(), lr=1e-3, fused=True)
    model.train()

    def epoch() -> None:
        for indices in torch.randperm(len(images)).split(data.batch_size):
            optimizer.zero_grad()
            loss = model.loss(model.measure(model(images[indices]), ()))
            loss.backward()
            clip_grad_norm_(model.net.parameters(), bound)
            optimizer.step()

    return min(timed(epoch, 1, threads) for threads in sorted({1, ALL_THREADS}))


def _words(exercise: str) -> list[str]:
    """As many images as the steps take, all for training."""
    size = _STEPS[exercise] * parse(exercise, []).values.data.init_args.batch_size
    words = {"data.train_size": size, "data.validation_fraction": 0, "checkpoint.monitor": _MONITORS[exercise]}
    return [word for key, value in words.items() for word in (f"--{key}", str(value))]
