from pydicom import uid
from pydicom.dataset import Dataset

from sonoseg.delivery.dicom.profile import Replacer

SECRET = "SECRET"


def test_each_action_of_the_table_is_done() -> None:
    data = Dataset()
    data.PatientName = data.PatientID = data.StudyDescription = data.DeviceSerialNumber = SECRET
    data.PatientBirthDate, data.StudyDate, data.ContentDate = "19700102", "20261124", "20261124"
    data.SOPInstanceUID, data.SOPClassUID = "1.2.3", uid.UltrasoundImageStorage
    data.Rows, data.Manufacturer, data.ImageType = 120, "Maker", ["ORIGINAL", "PRIMARY"]
    cleaned = Replacer().clean(data)
    assert "StudyDescription" not in cleaned  # removed
    assert not cleaned.PatientName  # emptied: the standard asks for it
    assert not cleaned.PatientBirthDate
    assert cleaned.ContentDate != "20261124"
    assert cleaned.SOPInstanceUID != "1.2.3"  # replaced
    assert cleaned.SOPClassUID == uid.UltrasoundImageStorage  # kept, as it is no name of anything
    assert (cleaned.Rows, list(cleaned.ImageType)) == (120, ["ORIGINAL", "PRIMARY"])
    assert SECRET not in str(cleaned)
    assert data.PatientName == SECRET  # what was given is left as it was


def test_private_tags_overlays_curves_and_what_nobody_knows_go() -> None:
    data = Dataset()
    data.add_new(0x0009_0010, "LO", SECRET)
    data.add_new(0x0009_1001, "LO", SECRET)
    data.add_new(0x6000_3000, "OW", SECRET.encode())
    data.add_new(0x6002_0022, "LO", SECRET)
    data.add_new(0x5000_3000, "OW", SECRET.encode())
    data.add_new(0x0018_9999, "UN", SECRET.encode())
    assert len(Replacer().clean(data)) == 0


def test_items_of_sequences_are_cleaned_at_any_depth() -> None:
    data = Dataset()
    for _ in range(5):
        outer = Dataset()
        outer.OperatorsName, outer.ReferencedSOPInstanceUID = SECRET, "1.2.3"
        outer.DerivationImageSequence = [data]
        data = outer
    cleaned = Replacer().clean(data)
    depth = 0
    while "DerivationImageSequence" in cleaned:
        assert SECRET not in str(cleaned.OperatorsName)
        assert cleaned.ReferencedSOPInstanceUID != "1.2.3"
        (cleaned,) = cleaned.DerivationImageSequence
        depth += 1
    assert depth == 5


def test_a_name_of_a_person_goes_under_any_tag() -> None:
    data = Dataset()
    data.add_new(0x0040_A123, "PN", SECRET)  # Person Name, of a report
    data.add_new(0x0018_9998, "PN", SECRET)
    assert SECRET not in str(Replacer().clean(data))


def test_a_uid_becomes_the_same_other_one_within_a_replacer_and_another_beyond() -> None:
    one = Replacer()
    first, again, other = one.uid("1.2.3"), one.uid("1.2.3"), one.uid("1.2.4")
    assert first == again != other
    assert first.is_valid
    assert len(first) <= 64
    assert Replacer().uid("1.2.3") != first
    data = Dataset()
    data.add_new(0x0020_9161, "UI", ["1.2.3", "1.2.4"])  # Concatenation UID
    assert one.clean(data)[0x0020_9161].value == [first, other]
