"""Pages from data: Markdown, and HTML that stands alone."""

import base64
import io
import re
from collections.abc import Iterator, Sequence

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from PIL import Image

from lit_anndl.plots.published import values_by_row
from lit_anndl.reports.headline import cell
from lit_anndl.reports.measurements import group, values_of
from lit_anndl.reports.study_page import StudyPage
from lit_anndl.reports.verdicts import Verdict

_TITLE = "Published and measured"
_INTRODUCTION = (
    "Each published number beside what was measured here: the median over the seeds, and the lowest and the highest. "
    "A number is inside if these enclose it, to its own digits (zeros at their end aside); how far outside it lies is "
    "said as a share of the nearest measured one. Slips are published numbers that are known to be wrong, and why. "
    "Seconds of a fit are by the clock, whatever else the machine had to do: twice as many in one row as in another "
    "say little."
)
_WIDEST = 1400
"""Pixels across that a picture has at most."""


def markdown(pages: Sequence[StudyPage]) -> str:
    """The Markdown page of some studies."""
    template = _environment().get_template("report.md.jinja")
    text = template.render(title=_TITLE, introduction=_INTRODUCTION, pages=pages, counts=_counts, totals=_totals(pages))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def html(pages: Sequence[StudyPage]) -> str:
    """The HTML page of some studies, pictures within."""
    template = _environment().get_template("report.html.jinja")
    return template.render(
        title=_TITLE,
        introduction=_INTRODUCTION,
        pages=pages,
        counts=_counts,
        totals=_totals(pages),
        pictures=lambda page: list(_pictures(page)),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("lit_anndl.reports"), autoescape=select_autoescape(["html.jinja"]), trim_blocks=False
    )
    environment.filters.update(cell=cell, mood=_mood, code=_code)
    return environment


def _mood(verdict: Verdict | None) -> str:
    """The CSS class of a verdict."""
    return verdict.name.lower() if verdict else ""


def _code(text: str) -> Markup:
    """Text with what stands in `backticks` as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _counts(page: StudyPage) -> list[int]:
    tally = page.tally
    return [tally[verdict] for verdict in Verdict]


def _totals(pages: Sequence[StudyPage]) -> list[int]:
    return [sum(counts) for counts in zip(*map(_counts, pages), strict=True)] if pages else [0] * len(Verdict)


def _pictures(page: StudyPage) -> Iterator[tuple[str, str]]:
    """Captions and addresses of a study's pictures: what was published among what was measured, then its own."""
    if (figure := _published_figure(page)) is not None:
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=110)
        yield f"{page.definition.metric}, published and measured", _embedded(content.getvalue())
    for name, picture in page.figures.items():
        if name == "rows":  # the same without what was published
            continue
        yield name.replace("_", " "), _embedded(picture)


def _published_figure(page: StudyPage) -> Figure | None:
    """The study's metric by row, published and measured; None where there is nothing to show."""
    metric = page.definition.metric
    measured = {row: values_of(own, metric) for row, own in group(page.measurements).items()}
    published = {row: by_metric[metric] for row, by_metric in page.definition.published.items() if metric in by_metric}
    shown = {row: measured.get(row, []) for row in page.definition.row_names if measured.get(row) or row in published}
    if not shown:
        return None
    return values_by_row(shown, metric, published=published)


def _embedded(picture: bytes) -> str:
    """A picture as an address that holds it."""
    small = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        opaque = image.convert("RGB")
        opaque.thumbnail((_WIDEST, 10 * _WIDEST))
        opaque.save(small, format="webp", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(small.getvalue()).decode()}"
