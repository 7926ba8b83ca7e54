"""A run's recorded configuration is data from a store: damaged it is refused, and it names nothing that runs."""

import sys
from pathlib import Path

import pytest
import yaml

from tests.support.recorded import artifacts, read_artifact

SHORT = ("surface", "--trainer.max_epochs", "2", "--data.grid_size", "5")
LONGER = ("--trainer.max_epochs", "3")
DAMAGES = {
    "empty": lambda text: b"",
    "binary": lambda text: bytes(range(256)),
    "torn": lambda text: text.encode()[: len(text) // 2],
    "torn in its last line": lambda text: text.rstrip().rpartition("\n")[0].encode(),
    "a list": lambda text: b"- 1\n- 2\n",
    "a part is a list": lambda text: yaml.safe_dump({**yaml.safe_load(text), "trainer": [1]}).encode(),
    "tagged": lambda text: text.encode() + b"extra: !!python/object/apply:os.system ['true']\n",
    "tagged as what it is not": lambda text: text.encode() + b"extra: !!bool maybe\n",
    "dated": lambda text: text.encode() + b"extra: 2024-13-45\n",
    "a bomb": lambda text: (
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            f"{y}: &{y} [{','.join([f'*{x}'] * 9)}]\n".encode() for x, y in zip("abcdefgh", "bcdefghi", strict=True)
        )
    ),
    "within itself": lambda text: b"model: &a [*a]\n",
    "too large": lambda text: text.encode() + b"# " + b"x" * 2_000_000,
}


def record_of(run) -> Path:
    return Path(run.info.artifact_uri.removeprefix("file://")) / "config.yaml"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Path:
    """A module that leaves a file when it is imported."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "stranger.py").write_text(
        "from pathlib import Path\n"
        "from lightning.pytorch import Callback\n"
        "from torch.optim import Adam\n"
        "Path(__file__).with_name('imported').touch()\n"
        "class Own(Callback): pass\n"
        "class OwnAdam(Adam): pass\n"
    )
    for name in ("stranger.yaml", "in_this_folder"):
        (folder / name).write_text("class_path: stranger.OwnAdam\n")
    return folder


@pytest.fixture
def in_reach(stranger, monkeypatch) -> Path:
    """The module can be imported, and has not been."""
    monkeypatch.syspath_prepend(str(stranger))
    monkeypatch.chdir(stranger)
    sys.modules.pop("stranger", None)
    (stranger / "imported").unlink(missing_ok=True)
    return stranger


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_record_is_refused_and_kept(how, command):
    run = command.run(*SHORT)
    content = DAMAGES[how](record_of(run).read_text())
    record_of(run).write_bytes(content)
    command.refuses("surface", "--resume", run.info.run_id, *LONGER, says=f"config.yaml of run {run.info.run_id}")
    assert record_of(run).read_bytes() == content
    after = command.client.get_run(run.info.run_id)
    assert (after.info.status, after.data.to_dictionary()) == (run.info.status, run.data.to_dictionary())


def changed(content: dict, key: str, value: object) -> dict:
    """A configuration with a value at a key."""
    *path, last = key.split("/")
    place = content
    for part in path:
        place = place[part]
    place[last] = value
    return content


FOREIGN = {
    "trainer/callbacks": [{"class_path": "stranger.Own"}],
    "trainer/profiler": {"class_path": "stranger.Own"},
    "trainer/logger": {"class_path": "stranger.Own"},
    "trainer/plugins": "stranger.Own",
    "model/init_args/optimizer": {"class_path": "stranger.OwnAdam", "init_args": {"lr": 0.1}},
    "model/init_args/optimizer/class_path": "stranger.OwnAdam",
    "model/init_args/optimizer/init_args/lr": "stranger.OwnAdam",
    "model/init_args/hidden": "{folder}/stranger.yaml",
    "model": {"class_path": "stranger.Own", "init_args": {}},
    "trainer.callbacks": [{"class_path": "stranger.Own"}],
    "trainer/callbacks+": [{"class_path": "stranger.Own"}],
    "trainer.profiler": "stranger.Own",
    "trainer/strategy": "in_this_folder",
}


@pytest.mark.parametrize("key", FOREIGN)
def test_a_record_runs_no_foreign_code(key, command, in_reach):
    run = command.run(*SHORT)
    value = FOREIGN[key].format(folder=in_reach) if isinstance(FOREIGN[key], str) else FOREIGN[key]
    record_of(run).write_text(yaml.safe_dump(changed(yaml.safe_load(record_of(run).read_text()), key, value)))
    command.refuses("surface", "--resume", run.info.run_id, *LONGER, says="config.yaml of run")
    assert not (in_reach / "imported").exists()


def test_a_built_in_callback_of_a_record_is_not_built(command):
    run = command.run(*SHORT)
    text = yaml.safe_load(record_of(run).read_text())
    callback = [{"class_path": "lightning.pytorch.callbacks.DeviceStatsMonitor"}]
    record_of(run).write_text(yaml.safe_dump(changed(text, "trainer/callbacks", callback)))
    command.refuses("surface", "--resume", run.info.run_id, *LONGER, says="DeviceStatsMonitor")


def test_settings_that_are_text_but_no_names(command):
    harmless = ("--trainer.max_time", "{hours: 3}", "--trainer.devices", "auto")
    run = command.run(*SHORT, *harmless)
    assert command.run("surface", "--resume", run.info.run_id, *LONGER).info.run_id == run.info.run_id


def test_what_is_ones_own_may_be_given_in_brackets(command, in_reach):
    own = ("--trainer.callbacks", '[{"class_path": "stranger.Own"}]')
    run = command.run(*SHORT, *own)
    assert command("surface", "--resume", run.info.run_id, *LONGER)[0] == 2
    assert command.run("surface", "--resume", run.info.run_id, *LONGER, *own).info.run_id == run.info.run_id


def test_what_is_ones_own_is_given_again(command, in_reach, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("trainer: {callbacks: [{class_path: stranger.Own}]}\nmodel: {optimizer: stranger.OwnAdam}\n")
    run = command.run(*SHORT, "--config", str(own))
    assert run.data.params["model.optimizer"] == "OwnAdam"
    code, _, err = command("surface", "--resume", run.info.run_id, *LONGER)
    assert code == 2 and "stranger.Own" in err
    grown = command.run("surface", "--resume", run.info.run_id, *LONGER, "--config", str(own))
    assert grown.data.params["model.optimizer"] == "OwnAdam"
    assert grown.data.metrics["test/mse"] != run.data.metrics["test/mse"]


def test_runs_whose_classes_have_moved_since_go_on(command, tmp_path):
    run = command.run(*SHORT)
    text = record_of(run).read_text()
    record_of(run).write_text(text.replace("lit_anndl.data.surface.SurfaceData", "lit_anndl.old.place.SurfaceData"))
    grown = command.run("surface", "--resume", run.info.run_id, *LONGER)
    assert grown.info.run_id == run.info.run_id
    assert "config.yaml" in artifacts(command.client, run.info.run_id)
    assert "max_epochs: 3" in read_artifact(command.client, run.info.run_id, "config.yaml", tmp_path)


def test_runs_of_a_class_that_is_a_preset_of_another_now_go_on(command):
    """As they were before: what their class had no name for is what the preset says."""
    words = ["santafe_lstm", "--model.hidden", "4", "--data.folds", "1", "--data.lag", "5", "--data.train_size", "100"]
    run = command.run(*words, "--model.anneal", "false", "--trainer.max_epochs", "1")
    kept = [line for line in record_of(run).read_text().splitlines(keepends=True) if "network: lstm" not in line]
    text = "".join(kept).replace("recurrent.santafe.SantaFe\n", "santafe_lstm.SantaFeLSTM\n")
    assert "santafe_lstm.SantaFeLSTM" in text
    record_of(run).write_text(text)
    grown = command.run("santafe_lstm", "--resume", run.info.run_id, "--trainer.max_epochs", "2")
    assert len(command.client.get_metric_history(grown.info.run_id, "train/mse")) == 2


@pytest.mark.parametrize("how", ["a bomb", "too large", "within itself"])
def test_a_file_of_the_users_that_is_no_configuration(how, command, tmp_path):
    (tmp_path / "file.yaml").write_bytes(DAMAGES[how]("seed_everything: 1"))
    command.refuses("surface", "--config", str(tmp_path / "file.yaml"), says="is not valid YAML")
