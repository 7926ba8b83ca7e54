"""Parts of benchmark.py on nets trained by gradients: seconds per epoch of surface, mnist_cnn and features."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from contenders import ALL_THREADS, Plain, apart, course_epoch, lean_epoch, ours, plain, timed
from lightning.pytorch import Callback
from side_by_side import print_heading, print_row
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset, random_split
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from lit_anndl.config.configuration import parse
from lit_anndl.data.surface import SurfaceData
from lit_anndl.nets.cnn_architectures import VARIANTS
from lit_anndl.nets.convolutional import CNN
from lit_anndl.nets.encoder_decoder import Autoencoder
from lit_anndl.nets.mlp import MLP
from lit_anndl.nets.vision_transformer import VisionTransformer
from lit_anndl.runs.crew import run_together

LBFGS = {"lr": 1, "max_iter": 1, "max_eval": 26, "line_search_fn": "strong_wolfe"}
OPTIMIZERS: dict[str, tuple[type[Optimizer], dict[str, object], int]] = {
    "optim1": (torch.optim.SGD, {"lr": 0.05}, 1600),
    "optim2": (torch.optim.SGD, {"lr": 0.1}, 40),
    "optim3": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, 400),
    "optim4": (torch.optim.Adam, {"lr": 1e-3}, 400),
    "optim5": (torch.optim.LBFGS, LBFGS, 1600),
}
FUSED = ("optim1", "optim2", "optim3", "optim4")
"""What a careful hand would write in a lean loop, and the preset has of Adam; the course's loop does not."""
FAST_EPOCHS, SLOW_EPOCHS = 1000, 50
SEEDS = 5
TRIALS = 16


def surface_words(name: str) -> list[str]:
    """The options of `fit` for one of the optimizers."""
    cls, arguments, batch_size = OPTIMIZERS[name]
    words = ["--model.optimizer", cls.__name__, "--data.batch_size", str(batch_size)]
    return words + [w for key, value in arguments.items() for w in (f"--model.optimizer.{key}", str(value))]


def surface_round(name: str) -> dict[str, float]:
    """Seconds per epoch of each contender, once."""
    cls, arguments, batch_size = OPTIMIZERS[name]
    data = SurfaceData(seed=0)
    data.setup("fit")
    words = surface_words(name)

    def make() -> tuple[MLP, Optimizer]:
        torch.manual_seed(0)
        net = MLP((2, 50, 50, 1))
        return net, cls(net.parameters(), **arguments)

    lean_net, _ = make()
    lean_optimizer = cls(lean_net.parameters(), **arguments, **({"fused": True} if name in FUSED else {}))
    course_net, course_optimizer = make()
    plain_net, _ = make()
    loader = DataLoader(TensorDataset(*data.train), batch_size=batch_size, shuffle=True)
    module = Plain(plain_net, mse_loss, lambda parameters: cls(parameters, **arguments), accuracy=False)
    return {
        "ours": ours("surface", FAST_EPOCHS, *words),
        "lean": timed(
            lambda: lean_epoch(lean_net, lean_optimizer, mse_loss, data.train, batch_size), FAST_EPOCHS, threads=1
        ),
        "course": timed(lambda: course_epoch(course_net, course_optimizer, mse_loss, loader), SLOW_EPOCHS, ALL_THREADS),
        "plain": plain(module, SLOW_EPOCHS, loader),
    }


def surface(rounds: int, _: Path) -> None:
    """The five optimizers, and their sum."""
    print_heading("surface, ms/epoch", names := ("ours", "lean", "course", "plain"))
    print_with_sum(names, [{name: surface_round(name) for name in OPTIMIZERS} for _ in range(rounds)])


def seeds(rounds: int, _: Path) -> None:
    """Five seeds of each first-order optimizer, and their sum."""
    first_order = [name for name in OPTIMIZERS if name != "optim5"]
    print_heading("five seeds of surface, ms/epoch and seed", names := ("ours", "in turn", "course"))
    print_with_sum(names, [{name: seeds_round(name) for name in first_order} for _ in range(rounds)])


def print_with_sum(names: Sequence[str], rounds: Sequence[dict[str, dict[str, float]]]) -> None:
    """A line per optimizer, of each round's seconds by contender, and their sum."""
    for optimizer in rounds[0]:
        print_row(optimizer, names, [one[optimizer] for one in rounds])
    print_row("all", names, [{n: sum(each[n] for each in one.values()) for n in names} for one in rounds])


def seeds_round(name: str) -> dict[str, float]:
    """Seconds per epoch and seed of each contender, once."""
    cls, arguments, batch_size = OPTIMIZERS[name]
    words = surface_words(name)
    together, in_turn = crew_seconds([[*words, "--seed_everything", str(seed)] for seed in range(SEEDS)])
    data = SurfaceData(seed=0)
    data.setup("fit")
    net = MLP((2, 50, 50, 1))
    optimizer = cls(net.parameters(), **arguments)
    loader = DataLoader(TensorDataset(*data.train), batch_size=batch_size, shuffle=True)
    return {
        "ours": together,
        "in turn": in_turn,
        "course": timed(lambda: course_epoch(net, optimizer, mse_loss, loader), SLOW_EPOCHS, ALL_THREADS),
    }


def search(rounds: int, _: Path) -> None:
    """Networks of one shape that differ in their learning rates, as the trials of a search."""
    print_heading(f"{TRIALS} rates of surface, ms", names := ("ours", "in turn"))
    for name in ("optim2", "optim4"):
        print_row(name, names, [search_round(name) for _ in range(rounds)])


def search_round(
    name: str, *words: str, trials: int = TRIALS, in_turn: int | None = None, epochs: int = FAST_EPOCHS
) -> dict[str, float]:
    """Seconds per epoch and network, once, with further options of `fit`."""
    rates = torch.logspace(-3, -1, trials).tolist()
    runs = [[*surface_words(name), "--model.optimizer.lr", str(rate), *words] for rate in rates]
    return dict(zip(("ours", "in turn"), crew_seconds(runs, in_turn, epochs), strict=True))


def crew_seconds(
    runs: Sequence[Sequence[str]], in_turn: int | None = None, epochs: int = FAST_EPOCHS
) -> tuple[float, float]:
    """Seconds per epoch and run of surface: all as one program, and these, or the first few, one after the other."""

    def fit(words: Sequence[str], companion: Callable[[], Callback] | None = None) -> None:
        ours("surface", epochs, *words, callbacks=[companion()] if companion else [])

    start = time.perf_counter()
    outcomes = run_together([partial(fit, words) for words in runs])
    middle = time.perf_counter()
    for error in filter(None, outcomes):
        raise error
    single = runs[:in_turn]
    for words in single:
        fit(words)
    end = time.perf_counter()
    return (middle - start) / (epochs * len(runs)), (end - middle) / (epochs * len(single))


def digits_round(exercise: str, net: nn.Module, epochs: int = 1) -> dict[str, float]:
    """Seconds per epoch with validation of an exercise, and of a lean loop over a net, once, both of so many epochs."""
    return {"ours": ours(exercise, epochs), "lean": apart(lean_seconds, exercise, net, epochs)}


def lean_seconds(exercise: str, net: nn.Module, epochs: int) -> float:
    """Seconds of the lean loop; ours chooses its number of threads, so it gets the better of one and all."""
    data = parse(exercise, []).instantiate().data
    data.setup("fit")
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    loss = mse_loss if exercise == "autoencoder" else cross_entropy
    train, validation = (_pairs(part, exercise) for part in (data.train, data.validation))

    def lean() -> None:
        net.train()
        lean_epoch(net, optimizer, loss, train, data.batch_size)
        net.eval()
        with torch.inference_mode():
            for images, targets in zip(*(tensor.split(1000) for tensor in validation), strict=True):
                loss(net(images), targets).item()

    return min(timed(lean, epochs, threads) for threads in sorted({1, ALL_THREADS}))


def _pairs(part: Sequence[Tensor], exercise: str) -> Sequence[Tensor]:
    """Inputs and targets: an autoencoder's targets are its inputs."""
    images, labels = part
    return (images.flatten(1),) * 2 if exercise == "autoencoder" else (images, labels)


def plain_round(root: Path) -> float:
    """Seconds per epoch of a plain Lightning Trainer over torchvision's MNIST, once."""
    train, validation = random_split(MNIST(root, transform=ToTensor()), [54_000, 6_000])
    loaders = DataLoader(train, batch_size=128, shuffle=True), DataLoader(validation, batch_size=1000)
    return plain(Plain(published_net(), cross_entropy, torch.optim.Adam, accuracy=True), 1, *loaders)


def published_net() -> nn.Module:
    """The net of mnist_cnn, layer by layer as it is published, of torch's own layers in its default memory format."""
    first, second = (
        (nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
        (nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
    )
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 10))


def mnist_cnn(rounds: int, root: Path) -> None:
    """An epoch of mnist_cnn."""
    names = ("ours", "lean", "plain")
    print_heading("mnist_cnn, ms/epoch", names)
    net = published_net().to(memory_format=torch.channels_last)  # the faster one
    measured = [{**digits_round("mnist_cnn", net), "plain": apart(plain_round, root)} for _ in range(rounds)]
    print_row("one epoch", names, measured)


def features(rounds: int, _: Path) -> None:
    """Epochs of autoencoder and cnn, as many as presets have, in which the start of a fit weighs little; of vit one."""
    names = ("ours", "lean")
    print_heading("session 3, ms/epoch", names)
    nets = {
        "autoencoder": (Autoencoder(784, 32), 20),
        "cnn": (CNN(VARIANTS["baseline"]), 20),
        "vit": (VisionTransformer(), 1),
    }
    for exercise, (net, epochs) in nets.items():
        print_row(exercise, names, [digits_round(exercise, net, epochs) for _ in range(rounds)])
