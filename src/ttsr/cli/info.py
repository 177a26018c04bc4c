"""`ttsr info`."""

import json as json_format
from collections.abc import Iterator

from ttsr.cli.info_facts import Facts, gather_facts
from ttsr.cli.printing import tell_lines
from ttsr.system.plain_text import plain


def info(*, json: bool = False) -> None:
    """Show versions, devices, models and what is missing. Nothing is downloaded.

    Args:
        json: Print one JSON object for programs instead of a table for people.
    """
    facts = gather_facts()
    if json:
        tell_lines(json_format.dumps(facts, indent=1))
        return

    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for wraps in (False, False, True):
        table.add_column(no_wrap=not wraps, overflow="fold")
    previous = ""
    for subject, item, text in _rows(facts):
        table.add_row("" if subject == previous else subject, item, plain(text))
        previous = subject
    # Names of devices and files are plain text, whatever brackets and colons they hold.
    Console(markup=False, emoji=False, highlight=False).print(table)


def _rows(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """The facts for people: subject, item, and what there is to say of it."""
    yield "versions", "ttsr", facts["ttsr"]
    yield "versions", "python", facts["python"]
    yield "versions", "system", facts["platform"]
    for name, package in facts["packages"].items():
        yield "versions", name, _package(package) + _remedy(package)
    for device in facts["devices"]:
        chosen = ", chosen by auto" if device["device"] == facts["auto_device"] else ""
        yield "devices", device["device"], f"{_device(device)}{chosen}"
    for model in facts["models"]:
        yield "models", model["name"], _model(model)
    cache, formats = facts["cache"], facts["formats"]
    if cache:
        yield "downloads", "folder", cache["folder"]
        yield "downloads", "holds", _cache(cache)
    yield "pictures", "read", ", ".join(name for name, ready in formats.items() if ready)
    if missing := [name for name, ready in formats.items() if not ready]:
        yield "pictures", "not read", f"{', '.join(missing)}: pip install --upgrade pillow"
    for extra in facts["extras"]:
        parts = ", ".join(f"{name} {_package(package)}" for name, package in extra["packages"].items())
        yield "extras", extra["name"], f"{extra['for']}: {parts}{_remedy(extra)}"
    for part, problem in facts["problems"].items():
        yield "problems", part, problem


def _package(package: Facts) -> str:
    return package["problem"] or package["version"] or "of an unknown version"


def _remedy(facts: Facts) -> str:
    return f": {facts['install']}" if facts["install"] else ""


def _device(device: Facts) -> str:
    threads = f", {device['cores']} cores, threads: {device['threads']}" if "threads" in device else ""
    memory = f"{_gigabytes(device['available_bytes'])} of {_gigabytes(device['memory_bytes'])} GB free"
    bf16 = {True: ", bf16 is fast", False: ", bf16 is not faster", None: ""}[device["fast_bf16"]]
    problem = f" ({device['problem']})" if device["problem"] else ""
    return f"{device['name']}{threads}, {memory}{bf16}{problem}"


def _gigabytes(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e9:.1f}"


def _model(model: Facts) -> str:
    size = "" if model["bytes"] is None else f", {model['bytes'] / 1e6:.1f} MB"
    where = {"package": "in the package", "cache": model["file"], None: "not downloaded yet"}[model["where"]]
    auto = model["auto"]
    if auto is None:
        return f"{where}{size}; some recipes need it"
    chosen = [auto["precision"], f"{auto['search']} search"]
    chosen += [f"{word} fitted" for word, used in (("poses", auto["pose"]), ("colours", auto["match_colour"])) if used]
    return f"{where}{size}; auto is {', '.join(chosen)}"


def _cache(cache: Facts) -> str:
    content = f"{cache['files']} files, {cache['bytes'] / 1e6:.1f} MB" if cache["exists"] else "nothing yet"
    return content if cache["writable"] else f"{content}; cannot be written to: set TTSR_CACHE to another folder"
