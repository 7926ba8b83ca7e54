"""What a plain installation brings is enough."""

from pkgutil import walk_packages

import lit_anndl
from tests.support.processes import import_without

EXTRAS = ("submitit", "psycopg", "pytest", "selenium")


def test_no_extra_is_needed_to_import_any_module():
    modules = [module.name for module in walk_packages(lit_anndl.__path__, "lit_anndl.")]
    assert "lit_anndl.studies.slurm" in modules
    import_without(EXTRAS, modules)
