import hashlib
import json
import pickle
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest

import sonoseg.prediction.modelfile
from sonoseg.errors import UserError
from sonoseg.prediction import onnxfile
from sonoseg.prediction.modelfile import load, pin, read_record, resolve, sidecar
from sonoseg.prediction.record import USE
from tiny_model import SIZE, record, scan, write_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


def test_a_model_predicts_and_names_itself(tiny: Path) -> None:
    predictor = load(tiny)
    assert predictor.size == SIZE
    assert predictor.smallest_lesion == 0.001
    assert predictor.model.name == "tiny"
    assert predictor.model.checksum == hashlib.sha256(tiny.read_bytes()).hexdigest()
    assert predictor.model.record["licence"] == "MIT"
    (lesion,) = predictor.predict(scan()).lesions
    assert lesion.centroid == pytest.approx((60, 90), abs=1.5)
    assert predictor.explain(scan()) == {}


def test_the_record_is_read_without_a_session(tiny: Path) -> None:
    assert read_record(tiny) == record()


def test_the_record_is_found_as_onnx_finds_it(tiny: Path) -> None:
    entries = {entry.key: entry.value for entry in onnx.load(str(tiny)).metadata_props}
    assert json.loads(entries["sonoseg"]) == read_record(tiny)


def test_gates_are_explained(tmp_path: Path) -> None:
    gates = load(write_model(tmp_path / "gated.onnx", gates=2)).explain(scan())
    assert list(gates) == ["gate_1", "gate_2"]
    assert all(gate.shape == (120, 160) for gate in gates.values())
    assert gates["gate_1"][60, 90] < 0.2 < gates["gate_1"][10, 90]


def test_a_name_comes_with_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sonoseg.prediction.modelfile, "WEIGHTS", tmp_path)
    path = write_model(tmp_path / "default.onnx")
    pin(path)
    assert resolve("default") == path
    assert load().model.name == "tiny"
    with pytest.raises(UserError, match="package holds default") as caught:
        resolve("defualt")
    assert "default" in caught.value.hint


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder") as caught:
        resolve(tmp_path)
    assert "sonoseg export" in caught.value.hint


@pytest.mark.parametrize("address", ["https://example.org/model.onnx", "https://example.org/m.onnx#sha256=123"])
def test_a_url_needs_a_checksum(address: str) -> None:
    with pytest.raises(UserError, match="checksum"):
        resolve(address)


def test_a_file_of_the_first_version_tells_no_presence(tiny: Path) -> None:
    assert read_record(tiny)["version"] == 1
    assert load(tiny).predict(scan()).presence is None


@pytest.mark.parametrize("backend", ["onnxruntime", *(["openvino"] if find_spec("openvino") else [])])
def test_a_network_that_tells_presence_has_a_least_one(tmp_path: Path, tiny: Path, backend: str) -> None:
    for told, least in (({}, 0.0), ({"least_presence": None}, 0.0), ({"least_presence": 0.9}, 0.9)):
        entries = {"sonoseg": json.dumps(record(**told))}
        predictor = load(write_model(tmp_path / "there.onnx", entries, presence=True), backend)
        assert predictor.least_presence == least
        there, not_there = predictor.predict_batch([scan(), scan(lesion=False)])
        assert there.presence is not None
        assert not_there.presence is not None
        assert 0.9 > there.presence > 0.5 > not_there.presence > 0.1
        assert there.mask.any() == (least == 0)
    assert load(tiny, backend).least_presence is None


def test_a_graph_of_another_shape_is_named(tmp_path: Path) -> None:
    other_size = write_model(tmp_path / "size.onnx", {"sonoseg": json.dumps(record(size=128))})
    other_name = write_model(tmp_path / "name.onnx", names=("picture", "logits"))
    no_logits = write_model(tmp_path / "logits.onnx", names=("image", "mask"))
    for path in (other_size, other_name, no_logits):
        for backend in ("onnxruntime", *(["openvino"] if find_spec("openvino") else [])):
            with pytest.raises(UserError, match="are needed"):
                load(path, backend)


def test_a_sidecar_says_what_an_older_record_left_unsaid(tmp_path: Path) -> None:
    told = record(weights_licence="MIT", licence="of the data", trained_on={"set": "phantom", "digests": ["00"]})
    found = sidecar(write_model(tmp_path / "tiny.onnx", {"sonoseg": json.dumps(told)}))
    assert found["licence"] == "MIT"
    assert "weights_licence" not in found
    assert found["trained_on"] == {"set": "phantom"}
    assert (found["least_confidence"], found["mirrored"], found["use"]) == (0, False, USE)
    assert found["checksum"] == hashlib.sha256((tmp_path / "tiny.onnx").read_bytes()).hexdigest()
    assert set(told) - {"weights_licence"} <= set(found)


@pytest.fixture(scope="module")
def sealed(tiny: Path) -> Path:
    path = tiny.with_name("sealed.onnx")
    path.write_bytes(onnxfile.seal(tiny.read_bytes(), record(version=2)))
    return path


def test_a_sealed_file_is_read_as_the_older_one_is(tiny: Path, sealed: Path) -> None:
    onnx.checker.check_model(str(sealed))
    assert {**read_record(sealed), "digest": ""} == {**record(version=2), "digest": ""}
    one, other = (load(path, "onnxruntime").predict(scan()) for path in (tiny, sealed))
    assert np.array_equal(one.probability, other.probability)


def test_no_flipped_bit_of_a_sealed_file_is_passed_over(tmp_path: Path, sealed: Path) -> None:
    content, path = sealed.read_bytes(), tmp_path / "flipped.onnx"
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(UserError, match=r"flipped\.onnx"):
            read_record(path)


def test_a_packed_model_must_be_the_one_that_was_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sonoseg.prediction.modelfile, "WEIGHTS", tmp_path)
    path = write_model(tmp_path / "default.onnx")
    with pytest.raises(UserError, match="not the file that came with sonoseg"):
        load()
    pin(path)
    load()
    content = bytearray(path.read_bytes())
    content[content.index(b"Sub")] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="not the file that came with sonoseg"):
        load()


def test_int8_is_the_files_own(tmp_path: Path, tiny: Path) -> None:
    rounded = write_model(tmp_path / "rounded.onnx", {"sonoseg": json.dumps(record(precision="int8"))})
    assert load(rounded, "onnxruntime").model.precision == "int8"
    assert load(tiny, "onnxruntime").model.precision == "float32"
    with pytest.raises(UserError, match="a network in float32; it cannot compute in int8") as caught:
        load(tiny, precision="int8")
    assert "--int8" in caught.value.hint
    with pytest.raises(UserError, match="a network in int8; it cannot compute in bfloat16"):
        load(rounded, precision="bfloat16")


def test_a_predictor_is_short_and_can_be_compared_and_pickled(tiny: Path) -> None:
    predictor = load(tiny, "onnxruntime")
    assert len(repr(predictor)) < 400
    assert "tiny" in repr(predictor)
    again = pickle.loads(pickle.dumps(predictor))
    assert again == predictor == load(tiny, "onnxruntime")
    assert np.array_equal(again.predict(scan()).probability, predictor.predict(scan()).probability)
    assert predictor != replace(predictor, threshold=0.4)
    assert predictor != load(tiny, "onnxruntime", threads=1)


def test_logits_that_are_no_numbers_are_an_error(tiny: Path) -> None:
    predictor = load(tiny, "onnxruntime")
    with pytest.raises(UserError, match="logits that are no numbers on onnxruntime in float32"):
        predictor.network(np.full((1, 1, SIZE, SIZE), np.nan, np.float32))


def test_a_damaged_file_never_crashes(tmp_path: Path, tiny: Path) -> None:
    rng, content, path = np.random.default_rng(0), tiny.read_bytes(), tmp_path / "damaged.onnx"
    for _ in range(150):
        damaged = bytearray(content)
        damaged[int(rng.integers(len(damaged)))] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged[: int(rng.integers(1, 2 * len(damaged)))])
        try:
            load(path, "onnxruntime", threads=1)
        except UserError as error:
            assert "damaged.onnx" in str(error)  # noqa: PT017


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file has this path"):
        load(tmp_path / "none.onnx")
