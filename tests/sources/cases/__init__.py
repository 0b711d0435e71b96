"""Small data sets in the forms of the field, each with the outcome that its user expects."""

from . import (
    archives,
    arrays,
    file_names,
    folders,
    formats,
    public_folders,
    public_tables,
    splits,
    tables,
    tables_in_trouble,
)

_MODULES = (
    *(splits, folders, public_folders, public_tables, tables, tables_in_trouble, file_names),
    *(formats, archives, arrays),
)
CASES = [case for module in _MODULES for case in module.CASES]
