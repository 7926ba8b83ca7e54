"""MLflow's UI as a browser shows it: the comparison of a study over optimizers, without any configuration."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import yaml
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from lit_anndl import sweep, ui
from lit_anndl.runtime.paths import run_store
from lit_anndl.tracking import server
from tests.support.processes import wait_until
from tests.support.servers import answers, free_port

OPTIMIZERS = {
    "Adam": {"model.optimizer": "Adam", "model.optimizer.lr": 0.001},
    "SGD": {"model.optimizer": "SGD", "model.optimizer.lr": 0.1},
    "Adadelta": {"model.optimizer": "Adadelta", "model.optimizer.lr": 1.0},
}
SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=2400,4400"
)
WIDTHS = """return [...document.querySelectorAll("img")]
    .filter(image => image.src.startsWith("blob:") || image.src.includes("artifact"))
    .map(image => image.complete ? image.naturalWidth : 0)"""
"""The natural widths of the stored pictures on a page, 0 for one that is not there."""
STATUSES = """return performance.getEntriesByType("resource")
    .filter(entry => entry.name.includes("images%2F") || entry.name.includes("path=images/"))
    .map(entry => entry.responseStatus)"""
"""What the server answered to requests for pictures."""


@pytest.fixture
def browser(tmp_path) -> Iterator[Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium or its driver is not installed")
    options = ChromeOptions()
    options.binary_location = chromium
    for switch in [*SWITCHES.split(), f"--user-data-dir={tmp_path / 'profile'}"]:
        options.add_argument(switch)
    chrome = Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def page(tmp_path, digits, monkeypatch) -> Iterator[str]:
    """The address that the command prints for a study of mnist_cnn, while it serves it."""
    monkeypatch.setenv("LIT_ANNDL_STORAGE", f"sqlite:///{tmp_path / 'optuna.db'}")
    study = {
        "exercise": "mnist_cnn",
        "overrides": {"data.directory": str(digits), "data.batch_size": 16, "trainer.max_epochs": 3},
        "metric": "val/accuracy",
        "direction": "maximize",
        "rows": OPTIMIZERS,
    }
    (tmp_path / "compared_optimizers.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    assert sweep.main([str(tmp_path / "compared_optimizers.yaml")]) == 0
    command = [sys.executable, "-m", "lit_anndl.ui", "compared_optimizers", "--no-browser", "--port", str(free_port())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def shows(browser: Chrome, words: list[str], seconds: float = 60) -> str:
    """Waits until a page shows all words; returns what it shows in the end."""
    end = time.monotonic() + seconds
    text = ""
    while time.monotonic() < end and not all(word in text for word in words):
        time.sleep(0.5)
        text = browser.find_element(By.TAG_NAME, "body").text
    return text


def assert_pictures_arrive(browser: Chrome, number: int, seconds: float = 60) -> None:
    """Asserts that so many stored pictures or more are on a page, and that the server gave each of them."""
    end = time.monotonic() + seconds
    widths: list[int] = []
    while time.monotonic() < end and not (len(widths) >= number and all(widths)):
        time.sleep(0.5)
        widths = browser.execute_script(WIDTHS)
    assert len(widths) >= number
    assert all(widths), widths
    statuses = browser.execute_script(STATUSES)
    assert statuses and set(statuses) == {200}


def save_screenshot(browser: Chrome, name: str) -> None:
    """Keeps a picture of a page, for whoever wants to see it."""
    path = run_store() / "screenshots" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(path))


def test_the_comparison_of_a_study_over_optimizers(page, browser):
    assert page.startswith("http://127.0.0.1:") and page.endswith("viewStateShareKey=compared_optimizers")
    browser.get(page)
    expected = ["Parallel Coordinates", "model.optimizer", "model.optimizer.lr", "val/accuracy", "test/accuracy"]
    expected += (
        [f"{name} seed=0" for name in OPTIMIZERS] + list(OPTIMIZERS) + ["train/loss", "figures/confusion_matrix"]
    )
    text = shows(browser, expected)
    save_screenshot(browser, "compared_optimizers")
    assert [word for word in expected if word not in text] == []
    assert len(browser.find_elements(By.CSS_SELECTOR, "svg.main-svg, canvas")) >= 3  # charts are drawn, not only named
    assert_pictures_arrive(browser, len(OPTIMIZERS))
    save_screenshot(browser, "compared_optimizers")


def test_a_store_that_is_served_is_only_opened(page, browser, client, capsys, monkeypatch):
    monkeypatch.setattr(server, "serving", lambda *_: pytest.fail("a second server is started"))
    experiment = client.get_experiment_by_name("mnist_cnn").experiment_id
    (run, *_) = client.search_runs([experiment], "tags.study = 'compared_optimizers' and tags.row = 'Adam'")
    assert ui.main(["--no-browser"]) == 0
    everything = capsys.readouterr().out.splitlines()[-1]
    assert ui.main([run.info.run_id, "--no-browser"]) == 0
    one = capsys.readouterr().out.splitlines()[-1]
    assert everything.partition("#")[0] == one.partition("#")[0] == page.partition("#")[0]
    browser.get(everything)
    expected = [f"{name} seed=0" for name in OPTIMIZERS] + ["val/accuracy"]
    text = shows(browser, expected)
    save_screenshot(browser, "latest_experiment")
    assert [word for word in expected if word not in text] == []
    browser.get(one)
    expected = ["Adam seed=0", "test/accuracy", "model.optimizer.lr"]
    text = shows(browser, expected)
    save_screenshot(browser, "one_run")
    assert [word for word in expected if word not in text] == []


def test_the_pictures_of_a_run(page, browser, client):
    experiment = client.get_experiment_by_name("mnist_cnn").experiment_id
    (run, *_) = client.search_runs([experiment], "tags.study = 'compared_optimizers' and tags.row = 'Adam'")
    served = page.partition("#")[0]
    browser.get(f"{served}#/experiments/{experiment}/runs/{run.info.run_id}/model-metrics")
    shows(browser, ["figures/confusion_matrix", "figures/filters"])
    assert_pictures_arrive(browser, 4)
    save_screenshot(browser, "a_run")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "there are no runs of a study nothing"),
        (["0" * 32], "there is no run"),
        (["--port", "{port}"], "in use"),
    ],
)
def test_wrong_words(words, message, capsys, command):
    command.run("surface", "--trainer.max_epochs", "1", "--data.grid_size", "5")
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        code = ui.main([word.format(port=port) for word in words])
    err = capsys.readouterr().err
    assert code == 2 and message in err and err.count("\n") == 1


def test_why_a_server_did_not_start(monkeypatch, capsys, command, tmp_path):
    command.run("surface", "--trainer.max_epochs", "1", "--data.grid_size", "5")
    broken = tmp_path / "mlflow" / "__main__.py"
    broken.parent.mkdir()
    (broken.parent / "__init__.py").touch()
    broken.write_text("import sys; sys.exit('no room for a server')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert ui.main(["--no-browser", "--port", str(free_port())]) == 2
    assert capsys.readouterr().err.endswith("ui: MLflow's server did not start: no room for a server\n")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not tell of a parent's end")
def test_a_server_ends_with_the_command_that_is_killed(command):
    command.run("surface", "--trainer.max_epochs", "1", "--data.grid_size", "5")
    port = free_port()
    words = [sys.executable, "-m", "lit_anndl.ui", "--no-browser", "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and f":{port}/" in process.stdout.readline()
        process.kill()
    wait_until(lambda: not answers(port))
