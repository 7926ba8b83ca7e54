"""Data parallelism: what the processes that train one net together can do, and in what they differ."""

import signal
from typing import Any

import numpy as np
import torch
from jsonargparse import Namespace
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_anndl.errors import InputError
from lit_anndl.training.data import InMemoryData

STRATEGIES = ("auto", "ddp")
"""Those that keep all weights in each process, as steps and checkpoints expect."""


class RankStream(Callback):
    """Gives each rank random numbers of its own, a function of seed and rank, for dropout and noise.

    Until the fit all draw the same, for equal weights and data; rank 0 goes on as a single process does.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seeds the generators of all ranks but the first; the states of a checkpoint come after."""
        if rank := trainer.global_rank:
            (seed,) = np.random.SeedSequence(torch.initial_seed(), spawn_key=(rank,)).generate_state(1, np.uint64)
            torch.manual_seed(int(seed))


class OwnSignals(Callback):
    """Keeps SIGTERM's handler from Lightning's, which waits for other processes that may be waiting for this one."""

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts it back."""
        self._put_back(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts it back."""
        self._put_back(trainer)

    def _put_back(self, trainer: Trainer) -> None:
        if trainer.world_size > 1:
            signal.signal(signal.SIGTERM, self.handler)


def random_states() -> list[dict[str, torch.Tensor]]:
    """The states of the random number generators of all ranks; a common act of theirs."""
    own = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        own["cuda"] = torch.cuda.get_rng_state()
    if not distributed.is_initialized():
        return [own]
    states: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(states, own)
    return states


def share_buffers(net: nn.Module) -> None:
    """Gives all ranks the buffers of rank 0, as the statistics of batch norm, which are those that are saved.

    DistributedDataParallel does so before each forward pass, but not where Lightning leaves the steps to the module.
    """
    if distributed.is_initialized():
        for buffer in net.buffers():
            distributed.broadcast(buffer, src=0)


def is_lost_connection(error: RuntimeError) -> bool:
    """Whether an error says that another process has gone; gloo's have no type of their own."""
    return isinstance(error, distributed.DistError) or "gloo/" in str(error)


def processes_to_start(trainer: Trainer) -> int:
    """How many processes a run needs that nobody has started yet; 1 if this one will do, or is one of them."""
    environment = cluster(trainer)
    return trainer.world_size if environment and not environment.creates_processes_externally else 1


def cluster(trainer: Trainer) -> ClusterEnvironment | None:
    """What starts the processes of data parallelism: Lightning, Slurm, torchrun, …; None on a single device."""
    return trainer.strategy.cluster_environment if isinstance(trainer.strategy, DDPStrategy) else None


def check_strategy(given: str | Namespace) -> None:
    """Refuses ways to train that the exercises were not made for."""
    name = given if isinstance(given, str) else given.class_path
    if name.lower() not in STRATEGIES:
        raise InputError(f"trainer.strategy: {name} was given, expected {' or '.join(STRATEGIES)}")


def check_processes(trainer: Trainer, data: InMemoryData, model: LightningModule, sync_batchnorm: bool) -> None:
    """Refuses what data parallelism cannot do.

    Raises:
        InputError: there are other processes than a cluster has started; the net has no gradients; the order of the
            examples matters; they are fewer than processes; batch norm is to be synchronised on CPUs, or gets single
            examples.
    """
    environment, processes = cluster(trainer), trainer.world_size
    if environment is None:
        return
    check_cluster(trainer, environment)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(f"trainer.devices: {processes} processes have no gradients to share here, expected 1")
    if processes > 1 and not data.shuffle:
        raise InputError(f"trainer.devices: {processes} processes cannot share examples whose order counts, expected 1")
    if (examples := len(data.train[0])) < processes:
        raise InputError(f"{examples} training examples cannot be shared by {processes} processes")
    if not any(isinstance(layer, _BatchNorm) for layer in model.modules()):
        return
    if sync_batchnorm and trainer.strategy.root_device.type == "cpu":
        raise InputError("trainer.sync_batchnorm: true was given, but torch synchronises batch norm on GPUs only")
    if not sync_batchnorm and data.smallest_batch(processes) == 1:
        raise InputError(
            f"data.batch_size {data.batch_size} leaves a batch of one example for each of {processes} processes, which "
            "batch norm cannot standardise; expected another"
        )


def check_cluster(trainer: Trainer, environment: ClusterEnvironment) -> None:
    """Refuses machines that nobody starts processes on, and another number of processes than the cluster's."""
    if isinstance(environment, LightningEnvironment) and trainer.num_nodes > 1:
        raise InputError(
            f"trainer.num_nodes: {trainer.num_nodes} was given, expected 1 where no cluster (srun, torchrun) starts "
            "the processes of the others"
        )
    environment.validate_settings(num_devices=trainer.num_devices, num_nodes=trainer.num_nodes)
