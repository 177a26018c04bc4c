"""`ttsr recipes`."""


def recipes() -> None:
    """List the recipes that ship with the package."""
    from rich.console import Console
    from rich.table import Table

    from ttsr.training.recipe_text import recipe_names, recipe_summary

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    for name in recipe_names():
        table.add_row(name, recipe_summary(name))
    Console().print(table)
