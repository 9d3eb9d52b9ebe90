"""A YAML file as plain values, each with its place in the file.

Every scalar stays the text that was written: YAML 1.1 would turn ``10:30`` into 630, ``no`` into false
and ``2026-03-01`` into a date, long before a model could ask what was meant. Only ``null`` and ``~``
become ``None``. An empty value is a flaw, because it is nearly always an unfinished line.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from data_sync.schedules.problems import Path
from data_sync.schedules.words import shown
from data_sync.schedules.yaml_text import DEEPEST, UnreadableFileError, compose

_PREFIX = "tag:yaml.org,2002:"
_SCALARS = {
    f"{_PREFIX}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")
}
_COLLECTIONS = {f"{_PREFIX}{name}" for name in ("seq", "map")}
_EXTRA_NODES = 10_000
"""How many nodes aliases may add to a file by being expanded."""

Plain = dict[str, "Plain"] | list["Plain"] | str | None


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a file; both numbers start at 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Flaw:
    """Something wrong at one place of the tree, which leaves the rest of it usable."""

    path: Path
    mark: Mark
    what: str
    instead: str


@dataclass
class YamlTree:
    """A file's values, the place of each, and what is wrong with single ones."""

    value: Plain = None
    marks: dict[Path, Mark] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)

    def mark(self, path: Path) -> Mark:
        """Return the place of a value, or of the nearest one around it."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, Mark(1, 1))


def load(text: str) -> YamlTree:
    """Read YAML text.

    :raises UnreadableFileError: when the text as a whole cannot be read.
    """
    root, nodes = compose(text)
    return _Reader(nodes + _EXTRA_NODES).read(root)


class _Reader:
    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.tree = YamlTree()

    def read(self, root: yaml.Node) -> YamlTree:
        self.tree.marks[()] = _mark(root)
        self.tree.value = self._value(root, ())
        return self.tree

    def _value(self, node: yaml.Node, path: Path) -> Plain:
        self.budget -= 1
        if self.budget < 0 or len(path) > DEEPEST:
            mark = _mark(node)
            raise UnreadableFileError(
                "aliases repeat too much", "put what schedules share under defaults", mark.line, mark.column
            )
        if node.tag not in _SCALARS | _COLLECTIONS:
            self._flaw(path, node, f"the tag {shown(node.tag)} is not supported", "write the plain value")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        return self._sequence(node, path)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> str | None:
        if node.tag != f"{_PREFIX}null":
            return str(node.value)
        if not node.value and path:
            self._flaw(path, node, f"{path[-1]} is empty", "write its value, or remove the line")
        return None

    def _sequence(self, node: yaml.Node, path: Path) -> list[Plain]:
        items: list[Plain] = []
        for position, item in enumerate(node.value):
            self.tree.marks[(*path, position)] = _mark(item)
            items.append(self._value(item, (*path, position)))
        return items

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Plain]:
        values: dict[str, Plain] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._flaw(path, key, "a key is not text", "write a word and a colon")
                continue
            name = str(key.value)
            here = (*path, name)
            if name in lines:
                self._flaw(here, key, f"{name} stands twice, first in line {lines[name]}", "remove one")
                continue
            lines[name] = _mark(key).line
            self.tree.marks[here] = _mark(value if isinstance(value, yaml.ScalarNode) else key)
            if key.tag == f"{_PREFIX}merge":
                self._flaw(here, key, "<< is not supported", "put what schedules share under defaults")
            else:
                values[name] = self._value(value, here)
        return values

    def _flaw(self, path: Path, node: yaml.Node, what: str, instead: str) -> None:
        self.tree.flaws.append(Flaw(path, _mark(node), what, instead))


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)
