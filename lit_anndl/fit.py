"""Train and test one exercise: python -m lit_anndl.fit EXERCISE [--key value …]."""

import sys
import time
from collections.abc import Sequence

from lit_anndl.config import presets
from lit_anndl.config.listing import exercise_named, listing
from lit_anndl.runs.launcher import LOST_CONNECTION, ProcessGroup, join_group
from lit_anndl.runtime.command import DONE, Ending, run_command
from lit_anndl.runtime.errors import InputError, LostConnection, RunFailure
from lit_anndl.runtime.terminal import announce, quieten

_USAGE = """\
usage: python -m lit_anndl.fit EXERCISE [--config FILE] [--key value …]
       python -m lit_anndl.fit EXERCISE --resume RUN_ID [--trainer.max_epochs MORE]
       python -m lit_anndl.fit EXERCISE --help[=all] | --print_config[=skip_default]
       python -m lit_anndl.fit --list

Trains an exercise, tests it, and records the run in MLflow. Keys are dotted as in the printed configuration:

  python -m lit_anndl.fit surface --model.optimizer SGD --model.optimizer.lr 0.1 --data.batch_size 40
  python -m lit_anndl.fit mnist_cnn --data.train_size 4000 --trainer.max_epochs 10 --seed_everything 3

"""


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit code: 0 done, 1 a failure, 2 wrong input, 130 Ctrl-C, 143 SIGTERM."""
    launched = join_group()
    started = launched or time.time()
    return run_command("fit", lambda: _begin(argv, started, bool(launched)), lambda ending: _said(ending, argv))


def _begin(argv: Sequence[str], started: float, launched: bool) -> int:
    """Does what the words ask for."""
    if not argv or argv[0] in ("--help", "-h", "--list"):
        print(("" if "--list" in argv[:1] else _USAGE) + listing())
        return DONE
    try:
        return _fit(exercise_named(argv[0]), argv[1:], started, launched)
    except LostConnection:
        if launched:
            return LOST_CONNECTION  # the launcher knows whose fault it is
        raise


def _said(ending: Ending, argv: Sequence[str]) -> str:
    """Which run an ending is of, if one had begun, and what an interrupted user does next."""
    if isinstance(ending, InputError) or not ending.run_id:
        return str(ending)
    if isinstance(ending, RunFailure):
        return f"{ending} (run {ending.run_id})"
    return f"{ending}; go on with: python -m lit_anndl.fit {argv[0]} --resume {ending.run_id}"


def _fit(exercise: str, argv: Sequence[str], started: float, launched: bool) -> int:
    """Parses, runs and reports; imports torch, so it comes after everything that can be answered without."""
    if not launched and not _only_prints(argv):
        announce(f"{exercise}: {presets.summary(exercise)}")
    from lightning.pytorch.utilities import rank_zero_only

    from lit_anndl.config.help import help_text, print_all
    from lit_anndl.runs.compose import compose
    from lit_anndl.runs.results_text import results_text
    from lit_anndl.runs.resume import parse_command
    from lit_anndl.runs.run import execute

    quieten()
    if "--help=all" in argv:
        print_all(exercise)
        return DONE
    if {"--help", "-h"} & set(argv):
        print(help_text(exercise))
        return DONE
    configuration = parse_command(exercise, argv)
    parts = compose(configuration, started)
    if (processes := parts.processes) > 1:
        del parts  # each process has its own
        return ProcessGroup([sys.executable, "-m", "lit_anndl.fit", exercise, *argv], processes, started).run()
    result = execute(parts, configuration)
    rank_zero_only(print)(results_text(result))
    return DONE


def _only_prints(argv: Sequence[str]) -> bool:
    """Whether a command asks for help or for its configuration, which may be the content of a file."""
    return any(word == "-h" or word.startswith(("--help", "--print_config")) for word in argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
