"""The house keeps its floors: every module lives on one, and a climb upstairs is caught."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def layers():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (contract,) = [c for c in config["contracts"] if c["type"] == "layers"]
    return [m.strip("() ") for layer in contract["layers"] for m in layer.split("|")]


def test_every_module_lives_on_exactly_one_floor():
    paths = [p.relative_to(ROOT).with_suffix("") for p in (ROOT / "daemon").rglob("*.py") if p.name != "__init__.py"]
    modules = [".".join(p.parts) for p in paths if "shipped" not in p.parts]
    named = layers()
    homeless = [m for m in modules if not any(m == n or m.startswith(n + ".") for n in named)]

    assert homeless == [] and len(named) == len(set(named))


def test_a_deliberate_climb_is_caught(tmp_path):
    """Copy the package, let the lowest floor import the highest, and see the contract fail."""
    import shutil

    shutil.copytree(ROOT / "daemon", tmp_path / "daemon", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    words = tmp_path / "daemon" / "words.py"
    words.write_text(words.read_text("utf-8") + "\nimport daemon.flow\n", "utf-8")
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([lint, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert run.returncode != 0
    assert "daemon.words -> daemon.flow" in run.stdout
