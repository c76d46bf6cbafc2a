"""Writing the configuration of the Java parts: properties files that only their owner may read, and log4j's."""

from collections.abc import Mapping
from pathlib import Path

from schemas.files import replace_file

LOG4J = """\
# Written by `tailrace up`; changes made here are lost.
status = error
shutdownHook = disable
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{{yyyy-MM-dd HH:mm:ss.SSS}} %-5p [%c{{1}}] %m%n
rootLogger.level = {level}
rootLogger.appenderRef.stdout.ref = stdout
"""


def make_directory(home: Path, part: str) -> Path:
    """Create `<home>/<part>` for its owner alone, with a `tmp` for what its JVM unpacks."""
    directory = home / part
    for path in (directory, directory / "tmp"):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
    return directory


def write_properties(path: Path, properties: Mapping[str, object]) -> Path:
    """Write a Java properties file (0600), escaping what has a meaning there."""
    lines = (f"{key}={_escape(_text(value))}\n" for key, value in properties.items())
    replace_file(path, "# Written by `tailrace up`; changes made here are lost.\n" + "".join(lines))
    return path


def write_log4j(path: Path, level: str, loggers: Mapping[str, str]) -> Path:
    """Write a log4j configuration that prints to stdout; `level` is that of all loggers but those named."""
    lines = [
        f"logger.{number}.name = {name}\nlogger.{number}.level = {own_level}\n"
        for number, (name, own_level) in enumerate(loggers.items())
    ]
    replace_file(path, LOG4J.format(level=level) + "".join(lines))
    return path


def jvm_options(directory: Path, log4j: Path | None = None) -> tuple[str, ...]:
    """Options all parts share that depend on their directory."""
    temporary = f"-Djava.io.tmpdir={directory / 'tmp'}"
    if log4j is None:
        return (temporary,)
    return (
        temporary,
        f"-Dlog4j2.configurationFile={log4j}",
        "-Dlog4j2.disableJmx=true",
        # the clients' compression and buffers do what Java warns about at each start
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _escape(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    # Java reads the file as Latin-1 or UTF-8 depending on who reads it; \u works for both
    encoded = escaped.encode("utf-16-be")
    units = (int.from_bytes(encoded[i : i + 2]) for i in range(0, len(encoded), 2))
    text = "".join(chr(unit) if 0x20 <= unit < 0x7F else f"\\u{unit:04x}" for unit in units)
    return f"\\{text}" if text.startswith(" ") else text
