import pytest
from jinja2 import UndefinedError

from sonoseg.reports.template import fill


def test_a_value_that_lacks_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        fill("report.html.j2")
