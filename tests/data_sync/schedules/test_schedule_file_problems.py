"""What people read when ``schedules.yaml`` is wrong: the line, what is wrong, and what to write instead.

Each file in ``invalid/`` says in comments which problems it has, all of them, in order: ``# wrong: TEXT``
on the line of the problem, ``# wrong above: TEXT`` on the line after it, ``# wrong below: TEXT`` anywhere
before it. Files named ``whole_*`` are wrong as a whole; in all others the schedule ``good`` stays good.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data_sync.schedules.validate import validate_file
from data_sync.schedules.yaml_source import parse, read_file

INVALID = sorted((Path(__file__).parent / "invalid").glob("*.yaml"))
NETWORKS = {"admitad", "boostiny"}
GOOD = "schedules:\n  good:\n    networks: [admitad]\n    interval: 1h\n    date_range: today\n"
MARKER = re.compile(r"# wrong( above| below)?: (.+)$")


def expected(path: Path) -> list[tuple[int | None, str]]:
    found: list[tuple[int | None, str]] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        marker = MARKER.search(line)
        if marker:
            place = {None: number, " above": number - 1, " below": None}[marker[1]]
            found.append((place, marker[2]))
    return found


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_each_invalid_file_names_the_line_and_what_to_write(path: Path) -> None:
    problems = [str(problem) for problem in validate_file(path, NETWORKS)]
    wanted = expected(path)
    assert wanted, "the file says which problems it has"
    assert len(problems) == len(wanted), problems
    for problem, (line, text) in zip(problems, wanted, strict=True):
        assert problem.startswith(f"{path}:{line}: " if line else f"{path}:")
        assert text in problem
        assert problem.count("; ") >= 1


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_one_bad_entry_never_hurts_another(path: Path) -> None:
    file = read_file(path, NETWORKS)
    if path.stem.startswith("whole_defaults") and file.is_readable:
        assert (set(file.schedules), file.refused_keys) == (set(), {"bad"})
    elif path.stem.startswith("whole_"):
        assert not file.is_readable
        assert not file.schedules
    else:
        assert file.is_readable
        assert set(file.schedules) == {"good"}
        assert file.refused_keys
        assert "good" not in file.refused_keys


def test_there_are_enough_cases() -> None:
    assert len(INVALID) >= 60


@pytest.mark.parametrize(
    ("data", "line", "text"),
    [
        (b"", 1, "the file is empty; write schedules:"),
        (b"schedules:\n  a: \x00\n", 2, "a character that is not text (U+0000)"),
        (b"schedules:\n  a: \x1b[31m\n", 2, "a character that is not text (U+001B)"),
        (GOOD.encode("utf-16"), 1, "the file is UTF-16; save it as UTF-8"),
        (b"schedules:\n\n  a: {name: caf\xe9}\n", 3, "a character is not UTF-8; save the file as UTF-8"),
        (b"#" * (5 * 1024 * 1024), 1, "the file is larger than 2 MiB"),
        (b"schedules: {}\n" + b"# \xf0\x9f\x92\xb6\n" * 9 + b"x: [1\n", 11, "a [ is opened here"),
    ],
    ids=["empty", "nul", "escape", "utf-16", "latin-1", "5 MB", "after emoji"],
)
def test_bytes_that_are_no_yaml_are_refused_with_their_line(
    tmp_path: Path, data: bytes, line: int, text: str
) -> None:
    path = tmp_path / "schedules.yaml"
    path.write_bytes(data)
    (problem,) = validate_file(path, NETWORKS)
    assert str(problem).startswith(f"{path}:{line}: ")
    assert text in str(problem)
    assert not read_file(path, NETWORKS).is_readable


def test_a_file_that_is_not_there_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    assert "the file does not exist" in str(validate_file(tmp_path / "none.yaml", NETWORKS)[0])
    assert "cannot be read" in str(validate_file(tmp_path, NETWORKS)[0])


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode()])
def test_what_editors_of_other_systems_save_is_accepted(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "schedules.yaml"
    path.write_bytes(data)
    assert set(read_file(path, NETWORKS).schedules) == {"good"}


@pytest.mark.parametrize(
    "text", ["[" * 900_000, "- " * 900_000, "{a: " * 400_000, "? " * 900_000, "'" + "x" * 1_900_000]
)
def test_text_made_to_exhaust_the_parser_is_refused(text: str) -> None:
    assert not parse(text, NETWORKS).is_readable


def test_accounts_that_do_not_exist_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "schedules.yaml"
    path.write_text(GOOD.replace("[admitad]", "[admitad, 'admitad:shop2']"))
    (problem,) = validate_file(path, NETWORKS, lambda conn_id: conn_id == "admitad_default")
    assert problem.line == 3
    assert "there is no account admitad:shop2" in problem.what
    assert "add the connection admitad_shop2" in problem.instead


def test_a_secrets_backend_that_does_not_answer_is_not_a_missing_account(tmp_path: Path) -> None:
    path = tmp_path / "schedules.yaml"
    path.write_text(GOOD)
    assert validate_file(path, NETWORKS, lambda conn_id: None) == []
    assert validate_file(path, NETWORKS) == []


def test_problems_name_their_schedule_and_field() -> None:
    (problem,) = parse(GOOD.replace("1h", "3h"), NETWORKS, file="config/schedules.yaml").problems
    assert (problem.file, problem.line, problem.column) == ("config/schedules.yaml", 4, 15)
    assert (problem.key, problem.field) == ("good", "interval")
