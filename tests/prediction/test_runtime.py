from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import sonoseg.prediction.runtime
from sonoseg.errors import UserError, install
from sonoseg.prediction.runtime import BACKENDS, default_backend, start
from tiny_model import SIZE, write_model

FRAMES = np.random.default_rng(0).random((3, 1, SIZE, SIZE), np.float32)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_model(tmp_path_factory.mktemp("model") / "tiny.onnx", gates=1).read_bytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_gives_the_same(content: bytes, backend: str) -> None:
    if backend.startswith("openvino"):
        pytest.importorskip("openvino")
    session = start(content, "tiny", backend, threads=1)
    assert list(session.inputs) == ["image"]
    assert list(session.outputs) == ["logits", "gate_1"]
    gate, logits = session.run({"image": FRAMES}, ["gate_1", "logits"])
    assert logits.dtype == np.float32
    assert np.allclose(logits, 20 * (0.3 - FRAMES), atol=1e-5)
    assert gate.shape == (3, 1, SIZE // 2, SIZE // 2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_may_share_a_session(content: bytes, backend: str) -> None:
    if backend.startswith("openvino"):
        pytest.importorskip("openvino")
    session = start(content, "tiny", backend, threads=1, parallel=2)
    alone = [session.run({"image": FRAMES[i : i + 1]}, ["logits"])[0] for i in range(3)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda i: session.run({"image": FRAMES[i % 3 : i % 3 + 1]}, ["logits"])[0], range(60)))
    assert all(np.array_equal(found, alone[i % 3]) for i, found in enumerate(together))


def test_less_than_float32_is_taken_by_name_only(content: bytes) -> None:
    with pytest.raises(UserError, match="onnxruntime does not compute in 'bfloat16'; it has float32"):
        start(content, "tiny", "onnxruntime", precision="bfloat16")
    openvino = pytest.importorskip("openvino")
    with pytest.raises(UserError, match="openvino on this processor does not compute in 'float16'; it has float32"):
        start(content, "tiny", "openvino", precision="float16")
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16")
    (rounded,) = start(content, "tiny", "openvino", precision="bfloat16").run({"image": FRAMES}, ["logits"])
    assert np.allclose(rounded, 20 * (0.3 - FRAMES), atol=0.1)


def test_openvino_is_taken_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sonoseg.prediction.runtime, "find_spec", lambda name: None)
    assert default_backend() == "onnxruntime"
    monkeypatch.setattr(sonoseg.prediction.runtime, "find_spec", lambda name: object())
    assert default_backend() == "openvino"


def test_a_backend_that_is_not_there_is_one_sentence(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="'tensorrt' is not known; there are openvino"):
        start(content, "tiny", "tensorrt")
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(UserError, match="not installed") as caught:
        start(content, "tiny", "openvino")
    assert install("openvino") in caught.value.hint


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_what_is_no_network_is_one_sentence(backend: str) -> None:
    pytest.importorskip(backend)
    with pytest.raises(UserError, match=r"notes\.txt holds a network that"):
        start(b"no network", "notes.txt", backend)


def test_content_is_a_path_nowhere(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    with pytest.raises(UserError):
        start(str(tmp_path / "tiny.onnx").encode(), "tiny", "onnxruntime")
