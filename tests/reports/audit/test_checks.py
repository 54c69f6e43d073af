from sonoseg.data.audit import Look
from sonoseg.reports.audit.checks import CHECKS

PLAIN = {
    "name": "a",
    "label": "benign",
    "shape": (20, 30),
    "masks": 1,
    "lesions": 1,
    "specks": 0,
    "holes": 0,
    "touches_border": False,
    "share": 0.1,
    "coloured": False,
    "marked": False,
}


def found(**changes):
    """Keys of what is found in an image that is plain but for the changes."""
    return {check.key for check in CHECKS if check.among([Look(**PLAIN | changes)])}


def test_a_plain_image_has_no_finding() -> None:
    assert found() == found(label="normal", share=0.0, lesions=0) == found(label="unknown", share=0.0) == set()


def test_each_change_has_its_finding() -> None:
    assert found(share=0.0) == {"missing"}
    assert found(label="normal") == {"unexpected"}
    assert found(share=0.95) == {"full"}
    assert found(masks=2) == {"several"}
    assert found(masks=None) == set()
    assert found(lesions=2) == {"lesions"}
    assert found(specks=1) == {"specks"}
    assert found(holes=1) == {"holes"}
    assert found(touches_border=True) == {"border"}
    assert found(marked=True) == {"marks"}
    assert found(coloured=True) == {"colour"}


def test_keys_are_unique_and_sentences_end() -> None:
    assert len({check.key for check in CHECKS}) == len(CHECKS)
    assert all(text.endswith(".") for check in CHECKS for text in (check.meaning, check.advice))
