"""What became of files on their way to an archive or a node, or from one: one that fails does not stop the others."""

from dataclasses import dataclass, field

from sonoseg.errors import UserError


@dataclass
class Moved:
    """How many arrived, and which did not: (name, sentence, hint)."""

    done: int = 0
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    def fail(self, name: str, error: UserError) -> None:
        """Count one that did not arrive."""
        self.failures.append((name, str(error), error.hint))
