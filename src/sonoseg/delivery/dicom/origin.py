"""What an object that is made of a scan takes over from it, and what it says of its maker."""

from dataclasses import dataclass
from typing import Any

from highdicom import AlgorithmIdentificationSequence
from highdicom.base import SOPClass
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sr.codedict import codes
from pydicom.uid import UID, generate_uid
from pydicom.valuerep import validate_value

from sonoseg import __version__
from sonoseg.errors import UserError
from sonoseg.images.dicom.objects import MANUFACTURER, quiet
from sonoseg.prediction.predictor import NOTICE, Predictor

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")

_KEPT = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Required of every object, though it may be empty; what lacks in the scan is empty."""

_KEPT_IF_THERE = (
    "IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight", "StudyDescription", "PatientIdentityRemoved",
    "DeidentificationMethod",
)  # fmt: skip

LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
"""What the scan says of compression that lost something, and so does every image that is made of it (C.7.6.1.1.5)."""

_SERIES = {"seg": 901, "sr": 902, "sc": 903}
"""Series numbers by kind, beyond those of a scanner."""


@dataclass(frozen=True)
class Origin:
    """A scan that objects are made of. header: without pixels, as far as they take it over, and with valid values.

    several: whether its frames have numbers, as those of every multi-frame object. predictor: what predicted.
    settings: what the result depends on besides. corrected: whether a reader changed what was predicted.
    """

    header: Dataset
    several: bool
    predictor: Predictor
    settings: str = ""
    corrected: bool = False

    def uid(self, kind: str) -> UID:
        """A UID of something that is made of this scan: the same for the same scan, maker and settings."""
        model = self.predictor.model
        return generate_uid(
            entropy_srcs=[kind, self.header.SOPInstanceUID, __version__, model.name, model.checksum, self.settings]
        )

    def series(self, kind: str, way: str = "") -> dict[str, Any]:
        """What highdicom asks of the series and the maker of an object.

        way: how it was made; an archive keeps the first of two objects with one UID.
        """
        return {
            "series_instance_uid": self.uid(f"{kind} series{way}"),
            "series_number": _SERIES[kind],
            "sop_instance_uid": self.uid(f"{kind}{way}"),
            "instance_number": 1,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": f"sonoseg, model {self.predictor.model.name}"[:64],
            "software_versions": __version__,
            "device_serial_number": self.predictor.model.checksum[:16] or "unknown",
            "series_description": f"Lesions by a {'reader' if self.corrected else 'program'}. {NOTICE}",
        }

    @property
    def algorithm(self) -> AlgorithmIdentificationSequence:
        """What outlined the lesions."""
        model = self.predictor.model
        return AlgorithmIdentificationSequence(
            name=f"sonoseg, model {model.name}"[:64],
            family=codes.cid7162.ArtificialIntelligence,
            version=self.version,
            parameters={"threshold": str(self.predictor.threshold)},
        )

    @property
    def version(self) -> str:
        """Of program and model, in one line."""
        return f"{__version__}, model sha256 {self.predictor.model.checksum[:16] or 'unknown'}"


def origin(header: Dataset, predictor: Predictor, settings: str = "", corrected: bool = False) -> Origin:
    """Take over what objects made of a scan need. Errors: ``UserError`` where the scan lacks what names it."""
    kept = Dataset()
    for key in _UIDS:
        value = _read(header, key)
        if not _is_valid(key, value):
            raise UserError(f"the scan has no {key}, without which nothing can refer to it", hint="export it again")
        setattr(kept, key, UID(str(value)))
    for key in (*_KEPT, *_KEPT_IF_THERE):
        value = _read(header, key)
        good = value not in (None, "") and _is_valid(key, value)
        if good or key in _KEPT:
            setattr(kept, key, str(value) if good else "")
    for key in LOSSY:
        value = _read(header, key)
        values = [str(each) for each in value] if isinstance(value, MultiValue) else [str(value or "")]
        if all(each and _is_valid(key, each) for each in values):
            setattr(kept, key, values)
    kept.Rows, kept.Columns = int(header.Rows), int(header.Columns)
    kept.Modality = "US"
    return Origin(kept, "NumberOfFrames" in header, predictor, settings, corrected)


def finish(made: SOPClass) -> SOPClass:
    """Give a finished object its character set, which takes every name, and a preamble that tells who wrote it."""
    made.SpecificCharacterSet = "ISO_IR 192"
    made.preamble = f"sonoseg {__version__}".encode().ljust(128, b"\0")
    return made


def _read(header: Dataset, key: str) -> object:
    try:
        with quiet():
            return header.get(key)
    except Exception:  # a damaged element can raise nearly anything when it is looked at
        return None


def _is_valid(key: str, value: object) -> bool:
    if value is None or (key in _UIDS and not str(value)) or any(each < " " for each in str(value)):
        return False
    try:
        validate_value(dictionary_VR(key), str(value), RAISE)
    except (ValueError, TypeError):
        return False
    return True
