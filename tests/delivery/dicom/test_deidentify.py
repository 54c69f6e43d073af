from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

import dicom_files
from dicom_files import LOSSY, MPEG4, Region, Scan
from sonoseg.delivery.dicom import deidentify as module
from sonoseg.delivery.dicom.deidentify import deidentify
from sonoseg.delivery.dicom.profile import Replacer
from sonoseg.errors import UserError
from sonoseg.images import reading

SECRET = "SECRET"
BOX = (24, 10, 135, 105)
VARIANTS = dicom_files.variants()


def cleaned(
    folder: Path, scan: Scan, replacer: Replacer | None = None, **changes: object
) -> tuple[Dataset, tuple[str, ...]]:
    path = dicom_files.write(folder / "scan.dcm", scan, **changes)
    warnings = deidentify(path, folder / "clean.dcm", replacer or Replacer()).warnings
    return pydicom.dcmread(folder / "clean.dcm"), warnings


def hidden() -> Dataset:
    """An item that holds what must not be found again, two sequences deep."""
    item, inner = Dataset(), Dataset()
    for each in (item, inner):
        each.PatientName = each.OperatorsName = each.StudyDescription = each.InstitutionName = SECRET
        each.PatientID = each.AccessionNumber = each.ImageComments = SECRET
        each.add_new(0x0009_0010, "LO", SECRET)
        each.ReferencedSOPInstanceUID = "1.2.3.4"
    item.ReferencedImageSequence = [inner]
    return item


def test_nothing_of_the_patient_is_left_in_sequences_either(tmp_path: Path) -> None:
    region = Region(BOX).item()
    region.update(hidden())
    scan = Scan(inside=BOX, regions=(Region(BOX),))
    data, _ = cleaned(
        tmp_path, scan, SequenceOfUltrasoundRegions=[region], RequestAttributesSequence=[hidden()],
        SourceImageSequence=[hidden()], PatientComments=SECRET, PerformingPhysicianName=SECRET,
        PatientBirthDate="19700102", StudyDescription=SECRET, StationName=SECRET, InstitutionAddress=SECRET,
        PatientID="P4711",
    )  # fmt: skip
    content = (tmp_path / "clean.dcm").read_bytes()
    for secret in (SECRET, "DOE", "P4711", "A-17", "19700102", "20261124"):
        assert secret.encode() not in content
    source = pydicom.dcmread(tmp_path / "scan.dcm")
    for key in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert str(source[key].value).encode() not in content
        assert data[key].value.is_valid
    assert not any(element.tag.is_private for element in data.iterall())
    assert data.PatientIdentityRemoved == "YES"
    assert [code.CodeValue for code in data.DeidentificationMethodCodeSequence] == ["113100", "113101"]
    assert data.SequenceOfUltrasoundRegions[0].PhysicalDeltaX == 0.01
    assert data.SOPClassUID == source.SOPClassUID
    before, after = (set(dicom_files.faults(tmp_path / name)) for name in ("scan.dcm", "clean.dcm"))
    assert after <= before  # nothing that the standard asks for was taken away


def test_uids_stay_together_within_a_call_and_not_beyond(tmp_path: Path) -> None:
    replacer = Replacer()
    scan, same = Scan(), {"StudyInstanceUID": "1.2.840.1"}
    first, _ = cleaned(tmp_path, scan, replacer, **same)
    second, _ = cleaned(tmp_path, scan, replacer, **same)
    other, _ = cleaned(tmp_path, scan, **same)
    assert first.StudyInstanceUID == second.StudyInstanceUID != other.StudyInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID


@pytest.mark.parametrize("name", VARIANTS)
def test_pixels_within_regions_stay_and_the_rest_is_black(name: str, tmp_path: Path) -> None:
    scan = VARIANTS[name]
    path = dicom_files.write(tmp_path / "scan.dcm", scan)
    deidentify(path, tmp_path / "clean.dcm", Replacer())
    before, after = (list(reading.read(each)) for each in (path, tmp_path / "clean.dcm"))
    kept = np.zeros(scan.shape, bool)
    for region in scan.regions:
        left, top, right, bottom = region.box
        kept[top : bottom + 1, left : right + 1] = True
    for old, new in zip(before, after, strict=True):
        assert (new.image.windows, new.image.spacing) == (old.image.windows, old.image.spacing)
        assert (new.image.pixels[kept | (not scan.regions)] == old.image.pixels[kept | (not scan.regions)]).all()
        if scan.regions:
            assert new.image.pixels[~kept].max(initial=0) <= (3 if scan.syntax in {*LOSSY, MPEG4} else 1)


def written_on(scan: Scan, place: tuple[int, int]) -> bytes:
    picture = PIL.Image.fromarray(dicom_files.grey(scan)[0])
    font = PIL.ImageFont.load_default(18)
    PIL.ImageDraw.Draw(picture).text(place, "JANE DOE", 255, font)
    return picture.tobytes()


def test_text_outside_is_blanked_and_text_inside_is_warned_of(tmp_path: Path) -> None:
    scan = Scan((200, 300), inside=(40, 60, 260, 190), regions=(Region((40, 60, 260, 190)),))
    data, warnings = cleaned(tmp_path, scan, PixelData=written_on(scan, (60, 20)))
    assert not warnings
    assert not data.pixel_array[:60].any()
    _, warnings = cleaned(tmp_path, scan, PixelData=written_on(scan, (60, 70)))
    assert warnings == (module.TEXT,)
    _, warnings = cleaned(tmp_path, scan, BurnedInAnnotation="YES")
    assert warnings == (module.BURNED_IN,)


def test_without_regions_a_person_must_look(tmp_path: Path) -> None:
    data, warnings = cleaned(tmp_path, Scan())
    assert warnings == (module.NO_REGIONS,)
    assert [code.CodeValue for code in data.DeidentificationMethodCodeSequence] == ["113100"]


@pytest.mark.parametrize("bare", [0, 1, 2])
def test_a_single_frame_that_was_not_blanked_is_told(bare: int, tmp_path: Path) -> None:
    groups = []
    for number in range(3):
        group = Dataset()
        region = Region(BOX, spatial=5, data=0) if number == bare else Region(BOX)
        group.SequenceOfUltrasoundRegions = [region.item()]
        groups.append(group)
    data, warnings = cleaned(
        tmp_path, Scan(frames=3, inside=BOX, regions=(Region(BOX),)), PerFrameFunctionalGroupsSequence=groups
    )
    assert warnings == (module.SOME_WITHOUT,)
    assert [code.CodeValue for code in data.DeidentificationMethodCodeSequence] == ["113100"]


def test_frames_are_counted_as_they_are_written(tmp_path: Path) -> None:
    data, _ = cleaned(tmp_path, Scan(frames=5, syntax=MPEG4), NumberOfFrames=6)
    assert data.NumberOfFrames == len(data.pixel_array) == 5


def test_what_is_no_ultrasound_is_not_written(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "a.dcm", Scan(), SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")
    with pytest.raises(UserError, match="Comprehensive SR"):
        deidentify(path, tmp_path / "b.dcm", Replacer())
    path.write_bytes(dicom_files.write(path, Scan(syntax=uid.JPEG2000)).read_bytes()[:-200])
    with pytest.raises(UserError):
        deidentify(path, tmp_path / "b.dcm", Replacer())
    assert [each.name for each in tmp_path.iterdir()] == ["a.dcm"]
