"""To and from an archive over DICOMweb: find and fetch ultrasound, store what was made of it, keep watching.

Names of files and of records are digests of UIDs, so that neither tells of a patient. Needs the extra ``dicom``.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event
from typing import NamedTuple

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.uid import UID

from sonoseg.delivery.dicom.moved import Moved
from sonoseg.delivery.objects import Objects
from sonoseg.delivery.outputs import Job, Options
from sonoseg.errors import UserError
from sonoseg.files import alone, replacing
from sonoseg.images.dicom.objects import ULTRASOUND, quiet, read_object
from sonoseg.images.reading import Found
from sonoseg.prediction.predictor import Predictor

_PAGE = 100
"""Instances that are asked for at once."""

_CLOSED = {401, 403, 404, 405, 407}
"""Answers of HTTP that tell of the address or the user, and not of an object."""

RECORD = "processed.txt"

Made = Callable[[Path], Sequence[Path]]
"""A scan -> files of what was made of it. Errors: ``UserError``."""


class SilentError(Exception):
    """The archive does not answer now; it may later."""


class RefusedError(UserError):
    """The archive refuses whatever comes to this address from this user."""


class Instance(NamedTuple):
    """Where an image lies in an archive."""

    study: str
    series: str
    instance: str

    @property
    def digest(self) -> str:
        """A name that tells nobody which image it is."""
        return hashlib.sha256(self.instance.encode()).hexdigest()[:24]


class Archive:
    """An archive at a DICOMweb address, such as ``http://localhost:8042/dicom-web``.

    A user and a password stand in the address or in ``.netrc``. Errors of all that it does: ``SilentError`` where it
    does not answer, ``UserError`` where it refuses.
    """

    def __init__(self, url: str) -> None:
        if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
            raise UserError("the address of the archive is no URL", hint="--url http://HOST:PORT/dicom-web")
        self.name = re.sub(r"//[^/@]*@", "//", url)
        self._client = DICOMwebClient(url.rstrip("/"))
        self._client.set_http_retry_params(retry=False)

    def find(self, **filters: str) -> Iterator[Instance]:
        """Find ultrasound images. filters: keywords of DICOM and what they must be, such as ``StudyDate``."""
        found: set[Instance] = set()
        for kind in sorted(ULTRASOUND):
            for offset in range(0, 1_000_000, _PAGE):
                with self._asked():
                    answers = self._client.search_for_instances(
                        search_filters={"SOPClassUID": kind, **filters}, limit=_PAGE, offset=offset
                    )
                page = {_instance(answer) for answer in answers} - found
                yield from sorted(page)
                found |= page
                if len(answers) < _PAGE or not page:
                    break

    def fetch(self, wanted: Instance, path: Path) -> None:
        """Write an image to ``path``, as the archive holds it, whole or not at all."""
        try:
            with self._asked(of_one=True), quiet():
                data = self._client.retrieve_instance(*wanted, media_types=(("application/dicom", "*"),))
            with quiet(), replacing(path) as temporary:
                data.save_as(temporary, enforce_file_format=True)
        except (SilentError, UserError, OSError):
            raise
        except Exception as error:  # what is damaged can raise nearly anything in a parser
            raise UserError("the archive gives what is no DICOM", hint="ask who runs it") from error

    def store(self, path: Path) -> None:
        """Give a DICOM file to the archive."""
        data = read_object(path)
        with self._asked(), quiet():
            answer = self._client.store_instances([data])
        if answer.get("FailedSOPSequence"):
            raise UserError(f"the archive {self.name} does not take {path.name}", hint="ask who runs it")

    @contextmanager
    def _asked(self, of_one: bool = False) -> Iterator[None]:
        """of_one: whether it is asked for one image, which may be gone."""
        try:
            yield
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status >= 500 or status in {408, 425, 429}:
                raise SilentError from error
            if status in _CLOSED and not (of_one and status == 404):
                raise RefusedError(
                    f"the archive {self.name} refuses (HTTP {status})",
                    hint="check the address, the user and the password",
                ) from error
            raise UserError(
                f"the archive {self.name} refuses this one (HTTP {status})", hint="ask who runs it"
            ) from error
        except requests.exceptions.SSLError as error:
            raise UserError(
                f"there is no connection to the archive {self.name} that can be trusted",
                hint="check https in the address, or name your authority's certificate: REQUESTS_CA_BUNDLE=FILE",
            ) from error
        except (requests.RequestException, OSError) as error:
            raise SilentError from error


def pull(archive: Archive, folder: Path, filters: Mapping[str, str]) -> Moved:
    """Fetch ultrasound into a folder; what is there already is not fetched again, and counts as well.

    Errors: ``SilentError``; ``UserError`` where the archive refuses the question.
    """
    moved = Moved()
    for found in archive.find(**filters):
        path = folder / f"{found.digest}.dcm"
        try:
            if not path.exists():
                archive.fetch(found, path)
            moved.done += 1
        except UserError as error:
            moved.fail(path.name, error)
    return moved


def push(archive: Archive, paths: Sequence[Path]) -> Moved:
    """Give DICOM files to an archive, one by one. Errors: ``SilentError``, ``RefusedError``."""
    moved = Moved()
    for path in paths:
        try:
            archive.store(path)
            moved.done += 1
        except RefusedError:
            raise
        except UserError as error:
            moved.fail(path.name, error)
    return moved


def maker(predictor: Predictor, objects: Objects, folder: Path) -> Made:
    """What makes objects of a scan, with other files that are not stored, in ``folder``."""
    options = Options(out=folder, overlay=False, overwrite=True, objects=objects)

    def make(path: Path) -> Sequence[Path]:
        # A job writes no path twice, and an image is made again where the archive fell silent.
        outcome = Job(predictor, options).predict(Found(path, path.name, path.stem))
        if outcome.failures:
            raise UserError(outcome.failures[0].message, hint=outcome.failures[0].hint)
        names = [name for described in outcome.documents for name in described["outputs"].values()]
        return [folder / name for name in (*names, f"{path.stem}.json")]

    return make


@dataclass
class Watch:
    """Makes something of every ultrasound image that comes into an archive, and stores it there, once for each.

    folder: holds the record of what was done, and images while they are worked on. make: see ``Made``.
    say: is told of what happens, a sentence each. wait: between two looks, in seconds.
    """

    archive: Archive
    folder: Path
    make: Made
    say: Callable[[str], None]
    wait: float = 10.0
    filters: Mapping[str, str] = field(default_factory=dict)
    stop: Event = field(default_factory=Event)

    def run(self, looks: int | None = None) -> int:
        """Look again and again, or ``looks`` times, until ``stop`` is set; gives how many images were worked on.

        An archive that does not answer is asked again later. An image is in the record when its objects are stored;
        where the work stops in between they are made again, with the same UIDs, so that the archive has them once.
        Errors: ``UserError`` where another watch keeps its record in the same folder, or the archive refuses.
        """
        with alone(self.folder):
            return self._looked(looks)

    def _looked(self, looks: int | None) -> int:
        done, silent = 0, False
        for look in count():
            if look == looks or (look and self.stop.wait(self.wait)):
                break
            try:
                known = self._record()
                for found in self.archive.find(**self.filters):
                    if found.digest not in known:
                        self._once(found)
                        done += 1
                silent = False
            except SilentError:
                if not silent:
                    self.say(f"the archive {self.archive.name} does not answer; asking again every {self.wait:g} s")
                silent = True
        return done

    def _once(self, found: Instance) -> None:
        path = self.folder / f"{found.digest}.dcm"
        made: Sequence[Path] = []
        try:
            self.archive.fetch(found, path)
            made = self.make(path)
            objects = [each for each in made if each.suffix == ".dcm"]
            for each in objects:
                self.archive.store(each)
            self.say(f"{found.digest}: {len(objects)} objects stored")
        except RefusedError:
            raise
        except UserError as error:
            self.say(f"{found.digest}: {error}")
        finally:
            for each in (path, *made):
                each.unlink(missing_ok=True)
        with (self.folder / RECORD).open("a", encoding="utf-8") as file:
            file.write(f"{found.digest}\n")

    def _record(self) -> set[str]:
        path = self.folder / RECORD
        return set(path.read_text(encoding="utf-8").split()) if path.exists() else set()


def _instance(answer: Mapping[str, object]) -> Instance:
    with quiet():
        data = Dataset.from_json(dict(answer))
    uids = (data.get("StudyInstanceUID"), data.get("SeriesInstanceUID"), data.get("SOPInstanceUID"))
    if not all(uids):
        raise UserError("the archive answers without UIDs", hint="ask who runs it")
    return Instance(*(str(UID(str(uid))) for uid in uids))
