"""Data parallelism: what the processes that train one net together can do, and what is refused."""

import os

import torch
from jsonargparse import Namespace
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.runtime.errors import InputError

_STRATEGIES = ("auto", "ddp")
"""Those that keep all weights in each process, as steps and checkpoints expect."""


def stop_asking_for_gpus() -> None:
    """Spares Adam and its like a search for NVIDIA's library at each step, 60 µs long, on a machine without a GPU.

    Lightning has torch ask that library whether there is one, so that asking does not keep a process from forking;
    where it is missing torch looks for it each time, and then asks the driver after all.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"


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


def check_accelerator(given: str | Namespace) -> None:
    """Refuses hardware that this machine does not have."""
    here = [name for name, entry in AcceleratorRegistry.items() if entry["accelerator"].is_available()]
    names = ["auto", *here, *(["gpu"] if {"cuda", "mps"} & set(here) else [])]
    if isinstance(given, str) and given not in names:
        raise InputError(f"trainer.accelerator: {given} was given, expected one that is here: {', '.join(names)}")


def check_strategy(given: str | Namespace) -> None:
    """Refuses ways to train that the exercises were not made for."""
    name = given if isinstance(given, str) else given.class_path
    if name.lower() not in _STRATEGIES:
        raise InputError(f"trainer.strategy: {name} was given, expected {' or '.join(_STRATEGIES)}")


def check_processes(trainer: Trainer, data: InMemoryData, model: LightningModule, sync_batchnorm: bool) -> None:
    """Refuses what data parallelism cannot do, and batches that a single process cannot train on.

    Raises:
        InputError: there are other processes than a cluster has started; the net has no gradients; the order of the
            examples matters; they are fewer than processes; batch norm is to be synchronised on CPUs, or gets single
            examples.
    """
    environment, processes = cluster(trainer), trainer.world_size
    if environment is None:
        _check_last_batch(data, model)
        return
    _check_cluster(trainer, environment)
    if not model.shares_gradients or not any(parameter.requires_grad for parameter in model.parameters()):
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


def _check_last_batch(data: InMemoryData, model: LightningModule) -> None:
    """Refuses a last batch of one example where batch norm has nothing else to standardise over."""
    if any(isinstance(layer, nn.BatchNorm1d) for layer in model.modules()) and data.smallest_batch() == 1:
        raise InputError(
            f"data.batch_size {data.batch_size} leaves a last batch of one of {len(data.train[0])} training examples, "
            "which batch norm cannot standardise; expected another"
        )


def _check_cluster(trainer: Trainer, environment: ClusterEnvironment) -> None:
    """Refuses machines that nobody starts processes on, and another number of processes than the cluster's."""
    if isinstance(environment, LightningEnvironment) and trainer.num_nodes > 1:
        raise InputError(
            f"trainer.num_nodes: {trainer.num_nodes} was given, expected 1 where no cluster (srun, torchrun) starts "
            "the processes of the others"
        )
    environment.validate_settings(num_devices=trainer.num_devices, num_nodes=trainer.num_nodes)
