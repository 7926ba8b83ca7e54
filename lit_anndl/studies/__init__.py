"""Studies: many runs of one exercise, over a search space or over the rows of a table."""
