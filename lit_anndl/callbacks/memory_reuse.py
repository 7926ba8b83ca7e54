"""Memory of a run's tensors, used again from step to step."""

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_anndl.runtime.heap import keep_freed_memory, return_freed_memory


class MemoryReuse(Callback):
    """Keeps freed memory for the tensors to come, and hands it back after the fit and after the test.

    No number depends on it.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """From here on the process keeps it."""
        keep_freed_memory()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Hands it back after a failure too, when Lightning tears nothing down."""
        return_freed_memory()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Hands back what is free."""
        return_freed_memory()
