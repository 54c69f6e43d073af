"""The house's rules: who may import whom, and what must live without torch."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sonoseg.errors import install
from sonoseg.images.pictures import encode_png
from tiny_model import scan, write_model

ROOT = Path(__file__).parent.parent
TORCH_ROOM = "learning"

TRAIN = {"torch", "timm", "lightning_fabric", "lightning", "safetensors", "monai"}

BLOCKED = """
    import sys
    from importlib.machinery import PathFinder

    class WithoutTorch(PathFinder):
        @classmethod
        def find_spec(cls, name, path=None, target=None):
            if name.split(".")[0] in BLOCKED:
                return None
            return PathFinder.find_spec(name, path, target)

    sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutTorch
"""


def python(code: str, *blocked: str) -> subprocess.CompletedProcess[str]:
    """Run code where what the extra ``train`` brings, and what else is named, is not installed."""
    script = f"BLOCKED = {TRAIN | set(blocked)}" + textwrap.dedent(BLOCKED) + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_rooms_import_only_the_rooms_above_them() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_has_its_test() -> None:
    source, tests = ROOT / "src" / "sonoseg", ROOT / "tests"
    modules = [path.relative_to(source) for path in source.rglob("*.py") if not path.stem.startswith("__")]
    assert Path("cli/train.py") in modules
    assert not [module for module in modules if not (tests / module).with_name(f"test_{module.name}").is_file()]
    mirrored = [
        test for test in tests.rglob("test_*.py") if test.parent.name != "faults"
    ]  # a campaign through all rooms
    for test in mirrored:
        assert (source / test.relative_to(tests)).parent.is_dir(), test


def test_no_file_of_the_project_is_ignored() -> None:
    """What git ignores, the checks of style pass over and the wheel leaves out."""
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a checkout")
    assert not done.stdout, done.stdout


def test_torch_is_named_only_in_its_rooms() -> None:
    source = ROOT / "src" / "sonoseg"
    for path in source.rglob("*.py"):
        if path.relative_to(source).parts[0] != TORCH_ROOM:
            lines = path.read_text(encoding="utf-8").splitlines()
            assert not [line for line in lines if line.strip().startswith(("import torch", "from torch"))], path


def test_everything_else_imports_without_torch() -> None:
    source = ROOT / "src"
    paths = [path.relative_to(source) for path in (source / "sonoseg").rglob("*.py")]
    needs_torch = ("sonoseg/learning", "sonoseg/experiments", "sonoseg/__main__.py")
    modules = [".".join(p.with_suffix("").parts) for p in paths if not p.as_posix().startswith(needs_torch)]
    assert "sonoseg.prediction.predictor" in modules
    done = python(f"import importlib\nfor name in {modules!r}: importlib.import_module(name)")
    assert done.returncode == 0, done.stderr


def test_help_needs_no_torch_and_a_missing_extra_is_a_sentence() -> None:
    done = python("import sys; sys.argv = ['sonoseg', '--help']; from sonoseg.cli import main; main()")
    assert done.returncode == 0, done.stderr
    assert "benchmark" in done.stdout
    done = python("import sys; sys.argv = ['sonoseg', 'models', '--cost']; from sonoseg.cli import main; main()")
    assert done.returncode == 2
    assert install("train") in done.stderr


def test_the_core_predicts_without_scipy(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    (tmp_path / "scan.png").write_bytes(encode_png(scan().pixels))
    command = ["sonoseg", "predict", str(tmp_path / "scan.png"), "--model", str(tmp_path / "tiny.onnx")]
    without = ("scipy", "jinja2", "pydicom", "highdicom", "gdcm")
    done = python(f"import sys; sys.argv = {command}; from sonoseg.cli import main; main()", *without)
    assert done.returncode == 0, done.stderr
    assert "1 lesion in 1 image" in done.stdout
    (tmp_path / "scan.dcm").write_bytes(bytes(128) + b"DICM")
    command[2] = str(tmp_path / "scan.dcm")
    done = python(f"import sys; sys.argv = {command}; from sonoseg.cli import main; main()", *without)
    assert done.returncode == 2
    assert install("dicom") in done.stderr
    command = ["sonoseg", "data", "folds", "phantom"]
    done = python(f"import sys; sys.argv = {command}; from sonoseg.cli import main; main()", "scipy", "jinja2")
    assert done.returncode == 2
    assert install("data") in done.stderr


def test_masks_are_scored_and_set_side_by_side_without_torch(tmp_path: Path) -> None:
    code = f"""
        import sonoseg
        data = sonoseg.open_set("phantom:20")
        part = sonoseg.split(data, fold=0)
        masks = {{sample.name: sample.read()[1] for sample in part.test}}
        sonoseg.score(masks, data, folds=[0], name="truth", out=r"{tmp_path / "truth"}")
        from pathlib import Path
        form = Path(r"{tmp_path / "truth" / "entry.toml"}")
        form.write_text(form.read_text().replace('on = ""', 'on = "x"').replace('licence = ""', 'licence = "x"'))
        import sys
        sys.argv = ["sonoseg", "leaderboard", r"{tmp_path}", "--out", r"{tmp_path / "board.html"}"]
        from sonoseg.cli import main
        main()
    """
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert "phantom, fold 0" in done.stdout
    done = python("import sys; sys.argv = ['sonoseg', 'score', '.', '--data', 'phantom']; "
                  "from sonoseg.cli import main; main()", "scipy", "jinja2")  # fmt: skip
    assert done.returncode == 2
    assert install("data") in done.stderr
