"""Tags without a patient, by the Basic Application Level Confidentiality Profile (PS3.15 E.2), in sequences too.

The table is that of dicom-anonymizer, which is kept; what that library does with it is not used, as it stays out of
sequences.
"""

import hashlib
import hmac
import secrets
from copy import deepcopy
from functools import cache
from typing import Any

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import UID

_EDITION = "dicomfields_2026c"

_ACTIONS = {
    "X_TAGS": "remove", "Z_TAGS": "empty", "X_Z_TAGS": "empty", "D_TAGS": "dummy", "Z_D_TAGS": "dummy",
    "X_D_TAGS": "dummy", "X_Z_D_TAGS": "dummy", "U_TAGS": "uid", "X_Z_U_STAR_TAGS": "enter",
}  # fmt: skip
"""What is done by each list of the table: where it leaves a choice, the one that is right for every kind of object."""

_DUMMIES: dict[str, Any] = {
    "AE": "REMOVED", "AS": "000Y", "CS": "REMOVED", "DA": "19000101", "DS": "0", "DT": "19000101000000", "FD": 0.0,
    "FL": 0.0, "IS": "0", "LO": "REMOVED", "LT": "REMOVED", "PN": "REMOVED", "SH": "REMOVED", "SL": 0, "SS": 0,
    "ST": "REMOVED", "TM": "000000", "UC": "REMOVED", "UL": 0, "UR": "", "US": 0, "UT": "REMOVED",
}  # fmt: skip

_ROOT = "2.25."
_OVERLAYS = (0x6000, 0x60FF)


class Replacer:
    """Cleans tags; one UID becomes the same other one in all that it cleans, and nobody can tell which."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def clean(self, data: Dataset) -> Dataset:
        """Give a copy without what the profile takes away. data: an object, or an item of a sequence of one."""
        cleaned = Dataset()
        for element in data:
            kept = self._cleaned(element)
            if kept is not None:
                cleaned.add(kept)
        return cleaned

    def uid(self, old: str) -> UID:
        """Another UID in place of one."""
        digest = hmac.new(self._key, str(old).encode(), hashlib.sha256).digest()
        return UID(_ROOT + str(int.from_bytes(digest[:16], "big")))

    def _cleaned(self, element: DataElement) -> DataElement | None:
        tag, vr = element.tag, element.VR
        action = _action(tag)
        if tag.is_private or vr == "UN" or action == "remove" or _OVERLAYS[0] <= tag.group <= _OVERLAYS[1]:
            return None
        if action == "uid" and vr == "UI":
            return DataElement(tag, vr, self._uids(element.value))
        if action in {"empty", "dummy"} or vr == "PN":
            return DataElement(tag, vr, _stand_in(vr, action))
        if vr == "SQ":
            return DataElement(tag, vr, [self.clean(item) for item in element.value])
        return deepcopy(element)

    def _uids(self, value: Any) -> Any:
        if isinstance(value, MultiValue | list):
            return [self.uid(each) for each in value]
        return self.uid(value) if value else value


def _stand_in(vr: str, action: str) -> Any:
    if vr == "SQ":
        return []
    return _DUMMIES.get(vr) if action == "dummy" else None


@cache
def _action(tag: BaseTag) -> str:
    """What is done with a tag; "" where it is kept."""
    exact, masked = _table()
    found = exact.get(int(tag), "")
    for (group, element, group_mask, element_mask), action in masked:
        if tag.group & group_mask == group & group_mask and tag.element & element_mask == element & element_mask:
            found = action
    return found


@cache
def _table() -> tuple[dict[int, str], list[tuple[tuple[int, ...], str]]]:
    lists = dicom_anonymization_database_selector(_EDITION)
    exact: dict[int, str] = {}
    masked: list[tuple[tuple[int, ...], str]] = []
    for name, action in _ACTIONS.items():
        for entry in lists[name]:
            if len(entry) == 2:
                exact[entry[0] << 16 | entry[1]] = action
            else:
                masked.append((tuple(entry), action))
    return exact, masked
