"""What is published: it builds, holds what it should and nothing else, and can be used without the sources."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import tenure_drf
from backends import ROOT

PROJECT = ROOT / "python/tenure-drf"


def test_wheel_and_sdist_are_built_and_the_wheel_is_all_that_is_needed(tmp_path: Path) -> None:
    # The wheel is made from the sdist, so that holds what it needs.
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, PROJECT], check=True)
    [sdist], [wheel] = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    assert wheel.name == f"tenure_drf-{tenure_drf.__version__}-py3-none-any.whl"
    assert f"pip install ./{wheel.name}\n" in (PROJECT / "README.md").read_text()
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(tmp_path / "installed")
        metadata = archive.read(f"tenure_drf-{tenure_drf.__version__}.dist-info/METADATA").decode()
    sources = {str(path.relative_to(PROJECT / "src")) for path in (PROJECT / "src").rglob("*.py")}
    assert names == sources | {"tenure_drf/py.typed"}
    for word in ("Requires-Python: >=3.11", "License-Expression: Apache-2.0 OR MIT", "Requires-Dist: pyjwt[crypto]"):
        assert word in metadata
    with tarfile.open(sdist) as archive:
        held = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {"pyproject.toml", "README.md", "tests/conftest.py", "examples/reports/tasks.py"} <= held
    program = "import tenure_drf.authentication as one; print(one.__file__)"
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "installed"),
        "DJANGO_SETTINGS_MODULE": "nothing_settings",
    }
    environment["PYTHONPATH"] += os.pathsep + str(PROJECT / "tests")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True, cwd=tmp_path
    )
    assert done.stdout.startswith(str(tmp_path))
