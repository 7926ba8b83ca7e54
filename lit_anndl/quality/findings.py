"""What is found of a trained generative model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from lit_anndl.runtime.records import Table


@dataclass(frozen=True)
class Findings:
    """Numbers, tables and figures by name."""

    summary: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def joined(self, other: "Findings") -> "Findings":
        """With those of another kind."""
        return Findings(
            {**self.summary, **other.summary}, {**self.tables, **other.tables}, {**self.figures, **other.figures}
        )
