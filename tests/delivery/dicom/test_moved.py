from sonoseg.delivery.dicom.moved import Moved
from sonoseg.errors import UserError


def test_what_fails_is_kept_with_its_sentence_and_hint_beside_what_arrived() -> None:
    moved = Moved(done=2)
    moved.fail("a.dcm", UserError("it is damaged", hint="copy it again"))
    assert (moved.done, moved.failures) == (2, [("a.dcm", "it is damaged", "copy it again")])
    assert Moved().failures == []
