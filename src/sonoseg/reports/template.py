"""A page's template and its values -> the page."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=PackageLoader("sonoseg.reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def fill(template: str, **values: Any) -> str:
    """Fill a file of ``templates/``; text is escaped. Errors: ``jinja2.UndefinedError`` for a value that lacks."""
    return _ENVIRONMENT.get_template(template).render(**values)
