"""What is told of a contract file that somebody has edited and that cannot be read."""


class ContractError(ValueError):
    """A contract file cannot be read; `path` is that in the repository, `line` is counted from 1."""

    def __init__(self, path: str, problem: str, line: int) -> None:
        super().__init__(f"{path}, line {line}: {problem}")
        self.path = path
        self.line = line
