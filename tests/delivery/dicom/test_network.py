from pathlib import Path

import pydicom
import pytest
from pydicom import uid
from pynetdicom import AE, evt

import dicom_files
from dicom_files import Scan
from orthanc import free_port
from sonoseg.delivery.dicom.network import receiving, send
from sonoseg.errors import UserError


def test_what_is_sent_is_received_as_it_was_under_a_name_that_tells_nobody(tmp_path: Path) -> None:
    scans = (Scan(), Scan(frames=2), Scan(syntax=uid.JPEGBaseline8Bit, model="YBR_FULL_422"), Scan(syntax=uid.JPEG2000))
    files = [dicom_files.write(tmp_path / f"{number}.dcm", scan) for number, scan in enumerate(scans)]
    port = free_port()
    with receiving(tmp_path / "out", port, "127.0.0.1"):
        assert send(files, "127.0.0.1", port).done == 4
        assert send(files[:1], "127.0.0.1", port).done == 1  # once more is not twice there
    came = {pydicom.dcmread(path).SOPInstanceUID: path for path in (tmp_path / "out").iterdir()}
    assert len(came) == 4
    for path in files:
        data = pydicom.dcmread(path)
        target = came[data.SOPInstanceUID]
        assert pydicom.dcmread(target).PixelData == data.PixelData
        assert pydicom.dcmread(target).file_meta.TransferSyntaxUID == data.file_meta.TransferSyntaxUID
        assert not any(secret in target.name for secret in ("DOE", "4711", str(data.SOPInstanceUID)))


def test_every_clip_that_is_read_is_received(tmp_path: Path) -> None:
    codes = [
        *(uid.MPEG2MPML, uid.MPEG2MPHL, uid.MPEG4HP41, uid.MPEG4HP41BD, uid.MPEG4HP422D, uid.MPEG4HP423D),
        *(uid.MPEG4HP42STEREO, uid.HEVCMP51, uid.HEVCM10P51, uid.MPEG2MPMLF, uid.MPEG4HP42STEREOF),
    ]
    node, port = AE(), free_port()
    for code in codes:
        node.add_requested_context(dicom_files.US_MULTI, code)
    with receiving(tmp_path / "out", port, "127.0.0.1"):
        association = node.associate("127.0.0.1", port)
        assert {context.transfer_syntax[0] for context in association.accepted_contexts} == set(codes)
        association.release()


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    port = free_port()
    with (
        receiving(tmp_path / "one", port, "127.0.0.1"),
        pytest.raises(UserError, match="cannot be used"),
        receiving(tmp_path / "two", port, "127.0.0.1"),
    ):
        pass


def test_nobody_there_is_a_sentence(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "a.dcm", Scan())
    with pytest.raises(UserError, match="does not answer"):
        send([path], "127.0.0.1", free_port())


@pytest.mark.parametrize("length", [140, 200, 400])
def test_a_damaged_file_is_not_sent(length: int, tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "a.dcm", Scan())
    path.write_bytes(path.read_bytes()[:length])
    good = dicom_files.write(tmp_path / "b.dcm", Scan())
    moved = send([path], "127.0.0.1", free_port())  # nobody is asked
    assert (moved.done, len(moved.failures)) == (0, 1)
    port = free_port()
    with receiving(tmp_path / "out", port, "127.0.0.1"):
        moved = send([path, good], "127.0.0.1", port)
    ((name, sentence, hint),) = moved.failures
    assert (moved.done, name, "is damaged" in sentence, bool(hint)) == (1, "a.dcm", True, True)


def test_a_node_that_agrees_to_another_code_only_is_a_sentence(tmp_path: Path) -> None:
    node, port, took = AE(), free_port(), list[str]()
    node.add_supported_context(dicom_files.US, uid.ExplicitVRLittleEndian)
    server = node.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda event: took.append("one") or 0)]
    )
    try:
        plain = dicom_files.write(tmp_path / "a.dcm", Scan())
        coded = dicom_files.write(tmp_path / "b.dcm", Scan(syntax=uid.JPEG2000))
        moved = send([coded, plain], "127.0.0.1", port)
    finally:
        server.shutdown()
    assert took == ["one"]
    ((name, sentence, _),) = moved.failures
    assert (moved.done, name, "does not take it" in sentence) == (1, "b.dcm", True)


def test_a_node_that_goes_away_is_a_sentence(tmp_path: Path) -> None:
    node, port = AE(), free_port()
    node.add_supported_context(dicom_files.US, uid.ExplicitVRLittleEndian)
    handlers = [(evt.EVT_C_STORE, lambda event: event.assoc.abort() or 0)]
    server = node.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    files = [dicom_files.write(tmp_path / f"{number}.dcm", Scan()) for number in range(3)]
    try:
        with pytest.raises(UserError, match="ended the association after 0 files"):
            send(files, "127.0.0.1", port)
    finally:
        server.shutdown()
