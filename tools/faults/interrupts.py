"""Stop commands by signals at stepped moments of their work, and see that nothing stays behind.

    PYTHONPATH=tools python -m faults.interrupts --runs 40

Each run gets a signal or two: Ctrl-C, as a terminal sends it to all processes of a command, or to the first alone;
Ctrl-C twice within 50 ms; SIGTERM; Ctrl-C and then SIGTERM; SIGHUP. After it there is no traceback, no temporary or
partial file, no process, and the exit code is 128 and the signal's number, or the command had finished.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from faults.commands import COMMANDS, Command
from faults.running import check_files, forked, is_running, prepared, run_in_copy, run_main

_TWICE_S = 0.05
_WAYS = (
    (signal.SIGINT,),
    (signal.SIGINT, signal.SIGINT),
    (signal.SIGTERM,),
    (signal.SIGINT, signal.SIGTERM),
    (signal.SIGINT, signal.SIGINT),
    (signal.SIGHUP,),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, and print a line for each command; exit with 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40, help="of each command")
    parser.add_argument("--commands", nargs="+", default=[*COMMANDS], choices=[*COMMANDS])
    parser.add_argument("--started", type=int, default=40, help="runs of `upscale` from the start of Python")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    with prepared() as workspace:
        faults = interrupt_all(workspace, chosen.commands, chosen.runs, chosen.started, chosen.seed)
    print(f"{faults} faults")
    return 1 if faults else 0


def interrupt_all(workspace: Path, names: Sequence[str], runs: int, started: int, seed: int = 0) -> int:
    """Stop each of the commands `runs` times, and `upscale` from the start of Python `started` times; the faults."""
    moments = random.Random(seed)
    faults = sum(_interrupt(name, COMMANDS[name], workspace, runs, moments, started=False) for name in names)
    if started:
        faults += _interrupt("upscale", COMMANDS["upscale"], workspace, started, moments, started=True)
    return faults


def _interrupt(
    name: str, command: Command, workspace: Path, runs: int, moments: random.Random, *, started: bool
) -> int:
    """The number of faults; each is printed."""
    begin = _started if started else forked
    run_in_copy(command, workspace, begin)  # slower than those that follow
    whole = run_in_copy(command, workspace, begin)
    if whole.code or whole.faults:
        print(f"{name}: fails undisturbed with {whole.code}: {whole.faults} {whole.errors}")
        return 1
    faults, codes = 0, dict[int, int]()
    for number in range(runs):
        at = whole.seconds * (number + moments.random()) / runs
        numbers, to_all, apart = _WAYS[number % len(_WAYS)], moments.random() < 0.5, moments.random() * _TWICE_S

        def disturb(
            process: int, at: float = at, numbers: Sequence[int] = numbers, all_: bool = to_all, apart: float = apart
        ) -> None:
            until = time.monotonic() + at
            while time.monotonic() < until and is_running(process):
                time.sleep(0.002)
            for place, signal_number in enumerate(numbers):
                time.sleep(apart if place else 0)
                with suppress(ProcessLookupError):
                    (os.killpg if all_ else os.kill)(process, signal_number)

        left = run_in_copy(command, workspace, begin, disturb)
        check_files(left, whole, command)
        fine = {0, *command.stopped_codes, *(128 + each for each in numbers)}
        # Before the first line of ours, and after the last, Python has no handler of ours.
        if left.code not in fine and not (-left.code in numbers and left.code < 0):
            left.faults.append(f"exit code {left.code}")
        codes[left.code] = codes.get(left.code, 0) + 1
        if left.faults:
            faults += 1
            sent = " ".join(signal.Signals(each).name for each in numbers)
            who = "all" if to_all else "one"
            print(f"  {name} after {at:.3f} s of {whole.seconds:.3f}, {sent} to {who}, {1000 * apart:.0f} ms apart:")
            print(f"    {'; '.join(left.faults)}\n    " + left.errors.strip().replace("\n", "\n    "))
    ends = ", ".join(f"{count} with {code}" for code, count in sorted(codes.items()))
    how = " from the start of Python" if started else ""
    print(
        f"{name}{how}: {runs} runs of {whole.seconds:.2f} s stopped, {faults} with faults; exit codes: {ends}",
        flush=True,
    )
    return faults


def _started(folder: Path, messages: int, words: Sequence[str]) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "ttsr", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=messages,
        process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    process.returncode = 0  # it is waited for by its id
    return process.pid


if __name__ == "__main__":
    run_main(main)
