import numpy as np
import pytest
from pydicom.dataset import Dataset

from sonoseg.errors import UserError
from sonoseg.images.dicom.tones import tones

STORED = np.array([[0, 10, 50, 100], [150, 200, 245, 255]], np.uint8)


def header(model: str = "MONOCHROME2", bits: int = 8, **more: object) -> Dataset:
    data = Dataset()
    data.PhotometricInterpretation, data.BitsStored, data.PixelRepresentation = model, bits, 0
    data.BitsAllocated = 8 if bits <= 8 else 16
    for key, value in more.items():
        setattr(data, key, value)
    return data


def shown(samples: np.ndarray, data: Dataset, model: str = "") -> np.ndarray:
    return tones(data, "a file")(samples, model or str(data.PhotometricInterpretation)).pixels


def table(values: np.ndarray, first: int = 0, bits: int = 16) -> Dataset:
    """A look-up table in which ``first`` is the first value that has an entry."""
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [len(values), first, bits], values.tolist()
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    return item


def test_eight_bits_are_left_as_they_are_and_dark_is_light_in_monochrome1() -> None:
    assert (shown(STORED, header()) == STORED).all()
    assert (shown(STORED, header("MONOCHROME1")) == 255 - STORED).all()


def test_more_bits_are_scaled_and_those_above_do_not_count() -> None:
    samples = STORED.astype(np.uint16) << 4
    assert np.abs(shown(samples, header(bits=12)).astype(int) - STORED).max() <= 1
    assert (shown(samples | 0xF000, header(bits=12)) == shown(samples, header(bits=12))).all()


def test_windows_follow_the_formulas_of_the_standard() -> None:
    values = STORED.astype(float)
    linear = np.rint(255 * ((values - 99.5) / 99 + 0.5).clip(0, 1))
    assert (shown(STORED, header(WindowCenter=100, WindowWidth=100)) == linear).all()
    exact = np.rint(255 * ((values - 100) / 100 + 0.5).clip(0, 1))
    said = {"WindowCenter": 100, "WindowWidth": 100}
    assert (shown(STORED, header(**said, VOILUTFunction="LINEAR_EXACT")) == exact).all()
    bent = np.rint(255 / (1 + np.exp(-4 * (values - 100) / 100)))
    assert (shown(STORED, header(**said, VOILUTFunction="SIGMOID")) == bent).all()
    assert (shown(STORED, header(WindowCenter=100, WindowWidth=1)) == np.where(STORED >= 100, 255, 0)).all()


def test_the_first_of_several_windows_counts_and_a_wrong_one_does_not() -> None:
    first, both = header(WindowCenter=100, WindowWidth=50), header(WindowCenter=[100, 20], WindowWidth=[50, 10])
    assert (shown(STORED, both) == shown(STORED, first)).all()
    assert (shown(STORED, header(WindowCenter=100, WindowWidth=0)) == STORED).all()
    assert (shown(STORED, header(WindowCenter=None, WindowWidth=None)) == STORED).all()


def test_a_table_of_values_of_interest_comes_before_a_window() -> None:
    falling = (65535 - 257 * np.arange(256)).astype(np.uint16)
    data = header(VOILUTSequence=[table(falling)], WindowCenter=10, WindowWidth=2)
    assert (shown(STORED, data) == 255 - STORED).all()
    beginning = header(VOILUTSequence=[table(np.linspace(0, 65535, 101).astype(np.uint16), first=100)])
    assert shown(STORED, beginning)[0].tolist() == [0, 0, 0, 0]
    assert shown(STORED, beginning)[1, 1:].tolist() == [255, 255, 255]


def test_samples_are_rescaled_before_the_window() -> None:
    data = header(RescaleSlope=2, RescaleIntercept=-100, WindowCenter=100, WindowWidth=200)
    expected = np.rint(255 * ((2.0 * STORED - 100 - 99.5) / 199 + 0.5).clip(0, 1))
    assert (shown(STORED, data) == expected).all()


def test_signed_samples_wrap() -> None:
    signed = (STORED.astype(np.int16) - 128).astype(np.int8)
    assert (shown(signed, header(PixelRepresentation=1)) == STORED).all()


def test_a_palette_is_looked_up_and_its_colours_are_told() -> None:
    data = header("PALETTE COLOR")
    for number, colour in enumerate(("Red", "Green", "Blue")):
        setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        entries = 257 * np.arange(256, dtype=np.uint16)
        entries[200] = 65535 * (number == 0)
        setattr(data, f"{colour}PaletteColorLookupTableData", entries.tobytes())
    grey = tones(data, "a file")
    assert not grey(STORED[:1], "").coloured
    assert (grey(STORED[:1], "").pixels == STORED[:1]).all()
    assert grey(STORED, "").coloured
    assert grey(STORED, "").pixels[1, 1] == 76  # red, as grey


def test_colours_become_grey_by_what_was_decoded() -> None:
    data, colours = header("YBR_FULL", SamplesPerPixel=3), np.repeat(STORED[..., None], 3, axis=2)
    assert (shown(colours, data, "RGB") == STORED).all()
    ybr = np.stack((STORED, np.full_like(STORED, 128), np.full_like(STORED, 128)), axis=2)
    assert (shown(ybr, data, "YBR_FULL") == STORED).all()
    deep = colours.astype(np.uint16) << 8
    assert (shown(deep, header("RGB", bits=16), "RGB") == STORED).all()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (header(bits=17), "17 bits"), (header(bits=0), "0 bits"), (header("HSV"), "colour model HSV"),
        (header("DOE JANE"), "of no known kind"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_a_sentence(data: Dataset, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        tones(data, "a file")
    assert "DOE" not in str(error.value)


def test_samples_of_another_kind_than_said_are_a_sentence() -> None:
    with pytest.raises(UserError, match="colour samples where grey is said"):
        shown(np.zeros((4, 4, 3), np.uint8), header())
    with pytest.raises(UserError, match="does not hold the samples"):
        shown(STORED, header("RGB"), "RGB")
    with pytest.raises(UserError, match="does not hold the samples"):
        shown(np.zeros((4, 4, 3), np.uint8), header("RGB"), "HSV")
