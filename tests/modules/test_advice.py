"""What is said of a training that diverges."""

import pytest
import yaml

from lit_anndl.config.presets import model_class, names, preset


@pytest.mark.parametrize("name", names())
def test_the_learning_rates_are_those_of_the_preset(name: str) -> None:
    settings = yaml.safe_load(preset(name).read_text(encoding="utf-8"))["model"].get("init_args", {})
    made = [f"model.{key}.lr" for key, value in settings.items() if key.endswith("optimizer")]
    assert set(made) <= set(model_class(name).learning_rates())
    assert bool(made) == bool(model_class(name).learning_rates())


def test_advice_names_the_rates_that_an_exercise_has(command, digits) -> None:
    tiny = ["--model.nets.hidden", "[4]", "--model.quality_samples", "0", "--model.fid_samples", "10"]
    rate = ["--model.discriminator_optimizer", "SGD", "--model.discriminator_optimizer.lr", "1e38"]
    code, _, err = command("gan", *tiny, *rate, "--data.directory", str(digits))
    assert code == 1 and err.count("\n") == 1
    assert "try a smaller learning rate (--model.generator_optimizer.lr or --model.discriminator_optimizer.lr)" in err
