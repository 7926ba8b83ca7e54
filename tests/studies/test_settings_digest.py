"""What tells settings apart."""

import pytest

from lit_anndl.config.presets import preset
from lit_anndl.runtime.errors import InputError
from lit_anndl.studies import settings_digest as module
from lit_anndl.studies.database import StudyDatabase
from lit_anndl.studies.settings_digest import settings_digests
from lit_anndl.studies.study import begin
from lit_anndl.studies.study_file import parse_definition, read_definition

CONTENT = {"name": "study", "exercise": "gan", "metric": "seconds/fit"}


def digest(row="row", **entries):
    return settings_digests(parse_definition({**CONTENT, **entries}))[row]


def test_every_setting_counts():
    rows = {"row": {"model.batch_size": 8}}
    assert digest(rows=rows) == digest(rows={**rows, "another": {}}, seeds=[0, 1])
    assert digest(rows=rows) != digest(rows={"row": {"model.batch_size": 9}})
    assert digest(rows=rows) != digest(rows=rows, overrides={"trainer": {"max_epochs": 1}})


def test_the_exercise_is_the_rows_own():
    rows = {"gan": {}, "vae": {"exercise": "vae"}, "gan as well": {"exercise": "gan"}}
    gan, vae, same = (digest(row, rows=rows) for row in rows)
    assert gan == same != vae
    assert digest("vae", rows=rows, exercise="dcgan") == vae


@pytest.fixture
def change_preset(tmp_path, monkeypatch):
    """Another preset of the GAN."""

    def change(old: str, new: str) -> None:
        text = preset("gan").read_text()
        assert old in text
        (tmp_path / "gan.yaml").write_text(text.replace(old, new))
        monkeypatch.setattr(module, "preset", lambda _: tmp_path / "gan.yaml")

    return change


def test_settings_of_a_changed_preset_are_others(change_preset):
    space = {"model.dropout": [0.0, 0.5]}
    before = digest(rows={"row": {}}), digest("best", space=space, sampler="grid")
    own = digest(rows={"row": {"trainer.max_epochs": 3}})
    common = digest(rows={"row": {}}, overrides={"trainer": {"max_epochs": 3}})
    change_preset("max_epochs: ", "max_epochs: 1")
    assert digest(rows={"row": {}}) != before[0] and digest("best", space=space, sampler="grid") != before[1]
    assert digest(rows={"row": {"trainer.max_epochs": 3}}) == own  # it sets itself what has changed
    assert digest(rows={"row": {}}, overrides={"trainer": {"max_epochs": 3}}) == common


def test_a_class_and_its_arguments_count_in_either_order():
    optimizer, rate = {"model.generator_optimizer": "SGD"}, {"model.generator_optimizer.lr": 0.1}
    assert digest(rows={"row": {**optimizer, **rate}}) == digest(rows={"row": {**rate, **optimizer}})
    other = {"model.generator_optimizer.lr": 0.2}
    assert digest(rows={"row": {**rate, **optimizer}}) != digest(rows={"row": {**other, **optimizer}})


def test_a_class_that_the_preset_has_not_counts():
    decay = {"model.lr_scheduler.total_iters": 5}
    linear, constant = ({"model.lr_scheduler": name, **decay} for name in ("LinearLR", "ConstantLR"))
    assert digest(rows={"row": linear}) != digest(rows={"row": constant})


def test_what_a_search_is_for_counts():
    search = {"space": {"model.dropout": [0.0, 0.5]}, "sampler": "grid"}
    assert digest("best", **search) != digest("best", **search, direction="maximize")
    assert digest(rows={"row": {}}) == digest(rows={"row": {}}, direction="maximize")


REMARK = ("model:", "# a remark\nmodel:")
SEED = ("seed_everything: 0", "seed_everything: 5")


@pytest.mark.parametrize(("old", "new"), [REMARK, SEED])
def test_what_no_run_of_a_study_depends_on_changes_nothing(old, new, change_preset):
    before = digest(rows={"row": {}})
    change_preset(old, new)
    assert digest(rows={"row": {}}) == before


def test_arguments_of_a_class_that_is_replaced_do_not_count(change_preset):
    rows = {"row": {"model.generator_optimizer": "SGD", "model.generator_optimizer.lr": 0.1}}
    before = digest(rows={"row": {}}), digest(rows=rows)
    preset_of_optimizer = "    generator_optimizer:\n      class_path: torch.optim.Adam\n      init_args:\n"
    change_preset(preset_of_optimizer, f"{preset_of_optimizer}        amsgrad: true\n")
    assert digest(rows={"row": {}}) != before[0]
    assert digest(rows=rows) == before[1]


def test_a_study_whose_preset_has_changed_does_not_go_on(change_preset, study_file, storage):
    file = study_file("aged", exercise="gan", overrides={}, metric="seconds/fit", rows={"row": {}}, space=None)
    begin(read_definition(file), StudyDatabase(storage))
    begin(read_definition(file), StudyDatabase(storage))
    change_preset("max_epochs: ", "max_epochs: 1")
    with pytest.raises(InputError, match=r"aged was begun with another preset of its exercise \(row row\)"):
        begin(read_definition(file), StudyDatabase(storage))
