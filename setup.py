"""Builds the extension for SQLite clients where a C compiler and SQLite's headers are there.

Everywhere else the wheel is pure Python, and lacks nothing but that: no installation fails for it.
The metadata is in pyproject.toml.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from glob import glob
from typing import Any

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

PROBE = "#include <sqlite3ext.h>\nSQLITE_EXTENSION_INIT1\nint x(void) { return SQLITE_OK; }\n"


def can_build() -> bool:
    """Whether there is a compiler that finds SQLite's headers; Windows has no such sockets."""
    if os.name != "posix" or os.environ.get("SQLAGENT_PURE"):
        return False
    compiler = os.environ.get("CC", "cc").split()
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "probe.c")
        with open(source, "w", encoding="ascii") as file:
            file.write(PROBE)
        command = [*compiler, "-c", source, "-o", os.path.join(folder, "probe.o")]
        try:
            return subprocess.run(command, capture_output=True, timeout=60).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


class build_library(build_ext):
    """A library for SQLite, not for Python: it is called sqlagent0.so whatever Python builds it."""

    def get_ext_filename(self, fullname: str) -> str:
        return os.path.join(*fullname.split(".")) + ".so"

    def build_extension(self, ext: Any) -> None:
        ext.define_macros.append(("SQLAGENT_VERSION", f'"{self.distribution.get_version()}"'))
        super().build_extension(ext)


class wheel_of_platform(bdist_wheel):
    """With the library a wheel is of this platform, but of any Python."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, platform = super().get_tag()
        return (python, abi, platform) if self.root_is_pure else ("py3", "none", platform)


LIBRARY = Extension(
    "sqlagent.sqlagent0",
    sources=sorted(glob("extension/*.c")),
    depends=sorted(glob("extension/*.h")),
    extra_compile_args=["-std=c11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra"],
    libraries=["dl"] if sys.platform.startswith("linux") else [],
    optional=True,
)

setup(
    ext_modules=[LIBRARY] if can_build() else [],
    cmdclass={"build_ext": build_library, "bdist_wheel": wheel_of_platform},
)
