"""Pictures are stored where MLflow's charts look for them, once each, and can be fetched."""

import re

from matplotlib.figure import Figure
from PIL import Image

from lit_anndl.tracking.store import TrackingStore
from lit_anndl.tracking.tracker import Tracker
from tests.support.recorded import artifacts

FORM = re.compile(r"images/([\w~.-]+)\+step\+(\d+)\+timestamp\+\d+\+[\w-]+(\+compressed\.webp|\.png)")
SHORT = ("surface", "--trainer.max_epochs", "2", "--data.grid_size", "5")


def test_pictures_are_named_as_mlflow_names_them(client):
    tracker = Tracker("surface", TrackingStore())
    tracker.start("drawn", "seed_everything: 0", {}, {})
    tracker.log_figure("some_curves", Figure())
    tracker.close("FINISHED")
    theirs = client.create_run("0").info.run_id
    client.log_image(theirs, Image.new("RGB", (9, 9)), key="figures/some_curves", step=0)
    ours, expected = (
        {FORM.fullmatch(name).groups() for name in artifacts(client, run_id, "images")}
        for run_id in (tracker.run_id, theirs)
    )
    assert ours == expected
    client.delete_run(theirs)


def test_a_resumed_run_has_each_picture_once_and_the_latest(command, tmp_path):
    run = command.run(*SHORT)
    before = artifacts(command.client, run.info.run_id, "images")
    (curves,) = [name for name in before if "curves" in name and name.endswith(".png")]
    first = Image.open(command.client.download_artifacts(run.info.run_id, curves, str(tmp_path))).tobytes()
    command.run("surface", "--resume", run.info.run_id, "--trainer.max_epochs", "5")
    assert artifacts(command.client, run.info.run_id, "images") == before
    assert len(before) == 2 * len(artifacts(command.client, run.info.run_id, "figures")) > 0
    again = Image.open(command.client.download_artifacts(run.info.run_id, curves, str(tmp_path))).tobytes()
    assert again != first


def test_what_pictures_are_captioned_with(command):
    params = command.run(*SHORT, "--trainer.max_steps", "2").data.params
    assert {key for key in params if key.startswith("trainer.")} == {"trainer.max_epochs", "trainer.max_steps"}
    assert {
        "seed_everything",
        "model.hidden",
        "model.optimizer.lr",
        "data.noise",
        "checkpoint.monitor",
    } <= params.keys()
