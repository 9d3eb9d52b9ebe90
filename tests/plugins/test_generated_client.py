"""A client that a generator makes of the document works against the API, with names that people can read."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from data_sync.cli import cli
from tests.plugins.airflow_app import App
from tests.plugins.servers import api_servers

pytestmark = [pytest.mark.prove, pytest.mark.airflow, pytest.mark.timeout(900)]

_CHECKOUT = Path(__file__).parents[2]
_TOOL = _CHECKOUT / ".venv-client" / "bin"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package ``sync_client``, made of what ``data-sync openapi`` prints."""
    assert _TOOL.exists(), "make .venv-client/.tool installs the generator; make prove does"
    folder = tmp_path_factory.mktemp("client")
    printed = CliRunner().invoke(cli, ["openapi"])
    (folder / "api.json").write_text(printed.stdout)
    made = subprocess.run(
        [_TOOL / "openapi-python-client", "generate", "--path", "api.json", "--output-path", "sync_client",
         "--meta", "none", "--fail-on-warning"],
        cwd=folder, env={**os.environ, "PATH": f"{_TOOL}:{os.environ['PATH']}"}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


def test_no_name_is_made_up_by_the_generator(package: Path) -> None:
    models = {path.stem: path.read_text() for path in (package / "sync_client" / "models").glob("*.py")}
    assert [
        name for name in models if re.search(r"_type_\d|_response_(?!get_openapi)|_item_item", name)
    ] == []
    assert [name for name, text in models.items() if "VALUE_" in text] == []
    assert 'EVERY_10_MINUTES = "10m"' in models["interval"]


def test_it_lists_makes_runs_and_reads(stocked: App, package: Path, tmp_path: Path) -> None:
    with api_servers(1, tmp_path, {}) as (address,):
        done = subprocess.run(
            [_TOOL / "python", Path(__file__).with_name("generated_client.py"), package, f"{address}/sync",
             stocked.tokens["anna"]],
            text=True, capture_output=True, timeout=300, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.strip() == "USED"


def test_the_page_on_the_api_imports_what_there_is(package: Path) -> None:
    (code,) = re.findall(r"^```py\n(.*?)^```", (_CHECKOUT / "docs" / "api.md").read_text(), re.M | re.S)
    imports = "\n".join(line for line in code.splitlines() if line.startswith("from "))
    used = re.findall(r"(Interval\.\w+|DateRange\.\w+)", code)
    assert len(used) == 2
    done = subprocess.run(
        [_TOOL / "python", "-c", "\n".join([imports, *used])],
        cwd=package, text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
