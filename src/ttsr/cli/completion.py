"""`ttsr completion`."""

import re
from typing import Literal

from cyclopts import App

from ttsr.cli.printing import tell_lines

_BASH_FILES = 'COMPREPLY=( $(compgen -f -- "${cur}") )'
# A positional argument or an option that takes a text, without a way to complete it.
_ZSH_TEXT = re.compile(r"^( +'(?:(?:\*|\d+):(?:[^:\\]|\\.)*|\*?-[^:]*.*\]:[\w-]+))(?=' \\$)", re.MULTILINE)
_ZSH_FUNCTION = re.compile(r"^(\w+)\(\) \{", re.MULTILINE)
# An autoloaded file is the body of the function that completes; a sourced one defines it.
_ZSH_END = """
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  {function} "$@"
else
  compdef {function} ttsr
fi"""


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print the script by which a shell completes commands, options and their values. Nothing is installed.

    Args:
        shell: The shell to complete in.
    """
    from ttsr.cli import app
    from ttsr.cli.recipe_help import with_fields
    from ttsr.cli.train import train

    completed = App(name="ttsr", help=app.help, version=app.version, default_parameter=app.default_parameter)
    for name in (name for name in app if not name.startswith("-")):
        completed.command(app[name] if name != "train" else with_fields(train), name=name)
    script = completed.generate_completion(prog_name="ttsr", shell=shell).rstrip("\n")
    # Where a text is expected, files are offered too, as most of them may name one.
    if shell == "bash":
        # By readline itself, which goes on into folders and quotes spaces.
        script = script.replace(_BASH_FILES, "COMPREPLY=()").replace("complete -F", "complete -o default -F")
    if shell == "zsh":
        script = _ZSH_TEXT.sub(r"\1:_default", script)
        script += "\n" + _ZSH_END.format(function=_ZSH_FUNCTION.findall(script)[0])
    tell_lines(script)
