"""All published numbers in one picture."""

from collections.abc import Sequence
from statistics import median

from matplotlib.figure import Figure

from lit_anndl.plots.published import agreement
from lit_anndl.reports.study_page import StudyPage
from lit_anndl.reports.verdicts import Verdict

_COLOURS = {Verdict.INSIDE: "tab:green", Verdict.OUTSIDE: "tab:red", Verdict.SLIP: "tab:purple"}


def overview(pages: Sequence[StudyPage]) -> Figure | None:
    """Every published number over the measured median, by study, as far as both are of one sign; None if none is."""
    ratios: dict[str, list[float]] = {}
    colours: dict[str, list[str]] = {}
    for page in pages:
        for each in page.comparisons:
            if each.measured and each.published * median(each.measured) > 0:
                ratios.setdefault(page.name, []).append(each.published / median(each.measured))
                colours.setdefault(page.name, []).append(_COLOURS[each.verdict])
    return agreement(ratios, colours) if ratios else None
