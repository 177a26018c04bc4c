"""`ttsr recipes`."""

from ttsr.cli.printing import tell_lines


def recipes(name: str | None = None) -> None:
    """List the recipes of the package, or show one with a description of every field, and its stages.

    Args:
        name: A recipe of the package, or a YAML file, to print with every field. The output is a recipe too: save it as
            a .yaml file to change it.
    """
    from ttsr.training.recipe_text import described_recipe, read_recipe, recipe_names, recipe_summary

    if name is not None:
        tell_lines(f"# {recipe_summary(name)}\n{described_recipe(read_recipe(name))}".rstrip())
        return

    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    for shipped in recipe_names():
        table.add_row(shipped, recipe_summary(shipped))
    Console().print(table)
