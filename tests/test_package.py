"""What is built is whole: every folder of the package is in the wheel."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_folder_is_packaged() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        ".".join(file.relative_to(ROOT).parent.parts)
        for file in (ROOT / "sqlagent").rglob("__init__.py")
    }
    assert set(declared["packages"]) == folders | set(declared["package-dir"])
