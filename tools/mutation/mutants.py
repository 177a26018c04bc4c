"""Small changes to the source of a module, by the operators of cosmic-ray."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.exceptions import CosmicRayTestingException
from cosmic_ray.mutating import mutate_code

# Other operators in place of one fail at once for tensors, or are no likelier mistakes than these.
_OPERATORS = (
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Add", "Div_Mul", "FloorDiv_Mul")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Mul_FloorDiv", "Mod_Mul", "Pow_Mul", "RShift_LShift")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("LShift_RShift", "BitOr_BitAnd", "BitAnd_BitOr")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt")),
    *(f"ReplaceUnaryOperator_{pair}" for pair in ("Delete_USub", "Delete_Invert", "Delete_Not")),
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer", "NumberReplacer"),
    *("RemoveDecorator", "ZeroIterationForLoop"),
)

# What `except` catches in place of what it should. Cosmic-ray's own exception, modules do not know the name of.
_NEVER_RAISED = "FloatingPointError"


@dataclass(frozen=True)
class Mutant:
    """A module with one place changed.

    Attributes:
        module: its name, `ttsr.models.tiles`.
        line: where it is changed.
        before: that line, without its indentation.
        after: the same of the mutant.
        source: of the whole mutant.
    """

    module: str
    line: int
    before: str
    after: str
    source: str


def mutants_of(module: str, path: Path) -> list[Mutant]:
    """All mutants of a module but those of type annotations and of the words of messages."""
    source = path.read_text(encoding="utf-8")
    tree = get_ast(source)
    found = {}
    for name in _OPERATORS:
        operator = cosmic_ray.plugins.get_operator(f"core/{name}")()
        places = [node for node in ast_nodes(tree) for _ in operator.mutation_positions(node)]
        for occurrence, node in enumerate(places):
            if any(_says_nothing(*pair) for pair in _upwards(node)):
                continue
            try:
                mutated = mutate_code(source, operator, occurrence)
            except AttributeError:  # an exception whose name has a dot
                continue
            if mutated is not None and mutated != source:
                mutated = mutated.replace(CosmicRayTestingException.__name__, _NEVER_RAISED)
                found[mutated] = _mutant(module, source, mutated)
    return list(found.values())


def sample(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many of them, in their order: which, the seed and their own text decide, whatever else is in the file."""

    def rank(mutant: Mutant) -> str:
        text = f"{seed}\n{mutant.module}\n{mutant.before}\n{mutant.after}"
        return hashlib.sha256(text.encode()).hexdigest()

    chosen = sorted(mutants, key=rank)[:count]
    return sorted(chosen, key=lambda mutant: (mutant.module, mutant.line))


def _mutant(module: str, source: str, mutated: str) -> Mutant:
    before, after = source.splitlines(), mutated.splitlines()
    number = next(n for n, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1])
    if len(before) == len(after):
        return Mutant(module, number + 1, before[number].strip(), after[number].strip(), mutated)
    return Mutant(module, number + 1, before[number].strip(), "(removed)", mutated)  # a decorator


def _upwards(node: Any) -> Iterator[tuple[Any, Any]]:
    """A node with its parent, that one with its own, and so on."""
    while node.parent is not None:
        yield node, node.parent
        node = node.parent


def _says_nothing(node: Any, parent: Any) -> bool:
    """Whether what is below `node` is an annotation, or within a text."""
    if parent.type in ("fstring", "tfpdef"):
        return True
    return (parent.type == "funcdef" and node is parent.annotation) or (
        parent.type == "annassign" and node is parent.children[1]
    )
