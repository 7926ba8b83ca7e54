"""The studies of a folder with their measurements, and the pages that are kept beside them."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lit_anndl.config.explain import suggestion
from lit_anndl.reports.export import measured_in
from lit_anndl.reports.headline import headline
from lit_anndl.reports.measured_files import parse_measurements, read_measurements, write_measurements
from lit_anndl.reports.measurements import Measurement, in_order
from lit_anndl.reports.overview import overview
from lit_anndl.reports.rendering import markdown
from lit_anndl.reports.study_page import StudyPage
from lit_anndl.runtime.errors import InputError, naming
from lit_anndl.runtime.files import write_atomically
from lit_anndl.runtime.paths import project
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.settings_digest import settings_digests
from lit_anndl.studies.study_file import read_definition
from lit_anndl.studies.validation import check_documentation
from lit_anndl.tracking.store import TrackingStore
from lit_anndl.tracking.study_results import study_figures

_BEGIN, _END = "<!-- results -->", "<!-- end of results -->"


class Library:
    """The folder `sweeps` of a project: a YAML file per study, `measured/NAME.csv`, and a README.

    Args:
        folder: where it is, by default that of the project or of the current directory.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or (project() or Path.cwd()) / "sweeps"
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: there is no such folder of studies")

    @property
    def names(self) -> list[str]:
        """The studies' names."""
        return sorted(path.stem for path in self.folder.glob("*.yaml"))

    def page(self, study: str) -> StudyPage:
        """A study, by its name or its file, with the measurements that are kept.

        Raises:
            InputError: there is none; it, or its measurements, are not valid.
        """
        name = study
        if study.endswith((".yaml", ".yml")):
            name = Path(study).stem
            if Path(study).resolve().parent != self.folder.resolve():
                raise InputError(f"{study} was given, expected a study of {self.folder}")
        if name not in self.names:
            raise InputError(f"there is no study {name} in {self.folder}{suggestion(name, self.names)}")
        file = self.folder / f"{name}.yaml"
        with naming(str(file)):
            definition = read_definition(file)
            if definition.name != name:
                raise InputError(f"name: {definition.name} was given, expected that of the file")
            check_documentation(definition)
        return StudyPage(definition, self.kept(definition))

    def pages(self, studies: Sequence[str] = ()) -> list[StudyPage]:
        """Some studies, by default all."""
        return [self.page(name) for name in studies or self.names]

    def measured(self, study: str) -> Path:
        """Where a study's measurements are kept."""
        return self.folder / "measured" / f"{study}.csv"

    def kept(self, definition: Definition) -> list[Measurement]:
        """What is kept of a study; rows and seeds that it lacks are those of other studies with the same settings.

        Raises:
            InputError: a file of measurements is none, or does not fit the study.
        """
        own = read_measurements(self.measured(definition.name), definition)
        known = {(each.row, each.seed) for each in own}
        # Of rows alone: what a search finds depends on how it searched.
        lacking = [(row, seed) for row in definition.rows for seed in definition.seeds if (row, seed) not in known]
        if not lacking:
            return own
        digests = settings_digests(definition)
        found = ((row, self._by_settings.get((digests[row], seed))) for row, seed in lacking)
        shared = [replace(each, row=row) for row, each in found if each]
        return in_order([*own, *shared], definition)

    @cached_property
    def _by_settings(self) -> dict[tuple[str, int], Measurement]:
        """What is kept of all studies, by the digest of the settings and the seed."""
        files = sorted((self.folder / "measured").glob("*.csv"))
        return {(each.settings, each.seed): each for file in files for each in parse_measurements(file)}

    def update(self, store: TrackingStore, studies: Sequence[str]) -> list[str]:
        """Keeps what the store has measured of some studies; returns their names.

        Measurements of the store replace those that are kept of the same row and seed; the others stay.
        """
        updated = []
        for page in self.pages(studies):
            if fresh := measured_in(store, page.definition):
                file = self.measured(page.name)
                kept = {(each.row, each.seed): each for each in (*read_measurements(file, page.definition), *fresh)}
                write_measurements(file, in_order(kept.values(), page.definition))
                updated.append(page.name)
        vars(self).pop("_by_settings", None)  # what was read of the files is no longer what they hold
        return updated

    def generated(self, pages: Sequence[StudyPage]) -> Iterator[tuple[Path, str]]:
        """The pages that are kept, and what the data of all studies give."""
        yield self.folder / "README.md", markdown(pages)
        readme = self.folder.parent / "README.md"
        if readme.is_file():
            text = readme.read_text(encoding="utf-8")
            if not re.search(f"{_BEGIN}.*{_END}", text, re.DOTALL):
                raise InputError(f"{readme}: expected a place for the results, from {_BEGIN} to {_END}")
            block = f"{_BEGIN}\n{headline(pages)}\n{_END}"
            yield readme, re.sub(rf"{_BEGIN}.*{_END}", lambda _: block, text, flags=re.DOTALL)

    def write_pages(self) -> None:
        """Brings the pages that are kept up to date, and their picture."""
        pages = self.pages()
        for path, text in list(self.generated(pages)):  # all of them are made before one is written
            write_atomically(path, text.encode())
        if figure := overview(pages):
            content = io.BytesIO()
            figure.savefig(content, format="png", dpi=100)
            write_atomically(self.measured("overview").with_suffix(".png"), content.getvalue())

    def stale(self) -> list[Path]:
        """The pages that are kept and are not what their data give."""
        generated = self.generated(self.pages())
        return [path for path, text in generated if not path.is_file() or path.read_text(encoding="utf-8") != text]


def kept_measurements(definitions: Sequence[Definition]) -> dict[str, list[Measurement]]:
    """What is kept of some studies, by name; nothing where nothing that fits them is."""
    found: dict[str, list[Measurement]] = {each.name: [] for each in definitions}
    with suppress(InputError):
        library = Library()
        for definition in definitions:
            with suppress(InputError):
                found[definition.name] = library.kept(definition)
    return found


def with_own(page: StudyPage, store: TrackingStore) -> StudyPage:
    """A study with what the store has of it beside what is kept."""
    return replace(page, own=measured_in(store, page.definition), figures=study_figures(store, page.name))
