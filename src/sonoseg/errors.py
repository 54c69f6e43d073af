"""The one error that a user is meant to read, the sentence for an extra that is not installed, and safe sentences."""

from importlib.util import find_spec


class UserError(Exception):
    """Something that the user can mend.

    ``str(error)`` says what was found and what is allowed; ``hint`` says what to type next.
    ``exit_code`` is 2 for bad input and 1 for a failure while running.
    """

    def __init__(self, message: str, hint: str = "", exit_code: int = 2) -> None:
        super().__init__(message)
        if hint:
            self.add_note(f"hint: {hint}")  # so that a traceback shows it too
        self.hint = hint
        self.exit_code = exit_code


def need(extra: str, *modules: str, by: str = "this") -> None:
    """Ask for what an extra brings, before it is imported. Errors: ``UserError`` naming what is missing."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise UserError(f"{by} needs {', '.join(missing)}, which is not installed", hint=install(extra))


def install(extra: str) -> str:
    """What to type for an extra: from where this program was installed, a folder or an address, or else by its name."""
    import json  # with the next ones only when something is missing
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        origin = json.loads(distribution("sonoseg").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {}
    if "dir_info" not in origin:
        kind = origin["vcs_info"]["vcs"] + "+" if "vcs_info" in origin else ""
        place = " @ " + kind + origin["url"] if origin else ""
        return f'pip install "sonoseg[{extra}]{place}"'
    editable = "--editable " if origin["dir_info"].get("editable") else ""
    return f'pip install {editable}"{url2pathname(urlsplit(origin["url"]).path)}[{extra}]"'


def printable(text: str) -> str:
    """Write what a terminal would obey or cannot show, such as the escapes of a hostile file name, as ``\\x1b``."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode() for each in text
    )
