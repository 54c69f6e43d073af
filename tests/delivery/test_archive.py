import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient

import dicom_files
from dicom_files import Scan
from orthanc import Orthanc, free_port, running
from sonoseg.delivery.archive import RECORD, Archive, Instance, RefusedError, SilentError, Watch, maker, pull, push
from sonoseg.delivery.dicom.network import receiving, send
from sonoseg.delivery.objects import Objects
from sonoseg.errors import UserError
from sonoseg.files import alone

WANTED = Objects(seg=True, sr=True)


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    with running(tmp_path / "orthanc") as archive:
        yield archive


def study(folder: Path) -> list[Path]:
    """A scan with a lesion, one without, a cine, and one that cannot be predicted."""
    folder.mkdir()
    scans = {"a": Scan(), "b": Scan(lesion=False), "c": Scan(frames=2)}
    files = [dicom_files.write(folder / f"{name}.dcm", scan) for name, scan in scans.items()]
    spectrum = Scan(regions=(dicom_files.Region((0, 0, 159, 119), spatial=3, data=3),))
    return [*files, dicom_files.write(folder / "d.dcm", spectrum)]


def test_what_is_stored_is_found_fetched_predicted_and_given_back(orthanc: Orthanc, tmp_path: Path) -> None:
    files, archive = study(tmp_path / "in"), Archive(orthanc.web)
    push(archive, files)
    assert pull(archive, tmp_path / "out", {}).done == 4
    sources = {pydicom.dcmread(path).SOPInstanceUID: path for path in files}
    for path in (tmp_path / "out").iterdir():
        fetched = pydicom.dcmread(path)
        original = pydicom.dcmread(sources.pop(fetched.SOPInstanceUID))
        assert fetched.PixelData == original.PixelData
        assert str(fetched.SOPInstanceUID) not in path.name
    assert not sources
    one = pydicom.dcmread(files[0])
    assert pull(archive, tmp_path / "one", {"StudyInstanceUID": one.StudyInstanceUID}).done == 1
    make = maker(dicom_files.predictor(), WANTED, tmp_path / "made")
    made = [path for path in make(files[0]) if path.suffix == ".dcm"]
    push(archive, made)
    client = DICOMwebClient(orthanc.web)
    for kind, path in zip(("SEG", "SR"), made, strict=True):
        wanted = {"Modality": kind, "StudyInstanceUID": one.StudyInstanceUID}
        (found,) = client.search_for_instances(search_filters=wanted)
        uids = [found[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
        back, sent = client.retrieve_instance(*uids), pydicom.dcmread(path)
        assert (back.Modality, back.SOPInstanceUID) == (kind, sent.SOPInstanceUID)
        assert kind == "SR" or (back.pixel_array == sent.pixel_array).all()


def test_watch_outlives_a_restart_and_works_on_each_image_once(orthanc: Orthanc, tmp_path: Path) -> None:
    files = study(tmp_path / "in")
    archive, said = Archive(orthanc.web), list[str]()
    make = maker(dicom_files.predictor(), WANTED, tmp_path / "watch")
    watching = Watch(archive, tmp_path / "watch", make, said.append, wait=0.2)
    push(archive, files[:2])
    assert watching.run(looks=1) == 2
    assert watching.run(looks=2) == 0
    orthanc.stop()
    counted = list[int]()
    thread = threading.Thread(target=lambda: counted.append(watching.run()), daemon=True)
    thread.start()
    for _ in range(100):
        if any("does not answer" in sentence for sentence in said):
            break
        time.sleep(0.1)
    orthanc.start()
    push(archive, files[2:])
    for _ in range(300):
        if len((tmp_path / "watch" / RECORD).read_text().split()) == 4:
            break
        time.sleep(0.1)
    watching.stop.set()
    thread.join(20)
    assert counted == [2]
    again = Watch(archive, tmp_path / "watch", make, said.append, wait=0.2)  # as after a stop of its own
    assert again.run(looks=1) == 0
    assert (len(orthanc.instances("SEG")), len(orthanc.instances("SR"))) == (2, 3)
    assert [path.name for path in (tmp_path / "watch").iterdir()] == [RECORD]
    assert len([sentence for sentence in said if "a Doppler spectrum" in sentence]) == 1
    told = " ".join(said) + (tmp_path / "watch" / RECORD).read_text()
    for path in files:
        data = pydicom.dcmread(path)
        assert not any(secret in told for secret in (str(data.SOPInstanceUID), "DOE", "4711", "A-17"))


def test_what_broke_off_before_the_record_is_in_the_archive_once(orthanc: Orthanc, tmp_path: Path) -> None:
    archive = Archive(orthanc.web)
    archive.store(study(tmp_path / "in")[0])
    make = maker(dicom_files.predictor(), WANTED, tmp_path / "watch")
    for _ in range(2):
        Watch(archive, tmp_path / "watch", make, lambda sentence: None).run(looks=1)
        (tmp_path / "watch" / RECORD).unlink()
    assert (len(orthanc.instances("SEG")), len(orthanc.instances("SR"))) == (1, 1)


def test_what_may_not_be_stored_is_not_in_the_record(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive, say = Archive(orthanc.web), list[str]().append
    push(archive, study(tmp_path / "in")[:1])
    watching = Watch(archive, tmp_path / "watch", maker(dicom_files.predictor(), WANTED, tmp_path / "watch"), say)
    with monkeypatch.context() as closed:
        closed.setattr(archive, "store", Archive(f"{orthanc.url}/nothing").store)
        with pytest.raises(RefusedError, match="HTTP 404"):
            watching.run(looks=1)
    assert watching.run(looks=1) == 1
    assert (len(orthanc.instances("SEG")), len(orthanc.instances("SR"))) == (1, 1)
    assert [path.name for path in (tmp_path / "watch").iterdir()] == [RECORD]


def test_c_store_both_ways(orthanc: Orthanc, tmp_path: Path) -> None:
    import requests

    files = study(tmp_path / "in")
    assert send(files, "127.0.0.1", orthanc.dicom, "ORTHANC").done == 4
    assert len(orthanc.instances("US")) == 4
    with receiving(tmp_path / "out", orthanc.ours, "127.0.0.1"):
        done = requests.post(f"{orthanc.url}/modalities/sonoseg/store", json=orthanc.get("/instances"), timeout=30)
        assert done.ok, done.text
    came = {str(pydicom.dcmread(path).SOPInstanceUID): path for path in (tmp_path / "out").iterdir()}
    assert set(came) == {str(pydicom.dcmread(path).SOPInstanceUID) for path in files}
    for path in files:
        data = pydicom.dcmread(path)
        assert pydicom.dcmread(came[str(data.SOPInstanceUID)]).PixelData == data.PixelData


def test_who_does_not_answer_is_told_without_the_password() -> None:
    nobody = Archive(f"http://me:secret@127.0.0.1:{free_port()}/dicom-web")
    assert "secret" not in nobody.name
    with pytest.raises(SilentError):
        list(nobody.find())
    with pytest.raises(UserError, match="no URL"):
        Archive("localhost:8042")


def test_a_connection_that_cannot_be_trusted_is_no_silence() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        try:
            with pytest.raises(UserError, match="can be trusted"):
                list(Archive(f"https://127.0.0.1:{plain.server_port}/dicom-web").find())
        finally:
            plain.shutdown()


def test_a_damaged_file_is_not_stored(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "a.dcm", Scan())
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="is damaged"):
        Archive(f"http://127.0.0.1:{free_port()}/dicom-web").store(path)


def test_an_archive_is_gone_through_page_by_page(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = Archive(orthanc.web)
    push(archive, [dicom_files.write(tmp_path / f"{number}.dcm", Scan(frames=1 + number % 2)) for number in range(9)])
    monkeypatch.setattr("sonoseg.delivery.archive._PAGE", 2)
    found = list(archive.find())
    assert (len(found), len(set(found))) == (9, 9)


def test_one_that_cannot_be_stored_does_not_stop_the_others(orthanc: Orthanc, tmp_path: Path) -> None:
    files = study(tmp_path / "in")
    files[1].write_bytes(files[1].read_bytes()[:200])
    moved = push(Archive(orthanc.web), files)
    ((name, sentence, _),) = moved.failures
    assert (moved.done, name, "is damaged" in sentence) == (3, "b.dcm", True)
    with pytest.raises(RefusedError, match="HTTP 404"):
        push(Archive(f"{orthanc.url}/nothing"), files)


def test_one_that_cannot_be_fetched_does_not_stop_the_others(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = Archive(orthanc.web)
    push(archive, study(tmp_path / "in"))
    fetch, asked = archive.fetch, list[str]()

    def gone(wanted: Instance, path: Path) -> None:
        asked.append(path.name)
        fetch(wanted._replace(instance="1.2.3") if len(asked) == 1 else wanted, path)

    monkeypatch.setattr(archive, "fetch", gone)
    moved = pull(archive, tmp_path / "out", {})
    ((name, sentence, _),) = moved.failures
    assert (moved.done, name, "HTTP 404" in sentence) == (3, asked[0], True)


def test_two_watches_do_not_share_a_record(tmp_path: Path) -> None:
    nobody = Archive(f"http://127.0.0.1:{free_port()}/dicom-web")
    said = list[str]()
    watching = Watch(nobody, tmp_path / "watch", lambda path: [], said.append)
    with alone(tmp_path / "watch"), pytest.raises(UserError, match="another run"):
        watching.run(looks=1)
    assert watching.run(looks=1) == 0
    assert "does not answer" in said[0]


def test_an_image_is_made_again_where_the_archive_fell_silent(tmp_path: Path) -> None:
    scan = dicom_files.write(tmp_path / "a.dcm", Scan())
    make = maker(dicom_files.predictor(), WANTED, tmp_path / "made")
    assert [path.name for path in make(scan)] == [path.name for path in make(scan)]
