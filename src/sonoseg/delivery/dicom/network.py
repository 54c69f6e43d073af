"""DICOM's own network: C-STORE to a node, and from one."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, build_context, evt
from pynetdicom.presentation import PresentationContext

from sonoseg.delivery.dicom.moved import Moved
from sonoseg.errors import UserError
from sonoseg.files import write_bytes
from sonoseg.images.dicom.objects import quiet, read_object

NAME = "SONOSEG"
"""Application entity."""

_CONTEXTS = 128
"""That one association may have."""

_SYNTAXES = [
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5",
    *(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91, *range(100, 109))),
    *(f"1.2.840.10008.1.2.4.{number}.1" for number in range(100, 107)),
]  # fmt: skip

_OUT_OF_RESOURCES = 0xA700


def send(files: Sequence[Path], host: str, port: int, called: str = "ANY-SCP") -> Moved:
    """Send DICOM files to a node. Errors: ``UserError`` where it does not answer, or ends the association."""
    entity, contexts, moved = AE(NAME), dict[tuple[str, str], PresentationContext](), Moved()
    whole = list[Path]()
    for path in files:
        try:
            data = read_object(path, pixels=False)
        except UserError as error:
            moved.fail(path.name, error)
        else:
            key = (str(data.SOPClassUID), str(data.file_meta.TransferSyntaxUID))
            contexts[key] = build_context(*key)
            whole.append(path)
    if not whole:
        return moved
    if len(contexts) > _CONTEXTS:
        raise UserError(f"the files are of {len(contexts)} kinds; {_CONTEXTS} go at once", hint="send fewer")
    association = entity.associate(host, port, contexts=list(contexts.values()), ae_title=called)
    if not association.is_established:
        raise UserError(f"{host}:{port} does not answer, or refuses", hint="check host, port and --called", exit_code=1)
    try:
        for path in whole:
            if _takes(association, read_object(path)):
                moved.done += 1
            elif association.is_established:
                moved.fail(path.name, UserError(f"{host}:{port} does not take it", hint="look into its log"))
            else:
                raise UserError(
                    f"{host}:{port} ended the association after {moved.done} files",
                    hint="look into its log",
                    exit_code=1,
                )
    finally:
        association.release()
    return moved


def _takes(association: Any, data: Dataset) -> bool:
    try:
        with quiet():
            status = association.send_c_store(data)
    except (ValueError, AttributeError, RuntimeError):  # a transfer syntax it did not agree to, a lost association
        return False
    return bool(status) and status.Status in {0x0000, 0xB000, 0xB006, 0xB007}


@contextmanager
def receiving(folder: Path, port: int, host: str = "") -> Iterator[Any]:
    """Take what nodes send into a folder while the block runs, under names that tell nobody what it is."""
    folder.mkdir(parents=True, exist_ok=True)

    def keep(event: evt.Event) -> int:
        try:
            digest = hashlib.sha256(str(getattr(event.request, "AffectedSOPInstanceUID", "")).encode()).hexdigest()[:24]
            write_bytes(folder / f"{digest}.dcm", event.encoded_dataset())
        except OSError:
            return _OUT_OF_RESOURCES
        return 0x0000

    entity = AE(NAME)
    entity.supported_contexts = AllStoragePresentationContexts
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), _SYNTAXES)
    entity.add_supported_context("1.2.840.10008.1.1")
    try:
        server = entity.start_server((host, port), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    except OSError as error:
        raise UserError(f"port {port} cannot be used ({error.strerror})", hint="--port another", exit_code=1) from error
    try:
        yield server
    finally:
        entity.shutdown()
