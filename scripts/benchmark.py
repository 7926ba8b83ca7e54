"""Ours against what a user would run instead: ratios, side by side in one process, medians over rounds.

    python scripts/benchmark.py [PART ...] [--rounds 5] [--root DIR] [--device cpu|cuda]

Rounds interleave the contenders, so that a busy machine slows all of them. Nothing is asserted.

surface    seconds per epoch of the five optimizers of exercise 1.3: `ours` is a fit with everything on (tracking on
           SQLite with every metric sent, checkpoints, callbacks), `lean` a hand-written loop over tensors on one
           thread, its optimizers fused, `course` the course's loop over TensorDataset and DataLoader, `plain` a
           Lightning Trainer with that DataLoader.
seeds      milliseconds per epoch and seed of five seeds of surface by each first-order optimizer, whole fits: ours as
           one program, ours one after the other, and the course's loop.
search     milliseconds per epoch and network of 16 learning rates for surface, whole fits: ours as one program, and one
           after the other.
mnist_cnn  seconds per epoch with validation: ours, a lean loop over tensors on one thread or all, whichever is faster,
           and a plain Lightning Trainer over torchvision's MNIST with ToTensor; both in another process, over the net
           as it is published, of torch's own layers, pooling after ReLU.
features   seconds per epoch with validation of autoencoder, cnn and vit: ours, and a lean loop over the same net, on
           one thread or all, whichever is faster, in another process; of the first two as many as their presets have.
rbm        seconds per pass of rbm and of scikit-learn's BernoulliRBM, batches of 10 and 100, and what either reaches.
vae        seconds per epoch with validation of vae, vae_burda and iwae: ours, a lean loop over the same net and
           loss, and one with torch's binary cross-entropy, on one thread or all, whichever is faster; several epochs
           of those whose epochs are short.
gan        seconds per epoch of gan without validation: ours, and a lean loop over the same nets, on one thread or all.
flow       seconds of flow for some steps, without validation, in batches of its preset's size: ours, and a lean loop
           over the same net, on one thread or all, whichever is faster, in another process.
diffusion  the same of diffusion.
hopfield   seconds for 20 iterations of 10 000 noisy digits in 784 units: one batched call, a NumPy loop over states.
santafe    seconds for the closed loops of 90 origins, 100 steps each: one batched rollout, a loop over origins.
checkpoint milliseconds that an epoch of mnist_cnn spends on its two checkpoints, to be set against its length.
startup    seconds of whole commands, as multiples of importing lightning.pytorch and mlflow.
device     on the device of --device, one GPU or the CPU: seconds of a fit of mnist_cnn until 99 % of the validation
           images are right, with tracking and all; then, once each, seconds of the study `optimizers`, ten rows by
           five seeds, a tenth of its epochs; trials per minute of a small study by one worker, and by two that share
           the device; milliseconds per epoch and network of 256 learning rates for surface, whole fits: ours as one
           program, and eight of them one after the other.

By default all parts run but device, and with --device cuda device alone.
"""

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

from benchmark_adversarial import gan
from benchmark_commands import checkpoint, startup
from benchmark_device import device, take_gpu
from benchmark_energy_based import rbm
from benchmark_likelihood import diffusion, flow
from benchmark_recurrent import hopfield, santafe
from benchmark_supervised import features, mnist_cnn, search, seeds, surface
from benchmark_variational import vae

from lit_anndl.data.digits.dataset_files import data_directory
from lit_anndl.runtime.terminal import quieten


def main() -> None:
    """Runs the parts asked for."""
    parts = {
        "surface": surface,
        "seeds": seeds,
        "search": search,
        "mnist_cnn": mnist_cnn,
        "features": features,
        "rbm": rbm,
        "vae": vae,
        "gan": gan,
        "flow": flow,
        "diffusion": diffusion,
        "hopfield": hopfield,
        "santafe": santafe,
        "checkpoint": checkpoint,
        "startup": startup,
        "device": device,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], help="what to measure (default: see above)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--root", type=Path, default=data_directory(), help="folder of torchvision's MNIST")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of the part device (default: cpu)")
    options = parser.parse_args()
    on_gpu = options.device == "cuda"
    if on_gpu and not take_gpu():
        parser.exit(2, f"{parser.prog}: --device: cuda was given, expected cpu, for torch finds no GPU here\n")
    if not on_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # what ours is set against runs on the CPU
    parts["device"] = partial(device, accelerator=options.device)
    by_default = ["device"] if on_gpu else [name for name in parts if name != "device"]
    quieten()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        for name in options.parts or by_default:
            parts[name](options.rounds, options.root)


if __name__ == "__main__":
    main()
