"""The README's table: a few rows, and how many published numbers lie where."""

from collections.abc import Iterator, Sequence

from lit_anndl.reports.measurements import group, values_of
from lit_anndl.reports.study_page import DIGITS, StudyPage
from lit_anndl.reports.verdicts import summary
from lit_anndl.studies.rows import spread


def headline(pages: Sequence[StudyPage]) -> str:
    """Markdown: the rows that studies name as their headline, and a line on all published numbers."""
    published = sum(len(page.comparisons) for page in pages)
    return "\n".join(
        [
            "| study: row | metric | published | measured | runs |",
            "|---|---|---|---|---|",
            *(line for page in pages for line in _lines(page)),
            "",
            f"Of {published} published numbers: {summary([page.tally for page in pages])}. "
            "All of them, with remarks and seconds: [sweeps/README.md](sweeps/README.md).",
        ]
    )


def cell(text: str) -> str:
    """Text as it may stand in a Markdown table."""
    return text.replace("|", "\\|")


def _lines(page: StudyPage) -> Iterator[str]:
    measurements = group(page.measurements)
    for row, metric in page.definition.headline.items():
        values = values_of(measurements.get(row, []), metric)
        numbers = page.definition.published.get(row, {}).get(metric, {})
        published = ", ".join(f"{number:g} ({source})" for source, number in numbers.items())
        shown = spread(values, DIGITS) if values else "not yet run"
        yield f"| `{page.name}`: {cell(row)} | {metric} | {published} | {shown} | {len(values)} |"
