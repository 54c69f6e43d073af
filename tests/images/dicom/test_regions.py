import math
from pathlib import Path

import pytest

import dicom_files
from dicom_files import Region, Scan
from sonoseg.errors import UserError
from sonoseg.images import reading
from sonoseg.images.dicom import FROM_REGIONS, FROM_SPACING, UNKNOWN, regions
from sonoseg.images.dicom.frames import read_frames
from sonoseg.images.image import Image, Window

BOX = (20, 10, 119, 99)
PART = Window(10, 20, 90, 100)


def first(tmp_path: Path, *found: Region, **changes: object) -> Image:
    path = dicom_files.write(tmp_path / "scan.dcm", Scan(regions=found), **changes)
    return next(read_frames(path)).image


def test_the_tissue_is_the_window_and_the_sign_of_a_delta_is_no_size(tmp_path: Path) -> None:
    image = first(tmp_path, Region(BOX, (-0.02, 0.01)))
    assert image.windows == (PART,)
    assert image.spacing == (0.1, 0.2)
    assert image.notes == (FROM_REGIONS,)


@pytest.mark.parametrize("delta", [(0.0, 0.01), (math.nan, 0.01), (5.0, 0.01)])
def test_a_delta_that_is_no_size_is_none(tmp_path: Path, delta: tuple[float, float]) -> None:
    image = first(tmp_path, Region(BOX, delta))
    assert (image.spacing, image.notes) == (None, (UNKNOWN,))


def test_only_centimetres_are_a_length_and_pixel_spacing_is_the_second_choice(tmp_path: Path) -> None:
    other = Region(BOX, units=(3, 4))
    assert first(tmp_path, other).spacing is None
    image = first(tmp_path, other, PixelSpacing=[0.3, 0.4])
    assert (image.spacing, image.notes) == ((0.3, 0.4), (FROM_SPACING,))
    assert first(tmp_path, Region(BOX), PixelSpacing=[0.3, 0.4]).spacing == (0.1, 0.1)


def test_regions_that_are_no_tissue_do_not_count(tmp_path: Path) -> None:
    spectrum = Region((0, 100, 159, 119), (0.5, 0.5), spatial=3, data=3)
    flow = Region((40, 30, 60, 50), (0.01, 0.01), data=2)
    image = first(tmp_path, spectrum, flow, Region(BOX))
    assert (image.windows, image.spacing) == ((PART,), (0.1, 0.1))
    assert image.notes == (FROM_REGIONS, regions.FLOW)


def test_what_has_priority_lies_above(tmp_path: Path) -> None:
    inset = Region((30, 20, 69, 59))
    small = Window(20, 30, 40, 40)
    assert first(tmp_path, inset, Region(BOX)).windows == (PART, small)
    assert first(tmp_path, Region(BOX), inset).windows == (PART, small)
    low = Region((30, 20, 69, 59), flags=1)
    assert first(tmp_path, Region(BOX), low).windows == (small, PART)


def test_a_spacing_that_is_given_replaces_what_is_told_of_it_and_nothing_else(tmp_path: Path) -> None:
    for scan, told in (
        (Scan(regions=(Region(BOX), Region((60, 40, 90, 60), data=2))), (regions.FLOW,)),
        (Scan(regions=(Region(BOX),)), ()),
        (Scan(spacing=(0.3, 0.4)), ()),
        (Scan(), ()),
    ):
        (item,) = reading.read(dicom_files.write(tmp_path / "a.dcm", scan), (0.1, 0.2))
        assert (item.image.spacing, item.image.notes) == ((0.1, 0.2), told)


def test_two_views_of_one_size_are_both_seen_and_of_two_sizes_refused(tmp_path: Path) -> None:
    left, right = Region((0, 0, 79, 119)), Region((80, 0, 159, 119))
    assert first(tmp_path, left, right).windows == (Window(0, 0, 120, 80), Window(0, 80, 120, 80))
    with pytest.raises(UserError, match="2 views with different sizes"):
        first(tmp_path, left, Region((80, 0, 159, 119), (0.02, 0.02)))
    with pytest.raises(UserError, match="2 views with different sizes"):
        first(tmp_path, left, Region((80, 0, 159, 119), units=(4, 4)))


def test_regions_may_change_from_frame_to_frame(tmp_path: Path) -> None:
    groups = []
    for number in range(3):
        group = dicom_files.Dataset()
        found = [Region((10 * number, 0, 99 + 10 * number, 119), (0.01 * (number + 1),) * 2)]
        group.SequenceOfUltrasoundRegions = dicom_files.sequence(found)
        groups.append(group)
    scan = Scan(frames=3, regions=(Region(BOX),))
    path = dicom_files.write(tmp_path / "cine.dcm", scan, PerFrameFunctionalGroupsSequence=groups)
    images = [item.image for item in read_frames(path)]
    assert [image.spacing for image in images] == [(0.1, 0.1), (0.2, 0.2), (0.3, 0.3)]
    assert [image.windows[0].left for image in images] == [0, 10, 20]
